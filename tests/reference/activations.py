"""Activation functions with Keras's names, defaults and formulas."""

import math

import numpy as np

_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946

_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def _float64(*arrays):
    return [np.asarray(a, np.float64) for a in arrays]


def linear(x):
    """y = x."""
    return np.array(x, np.float64)


def linear_vjp(dy, x):
    """dx = dy."""
    return (np.array(dy, np.float64),)


def relu(x):
    """y = max(0, x); NaN stays NaN."""
    (x,) = _float64(x)
    return np.where(x <= 0, 0.0, x)


def relu_vjp(dy, x):
    """dx = dy where x > 0, else 0."""
    dy, x = _float64(dy, x)
    return (np.where(x > 0, dy, 0.0),)


def relu6(x):
    """y = min(max(0, x), 6); NaN stays NaN."""
    (x,) = _float64(x)
    return np.where(x >= 6, 6.0, relu(x))


def relu6_vjp(dy, x):
    """dx = dy where 0 < x < 6, else 0."""
    dy, x = _float64(dy, x)
    return (np.where((x > 0) & (x < 6), dy, 0.0),)


def leaky_relu(x, negative_slope=0.2):
    """y = x where x > 0, else negative_slope x."""
    (x,) = _float64(x)
    return np.where(x > 0, x, negative_slope * x)


def leaky_relu_vjp(dy, x, negative_slope=0.2):
    """dx = dy where x > 0, else negative_slope dy."""
    dy, x = _float64(dy, x)
    return (np.where(x > 0, dy, negative_slope * dy),)


def elu(x, alpha=1.0):
    """y = x where x > 0, else alpha (exp(x) - 1)."""
    (x,) = _float64(x)
    return np.where(x > 0, x, alpha * np.expm1(np.where(x > 0, 0.0, x)))


def elu_vjp(dy, x, alpha=1.0):
    """dx = dy where x > 0, else alpha exp(x) dy."""
    dy, x = _float64(dy, x)
    return (np.where(x > 0, dy, alpha * np.exp(np.where(x > 0, 0.0, x)) * dy),)


def selu(x):
    """y = scale elu(x, alpha) with the two constants of self-normalizing networks."""
    return _SELU_SCALE * elu(x, _SELU_ALPHA)


def selu_vjp(dy, x):
    """dx = scale elu'(x, alpha) dy."""
    return (_SELU_SCALE * elu_vjp(dy, x, _SELU_ALPHA)[0],)


def celu(x, alpha=1.0):
    """y = x where x > 0, else alpha (exp(x / alpha) - 1)."""
    (x,) = _float64(x)
    return np.where(x > 0, x, alpha * np.expm1(np.where(x > 0, 0.0, x) / alpha))


def celu_vjp(dy, x, alpha=1.0):
    """dx = dy where x > 0, else exp(x / alpha) dy."""
    dy, x = _float64(dy, x)
    return (np.where(x > 0, dy, np.exp(np.where(x > 0, 0.0, x) / alpha) * dy),)


def sigmoid(x):
    """y = 1 / (1 + exp(-x)), by the form that does not overflow on each side of 0."""
    (x,) = _float64(x)
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def sigmoid_vjp(dy, x):
    """dx = y (1 - y) dy, with 1 - y taken as sigmoid(-x) to keep its digits."""
    dy, x = _float64(dy, x)
    return (sigmoid(x) * sigmoid(-x) * dy,)


def tanh(x):
    """y = tanh(x)."""
    (x,) = _float64(x)
    return np.tanh(x)


def tanh_vjp(dy, x):
    """dx = (1 - tanh(x)^2) dy, as 4 sigmoid(2x) sigmoid(-2x) to keep its digits."""
    dy, x = _float64(dy, x)
    return (4 * sigmoid(2 * x) * sigmoid(-2 * x) * dy,)


def softplus(x):
    """y = log(1 + exp(x))."""
    (x,) = _float64(x)
    return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0.0)


def softplus_vjp(dy, x):
    """dx = sigmoid(x) dy."""
    dy, x = _float64(dy, x)
    return (sigmoid(x) * dy,)


