"""Conv2DTranspose and Conv1DTranspose."""
from cnncore import ops
from cnncore.layers import checks
from cnncore.layers.arguments import take_in
from cnncore.layers.convolution import AnyConvolution


class _Transposed(AnyConvolution):
    """What both share."""

    _what = ("filters", "kernel_size", "strides", "padding", "output_padding", "data_format", "dilation_rate",
             "activation", "use_bias", "kernel_initializer", "kernel_regularizer", "kernel_constraint")
    _fused = kernel = None

    def __init__(self, filters, kernel_size, strides, padding, output_padding, data_format, dilation_rate, activation,
                 use_bias, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
                 activity_regularizer, kernel_constraint, bias_constraint, **kwargs):
        super().__init__(kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias,
                         activity_regularizer=activity_regularizer, **kwargs)
        kind = type(self).__name__
        self.filters = checks.whole(filters, kind, "filters")
        if output_padding is not None:
            output_padding = checks.sizes(output_padding, kind, "output_padding", self._rank, least=0)
            if any(more >= stride for more, stride in zip(output_padding, self.strides)):
                raise ValueError(f"{kind}: output_padding must be smaller than strides. Received: "
                                 f"output_padding={output_padding}, strides={self.strides}")
        self.output_padding = output_padding
        self._only_strides_or_dilation()
        take_in(self, kernel_initializer=kernel_initializer, bias_initializer=bias_initializer,
                kernel_regularizer=kernel_regularizer, bias_regularizer=bias_regularizer,
                kernel_constraint=kernel_constraint, bias_constraint=bias_constraint)

    def _channels(self):
        return self.kernel.shape[-1]

    def _check_window(self, shape):
        """Every input is large enough."""

    def build(self, input_shape):
        self._check(input_shape)
        self.kernel = self._add_kernel("kernel", (*self.kernel_size, self.filters, input_shape[self._channels_at]))
        self._add_bias(self.filters)

    def _images(self, x):
        more = None if self.output_padding is None else self._wide(self.output_padding, 0)
        y = ops.conv2d_transpose(x, self._filters(self.kernel), self._wide(self.strides), self.padding,
                                 self._wide(self.dilation_rate), more)
        return y if self.bias is None else y + self.bias


class Conv2DTranspose(_Transposed):
    """Transposed two-dimensional convolution: each pixel adds a window of filters to a larger image.

    Args:
        filters: number of output channels.
        kernel_size: height and width of the window, one whole number or two.
        strides: pixels of output from one window to the next, one whole number or two.
        padding: 'valid' keeps all that the windows reach, 'same' the input's size times the strides.
        output_padding: rows and columns that are added at the bottom and right, one whole number or two, less than
            `strides`; None for as many as give the sizes above.
        data_format: 'channels_last', by default, or 'channels_first'.
        dilation_rate: pixels from one tap to the next, one whole number or two; 1 where strides are larger than 1.
        activation: name or function applied to the result, or None.
        use_bias: whether to add a bias.
        kernel_initializer, bias_initializer: names or Initializers.
        kernel_regularizer, bias_regularizer, activity_regularizer: Regularizers or None.
        kernel_constraint, bias_constraint: Constraints or None.

    Input shape: (batch, height, width, channels), or (batch, channels, height, width) for 'channels_first'.
    Output shape: the same, with a new height and width, and `filters` channels.

    Raises:
        ValueError: an argument or an input does not fit.

    Example:
        >>> import cnncore, numpy as np
        >>> cnncore.layers.Conv2DTranspose(8, 3, strides=2, padding="same")(np.zeros((1, 7, 7, 4), "float32")).shape
        (1, 14, 14, 8)
    """

    def __init__(self, filters, kernel_size, strides=(1, 1), padding="valid", output_padding=None, data_format=None,
                 dilation_rate=(1, 1), activation=None, use_bias=True, kernel_initializer="glorot_uniform",
                 bias_initializer="zeros", kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None,
                 kernel_constraint=None, bias_constraint=None, **kwargs):
        super().__init__(filters, kernel_size, strides, padding, output_padding, data_format, dilation_rate, activation,
                         use_bias, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
                         activity_regularizer, kernel_constraint, bias_constraint, **kwargs)


class Conv1DTranspose(_Transposed):
    """Transposed one-dimensional convolution: each step adds a window of filters to a longer sequence.

    Args:
        filters: number of output channels.
        kernel_size: steps in the window.
        strides: steps of output from one window to the next.
        padding: 'valid' keeps all that the windows reach, 'same' the input's length times the strides.
        output_padding: steps that are added at the end, less than `strides`; None for as many as give the lengths above.
        data_format: 'channels_last', by default, or 'channels_first'.
        dilation_rate: steps from one tap to the next; 1 where strides are larger than 1.
        activation: name or function applied to the result, or None.
        use_bias: whether to add a bias.
        kernel_initializer, bias_initializer: names or Initializers.
        kernel_regularizer, bias_regularizer, activity_regularizer: Regularizers or None.
        kernel_constraint, bias_constraint: Constraints or None.

    Input shape: (batch, steps, channels), or (batch, channels, steps) for 'channels_first'.
    Output shape: the same, with a new number of steps, and `filters` channels.
    """

    _rank = 1

    def __init__(self, filters, kernel_size, strides=1, padding="valid", output_padding=None, data_format=None,
                 dilation_rate=1, activation=None, use_bias=True, kernel_initializer="glorot_uniform",
                 bias_initializer="zeros", kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None,
                 kernel_constraint=None, bias_constraint=None, **kwargs):
        super().__init__(filters, kernel_size, strides, padding, output_padding, data_format, dilation_rate, activation,
                         use_bias, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
                         activity_regularizer, kernel_constraint, bias_constraint, **kwargs)
