"""Convolution, dense layers and matrix products."""

import numpy as np

from .windows import windows


def _taps(x_shape, w_shape, strides, padding, dilation):
    """Yields (oy, ox, ky, kx, iy, ix) for every output pixel and every kernel tap that lies inside the image."""
    _, in_h, in_w, _ = x_shape
    k_h, k_w = w_shape[:2]
    out_h, out_w, pad_top, pad_left = windows(in_h, in_w, (k_h, k_w), strides, padding, dilation)
    for oy in range(out_h):
        for ox in range(out_w):
            for ky in range(k_h):
                for kx in range(k_w):
                    iy = oy * strides[0] + ky * dilation[0] - pad_top
                    ix = ox * strides[1] + kx * dilation[1] - pad_left
                    if 0 <= iy < in_h and 0 <= ix < in_w:
                        yield oy, ox, ky, kx, iy, ix


def _group_slices(in_c, out_c, groups):
    """Returns the slices of input and of output channels that belong together."""
    c, f = in_c // groups, out_c // groups
    return [(slice(g * c, (g + 1) * c), slice(g * f, (g + 1) * f)) for g in range(groups)]


def conv2d(x, w, b=None, strides=(1, 1), padding="valid", dilation=(1, 1), groups=1):
    """y[n, oy, ox, f] = b[f] + sum over ky, kx, c of x[n, iy, ix, c] w[ky, kx, c, f], x being 0 outside the image."""
    x, w = np.asarray(x, np.float64), np.asarray(w, np.float64)
    batch, in_h, in_w, in_c = x.shape
    k_h, k_w, group_c, out_c = w.shape
    if in_c != group_c * groups or out_c % groups:
        raise ValueError(
            f"Channels must divide into groups. Received: x {x.shape}, w {w.shape}, groups={groups}; "
            "w needs in_c / groups input channels and a multiple of groups output channels."
        )
    out_h, out_w, _, _ = windows(in_h, in_w, (k_h, k_w), strides, padding, dilation)
    y = np.zeros((batch, out_h, out_w, out_c))
    for oy, ox, ky, kx, iy, ix in _taps(x.shape, w.shape, strides, padding, dilation):
        for c, f in _group_slices(in_c, out_c, groups):
            y[:, oy, ox, f] += x[:, iy, ix, c] @ w[ky, kx, :, f]
    return y if b is None else y + np.asarray(b, np.float64)


def conv2d_vjp(dy, x, w, b=None, strides=(1, 1), padding="valid", dilation=(1, 1), groups=1):
    """Returns dx, dw, db (None without b)."""
    dy, x, w = np.asarray(dy, np.float64), np.asarray(x, np.float64), np.asarray(w, np.float64)
    dx, dw = np.zeros(x.shape), np.zeros(w.shape)
    for oy, ox, ky, kx, iy, ix in _taps(x.shape, w.shape, strides, padding, dilation):
        for c, f in _group_slices(x.shape[3], w.shape[3], groups):
            dx[:, iy, ix, c] += dy[:, oy, ox, f] @ w[ky, kx, :, f].T
            dw[ky, kx, :, f] += x[:, iy, ix, c].T @ dy[:, oy, ox, f]
    return dx, dw, None if b is None else dy.sum((0, 1, 2))


def depthwise_conv2d(x, w, b=None, strides=(1, 1), padding="valid", dilation=(1, 1)):
    """y[n, oy, ox, c m + j] = b[c m + j] + sum over ky, kx of x[n, iy, ix, c] w[ky, kx, c, j]."""
    w = np.asarray(w, np.float64)
    k_h, k_w, in_c, filters = w.shape
    return conv2d(x, w.reshape(k_h, k_w, 1, in_c * filters), b, strides, padding, dilation, in_c)


def depthwise_conv2d_vjp(dy, x, w, b=None, strides=(1, 1), padding="valid", dilation=(1, 1)):
    """Returns dx, dw, db (None without b)."""
    w = np.asarray(w, np.float64)
    k_h, k_w, in_c, filters = w.shape
    flat = w.reshape(k_h, k_w, 1, in_c * filters)
    dx, dw, db = conv2d_vjp(dy, x, flat, b, strides, padding, dilation, in_c)
    return dx, dw.reshape(w.shape), db


