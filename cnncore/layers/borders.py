"""Layers that add a border of zeros around images and sequences, and that cut a border off."""
from cnncore import ops
from cnncore.layers import checks
from cnncore.layers.spatial import Spatial


class _Border(Spatial):
    """What adding and cutting borders share: no computing, so that any dtype passes."""

    _casts_inputs = False

    def _spatial_axes(self):
        return range(1, 1 + self._rank) if self.data_format == "channels_last" else range(2, 2 + self._rank)


class _ZeroPadding(_Border):
    def call(self, inputs):
        widths = [(0, 0)] * (self._rank + 2)
        for axis, width in zip(self._spatial_axes(), self._widths):
            widths[axis] = width
        y = ops.pad(inputs, widths)
        return y if inputs.dtype == "float32" else ops.cast(y, inputs.dtype)

    def get_config(self):
        return {**super().get_config(), "padding": self.padding, "data_format": self.data_format}


class ZeroPadding2D(_ZeroPadding):
    """Zeros around images.

    Args:
        padding: pixels on every side; or (rows above and below, columns left and right); or
            ((above, below), (left, right)).
        data_format: 'channels_last', by default, or 'channels_first'.

    Input shape: (batch, height, width, channels), or (batch, channels, height, width) for 'channels_first'.
    Output shape: the same, with a larger height and width.

    Raises:
        ValueError: an argument or an input does not fit.

    Example:
        >>> import cnncore, numpy as np
        >>> cnncore.layers.ZeroPadding2D(((1, 0), (2, 3)))(np.ones((1, 4, 4, 3), "float32")).shape
        (1, 5, 9, 3)
    """

    def __init__(self, padding=(1, 1), data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.padding = self._widths = checks.edges(padding, "ZeroPadding2D", "padding")
        self._set_format(data_format)


class ZeroPadding1D(_ZeroPadding):
    """Zeros before and after sequences.

    Args:
        padding: steps on both sides, or (before, after).
        data_format: 'channels_last', by default, or 'channels_first'.

    Input shape: (batch, steps, channels), or (batch, channels, steps) for 'channels_first'.
    Output shape: the same, with more steps.
    """

    _rank = 1

    def __init__(self, padding=1, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self._widths = checks.edges(padding, "ZeroPadding1D", "padding", 1)
        self.padding = self._widths[0]
        self._set_format(data_format)


class _Cropping(_Border):
    def _check(self, shape):
        super()._check(shape)
        for length, width in zip(self._lengths(shape), self._widths):
            if length is not None and sum(width) >= length:
                raise ValueError(f"{self._described()} cuts off cropping={self.cropping}, which must leave something. "
                                 f"Received: shape {tuple(shape)}; crop less, or give it larger inputs")

    def call(self, inputs):
        index = [slice(None)] * (self._rank + 2)
        for axis, (before, after) in zip(self._spatial_axes(), self._widths):
            index[axis] = slice(before, inputs.shape[axis] - after)
        return ops.getitem(inputs, tuple(index))

    def get_config(self):
        own = {"cropping": self.cropping}
        return {**super().get_config(), **own} if self._rank == 1 else {**super().get_config(), **own,
                                                                       "data_format": self.data_format}


class Cropping2D(_Cropping):
    """Images without their borders.

    Args:
        cropping: pixels on every side; or (rows above and below, columns left and right); or
            ((above, below), (left, right)).
        data_format: 'channels_last', by default, or 'channels_first'.

    Input shape: (batch, height, width, channels), or (batch, channels, height, width) for 'channels_first'.
    Output shape: the same, with a smaller height and width.

    Raises:
        ValueError: an argument does not fit, or nothing would be left of an input.

    Example:
        >>> import cnncore, numpy as np
        >>> cnncore.layers.Cropping2D(((2, 2), (4, 4)))(np.ones((1, 28, 28, 3), "float32")).shape
        (1, 24, 20, 3)
    """

    def __init__(self, cropping=((0, 0), (0, 0)), data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.cropping = self._widths = checks.edges(cropping, "Cropping2D", "cropping")
        self._set_format(data_format)


class Cropping1D(_Cropping):
    """Sequences without their ends.

    Args:
        cropping: steps on both sides, or (before, after).

    Input shape: (batch, steps, channels).
    Output shape: the same, with fewer steps.
    """

    _rank = 1

    def __init__(self, cropping=(1, 1), **kwargs):
        super().__init__(**kwargs)
        self._widths = checks.edges(cropping, "Cropping1D", "cropping", 1)
        self.cropping = self._widths[0]
