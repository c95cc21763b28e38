"""Layers that shear, blur and bend images at random while a model is trained."""
from cnncore import ops
from cnncore.layers import checks
from cnncore.layers.random_image import RandomImageLayer, WarpingLayer, bounds, one_of, value_bounds
from cnncore.ops import image
from cnncore.ops.random import random_normal, random_uniform
from cnncore.ops.sample import blurred, gaussian, pixels, sample, seen_from


class RandomShear(WarpingLayer):
    """Shears images at random, either way.

    Args:
        x_factor: how far rows move sideways, as a part of how far down they are: the largest part, or the smallest and
            the largest; from 0 to 1.
        y_factor: likewise columns downwards.
        interpolation: 'bilinear' or 'nearest'.
        fill_mode: what stands around the image: 'reflect' the image mirrored, 'constant' fill_value, 'nearest' its
            outermost pixels, 'wrap' the image again.
        fill_value: the value for 'constant'.
        data_format: 'channels_last', the default, or 'channels_first'.
        seed: integer, or None to draw one.

    Input shape: (batch, height, width, channels) or (height, width, channels).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(self, x_factor=0.0, y_factor=0.0, interpolation="bilinear", fill_mode="reflect", fill_value=0.0,
                 data_format=None, seed=None, **kwargs):
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.x_factor, self.y_factor = _shear(x_factor, "x_factor"), _shear(y_factor, "y_factor")

    def _draw(self, x):
        side = 1.0 - 2.0 * ops.cast(self._uniform(x, 0, 1) > 0.5, "float32")
        down = self._uniform(x, *self.y_factor) * side
        across = self._uniform(x, *self.x_factor) * side
        return [1, down, 0, across, 1, 0]

    def get_config(self):
        # Keras writes (-f, f) for one number f, which it then does not read.
        given = (factor[1] if factor[0] == -factor[1] else factor for factor in (self.x_factor, self.y_factor))
        return {**super().get_config(), **dict(zip(("x_factor", "y_factor"), given, strict=True))}


def _shear(factor, name):
    """Two numbers from 0 to 1; or (-f, f) for one number f."""
    if isinstance(factor, (list, tuple)) and len(factor) == 2 and factor[0] == -factor[1]:
        factor = factor[1]
    checked = bounds(factor, "RandomShear", name, 0.0)
    return checked if isinstance(factor, (list, tuple)) else (-checked[1], checked[1])


class _Occasional(RandomImageLayer):
    """What layers share that change a random part of the images, by a probability that is drawn."""

    def __init__(self, factor, seed=None, data_format=None, **kwargs):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = bounds(factor, type(self).__name__, "factor", 0.0)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


class RandomGaussianBlur(_Occasional):
    """Blurs a random part of the images by a Gaussian.

    Args:
        factor: how likely that is for an image, from 0 to 1; or two numbers between which that is drawn. One number f
            stands for (0, f), as in Keras.
        kernel_size: width and height of the window, one odd number or two.
        sigma: the Gaussian's largest standard deviation in pixels, from 0 to 1, or the smallest and the largest; it is
            drawn for each axis.
        value_range: the smallest and the largest value that images have; others are cut off.
        data_format: 'channels_last', the default, or 'channels_first'.
        seed: integer, or None to draw one.

    Input shape: (batch, height, width, channels) or (height, width, channels).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(self, factor=1.0, kernel_size=3, sigma=1.0, value_range=(0, 255), data_format=None, seed=None,
                 **kwargs):
        super().__init__(factor, seed, data_format, **kwargs)
        self.kernel_size = checks.sizes(kernel_size, "RandomGaussianBlur", "kernel_size")
        if any(size % 2 == 0 for size in self.kernel_size):
            raise ValueError(f"RandomGaussianBlur: kernel_size must be odd. Received: kernel_size={kernel_size!r}")
        self.sigma = bounds(sigma, "RandomGaussianBlur", "sigma", 0.0)
        self.value_range = value_bounds(value_range, "RandomGaussianBlur")

    def _draw(self, x):
        return self._chosen(x, self.factor), random_uniform((2,), self._state, *self.sigma) + 1e-6

    def _change(self, x, drawn):
        chosen, sigma = drawn
        across, down = (gaussian(size, sigma[i]) for i, size in enumerate(self.kernel_size))
        return ops.clip(ops.where(chosen, blurred(x, down, across), x), *self.value_range)

    def get_config(self):
        return {**super().get_config(), "kernel_size": self.kernel_size, "sigma": self.sigma,
                "value_range": self.value_range}


