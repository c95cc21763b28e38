"""Losses: what training minimizes, as classes, functions and names, with Keras's names."""
from cnncore.losses.classes import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    CategoricalHinge,
    CosineSimilarity,
    Dice,
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
    Tversky,
)
from cnncore.losses.crossentropy import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    sparse_categorical_crossentropy,
)
from cnncore.losses.loss import Loss, LossFunctionWrapper
from cnncore.losses.overlap import dice, tversky
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
from cnncore.utils.identifiers import checked, from_identifier, from_saved

_CLASSES = (BinaryCrossentropy, BinaryFocalCrossentropy, CategoricalCrossentropy, CategoricalFocalCrossentropy,
            CategoricalGeneralizedCrossEntropy, CategoricalHinge, CosineSimilarity, Dice, Hinge, Huber, KLDivergence,
            LogCosh, MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredError, MeanSquaredLogarithmicError,
            Poisson, SparseCategoricalCrossentropy, SquaredHinge, Tversky)
_FUNCTIONS = (binary_crossentropy, binary_focal_crossentropy, categorical_crossentropy, categorical_focal_crossentropy,
              categorical_generalized_cross_entropy, categorical_hinge, cosine_similarity, dice, hinge, huber,
              kl_divergence, log_cosh, mean_absolute_error, mean_absolute_percentage_error, mean_squared_error,
              mean_squared_logarithmic_error, poisson, sparse_categorical_crossentropy, squared_hinge, tversky)
_SHORT = {"bce": binary_crossentropy, "kld": kl_divergence, "mae": mean_absolute_error, "mse": mean_squared_error,
          "mape": mean_absolute_percentage_error, "msle": mean_squared_logarithmic_error}
NAMES = ({item.__name__: item for item in _CLASSES + _FUNCTIONS
          if item not in (CategoricalGeneralizedCrossEntropy, categorical_generalized_cross_entropy)}  # not in Keras's
         | _SHORT
         | {name.upper(): function for name, function in _SHORT.items()})

__all__ = ["Loss", "LossFunctionWrapper", "deserialize", "get", "serialize",
           *(item.__name__ for item in _CLASSES + _FUNCTIONS)]


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


def serialize(loss):
    """A loss or function as a JSON-ready dict.

    Example:
        >>> serialize(Huber())["class_name"]
        'Huber'
    """
    from cnncore.saving import serialize_keras_object

    return serialize_keras_object(loss)


def deserialize(name, custom_objects=None):
    """The loss or function that `serialize` wrote.

    Args:
        name: dict with 'class_name' and 'config', or a name.
        custom_objects: dict from names to classes and functions of yours.

    Raises:
        ValueError: nothing has this name.

    Example:
        >>> deserialize({"class_name": "Huber", "config": {"delta": 2.0}}).get_config()["delta"]
        2.0
    """
    return from_saved("loss", name, NAMES, custom_objects)


def is_loss(fn):
    """Whether a function or class is one of the losses, of which less is better."""
    return fn in _FUNCTIONS or type(fn) in _CLASSES
