"""What each operator of ONNX is here: a layer on (batch, channels, height, width), or an operation."""
import functools
import math

import numpy as np

from cnncore import layers, ops
from cnncore.onnx.constants import BATCH, check_lengths, check_size, is_unknown, lengths_of

FIRST = {"data_format": "channels_first"}
_FLOATS, _WHOLE = (1, 10, 11, 16), {6: "int32", 7: "int64", 9: "bool"}  # ONNX's numbers of types
_TWO_SIDED = {"Add": ops.add, "Sub": ops.subtract, "Mul": ops.multiply, "Div": ops.divide, "Pow": ops.power}


def _weighted(layer, x, *weights):
    """What a layer with these weights makes of x."""
    y = layer(x)
    layer.set_weights([np.ascontiguousarray(weight, "float32") for weight in weights if weight is not None])
    return y


def padding_of(attributes, x, size, strides, dilation):
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


def padded(x, padding, fill=0.0):
    """x with borders, and the padding that is left to the layer behind."""
    if isinstance(padding, str):
        return x, padding
    if fill:
        return ops.pad(x, [[0, 0], [0, 0], *map(list, padding)], constant_values=fill), "valid"
    layer = layers.ZeroPadding2D(padding, **FIRST) if len(padding) == 2 else layers.ZeroPadding1D(padding[0], **FIRST)
    return layer(x), "valid"


