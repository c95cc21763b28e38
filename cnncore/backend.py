"""What scripts ask of `keras.backend`: Keras's settings, and names that start anew."""
from cnncore.config import (
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from cnncore.symbolic import is_keras_tensor
from cnncore.utils.naming import clear_session, get_uid

__all__ = ["backend", "clear_session", "epsilon", "floatx", "get_uid", "image_data_format", "is_float_dtype",
           "is_int_dtype", "is_keras_tensor", "set_epsilon", "set_floatx", "set_image_data_format"]
_FUNCTIONS_NOW = {"cast_to_floatx": "numpy's x.astype('float32')", "get_value": "x.numpy()", "eval": "x.numpy()",
                  "set_value": "variable.assign(value)", "function": "Model(inputs, outputs)",
                  "int_shape": "x.shape", "variable": "cnncore.Variable", "gradients": "cnncore.GradientTape",
                  "learning_phase": "the argument training of call", "get_session": "nothing: there are no sessions"}


def backend():
    """The name of the engine: 'cnncore'."""
    return "cnncore"


def is_float_dtype(dtype):
    """Whether a dtype holds fractions.

    Args:
        dtype: name or NumPy dtype.

    Example:
        >>> is_float_dtype("float32"), is_float_dtype("int32")
        (True, False)
    """
    return _name(dtype).startswith(("float", "bfloat"))


def is_int_dtype(dtype):
    """Whether a dtype holds whole numbers.

    Args:
        dtype: name or NumPy dtype.

    Example:
        >>> is_int_dtype("uint8"), is_int_dtype("bool")
        (True, False)
    """
    return _name(dtype).startswith(("int", "uint"))


def _name(dtype):
    return getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or str(dtype)


def __getattr__(name):
    """Explains where the functions of Keras 2's backend went."""
    from cnncore import ops

    instead = f"cnncore.ops.{name}" if name in ops.__all__ else _FUNCTIONS_NOW.get(name)
    raise AttributeError(f"cnncore.backend has Keras 3's names: {', '.join(__all__)}. Received: {name!r}"
                         + (f"; use {instead}" if instead else "; cnncore.ops has the operations on tensors"))
