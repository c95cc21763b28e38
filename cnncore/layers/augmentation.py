"""Layers that flip, turn, zoom, move and crop images at random while a model is trained."""
import math

import numpy as np

from cnncore import ops
from cnncore.layers import checks
from cnncore.layers.preprocessing import _with_size
from cnncore.layers.random_image import RandomImageLayer, WarpingLayer, bounds, one_of, warp
from cnncore.ops import image
from cnncore.ops.random import random_uniform
from cnncore.random import next_seed


class RandomFlip(RandomImageLayer):
    """Mirrors half of the images.

    Args:
        mode: 'horizontal' for left to right, 'vertical' for upside down, 'horizontal_and_vertical' for both at once.
        seed: integer, or None to draw one.
        data_format: 'channels_last', the default, or 'channels_first'.

    Input shape: (batch, height, width, channels) or (height, width, channels).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.

    Example:
        >>> import cnncore, numpy as np
        >>> layer = cnncore.layers.RandomFlip("horizontal")
        >>> layer(np.ones((2, 4, 4, 1), "float32")).shape
        (2, 4, 4, 1)
    """

    def __init__(self, mode="horizontal_and_vertical", seed=None, data_format=None, **kwargs):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.mode = one_of(mode, ("horizontal", "vertical", "horizontal_and_vertical"), "RandomFlip", "mode")

    def _draw(self, x):
        flips = ops.cast(self._uniform(x, 0, 1) <= 0.5, "float32")
        down = flips if "vertical" in self.mode else 0.0
        across = flips if "horizontal" in self.mode else 0.0
        return [1 - 2 * down, 0, down * (x.shape[1] - 1), 0, 1 - 2 * across, across * (x.shape[2] - 1)]

    def _change(self, x, drawn):
        return warp(x, drawn, order=0)

    _change_masks = _change

    def get_config(self):
        return {**super().get_config(), "mode": self.mode}


class RandomRotation(WarpingLayer):
    """Turns images by random angles.

    Args:
        factor: the largest angle, as a part of a full turn: 0.1 for 36 degrees either way; or the smallest and the
            largest.
        fill_mode: what stands around the image: 'reflect' the image mirrored, 'constant' fill_value, 'nearest' its
            outermost pixels, 'wrap' the image again.
        interpolation: 'bilinear' or 'nearest'.
        seed: integer, or None to draw one.
        fill_value: the value for 'constant'.
        data_format: 'channels_last', the default, or 'channels_first'.

    Input shape: (batch, height, width, channels) or (height, width, channels).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(self, factor, fill_mode="reflect", interpolation="bilinear", seed=None, fill_value=0.0,
                 data_format=None, **kwargs):
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.factor = bounds(factor, "RandomRotation", "factor")

    def _draw(self, x):
        angle = self._uniform(x, *(2 * math.pi * part for part in self.factor))
        cos, sin = ops.cos(angle), ops.sin(angle)
        cy, cx = (x.shape[1] - 1) / 2, (x.shape[2] - 1) / 2
        return [cos, sin, cy - cx * sin - cy * cos, -sin, cos, cx - cx * cos + cy * sin]

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


class RandomZoom(WarpingLayer):
    """Zooms images at random.

    Args:
        height_factor: the largest change of the height, a part of it, or the smallest and the largest: 0.2 for zooming
            from 20 % in to 20 % out. Negative numbers zoom in.
        width_factor: likewise for the width; None keeps the proportions.
        fill_mode, interpolation, seed, fill_value, data_format: see `RandomRotation`.

    Input shape: (batch, height, width, channels) or (height, width, channels).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(self, height_factor, width_factor=None, fill_mode="reflect", interpolation="bilinear", seed=None,
                 fill_value=0.0, data_format=None, **kwargs):
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        least = math.nextafter(-1, 0)  # a zoom by all of the height would leave nothing
        self.height_factor, self.width_factor = height_factor, width_factor
        self._height = bounds(height_factor, "RandomZoom", "height_factor", -1 if np.ndim(height_factor) == 0 else least)
        self._width = None if width_factor is None else bounds(width_factor, "RandomZoom", "width_factor",
                                                                -1 if np.ndim(width_factor) == 0 else least)

    def _draw(self, x):
        zy = self._uniform(x, *(1 + part for part in self._height))
        zx = zy if self._width is None else self._uniform(x, *(1 + part for part in self._width))
        return [zy, 0, (1 - zy) * ((x.shape[1] - 1) / 2), 0, zx, (1 - zx) * ((x.shape[2] - 1) / 2)]

    def get_config(self):
        return {**super().get_config(), "height_factor": self.height_factor, "width_factor": self.width_factor}


