"""Keras's words for `if`, `for` and `while` over tensors."""
from cnncore import executor
from cnncore.nest import flatten, map_leaves, pack
from cnncore.ops.elementwise import cast, where
from cnncore.ops.movement import getitem, stack
from cnncore.tensor import Tensor, convert


def _known(value):
    """Whether a value is there to be asked for."""
    return not isinstance(value, Tensor) or not (executor.current().recording or value.buffer.is_promise)


def cond(pred, true_fn, false_fn):
    """What `true_fn` returns where `pred` holds, else what `false_fn` does.

    While a step is recorded no value exists: both are computed then, and the results chosen from.
    """
    if _known(pred):
        return true_fn() if bool(pred) else false_fn()
    return _chosen(pred, true_fn(), false_fn())


def _chosen(pred, one, other):
    ones, others = ([convert(leaf) for leaf in flatten(nest)] for nest in (one, other))
    if [y.shape for y in ones] != [y.shape for y in others]:
        raise ValueError("Both functions of cond return tensors of the same shapes. Received: "
                         f"{[y.shape for y in ones]} and {[y.shape for y in others]}")
    return pack(one, [cast(where(pred, y, z), y.dtype) for y, z in zip(ones, others, strict=True)])


def switch(index, branches, *operands):
    """What the function of this number returns for the operands; the first or the last where there is none."""
    if _known(index):
        return branches[min(max(int(index), 0), len(branches) - 1)](*operands)
    y = branches[-1](*operands)
    for i in reversed(range(len(branches) - 1)):
        y = _chosen(convert(index) <= i, branches[i](*operands), y)
    return y


def _rows(xs):
    """How many rows the tensors of a nest have."""
    lengths = {leaf.shape[0] for leaf in flatten(xs)}
    if len(lengths) != 1:
        raise ValueError("Tensors that are gone through together have one number of rows. Received: "
                         f"{sorted(lengths)}")
    return lengths.pop()


def _stacked(results):
    return pack(results[0], [stack(list(leaves)) for leaves in zip(*map(flatten, results), strict=True)])


def map_rows(f, xs):
    """f of each row of a tensor, or of tensors in a nest, its results stacked."""
    xs = map_leaves(convert, xs)
    return _stacked([f(map_leaves(lambda leaf, i=i: getitem(leaf, i), xs)) for i in range(_rows(xs))])


def vectorized_map(function, elements):
    """function of each row of a tensor, or of tensors in a nest, its results stacked."""
    return map_rows(function, elements)


def scan(f, init, xs=None, length=None, reverse=False, unroll=1):
    """(carry, results stacked) of (carry, result) = f(carry, row) for row after row of xs; `unroll` has no effect."""
    xs = None if xs is None else map_leaves(convert, xs)
    count = int(length) if xs is None else _rows(xs)
    carry, results = init, [None] * count
    for i in reversed(range(count)) if reverse else range(count):
        carry, results[i] = f(carry, None if xs is None else map_leaves(lambda leaf, i=i: getitem(leaf, i), xs))
    return carry, (None if not results or results[0] is None else _stacked(results))


def fori_loop(lower, upper, body_fun, init_val):
    """The value after value = body_fun(i, value) for i from `lower` to before `upper`."""
    value = init_val
    for i in range(int(lower), int(upper)):
        value = body_fun(i, value)
    return value


def while_loop(cond, body, loop_vars, maximum_iterations=None):
    """The variables after body(*variables) as long as cond(*variables) holds, which must be known.

    While a step is recorded no value exists, and a condition on one raises an error."""
    alone = not isinstance(loop_vars, (list, tuple))
    values, count = ((loop_vars,) if alone else tuple(loop_vars)), 0
    while (maximum_iterations is None or count < maximum_iterations) and bool(cond(*values)):
        values = body(*values)
        values = tuple(values) if isinstance(values, (list, tuple)) else (values,)
        count += 1
    return values[0] if alone else type(loop_vars)(values)
