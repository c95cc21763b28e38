"""Elementwise arithmetic with NumPy broadcasting, and elementwise functions of one operand."""

import numpy as np


def _float64(*arrays):
    return [np.asarray(a, np.float64) for a in arrays]


def _sum_to(gradient, shape):
    """Sums a gradient over the axes along which an operand of `shape` was broadcast."""
    while gradient.ndim > len(shape):
        gradient = gradient.sum(0)
    for axis, size in enumerate(shape):
        if size == 1 and gradient.shape[axis] != 1:
            gradient = gradient.sum(axis, keepdims=True)
    return gradient


def _gradients(a, b, da, db):
    return _sum_to(da, a.shape), _sum_to(db, b.shape)


def add(a, b):
    """y = a + b."""
    a, b = _float64(a, b)
    return a + b


def add_vjp(dy, a, b):
    """da = db = dy."""
    dy, a, b = _float64(dy, a, b)
    return _gradients(a, b, dy.copy(), dy.copy())


def subtract(a, b):
    """y = a - b."""
    a, b = _float64(a, b)
    return a - b


def subtract_vjp(dy, a, b):
    """da = dy, db = -dy."""
    dy, a, b = _float64(dy, a, b)
    return _gradients(a, b, dy.copy(), -dy)


def multiply(a, b):
    """y = a b."""
    a, b = _float64(a, b)
    return a * b


def multiply_vjp(dy, a, b):
    """da = b dy, db = a dy."""
    dy, a, b = _float64(dy, a, b)
    return _gradients(a, b, b * dy, a * dy)


def divide(a, b):
    """y = a / b."""
    a, b = _float64(a, b)
    return a / b


def divide_vjp(dy, a, b):
    """da = dy / b, db = -a dy / b^2."""
    dy, a, b = _float64(dy, a, b)
    return _gradients(a, b, dy / b, -a * dy / b**2)


def maximum(a, b):
    """y = the larger of a and b; NaN in either is the result."""
    a, b = _float64(a, b)
    return np.maximum(a, b)


def maximum_vjp(dy, a, b):
    """dy goes to a where a >= b, else to b."""
    dy, a, b = _float64(dy, a, b)
    return _gradients(a, b, np.where(a >= b, dy, 0.0), np.where(a >= b, 0.0, dy))


def minimum(a, b):
    """y = the smaller of a and b; NaN in either is the result."""
    a, b = _float64(a, b)
    return np.minimum(a, b)


def minimum_vjp(dy, a, b):
    """dy goes to a where a <= b, else to b."""
    dy, a, b = _float64(dy, a, b)
    return _gradients(a, b, np.where(a <= b, dy, 0.0), np.where(a <= b, 0.0, dy))


def power(a, b):
    """y = a^b."""
    a, b = _float64(a, b)
    return np.power(a, b)


def power_vjp(dy, a, b):
    """da = b a^(b - 1) dy, 0 where b is 0; db = a^b log(a) dy, 0 where a is not positive."""
    dy, a, b = _float64(dy, a, b)
    safe_a, safe_b = np.where(a > 0, a, 1.0), np.where(b == 0, 1.0, b)
    da = np.where(b == 0, 0.0, safe_b * np.power(a, safe_b - 1) * dy)
    db = np.where(a > 0, np.power(safe_a, b) * np.log(safe_a) * dy, 0.0)
    return _gradients(a, b, da, db)


def exp(x):
    """y = exp(x)."""
    (x,) = _float64(x)
    return np.exp(x)


def exp_vjp(dy, x):
    """dx = exp(x) dy."""
    dy, x = _float64(dy, x)
    return (np.exp(x) * dy,)


def expm1(x):
    """y = exp(x) - 1."""
    (x,) = _float64(x)
    return np.expm1(x)


def expm1_vjp(dy, x):
    """dx = exp(x) dy."""
    return exp_vjp(dy, x)


def log(x):
    """y = log(x)."""
    (x,) = _float64(x)
    return np.log(x)


def log_vjp(dy, x):
    """dx = dy / x."""
    dy, x = _float64(dy, x)
    return (dy / x,)


def log1p(x):
    """y = log(1 + x)."""
    (x,) = _float64(x)
    return np.log1p(x)


def log1p_vjp(dy, x):
    """dx = dy / (1 + x)."""
    dy, x = _float64(dy, x)
    return (dy / (1 + x),)


def sqrt(x):
    """y = sqrt(x)."""
    (x,) = _float64(x)
    return np.sqrt(x)


def sqrt_vjp(dy, x):
    """dx = dy / (2 sqrt(x))."""
    dy, x = _float64(dy, x)
    return (dy / (2 * np.sqrt(x)),)


def rsqrt(x):
    """y = 1 / sqrt(x)."""
    (x,) = _float64(x)
    return 1 / np.sqrt(x)


def rsqrt_vjp(dy, x):
    """dx = -dy / (2 x sqrt(x))."""
    dy, x = _float64(dy, x)
    return (-dy / (2 * x * np.sqrt(x)),)


def reciprocal(x):
    """y = 1 / x."""
    (x,) = _float64(x)
    return 1 / x


def reciprocal_vjp(dy, x):
    """dx = -dy / x^2."""
    dy, x = _float64(dy, x)
    return (-dy / x**2,)


def square(x):
    """y = x^2."""
    (x,) = _float64(x)
    return x * x


def square_vjp(dy, x):
    """dx = 2 x dy."""
    dy, x = _float64(dy, x)
    return (2 * x * dy,)


def abs(x):
    """y = |x|."""
    (x,) = _float64(x)
    return np.abs(x)


def abs_vjp(dy, x):
    """dx = dy where x > 0, -dy where x < 0, 0 at 0."""
    dy, x = _float64(dy, x)
    return (np.where(x > 0, dy, np.where(x < 0, -dy, 0.0)),)


def negative(x):
    """y = -x."""
    (x,) = _float64(x)
    return -x


def negative_vjp(dy, x):
    """dx = -dy."""
    (dy,) = _float64(dy)
    return (-dy,)


def sin(x):
    """y = sin(x)."""
    (x,) = _float64(x)
    return np.sin(x)


def sin_vjp(dy, x):
    """dx = cos(x) dy."""
    dy, x = _float64(dy, x)
    return (np.cos(x) * dy,)


def cos(x):
    """y = cos(x)."""
    (x,) = _float64(x)
    return np.cos(x)


def cos_vjp(dy, x):
    """dx = -sin(x) dy."""
    dy, x = _float64(dy, x)
    return (-np.sin(x) * dy,)


def clip(x, lo, hi):
    """y = min(max(x, lo), hi); NaN stays NaN."""
    (x,) = _float64(x)
    return np.minimum(np.maximum(x, lo), hi)


def clip_vjp(dy, x, lo, hi):
    """dx = dy where lo <= x <= hi, else 0."""
    dy, x = _float64(dy, x)
    return (np.where((x >= lo) & (x <= hi), dy, 0.0),)
