"""ONNX to models: one layer, or one operation, for each node; nothing in a file is run, and nothing beside it is read."""
import os
import re

import numpy as np

from cnncore.onnx import node_images, node_layers
from cnncore.onnx.constants import Allowance, check_lengths
from cnncore.onnx.graph import package
from cnncore.utils.budget import weight_budget

_MAX_NODES = 50_000
_MORE_BYTES = 1 << 26  # of weights that no file has values for, such as those of LRN
_FACTOR = 32  # of bytes: 16 nodes may share weights that the file holds as float16, and each has its own as float32
_READERS = node_layers.READERS | node_images.READERS


def load(filepath):
    """A model out of an ONNX file, such as `model.export` or torch.onnx write it. It can be trained and saved.

    Inputs have the order of axes that they have in the file: (batch, channels, height, width) in those of PyTorch.

    Args:
        filepath: string or path that ends in '.onnx'.

    Returns:
        A functional `Model`, not compiled.

    Raises:
        ValueError: the file is damaged, keeps its numbers in other files, or has an operator that is not known here.
        ImportError: the package onnx is not installed.
        OSError: the file cannot be read.
    """
    from cnncore import layers
    from cnncore.models import Model

    path = os.fspath(filepath) if isinstance(filepath, (str, os.PathLike)) else filepath
    if not isinstance(path, str) or not path.endswith(".onnx"):
        raise ValueError(f"A model is loaded from a file that ends in '.onnx'. Received: {filepath!r}")
    where = f"the file {path!r}"
    graph = _parsed(path, where)
    values = {one.name: _array(one, where) for one in graph.initializer}
    inputs = []
    for given in graph.input:
        if given.name in values:
            continue
        kind = given.type.tensor_type
        shape = [one.dim_value if one.HasField("dim_value") and one.dim_value > 0 else None for one in kind.shape.dim]
        if len(shape) < 2 or kind.elem_type not in (1, 10, 11):
            raise ValueError(f"{where} must take batches of floating-point numbers. Received: the input {given.name!r} "
                             f"with shape {shape} and type {kind.elem_type}")
        inputs.append(layers.Input(shape[1:], name=_word(given.name) or None))
        values[given.name] = inputs[-1]
    allowance = Allowance(graph.ByteSize())
    with weight_budget(_FACTOR * graph.ByteSize() + _MORE_BYTES, where):
        for node in graph.node:
            _try_to_add(node, values, allowance, where)
    missing = [one.name for one in graph.output if one.name not in values]
    if missing or not inputs or not graph.output:
        raise ValueError(f"{where} must have inputs, and nodes that make its outputs. Received: {len(inputs)} inputs, and "
                         f"no node for {missing[:5]}")
    outputs = [values[one.name] for one in graph.output]
    name = _word(graph.name)[:80]
    return Model(inputs[0] if len(inputs) == 1 else inputs, outputs[0] if len(outputs) == 1 else outputs,
                 name=name if re.match("[A-Za-z]", name) else "onnx_model")


def _word(name):
    """A name in letters, digits and underscores; protobuf hands out bytes where it is damaged."""
    return re.sub(r"\W", "_", name if isinstance(name, str) else name.decode(errors="replace"))


def _parsed(path, where):
    """The file's graph, checked by onnx."""
    onnx = package()
    with open(path, "rb") as file:
        data = file.read()
    try:
        model = onnx.load_model_from_string(data)
        if any(one.data_location == onnx.TensorProto.EXTERNAL for one in model.graph.initializer):
            raise ValueError("numbers in other files; save it as one file")
        onnx.checker.check_model(model)
        version = max((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), default=0)
        if version < 13:
            model = onnx.version_converter.convert_version(model, 13)
    except Exception as error:  # protobuf, the checker and the converter have classes of errors of their own
        raise ValueError(f"{where} must be a whole ONNX model in one file. Received: {str(error)[:300]}") from None
    if len(model.graph.node) > _MAX_NODES:
        raise ValueError(f"{where} must have at most {_MAX_NODES:,} nodes. Received: {len(model.graph.node):,}")
    return model.graph


def _array(tensor, where):
    """The numbers of a constant."""
    onnx = package()
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        raise ValueError(f"{where} must hold its numbers itself. Received: {tensor.name!r}, which is in another file")
    try:
        array = onnx.numpy_helper.to_array(tensor)
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(f"{where} must hold numbers that fit their shapes. Received: {tensor.name!r}: {error}") from None
    return array.astype("float32") if array.dtype.kind == "f" else array


def _try_to_add(node, values, allowance, where):
    """The same as `_add`, with the file and the node in every message."""
    try:
        _add(node, values, allowance, where)
    except ValueError as error:
        if str(error).startswith(where):
            raise
        raise ValueError(f"{where} must hold nodes that can be read. Received: {node.op_type} {node.name[:80]!r}, of which "
                         f"it is said: {error}") from None
    except (TypeError, IndexError, KeyError, AttributeError, OverflowError, ArithmeticError, MemoryError) as error:
        raise ValueError(f"{where} must hold nodes whose attributes fit. Received: {node.op_type} "
                         f"{node.name[:80]!r}, of which it is said: {error!r}") from error


def _add(node, values, allowance, where):
    """Puts what a node makes among the values."""
    onnx = package()
    attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
    if node.op_type == "Constant":
        if "value" in attributes:
            values[node.output[0]] = _array(attributes["value"], where)
        else:
            values[node.output[0]] = np.asarray(next(iter(attributes.values())))
        return
    read = _READERS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
    if read is None:
        raise ValueError(f"{where} must have operators that are known here. Received: {node.op_type} "
                         f"{node.name[:80]!r}; those known are {', '.join(sorted(_READERS))}")
    sources = [values[name] if name else None for name in node.input]
    if node.op_type == "Split":
        attributes["num_outputs"] = len(node.output)
    check_lengths(node.op_type, sources)
    constant = all(x is None or isinstance(x, np.ndarray) for x in sources)
    if constant:
        allowance.spend(node.op_type, attributes, sources)
    made = read(attributes, *sources)
    made = made if isinstance(made, tuple) else (made,)
    values.update(zip(node.output, map(np.asarray, made) if constant else made))
