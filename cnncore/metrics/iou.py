"""Metrics of segmentation: how much predicted and true areas overlap, by a matrix of classes against classes."""
from cnncore import executor, ops
from cnncore.losses.loss import EPSILON, as_floats
from cnncore.metrics.metric import Metric
from cnncore.tensor import convert


class IoU(Metric):
    """The mean of TP / (TP + FP + FN), the intersection over the union, of some classes.

    Args:
        num_classes: number of classes.
        target_class_ids: list of the classes whose mean is wanted.
        name: name of the metric.
        dtype: dtype of the counts, 'int32' by default; weights are cast to it.
        ignore_class: class whose places do not count, or None.
        sparse_y_true: whether targets are class numbers; otherwise one-hot.
        sparse_y_pred: whether predictions are class numbers; otherwise probabilities or logits of all classes.
        axis: the axis of the classes where they are not class numbers.

    Raises:
        ValueError: a wanted class is not one of the classes.

    Example:
        >>> round(float(IoU(2, [0])([0, 0, 1, 1], [0, 1, 0, 1])), 4)
        0.3333
    """

    _direction = "up"

    def __init__(self, num_classes, target_class_ids, name=None, dtype=None, ignore_class=None, sparse_y_true=True,
                 sparse_y_pred=True, axis=-1):
        super().__init__("int32" if dtype in (None, "int") else dtype, name)
        if max(target_class_ids) >= num_classes or min(target_class_ids) < 0:
            raise ValueError(f"The target_class_ids of {type(self).__name__} are from 0 to {num_classes - 1}. Received: "
                             f"target_class_ids={list(target_class_ids)}")
        self.num_classes, self.target_class_ids = num_classes, list(target_class_ids)
        self.ignore_class, self.axis = ignore_class, axis
        self.sparse_y_true, self.sparse_y_pred = sparse_y_true, sparse_y_pred
        self.total_cm = self.add_variable((num_classes, num_classes), name="total_confusion_matrix")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Takes in a batch of targets and predictions, weighted by integers where weights are given."""
        with executor.no_grad():
            self._add(convert(y_true), convert(y_pred), sample_weight)

    def _add(self, y_true, y_pred, sample_weight):
        y_true = self._classes(y_true, self.sparse_y_true)
        y_pred = self._classes(y_pred, self.sparse_y_pred)
        if y_true.shape != y_pred.shape:
            raise ValueError(f"{type(self).__name__} needs one target for each prediction. Received: {y_true.size} "
                             f"targets and {y_pred.size} predictions; sparse_y_pred=False takes probabilities")
        rows = ops.one_hot(y_true, self.num_classes)  # of zeros for what is no class
        if self.ignore_class is not None:
            rows = rows * ops.expand_dims(ops.cast(ops.not_equal(y_true, self.ignore_class), "float32"), -1)
        if sample_weight is not None:
            weights = convert(sample_weight)
            if self.dtype.startswith("int"):
                weights = ops.cast(weights, "int32")
            weights = ops.reshape(as_floats(weights), (-1,) if weights.ndim else (1,))
            rows = rows * ops.expand_dims(ops.broadcast_to(weights, y_true.shape), -1)
        matrix = ops.matmul(ops.transpose(rows), ops.one_hot(y_pred, self.num_classes))
        self.total_cm.assign(self.total_cm + ops.cast(matrix, self.dtype))

    def _classes(self, values, sparse):
        """Class numbers, int32 in one row."""
        if not sparse:
            values = ops.argmax(values, axis=self.axis)
        return ops.reshape(ops.cast(values, "int32"), (-1,))

    def result(self):
        with executor.no_grad():
            matrix = ops.cast(self.total_cm, "float32")
            right = ops.sum(matrix * ops.one_hot(convert(list(range(self.num_classes))), self.num_classes), axis=0)
            union = ops.sum(matrix, axis=0) + ops.sum(matrix, axis=1) - right
            ids = convert(self.target_class_ids)
            right, union = ops.take(right, ids), ops.take(union, ids)
            there = ops.greater(union, 1e-9)
            total = ops.sum(ops.where(there, right / (union + EPSILON), 0.0))
            return total / (ops.sum(ops.cast(there, "float32")) + EPSILON)

    def get_config(self):
        return super().get_config() | {
            "num_classes": self.num_classes, "target_class_ids": self.target_class_ids,
            "ignore_class": self.ignore_class, "sparse_y_true": self.sparse_y_true,
            "sparse_y_pred": self.sparse_y_pred, "axis": self.axis}

    def _config_without(self, *names):
        config = IoU.get_config(self)
        return {key: value for key, value in config.items() if key not in names}


class BinaryIoU(IoU):
    """The mean intersection over union of two classes, told apart by a threshold.

    Args:
        target_class_ids: which of the classes 0 and 1 count.
        threshold: from which prediction on a place is of class 1.
        name, dtype: as for `IoU`.

    Example:
        >>> round(float(BinaryIoU(threshold=0.3)([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7])), 4)
        0.3333
    """

    def __init__(self, target_class_ids=(0, 1), threshold=0.5, name=None, dtype=None):
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def _add(self, y_true, y_pred, sample_weight):
        super()._add(y_true, ops.cast(ops.greater_equal(as_floats(y_pred), self.threshold), "int32"), sample_weight)

    def get_config(self):
        return {"target_class_ids": self.target_class_ids, "threshold": self.threshold, "name": self.name,
                "dtype": self.dtype}


class MeanIoU(IoU):
    """The mean intersection over union of all classes that occur.

    Args:
        num_classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis: as for `IoU`.

    Example:
        >>> round(float(MeanIoU(2)([0, 0, 1, 1], [0, 1, 0, 1])), 4)
        0.3333
    """

    def __init__(self, num_classes, name=None, dtype=None, ignore_class=None, sparse_y_true=True, sparse_y_pred=True,
                 axis=-1):
        super().__init__(num_classes, range(num_classes), name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)

    def get_config(self):
        return self._config_without("target_class_ids")


class OneHotIoU(IoU):
    """`IoU` for one-hot targets.

    Args:
        num_classes, target_class_ids, name, dtype, ignore_class, sparse_y_pred, axis: as for `IoU`.

    Example:
        >>> metric = OneHotIoU(2, [0])
        >>> round(float(metric([[1, 0], [1, 0], [0, 1], [0, 1]], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0, 1]])), 4)
        0.3333
    """

    def __init__(self, num_classes, target_class_ids, name=None, dtype=None, ignore_class=None, sparse_y_pred=False,
                 axis=-1):
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self):
        return self._config_without("sparse_y_true")


class OneHotMeanIoU(MeanIoU):
    """`MeanIoU` for one-hot targets.

    Args:
        num_classes, name, dtype, ignore_class, sparse_y_pred, axis: as for `IoU`.

    Example:
        >>> metric = OneHotMeanIoU(2)
        >>> round(float(metric([[1, 0], [1, 0], [0, 1], [0, 1]], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0, 1]])), 4)
        0.3333
    """

    def __init__(self, num_classes, name=None, dtype=None, ignore_class=None, sparse_y_pred=False, axis=-1):
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self):
        return self._config_without("target_class_ids", "sparse_y_true")
