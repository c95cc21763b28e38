"""Objects as JSON-ready dicts in Keras's layout, and back: module, class_name, config, registered_name."""
import inspect
import threading
import types
import warnings
from contextlib import contextmanager

import numpy as np

from cnncore.saving import registry

_PLAIN = (str, int, float, bool)
_NUMBERS = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
            "bool")
_sharing = threading.local()


@contextmanager
def sharing_scope(where="the configuration"):
    """While open, an object met twice is one object again after loading; `where` names the file in messages."""
    before = getattr(_sharing, "scope", None)
    _sharing.scope = types.SimpleNamespace(where=where, configs={}, objects={}, alive=[])
    try:
        yield
    finally:
        _sharing.scope = before


def serialize_keras_object(obj):
    """An object as a JSON-ready dict that Keras reads as its own.

    Args:
        obj: a layer, model, optimizer, loss, metric, initializer, regularizer or function, or a list, tuple or dict of
            such and of plain values.

    Returns:
        A dict with 'module', 'class_name', 'config' and 'registered_name'; plain values as they are.

    Raises:
        ValueError: the object is a lambda, or has no `get_config`.

    Example:
        >>> from cnncore import initializers
        >>> serialize_keras_object(initializers.Zeros())["class_name"]
        'Zeros'
    """
    if obj is None or isinstance(obj, _PLAIN):
        return obj
    if isinstance(obj, (list, tuple)):
        return [serialize_keras_object(item) for item in obj]
    if isinstance(obj, dict):
        return {key: serialize_keras_object(value) for key, value in obj.items()}
    if isinstance(obj, np.generic):
        return obj.item()
    if isinstance(obj, np.ndarray):
        return _special("numpy", value=obj.tolist(), dtype=obj.dtype.name)
    if isinstance(obj, bytes):
        return _special("bytes", value=obj.decode())
    if isinstance(obj, slice):
        return _special("slice", start=obj.start, stop=obj.stop, step=obj.step)
    if obj is Ellipsis:
        return _special("ellipsis")
    if isinstance(obj, np.dtype):
        return obj.name
    if isinstance(obj, (types.FunctionType, types.BuiltinFunctionType)):
        return _serialize_function(obj)
    if hasattr(obj, "get_config") and not inspect.isclass(obj):
        return _serialize_instance(obj)
    if type(obj).__module__.startswith("cnncore.") and hasattr(obj, "numpy"):
        return _special("tensor", value=obj.numpy().tolist(), dtype=obj.dtype)
    raise ValueError("Only objects with a get_config method can be saved. Received: "
                     f"{obj!r} of type {type(obj).__name__}; add get_config to that class")


def _special(name, **config):
    return {"class_name": f"__{name}__", "config": config}


def _serialize_function(function):
    name = registry.get_registered_name(function)
    if registry.room_of(function) is not None:
        return {"module": "builtins", "class_name": "function", "config": name, "registered_name": "function"}
    if not name or not name.split(">")[-1].isidentifier():
        raise ValueError("A function in a model is saved by its name. Received: "
                         f"{function.__qualname__}, which no name leads back to; define it by def and decorate it with "
                         "cnncore.saving.register_keras_serializable")
    return {"module": function.__module__, "class_name": "function", "config": name, "registered_name": name}


def _serialize_instance(obj):
    cls = type(obj)
    form = obj.keras_form() if hasattr(cls, "keras_form") else None
    if form is not None:
        module, name, config = form
        return {"module": module, "class_name": name, "config": serialize_keras_object(config), "registered_name": name}
    config = obj.get_config()
    if not isinstance(config, dict):
        raise TypeError(f"get_config returns a dict. Received: {type(config).__name__} from {cls.__name__}")
    module, name, registered = keras_identity(obj)
    out = {"module": module, "class_name": name, "config": serialize_keras_object(config),
           "registered_name": registered}
    for part in ("build_config", "compile_config"):
        method = getattr(obj, f"get_{part}", None)
        value = method() if method is not None else None
        if value is not None:
            out[part] = serialize_keras_object(value)
    scope = getattr(_sharing, "scope", None)
    if scope is not None:
        first = scope.configs.setdefault(id(obj), out)
        scope.alive.append(obj)  # so that no other object takes over its id
        if first is not out:
            number = list(scope.configs).index(id(obj)) + 1
            first["shared_object_id"] = out["shared_object_id"] = number
    return out


def keras_identity(obj):
    """(module, class name, registered name) under which Keras finds the class of an object."""
    cls = type(obj)
    registered = registry.get_registered_name(cls)
    room = registry.room_of(cls) if registered == cls.__name__ else None
    if room is None:
        return cls.__module__, cls.__name__, registered
    if room == "models" and is_functional(obj):
        return "keras.src.models.functional", "Functional", "Functional"
    return registry.keras_module(room), cls.__name__, None


def is_functional(obj):
    """Whether a model is a graph of layers made by `Model(inputs, outputs)`, and no subclass of the user's."""
    from cnncore import models

    functional = getattr(models, "Functional", None)
    if functional is not None:
        return type(obj) is functional
    return type(obj) is models.Model and getattr(obj, "inputs", None) is not None


def deserialize_keras_object(config, custom_objects=None, safe_mode=True, **kwargs):
    """The object that a dict from `serialize_keras_object` stands for.

    Classes come from the library or from what was registered, never from a module named in the dict.

    Args:
        config: such a dict, or a list, dict or plain value.
        custom_objects: dict from names to your own classes or functions.
        safe_mode: accepted for compatibility; code in a configuration is never run.

    Raises:
        ValueError: a class is unknown, or its configuration does not fit it.

    Example:
        >>> from cnncore import initializers
        >>> deserialize_keras_object(serialize_keras_object(initializers.Constant(3))).value
        3
    """
    with registry.custom_object_scope(custom_objects):
        return _deserialize(config)


