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
