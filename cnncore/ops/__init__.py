"""Operations on Tensors, each defined once: shape rule, forward, backward."""
from cnncore.ops.activations import (
    celu,
    elu,
    exponential,
    gelu,
    glu,
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_swish,
    hard_tanh,
    leaky_relu,
    linear,
    log_sigmoid,
    mish,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_shrink,
    softplus,
    softsign,
    sparse_plus,
    sparse_sigmoid,
    sparsemax,
    squareplus,
    swish,
    tanh,
    tanh_shrink,
    threshold,
)
from cnncore.ops.batch_norm import batch_norm_infer, batch_norm_train
from cnncore.ops.conv2d import conv2d
from cnncore.ops.conv2d_transpose import conv2d_transpose
from cnncore.ops.dense import dense
from cnncore.ops.depthwise_conv2d import depthwise_conv2d
from cnncore.ops.dropout import dropout
from cnncore.ops.elementwise import (
    abs,
    add,
    cast,
    ceil,
    clip,
    cos,
    divide,
    equal,
    exp,
    expm1,
    floor,
    floor_divide,
    greater,
    greater_equal,
    less,
    less_equal,
    log,
    log1p,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    mod,
    multiply,
    negative,
    not_equal,
    power,
    reciprocal,
    round,
    rsqrt,
    sign,
    sin,
    sqrt,
    square,
    subtract,
    where,
)
from cnncore.ops.matmul import matmul
from cnncore.ops.movement import (
    broadcast_to,
    concatenate,
    expand_dims,
    flip,
    getitem,
    moveaxis,
    one_hot,
    pad,
    repeat,
    reshape,
    split,
    squeeze,
    stack,
    take,
    tile,
    transpose,
)
from cnncore.ops.pool import avg_pool2d, global_avg_pool2d, global_max_pool2d, max_pool2d
from cnncore.ops.reductions import all, any, argmax, argmin, max, mean, min, prod, sum
from cnncore.ops.softmax import log_softmax, sigmoid_cross_entropy, softmax, softmax_cross_entropy
from cnncore.ops.spatial import (
    adaptive_average_pool,
    adaptive_max_pool,
    average_pool,
    conv,
    conv_transpose,
    depthwise_conv,
    max_pool,
    separable_conv,
)
from cnncore.symbolic import on_keras_tensors
from cnncore.tensor import convert as convert_to_tensor

__all__ = [
    "abs", "adaptive_average_pool", "adaptive_max_pool", "add", "all", "any", "argmax", "argmin", "average_pool",
    "avg_pool2d", "batch_norm_infer", "batch_norm_train", "broadcast_to", "cast", "ceil", "celu", "clip",
    "concatenate", "conv", "conv2d", "conv2d_transpose", "conv_transpose", "convert_to_tensor", "cos", "dense",
    "depthwise_conv", "depthwise_conv2d", "divide", "dropout", "elu", "equal", "exp", "expand_dims", "expm1",
    "exponential", "flip", "floor", "floor_divide", "gelu", "getitem", "global_avg_pool2d", "global_max_pool2d",
    "glu", "greater", "greater_equal", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh",
    "leaky_relu", "less", "less_equal", "linear", "log", "log1p", "log_sigmoid", "log_softmax", "logical_and",
    "logical_not", "logical_or", "matmul", "max", "max_pool", "max_pool2d", "maximum", "mean", "min", "minimum",
    "mish", "mod", "moveaxis", "multiply", "negative", "not_equal", "one_hot", "pad", "power", "prod", "reciprocal",
    "relu", "relu6", "repeat", "reshape", "round", "rsqrt", "selu", "separable_conv", "sigmoid",
    "sigmoid_cross_entropy", "sign", "silu", "sin", "soft_shrink", "softmax", "softmax_cross_entropy", "softplus",
    "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "split", "sqrt", "square", "squareplus", "squeeze",
    "stack", "subtract", "sum", "swish", "take", "tanh", "tanh_shrink", "threshold", "tile", "transpose", "where",
]

_wrapped = {globals()[name]: on_keras_tensors(globals()[name]) for name in __all__}  # aliases stay the same function
globals().update({name: _wrapped[globals()[name]] for name in __all__})
