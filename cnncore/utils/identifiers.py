"""Finding a loss, metric or optimizer from what a user wrote: a name, a configuration, a class or the object itself."""
import difflib
import inspect


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
        own = names.get(identifier) or _registered(identifier)
        if own is None:
            raise unknown_name(kind, identifier, names)
        identifier = own
        if config is not None:
            return identifier.from_config(config) if inspect.isclass(identifier) else identifier
    if inspect.isclass(identifier):
        missing = [name for name, p in inspect.signature(identifier).parameters.items()
                   if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        if missing:
            raise ValueError(f"A {kind} by its name or class has no arguments to be given. Received: "
                             f"{identifier.__name__}, which needs {', '.join(missing)}; pass an object, "
                             f"{identifier.__name__}({missing[0]}=...)")
        return identifier()
    return identifier


def _registered(name):
    """What of the user's a name stands for, or None."""
    from cnncore.saving import get_registered_object

    return get_registered_object(name)


def unknown_name(kind, name, names, otherwise=""):
    """The ValueError for a name that stands for nothing, with the one that was probably meant, or else all."""
    near = difflib.get_close_matches(str(name), names, 3)
    near.sort(key=lambda known: sorted(known) != sorted(str(name)))  # swapped letters are the likeliest slip
    short = sorted(known for known in names if known.islower()) or sorted(names)
    fix = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(short)}{otherwise}"
    return ValueError(f"{'An' if kind[0] in 'aeiou' else 'A'} {kind} is an object, a function or a known name. Received: "
                      f"{name!r}; {fix}")


def checked(kind, thing):
    """The thing, if it is None or can be called."""
    if thing is not None and not callable(thing):
        raise ValueError(f"A {kind} is a name, a {kind} object or a function. Received: {thing!r}")
    return thing


def from_saved(kind, config, names, custom_objects=None):
    """What a dict of `serialize`, or a name, stands for.

    Args:
        kind, names: as for `from_identifier`.
        config: dict with 'class_name' and 'config', or a name.
        custom_objects: dict from names to classes and functions of the user's.
    """
    from cnncore.saving import deserialize_keras_object

    if isinstance(config, dict) and "module" in config:
        return deserialize_keras_object(config, custom_objects)
    return from_identifier(kind, config, {**names, **(custom_objects or {})})


def unknown_attribute(module, name, names):
    """The AttributeError for a name that a module does not have, with the one that was probably meant."""
    by_letters = {known.lower(): known for known in names}
    near = difflib.get_close_matches(name.lower(), by_letters, 1, cutoff=0.7)
    hint = f"; did you mean {by_letters[near[0]]!r}?" if near and not name.startswith("_") else ""
    return AttributeError(f"module {module!r} has no attribute {name!r}{hint}")
