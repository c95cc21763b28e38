"""Model: a layer that can be trained, saved and summarised."""
from cnncore.layers.layer import Layer, map_shapes
from cnncore.models.trainer import Trainer
from cnncore.saving.model_io import Saveable
from cnncore.symbolic import KerasTensor, infer, is_symbolic

_graph_classes = {}  # user's class -> the same class as a Functional


class Model(Trainer, Saveable, Layer):
    """A model: `Model(inputs, outputs)` from KerasTensors, or a class of one's own with `call(self, x)`.

    Args:
        inputs: KerasTensor from `Input`, or a list or dict of them. KerasTensors that layers made cut a model out of a
            larger one, with which it shares its layers.
        outputs: KerasTensor computed from them, or a nest of them.
        name: by default made of the class's name.
        trainable: whether the weights are trained.

    Raises:
        ValueError: the outputs do not depend on the inputs alone, or names are used twice.

    Example:
        >>> import cnncore
        >>> x = cnncore.Input((8,))
        >>> model = cnncore.Model(inputs=x, outputs=cnncore.layers.Dense(2)(x))
        >>> model.count_params()
        18
        >>> class Own(cnncore.Model):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.dense = cnncore.layers.Dense(2)
        ...     def call(self, x, training=None):
        ...         return self.dense(x)
    """

    def __new__(cls, *args, **kwargs):
        if cls is Model and _is_functional(args, kwargs):
            from cnncore.models.functional import Functional

            cls = Functional
        return super().__new__(cls, *args, **kwargs)

    def __init__(self, *args, **kwargs):
        if _is_functional(args, kwargs):
            from cnncore.models.functional import Functional

            object.__setattr__(self, "__class__", _graph_class(type(self)))
            Functional.__init__(self, *args, **kwargs)
            return
        if args or "inputs" in kwargs or "outputs" in kwargs:
            raise ValueError("A model is made of inputs and outputs, Model(inputs, outputs), or of no arguments. Received: "
                             f"{', '.join([*(f'{a!r:.80}' for a in args), *kwargs])}; layers go into Sequential([...])")
        super().__init__(**kwargs)

    def __reduce__(self):
        make, (cls,), state = super().__reduce__()
        if cls in _graph_classes.values():  # such a class is found by the user's own, which it is made from
            make, cls = _empty_graph, next(own for own, made in _graph_classes.items() if made is cls)
        return make, (cls,), state

    @property
    def layers(self):
        """The layers inside."""
        return self._layers

    @layers.setter
    def layers(self, _):
        raise AttributeError("A model's layers are attributes of its own, or added by Sequential.add(). Received: a value "
                             "for model.layers; choose another name")

    def get_layer(self, name=None, index=None):
        """The layer of a name, or at an index.

        Args:
            name: string.
            index: whole number, counted as in `model.layers`.

        Raises:
            ValueError: there is no such layer.
        """
        layers = self.layers
        if (name is None) == (index is None):
            raise ValueError(f"get_layer takes a name or an index. Received: name={name!r}, index={index!r}")
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(f"The model {self.name!r} has {len(layers)} layers. Received: index={index}")
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        raise ValueError(f"The model {self.name!r} has the layers {', '.join(layer.name for layer in layers)}. "
                         f"Received: name={name!r}")

    def build(self, input_shape):
        """Makes the weights by tracing the model on an input of this shape.

        Args:
            input_shape: tuple with the batch, None for unknown lengths; a nest of them for several inputs.

        Raises:
            RuntimeError: the model looks at values, so that it can be built on data only.
        """
        if self.built or type(self).call is Layer.call:
            return
        object.__setattr__(self, "built", True)
        try:
            infer(self, [map_shapes(KerasTensor, input_shape)], {})
        except BaseException:
            object.__setattr__(self, "built", False)
            raise
        finally:
            self._clear_losses()

    def _build_on(self, args, kwargs):
        """A model of one's own is built by its first call, which builds the layers that it uses."""
        if type(self).build is not Model.build:
            super()._build_on(args, kwargs)
            return
        from cnncore.layers.layer import first_of, shapes_of

        object.__setattr__(self, "_build_shapes_dict", {"input_shape": shapes_of(first_of(args, kwargs))})

    def __call__(self, *args, **kwargs):
        outputs = super().__call__(*args, **kwargs)
        if not self.built:
            object.__setattr__(self, "built", True)  # now that its layers are
        return outputs

    def summary(self, line_length=None, positions=None, print_fn=None, expand_nested=False, show_trainable=False,
                layer_range=None):
        """Prints the model's layers, shapes and numbers of parameters; see `utils.summary.print_summary`."""
        from cnncore.utils.summary import print_summary

        print_summary(self, line_length, positions, print_fn, expand_nested, show_trainable, layer_range)

    def get_config(self):
        """The arguments that make an equal model of one's own class."""
        config = Layer.get_config(self)
        if type(self).get_config is Model.get_config:
            config.update(self._own_arguments())
        return config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The inverse of `get_config`."""
        if "input_layers" in config:
            from cnncore.models.functional import Functional, functional_from_config

            return functional_from_config(Functional if cls is Model else cls, config, custom_objects)
        return cls(**config)

    def _described(self):
        return f"The model {self.name!r}"


def _is_functional(args, kwargs):
    """Whether these are the arguments of a functional model."""
    if "inputs" in kwargs and "outputs" in kwargs or len(args) == 1 and "outputs" in kwargs:
        return True
    return len(args) >= 2 and (is_symbolic(args[0]) or is_symbolic(args[1]) or hasattr(args[0], "shape"))


def _graph_class(cls):
    """The class of the user's, whose `super().__init__(inputs, outputs)` makes it a functional model."""
    from cnncore.models.functional import Functional
    from cnncore.saving import registry

    if issubclass(cls, Functional):
        return cls
    if cls not in _graph_classes:
        made = type(cls.__name__, (cls, Functional), {"__module__": cls.__module__, "__qualname__": cls.__qualname__,
                                                      "__doc__": cls.__doc__})
        if cls in registry._names:
            registry._names[made] = registry._names[cls]
        _graph_classes[cls] = made
    return _graph_classes[cls]


def _empty_graph(cls):
    """A functional model of the user's class before its __init__, for `Model.__reduce__`."""
    cls = _graph_class(cls)
    return cls.__new__(cls)
