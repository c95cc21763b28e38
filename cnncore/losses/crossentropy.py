"""Losses between probabilities and classes: functions of (y_true, y_pred) that give one value for each sample."""
import numpy as np

from cnncore import executor, ops
from cnncore.losses.loss import EPSILON, as_floats, same_rank
from cnncore.ops.softmax import logits_of, logits_of_sigmoid
from cnncore.tensor import convert


def categorical_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0.0, axis=-1):
    """-sum(y_true * log(y_pred)) over the classes.

    Args:
        y_true: probabilities of the classes, usually one-hot (n, ..., classes).
        y_pred: predicted probabilities of the same shape.
        from_logits: whether y_pred are logits, to which a softmax is still to be applied.
        label_smoothing: share of the target that is spread evenly over all classes, from 0 to 1.
        axis: the axis of the classes.

    Returns:
        Tensor of y_true's shape without the axis of the classes.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> round(categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).item(), 4)
        0.6931
    """
    y_true, y_pred = as_floats(y_true), as_floats(y_pred)
    if y_true.shape != y_pred.shape:
        hint = fix_of_output(y_true, y_pred)
        if not hint and y_true.ndim == y_pred.ndim and y_true.shape[-1] > 1:
            hint = f"; give the last layer {y_true.shape[-1]} units, or the targets as many columns as there are units"
        raise ValueError("categorical_crossentropy needs one-hot targets of the shape of the predictions, "
                         f"{y_pred.shape}. Received: y_true of shape {y_true.shape}" + (hint or (
                             "; use utils.to_categorical, or the loss 'sparse_categorical_crossentropy' for class "
                             "numbers")))
    axis = _class_axis(axis, y_pred, "categorical_crossentropy")
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + label_smoothing / y_true.shape[-1]
    logits = y_pred if from_logits else _logits(y_pred, axis)
    y_true, last = _classes_last(y_true, axis), y_pred.ndim - 1
    if logits is not None:
        return ops.softmax_cross_entropy(_classes_last(logits, axis), y_true)
    return -ops.sum(y_true * _log_probabilities(_classes_last(y_pred, axis)), axis=last)


def categorical_focal_crossentropy(y_true, y_pred, alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0,
                                   axis=-1):
    """-sum(alpha * (1 - y_pred)^gamma * y_true * log(y_pred)) over the classes (Lin et al. 2018).

    Args:
        y_true: probabilities of the classes, usually one-hot (n, ..., classes).
        y_pred: predicted probabilities of the same shape.
        alpha: weight of the loss, or a list with one for each class.
        gamma: how strongly samples that are already right lose weight.
        from_logits, label_smoothing, axis: as for `categorical_crossentropy`.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> round(categorical_focal_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).item(), 4)
        0.0433
    """
    y_true, y_pred = as_floats(y_true), as_floats(y_pred)
    if y_true.shape != y_pred.shape:
        raise ValueError("categorical_focal_crossentropy needs one-hot targets of the shape of the predictions, "
                         f"{y_pred.shape}. Received: y_true of shape {y_true.shape}; use utils.to_categorical for "
                         "class numbers")
    axis = _class_axis(axis, y_pred, "categorical_focal_crossentropy")
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + label_smoothing / y_true.shape[-1]
    y_pred = ops.softmax(y_pred, axis=axis) if from_logits else y_pred
    p = ops.clip(y_pred / ops.sum(y_pred, axis=axis, keepdims=True), EPSILON, 1.0 - EPSILON)
    weights = ops.power(1.0 - p, gamma) * (alpha if isinstance(alpha, (int, float)) else as_floats(alpha))
    return -ops.sum(weights * y_true * ops.log(p), axis=axis)


def categorical_generalized_cross_entropy(y_true, y_pred, q):
    """(1 - p^q) / q, p being the probability given to the true class (Zhang and Sabuncu 2018), robust to wrong labels.

    Args:
        y_true: class numbers from 0 (n, ...), or (n, ..., 1).
        y_pred: predicted probabilities (n, ..., classes).
        q: number above 0 and below 1; near 0 it is the cross-entropy, near 1 the absolute error.

    Example:
        >>> round(categorical_generalized_cross_entropy([1], [[0.5, 0.5]], q=0.5).item(), 4)
        0.5858
    """
    y_true, y_pred = convert(y_true), as_floats(y_pred)
    if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1:
        y_true = ops.squeeze(y_true, -1)
    if y_true.shape != y_pred.shape[:-1]:
        raise ValueError("categorical_generalized_cross_entropy needs one class number for each prediction: y_true of "
                         f"shape {y_pred.shape[:-1]}. Received: y_true of shape {y_true.shape}")
    p = ops.sum(y_pred * ops.one_hot(y_true, y_pred.shape[-1]), axis=-1)
    return (1.0 - ops.power(p, q)) / q


