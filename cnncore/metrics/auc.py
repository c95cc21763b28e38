"""The area under the curve of a classifier's decisions at many thresholds."""
import numpy as np

from cnncore import executor, ops
from cnncore.losses.loss import EPSILON, as_floats, divide_no_nan
from cnncore.metrics.confusion import _Counting, as_thresholds, even_thresholds
from cnncore.tensor import convert

_CURVES = ("ROC", "PR", "PRGAIN")
_SUMS = ("interpolation", "majoring", "minoring")


class AUC(_Counting):
    """The area under a curve: 'ROC' (true over false positive rate), 'PR' (precision over recall) or 'PRGAIN'.

    Args:
        num_thresholds: number of thresholds, 2 or more, that the curve is made of.
        curve: 'ROC', 'PR' or 'PRGAIN'.
        summation_method: 'interpolation', or 'minoring' or 'majoring' for the lower or upper sum of rectangles.
        name: name of the metric.
        dtype: as for `Metric`.
        thresholds: list of thresholds from 0 to 1 to use instead of evenly spread ones.
        multi_label: whether each column of the predictions gets a curve; the areas are averaged.
        num_labels: how many columns there are; by default learned from the first batch.
        label_weights: list of weights for that average, or, without multi_label, of the columns' counts.
        from_logits: whether predictions are logits, to which a sigmoid is still to be applied.

    Raises:
        ValueError: an argument is unknown or out of its range.

    Example:
        >>> float(AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]))
        0.75
    """

    _direction = "up"

    def __init__(self, num_thresholds=200, curve="ROC", summation_method="interpolation", name=None, dtype=None,
                 thresholds=None, multi_label=False, num_labels=None, label_weights=None, from_logits=False):
        super().__init__(dtype, name)
        self.curve, self.summation_method = str(curve).upper(), str(summation_method).lower()
        for argument, value, known in (("curve", self.curve, _CURVES),
                                       ("summation_method", self.summation_method, _SUMS)):
            if value not in known:
                raise ValueError(f"The {argument} of AUC is one of {', '.join(map(repr, known))}. Received: "
                                 f"{argument}={value!r}")
        self._own_thresholds = thresholds is not None
        if self._own_thresholds:
            between = sorted(as_thresholds(list(thresholds), "AUC"))
        else:
            if num_thresholds <= 1:
                raise ValueError(f"AUC needs 2 thresholds or more. Received: num_thresholds={num_thresholds!r}")
            between = even_thresholds(num_thresholds)[1:-1]
        # The first threshold is below every prediction, the last one above.
        self._thresholds = np.array([-EPSILON, *between, 1.0 + EPSILON])
        self.num_thresholds = len(self._thresholds)
        if num_labels and not multi_label:
            raise ValueError(f"num_labels goes with multi_label=True. Received: num_labels={num_labels} without it")
        self.multi_label, self.num_labels, self._from_logits = multi_label, num_labels, from_logits
        self.label_weights = None if label_weights is None else np.asarray(label_weights, "float32")
        self._built = False
        if not multi_label or num_labels:
            self._build(num_labels)

    @property
    def thresholds(self):
        """The thresholds, the outer ones included."""
        return list(self._thresholds)

    def _build(self, labels):
        self._make((self.num_thresholds, labels) if self.multi_label else (self.num_thresholds,))
        self._built = True

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Takes in a batch of targets 0 or 1 and of probabilities, weighted where weights are given."""
        with executor.no_grad():
            y_pred = as_floats(y_pred)
            if self.multi_label and y_pred.ndim != 2:
                raise ValueError("AUC with multi_label=True takes predictions of shape (samples, labels). Received: "
                                 f"shape {y_pred.shape}")
            if not self._built:
                self._build(y_pred.shape[-1])
            y_pred = ops.sigmoid(y_pred) if self._from_logits else ops.clip(y_pred, 0.0, 1.0)
            weights = None if self.label_weights is None or self.multi_label else convert(self.label_weights)
            self._gather(y_true, y_pred, self._thresholds, sample_weight, label_weights=weights,
                         by_label=self.multi_label)

    def result(self):
        if not self._built:
            return convert(np.float32(0))
        with executor.no_grad():
            if self.curve == "PR" and self.summation_method == "interpolation":
                return self._total(self._pr_parts())
            x, y = self._curve()
            left, right = y[:-1], y[1:]
            heights = {"interpolation": lambda: (left + right) / 2.0, "minoring": lambda: ops.minimum(left, right),
                       "majoring": lambda: ops.maximum(left, right)}[self.summation_method]()
            return self._total((x[:-1] - x[1:]) * heights)

    def _curve(self):
        """(x, y) of the curve's points."""
        recall = self._share("true_positives", "false_negatives")
        if self.curve == "ROC":
            return self._share("false_positives", "true_negatives"), recall
        if self.curve == "PR":
            return recall, self._share("true_positives", "false_positives")
        tp, fp, tn, fn = (getattr(self, name) for name in self._gathers)
        ratio, none = divide_no_nan(tp + fn, tn + fp), ops.equal(tp, 0.0)
        recall_gain = ops.where(none, 0.0, 1.0 - ratio * divide_no_nan(fn, tp))
        return ops.maximum(recall_gain, 0.0), ops.where(none, 1.0, 1.0 - ratio * divide_no_nan(fp, tp))

    def _pr_parts(self):
        """The area between neighbouring thresholds, true positives growing in proportion to all positives in between
        (Davis and Goadrich 2006)."""
        tp, p = self.true_positives, self.true_positives + self.false_positives
        more, dp = tp[:-1] - tp[1:], p[:-1] - p[1:]
        slope = divide_no_nan(more, ops.maximum(dp, 0.0))
        rest = tp[1:] - slope * p[1:]
        both = ops.logical_and(ops.greater(p[:-1], 0.0), ops.greater(p[1:], 0.0))
        ratio = ops.where(both, divide_no_nan(p[:-1], ops.maximum(p[1:], 0.0)), 1.0)
        return divide_no_nan(slope * (more + rest * ops.log(ratio)),
                             ops.maximum(tp[1:] + self.false_negatives[1:], 0.0))

    def _total(self, parts):
        if not self.multi_label:
            return ops.sum(parts)
        areas = ops.sum(parts, axis=0)
        if self.label_weights is None:
            return ops.mean(areas)
        return divide_no_nan(ops.sum(areas * convert(self.label_weights)), convert(self.label_weights.sum()))

    def get_config(self):
        config = super().get_config() | {
            "num_thresholds": self.num_thresholds, "curve": self.curve, "summation_method": self.summation_method,
            "multi_label": self.multi_label, "num_labels": self.num_labels,
            "label_weights": self.label_weights, "from_logits": self._from_logits}
        return config | ({"thresholds": self.thresholds[1:-1]} if self._own_thresholds else {})
