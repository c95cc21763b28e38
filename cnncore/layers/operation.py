"""An operation of cnncore.ops as a layer: what arithmetic on KerasTensors becomes."""
from cnncore.layers.layer import Layer


class Operation(Layer):
    """Calls a function of `cnncore.ops` in a functional model.

    Args:
        function: its name, such as 'add'.
    """

    def __init__(self, function, name=None, **kwargs):
        from cnncore.utils.naming import auto_name

        super().__init__(name=name or auto_name(function), **kwargs)
        self.function = function
        self.built = True

    def call(self, *args, **kwargs):
        from cnncore import ops

        if self.function.startswith("_") or self.function not in ops.__all__:
            raise ValueError(f"An Operation is a function of cnncore.ops. Received: {self.function!r}")
        return getattr(ops, self.function)(*args, **kwargs)

    def get_config(self):
        return {**super().get_config(), "function": self.function}
