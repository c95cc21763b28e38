"""DepthwiseConv2D and DepthwiseConv1D."""
from cnncore import ops
from cnncore.layers import checks
from cnncore.layers.arguments import take_in
from cnncore.layers.convolution import AnyConvolution


class _Depthwise(AnyConvolution):
    """What both share."""

    _what = ("kernel_size", "strides", "padding", "depth_multiplier", "data_format", "dilation_rate", "activation",
             "use_bias", "depthwise_initializer", "depthwise_regularizer", "depthwise_constraint")
    kernel = None

    def __init__(self, kernel_size, strides, padding, depth_multiplier, data_format, dilation_rate, activation,
                 use_bias, depthwise_initializer, bias_initializer, depthwise_regularizer, bias_regularizer,
                 activity_regularizer, depthwise_constraint, bias_constraint, **kwargs):
        super().__init__(kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
                         activity_regularizer=activity_regularizer, **kwargs)
        self.depth_multiplier = checks.whole(depth_multiplier, type(self).__name__, "depth_multiplier")
        take_in(self, depthwise_initializer=depthwise_initializer, bias_initializer=bias_initializer,
                depthwise_regularizer=depthwise_regularizer, bias_regularizer=bias_regularizer,
                depthwise_constraint=depthwise_constraint, bias_constraint=bias_constraint)

    def build(self, input_shape):
        self._check(input_shape)
        channels = input_shape[self._channels_at]
        self.kernel = self._add_kernel("kernel", (*self.kernel_size, channels, self.depth_multiplier), "depthwise")
        self._add_bias(channels * self.depth_multiplier)

    def _images(self, x):
        return ops.depthwise_conv2d(x, self._filters(self.kernel), self.bias, self._wide(self.strides), self.padding,
                                    self._wide(self.dilation_rate), self._fused)


class DepthwiseConv2D(_Depthwise):
    """Two-dimensional convolution of each channel by filters of its own.

    Args:
        kernel_size: height and width of the window, one whole number or two.
        strides: steps of the window, one whole number or two.
        padding: 'valid' for none, 'same' for as many zeros (more at the bottom and right) as give an output of the
            input's size divided by the strides.
        depth_multiplier: filters of each channel, and so output channels for each.
        data_format: 'channels_last', by default, or 'channels_first'.
        dilation_rate: pixels from one tap to the next, one whole number or two.
        activation: name or function applied to the result, or None.
        use_bias: whether to add a bias.
        depthwise_initializer, bias_initializer: names or Initializers.
        depthwise_regularizer, bias_regularizer, activity_regularizer: Regularizers or None.
        depthwise_constraint, bias_constraint: Constraints or None.

    Input shape: (batch, height, width, channels), or (batch, channels, height, width) for 'channels_first'.
    Output shape: the same, with a new height and width, and channels * depth_multiplier channels.

    Raises:
        ValueError: an argument or an input does not fit.

    Example:
        >>> import cnncore, numpy as np
        >>> cnncore.layers.DepthwiseConv2D(3, depth_multiplier=2)(np.zeros((2, 10, 10, 5), "float32")).shape
        (2, 8, 8, 10)
    """

    def __init__(self, kernel_size, strides=(1, 1), padding="valid", depth_multiplier=1, data_format=None,
                 dilation_rate=(1, 1), activation=None, use_bias=True, depthwise_initializer="glorot_uniform",
                 bias_initializer="zeros", depthwise_regularizer=None, bias_regularizer=None,
                 activity_regularizer=None, depthwise_constraint=None, bias_constraint=None, **kwargs):
        super().__init__(kernel_size, strides, padding, depth_multiplier, data_format, dilation_rate, activation,
                         use_bias, depthwise_initializer, bias_initializer, depthwise_regularizer, bias_regularizer,
                         activity_regularizer, depthwise_constraint, bias_constraint, **kwargs)


class DepthwiseConv1D(_Depthwise):
    """One-dimensional convolution of each channel by filters of its own.

    Args:
        kernel_size: steps in the window.
        strides: steps from one window to the next.
        padding: 'valid' for none, 'same' for as many zeros (more at the end) as give an output of the input's length
            divided by the strides.
        depth_multiplier: filters of each channel, and so output channels for each.
        data_format: 'channels_last', by default, or 'channels_first'.
        dilation_rate: steps from one tap to the next.
        activation: name or function applied to the result, or None.
        use_bias: whether to add a bias.
        depthwise_initializer, bias_initializer: names or Initializers.
        depthwise_regularizer, bias_regularizer, activity_regularizer: Regularizers or None.
        depthwise_constraint, bias_constraint: Constraints or None.

    Input shape: (batch, steps, channels), or (batch, channels, steps) for 'channels_first'.
    Output shape: the same, with a new number of steps, and channels * depth_multiplier channels.
    """

    _rank = 1

    def __init__(self, kernel_size, strides=1, padding="valid", depth_multiplier=1, data_format=None, dilation_rate=1,
                 activation=None, use_bias=True, depthwise_initializer="glorot_uniform", bias_initializer="zeros",
                 depthwise_regularizer=None, bias_regularizer=None, activity_regularizer=None,
                 depthwise_constraint=None, bias_constraint=None, **kwargs):
        super().__init__(kernel_size, strides, padding, depth_multiplier, data_format, dilation_rate, activation,
                         use_bias, depthwise_initializer, bias_initializer, depthwise_regularizer, bias_regularizer,
                         activity_regularizer, depthwise_constraint, bias_constraint, **kwargs)
