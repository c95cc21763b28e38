"""Dense."""
import math

from cnncore import activations, constraints, initializers, ops, regularizers
from cnncore.layers import checks
from cnncore.layers.layer import Layer


class Dense(Layer):
    """A fully connected layer: activation(x @ kernel + bias) over the last axis.

    Args:
        units: length of the output's last axis.
        activation: name or function applied to the result, or None.
        use_bias: whether to add a bias.
        kernel_initializer, bias_initializer: names or Initializers.
        kernel_regularizer, bias_regularizer, activity_regularizer: Regularizers or None.
        kernel_constraint, bias_constraint: Constraints or None.
        lora_rank, lora_alpha, quantization_config: None; accepted for compatibility.

    Input shape: (batch, ..., features).
    Output shape: (batch, ..., units).

    Raises:
        ValueError: an argument or an input does not fit.

    Example:
        >>> import cnncore, numpy as np
        >>> cnncore.layers.Dense(3)(np.zeros((2, 5), "float32")).shape
        (2, 3)
    """

    _takes_one = _casts_inputs = True
    kernel = bias = None

    def __init__(self, units, activation=None, use_bias=True, kernel_initializer="glorot_uniform",
                 bias_initializer="zeros", kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None,
                 kernel_constraint=None, bias_constraint=None, lora_rank=None, lora_alpha=None,
                 quantization_config=None, **kwargs):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        if lora_rank is not None or quantization_config is not None:
            raise ValueError("Dense: low-rank adapters and quantization are not offered. Received: "
                             f"lora_rank={lora_rank!r}, quantization_config={quantization_config!r}; leave them out")
        self.units = checks.whole(units, "Dense", "units")
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)

    def _check(self, shape):
        if len(shape) < 2:
            raise ValueError(f"{self._described()} takes inputs of 2 axes or more, (batch, ..., features). Received: "
                             f"shape {tuple(shape)}; a single sample needs a first axis of length 1, x[None]")
        checks.length(self, shape, self.kernel.shape[0] if self.built else None, "features",
                      "put a Flatten layer before it, or give it inputs of that length")

    def build(self, input_shape):
        self._check(input_shape)
        self.kernel = self.add_weight((input_shape[-1], self.units), self.kernel_initializer,
                                      regularizer=self.kernel_regularizer, constraint=self.kernel_constraint,
                                      name="kernel")
        if self.use_bias:
            self.bias = self.add_weight((self.units,), self.bias_initializer, regularizer=self.bias_regularizer,
                                        constraint=self.bias_constraint, name="bias")

    def call(self, inputs, training=None):
        shape = inputs.shape
        fused = "relu" if self.activation is activations.relu else None
        flat = inputs if len(shape) == 2 else ops.reshape(inputs, (math.prod(shape[:-1]), shape[-1]))
        y = ops.dense(flat, self.kernel, self.bias, fused)
        if len(shape) != 2:
            y = ops.reshape(y, (*shape[:-1], self.units))
        return y if fused or self.activation is None else self.activation(y)

    def get_config(self):
        return {**super().get_config(), "units": self.units, "activation": activations.serialize(self.activation),
                "use_bias": self.use_bias, "kernel_initializer": initializers.serialize(self.kernel_initializer),
                "bias_initializer": initializers.serialize(self.bias_initializer),
                "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
                "bias_regularizer": regularizers.serialize(self.bias_regularizer),
                "kernel_constraint": constraints.serialize(self.kernel_constraint),
                "bias_constraint": constraints.serialize(self.bias_constraint), "quantization_config": None}
