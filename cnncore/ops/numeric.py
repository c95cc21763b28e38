"""Functions of numbers that are made of those of elementwise.py, and what says which numbers are whole, finite, equal."""
import math

import numpy as np

from cnncore.ops.elementwise import (
    _operand,
    add,
    cast,
    ceil,
    cos,
    divide,
    equal,
    exp,
    expm1,
    floor,
    greater,
    less,
    less_equal,
    log,
    log1p,
    logical_and,
    logical_or,
    maximum,
    minimum,
    multiply,
    not_equal,
    power,
    sin,
    sqrt,
    square,
    subtract,
    unary,
    where,
)
from cnncore.ops.elementwise import abs as absolute_of
from cnncore.ops.reductions import all as all_of
from cnncore.tensor import Tensor, convert

_INFINITE = float("inf")


# ---- words for the same ------------------------------------------------------------------------------------------

def absolute(x):
    """x without its sign."""
    return absolute_of(x)


def fabs(x):
    """x without its sign, in float32."""
    return absolute_of(cast(convert(x), "float32"))


def true_divide(x1, x2):
    """x1 over x2, in float32."""
    return divide(x1, x2)


def stop_gradient(variable):
    """The same values, through which no gradient passes."""
    return convert(variable).detach()


def copy(x):
    """The same values in memory of their own."""
    x = convert(x)
    return add(x, 0) if x.dtype != "bool" else not_equal(x, False)


def convert_to_numpy(x):
    """The values as a NumPy array."""
    return np.array(x)


def convert_to_tensor(x, dtype=None, sparse=None, ragged=None):
    """A tensor of a number, nested list or array; a tensor itself where it has the dtype."""
    if sparse or ragged:
        raise ValueError(f"Tensors are dense. Received: sparse={sparse}, ragged={ragged}")
    if not isinstance(x, Tensor):
        return convert(x, dtype)
    return x if dtype is None else cast(x, dtype)


def array(x, dtype=None):
    """A tensor of a number, nested list or array."""
    x = convert(x)
    return x if dtype is None else cast(x, dtype)


def shape(x):
    """The lengths of the axes, a tuple."""
    return tuple(x.shape) if hasattr(x, "shape") else convert(x).shape


def ndim(x):
    """The number of axes."""
    return len(shape(x))


def size(x):
    """The number of elements."""
    return math.prod(shape(x))


def dtype(x):
    """The name of the dtype."""
    return convert(x).dtype if not hasattr(x, "dtype") else str(x.dtype)


def is_tensor(x):
    """Whether something is a Tensor."""
    return isinstance(x, Tensor)


def saturate_cast(x, dtype):
    """x in another dtype, moved into the range of what it holds."""
    x = convert(x)
    if np.dtype(dtype).kind not in "iu" or x.dtype == "bool":
        return cast(x, dtype)
    limits = np.iinfo(dtype)
    if x.dtype == "float32":  # of the floats inside, for the largest whole number may be none
        high = np.float32(limits.max)
        high = high if int(high) <= limits.max else np.nextafter(high, np.float32(0))
        return cast(unary("clip", x, float(limits.min), float(high)), dtype)
    known = np.iinfo(x.dtype)
    low, high = max(limits.min, known.min), min(limits.max, known.max)
    return cast(minimum(maximum(x, convert(np.array(low, x.dtype))), convert(np.array(high, x.dtype))), dtype)


# ---- one number --------------------------------------------------------------------------------------------------

def erf(x):
    """2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x."""
    return unary("erf", x)


def erfc(x):
    """1 - erf(x)."""
    return subtract(1.0, erf(x))


# For w = -log(1 - x^2): polynomials in w - 2.5 below 5, and in sqrt(w) - 3 from there on (Giles 2010).
_CENTRE = (2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503, -0.00417768164,
           0.246640727, 1.50140941)
_TAIL = (-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
         1.00167406, 2.83297682)


def _polynomial(factors, x):
    y = multiply(x, factors[0])
    for factor in factors[1:-1]:
        y = multiply(add(y, factor), x)
    return add(y, factors[-1])


def erfinv(x):
    """The number whose erf is x; infinite at -1 and 1."""
    x = cast(convert(x), "float32")
    w = unary("negative", log(multiply(subtract(1.0, x), add(x, 1.0))))
    near = _polynomial(_CENTRE, subtract(minimum(w, 5.0), 2.5))
    far = _polynomial(_TAIL, subtract(sqrt(maximum(w, 5.0)), 3.0))
    y = multiply(where(less(w, 5.0), near, far), x)
    y = where(greater(absolute_of(x), 1.0), float("nan"), y)
    return where(equal(x, 1.0), _INFINITE, where(equal(x, -1.0), -_INFINITE, y))


def cbrt(x):
    """The number whose third power is x."""
    x = cast(convert(x), "float32")
    y = power(absolute_of(x), 1 / 3)
    return where(less(x, 0.0), unary("negative", y), y)


