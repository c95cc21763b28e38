"""Functions of one and of two arrays, element by element, with NumPy's broadcasting."""
import numpy as np

from cnncore import _core, executor
from cnncore.op import Op, Spec, apply
from cnncore.tensor import Tensor, convert

_ORDER = ("bool", "uint8", "int32", "int64", "float32")  # of two dtypes the later one wins
WHOLE = _ORDER[:-1]
COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")


def copy_calls(source, destination):
    """The calls that copy one buffer into another of its size and dtype."""
    return [_core.strided_copy(source, destination, (source.size,), [1], [1])] if source.size else []


def accumulate_calls(source, destination):
    """The calls that add one float32 buffer to another of its size."""
    return [_core.strided_copy(source, destination, (source.size,), [1], [1], accumulate=True)] if source.size else []


def cast(x, dtype):
    """x in another dtype; towards integers, towards zero. No gradient passes a change of dtype."""
    x = convert(x)
    dtype = np.dtype(dtype).name if not isinstance(dtype, str) else dtype
    if dtype == x.dtype:
        return x
    if dtype not in ("float32", "float64", "int32", "int64", "uint8", "bool", "uint64"):
        raise TypeError(f"Tensors hold float32, int32, int64, uint8 or bool. Received: dtype={dtype!r}")
    run = executor.current()
    y = run.empty(x.shape, dtype)
    run.emit([_core.cast(x.buffer, y)])
    return Tensor._over(y)


# ---- one array ---------------------------------------------------------------------------------------------------

class Unary(Op):
    """y = function(x), one of csrc/unary.def, with its parameters p and q."""

    masks_relu = True

    def __init__(self, function, p=0.0, q=0.0):
        self.function, self.p, self.q = function, p, q

    @property
    def name(self):
        return self.function

    def outputs(self, x, *, keep):
        if x.dtype != "float32":
            raise TypeError(f"{self.name} takes float32. Received: {x.dtype}; cast it first")
        return [Spec(x.shape)]

    def forward(self, empty, inputs, outputs):
        return [_core.unary(self.function, inputs[0], outputs[0], self.p, self.q)]

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs):
        (dx,) = d_inputs
        if dx is None:
            return []
        (x,) = inputs
        # relu's slope needs its output alone, so that the input need not live.
        return [_core.unary_dx(self.function, outputs[0] if self.function == "relu" else x, outputs[0], d_outputs[0],
                               dx.buffer, dx.accumulate, self.p, self.q, x if dx.behind_relu else None)]


def unary(function, x, p=0.0, q=0.0):
    """function(x) for a function of csrc/unary.def; integers become float32."""
    x = convert(x)
    return apply(Unary(function, p, q), x if x.dtype == "float32" else cast(x, "float32"))


def exp(x):
    """e to the power x."""
    return unary("exp", x)


def expm1(x):
    """e to the power x, less 1, exact near 0."""
    return unary("expm1", x)


def log(x):
    """The natural logarithm."""
    return unary("log", x)


def log1p(x):
    """The natural logarithm of 1 + x, exact near 0."""
    return unary("log1p", x)


def sqrt(x):
    """The square root."""
    return unary("sqrt", x)


def rsqrt(x):
    """1 over the square root."""
    return unary("rsqrt", x)


def square(x):
    """x times x."""
    return unary("square", x)


def abs(x):
    """x without its sign."""
    return unary("abs", x)


def negative(x):
    """-x; integers stay integers."""
    x = convert(x)
    return unary("negative", x) if x.dtype == "float32" else subtract(convert(np.zeros((), x.dtype)), x)


def sign(x):
    """-1, 0 or 1."""
    return unary("sign", x)


def reciprocal(x):
    """1 over x."""
    return unary("reciprocal", x)


def sin(x):
    """The sine of x in radians."""
    return unary("sin", x)


def cos(x):
    """The cosine of x in radians."""
    return unary("cos", x)


def floor(x):
    """The whole number below."""
    return unary("floor", x)


def ceil(x):
    """The whole number above."""
    return unary("ceil", x)


def round(x, decimals=0):
    """The nearest number of so many decimal places, halves to even."""
    x = convert(x)
    if x.dtype != "float32" and decimals >= 0:
        return x
    if not decimals:
        return unary("round", x)
    scale = 10.0**decimals
    return cast(divide(unary("round", multiply(cast(x, "float32"), scale)), scale), x.dtype)


def clip(x, x_min, x_max):
    """x moved into [x_min, x_max]."""
    return unary("clip", x, float(x_min), float(x_max))


# ---- two arrays --------------------------------------------------------------------------------------------------

