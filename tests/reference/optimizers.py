"""One step of each optimizer by Keras 3's formulas."""

import math

import numpy as np


def sgd(w, g, lr, momentum=0.0, nesterov=False, velocity=None):
    """Returns w and velocity after a step: velocity = momentum velocity - lr g, and w += velocity.

    With nesterov w += momentum velocity - lr g, the velocity being the new one. Without momentum w -= lr g, and
    velocity is returned as it came.
    """
    w, g = np.asarray(w, np.float64), np.asarray(g, np.float64)
    if momentum == 0:
        return w - lr * g, velocity
    velocity = momentum * np.asarray(velocity, np.float64) - lr * g
    return w + (momentum * velocity - lr * g if nesterov else velocity), velocity


def adam(w, g, m, v, step, lr=0.001, beta1=0.9, beta2=0.999, epsilon=1e-7):
    """Returns w, m and v after a step; `step` counts from 1 for the first.

    m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2, w -= alpha m / (sqrt(v) + epsilon) with
    alpha = lr sqrt(1 - beta2^step) / (1 - beta1^step): epsilon is not corrected for the step.
    """
    w, g, m, v = (np.asarray(a, np.float64) for a in (w, g, m, v))
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    alpha = lr * math.sqrt(1 - beta2**step) / (1 - beta1**step)
    return w - alpha * m / (np.sqrt(v) + epsilon), m, v


def update(kind, w, g, a, b, rates, k1=0.0, k2=0.0, epsilon=0.0):
    """Returns w, a and b after a step of an optimizer, by Keras 3's formulas; b is None where it keeps one thing.

    rates is the learning rate; for 'adamax' that over 1 - beta1^step; for 'nadam' the weights of the mean and of the
    gradient, both times the learning rate, and 1 / (1 - beta2^step).
    """
    w, g, a = (np.asarray(x, np.float64) for x in (w, g, a))
    b = None if b is None else np.asarray(b, np.float64)
    rates = np.asarray(rates, np.float64)
    if kind == "rmsprop":
        a = k1 * a + (1 - k1) * g * g
        change = rates * g / np.sqrt(a + epsilon)
        if b is not None:
            change = b = k2 * b + change
        return w - change, a, b
    if kind == "adagrad":
        a = a + g * g
        return w - rates * g / np.sqrt(a + epsilon), a, b
    if kind == "adadelta":
        a = k1 * a + (1 - k1) * g * g
        change = g * np.sqrt(b + epsilon) / np.sqrt(a + epsilon)
        return w - rates * change, a, k1 * b + (1 - k1) * change * change
    if kind == "adamax":
        a, b = k1 * a + (1 - k1) * g, np.maximum(k2 * b, np.abs(g))
        return w - rates * a / (b + epsilon), a, b
    if kind == "nadam":
        a, b = k1 * a + (1 - k1) * g, k2 * b + (1 - k2) * g * g
        return w - (rates[0] * a + rates[1] * g) / (np.sqrt(rates[2] * b) + epsilon), a, b
    return w - rates * np.sign(k1 * a + (1 - k1) * g), k2 * a + (1 - k2) * g, b
