"""Regularizers: what large weights add to the loss."""
from cnncore import ops
from cnncore.utils.identifiers import from_identifier, from_saved


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


class OrthogonalRegularizer(Regularizer):
    """factor times the mean of |cos| of the angles between the rows, or the columns, of a matrix.

    Args:
        factor: number of 0 or more.
        mode: 'rows' or 'columns'.

    Raises:
        ValueError: an argument does not fit, or the weight is no matrix.
    """

    def __init__(self, factor=0.01, mode="rows"):
        if mode not in ("rows", "columns"):
            raise ValueError(f"The mode of OrthogonalRegularizer is 'rows' or 'columns'. Received: mode={mode!r}")
        self.factor, self.mode = _number(factor, "factor"), mode

    def __call__(self, x):
        if len(x.shape) != 2:
            raise ValueError(f"OrthogonalRegularizer takes matrices, such as a Dense kernel. Received: shape {x.shape}")
        x = x if self.mode == "rows" else ops.transpose(x)
        x = x / ops.maximum(ops.sqrt(ops.sum(ops.square(x), axis=1, keepdims=True)), 1e-7)
        rows = x.shape[0]
        others = 1.0 - ops.one_hot(ops.convert_to_tensor(list(range(rows))), rows)
        return ops.sum(ops.abs(ops.matmul(x, ops.transpose(x)) * others)) * (self.factor / (rows * (rows - 1.0)))

    def get_config(self):
        return {"factor": self.factor, "mode": self.mode}


def _number(value, name):
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
        raise ValueError(f"The strength of a regularizer is a number of 0 or more. Received: {name}={value!r}")
    return float(value)


l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer
_NAMES = {"L1": L1, "L2": L2, "L1L2": L1L2, "l1": L1, "l2": L2, "l1_l2": L1L2,
          "OrthogonalRegularizer": OrthogonalRegularizer, "orthogonal_regularizer": OrthogonalRegularizer}


def get(identifier):
    """The regularizer of a name, configuration or object; None stays None."""
    return from_identifier("regularizer", identifier, _NAMES)


def serialize(regularizer):
    """A regularizer as files hold it."""
    from cnncore.saving import serialize_keras_object

    return None if regularizer is None else serialize_keras_object(regularizer)


def deserialize(config, custom_objects=None):
    """The regularizer that `serialize` wrote; `custom_objects` is a dict from names to classes of yours."""
    return from_saved("regularizer", config, _NAMES, custom_objects)
