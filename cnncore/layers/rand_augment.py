"""Layers that change images by other layers chosen at random: RandAugment and AugMix."""
from cnncore import executor, ops
from cnncore.layers import checks
from cnncore.layers.augmentation import RandomRotation, RandomTranslation
from cnncore.layers.distortion import RandomShear
from cnncore.layers.equalization import AutoContrast, Equalization
from cnncore.layers.random_color import (
    RandomBrightness,
    RandomColorDegeneration,
    RandomContrast,
    RandomPosterization,
    RandomSharpness,
    Solarization,
)
from cnncore.layers.random_image import RandomImageLayer, bounds, one_of, value_bounds
from cnncore.ops.random import random_beta, random_integers, random_log_gamma

_MOST = 32  # layers one after another, or beside each other


class _Choosing(RandomImageLayer):
    """What both share: layers to choose from, which draw from this layer's numbers."""

    def __init__(self, value_range, factor, interpolation, seed, data_format, **kwargs):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        kind = type(self).__name__
        self.value_range = value_bounds(value_range, kind)
        self.factor = bounds(factor, kind, "factor", 0.0)
        self.interpolation = one_of(interpolation, ("nearest", "bilinear"), kind, "interpolation")

    def _among(self, names):
        """The layers of these names, made for `factor`."""
        f, values, how = self.factor, self.value_range, self.interpolation
        made = {
            "random_shear": lambda: RandomShear(f, f, how),
            "random_translation": lambda: RandomTranslation(f, f, interpolation=how),
            "random_rotation": lambda: RandomRotation(f, interpolation=how),
            "random_brightness": lambda: RandomBrightness(f, values),
            "random_color_degeneration": lambda: RandomColorDegeneration(f, values),
            "random_contrast": lambda: RandomContrast(f, values),
            "random_sharpness": lambda: RandomSharpness(f, values),
            "random_posterization": lambda: RandomPosterization(max(1, int(8 * f[1])), values),
            "solarization": lambda: Solarization(f, f, values),
            "auto_contrast": lambda: AutoContrast(values),
            "equalization": lambda: Equalization(values)}
        return [self._draw_from(made[name]()) for name in names]

    @staticmethod
    def _changed(layers, x, drawn, choice):
        """What the layer of the number `choice` makes of images; images as they are for a number that none has.

        A recorded step must hold all of them, and takes the one by its number whenever it runs; else one is enough.
        """
        if not executor.current().recording:
            number = int(choice)
            return layers[number]._change(x, drawn[number]) if number < len(layers) else x
        changed = x
        for number, (layer, numbers) in enumerate(zip(layers, drawn, strict=True)):
            changed = ops.where(choice == number, layer._change(x, numbers), changed)
        return changed

    def get_config(self):
        return {**super().get_config(), "value_range": self.value_range, "factor": self.factor,
                "interpolation": self.interpolation}


class RandAugment(_Choosing):
    """Changes a batch by a few of eleven layers, chosen at random (Cubuk, Zoph, Shlens and Le 2020).

    These are `RandomShear`, `RandomTranslation`, `RandomRotation`, `RandomBrightness`, `RandomColorDegeneration`,
    `RandomContrast`, `RandomSharpness`, `RandomPosterization`, `Solarization`, `AutoContrast` and `Equalization`. In `fit`
    a step computes all of them, of which it uses the chosen ones; in a function that is mapped over data only those are
    computed.

    Args:
        value_range: the smallest and the largest value that images have.
        num_ops: how many layers one after another.
        factor: how strong their changes are: the largest number, or the smallest and the largest; from 0 to 1.
        interpolation: 'bilinear' or 'nearest', where pixels are moved.
        seed: integer, or None to draw one.
        data_format: 'channels_last', the default, or 'channels_first'.

    Input shape: (batch, height, width, 3) or (height, width, 3).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.

    Example:
        >>> import cnncore, numpy as np
        >>> cnncore.layers.RandAugment()(np.random.uniform(0, 255, (2, 8, 8, 3))).shape
        (2, 8, 8, 3)
    """

    def __init__(self, value_range=(0, 255), num_ops=2, factor=0.5, interpolation="bilinear", seed=None,
                 data_format=None, **kwargs):
        super().__init__(value_range, factor, interpolation, seed, data_format, **kwargs)
        self.num_ops = checks.whole(num_ops, "RandAugment", "num_ops", most=_MOST)
        self._choices = self._among((
            "random_shear", "random_translation", "random_rotation", "random_brightness", "random_color_degeneration",
            "random_contrast", "random_sharpness", "random_posterization", "solarization", "auto_contrast",
            "equalization"))

    def _draw(self, x):
        chosen = random_integers((self.num_ops,), self._state, 0, len(self._choices))
        return chosen, [layer._draw(x) for layer in self._choices]

    def _change(self, x, drawn):
        chosen, numbers = drawn
        for i in range(self.num_ops):
            x = self._changed(self._choices, x, numbers, chosen[i])
        return x

    def get_config(self):
        return {**super().get_config(), "num_ops": self.num_ops}


