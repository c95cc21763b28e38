"""Optimizers: how weights follow their gradients, with Keras's names."""
from cnncore.optimizers import schedules
from cnncore.optimizers.adadelta import Adadelta
from cnncore.optimizers.adagrad import Adagrad
from cnncore.optimizers.adam import Adam, AdamW
from cnncore.optimizers.adamax import Adamax
from cnncore.optimizers.ftrl import Ftrl
from cnncore.optimizers.lion import Lion
from cnncore.optimizers.nadam import Nadam
from cnncore.optimizers.optimizer import Optimizer
from cnncore.optimizers.rmsprop import RMSprop
from cnncore.optimizers.sgd import SGD
from cnncore.utils.identifiers import from_identifier

NAMES = {cls.__name__.lower(): cls for cls in (Adadelta, Adagrad, Adam, AdamW, Adamax, Ftrl, Lion, Nadam, RMSprop, SGD)}

__all__ = ["Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lion", "Nadam", "Optimizer", "RMSprop", "SGD",
           "deserialize", "get", "schedules", "serialize"]


def get(identifier):
    """An optimizer by name, configuration or as it is.

    Args:
        identifier: name such as 'adam', in any case, dict with 'class_name' and 'config', `Optimizer`, or None.

    Raises:
        ValueError: nothing has this name.

    Example:
        >>> type(get("adam")).__name__
        'Adam'
    """
    if isinstance(identifier, str):
        identifier = identifier.lower() if identifier.lower() in NAMES else identifier
    elif isinstance(identifier, dict):
        return deserialize(identifier)
    optimizer = from_identifier("optimizer", identifier, NAMES)
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        raise ValueError("An optimizer is a name, such as 'adam', or an object of cnncore.optimizers. Received: "
                         f"{identifier!r}")
    return optimizer


def serialize(optimizer):
    """An optimizer as a JSON-ready dict.

    Example:
        >>> serialize(SGD())["class_name"]
        'SGD'
    """
    from cnncore.saving import serialize_keras_object

    return serialize_keras_object(optimizer)


def deserialize(config, custom_objects=None):
    """The optimizer that a dict from `serialize` stands for.

    Args:
        config: dict with 'class_name', in any case, and 'config'.
        custom_objects: dict from names to classes of yours.

    Raises:
        ValueError: nothing has this name.

    Example:
        >>> deserialize({"class_name": "SGD", "config": {"learning_rate": 0.5}}).get_config()["learning_rate"]
        0.5
    """
    from cnncore.saving import deserialize_keras_object

    name = config.get("class_name")
    known = NAMES.get(name.lower()) if isinstance(name, str) else None
    if known is None:
        if isinstance(name, str) and config.get("module") is None and name not in (custom_objects or {}):
            return from_identifier("optimizer", config, NAMES)  # explains the unknown name
        return deserialize_keras_object(config, custom_objects)
    return deserialize_keras_object({"module": "keras.optimizers", **config, "class_name": known.__name__})
