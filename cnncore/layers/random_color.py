"""Layers that change the colours of images at random while a model is trained."""
import numpy as np

from cnncore import config, ops
from cnncore.layers import checks
from cnncore.layers.random_image import RandomImageLayer, between, bounds, per_image, value_bounds
from cnncore.ops import color
from cnncore.ops.random import random_uniform
from cnncore.tensor import convert


class _Coloring(RandomImageLayer):
    """What layers share that have a factor and a range of values."""

    _least, _most = -1.0, 1.0  # between which the factor lies

    def __init__(self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        kind = type(self).__name__
        self.factor = bounds(factor, kind, "factor", self._least, self._most)
        self.value_range = value_bounds(value_range, kind)

    def _draw(self, x):
        return per_image(self._uniform(x, *self.factor))

    def get_config(self):
        return {**super().get_config(), "factor": self.factor, "value_range": self.value_range}


class RandomContrast(_Coloring):
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
        super().__init__(0.0, value_range, seed=seed, **kwargs)
        if isinstance(factor, (list, tuple)):
            self.factor = bounds(factor, "RandomContrast", "factor", 0)
        else:
            self.factor = (0.0, checks.number(factor, "RandomContrast", "factor", most=1))

    def _draw(self, x):
        return per_image(self._uniform(x, 1 - self.factor[0], 1 + self.factor[1]))

    def _change(self, x, drawn):
        mean = ops.mean(x, axis=(1, 2), keepdims=True)
        return ops.clip((x - mean) * drawn + mean, *self.value_range)


class RandomBrightness(_Coloring):
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
        super().__init__(factor, value_range, seed=seed, **kwargs)

    def _draw(self, x):
        low, high = self.value_range
        return per_image(self._uniform(x, *(part * (high - low) for part in self.factor)))

    def _change(self, x, drawn):
        return ops.clip(x + drawn, *self.value_range)


class RandomSaturation(_Coloring):
    """Makes the colours of images stronger or greyer at random.

    Args:
        factor: two numbers from 0 to 1, between which one is drawn for each image: 0 makes it grey, 0.5 leaves it, and
            towards 1 its colours become as strong as they can be. One number f stands for (-f, f), as in Keras, where
            what is below 0 makes it grey.
        value_range: the smallest and the largest value that images have.
        data_format: 'channels_last', the default, or 'channels_first'.
        seed: integer, or None to draw one.

    Input shape: (batch, height, width, 3) or (height, width, 3).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def _draw(self, x):
        factor = self._uniform(x, *self.factor)
        return ops.reshape(factor / (1.0 - factor + config.epsilon()), (-1, 1, 1))

    def _change(self, x, drawn):
        hsv = color.rgb_to_hsv(x, "channels_last")
        saturation = ops.clip(hsv[..., 1] * drawn, *self.value_range)
        return color.hsv_to_rgb(ops.stack([hsv[..., 0], saturation, hsv[..., 2]], -1), "channels_last")


class RandomHue(_Coloring):
    """Moves the hue of images at random, either way.

    Args:
        factor: the farthest move, as a part of half of the colour wheel, or the least and the farthest; from 0 to 1.
        value_range: the smallest and the largest value that images have.
        data_format: 'channels_last', the default, or 'channels_first'.
        seed: integer, or None to draw one.

    Input shape: (batch, height, width, 3) or (height, width, 3).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    _least = 0.0

    def _draw(self, x):
        side = 1.0 - 2.0 * ops.cast(self._uniform(x, 0, 1) > 0.5, "float32")
        return ops.reshape(side * self._uniform(x, *self.factor) * 0.5, (-1, 1, 1))

    def _change(self, x, drawn):
        hsv = color.rgb_to_hsv(between(x, self.value_range, (0, 1)), "channels_last")
        hue = hsv[..., 0] + drawn
        hue = ops.where(hue > 1.0, hue - 1.0, hue)
        hue = ops.where(hue < 0.0, hue + 1.0, hue)
        x = color.hsv_to_rgb(ops.stack([hue, hsv[..., 1], hsv[..., 2]], -1), "channels_last")
        return between(ops.clip(x, 0, 1), (0, 1), self.value_range)


class RandomColorDegeneration(_Coloring):
    """Mixes images with their grey levels at random.

    Args:
        factor: two numbers, between which the part of grey is drawn for each image: 0 leaves it, 1 makes it grey. One
            number f stands for (-f, f), as in Keras, where a part below 0 makes colours stronger.
        value_range: the smallest and the largest value that images have; others are cut off.
        data_format: 'channels_last', the default, or 'channels_first'.
        seed: integer, or None to draw one.

    Input shape: (batch, height, width, 3) or (height, width, 3).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def _change(self, x, drawn):
        return ops.clip(x + drawn * (color.rgb_to_grayscale(x, "channels_last") - x), *self.value_range)


class RandomSharpness(_Coloring):
    """Makes images smoother or sharper at random: mixes them with what a 3x3 mean, the middle counting 5 times, makes of
    them.

    Args:
        factor: the largest factor, or the smallest and the largest, from 0 to 1: 0 gives the smooth image, 0.5 leaves
            it, 1 sharpens it.
        value_range: the smallest and the largest value that images have; others are cut off.
        data_format: 'channels_last', the default, or 'channels_first'.
        seed: integer, or None to draw one.

    Input shape: (batch, height, width, channels) or (height, width, channels).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    _least = 0.0

    def _change(self, x, drawn):
        kernel = np.full((3, 3, x.shape[-1], 1), 1 / 13, "float32")
        kernel[1, 1] = 5 / 13
        smooth = ops.depthwise_conv2d(x, convert(kernel), padding="same")
        return ops.clip(x + (1.0 - 2.0 * drawn) * (smooth - x), *self.value_range)


class RandomPosterization(_Coloring):
    """Leaves images a random number of bits: fewer colours.

    Args:
        factor: the largest number of bits, which is drawn from 1 to one less, or the smallest and one more than the
            largest; from 1 to 8. Two equal ones are the number itself.
        value_range: the smallest and the largest value that images have.
        data_format: 'channels_last', the default, or 'channels_first'.
        seed: integer, or None to draw one.

    Input shape: (batch, height, width, channels) or (height, width, channels).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    _least, _most = 1, 8
    _steps = 2.0 ** np.arange(8, -1, -1, dtype="float32")  # from one level to the next, by the number of bits

    def _draw(self, x):
        low, high = self.factor
        if low == high:
            return per_image(convert(np.full(x.shape[0], self._steps[int(low)], "float32")))
        bits = ops.cast(random_uniform((x.shape[0],), self._state, low, high), "int32")
        return per_image(ops.take(convert(self._steps), bits))

    def _change(self, x, drawn):
        levels = ops.cast(ops.cast(between(x, self.value_range, (0, 255)), "uint8"), "float32")
        return between(ops.floor(levels / drawn) * drawn, (0, 255), self.value_range)


class RandomGrayscale(RandomImageLayer):
    """Makes a random part of the images grey.

    Args:
        factor: the part, from 0 to 1.
        data_format: 'channels_last', the default, or 'channels_first'.
        seed: integer, or None to draw one.

    Input shape: (batch, height, width, channels) or (height, width, channels), of 1 or 3 channels.
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.

    Example:
        >>> import cnncore, numpy as np
        >>> y = cnncore.layers.RandomGrayscale(1.0)(np.random.rand(2, 4, 4, 3).astype("float32")).numpy()
        >>> bool((y[..., 0] == y[..., 1]).all())
        True
    """

    _keeps_dtype = True

    def __init__(self, factor=0.5, data_format=None, seed=None, **kwargs):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = checks.number(factor, "RandomGrayscale", "factor", most=1)

    def _draw(self, x):
        return per_image(self._uniform(x, 0, 1) < self.factor)

    def _change(self, x, drawn):
        return ops.where(drawn, color.rgb_to_grayscale(x, "channels_last"), x)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


class RandomInvert(RandomImageLayer):
    """Turns a random part of the images into their negatives.

    Args:
        factor: how likely that is for an image, from 0 to 1; or two numbers between which that is drawn. One number f
            stands for (0, f), as in Keras.
        value_range: the smallest and the largest value that images have.
        seed: integer, or None to draw one.
        data_format: 'channels_last', the default, or 'channels_first'.

    Input shape: (batch, height, width, channels) or (height, width, channels).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(self, factor=1.0, value_range=(0, 255), seed=None, data_format=None, **kwargs):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = bounds(factor, "RandomInvert", "factor", 0.0)
        self.value_range = value_bounds(value_range, "RandomInvert")

    def _draw(self, x):
        return self._chosen(x, self.factor)

    def _change(self, x, drawn):
        return ops.where(drawn, self.value_range[1] - x, x)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor, "value_range": self.value_range}


