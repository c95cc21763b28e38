"""Running sums and products, sorting, and what is found by it."""
import math

from cnncore import _core
from cnncore.op import Op, Spec, apply
from cnncore.ops.elementwise import add, cast, equal, greater, less, multiply, negative, subtract, where
from cnncore.ops.indexing import take_along_axis
from cnncore.ops.movement import concatenate, expand_dims, getitem, moveaxis, reshape, stack, transpose
from cnncore.ops.reductions import any as any_of
from cnncore.ops.reductions import normal_axes
from cnncore.ops.reductions import sum as total
from cnncore.tensor import convert


class CumSum(Op):
    """y[r] = x[0] + ... + x[r] along one axis."""

    def __init__(self, axis):
        self.axis = axis

    def outputs(self, x, *, keep):
        return [Spec(x.shape)]

    def _lengths(self, shape):
        return math.prod(shape[:self.axis]), shape[self.axis], math.prod(shape[self.axis + 1:])

    def forward(self, empty, inputs, outputs):
        return [_core.cumsum(inputs[0], outputs[0], *self._lengths(inputs[0].shape))]

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs):
        (dx,) = d_inputs
        if dx is None:
            return []
        return [_core.cumsum(d_outputs[0], dx.buffer, *self._lengths(inputs[0].shape), True, dx.accumulate)]


class ArgSort(Op):
    """The places of the elements along the last axis from the smallest to the largest, int32."""

    def outputs(self, x, *, keep):
        return [Spec(x.shape, "int32")]

    def forward(self, empty, inputs, outputs):
        return [_core.argsort(inputs[0], outputs[0])]


def _flat(x, axis):
    """(x as float32, the axis); all elements in a row where the axis is None."""
    x = cast(convert(x), "float32")
    if axis is None:
        return reshape(x, (-1,)), 0
    return x, normal_axes(axis, x.ndim)[0]


def cumsum(x, axis=None, dtype=None):
    """The sums of the first 1, 2, ... elements along an axis; of all elements in a row where the axis is None."""
    wanted = dtype or convert(x).dtype
    x, axis = _flat(x, axis)
    return cast(apply(CumSum(axis), x), "int32" if wanted == "bool" else wanted)


def argsort(x, axis=-1):
    """The places of the elements along an axis from the smallest to the largest, int32; equal ones in their order, NaN
    last."""
    x, axis = _flat(x, axis)
    if axis == x.ndim - 1:
        return apply(ArgSort(), x.detach()).detach()
    return moveaxis(apply(ArgSort(), moveaxis(x.detach(), axis, -1)), -1, axis).detach()


def sort(x, axis=-1):
    """The elements along an axis from the smallest to the largest."""
    x = convert(x)
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    return take_along_axis(x, argsort(x, axis), axis)


def top_k(x, k, sorted=True):
    """(values, places) of the k largest elements along the last axis, the largest first."""
    x = convert(x)
    if not x.ndim or not 0 < k <= x.shape[-1]:
        raise ValueError(f"top_k takes from 1 to as many as the last axis has. Received: k={k} for shape {x.shape}")
    places = getitem(argsort(negative(cast(x, "float32"))), (..., slice(None, k)))
    return take_along_axis(x, places, -1), places


def in_top_k(targets, predictions, k):
    """For each row of predictions, whether fewer than k are larger than that of its target, bool."""
    targets, predictions = cast(convert(targets), "int32"), cast(convert(predictions), "float32").detach()
    own = take_along_axis(predictions, expand_dims(targets, -1), -1)
    larger = total(cast(greater(predictions, own), "int32"), axis=-1)
    # A target that is no class, or whose prediction is no number, is in no top k.
    inside = greater(targets, -1), less(targets, predictions.shape[-1]), equal(getitem(own, (..., 0)),
                                                                              getitem(own, (..., 0)))
    found = less(larger, k)
    for condition in inside:
        found = cast(multiply(cast(found, "int32"), cast(condition, "int32")), "bool")
    return found


def median(x, axis=None, keepdims=False):
    """The middle element over axes, the mean of the two in the middle of an even number; NaN where there is one."""
    return quantile(x, 0.5, axis, keepdims=keepdims)


def quantile(x, q, axis=None, method="linear", keepdims=False):
    """The value below which a part q, from 0 to 1, of the elements over axes lies, between elements on a line."""
    if method not in ("linear", "lower", "higher", "nearest", "midpoint"):
        raise ValueError("The method of quantile is 'linear', 'lower', 'higher', 'midpoint' or 'nearest'. Received: "
                         f"method={method!r}")
    x = cast(convert(x), "float32")
    axes = normal_axes(axis, x.ndim)
    shape = [1 if i in axes else n for i, n in enumerate(x.shape)]
    rest = [i for i in range(x.ndim) if i not in axes]
    rows = reshape(transpose(x, [*rest, *axes]), (*(x.shape[i] for i in rest), -1))
    ordered = sort(rows, -1)
    nan = cast(any_of(cast(subtract(1, cast(equal(rows, rows), "int32")), "bool"), axis=-1), "float32")
    kept = shape if keepdims else [x.shape[i] for i in rest]

    def one(part):
        at = float(part) * (rows.shape[-1] - 1)
        low, t = int(math.floor(at)), at - math.floor(at)
        t = {"lower": 0.0, "higher": math.ceil(t), "nearest": float(round(at) - low),
             "midpoint": 0.5 if t else 0.0}.get(method, t)
        first, second = (getitem(ordered, (..., i)) for i in (low, min(low + 1, rows.shape[-1] - 1)))
        value = first if t == 0 else add(multiply(first, 1 - t), multiply(second, t))
        last = getitem(ordered, (..., -1))  # NaN where there is one
        return reshape(where(nan, last, value), kept)

    parts = q.tolist() if hasattr(q, "tolist") else q
    return stack([one(part) for part in parts]) if isinstance(parts, (list, tuple)) else one(parts)


def percentile(x, q, axis=None, method="linear", keepdims=False):
    """The value below which q of a hundred elements over axes lie, see `quantile`."""
    parts = q.tolist() if hasattr(q, "tolist") else q
    parts = [part / 100 for part in parts] if isinstance(parts, (list, tuple)) else parts / 100
    return quantile(x, parts, axis, method, keepdims)


def cumprod(x, axis=None, dtype=None):
    """The products of the first 1, 2, ... elements along an axis; of all elements in a row where the axis is None."""
    wanted = dtype or convert(x).dtype
    x, axis = _flat(x, axis)
    step = 1
    while step < x.shape[axis]:  # each element takes in the one `step` places before it, which spans as many
        before = (slice(None),) * axis
        head, tail = getitem(x, (*before, slice(None, step))), getitem(x, (*before, slice(step, None)))
        x = concatenate([head, multiply(tail, getitem(x, (*before, slice(None, -step))))], axis)
        step *= 2
    return cast(x, "int32" if wanted == "bool" else wanted)
