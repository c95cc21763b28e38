"""Prints a model as a table of layers, as Keras does: its layers, shapes and numbers of parameters."""
import math
import re
import shutil

import numpy as np

_UNITS = ("B", "KB", "MB", "GB", "TB")
_NUMBER, _NOTHING, _NAME, _FROZEN = "color(34)", "color(45)", "color(33)", "color(9)"  # styles of rich


# What the table needs to know of models and layers; everything below asks only these functions.

def _graph(model):
    """Lists of nodes, one list per depth, of a functional model; None for a Sequential or subclassed one."""
    nodes = getattr(model, "_nodes_by_depth", None)
    return None if nodes is None else list(nodes.values())


def _rows(model):
    """The layers, and for a functional model the operations between them, in the order of printing."""
    return model.layers if _graph(model) is None else model._operations


def _calls(layer):
    """The nodes of the graph at which a layer or operation was called."""
    return getattr(layer, "_inbound_nodes", ())


def _inputs(node):
    """Where a node's inputs come from: (name of the layer, index of its call, index of its output) for each."""
    history = [tensor._keras_history for tensor in node.input_tensors]
    return [(h.operation.name, h.node_index, h.tensor_index) for h in history]


def _type_name(layer):
    """What to show as the kind of a layer: its class, or the name of an operation."""
    return getattr(layer, "_type_name", type(layer).__name__)


def _output_shape(layer):
    """The shape, or the structure of shapes, of a layer's outputs; None if it is not known yet."""
    if _calls(layer):
        return _shapes_of(_calls(layer)[-1].output_tensors)
    built = getattr(layer, "_build_shapes_dict", None)
    if not built:
        return None
    try:
        if getattr(layer, "output_shape", None) is not None:
            return layer.output_shape
        return layer.compute_output_shape(**built)
    except NotImplementedError:
        return None


def _parameters(layer):
    """The number of a layer's parameters, None before it is built."""
    if not hasattr(layer, "built"):
        return 0
    return layer.count_params() if layer.built else None


def _trainable_weights(model):
    """The weights that `fit` trains: those that were trainable when the model was compiled."""
    collected = getattr(model, "_collected_trainable_weights", None)
    return model.trainable_weights if collected is None else collected


def _optimizer_variables(model):
    """The optimizer's own variables, None before there are any."""
    optimizer = getattr(model, "optimizer", None)
    return optimizer.variables if optimizer and model.compiled and optimizer.built else None


# The table.

def print_summary(model, line_length=None, positions=None, print_fn=None, expand_nested=False, show_trainable=False,
                  layer_range=None):
    """Prints a model's layers with their output shapes and numbers of parameters, and the totals with their sizes.

    Args:
        model: a `Sequential`, functional or subclassed model.
        line_length: width of the table in characters; by default 88 (108 with connections), or the terminal's.
        positions: where each column ends, as increasing parts of the width.
        print_fn: function that gets the whole text, without colours; by default it is printed.
        expand_nested: whether to list the layers of models inside the model.
        show_trainable: whether to add a column that tells which layers are trained.
        layer_range: names, or regular expressions, of the first and the last layer to list.

    Raises:
        ValueError: the line is too short for its columns, or `layer_range` is not two names of layers.

    Example:
        >>> print_summary(model, print_fn=print)  # doctest: +SKIP
        Model: "sequential"
        ...
    """
    from rich.console import Console, Group
    from rich.table import Column, Table
    from rich.text import Text

    nodes = _branches(model)
    header = [("Layer (type)", "left"), ("Output Shape", "left"), ("Param #", "right")]
    if nodes is None:
        width, positions = 88, list(positions or (0.45, 0.80, 1.0))
    else:
        width, positions = 108, list(positions or (0.3, 0.56, 0.74, 1.0))
        header.append(("Connected to", "left"))
    if show_trainable:
        width, positions = width + 12, [0.9 * p for p in positions] + [1.0]
        header.append(("Trainable", "center"))
    width = line_length or min(width, shutil.get_terminal_size().columns - 4)
    ends = [0] + [int(p * width) for p in positions]
    widths = [end - start for start, end in zip(ends, ends[1:], strict=False)]
    if min(widths) < 4:
        raise ValueError("Every column of a summary needs 4 characters. Received: columns of "
                         f"{widths} characters, pass a larger line_length or other positions")
    columns = [Column(title, justify=side, width=size) for (title, side), size in zip(header, widths, strict=False)]
    table = Table(*columns, width=width, show_lines=True)
    layers = _rows(model)
    first, last = _bounds(layers, layer_range)
    for depth, layer in _walk(layers[first:last], expand_nested):
        name = "   " * depth + "└ " * (depth > 0) + layer.name
        cells = [_assemble([(f"{name} (", ""), (_type_name(layer), _NAME), (")", "")]),
                 _assemble(_shape_text(_output_shape(layer))), _parameter_cell(layer)]
        if nodes is not None:
            cells.append(_assemble(_connections(layer, nodes)))
        if show_trainable:
            cells.append(_trainable_cell(layer))
        table.add_row(*cells)

    lines = [Text.assemble((f" {title}: ", "bold"), (f"{count:,}", _NUMBER), f" ({_readable(size)})")
             for title, count, size in _totals(model)]
    plain = {"force_terminal": False, "color_system": None} if print_fn else {}
    console = Console(highlight=False, **plain)
    if print_fn:
        console.begin_capture()
    # All at once: a notebook shows each call's output apart from the others.
    console.print(Group(Text(f'Model: "{model.name}"', "bold"), table, *lines))
    if print_fn:
        print_fn(console.end_capture())


