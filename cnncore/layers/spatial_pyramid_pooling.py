"""SpatialPyramidPooling2D."""
from cnncore import ops
from cnncore.layers import checks
from cnncore.layers.spatial import Spatial


class SpatialPyramidPooling2D(Spatial):
    """Maxima of windows at several scales, one vector: images of any size become vectors of one length.

    At each level the image is divided into as many rows and columns of windows as the level says, and the maximum of
    each window remains. Windows overlap where they cannot divide the image. Keras has no such layer.

    Args:
        levels: for each level the number of rows, and of columns, of windows.
        data_format: 'channels_last', by default, or 'channels_first'.

    Input shape: (batch, height, width, channels), or (batch, channels, height, width) for 'channels_first'.
    Output shape: (batch, windows * channels) where `windows` is the sum of the squares of the levels. Levels follow each
        other, in each the rows of windows, in each window its channels, whatever the data format.

    Raises:
        ValueError: an argument or an input does not fit.

    Example:
        >>> import cnncore, numpy as np
        >>> pool = cnncore.layers.SpatialPyramidPooling2D((3, 2, 1))
        >>> pool(np.zeros((2, 13, 10, 5), "float32")).shape, pool(np.zeros((2, 40, 60, 5), "float32")).shape
        ((2, 70), (2, 70))

    Source: He, Zhang, Ren & Sun, Spatial Pyramid Pooling in Deep Convolutional Networks for Visual Recognition, 2014
    (arXiv:1406.4729).
    """

    def __init__(self, levels=(6, 3, 2, 1), data_format=None, **kwargs):
        super().__init__(**kwargs)
        kind = type(self).__name__
        if not isinstance(levels, (list, tuple)) or not levels:
            raise ValueError(f"{kind}: levels is a list of whole numbers, one for each level. Received: "
                             f"levels={levels!r}; use (6, 3, 2, 1), say")
        self.levels = tuple(checks.whole(level, kind, "each of levels") for level in levels)
        if sum(self.levels) > 1024:
            raise ValueError(f"{kind}: levels add up to at most 1,024. Received: {sum(self.levels):,}")
        self._set_format(data_format)

    def _images(self, x):
        pooled = [ops.adaptive_max_pool(x, level) for level in self.levels]
        vectors = [ops.reshape(y, (y.shape[0], y.shape[1] * y.shape[2] * y.shape[3])) for y in pooled]
        return vectors[0] if len(vectors) == 1 else ops.concatenate(vectors, 1)

    def compute_output_shape(self, input_shape):
        channels = input_shape[self._channels_at]
        return input_shape[0], None if channels is None else channels * sum(level * level for level in self.levels)

    def get_config(self):
        return {**super().get_config(), "levels": self.levels, "data_format": self.data_format}
