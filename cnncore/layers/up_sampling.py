"""UpSampling2D and UpSampling1D."""
from cnncore.layers import checks
from cnncore.layers.spatial import Spatial
from cnncore.ops import image

_METHODS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")


class UpSampling2D(Spatial):
    """Images made larger by whole factors.

    Args:
        size: the factors of height and width, one whole number or two.
        data_format: 'channels_last', by default, or 'channels_first'.
        interpolation: 'nearest' repeats pixels; 'bilinear', 'bicubic', 'lanczos3' and 'lanczos5' go smoothly from one to
            the next.

    Input shape: (batch, height, width, channels), or (batch, channels, height, width) for 'channels_first'.
    Output shape: the same, with height and width times `size`.

    Raises:
        ValueError: an argument or an input does not fit.

    Example:
        >>> import cnncore, numpy as np
        >>> cnncore.layers.UpSampling2D((2, 3))(np.zeros((1, 4, 4, 3), "float32")).shape
        (1, 8, 12, 3)
    """

    def __init__(self, size=(2, 2), data_format=None, interpolation="nearest", **kwargs):
        super().__init__(**kwargs)
        self.size = checks.sizes(size, "UpSampling2D", "size")
        self._set_format(data_format)
        if not isinstance(interpolation, str) or interpolation.lower() not in _METHODS:
            raise ValueError(f"UpSampling2D: interpolation is one of {', '.join(_METHODS)}. Received: "
                             f"interpolation={interpolation!r}")
        self.interpolation = interpolation.lower()

    def _images(self, x):
        height, width = x.shape[1:3]
        return image.resize(x, (height * self.size[0], width * self.size[1]), self.interpolation)

    def get_config(self):
        return {**super().get_config(), "size": self.size, "data_format": self.data_format,
                "interpolation": self.interpolation}


class UpSampling1D(Spatial):
    """Sequences with each step several times in a row.

    Args:
        size: how often.

    Input shape: (batch, steps, channels).
    Output shape: (batch, steps * size, channels).
    """

    _rank = 1

    def __init__(self, size=2, **kwargs):
        super().__init__(**kwargs)
        self.size = checks.whole(size, "UpSampling1D", "size")

    def _images(self, x):
        return image.resize(x, (1, x.shape[2] * self.size), "nearest") if x.shape[2] else x

    def get_config(self):
        return {**super().get_config(), "size": self.size}
