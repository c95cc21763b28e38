"""Layer: what every layer and model is - weights, layers inside, building on first use, and being called."""
import difflib
import functools
import inspect
import threading
from contextlib import contextmanager

import numpy as np

from cnncore.layers.input_spec import check_inputs
from cnncore.layers.weights import Weighted, dtype_name
from cnncore.nest import flatten, is_nest, map_leaves
from cnncore.scope import scope
from cnncore.symbolic import KerasTensor, Node, infer, is_symbolic
from cnncore.tensor import Tensor, convert
from cnncore.utils.naming import auto_name, to_snake_case

_calls = threading.local()  # .training: what the call around this one was told; absent outside of any call


@contextmanager
def told(training):
    """Calls in the body that are not told otherwise hear this about training."""
    outermost = not hasattr(_calls, "training")
    before = getattr(_calls, "training", None)
    _calls.training = before if training is None else training
    try:
        yield
    finally:
        if outermost:
            del _calls.training
        else:
            _calls.training = before


def _marks_as_built(build):
    """A layer's build that also notes that it ran, on what, and leaves no half of its weights if it fails."""
    @functools.wraps(build)
    def building(self, *args, **kwargs):
        before = len(self._trainable_variables), len(self._non_trainable_variables)
        try:
            with scope(self):
                result = build(self, *args, **kwargs)
        except BaseException:
            del self._trainable_variables[before[0]:], self._non_trainable_variables[before[1]:]
            raise
        if self._build_shapes_dict is None and (args or kwargs):
            names = inspect.signature(build).bind(self, *args, **kwargs).arguments
            object.__setattr__(self, "_build_shapes_dict", dict(list(names.items())[1:]))
        object.__setattr__(self, "built", True)
        return result

    return building


