"""Layers around a layer: Wrapper and SpectralNormalization."""
from cnncore import executor, initializers, ops
from cnncore.layers import checks
from cnncore.layers.layer import Layer


class Wrapper(Layer):
    """What layers around another layer begin with: they hold it, build it and save it.

    Args:
        layer: the `Layer` inside.

    Raises:
        ValueError: it is no layer.
    """

    def __init__(self, layer, **kwargs):
        if not isinstance(layer, Layer):
            raise ValueError(f"{type(self).__name__} wraps a layer. Received: layer={layer!r:.200}")
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape=None):
        self.layer._build_once(input_shape)

    def get_config(self):
        from cnncore.saving import serialize_keras_object

        return {**super().get_config(), "layer": serialize_keras_object(self.layer)}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        from cnncore.saving import deserialize_keras_object

        config = dict(config)
        layer = config.pop("layer")
        if not isinstance(layer, Layer):
            layer = deserialize_keras_object(layer, custom_objects=custom_objects)
        return cls(layer, **config)


class SpectralNormalization(Wrapper):
    """While training, scales the kernel of the layer inside so that its largest singular value is about 1 (Miyato,
    Kataoka, Koyama and Yoshida 2018).

    The singular value is estimated by power iteration, which goes on from step to step.

    Args:
        layer: a layer with a `kernel`, such as `Conv2D` or `Dense`.
        power_iterations: iterations in each step.

    Input shape: what the layer takes.
    Output shape: what the layer gives.

    Raises:
        ValueError: an argument does not fit, or the layer has no kernel.

    Example:
        >>> import cnncore, numpy as np
        >>> layer = cnncore.layers.SpectralNormalization(cnncore.layers.Dense(3))
        >>> layer(np.ones((2, 4), "float32"), training=True).shape
        (2, 3)
    """

    def __init__(self, layer, power_iterations=1, **kwargs):
        super().__init__(layer, **kwargs)
        self.power_iterations = checks.whole(power_iterations, "SpectralNormalization", "power_iterations")

    def build(self, input_shape):
        super().build(input_shape)
        if getattr(self.layer, "kernel", None) is None:
            raise ValueError(f"{self._described()} normalizes a layer's kernel. Received: {self.layer!r}, which has none")
        self.kernel = self.layer.kernel
        self.vector_u = self.add_weight((1, self.kernel.shape[-1]), initializers.TruncatedNormal(stddev=0.02),
                                        trainable=False, name="vector_u")

    def call(self, inputs, training=False):
        if training:
            with executor.no_grad():
                self._normalize()
        return self.layer(inputs)

    def _normalize(self):
        """Moves vector_u on and divides the kernel by its singular value; a kernel of zeros stays."""
        weights, u = ops.reshape(self.kernel, (-1, self.kernel.shape[-1])), self.vector_u
        for _ in range(self.power_iterations):
            v = _unit(ops.matmul(u, ops.transpose(weights)))
            u = _unit(ops.matmul(v, weights))
        sigma = ops.matmul(ops.matmul(v, weights), ops.transpose(u))
        zero = ops.all(self.kernel == 0)
        self.vector_u.assign(ops.where(zero, self.vector_u, u))
        self.kernel.assign(ops.where(zero, self.kernel, self.kernel / ops.reshape(sigma, ())))

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)

    def get_config(self):
        return {**super().get_config(), "power_iterations": self.power_iterations}


def _unit(x):
    """x over its length."""
    return x / ops.sqrt(ops.maximum(ops.sum(ops.square(x)), 1e-12))
