"""Losses: what training minimizes, as classes, functions and names, with Keras's names."""
from cnncore.losses.classes import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
)
from cnncore.losses.crossentropy import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    sparse_categorical_crossentropy,
)
from cnncore.losses.loss import Loss, LossFunctionWrapper
from cnncore.losses.regression import (
    categorical_hinge,
    cosine_similarity,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    squared_hinge,
)
from cnncore.utils.identifiers import checked, from_identifier

_CLASSES = (BinaryCrossentropy, BinaryFocalCrossentropy, CategoricalCrossentropy, CategoricalHinge, CosineSimilarity,
            Hinge, Huber, KLDivergence, LogCosh, MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredError,
            MeanSquaredLogarithmicError, Poisson, SparseCategoricalCrossentropy, SquaredHinge)
_FUNCTIONS = (binary_crossentropy, binary_focal_crossentropy, categorical_crossentropy, categorical_hinge,
              cosine_similarity, hinge, huber, kl_divergence, log_cosh, mean_absolute_error,
              mean_absolute_percentage_error, mean_squared_error, mean_squared_logarithmic_error, poisson,
              sparse_categorical_crossentropy, squared_hinge)
_SHORT = {"bce": binary_crossentropy, "kld": kl_divergence, "mae": mean_absolute_error, "mse": mean_squared_error,
          "mape": mean_absolute_percentage_error, "msle": mean_squared_logarithmic_error}
NAMES = ({item.__name__: item for item in _CLASSES + _FUNCTIONS} | _SHORT
         | {name.upper(): function for name, function in _SHORT.items()})

__all__ = ["Loss", "LossFunctionWrapper", "get", *(item.__name__ for item in _CLASSES + _FUNCTIONS)]


def get(identifier):
    """A loss by name, configuration or as it is.

    Args:
        identifier: name such as 'mse', dict with 'class_name' and 'config', function, `Loss`, or None.

    Returns:
        A function for the name of a function, otherwise a `Loss`; None for None.

    Raises:
        ValueError: nothing has this name.

    Example:
        >>> get("mse") is mean_squared_error
        True
    """
    return checked("loss", from_identifier("loss", identifier, NAMES))


def is_loss(fn):
    """Whether a function or class is one of the losses, of which less is better."""
    return fn in _FUNCTIONS or type(fn) in _CLASSES
