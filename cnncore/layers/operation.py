"""An operation of cnncore.ops as a layer: what arithmetic on KerasTensors becomes."""
from cnncore.layers.layer import Layer
from cnncore.utils.naming import auto_name, to_snake_case

_TYPES = {"getitem": "GetItem", "abs": "Absolute", "divide": "TrueDivide"}  # where Keras has other words than `ops`


class Operation(Layer):
    """Calls a function of `cnncore.ops` in a functional model.

    Args:
        function: its name, such as 'add'.

    Raises:
        ValueError: there is no such function.
    """

    def __init__(self, function, name=None, **kwargs):
        from cnncore import ops

        if function not in ops.__all__:
            raise ValueError(f"An Operation is a function of cnncore.ops. Received: function={function!r}")
        self._type_name = _TYPES.get(function) or "".join(word.capitalize() for word in function.split("_"))
        super().__init__(name=name or auto_name(to_snake_case(self._type_name)), **kwargs)
        self.function = function
        self.built = True

    def call(self, *args, **kwargs):
        from cnncore import ops

        if self.function == "getitem" and isinstance(args[1], list) and not all(isinstance(i, int) for i in args[1]):
            args = args[0], tuple(args[1])  # files know lists only; see KerasTensor.__getitem__
        return getattr(ops, self.function)(*args, **kwargs)

    def get_config(self):
        return {**super().get_config(), "function": self.function}
