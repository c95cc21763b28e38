"""Accuracies: how often predictions are right, as functions and as metrics."""
from cnncore import ops
from cnncore.losses.loss import as_floats, same_rank
from cnncore.metrics.reduction import MeanMetricWrapper
from cnncore.tensor import convert


def _equal(a, b):
    """1.0 where the two are equal, else 0.0; class numbers below 2^24 are exact as float32."""
    return ops.cast(ops.equal(as_floats(a), as_floats(b)), "float32")


def _check(name, a, b, rule):
    if a.shape != b.shape:
        fix = f"; for class numbers use 'sparse_{name}', or 'accuracy'" if "categorical" in name and a.ndim < b.ndim else ""
        raise ValueError(f"{name} {rule}. Received: y_true of shape {a.shape} where {b.shape} fits the predictions{fix}")


def accuracy(y_true, y_pred):
    """1 where y_true equals y_pred, else 0.

    Args:
        y_true: targets.
        y_pred: predictions of the same shape.

    Example:
        >>> accuracy([1, 2], [1, 3]).numpy()
        array([1., 0.], dtype=float32)
    """
    return _equal(*same_rank(convert(y_true), convert(y_pred)))


def binary_accuracy(y_true, y_pred, threshold=0.5):
    """1 where y_true, 0 or 1, says whether y_pred is above the threshold, else 0.

    Args:
        y_true: targets 0 or 1.
        y_pred: probabilities of the same shape.
        threshold: from which probability on 1 is predicted.

    Example:
        >>> binary_accuracy([[1], [0]], [[0.9], [0.6]]).numpy().tolist()
        [[1.0], [0.0]]
    """
    y_true, y_pred = same_rank(convert(y_true), as_floats(y_pred))
    return _equal(y_true, ops.greater(y_pred, threshold))


def categorical_accuracy(y_true, y_pred):
    """1 where y_true and y_pred are largest for the same class, else 0.

    Args:
        y_true: one-hot targets (n, ..., classes).
        y_pred: probabilities or logits of the same shape.

    Example:
        >>> categorical_accuracy([[0, 1], [1, 0]], [[0.4, 0.6], [0.4, 0.6]]).numpy()
        array([1., 0.], dtype=float32)
    """
    y_true, y_pred = as_floats(y_true), as_floats(y_pred)
    _check("categorical_accuracy", y_true, y_pred, "needs one-hot targets of the shape of the predictions")
    return _equal(ops.argmax(y_true, axis=-1), ops.argmax(y_pred, axis=-1))


def sparse_categorical_accuracy(y_true, y_pred):
    """1 where y_pred is largest for the class y_true, else 0.

    Args:
        y_true: class numbers (n, ...), or (n, ..., 1).
        y_pred: probabilities or logits (n, ..., classes).

    Example:
        >>> sparse_categorical_accuracy([1, 0], [[0.4, 0.6], [0.4, 0.6]]).numpy()
        array([1., 0.], dtype=float32)
    """
    y_true, y_pred = _sparse("sparse_categorical_accuracy", y_true, y_pred)
    return _equal(y_true, ops.argmax(y_pred, axis=-1))


def top_k_categorical_accuracy(y_true, y_pred, k=5):
    """1 where the class of y_true is among the k largest of y_pred, else 0.

    Args:
        y_true: one-hot targets (n, ..., classes).
        y_pred: probabilities or logits of the same shape.
        k: how many guesses count.

    Example:
        >>> top_k_categorical_accuracy([[0, 1, 0]], [[0.5, 0.3, 0.2]], k=2).numpy()
        array([1.], dtype=float32)
    """
    y_true, y_pred = as_floats(y_true), as_floats(y_pred)
    _check("top_k_categorical_accuracy", y_true, y_pred, "needs one-hot targets of the shape of the predictions")
    return _in_top_k(ops.argmax(y_true, axis=-1), y_pred, k)


def sparse_top_k_categorical_accuracy(y_true, y_pred, k=5, from_sorted_ids=False):
    """1 where the class y_true is among the k largest of y_pred, else 0.

    Args:
        y_true: class numbers (n, ...), or (n, ..., 1).
        y_pred: probabilities or logits (n, ..., classes); class numbers, best first, with `from_sorted_ids`.
        k: how many guesses count.
        from_sorted_ids: whether y_pred lists class numbers.

    Example:
        >>> sparse_top_k_categorical_accuracy([1], [[0.5, 0.3, 0.2]], k=2).numpy()
        array([1.], dtype=float32)
    """
    y_true, y_pred = _sparse("sparse_top_k_categorical_accuracy", y_true, y_pred)
    if from_sorted_ids:
        return ops.max(_equal(ops.expand_dims(y_true, -1), y_pred[..., :k]), axis=-1)
    return _in_top_k(y_true, y_pred, k)


