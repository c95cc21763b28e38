"""Activation functions as layers."""
from cnncore import activations, ops
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

    Args:
        axis: the axis, or a list of them.

    Input shape: any.
    Output shape: the same.
    """

    _takes_one = _casts_inputs = True

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs, mask=None):
        if mask is not None:
            inputs = inputs + (1.0 - ops.cast(mask, "float32")) * -3e38
        if isinstance(self.axis, (list, tuple)) and len(self.axis) > 1:
            e = ops.exp(inputs - ops.max(inputs, self.axis, keepdims=True))
            return e / ops.sum(e, self.axis, keepdims=True)
        return ops.softmax(inputs, self.axis[0] if isinstance(self.axis, (list, tuple)) else self.axis)

    def get_config(self):
        return {**super().get_config(), "axis": self.axis}
