"""Max, average and global pooling over NHWC images."""

import numpy as np

from .windows import windows


def _window_pixels(x_shape, pool, strides, padding):
    """Yields (oy, ox, pixels): the window's pixels inside the image, as (iy, ix) in row-major order."""
    _, in_h, in_w, _ = x_shape
    out_h, out_w, pad_top, pad_left = windows(in_h, in_w, pool, strides, padding)
    for oy in range(out_h):
        for ox in range(out_w):
            top, left = oy * strides[0] - pad_top, ox * strides[1] - pad_left
            rows = [iy for iy in range(top, top + pool[0]) if 0 <= iy < in_h]
            columns = [ix for ix in range(left, left + pool[1]) if 0 <= ix < in_w]
            yield oy, ox, [(iy, ix) for iy in rows for ix in columns]


def _output(x, pool, strides, padding):
    batch, in_h, in_w, channels = x.shape
    out_h, out_w, _, _ = windows(in_h, in_w, pool, strides, padding)
    return np.zeros((batch, out_h, out_w, channels))


def _first_maximum(x, pixels):
    """Returns the maximum over `pixels` and its position in that list, both [batch, channels]; the first NaN wins."""
    iy, ix = pixels[0]
    best, position = x[:, iy, ix].copy(), np.zeros(x[:, iy, ix].shape, np.int64)
    for i, (iy, ix) in enumerate(pixels[1:], start=1):
        value = x[:, iy, ix]
        wins = (value > best) | (np.isnan(value) & ~np.isnan(best))
        best[wins], position[wins] = value[wins], i
    return best, position


def max_pool2d(x, pool, strides=None, padding="valid"):
    """y[n, oy, ox, c] = the maximum of x over the window's pixels inside the image; a NaN among them is the maximum."""
    x, strides = np.asarray(x, np.float64), strides or pool
    y = _output(x, pool, strides, padding)
    for oy, ox, pixels in _window_pixels(x.shape, pool, strides, padding):
        y[:, oy, ox], _ = _first_maximum(x, pixels)
    return y


def max_pool2d_vjp(dy, x, pool, strides=None, padding="valid"):
    """Returns dx: each window's gradient goes whole to its first maximum in row-major order."""
    dy, x, strides = np.asarray(dy, np.float64), np.asarray(x, np.float64), strides or pool
    dx = np.zeros(x.shape)
    for oy, ox, pixels in _window_pixels(x.shape, pool, strides, padding):
        _, position = _first_maximum(x, pixels)
        for i, (iy, ix) in enumerate(pixels):
            dx[:, iy, ix] += np.where(position == i, dy[:, oy, ox], 0.0)
    return (dx,)


def avg_pool2d(x, pool, strides=None, padding="valid"):
    """y[n, oy, ox, c] = the mean of x over the window's pixels inside the image: padding is not counted."""
    x, strides = np.asarray(x, np.float64), strides or pool
    y = _output(x, pool, strides, padding)
    for oy, ox, pixels in _window_pixels(x.shape, pool, strides, padding):
        for iy, ix in pixels:
            y[:, oy, ox] += x[:, iy, ix]
        y[:, oy, ox] /= len(pixels)
    return y


def avg_pool2d_vjp(dy, x, pool, strides=None, padding="valid"):
    """Returns dx: each window's gradient is shared equally by its pixels inside the image."""
    dy, strides = np.asarray(dy, np.float64), strides or pool
    dx = np.zeros(np.shape(x))
    for oy, ox, pixels in _window_pixels(np.shape(x), pool, strides, padding):
        for iy, ix in pixels:
            dx[:, iy, ix] += dy[:, oy, ox] / len(pixels)
    return (dx,)


def global_max_pool2d(x):
    """y[n, c] = the maximum of x over the image."""
    return max_pool2d(x, np.shape(x)[1:3])[:, 0, 0]


def global_max_pool2d_vjp(dy, x):
    """Returns dx: the gradient goes whole to the image's first maximum in row-major order."""
    return max_pool2d_vjp(np.asarray(dy)[:, None, None], x, np.shape(x)[1:3])


def global_avg_pool2d(x):
    """y[n, c] = the mean of x over the image."""
    return avg_pool2d(x, np.shape(x)[1:3])[:, 0, 0]


def global_avg_pool2d_vjp(dy, x):
    """Returns dx: the gradient is shared equally by all pixels."""
    return avg_pool2d_vjp(np.asarray(dy)[:, None, None], x, np.shape(x)[1:3])
