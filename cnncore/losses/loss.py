"""The base class of losses: how one number per sample becomes the number that training minimizes."""
import sys
import warnings

from cnncore import ops
from cnncore.tensor import Tensor, convert
from cnncore.utils.naming import auto_name, to_snake_case

EPSILON = 1e-7  # what probabilities are kept away from 0 and 1 by, as in Keras
REDUCTIONS = ("sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none", None)


class Loss:
    """Base of losses.

    Subclass it and define `call(y_true, y_pred)`, which returns one value for each sample.

    Args:
        name: name of the loss.
        reduction: 'sum_over_batch_size' or 'mean' (the sum of the weighted values divided by their number),
            'mean_with_sample_weight' (divided by the sum of the weights), 'sum', or 'none' or None for the values
            as they are.
        dtype: accepted for compatibility; losses are computed in float32.

    Raises:
        ValueError: the reduction is unknown.

    Example:
        >>> import cnncore
        >>> class Squared(Loss):
        ...     def call(self, y_true, y_pred):
        ...         return cnncore.ops.mean(cnncore.ops.square(y_true - y_pred), axis=-1)
        >>> Squared()([[0.0, 2.0]], [[0.0, 0.0]]).item()
        2.0
    """

    def __init__(self, name=None, reduction="sum_over_batch_size", dtype=None):
        if reduction not in REDUCTIONS:
            raise ValueError(f"The reduction of a loss is one of {', '.join(map(repr, REDUCTIONS))}. Received: "
                             f"reduction={reduction!r}")
        self.name = name or auto_name(to_snake_case(type(self).__name__))
        self.reduction = reduction
        self.dtype = str(getattr(dtype, "compute_dtype", dtype) or "float32")

    def __call__(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred = as_targets(y_true), as_floats(y_pred)
        return reduce_weighted(self.call(y_true, y_pred), sample_weight, self.reduction)

    def call(self, y_true, y_pred):
        """One value for each sample.

        Args:
            y_true: tensor of targets, float32 or int32.
            y_pred: float32 tensor of predictions.
        """
        raise NotImplementedError(f"{type(self).__name__} must define call(y_true, y_pred)")

    def get_config(self):
        """The arguments that make an equal loss."""
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        return cls(**config)


class LossFunctionWrapper(Loss):
    """A loss made of a function of (y_true, y_pred) that gives one value for each sample.

    Args:
        fn: the function.
        reduction, name, dtype: as for `Loss`.
        **kwargs: further arguments of the function.
    """

    def __init__(self, fn, reduction="sum_over_batch_size", name=None, dtype=None, **kwargs):
        super().__init__(name, reduction, dtype)
        self.fn = fn
        self._fn_kwargs = kwargs

    def call(self, y_true, y_pred):
        return self.fn(*same_rank(y_true, y_pred), **self._fn_kwargs)

    def get_config(self):
        return super().get_config() | ({"fn": self.fn} if type(self) is LossFunctionWrapper else {}) | self._fn_kwargs


def as_floats(value):
    """A float32 tensor of anything that can be one; a nest of tensors stays a nest."""
    if isinstance(value, dict):
        return {key: as_floats(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)) and any(isinstance(part, Tensor) for part in value):
        return type(value)(as_floats(part) for part in value)
    tensor = convert(value)
    return tensor if tensor.dtype == "float32" else ops.cast(tensor, "float32")


def as_targets(value):
    """A tensor of targets: integers stay integers, so that class numbers stay exact."""
    if isinstance(value, dict):
        return {key: as_targets(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)) and any(isinstance(part, Tensor) for part in value):
        return type(value)(as_targets(part) for part in value)
    tensor = convert(value)
    return tensor if tensor.dtype in ("float32", "int32") else ops.cast(
        tensor, "float32" if tensor.dtype == "float64" else "int32")


def same_rank(a, b):
    """The two tensors with a last axis of 1 taken away from, or given to, the one whose rank differs by 1.

    Targets of shape (n,) thus meet predictions of shape (n, 1).
    """
    if not isinstance(a, Tensor) or not isinstance(b, Tensor):
        return a, b
    if a.ndim == b.ndim + 1 and a.shape[-1] == 1:
        return (a, ops.expand_dims(b, -1)) if b.ndim == 1 else (ops.squeeze(a, -1), b)
    if b.ndim == a.ndim + 1 and b.shape[-1] == 1:
        return (ops.expand_dims(a, -1), b) if a.ndim == 1 else (a, ops.squeeze(b, -1))
    return a, b


def reduce_weighted(values, sample_weight=None, reduction="sum_over_batch_size"):
    """Values times weights, reduced."""
    if sample_weight is not None:
        weights = as_floats(sample_weight)
        values, weights = same_rank(values, weights)
        check_weights(values, weights)
        values = values * weights
    if reduction in (None, "none") or values.shape in ((), (0,)):
        return values
    if reduction == "sum":
        return ops.sum(values)
    if reduction == "mean_with_sample_weight" and sample_weight is not None:
        return divide_no_nan(ops.sum(values), ops.sum(weights))
    return ops.mean(values) if values.size else ops.sum(values)


def check_weights(values, weights):
    """Weights must broadcast to the values; an array of another shape would silently give a table of products.

    A loss of one number for a whole batch takes weights of any shape, as in Keras: it is multiplied by each of them, with
    a warning unless there is one only, a scalar.
    """
    if values.ndim == 0 and weights.size:
        if weights.ndim:
            warnings.warn("A loss of one number for a whole batch is multiplied by every weight before it is reduced, so "
                          f"that no sample counts more than others. Received: sample_weight of shape {weights.shape} "
                          "(class_weight becomes one too); return one value for each sample, with axis=-1 for instance",
                          stacklevel=_level_of_the_user())
        return
    begin = values.ndim - weights.ndim
    fits = begin >= 0 and all(w in (1, v) for v, w in zip(values.shape[begin:], weights.shape, strict=True))
    if not fits:
        raise ValueError("sample_weight must hold one weight for each value of the loss, or one that broadcasts to "
                         f"them: shape {values.shape}. Received: sample_weight of shape {weights.shape}")


def _level_of_the_user():
    """The stacklevel of a warning in the calling function that names the line which called cnncore."""
    frame, level = sys._getframe(1), 1
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == "cnncore":
        frame, level = frame.f_back, level + 1
    return level


def divide_no_nan(a, b):
    """a / b, and 0 where b is 0."""
    zero = ops.equal(b, 0.0)
    return ops.where(zero, 0.0, a / ops.where(zero, 1.0, b))
