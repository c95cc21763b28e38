"""Sums, means, extremes and products over axes."""
import math

import numpy as np

from cnncore import _core
from cnncore.op import Op, Spec, apply
from cnncore.ops.elementwise import accumulate_calls, cast
from cnncore.tensor import convert


def normal_axes(axis, ndim, name="axis"):
    """The axes as a sorted list of numbers from 0 on."""
    axes = range(ndim) if axis is None else axis if isinstance(axis, (list, tuple)) else [axis]
    for a in axes:
        if not -ndim <= a < ndim:
            raise ValueError(f"{name} must be from {-ndim} to {ndim - 1} for an array of {ndim} axes. Received: {axis}")
    return sorted({a % ndim for a in axes})


def reduce_calls(empty, function, x, y, axes, scale=1.0, accumulate=False):
    """The calls that reduce x over `axes` into y; neighbouring axes go together, the last group first."""
    groups = []
    for axis in axes:
        if groups and groups[-1][-1] == axis - 1:
            groups[-1].append(axis)
        else:
            groups.append([axis])
    if not groups:
        groups = [[len(x.shape)]]
    calls, shape = [], list(x.shape) + [1]
    for group in reversed(groups):
        last = group is groups[0]
        outer, length = math.prod(shape[:group[0]]), math.prod(shape[group[0]:group[-1] + 1])
        inner = math.prod(shape[group[-1] + 1:])
        for axis in group:
            shape[axis] = 1
        to = y if last else empty(tuple(shape[:-1]))
        calls.append(_core.reduce(function, x, to, outer, length, inner, scale if last else 1.0, accumulate and last))
        x = to
    return calls


class Reduce(Op):
    """y = scale * function of x over axes."""

    def __init__(self, function, axes, keepdims, scale=1.0):
        self.function, self.axes, self.keepdims, self.scale = function, axes, keepdims, scale

    @property
    def name(self):
        return self.function

    def _kept(self, x):
        return tuple(1 if i in self.axes else n for i, n in enumerate(x.shape))

    def outputs(self, x, *, keep):
        if self.function in ("max", "min") and x.size == 0:
            raise ValueError(f"The {self.function} of an empty array does not exist. Received: shape {x.shape}")
        shape = self._kept(x) if self.keepdims else tuple(n for i, n in enumerate(x.shape) if i not in self.axes)
        return [Spec(shape)]

    def forward(self, empty, inputs, outputs):
        return reduce_calls(empty, self.function, inputs[0], outputs[0], self.axes, self.scale)

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs):
        (x,), (y,), (dy,), (dx,) = inputs, outputs, d_outputs, d_inputs
        if dx is None:
            return []
        wide, steps = self._kept(x), _core.contiguous_steps(x.shape)
        narrow = _core.broadcast_steps(wide, x.shape)
        calls = []

        def spread(source, factor=1.0):
            """`source`, of y's size, repeated to x's shape."""
            if factor != 1.0:
                scaled = empty(source.shape)
                calls.append(_core.unary("affine", source, scaled, factor))
                source = scaled
            full = empty(x.shape)
            calls.append(_core.strided_copy(source, full, x.shape, narrow, steps))
            return full

        if self.function == "sum":
            source = dy
            if self.scale != 1.0:
                source = empty(dy.shape)
                calls.append(_core.unary("affine", dy, source, self.scale))
            calls.append(_core.strided_copy(source, dx.buffer, x.shape, narrow, steps, accumulate=dx.accumulate))
            return calls
        if self.function in ("max", "min"):  # shared equally among equals
            full_y, mask, ones = spread(y), empty(x.shape, "bool"), empty(x.shape)
            count = empty(wide)
            calls += [_core.binary("equal", x, full_y, mask), _core.cast(mask, ones)]
            calls += reduce_calls(empty, "sum", ones, count, self.axes)
            share, full = empty(wide), None
            calls.append(_core.binary("divide", dy.view(wide), count, share))
            full = spread(share)
            product = empty(x.shape)
            calls += [_core.binary("multiply", ones, full, product)]
        else:  # product: dy y / x, right where no factor is 0
            quotient, product = empty(x.shape), empty(x.shape)
            calls += [_core.binary("divide", spread(y), x, quotient),
                      _core.binary("multiply", quotient, spread(dy), product)]
        from cnncore.ops.elementwise import copy_calls

        return calls + (accumulate_calls if dx.accumulate else copy_calls)(product, dx.buffer)


