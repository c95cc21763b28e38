"""Conv2D."""
from cnncore import activations, constraints, initializers, ops, regularizers
from cnncore.layers import checks
from cnncore.layers.layer import Layer


class Conv2D(Layer):
    """Two-dimensional convolution.

    Args:
        filters: number of output channels.
        kernel_size: height and width of the window, one whole number or two.
        strides: steps of the window, one whole number or two.
        padding: 'valid' for none, 'same' for as many zeros (more at the bottom and right) as give an output of the
            input's size divided by the strides.
        data_format: None or 'channels_last'.
        dilation_rate: pixels from one tap to the next, one whole number or two.
        groups: 1.
        activation: name or function applied to the result, or None.
        use_bias: whether to add a bias.
        kernel_initializer, bias_initializer: names or Initializers.
        kernel_regularizer, bias_regularizer, activity_regularizer: Regularizers or None.
        kernel_constraint, bias_constraint: Constraints or None.

    Input shape: (batch, height, width, channels).
    Output shape: (batch, new height, new width, filters).

    Raises:
        ValueError: an argument or an input does not fit.

    Example:
        >>> import cnncore, numpy as np
        >>> cnncore.layers.Conv2D(8, 3, activation="relu")(np.zeros((2, 10, 10, 3), "float32")).shape
        (2, 8, 8, 8)
    """

    _takes_one = _casts_inputs = True
    kernel = bias = None

    def __init__(self, filters, kernel_size, strides=(1, 1), padding="valid", data_format=None, dilation_rate=(1, 1),
                 groups=1, activation=None, use_bias=True, kernel_initializer="glorot_uniform",
                 bias_initializer="zeros", kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None,
                 kernel_constraint=None, bias_constraint=None, **kwargs):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.filters = checks.whole(filters, "Conv2D", "filters")
        self.kernel_size = checks.pair(kernel_size, "Conv2D", "kernel_size")
        self.strides = checks.pair(strides, "Conv2D", "strides")
        self.padding = checks.padding(padding, "Conv2D")
        self.data_format = checks.channels_last(data_format, "Conv2D")
        self.dilation_rate = checks.pair(dilation_rate, "Conv2D", "dilation_rate")
        self.groups = checks.whole(groups, "Conv2D", "groups")
        if self.groups != 1:
            raise ValueError(f"Conv2D: every filter sees all channels. Received: groups={groups}; use groups=1")
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError("Conv2D: strides and dilation_rate are not both larger than 1. Received: "
                             f"strides={strides!r}, dilation_rate={dilation_rate!r}; use 1 for one of them")
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)

    def _check(self, shape):
        checks.rank(self, shape, 4, "(batch, height, width, channels)")
        checks.length(self, shape, self.kernel.shape[2] if self.built else None, "channels",
                      "give it images of that many, or use a layer of its own")
        checks.window_fits(self, shape, self.kernel_size, self.dilation_rate, "kernel_size")

    def build(self, input_shape):
        self._check(input_shape)
        self.kernel = self.add_weight((*self.kernel_size, input_shape[3], self.filters), self.kernel_initializer,
                                      regularizer=self.kernel_regularizer, constraint=self.kernel_constraint,
                                      name="kernel")
        if self.use_bias:
            self.bias = self.add_weight((self.filters,), self.bias_initializer, regularizer=self.bias_regularizer,
                                        constraint=self.bias_constraint, name="bias")

    def call(self, inputs):
        fused = "relu" if self.activation is activations.relu else None
        y = ops.conv2d(inputs, self.kernel, self.bias, self.strides, self.padding, self.dilation_rate, fused)
        return y if fused else self.activation(y)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters, "kernel_size": self.kernel_size,
                "strides": self.strides, "padding": self.padding, "data_format": self.data_format,
                "dilation_rate": self.dilation_rate, "groups": self.groups,
                "activation": activations.serialize(self.activation), "use_bias": self.use_bias,
                "kernel_initializer": initializers.serialize(self.kernel_initializer),
                "bias_initializer": initializers.serialize(self.bias_initializer),
                "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
                "bias_regularizer": regularizers.serialize(self.bias_regularizer),
                "activity_regularizer": regularizers.serialize(self.activity_regularizer),
                "kernel_constraint": constraints.serialize(self.kernel_constraint),
                "bias_constraint": constraints.serialize(self.bias_constraint)}
