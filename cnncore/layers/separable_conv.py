"""SeparableConv2D and SeparableConv1D."""
from cnncore import ops
from cnncore.layers import checks
from cnncore.layers.arguments import take_in
from cnncore.layers.convolution import AnyConvolution


class _Separable(AnyConvolution):
    """What both share."""

    _what = ("depth_multiplier", "filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate",
             "activation", "use_bias", "depthwise_initializer", "pointwise_initializer", "depthwise_regularizer",
             "pointwise_regularizer", "depthwise_constraint", "pointwise_constraint")
    depthwise_kernel = pointwise_kernel = None

    def __init__(self, filters, kernel_size, strides, padding, data_format, dilation_rate, depth_multiplier, activation,
                 use_bias, depthwise_initializer, pointwise_initializer, bias_initializer, depthwise_regularizer,
                 pointwise_regularizer, bias_regularizer, activity_regularizer, depthwise_constraint,
                 pointwise_constraint, bias_constraint, **kwargs):
        super().__init__(kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
                         activity_regularizer=activity_regularizer, **kwargs)
        kind = type(self).__name__
        self.filters = checks.whole(filters, kind, "filters")
        self.depth_multiplier = checks.whole(depth_multiplier, kind, "depth_multiplier")
        take_in(self, depthwise_initializer=depthwise_initializer, pointwise_initializer=pointwise_initializer,
                bias_initializer=bias_initializer, depthwise_regularizer=depthwise_regularizer,
                pointwise_regularizer=pointwise_regularizer, bias_regularizer=bias_regularizer,
                depthwise_constraint=depthwise_constraint, pointwise_constraint=pointwise_constraint,
                bias_constraint=bias_constraint)

    def _channels(self):
        return self.depthwise_kernel.shape[self._rank]

    def build(self, input_shape):
        self._check(input_shape)
        channels, ones = input_shape[self._channels_at], (1,) * self._rank
        self.depthwise_kernel = self._add_kernel(
            "depthwise_kernel", (*self.kernel_size, channels, self.depth_multiplier), "depthwise")
        self.pointwise_kernel = self._add_kernel(
            "pointwise_kernel", (*ones, channels * self.depth_multiplier, self.filters), "pointwise")
        self._add_bias(self.filters)

    def _images(self, x):
        x = ops.depthwise_conv2d(x, self._filters(self.depthwise_kernel), None, self._wide(self.strides), self.padding,
                                 self._wide(self.dilation_rate))
        return ops.conv2d(x, self._filters(self.pointwise_kernel), self.bias, activation=self._fused)


class SeparableConv2D(_Separable):
    """Two-dimensional convolution in two steps: each channel by filters of its own, then a mixture of the results for
    each output channel (Chollet 2017).

    Args:
        filters: number of output channels.
        kernel_size: height and width of the window, one whole number or two.
        strides: steps of the window, one whole number or two.
        padding: 'valid' for none, 'same' for as many zeros (more at the bottom and right) as give an output of the
            input's size divided by the strides.
        data_format: 'channels_last', by default, or 'channels_first'.
        dilation_rate: pixels from one tap to the next, one whole number or two.
        depth_multiplier: filters of each input channel in the first step.
        activation: name or function applied to the result, or None.
        use_bias: whether to add a bias.
        depthwise_initializer, pointwise_initializer, bias_initializer: names or Initializers.
        depthwise_regularizer, pointwise_regularizer, bias_regularizer, activity_regularizer: Regularizers or None.
        depthwise_constraint, pointwise_constraint, bias_constraint: Constraints or None.

    Input shape: (batch, height, width, channels), or (batch, channels, height, width) for 'channels_first'.
    Output shape: the same, with a new height and width, and `filters` channels.

    Raises:
        ValueError: an argument or an input does not fit.

    Example:
        >>> import cnncore, numpy as np
        >>> cnncore.layers.SeparableConv2D(16, 3)(np.zeros((2, 10, 10, 5), "float32")).shape
        (2, 8, 8, 16)
    """

    def __init__(self, filters, kernel_size, strides=(1, 1), padding="valid", data_format=None, dilation_rate=(1, 1),
                 depth_multiplier=1, activation=None, use_bias=True, depthwise_initializer="glorot_uniform",
                 pointwise_initializer="glorot_uniform", bias_initializer="zeros", depthwise_regularizer=None,
                 pointwise_regularizer=None, bias_regularizer=None, activity_regularizer=None,
                 depthwise_constraint=None, pointwise_constraint=None, bias_constraint=None, **kwargs):
        super().__init__(filters, kernel_size, strides, padding, data_format, dilation_rate, depth_multiplier,
                         activation, use_bias, depthwise_initializer, pointwise_initializer, bias_initializer,
                         depthwise_regularizer, pointwise_regularizer, bias_regularizer, activity_regularizer,
                         depthwise_constraint, pointwise_constraint, bias_constraint, **kwargs)


class SeparableConv1D(_Separable):
    """One-dimensional convolution in two steps: each channel by filters of its own, then a mixture of the results for
    each output channel.

    Args:
        filters: number of output channels.
        kernel_size: steps in the window.
        strides: steps from one window to the next.
        padding: 'valid' for none, 'same' for as many zeros (more at the end) as give an output of the input's length
            divided by the strides.
        data_format: 'channels_last', by default, or 'channels_first'.
        dilation_rate: steps from one tap to the next.
        depth_multiplier: filters of each input channel in the first step.
        activation: name or function applied to the result, or None.
        use_bias: whether to add a bias.
        depthwise_initializer, pointwise_initializer, bias_initializer: names or Initializers.
        depthwise_regularizer, pointwise_regularizer, bias_regularizer, activity_regularizer: Regularizers or None.
        depthwise_constraint, pointwise_constraint, bias_constraint: Constraints or None.

    Input shape: (batch, steps, channels), or (batch, channels, steps) for 'channels_first'.
    Output shape: the same, with a new number of steps, and `filters` channels.
    """

    _rank = 1

    def __init__(self, filters, kernel_size, strides=1, padding="valid", data_format=None, dilation_rate=1,
                 depth_multiplier=1, activation=None, use_bias=True, depthwise_initializer="glorot_uniform",
                 pointwise_initializer="glorot_uniform", bias_initializer="zeros", depthwise_regularizer=None,
                 pointwise_regularizer=None, bias_regularizer=None, activity_regularizer=None,
                 depthwise_constraint=None, pointwise_constraint=None, bias_constraint=None, **kwargs):
        super().__init__(filters, kernel_size, strides, padding, data_format, dilation_rate, depth_multiplier,
                         activation, use_bias, depthwise_initializer, pointwise_initializer, bias_initializer,
                         depthwise_regularizer, pointwise_regularizer, bias_regularizer, activity_regularizer,
                         depthwise_constraint, pointwise_constraint, bias_constraint, **kwargs)
