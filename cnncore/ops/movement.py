"""Shapes and places: reshaping, transposing, slicing, joining, padding, taking."""
import math
import operator

import numpy as np

from cnncore import _core
from cnncore.op import Op, Spec, ViewOp, apply
from cnncore.ops.elementwise import cast
from cnncore.ops.reductions import normal_axes
from cnncore.tensor import Tensor, convert

# ---- views -------------------------------------------------------------------------------------------------------

class Reshape(ViewOp):
    """The same elements under another shape."""

    def __init__(self, shape):
        self.shape = shape

    def view(self, x):
        return x.view(self.shape)


def reshape(x, newshape):
    """x under a new shape of the same size; one length may be -1."""
    x = convert(x)
    shape = [operator.index(n) for n in (newshape if isinstance(newshape, (list, tuple)) else [newshape])]
    if shape.count(-1) > 1 or min(shape, default=0) < -1:
        raise ValueError(f"A new shape has lengths of 0 or more, and at most one -1. Received: {tuple(newshape)}")
    if -1 in shape:
        known = -math.prod(shape)
        if known == 0 or x.size % known:
            raise ValueError(f"Cannot reshape an array of shape {x.shape} into {tuple(shape)}: {x.size} elements are "
                             f"no multiple of {known}")
        shape[shape.index(-1)] = x.size // known
    if math.prod(shape) != x.size:
        raise ValueError(f"Cannot reshape an array of shape {x.shape} into {tuple(shape)}: {x.size} elements are not "
                         f"{math.prod(shape)}")
    return apply(Reshape(tuple(shape)), x)


def expand_dims(x, axis):
    """x with new axes of length 1."""
    x = convert(x)
    axes = normal_axes(axis, x.ndim + len(axis if isinstance(axis, (list, tuple)) else [axis]))
    shape, old = [], iter(x.shape)
    for i in range(x.ndim + len(axes)):
        shape.append(1 if i in axes else next(old))
    return reshape(x, shape)


def squeeze(x, axis=None):
    """x without axes of length 1."""
    x = convert(x)
    axes = [i for i, n in enumerate(x.shape) if n == 1] if axis is None else normal_axes(axis, x.ndim)
    if any(x.shape[a] != 1 for a in axes):
        raise ValueError(f"Only axes of length 1 can be squeezed. Received: shape {x.shape}, axis={axis}")
    return reshape(x, [n for i, n in enumerate(x.shape) if i not in axes])


# ---- one strided copy --------------------------------------------------------------------------------------------

class Strided(Op):
    """y[index] = x[offset + index . steps]: transposes, slices and repeats."""

    def __init__(self, name, shape, steps, offset=0):
        self._name, self.shape, self.steps, self.offset = name, tuple(shape), list(steps), offset

    @property
    def name(self):
        return self._name

    def outputs(self, x, *, keep):
        return [Spec(self.shape, x.dtype)]

    def forward(self, empty, inputs, outputs):
        if outputs[0].size == 0:
            return []
        return [_core.strided_copy(inputs[0], outputs[0], self.shape, self.steps, _core.contiguous_steps(self.shape),
                                   self.offset)]

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs):
        (dx,) = d_inputs
        if dx is None:
            return []
        calls = [] if dx.accumulate else [_core.fill(dx.buffer, 0.0)]
        source, shape, steps = d_outputs[0], self.shape, self.steps
        if source.size == 0:
            return calls
        repeated = [i for i, (n, step) in enumerate(zip(shape, steps)) if step == 0 and n > 1]
        if repeated:  # what was repeated is summed
            from cnncore.ops.reductions import reduce_calls

            shape = tuple(1 if i in repeated else n for i, n in enumerate(shape))
            summed = empty(shape)
            calls += reduce_calls(empty, "sum", source, summed, repeated)
            source = summed
        calls.append(_core.strided_copy(source, dx.buffer, shape, _core.contiguous_steps(shape), steps, 0, self.offset,
                                        accumulate=True))
        return calls


