"""Lambda: a function as a layer."""
import inspect
import types
import warnings

from cnncore.layers.layer import Layer, map_shapes
from cnncore.nest import flatten, map_leaves
from cnncore.symbolic import KerasTensor, infer

_NO_CODE = {"class_name": "__lambda__", "config": {"code": "", "defaults": None, "closure": None}}  # names no function


def _is_lambda(function):
    return isinstance(function, types.FunctionType) and function.__name__ == "<lambda>"


class Lambda(Layer):
    """Calls a function of its inputs: arithmetic, or functions of `cnncore.ops`.

    A function with weights of its own is better written as a class of `Layer`. Files hold the function's name alone: one
    that is defined with `def` and registered, or given in `custom_objects`, comes back with the model, and a `lambda`
    does not.

    Args:
        function: callable of the input, a tensor or a nest of them; it may also take `mask` and `training`.
        output_shape: shape of the output without the batch's axis, or a function of the input's shape; by default it is
            found by calling the function.
        mask: mask of the output, or a function of the inputs and their mask.
        arguments: dict of further arguments for the function.

    Input shape: any.
    Output shape: what the function returns.

    Raises:
        TypeError: the function is not callable.

    Example:
        >>> import cnncore, numpy as np
        >>> cnncore.layers.Lambda(lambda x: x ** 2)(np.array([1.0, 3.0])).numpy()
        array([1., 9.], dtype=float32)
    """

    def __init__(self, function, output_shape=None, mask=None, arguments=None, **kwargs):
        super().__init__(**kwargs)
        if not callable(function):
            raise TypeError(f"{self._described()} calls a function. Received: function={function!r:.200}; pass a callable")
        self.function, self.mask, self.arguments = function, mask, dict(arguments or {})
        self.supports_masking = mask is not None
        self._output_shape = output_shape
        try:
            known = inspect.signature(function).parameters
        except ValueError:  # a function of C that does not tell
            known = ()
        self._passes = [name for name in ("mask", "training") if name in known]

    def call(self, inputs, mask=None, training=None):
        told = {"mask": mask, "training": training}
        return self.function(inputs, **{**self.arguments, **{name: told[name] for name in self._passes}})

    def compute_output_shape(self, input_shape):
        if self._output_shape is None:
            try:
                outputs = infer(self, [map_shapes(KerasTensor, input_shape)], {})
            except RuntimeError as error:
                raise NotImplementedError(f"{self._described()} looks at values, so the shape of its output must be given. "
                                          f"Received: output_shape=None, and {error}") from error
            return map_leaves(lambda tensor: tensor.shape, outputs)
        if callable(self._output_shape):
            return self._output_shape(input_shape)
        batch = flatten(input_shape)[0]
        return map_shapes(lambda shape: (batch, *shape), self._output_shape)

    def compute_mask(self, inputs, mask=None):
        """The mask that was given, or what its function returns."""
        return self.mask(inputs, mask) if callable(self.mask) else self.mask

    def get_config(self):
        config = {**super().get_config(), "function": self.function, "arguments": self.arguments}
        if self._output_shape is not None:
            config["output_shape"] = self._output_shape
        if self.mask is not None:
            config["mask"] = self.mask
        return config

    def keras_form(self):
        """What files hold; a lambda leaves nothing behind that could be run."""
        config = self.get_config()
        lambdas = [name for name, value in config.items() if _is_lambda(value)]
        if lambdas:
            warnings.warn(f"{self._described()} is of a lambda, which no file holds: the model is written, but cannot be "
                          "loaded. Define the function with def and decorate it with "
                          "cnncore.saving.register_keras_serializable", stacklevel=2)
        return "keras.layers", "Lambda", {**config, **{name: _NO_CODE for name in lambdas}}

    @classmethod
    def from_config(cls, config):
        from cnncore.saving.registry import get_registered_object

        config = {key: value for key, value in config.items()
                  if not key.startswith(("function_", "output_shape_")) and key != "module"}  # Keras 2 has these
        if isinstance(config.get("function"), str):  # likewise
            config["function"] = get_registered_object(config["function"])
        if not callable(config.get("function")):
            raise ValueError("A Lambda layer's configuration must hold no code, but the name of a function that was "
                             "registered. Received: a Lambda layer of something else, which is never loaded; write it as "
                             "a class or a function, and decorate that with "
                             "cnncore.saving.register_keras_serializable")
        shape = config.get("output_shape")
        if isinstance(shape, list) and all(length is None or isinstance(length, int) for length in shape):
            config["output_shape"] = tuple(shape)
        return cls(**config)
