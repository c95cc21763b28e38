"""Sums, means, maxima and minima over axes."""

import numpy as np


def _axes(x, axis):
    """Returns the reduced axes as a tuple of non-negative numbers; None means all."""
    if axis is None:
        return tuple(range(x.ndim))
    return tuple(a % x.ndim for a in (axis if isinstance(axis, tuple) else (axis,)))


def _with_kept_axes(reduced, x, axis):
    """Returns a reduction's result, or its gradient, with the reduced axes present as size 1."""
    axes = _axes(x, axis)
    return np.asarray(reduced, np.float64).reshape([1 if i in axes else size for i, size in enumerate(x.shape)])


def _count(x, axis):
    count = 1
    for a in _axes(x, axis):
        count *= x.shape[a]
    return count


def sum(x, axis=None, keepdims=False):
    """y = the sum of x over the axes."""
    x = np.asarray(x, np.float64)
    return x.sum(_axes(x, axis), keepdims=keepdims)


def sum_vjp(dy, x, axis=None, keepdims=False):
    """dx = dy, spread over the axes."""
    x = np.asarray(x, np.float64)
    return (np.zeros(x.shape) + _with_kept_axes(dy, x, axis),)


def mean(x, axis=None, keepdims=False):
    """y = the mean of x over the axes."""
    x = np.asarray(x, np.float64)
    return x.sum(_axes(x, axis), keepdims=keepdims) / _count(x, axis)


def mean_vjp(dy, x, axis=None, keepdims=False):
    """dx = dy / count, spread over the axes."""
    x = np.asarray(x, np.float64)
    return (np.zeros(x.shape) + _with_kept_axes(dy, x, axis) / _count(x, axis),)


def max(x, axis=None, keepdims=False):
    """y = the maximum of x over the axes; a NaN among them is the result."""
    x = np.asarray(x, np.float64)
    return x.max(_axes(x, axis), keepdims=keepdims)


def max_vjp(dy, x, axis=None, keepdims=False):
    """dx = dy, shared equally by the elements that equal the maximum, else 0."""
    x = np.asarray(x, np.float64)
    return _share_among_equals(dy, x, max(x, axis), axis)


def min(x, axis=None, keepdims=False):
    """y = the minimum of x over the axes; a NaN among them is the result."""
    x = np.asarray(x, np.float64)
    return x.min(_axes(x, axis), keepdims=keepdims)


def min_vjp(dy, x, axis=None, keepdims=False):
    """dx = dy, shared equally by the elements that equal the minimum, else 0."""
    x = np.asarray(x, np.float64)
    return _share_among_equals(dy, x, min(x, axis), axis)


def _share_among_equals(dy, x, extreme, axis):
    equal = x == _with_kept_axes(extreme, x, axis)
    share = _with_kept_axes(dy, x, axis) / np.maximum(equal.sum(_axes(x, axis), keepdims=True), 1)
    return (np.where(equal, share, 0.0),)
