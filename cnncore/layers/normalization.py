"""Normalization of each sample by itself: LayerNormalization, GroupNormalization and UnitNormalization."""
import warnings

from cnncore import constraints, initializers, ops, regularizers
from cnncore.layers import checks
from cnncore.layers.layer import Layer


def _axes(axis, layer):
    """One whole number, or a list of them."""
    parts = list(axis) if isinstance(axis, (list, tuple)) else [axis]
    if not parts or any(isinstance(a, bool) or not isinstance(a, int) for a in parts):
        raise TypeError(f"{layer}: axis must be a whole number or a list of them. Received: axis={axis!r}")
    return parts if isinstance(axis, (list, tuple)) else axis


def _check_axes(layer, shape, axes, batch_too=False):
    """The axes exist, and are not the batch's."""
    for axis in axes:
        if not -len(shape) <= axis < len(shape) or (axis % len(shape) == 0 and not batch_too):
            raise ValueError(f"{layer._described()} normalises axis={axis} of inputs (batch, ...). Received: shape "
                             f"{tuple(shape)}; choose an axis that it has")


def _normalized(x, axes, epsilon, centre=True):
    """(x - mean) / sqrt(variance + epsilon) over axes; `centre` says whether the mean is taken away on top too."""
    apart = x - ops.mean(x, axes, keepdims=True)
    return (apart if centre else x) * ops.rsqrt(ops.mean(ops.square(apart), axes, keepdims=True) + epsilon)


class _Affine(Layer):
    """What these layers share: a trained scale gamma and a trained offset beta."""

    _takes_one = _casts_inputs = True
    gamma = beta = None

    def __init__(self, epsilon, center, scale, beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer,
                 beta_constraint, gamma_constraint, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = float(checks.number(epsilon, type(self).__name__, "epsilon"))
        self.center, self.scale = bool(center), bool(scale)
        self.beta_initializer, self.gamma_initializer = map(initializers.get, (beta_initializer, gamma_initializer))
        self.beta_regularizer, self.gamma_regularizer = map(regularizers.get, (beta_regularizer, gamma_regularizer))
        self.beta_constraint, self.gamma_constraint = map(constraints.get, (beta_constraint, gamma_constraint))

    def _add_affine(self, shape, scale, center):
        if scale:
            self.gamma = self.add_weight(shape, self.gamma_initializer, regularizer=self.gamma_regularizer,
                                         constraint=self.gamma_constraint, name="gamma")
        if center:
            self.beta = self.add_weight(shape, self.beta_initializer, regularizer=self.beta_regularizer,
                                        constraint=self.beta_constraint, name="beta")

    def _affine(self, y, shape):
        """gamma y + beta, both seen under a shape that broadcasts to y's."""
        if self.gamma is not None:
            y = y * ops.reshape(self.gamma, shape)
        return y if self.beta is None else y + ops.reshape(self.beta, shape)

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon, "center": self.center, "scale": self.scale,
                "beta_initializer": initializers.serialize(self.beta_initializer),
                "gamma_initializer": initializers.serialize(self.gamma_initializer),
                "beta_regularizer": regularizers.serialize(self.beta_regularizer),
                "gamma_regularizer": regularizers.serialize(self.gamma_regularizer),
                "beta_constraint": constraints.serialize(self.beta_constraint),
                "gamma_constraint": constraints.serialize(self.gamma_constraint)}


class LayerNormalization(_Affine):
    """Normalises each sample by the mean and variance of its own values along axes (Ba, Kiros and Hinton 2016).

    Args:
        axis: the axis, or a list of them.
        epsilon: added to the variance.
        center, scale: whether to add a trained offset, and to multiply by a trained scale.
        beta_initializer, gamma_initializer: names or Initializers.
        beta_regularizer, gamma_regularizer: Regularizers or None.
        beta_constraint, gamma_constraint: Constraints or None.
        rms_scaling: True, in old scripts, leaves the mean and the offset alone and divides by the deviation only.

    Input shape: (batch, ...).
    Output shape: the same.

    Raises:
        TypeError: axis is no whole number and no list of them.
        ValueError: an argument or an input does not fit.

    Example:
        >>> import cnncore, numpy as np
        >>> layer = cnncore.layers.LayerNormalization(epsilon=0)
        >>> layer(np.array([[1.0, 3.0], [0.0, 8.0]])).numpy()
        array([[-1.,  1.],
               [-1.,  1.]], dtype=float32)
    """

    def __init__(self, axis=-1, epsilon=1e-3, center=True, scale=True, beta_initializer="zeros",
                 gamma_initializer="ones", beta_regularizer=None, gamma_regularizer=None, beta_constraint=None,
                 gamma_constraint=None, **kwargs):
        self.rms_scaling = bool(kwargs.pop("rms_scaling", False))
        if self.rms_scaling:
            warnings.warn("LayerNormalization: rms_scaling divides by the deviation from the mean, not by the root of "
                          "the mean square. Leave it out unless old weights need it", stacklevel=2)
        super().__init__(epsilon, center, scale, beta_initializer, gamma_initializer, beta_regularizer,
                         gamma_regularizer, beta_constraint, gamma_constraint, **kwargs)
        self.axis = _axes(axis, "LayerNormalization")

    def _check(self, shape):
        axes = self.axis if isinstance(self.axis, list) else [self.axis]
        _check_axes(self, shape, axes)
        if self.built and len(shape) != self._ndim:
            raise ValueError(f"{self._described()} was built for inputs of {self._ndim} axes. Received: shape "
                             f"{tuple(shape)}")
        for axis, n in zip(axes, self._lengths if self.built else [None] * len(axes), strict=True):
            checks.length(self, shape, n, "values", "use a layer of its own for inputs of another kind", axis)

    def build(self, input_shape):
        self._check(input_shape)
        self.axis = sorted(self.axis) if isinstance(self.axis, list) else [self.axis]
        self._ndim, self._lengths = len(input_shape), tuple(input_shape[axis] for axis in self.axis)
        self._add_affine(self._lengths, self.scale or self.rms_scaling, self.center and not self.rms_scaling)

    def call(self, inputs):
        wide = [1] * self._ndim
        for axis, n in zip(self.axis, self._lengths, strict=True):
            wide[axis] = n
        return self._affine(_normalized(inputs, self.axis, self.epsilon, not self.rms_scaling), tuple(wide))

    def get_config(self):
        return {**super().get_config(), "axis": self.axis, "rms_scaling": self.rms_scaling}


