"""Tensor, Variable and GradientTape: what users hold, over the tape of op.py."""
from itertools import count

import numpy as np

from cnncore import _core, executor
from cnncore.op import gradient
from cnncore.scope import path_in_scope
from cnncore.utils.naming import auto_name

_serial = count(1)
_DTYPES = {"float16": "float32", "float64": "float32", "int8": "int32", "int16": "int32", "uint16": "int32",
           "uint32": "int64"}


def to_array(value, dtype=None):
    """A C-contiguous, aligned NumPy array of a dtype that tensors have; float64 becomes float32, as in Keras."""
    array = np.asarray(value)
    if dtype is None:
        dtype = _DTYPES.get(array.dtype.name, array.dtype.name)
        if not isinstance(value, np.ndarray) and not isinstance(value, np.generic) and dtype == "int64":
            dtype = "int32"
    dtype = _DTYPES.get(np.dtype(dtype).name, np.dtype(dtype).name) if dtype != "float64" else "float64"
    if dtype not in ("float32", "float64", "int32", "int64", "uint8", "uint64", "bool"):
        raise TypeError(f"A tensor holds numbers. Received: {type(value).__name__} of dtype {array.dtype}; convert it "
                        "to a numeric NumPy array first")
    return np.require(array, dtype, ["C", "A"])


class Tensor:
    """An array that remembers how it was computed.

    Args:
        value: number, nested list or NumPy array; copied. float64 becomes float32.
        dtype: 'float32', 'int32', 'int64', 'uint8' or 'bool'; by default the value's own.
        requires_grad: whether `backward` leaves a gradient in `.grad`.

    Example:
        >>> import cnncore
        >>> x = cnncore.Tensor([1.0, -2.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad.numpy()
        array([ 2., -4.], dtype=float32)
    """

    __array_priority__ = 100
    __slots__ = ("buffer", "node", "key", "requires_grad", "grad", "__weakref__")

    def __init__(self, value, dtype=None, requires_grad=False):
        if isinstance(value, Tensor):
            value = value.numpy()
        array = to_array(value, dtype)
        self._begin(_core.Buffer.allocate(array.shape, array.dtype.name), requires_grad)
        self.buffer.numpy()[...] = array

    def _begin(self, buffer, requires_grad):
        self.buffer = buffer
        self.node, self.key, self.grad = None, next(_serial), None
        self.requires_grad = requires_grad

    @classmethod
    def _over(cls, buffer, node=None, index=0):
        """A tensor over a buffer, without a copy."""
        self = cls.__new__(cls)
        self.buffer, self.node, self.grad = buffer, node, None
        self.key = next(_serial) if node is None else node.keys[index]
        self.requires_grad = node is not None
        return self

    @property
    def shape(self):
        return self.buffer.shape

    @property
    def dtype(self):
        return self.buffer.dtype

    @property
    def ndim(self):
        return len(self.buffer.shape)

    @property
    def size(self):
        return self.buffer.size

    def numpy(self):
        """The values as a new NumPy array."""
        return self._view().copy()

    def _view(self):
        if self.buffer.is_promise:
            raise RuntimeError(
                f"The value of a tensor of shape {self.shape} was asked for while the step is being recorded, when no "
                "values exist yet. Compute with operations instead, or compile the model with run_eagerly=True")
        return self.buffer.numpy()

    def __array__(self, dtype=None, copy=None):
        array = self._view()
        if dtype is not None and np.dtype(dtype) != array.dtype:
            return array.astype(dtype)
        return array.copy() if copy or copy is None else array

    def item(self):
        """The one value as a Python number."""
        return self._view().item()

    def tolist(self):
        return self._view().tolist()

    def __float__(self):
        return float(self._view().item())

    def __int__(self):
        return int(self._view().item())

    def __index__(self):
        return self._view().__index__()

    def __bool__(self):
        return bool(self._view())

    def __len__(self):
        if not self.shape:
            raise TypeError("A scalar tensor has no length")
        return self.shape[0]

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __format__(self, spec):
        return format(self._view().item() if not self.shape else self._view(), spec)

    def _has_value(self):
        return not self.buffer.is_promise

    def __repr__(self):
        values = np.array2string(self._view(), separator=", ") if self._has_value() else "being recorded"
        return f"<Tensor shape={self.shape} dtype={self.dtype} {values}>"

    def __str__(self):
        return str(self._view()) if self._has_value() else repr(self)

    def __reduce__(self):
        """For copy and pickle: a tensor with memory of its own and without history."""
        slots = [name for cls in type(self).__mro__ for name in getattr(cls, "__slots__", ())]
        state = {name: getattr(self, name) for name in slots if name not in ("buffer", "node", "key", "__weakref__")}
        state["requires_grad"] = self.requires_grad and self.node is None
        return _restored, (type(self), self.buffer), state | getattr(self, "__dict__", {})

    def __setstate__(self, state):
        for name, value in state.items():
            object.__setattr__(self, name, value)

    def detach(self):
        """The same memory, without its history."""
        return Tensor._over(self.buffer)

    def astype(self, dtype):
        """These values in another dtype."""
        return _ops().cast(self, dtype)

    def reshape(self, *shape):
        """The same values under another shape; one length may be -1."""
        return _ops().reshape(self, shape[0] if len(shape) == 1 and isinstance(shape[0], (list, tuple)) else shape)

    def __getitem__(self, index):
        return _ops().getitem(self, index)

    def __matmul__(self, other):
        return _ops().matmul(self, other)

    def __rmatmul__(self, other):
        return _ops().matmul(other, self)

    def __neg__(self):
        return _ops().negative(self)

    def __abs__(self):
        return _ops().abs(self)

    def __invert__(self):
        return _ops().logical_not(self)

    @property
    def T(self):
        return _ops().transpose(self)

    __hash__ = object.__hash__

    def backward(self, gradient_of_this=None):
        """Adds to `.grad` of every tensor with requires_grad that this one was computed from.

        Args:
            gradient_of_this: array of this tensor's shape; 1 for a scalar by default.
        Raises:
            ValueError: this tensor is not a scalar and no gradient is given, or it has no history.
        """
        if self.node is None:
            raise ValueError("backward needs a tensor that was computed from one with requires_grad=True. "
                             f"Received: {self!r}")
        if gradient_of_this is None and self.size != 1:
            raise ValueError("backward without an argument starts from a scalar. "
                             f"Received: a tensor of shape {self.shape}; reduce it with .sum() or .mean() first")
        leaves = _leaves(self)
        seed = _seed(self, gradient_of_this)
        for leaf, grad in zip(leaves, gradient([self], leaves, [seed])):
            if grad is not None:
                tensor = Tensor._over(grad)
                leaf.grad = tensor if leaf.grad is None else leaf.grad + tensor


