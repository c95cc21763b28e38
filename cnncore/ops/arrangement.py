"""Arrays put together, cut and turned in other ways than movement.py has: Keras's words for it."""
import math
import operator

import numpy as np

from cnncore.ops.creation import ones
from cnncore.ops.elementwise import add, cast, equal, less, less_equal, logical_not, multiply, subtract, where
from cnncore.ops.matmul import matmul
from cnncore.ops.movement import (
    concatenate,
    expand_dims,
    flip,
    getitem,
    moveaxis,
    pad,
    reshape,
    split,
    stack,
    take,
    transpose,
)
from cnncore.ops.reductions import any as any_of
from cnncore.ops.reductions import normal_axes
from cnncore.ops.reductions import sum as total
from cnncore.symbolic import KerasTensor
from cnncore.tensor import convert


def get_item(x, key):
    """x[key]."""
    return x[key] if isinstance(x, KerasTensor) else getitem(x, key)


def swapaxes(x, axis1, axis2):
    """x with two axes in each other's place."""
    x = convert(x)
    order = list(range(x.ndim))
    (axis1,), (axis2,) = normal_axes(axis1, x.ndim), normal_axes(axis2, x.ndim)
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return transpose(x, order)


def ravel(x):
    """All elements in a row."""
    return reshape(x, (-1,))


def roll(x, shift, axis=None):
    """x with its elements moved along an axis, those from its end to its beginning; all in a row where it is None."""
    x = convert(x)
    if axis is None:
        return reshape(roll(reshape(x, (-1,)), shift, 0), x.shape)
    many = isinstance(axis, (list, tuple))
    axes = axis if many else [axis]
    shifts = shift if isinstance(shift, (list, tuple)) else [shift] * len(axes)
    for at, steps in zip(axes, shifts, strict=True):
        (at,) = normal_axes(at, x.ndim)
        length = x.shape[at]
        steps = operator.index(steps) % length if length else 0
        if steps:
            front = (slice(None),) * at
            x = concatenate([getitem(x, (*front, slice(length - steps, None))),
                             getitem(x, (*front, slice(None, length - steps)))], at)
    return x


def fliplr(x):
    """x with its second axis in reverse order."""
    return flip(x, 1)


def flipud(x):
    """x with its first axis in reverse order."""
    return flip(x, 0)


def rot90(array, k=1, axes=(0, 1)):
    """x turned by k quarter turns, from the first of two axes towards the second."""
    x = convert(array)
    first, second = (normal_axes(axis, x.ndim)[0] for axis in axes)
    if first == second:
        raise ValueError(f"An array is turned in two different axes. Received: axes={tuple(axes)}")
    turns = k % 4
    if turns == 0:
        return x
    if turns == 2:
        return flip(x, (first, second))
    return swapaxes(flip(x, second), first, second) if turns == 1 else flip(swapaxes(x, first, second), second)


def append(x1, x2, axis=None):
    """x2 behind x1 along an axis; both in a row where it is None."""
    return concatenate([ravel(x1), ravel(x2)] if axis is None else [x1, x2], 0 if axis is None else axis)


def _at_least(x, axes):
    """x with as many axes as Keras's stacks begin with."""
    x = convert(x)
    if x.ndim >= axes:
        return x
    return reshape(x, {(2, 0): (1, 1), (2, 1): (1, -1), (3, 0): (1, 1, 1), (3, 1): (1, -1, 1), (1, 0): (1,),
                       (3, 2): (*x.shape, 1)}[axes, x.ndim])


def hstack(xs):
    """Arrays side by side: along the second axis, or along the first where they have one."""
    parts = [_at_least(x, 1) for x in xs]
    return concatenate(parts, 0 if parts[0].ndim == 1 else 1)


def vstack(xs):
    """Arrays one below the other: along the first axis, rows where they have one axis."""
    return concatenate([_at_least(x, 2) for x in xs], 0)


def dstack(xs):
    """Arrays one behind the other: along the third axis."""
    return concatenate([_at_least(x, 3) for x in xs], 2)


