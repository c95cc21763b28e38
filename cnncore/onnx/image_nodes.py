"""What layers that resize, cut, pool to a given size or rearrange are in ONNX."""
import math

import numpy as np

from cnncore.onnx.layer_nodes import _first, _lengths, with_unit_length
from cnncore.ops import image

_RESIZINGS = {"nearest": {"mode": "nearest", "nearest_mode": "round_prefer_ceil"}, "bilinear": {"mode": "linear"}}


def _known(layer, lengths, what="the size of its images"):
    if None in lengths:
        raise ValueError(f"ONNX files hold {type(layer).__name__} where {what} is known. Received: {lengths} in "
                         f"{layer.name!r}; give the model an Input with all lengths")
    return lengths


def _by_products(g, layer, x, size, method, antialias=False):
    """Each row and each column times a matrix: ONNX Runtime resizes in other ways than these as it likes."""
    def write(v):
        for length, wanted in zip(_known(layer, _lengths(layer, x))[::-1], size[::-1]):
            rows = image.resize(np.eye(length, dtype="float32")[..., None], (wanted, length), method, antialias)
            v = g.transpose(g.add("MatMul", v, g.constant(rows.numpy()[..., 0].T)), (0, 1, 3, 2))
        return v

    return _first(layer, x, write)


def _up_sampling(g, layer, x):
    if layer.interpolation not in _RESIZINGS:
        size = [n * times for n, times in zip(_known(layer, _lengths(layer, x)), layer.size)]
        return _by_products(g, layer, x, size, layer.interpolation)
    scales = g.constant(np.array([1, 1, *layer.size], "float32"))
    how = {"coordinate_transformation_mode": "half_pixel", **_RESIZINGS[layer.interpolation]}
    if layer.interpolation == "nearest":
        how |= {"nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
    return _first(layer, x, lambda v: g.add("Resize", v, "", scales, **how))


def _up_sampling_steps(g, layer, x):
    scales = g.constant(np.array([1, layer.size, 1], "float32"))
    return g.add("Resize", x.name, "", scales, mode="nearest", nearest_mode="floor",
                 coordinate_transformation_mode="asymmetric")


def _resizing(g, layer, x):
    if layer.crop_to_aspect_ratio or layer.pad_to_aspect_ratio or len(x.shape) != 4:
        raise ValueError("ONNX files hold Resizing of batches, to a size alone. Received: crop_to_aspect_ratio="
                         f"{layer.crop_to_aspect_ratio}, pad_to_aspect_ratio={layer.pad_to_aspect_ratio} in "
                         f"{layer.name!r}, for shape {x.shape}")
    if layer.interpolation not in _RESIZINGS or layer.antialias and layer.interpolation != "nearest":
        return _by_products(g, layer, x, (layer.height, layer.width), layer.interpolation, layer.antialias)
    size = g.whole(layer.height, layer.width)
    how = {"coordinate_transformation_mode": "half_pixel", **_RESIZINGS[layer.interpolation]}

    def write(v):  # the attribute `axes` would be shorter, but ONNX Runtime loses it when it moves transpositions
        kept = g.add("Slice", g.add("Shape", v), g.whole(0), g.whole(2))
        return g.add("Resize", v, "", "", g.add("Concat", kept, size, axis=0), **how)

    return _first(layer, x, write)


def _center_crop(g, layer, x):
    lengths = _known(layer, _lengths(layer, x))
    starts = [(n - m) // 2 for n, m in zip(lengths, (layer.height, layer.width))]
    if min(starts) < 0 or len(x.shape) != 4:
        raise ValueError(f"ONNX files hold CenterCrop of images that are large enough. Received: shape {x.shape} for "
                         f"{layer.name!r}")
    first = 2 if layer.data_format == "channels_first" else 1
    ends = [start + m for start, m in zip(starts, (layer.height, layer.width))]
    return g.add("Slice", x.name, g.whole(*starts), g.whole(*ends), g.whole(first, first + 1))


def _windows(g, x, kind, axis, length, parts):
    """The mean or maximum of each of so many windows along an axis, which together reach over all of it."""
    if parts == 1:
        return g.add(kind, x, g.whole(axis), keepdims=1)
    ends = []
    for i in range(parts):
        low, high = i * length // parts, -(-(i + 1) * length // parts)
        part = g.add("Slice", x, g.whole(low), g.whole(high), g.whole(axis))
        ends.append(g.add(kind, part, g.whole(axis), keepdims=1))
    return g.add("Concat", *ends, axis=axis)


def _adaptive(kind):
    def write(g, layer, x):
        made, first = x.name, 2 if layer.data_format == "channels_first" else 1
        for i, (length, parts) in enumerate(zip(_known(layer, _lengths(layer, x)), layer.output_size)):
            made = _windows(g, made, kind, first + i, length, parts)
        return made

    return write


def _pyramid(g, layer, x):
    given = g.transpose(x.name, (0, 2, 3, 1)) if layer.data_format == "channels_first" else x.name
    ends = []
    for level in layer.levels:
        made = given
        for i, length in enumerate(_known(layer, _lengths(layer, x))):
            made = _windows(g, made, "ReduceMax", 1 + i, length, level)
        ends.append(g.add("Flatten", made, axis=1))
    return ends[0] if len(ends) == 1 else g.add("Concat", *ends, axis=1)


def _shuffle(g, layer, x):
    first = layer.data_format == "channels_first"
    channels = x.shape[1] if first else x.shape[-1]
    made = g.transpose(x.name, (0, 2, 3, 1)) if first else x.name
    made = g.add("Reshape", made, g.whole(0, 0, 0, layer.groups, channels // layer.groups))
    made = g.add("Reshape", g.transpose(made, (0, 1, 2, 4, 3)), g.whole(0, 0, 0, channels))
    return g.transpose(made, (0, 3, 1, 2)) if first else made


def _repeat(g, layer, x):
    return g.add("Tile", g.add("Reshape", x.name, g.whole(0, 1, x.shape[-1])), g.whole(1, layer.n, 1))


def _dot(g, layer, x, y):
    a, b = layer._pair([x.shape, y.shape])
    names = [with_unit_length(g, v.name, [axis], 1e-12) if layer.normalize else v.name for v, axis in ((x, a), (y, b))]
    left, right = x.shape[1:a] + x.shape[a + 1:], y.shape[1:b] + y.shape[b + 1:]
    if not left and not right:
        return g.add("ReduceSum", g.add("Mul", *names), g.whole(1), keepdims=1)
    _known(layer, (*left, *right, x.shape[a]), "all of its inputs' lengths")
    one = g.transpose(names[0], [i for i in range(len(x.shape)) if i != a] + [a])
    other = g.transpose(names[1], [0, b, *(i for i in range(1, len(y.shape)) if i != b)])
    if len(left) != 1:
        one = g.add("Reshape", one, g.whole(0, math.prod(left), x.shape[a]))
    if len(right) != 1:
        other = g.add("Reshape", other, g.whole(0, x.shape[a], math.prod(right)))
    made = g.add("MatMul", one, other)
    return made if len(left) == len(right) == 1 else g.add("Reshape", made, g.whole(0, *left, *right))


WRITERS = {
    "UpSampling1D": _up_sampling_steps, "UpSampling2D": _up_sampling, "Resizing": _resizing, "CenterCrop": _center_crop,
    "AdaptiveAveragePooling1D": _adaptive("ReduceMean"), "AdaptiveAveragePooling2D": _adaptive("ReduceMean"),
    "AdaptiveMaxPooling1D": _adaptive("ReduceMax"), "AdaptiveMaxPooling2D": _adaptive("ReduceMax"),
    "SpatialPyramidPooling2D": _pyramid, "ChannelShuffle": _shuffle, "RepeatVector": _repeat, "Dot": _dot,
}
