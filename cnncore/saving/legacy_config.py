"""Configurations as Keras 1 and 2 wrote them, in the layout of Keras 3."""
from cnncore.saving import legacy_optimizer

# Arguments that layers had in Keras 2, of no effect then or now, and names that were others.
_DROPPED = {"SeparableConv1D": ("kernel_initializer", "kernel_regularizer", "kernel_constraint", "groups"),
            "SpatialDropout1D": ("trainable", "noise_shape"), "SpatialDropout2D": ("trainable", "noise_shape")}
_DROPPED |= {name: _DROPPED["SeparableConv1D"] for name in ("SeparableConv2D", "SeparableConvolution1D",
                                                            "SeparableConvolution2D")}
_RENAMED = {"InputLayer": {"batch_input_shape": "batch_shape"}, "LeakyReLU": {"alpha": "negative_slope"}}
_NOWHERE = ("batch_input_shape", "rng_type")  # arguments that no layer has any more


def is_old(version):
    """Whether a text such as '2.4.0' is the version of a Keras before 3.

    Args:
        version: what a file gives as keras_version; what is no text is none of Keras before 3.
    """
    return isinstance(version, str) and version.partition(".")[0] in ("0", "1", "2")


def modern_training(config):
    """The arguments of `compile` by their present names.

    Args:
        config: dict from arguments to values, each as Keras 1 or 2 wrote it.
    """
    config, optimizer = {key: value for key, value in config.items() if value is not None}, config.get("optimizer")
    if isinstance(optimizer, dict) and isinstance(optimizer.get("config"), dict):
        config["optimizer"] = legacy_optimizer.modern_config(optimizer)
    return config | {"loss": _modern_losses(config.get("loss")), "metrics": _modern_metrics(config.get("metrics")),
                     "weighted_metrics": _modern_metrics(config.get("weighted_metrics"))}


def modern_model(config):
    """A model's or layer's configuration in the layout of Keras 3; one that is in that layout stays as it is."""
    if not isinstance(config, dict) or "class_name" not in config:
        return config
    name, inner = config["class_name"], config.get("config")
    if name == "Sequential" and isinstance(inner, list):
        inner = {"layers": inner}
    if not isinstance(inner, dict):
        return config
    if isinstance(inner.get("layers"), list):
        inner = _renumbered(inner)
        inner = {**inner, "layers": [modern_model(layer) for layer in inner["layers"]]}
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


def _renumbered(inner):
    """A graph in which the calls of models are counted from 0; Keras 2 took a model's own making for its call 0."""
    models = {layer["config"].get("name") for layer in inner["layers"]
              if isinstance(layer, dict) and isinstance(layer.get("config"), dict)
              and isinstance(layer["config"].get("layers"), list) and isinstance(layer.get("inbound_nodes"), list)
              and all(isinstance(node, list) for node in layer["inbound_nodes"])}

    def changed(value):
        if not isinstance(value, list):
            return value
        if len(value) in (3, 4) and isinstance(value[0], str) and isinstance(value[1], int):
            return [value[0], value[1] - (value[0] in models and value[1] > 0), *value[2:]]
        return [changed(item) for item in value]

    layers = [{**layer, "inbound_nodes": changed(layer["inbound_nodes"])}
              if isinstance(layer, dict) and "inbound_nodes" in layer else layer for layer in inner["layers"]]
    ends = {key: changed(inner[key]) for key in ("input_layers", "output_layers") if key in inner}
    return {**inner, "layers": layers, **ends} if models else inner


def _modern_layer(name, inner):
    """A layer's arguments by their present names."""
    renamed, dropped = _RENAMED.get(name, {}), _DROPPED.get(name, ())
    inner = {renamed.get(key, key): value for key, value in inner.items()
             if key in renamed or key not in (*dropped, *_NOWHERE)}
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


def _modern_losses(value):
    """Losses as `compile` takes them; Keras 2 wrote down the functions that its classes are made of, too."""
    if isinstance(value, list):
        return [_modern_losses(item) for item in value]
    if not isinstance(value, dict):
        return value
    inner = value.get("config")
    if "class_name" not in value:
        return {key: _modern_losses(item) for key, item in value.items()}
    if not isinstance(inner, dict) or "reduction" not in inner:
        return value
    inner = {key: item for key, item in inner.items() if key != "fn"}
    if inner["reduction"] == "auto":
        inner["reduction"] = "sum_over_batch_size"
    return {**value, "config": inner}


def _modern_metrics(value):
    """Metrics as `compile` takes them: those of Keras 2 that wrap a function, by that function's name."""
    if isinstance(value, list):
        return [_modern_metrics(item) for item in value]
    if isinstance(value, dict) and "class_name" not in value:
        return {key: _modern_metrics(item) for key, item in value.items()}
    if isinstance(value, dict) and value["class_name"] == "MeanMetricWrapper":
        inner = value.get("config") if isinstance(value.get("config"), dict) else {}
        name, function = str(inner.get("name")), inner.get("fn")
        chosen = name.endswith(("accuracy", "acc")) and not name.endswith(str(function))  # 'accuracy' meant that one
        return "accuracy" if chosen else function
    return value
