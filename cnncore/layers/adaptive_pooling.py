"""Pooling to an output of a given size."""
from cnncore import config, ops
from cnncore.layers import checks
from cnncore.layers.layer import Layer

_AXES = {1: ("(batch, steps, channels)", "(batch, channels, steps)"),
         2: ("(batch, height, width, channels)", "(batch, channels, height, width)")}


class _AdaptivePooling(Layer):
    """What these layers share."""

    _takes_one = _casts_inputs = True
    _rank = 2

    def __init__(self, output_size, data_format=None, **kwargs):
        super().__init__(**kwargs)
        kind = type(self).__name__
        self.output_size = checks.sizes(output_size, kind, "output_size", self._rank)
        self.data_format = checks.data_format(data_format or config.image_data_format(), kind)

    def _check(self, shape):
        checks.rank(self, shape, self._rank + 2, _AXES[self._rank][self.data_format == "channels_first"])

    def call(self, inputs):
        return self._pool(inputs, self.output_size, self.data_format)

    def compute_output_shape(self, input_shape):
        batch, *rest = input_shape
        return (batch, *self.output_size, rest[-1]) if self.data_format == "channels_last" \
            else (batch, rest[0], *self.output_size)

    def get_config(self):
        return {**super().get_config(), "output_size": self.output_size, "data_format": self.data_format}


class AdaptiveAveragePooling1D(_AdaptivePooling):
    """The mean of each of as many windows of a sequence as are asked for; windows overlap where they cannot divide it.

    Args:
        output_size: number of windows, which is the output's number of steps.
        data_format: 'channels_last' or 'channels_first'; None takes `config.image_data_format()`.

    Input shape: (batch, steps, channels), or (batch, channels, steps) for 'channels_first'.
    Output shape: the same, with `output_size` steps.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    _rank = 1

    def __init__(self, output_size, data_format=None, **kwargs):
        super().__init__(output_size, data_format, **kwargs)

    def _pool(self, x, *arguments):
        return ops.adaptive_average_pool(x, *arguments)


class AdaptiveAveragePooling2D(_AdaptivePooling):
    """The mean of each of as many windows of an image as are asked for; windows overlap where they cannot divide it.

    Args:
        output_size: rows and columns of windows, which are the output's height and width; one whole number or two.
        data_format: 'channels_last' or 'channels_first'; None takes `config.image_data_format()`.

    Input shape: (batch, height, width, channels), or (batch, channels, height, width) for 'channels_first'.
    Output shape: the same, of height and width `output_size`.

    Raises:
        ValueError: an argument or an input does not fit.

    Example:
        >>> import cnncore, numpy as np
        >>> cnncore.layers.AdaptiveAveragePooling2D(3)(np.zeros((2, 10, 7, 5), "float32")).shape
        (2, 3, 3, 5)
    """

    def __init__(self, output_size, data_format=None, **kwargs):
        super().__init__(output_size, data_format, **kwargs)

    def _pool(self, x, *arguments):
        return ops.adaptive_average_pool(x, *arguments)


class AdaptiveMaxPooling1D(_AdaptivePooling):
    """The maximum of each of as many windows of a sequence as are asked for; windows overlap where they cannot divide it.

    Args:
        output_size: number of windows, which is the output's number of steps.
        data_format: 'channels_last' or 'channels_first'; None takes `config.image_data_format()`.

    Input shape: (batch, steps, channels), or (batch, channels, steps) for 'channels_first'.
    Output shape: the same, with `output_size` steps.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    _rank = 1

    def __init__(self, output_size, data_format=None, **kwargs):
        super().__init__(output_size, data_format, **kwargs)

    def _pool(self, x, *arguments):
        return ops.adaptive_max_pool(x, *arguments)


class AdaptiveMaxPooling2D(_AdaptivePooling):
    """The maximum of each of as many windows of an image as are asked for; windows overlap where they cannot divide it.

    Args:
        output_size: rows and columns of windows, which are the output's height and width; one whole number or two.
        data_format: 'channels_last' or 'channels_first'; None takes `config.image_data_format()`.

    Input shape: (batch, height, width, channels), or (batch, channels, height, width) for 'channels_first'.
    Output shape: the same, of height and width `output_size`.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(self, output_size, data_format=None, **kwargs):
        super().__init__(output_size, data_format, **kwargs)

    def _pool(self, x, *arguments):
        return ops.adaptive_max_pool(x, *arguments)
