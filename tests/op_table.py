"""Which Op computes each case of cases.py: one row per operation, so that none can be forgotten."""
from cnncore import _core
from cnncore.ops.conv2d import Conv2D
from cnncore.ops.conv2d_transpose import Conv2DTranspose
from cnncore.ops.dense import Dense
from cnncore.ops.depthwise_conv2d import DepthwiseConv2D
from cnncore.ops.elementwise import Binary, Unary
from cnncore.ops.grouped_conv2d import GroupedConv2D
from cnncore.ops.movement import Concatenate, OneHot, Pad, Strided
from cnncore.ops.pool import AvgPool2D, GlobalAvgPool2D, GlobalMaxPool2D, MaxPool2D
from cnncore.ops.reductions import Reduce, normal_axes
from cnncore.ops.softmax import Softmax, SoftmaxCrossEntropy

UNARY = ["relu", "relu6", "leaky_relu", "elu", "selu", "celu", "sigmoid", "tanh", "softplus", "softsign", "silu",
         "exponential", "hard_sigmoid", "hard_silu", "mish", "exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "square",
         "abs", "negative", "reciprocal", "sin", "cos"]
BINARY = ["add", "subtract", "multiply", "divide", "maximum", "minimum", "power"]

# In cases.py, but tested elsewhere: by their own files, or views without a kernel, or built of other ops.
ELSEWHERE = {"batch_norm_train", "batch_norm_infer", "dropout", "sgd", "adam", "update", "reshape", "matmul", "bias_add",
             "linear", "binary_cross_entropy"}


DEFAULTS = {"leaky_relu": {"negative_slope": 0.2}, "elu": {"alpha": 1.0}, "celu": {"alpha": 1.0}}


def _unary(function):
    def build(case):
        parameters = {**DEFAULTS.get(function, {}), **case.options}
        return Unary({"exponential": "exp"}.get(function, function), *parameters.values())

    return build


def _reduce(function):
    def build(case):
        shape = case.shapes["x"]
        axes = normal_axes(case.options.get("axis"), len(shape))
        count = 1
        for a in axes:
            count *= shape[a]
        scale = 1.0 / count if function == "mean" else 1.0
        return Reduce("sum" if function == "mean" else function, axes, case.options.get("keepdims", False), scale)

    return build


def _transpose(case):
    shape = case.shapes["x"]
    axes = case.options.get("axes") or tuple(range(len(shape)))[::-1]
    steps = _core.contiguous_steps(shape)
    return Strided("transpose", [shape[a] for a in axes], [steps[a] for a in axes])


def _pool(op):
    return lambda case: op(case.options["pool"], case.options["strides"], case.options["padding"])


def _conv2d(case):
    window = [case.options[name] for name in ("strides", "padding", "dilation")]
    groups = case.options.get("groups", 1)
    return Conv2D(*window) if groups == 1 else GroupedConv2D(*window, None, groups)


OPS = {
    "conv2d": _conv2d,
    "conv2d_transpose": lambda case: Conv2DTranspose(*case.options.values()),
    "depthwise_conv2d": lambda case: DepthwiseConv2D(*case.options.values()),
    "dense": lambda case: Dense(),
    "max_pool2d": _pool(MaxPool2D),
    "avg_pool2d": _pool(AvgPool2D),
    "global_max_pool2d": lambda case: GlobalMaxPool2D(),
    "global_avg_pool2d": lambda case: GlobalAvgPool2D(),
    **{f: _unary(f) for f in UNARY},
    "gelu": lambda case: Unary("gelu_tanh" if case.options.get("approximate") else "gelu"),
    "clip": lambda case: Unary("clip", case.options["lo"], case.options["hi"]),
    **{f: lambda case, f=f: Binary(f) for f in BINARY},
    **{f: _reduce(f) for f in ("sum", "mean", "max", "min")},
    "softmax": lambda case: Softmax(),
    "log_softmax": lambda case: Softmax(log=True),
    "softmax_cross_entropy": lambda case: SoftmaxCrossEntropy(),
    "transpose": _transpose,
    "concatenate": lambda case: Concatenate(normal_axes(case.options.get("axis", -1), _rank(case))[0]),
    "pad2d": lambda case: Pad([(0, 0), *case.options["padding"], (0, 0)], case.options.get("value", 0.0)),
    "one_hot": lambda case: OneHot(case.options["n"]),
}


def _rank(case):
    return len(next(iter(case.shapes.values())))


def fits(op, case):
    """Whether the engine's op takes this case: not axes other than the last."""
    if op in ("softmax", "log_softmax"):
        return case.options.get("axis", -1) in (-1, _rank(case) - 1)
    return True
