"""Metrics of yes-or-no decisions at thresholds: true and false positives and negatives, precision, recall."""
from cnncore import executor, ops
from cnncore.losses.loss import as_floats, divide_no_nan, same_rank
from cnncore.metrics.metric import Metric, add_to
from cnncore.tensor import convert

_LOWEST = -1e10  # below every prediction, for those that are not among the k largest


def as_thresholds(thresholds, name, default=0.5):
    """A list of thresholds from a number, a list, or None."""
    given = [default] if thresholds is None else thresholds if isinstance(thresholds, (list, tuple)) else [thresholds]
    if thresholds is not None:
        for t in given:
            if t is None or not 0 <= t <= 1:
                raise ValueError(f"The thresholds of {name} are numbers from 0 to 1. Received: {t!r}")
    return list(given)


def even_thresholds(count):
    """So many thresholds from 0 to 1."""
    return [0.5] if count == 1 else [i / (count - 1) for i in range(count)]


def counts(y_true, y_pred, thresholds, sample_weight=None, top_k=None, class_id=None, label_weights=None,
           by_label=False):
    """(true positives, false positives, weights of all positives, of all negatives), each but the last two for each
    threshold (T,), or (T, labels) with by_label: a prediction above the threshold says yes."""
    y_true, y_pred = same_rank(as_floats(y_true), as_floats(y_pred))
    if y_true.shape != y_pred.shape:
        raise ValueError("A metric of true and false positives needs one target, 0 or 1, for each prediction: y_true "
                         f"of shape {y_pred.shape}. Received: shape {y_true.shape}; use utils.to_categorical for class "
                         "numbers")
    if top_k is not None:
        y_pred = _largest(y_pred, top_k)
    if class_id is not None:
        if y_pred.ndim < 2:
            raise ValueError(f"class_id chooses a column of the predictions. Received: class_id={class_id} for "
                             f"predictions of shape {y_pred.shape}")
        y_true, y_pred = y_true[..., class_id:class_id + 1], y_pred[..., class_id:class_id + 1]
    yes = ops.cast(ops.not_equal(y_true, 0.0), "float32")
    no = 1.0 - yes
    weights = None if sample_weight is None else _spread(sample_weight, y_pred)
    if label_weights is not None:
        weights = label_weights * (1.0 if weights is None else weights)
    if weights is not None:
        yes, no = yes * weights, no * weights
    limits = convert(thresholds, "float32")
    if by_label:
        above = ops.cast(ops.greater(ops.expand_dims(y_pred, 1), ops.reshape(limits, (1, -1, 1))), "float32")
        tp, fp = (ops.sum(above * ops.expand_dims(part, 1), axis=0) for part in (yes, no))
        return tp, fp, ops.sum(yes, axis=0, keepdims=True), ops.sum(no, axis=0, keepdims=True)
    # One product sums over all predictions at all thresholds.
    above = ops.cast(ops.greater(ops.reshape(y_pred, (-1, 1)), ops.reshape(limits, (1, -1))), "float32")
    both = ops.matmul(ops.stack([ops.reshape(yes, (-1,)), ops.reshape(no, (-1,))]), above)
    return both[0], both[1], ops.sum(yes), ops.sum(no)


def _largest(y_pred, k):
    """The predictions, those that are not among the k largest of their sample as `_LOWEST`."""
    kept, left = None, y_pred
    for _ in range(min(k, y_pred.shape[-1])):
        first = ops.one_hot(ops.argmax(left, axis=-1), y_pred.shape[-1])
        kept = first if kept is None else kept + first
        left = ops.where(ops.equal(first, 1.0), float("-inf"), left)
    return ops.where(ops.equal(kept, 1.0), y_pred, _LOWEST)


def _spread(sample_weight, y_pred):
    """Weights of samples, or of their parts, in the shape of the predictions."""
    weights = as_floats(sample_weight)
    while weights.ndim < y_pred.ndim:
        weights = ops.expand_dims(weights, -1)
    if weights.ndim > y_pred.ndim and weights.shape[-1] == 1:
        weights = ops.squeeze(weights, -1)
    return ops.broadcast_to(weights, y_pred.shape)