class Binary(Op):
    """y = function(a, b) with broadcasting; both of one dtype."""

    def __init__(self, function):
        self.function = function

    @property
    def name(self):
        return self.function

    def outputs(self, a, b, *, keep):
        try:
            shape = np.broadcast_shapes(a.shape, b.shape)
        except ValueError:
            raise ValueError(f"{self.name} takes shapes that broadcast: from the last axis on, equal or 1. "
                             f"Received: {a.shape} and {b.shape}") from None
        return [Spec(shape, "bool" if self.function in COMPARISONS else a.dtype)]

    def forward(self, empty, inputs, outputs):
        return [_core.binary(self.function, *inputs, outputs[0])]

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs):
        a, b = inputs
        calls = []
        for operand, d in enumerate(d_inputs):
            if d is not None:
                full, part = self._part(empty, operand, a, b, outputs[0], d_outputs[0])
                calls += part + sum_to_calls(empty, full, d)
        return calls

    def _part(self, empty, operand, a, b, y, dy):
        """One operand's gradient before it is summed over the axes along which it was repeated: (buffer, calls)."""
        f, calls = self.function, []

        def new(function, u, v):
            out = empty(np.broadcast_shapes(u.shape, v.shape))
            calls.append(_core.binary(function, u, v, out))
            return out

        def one(function, u, p=0.0, q=0.0):
            out = empty(u.shape)
            calls.append(_core.unary(function, u, out, p, q))
            return out

        def masked(function, u, v, otherwise_zero):
            mask = empty(np.broadcast_shapes(u.shape, v.shape), "bool")
            zero = empty(mask.shape)
            out = empty(mask.shape)
            calls.extend([_core.binary(function, u, v, mask), _core.fill(zero, 0.0),
                          _core.where(mask, otherwise_zero, zero, out)])
            return out

        if f == "add" or (f == "subtract" and operand == 0):
            return dy, calls
        if f == "subtract":
            return one("negative", dy), calls
        if f == "multiply":
            return new("multiply", dy, (b, a)[operand]), calls
        if f == "divide":
            if operand == 0:
                return new("divide", dy, b), calls
            return one("negative", new("divide", new("multiply", dy, y), b)), calls
        if f in ("maximum", "minimum"):  # equal values: the first operand takes all
            win, lose = ("greater_equal", "less") if f == "maximum" else ("less_equal", "greater")
            return masked(win if operand == 0 else lose, a, b, dy), calls
        if f == "power" and operand == 0:
            less = one("affine", b, 1.0, -1.0)
            slope = new("multiply", new("power", a, less), b)
            full = new("multiply", slope, dy)
            zero = one("affine", b, 0.0, 0.0)
            wide = new("add", new("multiply", zero, dy), b)
            return masked("not_equal", wide, zero, full), calls
        if f == "power":
            floor = one("clip", a, 1e-30, 3e38)
            full = new("multiply", new("multiply", y, one("log", floor)), dy)
            wide = new("add", one("affine", dy, 0.0, 0.0), a)
            return masked("greater", wide, one("affine", wide, 0.0, 0.0), full), calls
        if f == "modulo" and operand == 0:
            return dy, calls
        if f == "modulo":
            return new("multiply", one("negative", new("floor_divide", a, b)), dy), calls
        if f == "floor_divide":
            zero = empty(dy.shape)
            calls.append(_core.fill(zero, 0.0))
            return zero, calls
        raise NotImplementedError(f"{self.name} has no gradient")


def sum_to_calls(empty, full, d):
    """The calls that put `full`, summed over the axes along which it is larger, into the Grad d."""
    from cnncore.ops.reductions import reduce_calls

    shape = d.buffer.shape
    if full.shape == shape:
        return (accumulate_calls if d.accumulate else copy_calls)(full, d.buffer)
    padded = (1,) * (len(full.shape) - len(shape)) + shape
    axes = [i for i, (n, m) in enumerate(zip(full.shape, padded)) if n != m]
    return reduce_calls(empty, "sum", full, d.buffer, axes, accumulate=d.accumulate)


_scalars = {}


