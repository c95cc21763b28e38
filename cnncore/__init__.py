"""cnncore: the Keras way of writing a convolutional network, on a small C engine for CPUs."""
import os
from importlib import import_module

__version__ = "0.1.0"

_ROOMS = ("activations", "applications", "backend", "callbacks", "config", "constraints", "datasets", "initializers",
          "layers", "losses", "metrics", "models", "onnx", "ops", "optimizers", "preprocessing", "random", "regularizers",
          "saving", "utils")
_NAMES = {
    "Tensor": "tensor", "Variable": "tensor", "GradientTape": "tensor", "no_grad": "executor",
    "Model": "models", "Sequential": "models", "Input": "layers", "Layer": "layers.layer", "KerasTensor": "symbolic",
    "set_num_threads": "config", "get_num_threads": "config", "show_config": "config",
    "Loss": "losses", "Metric": "metrics", "Optimizer": "optimizers", "Initializer": "initializers",
    "Regularizer": "regularizers", "InputSpec": "layers",
}
__all__ = [*_ROOMS, *_NAMES, "__version__"]


def __getattr__(name):
    """Imports a room, or the module that holds a name, when it is first asked for."""
    if name in _ROOMS:
        return import_module(f"cnncore.{name}")
    if name in _NAMES:
        value = getattr(import_module(f"cnncore.{_NAMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'cnncore' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)


def _load_engine():
    """Imports the engine. OpenMP reads when it is loaded for how long its threads stay awake for more work: its own
    answer, milliseconds, takes a core from whatever else runs on the machine."""
    name = "GOMP_SPINCOUNT"
    unasked = name not in os.environ and "OMP_WAIT_POLICY" not in os.environ
    if unasked:
        os.environ[name] = "5000"
    try:
        import_module("cnncore._core")
    finally:
        if unasked:
            del os.environ[name]


_load_engine()
import_module("cnncore.config")._start()