def _sparse(name, y_true, y_pred):
    y_true, y_pred = convert(y_true), as_floats(y_pred)
    if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1:
        y_true = ops.squeeze(y_true, -1)
    if y_true.shape != y_pred.shape[:-1]:
        raise ValueError(f"{name} needs one class number for each prediction: y_true of shape {y_pred.shape[:-1]} for "
                         f"y_pred of shape {y_pred.shape}. Received: y_true of shape {y_true.shape}")
    return y_true, y_pred


def _in_top_k(classes, y_pred, k):
    """Whether fewer than k values are larger than that of the class: equal ones all count as among the k."""
    chosen = ops.one_hot(ops.cast(classes, "int32"), y_pred.shape[-1])
    own = ops.max(ops.where(ops.equal(chosen, 1.0), y_pred, float("-inf")), axis=-1, keepdims=True)
    larger = ops.sum(ops.cast(ops.greater(y_pred, own), "float32"), axis=-1)
    return ops.cast(ops.less(larger, float(k)), "float32")


class _Accuracy(MeanMetricWrapper):
    _direction = "up"


class Accuracy(_Accuracy):
    """How often predictions equal the targets.

    Args:
        name: name of the metric.
        dtype: as for `Metric`.

    Example:
        >>> float(Accuracy()([1, 2], [1, 3]))
        0.5
    """

    def __init__(self, name="accuracy", dtype=None):
        super().__init__(accuracy, name, dtype)


class BinaryAccuracy(_Accuracy):
    """How often a probability is on the right side of the threshold.

    Args:
        name: name of the metric.
        dtype: as for `Metric`.
        threshold: from which probability on 1 is predicted.

    Raises:
        ValueError: the threshold is not a number from 0 to 1.

    Example:
        >>> float(BinaryAccuracy()([[1], [0]], [[0.9], [0.6]]))
        0.5
    """

    def __init__(self, name="binary_accuracy", dtype=None, threshold=0.5):
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)
        self.threshold = threshold


class CategoricalAccuracy(_Accuracy):
    """How often the largest prediction is that of the class, for one-hot targets.

    Args:
        name: name of the metric.
        dtype: as for `Metric`.

    Example:
        >>> float(CategoricalAccuracy()([[0, 1], [1, 0]], [[0.4, 0.6], [0.4, 0.6]]))
        0.5
    """

    def __init__(self, name="categorical_accuracy", dtype=None):
        super().__init__(categorical_accuracy, name, dtype)


class SparseCategoricalAccuracy(_Accuracy):
    """How often the largest prediction is that of the class, for class numbers.

    Args:
        name: name of the metric.
        dtype: as for `Metric`.

    Example:
        >>> float(SparseCategoricalAccuracy()([1, 0], [[0.4, 0.6], [0.4, 0.6]]))
        0.5
    """

    def __init__(self, name="sparse_categorical_accuracy", dtype=None):
        super().__init__(sparse_categorical_accuracy, name, dtype)


class TopKCategoricalAccuracy(_Accuracy):
    """How often the class is among the k largest predictions, for one-hot targets.

    Args:
        k: how many guesses count.
        name: name of the metric.
        dtype: as for `Metric`.

    Example:
        >>> float(TopKCategoricalAccuracy(k=2)([[0, 1, 0]], [[0.5, 0.3, 0.2]]))
        1.0
    """

    def __init__(self, k=5, name="top_k_categorical_accuracy", dtype=None):
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)
        self.k = k


class SparseTopKCategoricalAccuracy(_Accuracy):
    """How often the class is among the k largest predictions, for class numbers.

    Args:
        k: how many guesses count.
        name: name of the metric.
        dtype: as for `Metric`.
        from_sorted_ids: whether predictions list class numbers, best first.

    Example:
        >>> float(SparseTopKCategoricalAccuracy(k=2)([1], [[0.5, 0.3, 0.2]]))
        1.0
    """

    def __init__(self, k=5, name="sparse_top_k_categorical_accuracy", dtype=None, from_sorted_ids=False):
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, k=k, from_sorted_ids=from_sorted_ids)
        self.k, self.from_sorted_ids = k, from_sorted_ids
