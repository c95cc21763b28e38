"""Writing models, or their weights alone, as the HDF5 files of Keras 1 and 2, which scripts name 'model.h5'."""
import json

import numpy as np

from cnncore.saving.serialization import serialize_keras_object

_LAYOUT_VERSION = "3.10.0"  # the version of Keras that such files are read as
_ATTRIBUTE_BYTES = 64000  # HDF5 keeps no longer attribute


def pack(model, include_optimizer=True):
    """The bytes of an HDF5 file.

    Args:
        model: a built model.
        include_optimizer: whether to keep how it was compiled, and the optimizer's state.
    """
    import h5py

    with h5py.File("model", "w", driver="core", backing_store=False) as file:
        whole = serialize_keras_object(model)
        file.attrs["keras_version"], file.attrs["backend"] = _LAYOUT_VERSION, "cnncore"
        config = {"class_name": whole["class_name"], "config": whole["config"]}
        file.attrs["model_config"] = json.dumps(config).encode()
        _write_weights(file.create_group("model_weights"), model)
        optimizer = getattr(model, "optimizer", None)
        if include_optimizer and optimizer is not None:
            file.attrs["training_config"] = json.dumps(_training(model)).encode()
            state = [(v.path, v.numpy()) for v in optimizer.variables]
            _write_arrays(file.create_group("optimizer_weights"), state)
        file.flush()
        return file.id.get_file_image()


def pack_weights(model):
    """The bytes of an HDF5 file of a built model's weights alone."""
    import h5py

    with h5py.File("model", "w", driver="core", backing_store=False) as file:
        _write_weights(file, model)
        file.flush()
        return file.id.get_file_image()


def _training(model):
    """The arguments of `compile`, the optimizer apart, as these files keep them."""
    compiled = serialize_keras_object(model.get_compile_config())
    config = {key: compiled.get(key) for key in ("loss", "metrics", "weighted_metrics", "loss_weights")}
    optimizer = compiled["optimizer"]
    name = optimizer["registered_name"] or optimizer["class_name"]
    return config | {"optimizer_config": {"class_name": name, "config": optimizer["config"]}}


def _write_weights(group, model):
    group.attrs["backend"], group.attrs["keras_version"] = "cnncore", _LAYOUT_VERSION
    _write_names(group, "layer_names", [layer.name for layer in model.layers])
    for layer in sorted(model.layers, key=lambda layer: layer.name):
        weights = [*layer.trainable_weights, *layer.non_trainable_weights]
        _write_arrays(group.create_group(layer.name), [(w.path, w.numpy()) for w in weights])
    own = [*model._trainable_variables, *model._non_trainable_variables]
    _write_arrays(group.create_group("top_level_model_weights"), [(w.path, w.numpy()) for w in own])


def _write_arrays(group, pairs):
    """Arrays under their names, made different where two have the same."""
    names = []
    for name, array in pairs:
        unique, number = name, 0
        while unique in names:
            number += 1
            unique = f"{name}_{number}"
        names.append(unique)
        group.create_dataset(unique, data=array)
    _write_names(group, "weight_names", names)


def _write_names(group, attribute, names):
    """A list of names as one attribute, or several numbered ones where it is too long."""
    data = [name.encode() for name in names]
    parts = 1
    while data and -(-len(data) // parts) * max(map(len, data)) > _ATTRIBUTE_BYTES:
        parts += 1
    if parts == 1:
        group.attrs[attribute] = data
        return
    for i, part in enumerate(np.array_split(np.asarray(data), parts)):
        group.attrs[f"{attribute}{i}"] = part