class RandomColorJitter(RandomImageLayer):
    """Changes brightness, contrast, saturation and hue of images at random, one after another.

    Args:
        value_range: the smallest and the largest value that images have.
        brightness_factor: see `RandomBrightness`; None leaves it.
        contrast_factor: see `RandomContrast`; None leaves it.
        saturation_factor: see `RandomSaturation`; None leaves it.
        hue_factor: see `RandomHue`; None leaves it.
        seed: integer, or None to draw one.
        data_format: 'channels_last', the default, or 'channels_first'.

    Input shape: (batch, height, width, 3) or (height, width, 3).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(self, value_range=(0, 255), brightness_factor=None, contrast_factor=None, saturation_factor=None,
                 hue_factor=None, seed=None, data_format=None, **kwargs):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.value_range = value_bounds(value_range, "RandomColorJitter")
        self.brightness_factor, self.contrast_factor = brightness_factor, contrast_factor
        self.saturation_factor, self.hue_factor = saturation_factor, hue_factor
        self._changes = [self._draw_from(kind(factor, value_range)) for kind, factor in (
            (RandomBrightness, brightness_factor), (RandomContrast, contrast_factor),
            (RandomSaturation, saturation_factor), (RandomHue, hue_factor)) if factor is not None]

    def _draw(self, x):
        return [layer._draw(x) for layer in self._changes]

    def _change(self, x, drawn):
        for layer, numbers in zip(self._changes, drawn, strict=True):
            x = layer._change(x, numbers)
        return x

    def get_config(self):
        return {**super().get_config(), "value_range": self.value_range, "brightness_factor": self.brightness_factor,
                "contrast_factor": self.contrast_factor, "saturation_factor": self.saturation_factor,
                "hue_factor": self.hue_factor}


class Solarization(RandomImageLayer):
    """Adds a random number to images and turns values above a random threshold into their negatives.

    Args:
        addition_factor: the largest number to add, as a part of the range of values, or the smallest and the largest;
            from 0 to 1.
        threshold_factor: likewise the threshold.
        value_range: the smallest and the largest value that images have; others are cut off.
        seed: integer, or None to draw one.

    Input shape: (batch, height, width, channels) or (height, width, channels).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(self, addition_factor=0.0, threshold_factor=0.0, value_range=(0, 255), seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.addition_factor = _from_0(addition_factor, "addition_factor")
        self.threshold_factor = _from_0(threshold_factor, "threshold_factor")
        self.value_range = value_bounds(value_range, "Solarization")

    def _draw(self, x):
        # The smaller number of a factor is taken as it is, the larger one as a part of 255: so does Keras.
        return [per_image(self._uniform(x, low, high * 255)) for low, high in (self.addition_factor, self.threshold_factor)]

    def _change(self, x, drawn):
        addition, threshold = drawn
        x = ops.clip(between(x, self.value_range, (0, 255)) + addition, 0, 255)
        return between(ops.where(x < threshold, x, 255.0 - x), (0, 255), self.value_range)

    def get_config(self):
        return {**super().get_config(), "addition_factor": self.addition_factor,
                "threshold_factor": self.threshold_factor, "value_range": self.value_range}


def _from_0(factor, name):
    return bounds(factor if isinstance(factor, (list, tuple)) else (0, factor), "Solarization", name, 0.0)