def transpose(x, axes=None):
    """x with its axes in another order; reversed by default."""
    x = convert(x)
    axes = list(range(x.ndim))[::-1] if axes is None else [a % x.ndim for a in axes]
    if sorted(axes) != list(range(x.ndim)):
        raise ValueError(f"axes must name each of the {x.ndim} axes once. Received: {tuple(axes)}")
    steps = _core.contiguous_steps(x.shape)
    return apply(Strided("transpose", [x.shape[a] for a in axes], [steps[a] for a in axes]), x)


def moveaxis(x, source, destination):
    """x with one axis, or each of several, moved to another place."""
    x = convert(x)
    sources, places = ([axis] if isinstance(axis, int) else list(axis) for axis in (source, destination))
    if len(sources) != len(places):
        raise ValueError(f"moveaxis takes a place for each axis. Received: source={source}, destination={destination}")
    order = [i for i in range(x.ndim) if i not in [axis % x.ndim for axis in sources]]
    for place, axis in sorted((place % x.ndim, axis % x.ndim) for place, axis in zip(places, sources, strict=True)):
        order.insert(place, axis)
    return transpose(x, order)


def broadcast_to(x, shape):
    """x repeated along axes of length 1 and new axes in front."""
    x, shape = convert(x), tuple(shape)
    if x.shape == shape:
        return x
    try:
        fits = np.broadcast_shapes(x.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"An array of shape {x.shape} does not broadcast to {shape}")
    return apply(Strided("broadcast_to", shape, _core.broadcast_steps(x.shape, shape)), x)


def flip(x, axis=None):
    """x with its elements in reverse order along axes."""
    x = convert(x)
    axes = normal_axes(axis, x.ndim)
    return getitem(x, tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(x.ndim)))


def getitem(x, index):
    """x[index]: whole numbers, slices, None, Ellipsis, and one array of whole numbers along the first axis."""
    x = convert(x)
    if isinstance(index, (list, np.ndarray, Tensor)) and not (isinstance(index, Tensor) and index.shape == ()):
        return take(x, index, axis=0)
    index = index if isinstance(index, tuple) else (index,)
    given = sum(1 for i in index if i is not None and i is not Ellipsis)
    if given > x.ndim or sum(1 for i in index if i is Ellipsis) > 1:
        raise IndexError(f"Too many indices for an array of shape {x.shape}. Received: {index}")
    if Ellipsis not in [i if i is None or i is Ellipsis or isinstance(i, slice) else 0 for i in index]:
        index += (Ellipsis,)
    steps, shape, offset, axis = _core.contiguous_steps(x.shape), [], 0, 0
    out_steps = []
    for i in index:
        if i is None:
            shape.append(1)
            out_steps.append(0)
        elif i is Ellipsis:
            for _ in range(x.ndim - given):
                shape.append(x.shape[axis])
                out_steps.append(steps[axis])
                axis += 1
        elif isinstance(i, slice):
            start, stop, step = i.indices(x.shape[axis])
            shape.append(len(range(start, stop, step)))
            out_steps.append(steps[axis] * step)
            offset += start * steps[axis] if shape[-1] else 0
            axis += 1
        else:
            at = operator.index(i)
            if not -x.shape[axis] <= at < x.shape[axis]:
                raise IndexError(f"Index {at} is out of range for axis {axis} of shape {x.shape}")
            offset += at % x.shape[axis] * steps[axis]
            axis += 1
    return apply(Strided("getitem", shape, out_steps, offset), x)


# ---- joining and padding -----------------------------------------------------------------------------------------

class Concatenate(Op):
    """Arrays side by side along one axis."""

    def __init__(self, axis):
        self.axis = axis

    def outputs(self, *xs, keep):
        first, axis = xs[0], self.axis
        for x in xs:
            if x.dtype != first.dtype or len(x.shape) != len(first.shape) or any(
                    n != m for i, (n, m) in enumerate(zip(x.shape, first.shape)) if i != axis):
                raise ValueError(f"concatenate joins arrays of one dtype whose shapes agree but for axis {axis}. "
                                 f"Received: {[(x.shape, x.dtype) for x in xs]}")
        joined = sum(x.shape[axis] for x in xs)
        return [Spec(first.shape[:axis] + (joined,) + first.shape[axis + 1:], first.dtype)]

    def _copies(self, shape, xs):
        """(x's number, its offset in the joined array, the joined array's steps) for every x that holds anything."""
        steps, offset = _core.contiguous_steps(shape), 0
        for i, x in enumerate(xs):
            if x.size:
                yield i, offset * steps[self.axis], steps
            offset += x.shape[self.axis]

    def forward(self, empty, inputs, outputs):
        return [_core.strided_copy(inputs[i], outputs[0], inputs[i].shape, _core.contiguous_steps(inputs[i].shape),
                                   steps, 0, offset)
                for i, offset, steps in self._copies(outputs[0].shape, inputs)]

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs):
        (dy,) = d_outputs
        return [_core.strided_copy(dy, d_inputs[i].buffer, inputs[i].shape, steps,
                                   _core.contiguous_steps(inputs[i].shape), offset, 0, d_inputs[i].accumulate)
                for i, offset, steps in self._copies(dy.shape, inputs) if d_inputs[i] is not None]


