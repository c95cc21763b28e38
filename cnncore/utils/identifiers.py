"""Names of losses, metrics and optimizers, and finding one from what a user wrote: a name, a class or the object."""
import difflib
import inspect
import re

_numbers = {}  # how many objects have been given a name of their class


def snake_case(name):
    """'MeanSquaredError' as 'mean_squared_error'."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def auto_name(thing):
    """A name for an object without one: that of its class, with _1, _2, ... from the second on."""
    name = snake_case(type(thing).__name__)
    number = _numbers[name] = _numbers.get(name, -1) + 1
    return f"{name}_{number}" if number else name


def from_identifier(kind, identifier, names):
    """The object that an identifier means; None stays None.

    Args:
        kind: what is looked for, for messages.
        identifier: name, dict with 'class_name' and 'config', class, or the object itself.
        names: dict from names to classes and functions.
    """
    if identifier is None:
        return None
    config = None
    if isinstance(identifier, dict):
        if "class_name" not in identifier:
            raise ValueError(f"The configuration of a {kind} is a dict with 'class_name' and 'config'. Received: "
                             f"{identifier!r}")
        identifier, config = identifier["class_name"], identifier.get("config") or {}
    if isinstance(identifier, str):
        if identifier not in names:
            near = difflib.get_close_matches(identifier, names, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"The name of a {kind} is one of {', '.join(sorted(names))}. Received: "
                             f"{identifier!r}{hint}")
        identifier = names[identifier]
        if config is not None:
            return identifier.from_config(config) if inspect.isclass(identifier) else identifier
    if inspect.isclass(identifier):
        return identifier()
    return identifier


def checked(kind, thing):
    """The thing, if it is None or can be called."""
    if thing is not None and not callable(thing):
        raise ValueError(f"A {kind} is a name, a {kind} object or a function. Received: {thing!r}")
    return thing
