"""Functional models: graphs of layers between inputs and outputs."""
from collections import defaultdict

from cnncore.layers.layer import Layer
from cnncore.models.model import Model
from cnncore.nest import flatten, map_leaves, pack
from cnncore.symbolic import KerasTensor, node_of


class Functional(Model):
    """A model that computes outputs from inputs, both nests of KerasTensors. See `Model`."""

    def __new__(cls, *args, **kwargs):
        return Layer.__new__(cls, *args, **kwargs)

    def __init__(self, inputs, outputs, name=None, **kwargs):
        trainable = kwargs.pop("trainable", None)
        Layer.__init__(self, name=name, **kwargs)
        for what, nest in (("inputs", inputs), ("outputs", outputs)):
            for leaf in flatten(nest):
                if not isinstance(leaf, KerasTensor):
                    raise ValueError(f"The {what} of a model are KerasTensors: Input(shape=...) and what layers made of "
                                     f"it. Received: {leaf!r}")
        self._inputs_struct, self._outputs_struct = inputs, outputs
        self.inputs, self.outputs = flatten(inputs), flatten(outputs)
        self._make_graph()
        object.__setattr__(self, "built", True)
        if trainable is not None and not trainable:
            self.trainable = False

    def _make_graph(self):
        """Orders the calls by their depth: how many calls lie, at most, between them and the outputs."""
        start = {id(tensor) for tensor in self.inputs}
        order, seen, index = [], set(), {}

        def visit(node):
            if node in seen:
                return
            seen.add(node)
            index.setdefault(node.operation, len(index))
            if any(id(t) not in start for t in node.output_tensors) or not node.input_tensors:
                if not node.input_tensors and not any(id(t) in start for t in node.output_tensors):
                    raise ValueError(f"The outputs of the model {self.name!r} also depend on an input that is not among "
                                     f"its inputs. Received: no {node.operation.name!r} in inputs="
                                     f"{[t.name for t in self.inputs]}")
                for tensor in node.input_tensors:
                    if id(tensor) not in start:
                        visit(node_of(tensor))
                    else:
                        place(node_of(tensor))
            order.append(node)

        def place(node):
            """An input: where it is an inner tensor of another model, its call is not part of this one."""
            if node not in seen:
                seen.add(node)
                index.setdefault(node.operation, len(index))
                order.append(node)

        for tensor in self.outputs:
            if id(tensor) in start:
                place(node_of(tensor))
            else:
                visit(node_of(tensor))
        depth, operation_depth = {}, {}
        for node in reversed(order):
            level = max(depth.get(node, 0), operation_depth.get(node.operation, 0))
            operation_depth[node.operation] = depth[node] = level
            if all(id(t) in start for t in node.output_tensors):
                continue
            for tensor in node.input_tensors:
                parent = node_of(tensor)
                depth[parent] = max(level + 1, depth.get(parent, 0))
        for tensor in self.inputs:
            node = node_of(tensor)
            if node not in depth:
                depth[node] = operation_depth[node.operation] = 0
                index.setdefault(node.operation, -1)
                order.append(node)
        by_depth = defaultdict(list)
        for node in order:
            by_depth[depth[node]].append(node)
        operations = sorted(operation_depth, key=lambda one: (-operation_depth[one], index[one]))
        object.__setattr__(self, "_operations", operations)
        object.__setattr__(self, "_nodes_by_depth", {d: by_depth[d] for d in sorted(by_depth, reverse=True)})
        object.__setattr__(self, "_nodes", [node for nodes in self._nodes_by_depth.values() for node in nodes])

    @property
    def _layers(self):
        return list(self.__dict__.get("_operations", ()))

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
        return map_leaves(lambda tensor: tensor.shape, self._inputs_struct)

    @property
    def output_shape(self):
        return map_leaves(lambda tensor: tensor.shape, self._outputs_struct)

    @property
    def input_names(self):
        return [tensor.name for tensor in self.inputs]

    @property
    def output_names(self):
        return [tensor._keras_history.operation.name for tensor in self.outputs]

    def build(self, input_shape=None):
        """Nothing: a functional model is built as it is made."""

    def call(self, inputs, training=None, mask=None):
        values = {}
        for tensor, value in zip(self.inputs, self._input_values(inputs)):
            values[id(tensor)] = self._fitted(tensor, value)

        def filled(nest):
            return map_leaves(lambda leaf: values[id(leaf)] if isinstance(leaf, KerasTensor) else leaf, nest)

        for node in self._nodes:
            if all(id(tensor) in values for tensor in node.output_tensors):
                continue
            outputs = node.operation(*filled(list(node.args)), **filled(node.kwargs))
            for tensor, value in zip(node.output_tensors, flatten(outputs)):
                values[id(tensor)] = value
        return map_leaves(lambda tensor: values[id(tensor)], self._outputs_struct)

    def _input_values(self, inputs):
        """The given inputs in the order of self.inputs: a dict goes by names, a list by order."""
        if isinstance(inputs, dict):
            names = [tensor.name for tensor in self.inputs]
            if isinstance(self._inputs_struct, dict):
                names = sorted(self._inputs_struct)
            missing = [name for name in names if name not in inputs]
            if missing:
                raise ValueError(f"The model {self.name!r} takes inputs named {', '.join(names)}. Received: "
                                 f"{', '.join(map(str, inputs))}")
            return [inputs[name] for name in names]
        leaves = flatten(inputs)
        if len(leaves) != len(self.inputs):
            raise ValueError(f"The model {self.name!r} takes {len(self.inputs)} input"
                             f"{'s' if len(self.inputs) > 1 else ''}, {', '.join(t.name for t in self.inputs)}. "
                             f"Received: {len(leaves)}")
        return leaves

    def _fitted(self, tensor, value):
        """A value for an input, with or without a last axis of length 1 as the input has it."""
        from cnncore import ops

        wanted, shape = tensor.shape, value.shape
        if len(shape) == len(wanted) - 1 and wanted[-1] == 1:
            value = ops.reshape(value, (*shape, 1))
        elif len(shape) == len(wanted) + 1 and shape[-1] == 1:
            value = ops.reshape(value, shape[:-1])
        if len(value.shape) != len(wanted) or any(n is not None and n != m
                                                  for n, m in zip(wanted[1:], value.shape[1:])):
            raise ValueError(f"The input {tensor.name!r} of the model {self.name!r} takes shape {wanted}. Received: "
                             f"shape {shape}")
        if value.dtype != tensor.dtype and tensor.dtype == "float32":
            value = ops.cast(value, "float32")
        return value

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


__all__ = ["Functional", "functional_from_config", "pack"]