def _ops():
    """The operations, which need this module first."""
    from cnncore import ops

    return ops


def _attach():
    """Gives Tensor its arithmetic: x + y, y - x, x < y, x.sum(axis), ..."""
    def method(name):
        def call(self, *args, **options):
            for word in ("out", "dtype"):  # np.min(tensor) and its kin pass these on
                if word in options and options[word] is None:
                    del options[word]
            return getattr(_ops(), name)(self, *args, **options)
        call.__doc__ = f"See cnncore.ops.{name}."
        return call

    def reflected(name):
        return lambda self, other: getattr(_ops(), name)(other, self)

    for symbol, name in {"add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide",
                         "floordiv": "floor_divide", "mod": "mod", "pow": "power"}.items():
        setattr(Tensor, f"__{symbol}__", method(name))
        setattr(Tensor, f"__r{symbol}__", reflected(name))
    for symbol, name in {"eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater",
                         "ge": "greater_equal", "and": "logical_and", "or": "logical_or"}.items():
        setattr(Tensor, f"__{symbol}__", method(name))
    for name in ("sum", "mean", "max", "min", "prod", "argmax", "argmin", "transpose", "squeeze"):
        setattr(Tensor, name, method(name))


_attach()


def _restored(cls, buffer):
    """A tensor of a class of tensors over a buffer, for `Tensor.__reduce__`, which then sets its state."""
    return cls._over(buffer)


def _leaves(tensor):
    """The tensors with requires_grad that no operation made, in the order of their making."""
    leaves, stack, seen = {}, [tensor.node], set()
    while stack:
        node = stack.pop()
        if node.serial in seen:
            continue
        seen.add(node.serial)
        for t in node.inputs:
            if t is None:
                continue
            if t.node is not None:
                stack.append(t.node)
            elif t.requires_grad:
                leaves[t.key] = t
    return [leaves[key] for key in sorted(leaves)]


def _seed(tensor, value=None):
    """A gradient to start from: ones, or the caller's array."""
    if value is None:
        return convert(np.ones(tensor.shape, "float32")).buffer
    value = convert(value)
    if value.shape != tensor.shape:
        raise ValueError(f"The gradient must have the tensor's shape {tensor.shape}. Received: shape {value.shape}")
    return value.buffer


