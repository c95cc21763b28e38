"""Ops that move elements and compute nothing."""

import numpy as np


def reshape(x, shape):
    """y holds the elements of x in the same row-major order; one size of -1 is inferred."""
    return np.array(x, np.float64).reshape(shape)


def reshape_vjp(dy, x, shape):
    """dx = dy in the shape of x."""
    return (np.array(dy, np.float64).reshape(np.shape(x)),)


def transpose(x, axes=None):
    """Axis i of y is axis axes[i] of x; without axes their order is reversed."""
    return np.array(np.transpose(np.asarray(x, np.float64), axes), order="C")


def transpose_vjp(dy, x, axes=None):
    """dx = dy with every axis back in its place."""
    axes = range(np.ndim(x))[::-1] if axes is None else [axis % np.ndim(x) for axis in axes]
    inverse = [0] * np.ndim(x)
    for to, came_from in enumerate(axes):
        inverse[came_from] = to
    return (np.array(np.transpose(np.asarray(dy, np.float64), inverse), order="C"),)


def concatenate(*arrays, axis=-1):
    """y holds the arrays one after the other along an axis."""
    return np.concatenate([np.asarray(a, np.float64) for a in arrays], axis)


def concatenate_vjp(dy, *arrays, axis=-1):
    """Returns each array's part of dy."""
    parts, begin = [], 0
    for a in arrays:
        end = begin + np.shape(a)[axis]
        index = [slice(None)] * np.ndim(dy)
        index[axis] = slice(begin, end)
        parts.append(np.array(np.asarray(dy, np.float64)[tuple(index)]))
        begin = end
    return tuple(parts)


def pad2d(x, padding, value=0.0):
    """y = x with ((top, bottom), (left, right)) rows and columns of `value` around each NHWC image."""
    (top, bottom), (left, right) = padding
    batch, in_h, in_w, channels = np.shape(x)
    y = np.full((batch, top + in_h + bottom, left + in_w + right, channels), float(value))
    y[:, top : top + in_h, left : left + in_w] = x
    return y


def pad2d_vjp(dy, x, padding, value=0.0):
    """dx = dy inside the padding."""
    (top, _), (left, _) = padding
    _, in_h, in_w, _ = np.shape(x)
    return (np.array(np.asarray(dy, np.float64)[:, top : top + in_h, left : left + in_w]),)


def one_hot(labels, n):
    """y[..., c] = 1 where labels == c, else 0; a label outside 0 to n - 1 gives a row of zeros."""
    labels = np.asarray(labels)
    y = np.zeros((*labels.shape, n))
    for c in range(n):
        y[..., c] = labels == c
    return y
