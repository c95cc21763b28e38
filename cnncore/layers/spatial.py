"""Spatial: what layers share that work on the pixels of images, or on the steps of sequences as images of one row."""
from cnncore import ops
from cnncore.layers import checks
from cnncore.layers.layer import Layer

_AXES = {1: ("(batch, steps, channels)", "(batch, channels, steps)"),
         2: ("(batch, height, width, channels)", "(batch, channels, height, width)")}


class Spatial(Layer):
    """A layer that computes `_images(x)` of images (batch, height, width, channels).

    Sequences become images of one row, and channels that come first go last and back.
    """

    _takes_one = _casts_inputs = True
    _rank = 2
    data_format = "channels_last"

    def _set_format(self, data_format):
        self.data_format = checks.data_format(data_format, type(self).__name__)

    @property
    def _channels_at(self):
        return self._rank + 1 if self.data_format == "channels_last" else 1

    def _lengths(self, shape):
        """The lengths of the spatial axes."""
        return shape[1:-1] if self.data_format == "channels_last" else shape[2:]

    def _check(self, shape):
        checks.rank(self, shape, self._rank + 2, _AXES[self._rank][self.data_format == "channels_first"])

    def _wide(self, sizes, other=1):
        """What two-dimensional operations take, where a sequence is an image of one row."""
        return sizes if self._rank == 2 else (other, *sizes)

    def call(self, inputs):
        x = inputs if self.data_format == "channels_last" else ops.moveaxis(inputs, 1, -1)
        if self._rank == 1:
            x = ops.reshape(x, (x.shape[0], 1, *x.shape[1:]))
        y = self._images(x)
        if self._rank == 1 and len(y.shape) == 4:
            y = ops.reshape(y, (y.shape[0], *y.shape[2:]))
        return y if self.data_format == "channels_last" or len(y.shape) == 2 else ops.moveaxis(y, -1, 1)
