"""Losses of segmentation: how far predicted and true areas are from overlapping."""
from cnncore import ops
from cnncore.losses.loss import EPSILON, as_floats, same_rank


def _pair(name, y_true, y_pred):
    y_true, y_pred = same_rank(as_floats(y_true), as_floats(y_pred))
    if y_true.shape != y_pred.shape:
        raise ValueError(f"{name} compares areas of one shape: y_true of shape {y_pred.shape}. Received: y_true of shape "
                         f"{y_true.shape}; use utils.to_categorical for class numbers")
    return y_true, y_pred


def dice(y_true, y_pred, axis=None):
    """1 - 2 * sum(y_true * y_pred) / (sum(y_true) + sum(y_pred)).

    Args:
        y_true: targets 0 or 1.
        y_pred: predicted probabilities of the same shape.
        axis: the axes that are summed over; None for all, (1, 2, 3) for one value for each image.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> round(dice([[0.0, 1.0]], [[0.0, 1.0]]).item(), 4)
        0.0
    """
    y_true, y_pred = _pair("dice", y_true, y_pred)
    both = ops.sum(y_true * y_pred, axis=axis)
    return 1.0 - both * 2.0 / (ops.sum(y_true, axis=axis) + ops.sum(y_pred, axis=axis) + EPSILON)


def tversky(y_true, y_pred, alpha=0.5, beta=0.5, axis=None):
    """1 - TP / (TP + alpha * missed + beta * wrong) (Salehi et al. 2017), missed being true but not predicted.

    Args:
        y_true: targets 0 or 1.
        y_pred: predicted probabilities of the same shape.
        alpha: weight of sum(y_true * (1 - y_pred)).
        beta: weight of sum((1 - y_true) * y_pred).
        axis: the axes that are summed over; None for all, (1, 2, 3) for one value for each image.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> round(tversky([[0.0, 1.0]], [[0.0, 1.0]]).item(), 4)
        0.0
    """
    y_true, y_pred = _pair("tversky", y_true, y_pred)
    both = ops.sum(y_true * y_pred, axis=axis)
    missed, wrong = ops.sum(y_true * (1.0 - y_pred), axis=axis), ops.sum((1.0 - y_true) * y_pred, axis=axis)
    return 1.0 - both / (both + missed * alpha + wrong * beta + EPSILON)
