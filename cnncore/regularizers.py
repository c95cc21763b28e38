"""Regularizers: what large weights add to the loss."""
from cnncore import ops
from cnncore.utils.identifiers import from_identifier


class Regularizer:
    """A function of a weight whose value is added to the loss; a class of one's own defines __call__ and get_config."""

    def __call__(self, x):
        return ops.sum(x) * 0.0

    def get_config(self):
        """The arguments that make an equal one."""
        raise NotImplementedError(f"{type(self).__name__} must define get_config() to be saved")

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        return cls(**config)


class L1L2(Regularizer):
    """l1 times the sum of |w| plus l2 times the sum of w squared.

    Args:
        l1, l2: numbers of 0 or more.
    """

    def __init__(self, l1=0.0, l2=0.0):
        self.l1, self.l2 = (_number(value, name) for value, name in ((l1, "l1"), (l2, "l2")))

    def __call__(self, x):
        total = ops.convert_to_tensor(0.0)
        if self.l1:
            total = total + self.l1 * ops.sum(ops.abs(x))
        if self.l2:
            total = total + self.l2 * ops.sum(ops.square(x))
        return total

    def get_config(self):
        return {"l1": self.l1, "l2": self.l2}


class L1(Regularizer):
    """l1 times the sum of |w|.

    Args:
        l1: number of 0 or more.
    """

    def __init__(self, l1=0.01):
        self.l1 = _number(l1, "l1")

    def __call__(self, x):
        return self.l1 * ops.sum(ops.abs(x))

    def get_config(self):
        return {"l1": self.l1}


class L2(Regularizer):
    """l2 times the sum of w squared.

    Args:
        l2: number of 0 or more.
    """

    def __init__(self, l2=0.01):
        self.l2 = _number(l2, "l2")

    def __call__(self, x):
        return self.l2 * ops.sum(ops.square(x))

    def get_config(self):
        return {"l2": self.l2}


def _number(value, name):
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
        raise ValueError(f"The strength of a regularizer is a number of 0 or more. Received: {name}={value!r}")
    return float(value)


l1, l2, l1_l2 = L1, L2, L1L2
_NAMES = {"L1": L1, "L2": L2, "L1L2": L1L2, "l1": L1, "l2": L2, "l1_l2": L1L2}


def get(identifier):
    """The regularizer of a name, configuration or object; None stays None."""
    return from_identifier("regularizer", identifier, _NAMES)


def serialize(regularizer):
    """A regularizer as files hold it."""
    from cnncore.saving import serialize_keras_object

    return None if regularizer is None else serialize_keras_object(regularizer)


deserialize = get