class RandomPerspective(_Occasional):
    """Shows a random part of the images from another side, as their corners are moved.

    Args:
        factor: how likely that is for an image, from 0 to 1; or two numbers between which that is drawn. One number f
            stands for (0, f), as in Keras.
        scale: how far corners move at most: twice that part of their distance from the top left one; from 0 to 1.
        interpolation: 'bilinear' or 'nearest'.
        fill_value: what stands around the image.
        seed: integer, or None to draw one.
        data_format: 'channels_last', the default, or 'channels_first'.

    Input shape: (batch, height, width, channels) or (height, width, channels).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(self, factor=1.0, scale=1.0, interpolation="bilinear", fill_value=0.0, seed=None, data_format=None,
                 **kwargs):
        super().__init__(factor, seed, data_format, **kwargs)
        self.scale = checks.number(scale, "RandomPerspective", "scale", most=1)
        self.interpolation = one_of(interpolation, ("nearest", "bilinear"), "RandomPerspective", "interpolation")
        self.fill_value = fill_value

    def _draw(self, x):
        chosen = self._chosen(x, self.factor)
        moves = random_uniform((x.shape[0], 4, 2), self._state, -0.5 * self.scale, 0.5 * self.scale)
        right, bottom = x.shape[2] - 1.0, x.shape[1] - 1.0
        corners = ops.convert_to_tensor([[[0.0, 0.0], [right, 0.0], [0.0, bottom], [right, bottom]]])
        start = ops.broadcast_to(ops.cast(corners, "float32"), moves.shape)
        return chosen, start, start + start * moves

    def _warped(self, x, drawn, order):
        chosen, start, end = drawn
        return ops.where(chosen, seen_from(x, start, end, order, self.fill_value), x)

    def _change(self, x, drawn):
        return self._warped(x, drawn, int(self.interpolation == "bilinear"))

    def _change_masks(self, masks, drawn):
        return self._warped(masks, drawn, 0)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale, "interpolation": self.interpolation,
                "fill_value": self.fill_value}


class RandomElasticTransform(_Occasional):
    """Bends a random part of the images, as if they were on rubber (Simard, Steinkraus and Platt 2003).

    Args:
        factor: how likely that is for an image, from 0 to 1; or two numbers between which that is drawn. One number f
            stands for (0, f), as in Keras.
        scale: how strong and how smooth: the largest number, or the smallest and the largest; from 0 to 1.
        interpolation: 'bilinear' or 'nearest'.
        fill_mode: what stands around the image: 'reflect' the image mirrored at its edge, 'mirror' at its outermost
            pixels, 'constant' fill_value, 'nearest' the outermost pixels, 'wrap' the image again.
        fill_value: the value for 'constant'.
        value_range: the smallest and the largest value that images have; others are cut off.
        seed: integer, or None to draw one.
        data_format: 'channels_last', the default, or 'channels_first'.

    Input shape: (batch, height, width, channels) or (height, width, channels).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(self, factor=1.0, scale=1.0, interpolation="bilinear", fill_mode="reflect", fill_value=0.0,
                 value_range=(0, 255), seed=None, data_format=None, **kwargs):
        super().__init__(factor, seed, data_format, **kwargs)
        kind = "RandomElasticTransform"
        self.scale = bounds(scale, kind, "scale", 0.0)
        self.interpolation = one_of(interpolation, ("nearest", "bilinear"), kind, "interpolation")
        self.fill_mode = one_of(fill_mode, tuple(image.FILLS), kind, "fill_mode")
        self.fill_value, self.value_range = fill_value, value_bounds(value_range, kind)

    def _draw(self, x):
        if not self.scale[1] or not self.factor[1]:
            return None
        batch, height, width, _ = x.shape
        chosen = self._chosen(x, self.factor)
        scale = random_uniform((), self._state, *self.scale)
        strength, sigma = scale * (0.1 * max(height, width)), scale * (0.05 * min(height, width))
        # The window that Keras cuts the Gaussian off at, within the largest that it may have.
        half = ops.floor(ops.floor(sigma * 6.0) / 2.0)
        most = int(6 * 0.05 * min(height, width) * self.scale[1]) | 1
        weights = gaussian(most, ops.maximum(sigma, 1e-6), half * 2.0 + 1.0)
        across, down = (blurred(random_normal((batch, height, width, 1), self._state) * sigma, weights, weights)[..., 0]
                        * strength for _ in range(2))
        rows, columns = pixels(height, width)
        return chosen, rows + down, columns + across

    def _warped(self, x, drawn, order):
        if drawn is None:
            return x
        chosen, rows, columns = drawn
        return ops.where(chosen, sample(x, rows, columns, order, image.FILLS[self.fill_mode], self.fill_value), x)

    def _change(self, x, drawn):
        return ops.clip(self._warped(x, drawn, int(self.interpolation == "bilinear")), *self.value_range)

    def _change_masks(self, masks, drawn):
        return self._warped(masks, drawn, 0)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale, "interpolation": self.interpolation,
                "fill_mode": self.fill_mode, "fill_value": self.fill_value, "value_range": self.value_range}
