"""Layers that spread the values of images by how often they occur: AutoContrast, Equalization and its adaptive form."""
import numpy as np

from cnncore import ops
from cnncore.layers import checks
from cnncore.layers.random_image import ChangingLayer, between, value_bounds
from cnncore.ops.indexing import segment_sum
from cnncore.ops.order import cumsum
from cnncore.tensor import convert


class AutoContrast(ChangingLayer):
    """Stretches each channel of an image so that its values go from the smallest to the largest there is; outside of
    training too.

    Args:
        value_range: the smallest and the largest value that images have.

    Input shape: (batch, height, width, channels) or (height, width, channels).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.

    Example:
        >>> import cnncore, numpy as np
        >>> cnncore.layers.AutoContrast()(np.array([[[50.0], [100.0]]])).numpy().ravel()
        array([  0., 255.], dtype=float32)
    """

    _only_in_training = False

    def __init__(self, value_range=(0, 255), **kwargs):
        super().__init__(**kwargs)
        self.value_range = value_bounds(value_range, "AutoContrast")

    def _change(self, x, drawn):
        low, high = self.value_range
        least, most = ops.min(x, axis=(1, 2), keepdims=True), ops.max(x, axis=(1, 2), keepdims=True)
        flat = least == most
        scale = (high - low) / ops.where(flat, 1.0, most - least)
        return ops.where(flat, x, ops.clip((x - least) * scale + low, low, high))

    def get_config(self):
        return {**super().get_config(), "value_range": self.value_range}


def _counted(levels, groups, bins):
    """How often each level occurs in each of so many groups: (groups, bins), from levels (..., groups), int32.

    Counts are exact up to 2^24 of a level.
    """
    starts = convert(np.arange(groups, dtype="int32") * bins)
    ones = ops.convert_to_tensor(np.ones(levels.shape, "float32"))
    return ops.reshape(segment_sum(ones, levels + starts, groups * bins), (groups, bins))


def _looked_up(table, levels):
    """table[group, level] for levels (..., groups), int32."""
    groups, bins = table.shape
    starts = convert(np.arange(groups, dtype="int32") * bins)
    return ops.take(ops.reshape(table, (-1,)), levels + starts)


