"""Small conversions of arrays: labels to one-hot vectors, vectors to length 1."""
import numpy as np


def to_categorical(x, num_classes=None):
    """Whole numbers as one-hot vectors.

    Args:
        x: array or list of class numbers from 0 on; a last axis of length 1 is dropped.
        num_classes: length of the vectors; one more than the largest number by default.

    Returns:
        float64 array of x's shape with a last axis of `num_classes` behind; a float32 tensor for a tensor.

    Raises:
        ValueError: a number is below 0, or num_classes or above.

    Example:
        >>> to_categorical([2, 0], num_classes=3)
        array([[0., 0., 1.],
               [1., 0., 0.]])
    """
    from cnncore import ops
    from cnncore.tensor import Tensor

    if isinstance(x, Tensor) and num_classes:
        shape = x.shape[:-1] if len(x.shape) > 1 and x.shape[-1] == 1 else x.shape
        return ops.one_hot(ops.reshape(ops.cast(x, "int32"), shape), num_classes)
    labels = np.asarray(x, dtype="int64")
    shape = labels.shape[:-1] if labels.ndim > 1 and labels.shape[-1] == 1 else labels.shape
    flat = labels.reshape(-1)
    if not num_classes:
        if not flat.size:
            raise ValueError("num_classes must be given where there are no labels. Received: x of shape "
                             f"{labels.shape}")
        num_classes = int(flat.max()) + 1
    if flat.size and not 0 <= flat.min() <= flat.max() < num_classes:
        raise ValueError(f"Labels are from 0 to num_classes - 1, here {num_classes - 1}. Received: labels from "
                         f"{flat.min()} to {flat.max()}; give a larger num_classes, or subtract the smallest label")
    vectors = np.zeros((flat.size, num_classes))
    vectors[np.arange(flat.size), flat] = 1
    return vectors.reshape(*shape, num_classes)


def normalize(x, axis=-1, order=2):
    """The vectors along an axis divided by their norms; vectors of zeros stay.

    Args:
        x: array, list or tensor.
        axis: the axis that the vectors lie along.
        order: of the norm: 2 for the Euclidean one, 1 for the sum of absolute values.

    Returns:
        Array of x's shape; a tensor for a tensor.

    Example:
        >>> normalize(np.array([[3.0, 4.0]]))
        array([[0.6, 0.8]])
    """
    from cnncore import ops
    from cnncore.tensor import Tensor

    if isinstance(x, Tensor):
        size = ops.abs(x)
        norm = ops.power(ops.sum(ops.power(size, order), axis=axis, keepdims=True), 1 / order)
        return x / ops.maximum(norm, 1e-12)
    x = np.asarray(x)
    norm = np.linalg.norm(x, order, axis, keepdims=True)
    return x / np.where(norm == 0, 1, norm)