def _conv(attributes, x, w, b=None):
    rank = w.ndim - 2
    strides = attributes.get("strides") or [1] * rank
    dilation = attributes.get("dilations") or [1] * rank
    groups = attributes.get("group", 1)
    x, padding = padded(x, padding_of(attributes, x, w.shape[2:], strides, dilation))
    kind = {"strides": tuple(strides), "padding": padding, "dilation_rate": tuple(dilation), "use_bias": b is not None,
            **FIRST}
    spatial = tuple(range(2, 2 + rank))
    if groups > 1 and groups == x.shape[1] and len(set(strides)) == 1:
        layer = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)[rank - 1]
        kernel = w.reshape(groups, -1, *w.shape[2:]).transpose(*spatial, 0, 1)
        return _weighted(layer(tuple(w.shape[2:]), depth_multiplier=w.shape[0] // groups, **kind), x, kernel, b)
    layer = (layers.Conv1D, layers.Conv2D)[rank - 1]
    return _weighted(layer(w.shape[0], tuple(w.shape[2:]), groups=groups, **kind), x, w.transpose(*spatial, 1, 0), b)


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
    y = _weighted(layer(w.shape[1], tuple(w.shape[2:]), strides=tuple(strides), dilation_rate=tuple(dilation),
                        output_padding=tuple(extra) if any(extra) else None, use_bias=b is not None, **FIRST), x,
                  w.transpose(*range(2, 2 + rank), 1, 0), b)
    crop = list(zip(pads[:rank], after))
    if not any(map(any, crop)):
        return y
    return (layers.Cropping2D(crop, **FIRST) if rank == 2 else layers.Cropping1D(crop[0], **FIRST))(y)


def _gemm(attributes, a, b, c=None):
    if attributes.get("transA", 0) or not isinstance(b, np.ndarray):
        raise ValueError("Gemm is read as a dense layer, with constant weights. Received: other operands")
    kernel = attributes.get("alpha", 1.0) * (b.T if attributes.get("transB", 0) else b)
    bias = None if c is None else np.broadcast_to(attributes.get("beta", 1.0) * c, (1, kernel.shape[1]))[0]
    return _weighted(layers.Dense(kernel.shape[1], use_bias=bias is not None), a, kernel, bias)


def _matmul(attributes, a, b):
    if isinstance(b, np.ndarray) and b.ndim == 2:
        return _weighted(layers.Dense(b.shape[1], use_bias=False), a, b)
    return ops.matmul(a, b)


def _batch_normalization(attributes, x, gamma, beta, mean, variance):
    layer = layers.BatchNormalization(axis=1, momentum=attributes.get("momentum", 0.9),
                                      epsilon=max(attributes.get("epsilon", 1e-5), 1e-12))
    return _weighted(layer, x, gamma, beta, mean, variance)


def _layer_normalization(attributes, x, gamma, beta=None):
    if attributes.get("axis", -1) not in (-1, len(x.shape) - 1):
        raise ValueError(f"LayerNormalization is read over the last axis. Received: axis={attributes['axis']}")
    layer = layers.LayerNormalization(epsilon=attributes.get("epsilon", 1e-5), center=beta is not None)
    return _weighted(layer, x, gamma, beta)


def _instance_normalization(attributes, x, gamma, beta):
    return _weighted(layers.GroupNormalization(-1, axis=1, epsilon=attributes.get("epsilon", 1e-5)), x, gamma, beta)


def _response_normalization(attributes, x):
    """x by a power of the mean of squares of so many channels around: these are summed by a convolution."""
    size, channels = attributes["size"], x.shape[1]
    check_size((channels, channels))
    source = np.arange(channels)[:, None] - np.arange(channels)  # from channel of x, to channel of the sum
    near = (source >= -((size - 1) // 2)) & (source <= size // 2)
    layer = layers.Conv2D(channels, 1, **FIRST)
    sums = _weighted(layer, x * x, attributes.get("alpha", 1e-4) / size * near[None, None],
                     np.full(channels, attributes.get("bias", 1.0)))
    layer.trainable = False
    return x * ops.power(sums, -attributes.get("beta", 0.75))


def _reduce(function):
    def read(attributes, x, axes=None):
        axes = attributes.get("axes") if axes is None else np.ravel(axes).tolist()
        return function(x, axis=None if axes is None else tuple(axes), keepdims=bool(attributes.get("keepdims", 1)))

    return read


def _reshape(attributes, x, shape):
    shape = np.ravel(shape).tolist()
    lengths = [x.shape[i] if n == 0 else n for i, n in enumerate(shape)]
    if isinstance(x, np.ndarray):
        if any(map(is_unknown, lengths)):
            raise ValueError("Constants are reshaped to lengths that are known. Received: those of a tensor of any length")
        return x.reshape(lengths)
    # One length that is unknown, beside the batch, is what the others leave; it is not if the batch is what they leave.
    target = [-1 if n is None or n != BATCH and is_unknown(n) else n for n in lengths[1:]]
    if not shape or shape[0] not in (BATCH, -1, 0, 1) or BATCH in target or target.count(-1) > (shape[0] != -1):
        raise ValueError("Reshape is read where it keeps the batch and makes at most one length that is unknown. Received: "
                         f"{['unknown' if is_unknown(n) else n for n in shape]} for shape {x.shape}")
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


def _slice(attributes, x, starts, ends, axes=None, steps=None):
    index = [slice(None)] * len(x.shape)
    axes = range(len(starts)) if axes is None else np.ravel(axes).tolist()
    for i, axis in enumerate(axes):
        end = int(ends[i])
        index[axis] = slice(int(starts[i]), None if end >= 1 << 31 else end, None if steps is None else int(steps[i]))
    return x[tuple(index)]


def _shrink(attributes, x):
    edge, bias = attributes.get("lambd", 0.5), attributes.get("bias", 0.0)
    return ops.where(ops.greater(ops.absolute(x), edge), x - ops.sign(x) * bias if bias else x, 0.0)


def _prelu(attributes, x, slope):
    slope = np.broadcast_to(slope, (*(1,) * (len(x.shape) - slope.ndim), *slope.shape))[0] \
        if slope.ndim == len(x.shape) else slope.reshape((1,) * (len(x.shape) - 1 - slope.ndim) + slope.shape)
    shared = [i + 1 for i, n in enumerate(slope.shape) if n == 1]
    return _weighted(layers.PReLU(shared_axes=shared), x, slope)


def _two_sided(kind):
    numpys = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide, "Pow": np.power}

    def read(attributes, a, b):
        if not isinstance(a, np.ndarray) or not isinstance(b, np.ndarray):
            return _TWO_SIDED[kind](a, b)
        return np.asarray((np.floor_divide if kind == "Div" and a.dtype.kind == "i" else numpys[kind])(a, b))

    return read


def _each(function):
    return lambda attributes, x: function(x)


def _two(function):
    return lambda attributes, a, b: function(a, b)


def _folded(function):
    def read(attributes, *xs):
        return functools.reduce(function, xs)

    return read


def _axes(attributes, axes, rank):
    """The axes that a node names by an attribute, or in newer files by an input, from 0 to the rank."""
    axes = attributes["axes"] if axes is None else np.ravel(axes).tolist()
    return sorted(range(rank)[axis] for axis in axes)


def _squeeze(attributes, x, axes=None):
    gone = _axes(attributes, axes, len(x.shape))
    if isinstance(x, np.ndarray):
        return x.squeeze(tuple(gone))
    return layers.Reshape(tuple(n for i, n in enumerate(x.shape) if i and i not in gone))(x)


def _unsqueeze(attributes, x, axes=None):
    if isinstance(x, np.ndarray):
        return np.expand_dims(x, tuple(attributes["axes"] if axes is None else np.ravel(axes).tolist()))
    lengths = list(x.shape)
    for axis in _axes(attributes, axes, len(lengths) + np.size(attributes.get("axes", axes))):
        lengths.insert(axis, 1)
    if lengths[0] != x.shape[0]:
        raise ValueError(f"Unsqueeze is read where it keeps the batch. Received: {x.shape} that becomes {lengths}")
    return layers.Reshape(tuple(-1 if n is None else n for n in lengths[1:]))(x)


def _shape(attributes, x):
    return lengths_of(x.shape)[attributes.get("start", 0):attributes.get("end", len(x.shape))]


def _gather(attributes, x, indices):
    axis = range(len(x.shape))[attributes.get("axis", 0)]
    if isinstance(x, np.ndarray):
        return np.asarray(x.take(indices, axis))
    if axis == 0:
        raise ValueError(f"Gather is read where it keeps the batch. Received: axis={attributes.get('axis', 0)}")
    return ops.take(x, np.asarray(indices, "int32"), axis)


def _split(attributes, x, sizes=None):
    axis = attributes.get("axis", 0)
    sizes, parts = attributes.get("split") if sizes is None else np.ravel(sizes).tolist(), attributes["num_outputs"]
    if sizes is None:
        most = -(-x.shape[axis] // parts)
        sizes = [most] * (parts - 1) + [x.shape[axis] - most * (parts - 1)]
    if sum(sizes) != x.shape[axis] or min(sizes) < 0 or len(sizes) != parts:
        raise ValueError(f"The parts of Split add up to the axis. Received: {sizes} for axis {axis} of shape {x.shape}, "
                         f"and {parts} outputs")
    ends = np.cumsum([0, *sizes]).tolist()
    before = (slice(None),) * (axis % len(x.shape))
    return tuple(x[(*before, slice(low, high))] for low, high in zip(ends, ends[1:]))


def _tile(attributes, x, times):
    times = tuple(np.ravel(times).tolist())
    if isinstance(x, np.ndarray):
        return np.tile(x, times)
    return ops.tile(x, times)


def _cast(attributes, x):
    if isinstance(x, np.ndarray):
        if x.dtype == "int64" and is_unknown(x).any() and attributes["to"] in (6, 7):
            return x  # as int32 has no room for them
        check_lengths("Cast", [None, x])
        return x.astype("float32" if attributes["to"] in _FLOATS else _WHOLE[attributes["to"]])
    if attributes["to"] not in _FLOATS:
        raise ValueError(f"Cast of tensors is read to floating-point numbers. Received: to={attributes['to']}")
    return x if x.dtype == "float32" else ops.cast(x, "float32")


def _hard_sigmoid(attributes, x):
    return ops.clip(x * attributes.get("alpha", 0.2) + attributes.get("beta", 0.5), 0.0, 1.0)


READERS = {
    "Conv": _conv, "ConvTranspose": _conv_transpose, "Gemm": _gemm, "MatMul": _matmul,
    "BatchNormalization": _batch_normalization, "LayerNormalization": _layer_normalization,
    "InstanceNormalization": _instance_normalization, "LRN": _response_normalization,
    "ReduceMean": _reduce(ops.mean), "ReduceSum": _reduce(ops.sum), "ReduceMax": _reduce(ops.max),
    "ReduceMin": _reduce(ops.min), "Reshape": _reshape, "Flatten": _flatten, "Transpose": _transpose, "Concat": _concat,
    "Clip": _clip, "Slice": _slice, "Split": _split, "Gather": _gather, "Squeeze": _squeeze, "Unsqueeze": _unsqueeze,
    "Shape": _shape, "Cast": _cast, "PRelu": _prelu, "Shrink": _shrink,
    "Celu": lambda a, x: ops.celu(x, a.get("alpha", 1.0)), "Where": lambda a, *xs: ops.where(*xs),
    "Tile": _tile,
    **{kind: _two(function) for kind, function in {"Less": ops.less, "Greater": ops.greater, "Equal": ops.equal,
                                                   "LessOrEqual": ops.less_equal,
                                                   "GreaterOrEqual": ops.greater_equal}.items()},
    **{kind: _two_sided(kind) for kind in _TWO_SIDED},
    "Max": _folded(ops.maximum), "Min": _folded(ops.minimum), "Sum": _folded(ops.add),
    "Identity": lambda a, x: x, "Dropout": lambda a, x, *more: x,
    "Relu": lambda a, x: layers.ReLU()(x), "LeakyRelu": lambda a, x: layers.LeakyReLU(a.get("alpha", 0.01))(x),
    "Elu": lambda a, x: layers.ELU(a.get("alpha", 1.0))(x), "HardSigmoid": _hard_sigmoid,
    "Gelu": lambda a, x: ops.gelu(x, approximate=a.get("approximate", b"none") == b"tanh"),
    "Softmax": lambda a, x: layers.Softmax(a.get("axis", -1))(x),
    "LogSoftmax": lambda a, x: ops.log_softmax(x, a.get("axis", -1)),
    **{kind: _each(function) for kind, function in {
        "Sigmoid": ops.sigmoid, "Tanh": ops.tanh, "Softplus": ops.softplus, "Softsign": ops.softsign, "Exp": ops.exp,
        "Sqrt": ops.sqrt, "Abs": ops.abs, "Neg": ops.negative, "Log": ops.log, "Erf": ops.erf, "Selu": ops.selu,
        "Reciprocal": ops.reciprocal, "HardSwish": ops.hard_silu, "Mish": lambda x: layers.Activation("mish")(x)}.items()},
}
