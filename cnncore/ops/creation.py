"""Arrays of given values: zeros, ones, ranges, grids, identity matrices."""
import numpy as np

from cnncore.ops.elementwise import add, cast, divide, multiply, power, subtract, where
from cnncore.ops.movement import broadcast_to, moveaxis, one_hot, reshape
from cnncore.ops.reductions import max as largest
from cnncore.tensor import Tensor, convert


def _made(array, dtype):
    """A new tensor of an array's values; float32 where no dtype is asked for."""
    return Tensor(array, dtype or "float32")


def _dims(shape):
    return (shape,) if isinstance(shape, int) else tuple(int(n) for n in shape)


def zeros(shape, dtype=None):
    """Zeros, float32 by default."""
    return _made(np.zeros(_dims(shape), "float32"), dtype)


def ones(shape, dtype=None):
    """Ones, float32 by default."""
    return _made(np.ones(_dims(shape), "float32"), dtype)


def empty(shape, dtype=None):
    """Zeros, float32 by default: what is not filled in is never left to chance."""
    return zeros(shape, dtype)


def full(shape, fill_value, dtype=None):
    """One value everywhere, float32 by default."""
    if isinstance(fill_value, Tensor):
        return cast(broadcast_to(fill_value, _dims(shape)), dtype or "float32")
    return _made(np.full(_dims(shape), fill_value), dtype)


def zeros_like(x, dtype=None):
    """Zeros of x's shape, and of its dtype by default."""
    x = convert(x)
    return zeros(x.shape, dtype or x.dtype)


def ones_like(x, dtype=None):
    """Ones of x's shape, and of its dtype by default."""
    x = convert(x)
    return ones(x.shape, dtype or x.dtype)


def empty_like(x, dtype=None):
    """Zeros of x's shape, and of its dtype by default."""
    return zeros_like(x, dtype)


def full_like(x, fill_value, dtype=None):
    """One value everywhere, of x's shape, and of its dtype by default."""
    x = convert(x)
    return full(x.shape, fill_value, dtype or x.dtype)


def arange(start, stop=None, step=None, dtype=None):
    """start, start + step, ... up to before `stop`; from 0 where one number is given. int32 where all are whole."""
    step = 1 if step is None else step
    if stop is None:
        start, stop = 0, start
    if dtype is None:
        dtype = "int32" if all(isinstance(part, (int, np.integer)) for part in (start, stop, step)) else "float32"
    return _made(np.arange(start, stop, step), dtype)


def linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0):
    """`num` numbers at equal distances from `start` to `stop`, or to before it without `endpoint`."""
    if not (isinstance(start, Tensor) or isinstance(stop, Tensor)):  # in float64, as all that is known beforehand
        values, step = np.linspace(start, stop, num, endpoint, True, axis=axis)
        values = _made(values, dtype)
        return (values, _made(step, dtype)) if retstep else values
    start, stop = (cast(convert(part), "float32") for part in (start, stop))
    parts = num - 1 if endpoint else num
    width = subtract(stop, start)
    shares = np.arange(num, dtype="float32") / max(parts, 1)
    shares = convert(shares.reshape(num, *[1] * width.ndim))
    values = moveaxis(add(multiply(start, subtract(1.0, shares)), multiply(stop, shares)), 0, axis)
    values = cast(values, dtype or "float32")
    return (values, cast(divide(width, max(parts, 1)), dtype or "float32")) if retstep else values


def logspace(start, stop, num=50, endpoint=True, base=10, dtype=None, axis=0):
    """`base` to the power of what `linspace` gives."""
    if not (isinstance(start, Tensor) or isinstance(stop, Tensor)):
        return _made(np.logspace(start, stop, num, endpoint, base, axis=axis), dtype)
    return cast(power(float(base), linspace(start, stop, num, endpoint, axis=axis)), dtype or "float32")


def eye(N, M=None, k=0, dtype=None):
    """N rows and M columns, as many as rows by default, of zeros, with ones on the k-th diagonal."""
    return _made(np.eye(N, M, k, "float32"), dtype)


def identity(n, dtype=None):
    """The identity matrix of n rows."""
    return eye(n, dtype=dtype)


def tri(N, M=None, k=0, dtype=None):
    """N rows and M columns of ones on the k-th diagonal and below it, zeros above."""
    return _made(np.tri(N, M, k, "float32"), dtype)


def tril(x, k=0):
    """x with zeros above the k-th diagonal of its last two axes."""
    x = convert(x)
    return _masked(x, np.tri(*x.shape[-2:], k))


def triu(x, k=0):
    """x with zeros below the k-th diagonal of its last two axes."""
    x = convert(x)
    return _masked(x, 1 - np.tri(*x.shape[-2:], k - 1))


def _masked(x, mask):
    return cast(where(convert(mask.astype("bool")), x, 0.0), x.dtype)


def meshgrid(*x, indexing="xy"):
    """Arrays of as many axes as there are lists of numbers, each of which holds its own list along its axis."""
    if indexing not in ("xy", "ij"):
        raise ValueError(f"The indexing of meshgrid is 'xy' or 'ij'. Received: indexing={indexing!r}")
    parts = [reshape(part, (-1,)) for part in x]
    order = [*range(len(parts))]
    if indexing == "xy" and len(parts) > 1:
        order[:2] = 1, 0  # rows are those of the second list
    shape = [parts[i].shape[0] for i in order]
    return [broadcast_to(reshape(part, [-1 if at == i else 1 for at in order]), shape) for i, part in enumerate(parts)]


def multi_hot(inputs, num_classes=None, axis=-1, dtype=None, sparse=False):
    """Zeros with a 1 at each of the labels along an axis, which takes that axis's place."""
    if sparse:
        raise ValueError("multi_hot gives arrays. Received: sparse=True")
    if num_classes is None:
        raise ValueError("multi_hot needs the number of classes. Received: num_classes=None")
    x = convert(inputs)
    if not x.ndim:
        return cast(one_hot(x, num_classes), dtype or "float32")
    hot = one_hot(moveaxis(x, axis, -1), num_classes)  # (..., labels, classes)
    return moveaxis(cast(largest(hot, axis=-2), dtype or "float32"), -1, axis)
