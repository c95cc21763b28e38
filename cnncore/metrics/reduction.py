"""Metrics that add up values: their sum, their mean, and the mean of any function of targets and predictions."""
import numpy as np

from cnncore import executor, ops
from cnncore.losses import is_loss
from cnncore.losses.loss import as_floats, as_targets, divide_no_nan, same_rank
from cnncore.metrics.metric import Metric, add_to
from cnncore.tensor import convert


def per_sample(values, sample_weight, reduce):
    """Values as one number for each sample, weighted, and the weights likewise (None without)."""
    values = as_floats(values)
    if sample_weight is not None:
        values, weights = same_rank(values, as_floats(sample_weight))
        if values.ndim > weights.ndim:
            values = reduce(values, axis=tuple(range(weights.ndim, values.ndim)))
        if weights.shape != values.shape:
            try:
                weights = ops.broadcast_to(weights, values.shape)
            except ValueError:
                raise ValueError("sample_weight must hold one weight for each sample, or one for each value of the "
                                 f"metric: shape {values.shape}. Received: shape {weights.shape}") from None
        values = values * weights
        sample_weight = reduce(weights, axis=tuple(range(1, weights.ndim))) if weights.ndim > 1 else weights
    if values.ndim > 1:
        values = reduce(values, axis=tuple(range(1, values.ndim)))
    return values, sample_weight


class Sum(Metric):
    """The weighted sum of values.

    Args:
        name: name of the metric.
        dtype: as for `Metric`.

    Example:
        >>> float(Sum()([1.0, 3.0]))
        4.0
    """

    def __init__(self, name="sum", dtype=None):
        super().__init__(dtype, name)
        self.total = self.add_variable((), name="total")

    def update_state(self, values, sample_weight=None):
        """Adds the values (any shape), times `sample_weight` where it is given."""
        with executor.no_grad():
            values, _ = per_sample(values, sample_weight, ops.sum)
            add_to(self.total, ops.sum(values) if values.ndim else values)

    def result(self):
        return as_result(self.total)


class Mean(Metric):
    """The weighted mean of values.

    Args:
        name: name of the metric.
        dtype: as for `Metric`.

    Example:
        >>> float(Mean()([1.0, 3.0]))
        2.0
    """

    def __init__(self, name="mean", dtype=None):
        super().__init__(dtype, name)
        self.total = self.add_variable((), name="total")
        self.count = self.add_variable((), name="count")

    def update_state(self, values, sample_weight=None):
        """Takes in values (any shape; one per sample, or their mean per sample), weighted by `sample_weight`."""
        with executor.no_grad():
            if isinstance(sample_weight, (int, float)):  # one weight, as training gives the size of a batch
                values = as_floats(values)
                if values.ndim:
                    sample_weight = np.full(values.shape[:1], sample_weight, "float32")
                else:
                    add_to(self.total, values * float(sample_weight))
                    add_to(self.count, convert(np.float32(sample_weight)))
                    return
            values, weights = per_sample(values, sample_weight, ops.mean)
            add_to(self.total, ops.sum(values) if values.ndim else values)
            if weights is None:
                count = convert(np.float32(values.shape[0] if values.ndim else 1))
            else:
                count = ops.sum(weights) if weights.ndim else weights
            add_to(self.count, count)

    def result(self):
        with executor.no_grad():
            return divide_no_nan(self.total, self.count)


class MeanMetricWrapper(Mean):
    """The mean of a function of targets and predictions.

    Args:
        fn: function of (y_true, y_pred) that gives one value, or several, for each sample.
        name: name of the metric.
        dtype: as for `Metric`.
        **kwargs: further arguments of the function.

    Example:
        >>> import cnncore
        >>> metric = MeanMetricWrapper(cnncore.losses.mean_squared_error, name="mse")
        >>> float(metric([[0.0], [2.0]], [[0.0], [0.0]]))
        2.0
    """

    _direction = None  # 'up' if more is better, 'down' if less is

    def __init__(self, fn, name=None, dtype=None, **kwargs):
        super().__init__(name, dtype)
        self._fn, self._fn_kwargs = fn, kwargs
        if self._direction is None and is_loss(fn):
            self._direction = "down"

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Takes in a batch of targets and predictions, weighted by `sample_weight` where it is given."""
        with executor.no_grad():
            super().update_state(self._fn(as_targets(y_true), as_floats(y_pred), **self._fn_kwargs), sample_weight)

    def get_config(self):
        return super().get_config() | ({"fn": self._fn} if type(self) is MeanMetricWrapper else {}) | self._fn_kwargs


def as_result(variable):
    """The variable's value as a tensor that later updates do not change."""
    with executor.no_grad():
        return variable + 0.0
