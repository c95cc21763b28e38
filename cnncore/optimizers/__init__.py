"""Optimizers: how weights follow their gradients, with Keras's names."""
from cnncore.optimizers.adam import Adam, AdamW
from cnncore.optimizers.optimizer import Optimizer
from cnncore.optimizers.rmsprop import RMSprop
from cnncore.optimizers.sgd import SGD
from cnncore.utils.identifiers import from_identifier

NAMES = {cls.__name__.lower(): cls for cls in (Adam, AdamW, RMSprop, SGD)}

__all__ = ["Adam", "AdamW", "Optimizer", "RMSprop", "SGD", "get"]


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
        identifier = identifier.lower()
    elif isinstance(identifier, dict) and isinstance(identifier.get("class_name"), str):
        identifier = identifier | {"class_name": identifier["class_name"].lower()}
    optimizer = from_identifier("optimizer", identifier, NAMES)
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        raise ValueError("An optimizer is a name, such as 'adam', or an object of cnncore.optimizers. Received: "
                         f"{identifier!r}")
    return optimizer
