"""What each layer is in ONNX. Images are (batch, channels, height, width) there, so theirs are turned, and turned back."""
from typing import NamedTuple

import numpy as np

from cnncore.onnx.graph import Graph
from cnncore.ops.conv2d_transpose import transposed_length


class Value(NamedTuple):
    """What a node made: its name in the graph, its shape and its dtype."""

    graph: Graph
    name: str
    shape: tuple
    dtype: str


_UNARY = {"sigmoid": "Sigmoid", "tanh": "Tanh", "softplus": "Softplus", "softsign": "Softsign", "exponential": "Exp",
          "exp": "Exp", "mish": "Mish", "relu": "Relu", "sqrt": "Sqrt", "abs": "Abs", "absolute": "Abs",
          "negative": "Neg", "log": "Log", "erf": "Erf", "reciprocal": "Reciprocal"}
_BINARY = {"add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div", "true_divide": "Div", "power": "Pow",
           "maximum": "Max", "minimum": "Min", "matmul": "MatMul"}


# Functions that take several operators.
_MADE_OF = {
    "celu": lambda g, x: g.each("Celu", x, alpha=1.0),
    "hard_tanh": lambda g, x: g.each("Clip", x, _number(g, -1), _number(g, 1)),
    "tanh_shrink": lambda g, x: g.add("Sub", x, g.each("Tanh", x)),
    "hard_shrink": lambda g, x: g.each("Shrink", x, lambd=0.5, bias=0.0),
    "soft_shrink": lambda g, x: g.each("Shrink", x, lambd=0.5, bias=0.5),
    "log_sigmoid": lambda g, x: g.each("Neg", g.each("Softplus", g.each("Neg", x))),
    "squareplus": lambda g, x: g.add("Mul", g.add("Add", x, g.add("Sqrt", g.add("Add", g.add("Mul", x, x),
                                                                                _number(g, 4)))), _number(g, 0.5)),
    "sparse_sigmoid": lambda g, x: g.each("HardSigmoid", x, alpha=0.5, beta=0.5),
    "sparse_plus": lambda g, x: g.add("Where", g.add("Less", x, _number(g, 1)), _quarter_square(g, x), x),
}


def _quarter_square(g, x):
    """The square of x + 1 by 4, and 0 below -1."""
    above = g.each("Relu", g.add("Add", x, _number(g, 1)))
    return g.add("Mul", g.add("Mul", above, above), _number(g, 0.25))


def activate(g, function, x, rank):
    """An activation function, by its name."""
    kind = getattr(function, "__name__", str(function))
    if kind == "linear":
        return x
    if kind in _UNARY:
        return g.each(_UNARY[kind], x)
    if kind in ("softmax", "log_softmax"):
        return g.add("Softmax" if kind == "softmax" else "LogSoftmax", x, axis=-1)
    if kind in ("silu", "swish"):
        return g.add("Mul", x, g.each("Sigmoid", x))
    if kind == "relu6":
        return g.each("Clip", x, _number(g, 0), _number(g, 6))
    if kind == "hard_sigmoid":
        return g.each("HardSigmoid", x, alpha=1 / 6, beta=0.5)
    if kind in ("hard_silu", "hard_swish"):
        return g.each("HardSwish", x)
    if kind == "elu":
        return g.each("Elu", x)
    if kind == "selu":
        return g.each("Selu", x)
    if kind == "leaky_relu":
        return g.each("LeakyRelu", x, alpha=0.2)
    if kind == "gelu":  # x / 2 (1 + erf(x / sqrt(2))); opset 18 has no Gelu
        erf = g.add("Erf", g.add("Mul", x, _number(g, 2 ** -0.5)))
        return g.add("Mul", g.add("Mul", x, _number(g, 0.5)), g.add("Add", erf, _number(g, 1)))
    if kind == "gelu_tanh":  # x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
        cube = g.add("Mul", g.add("Mul", g.add("Mul", x, x), x), _number(g, 0.044715))
        tanh = g.add("Tanh", g.add("Mul", g.add("Add", x, cube), _number(g, (2 / np.pi) ** 0.5)))
        return g.add("Mul", g.add("Mul", x, _number(g, 0.5)), g.add("Add", tanh, _number(g, 1)))
    if kind in _MADE_OF:
        return _MADE_OF[kind](g, x)
    raise ValueError(f"ONNX has no counterpart of every function. Received: the activation {kind!r}; use one of "
                     f"{', '.join(sorted([*_UNARY, *_MADE_OF]))}, softmax, silu, elu, selu, gelu, leaky_relu, "
                     "relu6, hard_sigmoid")