def concatenate(xs, axis=0):
    """Arrays joined along an axis."""
    xs = [convert(x) for x in xs]
    if not xs:
        raise ValueError("concatenate needs at least one array")
    if len({x.dtype for x in xs}) > 1:
        xs = [cast(x, "float32") for x in xs]
    return apply(Concatenate(normal_axes(axis, xs[0].ndim)[0]), *xs)


def stack(x, axis=0):
    """Arrays of one shape joined along a new axis."""
    return concatenate([expand_dims(part, axis) for part in x], axis)


def split(x, indices_or_sections, axis=0):
    """x cut along an axis: into so many equal parts, or before each of the given indices."""
    x = convert(x)
    (axis,) = normal_axes(axis, x.ndim)
    length = x.shape[axis]
    if isinstance(indices_or_sections, int):
        if length % indices_or_sections:
            raise ValueError(f"Axis {axis} of shape {x.shape} cannot be cut into {indices_or_sections} equal parts")
        cuts = list(range(0, length + 1, length // indices_or_sections))
    else:
        cuts = [0, *indices_or_sections, length]
    return [getitem(x, (slice(None),) * axis + (slice(a, b),)) for a, b in zip(cuts, cuts[1:])]


class Pad(Op):
    """x with a constant around it."""

    def __init__(self, widths, value):
        self.widths, self.value = widths, value

    def outputs(self, x, *, keep):
        return [Spec(tuple(n + a + b for n, (a, b) in zip(x.shape, self.widths)))]

    def _offset(self, shape):
        return sum(before * step for (before, _), step in zip(self.widths, _core.contiguous_steps(shape)))

    def forward(self, empty, inputs, outputs):
        (x,), (y,) = inputs, outputs
        calls = [_core.fill(y, self.value)]
        if x.size:
            calls.append(_core.strided_copy(x, y, x.shape, _core.contiguous_steps(x.shape),
                                            _core.contiguous_steps(y.shape), 0, self._offset(y.shape)))
        return calls

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs):
        (x,), (dy,), (dx,) = inputs, d_outputs, d_inputs
        if dx is None or x.size == 0:
            return []
        return [_core.strided_copy(dy, dx.buffer, x.shape, _core.contiguous_steps(dy.shape),
                                   _core.contiguous_steps(x.shape), self._offset(dy.shape), 0, dx.accumulate)]


def pad(x, pad_width, mode="constant", constant_values=None):
    """x, float32, with something around it: a constant, or with mode 'reflect' or 'symmetric' x mirrored at its outermost
    elements or at its edge. pad_width is (before, after) for every axis, one such pair, or one number for all."""
    x = cast(convert(x), "float32")
    pairs = pad_width
    if isinstance(pairs, int):
        pairs = (pairs, pairs)
    if len(pairs) == 2 and all(isinstance(n, int) for n in pairs):
        pairs = (pairs,) * x.ndim
    elif len(pairs) == 1:
        pairs = tuple(pairs) * x.ndim
    widths = [tuple(operator.index(n) for n in pair) for pair in pairs]
    if len(widths) != x.ndim or any(len(pair) != 2 or min(pair) < 0 for pair in widths):
        raise ValueError(f"pad_width takes a pair of widths of 0 or more for each of {x.ndim} axes. "
                         f"Received: {pad_width}")
    if mode == "constant":
        return apply(Pad(widths, float(constant_values or 0.0)), x)
    if mode not in ("reflect", "symmetric"):
        raise ValueError(f"The mode of pad is 'constant', 'reflect' or 'symmetric'. Received: mode={mode!r}")
    if constant_values is not None:
        raise ValueError("Only the mode 'constant' of pad takes constant_values. Received: "
                         f"constant_values={constant_values!r} with mode={mode!r}")
    for axis, pair in enumerate(widths):
        if pair != (0, 0):
            x = take(x, np.pad(np.arange(x.shape[axis], dtype="int32"), pair, mode), axis)
    return x


def repeat(x, repeats, axis=None):
    """Each element `repeats` times in a row along an axis; of all elements in a row where the axis is None."""
    x = convert(x)
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    (axis,) = normal_axes(axis, x.ndim)
    if np.ndim(repeats):  # a number for each element
        counts = np.broadcast_to(np.asarray(repeats), x.shape[axis:axis + 1])
        return take(x, np.repeat(np.arange(x.shape[axis], dtype="int32"), counts), axis)
    wide = broadcast_to(expand_dims(x, axis + 1), x.shape[:axis + 1] + (repeats,) + x.shape[axis + 1:])
    return reshape(wide, x.shape[:axis] + (x.shape[axis] * repeats,) + x.shape[axis + 1:])


def tile(x, repeats):
    """The whole array `repeats` times along each axis; new axes stand in front."""
    x = convert(x)
    repeats = [repeats] if isinstance(repeats, int) else list(repeats)
    repeats = [1] * (x.ndim - len(repeats)) + repeats
    x = reshape(x, (1,) * (len(repeats) - x.ndim) + x.shape)
    for axis, times in enumerate(repeats):
        if times != 1:
            x = concatenate([x] * times, axis) if times else getitem(x, (slice(None),) * axis + (slice(0, 0),))
    return x


# ---- by index ----------------------------------------------------------------------------------------------------

class Take(Op):
    """y[i] = x[index[i]] along the first axis; an index out of range gives zeros."""

    def outputs(self, x, index, *, keep):
        return [Spec(index.shape + x.shape[1:], x.dtype)]

    def forward(self, empty, inputs, outputs):
        return [_core.take(*inputs, outputs[0])] if outputs[0].size else []

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs):
        dx = d_inputs[0]
        return [_core.take_dx(d_outputs[0], inputs[1], dx.buffer, dx.accumulate)] if dx else []