class GroupNormalization(_Affine):
    """Normalises each sample by the means and variances of groups of its channels (Wu and He 2018).

    Args:
        groups: how many groups; -1 makes each channel one, which is instance normalization.
        axis: the channels' axis.
        epsilon: added to the variance.
        center, scale: whether to add a trained offset, and to multiply by a trained scale.
        beta_initializer, gamma_initializer: names or Initializers.
        beta_regularizer, gamma_regularizer: Regularizers or None.
        beta_constraint, gamma_constraint: Constraints or None.

    Input shape: (batch, ..., channels).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.

    Example:
        >>> import cnncore, numpy as np
        >>> layer = cnncore.layers.GroupNormalization(groups=2)
        >>> layer(np.zeros((2, 8, 8, 6), "float32")).shape
        (2, 8, 8, 6)
    """

    def __init__(self, groups=32, axis=-1, epsilon=1e-3, center=True, scale=True, beta_initializer="zeros",
                 gamma_initializer="ones", beta_regularizer=None, gamma_regularizer=None, beta_constraint=None,
                 gamma_constraint=None, **kwargs):
        super().__init__(epsilon, center, scale, beta_initializer, gamma_initializer, beta_regularizer,
                         gamma_regularizer, beta_constraint, gamma_constraint, **kwargs)
        if isinstance(groups, bool) or not isinstance(groups, int) or (groups < 1 and groups != -1):
            raise ValueError("GroupNormalization: groups must be a whole number of 1 or more, or -1 for one a channel. "
                             f"Received: groups={groups!r}")
        if isinstance(axis, bool) or not isinstance(axis, int):
            raise ValueError(f"GroupNormalization: axis must be one whole number. Received: axis={axis!r}")
        self.groups, self.axis = groups, axis

    def _check(self, shape):
        _check_axes(self, shape, [self.axis])
        if self.built and len(shape) != self._ndim:
            raise ValueError(f"{self._described()} was built for inputs of {self._ndim} axes. Received: shape "
                             f"{tuple(shape)}")
        checks.length(self, shape, self._channels if self.built else None, "channels",
                      "use a layer of its own for inputs of another kind", self.axis)
        if self.groups != -1 and shape[self.axis] is not None and shape[self.axis] % self.groups:
            raise ValueError(f"{self._described()} cuts its channels into {self.groups} equal groups. Received: shape "
                             f"{tuple(shape)} with {shape[self.axis]} channels; choose groups that divide them")

    def build(self, input_shape):
        self._check(input_shape)
        self._ndim, self._channels = len(input_shape), input_shape[self.axis]
        if self.groups == -1:
            self.groups = self._channels
        self._add_affine((self._channels,), self.scale, self.center)

    def call(self, inputs):
        shape, at = tuple(inputs.shape), self.axis % self._ndim
        apart = (self.groups, self._channels // self.groups)
        x = ops.reshape(inputs, shape[:at] + apart + shape[at + 1:])
        axes = [axis for axis in range(1, self._ndim + 1) if axis != at]
        y = self._affine(_normalized(x, axes, self.epsilon), (1,) * at + apart + (1,) * (self._ndim - at - 1))
        return ops.reshape(y, shape)

    def get_config(self):
        return {**super().get_config(), "groups": self.groups, "axis": self.axis}


class UnitNormalization(Layer):
    """Scales the values along axes to length 1: x over the root of the sum of its squares.

    Args:
        axis: the axis, or a list of them.

    Input shape: any.
    Output shape: the same.

    Raises:
        TypeError: axis is no whole number and no list of them.
        ValueError: an input does not have that axis.

    Example:
        >>> import cnncore, numpy as np
        >>> cnncore.layers.UnitNormalization()(np.array([[3.0, 4.0]])).numpy().round(3)
        array([[0.6, 0.8]], dtype=float32)
    """

    _takes_one = _casts_inputs = True

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = _axes(axis, "UnitNormalization")

    def _check(self, shape):
        _check_axes(self, shape, self.axis if isinstance(self.axis, list) else [self.axis], batch_too=True)

    def call(self, inputs):
        # The bound keeps the slope of a sample of zeros finite.
        squares = ops.maximum(ops.sum(ops.square(inputs), self.axis, keepdims=True), 1e-24)
        return inputs * ops.rsqrt(squares)

    def get_config(self):
        return {**super().get_config(), "axis": self.axis}