class AugMix(_Choosing):
    """Mixes images with what several chains of layers, chosen at random, make of them (Hendrycks et al. 2020).

    In `fit` a step computes all layers that a chain may hold, of which it uses the chosen ones; in a function that is
    mapped over data only those are computed.

    Args:
        value_range: the smallest and the largest value that images have; others are cut off.
        num_chains: how many chains.
        chain_depth: layers in a chain, each of which may be left out.
        factor: how strong their changes are: the largest number, or the smallest and the largest; from 0 to 1.
        alpha: parameter of the Dirichlet and the beta distribution from which the parts of the mixture are drawn.
        all_ops: whether layers that change colours (`RandomBrightness`, `RandomColorDegeneration`, `RandomContrast`,
            `RandomSharpness`) are among those to choose from.
        interpolation: 'bilinear' or 'nearest', where pixels are moved.
        seed: integer, or None to draw one.
        data_format: 'channels_last', the default, or 'channels_first'.

    Input shape: (batch, height, width, 3) or (height, width, 3).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(self, value_range=(0, 255), num_chains=3, chain_depth=3, factor=0.3, alpha=1.0, all_ops=True,
                 interpolation="bilinear", seed=None, data_format=None, **kwargs):
        super().__init__(value_range, factor, interpolation, seed, data_format, **kwargs)
        self.num_chains = checks.whole(num_chains, "AugMix", "num_chains", most=_MOST)
        self.chain_depth = checks.whole(chain_depth, "AugMix", "chain_depth", most=_MOST)
        self.alpha, self.all_ops = checks.number(alpha, "AugMix", "alpha"), bool(all_ops)
        if not alpha:
            raise ValueError("AugMix: alpha must be above 0. Received: alpha=0")
        names = ("random_shear", "random_translation", "random_rotation", "random_posterization", "solarization",
                 "auto_contrast", "equalization")
        self._choices = self._among(names + (("random_brightness", "random_color_degeneration", "random_contrast",
                                              "random_sharpness") if all_ops else ()))

    def _draw(self, x):
        # A Dirichlet distribution is one of gamma-distributed numbers over their sum, here by their logarithms.
        parts = ops.softmax(random_log_gamma((self.num_chains,), self._state, self.alpha))
        kept = random_beta((), self._state, self.alpha, self.alpha)
        # The number after the last layer's stands for none.
        chains = [[(random_integers((), self._state, 0, len(self._choices) + 1),
                    [layer._draw(x) for layer in self._choices]) for _ in range(self.chain_depth)]
                  for _ in range(self.num_chains)]
        return parts, kept, chains

    def _change(self, x, drawn):
        parts, kept, chains = drawn
        mixed = None
        for i, chain in enumerate(chains):
            y = x
            for choice, numbers in chain:
                y = self._changed(self._choices, y, numbers, choice)
            mixed = y * parts[i] if mixed is None else mixed + y * parts[i]
        return ops.clip(kept * x + (1.0 - kept) * mixed, *self.value_range)

    def get_config(self):
        return {**super().get_config(), "num_chains": self.num_chains, "chain_depth": self.chain_depth,
                "alpha": self.alpha, "all_ops": self.all_ops}
