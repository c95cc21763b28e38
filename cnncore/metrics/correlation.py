"""Metrics of regression that compare how targets and predictions vary."""
from cnncore import executor, ops
from cnncore.losses.loss import EPSILON, as_floats, same_rank
from cnncore.metrics.metric import Metric, add_to
from cnncore.metrics.reduction import MeanMetricWrapper


def _centred(y_true, y_pred, axis):
    """Both, and both less their means along the axis."""
    y_true, y_pred = same_rank(as_floats(y_true), as_floats(y_pred))
    return y_true, y_pred, *(y - ops.mean(y, axis=axis, keepdims=True) for y in (y_true, y_pred))


def _variance(centred, axis):
    return ops.mean(ops.square(centred), axis=axis, keepdims=True)


def pearson_correlation(y_true, y_pred, axis=-1):
    """The mean of the products of targets and predictions, both shifted to mean 0 and scaled to deviation 1.

    Args:
        y_true: targets.
        y_pred: predictions of the same shape.
        axis: the axis along which values are compared.

    Example:
        >>> pearson_correlation([[0.0, 1.0, 0.5]], [[0.0, 2.0, 1.0]]).numpy().round(4).tolist()
        [1.0]
    """
    _, _, a, b = _centred(y_true, y_pred, axis)
    a, b = (y / ops.sqrt(_variance(y, axis)) for y in (a, b))
    return ops.mean(a * b, axis=axis)


def concordance_correlation(y_true, y_pred, axis=-1):
    """2 * covariance / (the variances' sum + (the means' difference)^2): 1 for predictions equal to targets.

    Args:
        y_true: targets.
        y_pred: predictions of the same shape.
        axis: the axis along which values are compared.

    Example:
        >>> concordance_correlation([[0.0, 1.0, 0.5]], [[0.0, 1.0, 0.5]]).numpy().round(4).tolist()
        [1.0]
    """
    y_true, y_pred, a, b = _centred(y_true, y_pred, axis)
    shift = ops.mean(y_true, axis=axis, keepdims=True) - ops.mean(y_pred, axis=axis, keepdims=True)
    norm = _variance(a, axis) + _variance(b, axis) + ops.square(shift)
    return ops.mean((y_true - ops.mean(y_pred, axis=axis, keepdims=True)) * b * 2.0 / (norm + EPSILON), axis=axis)


class PearsonCorrelation(MeanMetricWrapper):
    """The mean of `pearson_correlation`.

    Args:
        name: name of the metric.
        dtype: as for `Metric`.
        axis: the axis along which values are compared; 0 compares over the samples of a batch.

    Example:
        >>> round(float(PearsonCorrelation(axis=0)([0.0, 1.0, 0.5], [0.0, 2.0, 1.0])), 4)
        1.0
    """

    _direction = "up"

    def __init__(self, name="pearson_correlation", dtype=None, axis=-1):
        super().__init__(pearson_correlation, name, dtype, axis=axis)
        self.axis = axis


class ConcordanceCorrelation(MeanMetricWrapper):
    """The mean of `concordance_correlation`.

    Args:
        name: name of the metric.
        dtype: as for `Metric`.
        axis: the axis along which values are compared; 0 compares over the samples of a batch.

    Example:
        >>> round(float(ConcordanceCorrelation(axis=0)([0.0, 1.0, 0.5], [0.0, 1.0, 0.5])), 4)
        1.0
    """

    _direction = "up"

    def __init__(self, name="concordance_correlation", dtype=None, axis=-1):
        super().__init__(concordance_correlation, name, dtype, axis=axis)
        self.axis = axis


class R2Score(Metric):
    """The share of the targets' variance that predictions explain: 1 - sum((y - p)^2) / sum((y - mean(y))^2).

    Args:
        class_aggregation: 'uniform_average' over the columns, 'variance_weighted_average', or None for one score each.
        num_regressors: number of independent variables, for the adjusted score; 0 for the plain one.
        name: name of the metric.
        dtype: as for `Metric`.

    Raises:
        ValueError: an argument is unknown, or shapes are not (samples, columns).

    Example:
        >>> round(float(R2Score()([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])), 4)
        0.5714
    """

    _direction = "up"

    def __init__(self, class_aggregation="uniform_average", num_regressors=0, name="r2_score", dtype=None):
        super().__init__(dtype, name)
        if class_aggregation not in (None, "uniform_average", "variance_weighted_average"):
            raise ValueError("The class_aggregation of R2Score is 'uniform_average', 'variance_weighted_average' or "
                             f"None. Received: class_aggregation={class_aggregation!r}")
        if num_regressors < 0:
            raise ValueError(f"The num_regressors of R2Score is 0 or more. Received: num_regressors={num_regressors!r}")
        self.class_aggregation, self.num_regressors = class_aggregation, num_regressors
        self.num_samples = self.add_variable((), name="num_samples")
        self._built = False

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Takes in a batch of targets and predictions (samples, columns), weighted where weights are given."""
        with executor.no_grad():
            y_true, y_pred = same_rank(as_floats(y_true), as_floats(y_pred))
            if y_pred.ndim != 2 or y_true.shape != y_pred.shape:
                raise ValueError("R2Score takes targets and predictions of shape (samples, columns). Received: y_true "
                                 f"of shape {y_true.shape} and y_pred of shape {y_pred.shape}; reshape them to "
                                 "(samples, 1) for one column")
            if not self._built:
                for name, shown in (("squared_sum", "squared_sum"), ("sum", "sum"), ("total_mse", "residual"),
                                    ("count", "count")):
                    setattr(self, name, self.add_variable(y_pred.shape[1:], name=shown))
                self._built = True
            weights = as_floats(1.0 if sample_weight is None else sample_weight)
            weights = ops.broadcast_to(ops.expand_dims(weights, 1) if weights.ndim == 1 else weights, y_true.shape)
            for variable, values in ((self.sum, y_true), (self.squared_sum, ops.square(y_true)),
                                     (self.total_mse, ops.square(y_true - y_pred)), (self.count, None)):
                add_to(variable, ops.sum(weights if values is None else values * weights, axis=0))
            add_to(self.num_samples, as_floats(float(y_true.size)))

    def result(self):
        if not self._built:
            return ops.convert_to_tensor(0.0)
        with executor.no_grad():
            total = self.squared_sum - self.sum * (self.sum / self.count)
            scores = 1.0 - self.total_mse / total
            scores = ops.where(ops.equal(ops.abs(scores), float("inf")), 0.0, scores)
            if self.class_aggregation == "uniform_average":
                scores = ops.mean(scores)
            elif self.class_aggregation is not None:
                scores = ops.sum(total * scores) / ops.sum(total)
            if self.num_regressors:  # with too few samples the adjusted score is none, and the plain one is given
                left = self.num_samples - (self.num_regressors + 1.0)
                enough = ops.greater(left, 0.0)
                adjusted = 1.0 - (1.0 - scores) * (self.num_samples - 1.0) / ops.where(enough, left, 1.0)
                scores = ops.where(enough, adjusted, scores)
            return scores

    def get_config(self):
        return super().get_config() | {"class_aggregation": self.class_aggregation,
                                       "num_regressors": self.num_regressors}
