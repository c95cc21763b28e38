"""KerasTensor: a tensor of a model that is being put together, with a shape but no values; and how its shape is found."""
import functools
from typing import NamedTuple

from cnncore import _core, executor
from cnncore.nest import flatten, map_leaves, pack
from cnncore.tensor import Tensor
from cnncore.utils.naming import auto_name

# Two ways to fill in what is unknown: batch size, another length, step to that of the next axis. Unknown lengths of
# several inputs along one axis are taken to be equal, so that branches of a model for images of any size can merge.
_PROBES = ((2, 61, 4), (3, 83, 6))


class History(NamedTuple):
    """Where a KerasTensor comes from."""

    operation: object
    node_index: int
    tensor_index: int


class Node:
    """One call of a layer on KerasTensors."""

    def __init__(self, operation, args, kwargs, outputs):
        self.operation, self.args, self.kwargs, self.outputs = operation, args, kwargs, outputs
        self.input_tensors = tensors_in([*args, *(kwargs[name] for name in kwargs)])
        self.output_tensors = tensors_in(outputs)
        index = len(operation._inbound_nodes)
        operation._inbound_nodes.append(self)
        for i, tensor in enumerate(self.output_tensors):
            tensor._keras_history = History(operation, index, i)

    def __reduce__(self):
        return restored_node, (self.operation, self.args, self.kwargs, self.outputs)

    @property
    def parent_nodes(self):
        return [node_of(tensor) for tensor in self.input_tensors]


def restored_node(operation, args, kwargs, outputs):
    """A call in the copy of a graph: the one that its outputs know already, or a new one."""
    history = tensors_in(outputs)[0]._keras_history
    if history is not None:
        return operation._inbound_nodes[history.node_index]
    return Node(operation, args, kwargs, outputs)


def tensors_in(nest):
    """The KerasTensors of a nest."""
    return [leaf for leaf in flatten(nest) if isinstance(leaf, KerasTensor)]


def node_of(tensor):
    """The call that a KerasTensor came from."""
    return tensor._keras_history.operation._inbound_nodes[tensor._keras_history.node_index]


class KerasTensor:
    """A tensor without values: what `Input` and layers called on it return.

    Args:
        shape: tuple, None for a length that is not known yet.
        dtype: its dtype.
        name: shown in summaries.
    """

    sparse = ragged = False  # there are no others here

    def __init__(self, shape, dtype="float32", name=None):
        self.shape, self.dtype = tuple(shape), dtype
        self.name = name or auto_name("keras_tensor")
        self._keras_history = None

    def __getstate__(self):  # the call that made it restores the history, see Node
        return {**self.__dict__, "_keras_history": None}

    def __setstate__(self, state):
        self.__dict__.update(state)

    @property
    def ndim(self):
        return len(self.shape)

    def __repr__(self):
        return (f"<KerasTensor shape={self.shape}, dtype={self.dtype}, sparse={self.sparse}, ragged={self.ragged}, "
                f"name={self.name}>")

    __array_priority__ = 100

    def __array__(self, dtype=None, copy=None):
        raise ValueError("A KerasTensor has a shape but no values, so NumPy cannot compute with it. "
                         f"Received: {self!r}; use layers, or cnncore.ops in a layer of your own, instead")

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        raise AttributeError(f"A KerasTensor has a shape but no values, and no {name!r}. Received: {self!r}")

    def __iter__(self):
        raise TypeError(f"A KerasTensor cannot be iterated over. Received: {self!r}")

    def __bool__(self):
        raise TypeError(f"A KerasTensor has no truth value while the model is put together. Received: {self!r}")

    def __getitem__(self, index):
        if isinstance(index, tuple) and Ellipsis not in index:
            index = (*index, Ellipsis)  # so that it is known from a list of numbers even where it was read from a file
        return _call("getitem", self, index)

    def __neg__(self):
        return _call("negative", self)

    def __abs__(self):
        return _call("abs", self)

    def reshape(self, *shape):
        return _call("reshape", self, shape[0] if len(shape) == 1 and isinstance(shape[0], (list, tuple)) else shape)

    __hash__ = object.__hash__


def _call(function, *args, **kwargs):
    from cnncore.layers.operation import Operation

    return Operation.on(function, args, kwargs)


def on_keras_tensors(function, module="cnncore.ops"):
    """The same operation, which becomes part of a graph where it is given KerasTensors."""
    @functools.wraps(function)
    def operation(*args, **kwargs):
        for value in (*args, *kwargs.values()):
            if type(value) is KerasTensor or (type(value) in (list, tuple) and is_symbolic(value)):
                return _call(function.__name__, *args, **kwargs)
        return function(*args, **kwargs)

    operation.__module__ = module  # where it is found again: its own module has the bare function
    return operation


def _attach():
    def forward(function):
        return lambda self, other: _call(function, self, other)

    def reflected(function):
        return lambda self, other: _call(function, other, self)

    for symbol, function in {"add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "pow": "power",
                             "floordiv": "floor_divide", "mod": "mod", "matmul": "matmul"}.items():
        setattr(KerasTensor, f"__{symbol}__", forward(function))
        setattr(KerasTensor, f"__r{symbol}__", reflected(function))
    for symbol, function in {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}.items():
        setattr(KerasTensor, f"__{symbol}__", forward(function))


_attach()


def is_keras_tensor(x):
    """Whether something is a `KerasTensor`, as `Input` makes it.

    Example:
        >>> import cnncore
        >>> is_keras_tensor(cnncore.Input((3,)))
        True
    """
    return isinstance(x, KerasTensor)


def is_symbolic(nest):
    """Whether a nest holds a KerasTensor."""
    return bool(tensors_in(nest))


# ---- shapes ------------------------------------------------------------------------------------------------------

def infer(function, args, kwargs):
    """function(*args, **kwargs) as a nest of KerasTensors: run twice on promises with unknown lengths filled in
    differently, so that a length that differs between the two is unknown too."""
    results = []
    for batch, first, step in _PROBES:
        def fill(leaf, batch=batch, first=first, step=step):
            if not isinstance(leaf, KerasTensor):
                return leaf
            shape = [length if length is not None else first + step * axis if axis else batch
                     for axis, length in enumerate(leaf.shape)]
            return Tensor._over(_core.Buffer.promise(shape, leaf.dtype))

        with executor.use(executor.Shapes()), executor.no_grad():
            results.append(function(*map_leaves(fill, list(args)), **map_leaves(fill, kwargs)))
    leaves = []
    for one, other in zip(*map(flatten, results), strict=True):
        if not isinstance(one, Tensor):
            leaves.append(one)
            continue
        if one.ndim != other.ndim:
            raise ValueError(f"A layer's outputs have as many axes whatever the batch. Received: shapes {one.shape} and "
                             f"{other.shape} for batches of {_PROBES[0][0]} and {_PROBES[1][0]}")
        leaves.append(KerasTensor([n if n == m else None for n, m in zip(one.shape, other.shape, strict=True)],
                                  one.dtype))
    return pack(results[0], leaves)