def _reduce(function, x, axis, keepdims, mean=False):
    x = convert(x)
    dtype = x.dtype
    if dtype != "float32":
        x = cast(x, "float32")
    axes = normal_axes(axis, x.ndim)
    scale = 1.0
    if mean:
        count = math.prod(x.shape[a] for a in axes)
        if count == 0:
            raise ValueError(f"The mean of nothing does not exist. Received: shape {x.shape}, axis={axis}")
        scale = 1.0 / count
    y = apply(Reduce(function, axes, keepdims, scale), x)
    return y if dtype == "float32" or mean else cast(y, "int32" if dtype == "bool" and function == "sum" else dtype)


def sum(x, axis=None, keepdims=False):
    """The sum over axes."""
    return _reduce("sum", x, axis, keepdims)


def mean(x, axis=None, keepdims=False):
    """The mean over axes, in float32."""
    return _reduce("sum", x, axis, keepdims, mean=True)


def max(x, axis=None, keepdims=False, initial=None):
    """The largest over axes, or `initial` where that is larger; equal ones share the gradient."""
    from cnncore.ops.elementwise import maximum

    if initial is None:
        return _reduce("max", x, axis, keepdims)
    x = convert(x)
    if x.size:
        return maximum(_reduce("max", x, axis, keepdims), initial)
    kept = [n for i, n in enumerate(x.shape) if i not in normal_axes(axis, x.ndim)]
    return cast(convert(np.full([1] * x.ndim if keepdims else kept, initial, "float32")), x.dtype)


def min(x, axis=None, keepdims=False, initial=None):
    """The smallest over axes, or `initial` where that is smaller; equal ones share the gradient."""
    from cnncore.ops.elementwise import minimum

    if initial is None:
        return _reduce("min", x, axis, keepdims)
    x = convert(x)
    if x.size:
        return minimum(_reduce("min", x, axis, keepdims), initial)
    kept = [n for i, n in enumerate(x.shape) if i not in normal_axes(axis, x.ndim)]
    return cast(convert(np.full([1] * x.ndim if keepdims else kept, initial, "float32")), x.dtype)


def prod(x, axis=None, keepdims=False, dtype=None):
    """The product over axes."""
    y = _reduce("product", x, axis, keepdims)
    return y if dtype is None else cast(y, dtype)


def any(x, axis=None, keepdims=False):
    """Whether one element over axes is not 0."""
    return cast(_reduce("max", cast(cast(x, "bool"), "float32"), axis, keepdims), "bool")


def all(x, axis=None, keepdims=False):
    """Whether no element over axes is 0."""
    return cast(_reduce("min", cast(cast(x, "bool"), "float32"), axis, keepdims), "bool")


class ArgMax(Op):
    """The index of the first largest element along one axis, int32."""

    def __init__(self, axis, keepdims):
        self.axis, self.keepdims = axis, keepdims

    def outputs(self, x, *, keep):
        if x.shape[self.axis] == 0:
            raise ValueError(f"argmax needs at least one element along its axis. Received: shape {x.shape}, "
                             f"axis={self.axis}")
        middle = (1,) if self.keepdims else ()
        return [Spec(x.shape[:self.axis] + middle + x.shape[self.axis + 1:], "int32")]

    def forward(self, empty, inputs, outputs):
        shape = inputs[0].shape
        return [_core.argmax(inputs[0], outputs[0], math.prod(shape[:self.axis]), shape[self.axis],
                             math.prod(shape[self.axis + 1:]))]


def argmax(x, axis=None, keepdims=False):
    """The index of the first largest element along an axis, int32; of all elements where the axis is None."""
    from cnncore.ops.movement import reshape

    x = convert(x).detach()
    x = cast(x, "float32")
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    return apply(ArgMax(normal_axes(axis, x.ndim)[0], keepdims), x).detach()


def argmin(x, axis=None, keepdims=False):
    """The index of the first smallest element along an axis, int32."""
    from cnncore.ops.elementwise import negative

    return argmax(negative(cast(convert(x).detach(), "float32")), axis, keepdims)
