"""Activation functions."""
from cnncore import _core
from cnncore.ops.elementwise import unary


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
