"""Losses as objects: each a function of crossentropy.py or regression.py with its options and a reduction."""
from cnncore import ops
from cnncore.losses import crossentropy, regression
from cnncore.losses.loss import LossFunctionWrapper, as_floats, reduce_weighted, same_rank
from cnncore.tensor import convert

_MEAN = "sum_over_batch_size"


class MeanSquaredError(LossFunctionWrapper):
    """The mean of the squared errors.

    Args:
        reduction, name, dtype: as for `Loss`.

    Example:
        >>> MeanSquaredError()([[0.0, 2.0]], [[0.0, 0.0]]).item()
        2.0
    """

    def __init__(self, reduction=_MEAN, name="mean_squared_error", dtype=None):
        super().__init__(regression.mean_squared_error, reduction, name, dtype)


class MeanAbsoluteError(LossFunctionWrapper):
    """The mean of the absolute errors.

    Args:
        reduction, name, dtype: as for `Loss`.

    Example:
        >>> MeanAbsoluteError()([[0.0, 2.0]], [[0.0, 0.0]]).item()
        1.0
    """

    def __init__(self, reduction=_MEAN, name="mean_absolute_error", dtype=None):
        super().__init__(regression.mean_absolute_error, reduction, name, dtype)


class MeanAbsolutePercentageError(LossFunctionWrapper):
    """The mean of the absolute errors, in percent of the targets.

    Args:
        reduction, name, dtype: as for `Loss`.

    Example:
        >>> MeanAbsolutePercentageError()([[2.0, 4.0]], [[1.0, 4.0]]).item()
        25.0
    """

    def __init__(self, reduction=_MEAN, name="mean_absolute_percentage_error", dtype=None):
        super().__init__(regression.mean_absolute_percentage_error, reduction, name, dtype)


class MeanSquaredLogarithmicError(LossFunctionWrapper):
    """The mean of the squared differences between log(y_true + 1) and log(y_pred + 1).

    Args:
        reduction, name, dtype: as for `Loss`.

    Example:
        >>> MeanSquaredLogarithmicError()([[3.0]], [[3.0]]).item()
        0.0
    """

    def __init__(self, reduction=_MEAN, name="mean_squared_logarithmic_error", dtype=None):
        super().__init__(regression.mean_squared_logarithmic_error, reduction, name, dtype)


class CosineSimilarity(LossFunctionWrapper):
    """Minus the cosine of the angle between targets and predictions.

    Args:
        axis: the axis along which vectors lie.
        reduction, name, dtype: as for `Loss`.

    Example:
        >>> CosineSimilarity()([[3.0, 0.0]], [[2.0, 0.0]]).item()
        -1.0
    """

    def __init__(self, axis=-1, reduction=_MEAN, name="cosine_similarity", dtype=None):
        super().__init__(regression.cosine_similarity, reduction, name, dtype, axis=axis)


class Huber(LossFunctionWrapper):
    """Squared where the error is small, absolute where it is large.

    Args:
        delta: where the square goes over into a line.
        reduction, name, dtype: as for `Loss`.

    Example:
        >>> Huber()([[0.0, 0.0]], [[1.0, 3.0]]).item()
        1.5
    """

    def __init__(self, delta=1.0, reduction=_MEAN, name="huber_loss", dtype=None):
        super().__init__(regression.huber, reduction, name, dtype, delta=delta)


class LogCosh(LossFunctionWrapper):
    """The logarithm of the hyperbolic cosine of the error.

    Args:
        reduction, name, dtype: as for `Loss`.

    Example:
        >>> LogCosh()([[0.0]], [[0.0]]).item()
        0.0
    """

    def __init__(self, reduction=_MEAN, name="log_cosh", dtype=None):
        super().__init__(regression.log_cosh, reduction, name, dtype)


class Hinge(LossFunctionWrapper):
    """max(1 - y_true * y_pred, 0) for targets -1 and 1.

    Args:
        reduction, name, dtype: as for `Loss`.

    Example:
        >>> Hinge()([[1.0, -1.0]], [[0.5, -2.0]]).item()
        0.25
    """

    def __init__(self, reduction=_MEAN, name="hinge", dtype=None):
        super().__init__(regression.hinge, reduction, name, dtype)


class SquaredHinge(LossFunctionWrapper):
    """max(1 - y_true * y_pred, 0)^2 for targets -1 and 1.

    Args:
        reduction, name, dtype: as for `Loss`.

    Example:
        >>> SquaredHinge()([[1.0, -1.0]], [[0.0, -2.0]]).item()
        0.5
    """

    def __init__(self, reduction=_MEAN, name="squared_hinge", dtype=None):
        super().__init__(regression.squared_hinge, reduction, name, dtype)


class CategoricalHinge(LossFunctionWrapper):
    """How far the true class is from leading every other one by 1.

    Args:
        reduction, name, dtype: as for `Loss`.

    Example:
        >>> CategoricalHinge()([[0.0, 1.0]], [[0.5, 1.0]]).item()
        0.5
    """

    def __init__(self, reduction=_MEAN, name="categorical_hinge", dtype=None):
        super().__init__(regression.categorical_hinge, reduction, name, dtype)


class KLDivergence(LossFunctionWrapper):
    """The Kullback-Leibler divergence of predicted from true probabilities.

    Args:
        reduction, name, dtype: as for `Loss`.

    Example:
        >>> KLDivergence()([[0.5, 0.5]], [[0.5, 0.5]]).item()
        0.0
    """

    def __init__(self, reduction=_MEAN, name="kl_divergence", dtype=None):
        super().__init__(regression.kl_divergence, reduction, name, dtype)