def array_split(x, indices_or_sections, axis=0):
    """x cut along an axis into so many parts, the first ones one longer where they cannot be equal."""
    x = convert(x)
    length, parts = x.shape[axis], operator.index(indices_or_sections)
    return split(x, np.cumsum([length // parts + (i < length % parts) for i in range(parts)])[:-1].tolist(), axis)


def hsplit(x, indices_or_sections):
    """x cut along its second axis, or its first where it has one."""
    x = convert(x)
    return split(x, indices_or_sections, 1 if x.ndim > 1 else 0)


def vsplit(x, indices_or_sections):
    """x cut along its first axis."""
    return split(x, indices_or_sections, 0)


def dsplit(x, indices_or_sections):
    """x cut along its third axis."""
    return split(x, indices_or_sections, 2)


def unstack(x, num=None, axis=0):
    """The slices of x along an axis, as a list."""
    x = convert(x)
    (axis,) = normal_axes(axis, x.ndim)
    if num not in (None, x.shape[axis]):
        raise ValueError(f"unstack gives as many arrays as the axis is long, {x.shape[axis]}. Received: num={num}")
    return [getitem(x, (slice(None),) * axis + (i,)) for i in range(x.shape[axis])]


def diff(a, n=1, axis=-1):
    """The differences of neighbours along an axis, n times."""
    x = convert(a)
    (axis,) = normal_axes(axis, x.ndim)
    front = (slice(None),) * axis
    for _ in range(n):
        x = subtract(getitem(x, (*front, slice(1, None))), getitem(x, (*front, slice(None, -1))))
    return x


def diagonal(x, offset=0, axis1=0, axis2=1):
    """The diagonal of two axes, `offset` places to the right, as the last axis."""
    x = convert(x)
    (axis1,), (axis2,) = normal_axes(axis1, x.ndim), normal_axes(axis2, x.ndim)
    if axis1 == axis2:
        raise ValueError(f"A diagonal is one of two different axes. Received: axis1={axis1}, axis2={axis2}")
    rest = [i for i in range(x.ndim) if i not in (axis1, axis2)]
    rows, columns = x.shape[axis1], x.shape[axis2]
    length = max(0, min(rows + min(offset, 0), columns - max(offset, 0)))
    flat = reshape(transpose(x, [*rest, axis1, axis2]), (*(x.shape[i] for i in rest), rows * columns))
    start = max(offset, 0) + max(-offset, 0) * columns
    return getitem(flat, (..., slice(start, start + length * (columns + 1) if length else start, columns + 1)))


def trace(x, offset=0, axis1=0, axis2=1):
    """The sum of a diagonal."""
    return total(diagonal(x, offset, axis1, axis2), -1)


def diag(x, k=0):
    """A matrix with x on its k-th diagonal, or the k-th diagonal of a matrix."""
    x = convert(x)
    if x.ndim == 2:
        return diagonal(x, k)
    if x.ndim != 1:
        raise ValueError(f"diag takes an array of 1 or 2 axes. Received: shape {x.shape}")
    n, place = x.shape[0], np.arange(x.shape[0])
    size = n + abs(k)
    index = np.zeros((size, size), "int32")
    mask = np.zeros((size, size), bool)
    index[place + max(-k, 0), place + max(k, 0)] = place
    mask[place + max(-k, 0), place + max(k, 0)] = True
    return multiply(take(x, index), cast(convert(mask), x.dtype)) if n else x


def diagflat(x, k=0):
    """A matrix with all elements of x on its k-th diagonal."""
    return diag(ravel(x), k)


def slice_of(inputs, start_indices, shape):
    """The part of an array that begins at these places and has this shape."""
    x = convert(inputs)
    return getitem(x, tuple(slice(int(start), int(start) + int(n)) for start, n in zip(start_indices, shape, strict=True)))


slice_of.__name__ = "slice"  # its name in cnncore.ops


def slice_update(inputs, start_indices, updates):
    """An array with `updates` in place of the part that begins at these places."""
    x, updates = convert(inputs), convert(updates)
    around = [(int(start), n - int(start) - m) for start, n, m in zip(start_indices, x.shape, updates.shape, strict=True)]
    inside = pad(ones(updates.shape), around)
    return cast(where(inside, pad(updates, around), x), x.dtype)


def space_to_depth(x, block_size, data_format="channels_last"):
    """Images with the pixels of each block of `block_size` rows and columns as the channels of one."""
    x = _last(x, data_format)
    batch, height, width, channels = x.shape
    if height % block_size or width % block_size:
        raise ValueError(f"space_to_depth needs a height and a width that the block divides. Received: {height} by "
                         f"{width}, block_size={block_size}")
    x = reshape(x, (batch, height // block_size, block_size, width // block_size, block_size, channels))
    x = transpose(x, (0, 1, 3, 2, 4, 5))
    return _back(reshape(x, (batch, height // block_size, width // block_size, block_size**2 * channels)), data_format)


def depth_to_space(x, block_size, data_format="channels_last"):
    """The inverse of `space_to_depth`: groups of channels become blocks of pixels."""
    x = _last(x, data_format)
    batch, height, width, channels = x.shape
    if channels % block_size**2:
        raise ValueError(f"depth_to_space needs as many channels as a block has pixels, or a multiple. Received: "
                         f"{channels} channels, block_size={block_size}")
    x = reshape(x, (batch, height, width, block_size, block_size, channels // block_size**2))
    x = transpose(x, (0, 1, 3, 2, 4, 5))
    return _back(reshape(x, (batch, height * block_size, width * block_size, -1)), data_format)


def _last(x, data_format):
    x = convert(x)
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(f"data_format is 'channels_last' or 'channels_first'. Received: data_format={data_format!r}")
    if x.ndim != 4:
        raise ValueError(f"Blocks are those of images (batch, height, width, channels). Received: shape {x.shape}")
    return x if data_format == "channels_last" else moveaxis(x, 1, -1)


def _back(y, data_format):
    return y if data_format == "channels_last" else moveaxis(y, -1, 1)


# ---- products ----------------------------------------------------------------------------------------------------

def dot(x1, x2):
    """The sum of products over the last axis of x1 and the last but one of x2, or its only one."""
    a, b = convert(x1), convert(x2)
    if not a.ndim or not b.ndim:
        return multiply(a, b)
    return tensordot(a, b, ([-1], [-1 if b.ndim == 1 else -2]))


def tensordot(x1, x2, axes=2):
    """The sum of products over axes: the last ones of x1 with the first ones of x2, or a pair of lists of axes."""
    a, b = convert(x1), convert(x2)
    if isinstance(axes, int):
        over = list(range(a.ndim - axes, a.ndim)), list(range(axes))
    else:
        over = tuple(list(part) if isinstance(part, (list, tuple)) else [part] for part in axes)
    left, right = ([axis % x.ndim for axis in part] for part, x in zip(over, (a, b), strict=True))
    if [a.shape[i] for i in left] != [b.shape[i] for i in right]:
        raise ValueError(f"tensordot sums over axes of equal lengths. Received: shapes {a.shape} and {b.shape}, "
                         f"axes={axes}")
    keep_a, keep_b = ([i for i in range(x.ndim) if i not in part] for x, part in ((a, left), (b, right)))
    length = math.prod(a.shape[i] for i in left)
    rows, columns = [a.shape[i] for i in keep_a], [b.shape[i] for i in keep_b]
    y = matmul(reshape(transpose(a, [*keep_a, *left]), (math.prod(rows), length)),
               reshape(transpose(b, [*right, *keep_b]), (length, math.prod(columns))))
    return reshape(y, [*rows, *columns])


def inner(x1, x2):
    """The sum of products over the last axes."""
    a, b = convert(x1), convert(x2)
    return tensordot(a, b, ([-1], [-1])) if a.ndim and b.ndim else multiply(a, b)


def outer(x1, x2):
    """Each element of x1 times each element of x2, a matrix."""
    return multiply(expand_dims(ravel(x1), 1), expand_dims(ravel(x2), 0))


def vdot(x1, x2):
    """The sum of products of all elements."""
    return total(multiply(ravel(x1), ravel(x2)))


def kron(x1, x2):
    """Each element of x1 times all of x2, in its place."""
    a, b = convert(x1), convert(x2)
    ndim = max(a.ndim, b.ndim)
    a, b = (reshape(x, (1,) * (ndim - x.ndim) + tuple(x.shape)) for x in (a, b))
    y = multiply(reshape(a, [n for length in a.shape for n in (length, 1)]),
                 reshape(b, [n for length in b.shape for n in (1, length)]))
    return reshape(y, [n * m for n, m in zip(a.shape, b.shape, strict=True)])


def cross(x1, x2, axisa=-1, axisb=-1, axisc=-1, axis=None):
    """The vector products of vectors of 2 or 3 numbers along an axis; of two of 2 the third number alone."""
    axisa, axisb, axisc = (axis,) * 3 if axis is not None else (axisa, axisb, axisc)
    a, b = moveaxis(x1, axisa, -1), moveaxis(x2, axisb, -1)
    if not {a.shape[-1], b.shape[-1]} <= {2, 3}:
        raise ValueError(f"Vector products are those of 2 or 3 numbers. Received: {a.shape[-1]} and {b.shape[-1]}")
    (a0, a1, *a2), (b0, b1, *b2) = unstack(a, axis=-1), unstack(b, axis=-1)
    last = subtract(multiply(a0, b1), multiply(a1, b0))
    if not a2 and not b2:
        return last
    a2, b2 = (part[0] if part else 0.0 for part in (a2, b2))
    return stack([subtract(multiply(a1, b2), multiply(b1, a2)), subtract(multiply(b0, a2), multiply(a0, b2)), last], axisc)


def trapezoid(y, x=None, dx=1.0, axis=-1):
    """The integral of y along an axis over places x, or places `dx` apart, on lines from each to the next."""
    y = moveaxis(y, axis, -1)
    steps = dx if x is None else diff(x if len(convert(x).shape) == 1 else moveaxis(x, axis, -1))
    sums = add(getitem(y, (..., slice(1, None))), getitem(y, (..., slice(None, -1))))
    return multiply(total(multiply(sums, steps), -1), 0.5)


def select(condlist, choicelist, default=0):
    """Each element from the first of the choices whose condition holds there, or the default."""
    y = default
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        y = where(condition, choice, y)
    return y


def searchsorted(sorted_sequence, values, side="left"):
    """How many of a sorted sequence are below each value, or, with side 'right', not above it; int32."""
    if side not in ("left", "right"):
        raise ValueError(f"The side of searchsorted is 'left' or 'right'. Received: side={side!r}")
    compare = less if side == "left" else less_equal
    return total(cast(compare(convert(sorted_sequence), expand_dims(values, -1)), "int32"), -1)


def digitize(x, bins):
    """How many of `bins`, which grow, are not above each x: the number of its bin, int32."""
    return searchsorted(bins, x, "right")


def isin(x1, x2, assume_unique=False, invert=False):
    """Whether each x1 is one of x2, or with `invert` whether it is none; `assume_unique` has no effect."""
    found = any_of(equal(expand_dims(x1, -1), ravel(x2)), -1)
    return logical_not(found) if invert else found
