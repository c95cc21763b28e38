"""Losses between numbers: functions of (y_true, y_pred) that give one value for each sample."""
import math

from cnncore import ops
from cnncore.losses.loss import EPSILON, as_floats, same_rank


def _pair(name, y_true, y_pred):
    """Both as float32 tensors of one shape."""
    y_true, y_pred = same_rank(as_floats(y_true), as_floats(y_pred))
    if y_true.shape != y_pred.shape:
        try:
            shape = tuple(_broadcast(a, b) for a, b in zip(y_true.shape, y_pred.shape, strict=True))
        except ValueError:
            raise ValueError(f"{name} compares targets and predictions of one shape. Received: y_true of shape "
                             f"{y_true.shape} and y_pred of shape {y_pred.shape}; give the model's last layer as many "
                             "units as the targets have columns, or reshape the targets") from None
        y_true, y_pred = ops.broadcast_to(y_true, shape), ops.broadcast_to(y_pred, shape)
    return y_true, y_pred


def _broadcast(a, b):
    if a != b and 1 not in (a, b):
        raise ValueError
    return max(a, b)


def mean_squared_error(y_true, y_pred):
    """mean((y_true - y_pred)^2) over the last axis.

    Args:
        y_true: targets (n, ..., d).
        y_pred: predictions of the same shape.

    Example:
        >>> mean_squared_error([[0.0, 2.0]], [[0.0, 0.0]]).numpy()
        array([2.], dtype=float32)
    """
    y_true, y_pred = _pair("mean_squared_error", y_true, y_pred)
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


def mean_absolute_error(y_true, y_pred):
    """mean(|y_true - y_pred|) over the last axis.

    Args:
        y_true: targets (n, ..., d).
        y_pred: predictions of the same shape.

    Example:
        >>> mean_absolute_error([[0.0, 2.0]], [[0.0, 0.0]]).numpy()
        array([1.], dtype=float32)
    """
    y_true, y_pred = _pair("mean_absolute_error", y_true, y_pred)
    return ops.mean(ops.abs(y_true - y_pred), axis=-1)


def mean_absolute_percentage_error(y_true, y_pred):
    """100 * mean(|y_true - y_pred| / max(|y_true|, 1e-7)) over the last axis.

    Args:
        y_true: targets (n, ..., d).
        y_pred: predictions of the same shape.

    Example:
        >>> mean_absolute_percentage_error([[2.0, 4.0]], [[1.0, 4.0]]).numpy()
        array([25.], dtype=float32)
    """
    y_true, y_pred = _pair("mean_absolute_percentage_error", y_true, y_pred)
    return 100.0 * ops.mean(ops.abs((y_true - y_pred) / ops.maximum(ops.abs(y_true), EPSILON)), axis=-1)


def mean_squared_logarithmic_error(y_true, y_pred):
    """mean((log(y_true + 1) - log(y_pred + 1))^2) over the last axis, both kept at 1e-7 or more.

    Args:
        y_true: targets (n, ..., d).
        y_pred: predictions of the same shape.

    Example:
        >>> mean_squared_logarithmic_error([[3.0, 5.0]], [[3.0, 5.0]]).numpy()
        array([0.], dtype=float32)
    """
    y_true, y_pred = _pair("mean_squared_logarithmic_error", y_true, y_pred)
    logs = [ops.log(ops.maximum(y, EPSILON) + 1.0) for y in (y_pred, y_true)]
    return ops.mean(ops.square(logs[0] - logs[1]), axis=-1)


def cosine_similarity(y_true, y_pred, axis=-1):
    """-sum(u * v) over the axis, u and v being y_true and y_pred of unit length: -1 where they point the same way.

    Args:
        y_true: targets (n, ..., d).
        y_pred: predictions of the same shape.
        axis: the axis along which vectors lie.

    Example:
        >>> cosine_similarity([[3.0, 0.0]], [[2.0, 0.0]]).numpy()
        array([-1.], dtype=float32)
    """
    return -cosine(y_true, y_pred, axis)


def cosine(y_true, y_pred, axis=-1):
    """The cosine of the angle between targets and predictions."""
    y_true, y_pred = _pair("cosine_similarity", y_true, y_pred)
    return ops.sum(_unit(y_true, axis) * _unit(y_pred, axis), axis=axis)


def _unit(x, axis):
    """x divided by its length, or by 1e-7 where that is more."""
    return x / ops.sqrt(ops.maximum(ops.sum(ops.square(x), axis=axis, keepdims=True), EPSILON**2))


