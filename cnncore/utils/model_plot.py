"""A model as a graph of boxes: `model_to_dot` describes it to Graphviz, `plot_model` has it drawn."""
import html
import os

from cnncore.nest import flatten

_INK, _LINE, _HEAD, _FROZEN, _BACK = "#1f2933", "#7b8794", "#dce6f2", "#eceff1", "#f7f9fb"


def model_to_dot(model, show_shapes=False, show_dtype=False, show_layer_names=True, rankdir="TB", expand_nested=False,
                 dpi=200, subgraph=False, show_layer_activations=False, show_trainable=False, splines="ortho",
                 **kwargs):
    """A model as a graph for Graphviz.

    Args:
        model: built model.
        show_shapes: whether boxes tell the shapes of inputs and outputs.
        show_dtype: whether they tell the outputs' dtype.
        show_layer_names: whether they tell the layers' names.
        rankdir: 'TB' from top to bottom, 'LR' from left to right.
        expand_nested: whether models inside the model are drawn as boxes around their layers.
        dpi: dots per inch of the picture.
        subgraph: whether to return a cluster to be put into another graph.
        show_layer_activations: whether boxes tell the layers' activations.
        show_trainable: whether they tell if layers are trained.
        splines: how arrows run: 'ortho' in right angles, 'curved', 'polyline', 'line', 'spline'.

    Returns:
        pydot.Dot, or pydot.Cluster for a subgraph.

    Raises:
        ImportError: pydot is not installed.
        ValueError: the model is not built.
    """
    pydot = _pydot()
    if kwargs:
        raise TypeError(f"model_to_dot takes no argument {', '.join(map(repr, kwargs))}")
    if rankdir not in ("TB", "BT", "LR", "RL"):
        raise ValueError(f"rankdir is 'TB', 'BT', 'LR' or 'RL'. Received: rankdir={rankdir!r}")
    if not getattr(model, "built", False):
        raise ValueError(f"A model is drawn once it is built. Received: {model!r}, which is not; call it on data, or "
                         "give it an Input, first")
    shows = {"shapes": show_shapes, "dtype": show_dtype, "names": show_layer_names, "activations": show_layer_activations,
             "trainable": show_trainable}
    drawing = _Drawing(pydot, shows, expand_nested)
    if subgraph:
        return drawing.cluster(model, "")
    graph = pydot.Dot(graph_type="digraph", rankdir=rankdir, concentrate="true", dpi=str(dpi), bgcolor="white",
                      nodesep="0.35", ranksep="0.35", splines=splines)
    graph.set_node_defaults(shape="plaintext", fontname="Helvetica", fontcolor=_INK)
    graph.set_edge_defaults(color=_LINE, arrowsize="0.7", penwidth="1.2")
    drawing.fill(graph, model, "")
    return graph


def _pydot():
    try:
        import pydot
    except ImportError as error:
        raise ImportError("Models are drawn by way of the Python package pydot, which is not installed: pip install pydot. "
                          "Pictures also need Graphviz: https://graphviz.org/download") from error
    return pydot


