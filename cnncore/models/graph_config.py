"""The configuration of a functional model, in Keras 3's form: layers, and the calls that connect them."""
from cnncore.nest import map_leaves
from cnncore.symbolic import KerasTensor, node_of


def _reference(tensor, node_numbers):
    """[layer's name, which of its calls in this model, which output] of a KerasTensor."""
    history = tensor._keras_history
    return [history.operation.name, node_numbers[node_of(tensor)], history.tensor_index]


def graph_config(model):
    """The configuration of a functional model."""
    from cnncore.saving import serialize_keras_object

    numbers, calls = {}, {}
    for node in (node for operation in model._operations for node in operation._inbound_nodes):
        if node in set(model._nodes):
            calls.setdefault(node.operation, []).append(node)
            numbers[node] = len(calls[node.operation]) - 1

    def argument(leaf):
        if isinstance(leaf, KerasTensor):
            return {"class_name": "__keras_tensor__",
                    "config": {"shape": list(leaf.shape), "dtype": leaf.dtype,
                               "keras_history": _reference(leaf, numbers)}}
        return serialize_keras_object(leaf)

    layers = []
    inputs = {id(tensor) for tensor in model.inputs}
    for operation in model._operations:
        config = dict(serialize_keras_object(operation))
        config["name"] = operation.name
        config["inbound_nodes"] = [
            {"args": [map_leaves(argument, arg) for arg in node.args],
             "kwargs": {key: map_leaves(argument, value) for key, value in node.kwargs.items()}}
            for node in calls.get(operation, []) if node.input_tensors and
            not all(id(tensor) in inputs for tensor in node.output_tensors)]
        layers.append(config)

    def references(nest):
        return map_leaves(lambda tensor: _reference(tensor, numbers), nest)

    return {"name": model.name, "trainable": model.trainable, "layers": layers,
            "input_layers": references(model._inputs_struct), "output_layers": references(model._outputs_struct)}


def graph_from_config(config, custom_objects=None):
    """(inputs, outputs, name, trainable) of a functional model from its configuration."""
    from cnncore.saving import deserialize_keras_object

    layers, waiting = {}, []
    for one in config["layers"]:
        layer = deserialize_keras_object({key: value for key, value in one.items() if key not in
                                          ("inbound_nodes", "name")}, custom_objects)
        layers[one["name"]] = layer
        waiting += [(layer, call) for call in one.get("inbound_nodes", ())]
    made = {}  # (layer's name, call): the node
    for name, layer in layers.items():
        if layer._inbound_nodes and not any(layer is other for other, _ in waiting):
            made[name, 0] = layer._inbound_nodes[0]
    counts = {}
    while waiting:
        later = []
        for layer, call in waiting:
            args, kwargs, ready = _arguments(call, made)
            if not ready or any(layer is other for other, _ in later):
                later.append((layer, call))
                continue
            layer(*args, **kwargs)
            number = counts.get(id(layer), 0)
            counts[id(layer)] = number + 1
            made[_name_of(layers, layer), number] = layer._inbound_nodes[-1]
        if len(later) == len(waiting):
            raise ValueError("The calls of a functional model form a graph from its inputs on. Received: calls of "
                             f"{', '.join(sorted({layer.name for layer, _ in later}))} whose inputs nothing makes")
        waiting = later

    def tensors(nest):
        if isinstance(nest, (list, tuple)) and len(nest) == 3 and isinstance(nest[0], str):
            node = made.get((nest[0], nest[1]))
            if node is None:
                raise ValueError(f"A functional model's inputs and outputs name its layers. Received: {nest!r}")
            return node.output_tensors[nest[2]]
        if isinstance(nest, dict):
            return {key: tensors(value) for key, value in nest.items()}
        return [tensors(part) for part in nest]

    def unpacked(nest):
        found = tensors(nest)
        return found[0] if isinstance(found, list) and len(found) == 1 else found

    return (unpacked(config["input_layers"]), unpacked(config["output_layers"]), config.get("name"),
            config.get("trainable", True))


def _name_of(layers, layer):
    return next(name for name, other in layers.items() if other is layer)


def _arguments(call, made):
    """(args, kwargs, whether all their tensors exist) of a call in a configuration."""
    from cnncore.saving import deserialize_keras_object

    ready = True

    def value(part):
        nonlocal ready
        if isinstance(part, dict) and part.get("class_name") == "__keras_tensor__":
            name, number, index = part["config"]["keras_history"]
            node = made.get((name, number))
            if node is None:
                ready = False
                return None
            return node.output_tensors[index]
        if isinstance(part, dict) and "class_name" in part:
            return deserialize_keras_object(part)
        if isinstance(part, dict):
            return {key: value(inner) for key, inner in part.items()}
        if isinstance(part, (list, tuple)):
            return [value(inner) for inner in part]
        return part

    if isinstance(call, dict):
        args, kwargs = [value(arg) for arg in call.get("args", ())], value(call.get("kwargs") or {})
        kwargs = {key: v for key, v in kwargs.items() if not (key == "mask" and v is None)}
        return args, kwargs, ready
    # Keras 2 wrote a list of [layer, call, output, kwargs] for the inputs of a call.
    inputs = []
    for name, number, index, *_ in call:
        node = made.get((name, number))
        if node is None:
            return [], {}, False
        inputs.append(node.output_tensors[index])
    kwargs = call[0][3] if len(call[0]) > 3 else {}
    return [inputs[0] if len(inputs) == 1 else inputs], kwargs, True