def softsign(x):
    """y = x / (1 + |x|)."""
    (x,) = _float64(x)
    return x / (1 + np.abs(x))


def softsign_vjp(dy, x):
    """dx = dy / (1 + |x|)^2."""
    dy, x = _float64(dy, x)
    return (dy / (1 + np.abs(x)) ** 2,)


def silu(x):
    """y = x sigmoid(x)."""
    (x,) = _float64(x)
    return x * sigmoid(x)


def silu_vjp(dy, x):
    """dx = s (1 + x (1 - s)) dy with s = sigmoid(x)."""
    dy, x = _float64(dy, x)
    return (sigmoid(x) * (1 + x * sigmoid(-x)) * dy,)


def _gelu_gate(x, approximate):
    """Returns Phi(x), or 0.5 (1 + tanh(u)) written as sigmoid(2u), both with all digits in the lower tail."""
    if approximate:
        return sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
    return 0.5 * _erfc(-x / math.sqrt(2))


def gelu(x, approximate=False):
    """y = x Phi(x), Phi the normal distribution function, or its approximation by tanh."""
    (x,) = _float64(x)
    return x * _gelu_gate(x, approximate)


def gelu_vjp(dy, x, approximate=False):
    """dx = (Phi(x) + x Phi'(x)) dy, or the derivative of the approximation."""
    dy, x = _float64(dy, x)
    gate = _gelu_gate(x, approximate)
    if approximate:
        density = gate * _gelu_gate(-x, True) * 2 * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)
    else:
        density = np.exp(-0.5 * x**2) / math.sqrt(2 * math.pi)
    return ((gate + x * density) * dy,)


def exponential(x):
    """y = exp(x)."""
    (x,) = _float64(x)
    return np.exp(x)


def exponential_vjp(dy, x):
    """dx = exp(x) dy."""
    dy, x = _float64(dy, x)
    return (np.exp(x) * dy,)


def hard_sigmoid(x):
    """y = relu6(x + 3) / 6."""
    (x,) = _float64(x)
    return relu6(x + 3) / 6


def hard_sigmoid_vjp(dy, x):
    """dx = dy / 6 where -3 < x < 3, else 0."""
    dy, x = _float64(dy, x)
    return (np.where((x > -3) & (x < 3), dy / 6, 0.0),)


def hard_silu(x):
    """y = x hard_sigmoid(x)."""
    (x,) = _float64(x)
    return x * hard_sigmoid(x)


def hard_silu_vjp(dy, x):
    """dx = 0 below -3, dy above 3, (2x + 3) / 6 dy between."""
    dy, x = _float64(dy, x)
    (slope,) = hard_sigmoid_vjp(np.ones(x.shape), x)
    return ((hard_sigmoid(x) + x * slope) * dy,)


def mish(x):
    """y = x tanh(softplus(x))."""
    (x,) = _float64(x)
    return x * np.tanh(softplus(x))


def mish_vjp(dy, x):
    """dx = (t + x (1 - t^2) sigmoid(x)) dy with t = tanh(softplus(x))."""
    dy, x = _float64(dy, x)
    t = np.tanh(softplus(x))
    return ((t + x * (1 - t**2) * sigmoid(x)) * dy,)


def log_softmax(x, axis=-1):
    """y = x - log(sum over the axis of exp(x))."""
    (x,) = _float64(x)
    shifted = x - x.max(axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis, keepdims=True))


def log_softmax_vjp(dy, x, axis=-1):
    """dx = dy - softmax(x) (sum over the axis of dy)."""
    dy, x = _float64(dy, x)
    return (dy - softmax(x, axis) * dy.sum(axis, keepdims=True),)


def softmax(x, axis=-1):
    """y = exp(x) / (sum over the axis of exp(x))."""
    (x,) = _float64(x)
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def softmax_vjp(dy, x, axis=-1):
    """dx = y (dy - sum over the axis of y dy)."""
    dy, x = _float64(dy, x)
    y = softmax(x, axis)
    return (y * (dy - (y * dy).sum(axis, keepdims=True)),)
