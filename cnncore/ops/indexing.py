"""Elements by their places: taken along an axis, and added up by groups."""
import math

import numpy as np

from cnncore import _core
from cnncore.op import Op, Spec, apply
from cnncore.ops.elementwise import accumulate_calls, add, cast, less, multiply, where
from cnncore.ops.movement import Take, broadcast_to, moveaxis, reshape
from cnncore.ops.reductions import normal_axes
from cnncore.ops.reductions import sum as total
from cnncore.tensor import convert


class Gather(Op):
    """y[group] = the sum of x[i] over all i with index[i] == group, rows of x; other indices count for nothing."""

    name = "segment_sum"

    def __init__(self, groups):
        self.groups = groups

    def outputs(self, x, index, *, keep):
        if index.dtype != "int32" or x.shape[:len(index.shape)] != index.shape:
            raise ValueError(f"segment_sum takes a group for each row of its data. Received: shapes {index.shape} and "
                             f"{x.shape}")
        return [Spec((self.groups, *x.shape[len(index.shape):]))]

    def forward(self, empty, inputs, outputs):
        return [_core.take_dx(*inputs, outputs[0], False)]

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs):
        dx = d_inputs[0]
        if dx is None or not dx.buffer.size:
            return []
        part = empty(dx.buffer.shape) if dx.accumulate else dx.buffer
        return [_core.take(d_outputs[0], inputs[1], part)] + (
            accumulate_calls(part, dx.buffer) if dx.accumulate else [])


def segment_sum(data, segment_ids, num_segments=None, sorted=False):
    """The sums of the rows of data that have the same number in segment_ids, row by row of the result."""
    data, ids = convert(data), cast(convert(segment_ids), "int32").detach()
    if num_segments is None:
        num_segments = int(ids.numpy().max(initial=-1)) + 1
    return cast(apply(Gather(int(num_segments)), cast(data, "float32"), ids), data.dtype)


def _flat_places(indices, shape):
    """The places of slices, whose numbers stand along the last axis of the indices, in a row of all slices."""
    indices = cast(convert(indices), "int32").detach()
    depth = indices.shape[-1]
    if depth > len(shape):
        raise ValueError(f"Places in an array of shape {tuple(shape)} have at most {len(shape)} numbers. Received: indices "
                         f"of shape {indices.shape}")
    steps = [math.prod(shape[i + 1:depth]) for i in range(depth)]
    return reshape(total(multiply(indices, convert(np.array(steps, "int32"))), -1), (-1,)), depth


def scatter(indices, values, shape):
    """Zeros of a shape, to which values are added at these places; a place stands along the last axis of the indices."""
    values, shape = convert(values), tuple(int(n) for n in shape)
    places, depth = _flat_places(indices, shape)
    rows = reshape(cast(values, "float32"), (-1, *shape[depth:]))
    return cast(reshape(segment_sum(rows, places, math.prod(shape[:depth])), shape), values.dtype)


def scatter_update(inputs, indices, updates, reduction=None):
    """An array with other values at these places, see `scatter`; each may stand there once.

    reduction: None puts `updates` in their places, 'add' adds them, however often a place stands there."""
    x, updates = convert(inputs), convert(updates)
    if reduction not in (None, "add"):
        raise ValueError(f"The reduction of scatter_update is None or 'add'. Received: reduction={reduction!r}")
    if reduction == "add":
        return add(x, cast(scatter(indices, updates, x.shape), x.dtype))
    places, depth = _flat_places(indices, x.shape)
    if not places.buffer.is_promise and len(np.unique(places.numpy())) != places.size:
        raise ValueError("scatter_update puts one value in a place. Received: indices with a place twice; pass "
                         "reduction='add' to add them up")
    changed = scatter(indices, convert(np.ones(updates.shape, "float32")), x.shape)
    return cast(where(changed, scatter(indices, updates, x.shape), x), x.dtype)


def bincount(x, weights=None, minlength=0, sparse=False):
    """How often each whole number from 0 on stands in x, or the sum of its weights; as many as `minlength` at least.

    While a step is recorded no value exists, so `minlength` alone says how many there are."""
    if sparse:
        raise ValueError("bincount gives arrays. Received: sparse=True")
    x = reshape(cast(convert(x), "int32"), (-1,)).detach()
    known = 0 if x.buffer.is_promise else int(x.numpy().max(initial=-1)) + 1
    ones = convert(np.ones(x.shape, "float32")) if weights is None else reshape(convert(weights), (-1,))
    counts = segment_sum(cast(ones, "float32"), x, max(known, minlength))
    return cast(counts, "int32") if weights is None else counts


def take_along_axis(x, indices, axis=None):
    """y[..., i, ...] = x[..., indices[..., i, ...], ...] along an axis; of all elements in a row where it is None."""
    x, indices = convert(x), cast(convert(indices), "int32").detach()
    if axis is None:
        x, indices, axis = reshape(x, (-1,)), reshape(indices, (-1,)), 0
    (axis,) = normal_axes(axis, x.ndim)
    if indices.ndim != x.ndim or any(n not in (m, 1) and m != 1 for i, (n, m) in enumerate(zip(indices.shape, x.shape))
                                     if i != axis):
        raise ValueError(f"take_along_axis takes as many axes of indices as of values, of the same lengths but for axis "
                         f"{axis}. Received: shapes {indices.shape} and {x.shape}")
    front = [max(n, m) for i, (n, m) in enumerate(zip(indices.shape, x.shape)) if i != axis]
    front.insert(axis, x.shape[axis])
    x = moveaxis(broadcast_to(x, front), axis, -1)
    front[axis] = indices.shape[axis]
    indices = moveaxis(broadcast_to(indices, front), axis, -1)
    length, rows = x.shape[-1], math.prod(x.shape[:-1])
    starts = convert((np.arange(rows, dtype="int32") * length).reshape(*x.shape[:-1], 1))
    counted = add(indices, multiply(cast(less(indices, 0), "int32"), length))  # from the end where below 0
    y = apply(Take(), reshape(x, (-1,)), add(counted, starts))
    return moveaxis(y, -1, axis)
