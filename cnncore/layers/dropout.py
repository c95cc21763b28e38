"""Dropout."""
from cnncore import _core, ops
from cnncore.layers.layer import Layer
from cnncore.symbolic import is_tracing
from cnncore.random import SeedGenerator
from cnncore.tensor import Tensor


class Dropout(Layer):
    """While training, sets a random part of the inputs to 0 and scales up the rest (Srivastava et al. 2014).

    Args:
        rate: the part, from 0 to 1.
        noise_shape: None.
        seed: integer, or None to draw one.

    Input shape: any.
    Output shape: the same.
    """

    _casts_inputs = True

    def __init__(self, rate, noise_shape=None, seed=None, **kwargs):
        super().__init__(**kwargs)
        if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 <= rate <= 1:
            raise ValueError(f"Dropout: rate must be a number from 0 to 1. Received: rate={rate!r}")
        if noise_shape is not None:
            raise ValueError("Dropout: every value is dropped by itself. Received: noise_shape="
                             f"{noise_shape!r}; leave it out")
        self.rate, self.noise_shape, self.seed = rate, noise_shape, seed
        if rate > 0:
            self.seed_generator = SeedGenerator(seed)
            # [seed, how many times it was used], which the kernel reads and moves on.
            self._state = Tensor._over(_core.Buffer.wrap(self.seed_generator.state))

    def call(self, inputs, training=False):
        if not training or self.rate == 0 or is_tracing():
            return inputs
        if self.rate == 1:
            return inputs * 0.0
        return ops.dropout(inputs, self.rate, self._state)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed, "noise_shape": self.noise_shape}