def _operand(value, other):
    """A Tensor of an operand: a Python number takes the other's dtype where it fits it."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, (bool, int, float)):
        wanted = "float32" if isinstance(value, float) or not isinstance(other, Tensor) else other.dtype
        if wanted == "bool" or (wanted == "uint8" and not 0 <= value <= 255):
            wanted = "int32"
        key = (value, wanted, type(value))
        if key not in _scalars:
            if len(_scalars) > 256:
                _scalars.clear()
            _scalars[key] = Tensor(value, wanted)
        return _scalars[key]
    return convert(value)


def binary(function, a, b):
    """function(a, b) for a function of two numbers; the later dtype of bool, uint8, int32, int64, float32 wins."""
    a, b = (x if isinstance(x, (Tensor, bool, int, float)) else convert(x) for x in (a, b))
    a, b = _operand(a, b), _operand(b, a)
    if a.dtype != b.dtype:
        known = [t.dtype for t in (a, b) if t.dtype in _ORDER]
        dtype = max(known, key=_ORDER.index) if len(known) == 2 else "float32"
        a, b = cast(a, dtype), cast(b, dtype)
    if function == "divide" and a.dtype != "float32":
        a, b = cast(a, "float32"), cast(b, "float32")
    if a.dtype == "bool" and function not in COMPARISONS:
        a, b = cast(a, "int32"), cast(b, "int32")
    return apply(Binary(function), a, b)


def add(x1, x2):
    """x1 + x2."""
    return binary("add", x1, x2)


def subtract(x1, x2):
    """x1 - x2."""
    return binary("subtract", x1, x2)


def multiply(x1, x2):
    """x1 times x2."""
    return binary("multiply", x1, x2)


def divide(x1, x2):
    """x1 over x2, in float32."""
    return binary("divide", x1, x2)


def floor_divide(x1, x2):
    """The whole number below x1 over x2."""
    return binary("floor_divide", x1, x2)


def mod(x1, x2):
    """What is left of x1 after whole x2, with x2's sign."""
    return binary("modulo", x1, x2)


def power(x1, x2):
    """x1 to the power x2."""
    if isinstance(x2, (int, float)) and x2 == 2:
        return multiply(x1, x1) if not isinstance(x1, Tensor) or x1.dtype != "float32" else square(x1)
    return binary("power", x1, x2)


def maximum(x1, x2):
    """The larger of the two; NaN where either is. Where they are equal the first takes the gradient."""
    return binary("maximum", x1, x2)


def minimum(x1, x2):
    """The smaller of the two; NaN where either is. Where they are equal the first takes the gradient."""
    return binary("minimum", x1, x2)


def equal(x1, x2):
    """x1 == x2, bool."""
    return binary("equal", x1, x2)


def not_equal(x1, x2):
    """x1 != x2, bool."""
    return binary("not_equal", x1, x2)


def less(x1, x2):
    """x1 < x2, bool."""
    return binary("less", x1, x2)


def less_equal(x1, x2):
    """x1 <= x2, bool."""
    return binary("less_equal", x1, x2)


def greater(x1, x2):
    """x1 > x2, bool."""
    return binary("greater", x1, x2)


def greater_equal(x1, x2):
    """x1 >= x2, bool."""
    return binary("greater_equal", x1, x2)


def logical_not(x):
    """Whether x is 0."""
    return equal(cast(x, "bool"), False)


def logical_and(x1, x2):
    """Whether neither is 0."""
    return binary("minimum", cast(cast(x1, "bool"), "uint8"), cast(cast(x2, "bool"), "uint8")).astype("bool")


def logical_or(x1, x2):
    """Whether one is not 0."""
    return binary("maximum", cast(cast(x1, "bool"), "uint8"), cast(cast(x2, "bool"), "uint8")).astype("bool")


class Where(Op):
    """y = condition ? a : b, all of one shape."""

    def outputs(self, condition, a, b, *, keep):
        return [Spec(a.shape)]

    def forward(self, empty, inputs, outputs):
        return [_core.where(*inputs, outputs[0])]

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs):
        condition, dy, calls = inputs[0], d_outputs[0], []
        zero = empty(dy.shape)
        calls.append(_core.fill(zero, 0.0))
        for d, pair in ((d_inputs[1], (dy, zero)), (d_inputs[2], (zero, dy))):
            if d is not None:
                part = empty(dy.shape)
                calls += [_core.where(condition, *pair, part), *sum_to_calls(empty, part, d)]
        return calls


def where(condition, x1=None, x2=None):
    """x1 where the condition holds, x2 elsewhere, with broadcasting."""
    if x1 is None or x2 is None:
        raise ValueError("where takes a condition and two arrays to choose from. Received: one missing; the places where "
                         "the condition holds are numpy.nonzero's")
    from cnncore.ops.movement import broadcast_to

    condition = cast(convert(condition), "bool")
    x1, x2 = (x if isinstance(x, (Tensor, bool, int, float)) else convert(x) for x in (x1, x2))
    if isinstance(x1, (bool, int)) and isinstance(x2, (bool, int)):
        x1, x2 = convert(x1), convert(x2)
    x1, x2 = _operand(x1, x2), _operand(x2, x1)
    if x1.dtype in WHOLE and x2.dtype in WHOLE:
        dtype = max(x1.dtype, x2.dtype, key=_ORDER.index)
        x1, x2 = (cast(x, "int64" if dtype == "int64" else "int32") for x in (x1, x2))
        return cast(add(x2, multiply(subtract(x1, x2), cast(condition, x1.dtype))), dtype)
    shape = np.broadcast_shapes(condition.shape, x1.shape, x2.shape)
    x1, x2 = (cast(x, "float32") for x in (x1, x2))
    return apply(Where(), *(broadcast_to(x, shape) for x in (condition, x1, x2)))