class Layer(Weighted):
    """A function with weights.

    A layer of one's own defines `call(self, x)` and, where it has weights, `build(self, input_shape)`. Layers and
    Variables among its attributes, in lists and dicts too, are part of it.

    Args:
        activity_regularizer: regularizer of the output, or None.
        trainable: whether the weights are trained.
        dtype: 'float32'.
        autocast: whether floating-point inputs of other dtypes become float32.
        name: by default made of the class's name.

    Raises:
        ValueError: an argument does not fit.

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

    _takes_one = False  # whether `call` takes one tensor and nothing else, which is then checked
    _casts_inputs = False  # whether whole numbers become float32 too
    input_spec = None  # an InputSpec, or a nest of them, that inputs are held against

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = _marks_as_built(cls.build)

    def __new__(cls, *args, **kwargs):
        self = super().__new__(cls)
        for name, value in (("_trainable_variables", []), ("_non_trainable_variables", []), ("_metrics", []),
                            ("_losses", []), ("_inbound_nodes", []), ("_build_shapes_dict", None), ("built", False),
                            ("_parent_path", None),
                            ("_trainable", True), ("_arguments", (args, kwargs)), ("name", None),
                            ("activity_regularizer", None), ("autocast", True), ("supports_masking", False)):
            object.__setattr__(self, name, value)
        return self

    def __init__(self, *, activity_regularizer=None, trainable=True, dtype=None, autocast=True, name=None, **kwargs):
        from cnncore import regularizers

        kind = type(self).__name__
        shape, features = kwargs.pop("input_shape", None), kwargs.pop("input_dim", None)
        if kwargs:
            known = [*inspect.signature(type(self).__init__).parameters, "name", "trainable", "dtype"]
            near = difflib.get_close_matches(next(iter(kwargs)), known, 1)
            raise TypeError(f"{kind} takes no argument {', '.join(map(repr, kwargs))}. Received: "
                            + ", ".join(f"{key}={value!r}" for key, value in kwargs.items())
                            + (f"; did you mean {near[0]!r}?" if near else ""))
        if shape is not None or features is not None:  # for Sequential, which makes the Input of it
            object.__setattr__(self, "_input_shape_argument", tuple(shape) if shape is not None else (features,))
        self.dtype = dtype_name(dtype, kind)
        if name is not None and (not isinstance(name, str) or not name or "/" in name):
            raise ValueError(f"{kind}: a name is a string without '/'. Received: name={name!r}")
        self.name = name or auto_name(to_snake_case(kind))
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.autocast = autocast
        self._trainable = bool(trainable)

    # ---- losses --------------------------------------------------------------------------------------------------

    def add_loss(self, loss):
        """Adds a number to what training minimizes; for use in `call`.

        Args:
            loss: scalar tensor, or a list of them.
        """
        self._losses.extend(loss if isinstance(loss, (list, tuple)) else [loss])

    @property
    def losses(self):
        """What layers added in their last call, and the values of the weights' regularizers."""
        found = [loss for layer in self._walk() for loss in layer._losses]
        return found + [variable.regularizer(variable) for variable in self.trainable_weights
                        if variable.regularizer is not None]

    def _clear_losses(self):
        for layer in self._walk():
            del layer._losses[:]

    def _add_activity(self, outputs):
        """The activity regularizer's value for each output, as a mean over the batch."""
        for output in flatten(outputs):
            loss = self.activity_regularizer(output)
            self.add_loss(loss * (1.0 / max(output.shape[0], 1)) if output.shape else loss)

    # ---- building ------------------------------------------------------------------------------------------------

    def build(self, input_shape):
        """Makes the weights, once; for layers of one's own to define."""

    build = _marks_as_built(build)

    def _build_on(self, args, kwargs):
        """Builds for these inputs: `build` gets the shape of the first, or each by its name with _shape behind it."""
        wanted = list(inspect.signature(self.build).parameters)
        if len(wanted) > 1 and all(name.endswith("_shape") for name in wanted):
            given = inspect.signature(self.call).bind_partial(*args, **kwargs).arguments
            self._build_once(**{name: shapes_of(given.get(name[:-len("_shape")])) for name in wanted})
        else:
            self._build_once(shapes_of(first_of(args, kwargs)))

    def _build_once(self, *shapes, **named):
        if not self.built:
            self.build(*shapes, **named)
            object.__setattr__(self, "built", True)  # also where a build of one's own is none of a Layer's

    def get_build_config(self):
        """What `build` was called with, for files; None before."""
        shapes = self._build_shapes_dict
        if not shapes:
            return None
        return {"input_shape": next(iter(shapes.values()))} if len(shapes) == 1 else {"shapes_dict": dict(shapes)}

    def build_from_config(self, config):
        """The inverse of `get_build_config`."""
        if config.get("input_shape") is not None:
            self._build_once(tuples(config["input_shape"]))
        elif config.get("shapes_dict"):
            self._build_once(**{name: tuples(shape) for name, shape in config["shapes_dict"].items()})

    # ---- calling -------------------------------------------------------------------------------------------------

    def call(self, *args, **kwargs):
        """The layer's function, on tensors; for layers of one's own to define."""
        raise NotImplementedError(f"The class {type(self).__name__} must define call(self, x). Received: a call of one "
                                  "that does not")

    def _check(self, shape):
        """Raises ValueError where an input of this shape, None standing for unknown lengths, does not fit."""

    def __call__(self, *args, **kwargs):
        if self.name is None:
            raise RuntimeError(f"The __init__ of {type(self).__name__} must begin with super().__init__(). Received: a "
                               "layer that was made without it; add the call")
        if len(args) == 1 and isinstance(args[0], (Tensor, np.ndarray)):  # what calls mostly are, without the search
            args = (self._to_tensor(args[0]),)
        elif is_symbolic(args) or is_symbolic(kwargs):
            return self._call_symbolic(args, kwargs)
        else:
            args = self._to_tensors(args)
        if kwargs:
            if is_symbolic(kwargs):
                return self._call_symbolic(args, kwargs)
            kwargs = self._to_tensors(kwargs)
        if len(args) > 1 and self._training_at == len(args) - 1:
            args, kwargs = args[:-1], {**kwargs, "training": args[-1]}
        self._prepare(args, kwargs)
        training = kwargs.get("training")
        if not hasattr(_calls, "training"):
            self._clear_losses()
        elif training is None:
            training = _calls.training
        if self._training_at is None:
            kwargs.pop("training", None)
        elif training is not None:
            kwargs["training"] = training
        with told(training), scope(self):
            outputs = self.call(*args, **kwargs)
        if self.activity_regularizer is not None:
            self._add_activity(outputs)
        return outputs

    def _call_symbolic(self, args, kwargs):
        """The outputs as KerasTensors, which remember this call."""
        args = tuple(self._to_tensors(args)) if not self._takes_one else args
        self._prepare(args, kwargs)
        outputs = self._infer(args, kwargs)
        Node(self, args, kwargs, outputs)
        return outputs

    def _infer(self, args, kwargs):
        try:
            return infer(self, list(args), kwargs)
        except RuntimeError:
            # A call that looks at values cannot be traced, but the layer may state its own shape rule.
            if type(self).compute_output_shape is Layer.compute_output_shape:
                raise
            return map_shapes(KerasTensor, self.compute_output_shape(shapes_of(first_of(args, kwargs))))
        finally:
            self._clear_losses()

    def _prepare(self, args, kwargs):
        """Checks the inputs and builds the layer."""
        if self._takes_one:
            first = first_of(args, kwargs)
            if first is None:
                raise TypeError(f"{self._described()} is called on an input. Received: none")
            if not isinstance(first, (Tensor, KerasTensor)):
                what = f"{len(first)} in a {type(first).__name__}" if is_nest(first) else f"{type(first).__name__}"
                raise TypeError(f"{self._described()} takes one tensor or array. Received: {what}, {first!r:.200}")
            self._check(first.shape)
        if self.input_spec is not None:
            check_inputs(self, self.input_spec, first_of(args, kwargs))
        if not self.built:
            self._build_on(args, kwargs)

    @property
    def _training_at(self):
        """The place of the parameter `training` of `call`; -1 where it has no place, None without one."""
        cls = type(self)
        if "_training_place" not in cls.__dict__:
            parameters = list(inspect.signature(cls.call).parameters.values())[1:]
            names = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
            found = "training" in [p.name for p in parameters]
            cls._training_place = names.index("training") if "training" in names else -1 if found else None
        return cls._training_place

    def _to_tensors(self, nest):
        """Arguments with their arrays as tensors; lists of numbers, as a first argument, are arrays too."""
        if isinstance(nest, tuple) and nest and isinstance(nest[0], (list, tuple)):
            leaves = flatten(nest[0])
            if leaves and all(isinstance(leaf, (bool, int, float)) for leaf in leaves):
                try:
                    nest = (np.array(nest[0]), *nest[1:])
                except ValueError:
                    raise ValueError(f"{self._described()} takes lists whose rows have one length. Received: "
                                     f"{nest[0]!r:.200}") from None
        return map_leaves(self._to_tensor, nest)

    def _to_tensor(self, leaf):
        if not isinstance(leaf, (np.ndarray, np.generic, Tensor)):
            return leaf
        leaf = convert(leaf)
        if leaf.dtype == "float32" or not self.autocast or (leaf.dtype != "float64" and not self._casts_inputs):
            return leaf
        from cnncore.ops.elementwise import cast

        return cast(leaf, "float32")

    def compute_output_shape(self, *args, **kwargs):
        """The shape of the output for the shape of an input, None standing for unknown lengths."""
        tensors = {name: map_shapes(KerasTensor, shapes) for name, shapes in kwargs.items()}
        if args or len(tensors) == 1:
            outputs = self.compute_output_spec(map_shapes(KerasTensor, args[0]) if args else next(iter(tensors.values())))
        else:
            outputs = self.compute_output_spec(**{name[:-len("_shape")]: one for name, one in tensors.items()})
        return map_leaves(lambda tensor: tensor.shape, outputs)

    def compute_output_spec(self, *args, **kwargs):
        """The outputs for KerasTensors, without becoming part of a graph."""
        self._prepare(args, kwargs)
        return self._infer(args, kwargs)

    # ---- the graph -----------------------------------------------------------------------------------------------

    def _first_call(self, what):
        if not self._inbound_nodes:
            raise AttributeError(f"{self._described()} has an {what} once it was called on a KerasTensor. Received: a "
                                 "layer that never was")
        return self._inbound_nodes[0]

    @property
    def input(self):
        """The KerasTensor, or list of them, that the layer was first called on."""
        tensors = self._first_call("input").input_tensors
        return tensors[0] if len(tensors) == 1 else tensors

    @property
    def output(self):
        """The KerasTensor, or nest of them, that the layer first returned."""
        return self._first_call("output").outputs

    # ---- configuration -------------------------------------------------------------------------------------------

    def get_config(self):
        """The arguments that make an equal layer, without weights."""
        config = {"name": self.name, "trainable": self._trainable, "dtype": self.dtype}
        if self.activity_regularizer is not None:
            from cnncore import regularizers

            config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
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

    # ---- copies --------------------------------------------------------------------------------------------------

    def __reduce__(self):
        """For copy and pickle. Calls on KerasTensors belong to the models that they are part of, which restore them:
        following them from layer to layer would also be as deep as the model."""
        state = {key: value for key, value in self.__dict__.items() if key not in ("_inbound_nodes", "_losses")}
        return _empty, (type(self),), state

    # ---- words ---------------------------------------------------------------------------------------------------

    def _described(self):
        return f"The {type(self).__name__} layer {self.name!r}"

    def __repr__(self):
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _empty(cls):
    """A layer before its __init__, for `Layer.__reduce__`."""
    return cls.__new__(cls)


def first_of(args, kwargs):
    """The first input of a call; None where there is none."""
    return args[0] if args else next((kwargs[name] for name in kwargs if name not in ("training", "mask")), None)


def shapes_of(nest):
    """The shapes of a nest of tensors, the batch's length unknown; of one tensor just its shape."""
    def one(leaf):
        shape = getattr(leaf, "shape", None)
        return (None, *shape[1:]) if shape else shape

    return map_leaves(one, nest) if is_nest(nest) else one(nest)


def is_shape(value):
    """Whether this is one shape, rather than a nest of shapes."""
    return isinstance(value, (list, tuple)) and all(n is None or isinstance(n, (int, np.integer)) for n in value)


def tuples(shapes):
    """Shapes out of a file: lists of numbers become tuples."""
    return map_shapes(tuple, shapes)


def map_shapes(function, shapes):
    """function of each shape in a nest of shapes."""
    if isinstance(shapes, dict):
        return {key: map_shapes(function, value) for key, value in shapes.items()}
    if is_shape(shapes):
        return function(tuple(shapes))
    return [map_shapes(function, shape) for shape in shapes]
