"""Activation functions, by Keras's names."""
from cnncore import ops
from cnncore.ops import (
    celu,
    elu,
    exponential,
    glu,
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_swish,
    hard_tanh,
    leaky_relu,
    linear,
    log_sigmoid,
    log_softmax,
    mish,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_shrink,
    softmax,
    softplus,
    softsign,
    sparse_plus,
    sparse_sigmoid,
    sparsemax,
    squareplus,
    swish,
    tanh,
    tanh_shrink,
    threshold,
)
from cnncore.utils.identifiers import unknown_name


def relu(x, negative_slope=0.0, max_value=None, threshold=0.0):
    """max(0, x), or with a slope, a largest value and a threshold of one's own.

    Args:
        x: tensor.
        negative_slope: the slope below the threshold.
        max_value: the largest output, or None.
        threshold: inputs up to it count as negative.
    """
    if max_value == 6 and not negative_slope and not threshold:
        return ops.relu6(x)
    if threshold:
        y = ops.where(ops.convert_to_tensor(x) > threshold, x, (x - threshold) * negative_slope)
    else:
        y = ops.leaky_relu(x, negative_slope) if negative_slope else ops.relu(x)
    return y if max_value is None else ops.minimum(y, float(max_value))


def gelu(x, approximate=False):
    """x times the normal distribution function at x (Hendrycks and Gimpel 2016).

    Args:
        x: tensor.
        approximate: whether to go by tanh.
    """
    return ops.gelu(x, approximate)


_FUNCTIONS = {f.__name__: f for f in (
    celu, elu, exponential, gelu, glu, hard_shrink, hard_sigmoid, hard_silu, hard_tanh, leaky_relu, linear, log_sigmoid,
    log_softmax, mish, relu, relu6, selu, sigmoid, silu, soft_shrink, softmax, softplus, softsign, sparse_plus,
    sparse_sigmoid, sparsemax, squareplus, tanh, tanh_shrink, threshold)}
_FUNCTIONS |= {"hard_swish": hard_silu, "swish": silu}


def get(identifier):
    """The activation function of a name, or the function itself; `linear` for None.

    Raises:
        ValueError: there is none of that name.
    """
    if identifier is None:
        return linear
    if isinstance(identifier, dict):
        from cnncore.saving import deserialize_keras_object

        return deserialize_keras_object(identifier)
    if isinstance(identifier, str):
        if identifier not in _FUNCTIONS:
            from cnncore.saving import get_registered_object

            if get_registered_object(identifier) is not None:
                return get_registered_object(identifier)
            raise unknown_name("activation", identifier, _FUNCTIONS)
        return _FUNCTIONS[identifier]
    if not callable(identifier):
        raise ValueError(f"An activation is a name or a function. Received: {identifier!r}")
    return identifier


def serialize(activation):
    """An activation as files hold it: the name of ours, the configuration of an object."""
    name = getattr(activation, "__name__", None)
    if name in _FUNCTIONS and _FUNCTIONS[name] is activation:
        return name
    from cnncore.saving import serialize_keras_object

    return serialize_keras_object(activation)


def deserialize(config, custom_objects=None):
    """The activation that `serialize` wrote; `custom_objects` is a dict from names to functions of yours."""
    from cnncore.saving import custom_object_scope

    if isinstance(config, str) and config in (custom_objects or {}):
        return custom_objects[config]
    with custom_object_scope(custom_objects):
        return get(config)


__all__ = [*_FUNCTIONS, "deserialize", "get", "serialize", "hard_swish", "swish"]