def write_operation(g, layer, sources):
    """A function of cnncore.ops on values and constants."""
    kind, options = layer.function, layer.options
    if kind in _OPERATIONS and isinstance(sources[0], Value):
        return _OPERATIONS[kind](g, options, *sources)
    names = [s.name if isinstance(s, Value) else _number(g, s) for s in sources]
    if kind in _BINARY and len(names) == 2:
        return g.add(_BINARY[kind], *names)
    rank = len(sources[0].shape) if isinstance(sources[0], Value) else 0
    if kind in ("relu", "relu6", "silu", "swish", "hard_sigmoid", "hard_silu", "sigmoid", "tanh", "softplus", "exp", "sqrt",
                "abs", "absolute", "negative", "log", "elu", "selu", "erf", "reciprocal") \
            and options.get("alpha", 1.0) == 1.0:
        return activate(g, kind, names[0], rank)
    if kind == "gelu":  # which ops.gelu approximates where it is not told
        return activate(g, "gelu_tanh" if options.get("approximate", True) else kind, names[0], rank)
    if kind in ("softmax", "log_softmax"):
        return g.add("Softmax" if kind == "softmax" else "LogSoftmax", names[0], axis=_axis(options.get("axis"), -1))
    if kind in ("mean", "sum", "max", "min"):
        axes = options.get("axis")
        axes = list(range(rank)) if axes is None else list(axes) if isinstance(axes, (tuple, list)) else [axes]
        return g.add({"mean": "ReduceMean", "sum": "ReduceSum", "max": "ReduceMax", "min": "ReduceMin"}[kind], names[0],
                     g.whole(*axes), keepdims=int(bool(options.get("keepdims"))))
    if kind == "transpose":
        return g.transpose(names[0], options.get("axes") or range(rank)[::-1])
    if kind in ("concatenate", "concat"):
        return g.add("Concat", *names, axis=_axis(options.get("axis"), 0))
    raise ValueError(f"ONNX files are written with the operations of docs/files.md. Received: {kind!r} in "
                     f"{layer.name!r}; use a layer for it")


def _clip(g, options, x):
    ends = [None if end is None or np.isinf(end) else end for end in (options["x_min"], options["x_max"])]
    return g.each("Clip", x.name, *("" if end is None else _number(g, end) for end in ends))


def _pad(g, options, x, fill=None):
    widths = options["pad_width"]
    if isinstance(widths, int) or all(isinstance(n, int) for n in widths):
        widths = [[widths, widths] if isinstance(widths, int) else widths] * len(x.shape)
    widths = list(widths) * (len(x.shape) if len(widths) == 1 else 1)
    if options["mode"] == "constant":
        return g.add("Pad", x.name, g.whole(*(n for ends in zip(*widths) for n in ends)), _number(g, fill or 0.0))
    made = x
    for axis, pair in enumerate(widths):
        if any(pair):
            places = np.pad(np.arange(_whole_length(x, axis)), pair, options["mode"])
            made = Value(g, _take(g, {"axis": axis}, made, places), x.shape, x.dtype)
    return made.name


def _whole_length(x, axis):
    if x.shape[axis] is None:
        raise ValueError("ONNX files hold borders and places along axes of known length. Received: axis "
                         f"{axis} of shape {x.shape}; give the model an Input with all lengths")
    return x.shape[axis]


def _take(g, options, x, indices):
    axis, indices = options.get("axis"), indices.numpy() if hasattr(indices, "numpy") else indices
    if not isinstance(indices, np.ndarray) or axis is None:
        raise ValueError("ONNX files hold `take` along an axis, at places in an array. Received: "
                         f"axis={axis}, {type(indices).__name__}")
    return g.add("Gather", x.name, g.constant(indices.astype("int64")), axis=axis)


