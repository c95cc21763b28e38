"""What ONNX's operators that pool, pad, resize and rearrange images are here."""
import math

import numpy as np

from cnncore import layers, ops
from cnncore.onnx.constants import BATCH, check_size, is_unknown
from cnncore.onnx.node_layers import FIRST, padded, padding_of

_LOWEST = float(np.finfo("float32").min)


# ---- pooling -----------------------------------------------------------------------------------------------------

def _pool(kind):
    def read(attributes, x):
        size = attributes["kernel_shape"]
        strides, rank = attributes.get("strides") or [1] * len(size), len(size)
        if max(attributes.get("dilations") or [1]) > 1:
            raise ValueError(f"{kind}Pool is read without dilations. Received: dilations={attributes['dilations']}")
        padding, factor = padding_of(attributes, x, size, strides, [1] * rank), None
        further = _beyond(attributes, x, size, strides) if attributes.get("ceil_mode") else (0,) * rank
        counted = kind == "Max" or bool(attributes.get("count_include_pad"))
        if any(further) or kind == "Average" and (padding == "same") == counted and padding != "valid":
            borders = _borders(x, padding, size, strides)
            if kind == "Average" and (any(further) or not counted):
                factor = _shares(_known(x, kind), borders, further, size, strides, counted)
            padding = tuple((before, after + more) for (before, after), more in zip(borders, further))
        x, padding = padded(x, padding, 0.0 if kind == "Average" else _LOWEST)
        layer = getattr(layers, f"{kind}Pooling{rank}D")
        y = layer(tuple(size) if rank == 2 else size[0], tuple(strides) if rank == 2 else strides[0], padding, **FIRST)(x)
        return y if factor is None else y * factor

    return read


def _known(x, what):
    if None in x.shape[2:]:
        raise ValueError(f"{what} with such borders is read where the size of images is known. Received: shape {x.shape}")
    return x.shape[2:]


