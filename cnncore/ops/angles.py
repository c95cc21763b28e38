"""Angles from their sines, cosines and tangents, and the inverses of the hyperbolic functions."""
import math

from cnncore.ops.custom import custom_gradient
from cnncore.ops.elementwise import (
    _operand,
    add,
    cast,
    divide,
    greater,
    less,
    log,
    log1p,
    maximum,
    minimum,
    multiply,
    negative,
    sqrt,
    square,
    subtract,
    where,
)
from cnncore.ops.elementwise import (
    abs as absolute,
)
from cnncore.ops.movement import broadcast_to
from cnncore.ops.numeric import divide_no_nan
from cnncore.tensor import convert

# arctan(x) = x + x^3 p(x^2) for |x| up to tan(pi / 8), from the highest power down (the library Cephes).
_ARCTAN = (8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1)


def _float(x):
    return cast(convert(x), "float32")


def _angle(y, x):
    """The angle of the point (x, y), y and x being at least 0."""
    slope = divide_no_nan(minimum(x, y), maximum(x, y))  # from 0 to 1
    large = greater(slope, math.tan(math.pi / 8))
    near = where(large, divide(subtract(slope, 1.0), add(slope, 1.0)), slope)
    z = square(near)
    p = _ARCTAN[0]
    for factor in _ARCTAN[1:]:
        p = add(multiply(z, p), factor)
    angle = add(multiply(multiply(p, z), near), near)
    angle = where(large, add(angle, math.pi / 4), angle)
    return where(greater(y, x), subtract(math.pi / 2, angle), angle)


def _around(y, x):
    """The angle of any point (x, y), from -pi to pi."""
    angle = _angle(absolute(y), absolute(x))
    angle = where(less(x, 0.0), subtract(math.pi, angle), angle)
    return where(less(y, 0.0), negative(angle), angle)


@custom_gradient
def _arctan(x):
    y = _around(where(greater(absolute(x), 3e38), multiply(maximum(minimum(x, 1.0), -1.0), 3e38), x), 1.0)
    return y, lambda dy: divide(dy, add(1.0, square(x)))


@custom_gradient
def _arctan2(y, x):
    def slopes(d):
        share = divide(d, add(square(x), square(y)))
        return multiply(share, x), negative(multiply(share, y))

    return _around(y, x), slopes


@custom_gradient
def _arcsin(x):
    other = sqrt(multiply(subtract(1.0, x), add(1.0, x)))
    return _around(x, other), lambda dy: divide(dy, other)


@custom_gradient
def _arccos(x):
    other = sqrt(multiply(subtract(1.0, x), add(1.0, x)))
    return _around(other, x), lambda dy: negative(divide(dy, other))


def arctan(x):
    """The angle of tangent x, from -pi / 2 to pi / 2."""
    return _arctan(_float(x))


def arctan2(x1, x2):
    """The angle of the point (x2, x1), from -pi to pi."""
    y, x = (cast(_operand(part, None), "float32") for part in (x1, x2))
    shape = add(y, x).shape
    return _arctan2(broadcast_to(y, shape), broadcast_to(x, shape))


def arcsin(x):
    """The angle of sine x, from -pi / 2 to pi / 2."""
    return _arcsin(_float(x))


def arccos(x):
    """The angle of cosine x, from 0 to pi."""
    return _arccos(_float(x))


def arcsinh(x):
    """The number of hyperbolic sine x."""
    x = _float(x)
    size = absolute(x)
    # log(|x| + sqrt(x^2 + 1)), exact near 0.
    y = log1p(add(size, divide(square(x), add(1.0, sqrt(add(square(x), 1.0))))))
    return where(less(x, 0.0), negative(y), y)


def arccosh(x):
    """The number, at least 0, of hyperbolic cosine x."""
    x = _float(x)
    return log(add(x, sqrt(multiply(subtract(x, 1.0), add(x, 1.0)))))


def arctanh(x):
    """The number of hyperbolic tangent x."""
    x = _float(x)
    return multiply(subtract(log1p(x), log1p(negative(x))), 0.5)