def huber(y_true, y_pred, delta=1.0):
    """mean of 0.5 * e^2 where |e| <= delta, else delta * |e| - 0.5 * delta^2, e being y_pred - y_true.

    Args:
        y_true: targets (n, ..., d).
        y_pred: predictions of the same shape.
        delta: where the square goes over into a line.

    Example:
        >>> huber([[0.0, 0.0]], [[1.0, 3.0]]).numpy()
        array([1.5], dtype=float32)
    """
    y_true, y_pred = _pair("huber", y_true, y_pred)
    error = y_pred - y_true
    size = ops.abs(error)
    return ops.mean(ops.where(ops.less_equal(size, delta), 0.5 * ops.square(error), delta * size - 0.5 * delta**2),
                    axis=-1)


def log_cosh(y_true, y_pred):
    """mean(log(cosh(y_pred - y_true))) over the last axis.

    Args:
        y_true: targets (n, ..., d).
        y_pred: predictions of the same shape.

    Example:
        >>> log_cosh([[0.0, 0.0]], [[0.0, 0.0]]).numpy()
        array([0.], dtype=float32)
    """
    y_true, y_pred = _pair("log_cosh", y_true, y_pred)
    error = y_pred - y_true
    return ops.mean(error + ops.softplus(error * -2.0) - math.log(2.0), axis=-1)


def poisson(y_true, y_pred):
    """mean(y_pred - y_true * log(y_pred + 1e-7)) over the last axis.

    Args:
        y_true: targets (n, ..., d), counts.
        y_pred: predictions of the same shape, expected counts.

    Example:
        >>> poisson([[0.0, 0.0]], [[1.0, 3.0]]).numpy()
        array([2.], dtype=float32)
    """
    y_true, y_pred = _pair("poisson", y_true, y_pred)
    return ops.mean(y_pred - y_true * ops.log(y_pred + EPSILON), axis=-1)


def kl_divergence(y_true, y_pred):
    """sum(y_true * log(y_true / y_pred)) over the last axis, both kept between 1e-7 and 1.

    Args:
        y_true: probabilities (n, ..., d).
        y_pred: probabilities of the same shape.

    Example:
        >>> kl_divergence([[0.5, 0.5]], [[0.5, 0.5]]).numpy()
        array([0.], dtype=float32)
    """
    y_true, y_pred = _pair("kl_divergence", y_true, y_pred)
    y_true, y_pred = ops.clip(y_true, EPSILON, 1.0), ops.clip(y_pred, EPSILON, 1.0)
    return ops.sum(y_true * ops.log(y_true / y_pred), axis=-1)


def hinge(y_true, y_pred):
    """mean(max(1 - y_true * y_pred, 0)) over the last axis; targets of only 0 and 1 are taken as -1 and 1.

    Args:
        y_true: targets (n, ..., d), -1 or 1.
        y_pred: predictions of the same shape.

    Example:
        >>> hinge([[1.0, -1.0]], [[0.5, -2.0]]).numpy()
        array([0.25], dtype=float32)
    """
    return ops.mean(_hinges("hinge", y_true, y_pred), axis=-1)


def squared_hinge(y_true, y_pred):
    """mean(max(1 - y_true * y_pred, 0)^2) over the last axis; targets of only 0 and 1 are taken as -1 and 1.

    Args:
        y_true: targets (n, ..., d), -1 or 1.
        y_pred: predictions of the same shape.

    Example:
        >>> squared_hinge([[1.0, -1.0]], [[0.0, -2.0]]).numpy()
        array([0.5], dtype=float32)
    """
    return ops.mean(ops.square(_hinges("squared_hinge", y_true, y_pred)), axis=-1)


def _hinges(name, y_true, y_pred):
    y_true, y_pred = _pair(name, y_true, y_pred)
    binary = ops.min(ops.cast(ops.equal(y_true * (y_true - 1.0), 0.0), "float32"))  # 1 if all targets are 0 or 1
    signs = y_true + binary * (y_true - 1.0)
    return ops.maximum(1.0 - signs * y_pred, 0.0)


def categorical_hinge(y_true, y_pred):
    """max(neg - pos + 1, 0), with pos = sum(y_true * y_pred) and neg = max((1 - y_true) * y_pred) over the last axis.

    Args:
        y_true: one-hot targets (n, ..., classes).
        y_pred: predictions of the same shape.

    Example:
        >>> categorical_hinge([[0.0, 1.0]], [[0.5, 1.0]]).numpy()
        array([0.5], dtype=float32)
    """
    y_true, y_pred = _pair("categorical_hinge", y_true, y_pred)
    positive = ops.sum(y_true * y_pred, axis=-1)
    negative = ops.max((1.0 - y_true) * y_pred, axis=-1)
    return ops.maximum(negative - positive + 1.0, 0.0)
