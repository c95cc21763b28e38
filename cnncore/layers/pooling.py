"""Pooling over windows and over whole images and sequences."""
from cnncore import ops
from cnncore.layers import checks
from cnncore.layers.spatial import Spatial


class _Pooling(Spatial):
    """What pooling over windows shares."""

    def __init__(self, pool_size, strides, padding, data_format, name, **kwargs):
        super().__init__(name=name, **kwargs)
        kind, rank = type(self).__name__, self._rank
        self.pool_size = checks.sizes(pool_size, kind, "pool_size", rank)
        self.strides = self.pool_size if strides is None else checks.sizes(strides, kind, "strides", rank)
        self.padding = checks.padding(padding, kind)
        self._set_format(data_format)

    def _check(self, shape):
        super()._check(shape)
        checks.window_fits(self, shape, self._lengths(shape), self.pool_size, (1,) * self._rank, "pool_size")

    def _images(self, x):
        return self._pool(x, self._wide(self.pool_size), self._wide(self.strides), self.padding)

    def get_config(self):
        return {**super().get_config(), "pool_size": self.pool_size, "padding": self.padding, "strides": self.strides,
                "data_format": self.data_format}


class MaxPooling2D(_Pooling):
    """The maximum of each window of an image.

    Args:
        pool_size: height and width of the window, one whole number or two.
        strides: steps of the window; `pool_size` by default.
        padding: 'valid' or 'same'.
        data_format: 'channels_last', by default, or 'channels_first'.

    Input shape: (batch, height, width, channels), or (batch, channels, height, width) for 'channels_first'.
    Output shape: the same, with a new height and width.

    Example:
        >>> import cnncore, numpy as np
        >>> cnncore.layers.MaxPooling2D()(np.zeros((1, 6, 6, 3), "float32")).shape
        (1, 3, 3, 3)
    """

    def __init__(self, pool_size=(2, 2), strides=None, padding="valid", data_format=None, name=None, **kwargs):
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)

    def _pool(self, x, *window):
        return ops.max_pool2d(x, *window)


class AveragePooling2D(_Pooling):
    """The mean of each window of an image; padding does not count.

    Args:
        pool_size: height and width of the window, one whole number or two.
        strides: steps of the window; `pool_size` by default.
        padding: 'valid' or 'same'.
        data_format: 'channels_last', by default, or 'channels_first'.

    Input shape: (batch, height, width, channels), or (batch, channels, height, width) for 'channels_first'.
    Output shape: the same, with a new height and width.
    """

    def __init__(self, pool_size, strides=None, padding="valid", data_format=None, name=None, **kwargs):
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)

    def _pool(self, x, *window):
        return ops.avg_pool2d(x, *window)


class MaxPooling1D(_Pooling):
    """The maximum of each window of a sequence.

    Args:
        pool_size: steps in the window.
        strides: steps from one window to the next; `pool_size` by default.
        padding: 'valid' or 'same'.
        data_format: 'channels_last', by default, or 'channels_first'.

    Input shape: (batch, steps, channels), or (batch, channels, steps) for 'channels_first'.
    Output shape: the same, with fewer steps.
    """

    _rank = 1

    def __init__(self, pool_size=2, strides=None, padding="valid", data_format=None, name=None, **kwargs):
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)

    def _pool(self, x, *window):
        return ops.max_pool2d(x, *window)


class AveragePooling1D(_Pooling):
    """The mean of each window of a sequence; padding does not count.

    Args:
        pool_size: steps in the window.
        strides: steps from one window to the next; `pool_size` by default.
        padding: 'valid' or 'same'.
        data_format: 'channels_last', by default, or 'channels_first'.

    Input shape: (batch, steps, channels), or (batch, channels, steps) for 'channels_first'.
    Output shape: the same, with fewer steps.
    """

    _rank = 1

    def __init__(self, pool_size, strides=None, padding="valid", data_format=None, name=None, **kwargs):
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)

    def _pool(self, x, *window):
        return ops.avg_pool2d(x, *window)


class _GlobalPooling(Spatial):
    """What pooling over whole images and sequences shares."""

    def __init__(self, data_format=None, keepdims=False, **kwargs):
        super().__init__(**kwargs)
        self._set_format(data_format)
        self.keepdims = bool(keepdims)

    def call(self, inputs):
        y = super().call(inputs)
        if not self.keepdims:
            return y
        ones = (1,) * self._rank
        return ops.reshape(y, (y.shape[0], *ones, y.shape[1]) if self.data_format == "channels_last"
                           else (*y.shape, *ones))

    def get_config(self):
        return {**super().get_config(), "data_format": self.data_format, "keepdims": self.keepdims}


class GlobalAveragePooling2D(_GlobalPooling):
    """The mean of each channel over the whole image.

    Args:
        data_format: 'channels_last', by default, or 'channels_first'.
        keepdims: whether height and width stay, with length 1.

    Input shape: (batch, height, width, channels), or (batch, channels, height, width) for 'channels_first'.
    Output shape: (batch, channels), or (batch, 1, 1, channels) with `keepdims`.
    """

    def _images(self, x):
        return ops.global_avg_pool2d(x)


class GlobalMaxPooling2D(_GlobalPooling):
    """The maximum of each channel over the whole image.

    Args:
        data_format: 'channels_last', by default, or 'channels_first'.
        keepdims: whether height and width stay, with length 1.

    Input shape: (batch, height, width, channels), or (batch, channels, height, width) for 'channels_first'.
    Output shape: (batch, channels), or (batch, 1, 1, channels) with `keepdims`.
    """

    def _images(self, x):
        return ops.global_max_pool2d(x)


class GlobalAveragePooling1D(_GlobalPooling):
    """The mean of each channel over the whole sequence, or over the steps that a mask (batch, steps) lets count.

    Args:
        data_format: 'channels_last', by default, or 'channels_first'.
        keepdims: whether the axis of the steps stays, with length 1.

    Input shape: (batch, steps, channels), or (batch, channels, steps) for 'channels_first'.
    Output shape: (batch, channels), or (batch, 1, channels) with `keepdims`.
    """

    _rank = 1

    def call(self, inputs, mask=None):
        if mask is None:
            return super().call(inputs)
        steps = 3 - self._channels_at
        counted = ops.expand_dims(ops.cast(mask, "float32"), self._channels_at)
        y = ops.sum(inputs * counted, steps, self.keepdims)
        return y / ops.sum(counted, steps, self.keepdims)

    def _images(self, x):
        return ops.global_avg_pool2d(x)


class GlobalMaxPooling1D(_GlobalPooling):
    """The maximum of each channel over the whole sequence.

    Args:
        data_format: 'channels_last', by default, or 'channels_first'.
        keepdims: whether the axis of the steps stays, with length 1.

    Input shape: (batch, steps, channels), or (batch, channels, steps) for 'channels_first'.
    Output shape: (batch, channels), or (batch, 1, channels) with `keepdims`.
    """

    _rank = 1

    def _images(self, x):
        return ops.global_max_pool2d(x)
