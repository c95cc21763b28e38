"""Conv1D."""
from cnncore.layers.convolution import Convolution


class Conv1D(Convolution):
    """One-dimensional convolution, of sequences.

    Args:
        filters: number of output channels.
        kernel_size: steps in the window.
        strides: steps from one window to the next.
        padding: 'valid' for none, 'same' for as many zeros (more at the end) as give an output of the input's length
            divided by the strides, 'causal' for zeros before the input only, so that no output sees later inputs.
        data_format: 'channels_last', by default, or 'channels_first'.
        dilation_rate: steps from one tap to the next; 1 where strides are larger than 1.
        groups: parts into which channels and filters are split; each filter sees the channels of its part alone.
        activation: name or function applied to the result, or None.
        use_bias: whether to add a bias.
        kernel_initializer, bias_initializer: names or Initializers.
        kernel_regularizer, bias_regularizer, activity_regularizer: Regularizers or None.
        kernel_constraint, bias_constraint: Constraints or None.

    Input shape: (batch, steps, channels), or (batch, channels, steps) for 'channels_first'.
    Output shape: the same, with a new number of steps, and `filters` channels.

    Raises:
        ValueError: an argument or an input does not fit.

    Example:
        >>> import cnncore, numpy as np
        >>> cnncore.layers.Conv1D(32, 3)(np.zeros((4, 10, 128), "float32")).shape
        (4, 8, 32)
    """

    _rank, _causal = 1, True

    def __init__(self, filters, kernel_size, strides=1, padding="valid", data_format=None, dilation_rate=1, groups=1,
                 activation=None, use_bias=True, kernel_initializer="glorot_uniform", bias_initializer="zeros",
                 kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None, kernel_constraint=None,
                 bias_constraint=None, **kwargs):
        super().__init__(filters, kernel_size, strides, padding, data_format, dilation_rate, groups, activation,
                         use_bias, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
                         activity_regularizer, kernel_constraint, bias_constraint, **kwargs)
