"""Cross-entropies from logits, one loss per sample or element."""

import numpy as np

from .activations import log_softmax, sigmoid, softmax
from .movement import one_hot


def _as_probabilities(logits, labels):
    """Returns labels as probabilities of the shape of logits; integer labels become one-hot rows."""
    labels = np.asarray(labels)
    if labels.dtype.kind in "iu" and labels.ndim == np.ndim(logits) - 1:
        return one_hot(labels, np.shape(logits)[-1])
    return labels.astype(np.float64)


def softmax_cross_entropy(logits, labels):
    """loss = -(sum over classes of t log_softmax(logits)), t being one-hot integer labels or given probabilities."""
    t = _as_probabilities(logits, labels)
    return -np.where(t == 0, 0.0, t * log_softmax(logits)).sum(-1)


def softmax_cross_entropy_vjp(dy, logits, labels):
    """dlogits = (softmax(logits) (sum over classes of t) - t) dy; targets are data and get no gradient."""
    t = _as_probabilities(logits, labels)
    return ((softmax(logits) * t.sum(-1, keepdims=True) - t) * np.asarray(dy, np.float64)[..., None],)


def binary_cross_entropy(logits, targets):
    """loss = -t log(s) - (1 - t) log(1 - s), s = sigmoid(logits), element by element, by the form without overflow."""
    x, t = np.asarray(logits, np.float64), np.asarray(targets, np.float64)
    return np.maximum(x, 0.0) - x * t + np.log1p(np.exp(-np.abs(x)))


def binary_cross_entropy_vjp(dy, logits, targets):
    """dlogits = (sigmoid(logits) - t) dy; targets are data and get no gradient."""
    return ((sigmoid(logits) - np.asarray(targets, np.float64)) * np.asarray(dy, np.float64),)
