"""Helpers around training: seeds, names, the progress bar, the model table, data, images and pictures."""
from importlib import import_module

_NAMES = {  # imported when first asked for: files, archives and pictures need much that training does not
    "Dataset": "utils.dataset", "Progbar": "utils.progbar", "array_to_img": "utils.images",
    "clear_session": "utils.naming", "get_file": "utils.download",
    "image_dataset_from_directory": "utils.image_dataset", "img_to_array": "utils.images",
    "load_img": "utils.images", "model_to_dot": "utils.model_plot", "normalize": "utils.numerical",
    "plot_confusion_matrix": "utils.plots", "plot_feature_maps": "utils.plots", "plot_filters": "utils.plots",
    "plot_history": "utils.plots", "plot_model": "utils.model_plot", "plot_predictions": "utils.plots",
    "save_img": "utils.images", "set_random_seed": "random", "split_dataset": "utils.dataset",
    "to_categorical": "utils.numerical",
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
