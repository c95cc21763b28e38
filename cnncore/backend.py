"""What scripts ask of `keras.backend`: Keras's settings, names that start anew, and the functions that Keras 2 had."""
from cnncore import ops
from cnncore.config import (
    backend,
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
_FUNCTIONS_NOW = {"function": "Model(inputs, outputs)", "gradients": "cnncore.GradientTape",
                  "learning_phase": "the argument training of call", "get_session": "nothing: there are no sessions"}


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


# ---- Keras 2 -----------------------------------------------------------------------------------------------------
# Losses and layers of tutorials are full of these. They stand for functions of cnncore.ops, with Keras 2's arguments.

def _argmax(x, axis=-1):
    return ops.argmax(x, axis)


def _argmin(x, axis=-1):
    return ops.argmin(x, axis)


def _batch_flatten(x):
    return ops.reshape(x, (x.shape[0], -1))


def _cast_to_floatx(x):
    return ops.cast(x, floatx()) if ops.is_tensor(x) else ops.convert_to_numpy(x).astype(floatx())


def _concatenate(tensors, axis=-1):
    return ops.concatenate(tensors, axis)


def _constant(value, dtype=None, shape=None, name=None):
    x = ops.convert_to_tensor(value, dtype or floatx())
    return x if shape is None else ops.broadcast_to(x, shape)


def _expand_dims(x, axis=-1):
    return ops.expand_dims(x, axis)


def _gather(reference, indices):
    return ops.take(reference, indices, axis=0)


def _get_value(x):
    return ops.convert_to_numpy(x)


def _int_shape(x):
    return tuple(x.shape)


def _l2_normalize(x, axis=None):
    total = ops.sum(ops.square(x), axis, keepdims=True)
    return x * ops.rsqrt(ops.maximum(total, 1e-12))


def _permute_dimensions(x, pattern):
    return ops.transpose(x, pattern)


def _pow(x, a):
    return ops.power(x, a)


def _repeat_elements(x, rep, axis):
    return ops.repeat(x, rep, axis)


def _reverse(x, axes):
    return ops.flip(x, axes)


def _set_value(x, value):
    x.assign(value)


def _variable(value, dtype=None, name=None, constraint=None):
    from cnncore import Variable

    return Variable(value, dtype=dtype or floatx(), **({"name": name} if name else {}))


def _random_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    from cnncore import random

    return random.normal(shape, mean, stddev, dtype, seed)


def _random_uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
    from cnncore import random

    return random.uniform(shape, minval, maxval, dtype, seed)


_KERAS_2 = {function.__name__[1:]: function for function in (
    _argmax, _argmin, _batch_flatten, _cast_to_floatx, _concatenate, _constant, _expand_dims, _gather, _get_value,
    _int_shape, _l2_normalize, _permute_dimensions, _pow, _random_normal, _random_uniform, _repeat_elements, _reverse,
    _set_value, _variable)}
_KERAS_2 |= {"eval": _get_value, "flatten": ops.ravel}
_KERAS_2 |= {name: getattr(ops, name) for name in (
    "abs all any arange binary_crossentropy cast categorical_crossentropy clip cos dot elu equal exp eye greater "
    "greater_equal less less_equal log logsumexp max maximum mean min minimum ndim not_equal one_hot ones ones_like prod "
    "reshape round shape sigmoid sign sin softmax softplus softsign sparse_categorical_crossentropy sqrt square squeeze "
    "stack std stop_gradient sum tanh tile transpose var zeros zeros_like").split()}


def __getattr__(name):
    """The functions of Keras 2's backend; explains where the others went."""
    if name in _KERAS_2:
        return _KERAS_2[name]
    instead = f"cnncore.ops.{name}" if name in ops.__all__ else _FUNCTIONS_NOW.get(name)
    raise AttributeError(f"cnncore.backend has Keras 3's names: {', '.join(__all__)}, and Keras 2's functions of tensors. "
                         f"Received: {name!r}" + (f"; use {instead}" if instead else
                                                  "; cnncore.ops has the operations on tensors"))