def _borders(x, padding, size, strides):
    """((top, bottom), (left, right)) of 'valid', of 'same', or as given."""
    if padding == "valid":
        return ((0, 0),) * len(size)
    if padding != "same":
        return padding
    whole = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(_known(x, "Pooling"), size, strides)]
    return tuple((p // 2, p - p // 2) for p in whole)


def _beyond(attributes, x, size, strides):
    """How far the last windows reach over the borders with ceil_mode; each begins within the image or the border before."""
    pads, far = attributes.get("pads") or [0] * 2 * len(size), []
    for i, (n, k, s) in enumerate(zip(_known(x, "ceil_mode"), size, strides)):
        before, after = pads[i], pads[i + len(size)]
        steps = -(-(n + before + after - k) // s)
        steps -= steps * s >= n + before
        far.append(max(steps * s + k - n - before - after, 0))
    return tuple(far)


def _shares(lengths, borders, further, size, strides, counted):
    """What means of windows over zeros are multiplied by where these do not count: elements by those that count."""
    factor = np.ones(())
    check_size([n + sum(border) + more for n, border, more in zip(lengths, borders, further)])
    for n, border, more, k, s in zip(lengths, borders, further, size, strides):
        counts = np.pad(np.ones(n), border, constant_values=float(counted))
        counts = np.lib.stride_tricks.sliding_window_view(np.pad(counts, (0, more)), k)[::s].sum(-1)
        factor = np.multiply.outer(factor, k / np.maximum(counts, 1))
    return factor[None, None].astype("float32")


def _global(kind):
    def read(attributes, x):
        return getattr(layers, f"Global{kind}Pooling{len(x.shape) - 2}D")(keepdims=True, **FIRST)(x)

    return read


# ---- borders -----------------------------------------------------------------------------------------------------

def _pad(attributes, x, pads, fill=None, axes=None):
    rank, mode = len(x.shape), attributes.get("mode", b"constant").decode()
    pads, where = np.ravel(pads).tolist(), range(rank) if axes is None else np.ravel(axes).tolist()
    widths = [[0, 0] for _ in range(rank)]
    for i, axis in enumerate(where):
        widths[axis] = [pads[i], pads[i + len(pads) // 2]]
    if any(widths[0]) or mode not in ("constant", "reflect", "edge"):
        raise ValueError("Pad is read with constants, reflections or edges, of single images. Received: "
                         f"{mode!r}, {widths}")
    if min(map(min, widths)) < 0:  # that cuts off
        x = x[tuple(slice(max(-low, 0), None if high >= 0 else high) for low, high in widths)]
        widths = [[max(n, 0) for n in pair] for pair in widths]
    if mode == "constant":
        plain = rank == 4 and not any(widths[1]) and not fill
        return padded(x, tuple(map(tuple, widths[2:])))[0] if plain \
            else ops.pad(x, widths, constant_values=0.0 if fill is None else float(fill))
    for axis, pair in enumerate(widths):
        if any(pair):
            check_size([x.shape[axis] + sum(pair)])
            x = ops.take(x, np.pad(np.arange(x.shape[axis], dtype="int32"), pair, mode), axis)
    return x


# ---- sizes -------------------------------------------------------------------------------------------------------

def _resize(attributes, x, roi=None, scales=None, sizes=None):
    mode = attributes.get("mode", b"nearest").decode()
    places = attributes.get("coordinate_transformation_mode", b"half_pixel").decode()
    rounds = attributes.get("nearest_mode", b"round_prefer_floor").decode()
    rank, policy = len(x.shape), attributes.get("keep_aspect_ratio_policy", b"stretch").decode()
    axes = [range(rank)[axis] for axis in attributes.get("axes") or range(rank)]
    if mode not in ("nearest", "linear") or places not in _PLACES or rounds not in _ROUNDINGS \
            or policy != "stretch" or attributes.get("antialias") or rank not in (3, 4):
        raise ValueError("Resize is read for images, by nearest neighbours or linear, without antialias, and to whatever "
                         f"proportions. Received: {mode!r}, {places!r}, {rounds!r}, {policy!r}, shape {x.shape}")
    scales = None if scales is None or not np.size(scales) else dict(zip(axes, np.ravel(scales).tolist(), strict=True))
    if scales and scales.get(0, 1) != 1:
        raise ValueError(f"Resize is read where it keeps the batch. Received: a scale of {scales[0]} for axis 0")
    whole = scales is not None and all(s >= 1 and s % 1 == 0 for s in scales.values())
    if whole:
        times = tuple(int(scales.get(axis, 1)) for axis in range(rank))
        how = {("nearest", "asymmetric"): "nearest", ("linear", "half_pixel"): "bilinear",
               ("linear", "pytorch_half_pixel"): "bilinear"}.get((mode, places))
        if how == "nearest" and rounds == "floor" and rank == 3 and times[::2] == (1, 1):
            return layers.UpSampling1D(times[1])(x)
        if rank == 4 and times[:2] == (1, 1) and (how == "bilinear" or how == "nearest" and rounds == "floor"):
            return layers.UpSampling2D(times[2:], interpolation=how, **FIRST)(x)
    lengths = _known(x, "Resize")
    if scales is not None:
        wanted = [math.floor(n * scales.get(axis, 1)) for axis, n in enumerate(lengths, 2)]
    else:
        sizes = dict(zip(axes, np.ravel(sizes).tolist(), strict=True))
        open_axes = [axis for axis, n in sizes.items() if is_unknown(n) and (axis, n) != (0, BATCH)]
        if open_axes:
            raise ValueError(f"Resize is read to sizes that are known. Received: unknown ones for the axes {open_axes}")
        wanted = [sizes.get(axis, n) for axis, n in enumerate(lengths, 2)]
    kept = (scales or {}).get(1, 1) == 1 and (scales is not None or sizes.get(1, x.shape[1]) == x.shape[1])
    if not kept or min(wanted) < 1 or min(lengths) < 1:
        raise ValueError(f"Resize is read where it keeps the channels. Received: {scales or sizes} for shape {x.shape}")
    for n, m in zip(lengths, wanted):
        check_size([n, m])
    even = all(m == n * (scales or {}).get(axis, m / n) for axis, (n, m) in enumerate(zip(lengths, wanted), 2))
    if rank == 4 and mode == "linear" and even and (places == "half_pixel"
                                                    or places == "pytorch_half_pixel" and min(wanted) > 1):
        return layers.Resizing(*wanted, "bilinear", **FIRST)(x)
    for axis, (n, m) in enumerate(zip(lengths, wanted), 2):
        if n == m:
            continue
        at = _PLACES[places](np.arange(m), n, m, (scales or {}).get(axis, m / n))
        if mode == "nearest":
            x = ops.take(x, np.clip(_ROUNDINGS[rounds](at), 0, n - 1).astype("int32"), axis)
            continue
        at = np.clip(at, 0, n - 1)
        low = np.floor(at).astype("int32")
        share = (at - low).astype("float32").reshape(-1, *(1,) * (rank - 1 - axis))
        x = ops.take(x, low, axis) * (1 - share) + ops.take(x, np.minimum(low + 1, n - 1), axis) * share
    return x


# Where the i-th of m elements is among n, which are `scale` times as far apart.
_PLACES = {
    "half_pixel": lambda i, n, m, scale: (i + 0.5) / scale - 0.5,
    "pytorch_half_pixel": lambda i, n, m, scale: (i + 0.5) / scale - 0.5 if m > 1 else 0.0 * i,
    "align_corners": lambda i, n, m, scale: i * (n - 1) / max(m - 1, 1),
    "asymmetric": lambda i, n, m, scale: i / scale,
}
_ROUNDINGS = {
    "round_prefer_floor": lambda at: np.ceil(at - 0.5), "round_prefer_ceil": lambda at: np.floor(at + 0.5),
    "floor": np.floor, "ceil": np.ceil,
}


# ---- order -------------------------------------------------------------------------------------------------------

def _depth_to_space(attributes, x):
    """Channels become blocks of pixels; with the mode CRD as PyTorch's PixelShuffle has it."""
    b, (channels, rows, columns) = attributes["blocksize"], x.shape[1:]
    if attributes.get("mode", b"DCR") == b"CRD":
        x = layers.Permute((1, 4, 2, 5, 3))(layers.Reshape((channels // b ** 2, b, b, rows, columns))(x))
    else:
        x = layers.Permute((3, 4, 1, 5, 2))(layers.Reshape((b, b, channels // b ** 2, rows, columns))(x))
    return layers.Reshape((channels // b ** 2, rows * b, columns * b))(x)


def _space_to_depth(attributes, x):
    b, (channels, rows, columns) = attributes["blocksize"], x.shape[1:]
    x = layers.Permute((3, 5, 1, 2, 4))(layers.Reshape((channels, rows // b, b, columns // b, b))(x))
    return layers.Reshape((channels * b ** 2, rows // b, columns // b))(x)


READERS = {
    "MaxPool": _pool("Max"), "AveragePool": _pool("Average"), "GlobalAveragePool": _global("Average"),
    "GlobalMaxPool": _global("Max"), "Pad": _pad, "Resize": _resize, "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
}
