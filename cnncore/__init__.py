"""cnncore: the Keras way of writing a convolutional network, on a small C engine for CPUs."""
from importlib import import_module

__version__ = "0.1.0"

_ROOMS = ("activations", "callbacks", "config", "constraints", "datasets", "initializers", "layers", "losses", "metrics",
          "models", "ops", "optimizers", "random", "regularizers", "saving", "utils")
_NAMES = {
    "Tensor": "tensor", "Variable": "tensor", "GradientTape": "tensor", "no_grad": "executor",
    "Model": "models", "Sequential": "models", "Input": "layers", "Layer": "layers.layer", "KerasTensor": "symbolic",
    "set_num_threads": "config", "get_num_threads": "config", "show_config": "config",
    "Loss": "losses", "Metric": "metrics", "Optimizer": "optimizers", "Initializer": "initializers",
    "Regularizer": "regularizers",
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


import_module("cnncore.config")._start()
