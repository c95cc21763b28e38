"""Batch normalization, dropout and the counter-based random generator behind it."""

import numpy as np


def _moments(x):
    """Returns the mean and the biased variance over all axes but the last."""
    rows = x.reshape(-1, x.shape[-1])
    mean = rows.sum(0) / len(rows)
    return mean, ((rows - mean) ** 2).sum(0) / len(rows)


def _scale(gamma):
    return 1.0 if gamma is None else np.asarray(gamma, np.float64)


def _shift(beta):
    return 0.0 if beta is None else np.asarray(beta, np.float64)


def batch_norm_train(x, gamma=None, beta=None, eps=1e-3):
    """Returns y = gamma (x - mean) / sqrt(var + eps) + beta, mean and var, the statistics being those of x."""
    x = np.asarray(x, np.float64)
    mean, var = _moments(x)
    return _scale(gamma) * (x - mean) / np.sqrt(var + eps) + _shift(beta), mean, var


def batch_norm_train_vjp(dy, x, gamma=None, beta=None, eps=1e-3):
    """Returns dx, dgamma, dbeta (None for absent operands); dx includes the way through mean and var."""
    dy, x = np.asarray(dy, np.float64), np.asarray(x, np.float64)
    axes, count = tuple(range(x.ndim - 1)), x.size // x.shape[-1]
    mean, var = _moments(x)
    centred, inverse = x - mean, 1 / np.sqrt(var + eps)
    dnormal = dy * _scale(gamma)
    dvar = -0.5 * inverse**3 * (dnormal * centred).sum(axes)
    dmean = -inverse * dnormal.sum(axes)  # var does not change with mean to first order: the centred sum is 0
    dx = dnormal * inverse + dvar * 2 * centred / count + dmean / count
    dgamma = None if gamma is None else (dy * centred * inverse).sum(axes)
    return dx, dgamma, None if beta is None else dy.sum(axes)


def batch_norm_moving(moving_mean, moving_var, mean, var, momentum=0.99):
    """Returns the moving statistics after one batch: moving = moving momentum + batch (1 - momentum)."""
    moving_mean, moving_var = np.asarray(moving_mean, np.float64), np.asarray(moving_var, np.float64)
    rest = 1 - momentum
    return moving_mean * momentum + mean * rest, moving_var * momentum + var * rest


def batch_norm_infer(x, gamma, beta, mean, var, eps=1e-3):
    """y = gamma (x - mean) / sqrt(var + eps) + beta; gamma and beta may be None."""
    x, mean, var = (np.asarray(a, np.float64) for a in (x, mean, var))
    return _scale(gamma) * (x - mean) / np.sqrt(var + eps) + _shift(beta)


def batch_norm_infer_vjp(dy, x, gamma, beta, mean, var, eps=1e-3):
    """Returns dx, dgamma, dbeta (None for absent operands), dmean, dvar."""
    dy, x, mean, var = (np.asarray(a, np.float64) for a in (dy, x, mean, var))
    axes, inverse = tuple(range(x.ndim - 1)), 1 / np.sqrt(var + eps)
    dnormal = dy * _scale(gamma)
    dx = dnormal * inverse
    dgamma = None if gamma is None else (dy * (x - mean) * inverse).sum(axes)
    dbeta = None if beta is None else dy.sum(axes)
    return dx, dgamma, dbeta, -dx.sum(axes), -0.5 * inverse**3 * (dnormal * (x - mean)).sum(axes)


def dropout(x, mask, rate):
    """y = x / (1 - rate) where mask keeps the element, else 0."""
    return np.where(mask, np.asarray(x, np.float64) / (1 - rate), 0.0)


def dropout_vjp(dy, x, mask, rate):
    """dx = dy / (1 - rate) where mask keeps the element, else 0."""
    return (np.where(mask, np.asarray(dy, np.float64) / (1 - rate), 0.0),)


def philox4x32_10(counter, key):
    """Returns the four 32-bit words that ten Philox rounds make of four counter words and two key words."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * c0, 1 << 32)
        high1, low1 = divmod(0xCD9E8D57 * c2, 1 << 32)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B9) % (1 << 32), (k1 + 0xBB67AE85) % (1 << 32)
    return c0, c1, c2, c3
