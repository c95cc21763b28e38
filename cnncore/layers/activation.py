"""Activation functions as layers."""
import warnings

from cnncore import activations, constraints, initializers, ops, regularizers
from cnncore.layers import checks
from cnncore.layers.layer import Layer


class Activation(Layer):
    """Applies an activation function.

    Args:
        activation: its name, or a function.

    Input shape: any.
    Output shape: the same.
    """

    _takes_one = _casts_inputs = True

    def __init__(self, activation, **kwargs):
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs):
        return self.activation(inputs)

    def get_config(self):
        return {**super().get_config(), "activation": activations.serialize(self.activation)}


class ReLU(Layer):
    """max(0, x), or with slopes and bounds of one's own.

    Args:
        max_value: the largest output, or None.
        negative_slope: the slope below the threshold.
        threshold: inputs below it count as negative.

    Input shape: any.
    Output shape: the same.
    """

    _takes_one = _casts_inputs = True

    def __init__(self, max_value=None, negative_slope=0.0, threshold=0.0, **kwargs):
        super().__init__(**kwargs)
        for name, value in (("max_value", max_value), ("negative_slope", negative_slope), ("threshold", threshold)):
            if value is not None or name != "max_value":
                checks.number(value, "ReLU", name)
        self.max_value, self.negative_slope, self.threshold = max_value, negative_slope, threshold

    def call(self, inputs):
        return activations.relu(inputs, self.negative_slope, self.max_value, self.threshold)

    def get_config(self):
        return {**super().get_config(), "max_value": self.max_value, "negative_slope": self.negative_slope,
                "threshold": self.threshold}


class Softmax(Layer):
    """exp(x) over its sum along an axis.

    A call may be given a `mask`, of the input's shape or one that broadcasts to it: where it is not above 0.5, or
    False, the output is 0 and the others share the rest.

    Args:
        axis: the axis, or a list of them.

    Input shape: any.
    Output shape: the same.

    Raises:
        ValueError: a mask does not broadcast to the input.

    Example:
        >>> import cnncore, numpy as np
        >>> layer = cnncore.layers.Softmax()
        >>> layer(np.zeros(4), mask=np.array([True, True, False, False])).numpy()
        array([0.5, 0.5, 0. , 0. ], dtype=float32)
    """

    _takes_one = _casts_inputs = True

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs, mask=None):
        if mask is None:
            return self._softmax(inputs)
        shape, wide = inputs.shape, (1,) * (len(inputs.shape) - len(mask.shape)) + tuple(mask.shape)
        if len(wide) > len(shape) or any(m != 1 and None not in (n, m) and m != n for n, m in zip(shape, wide)):
            raise ValueError(f"{self._described()} takes a mask that broadcasts to its input: from the last axis on, "
                             f"equal or 1. Received: mask of shape {tuple(mask.shape)}, input of shape {tuple(shape)}")
        kept = ops.greater(ops.cast(mask, "float32"), 0.5)
        return ops.where(kept, self._softmax(ops.where(kept, inputs, -1e9)), 0.0)

    def _softmax(self, x):
        if isinstance(self.axis, (list, tuple)) and len(self.axis) > 1:
            e = ops.exp(x - ops.max(x, self.axis, keepdims=True))
            return e / ops.sum(e, self.axis, keepdims=True)
        return ops.softmax(x, self.axis[0] if isinstance(self.axis, (list, tuple)) else self.axis)

    def get_config(self):
        return {**super().get_config(), "axis": self.axis}


class LeakyReLU(Layer):
    """x where it is positive, a small slope times x elsewhere.

    Args:
        negative_slope: the slope below 0.

    Input shape: any.
    Output shape: the same.

    Raises:
        ValueError: the slope is no number of 0 or more.

    Example:
        >>> import cnncore, numpy as np
        >>> cnncore.layers.LeakyReLU(0.5)(np.array([-2.0, 3.0])).numpy()
        array([-1.,  3.], dtype=float32)
    """

    _takes_one = _casts_inputs = True

    def __init__(self, negative_slope=0.3, **kwargs):
        if "alpha" in kwargs:
            negative_slope = kwargs.pop("alpha")
            warnings.warn("LeakyReLU: alpha is an old name. Use negative_slope instead", stacklevel=2)
        super().__init__(**kwargs)
        self.negative_slope = checks.number(negative_slope, "LeakyReLU", "negative_slope")

    def call(self, inputs):
        return activations.leaky_relu(inputs, self.negative_slope)

    def get_config(self):
        return {**super().get_config(), "negative_slope": self.negative_slope}