class Poisson(LossFunctionWrapper):
    """y_pred - y_true * log(y_pred), for counts.

    Args:
        reduction, name, dtype: as for `Loss`.

    Example:
        >>> Poisson()([[0.0, 0.0]], [[1.0, 3.0]]).item()
        2.0
    """

    def __init__(self, reduction=_MEAN, name="poisson", dtype=None):
        super().__init__(regression.poisson, reduction, name, dtype)


class BinaryCrossentropy(LossFunctionWrapper):
    """Cross-entropy between targets 0 or 1 and predicted probabilities.

    Args:
        from_logits: whether predictions are logits, to which a sigmoid is still to be applied.
        label_smoothing: how far the targets are moved towards 0.5, from 0 to 1.
        axis: the axis that the mean is taken over.
        reduction, name, dtype: as for `Loss`.

    Example:
        >>> round(BinaryCrossentropy()([[0.0], [1.0]], [[0.5], [0.5]]).item(), 4)
        0.6931
    """

    def __init__(self, from_logits=False, label_smoothing=0.0, axis=-1, reduction=_MEAN, name="binary_crossentropy",
                 dtype=None):
        super().__init__(crossentropy.binary_crossentropy, reduction, name, dtype, from_logits=from_logits,
                         label_smoothing=label_smoothing, axis=axis)
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis


class BinaryFocalCrossentropy(LossFunctionWrapper):
    """Binary cross-entropy in which samples that are already right count less (Lin et al. 2018).

    Args:
        apply_class_balancing: whether to weight class 1 by alpha and class 0 by 1 - alpha.
        alpha: weight of class 1.
        gamma: how strongly samples that are already right lose weight.
        from_logits, label_smoothing, axis: as for `BinaryCrossentropy`.
        reduction, name, dtype: as for `Loss`.

    Example:
        >>> round(BinaryFocalCrossentropy()([[0.0], [1.0]], [[0.5], [0.5]]).item(), 4)
        0.1733
    """

    def __init__(self, apply_class_balancing=False, alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0,
                 axis=-1, reduction=_MEAN, name="binary_focal_crossentropy", dtype=None):
        super().__init__(crossentropy.binary_focal_crossentropy, reduction, name, dtype,
                         apply_class_balancing=apply_class_balancing, alpha=alpha, gamma=gamma,
                         from_logits=from_logits, label_smoothing=label_smoothing, axis=axis)
        self.apply_class_balancing, self.alpha, self.gamma = apply_class_balancing, alpha, gamma
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis


class CategoricalCrossentropy(LossFunctionWrapper):
    """Cross-entropy between one-hot targets and predicted probabilities.

    Args:
        from_logits: whether predictions are logits, to which a softmax is still to be applied.
        label_smoothing: share of the target that is spread evenly over all classes, from 0 to 1.
        axis: the axis of the classes.
        reduction, name, dtype: as for `Loss`.

    Example:
        >>> round(CategoricalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]]).item(), 4)
        0.6931
    """

    def __init__(self, from_logits=False, label_smoothing=0.0, axis=-1, reduction=_MEAN,
                 name="categorical_crossentropy", dtype=None):
        super().__init__(crossentropy.categorical_crossentropy, reduction, name, dtype, from_logits=from_logits,
                         label_smoothing=label_smoothing, axis=axis)
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis


class SparseCategoricalCrossentropy(LossFunctionWrapper):
    """Cross-entropy between class numbers and predicted probabilities.

    Args:
        from_logits: whether predictions are logits, to which a softmax is still to be applied.
        ignore_class: class number whose samples do not count, or None.
        reduction: as for `Loss`.
        axis: the axis of the classes.
        name, dtype: as for `Loss`.

    Example:
        >>> round(SparseCategoricalCrossentropy()([1], [[0.5, 0.5]]).item(), 4)
        0.6931
    """

    def __init__(self, from_logits=False, ignore_class=None, reduction=_MEAN, axis=-1,
                 name="sparse_categorical_crossentropy", dtype=None):
        super().__init__(crossentropy.sparse_categorical_crossentropy, reduction, name, dtype, from_logits=from_logits,
                         ignore_class=ignore_class, axis=axis)
        self.from_logits, self.ignore_class, self.axis = from_logits, ignore_class, axis

    def __call__(self, y_true, y_pred, sample_weight=None):
        if self.ignore_class is None:
            return super().__call__(y_true, y_pred, sample_weight)
        y_true, y_pred = convert(y_true), as_floats(y_pred)
        values = self.call(y_true, y_pred)
        counts = ops.cast(ops.not_equal(y_true, self.ignore_class), "float32")
        counts = ops.reshape(counts, values.shape)
        if self.reduction in ("mean", _MEAN):  # the mean is over those that count
            counted = ops.sum(counts)
            counts = counts * ops.where(ops.equal(counted, 0.0), 0.0,
                                        counts.size / ops.maximum(counted, 1.0))
        if sample_weight is not None:
            counts, weights = same_rank(counts, as_floats(sample_weight))
            counts = counts * weights
        return reduce_weighted(values, counts, self.reduction)

    def get_config(self):
        config = super().get_config()
        del config["axis"]
        return config