def sparse_categorical_crossentropy(y_true, y_pred, from_logits=False, ignore_class=None, axis=-1):
    """-log(y_pred[class]), the class being y_true.

    Args:
        y_true: class numbers from 0 (n, ...), or (n, ..., 1).
        y_pred: predicted probabilities (n, ..., classes).
        from_logits: whether y_pred are logits, to which a softmax is still to be applied.
        ignore_class: class number whose samples give 0, or None.
        axis: the axis of the classes.

    Returns:
        Tensor of y_pred's shape without the axis of the classes.

    Raises:
        ValueError: the shapes do not fit, or a class number is not from 0 to classes - 1.

    Example:
        >>> round(sparse_categorical_crossentropy([1], [[0.5, 0.5]]).item(), 4)
        0.6931
    """
    y_true, y_pred = convert(y_true), as_floats(y_pred)
    axis = _class_axis(axis, y_pred, "sparse_categorical_crossentropy")
    if y_true.ndim == y_pred.ndim and y_true.shape[axis] == 1:
        y_true = ops.squeeze(y_true, axis)
    shape = y_pred.shape[:axis] + y_pred.shape[axis + 1:]
    if y_true.shape != shape:
        hint = "; for one-hot targets use the loss 'categorical_crossentropy'" if y_true.shape == y_pred.shape else \
            fix_of_output(y_true, y_pred)
        raise ValueError("sparse_categorical_crossentropy needs one class number for each prediction: y_true of shape "
                         f"{shape} for y_pred of shape {y_pred.shape}. Received: y_true of shape {y_true.shape}{hint}")
    check_classes(y_true, y_pred.shape[axis], ignore_class)
    logits = y_pred if from_logits else _logits(y_pred, axis)
    if ignore_class is not None:
        kept = ops.cast(ops.not_equal(y_true, ignore_class), "float32")
        y_true = ops.cast(y_true, "float32") * kept
    y_true = y_true if y_true.dtype == "int32" else ops.cast(y_true, "int32")
    if logits is not None:
        loss = ops.softmax_cross_entropy(_classes_last(logits, axis), y_true)
    else:
        chosen = ops.one_hot(y_true, y_pred.shape[axis])
        loss = -ops.sum(chosen * _log_probabilities(_classes_last(y_pred, axis)), axis=-1)
    return loss if ignore_class is None else ops.where(ops.equal(kept, 1.0), loss, 0.0)


def fix_of_output(y_true, y_pred):
    """The end of a message for predictions that are still images, while the targets are one for each sample; or ''."""
    if y_pred.ndim > 2 and y_true.ndim <= 2:
        return "; put Flatten() or GlobalAveragePooling2D() before the last layer, as the predictions are still images"
    return ""


def check_classes(y_true, classes, ignore_class=None):
    """Raises ValueError where the values are at hand and one of them is no class number."""
    if executor.current().recording:  # there are no values yet: training has checked its data before
        return
    wrong = bad_classes(y_true.buffer.numpy(), classes, ignore_class)
    if wrong is not None:
        raise ValueError(f"y_true of sparse_categorical_crossentropy holds class numbers from 0 to {classes - 1}, as "
                         f"y_pred has {classes} columns. Received: {wrong[1]} at index {wrong[0]}; number the classes "
                         "from 0, or give the last layer more units")


def bad_classes(labels, classes, ignore_class=None):
    """(index, value) of the first label that is no whole number from 0 to classes - 1, or None."""
    if labels.size == 0 or (ignore_class is None and labels.dtype.kind in "iub"
                            and labels.min() >= 0 and labels.max() < classes):
        return None
    fits = (labels >= 0) & (labels < classes) & (labels == np.trunc(labels))
    if ignore_class is not None:
        fits |= labels == ignore_class
    if fits.all():
        return None
    index = tuple(int(i) for i in np.unravel_index(int(fits.argmin()), labels.shape))
    return index if len(index) > 1 else index[0], labels[index].item()


