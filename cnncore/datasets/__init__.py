"""Data sets: MNIST, Fashion-MNIST, CIFAR-10, CIFAR-100 and scikit-learn's digits, from disk or downloaded."""
from importlib import import_module

__all__ = ["cifar10", "cifar100", "digits", "fashion_mnist", "mnist"]


def __getattr__(name):
    if name in __all__:
        return import_module(f"cnncore.datasets.{name}")
    raise AttributeError(f"module 'cnncore.datasets' has no attribute {name!r}")
