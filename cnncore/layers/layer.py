"""Layer: what every layer and model is - weights, sublayers, building on first use, and being called."""
import inspect
import threading

import numpy as np

from cnncore import executor, initializers
from cnncore.nest import flatten, is_nest, map_leaves
from cnncore.symbolic import KerasTensor, Node, infer, is_symbolic
from cnncore.tensor import Tensor, Variable, convert
from cnncore.utils.budget import charge
from cnncore.utils.naming import auto_name, to_snake_case

_calls = threading.local()  # .training: what the call around this one was told


def _is_array(value):
    return isinstance(value, (np.ndarray, np.generic, Tensor))


class Layer:
    """A function with weights.

    A layer of one's own defines `call(self, x)` and, where it has weights, `build(self, input_shape)`.

    Args:
        activity_regularizer: regularizer of the output, or None.
        trainable: whether the weights are trained.
        dtype: 'float32'.
        autocast: whether floating-point inputs of other dtypes become float32.
        name: by default made of the class's name.

    Example:
        >>> import cnncore, numpy as np
        >>> class Scale(cnncore.layers.Layer):
        ...     def build(self, input_shape):
        ...         self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones")
        ...     def call(self, x):
        ...         return x * self.scale
        >>> Scale()(np.ones((2, 3), "float32")).shape
        (2, 3)
    """

    _casts_inputs = False  # whether whole numbers become float32 too

    def __new__(cls, *args, **kwargs):
        self = super().__new__(cls)
        for name, value in (("_trainable_variables", []), ("_non_trainable_variables", []), ("_metrics", []),
                            ("_losses", []), ("_inbound_nodes", []), ("_build_shapes_dict", None), ("built", False),
                            ("_trainable", True), ("_arguments", (args, kwargs)), ("name", None),
                            ("activity_regularizer", None), ("autocast", True), ("supports_masking", False)):
            object.__setattr__(self, name, value)
        return self

    def __init__(self, *, activity_regularizer=None, trainable=True, dtype=None, autocast=True, name=None, **kwargs):
        shape = kwargs.pop("input_shape", None)
        if kwargs.pop("input_dim", None) is not None or kwargs:
            raise ValueError(f"{type(self).__name__} takes no argument {', '.join(map(repr, kwargs)) or 'input_dim'}. "
                             "Received: " + ", ".join(f"{key}={value!r}" for key, value in kwargs.items()))
        if shape is not None:
            object.__setattr__(self, "_input_shape_argument", tuple(shape))
        if dtype not in (None, "float32") and getattr(dtype, "name", dtype) != "float32":
            dtype = getattr(dtype, "name", dtype)
            if isinstance(dtype, dict):
                dtype = dtype.get("config", {}).get("name")
            if dtype not in ("float32", "uint8", "int32", "int64", "bool"):
                raise ValueError(f"Layers compute in float32. Received: dtype={dtype!r}; leave it out")
        self.name = name or auto_name(to_snake_case(type(self).__name__))
        if not isinstance(self.name, str) or "/" in self.name:
            raise ValueError(f"A layer's name is a string without '/'. Received: name={name!r}")
        self.activity_regularizer = activity_regularizer
        self.autocast = autocast
        self._trainable = bool(trainable)
        self.dtype = dtype or "float32"

    # ---- attributes ----------------------------------------------------------------------------------------------

    def __setattr__(self, name, value):
        if isinstance(value, Variable):
            self._track(value)
        elif type(value).__module__.startswith("cnncore.metrics") and hasattr(value, "update_state"):
            if value not in self._metrics:
                self._metrics.append(value)
        object.__setattr__(self, name, value)

    def _track(self, variable):
        known = [*self._trainable_variables, *self._non_trainable_variables]
        if not any(variable is v for v in known):
            (self._trainable_variables if variable.trainable else self._non_trainable_variables).append(variable)

    @property
    def _layers(self):
        """The layers among the attributes, in lists and dicts too, in the order in which they were set."""
        found, seen = [], set()

        def look(value):
            if isinstance(value, Layer):
                if id(value) not in seen:
                    seen.add(id(value))
                    found.append(value)
            elif isinstance(value, dict):
                for part in value.values():
                    look(part)
            elif isinstance(value, (list, tuple)):
                for part in value:
                    look(part)

        for name, value in self.__dict__.items():
            if name not in ("_inbound_nodes", "_arguments"):
                look(value)
        return found

    @property
    def path(self):
        return self.name

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
            dtype: 'float32' by default.
            trainable: whether it is trained.
            regularizer, constraint: objects or None.
            name: shown in files.
            autocast, aggregation, overwrite_with_gradient: accepted for compatibility.

        Returns:
            Variable.
        """
        shape = tuple(int(n) for n in (shape or ()))
        dtype = getattr(dtype, "name", dtype) or "float32"
        charge(shape, np.dtype(dtype).itemsize, self.name)
        if initializer is None:
            initializer = "glorot_uniform" if dtype == "float32" else "zeros"
        with executor.use(executor.Eager()):  # a weight is real, also while shapes are traced or a step is recorded
            value = initializers.get(initializer)(shape, dtype=dtype)
            variable = Variable(value, dtype=dtype, trainable=trainable, name=name or "variable")
        variable.path = f"{self.name}/{variable.name}"
        variable.regularizer, variable.constraint = regularizer, constraint
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

    def _collect(self, of_layer):
        found, seen = [], set()
        for layer in self._walk():
            for variable in of_layer(layer):
                if id(variable) not in seen:
                    seen.add(id(variable))
                    found.append(variable)
        return found

    @property
    def weights(self):
        """All weights: of each layer the trainable ones first."""
        return self._collect(lambda layer: [*layer._trainable_variables, *layer._non_trainable_variables])

    variables = weights

    @property
    def trainable_weights(self):
        """The weights that are trained."""
        return self._collect(lambda layer: layer._trainable_variables if layer._trainable else []) \
            if self._trainable else []

    trainable_variables = trainable_weights

    @property
    def non_trainable_weights(self):
        """The weights that are not."""
        trained = {id(v) for v in self.trainable_weights}
        return [v for v in self.weights if id(v) not in trained]

    non_trainable_variables = non_trainable_weights

    def get_weights(self):
        """The values of all weights, a list of NumPy arrays."""
        return [variable.numpy() for variable in self.weights]

    def set_weights(self, weights):
        """Sets the values of all weights, all or none.

        Raises:
            ValueError: there are other numbers or shapes than this layer has.
        """
        variables, weights = self.weights, list(weights)
        if len(variables) != len(weights):
            raise ValueError(f"{self._described()} has {len(variables)} weights. Received: {len(weights)} arrays"
                             + ("" if self.built else "; it is not built yet, so call it on data first"))
        for variable, value in zip(variables, weights):
            if tuple(np.shape(value)) != variable.shape:
                raise ValueError(f"The weight {variable.path!r} of {self._described()} has shape {variable.shape}. "
                                 f"Received: an array of shape {tuple(np.shape(value))}")
        for variable, value in zip(variables, weights):
            variable.assign(np.asarray(value))

    def count_params(self):
        """The number of elements of all weights."""
        if not self.built:
            raise ValueError(f"The weights of {self._described()} do not exist yet: call it on data, build it, or give "
                             "the model an Input first")
        return sum(variable.size for variable in self.weights)

    # ---- losses --------------------------------------------------------------------------------------------------

    def add_loss(self, loss):
        """Adds a number to what training minimizes; for use in `call`."""
        self._losses.extend(loss if isinstance(loss, (list, tuple)) else [loss])

    @property
    def losses(self):
        """What layers added in their last call, and the regularizers' values."""
        found = [loss for layer in self._walk() for loss in layer._losses]
        for variable in self.trainable_weights:
            if variable.regularizer is not None:
                found.append(variable.regularizer(variable))
        return found

    def _clear_losses(self):
        for layer in self._walk():
            del layer._losses[:]

    # ---- building and calling ------------------------------------------------------------------------------------

    def build(self, input_shape):
        """Makes the weights, once; for layers of one's own to define."""

    def _build_once(self, shapes):
        if not self.built:
            object.__setattr__(self, "_build_shapes_dict", {"input_shape": shapes})
            self.build(shapes)
            object.__setattr__(self, "built", True)

    def get_build_config(self):
        """What `build` was called with, for files."""
        shapes = self._build_shapes_dict
        return None if shapes is None else {"input_shape": shapes["input_shape"]}

    def build_from_config(self, config):
        """The inverse of `get_build_config`."""
        shape = config.get("input_shape", config.get("shapes_dict", {}).get("input_shape"))
        if shape is not None:
            self._build_once(_tuples(shape))

    def call(self, *args, **kwargs):
        """The layer's function, on tensors."""
        raise NotImplementedError(f"The layer {type(self).__name__} must define call(self, x)")

    def __call__(self, *args, **kwargs):
        if is_symbolic(list(args)) or is_symbolic(kwargs):
            return self._call_symbolic(args, kwargs)
        args, kwargs = self._to_tensors(args), self._to_tensors(kwargs)
        if not self.built:
            self._build_once(_shapes_of(args[0] if args else next(iter(kwargs.values()), None)))
        outermost = not hasattr(_calls, "training")
        before = getattr(_calls, "training", None)
        training = kwargs.get("training")
        if training is None:
            training = before
        if self._takes_training and training is not None:
            kwargs = {**kwargs, "training": training}
        elif not self._takes_training:
            kwargs = {key: value for key, value in kwargs.items() if key != "training"}
        _calls.training = training
        if outermost:
            self._clear_losses()
        try:
            y = self.call(*args, **kwargs)
        finally:
            if outermost:
                del _calls.training
            else:
                _calls.training = before
        if self.activity_regularizer is not None:
            self.add_loss(self.activity_regularizer(y))
        return y

    @property
    def _takes_training(self):
        cls = type(self)
        if "_training_is_argument" not in cls.__dict__:
            parameters = inspect.signature(cls.call).parameters
            cls._training_is_argument = "training" in parameters or any(
                p.kind is p.VAR_KEYWORD for p in parameters.values())
        return cls._training_is_argument

    def _to_tensors(self, nest):
        def one(leaf):
            if not _is_array(leaf):
                return leaf
            leaf = convert(leaf)
            if leaf.dtype == "float32" or (leaf.dtype != "float64" and not self._casts_inputs) or not self.autocast:
                return leaf
            from cnncore.ops.elementwise import cast

            return cast(leaf, "float32")

        if isinstance(nest, tuple) and nest and isinstance(nest[0], list) and not any(
                _is_array(leaf) for leaf in flatten(nest[0])) and flatten(nest[0]):
            nest = (np.asarray(nest[0]), *nest[1:])  # nested lists of numbers are an array
        return map_leaves(one, nest)

    def _call_symbolic(self, args, kwargs):
        if not self.built:
            self._build_once(_shapes_of(args[0] if args else next(iter(kwargs.values()))))
        outputs = infer(self, list(args), kwargs)
        tensors = [leaf for leaf in [*flatten(list(args)), *flatten(kwargs)] if isinstance(leaf, KerasTensor)]
        Node(self, args, kwargs, tensors, outputs)
        return outputs

    def compute_output_shape(self, *args, **kwargs):
        """The shape of the output for the shape of an input, None standing for unknown lengths."""
        shapes = args[0] if args else next(iter(kwargs.values()))
        outputs = infer(self, [_map_shapes(KerasTensor, shapes)], {})
        return map_leaves(lambda tensor: tensor.shape, outputs)

    def compute_output_spec(self, *args, **kwargs):
        """The outputs for KerasTensors, without becoming part of a graph."""
        return infer(self, list(args), kwargs)

    # ---- the graph -----------------------------------------------------------------------------------------------

    def _only(self, what):
        if len(self._inbound_nodes) != 1:
            times = f"{len(self._inbound_nodes)} times" if self._inbound_nodes else "never"
            raise AttributeError(f"{self._described()} has an {what} of its own when it was called once on a "
                                 f"KerasTensor. It was called {times}")
        return self._inbound_nodes[0]

    @property
    def input(self):
        """The KerasTensor (or list of them) that the layer was called on."""
        tensors = self._only("input").input_tensors
        return tensors[0] if len(tensors) == 1 else tensors

    @property
    def output(self):
        """The KerasTensor (or nest of them) that the layer returned."""
        return self._only("output").outputs

    # ---- configuration -------------------------------------------------------------------------------------------

    def get_config(self):
        """The arguments that make an equal layer, without weights."""
        config = {"name": self.name, "trainable": self._trainable, "dtype": self.dtype}
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = self.activity_regularizer
        cls = type(self)
        if cls.get_config is Layer.get_config and not cls.__module__.startswith("cnncore."):
            config.update(self._own_arguments())
        return config

    def _own_arguments(self):
        """What a layer of the user's own was made with, as far as files can hold it."""
        args, kwargs = self._arguments
        try:
            bound = inspect.signature(type(self).__init__).bind(self, *args, **kwargs).arguments
        except TypeError:
            return {}
        own = {key: value for key, value in list(bound.items())[1:] if key not in ("args", "kwargs")}
        if any(not isinstance(v, (bool, int, float, str, type(None), list, tuple, dict)) for v in own.values()):
            raise NotImplementedError(f"The layer {type(self).__name__} was made with arguments that a file cannot hold, "
                                      f"so it must define get_config(). Received: {own}")
        return own

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        return cls(**config)

    # ---- words ---------------------------------------------------------------------------------------------------

    def _described(self):
        return f"The {type(self).__name__} layer {self.name!r}"

    def __repr__(self):
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _shapes_of(nest):
    """The shapes of a nest of tensors, the batch's length unknown; of one tensor just its shape."""
    def one(leaf):
        shape = getattr(leaf, "shape", None)
        return (None, *shape[1:]) if shape else shape

    return map_leaves(one, nest) if is_nest(nest) else one(nest)


def _tuples(shapes):
    """Shapes out of a file: lists of numbers become tuples."""
    if isinstance(shapes, dict):
        return {key: _tuples(value) for key, value in shapes.items()}
    if shapes and isinstance(shapes[0], (list, tuple, dict)):
        return [_tuples(shape) for shape in shapes]
    return tuple(shapes)


def _map_shapes(function, shapes):
    """function of each shape in a nest of shapes."""
    if isinstance(shapes, dict):
        return {key: _map_shapes(function, value) for key, value in shapes.items()}
    if shapes and isinstance(shapes[0], (list, tuple, dict)):
        return [_map_shapes(function, shape) for shape in shapes]
    return function(tuple(shapes))
