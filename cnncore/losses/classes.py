"""Losses as objects: each a function of crossentropy.py or regression.py with its options and a reduction."""
from cnncore import ops
from cnncore.losses import crossentropy, overlap, regression
from cnncore.losses.loss import LossFunctionWrapper, as_floats, check_weights, reduce_weighted, same_rank
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
            check_weights(counts, weights)
            counts = counts * weights
        return reduce_weighted(values, counts, self.reduction)

    def get_config(self):
        config = super().get_config()
        del config["axis"]
        return config


class CategoricalFocalCrossentropy(LossFunctionWrapper):
    """Categorical cross-entropy in which samples that are already right count less (Lin et al. 2018).

    Args:
        alpha: weight of the loss, or a list with one for each class.
        gamma: how strongly samples that are already right lose weight.
        from_logits, label_smoothing, axis: as for `CategoricalCrossentropy`.
        reduction, name, dtype: as for `Loss`.

    Example:
        >>> round(CategoricalFocalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]]).item(), 4)
        0.0433
    """

    def __init__(self, alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0, axis=-1, reduction=_MEAN,
                 name="categorical_focal_crossentropy", dtype=None):
        super().__init__(crossentropy.categorical_focal_crossentropy, reduction, name, dtype, alpha=alpha, gamma=gamma,
                         from_logits=from_logits, label_smoothing=label_smoothing, axis=axis)
        self.alpha, self.gamma = alpha, gamma
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis


class CategoricalGeneralizedCrossEntropy(LossFunctionWrapper):
    """(1 - p^q) / q, p being the probability given to the true class (Zhang and Sabuncu 2018), robust to wrong labels.

    Args:
        q: number above 0 and below 1; near 0 it is the cross-entropy, near 1 the absolute error.
        reduction, name, dtype: as for `Loss`.

    Raises:
        ValueError: q is not between 0 and 1.

    Example:
        >>> round(CategoricalGeneralizedCrossEntropy()([1], [[0.5, 0.5]]).item(), 4)
        0.5858
    """

    def __init__(self, q=0.5, reduction=_MEAN, name="categorical_generalized_cross_entropy", dtype=None):
        if not 0 < q < 1:
            raise ValueError(f"The q of CategoricalGeneralizedCrossEntropy is above 0 and below 1. Received: q={q!r}")
        super().__init__(crossentropy.categorical_generalized_cross_entropy, reduction, name, dtype, q=q)
        self.q = q

    def call(self, y_true, y_pred):
        return self.fn(y_true, y_pred, self.q)


class Dice(LossFunctionWrapper):
    """1 - 2 * sum(y_true * y_pred) / (sum(y_true) + sum(y_pred)), for segmentation.

    Args:
        reduction, name: as for `Loss`.
        axis: the axes that are summed over; None for all, (1, 2, 3) for one value for each image.
        dtype: as for `Loss`.

    Example:
        >>> round(Dice()([[0.0, 1.0]], [[0.5, 0.5]]).item(), 4)
        0.5
    """

    def __init__(self, reduction=_MEAN, name="dice", axis=None, dtype=None):
        super().__init__(overlap.dice, reduction, name, dtype, axis=axis)
        self.axis = axis


class Tversky(LossFunctionWrapper):
    """1 - TP / (TP + alpha * missed + beta * wrong) (Salehi et al. 2017), for segmentation.

    Args:
        alpha: weight of what is true but not predicted.
        beta: weight of what is predicted but not true.
        reduction, name: as for `Loss`.
        axis: the axes that are summed over; None for all, (1, 2, 3) for one value for each image.
        dtype: as for `Loss`.

    Example:
        >>> round(Tversky()([[0.0, 1.0]], [[0.5, 0.5]]).item(), 4)
        0.5
    """

    def __init__(self, alpha=0.5, beta=0.5, reduction=_MEAN, name="tversky", axis=None, dtype=None):
        super().__init__(overlap.tversky, reduction, name, dtype, alpha=alpha, beta=beta, axis=axis)
        self.alpha, self.beta, self.axis = alpha, beta, axis
