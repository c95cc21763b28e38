"""Functional models: graphs of layers between inputs and outputs."""
from collections import Counter

from cnncore.layers.layer import Layer, told
from cnncore.models.advice import fix_of_shape
from cnncore.models.model import Model
from cnncore.nest import flatten, map_leaves
from cnncore.scope import scope
from cnncore.symbolic import KerasTensor, node_of


class Functional(Model):
    """A model that computes outputs from inputs, both nests of KerasTensors. See `Model`."""

    def __init__(self, inputs, outputs, name=None, trainable=None, **kwargs):
        Layer.__init__(self, name=name, **kwargs)
        for what, nest in (("inputs", inputs), ("outputs", outputs)):
            if not flatten(nest):
                raise ValueError(f"{self._described()} has {what}. Received: {what}={nest!r}")
            for leaf in flatten(nest):
                if not isinstance(leaf, KerasTensor):
                    raise ValueError(f"The {what} of a model are KerasTensors: Input(shape=...) and what layers made of "
                                     f"it. Received: {what} with {leaf!r:.200} of type {type(leaf).__name__}"
                                     + ("; call the layer on its input, layer(x)" if isinstance(leaf, Layer) else ""))
        if any(node_of(tensor).input_tensors for tensor in flatten(inputs)):
            inputs, outputs = _cut_out(inputs, outputs)
        nodes_by_depth, operations = _order(self._described(), flatten(inputs), flatten(outputs))
        for attribute, value in (("_inputs_struct", inputs), ("_outputs_struct", outputs),
                                 ("_nodes_by_depth", nodes_by_depth), ("_operations", operations),
                                 ("_nodes", [node for nodes in nodes_by_depth.values() for node in nodes]),
                                 ("inputs", flatten(inputs)), ("outputs", flatten(outputs)), ("built", True)):
            object.__setattr__(self, attribute, value)
        with scope(self):  # which settles the model's path
            pass
        if trainable is not None and not trainable:
            self.trainable = False

    @property
    def _layers(self):
        found = list(self.__dict__.get("_operations", ()))
        return found + [layer for layer in super()._layers if not any(layer is other for other in found)]

    @property
    def operations(self):
        """The layers of the graph and the operations between them, from the inputs on."""
        return list(self._operations)

    @property
    def layers(self):
        """The layers of the graph, from the inputs on."""
        from cnncore.layers.operation import Operation

        return [layer for layer in self._operations if not isinstance(layer, Operation)]

    @property
    def input(self):
        """The inputs as they were given."""
        return self._inputs_struct

    @property
    def output(self):
        """The outputs as they were given."""
        return self._outputs_struct

    @property
    def input_shape(self):
        """The shape of the input, or a list of those of all inputs."""
        shapes = [tensor.shape for tensor in self.inputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def output_shape(self):
        """The shape of the output, or a list of those of all outputs."""
        shapes = [tensor.shape for tensor in self.outputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def input_names(self):
        """The names of the inputs."""
        return [tensor.name for tensor in self.inputs]

    @property
    def output_names(self):
        """The names of the layers that make the outputs."""
        return [tensor._keras_history.operation.name for tensor in self.outputs]

    def build(self, input_shape=None):
        """Nothing: a functional model is built as it is made."""

    def call(self, inputs, training=None, mask=None):
        values = {}
        for tensor, value in zip(self.inputs, self._input_values(inputs), strict=True):
            values[id(tensor)] = self._fitted(tensor, value)

        def filled(nest):
            return map_leaves(lambda leaf: values[id(leaf)] if isinstance(leaf, KerasTensor) else leaf, nest)

        with told(training):
            for node in self._nodes:
                if not node.input_tensors:
                    continue
                outputs = node.operation(*filled(node.args), **filled(node.kwargs))
                for tensor, value in zip(flatten(node.outputs), flatten(outputs), strict=True):
                    values[id(tensor)] = value
        outputs = filled(self._outputs_struct)
        return outputs[0] if isinstance(outputs, (list, tuple)) and len(outputs) == 1 else outputs

    def _input_values(self, inputs):
        """The given inputs in the order of self.inputs: a dict goes by names, a list by order."""
        names = self.input_names
        if isinstance(inputs, dict):
            if isinstance(getattr(self, "_inputs_struct", None), dict):
                names = sorted(self._inputs_struct)
            missing = [name for name in names if name not in inputs]
            if missing:
                raise ValueError(f"{self._described()} takes inputs named {', '.join(names)}. Received: "
                                 f"{', '.join(map(str, inputs)) or 'none'}; {', '.join(missing)} is missing")
            return [inputs[name] for name in names]
        leaves = flatten(inputs)
        if len(leaves) != len(names):
            raise ValueError(f"{self._described()} takes {len(names)} input{'s' if len(names) > 1 else ''}, "
                             f"{', '.join(names)}. Received: {len(leaves)}")
        return leaves

    def _fitted(self, tensor, value):
        """A value for an input, with or without a last axis of length 1 as the input has it."""
        from cnncore import ops

        wanted, shape = tensor.shape, getattr(value, "shape", None)
        if shape is None:
            raise TypeError(f"{self._described()} takes an array for its input {tensor.name!r}. Received: {value!r:.200} "
                            f"of type {type(value).__name__}")
        if len(shape) == len(wanted) - 1 and wanted[-1] == 1:
            value = ops.reshape(value, (*shape, 1))
        elif len(shape) == len(wanted) + 1 and shape[-1] == 1:
            value = ops.reshape(value, shape[:-1])
        if len(value.shape) != len(wanted) or any(n is not None and n != m
                                                  for n, m in zip(wanted[1:], value.shape[1:], strict=True)):
            raise ValueError(f"{self._described()} takes shape {wanted} for its input {tensor.name!r}. Received: shape "
                             f"{tuple(shape)}{fix_of_shape(wanted, shape)}")
        return value if value.dtype == tensor.dtype else ops.cast(value, tensor.dtype)

    def get_config(self):
        if type(self) is not Functional and type(self).get_config is Functional.get_config \
                and type(self).__init__ is not Functional.__init__ and not self._made_of_graph_arguments():
            return Model.get_config(self)
        from cnncore.models.graph_config import graph_config

        return graph_config(self)

    def _made_of_graph_arguments(self):
        args, kwargs = self._arguments
        return len(args) >= 2 or "inputs" in kwargs

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return functional_from_config(cls, config, custom_objects)


def functional_from_config(cls, config, custom_objects=None):
    """A functional model from its configuration."""
    from cnncore.models.graph_config import graph_from_config

    if "input_layers" not in config:
        return cls(**config)
    inputs, outputs, name, trainable = graph_from_config(config, custom_objects)
    return cls(inputs, outputs, name=name, trainable=trainable)


def _cut_out(inputs, outputs):
    """The same graph from inputs of its own on, in place of KerasTensors that layers made."""
    from cnncore.layers.input_layer import Input

    made = {}

    def fresh(tensor):
        if not node_of(tensor).input_tensors:
            return tensor
        return Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=f"{tensor.name}_input")

    for tensor in flatten(inputs):
        made[id(tensor)] = fresh(tensor)
    for node in _nodes_before(flatten(outputs), set(made)):
        if not node.input_tensors:
            made.update((id(tensor), tensor) for tensor in node.output_tensors)
            continue
        args, kwargs = map_leaves(lambda leaf: made.get(id(leaf), leaf), [list(node.args), node.kwargs])
        results = flatten(node.operation(*args, **kwargs))
        for old, new in zip(flatten(node.outputs), results, strict=True):
            made.setdefault(id(old), new)
    return [map_leaves(lambda tensor: made[id(tensor)], nest) for nest in (inputs, outputs)]


def _nodes_before(outputs, known, index=None):
    """The calls that outputs depend on, each after those that it needs; the ids in `known` need none."""
    order, seen = [], set()
    # A stack in place of recursion, for models of thousands of layers: (node, its inputs still to look at).
    for output in outputs:
        if id(output) in known and node_of(output).input_tensors:
            continue
        stack = [(node_of(output), None)]
        while stack:
            node, left = stack.pop()
            if left is None:
                if node in seen:
                    continue
                seen.add(node)
                if index is not None:
                    index.setdefault(node.operation, len(index))
                left = iter(node.input_tensors)
            for tensor in left:
                if id(tensor) in known and node_of(tensor).input_tensors:
                    continue
                if node_of(tensor) not in seen:
                    stack += [(node, left), (node_of(tensor), None)]
                    break
            else:
                order.append(node)
    return order


def _order(model, inputs, outputs):
    """({depth: calls}, layers) from the inputs on. The depth of a call is how many calls lie, at most, between it and
    the outputs; that of a layer is the largest of its calls', and layers of one depth come as they are first met."""
    index, depths, layer_depths = {}, {}, {}
    order = _nodes_before(outputs, set(), index)
    for node in reversed(order):
        depth = max(depths.setdefault(node, 0), layer_depths.get(node.operation, 0))
        layer_depths[node.operation] = depths[node] = depth
        for parent in node.parent_nodes:
            depths[parent] = max(depth + 1, depths.get(parent, 0))
    for tensor in inputs:  # inputs that nothing depends on
        node = node_of(tensor)
        if node.operation not in layer_depths:
            layer_depths[node.operation] = depths[node] = 0
            index[node.operation] = -1
    own = {id(tensor) for tensor in inputs}
    for node in order:
        if not node.input_tensors and not all(id(tensor) in own for tensor in node.output_tensors):
            users = [other.operation.name for other in order if node in other.parent_nodes]
            raise ValueError(f"{model} has outputs that are connected to its inputs alone. Received: no "
                             f"{node.operation.name!r} among the inputs {[tensor.name for tensor in inputs]}, which the "
                             f"layer {(users or [node.operation.name])[0]!r} needs")
    by_depth = {depth: [] for depth in sorted(set(depths.values()), reverse=True)}
    for node, depth in depths.items():
        by_depth[depth].append(node)
    layers = sorted(layer_depths, key=lambda layer: (-layer_depths[layer], index[layer]))
    for name, times in Counter(layer.name for layer in layers).items():
        if times > 1:
            raise ValueError(f"{model} has layers with names of their own. Received: the name {name!r} {times} times; "
                             "pass name=... to the layers")
    return by_depth, layers