def _deserialize(config):
    if isinstance(config, (list, tuple)):
        return [_deserialize(item) for item in config]
    if not isinstance(config, dict):
        return config
    if "class_name" not in config or "config" not in config:
        return {key: _deserialize(value) for key, value in config.items()}
    name, inner = config["class_name"], config["config"]
    if not isinstance(name, str):
        raise ValueError(f"{_where()} must name classes by strings. Received: class_name={name!r}")
    if name.startswith("__"):
        return _deserialize_special(name, inner, config)
    if name == "function":
        return registry.find(inner, config.get("module"), None, _where(), function=True)
    inner = {} if inner is None else inner
    if not isinstance(inner, dict):
        raise ValueError(f"{_where()} must hold a dict of arguments for each class. Received: {inner!r} for {name}")
    if name in ("DTypePolicy", "Policy") and registry.get_registered_object(name) is None:
        return _dtype(inner.get("name"))
    return _make(name, inner, config)


def _make(name, inner, config):
    """An instance of the class that a dict names."""
    scope, number = getattr(_sharing, "scope", None), config.get("shared_object_id")
    if scope is not None and isinstance(number, int) and number in scope.objects:
        return scope.objects[number]
    if str(config.get("module")).startswith(("keras.src.ops.", "keras.ops")):
        from cnncore.layers import Operation

        return Operation.of_keras(name, {key: _deserialize(value) for key, value in inner.items()})
    cls = registry.find(name, config.get("module"), config.get("registered_name"), _where())
    if not inspect.isclass(cls):
        return cls
    if not hasattr(cls, "from_config"):
        raise ValueError(f"{_where()} may name only classes with from_config. Received: {name}; add from_config to it")
    if not _reads_raw(cls):
        inner = {key: _deserialize(value) for key, value in inner.items()}
    build, compiled = config.get("build_config"), config.get("compile_config")
    try:
        instance = cls.from_config(_without_neutral(cls, inner))
        if isinstance(build, dict) and hasattr(instance, "build_from_config") and not getattr(instance, "built", True):
            instance.build_from_config(build)
    except (TypeError, KeyError, AttributeError, IndexError, ArithmeticError, MemoryError, RecursionError) as error:
        raise ValueError(f"{_where()} must hold arguments that fit {name}. Received: a configuration of which "
                         f"{name} says: {error!r}; correct it, or save the model again") from error
    if isinstance(compiled, dict) and compiled and hasattr(instance, "compile_from_config"):
        instance.compile_from_config(compiled)
    if scope is not None and isinstance(number, int):
        scope.objects[number] = instance
    return instance


def _where():
    scope = getattr(_sharing, "scope", None)
    return scope.where if scope is not None else "the configuration"


def _reads_raw(cls):
    """Whether a class's from_config wants the nested dicts themselves: models, and from_config of the user's own."""
    is_model = any(base.__module__.startswith("cnncore.models") for base in cls.__mro__)
    return is_model or not cls.from_config.__func__.__module__.startswith("cnncore.")


# What some versions of Keras write into configurations, with the values that ask for nothing special.
_NEUTRAL = {"quantization_config": (None,), "sparse": (False,), "ragged": (False,), "optional": (False,),
            "synchronized": (False,), "renorm": (False,), "renorm_clipping": (None,), "renorm_momentum": (0.99,),
            "loss_scale_factor": (None,), "gradient_accumulation_steps": (None,), "is_legacy_optimizer": (False,),
            "jit_compile": (True, False, None), "weight_decay": (None,), "use_ema": (False,), "ema_momentum": (0.99,),
            "ema_overwrite_frequency": (None,), "input_axes": (None,), "output_axes": (None,), "groups": (1,)}


def _without_neutral(cls, config):
    """The config without the neutral arguments that this class does not have."""
    if not cls.__module__.startswith("cnncore."):
        return config
    known = {name for base in cls.__mro__ if "__init__" in vars(base)
             for name in inspect.signature(base.__init__).parameters}
    return {key: value for key, value in config.items()
            if key in known or key not in _NEUTRAL or not any(value is n or value == n for n in _NEUTRAL[key])}


def _dtype(name):
    """A Keras dtype policy as the name of a dtype."""
    if name in ("mixed_float16", "mixed_bfloat16"):
        warnings.warn(f"{_where()} asks for {name}; its float32 weights are kept and it computes in float32",
                      stacklevel=2)
        return "float32"
    if name not in _NUMBERS:
        raise ValueError(f"{_where()} must name a dtype policy such as 'float32'. Received: {name!r}; save the model "
                         "with that policy")
    return name


def _deserialize_special(name, inner, config):
    """What Keras writes as a class name between double underscores."""
    if name == "__keras_tensor__":  # its meaning depends on the graph it is in, which the functional model knows
        return config
    inner = inner if isinstance(inner, dict) else {}
    if name in ("__tensor__", "__numpy__") and inner.get("dtype") in _NUMBERS:
        try:
            return np.array(inner.get("value"), inner["dtype"])
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"{_where()} must hold arrays of numbers. Received: {error}") from None
    if name == "__bytes__" and isinstance(inner.get("value"), str):
        return inner["value"].encode()
    if name == "__ellipsis__":
        return Ellipsis
    if name == "__slice__":
        return slice(*(inner.get(part) for part in ("start", "stop", "step")))
    if name == "__lambda__":
        raise ValueError(f"{_where()} must hold no code. Received: a lambda, which is never loaded; replace it by a "
                         "named function decorated with cnncore.saving.register_keras_serializable")
    raise ValueError(f"{_where()} must hold what Keras writes. Received: {name}")
