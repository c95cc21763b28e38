"""Weighted: the part of a layer that keeps its weights, and finds the layers inside it."""
import numpy as np

from cnncore import executor, initializers
from cnncore.scope import path_in, path_of
from cnncore.tensor import Variable
from cnncore.utils.budget import charge

_LONG = 1000
_OWN = frozenset(("_arguments", "_build_shapes_dict", "_inbound_nodes", "_losses", "_metrics", "_nodes",
                  "_nodes_by_depth", "_non_trainable_variables", "_operations", "_trainable_variables"))  # hold no layers
_OF_A_RUN = frozenset(("history", "stop_evaluating", "stop_predicting", "stop_training"))  # set by each run
_DTYPES = ("float32", "float64", "uint8", "int32", "int64", "bool")


def _alike(before, value):
    """Whether an attribute stays what it was: the same object, or an equal number, text or tuple of such."""
    if before is value:
        return True
    if type(before) is not type(value):
        return False
    if isinstance(value, tuple):
        return len(before) == len(value) and all(map(_alike, before, value))
    return isinstance(value, (bool, int, float, str)) and before == value


class Weighted:
    """See `Layer`, whose attributes this uses."""

    _times_set = 0  # how often attributes were set

    # ---- attributes ----------------------------------------------------------------------------------------------

    def __setattr__(self, name, value):
        if isinstance(value, Variable):
            self._track(value, self.__dict__.get(name))
        elif isinstance(value, (list, tuple, dict)):
            for part in _parts(value):
                if isinstance(part, Variable):
                    self._track(part)
                elif hasattr(part, "update_state"):
                    self._track_metric(part)
        elif hasattr(value, "update_state"):
            self._track_metric(value)
        if name not in _OF_A_RUN and not _alike(self.__dict__.get(name, self), value):
            object.__setattr__(self, "_times_set", self.__dict__.get("_times_set", 0) + 1)  # plans depend on attributes
        object.__setattr__(self, name, value)

    def __delattr__(self, name):
        value = self.__dict__.get(name)
        for tracked in (self._trainable_variables, self._non_trainable_variables):
            tracked[:] = [variable for variable in tracked if variable is not value]
        object.__delattr__(self, name)

    def _track(self, variable, before=None):
        """Makes a Variable one of this layer's weights, in place of another where it takes over its attribute."""
        known = self._trainable_variables, self._non_trainable_variables
        if any(variable is other for tracked in known for other in tracked):
            return
        for tracked in known:
            for i, other in enumerate(tracked):
                if other is before:
                    tracked[i] = variable
                    return
        known[not variable.trainable].append(variable)

    def _track_metric(self, value):
        """Makes a Metric, also one of the user's own class, one of this layer's."""
        from cnncore.metrics.metric import Metric

        if isinstance(value, Metric) and not any(value is metric for metric in self._metrics):
            self._metrics.append(value)

    @property
    def _layers(self):
        """The layers among the attributes, in lists and dicts too, in the order in which they were set."""
        found = {}
        for name, value in self.__dict__.items():
            if isinstance(value, Weighted):
                found.setdefault(id(value), value)
            elif isinstance(value, (list, tuple, dict)) and name not in _OWN:
                found.update((id(part), part) for part in _parts(value)
                             if isinstance(part, Weighted) and id(part) not in found)
        return list(found.values())

    @property
    def path(self):
        """The names of the model and layers that this one was first built in, and its own; None before."""
        return path_of(self)

    @property
    def compute_dtype(self):
        """The dtype that the layer computes in."""
        return self.dtype

    variable_dtype = compute_dtype

    @property
    def trainable(self):
        """Whether the weights are trained; setting it sets it for all layers inside."""
        return self._trainable

    @trainable.setter
    def trainable(self, value):
        object.__setattr__(self, "_trainable", bool(value))
        for variable in self._trainable_variables:
            variable.trainable = bool(value)
        for layer in self._layers:
            layer.trainable = value

    # ---- weights -------------------------------------------------------------------------------------------------

    def add_weight(self, shape=None, initializer=None, dtype=None, trainable=True, autocast=True, regularizer=None,
                   constraint=None, aggregation="none", overwrite_with_gradient=False, name=None):
        """Makes a weight of this layer.

        Args:
            shape: tuple; () by default.
            initializer: name, Initializer or function of shape and dtype; 'glorot_uniform' by default, 'zeros' for
                other dtypes than float32.
            dtype: the layer's own by default.
            trainable: whether it is trained.
            regularizer, constraint: names, objects or None.
            name: shown in files.
            autocast, aggregation, overwrite_with_gradient: accepted for compatibility.

        Returns:
            Variable.

        Raises:
            ValueError: the shape has unknown or negative lengths, or an argument is unknown.
        """
        from cnncore import constraints, regularizers

        shape = tuple(shape) if isinstance(shape, (list, tuple)) else () if shape is None else (shape,)
        if any(n is None or int(n) != n or n < 0 for n in shape):
            raise ValueError(f"{self._described()}: the shape of a weight holds whole numbers of 0 or more. Received: "
                             f"shape={shape} for the weight {name!r}")
        shape, dtype = tuple(int(n) for n in shape), dtype_name(dtype, self.name) if dtype else self.dtype
        charge(shape, np.dtype(dtype).itemsize, self.name)
        if initializer is None:
            initializer = "glorot_uniform" if dtype == "float32" else "zeros"
        with executor.use(executor.Eager()):  # a weight is real, also while shapes are traced or a step is recorded
            variable = Variable(initializers.get(initializer), shape, dtype, trainable, name=name)
        if variable.shape != shape:
            raise ValueError(f"{self._described()}: an initializer returns the shape it is asked for, {shape}. Received: "
                             f"shape {variable.shape} for the weight {variable.name!r}")
        variable.path = path_in(self, variable.name)
        variable.regularizer, variable.constraint = regularizers.get(regularizer), constraints.get(constraint)
        self._track(variable)
        if not self._trainable:
            variable.trainable = False
        return variable

    def _walk(self):
        """This layer and all inside it, each once."""
        found, seen, stack = [], set(), [self]
        while stack:
            layer = stack.pop()
            if id(layer) not in seen:
                seen.add(id(layer))
                found.append(layer)
                stack.extend(reversed(layer._layers))
        return found

    @property
    def metrics(self):
        """The metrics that this layer and those inside it hold."""
        return [metric for layer in self._walk() for metric in layer._metrics]

    @property
    def weights(self):
        """All weights: of each layer the trainable ones first, then the others."""
        found = {id(variable): variable for layer in self._walk()
                 for variable in (*layer._trainable_variables, *layer._non_trainable_variables)}
        return list(found.values())

    @property
    def variables(self):
        """All weights."""
        return self.weights

    @property
    def trainable_weights(self):
        """The weights that are trained."""
        return [variable for variable in self.weights if variable.trainable] if self.trainable else []

    @property
    def trainable_variables(self):
        """The weights that are trained."""
        return self.trainable_weights

    @property
    def non_trainable_weights(self):
        """The weights that are not trained."""
        return [variable for variable in self.weights if not (self.trainable and variable.trainable)]

    @property
    def non_trainable_variables(self):
        """The weights that are not trained."""
        return self.non_trainable_weights

    def get_weights(self):
        """The values of all weights, a list of NumPy arrays."""
        return [variable.numpy() for variable in self.weights]

    def set_weights(self, weights):
        """Sets the values of all weights, all or none.

        Args:
            weights: list of arrays, as `get_weights` returns it.

        Raises:
            ValueError: there are other numbers or shapes than this layer has.
        """
        variables, arrays = self.weights, [np.asarray(value) for value in weights]
        if len(variables) != len(arrays):
            raise ValueError(f"{self._described()} has {len(variables)} weights. Received: {len(arrays)} arrays"
                             + ("" if self.built else "; it is not built yet, so call it on data first"))
        for variable, value in zip(variables, arrays, strict=True):
            if value.shape != variable.shape or value.dtype.kind not in "fiub":
                raise ValueError(f"{self._described()}: the weight {variable.name!r} has shape {variable.shape}. "
                                 f"Received: an array of shape {value.shape}, {value.dtype}")
        for variable, value in zip(variables, arrays, strict=True):
            variable.assign(value)

    def count_params(self):
        """The number of elements of all weights.

        Raises:
            ValueError: the layer is not built.
        """
        if not self.built:
            raise ValueError(f"{self._described()} has weights to count once it is built. Received: a layer that is not; "
                             "call it on data, or give the model an Input, first")
        return sum(variable.size for variable in self.weights)


def _parts(container):
    """What lies in a nest of lists, tuples and dicts. Long lists of numbers or words, which are data, are passed over."""
    stack, seen = [container], set()
    while stack:
        value = stack.pop()
        if not isinstance(value, (list, tuple, dict)):
            yield value
        elif id(value) not in seen:
            seen.add(id(value))
            items = list(value.values()) if isinstance(value, dict) else value
            if len(items) <= _LONG or not isinstance(items[0], (int, float, str, np.generic)):
                stack.extend(reversed(items))


def dtype_name(dtype, owner):
    """A dtype, or a policy as Keras writes it, as one of our names."""
    if isinstance(dtype, dict):
        dtype = dtype.get("config", {}).get("name")
    name = getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or dtype or "float32"
    if name not in _DTYPES:
        raise ValueError(f"{owner}: dtype is one of {', '.join(_DTYPES)}; layers compute in float32. Received: "
                         f"dtype={dtype!r}")
    return name