def _branches(model):
    """The ids of the nodes of a model with branches or shared layers, whose connections are shown; None for a chain."""
    depths = _graph(model)
    if depths is None:
        return None
    nodes = {id(node) for depth in depths for node in depth}
    if any(len(depth) > 1 or len(_inputs(depth[0])) > 1 for depth in depths if depth):
        return nodes
    shared = any(sum(id(call) in nodes for call in _calls(layer)) > 1 for layer in model.layers)
    return nodes if shared else None


def _walk(layers, expand_nested, depth=0):
    for layer in layers:
        yield depth, layer
        if expand_nested:
            yield from _walk(getattr(layer, "layers", None) or (), True, depth + 1)


def _shapes_of(tensors):
    if isinstance(tensors, dict):
        return {name: _shapes_of(tensor) for name, tensor in tensors.items()}
    if isinstance(tensors, (list, tuple)):
        shapes = [_shapes_of(tensor) for tensor in tensors]
        return shapes if isinstance(tensors, list) else tuple(shapes)
    return tuple(tensors.shape)


def _is_shape(shape):
    return isinstance(shape, (tuple, list)) and all(n is None or isinstance(n, (int, np.integer)) for n in shape)


def _shape_text(shape, alone=True):
    """A shape, or a structure of shapes, as pairs (text, style) for rich."""
    if shape is None:
        return [("?", "")]
    if _is_shape(shape):
        parts = [[(str(n), _NOTHING if n is None else _NUMBER)] for n in shape]
        return [("(", ""), *_joined(parts), (")", "")]
    values = list(shape.values()) if isinstance(shape, dict) else list(shape)
    if alone and len(values) == 1:
        return _shape_text(values[0])
    texts = [_shape_text(value, alone=False) for value in values]
    if isinstance(shape, dict):
        texts = [[(f"{name}: ", ""), *text] for name, text in zip(shape, texts, strict=True)]
    opening, closing = "{}" if isinstance(shape, dict) else "[]" if isinstance(shape, list) else "()"
    return [(opening, ""), *_joined(texts), (closing, "")]


def _joined(texts):
    """The texts one after another, with commas between them."""
    return [part for i, text in enumerate(texts) for part in ([(", ", "")] if i else []) + text]


def _connections(layer, nodes):
    """What a layer is called on, in this model."""
    texts = [[(f"{name}[", ""), (str(call), _NUMBER), ("][", ""), (str(output), _NUMBER), ("]", "")]
             for node in _calls(layer) if id(node) in nodes
             for name, call, output in _inputs(node)]
    return _joined(texts) or [("-", "")]


def _parameter_cell(layer):
    count = _parameters(layer)
    return _assemble([("0", _NUMBER), (" (unbuilt)", "")] if count is None else [(f"{count:,}", _NUMBER)])


def _trainable_cell(layer):
    if not getattr(layer, "weights", None):
        return _assemble([("-", "bold")])
    return _assemble([("Y", f"bold {_NUMBER}") if layer.trainable else ("N", f"bold {_FROZEN}")])


def _assemble(parts):
    from rich.text import Text

    return Text.assemble(*parts)


def _totals(model):
    """The lines under the table: (title, number of parameters, size in bytes)."""
    trained, fixed = _trainable_weights(model), model.non_trainable_weights
    optimizer = _optimizer_variables(model)
    lines = [("Trainable params", *_size(trained)), ("Non-trainable params", *_size(fixed))]
    if optimizer is not None:
        lines.append(("Optimizer params", *_size(optimizer)))
    return [("Total params", sum(line[1] for line in lines), sum(line[2] for line in lines)), *lines]


def _size(variables):
    """The number of values in these variables, and the bytes they take; a variable listed twice takes them once."""
    count = sum(math.prod(v.shape) for v in variables)
    once = {id(v): v for v in variables}.values()
    return count, sum(math.prod(v.shape) * _bytes_per_value(v.dtype) for v in once)


def _bytes_per_value(dtype):
    name = str(dtype)
    if name == "bool":  # one bit, as Keras counts it
        return 1 / 8
    return 2 if name == "bfloat16" else np.dtype(name).itemsize


def _readable(size):
    """A number of bytes with two decimals and a unit, such as 241.04 KB."""
    unit = 0
    while size >= 1024 and unit < len(_UNITS):
        size, unit = size / 1024, unit + 1
    return f"{size:.2f} {(*_UNITS, 'PB')[unit]}"


def _bounds(layers, layer_range):
    """The slice of the layers between two names, whichever of them comes first."""
    if layer_range is None:
        return 0, len(layers)
    if not isinstance(layer_range, (list, tuple)) or [type(name) for name in layer_range] != [str, str]:
        raise ValueError("layer_range is two names of layers, of the first and the last to print. Received: "
                         f"layer_range={layer_range!r}, pass a list such as ['conv2d', 'dense']")
    begins, ends = ([i for i, layer in enumerate(layers) if re.match(name, layer.name)] for name in layer_range)
    if not begins or not ends:
        raise ValueError("Both names of layer_range must match layers of the model. Received: "
                         f"layer_range={list(layer_range)}, choose among {', '.join(layer.name for layer in layers)}")
    if min(begins) > max(ends):
        return min(ends), max(begins) + 1
    return min(begins), max(ends) + 1
