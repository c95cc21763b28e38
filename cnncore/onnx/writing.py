"""Models to ONNX: walks a graph of layers and writes for each what computes the same."""
import os

import numpy as np

from cnncore.nest import flatten
from cnncore.onnx import image_nodes, layer_nodes
from cnncore.onnx.graph import Graph, package

_WRITERS = layer_nodes.WRITERS | image_nodes.WRITERS


def export(model, filepath):
    """Writes what a model computes in inference as an ONNX file; the same as `model.export(filepath)`.

    Args:
        model: a built Sequential or functional model.
        filepath: string or path that ends in '.onnx'.

    Raises:
        ValueError: the ending is another one, the model is not built, or a layer has no counterpart in ONNX.
        ImportError: the package onnx is not installed.
        OSError: the file cannot be written; the old one is unchanged.
    """
    from cnncore.models import Functional, Sequential
    from cnncore.saving import atomic

    path = os.fspath(filepath) if isinstance(filepath, (str, os.PathLike)) else filepath
    if not isinstance(path, str) or not path.endswith(".onnx"):
        raise ValueError(f"A model is exported to a file that ends in '.onnx'. Received: {filepath!r}")
    if not isinstance(model, (Functional, Sequential)):
        raise ValueError(f"An exported model is Sequential or functional. Received: a {type(model).__name__}, whose call "
                         "is Python; build it from inputs and outputs")
    if not model.built or not model.inputs:
        raise ValueError(f"A model is exported once it knows its input's shape. Received: the model {model.name!r}, which "
                         "does not; give it an Input first")
    package()
    graph = Graph()
    names = [graph.name(tensor.name) for tensor in model.inputs]
    inputs = [(name, tensor.shape, tensor.dtype) for name, tensor in zip(names, model.inputs)]
    values = [layer_nodes.Value(graph, *one) for one in inputs]
    made = write_model(graph, model, values)
    outputs = []
    for value, tensor in zip(made, model.outputs, strict=True):
        # An output has a node and a name of its own, also where it is an input or is made twice.
        outputs.append((graph.add("Identity", value.name), tensor.shape, tensor.dtype))
    proto = graph.proto(model.name, inputs, outputs)
    if proto.ByteSize() >= 1 << 31:
        raise ValueError(f"An ONNX file is smaller than 2 GiB. Received: {proto.ByteSize():,} bytes for {model.name!r}")
    atomic.write_bytes(path, proto.SerializeToString())


def write_model(graph, model, values):
    """The values that a model, or one inside another, makes of these."""
    from cnncore.models import Sequential

    if isinstance(model, Sequential):
        for layer in model.layers:
            values = _write_layer(graph, layer, values, {})
        return values
    known = {id(tensor): value for tensor, value in zip(model.inputs, values, strict=True)}
    for node in model._nodes:
        if not node.input_tensors:
            continue
        sources = [known[id(leaf)] if id(leaf) in known else leaf for leaf in flatten(list(node.args))]
        made = _write_layer(graph, node.operation, sources, node.kwargs)
        for tensor, value in zip(flatten(node.outputs), made, strict=True):
            known[id(tensor)] = value
    return [known[id(tensor)] for tensor in model.outputs]


def _write_layer(graph, layer, sources, kwargs):
    from cnncore.layers import Operation, Pipeline, SpectralNormalization
    from cnncore.models import Functional, Sequential

    if isinstance(layer, (Functional, Sequential)):
        return write_model(graph, layer, sources)
    if isinstance(layer, SpectralNormalization):  # its kernel has been divided already
        return _write_layer(graph, layer.layer, sources, kwargs)
    if isinstance(layer, Pipeline):
        for part in layer.layers:
            sources = _write_layer(graph, part, sources, {})
        return sources
    if isinstance(layer, Operation):
        name = layer_nodes.write_operation(graph, layer, sources)
    else:
        write = next((_WRITERS[base.__name__] for base in type(layer).__mro__
                      if base.__module__.startswith("cnncore.") and base.__name__ in _WRITERS), None)
        own = not type(layer).__module__.startswith("cnncore.")
        if write is None or own or any(value is not None for key, value in kwargs.items() if key != "training"):
            raise ValueError(f"ONNX has no counterpart of the layer {layer.name!r}. Received: {type(layer).__name__}; "
                             "use layers of cnncore that are in docs/files.md")
        name = write(graph, layer, *sources)
    shapes = [source.shape for source in sources if isinstance(source, layer_nodes.Value)]
    shape = _shape_of(layer, shapes, sources)
    return [layer_nodes.Value(graph, name, shape, "float32")]


def _shape_of(layer, shapes, sources):
    """The shape that a layer makes; None where its rank alone is not needed."""
    from cnncore import symbolic
    from cnncore.nest import flatten

    if len(shapes) == len(sources):
        tensors = [symbolic.KerasTensor(shape) for shape in shapes]
        merging = len(tensors) > 1 and not hasattr(layer, "function")
        made = symbolic.infer(layer.call, [tensors] if merging else tensors, {})
    else:
        args = [symbolic.KerasTensor(source.shape) if isinstance(source, layer_nodes.Value) else source
                for source in sources]
        made = symbolic.infer(layer.call, args, {})
    return tuple(np.shape(made) if isinstance(made, np.ndarray) else flatten(made)[0].shape)
