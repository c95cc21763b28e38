"""Noise while training: GaussianNoise, GaussianDropout and AlphaDropout."""
import math

from cnncore import _core, ops
from cnncore.layers import checks
from cnncore.layers.layer import Layer
from cnncore.ops.random import random_normal, random_uniform
from cnncore.random import SeedGenerator
from cnncore.tensor import Tensor

# What selu tends to for large negative inputs (Klambauer et al. 2017): what AlphaDropout puts for what it drops.
_DROPPED = -1.6732632423543772 * 1.0507009873554805


class _Noise(Layer):
    """What these layers share: random numbers from a counter, so that a recorded step draws anew, and no effect outside
    of training."""

    _takes_one = _casts_inputs = True
    _strength = None  # the name of the argument that says how much

    def __init__(self, strength, seed=None, **kwargs):
        super().__init__(**kwargs)
        setattr(self, self._strength, checks.number(strength, type(self).__name__, self._strength, most=1))
        self.seed = seed
        if strength > 0:
            self.seed_generator = SeedGenerator(seed)
            # [seed, how many times it was used], which the kernel reads and moves on.
            self._state = Tensor._over(_core.Buffer.wrap(self.seed_generator.state))

    def call(self, inputs, training=False):
        return self._noisy(inputs) if training and getattr(self, self._strength) > 0 else inputs

    def _noisy(self, x):
        raise NotImplementedError

    def get_config(self):
        return {**super().get_config(), self._strength: getattr(self, self._strength), "seed": self.seed}


class GaussianNoise(_Noise):
    """While training, adds normally distributed noise around 0.

    Args:
        stddev: the noise's standard deviation, from 0 to 1.
        seed: integer, or None to draw one.

    Input shape: any.
    Output shape: the same.

    Raises:
        ValueError: the deviation is not in that range.

    Example:
        >>> import cnncore, numpy as np
        >>> layer = cnncore.layers.GaussianNoise(0.1)
        >>> layer(np.ones(3, "float32")).numpy()
        array([1., 1., 1.], dtype=float32)
    """

    _strength = "stddev"

    def __init__(self, stddev, seed=None, **kwargs):
        super().__init__(stddev, seed, **kwargs)

    def _noisy(self, x):
        return x + random_normal(x.shape, self._state, 0.0, self.stddev)


def _below_1(rate, layer):
    if rate == 1:
        raise ValueError(f"{layer}: a rate of 1 leaves nothing to scale up. Received: rate={rate!r}; use less than 1")


class GaussianDropout(_Noise):
    """While training, multiplies by normally distributed noise around 1, of the variance that dropout would have
    (Srivastava et al. 2014).

    Args:
        rate: the rate of a dropout of the same strength, from 0 to less than 1; the noise's standard deviation is
            sqrt(rate / (1 - rate)).
        seed: integer, or None to draw one.

    Input shape: any.
    Output shape: the same.

    Raises:
        ValueError: the rate is not in that range.
    """

    _strength = "rate"

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(rate, seed, **kwargs)
        _below_1(rate, "GaussianDropout")

    def _noisy(self, x):
        return x * random_normal(x.shape, self._state, 1.0, math.sqrt(self.rate / (1.0 - self.rate)))


class AlphaDropout(_Noise):
    """While training, puts a random part of the inputs to selu's lowest value and keeps mean and variance as they were
    (Klambauer, Unterthiner, Mayr and Hochreiter 2017); for networks of `selu`.

    Args:
        rate: the part, from 0 to less than 1.
        noise_shape: shape of what is dropped together, where it has length 1 or None for the input's own length; for
            example (None, 1, 3).
        seed: integer, or None to draw one.

    Input shape: any.
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    _strength = "rate"

    def __init__(self, rate, noise_shape=None, seed=None, **kwargs):
        super().__init__(rate, seed, **kwargs)
        _below_1(rate, "AlphaDropout")
        if noise_shape is not None:
            if not isinstance(noise_shape, (list, tuple)):
                raise ValueError(f"AlphaDropout: noise_shape must be a tuple. Received: noise_shape={noise_shape!r}")
            noise_shape = tuple(n if n is None else checks.whole(n, "AlphaDropout", "noise_shape") for n in noise_shape)
        self.noise_shape = noise_shape

    def _check(self, shape):
        noise = self.noise_shape
        if noise is not None and (len(noise) != len(shape) or any(
                None not in (n, m) and m not in (1, n) for n, m in zip(shape, noise, strict=True))):
            raise ValueError(f"{self._described()} drops by noise_shape={noise}, which must broadcast to the input. "
                             f"Received: shape {tuple(shape)}; use 1 or None for an axis")

    def _noisy(self, x):
        noise = self.noise_shape or (None,) * len(x.shape)
        shape = [n if m is None else m for n, m in zip(x.shape, noise, strict=True)]
        kept = ops.cast(random_uniform(shape, self._state) >= self.rate, "float32")
        scale = ((1 - self.rate) * (1 + self.rate * _DROPPED**2)) ** -0.5
        return (x * kept + (1.0 - kept) * _DROPPED) * scale - scale * _DROPPED * self.rate

    def get_config(self):
        return {**super().get_config(), "noise_shape": self.noise_shape}
