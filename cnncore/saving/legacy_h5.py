"""Reading the HDF5 files of Keras 1 and 2: weights by layer name, configurations as JSON attributes."""
import warnings

import numpy as np

from cnncore.saving import legacy_config, legacy_optimizer, limits


def is_legacy(reader):
    """Whether an open HDF5 file has the layout of Keras 1 and 2."""
    return _weights_group(reader) is not None


def config_of(reader):
    """The configuration of a whole model in Keras's present layout.

    Raises:
        ValueError: the file holds weights only.
    """
    text = reader.text("", "model_config")
    if not isinstance(text, str):
        raise ValueError(f"{reader.where} must hold a whole model. Received: a file without model_config; build the "
                         "model and use load_weights")
    return legacy_config.modern_model(limits.parse_json(text.encode(), f"model_config in {reader.where}"))


def training_of(reader):
    """The arguments of `compile` in Keras's present layout; None where the model was not compiled."""
    text = reader.text("", "training_config")
    if not isinstance(text, str):
        return None
    config = limits.parse_json(text.encode(), f"training_config in {reader.where}")
    optimizer = config.pop("optimizer_config", None)
    if isinstance(optimizer, dict):
        config["optimizer"] = {**optimizer, "module": "keras.optimizers"}
    return legacy_config.modern_training(config)


def load_weights(model, reader, skip_mismatch=False, by_name=False, more=False):
    """Sets the weights of a model's layers, matched by their order or by name; all of them or none.

    Args:
        model: a built model.
        reader: `h5_store.H5Reader`.
        skip_mismatch: whether to leave layers that do not fit as they are, with a warning.
        by_name: whether layers are matched by name, and layers without a partner are left as they are.
        more: whether the file may hold more layers at its end, such as a classifier.

    Raises:
        ValueError: the file has other layers or shapes than the model.
    """
    saved = _saved_layers(reader)
    ours = [(layer.name, weights) for layer in model.layers if (weights := _weights(layer))]
    if by_name:
        pairs = [(name, weights, saved[name]) for name, weights in ours if name in saved]
    else:
        if more:
            saved = dict(list(saved.items())[:len(ours)])
        if len(ours) != len(saved):
            raise ValueError(f"{reader.where} must hold the weights of this model's layers. Received: {len(saved)} "
                             f"layers with weights for the {len(ours)} of {model.name!r}; build the model that the "
                             "file was saved from, or pass by_name=True")
        pairs = [(name, weights, paths) for (name, weights), paths in zip(ours, saved.values(), strict=True)]
    plan, problems = [], []
    for name, weights, paths in pairs:
        arrays = [reader.array(path) for path in paths]
        shapes = [None if a is None else a.shape for a in arrays]
        expected = [tuple(w.shape) for w in weights]
        if shapes == expected:
            plan += zip(weights, arrays, strict=True)
        else:
            problems.append(f"{name!r} has shapes {expected}, the file {shapes}")
    if problems:
        text = (f"{reader.where} must hold the weights of this model's layers. Received: {len(problems)} of "
                f"{model.name!r} whose weights do not fit: {'; '.join(problems[:5])}")
        if not skip_mismatch:
            raise ValueError(text + ". Nothing was changed; build the model that the file was saved from, or pass "
                             "skip_mismatch=True")
        warnings.warn(text + ". They keep their values", stacklevel=4)
    for variable, array in plan:
        variable.assign(array)


def load_optimizer(model, reader):
    """Sets the optimizer's variables, where those in the file are the same ones."""
    names = reader.text("optimizer_weights", "weight_names") if reader.has("optimizer_weights") else None
    if not names:
        return
    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)
    arrays = [reader.array(f"optimizer_weights/{name}") for name in names]
    if not legacy_config.is_old(reader.text("", "keras_version") or "1"):
        shapes = [None if a is None else a.shape for a in arrays]
        same = shapes == [tuple(v.shape) for v in optimizer.variables]
        pairs = list(zip(optimizer.variables, arrays, strict=True)) if same else None
    else:
        pairs = legacy_optimizer.values(optimizer, names, arrays)
    if pairs is None:
        warnings.warn(f"{reader.where} has the state of another optimizer or of other weights; {optimizer.name!r} "
                      "starts afresh", stacklevel=4)
        return
    for variable, array in pairs:
        variable.assign(array)


def _weights_group(reader):
    """Path of the group that holds the layers; None in another layout."""
    if reader.text("", "layer_names") is not None or reader.text("", "layer_names0") is not None:
        return ""
    return "model_weights" if reader.has("model_weights") else None


def _saved_layers(reader):
    """Dict from layer names to the paths of their arrays, without layers that have none."""
    group = _weights_group(reader)
    found = {}
    for layer in _names(reader, group, "layer_names"):
        path = f"{group}/{layer}" if group else layer
        names = _names(reader, path, "weight_names") if reader.has(path) else []
        if names:
            found[layer] = [f"{path}/{name}" for name in names]
    return found


def _names(reader, path, attribute):
    """A list of names, which Keras splits over several attributes where it is too long for one."""
    whole = reader.text(path, attribute)
    if whole is None:
        whole = []
        while (part := reader.text(path, f"{attribute}{len(whole)}")) is not None:
            whole.append(part)
        return [name for part in whole for name in part]
    return list(np.atleast_1d(whole))


def _weights(layer):
    return [*layer.trainable_weights, *layer.non_trainable_weights]
