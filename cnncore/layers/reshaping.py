"""Flatten, Reshape, Permute and RepeatVector."""
import math
import numbers

from cnncore import ops
from cnncore.layers import checks
from cnncore.layers.layer import Layer


class Flatten(Layer):
    """All axes but the batch's as one.

    Args:
        data_format: 'channels_last' by default; 'channels_first' says that the input's second axis is the channels,
            which then go last.

    Input shape: (batch, ...).
    Output shape: (batch, product of the other lengths).

    Example:
        >>> import cnncore, numpy as np
        >>> cnncore.layers.Flatten()(np.zeros((2, 4, 4, 3), "float32")).shape
        (2, 48)
    """

    _takes_one = True

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = checks.data_format(data_format, "Flatten")

    def _check(self, shape):
        if not shape:
            raise ValueError(f"{self._described()} takes inputs of 1 axis or more, (batch, ...). Received: shape ()")

    def call(self, inputs):
        if self.data_format == "channels_first" and len(inputs.shape) > 2:
            inputs = ops.moveaxis(inputs, 1, -1)
        return ops.reshape(inputs, (inputs.shape[0], math.prod(inputs.shape[1:])))

    def get_config(self):
        return {**super().get_config(), "data_format": self.data_format}


class Reshape(Layer):
    """The same values under another shape.

    Args:
        target_shape: the new shape without the batch; one length may be -1.

    Input shape: (batch, ...).
    Output shape: (batch, *target_shape).

    Raises:
        ValueError: the shape is none, or an input has another number of values.

    Example:
        >>> import cnncore, numpy as np
        >>> cnncore.layers.Reshape((2, -1))(np.zeros((5, 8), "float32")).shape
        (5, 2, 4)
    """

    _takes_one = True

    def __init__(self, target_shape, **kwargs):
        super().__init__(**kwargs)
        shape = tuple(target_shape) if isinstance(target_shape, (list, tuple)) else (target_shape,)
        if any(isinstance(n, bool) or not isinstance(n, numbers.Integral) or n < -1 for n in shape) or shape.count(-1) > 1:
            raise ValueError("Reshape: target_shape holds whole numbers, at most one of them -1. Received: "
                             f"target_shape={target_shape!r}")
        self.target_shape = tuple(int(n) for n in shape)

    def _check(self, shape):
        if not shape or None in shape[1:]:
            return
        size, wanted = math.prod(shape[1:]), math.prod(self.target_shape)
        if size != wanted and not (-1 in self.target_shape and wanted and size % wanted == 0):
            what = f"a multiple of {-wanted}" if -1 in self.target_shape else f"{wanted}"
            raise ValueError(f"{self._described()} makes {self.target_shape} of {what} values for each sample. Received: "
                             f"shape {tuple(shape)} with {size}; choose a target_shape that holds as many")

    def call(self, inputs):
        size, wanted = math.prod(inputs.shape[1:]), math.prod(self.target_shape)
        return ops.reshape(inputs, (inputs.shape[0], *(size // -wanted if n == -1 else n for n in self.target_shape)))

    def get_config(self):
        return {**super().get_config(), "target_shape": self.target_shape}


class Permute(Layer):
    """The axes of each sample in another order.

    Args:
        dims: the order: which axis, from 1 on, comes first, second, ...; the batch's stays where it is.

    Input shape: (batch, ...), with as many axes besides the batch's as `dims` names.
    Output shape: the same lengths in that order.

    Raises:
        ValueError: `dims` is no order, or an input has another number of axes.

    Example:
        >>> import cnncore, numpy as np
        >>> cnncore.layers.Permute((2, 1))(np.zeros((5, 10, 64), "float32")).shape
        (5, 64, 10)
    """

    _takes_one = True

    def __init__(self, dims, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(dims, (list, tuple)) or sorted(dims) != list(range(1, len(dims) + 1)):
            raise ValueError("Permute: dims must name each axis from 1 on once; 0 is the batch's, which stays. "
                             f"Received: dims={dims!r}; use (2, 1) for instance")
        self.dims = tuple(dims)

    def _check(self, shape):
        checks.rank(self, shape, len(self.dims) + 1, f"the batch's and the {len(self.dims)} of dims={self.dims}")

    def call(self, inputs):
        return ops.transpose(inputs, (0, *self.dims))

    def get_config(self):
        return {**super().get_config(), "dims": self.dims}


class RepeatVector(Layer):
    """Each sample n times in a row.

    Args:
        n: how often.

    Input shape: (batch, features).
    Output shape: (batch, n, features).

    Raises:
        TypeError: n is no whole number.
        ValueError: an input has another number of axes.
    """

    _takes_one = True

    def __init__(self, n, **kwargs):
        super().__init__(**kwargs)
        if isinstance(n, bool) or not isinstance(n, numbers.Integral):
            raise TypeError(f"RepeatVector: n must be a whole number. Received: n={n!r}")
        self.n = checks.whole(n, "RepeatVector", "n")

    def _check(self, shape):
        checks.rank(self, shape, 2, "(batch, features)")

    def call(self, inputs):
        return ops.repeat(ops.expand_dims(inputs, 1), self.n, 1)

    def get_config(self):
        return {**super().get_config(), "n": self.n}
