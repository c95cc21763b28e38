"""An ONNX graph while it is being written: its nodes, its constants and the shapes of what layers made."""
import numpy as np

OPSET = 18
_IR_VERSION = 9  # that of opset 18's time, so that older programs read the file


def package():
    """The package onnx.

    Raises:
        ImportError: it is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise ImportError("ONNX files need the package onnx. Received: no such package; install cnncore[onnx]") from error
    return onnx


class Graph:
    """Nodes in the order of computing; values are known by name."""

    def __init__(self):
        self.nodes, self.constants, self._kept, self._made, self._names = [], {}, {}, {}, {}

    def name(self, hint):
        """A name that no other value has."""
        self._names[hint] = self._names.get(hint, -1) + 1
        return f"{hint}_{self._names[hint]}" if self._names[hint] else hint

    def constant(self, array, hint="constant"):
        """The name of an array, kept once however often it is used."""
        array = np.ascontiguousarray(array) if np.ndim(array) else np.asarray(array)
        key = array.dtype.str, array.shape, array.tobytes()
        if key not in self._kept:
            self._kept[key] = self.name(hint)
            self.constants[self._kept[key]] = array
        return self._kept[key]

    def whole(self, *numbers):
        """The name of a list of whole numbers."""
        return self.constant(np.array(numbers, "int64"))

    def add(self, kind, *inputs, **attributes):
        """The name of what a node makes."""
        output = self.name(kind.lower())
        self.nodes.append((kind, list(inputs), output, attributes))
        self._made[output] = self.nodes[-1]
        return output

    def each(self, kind, x, *constants, **attributes):
        """A node that treats every number alike; it is put before a transposition, where two may then cancel."""
        made = self._made.get(x)
        if made is not None and made[0] == "Transpose":
            return self.transpose(self.add(kind, made[1][0], *constants, **attributes), made[3]["perm"])
        return self.add(kind, x, *constants, **attributes)

    def transpose(self, x, perm):
        """x with its axes in another order; nothing where that undoes the transposition before."""
        perm, made = list(perm), self._made.get(x)
        if made is not None and made[0] == "Transpose":
            before = made[3]["perm"]
            return self.transpose(made[1][0], [before[axis] for axis in perm])
        return x if perm == sorted(perm) else self.add("Transpose", x, perm=perm)

    def proto(self, name, inputs, outputs):
        """The file's content.

        Args:
            name: of the model.
            inputs, outputs: lists of (name, shape, dtype); outputs get these names.
        """
        onnx = package()
        helper = onnx.helper

        def described(value, shape, dtype):
            return helper.make_tensor_value_info(value, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)),
                                                 ["batch" if i == 0 and n is None else n for i, n in enumerate(shape)])

        needed, kept = {value for value, *_ in outputs}, []
        for kind, sources, made, attributes in reversed(self.nodes):
            if made in needed:
                kept.append(helper.make_node(kind, sources, [made], name=f"{made}_node", **attributes))
                needed.update(sources)
        constants = [onnx.numpy_helper.from_array(array, value) for value, array in self.constants.items()
                     if value in needed]
        graph = helper.make_graph(kept[::-1], name, [described(*one) for one in inputs],
                                  [described(*one) for one in outputs], constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="cnncore",
                                  ir_version=_IR_VERSION)
        onnx.checker.check_model(model)
        return model