class _Drawing:
    """Puts boxes and arrows into a graph; names of boxes are paths, so that layers in several models are told apart."""

    def __init__(self, pydot, shows, expands):
        self.pydot, self.shows, self.expands = pydot, shows, expands

    def fill(self, graph, model, path):
        """The layers of a model and the arrows between them."""
        nodes, layers = _calls_of(model)
        if nodes is None:  # a model of the user's own, whose inside is Python code
            graph.add_node(self.box(model, path + "model"))
            return
        for layer in layers:
            name = f"{path}{layer.name}"
            if self.expands and _calls_of(layer)[0]:
                graph.add_subgraph(self.cluster(layer, name + "/"))
            else:
                graph.add_node(self.box(layer, name))
        for node in nodes:
            for tensor in node.input_tensors:
                history = tensor._keras_history
                graph.add_edge(self.pydot.Edge(
                    _quoted(self.port(history.operation, f"{path}{history.operation.name}", history.tensor_index, False)),
                    _quoted(self.port(node.operation, f"{path}{node.operation.name}", 0, True))))

    def cluster(self, model, path):
        """A model inside a model: a frame around its layers."""
        frame = self.pydot.Cluster(path.strip("/").replace("/", "_") or model.name, style="rounded,filled",
                                   fillcolor=_BACK, color=_LINE, label=f"{model.name} ({type(model).__name__})",
                                   fontname="Helvetica", fontcolor=_INK, fontsize="12", labeljust="l")
        self.fill(frame, model, path)
        return frame

    def port(self, layer, name, index, entering):
        """The box that an arrow to or from a layer ends at: inside it, where it is drawn as a frame."""
        nodes, layers = _calls_of(layer) if self.expands else (None, None)
        if not nodes:
            return name
        tensors = layer.inputs if entering else layer.outputs
        inner = tensors[min(index, len(tensors) - 1)]._keras_history.operation
        if inner not in layers:  # the Input that a Sequential made by itself is drawn as its first layer
            inner = layers[0]
        return self.port(inner, f"{name}/{inner.name}", 0, entering)

    def box(self, layer, name):
        """A table: the layer's kind and name, and below it what is to be shown."""
        kind = getattr(layer, "_type_name", type(layer).__name__)
        title = f"<b>{_text(kind)}</b>"
        if self.shows["names"]:
            title = f"{_text(layer.name)} ({title})"
        lines = []
        if self.shows["activations"] and getattr(layer, "activation", None) is not None:
            activation = layer.activation
            lines.append(("activation", getattr(activation, "__name__", type(activation).__name__)))
        if self.shows["shapes"]:
            shapes = _shapes(layer)
            lines += [("input", shapes[0]), ("output", shapes[1])]
        if self.shows["dtype"]:
            lines.append(("dtype", _dtype(layer)))
        trainable = bool(getattr(layer, "trainable", True))
        if self.shows["trainable"] and getattr(layer, "weights", ()):
            lines.append(("trainable", "yes" if trainable else "no"))
        frozen = self.shows["trainable"] and getattr(layer, "weights", ()) and not trainable
        head = _FROZEN if frozen else _HEAD
        rows = f'<tr><td colspan="2" bgcolor="{head}" cellpadding="7">{title}</td></tr>'
        rows += "".join(f'<tr><td align="left"><font point-size="11" color="{_LINE}">{what}</font></td>'
                        f'<td align="left"><font point-size="11">{_text(value)}</font></td></tr>' for what, value in lines)
        label = f'<<table border="0" cellborder="1" cellspacing="0" cellpadding="4" color="{_LINE}">{rows}</table>>'
        return self.pydot.Node(_quoted(name), label=label)


def _quoted(name):
    return '"' + name.replace('"', "'") + '"'


def _text(value):
    return html.escape(str(value))


def _calls_of(model):
    """(the calls that connect a model's layers, its layers) of a Sequential or functional model, (None, None) of others."""
    nodes = getattr(model, "_nodes", None)
    if nodes is not None and hasattr(model, "_operations"):
        return [node for node in nodes if node.input_tensors], model._operations
    tensors = getattr(model, "_tensors", None)
    if tensors:
        layers = [tensor._keras_history.operation for tensor in tensors]
        nodes = [layer._inbound_nodes[tensor._keras_history.node_index] for layer, tensor in zip(layers, tensors)]
        own = [layer for layer in layers if layer in model.layers]  # without the Input, as in Keras's pictures
        return [node for node in nodes if node.input_tensors and all(
            tensor._keras_history.operation in own for tensor in node.input_tensors)], own
    return None, None


def _shapes(layer):
    """The shapes of a layer's inputs and outputs, as text."""
    calls = getattr(layer, "_inbound_nodes", ())
    if calls:
        return _shape_text(calls[0].input_tensors or calls[0].output_tensors), _shape_text(calls[0].output_tensors)
    try:
        return _shape_text(layer.inputs), _shape_text(layer.outputs)
    except (AttributeError, TypeError):
        return "?", "?"


