"""Helpers around training: seeds, names, the progress bar, the model table, data, images, pictures, files' classes."""
from importlib import import_module

_NAMES = {  # imported when first asked for: files, archives and pictures need much that training does not
    "CustomObjectScope": "saving", "Dataset": "utils.dataset", "Progbar": "utils.progbar",
    "PyDataset": "utils.py_dataset", "Sequence": "utils.py_dataset", "array_to_img": "utils.images",
    "clear_session": "utils.naming", "custom_object_scope": "saving", "deserialize_keras_object": "saving",
    "get_custom_objects": "saving", "get_file": "utils.download", "get_registered_name": "saving",
    "get_registered_object": "saving", "image_dataset_from_directory": "utils.image_dataset",
    "img_to_array": "utils.images", "is_keras_tensor": "symbolic", "load_img": "utils.images",
    "model_to_dot": "utils.model_plot", "normalize": "utils.numerical", "pack_x_y_sample_weight": "models.data",
    "plot_confusion_matrix": "utils.plots", "plot_feature_maps": "utils.plots", "plot_filters": "utils.plots",
    "plot_history": "utils.plots", "plot_model": "utils.model_plot", "plot_predictions": "utils.plots",
    "register_keras_serializable": "saving", "save_img": "utils.images", "serialize_keras_object": "saving",
    "set_random_seed": "random", "split_dataset": "utils.dataset", "to_categorical": "utils.numerical",
    "unpack_x_y_sample_weight": "models.data",
}
__all__ = list(_NAMES)


def __getattr__(name):
    if name not in _NAMES:
        raise AttributeError(f"module 'cnncore.utils' has no attribute {name!r}")
    value = getattr(import_module(f"cnncore.{_NAMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted(__all__)