class RandomTranslation(WarpingLayer):
    """Moves images at random.

    Args:
        height_factor: the farthest move down or up, a part of the height, or the two limits; positive numbers move down.
        width_factor: the farthest move to the sides, likewise; positive numbers move right.
        fill_mode, interpolation, seed, fill_value, data_format: see `RandomRotation`.

    Input shape: (batch, height, width, channels) or (height, width, channels).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(self, height_factor, width_factor, fill_mode="reflect", interpolation="bilinear", seed=None,
                 fill_value=0.0, data_format=None, **kwargs):
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.height_factor, self.width_factor = height_factor, width_factor
        self._height = bounds(height_factor, "RandomTranslation", "height_factor")
        self._width = bounds(width_factor, "RandomTranslation", "width_factor")

    def _draw(self, x):
        dy = self._uniform(x, *self._height) * x.shape[1]
        dx = self._uniform(x, *self._width) * x.shape[2]
        return [1, 0, -dy, 0, 1, -dx]

    def get_config(self):
        return {**super().get_config(), "height_factor": self.height_factor, "width_factor": self.width_factor}


class RandomCrop(RandomImageLayer):
    """Cuts a part out of images, at the same random place in all images of a batch.

    Images that are no larger than it are resized, and so are all images outside of training, where the middle of the
    right proportions is taken.

    Args:
        height, width: size of the part.
        seed: integer, or None to draw one.
        data_format: 'channels_last', the default, or 'channels_first'.

    Input shape: (batch, height, width, channels) or (height, width, channels).
    Output shape: the same with the new size.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(self, height, width, seed=None, data_format=None, name=None, **kwargs):
        seed = next_seed() % 2**31 if seed is None else seed  # which its configuration keeps, as Keras's does
        super().__init__(seed=seed, data_format=data_format, name=name, **kwargs)
        self.height = checks.whole(height, "RandomCrop", "height")
        self.width = checks.whole(width, "RandomCrop", "width")

    def call(self, inputs, training=True):
        images = inputs["images"] if isinstance(inputs, dict) else inputs
        length, width = images.shape[-3:-1] if self.data_format == "channels_last" else images.shape[-2:]
        if training and length > self.height and width > self.width:
            return super().call(inputs, training)

        def resized(x, method):
            return image.resize(x, (self.height, self.width), method, crop_to_aspect_ratio=True,
                                data_format=self.data_format)

        if not isinstance(inputs, dict):
            return resized(ops.cast(images, "float32"), "bilinear")
        changed = {**inputs, "images": resized(ops.cast(images, "float32"), "bilinear")}
        if "segmentation_masks" in inputs:
            changed["segmentation_masks"] = resized(inputs["segmentation_masks"], "nearest")
        return changed

    def _draw(self, x):
        top, left = (ops.floor(random_uniform((1,), self._state, 0, length - size + 1))
                     for length, size in ((x.shape[1], self.height), (x.shape[2], self.width)))
        top, left = (ops.broadcast_to(start, (x.shape[0],)) for start in (top, left))
        return [1, 0, top, 0, 1, left]

    def _change(self, x, drawn):
        return warp(x, drawn, order=0, size=(self.height, self.width))

    _change_masks = _change

    def compute_output_shape(self, input_shape):
        if isinstance(input_shape, dict):
            return {key: self.compute_output_shape(shape) if key != "labels" else tuple(shape)
                    for key, shape in input_shape.items()}
        return _with_size(input_shape, self.height, self.width, self.data_format)

    def get_config(self):
        return {**super().get_config(), "height": self.height, "width": self.width}
