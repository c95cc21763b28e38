"""Constraints: what weights are made to fulfil after each step."""
from cnncore import ops
from cnncore.utils.identifiers import from_identifier, from_saved


class Constraint:
    """A function from a weight to the nearest allowed one; a class of one's own defines __call__ and get_config."""

    def __call__(self, w):
        return w

    def get_config(self):
        """The arguments that make an equal one."""
        return {}

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        return cls(**config)


def _norms(w, axis):
    return ops.sqrt(ops.sum(ops.square(w), axis=axis, keepdims=True))


class MaxNorm(Constraint):
    """Weights whose norm is at most a number.

    Args:
        max_value: the number.
        axis: axes over which norms are taken.
    """

    def __init__(self, max_value=2, axis=0):
        self.max_value, self.axis = max_value, axis

    def __call__(self, w):
        norms = _norms(w, self.axis)
        return w * (ops.clip(norms, 0, self.max_value) / (norms + 1e-7))

    def get_config(self):
        return {"max_value": self.max_value, "axis": self.axis}


class NonNeg(Constraint):
    """Weights of 0 or more."""

    def __call__(self, w):
        return ops.relu(w)


class UnitNorm(Constraint):
    """Weights of norm 1.

    Args:
        axis: axes over which norms are taken.
    """

    def __init__(self, axis=0):
        self.axis = axis

    def __call__(self, w):
        return w / (1e-7 + _norms(w, self.axis))

    def get_config(self):
        return {"axis": self.axis}


class MinMaxNorm(Constraint):
    """Weights whose norm is between two numbers.

    Args:
        min_value, max_value: the numbers.
        rate: how far norms are moved towards the range at each step, up to 1.
        axis: axes over which norms are taken.
    """

    def __init__(self, min_value=0.0, max_value=1.0, rate=1.0, axis=0):
        self.min_value, self.max_value, self.rate, self.axis = min_value, max_value, rate, axis

    def __call__(self, w):
        norms = _norms(w, self.axis)
        desired = self.rate * ops.clip(norms, self.min_value, self.max_value) + (1 - self.rate) * norms
        return w * (desired / (norms + 1e-7))

    def get_config(self):
        return {"min_value": self.min_value, "max_value": self.max_value, "rate": self.rate, "axis": self.axis}


max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm
_NAMES = {"MaxNorm": MaxNorm, "NonNeg": NonNeg, "UnitNorm": UnitNorm, "MinMaxNorm": MinMaxNorm, "max_norm": MaxNorm,
          "non_neg": NonNeg, "unit_norm": UnitNorm, "min_max_norm": MinMaxNorm}


def get(identifier):
    """The constraint of a name, configuration or object; None stays None."""
    return from_identifier("constraint", identifier, _NAMES)


def serialize(constraint):
    """A constraint as files hold it."""
    from cnncore.saving import serialize_keras_object

    return None if constraint is None else serialize_keras_object(constraint)


def deserialize(config, custom_objects=None):
    """The constraint that `serialize` wrote; `custom_objects` is a dict from names to classes of yours."""
    return from_saved("constraint", config, _NAMES, custom_objects)
