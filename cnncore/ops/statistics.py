"""What is known of many numbers: variance, norms, weighted means, and normalizing by them."""
import math

from cnncore.ops.elementwise import (
    abs as absolute,
)
from cnncore.ops.elementwise import (
    add,
    cast,
    divide,
    exp,
    log,
    maximum,
    multiply,
    not_equal,
    power,
    rsqrt,
    sqrt,
    square,
    subtract,
    where,
)
from cnncore.ops.movement import broadcast_to, reshape
from cnncore.ops.numeric import isfinite
from cnncore.ops.reductions import max as largest
from cnncore.ops.reductions import mean, normal_axes
from cnncore.ops.reductions import min as smallest
from cnncore.ops.reductions import sum as total
from cnncore.tensor import convert


def amax(x, axis=None, keepdims=False):
    """The largest over axes; equal ones share the gradient."""
    return largest(x, axis, keepdims)


def amin(x, axis=None, keepdims=False):
    """The smallest over axes; equal ones share the gradient."""
    return smallest(x, axis, keepdims)


def ptp(x, axis=None, keepdims=False):
    """The largest less the smallest over axes."""
    return subtract(largest(x, axis, keepdims), smallest(x, axis, keepdims))


def count_nonzero(x, axis=None):
    """How many over axes are not 0, int32."""
    return total(cast(not_equal(x, 0), "int32"), axis)


def var(x, axis=None, keepdims=False):
    """The mean square distance from the mean over axes."""
    x = cast(convert(x), "float32")
    return mean(square(subtract(x, mean(x, axis, True))), axis, keepdims)


def std(x, axis=None, keepdims=False):
    """The square root of the variance over axes."""
    return sqrt(var(x, axis, keepdims))


def moments(x, axes, keepdims=False, synchronized=False):
    """(mean, variance) over axes."""
    if synchronized:
        raise ValueError("moments are those of one machine. Received: synchronized=True")
    return mean(x, axes, keepdims), var(x, axes, keepdims)


def average(x, axis=None, weights=None):
    """The mean over an axis, each element counted by its weight."""
    if weights is None:
        return mean(x, axis)
    x, weights = cast(convert(x), "float32"), cast(convert(weights), "float32")
    if weights.shape != x.shape:
        if axis is None or isinstance(axis, (list, tuple)) or weights.ndim != 1:
            raise ValueError("average takes weights of the array's shape, or one for each place along an axis. Received: "
                             f"shapes {weights.shape} and {x.shape}, axis={axis}")
        (at,) = normal_axes(axis, x.ndim)
        weights = broadcast_to(reshape(weights, [-1 if i == at else 1 for i in range(x.ndim)]), x.shape)
    return divide(total(multiply(x, weights), axis), total(weights, axis))


def logsumexp(x, axis=None, keepdims=False):
    """log(sum(e^x)) over axes, without overflow."""
    x = cast(convert(x), "float32")
    # Any number near the largest will do; where that is infinite, none is taken off.
    most = largest(x.detach(), axis, True)
    most = where(isfinite(most), most, 0.0)
    y = log(total(exp(subtract(x, most)), axis, True))
    y = add(y, most)
    return y if keepdims else reshape(y, [n for i, n in enumerate(x.shape) if i not in normal_axes(axis, x.ndim)])


def norm(x, ord=None, axis=None, keepdims=False):
    """The length of vectors along an axis, or the size of matrices along two.

    ord: None or 2 for the root of the sum of squares, 1 for the sum and inf for the largest of absolute values, -inf for
    the smallest, 0 for how many are not 0, p for the p-th root of the sum of p-th powers. For matrices None or 'fro', 1
    and inf (largest sum of a column and of a row).
    """
    x = cast(convert(x), "float32")
    axes = normal_axes(axis, x.ndim)
    if axis is None and ord is not None and x.ndim > 2:
        raise ValueError(f"The norm of an array of {x.ndim} axes by ord={ord!r} needs an axis. Received: axis=None")
    if ord in (None, "fro") or (ord == 2 and len(axes) == 1):
        return sqrt(total(square(x), axes, keepdims))
    if len(axes) == 1:
        if ord in (math.inf, -math.inf):
            return (largest if ord > 0 else smallest)(absolute(x), axes, keepdims)
        if ord == 0:
            return total(cast(not_equal(x, 0.0), "float32"), axes, keepdims)
        if isinstance(ord, (int, float)):
            return power(total(power(absolute(x), float(ord)), axes, keepdims), 1 / ord)
    if len(axes) == 2 and ord in (1, -1, math.inf, -math.inf):
        over = axes[0] if abs(ord) == 1 else axes[1]
        sums = total(absolute(x), over, True)
        return (largest if ord > 0 else smallest)(sums, axes, keepdims)
    raise ValueError("norm takes ord=None, a number or 'fro', and for matrices 1, -1, inf or -inf. Received: "
                     f"ord={ord!r} for {len(axes)} axes")


# ---- normalizing -------------------------------------------------------------------------------------------------

def normalize(x, axis=-1, order=2, epsilon=None):
    """x over its norm along an axis."""
    from cnncore import config

    if not isinstance(order, int) or order < 1:
        raise ValueError(f"The order of a norm is a whole number of 1 or more. Received: order={order!r}")
    epsilon = config.epsilon() if epsilon is None else epsilon
    x = cast(convert(x), "float32")
    if order == 2:
        return multiply(x, rsqrt(maximum(total(square(x), axis, True), epsilon**2)))
    return divide(x, maximum(norm(x, order, axis, True), epsilon))


def batch_normalization(x, mean, variance, axis, offset=None, scale=None, epsilon=1e-3):
    """(x - mean) / sqrt(variance + epsilon) * scale + offset, which are of the length of an axis."""
    x = cast(convert(x), "float32")
    (axis,) = normal_axes(axis, x.ndim)
    mean, variance, offset, scale = (
        part if part is None else reshape(cast(convert(part), "float32"), [-1 if i == axis else 1 for i in range(x.ndim)])
        for part in (mean, variance, offset, scale))
    factor = rsqrt(add(variance, float(epsilon)))
    factor = factor if scale is None else multiply(factor, scale)
    shift = multiply(mean, factor)
    return add(multiply(x, factor), subtract(offset, shift) if offset is not None else subtract(0.0, shift))


def _spread(part, x, axes):
    """Factors for axes in a shape that broadcasts to x."""
    return reshape(cast(convert(part), "float32"), [n if i in normal_axes(axes, x.ndim) else 1
                                                     for i, n in enumerate(x.shape)])


def layer_normalization(x, gamma=None, beta=None, axis=-1, epsilon=None):
    """x less its mean, over its standard deviation, both over an axis, times gamma plus beta."""
    from cnncore import config

    x = cast(convert(x), "float32")
    axes = list(axis) if isinstance(axis, (list, tuple)) else [axis]
    away = subtract(x, mean(x, axes, True))
    y = multiply(away, rsqrt(add(mean(square(away), axes, True), config.epsilon() if epsilon is None else float(epsilon))))
    y = y if gamma is None else multiply(y, _spread(gamma, x, axes))
    return y if beta is None else add(y, _spread(beta, x, axes))


def rms_normalization(x, scale=None, axis=-1, epsilon=None):
    """x over the root of its mean square over an axis, times scale."""
    from cnncore import config

    x = cast(convert(x), "float32")
    axes = list(axis) if isinstance(axis, (list, tuple)) else [axis]
    y = multiply(x, rsqrt(add(mean(square(x), axes, True), config.epsilon() if epsilon is None else float(epsilon))))
    return y if scale is None else multiply(y, _spread(scale, x, axes))
