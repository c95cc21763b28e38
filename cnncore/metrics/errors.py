"""Metrics made of the losses: the mean of a loss over all batches, without its reduction."""
from cnncore import executor, ops
from cnncore.losses import crossentropy, regression
from cnncore.losses.loss import as_floats, same_rank
from cnncore.metrics.reduction import Mean, MeanMetricWrapper


class RootMeanSquaredError(Mean):
    """The square root of the mean of the squared errors.

    Args:
        name: name of the metric.
        dtype: as for `Metric`.

    Example:
        >>> float(RootMeanSquaredError()([[0.0], [0.0]], [[3.0], [3.0]]))
        3.0
    """

    _direction = "down"

    def __init__(self, name="root_mean_squared_error", dtype=None):
        super().__init__(name, dtype)

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Takes in a batch of targets and predictions, weighted by `sample_weight` where it is given."""
        with executor.no_grad():
            y_true, y_pred = same_rank(as_floats(y_true), as_floats(y_pred))
            super().update_state(ops.square(y_pred - y_true), sample_weight)

    def result(self):
        with executor.no_grad():
            return ops.sqrt(super().result())


class CosineSimilarity(MeanMetricWrapper):
    """The cosine of the angle between targets and predictions.

    Args:
        name: name of the metric.
        dtype: as for `Metric`.
        axis: the axis along which vectors lie.

    Example:
        >>> float(CosineSimilarity()([[3.0, 0.0]], [[2.0, 0.0]]))
        1.0
    """

    _direction = "up"

    def __init__(self, name="cosine_similarity", dtype=None, axis=-1):
        super().__init__(regression.cosine, name, dtype, axis=axis)


def _plain(class_name, fn, name, summary):
    """A metric that is the mean of a function without options."""

    def __init__(self, name=name, dtype=None):
        MeanMetricWrapper.__init__(self, fn, name, dtype)

    doc = f"""{summary}

    Args:
        name: name of the metric.
        dtype: as for `Metric`.

    Example:
        >>> metric = {class_name}()
        >>> metric.name
        {name!r}
    """
    return type(class_name, (MeanMetricWrapper,), {"__init__": __init__, "__doc__": doc, "__module__": __name__})


MeanSquaredError = _plain("MeanSquaredError", regression.mean_squared_error, "mean_squared_error",
                          "The mean of the squared errors.")
MeanAbsoluteError = _plain("MeanAbsoluteError", regression.mean_absolute_error, "mean_absolute_error",
                           "The mean of the absolute errors.")
MeanAbsolutePercentageError = _plain(
    "MeanAbsolutePercentageError", regression.mean_absolute_percentage_error, "mean_absolute_percentage_error",
    "The mean of the absolute errors, in percent of the targets.")
MeanSquaredLogarithmicError = _plain(
    "MeanSquaredLogarithmicError", regression.mean_squared_logarithmic_error, "mean_squared_logarithmic_error",
    "The mean of the squared differences between log(y_true + 1) and log(y_pred + 1).")
LogCoshError = _plain("LogCoshError", regression.log_cosh, "logcosh",
                      "The mean logarithm of the hyperbolic cosine of the error.")
Hinge = _plain("Hinge", regression.hinge, "hinge", "The mean hinge loss, for targets -1 and 1.")
SquaredHinge = _plain("SquaredHinge", regression.squared_hinge, "squared_hinge",
                      "The mean squared hinge loss, for targets -1 and 1.")
CategoricalHinge = _plain("CategoricalHinge", regression.categorical_hinge, "categorical_hinge",
                          "The mean categorical hinge loss, for one-hot targets.")
KLDivergence = _plain("KLDivergence", regression.kl_divergence, "kl_divergence",
                      "The mean Kullback-Leibler divergence of predicted from true probabilities.")
Poisson = _plain("Poisson", regression.poisson, "poisson", "The mean Poisson loss, for counts.")


class BinaryCrossentropy(MeanMetricWrapper):
    """The mean cross-entropy between targets 0 or 1 and predicted probabilities.

    Args:
        name: name of the metric.
        dtype: as for `Metric`.
        from_logits, label_smoothing: as for `losses.BinaryCrossentropy`.

    Example:
        >>> round(float(BinaryCrossentropy()([[0.0], [1.0]], [[0.5], [0.5]])), 4)
        0.6931
    """

    def __init__(self, name="binary_crossentropy", dtype=None, from_logits=False, label_smoothing=0):
        super().__init__(crossentropy.binary_crossentropy, name, dtype, from_logits=from_logits,
                         label_smoothing=label_smoothing)
        self.from_logits, self.label_smoothing = from_logits, label_smoothing


class CategoricalCrossentropy(MeanMetricWrapper):
    """The mean cross-entropy between one-hot targets and predicted probabilities.

    Args:
        name: name of the metric.
        dtype: as for `Metric`.
        from_logits, label_smoothing, axis: as for `losses.CategoricalCrossentropy`.

    Example:
        >>> round(float(CategoricalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])), 4)
        0.6931
    """

    def __init__(self, name="categorical_crossentropy", dtype=None, from_logits=False, label_smoothing=0, axis=-1):
        super().__init__(crossentropy.categorical_crossentropy, name, dtype, from_logits=from_logits,
                         label_smoothing=label_smoothing, axis=axis)
        self.from_logits, self.label_smoothing, self.axis = from_logits, label_smoothing, axis


class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """The mean cross-entropy between class numbers and predicted probabilities.

    Args:
        name: name of the metric.
        dtype: as for `Metric`.
        from_logits, ignore_class, axis: as for `losses.SparseCategoricalCrossentropy`.

    Example:
        >>> round(float(SparseCategoricalCrossentropy()([1], [[0.5, 0.5]])), 4)
        0.6931
    """

    def __init__(self, name="sparse_categorical_crossentropy", dtype=None, from_logits=False, ignore_class=None,
                 axis=-1):
        super().__init__(crossentropy.sparse_categorical_crossentropy, name, dtype, from_logits=from_logits,
                         ignore_class=ignore_class, axis=axis)
        self.from_logits, self.ignore_class, self.axis = from_logits, ignore_class, axis

    def update_state(self, y_true, y_pred, sample_weight=None):
        if self.ignore_class is not None:  # a sample of the ignored class does not count
            with executor.no_grad():
                counts = ops.cast(ops.not_equal(as_floats(y_true), float(self.ignore_class)), "float32")
                if counts.ndim == len(y_pred.shape):
                    counts = ops.squeeze(counts, self.axis)
                sample_weight = counts if sample_weight is None else counts * as_floats(sample_weight)
        super().update_state(y_true, y_pred, sample_weight)
