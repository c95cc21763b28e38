"""ChannelShuffle."""
from cnncore import ops
from cnncore.layers import checks
from cnncore.layers.spatial import Spatial


class ChannelShuffle(Spatial):
    """Channels in another order, so that each group of the next convolution sees channels of every group before.

    The first channels of all groups come first, then their second ones, and so on. Keras has no such layer.

    Args:
        groups: number of groups, which divides the number of channels.
        data_format: 'channels_last', by default, or 'channels_first'.

    Input shape: (batch, height, width, channels), or (batch, channels, height, width) for 'channels_first'.
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.

    Example:
        >>> import cnncore, numpy as np
        >>> x = np.arange(6, dtype="float32").reshape(1, 1, 1, 6)
        >>> cnncore.layers.ChannelShuffle(2)(x).numpy().ravel()
        array([0., 3., 1., 4., 2., 5.], dtype=float32)

    Source: Zhang et al., ShuffleNet, 2017 (arXiv:1707.01083).
    """

    def __init__(self, groups, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.groups = checks.whole(groups, "ChannelShuffle", "groups")
        self._set_format(data_format)

    def _check(self, shape):
        super()._check(shape)
        channels = shape[self._channels_at]
        if channels is not None and channels % self.groups:
            raise ValueError(f"{self._described()} takes images whose number of channels groups={self.groups} divides. "
                             f"Received: shape {tuple(shape)} with {channels} channels")

    def _images(self, x):
        channels = x.shape[3]
        x = ops.reshape(x, (*x.shape[:3], self.groups, channels // self.groups))
        return ops.reshape(ops.transpose(x, (0, 1, 2, 4, 3)), (*x.shape[:3], channels))

    def get_config(self):
        return {**super().get_config(), "groups": self.groups, "data_format": self.data_format}
