"""Pipeline: layers one after another, as one layer."""
from cnncore.layers.layer import Layer


class Pipeline(Layer):
    """Calls layers one after another, as for preprocessing or augmentation; in training by default.

    Args:
        layers: list of layers, each of which takes what the one before it returns.

    Raises:
        ValueError: something else than layers is given.

    Example:
        >>> import cnncore, numpy as np
        >>> layers = cnncore.layers
        >>> pipeline = layers.Pipeline([layers.RandomFlip(), layers.Rescaling(1 / 255)])
        >>> pipeline(np.ones((2, 8, 8, 3), "float32")).shape
        (2, 8, 8, 3)
    """

    _casts_inputs = True

    def __init__(self, layers, name=None):
        super().__init__(name=name)
        if not isinstance(layers, (list, tuple)) or not all(isinstance(layer, Layer) for layer in layers):
            raise ValueError(f"Pipeline: layers is a list of layers. Received: layers={layers!r:.200}")
        self._pipeline_layers = list(layers)

    @property
    def layers(self):
        """The layers, in order."""
        return self._pipeline_layers

    def build(self, input_shape):
        """The layers build themselves when they are called."""

    def call(self, inputs, training=True, mask=None):
        for layer in self._pipeline_layers:
            inputs = layer(inputs) if training is None or layer._training_at is None else layer(inputs, training=training)
        return inputs

    def get_config(self):
        from cnncore.saving import serialize_keras_object

        return {"name": self.name, "layers": serialize_keras_object(self._pipeline_layers)}

    @classmethod
    def from_config(cls, config):
        from cnncore.saving import deserialize_keras_object

        return cls(**{**config, "layers": [layer if isinstance(layer, Layer) else deserialize_keras_object(layer)
                                           for layer in config["layers"]]})
