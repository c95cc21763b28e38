"""What each operator of ONNX is here: a layer on (batch, channels, height, width), or an operation."""
import math

import numpy as np

from cnncore import layers, ops

_FIRST = {"data_format": "channels_first"}
_TWO_SIDED = {"Add": ops.add, "Sub": ops.subtract, "Mul": ops.multiply, "Div": ops.divide, "Pow": ops.power}


def _made(layer, x, *weights):
    """What a layer makes of x, with these weights."""
    y = layer(x)
    layer.set_weights([np.ascontiguousarray(weight, "float32") for weight in weights if weight is not None])
    return y


def _padding(attributes, x, size, strides, dilation):
    """'valid', 'same', or ((top, bottom), (left, right)) of zeros to add."""
    rank = len(size)
    auto, pads = attributes.get("auto_pad", b"NOTSET").decode(), list(attributes.get("pads") or [0] * 2 * rank)
    if auto == "VALID" or auto == "NOTSET" and not any(pads):
        return "valid"
    if auto == "SAME_UPPER":
        return "same"
    lengths = x.shape[2:]
    if None not in lengths:
        whole = [max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
                 for n, k, s, d in zip(lengths, size, strides, dilation)]
        if auto == "SAME_LOWER":
            pads = [p - p // 2 for p in whole] + [p // 2 for p in whole]
        elif pads == [p // 2 for p in whole] + [p - p // 2 for p in whole]:
            return "same"
    elif auto == "SAME_LOWER":
        raise ValueError("SAME_LOWER is read where the size of images is known. Received: shape " + str(x.shape))
    return tuple(zip(pads[:rank], pads[rank:]))


def _padded(x, padding, fill=0.0):
    """x with borders, and the padding that is left to the layer behind."""
    if isinstance(padding, str):
        return x, padding
    if fill:
        return ops.pad(x, [[0, 0], [0, 0], *map(list, padding)], constant_values=fill), "valid"
    layer = layers.ZeroPadding2D(padding, **_FIRST) if len(padding) == 2 else layers.ZeroPadding1D(padding[0], **_FIRST)
    return layer(x), "valid"


def _conv(attributes, x, w, b=None):
    rank = w.ndim - 2
    strides = attributes.get("strides") or [1] * rank
    dilation = attributes.get("dilations") or [1] * rank
    groups = attributes.get("group", 1)
    x, padding = _padded(x, _padding(attributes, x, w.shape[2:], strides, dilation))
    kind = {"strides": tuple(strides), "padding": padding, "dilation_rate": tuple(dilation), "use_bias": b is not None,
            **_FIRST}
    spatial = tuple(range(2, 2 + rank))
    if groups > 1 and groups == x.shape[1] and len(set(strides)) == 1:
        layer = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)[rank - 1]
        kernel = w.reshape(groups, -1, *w.shape[2:]).transpose(*spatial, 0, 1)
        return _made(layer(tuple(w.shape[2:]), depth_multiplier=w.shape[0] // groups, **kind), x, kernel, b)
    layer = (layers.Conv1D, layers.Conv2D)[rank - 1]
    return _made(layer(w.shape[0], tuple(w.shape[2:]), groups=groups, **kind), x, w.transpose(*spatial, 1, 0), b)


def _conv_transpose(attributes, x, w, b=None):
    rank = w.ndim - 2
    if attributes.get("group", 1) != 1 or attributes.get("auto_pad", b"NOTSET") != b"NOTSET" \
            or "output_shape" in attributes:
        raise ValueError("ConvTranspose is read with pads and in one group. Received: "
                         f"{ {k: v for k, v in attributes.items() if k in ('group', 'auto_pad', 'output_shape')} }")
    strides, dilation, extra, pads = (attributes.get(name) or [n] * length for name, n, length in (
        ("strides", 1, rank), ("dilations", 1, rank), ("output_padding", 0, rank), ("pads", 0, 2 * rank)))
    # Ours reaches as far as the windows do, or the strides if they are wider; the rest is cut off.
    reach = [d * (k - 1) + 1 for k, d in zip(w.shape[2:], dilation)]
    after = [p + (0 if any(extra) else max(s - r, 0)) for p, s, r in zip(pads[rank:], strides, reach)]
    layer = (layers.Conv1DTranspose, layers.Conv2DTranspose)[rank - 1]
    y = _made(layer(w.shape[1], tuple(w.shape[2:]), strides=tuple(strides), dilation_rate=tuple(dilation),
                    output_padding=tuple(extra) if any(extra) else None, use_bias=b is not None, **_FIRST), x,
              w.transpose(*range(2, 2 + rank), 1, 0), b)
    crop = list(zip(pads[:rank], after))
    if not any(map(any, crop)):
        return y
    return (layers.Cropping2D(crop, **_FIRST) if rank == 2 else layers.Cropping1D(crop[0], **_FIRST))(y)


def _gemm(attributes, a, b, c=None):
    if attributes.get("transA", 0) or not isinstance(b, np.ndarray):
        raise ValueError("Gemm is read as a dense layer, with constant weights. Received: other operands")
    kernel = attributes.get("alpha", 1.0) * (b.T if attributes.get("transB", 0) else b)
    bias = None if c is None else np.broadcast_to(attributes.get("beta", 1.0) * c, (1, kernel.shape[1]))[0]
    return _made(layers.Dense(kernel.shape[1], use_bias=bias is not None), a, kernel, bias)


def _matmul(attributes, a, b):
    if isinstance(b, np.ndarray) and b.ndim == 2:
        return _made(layers.Dense(b.shape[1], use_bias=False), a, b)
    return ops.matmul(a, b)


def _batch_normalization(attributes, x, gamma, beta, mean, variance):
    layer = layers.BatchNormalization(axis=1, momentum=attributes.get("momentum", 0.9),
                                      epsilon=max(attributes.get("epsilon", 1e-5), 1e-12))
    return _made(layer, x, gamma, beta, mean, variance)


def _layer_normalization(attributes, x, gamma, beta=None):
    if attributes.get("axis", -1) not in (-1, len(x.shape) - 1):
        raise ValueError(f"LayerNormalization is read over the last axis. Received: axis={attributes['axis']}")
    layer = layers.LayerNormalization(epsilon=attributes.get("epsilon", 1e-5), center=beta is not None)
    return _made(layer, x, gamma, beta)


def _pool(kind):
    def read(attributes, x):
        size = attributes["kernel_shape"]
        strides, rank = attributes.get("strides") or [1] * len(size), len(size)
        if attributes.get("ceil_mode", 0) or max(attributes.get("dilations") or [1]) > 1:
            raise ValueError("Pooling is read without ceil_mode and dilations. Received: one with them")
        padding = _padding(attributes, x, size, strides, [1] * rank)
        if kind == "Average" and padding != "valid":
            counted = attributes.get("count_include_pad", 0)
            if counted and padding == "same":  # borders of zeros that count are borders in their own right
                pads = attributes["pads"]
                padding = tuple(zip(pads[:rank], pads[rank:]))
            elif not counted and padding != "same":
                raise ValueError(f"AveragePool is read with pads that count, or as 'same' has them. Received: {padding}")
        x, padding = _padded(x, padding, 0.0 if kind == "Average" else float(np.finfo("float32").min))
        layer = getattr(layers, f"{kind}Pooling{rank}D")
        return layer(tuple(size) if rank == 2 else size[0], tuple(strides) if rank == 2 else strides[0], padding,
                     **_FIRST)(x)

    return read


def _global(kind):
    def read(attributes, x):
        return getattr(layers, f"Global{kind}Pooling{len(x.shape) - 2}D")(keepdims=True, **_FIRST)(x)

    return read


def _reduce(function):
    def read(attributes, x, axes=None):
        axes = attributes.get("axes") if axes is None else np.ravel(axes).tolist()
        return function(x, axis=None if axes is None else tuple(axes), keepdims=bool(attributes.get("keepdims", 1)))

    return read


def _reshape(attributes, x, shape):
    shape = np.ravel(shape).tolist()
    target = [x.shape[i] if n == 0 else n for i, n in enumerate(shape)][1:]
    if not shape or None in target or shape[0] > 1:
        raise ValueError(f"Reshape is read where it keeps the batch. Received: {shape} for shape {x.shape}")
    return layers.Reshape(tuple(target))(x)


def _flatten(attributes, x):
    if attributes.get("axis", 1) != 1:
        raise ValueError(f"Flatten is read with axis=1. Received: axis={attributes['axis']}")
    return layers.Flatten(data_format="channels_last")(x)


def _transpose(attributes, x):
    perm = attributes.get("perm") or list(range(len(x.shape)))[::-1]
    if isinstance(x, np.ndarray):
        return x.transpose(perm)
    return layers.Permute(tuple(perm[1:]))(x) if perm[0] == 0 else ops.transpose(x, tuple(perm))


def _concat(attributes, *xs):
    if all(isinstance(x, np.ndarray) for x in xs):
        return np.concatenate(xs, attributes["axis"])
    return layers.Concatenate(axis=attributes["axis"])(list(xs))


def _clip(attributes, x, low=None, high=None):
    low, high = (None if n is None else float(n) for n in (low, high))
    if low == 0:
        return layers.ReLU(max_value=high)(x)
    return ops.clip(x, -math.inf if low is None else low, math.inf if high is None else high)


def _pad(attributes, x, pads, fill=None, axes=None):
    rank = len(x.shape)
    pads, where = np.ravel(pads).tolist(), range(rank) if axes is None else np.ravel(axes).tolist()
    widths = [[0, 0] for _ in range(rank)]
    for i, axis in enumerate(where):
        widths[axis] = [pads[i], pads[i + len(pads) // 2]]
    if min(map(min, widths)) < 0 or attributes.get("mode", b"constant") not in (b"constant", b"reflect"):
        raise ValueError(f"Pad is read with constants or reflections, outwards. Received: {widths}")
    if attributes.get("mode", b"constant") == b"reflect":
        return ops.pad(x, widths, mode="reflect")
    return ops.pad(x, widths, constant_values=0.0 if fill is None else float(fill))


def _slice(attributes, x, starts, ends, axes=None, steps=None):
    index = [slice(None)] * len(x.shape)
    axes = range(len(starts)) if axes is None else np.ravel(axes).tolist()
    for i, axis in enumerate(axes):
        end = int(ends[i])
        index[axis] = slice(int(starts[i]), None if end >= 1 << 31 else end, None if steps is None else int(steps[i]))
    return x[tuple(index)]


def _resize(attributes, x, roi=None, scales=None, sizes=None):
    mode = attributes.get("mode", b"nearest")
    how = mode, attributes.get("coordinate_transformation_mode", b"half_pixel")
    rank, axes = len(x.shape), attributes.get("axes") or list(range(len(x.shape)))
    scales = None if scales is None or not len(scales) else dict(zip(axes, np.ravel(scales).tolist()))
    wanted = None if scales is not None else dict(zip(axes, np.ravel(sizes).tolist()))
    if scales is not None and how == (b"nearest", b"asymmetric") and all(s >= 1 and s % 1 == 0 for s in scales.values()):
        times = tuple(int(scales.get(axis, 1)) for axis in range(rank))
        if rank == 3 and times[::2] == (1, 1):
            return layers.UpSampling1D(times[1])(x)
        if rank == 4 and times[:2] == (1, 1):
            return layers.UpSampling2D(times[2:], interpolation="nearest", **_FIRST)(x)
    known = _RESIZINGS.get(how)
    rounds = attributes.get("nearest_mode", b"round_prefer_floor")
    if known is None or rank != 4 or attributes.get("antialias") or known == "nearest" and rounds != b"round_prefer_ceil":
        raise ValueError("Resize is read for images, by nearest neighbours or linear, of half pixels. Received: "
                         f"{how}, {rounds}, shape {x.shape}")
    if scales is not None and set(scales) <= {0, 1, 2, 3} and None not in x.shape[1:]:
        wanted = {axis: math.floor(n * scales.get(axis, 1)) for axis, n in enumerate(x.shape) if axis}
    if scales is not None and None in x.shape[2:] and all(s >= 1 and s % 1 == 0 for s in scales.values()):
        times = tuple(int(scales.get(axis, 1)) for axis in (2, 3))
        return layers.UpSampling2D(times, interpolation=known, **_FIRST)(x)
    if wanted is None or wanted.get(1, x.shape[1]) != x.shape[1]:
        raise ValueError(f"Resize is read where it keeps the channels. Received: {scales or wanted} for shape {x.shape}")
    return layers.Resizing(wanted.get(2, x.shape[2]), wanted.get(3, x.shape[3]), known, **_FIRST)(x)


_RESIZINGS = {(b"nearest", b"half_pixel"): "nearest", (b"linear", b"half_pixel"): "bilinear"}


def _shrink(attributes, x):
    edge, bias = attributes.get("lambd", 0.5), attributes.get("bias", 0.0)
    return ops.where(ops.greater(ops.absolute(x), edge), x - ops.sign(x) * bias if bias else x, 0.0)


def _prelu(attributes, x, slope):
    slope = np.broadcast_to(slope, (*(1,) * (len(x.shape) - slope.ndim), *slope.shape))[0] \
        if slope.ndim == len(x.shape) else slope.reshape((1,) * (len(x.shape) - 1 - slope.ndim) + slope.shape)
    shared = [i + 1 for i, n in enumerate(slope.shape) if n == 1]
    return _made(layers.PReLU(shared_axes=shared), x, slope)


def _two_sided(kind):
    numpys = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide, "Pow": np.power}

    def read(attributes, a, b):
        constant = isinstance(a, np.ndarray) and isinstance(b, np.ndarray)
        return numpys[kind](a, b) if constant else _TWO_SIDED[kind](a, b)

    return read


def _each(function):
    return lambda attributes, x: function(x)


def _two(function):
    return lambda attributes, a, b: function(a, b)


def _folded(function):
    def read(attributes, *xs):
        made = xs[0]
        for x in xs[1:]:
            made = function(made, x)
        return made

    return read


def _squeeze(attributes, x, axes=None):
    axes = attributes.get("axes") if axes is None else np.ravel(axes).tolist()
    return layers.Reshape(tuple(n for i, n in enumerate(x.shape) if i and i not in {a % len(x.shape) for a in axes}))(x)


def _hard_sigmoid(attributes, x):
    return ops.clip(x * attributes.get("alpha", 0.2) + attributes.get("beta", 0.5), 0.0, 1.0)


READERS = {
    "Conv": _conv, "ConvTranspose": _conv_transpose, "Gemm": _gemm, "MatMul": _matmul,
    "BatchNormalization": _batch_normalization, "LayerNormalization": _layer_normalization,
    "MaxPool": _pool("Max"), "AveragePool": _pool("Average"), "GlobalAveragePool": _global("Average"),
    "GlobalMaxPool": _global("Max"), "ReduceMean": _reduce(ops.mean), "ReduceSum": _reduce(ops.sum),
    "ReduceMax": _reduce(ops.max), "ReduceMin": _reduce(ops.min), "Reshape": _reshape, "Flatten": _flatten,
    "Transpose": _transpose, "Concat": _concat, "Clip": _clip, "Pad": _pad, "Slice": _slice, "Resize": _resize,
    "Squeeze": _squeeze, "Shape": lambda a, x: np.array([-1 if n is None else n for n in x.shape], "int64"),
    "PRelu": _prelu, "Shrink": _shrink,
    "Celu": lambda a, x: ops.celu(x, a.get("alpha", 1.0)), "Where": lambda a, *xs: ops.where(*xs),
    "Tile": lambda a, x, times: ops.tile(x, tuple(np.ravel(times).tolist())),
    **{kind: _two(function) for kind, function in {"Less": ops.less, "Greater": ops.greater, "Equal": ops.equal,
                                                   "LessOrEqual": ops.less_equal,
                                                   "GreaterOrEqual": ops.greater_equal}.items()},
    **{kind: _two_sided(kind) for kind in _TWO_SIDED},
    "Max": _folded(ops.maximum), "Min": _folded(ops.minimum), "Sum": _folded(ops.add),
    "Identity": lambda a, x: x, "Dropout": lambda a, x, *more: x,
    "Relu": lambda a, x: layers.ReLU()(x), "LeakyRelu": lambda a, x: layers.LeakyReLU(a.get("alpha", 0.01))(x),
    "Elu": lambda a, x: layers.ELU(a.get("alpha", 1.0))(x), "HardSigmoid": _hard_sigmoid,
    "Softmax": lambda a, x: layers.Softmax(a.get("axis", -1))(x),
    "LogSoftmax": lambda a, x: ops.log_softmax(x, a.get("axis", -1)),
    **{kind: _each(function) for kind, function in {
        "Sigmoid": ops.sigmoid, "Tanh": ops.tanh, "Softplus": ops.softplus, "Softsign": ops.softsign, "Exp": ops.exp,
        "Sqrt": ops.sqrt, "Abs": ops.abs, "Neg": ops.negative, "Log": ops.log, "Erf": ops.erf, "Selu": ops.selu,
        "HardSwish": ops.hard_silu, "Mish": lambda x: layers.Activation("mish")(x)}.items()},
}
