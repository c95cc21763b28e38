"""Layers that put parts of images over or into others while a model is trained: CutMix, MixUp and RandomErasing."""
import numbers

import numpy as np

from cnncore import ops
from cnncore.layers import checks
from cnncore.layers.random_image import RandomImageLayer, bounds, per_image, value_bounds
from cnncore.ops.random import random_beta, random_normal, random_order, random_uniform
from cnncore.tensor import convert


def _place(layer, batch, length, part):
    """(begin, end) of a stretch of an axis for each image, `part` of its length long, anywhere on it."""
    size = part * float(length)
    begin = random_uniform((batch,), layer._state) * (length - size)
    return begin, begin + size


def _inside(x, columns, rows):
    """Whether each pixel lies within these (begin, end) of columns and rows: (batch, height, width, 1), 0 or 1."""
    y = convert(np.arange(x.shape[1], dtype="float32").reshape(1, -1, 1, 1))
    at = convert(np.arange(x.shape[2], dtype="float32").reshape(1, 1, -1, 1))
    (left, right), (top, bottom) = (tuple(per_image(end) for end in pair) for pair in (columns, rows))
    return ops.logical_and(ops.logical_and(at >= left, at < right), ops.logical_and(y >= top, y < bottom))


class _Mixing(RandomImageLayer):
    """What layers share that mix images with others of the batch, and their labels likewise."""

    def _change_labels(self, labels, drawn):
        labels = ops.cast(labels, "float32")
        if len(labels.shape) < 2:
            raise ValueError(f"{self._described()} mixes labels of one number for each class. Received: labels of shape "
                             f"{tuple(labels.shape)}; use to_categorical")
        weight = ops.reshape(drawn["weight"], (-1,) + (1,) * (len(labels.shape) - 1))
        return weight * labels + (1.0 - weight) * ops.take(labels, drawn["order"], axis=0)

    def _change_masks(self, masks, drawn):
        return self._change(masks, drawn)


class MixUp(_Mixing):
    """Mixes each image of a batch with another one, and their labels in the same proportion (Zhang, Cisse, Dauphin and
    Lopez-Paz 2018).

    Called on a dict of 'images' and 'labels', one-hot, it mixes both.

    Args:
        alpha: the proportion is drawn from a beta distribution of these two parameters: near 0 images stay almost as
            they are, 1 makes all proportions as likely.
        data_format: 'channels_last', the default, or 'channels_first'.
        seed: integer, or None to draw one.

    Input shape: (batch, height, width, channels), or a dict of such images and labels (batch, classes).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.

    Example:
        >>> import cnncore, numpy as np
        >>> batch = {"images": np.ones((4, 8, 8, 3), "float32"), "labels": np.eye(4, dtype="float32")}
        >>> mixed = cnncore.layers.MixUp()(batch)
        >>> mixed["labels"].numpy().sum(axis=1).round(5)
        array([1., 1., 1., 1.], dtype=float32)
    """

    def __init__(self, alpha=0.2, data_format=None, seed=None, **kwargs):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.alpha = checks.number(alpha, "MixUp", "alpha")
        if not alpha:
            raise ValueError("MixUp: alpha must be above 0. Received: alpha=0")

    def _draw(self, x):
        batch = x.shape[0]
        order = random_order(batch, self._state)
        return {"order": order, "weight": random_beta((batch,), self._state, self.alpha, self.alpha)}

    def _change(self, x, drawn):
        weight = per_image(drawn["weight"])
        return weight * x + (1.0 - weight) * ops.take(x, drawn["order"], axis=0)

    def get_config(self):
        return {**super().get_config(), "alpha": self.alpha}


class CutMix(_Mixing):
    """Puts a part of another image of the batch over each image, and mixes their labels by its area (Yun et al. 2019).

    Called on a dict of 'images' and 'labels', one-hot, it changes both.

    Args:
        factor: what both parameters of the beta distribution are drawn from that the area comes from: two numbers from 0
            to 1, or one number f for (0, f).
        seed: integer, or None to draw one.
        data_format: 'channels_last', the default, or 'channels_first'.

    Input shape: (batch, height, width, channels), or a dict of such images and labels (batch, classes).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(self, factor=1.0, seed=None, data_format=None, **kwargs):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = bounds(factor, "CutMix", "factor", 0.0)

    def _draw(self, x):
        batch, height, width, _ = x.shape
        alpha = random_uniform((), self._state, *self.factor) + 1e-6
        part = ops.sqrt(1.0 - random_beta((batch,), self._state, alpha, alpha))
        columns = _place(self, batch, width, part)
        rows = _place(self, batch, height, part)
        area = (columns[1] - columns[0]) * (rows[1] - rows[0]) / float(width * height)
        return {"inside": _inside(x, columns, rows), "weight": 1.0 - area, "order": random_order(batch, self._state)}

    def _change(self, x, drawn):
        return ops.where(drawn["inside"], ops.take(x, drawn["order"], axis=0), x)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


class RandomErasing(RandomImageLayer):
    """Fills a random rectangle of images with noise or a colour (Zhong, Zheng, Kang, Li and Yang 2020).

    Args:
        factor: how likely that is for an image, from 0 to 1; or two numbers between which that is drawn. One number f
            stands for (0, f), as in Keras.
        scale: the smallest and the largest area of the rectangle, as a part of the image's.
        fill_value: number, or one for each of three channels; None for normally distributed noise.
        value_range: the smallest and the largest value that images have.
        seed: integer, or None to draw one.
        data_format: 'channels_last', the default, or 'channels_first'.

    Input shape: (batch, height, width, channels) or (height, width, channels).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(self, factor=1.0, scale=(0.02, 0.33), fill_value=None, value_range=(0, 255), seed=None,
                 data_format=None, **kwargs):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = bounds(factor, "RandomErasing", "factor", 0.0)
        self.scale = bounds(scale, "RandomErasing", "scale", 0.0)
        parts = fill_value if isinstance(fill_value, (list, tuple)) else [0 if fill_value is None else fill_value] * 3
        if len(parts) != 3 or not all(isinstance(part, numbers.Real) for part in parts):
            raise ValueError("RandomErasing: fill_value is a number, or one for each of three channels. Received: "
                             f"fill_value={fill_value!r}")
        self.fill_value, self.value_range = fill_value, value_bounds(value_range, "RandomErasing")

    def _draw(self, x):
        batch, height, width, _ = x.shape
        sides = ops.sqrt(random_uniform((batch, 2), self._state, *self.scale))
        columns = _place(self, batch, width, sides[:, 0])
        rows = _place(self, batch, height, sides[:, 1])
        chosen = self._chosen(x, self.factor)
        if self.fill_value is None:
            filling = random_normal(x.shape, self._state) * float(self.value_range[1])
        else:
            filling = convert(np.asarray(self.fill_value, "float32"))
        return ops.logical_and(chosen, _inside(x, columns, rows)), ops.clip(filling, *self.value_range)

    def _change(self, x, drawn):
        inside, filling = drawn
        return ops.where(inside, filling, x)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor, "scale": self.scale, "fill_value": self.fill_value,
                "value_range": self.value_range}
