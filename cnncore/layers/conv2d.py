"""Conv2D."""
from cnncore.layers.convolution import Convolution


class Conv2D(Convolution):
    """Two-dimensional convolution.

    Args:
        filters: number of output channels.
        kernel_size: height and width of the window, one whole number or two.
        strides: steps of the window, one whole number or two.
        padding: 'valid' for none, 'same' for as many zeros (more at the bottom and right) as give an output of the
            input's size divided by the strides.
        data_format: 'channels_last', by default, or 'channels_first'.
        dilation_rate: pixels from one tap to the next, one whole number or two; 1 where strides are larger than 1.
        groups: parts into which channels and filters are split; each filter sees the channels of its part alone.
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
        >>> cnncore.layers.Conv2D(8, 3, activation="relu")(np.zeros((2, 10, 10, 3), "float32")).shape
        (2, 8, 8, 8)
    """

    def __init__(self, filters, kernel_size, strides=(1, 1), padding="valid", data_format=None, dilation_rate=(1, 1),
                 groups=1, activation=None, use_bias=True, kernel_initializer="glorot_uniform",
                 bias_initializer="zeros", kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None,
                 kernel_constraint=None, bias_constraint=None, **kwargs):
        super().__init__(filters, kernel_size, strides, padding, data_format, dilation_rate, groups, activation,
                         use_bias, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
                         activity_regularizer, kernel_constraint, bias_constraint, **kwargs)
