"""Reading the HDF5 files of Keras 1 and 2: weights by layer name, the model's configuration as a JSON attribute."""
import warnings

import numpy as np

from cnncore.saving import limits


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
    return modern_config(limits.parse_json(text.encode(), f"model_config in {reader.where}"))


def training_of(reader):
    """The arguments of `compile` in Keras's present layout; None where the model was not compiled."""
    text = reader.text("", "training_config")
    if not isinstance(text, str):
        return None
    config = limits.parse_json(text.encode(), f"training_config in {reader.where}")
    optimizer = config.pop("optimizer_config", None)
    if isinstance(optimizer, dict) and isinstance(optimizer.get("config"), dict):
        arguments = {{"lr": "learning_rate"}.get(key, key): value for key, value in optimizer["config"].items()
                     if key not in ("decay", "is_legacy_optimizer", "jit_compile")}
        optimizer = {"module": "keras.optimizers", "class_name": optimizer.get("class_name"), "config": arguments}
        config["optimizer"] = optimizer
    for key in ("metrics", "weighted_metrics"):
        config[key] = _modern_metrics(config.get(key))
    return config


def load_weights(model, reader, skip_mismatch=False, by_name=False):
    """Sets the weights of a model's layers, matched by their order or by name; all of them or none.

    Args:
        model: a built model.
        reader: `h5_store.H5Reader`.
        skip_mismatch: whether to leave layers that do not fit as they are, with a warning.
        by_name: whether layers are matched by name, and layers without a partner are left as they are.

    Raises:
        ValueError: the file has other layers or shapes than the model.
    """
    saved = _saved_layers(reader)
    ours = [(layer.name, weights) for layer in model.layers if (weights := _weights(layer))]
    if by_name:
        pairs = [(name, weights, saved[name]) for name, weights in ours if name in saved]
    else:
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
    model.optimizer.build(model.trainable_variables)
    variables = model.optimizer.variables
    arrays = [reader.array(f"optimizer_weights/{name}") for name in names]
    if [None if a is None else a.shape for a in arrays] != [tuple(v.shape) for v in variables]:
        warnings.warn(f"{reader.where} has the state of another version's optimizer; {model.optimizer.name!r} starts "
                      "afresh", stacklevel=4)
        return
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def modern_config(config):
    """A configuration of Keras 1 or 2 in the layout of Keras 3; one that is in that layout stays as it is."""
    if not isinstance(config, dict) or "class_name" not in config:
        return config
    name, inner = config["class_name"], config.get("config")
    if name == "Sequential" and isinstance(inner, list):
        inner = {"layers": inner}
    if not isinstance(inner, dict):
        return config
    if isinstance(inner.get("layers"), list):
        inner = {**inner, "layers": [modern_config(layer) for layer in inner["layers"]]}
        if name == "Sequential":
            inner["layers"] = _with_input(inner["layers"], config["config"])
    else:
        inner = _modern_layer(name, inner)
    out = {**config, "config": inner}
    if isinstance(config.get("inbound_nodes"), list):
        out["inbound_nodes"] = [_modern_node(node) for node in config["inbound_nodes"]]
    return out


def _with_input(layers, old):
    """The layers of a Sequential, with an InputLayer first where the first layer gave the input's shape."""
    old = old if isinstance(old, list) else old.get("layers")
    first = old[0] if old and isinstance(old[0], dict) else {}
    shape = (first.get("config") or {}).get("batch_input_shape") if isinstance(first.get("config"), dict) else None
    if shape is None or first.get("class_name") == "InputLayer":
        return layers
    made = {"module": "keras.layers", "class_name": "InputLayer", "registered_name": None,
            "config": {"batch_shape": shape, "dtype": "float32", "name": f"{first['config'].get('name')}_input"}}
    return [made, *layers]


def _modern_layer(name, inner):
    """A layer's arguments by their present names."""
    inner = dict(inner)
    shape = inner.pop("batch_input_shape", None)
    if name == "InputLayer" and shape is not None:
        inner["batch_shape"] = shape
    if name == "BatchNormalization" and isinstance(inner.get("axis"), list) and len(inner["axis"]) == 1:
        inner["axis"] = inner["axis"][0]
    for key, value in inner.items():
        # Initializers were once given the dtype that they now get when they are called.
        if key.endswith("_initializer") and isinstance(value, dict) and isinstance(value.get("config"), dict):
            inner[key] = {**value, "config": {k: v for k, v in value["config"].items() if k != "dtype"}}
    return inner


def _modern_node(node):
    """One call of a layer: [[layer, node, tensor, kwargs], ...] as args and kwargs."""
    if not isinstance(node, list) or not node or not all(isinstance(part, list) and len(part) in (3, 4)
                                                         for part in node):
        return node
    tensors = [{"class_name": "__keras_tensor__", "config": {"shape": None, "dtype": "float32",
                                                             "keras_history": part[:3]}} for part in node]
    kwargs = node[0][3] if len(node[0]) == 4 and isinstance(node[0][3], dict) else {}
    return {"args": [tensors[0] if len(tensors) == 1 else tensors], "kwargs": kwargs}


def _modern_metrics(value):
    """Metrics as `compile` takes them: those of Keras 2 that wrap a function, by that function's name."""
    if isinstance(value, list):
        return [_modern_metrics(item) for item in value]
    if isinstance(value, dict) and value.get("class_name") == "MeanMetricWrapper":
        inner = value.get("config") if isinstance(value.get("config"), dict) else {}
        return "accuracy" if inner.get("name") in ("accuracy", "acc") else inner.get("fn")
    return value


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