def _getitem(g, options, x, *index):
    if not all(isinstance(part, slice) or part is Ellipsis for part in index):
        raise ValueError(f"ONNX files hold indices of slices alone. Received: {index}; use ops.take along an axis")
    at = index.index(Ellipsis) if Ellipsis in index else len(index)
    axes = [*range(at), *range(len(x.shape) - len(index) + at + 1, len(x.shape))]
    cuts = [(axis, part) for axis, part in zip(axes, (*index[:at], *index[at + 1:])) if part != slice(None)]
    if not cuts:
        return x.name
    most = np.iinfo("int64").max
    steps = [part.step or 1 for _, part in cuts]
    starts = [(0 if step > 0 else most) if part.start is None else part.start for step, (_, part) in zip(steps, cuts)]
    ends = [(most if step > 0 else -most) if part.stop is None else part.stop for step, (_, part) in zip(steps, cuts)]
    return g.add("Slice", x.name, g.whole(*starts), g.whole(*ends), g.whole(*(axis for axis, _ in cuts)), g.whole(*steps))


_OPERATIONS = {"clip": _clip, "pad": _pad, "take": _take, "getitem": _getitem, "get_item": _getitem}


def _axis(given, default):
    return default if given is None else given


def _number(g, value):
    return g.constant(np.asarray(value.numpy() if hasattr(value, "numpy") else value, "float32"))


def _first(layer, x, write):
    """Writes something on channels-first values for a layer of either format."""
    g, rank = x.graph, len(x.shape)
    if layer.data_format == "channels_first":
        return write(x.name)
    to = (0, rank - 1, *range(1, rank - 1))
    back = (0, *range(2, rank), 1)
    return g.transpose(write(g.transpose(x.name, to)), back)


def _lengths(layer, x):
    return x.shape[2:] if layer.data_format == "channels_first" else x.shape[1:-1]


