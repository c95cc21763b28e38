"""Model: a layer that can be trained, saved and summarised."""
import inspect

from cnncore.layers.layer import Layer
from cnncore.symbolic import KerasTensor, is_symbolic
from cnncore.models.trainer import Trainer
from cnncore.saving.model_io import Saveable


class Model(Trainer, Saveable, Layer):
    """A model: `Model(inputs, outputs)` from KerasTensors, or a class of one's own with `call(self, x)`.

    Args:
        inputs: KerasTensor from `Input`, or a list or dict of them.
        outputs: KerasTensor computed from them, or a nest of them.
        name: by default made of the class's name.

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

            return Functional.__new__(Functional, *args, **kwargs)
        return super().__new__(cls, *args, **kwargs)

    def __init__(self, *args, **kwargs):
        from cnncore.models.functional import Functional

        if _is_functional(args, kwargs) and not isinstance(self, Functional):
            # A subclass that hands inputs and outputs up becomes a functional model of that class.
            cls = type(self)
            object.__setattr__(self, "__class__", type(cls.__name__, (cls, Functional), {"__module__": cls.__module__}))
            Functional.__init__(self, *args, **kwargs)
            return
        if args:
            raise ValueError(f"A model is made of KerasTensors, Model(inputs, outputs), or of no arguments. Received: "
                             f"{args}; layers go into Sequential([...])")
        super().__init__(**kwargs)

    @property
    def layers(self):
        """The layers inside, without metrics."""
        return list(self._layers)

    @layers.setter
    def layers(self, _):
        raise AttributeError("A model's layers are not set but added: in its __init__, or by Sequential.add()")

    def get_layer(self, name=None, index=None):
        """The layer of a name, or at an index.

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
        """Makes the weights by tracing the model on an input of this shape (None standing for the batch)."""
        if self.built or type(self).call is Layer.call:
            return
        from cnncore.layers.layer import _map_shapes
        from cnncore.symbolic import infer

        object.__setattr__(self, "built", True)
        object.__setattr__(self, "_build_shapes_dict", {"input_shape": input_shape})
        try:
            infer(self, [_map_shapes(KerasTensor, input_shape)], {})
        except BaseException:
            object.__setattr__(self, "built", False)
            raise

    def _build_once(self, shapes):
        """A model of one's own is built by its first call, which builds the layers that it uses."""
        if not self.built:
            object.__setattr__(self, "_build_shapes_dict", {"input_shape": shapes})
            if type(self).build is not Model.build:
                self.build(shapes)
            object.__setattr__(self, "built", True)

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
        if cls is Model or "input_layers" in config:
            from cnncore.models.functional import Functional, functional_from_config

            return functional_from_config(Functional if cls is Model else cls, config, custom_objects)
        return cls(**config)


def _is_functional(args, kwargs):
    """Whether these are the arguments of a functional model."""
    if len(args) >= 2 and is_symbolic(args[0]) or "inputs" in kwargs and "outputs" in kwargs:
        return True
    return len(args) == 1 and "outputs" in kwargs and is_symbolic(args[0])


def accepts_training(function):
    """Whether a function has a parameter `training`."""
    return "training" in inspect.signature(function).parameters
