"""Flatten and Reshape."""
import math

from cnncore import ops
from cnncore.layers import checks
from cnncore.layers.layer import Layer


class Flatten(Layer):
    """All axes but the batch's as one.

    Args:
        data_format: None or 'channels_last'.

    Input shape: (batch, ...).
    Output shape: (batch, product of the other lengths).
    """

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = checks.channels_last(data_format, "Flatten")

    def call(self, inputs):
        return ops.reshape(inputs, (inputs.shape[0], math.prod(inputs.shape[1:])))

    def get_config(self):
        return {**super().get_config(), "data_format": self.data_format}


class Reshape(Layer):
    """The same values under another shape.

    Args:
        target_shape: the new shape without the batch; one length may be -1.

    Input shape: (batch, ...).
    Output shape: (batch, *target_shape).
    """

    def __init__(self, target_shape, **kwargs):
        super().__init__(**kwargs)
        shape = tuple(target_shape) if isinstance(target_shape, (list, tuple)) else (target_shape,)
        if any(not isinstance(n, int) or n < -1 for n in shape) or shape.count(-1) > 1:
            raise ValueError("Reshape: target_shape holds whole numbers, at most one of them -1. Received: "
                             f"target_shape={target_shape!r}")
        self.target_shape = shape

    def call(self, inputs):
        size, wanted = math.prod(inputs.shape[1:]), math.prod(self.target_shape)
        if size != wanted and not (-1 in self.target_shape and wanted and size % wanted == 0):
            raise ValueError(f"{self._described()} keeps the number of values: {self.target_shape} holds "
                             f"{abs(wanted)}. Received: shape {inputs.shape} with {size} for each sample")
        return ops.reshape(inputs, (inputs.shape[0], *(size // -wanted if n == -1 else n for n in self.target_shape)))

    def get_config(self):
        return {**super().get_config(), "target_shape": self.target_shape}