def _transposed_pads(x_shape, w_shape, strides, padding, dilation, output_padding):
    """Returns ((height, width) of the output, ((top, bottom), (left, right)) that are cut off what the windows write)."""
    sizes, cuts = [], []
    for axis in (0, 1):
        stride, reach = strides[axis], (w_shape[axis] - 1) * dilation[axis] + 1
        written, extra = (x_shape[1 + axis] - 1) * stride + reach, (output_padding or (None, None))[axis]
        if padding == "valid":
            size, before = max(written, x_shape[1 + axis] * stride) if extra is None else written + extra, 0
        else:
            odd = reach % 2
            size = x_shape[1 + axis] * stride if extra is None else (x_shape[1 + axis] - 1) * stride + odd + extra
            # Counted from where a window that begins outside still reaches in, half of what is there goes first.
            total = size - (x_shape[1 + axis] - 1) * stride - 1 + reach - 1
            before = reach - 1 - min(-(-total // 2), reach - 1)
        sizes.append(size)
        cuts.append((before, written - before - size))
    return sizes, cuts


def conv2d_transpose(x, w, strides=(1, 1), padding="valid", dilation=(1, 1), output_padding=None):
    """y[n, oy s + ky d - top, ox s + kx d - left, f] += x[n, oy, ox, c] w[ky, kx, f, c], added up in y."""
    x, w = np.asarray(x, np.float64), np.asarray(w, np.float64)
    (out_h, out_w), cuts = _transposed_pads(x.shape, w.shape, strides, padding, dilation, output_padding)
    like = np.zeros((x.shape[0], out_h, out_w, w.shape[2]))
    return conv2d_vjp(x, like, w, None, strides, cuts, dilation)[0]


def conv2d_transpose_vjp(dy, x, w, strides=(1, 1), padding="valid", dilation=(1, 1), output_padding=None):
    """Returns dx, dw."""
    _, cuts = _transposed_pads(np.shape(x), np.shape(w), strides, padding, dilation, output_padding)
    return conv2d(dy, w, None, strides, cuts, dilation), conv2d_vjp(x, dy, w, None, strides, cuts, dilation)[1]


def dense(x, w, b=None):
    """y[n, u] = b[u] + sum over k of x[n, k] w[k, u]."""
    x, w = np.asarray(x, np.float64), np.asarray(w, np.float64)
    y = np.zeros((x.shape[0], w.shape[1]))
    for k in range(x.shape[1]):
        y += np.outer(x[:, k], w[k])
    return y if b is None else y + np.asarray(b, np.float64)


def dense_vjp(dy, x, w, b=None):
    """Returns dx, dw, db (None without b)."""
    dy, x, w = np.asarray(dy, np.float64), np.asarray(x, np.float64), np.asarray(w, np.float64)
    dx, dw = np.zeros(x.shape), np.zeros(w.shape)
    for k in range(x.shape[1]):
        dx[:, k] = (dy * w[k]).sum(1)
        dw[k] = (x[:, k : k + 1] * dy).sum(0)
    return dx, dw, None if b is None else dy.sum(0)


def matmul(a, b):
    """c[..., i, j] = sum over k of a[..., i, k] b[..., k, j]; leading axes broadcast."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    c = np.zeros((*lead, a.shape[-2], b.shape[-1]))
    for k in range(a.shape[-1]):
        c += a[..., :, k, None] * b[..., None, k, :]
    return c


def matmul_vjp(dy, a, b):
    """Returns da, db, summed over the leading axes that were broadcast."""
    dy, a, b = np.asarray(dy, np.float64), np.asarray(a, np.float64), np.asarray(b, np.float64)
    da, db = np.zeros(a.shape), np.zeros(b.shape)
    lead = dy.shape[:-2]
    a_lead, b_lead = np.broadcast_to(a, lead + a.shape[-2:]), np.broadcast_to(b, lead + b.shape[-2:])
    for index in np.ndindex(lead):
        # A broadcast axis has size 1 in the operand: every index of the result points at its only element.
        at_a = _index_before_broadcast(index, a.shape[:-2])
        at_b = _index_before_broadcast(index, b.shape[:-2])
        for k in range(a.shape[-1]):
            da[at_a][:, k] += dy[index] @ b_lead[index][k]
            db[at_b][k] += a_lead[index][:, k] @ dy[index]
    return da, db


def _index_before_broadcast(index, shape):
    """Returns the index in an array of `shape` of the element that broadcasting put at `index`."""
    trailing = index[len(index) - len(shape) :]
    return tuple(0 if size == 1 else i for i, size in zip(trailing, shape, strict=True))


def bias_add(x, b):
    """y[..., c] = x[..., c] + b[c]."""
    return np.asarray(x, np.float64) + np.asarray(b, np.float64)


def bias_add_vjp(dy, x, b):
    """Returns dx, db."""
    dy = np.asarray(dy, np.float64)
    return dy.copy(), dy.reshape(-1, dy.shape[-1]).sum(0)
