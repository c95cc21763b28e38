"""Activation functions."""
from cnncore import _core
from cnncore.ops.elementwise import abs as absolute
from cnncore.ops.elementwise import (
    add,
    cast,
    clip,
    divide,
    greater,
    greater_equal,
    less,
    maximum,
    multiply,
    sqrt,
    square,
    subtract,
    unary,
    where,
)
from cnncore.ops.movement import expand_dims, moveaxis, split
from cnncore.ops.reductions import normal_axes
from cnncore.ops.reductions import sum as total
from cnncore.tensor import convert


def relu_mask_calls(y, dy, dz):
    """The calls that put dy where a ReLU's output y is above 0, and 0 elsewhere, into dz."""
    return [_core.unary_dx("relu", y, y, dy, dz, False)]


def relu(x):
    """max(0, x), which keeps a NaN; its gradient at 0 is 0."""
    return unary("relu", x)


def relu6(x):
    """min(max(0, x), 6)."""
    return unary("relu6", x)


def leaky_relu(x, negative_slope=0.2):
    """x where it is positive, negative_slope times x elsewhere."""
    return unary("leaky_relu", x, negative_slope)


def elu(x, alpha=1.0):
    """x where it is positive, alpha (e^x - 1) elsewhere (Clevert, Unterthiner and Hochreiter 2016)."""
    return unary("elu", x, alpha)


def selu(x):
    """The scaled elu of self-normalising networks (Klambauer, Unterthiner, Mayr and Hochreiter 2017)."""
    return unary("selu", x)


def celu(x, alpha=1.0):
    """x where it is positive, alpha (e^(x / alpha) - 1) elsewhere (Barron 2017)."""
    return unary("celu", x, alpha)


def sigmoid(x):
    """1 / (1 + e^-x)."""
    return unary("sigmoid", x)


def log_sigmoid(x):
    """The logarithm of sigmoid(x)."""
    return unary("log_sigmoid", x)


def tanh(x):
    """The hyperbolic tangent."""
    return unary("tanh", x)


def softplus(x):
    """log(1 + e^x)."""
    return unary("softplus", x)


def softsign(x):
    """x / (1 + |x|)."""
    return unary("softsign", x)


def silu(x):
    """x sigmoid(x), also called swish (Elfwing, Uchibe and Doya 2018)."""
    return unary("silu", x)


swish = silu


def gelu(x, approximate=True):
    """x times the normal distribution function at x (Hendrycks and Gimpel 2016), by tanh where approximate."""
    return unary("gelu_tanh" if approximate else "gelu", x)


def exponential(x):
    """e^x."""
    return unary("exp", x)


def hard_sigmoid(x):
    """x / 6 + 1/2, moved into [0, 1]."""
    return unary("hard_sigmoid", x)


def hard_silu(x):
    """x hard_sigmoid(x), also called hard swish (Howard et al. 2019)."""
    return unary("hard_silu", x)


hard_swish = hard_silu


def mish(x):
    """x tanh(softplus(x)) (Misra 2019)."""
    return unary("mish", x)


def linear(x):
    """x itself."""
    return x


def glu(x, axis=-1):
    """The first half along an axis times the sigmoid of the second (Dauphin, Fan, Auli and Grangier 2017)."""
    x = convert(x)
    (axis,) = normal_axes(axis, x.ndim)
    if x.shape[axis] % 2:
        raise ValueError(f"glu halves an axis, whose length must be even. Received: shape {x.shape}, axis={axis}")
    first, second = split(x, 2, axis)
    return multiply(first, sigmoid(second))


def hard_tanh(x):
    """x moved into [-1, 1]."""
    return clip(x, -1.0, 1.0)


def hard_shrink(x, threshold=0.5):
    """x where it is further than the threshold from 0, else 0."""
    return where(greater(absolute(x), float(threshold)), x, 0.0)


def soft_shrink(x, threshold=0.5):
    """x moved by the threshold towards 0, as far as 0."""
    return where(greater(absolute(x), float(threshold)), subtract(x, clip(x, -threshold, threshold)), 0.0)


def tanh_shrink(x):
    """x - tanh(x)."""
    return subtract(x, tanh(x))


def threshold(x, threshold, default_value):
    """x where it is above the threshold, a default value elsewhere."""
    return where(greater(x, float(threshold)), x, float(default_value))


def squareplus(x, b=4):
    """(x + sqrt(x^2 + b)) / 2 (Barron 2021)."""
    return multiply(add(x, sqrt(add(square(x), float(b)))), 0.5)


def sparse_plus(x):
    """0 below -1, (x + 1)^2 / 4 up to 1, x above."""
    return where(less(x, 1.0), multiply(square(add(maximum(x, -1.0), 1.0)), 0.25), x)


def sparse_sigmoid(x):
    """x / 2 + 1/2, moved into [0, 1]."""
    return clip(add(multiply(x, 0.5), 0.5), 0.0, 1.0)


def sparsemax(x, axis=-1):
    """The nearest point to x whose values along an axis are 0 or more and add up to 1 (Martins and Astudillo 2016).

    Each value is compared with all others along the axis, so that no sorting is needed.
    """
    x = convert(x)
    (axis,) = normal_axes(axis, x.ndim)
    x = moveaxis(cast(x, "float32"), axis, -1)
    one, other = expand_dims(x, -1), expand_dims(x, -2)
    above = cast(greater_equal(other, one), "float32")
    # A value is in the support where 1 + (how many are as large) * value > (their sum).
    many, their_sum = total(above, -1), total(multiply(above, other), -1)
    support = cast(greater(add(multiply(many, x), 1.0), their_sum), "float32")
    count = total(support, -1, keepdims=True)
    tau = divide(subtract(total(multiply(support, x), -1, keepdims=True), 1.0), count)
    return moveaxis(maximum(subtract(x, tau), 0.0), -1, axis)