def exp2(x):
    """2 to the power x."""
    return exp(multiply(cast(convert(x), "float32"), math.log(2)))


def log2(x):
    """The logarithm to base 2."""
    return multiply(log(x), 1 / math.log(2))


def log10(x):
    """The logarithm to base 10."""
    return multiply(log(x), 1 / math.log(10))


def sinh(x):
    """(e^x - e^-x) / 2, exact near 0."""
    grown = expm1(x)
    return multiply(add(grown, divide(grown, add(grown, 1.0))), 0.5)


def cosh(x):
    """(e^x + e^-x) / 2."""
    grown = exp(x)
    return multiply(add(grown, divide(1.0, grown)), 0.5)


def tan(x):
    """The tangent of x in radians."""
    return divide(sin(x), cos(x))


def trunc(x):
    """The nearest whole number towards 0."""
    x = convert(x)
    return where(less(x, 0), ceil(x), floor(x)) if x.dtype == "float32" else x


def deg2rad(x):
    """Degrees as radians."""
    return multiply(cast(convert(x), "float32"), math.pi / 180)


def rad2deg(x):
    """Radians as degrees."""
    return multiply(cast(convert(x), "float32"), 180 / math.pi)


# ---- two numbers -------------------------------------------------------------------------------------------------

def logaddexp(x1, x2):
    """log(e^x1 + e^x2), without overflow."""
    x1, x2 = (cast(_operand(x, None), "float32") for x in (x1, x2))
    return add(maximum(x1, x2), log1p(exp(unary("negative", absolute_of(subtract(x1, x2))))))


def logaddexp2(x1, x2):
    """log2(2^x1 + 2^x2), without overflow."""
    x1, x2 = (multiply(cast(_operand(x, None), "float32"), math.log(2)) for x in (x1, x2))
    return multiply(logaddexp(x1, x2), 1 / math.log(2))


def fmax(x1, x2):
    """The larger of the two; where one is no number, the other."""
    return where(isnan(x1), x2, where(isnan(x2), x1, maximum(x1, x2)))


def fmin(x1, x2):
    """The smaller of the two; where one is no number, the other."""
    return where(isnan(x1), x2, where(isnan(x2), x1, minimum(x1, x2)))


def divide_no_nan(x1, x2):
    """x1 over x2, and 0 where x2 is 0."""
    zero = equal(x2, 0)
    return where(zero, 0.0, divide(x1, where(zero, 1.0, x2)))


def hypot(x1, x2):
    """sqrt(x1^2 + x2^2)."""
    return sqrt(add(square(x1), square(x2)))


def heaviside(x1, x2):
    """0 where x1 is below 0, 1 where it is above, x2 where it is 0."""
    return where(equal(x1, 0.0), x2, cast(greater(x1, 0.0), "float32"))


def fmod(x1, x2):
    """What is left of x1 after whole x2, with x1's sign."""
    return subtract(x1, multiply(trunc(divide(x1, x2)), x2))


def logical_xor(x1, x2):
    """Whether one of the two is not 0, and the other is."""
    return not_equal(cast(convert(x1), "bool"), cast(convert(x2), "bool"))


# ---- which numbers -----------------------------------------------------------------------------------------------

def isnan(x):
    """Whether x is no number."""
    return not_equal(x, x)


def isinf(x):
    """Whether x is infinite."""
    return equal(absolute_of(x), _INFINITE)


def isfinite(x):
    """Whether x is a number and not infinite."""
    return less(absolute_of(x), _INFINITE)


def nan_to_num(x, nan=0.0, posinf=None, neginf=None):
    """x with `nan` for what is no number, and the largest and smallest floats, or these, for what is infinite."""
    x = convert(x)
    if x.dtype != "float32":
        return x
    largest = float(np.finfo("float32").max)
    y = where(isnan(x), float(nan), x)
    y = where(equal(x, _INFINITE), largest if posinf is None else float(posinf), y)
    return where(equal(x, -_INFINITE), -largest if neginf is None else float(neginf), y)


def isclose(x1, x2, rtol=1e-5, atol=1e-8, equal_nan=False):
    """Whether |x1 - x2| is at most atol + rtol |x2|, or both are equal."""
    x1, x2 = (cast(_operand(x, None), "float32") for x in (x1, x2))
    close = less_equal(absolute_of(subtract(x1, x2)), add(multiply(absolute_of(x2), rtol), atol))
    close = logical_or(equal(x1, x2), logical_and(close, isfinite(x2)))
    return logical_or(close, logical_and(isnan(x1), isnan(x2))) if equal_nan else close


def allclose(x1, x2, rtol=1e-5, atol=1e-8, equal_nan=False):
    """Whether all are close, see `isclose`."""
    return all_of(isclose(x1, x2, rtol, atol, equal_nan))


def isneginf(x):
    """Whether x is minus infinity."""
    return equal(x, -_INFINITE)


def isposinf(x):
    """Whether x is plus infinity."""
    return equal(x, _INFINITE)