class _Counting(Metric):
    """Gathers some of the four counts into variables of these names."""

    _gathers = ("true_positives", "false_positives", "true_negatives", "false_negatives")

    def _make(self, shape):
        for name in self._gathers:
            setattr(self, name, self.add_variable(shape, name=name))

    def _gather(self, *args, **options):
        with executor.no_grad():
            tp, fp, positives, negatives = counts(*args, **options)
            found = {"true_positives": lambda: tp, "false_positives": lambda: fp,
                     "true_negatives": lambda: negatives - fp, "false_negatives": lambda: positives - tp}
            for name in self._gathers:
                add_to(getattr(self, name), found[name]())

    def _share(self, part, other):
        """part / (part + other), 0 where both are."""
        part, other = getattr(self, part), getattr(self, other)
        return divide_no_nan(part, part + other)


class _Count(_Counting):
    """One of the four counts."""

    def __init__(self, thresholds=None, name=None, dtype=None):
        super().__init__(dtype, name)
        self.init_thresholds = thresholds
        self.thresholds = as_thresholds(thresholds, type(self).__name__)
        self.accumulator = self.add_variable((len(self.thresholds),), name="accumulator")
        setattr(self, self._gathers[0], self.accumulator)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Takes in a batch of targets 0 or 1 and of probabilities, weighted where weights are given."""
        self._gather(y_true, y_pred, self.thresholds, sample_weight)

    def result(self):
        with executor.no_grad():
            return self.accumulator[0] if len(self.thresholds) == 1 else self.accumulator + 0.0

    def get_config(self):
        return super().get_config() | {"thresholds": self.init_thresholds}


def _count(class_name, gathers, what, example):
    doc = f"""How many {what}.

    Args:
        thresholds: number, or list of numbers, from 0 to 1, above which a prediction says yes; 0.5 by default.
        name: name of the metric.
        dtype: as for `Metric`.

    Raises:
        ValueError: a threshold is not from 0 to 1.

    Example:
        >>> float({class_name}()([1, 1, 0, 0, 0, 0], [0.9, 0.1, 0.9, 0.8, 0.7, 0.3]))
        {example}
    """
    return type(class_name, (_Count,), {"_gathers": (gathers,), "__doc__": doc, "__module__": __name__})


TruePositives = _count("TruePositives", "true_positives", "samples of class 1 are predicted as such", "1.0")
FalsePositives = _count("FalsePositives", "false_positives", "samples of class 0 are predicted as class 1", "3.0")
TrueNegatives = _count("TrueNegatives", "true_negatives", "samples of class 0 are predicted as such", "1.0")
FalseNegatives = _count("FalseNegatives", "false_negatives", "samples of class 1 are predicted as class 0", "1.0")


class _Share(_Counting):
    """True positives over these and a count of errors."""

    _direction = "up"

    def __init__(self, thresholds=None, top_k=None, class_id=None, name=None, dtype=None):
        super().__init__(dtype, name)
        self.init_thresholds, self.top_k, self.class_id = thresholds, top_k, class_id
        self.thresholds = as_thresholds(thresholds, type(self).__name__, 0.5 if top_k is None else _LOWEST)
        self._make((len(self.thresholds),))

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Takes in a batch of targets 0 or 1 and of probabilities, weighted where weights are given."""
        self._gather(y_true, y_pred, self.thresholds, sample_weight, self.top_k, self.class_id)

    def result(self):
        with executor.no_grad():
            share = self._share(*self._gathers)
            return share[0] if len(self.thresholds) == 1 else share

    def get_config(self):
        return super().get_config() | {"thresholds": self.init_thresholds, "top_k": self.top_k,
                                       "class_id": self.class_id}


class Precision(_Share):
    """How many of the samples predicted as class 1 are of class 1.

    Args:
        thresholds: number, or list of numbers, from 0 to 1, above which a prediction says yes; 0.5 by default.
        top_k: only the k largest predictions of a sample say yes, whatever they are; None for all.
        class_id: the column of the predictions that counts; None for all.
        name: name of the metric.
        dtype: as for `Metric`.

    Raises:
        ValueError: a threshold is not from 0 to 1, or shapes do not fit.

    Example:
        >>> float(Precision()([0, 1, 1, 1], [0.9, 0.1, 0.9, 0.9]))  # doctest: +ELLIPSIS
        0.666...
    """

    _gathers = ("true_positives", "false_positives")


