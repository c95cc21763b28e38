"""Metrics: figures that tell how good a model is, as classes, functions and names, with Keras's names."""
from cnncore.losses import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_hinge,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
)
from cnncore.metrics.accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from cnncore.metrics.errors import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    Hinge,
    KLDivergence,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    RootMeanSquaredError,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from cnncore.metrics.metric import Metric
from cnncore.metrics.reduction import Mean, MeanMetricWrapper, Sum
from cnncore.utils.identifiers import checked, from_identifier
from cnncore.utils.naming import to_snake_case

_CLASSES = (Accuracy, BinaryAccuracy, BinaryCrossentropy, CategoricalAccuracy, CategoricalCrossentropy,
            CategoricalHinge, CosineSimilarity, Hinge, KLDivergence, LogCoshError, Mean, MeanAbsoluteError,
            MeanAbsolutePercentageError, MeanSquaredError, MeanSquaredLogarithmicError, Poisson, RootMeanSquaredError,
            SparseCategoricalAccuracy, SparseCategoricalCrossentropy, SparseTopKCategoricalAccuracy, SquaredHinge, Sum,
            TopKCategoricalAccuracy)
_FUNCTIONS = (binary_accuracy, binary_crossentropy, binary_focal_crossentropy, categorical_accuracy,
              categorical_crossentropy, categorical_hinge, hinge, huber, kl_divergence, log_cosh, mean_absolute_error,
              mean_absolute_percentage_error, mean_squared_error, mean_squared_logarithmic_error, poisson,
              sparse_categorical_accuracy, sparse_categorical_crossentropy, sparse_top_k_categorical_accuracy,
              squared_hinge, top_k_categorical_accuracy)
_SHORT = {"bce": BinaryCrossentropy, "mae": MeanAbsoluteError, "mape": MeanAbsolutePercentageError,
          "mse": MeanSquaredError, "msle": MeanSquaredLogarithmicError}
NAMES = ({item.__name__: item for item in _CLASSES} | {to_snake_case(item.__name__): item for item in _CLASSES} | _SHORT
         | {name.upper(): item for name, item in _SHORT.items()})

__all__ = ["Metric", "MeanMetricWrapper", "get", *(item.__name__ for item in _CLASSES + _FUNCTIONS)]


def get(identifier):
    """A metric by name, configuration or as it is.

    Args:
        identifier: name such as 'mse', dict with 'class_name' and 'config', function, `Metric`, or None.

    Raises:
        ValueError: nothing has this name.

    Example:
        >>> get("mse").name
        'mean_squared_error'
    """
    metric = from_identifier("metric", identifier, NAMES)
    return metric if isinstance(metric, Metric) else checked("metric", metric)
