"""Dropout, of single values or of whole channels."""
import numpy as np

from cnncore import _core, config, ops
from cnncore.layers import checks
from cnncore.layers.layer import Layer
from cnncore.random import SeedGenerator
from cnncore.tensor import Tensor


class Dropout(Layer):
    """While training, sets a random part of the inputs to 0 and scales up the rest (Srivastava et al. 2014).

    Args:
        rate: the part, from 0 to 1.
        noise_shape: shape of what is dropped together, where it has length 1 or None for the input's own length; for
            example (None, 1, 3).
        seed: integer, or None to draw one.

    Input shape: any.
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.

    Example:
        >>> import cnncore, numpy as np
        >>> layer = cnncore.layers.Dropout(0.5)
        >>> layer(np.ones(3, "float32")).numpy()
        array([1., 1., 1.], dtype=float32)
    """

    _takes_one = _casts_inputs = True

    def __init__(self, rate, noise_shape=None, seed=None, **kwargs):
        super().__init__(**kwargs)
        checks.number(rate, "Dropout", "rate", most=1)
        if noise_shape is not None:
            if not isinstance(noise_shape, (list, tuple)):
                raise ValueError(f"Dropout: noise_shape must be a tuple. Received: noise_shape={noise_shape!r}")
            noise_shape = tuple(n if n is None else checks.whole(n, "Dropout", "noise_shape") for n in noise_shape)
        self.rate, self.noise_shape, self.seed = rate, noise_shape, seed
        if rate > 0:
            self.seed_generator = SeedGenerator(seed)
            # [seed, how many times it was used], which the kernel reads and moves on.
            self._state = Tensor._over(_core.Buffer.wrap(self.seed_generator.state))

    def call(self, inputs, training=False):
        if not training or self.rate == 0:
            return inputs
        noise_shape = self._noise_shape()
        if noise_shape is None:
            return ops.dropout(inputs, self.rate, self._state)
        shape = [n if m is None else m for n, m in zip(inputs.shape, noise_shape, strict=True)]
        return inputs * ops.dropout(ops.convert_to_tensor(np.ones(shape, "float32")), self.rate, self._state)

    def _noise_shape(self):
        return self.noise_shape

    def _check(self, shape):
        noise = self.noise_shape
        if noise is not None and (len(noise) != len(shape) or any(
                None not in (n, m) and m not in (1, n) for n, m in zip(shape, noise, strict=True))):
            raise ValueError(f"{self._described()} drops by noise_shape={noise}, which must broadcast to the input. "
                             f"Received: shape {tuple(shape)}; use 1 or None for an axis")

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed, "noise_shape": self.noise_shape}


class _SpatialDropout(Dropout):
    """Dropout of whole channels."""

    def __init__(self, rate, seed, name, dtype, **kwargs):
        super().__init__(rate, seed=seed, name=name, dtype=dtype, **kwargs)

    def get_config(self):
        return {"rate": self.rate, "seed": self.seed, "name": self.name, "dtype": self.dtype}


class SpatialDropout1D(_SpatialDropout):
    """While training, sets a random part of the channels to 0 and scales up the rest (Tompson et al. 2015).

    Args:
        rate: the part, from 0 to 1.
        seed: integer, or None to draw one.
        name: by default made of the class's name.
        dtype: 'float32'.

    Input shape: (batch, steps, channels).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.
    """

    def __init__(self, rate, seed=None, name=None, dtype=None):
        super().__init__(rate, seed, name, dtype)

    def _check(self, shape):
        checks.rank(self, shape, 3, "(batch, steps, channels)")

    def _noise_shape(self):
        return None, 1, None


class SpatialDropout2D(_SpatialDropout):
    """While training, sets a random part of the channels of images to 0 and scales up the rest (Tompson et al. 2015).

    Args:
        rate: the part, from 0 to 1.
        data_format: 'channels_last' or 'channels_first'; None takes `config.image_data_format()`.
        seed: integer, or None to draw one.
        name: by default made of the class's name.
        dtype: 'float32'.

    Input shape: (batch, height, width, channels), or (batch, channels, height, width).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.

    Example:
        >>> import cnncore, numpy as np
        >>> y = cnncore.layers.SpatialDropout2D(0.5)(np.ones((4, 8, 8, 3), "float32"), training=True).numpy()
        >>> bool((y == y[:, :1, :1]).all())
        True
    """

    def __init__(self, rate, data_format=None, seed=None, name=None, dtype=None):
        super().__init__(rate, seed, name, dtype)
        if data_format not in (None, "channels_last", "channels_first"):
            raise ValueError("SpatialDropout2D: data_format must be 'channels_last' or 'channels_first'. Received: "
                             f"data_format={data_format!r}")
        self.data_format = data_format or config.image_data_format()

    def _check(self, shape):
        checks.rank(self, shape, 4, "(batch, channels, height, width)" if self.data_format == "channels_first"
                    else "(batch, height, width, channels)")

    def _noise_shape(self):
        return (None, None, 1, 1) if self.data_format == "channels_first" else (None, 1, 1, None)

    def get_config(self):
        return {**super().get_config(), "data_format": self.data_format}