class Equalization(ChangingLayer):
    """While training, spreads the values of each channel so that all are about as frequent. As in Keras, the values of all
    images of a batch are counted together.

    Args:
        value_range: the smallest and the largest value that images have.
        bins: levels that values are counted by.
        data_format: 'channels_last', the default, or 'channels_first'.

    Input shape: (batch, height, width, channels) or (height, width, channels).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(self, value_range=(0, 255), bins=256, data_format=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.bins = checks.whole(bins, "Equalization", "bins")
        self.value_range = value_bounds(value_range, "Equalization")

    def _change(self, x, drawn):
        bins, channels = self.bins, x.shape[-1]
        x = between(x, self.value_range, (0, 255))
        levels = ops.cast(ops.clip(x * ((bins - 1) / 255), 0, bins - 1), "int32")
        below = cumsum(_counted(levels, channels, bins), axis=1)
        count = below[:, -1:]
        # Levels before the first that occurs have a sum of 0, and the first one the smallest above.
        first = ops.min(ops.where(below > 0, below, count), axis=1, keepdims=True)
        table = ops.round((below - first) * 255.0 / ops.where(count == first, 1.0, count - first))
        y = _looked_up(ops.clip(table, 0, 255), levels)
        return between(ops.where(ops.reshape(count == first, (channels,)), x, y), (0, 255), self.value_range)

    def get_config(self):
        return {**super().get_config(), "bins": self.bins, "value_range": self.value_range}


class ContrastLimitedAdaptiveHistogramEqualization(ChangingLayer):
    """Spreads the values of images tile by tile, so that contrast rises where there is little (Pizer et al. 1987); outside
    of training too.

    Args:
        value_range: the smallest and the largest value that images have.
        clip_limit: how many times as often as the mean a value may count, which keeps noise from being spread; 0 for as
            often as it occurs.
        tile_grid_size: rows and columns of tiles.
        data_format: 'channels_last', the default, or 'channels_first'.

    Input shape: (batch, height, width, channels) or (height, width, channels).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    _only_in_training = False
    _keeps_dtype = True

    def __init__(self, value_range=(0, 255), clip_limit=4.0, tile_grid_size=(8, 8), data_format=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        kind = type(self).__name__
        self.value_range = value_bounds(value_range, kind)
        self.clip_limit = checks.number(clip_limit, kind, "clip_limit")
        self.tile_grid_size = checks.sizes(tile_grid_size, kind, "tile_grid_size")
        if max(self.tile_grid_size) > 256:
            raise ValueError(f"{kind}: tile_grid_size is at most 256 each way. Received: tile_grid_size={tile_grid_size!r}")

    def _change(self, x, drawn):
        x = between(x, self.value_range, (0, 255))
        batch, height, width, channels = x.shape
        rows, columns = self.tile_grid_size
        tile_h, tile_w = -(-height // rows), -(-width // columns)
        x = ops.pad(x, ((0, 0), (0, tile_h * rows - height), (0, tile_w * columns - width), (0, 0)), "symmetric")
        levels = ops.cast(ops.clip(x, 0, 255), "int32")
        tiles = ops.reshape(levels, (batch, rows, tile_h, columns, tile_w, channels))
        tiles = ops.transpose(tiles, (2, 4, 0, 1, 3, 5))
        groups = batch * rows * columns * channels
        table = self._tables(ops.reshape(tiles, (-1, groups)), groups, tile_h * tile_w)
        table = ops.reshape(table, (batch, rows, columns, channels, 256))
        y = self._between_tiles(table, levels, tile_h, tile_w)
        return between(y[:, :height, :width], (0, 255), self.value_range)

    def _tables(self, levels, groups, size):
        """What becomes of each level in each tile: (groups, 256)."""
        counts = _counted(levels, groups, 256)
        if self.clip_limit > 0:
            kept = ops.clip(counts, 0, self.clip_limit * size / 256)
            counts = kept + ops.sum(counts - kept, axis=1, keepdims=True) / 256.0
        below = cumsum(counts, axis=1)
        first = ops.min(below, axis=1, keepdims=True)
        rest = size - first
        return ops.clip((below - first) * 255.0 / ops.where(rest == 0, 1.0, rest), 0, 255)

    def _between_tiles(self, table, levels, tile_h, tile_w):
        """Each pixel by the tables of the four tiles whose middles are around it, those at the border repeated."""
        batch, rows, columns, channels, _ = table.shape
        top, down = _neighbours(levels.shape[1], tile_h, rows)
        left, right = _neighbours(levels.shape[2], tile_w, columns)
        flat, y = ops.reshape(table, (-1,)), None
        image = np.arange(batch)[:, None, None, None] * (rows * columns * channels * 256)
        channel = np.arange(channels)[None, None, None, :] * 256
        for row, row_part in (top, down):
            for column, column_part in (left, right):
                tile = (row[:, None] * columns + column[None]) * (channels * 256)
                at = convert(np.ascontiguousarray(image + channel + tile[None, :, :, None], "int32"))
                part = convert((row_part[:, None] * column_part).astype("float32")[None, :, :, None])
                value = ops.take(flat, levels + at) * part
                y = value if y is None else y + value
        return y

    def get_config(self):
        return {**super().get_config(), "value_range": self.value_range, "clip_limit": self.clip_limit,
                "tile_grid_size": self.tile_grid_size}


def _neighbours(length, tile, tiles):
    """((tile before, its part), (tile after, its part)) for each place on an axis, by the middles of tiles."""
    at = (np.arange(length) - tile / 2) / tile
    before = np.floor(at).astype(int)
    part = at - before
    return (np.clip(before, 0, tiles - 1), 1 - part), (np.clip(before + 1, 0, tiles - 1), part)