def _window(layer, x, size, strides, dilation, padding):
    """A window's attributes; 'same' is written out where the image's size is known."""
    rank = len(size)
    attributes = {"kernel_shape": list(size), "strides": list(strides)}
    if dilation is not None:
        attributes["dilations"] = list(dilation)
    reach = [d * (k - 1) + 1 for k, d in zip(size, dilation or (1,) * rank)]
    if padding == "causal":
        return attributes | {"pads": [reach[0] - 1, 0]}
    if padding == "same":
        lengths = _lengths(layer, x)
        if None in lengths:
            return attributes | {"auto_pad": "SAME_UPPER"}
        whole = [max((-(-n // s) - 1) * s + r - n, 0) for n, s, r in zip(lengths, strides, reach)]
        return attributes | {"pads": [p // 2 for p in whole] + [p - p // 2 for p in whole]}
    return attributes


def _bias(g, layer):
    return [] if layer.bias is None else [g.constant(layer.bias.numpy(), f"{layer.name}_bias")]


def _finished(layer, x, write):
    return activate(x.graph, layer.activation, _first(layer, x, write), len(x.shape))


def _conv(g, layer, x):
    rank = layer._rank
    kernel = g.constant(layer.kernel.numpy().transpose(rank + 1, rank, *range(rank)), f"{layer.name}_kernel")
    window = _window(layer, x, layer.kernel_size, layer.strides, layer.dilation_rate, layer.padding)
    return _finished(layer, x, lambda v: g.add("Conv", v, kernel, *_bias(g, layer), group=layer.groups, **window))


def _per_channel(g, layer, weights):
    """A depthwise kernel as that of a convolution in as many groups as there are channels."""
    rank = layer._rank
    kernel = weights.numpy().transpose(rank, rank + 1, *range(rank))
    return kernel.reshape(-1, 1, *kernel.shape[2:]), kernel.shape[0]


def _depthwise(g, layer, x):
    kernel, groups = _per_channel(g, layer, layer.kernel)
    window = _window(layer, x, layer.kernel_size, layer.strides, layer.dilation_rate, layer.padding)
    kernel = g.constant(kernel, f"{layer.name}_kernel")
    return _finished(layer, x, lambda v: g.add("Conv", v, kernel, *_bias(g, layer), group=groups, **window))


def _separable(g, layer, x):
    rank = layer._rank
    depthwise, groups = _per_channel(g, layer, layer.depthwise_kernel)
    pointwise = layer.pointwise_kernel.numpy().transpose(rank + 1, rank, *range(rank))
    window = _window(layer, x, layer.kernel_size, layer.strides, layer.dilation_rate, layer.padding)
    names = g.constant(depthwise, f"{layer.name}_depthwise"), g.constant(pointwise, f"{layer.name}_pointwise")
    return _finished(layer, x, lambda v: g.add("Conv", g.add("Conv", v, names[0], group=groups, **window), names[1],
                                               *_bias(g, layer)))


def _transposed(g, layer, x):
    rank = layer._rank
    kernel = g.constant(layer.kernel.numpy().transpose(rank + 1, rank, *range(rank)), f"{layer.name}_kernel")
    before, after = [], []
    for i, (k, s, d) in enumerate(zip(layer.kernel_size, layer.strides, layer.dilation_rate)):
        extra = None if layer.output_padding is None else int(np.ravel(layer.output_padding)[i])
        out, cut = transposed_length(1, k, s, layer.padding, d, extra)
        before.append(cut)
        after.append(d * (k - 1) + 1 - cut - out)
    pads, more = before + [max(n, 0) for n in after], [max(-n, 0) for n in after]
    window = {"kernel_shape": list(layer.kernel_size), "strides": list(layer.strides),
              "dilations": list(layer.dilation_rate), "output_padding": more, "pads": pads}
    return _finished(layer, x, lambda v: g.add("ConvTranspose", v, kernel, *_bias(g, layer), **window))


def _dense(g, layer, x):
    kernel = g.constant(layer.kernel.numpy(), f"{layer.name}_kernel")
    bias = _bias(g, layer)
    if len(x.shape) == 2:
        y = g.add("Gemm", x.name, kernel, *bias)
    else:
        y = g.add("MatMul", x.name, kernel)
        y = g.add("Add", y, *bias) if bias else y
    return activate(g, layer.activation, y, len(x.shape))


def _batch_normalization(g, layer, x):
    ones = np.ones(layer.moving_mean.shape, "float32")
    arrays = [layer.gamma.numpy() if layer.scale else ones, layer.beta.numpy() if layer.center else 0 * ones,
              layer.moving_mean.numpy(), layer.moving_variance.numpy()]
    names = [g.constant(array, f"{layer.name}_{what}") for array, what in zip(arrays, ("gamma", "beta", "mean", "var"))]
    rank = len(x.shape)
    axis = layer.axis % rank
    to = [0, axis, *(i for i in range(1, rank) if i != axis)]
    y = g.add("BatchNormalization", g.transpose(x.name, to), *names, epsilon=layer.epsilon)
    return g.transpose(y, np.argsort(to).tolist())


def _layer_normalization(g, layer, x):
    rank = len(x.shape)
    axes = [axis % rank for axis in layer.axis]
    if axes == [rank - 1] and not layer.rms_scaling:
        ones = np.ones(x.shape[-1], "float32")
        arrays = [layer.gamma.numpy() if layer.scale else ones, layer.beta.numpy() if layer.center else 0 * ones]
        return g.add("LayerNormalization", x.name, *(g.constant(a) for a in arrays), axis=-1, epsilon=layer.epsilon)
    y = _normalized(g, x.name, axes, layer.epsilon, not layer.rms_scaling)
    return _affine(g, layer, y, [x.shape[axis] if axis in axes else 1 for axis in range(rank)])


def _group_normalization(g, layer, x):
    rank, axis = len(x.shape), layer.axis % len(x.shape)
    last = [i for i in range(rank) if i != axis] + [axis]
    parts = layer.groups, x.shape[axis] // layer.groups
    y = g.add("Reshape", g.transpose(x.name, last), g.whole(*[0] * (rank - 1), *parts))
    y = _normalized(g, y, [i for i in range(1, rank + 1) if i != rank - 1], layer.epsilon)
    y = _affine(g, layer, y, [1] * (rank - 1) + list(parts))
    return g.transpose(g.add("Reshape", y, g.whole(*[0] * (rank - 1), x.shape[axis])), np.argsort(last).tolist())


def _normalized(g, x, axes, epsilon, centre=True):
    """(x - mean) / sqrt(variance + epsilon) over axes."""
    axes = g.whole(*axes)
    apart = g.add("Sub", x, g.add("ReduceMean", x, axes, keepdims=1))
    variance = g.add("ReduceMean", g.add("Mul", apart, apart), axes, keepdims=1)
    return g.add("Div", apart if centre else x, g.add("Sqrt", g.add("Add", variance, _number(g, epsilon))))


def _affine(g, layer, y, shape):
    """gamma y + beta."""
    if layer.gamma is not None:
        y = g.add("Mul", y, g.constant(layer.gamma.numpy().reshape(shape), f"{layer.name}_gamma"))
    return y if layer.beta is None else g.add("Add", y, g.constant(layer.beta.numpy().reshape(shape), f"{layer.name}_beta"))


def with_unit_length(g, x, axes, least):
    """x by its length along axes, or by the root of `least` where it is shorter."""
    squares = g.add("ReduceSum", g.add("Mul", x, x), g.whole(*axes), keepdims=1)
    return g.add("Div", x, g.add("Sqrt", g.add("Max", squares, _number(g, least))))


def _unit_normalization(g, layer, x):
    axes = layer.axis if isinstance(layer.axis, (list, tuple)) else [layer.axis]
    return with_unit_length(g, x.name, [axis % len(x.shape) for axis in axes], 1e-24)


def _pool(kind, **more):
    def write(g, layer, x):
        window = _window(layer, x, layer.pool_size, layer.strides, None, layer.padding)
        return _first(layer, x, lambda v: g.add(kind, v, **window, **more))

    return write


def _global(kind):
    def write(g, layer, x):
        rank = len(x.shape)
        axes = range(2, rank) if layer.data_format == "channels_first" else range(1, rank - 1)
        return g.add(kind, x.name, g.whole(*axes), keepdims=int(layer.keepdims))

    return write


def _flatten(g, layer, x):
    name = x.name
    if getattr(layer, "data_format", None) == "channels_first" and len(x.shape) > 2:
        name = g.transpose(name, (0, *range(2, len(x.shape)), 1))
    return g.add("Flatten", name, axis=1)


def _borders(kind):
    def write(g, layer, x):
        rank = len(x.shape)
        first = 2 if layer.data_format == "channels_first" else 1
        axes = list(range(first, first + layer._rank))
        if kind == "Pad":
            before, after = np.zeros(rank, int), np.zeros(rank, int)
            before[axes], after[axes] = np.array(layer._widths).T
            return g.add("Pad", x.name, g.whole(*before, *after))
        starts = [low for low, _ in layer._widths]
        ends = [-high if high else np.iinfo("int64").max for _, high in layer._widths]
        return g.add("Slice", x.name, g.whole(*starts), g.whole(*ends), g.whole(*axes))

    return write


def _merge(kind):
    def write(g, layer, *xs):
        made = xs[0].name
        for x in xs[1:]:
            made = g.add(kind, made, x.name)
        return made

    return write


def _average(g, layer, *xs):
    return g.add("Mul", _merge("Add")(g, layer, *xs), _number(g, 1 / len(xs)))


def _relu(g, layer, x):
    top, slope, threshold = layer.max_value, layer.negative_slope or 0, layer.threshold or 0
    if threshold:  # slope * (x - threshold) below it, and x above
        low = g.add("Mul", g.add("Sub", x.name, _number(g, threshold)), _number(g, slope))
        high = x.name if top is None else g.add("Min", x.name, _number(g, top))
        return g.add("Where", g.add("Less", x.name, _number(g, threshold)), low, high)
    if slope:
        y = g.each("LeakyRelu", x.name, alpha=float(slope))
        return y if top is None else g.each("Min", y, _number(g, top))
    return g.each("Relu", x.name) if top is None else g.each("Clip", x.name, _number(g, 0), _number(g, top))


def _softmax(g, layer, x):
    axes = layer.axis if isinstance(layer.axis, (list, tuple)) else [layer.axis]
    if len(axes) == 1:
        return g.add("Softmax", x.name, axis=axes[0])
    axes = g.whole(*(axis % len(x.shape) for axis in axes))
    powers = g.add("Exp", g.add("Sub", x.name, g.add("ReduceMax", x.name, axes, keepdims=1)))
    return g.add("Div", powers, g.add("ReduceSum", powers, axes, keepdims=1))


def _rescaling(g, layer, x):
    return g.add("Add", g.add("Mul", x.name, _number(g, layer.scale)), _number(g, layer.offset))


def _normalization(g, layer, x):
    mean, spread = layer.mean.numpy(), np.maximum(np.sqrt(layer.variance.numpy()), 1e-7)
    if layer.invert:
        return g.add("Add", g.add("Mul", x.name, _number(g, spread)), _number(g, mean))
    return g.add("Div", g.add("Sub", x.name, _number(g, mean)), _number(g, spread))


def _reshape(g, layer, x):
    return g.add("Reshape", x.name, g.whole(0, *layer.target_shape))


def _same(g, layer, x):
    return x.name


def _changing(g, layer, x):
    """Layers that change images in training leave them as they are in inference; all but a few."""
    if not layer._only_in_training or hasattr(layer, "height"):
        raise ValueError(f"ONNX has no counterpart of the layer {layer.name!r}, which changes images in inference too. "
                         f"Received: {type(layer).__name__}; leave it out of the model, and prepare images before it")
    return x.name


WRITERS = {
    "InputLayer": _same, "Dropout": _same, "SpatialDropout1D": _same, "SpatialDropout2D": _same, "Identity": _same,
    "GaussianNoise": _same, "GaussianDropout": _same, "AlphaDropout": _same, "ActivityRegularization": _same,
    "ChangingLayer": _changing,
    "Conv1D": _conv, "Conv2D": _conv, "DepthwiseConv1D": _depthwise, "DepthwiseConv2D": _depthwise,
    "SeparableConv1D": _separable, "SeparableConv2D": _separable, "Conv1DTranspose": _transposed,
    "Conv2DTranspose": _transposed, "Dense": _dense, "BatchNormalization": _batch_normalization,
    "LayerNormalization": _layer_normalization, "GroupNormalization": _group_normalization,
    "UnitNormalization": _unit_normalization,
    "MaxPooling1D": _pool("MaxPool"), "MaxPooling2D": _pool("MaxPool"),
    "AveragePooling1D": _pool("AveragePool", count_include_pad=0),
    "AveragePooling2D": _pool("AveragePool", count_include_pad=0),
    "GlobalAveragePooling1D": _global("ReduceMean"), "GlobalAveragePooling2D": _global("ReduceMean"),
    "GlobalMaxPooling1D": _global("ReduceMax"), "GlobalMaxPooling2D": _global("ReduceMax"),
    "Flatten": _flatten, "Reshape": _reshape,
    "Permute": lambda g, layer, x: g.transpose(x.name, (0, *layer.dims)),
    "ZeroPadding1D": _borders("Pad"), "ZeroPadding2D": _borders("Pad"), "Cropping1D": _borders("Slice"),
    "Cropping2D": _borders("Slice"),
    "Add": _merge("Add"), "Subtract": _merge("Sub"), "Multiply": _merge("Mul"), "Maximum": _merge("Max"),
    "Minimum": _merge("Min"), "Average": _average,
    "Concatenate": lambda g, layer, *xs: g.add("Concat", *(x.name for x in xs), axis=layer.axis),
    "Activation": lambda g, layer, x: activate(g, layer.activation, x.name, len(x.shape)),
    "ReLU": _relu, "LeakyReLU": lambda g, layer, x: g.each("LeakyRelu", x.name, alpha=float(layer.negative_slope)),
    "ELU": lambda g, layer, x: g.each("Elu", x.name, alpha=float(layer.alpha)),
    "PReLU": lambda g, layer, x: g.add("PRelu", x.name, g.constant(layer.alpha.numpy(), f"{layer.name}_alpha")),
    "Softmax": _softmax, "Rescaling": _rescaling, "Normalization": _normalization,
}
