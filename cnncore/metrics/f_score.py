"""F scores: precision and recall in one figure."""
from cnncore import executor, ops
from cnncore.losses.loss import EPSILON, as_floats
from cnncore.metrics.metric import Metric, add_to


class FBetaScore(Metric):
    """(1 + beta^2) * precision * recall / (beta^2 * precision + recall), for one-hot or several labels.

    Args:
        average: None for one score for each class; 'micro' for all decisions together; 'macro' for the mean over
            classes; 'weighted' for that mean weighted by how often each class occurs.
        beta: float above 0; how much more recall counts than precision.
        threshold: float above 0, at most 1, above which a prediction says yes; None for the largest prediction.
        name: name of the metric.
        dtype: as for `Metric`.

    Raises:
        ValueError: an argument is out of its range, or shapes are not (samples, classes).

    Example:
        >>> metric = FBetaScore(beta=2.0, threshold=0.5)
        >>> [round(float(score), 4) for score in metric([[1, 1], [1, 0]], [[0.2, 0.6], [0.2, 0.6]])]
        [0.0, 0.8333]
    """

    _direction = "up"
    _counts = ("true_positives", "false_positives", "false_negatives", "intermediate_weights")

    def __init__(self, average=None, beta=1.0, threshold=None, name="fbeta_score", dtype=None):
        super().__init__(dtype, name)
        kind = type(self).__name__
        if average not in (None, "micro", "macro", "weighted"):
            raise ValueError(f"The average of {kind} is None, 'micro', 'macro' or 'weighted'. Received: "
                             f"average={average!r}")
        if not isinstance(beta, float) or beta <= 0:
            raise ValueError(f"The beta of {kind} is a float above 0. Received: beta={beta!r}")
        if threshold is not None and (not isinstance(threshold, float) or not 0 < threshold <= 1):
            raise ValueError(f"The threshold of {kind} is a float above 0 and at most 1, or None. Received: "
                             f"threshold={threshold!r}")
        self.average, self.beta, self.threshold = average, beta, threshold
        self._built = False

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Takes in a batch of targets (samples, classes) and predictions, weighted where weights are given."""
        with executor.no_grad():
            y_true, y_pred = as_floats(y_true), as_floats(y_pred)
            if y_pred.ndim != 2 or y_true.shape != y_pred.shape:
                raise ValueError(f"{type(self).__name__} takes targets and predictions of shape (samples, classes). "
                                 f"Received: y_true of shape {y_true.shape} and y_pred of shape {y_pred.shape}; use "
                                 "utils.to_categorical for class numbers")
            if not self._built:
                for name in self._counts:
                    setattr(self, name, self.add_variable(() if self.average == "micro" else y_pred.shape[1:],
                                                          name=name))
                self._built = True
            if self.threshold is None:
                largest = ops.greater_equal(y_pred, ops.max(y_pred, axis=-1, keepdims=True))
                y_pred = ops.logical_and(largest, ops.greater(ops.abs(y_pred), 1e-9))  # a row of zeros says no
            else:
                y_pred = ops.greater(y_pred, self.threshold)
            y_pred = ops.cast(y_pred, "float32")
            weights = None if sample_weight is None else ops.reshape(as_floats(sample_weight), (-1, 1))
            for name, values in zip(self._counts, (y_pred * y_true, y_pred * (1.0 - y_true), (1.0 - y_pred) * y_true,
                                                   y_true), strict=True):
                values = values if weights is None else values * weights
                add_to(getattr(self, name), ops.sum(values, axis=None if self.average == "micro" else 0))

    def result(self):
        if not self._built:
            return ops.convert_to_tensor(0.0)
        with executor.no_grad():
            precision = self.true_positives / (self.true_positives + self.false_positives + EPSILON)
            recall = self.true_positives / (self.true_positives + self.false_negatives + EPSILON)
            square = self.beta**2
            score = precision * recall / (precision * square + recall + EPSILON) * (1.0 + square)
            if self.average == "weighted":
                weights = self.intermediate_weights
                return ops.sum(score * (weights / (ops.sum(weights) + EPSILON)))
            return score if self.average is None else ops.mean(score)

    def get_config(self):
        return super().get_config() | {"average": self.average, "beta": self.beta, "threshold": self.threshold}


class F1Score(FBetaScore):
    """2 * precision * recall / (precision + recall), for one-hot or several labels.

    Args:
        average, threshold, name, dtype: as for `FBetaScore`.

    Raises:
        ValueError: an argument is out of its range, or shapes are not (samples, classes).

    Example:
        >>> metric = F1Score(threshold=0.5)
        >>> [round(float(score), 4) for score in metric([[1, 1], [1, 0]], [[0.2, 0.6], [0.2, 0.6]])]
        [0.0, 0.6667]
    """

    def __init__(self, average=None, threshold=None, name="f1_score", dtype=None):
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self):
        config = super().get_config()
        del config["beta"]
        return config