def _shape_text(tensors):
    return ", ".join(str(tuple(tensor.shape)) for tensor in flatten(list(tensors)))


def _dtype(layer):
    calls = getattr(layer, "_inbound_nodes", ())
    found = [str(tensor.dtype) for tensor in calls[0].output_tensors] if calls else [str(getattr(layer, "dtype", "?"))]
    return ", ".join(dict.fromkeys(found))


def plot_model(model, to_file="model.png", show_shapes=False, show_dtype=False, show_layer_names=False, rankdir="TB",
               expand_nested=False, dpi=200, show_layer_activations=False, show_trainable=False,
               splines="ortho", **kwargs):
    """Draws a model into a file.

    Args:
        model: built model.
        to_file: path of the file; its ending tells the format: .png, .svg, .pdf, .jpg, or .dot for the description
            alone, which needs no Graphviz.
        show_shapes: whether boxes tell the shapes of inputs and outputs.
        show_dtype: whether they tell the outputs' dtype.
        show_layer_names: whether they tell the layers' names.
        rankdir: 'TB' from top to bottom, 'LR' from left to right.
        expand_nested: whether models inside the model are drawn as boxes around their layers.
        dpi: dots per inch.
        show_layer_activations: whether boxes tell the layers' activations.
        show_trainable: whether they tell if layers are trained.
        splines: how arrows run: 'ortho' in right angles, 'curved', 'polyline', 'line', 'spline'.

    Returns:
        In a notebook an image that shows itself, else None.

    Raises:
        ImportError: pydot or Graphviz is not installed; the message says which.
        ValueError: the model is not built, or the format is unknown.
        OSError: the file cannot be written.

    Example:
        >>> import cnncore, os, tempfile
        >>> model = cnncore.Sequential([cnncore.Input((4,)), cnncore.layers.Dense(2)])
        >>> path = os.path.join(tempfile.mkdtemp(), "model.dot")
        >>> plot_model(model, path, show_shapes=True)
        >>> "(None, 2)" in open(path).read()
        True
    """
    from cnncore.saving.atomic import write_bytes

    graph = model_to_dot(model, show_shapes=show_shapes, show_dtype=show_dtype, show_layer_names=show_layer_names,
                         rankdir=rankdir, expand_nested=expand_nested, dpi=dpi,
                         show_layer_activations=show_layer_activations, show_trainable=show_trainable, splines=splines,
                         **kwargs)
    ending = os.path.splitext(os.fspath(to_file))[1][1:].lower() or "png"
    path = os.fspath(to_file) if os.path.splitext(os.fspath(to_file))[1] else f"{os.fspath(to_file)}.png"
    if ending in ("dot", "gv"):
        write_bytes(path, graph.to_string().encode())
        return None
    if ending not in ("png", "svg", "pdf", "jpg", "jpeg", "gif", "ps"):
        raise ValueError(f"to_file ends in .png, .svg, .pdf, .jpg or .dot. Received: to_file={to_file!r}")
    write_bytes(path, _drawn(graph, ending))
    return _display(path, ending, dpi)


def _drawn(graph, ending):
    """The picture, made by Graphviz."""
    try:
        return graph.create(format=ending)
    except (FileNotFoundError, OSError) as error:
        raise ImportError("Models are drawn by Graphviz, whose program dot is not installed or not found: install graphviz "
                          "(apt install graphviz, brew install graphviz, conda install graphviz, or "
                          "https://graphviz.org/download), or write a .dot file") from error


def _display(path, ending, dpi):
    """The picture as a notebook shows it; None elsewhere."""
    import sys

    if "IPython" not in sys.modules or sys.modules["IPython"].get_ipython() is None or ending not in ("png", "svg", "jpg",
                                                                                                 "jpeg"):
        return None
    from IPython import display

    return display.SVG(filename=path) if ending == "svg" else display.Image(filename=path, retina=dpi >= 150)