class ELU(Layer):
    """x where it is positive, alpha (e^x - 1) elsewhere (Clevert, Unterthiner and Hochreiter 2016).

    Args:
        alpha: how far below 0 the output goes.

    Input shape: any.
    Output shape: the same.

    Raises:
        ValueError: alpha is no number.
    """

    _takes_one = _casts_inputs = True

    def __init__(self, alpha=1.0, **kwargs):
        super().__init__(**kwargs)
        self.alpha = checks.number(alpha, "ELU", "alpha", least=-float("inf"))

    def call(self, inputs):
        return activations.elu(inputs, self.alpha)

    def get_config(self):
        return {**super().get_config(), "alpha": self.alpha}


class PReLU(Layer):
    """x where it is positive, a trained slope alpha times x elsewhere (He, Zhang, Ren and Sun 2015).

    Args:
        alpha_initializer: name or Initializer.
        alpha_regularizer: Regularizer or None.
        alpha_constraint: Constraint or None.
        shared_axes: axes, 1 being the first after the batch, along which one slope serves all; [1, 2] gives images one
            slope a channel.

    Input shape: (batch, ...).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.

    Example:
        >>> import cnncore, numpy as np
        >>> layer = cnncore.layers.PReLU(shared_axes=[1, 2])
        >>> layer(np.zeros((2, 8, 8, 3), "float32")).shape, layer.alpha.shape
        ((2, 8, 8, 3), (1, 1, 3))
    """

    _takes_one = _casts_inputs = True
    alpha = None

    def __init__(self, alpha_initializer="Zeros", alpha_regularizer=None, alpha_constraint=None, shared_axes=None,
                 **kwargs):
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        if shared_axes is not None:
            shared_axes = list(shared_axes) if isinstance(shared_axes, (list, tuple)) else [shared_axes]
            shared_axes = [checks.whole(axis, "PReLU", "shared_axes") for axis in shared_axes]
        self.shared_axes = shared_axes

    def _check(self, shape):
        shared = self.shared_axes or []
        if len(shape) < 2 or any(axis >= len(shape) for axis in shared):
            raise ValueError(f"{self._described()} takes inputs (batch, ...) with the axes shared_axes={self.shared_axes}. "
                             f"Received: shape {tuple(shape)}; choose axes that it has")
        if self.built and len(shape) != len(self.alpha.shape) + 1:
            raise ValueError(f"{self._described()} was built for inputs of {len(self.alpha.shape) + 1} axes. Received: "
                             f"shape {tuple(shape)}")
        for axis in range(1, len(shape)):
            if axis not in shared:
                checks.length(self, shape, self.alpha.shape[axis - 1] if self.built else None, "values",
                              "use a layer of its own for inputs of another kind, or list the axis in shared_axes", axis)

    def build(self, input_shape):
        self._check(input_shape)
        shape = [1 if axis in (self.shared_axes or []) else n for axis, n in enumerate(input_shape)][1:]
        self.alpha = self.add_weight(tuple(shape), self.alpha_initializer, regularizer=self.alpha_regularizer,
                                     constraint=self.alpha_constraint, name="alpha")

    def call(self, inputs):
        return ops.relu(inputs) - self.alpha * ops.relu(-inputs)

    def get_config(self):
        return {**super().get_config(), "alpha_initializer": initializers.serialize(self.alpha_initializer),
                "alpha_regularizer": regularizers.serialize(self.alpha_regularizer),
                "alpha_constraint": constraints.serialize(self.alpha_constraint), "shared_axes": self.shared_axes}
