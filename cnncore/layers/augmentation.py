"""Layers that change images at random while a model is trained, and leave them alone otherwise."""
import math
import numbers

import numpy as np

from cnncore import _core, ops
from cnncore.layers import checks
from cnncore.layers.preprocessing import ImageLayer, _with_size
from cnncore.op import apply
from cnncore.ops import image
from cnncore.ops.random import random_uniform
from cnncore.random import SeedGenerator, next_seed
from cnncore.tensor import Tensor, convert


class RandomImageLayer(ImageLayer):
    """What these layers share: random numbers from a counter, so that a recorded step draws anew and its bits do not
    depend on threads; and that they work in training, also where a call does not say."""

    def __init__(self, seed=None, data_format=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.seed = seed
        self.generator = SeedGenerator(seed)
        # [seed, how many times it was used], which the kernel reads and moves on.
        self._state = Tensor._over(_core.Buffer.wrap(self.generator.state))

    def call(self, inputs, training=True):
        if not training:
            return inputs
        x, back = self._batched(inputs)
        return back(self._augment(x))

    def _augment(self, x):
        raise NotImplementedError

    def _uniform(self, x, low, high):
        """One number for each image."""
        return random_uniform((x.shape[0],), self._state, low, high)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def get_config(self):
        return {**super().get_config(), "seed": self.seed, "data_format": self.data_format}


def _bounds(factor, layer, name, least=-1.0, most=1.0):
    """(lower, upper) of a factor: one number for both sides of 0, or two."""
    parts = factor if isinstance(factor, (list, tuple)) else (-abs(factor), abs(factor)) \
        if isinstance(factor, numbers.Real) and not isinstance(factor, bool) else ()
    if len(parts) != 2 or not all(isinstance(p, numbers.Real) and least <= p <= most for p in parts):
        raise ValueError(f"{layer}: {name} is a number, or two, from {least:g} to {most:g}. Received: {name}={factor!r}")
    return tuple(sorted(parts))


def _warp(x, transform, order, fill_mode="nearest", fill_value=0.0, size=None):
    """Images by six numbers each, tensors of shape (batch,) or plain numbers; see `ops.image.Affine`."""
    batch = x.shape[0]
    columns = [ops.reshape(t, (batch, 1)) if isinstance(t, Tensor) else
               convert(np.full((batch, 1), t, "float32")) for t in transform]
    t = ops.cast(ops.concatenate(columns, axis=1), "float64")
    return apply(image.Affine(order, image.FILLS[fill_mode], fill_value, size), x, t)


class _Warping(RandomImageLayer):
    """What layers that move pixels share: how to fill and to interpolate."""

    def __init__(self, fill_mode, interpolation, seed, fill_value, data_format, **kwargs):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        kind = type(self).__name__
        if fill_mode not in ("reflect", "wrap", "constant", "nearest"):
            raise ValueError(f"{kind}: fill_mode is 'reflect', 'wrap', 'constant' or 'nearest'. Received: "
                             f"fill_mode={fill_mode!r}")
        if interpolation not in ("nearest", "bilinear"):
            raise ValueError(f"{kind}: interpolation is 'nearest' or 'bilinear'. Received: "
                             f"interpolation={interpolation!r}")
        self.fill_mode, self.interpolation, self.fill_value = fill_mode, interpolation, fill_value

    def _augment(self, x):
        order = int(self.interpolation == "bilinear")
        return _warp(x, self._transform(x), order, self.fill_mode, self.fill_value)

    def _transform(self, x):
        raise NotImplementedError

    def get_config(self):
        return {**super().get_config(), "fill_mode": self.fill_mode, "interpolation": self.interpolation,
                "fill_value": self.fill_value}


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
        if mode not in ("horizontal", "vertical", "horizontal_and_vertical"):
            raise ValueError("RandomFlip: mode is 'horizontal', 'vertical' or 'horizontal_and_vertical'. Received: "
                             f"mode={mode!r}")
        self.mode = mode

    def _augment(self, x):
        flips = ops.cast(self._uniform(x, 0, 1) <= 0.5, "float32")
        down = flips if "vertical" in self.mode else 0.0
        across = flips if "horizontal" in self.mode else 0.0
        return _warp(x, [1 - 2 * down, 0, down * (x.shape[1] - 1), 0, 1 - 2 * across, across * (x.shape[2] - 1)], order=0)

    def get_config(self):
        return {**super().get_config(), "mode": self.mode}


class RandomRotation(_Warping):
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
        self.factor = _bounds(factor, "RandomRotation", "factor")

    def _transform(self, x):
        angle = self._uniform(x, *(2 * math.pi * part for part in self.factor))
        cos, sin = ops.cos(angle), ops.sin(angle)
        cy, cx = (x.shape[1] - 1) / 2, (x.shape[2] - 1) / 2
        return [cos, sin, cy - cx * sin - cy * cos, -sin, cos, cx - cx * cos + cy * sin]

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


class RandomZoom(_Warping):
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
        self._height = _bounds(height_factor, "RandomZoom", "height_factor", -1 if np.ndim(height_factor) == 0 else least)
        self._width = None if width_factor is None else _bounds(width_factor, "RandomZoom", "width_factor",
                                                                -1 if np.ndim(width_factor) == 0 else least)

    def _transform(self, x):
        zy = self._uniform(x, *(1 + part for part in self._height))
        zx = zy if self._width is None else self._uniform(x, *(1 + part for part in self._width))
        return [zy, 0, (1 - zy) * ((x.shape[1] - 1) / 2), 0, zx, (1 - zx) * ((x.shape[2] - 1) / 2)]

    def get_config(self):
        return {**super().get_config(), "height_factor": self.height_factor, "width_factor": self.width_factor}


class RandomTranslation(_Warping):
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
        self._height = _bounds(height_factor, "RandomTranslation", "height_factor")
        self._width = _bounds(width_factor, "RandomTranslation", "width_factor")

    def _transform(self, x):
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
        x, back = self._batched(inputs)
        if not training or x.shape[1] <= self.height or x.shape[2] <= self.width:
            return image.resize(inputs, (self.height, self.width), crop_to_aspect_ratio=True,
                                data_format=self.data_format)
        top, left = (ops.floor(random_uniform((1,), self._state, 0, length - size + 1))
                     for length, size in ((x.shape[1], self.height), (x.shape[2], self.width)))
        top, left = (ops.broadcast_to(start, (x.shape[0],)) for start in (top, left))
        return back(_warp(x, [1, 0, top, 0, 1, left], order=0, size=(self.height, self.width)))

    def compute_output_shape(self, input_shape):
        return _with_size(input_shape, self.height, self.width, self.data_format)

    def get_config(self):
        return {**super().get_config(), "height": self.height, "width": self.width}


class RandomContrast(RandomImageLayer):
    """Changes the contrast of images at random: the distance of each value from its channel's mean.

    Args:
        factor: a number f from 0 to 1 for factors from 1 to 1 + f, as in Keras; or two, l and u, for factors from 1 - l
            to 1 + u.
        value_range: the smallest and the largest value that images have; others are cut off.
        seed: integer, or None to draw one.

    Input shape: (batch, height, width, channels) or (height, width, channels).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(self, factor, value_range=(0, 255), seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        if isinstance(factor, (list, tuple)):
            self.factor = _bounds(factor, "RandomContrast", "factor", 0)
        else:
            self.factor = (0.0, checks.number(factor, "RandomContrast", "factor", most=1))
        self.value_range = _range(value_range, "RandomContrast")

    def _augment(self, x):
        factor = ops.reshape(self._uniform(x, 1 - self.factor[0], 1 + self.factor[1]), (x.shape[0], 1, 1, 1))
        mean = ops.mean(x, axis=(1, 2), keepdims=True)
        return ops.clip((x - mean) * factor + mean, *self.value_range)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor, "value_range": self.value_range}


def _range(value_range, layer):
    if not isinstance(value_range, (list, tuple)) or len(value_range) != 2 or not all(
            isinstance(part, numbers.Real) for part in value_range):
        raise ValueError(f"{layer}: value_range is the smallest and the largest value. Received: "
                         f"value_range={value_range!r}")
    return sorted(value_range)


class RandomBrightness(RandomImageLayer):
    """Adds a random number to all values of an image.

    Args:
        factor: the largest number, as a part of the range of values, for both sides of 0; or the smallest and the
            largest.
        value_range: the smallest and the largest value that images have; others are cut off.
        seed: integer, or None to draw one.

    Input shape: (batch, height, width, channels) or (height, width, channels).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(self, factor, value_range=(0, 255), seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.factor = _bounds(factor, "RandomBrightness", "factor")
        self.value_range = _range(value_range, "RandomBrightness")

    def _augment(self, x):
        low, high = self.value_range
        delta = self._uniform(x, *(part * (high - low) for part in self.factor))
        return ops.clip(x + ops.reshape(delta, (x.shape[0], 1, 1, 1)), low, high)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor, "value_range": self.value_range}
