"""Metrics: figures that tell how good a model is, as classes, functions and names, with Keras's names."""
from cnncore.losses import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
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
from cnncore.metrics.auc import AUC
from cnncore.metrics.confusion import (
    FalseNegatives,
    FalsePositives,
    Precision,
    PrecisionAtRecall,
    Recall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
    TrueNegatives,
    TruePositives,
)
from cnncore.metrics.correlation import (
    ConcordanceCorrelation,
    PearsonCorrelation,
    R2Score,
    concordance_correlation,
    pearson_correlation,
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
from cnncore.metrics.f_score import F1Score, FBetaScore
from cnncore.metrics.iou import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU
from cnncore.metrics.metric import Metric
from cnncore.metrics.reduction import Mean, MeanMetricWrapper, Sum
from cnncore.utils.identifiers import checked, from_identifier, from_saved
from cnncore.utils.naming import to_snake_case

_CLASSES = (AUC, Accuracy, BinaryAccuracy, BinaryCrossentropy, BinaryIoU, CategoricalAccuracy, CategoricalCrossentropy,
            CategoricalHinge, ConcordanceCorrelation, CosineSimilarity, F1Score, FBetaScore, FalseNegatives,
            FalsePositives, Hinge, IoU, KLDivergence, LogCoshError, Mean, MeanAbsoluteError,
            MeanAbsolutePercentageError, MeanIoU, MeanMetricWrapper, MeanSquaredError, MeanSquaredLogarithmicError,
            Metric, OneHotIoU, OneHotMeanIoU, PearsonCorrelation, Poisson, Precision, PrecisionAtRecall, R2Score, Recall,
            RecallAtPrecision, RootMeanSquaredError, SensitivityAtSpecificity, SparseCategoricalAccuracy,
            SparseCategoricalCrossentropy, SparseTopKCategoricalAccuracy, SpecificityAtSensitivity, SquaredHinge, Sum,
            TopKCategoricalAccuracy, TrueNegatives, TruePositives)
_FUNCTIONS = (binary_accuracy, binary_crossentropy, binary_focal_crossentropy, categorical_accuracy,
              categorical_crossentropy, categorical_focal_crossentropy, categorical_hinge, concordance_correlation,
              hinge, huber, kl_divergence, log_cosh, mean_absolute_error, mean_absolute_percentage_error,
              mean_squared_error, mean_squared_logarithmic_error, pearson_correlation, poisson,
              sparse_categorical_accuracy, sparse_categorical_crossentropy, sparse_top_k_categorical_accuracy,
              squared_hinge, top_k_categorical_accuracy)
_SHORT = {"bce": BinaryCrossentropy, "mae": MeanAbsoluteError, "mape": MeanAbsolutePercentageError,
          "mse": MeanSquaredError, "msle": MeanSquaredLogarithmicError}
NAMES = ({item.__name__: item for item in _CLASSES} | {to_snake_case(item.__name__): item for item in _CLASSES} | _SHORT
         | {name.upper(): item for name, item in _SHORT.items()})

__all__ = ["deserialize", "get", "serialize", *(item.__name__ for item in _CLASSES + _FUNCTIONS)]


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


def serialize(metric):
    """A metric or function as a JSON-ready dict.

    Example:
        >>> serialize(Recall())["class_name"]
        'Recall'
    """
    from cnncore.saving import serialize_keras_object

    return serialize_keras_object(metric)


def deserialize(config, custom_objects=None):
    """The metric or function that `serialize` wrote.

    Args:
        config: dict with 'class_name' and 'config', or a name.
        custom_objects: dict from names to classes and functions of yours.

    Raises:
        ValueError: nothing has this name.

    Example:
        >>> deserialize({"class_name": "Recall", "config": {"name": "found"}}).name
        'found'
    """
    return from_saved("metric", config, NAMES, custom_objects)