def binary_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0.0, axis=-1):
    """mean of -(y_true * log(y_pred) + (1 - y_true) * log(1 - y_pred)) over the axis.

    Args:
        y_true: targets 0 or 1, or probabilities (n, ..., d).
        y_pred: predicted probabilities of the same shape.
        from_logits: whether y_pred are logits, to which a sigmoid is still to be applied.
        label_smoothing: how far the targets are moved towards 0.5, from 0 to 1.
        axis: the axis that the mean is taken over.

    Raises:
        ValueError: the shapes differ.

    Example:
        >>> round(binary_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).item(), 4)
        0.6931
    """
    y_true, y_pred = _binary_pair("binary_crossentropy", y_true, y_pred)
    y_true = _smooth(y_true, label_smoothing)
    logits = y_pred if from_logits else logits_of_sigmoid(y_pred)
    return ops.mean(_binary_values(y_true, y_pred, logits), axis=axis)


def binary_focal_crossentropy(y_true, y_pred, apply_class_balancing=False, alpha=0.25, gamma=2.0, from_logits=False,
                              label_smoothing=0.0, axis=-1):
    """Binary cross-entropy times (1 - p)^gamma, p being the probability given to the true class (Lin et al. 2018).

    Args:
        y_true: targets 0 or 1 (n, ..., d).
        y_pred: predicted probabilities of the same shape.
        apply_class_balancing: whether to weight class 1 by alpha and class 0 by 1 - alpha.
        alpha: weight of class 1.
        gamma: how strongly samples that are already right lose weight; 0 gives the plain cross-entropy.
        from_logits, label_smoothing, axis: as for `binary_crossentropy`.

    Example:
        >>> round(binary_focal_crossentropy([[0.0, 1.0]], [[0.5, 0.5]]).item(), 4)
        0.1733
    """
    y_true, y_pred = _binary_pair("binary_focal_crossentropy", y_true, y_pred)
    y_true = _smooth(y_true, label_smoothing)
    y_pred = ops.sigmoid(y_pred) if from_logits else y_pred
    right = y_true * y_pred + (1.0 - y_true) * (1.0 - y_pred)
    values = ops.power(1.0 - right, gamma) * _binary_values(y_true, y_pred, None)
    if apply_class_balancing:
        values = (y_true * alpha + (1.0 - y_true) * (1.0 - alpha)) * values
    return ops.mean(values, axis=axis)


def _binary_pair(name, y_true, y_pred):
    y_true, y_pred = as_floats(y_true), as_floats(y_pred)
    logits, (y_true, y_same) = y_pred, same_rank(y_true, y_pred)
    if y_true.shape != y_same.shape:
        raise ValueError(f"{name} needs one target for each prediction: y_true of shape {y_pred.shape}. Received: "
                         f"y_true of shape {y_true.shape}; end the model in Dense(1) for one target per sample, or use "
                         "a categorical cross-entropy for several classes")
    return y_true, y_same if y_same.shape != y_pred.shape else logits


def _smooth(y_true, label_smoothing):
    return y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing if label_smoothing else y_true


def _binary_values(y_true, y_pred, logits):
    """Cross-entropy of each element, from logits where they are known: exact however sure the model is."""
    if logits is not None:
        return y_true * ops.softplus(-logits) + (1.0 - y_true) * ops.softplus(logits)
    p = ops.clip(y_pred, EPSILON, 1.0 - EPSILON)
    return -(y_true * ops.log(p) + (1.0 - y_true) * ops.log(1.0 - p))


def _class_axis(axis, y_pred, name):
    """The axis of the classes counted from the front."""
    if isinstance(axis, bool) or not isinstance(axis, int) or not -y_pred.ndim <= axis < y_pred.ndim:
        raise ValueError(f"The axis of {name} is one of the {y_pred.ndim} axes of y_pred. Received: axis={axis!r} for "
                         f"y_pred of shape {y_pred.shape}")
    return axis % y_pred.ndim


def _logits(y_pred, axis):
    """What the softmax along the last axis was applied to, if y_pred came from one."""
    return logits_of(y_pred) if axis == y_pred.ndim - 1 else None


def _classes_last(x, axis):
    if axis == x.ndim - 1:
        return x
    return ops.transpose(x, [i for i in range(x.ndim) if i != axis] + [axis])


def _log_probabilities(y_pred):
    """Logarithms of predictions scaled to a sum of 1 and kept away from 0 and 1."""
    scaled = y_pred / ops.sum(y_pred, axis=-1, keepdims=True)
    return ops.log(ops.clip(scaled, EPSILON, 1.0 - EPSILON))
