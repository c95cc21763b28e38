"""The base class of metrics: figures that are gathered over many batches, in variables that a plan changes in place."""
import itertools

import numpy as np

from cnncore import executor, initializers
from cnncore.ops.elementwise import accumulate_calls
from cnncore.tensor import Variable, convert
from cnncore.utils.naming import auto_name, to_snake_case


class Metric:
    """Base of metrics.

    Subclass it: make variables with `add_variable` in `__init__`, change them in `update_state` with operations on
    tensors, and compute the figure from them in `result`.

    Args:
        dtype: accepted for compatibility; metrics are computed in float32.
        name: name of the metric, the key of its figure in logs.

    Example:
        >>> import cnncore
        >>> class Count(Metric):
        ...     def __init__(self, name="count"):
        ...         super().__init__(name=name)
        ...         self.seen = self.add_variable((), "zeros", name="seen")
        ...     def update_state(self, y_true, y_pred, sample_weight=None):
        ...         self.seen.assign_add(y_true.shape[0])
        ...     def result(self):
        ...         return self.seen
        >>> float(Count()(cnncore.Tensor([1, 2]), cnncore.Tensor([1, 2])))
        2.0
    """

    def __init__(self, dtype=None, name=None):
        self._variables, self._metrics = [], []
        self.name = name or auto_name(to_snake_case(type(self).__name__))
        self.dtype = str(getattr(dtype, "compute_dtype", dtype) or "float32")

    def __setattr__(self, name, value):
        if isinstance(value, (Variable, Metric)):
            if "_variables" not in self.__dict__:
                raise RuntimeError(f"{type(self).__name__} must call super().__init__() before it sets an attribute. "
                                   f"Received: the attribute {name!r} in its __init__")
            self._track(value)
        super().__setattr__(name, value)

    def _track(self, item):
        items = self._variables if isinstance(item, Variable) else self._metrics
        if not any(item is other for other in items):
            items.append(item)

    def add_variable(self, shape=(), initializer="zeros", dtype=None, name=None, aggregation=None):
        """A variable of this metric, which `reset_state` sets to 0.

        Args:
            shape: tuple of integers.
            initializer: name or object of `initializers`.
            dtype: 'float32' by default.
            name: shown in files.
            aggregation: accepted for compatibility.
        """
        dtype = dtype or self.dtype
        value = np.asarray(initializers.get(initializer or "zeros")(tuple(shape), dtype))
        variable = Variable(value, dtype=dtype, trainable=False, name=name or "variable")
        variable.path = f"{self.name}/{variable.name}"
        self._track(variable)
        return variable

    def add_weight(self, shape=(), initializer="zeros", dtype=None, name=None):
        """Another name of `add_variable`."""
        return self.add_variable(shape, initializer, dtype, name)

    @property
    def variables(self):
        """The variables of this metric and of the metrics that it holds."""
        return [*self._variables, *itertools.chain.from_iterable(metric.variables for metric in self._metrics)]

    def reset_state(self):
        """Sets all variables to 0."""
        for variable in self.variables:
            variable.assign(convert(np.zeros(variable.shape, variable.dtype)))

    def update_state(self, *args, **kwargs):
        """Takes in one batch, usually (y_true, y_pred, sample_weight=None)."""
        raise NotImplementedError(f"{type(self).__name__} must define update_state")

    def result(self):
        """The figure over all batches since the last reset: a tensor, or a dict of them."""
        raise NotImplementedError(f"{type(self).__name__} must define result")

    def __call__(self, *args, **kwargs):
        with executor.no_grad():
            self.update_state(*args, **kwargs)
            return self.result()

    def get_config(self):
        """The arguments that make an equal metric."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        return cls(**config)

    def __repr__(self):
        return f"<{type(self).__name__} name={self.name}>"


def add_to(variable, value):
    """variable += value, a float32 tensor of its shape, in one call."""
    executor.current().emit(accumulate_calls(value.buffer, variable.buffer))
