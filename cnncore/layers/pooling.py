"""Pooling over windows and over whole images."""
from cnncore import ops
from cnncore.layers import checks
from cnncore.layers.layer import Layer


class _Pooling2D(Layer):
    """What both kinds of pooling over windows share."""

    _takes_one = _casts_inputs = True

    def __init__(self, pool_size=(2, 2), strides=None, padding="valid", data_format=None, name=None, **kwargs):
        super().__init__(name=name, **kwargs)
        kind = type(self).__name__
        self.pool_size = checks.pair(pool_size, kind, "pool_size")
        self.strides = self.pool_size if strides is None else checks.pair(strides, kind, "strides")
        self.padding = checks.padding(padding, kind)
        self.data_format = checks.channels_last(data_format, kind)

    def _check(self, shape):
        checks.rank(self, shape, 4, "(batch, height, width, channels)")
        checks.window_fits(self, shape, self.pool_size, (1, 1), "pool_size")

    def get_config(self):
        return {**super().get_config(), "pool_size": self.pool_size, "padding": self.padding, "strides": self.strides,
                "data_format": self.data_format}


class MaxPooling2D(_Pooling2D):
    """The maximum of each window of an image.

    Args:
        pool_size: height and width of the window, one whole number or two.
        strides: steps of the window; `pool_size` by default.
        padding: 'valid' or 'same'.
        data_format: None or 'channels_last'.

    Input shape: (batch, height, width, channels).
    Output shape: (batch, new height, new width, channels).

    Example:
        >>> import cnncore, numpy as np
        >>> cnncore.layers.MaxPooling2D()(np.zeros((1, 6, 6, 3), "float32")).shape
        (1, 3, 3, 3)
    """

    def call(self, inputs):
        return ops.max_pool2d(inputs, self.pool_size, self.strides, self.padding)


class AveragePooling2D(_Pooling2D):
    """The mean of each window of an image; padding does not count.

    Args:
        pool_size: height and width of the window, one whole number or two.
        strides: steps of the window; `pool_size` by default.
        padding: 'valid' or 'same'.
        data_format: None or 'channels_last'.

    Input shape: (batch, height, width, channels).
    Output shape: (batch, new height, new width, channels).
    """

    def __init__(self, pool_size, strides=None, padding="valid", data_format=None, name=None, **kwargs):
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)

    def call(self, inputs):
        return ops.avg_pool2d(inputs, self.pool_size, self.strides, self.padding)


class _GlobalPooling2D(Layer):
    """What both kinds of pooling over whole images share."""

    _takes_one = _casts_inputs = True

    def __init__(self, data_format=None, keepdims=False, **kwargs):
        super().__init__(**kwargs)
        self.data_format = checks.channels_last(data_format, type(self).__name__)
        self.keepdims = bool(keepdims)

    def _check(self, shape):
        checks.rank(self, shape, 4, "(batch, height, width, channels)")

    def call(self, inputs):
        y = self._pool(inputs)
        return ops.reshape(y, (y.shape[0], 1, 1, y.shape[1])) if self.keepdims else y

    def get_config(self):
        return {**super().get_config(), "data_format": self.data_format, "keepdims": self.keepdims}


class GlobalAveragePooling2D(_GlobalPooling2D):
    """The mean of each channel over the whole image.

    Args:
        data_format: None or 'channels_last'.
        keepdims: whether height and width stay, with length 1.

    Input shape: (batch, height, width, channels).
    Output shape: (batch, channels), or (batch, 1, 1, channels) with `keepdims`.
    """

    def _pool(self, inputs):
        return ops.global_avg_pool2d(inputs)


class GlobalMaxPooling2D(_GlobalPooling2D):
    """The maximum of each channel over the whole image.

    Args:
        data_format: None or 'channels_last'.
        keepdims: whether height and width stay, with length 1.

    Input shape: (batch, height, width, channels).
    Output shape: (batch, channels), or (batch, 1, 1, channels) with `keepdims`.
    """

    def _pool(self, inputs):
        return ops.global_max_pool2d(inputs)
