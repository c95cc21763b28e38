"""Sequential: a model that is a list of layers."""
from cnncore.layers.input_layer import InputLayer
from cnncore.layers.layer import Layer, is_shape, told
from cnncore.models.functional import Functional
from cnncore.models.model import Model
from cnncore.scope import scope
from cnncore.symbolic import KerasTensor, node_of
from cnncore.utils.naming import auto_name


class Sequential(Model):
    """A model that passes its input through layers, one after the other.

    Args:
        layers: list of layers; the first may be `Input(shape=...)`.
        trainable: whether the weights are trained.
        name: by default 'sequential'.

    Raises:
        TypeError: something is no layer.
        ValueError: a layer does not fit the one before it, or a name is used twice.

    Example:
        >>> import cnncore
        >>> model = cnncore.Sequential([cnncore.Input((4,)), cnncore.layers.Dense(2)])
        >>> model.output_shape
        (None, 2)
    """

    def __init__(self, layers=None, trainable=True, name=None):
        Layer.__init__(self, trainable=trainable, name=name)
        object.__setattr__(self, "_list", [])
        object.__setattr__(self, "_tensors", [])  # the output of each layer, where the input's shape is known
        if isinstance(layers, (Layer, KerasTensor)):
            raise TypeError(f"Sequential takes a list of layers. Received: {layers!r}; put it in brackets")
        for layer in layers or ():
            self.add(layer, rebuild=False)
        self._count_graph()

    def __reduce__(self):
        make, arguments, state = super().__reduce__()
        return make, arguments, {**state, "_nodes": [node_of(tensor) for tensor in self._tensors]}

    def __setstate__(self, state):
        self.__dict__.update(state)
        del self.__dict__["_nodes"]  # which made the calls that the tensors come from

    @property
    def _layers(self):
        return list(self.__dict__.get("_list", ()))

    @property
    def layers(self):
        """The layers, without the one that holds the input's place."""
        return [layer for layer in self._list if not isinstance(layer, InputLayer)]

    def add(self, layer, rebuild=True):
        """Adds a layer at the end.

        Args:
            layer: a layer, or as the first one `Input(shape=...)`.
            rebuild: False where more layers follow at once; it matters for names of functional models alone.

        Raises:
            TypeError: it is no layer.
            ValueError: its name is taken, or it does not fit what is there.
        """
        if isinstance(layer, KerasTensor) and isinstance(layer._keras_history.operation, InputLayer):
            layer = layer._keras_history.operation
        if not isinstance(layer, Layer):
            raise TypeError(f"Sequential takes layers, and Input(...) as its first. Received: {layer!r} of type "
                            f"{type(layer).__name__}" + (f"; write {layer.__name__}()" if isinstance(layer, type) else ""))
        before = list(self._list)
        if not before and not isinstance(layer, InputLayer):
            shape = getattr(layer, "_input_shape_argument", None)
            if shape is not None:
                self._list.append(InputLayer(shape=shape))
            elif isinstance(layer, Model) and layer.built and is_shape(getattr(layer, "input_shape", None)):
                self._list.append(InputLayer(batch_shape=layer.input_shape))
        if isinstance(layer, InputLayer) and before:
            raise ValueError(f"{self._described()} has one Input, its first layer. Received: {layer.name!r} of shape "
                             f"{layer.batch_shape} after {before[-1].name!r}"
                             + (f", which has shape {before[0].batch_shape}" if isinstance(before[0], InputLayer) else ""))
        if any(other is layer or other.name == layer.name for other in before):
            raise ValueError(f"{self._described()} has layers with names of their own. Received: a second {layer.name!r}; "
                             "pass name=... or make another layer")
        if not self._trainable:
            layer.trainable = False
        self._list.append(layer)
        try:
            self._connect()
        except BaseException:
            self._list[:] = before
            del self._tensors[len(before):]
            raise
        if rebuild:
            self._count_graph()
        self._drop_plans()

    def pop(self, rebuild=True):
        """Takes the last layer off and returns it.

        Args:
            rebuild: as in `add`.

        Raises:
            ValueError: there is none.
        """
        if not self.layers:
            raise ValueError(f"{self._described()} has no layers to take off. Received: pop() of an empty model")
        layer = self._list.pop()
        del self._tensors[len(self._list):]
        self._note()
        if rebuild:
            self._count_graph()
        self._drop_plans()
        return layer

    def _count_graph(self):
        """Takes the name that Keras gives the functional model which it makes of a Sequential."""
        if len(self._tensors) > 1:
            auto_name("functional")

    def _connect(self):
        """Calls the layers that were not yet on the output of those before them."""
        if not isinstance(self._list[0], InputLayer):
            return
        with scope(self):
            for layer in self._list[len(self._tensors):]:
                self._tensors.append(layer(self._tensors[-1]) if self._tensors else layer.output)
        self._note()

    def _note(self):
        known = len(self._tensors) > 1
        object.__setattr__(self, "built", known)
        object.__setattr__(self, "_build_shapes_dict", {"input_shape": self._list[0].batch_shape} if known else None)

    def build(self, input_shape=None):
        """Makes the weights.

        Args:
            input_shape: shape of the input, with the batch; None for unknown lengths.

        Raises:
            ValueError: the model has no layers, no shape is given, or a layer does not take it.
        """
        if not self.layers:
            raise ValueError(f"{self._described()} has no layers to build. Received: an empty list; add some first")
        if isinstance(self._list[0], InputLayer):
            given = self._list[0].batch_shape
            if input_shape is not None and tuple(input_shape)[1:] != given[1:]:
                raise ValueError(f"{self._described()} was made for the input shape {given}. Received: input_shape="
                                 f"{tuple(input_shape)}; make another model")
            return
        if input_shape is None:
            raise ValueError(f"{self._described()} must know its input's shape to be built. Received: none; begin with "
                             "Input(shape=...), or pass build((None, ...))")
        self._list.insert(0, InputLayer(batch_shape=tuple(input_shape)))
        try:
            self._connect()
        except BaseException:
            del self._list[0], self._tensors[:]
            raise
        self._count_graph()

    def _build_on(self, args, kwargs):
        from cnncore.layers.layer import first_of, shapes_of

        shapes = shapes_of(first_of(args, kwargs))
        if is_shape(shapes) and shapes:
            self.build(shapes)

    def call(self, inputs, training=None, mask=None):
        if not self.layers:
            raise ValueError(f"{self._described()} has no layers to call. Received: an input for an empty list; add some "
                             "first")
        if self._tensors:
            (inputs,) = Functional._input_values(self, inputs)
            inputs = Functional._fitted(self, self._tensors[0], inputs)
        with told(training):
            for layer in self.layers:
                inputs = layer(inputs)
        return inputs

    # ---- the graph -----------------------------------------------------------------------------------------------

    def _known(self, what):
        if len(self._tensors) < 2:
            raise AttributeError(f"{self._described()} has an {what} once it is built. Received: a model that is not; "
                                 "begin with Input(shape=...), or call it on data")
        return self._tensors

    @property
    def inputs(self):
        """The input, in a list."""
        return [self._known("input")[0]]

    @property
    def outputs(self):
        """The output, in a list."""
        return [self._known("output")[-1]]

    @property
    def input(self):
        """The input."""
        return self._known("input")[0]

    @property
    def output(self):
        """The output."""
        return self._known("output")[-1]

    @property
    def input_shape(self):
        """The shape of the input."""
        return self._known("input shape")[0].shape

    @property
    def output_shape(self):
        """The shape of the output."""
        return self._known("output shape")[-1].shape

    @property
    def input_names(self):
        """The name of the input, in a list."""
        return [self._known("input")[0].name]

    @property
    def output_names(self):
        """The name of the layer that makes the output, in a list."""
        return [self.layers[-1].name] if self.layers else []

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