class Variable(Tensor):
    """A tensor that is changed in place: a weight, a moving average, a counter.

    Args:
        initializer: initial value, copied; or an initializer, by name or as an object, which needs a shape.
        shape: the shape, where it does not come with the value.
        dtype: that of the value by default, float32 for an initializer.
        trainable: whether gradients reach it and optimizers change it.
        autocast, aggregation, synchronization, layout: without effect, for other backends of Keras.
        name: shown in summaries and files; 'variable', 'variable_1' and so on by default.

    Raises:
        ValueError: an initializer without a shape, or a value of another shape.

    Example:
        >>> Variable("zeros", shape=(2,), name="counts").numpy()
        array([0., 0.], dtype=float32)
    """

    __slots__ = ("name", "path", "_trainable", "regularizer", "constraint")

    def __init__(self, initializer, shape=None, dtype=None, trainable=True, autocast=True, aggregation="none",
                 synchronization="auto", name=None, layout=None):
        value, fresh = _start(initializer, shape, dtype)
        if fresh and dtype in (None, value.dtype):
            self._begin(value.buffer, False)
        else:
            super().__init__(value, dtype)
        self.name = name or auto_name("variable")
        self.path = path_in_scope(self.name)
        self.regularizer = self.constraint = None
        self.trainable = trainable

    def __repr__(self):
        values = self._view() if self._has_value() else "being recorded"
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}, value={values}>"

    __str__ = __repr__

    @property
    def trainable(self):
        return self._trainable

    @trainable.setter
    def trainable(self, value):
        self._trainable = bool(value)
        self.requires_grad = self._trainable and self.dtype == "float32"

    @property
    def value(self):
        return self

    def assign(self, value):
        """Overwrites the values; the shape stays."""
        if not isinstance(value, Tensor):
            if not executor.current().recording:
                self._overwrite(value)
                return self
            # A copy: the plan, which puts these numbers there whenever it runs, must not follow the caller's array.
            value = convert(np.array(value, self.dtype))
        if value.shape != self.shape:
            raise ValueError(self._misfit(value))
        from cnncore.ops.elementwise import cast, copy_calls

        if value.dtype != self.dtype:
            value = cast(value, self.dtype)
        executor.current().emit(copy_calls(value.buffer, self.buffer))
        return self

    def _overwrite(self, value):
        """Overwrites the values now, also while a step is being recorded."""
        array = np.asarray(value)
        if array.shape != self.shape:
            raise ValueError(self._misfit(array))
        self._view()[...] = array
        self.buffer.touch()

    def _misfit(self, value):
        return (f"The variable {self.path!r} has shape {self.shape}. Received: shape {value.shape}; assign values of its "
                "own shape")

    def assign_add(self, value):
        """Adds to the values in place."""
        with executor.no_grad():
            return self.assign(self + value)

    def assign_sub(self, value):
        """Subtracts from the values in place."""
        with executor.no_grad():
            return self.assign(self - value)


def _start(initializer, shape, dtype):
    """(the value that a variable begins with, whether it is a tensor that nobody else has)."""
    if isinstance(initializer, str) or callable(initializer):
        from cnncore import initializers

        if shape is None:
            raise ValueError("A variable that an initializer fills needs a shape. Received: "
                             f"initializer={initializer!r}, shape=None; pass e.g. shape=(3,)")
        initializer = initializers.get(initializer)
        own = isinstance(initializer, initializers.Initializer)
        fresh = own and type(initializer).__call__ is initializers.Initializer.__call__
        return initializer(tuple(shape), dtype=dtype or "float32"), fresh
    if shape is not None and np.shape(initializer) != tuple(shape):
        raise ValueError(f"A variable has its value's shape. Received: a value of shape {np.shape(initializer)}, "
                         f"shape={tuple(shape)}")
    return initializer, False


def convert(value, dtype=None):
    """A Tensor of anything that can be one; an array already fit for a buffer is not copied."""
    if isinstance(value, Tensor):
        return value
    return Tensor._over(_core.Buffer.wrap(to_array(value, dtype)))


class GradientTape:
    """Gradients of anything computed while it is open, as `tf.GradientTape`.

    Args:
        persistent: accepted for compatibility; a tape here can always be asked more than once.
        watch_accessed_variables: whether trainable variables are watched by themselves.

    Example:
        >>> import cnncore
        >>> x = cnncore.Tensor(3.0)
        >>> with cnncore.GradientTape() as tape:
        ...     tape.watch(x)
        ...     y = x * x
        >>> tape.gradient(y, x).item()
        6.0
    """

    def __init__(self, persistent=False, watch_accessed_variables=True):
        self.persistent = persistent
        self.watch_accessed_variables = watch_accessed_variables

    def __enter__(self):
        self._before, executor._state.grad_enabled = executor._state.grad_enabled, True
        return self

    def __exit__(self, *exception):
        executor._state.grad_enabled = self._before

    def watch(self, tensor):
        """Makes operations on these tensors part of the tape."""
        for t in tensor if isinstance(tensor, (list, tuple)) else [tensor]:
            t.requires_grad = True

    def gradient(self, target, sources, output_gradients=None):
        """The gradients of the target, summed over its elements, in the structure of sources: a tensor, a list or a
        tuple; None where the target does not depend on a source."""
        single = not isinstance(sources, (list, tuple))
        targets = list(target) if isinstance(target, (list, tuple)) else [target]
        seeds = output_gradients if isinstance(output_gradients, (list, tuple)) else [output_gradients] * len(targets)
        grads = gradient(targets, [sources] if single else list(sources),
                         [_seed(t, s) for t, s in zip(targets, seeds)])
        tensors = [None if g is None else Tensor._over(g) for g in grads]
        return tensors[0] if single else type(sources)(tensors)
