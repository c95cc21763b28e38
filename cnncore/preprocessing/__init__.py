"""Preparing data: images (`preprocessing.image`), and images in folders."""
from importlib import import_module

__all__ = ["image", "image_dataset_from_directory"]


def __getattr__(name):
    if name == "image":
        return import_module("cnncore.preprocessing.image")
    if name == "image_dataset_from_directory":
        return import_module("cnncore.utils").image_dataset_from_directory
    raise AttributeError(f"module 'cnncore.preprocessing' has no attribute {name!r}")
