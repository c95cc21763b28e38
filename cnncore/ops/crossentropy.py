"""Keras's functions for the crossentropy of targets and outputs."""
from cnncore.ops.elementwise import add, cast, clip, divide, log, multiply, negative, square, subtract
from cnncore.ops.movement import moveaxis, one_hot, squeeze
from cnncore.ops.reductions import mean, normal_axes
from cnncore.ops.reductions import sum as total
from cnncore.ops.softmax import sigmoid_cross_entropy, softmax_cross_entropy
from cnncore.tensor import convert


def _epsilon():
    from cnncore import config

    return config.epsilon()


def _log_of(probabilities):
    return log(clip(probabilities, _epsilon(), 1 - _epsilon()))


def binary_crossentropy(target, output, from_logits=False):
    """-target log(output) - (1 - target) log(1 - output), element by element."""
    target, output = cast(convert(target), "float32"), cast(convert(output), "float32")
    _same("binary_crossentropy", target, output)
    if from_logits:
        return sigmoid_cross_entropy(output, target)
    inside = clip(output, _epsilon(), 1 - _epsilon())
    return negative(add(multiply(target, log(inside)), multiply(subtract(1.0, target), log(subtract(1.0, inside)))))


def categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """-sum(target log(output)) along the axis of the classes."""
    target, output = cast(convert(target), "float32"), cast(convert(output), "float32")
    _same("categorical_crossentropy", target, output)
    target, output = (moveaxis(part, normal_axes(axis, part.ndim)[0], -1) for part in (target, output))
    if from_logits:
        return softmax_cross_entropy(output, target)
    output = divide(output, total(output, -1, True))
    return negative(total(multiply(target, _log_of(output)), -1))


def sparse_categorical_crossentropy(target, output, from_logits=False, axis=-1):
    """-log(output[target]) along the axis of the classes, targets being whole numbers."""
    target, output = cast(convert(target), "int32"), cast(convert(output), "float32")
    (axis,) = normal_axes(axis, output.ndim)
    if target.ndim == output.ndim and target.shape[-1] == 1:
        target = squeeze(target, -1)
    output = moveaxis(output, axis, -1)
    if target.shape != output.shape[:-1]:
        raise ValueError("sparse_categorical_crossentropy takes a whole number for each prediction. Received: targets of "
                         f"shape {target.shape} for predictions of shape {output.shape}")
    if from_logits:
        return softmax_cross_entropy(output, target)
    output = divide(output, total(output, -1, True))
    return negative(total(multiply(one_hot(target, output.shape[-1]), _log_of(output)), -1))


def _same(function, target, output):
    if target.shape != output.shape:
        raise ValueError(f"{function} takes targets of the output's shape. Received: {target.shape} and {output.shape}")


def psnr(x1, x2, max_val):
    """The peak signal-to-noise ratio of two images in decibels: 10 log10(max_val^2 / mean((x1 - x2)^2))."""
    error = mean(square(subtract(cast(convert(x1), "float32"), cast(convert(x2), "float32"))))
    return multiply(log(divide(float(max_val) ** 2, error)), 4.342944819032518)
