"""What a user may have overlooked where all shapes fit: warnings, and the fixes that messages about shapes advise."""
import math
import warnings

import numpy as np

from cnncore.losses import crossentropy
from cnncore.losses.loss import LossFunctionWrapper
from cnncore.nest import flatten

_WITH_CLASSES = (crossentropy.categorical_crossentropy, crossentropy.sparse_categorical_crossentropy)
_OF_PROBABILITIES = (*_WITH_CLASSES, crossentropy.binary_crossentropy)
_NO_PROBABILITIES = {"linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh"}


def warn_of_last_layers(model):
    """Warns, once after `compile`, where the activation of an output and its loss cannot both be meant."""
    loss = model._compile_loss
    if loss is None or not loss.built or loss.advised:
        return
    loss.advised, outputs = True, flatten(getattr(model, "outputs", None) or [])
    if len(outputs) != loss.outputs.count:  # a class of the user's: only its layers are known
        for layer in model._walk():
            if type(layer).__name__ == "Dense" and layer.units == 1 and _name(layer) == "softmax":
                warnings.warn(_of_one_unit(layer), stacklevel=5)
        return
    for i, pairs, _ in loss.parts:
        layer, activation = _last_activation(outputs[i])
        for one, _ in pairs:
            advice = _advice(one, layer, activation, loss.outputs.leaves[i].shape)
            if advice:
                warnings.warn(advice, stacklevel=5)  # the caller of fit


def _last_activation(tensor):
    """(layer, name of the activation) that an output comes from; (None, None) where that is not known."""
    layer = tensor._keras_history.operation
    while hasattr(layer, "outputs") and len(flatten(layer.outputs)) == 1:  # a model inside
        layer = flatten(layer.outputs)[0]._keras_history.operation
    kind = type(layer).__name__
    if kind == "Softmax":
        return layer, "softmax"
    if kind == "Activation" or kind == "Dense" or kind.startswith("Conv"):
        return layer, _name(layer)
    return None, None


def _name(layer):
    return getattr(layer.activation, "__name__", None)


def _of_one_unit(layer):
    return ("The softmax of one unit is 1 whatever the unit's value, so nothing is learnt. Received: the layer "
            f"{layer.name!r} with 1 unit and activation='softmax'; use activation='sigmoid' with the loss "
            "'binary_crossentropy', or one unit for each class")


def _advice(loss, layer, activation, shape):
    if layer is None:
        return None
    if activation == "softmax" and shape[-1] == 1:
        return _of_one_unit(layer)
    function = getattr(loss, "fn", None)
    if not isinstance(loss, LossFunctionWrapper) or function not in _OF_PROBABILITIES:
        return None
    logits = bool(loss._fn_kwargs.get("from_logits", False))
    if logits and activation in ("softmax", "sigmoid"):
        return (f"With from_logits=True the loss {loss.name} applies {activation} itself, so it would be applied twice. "
                f"Received: the last layer {layer.name!r} with activation={activation!r}; leave out one of the two")
    if not logits and activation in _NO_PROBABILITIES:
        wanted = "softmax" if function in _WITH_CLASSES else "sigmoid"
        return (f"The loss {loss.name} takes probabilities. Received: the last layer {layer.name!r} with "
                f"activation={activation!r}; give it activation={wanted!r}, or the loss from_logits=True")
    return None


def warn_of_nan(epoch, logs, data):
    """Warns of a loss that is no finite number, and says so if that is because of the inputs; True if it did."""
    loss = logs.get("loss")
    if not isinstance(loss, float) or math.isfinite(loss):
        return False
    reason = "lower the learning_rate, scale inputs to about -1 to 1, or pass clipnorm to the optimizer"
    for name, source in zip(getattr(data, "names", ()), getattr(data, "sources", ()), strict=False):
        where = _not_finite(source) if name.startswith("x") else None
        if where is not None:
            reason = f"{name} holds {source[where]} at index {where}; drop or fill such samples, e.g. with np.nan_to_num"
            break
    warnings.warn(f"The loss is to be a finite number. Received: {loss} in epoch {epoch + 1}, after which the weights "
                  f"are of no use; {reason}", stacklevel=4)
    return True


def _not_finite(source):
    """The index of the first number that is NaN or infinite, or None."""
    if source is None or source.dtype.kind != "f":
        return None
    rows = max(1, (1 << 20) // max(source[0].size, 1))
    for first in range(0, len(source), rows):  # in parts, so that no second array of the data's size is made
        wrong = ~np.isfinite(source[first:first + rows])
        if wrong.any():
            index = np.unravel_index(int(wrong.argmax()), wrong.shape)
            return (first + int(index[0]), *(int(i) for i in index[1:]))
    return None


def fix_of_shape(wanted, shape):
    """What to do with an input of another shape than the model takes, as the end of a message; '' if nothing is near."""
    sizes, given = tuple(wanted[1:]), tuple(shape[1:])
    if tuple(shape) == sizes:
        return "; a single sample needs a first axis of length 1, x[None]"
    if None in sizes:
        return ""
    if len(given) == 3 and len(sizes) == 3 and given != sizes:
        if (*given[1:], given[0]) == sizes:
            return "; channels come last, x.transpose(0, 2, 3, 1)"
        if (given[2], *given[:2]) == sizes:
            return "; channels come first, x.transpose(0, 3, 1, 2)"
        if given[:2] == sizes[:2]:
            return f"; give images of {sizes[2]} channel{'s' * (sizes[2] != 1)}, or the model Input(shape={given})"
        if given[2] == sizes[2]:
            return (f"; resize images to {sizes[:2]}, with a Resizing layer for instance, or give the model "
                    f"Input(shape={given})")
    if None not in given and given and math.prod(given) == math.prod(sizes):
        return f"; reshape them, x.reshape({', '.join(map(str, (-1, *sizes)))})"
    return f"; give the model Input(shape={given}) if that is meant" if given and None not in given else ""
