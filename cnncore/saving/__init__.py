"""Saving and loading models in Keras's own file formats, whole or not at all, and never running code from a file."""
from cnncore.saving.model_io import Saveable, load_model, load_weights, model_from_json, save_model, save_weights
from cnncore.saving.registry import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from cnncore.saving.serialization import deserialize_keras_object, serialize_keras_object

__all__ = ["CustomObjectScope", "Saveable", "custom_object_scope", "deserialize_keras_object", "get_custom_objects",
           "get_registered_name", "get_registered_object", "load_model", "load_weights", "model_from_json",
           "register_keras_serializable", "save_model", "save_weights", "serialize_keras_object"]
