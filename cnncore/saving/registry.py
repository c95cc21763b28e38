"""The closed list of classes and functions that a file may name: the library's own and those the user registered."""
import inspect
import threading
from contextlib import contextmanager
from importlib import import_module

# Where each of Keras's public modules lives here, in the order in which a class without a module is looked for.
ROOMS = ("layers", "models", "optimizers", "schedules", "losses", "metrics", "initializers", "regularizers",
         "constraints", "activations")
_MODULES = {room: f"cnncore.{room}" for room in ROOMS} | {"schedules": "cnncore.optimizers.schedules"}
_KERAS_MODULES = {room: f"keras.{room}" for room in ROOMS} | {
    "models": "keras", "schedules": "keras.optimizers.schedules"}
_FUNCTION_ROOMS = ("activations", "losses", "metrics", "initializers")
_KERAS_PACKAGES = ("keras", "cnncore", "tf_keras", "tensorflow")
_LAMBDAS = ("__lambda__", "TFOpLambda", "SlicingOpLambda", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer")

_OF_NETWORKS = {"CustomScaleLayer": "cnncore.applications.inception_resnet_v2"}  # layers that one network alone has
_NO_MODEL_PARTS = ("get", "serialize", "deserialize")

_registered = {}
_names = {}
_scope = threading.local()


def register_keras_serializable(package="Custom", name=None):
    """A decorator that lets files name a class or function of yours.

    Args:
        package: first half of the name under which files keep it.
        name: second half; the class's own name by default.

    Raises:
        ValueError: a class has no `get_config`, or the name is taken by another class.

    Example:
        >>> @register_keras_serializable("example")
        ... def twice(x):
        ...     return 2 * x
        >>> get_registered_name(twice)
        'example>twice'
    """
    def decorate(thing):
        if inspect.isclass(thing) and not hasattr(thing, "get_config"):
            raise ValueError("A class that files may name has a get_config method. Received: "
                             f"{thing.__name__}, add get_config to it")
        full = f"{package}>{name or thing.__name__}"
        old = _registered.get(full)
        # A notebook cell or module that runs again defines its class again: the newer one is meant.
        if old is not None and (old.__module__, old.__qualname__) != (thing.__module__, thing.__qualname__):
            raise ValueError(f"A name stands for one class. Received: {full!r} for {thing!r}, which is taken by "
                             f"{old!r}; choose another package or name")
        _registered[full] = thing
        _names[thing] = full
        return thing

    return decorate


def get_registered_name(obj):
    """The name under which a class or function was registered, else its own name."""
    name = getattr(obj, "__name__", None)
    # A model class that hands inputs and outputs to Model gets a subclass of the same name.
    for base in getattr(obj, "__mro__", (obj,)):
        if base in _names and getattr(base, "__name__", None) == name:
            return _names[base]
    return name


def get_registered_object(name, custom_objects=None, module_objects=None):
    """What was registered under a name, or None.

    Args:
        name: 'package>name', or a plain name for what is in `custom_objects` or a `custom_object_scope`.
        custom_objects: dict from names to classes or functions.
        module_objects: another such dict, looked at last.
    """
    for known in (custom_objects, *reversed(getattr(_scope, "stack", [])), _registered, module_objects):
        if known and isinstance(name, str) and name in known:
            return known[name]
    return None


def get_custom_objects():
    """The dict of everything registered by name, open to changes."""
    return _registered


@contextmanager
def custom_object_scope(custom_objects):
    """While open, files read in this thread, and arguments such as `activation=`, may name these classes and functions.

    Args:
        custom_objects: dict from names to classes or functions.

    Example:
        >>> class Mine:
        ...     pass
        >>> with custom_object_scope({"Mine": Mine}):
        ...     get_registered_object("Mine") is Mine
        True
    """
    if not hasattr(_scope, "stack"):
        _scope.stack = []
    _scope.stack.append(dict(custom_objects or {}))
    try:
        yield
    finally:
        _scope.stack.pop()


CustomObjectScope = custom_object_scope


def room_of(thing):
    """The public module, such as 'layers', that a class or function of the library belongs to; None for others."""
    parts = (getattr(thing, "__module__", None) or "").split(".")
    if parts[0] != "cnncore":
        return None
    found = [part for part in parts[1:] if part in ROOMS]
    room = found[-1] if found else None
    if room is None or _contents(room).get(thing.__name__) is not thing:
        room = next((r for r in ROOMS if _contents(r).get(thing.__name__) is thing), None)
    return room


def keras_module(room):
    """The module that Keras keeps this room's classes in."""
    return _KERAS_MODULES[room]


def find(name, module, registered_name, where, custom_objects=None, function=False):
    """The class or function that a file names.

    Args:
        name: its own name.
        module: the module the file gives for it; only read, never imported.
        registered_name: the name it was registered under, or None.
        where: the file, for messages.
        custom_objects: dict from names to classes or functions.
        function: whether a function is wanted.

    Raises:
        ValueError: there is no such class in the library and none was registered.
    """
    if not isinstance(name, str) or not isinstance(module, (str, type(None))):
        raise ValueError(f"{where} must name classes by strings. Received: class {name!r} of module {module!r}")
    for key in (registered_name, name):
        thing = get_registered_object(key, custom_objects)
        if thing is not None:
            return thing
    if name in _LAMBDAS:
        raise ValueError(f"{where} must hold no code. Received: a {name} layer, which is never loaded; write it as a "
                         "class and decorate that with cnncore.saving.register_keras_serializable")
    thing = _find_own(name, module or "", function)
    if thing is None:
        kind = "function" if function else "class"
        raise ValueError(f"{where} may name only what the library has or was registered. Received: {kind} {name!r} of "
                         f"module {module!r}; pass it in custom_objects={{{name!r}: ...}}, or decorate it with "
                         "cnncore.saving.register_keras_serializable and import it before loading")
    return thing


def _find_own(name, module, function):
    """A class or function of the library, chosen by the words of a Keras module's name; None if there is none."""
    parts = module.split(".")
    if module not in ("", "builtins") and parts[0] not in _KERAS_PACKAGES:
        return None
    if name in _OF_NETWORKS and not function:
        return getattr(import_module(_OF_NETWORKS[name]), name)
    if function:
        rooms = _FUNCTION_ROOMS
    else:
        named = [part for part in parts if part in ROOMS]
        rooms = named[-1:] or (("models", "layers") if parts[0] in _KERAS_PACKAGES else ROOMS)
        if "models" in named or "engine" in parts:
            rooms = ("models", "layers")
    for room in rooms:
        thing = _contents(room).get(name)
        if inspect.isclass(thing) if not function else inspect.isfunction(thing):
            return thing
    return None


def _contents(room):
    """The public names of one of the library's own modules; empty where it has no such module."""
    try:
        module = import_module(_MODULES[room])
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("cnncore"):
            raise
        return {}
    public = getattr(module, "__all__", None)
    return {name: value for name, value in vars(module).items()
            if (name in public if public is not None else not name.startswith("_")) and name not in _NO_MODEL_PARTS
            and (getattr(value, "__module__", None) or "").startswith("cnncore.")}