class Recall(_Share):
    """How many of the samples of class 1 are predicted as class 1.

    Args:
        thresholds: number, or list of numbers, from 0 to 1, above which a prediction says yes; 0.5 by default.
        top_k: only the k largest predictions of a sample say yes, whatever they are; None for all.
        class_id: the column of the predictions that counts; None for all.
        name: name of the metric.
        dtype: as for `Metric`.

    Raises:
        ValueError: a threshold is not from 0 to 1, or shapes do not fit.

    Example:
        >>> float(Recall()([0, 1, 1], [0.9, 0.1, 0.9]))
        0.5
    """

    _gathers = ("true_positives", "false_negatives")


class _At(_Counting):
    """The best of one share among the thresholds at which another one reaches a value."""

    _direction = "up"
    _shares = {"sensitivity": ("true_positives", "false_negatives"),
               "recall": ("true_positives", "false_negatives"),
               "specificity": ("true_negatives", "false_positives"),
               "precision": ("true_positives", "false_positives")}

    def _start(self, value, num_thresholds, class_id):
        kind = type(self).__name__
        if not 0 <= value <= 1:
            raise ValueError(f"The {self._given} of {kind} is a number from 0 to 1. Received: {self._given}={value!r}")
        if num_thresholds <= 0:
            raise ValueError(f"The num_thresholds of {kind} is 1 or more. Received: num_thresholds={num_thresholds!r}")
        setattr(self, self._given, value)
        self.value, self.num_thresholds, self.class_id = value, num_thresholds, class_id
        self.thresholds = even_thresholds(num_thresholds)
        self._make((num_thresholds,))

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Takes in a batch of targets 0 or 1 and of probabilities, weighted where weights are given."""
        with executor.no_grad():
            y_pred = ops.clip(as_floats(y_pred), 0.0, 1.0)
            self._gather(y_true, y_pred, self.thresholds, sample_weight, class_id=self.class_id)

    def result(self):
        with executor.no_grad():
            given, wanted = self._share(*self._shares[self._given]), self._share(*self._shares[self._wanted])
            return ops.max(ops.where(ops.greater_equal(given, self.value), wanted, 0.0))

    def get_config(self):
        return super().get_config() | {"class_id": self.class_id, "num_thresholds": self.num_thresholds,
                                       self._given: self.value}


class SensitivityAtSpecificity(_At):
    """The best sensitivity, TP / (TP + FN), at thresholds where the specificity, TN / (TN + FP), is high enough.

    Args:
        specificity: number from 0 to 1 that must be reached.
        num_thresholds: how many thresholds are tried.
        class_id: the column of the predictions that counts; None for all.
        name: name of the metric.
        dtype: as for `Metric`.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> float(SensitivityAtSpecificity(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]))
        0.5
    """

    _given, _wanted = "specificity", "sensitivity"

    def __init__(self, specificity, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(dtype, name)
        self._start(specificity, num_thresholds, class_id)


class SpecificityAtSensitivity(_At):
    """The best specificity, TN / (TN + FP), at thresholds where the sensitivity, TP / (TP + FN), is high enough.

    Args:
        sensitivity: number from 0 to 1 that must be reached.
        num_thresholds, class_id, name, dtype: as for `SensitivityAtSpecificity`.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> round(float(SpecificityAtSensitivity(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8])), 4)
        0.6667
    """

    _given, _wanted = "sensitivity", "specificity"

    def __init__(self, sensitivity, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(dtype, name)
        self._start(sensitivity, num_thresholds, class_id)


class PrecisionAtRecall(_At):
    """The best precision at thresholds where the recall is high enough.

    Args:
        recall: number from 0 to 1 that must be reached.
        num_thresholds, class_id, name, dtype: as for `SensitivityAtSpecificity`.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> float(PrecisionAtRecall(0.5)([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]))
        0.5
    """

    _given, _wanted = "recall", "precision"

    def __init__(self, recall, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(dtype, name)
        self._start(recall, num_thresholds, class_id)


class RecallAtPrecision(_At):
    """The best recall at thresholds where the precision is high enough.

    Args:
        precision: number from 0 to 1 that must be reached.
        num_thresholds, class_id, name, dtype: as for `SensitivityAtSpecificity`.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> float(RecallAtPrecision(0.8)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]))
        0.5
    """

    _given, _wanted = "precision", "recall"

    def __init__(self, precision, num_thresholds=200, class_id=None, name=None, dtype=None):
        super().__init__(dtype, name)
        self._start(precision, num_thresholds, class_id)
