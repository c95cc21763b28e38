"""What layers share that change images while a model is trained: one image, a batch, or a dict with labels."""
import numbers

import numpy as np

from cnncore import _core, ops
from cnncore.layers.layer import first_of, map_shapes
from cnncore.layers.preprocessing import ImageLayer
from cnncore.op import apply
from cnncore.ops import image
from cnncore.ops.random import random_uniform
from cnncore.random import SeedGenerator
from cnncore.tensor import Tensor, convert


class ChangingLayer(ImageLayer):
    """A layer that changes images in training, or, without `_only_in_training`, always.

    It draws what is random once, and then changes the images by it, and the labels and segmentation masks that come with
    them in a dict. All of these are float32 batches, channels last.
    """

    _casts_inputs = False
    _only_in_training = True
    _keeps_dtype = False  # whether whole numbers stay whole numbers

    def call(self, inputs, training=True):
        images = inputs["images"] if isinstance(inputs, dict) else inputs
        if not self._keeps_dtype:
            images = ops.cast(images, "float32")
        drawn = None
        if training or not self._only_in_training:
            x, back = self._batched(images)
            drawn = self._draw(x)
            images = back(self._change(x, drawn))
        if not isinstance(inputs, dict):
            return images
        changed = {**inputs, "images": images}
        if drawn is not None and "labels" in inputs:
            changed["labels"] = self._on_batch(self._change_labels, inputs["labels"], drawn, len(images.shape) == 3)
        if drawn is not None and "segmentation_masks" in inputs:
            masks, back = self._batched(inputs["segmentation_masks"])
            changed["segmentation_masks"] = back(self._change_masks(masks, drawn))
        return changed

    @staticmethod
    def _on_batch(change, labels, drawn, single):
        if not single:
            return change(labels, drawn)
        changed = change(ops.expand_dims(labels, 0), drawn)
        return ops.reshape(changed, changed.shape[1:])

    def _draw(self, x):
        """The random numbers for a batch, in whatever form `_change` takes them; None where there are none."""

    def _change(self, x, drawn):
        """The batch, changed."""
        raise NotImplementedError

    def _change_labels(self, labels, drawn):
        """The labels that fit the changed images."""
        return labels

    def _change_masks(self, masks, drawn):
        """The masks that fit the changed images."""
        return masks

    def _prepare(self, args, kwargs):
        inputs = first_of(args, kwargs)
        if not isinstance(inputs, dict):
            super()._prepare(args, kwargs)
            return
        if "images" not in inputs or "bounding_boxes" in inputs:
            raise ValueError(f"{self._described()} takes a dict of 'images' and, where there are any, 'labels' and "
                             f"'segmentation_masks'. Received: {', '.join(map(repr, inputs))}")
        self._check(inputs["images"].shape)
        self.built = True

    def compute_output_shape(self, input_shape):
        return map_shapes(tuple, input_shape)

    def get_config(self):
        return {**super().get_config(), "data_format": self.data_format}


class RandomImageLayer(ChangingLayer):
    """A layer whose random numbers come from a counter, so that a recorded step draws anew and its bits do not depend on
    threads."""

    def __init__(self, seed=None, data_format=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.seed = seed
        self.generator = SeedGenerator(seed)
        # [seed, how many times it was used], which the kernel reads and moves on.
        self._state = Tensor._over(_core.Buffer.wrap(self.generator.state))

    def _uniform(self, x, low, high):
        """One number for each image."""
        return random_uniform((x.shape[0],), self._state, low, high)

    def _chosen(self, x, factor):
        """For each image whether it is changed, by a probability that is drawn from a range: (batch, 1, 1, 1), bool."""
        probability = self._uniform(x, *factor)
        return per_image(self._uniform(x, 0, 1) < probability)

    def _draw_from(self, layer):
        """Makes a layer inside draw from this one's numbers."""
        layer._state = self._state
        return layer

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


def per_image(numbers_of_images):
    """One number for each image, in a shape that broadcasts to the images."""
    return ops.reshape(numbers_of_images, (-1, 1, 1, 1))


def bounds(factor, layer, name, least=-1.0, most=1.0):
    """(lower, upper) of a factor: one number for both sides of 0, as far as they are allowed, or two."""
    parts = factor if isinstance(factor, (list, tuple)) else (max(-abs(factor), least), abs(factor)) \
        if isinstance(factor, numbers.Real) and not isinstance(factor, bool) and least <= factor else ()
    if len(parts) != 2 or not all(isinstance(p, numbers.Real) and least <= p <= most for p in parts):
        raise ValueError(f"{layer}: {name} is a number, or two, from {least:g} to {most:g}. Received: {name}={factor!r}")
    return tuple(sorted(parts))


def value_bounds(value_range, layer):
    """[smallest, largest] value of images."""
    if not isinstance(value_range, (list, tuple)) or len(value_range) != 2 or not all(
            isinstance(part, numbers.Real) for part in value_range):
        raise ValueError(f"{layer}: value_range is the smallest and the largest value. Received: "
                         f"value_range={value_range!r}")
    return sorted(value_range)


def one_of(value, known, layer, name):
    """The value, which must be one of the known ones."""
    if value not in known:
        words = " or ".join([", ".join(map(repr, known[:-1])), repr(known[-1])])
        raise ValueError(f"{layer}: {name} is {words}. Received: {name}={value!r}")
    return value


def between(x, old, new):
    """Values of the range `old` moved to the range `new`."""
    if tuple(old) == tuple(new):
        return x
    return (x - old[0]) * (1 / (old[1] - old[0])) * (new[1] - new[0]) + new[0]


def warp(x, transform, order, fill_mode="nearest", fill_value=0.0, size=None):
    """Images by six numbers each, tensors of shape (batch,) or plain numbers; see `ops.image.Affine`."""
    batch = x.shape[0]
    columns = [ops.reshape(t, (batch, 1)) if isinstance(t, Tensor) else
               convert(np.full((batch, 1), t, "float32")) for t in transform]
    t = ops.cast(ops.concatenate(columns, axis=1), "float64")
    return apply(image.Affine(order, image.FILLS[fill_mode], fill_value, size), x, t)


class WarpingLayer(RandomImageLayer):
    """What layers that move pixels share: how to fill and to interpolate. `_draw` gives a transform."""

    def __init__(self, fill_mode, interpolation, seed, fill_value, data_format, **kwargs):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        kind = type(self).__name__
        self.fill_mode = one_of(fill_mode, ("reflect", "wrap", "constant", "nearest"), kind, "fill_mode")
        self.interpolation = one_of(interpolation, ("nearest", "bilinear"), kind, "interpolation")
        self.fill_value = fill_value

    def _change(self, x, drawn):
        return warp(x, drawn, int(self.interpolation == "bilinear"), self.fill_mode, self.fill_value)

    def _change_masks(self, masks, drawn):
        return warp(masks, drawn, 0, self.fill_mode, self.fill_value)

    def get_config(self):
        return {**super().get_config(), "fill_mode": self.fill_mode, "interpolation": self.interpolation,
                "fill_value": self.fill_value}
