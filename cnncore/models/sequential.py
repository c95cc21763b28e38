"""Sequential: a model that is a list of layers."""
from cnncore.layers.input_layer import InputLayer
from cnncore.layers.layer import Layer
from cnncore.models.model import Model
from cnncore.symbolic import KerasTensor


class Sequential(Model):
    """A model that passes its input through layers, one after the other.

    Args:
        layers: list of layers; the first may be `Input(shape=...)`.
        trainable: whether the weights are trained.
        name: by default 'sequential'.

    Example:
        >>> import cnncore
        >>> model = cnncore.Sequential([cnncore.Input((4,)), cnncore.layers.Dense(2)])
        >>> model.output_shape
        (None, 2)
    """

    def __new__(cls, *args, **kwargs):
        return Layer.__new__(cls, *args, **kwargs)

    def __init__(self, layers=None, trainable=True, name=None):
        Layer.__init__(self, trainable=trainable, name=name)
        object.__setattr__(self, "_list", [])
        object.__setattr__(self, "_output", None)
        for layer in layers or ():
            self.add(layer)

    @property
    def _layers(self):
        return list(self.__dict__.get("_list", ()))

    @property
    def layers(self):
        """The layers, without the one that holds the input's place."""
        return [layer for layer in self._list if not isinstance(layer, InputLayer)]

    def add(self, layer, rebuild=True):
        """Adds a layer at the end.

        Raises:
            TypeError: it is no layer.
            ValueError: its name is taken, or it does not fit what is there.
        """
        if isinstance(layer, KerasTensor):
            if not isinstance(layer._keras_history.operation, InputLayer):
                raise ValueError(f"Sequential takes layers, and Input(...) as its first. Received: {layer!r}")
            layer = layer._keras_history.operation
        if not isinstance(layer, Layer):
            raise TypeError(f"Sequential takes layers. Received: {layer!r} of type {type(layer).__name__}"
                            + ("; write the call: Layer()" if isinstance(layer, type) else ""))
        shape = getattr(layer, "_input_shape_argument", None)
        if not self._list and shape is not None and not isinstance(layer, InputLayer):
            self._list.append(InputLayer(shape=shape))
        elif not self._list and isinstance(layer, Model) and layer.built and hasattr(layer, "input_shape"):
            self._list.append(InputLayer(batch_shape=layer.input_shape))
        if any(other is layer or other.name == layer.name for other in self._list):
            raise ValueError(f"The layers of a model have names of their own. Received: a second {layer.name!r} in "
                             f"{self.name!r}; pass name=... or make another layer")
        if isinstance(layer, InputLayer) and self._list:
            raise ValueError(f"An Input is the first layer of a model. Received: {layer.name!r} after "
                             f"{self._list[-1].name!r} in {self.name!r}")
        if not self._trainable:
            layer.trainable = False
        self._list.append(layer)
        try:
            self._extend()
        except BaseException:
            self._list.pop()
            raise
        self._drop_plans()

    def pop(self, rebuild=True):
        """Takes the last layer off and returns it."""
        if not self.layers:
            raise ValueError(f"The model {self.name!r} has no layers to take off")
        layer = self._list.pop()
        del layer._inbound_nodes[:]
        object.__setattr__(self, "_output", None)
        object.__setattr__(self, "built", False)
        if self._list and isinstance(self._list[0], InputLayer):
            self._rebuild()
        self._drop_plans()
        return layer

    def _rebuild(self):
        """Calls every layer on what the one before it returns, from the input on."""
        for layer in self._list[1:]:
            del layer._inbound_nodes[:]
        object.__setattr__(self, "_output", None)
        if not self.layers:
            return
        output = self._list[0].output
        for layer in self._list[1:]:
            output = layer(output)
        object.__setattr__(self, "_output", output)
        object.__setattr__(self, "built", True)
        object.__setattr__(self, "_build_shapes_dict", {"input_shape": self._list[0].batch_shape})

    def _extend(self):
        """Calls the last layer on the output so far, where the input's shape is known."""
        if isinstance(self._list[0], InputLayer) and len(self._list) > 1:
            before = self._output if self._output is not None else self._list[0].output
            object.__setattr__(self, "_output", self._list[-1](before))
            object.__setattr__(self, "built", True)
            object.__setattr__(self, "_build_shapes_dict", {"input_shape": self._list[0].batch_shape})

    def build(self, input_shape=None):
        """Makes the weights for inputs of this shape, with the batch."""
        if self.built or not self.layers:
            return
        if input_shape is None:
            raise ValueError(f"The model {self.name!r} needs to know its input's shape to be built. Received: none; begin "
                             "with Input(shape=...), or pass build((None, ...))")
        if not isinstance(self._list[0], InputLayer):
            self._list.insert(0, InputLayer(batch_shape=tuple(input_shape)))
        try:
            self._rebuild()
        except BaseException:
            self._list.pop(0)
            raise

    def _build_once(self, shapes):
        if not self.built:
            self.build(shapes)

    def call(self, inputs, training=None, mask=None):
        if not self._list:
            raise ValueError(f"The model {self.name!r} has no layers to call. Add some first")
        if self.built and self.inputs and hasattr(inputs, "shape"):
            inputs = self._fitted(inputs)
        for layer in self.layers:
            inputs = layer(inputs)
        return inputs

    def _fitted(self, value):
        from cnncore.models.functional import Functional

        return Functional._fitted(self, self.inputs[0], value)

    # ---- the graph -----------------------------------------------------------------------------------------------

    def _known(self, what):
        if self._output is None:
            raise AttributeError(f"The model {self.name!r} has no {what} before it is built: begin with "
                                 "Input(shape=...), or call it on data")
        return self._output

    @property
    def inputs(self):
        """The input, in a list; [] before the model is built."""
        return [self._list[0].output] if self._list and isinstance(self._list[0], InputLayer) else []

    @property
    def outputs(self):
        """The output, in a list; [] before the model is built."""
        return [] if self._output is None else [self._output]

    @property
    def input(self):
        self._known("input")
        return self.inputs[0]

    @property
    def output(self):
        return self._known("output")

    @property
    def input_shape(self):
        self._known("input shape")
        return self.inputs[0].shape

    @property
    def output_shape(self):
        return self._known("output shape").shape

    @property
    def input_names(self):
        return [tensor.name for tensor in self.inputs]

    @property
    def output_names(self):
        return [self.layers[-1].name] if self.layers else []

    def compute_output_shape(self, input_shape):
        """The shape of the output for the shape of an input."""
        return Layer.compute_output_shape(self, input_shape)

    # ---- configuration -------------------------------------------------------------------------------------------

    def get_config(self):
        from cnncore.saving import serialize_keras_object

        config = {"name": self.name, "trainable": self._trainable, "dtype": self.dtype,
                  "layers": [serialize_keras_object(layer) for layer in self._list]}
        if self._build_shapes_dict is not None:
            config["build_input_shape"] = tuple(self._build_shapes_dict["input_shape"])
        return config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        from cnncore.saving import deserialize_keras_object

        model = cls(name=config.get("name"), trainable=config.get("trainable", True))
        for layer in config["layers"]:
            model.add(deserialize_keras_object(layer, custom_objects))
        shape = config.get("build_input_shape")
        if shape and not model.built and isinstance(shape, (list, tuple)):
            model.build(tuple(shape))
        return model