def take(x, indices, axis=None):
    """The slices of x at these whole numbers along an axis; of all elements in a row where the axis is None."""
    x, indices = convert(x), convert(indices)
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    if indices.dtype == "bool":
        raise TypeError("Tensors are indexed by whole numbers and slices. Received: a bool array; use np.nonzero first")
    if not indices.buffer.is_promise and indices.size:
        low, high = indices.numpy().min(), indices.numpy().max()
        if low < -x.shape[axis] or high >= x.shape[axis]:
            raise IndexError(f"Indices must be from {-x.shape[axis]} to {x.shape[axis] - 1} along axis {axis} of shape "
                             f"{x.shape}. Received: {low} to {high}")
    indices = cast(indices, "int32").detach()
    (axis,) = normal_axes(axis, x.ndim)
    if axis == 0:
        return apply(Take(), x, indices)
    taken = apply(Take(), moveaxis(x, axis, 0), indices)
    order = [*range(indices.ndim, indices.ndim + axis), *range(indices.ndim), *range(indices.ndim + axis, taken.ndim)]
    return transpose(taken, order)


class OneHot(Op):
    """y[..., c] = labels == c."""

    def __init__(self, classes):
        self.classes = classes

    def outputs(self, labels, *, keep):
        return [Spec((*labels.shape, self.classes))]

    def forward(self, empty, inputs, outputs):
        return [_core.one_hot(inputs[0], outputs[0])]


def one_hot(x, num_classes, axis=-1, dtype=None, sparse=False):
    """Zeros with a 1 at each label along a new axis; a label out of range gives zeros."""
    if sparse:
        raise ValueError("one_hot gives arrays. Received: sparse=True")
    y = apply(OneHot(num_classes), cast(convert(x), "int32").detach())
    y = y if axis in (-1, y.ndim - 1) else moveaxis(y, -1, axis)
    return y if dtype in (None, "float32") else cast(y, dtype)
