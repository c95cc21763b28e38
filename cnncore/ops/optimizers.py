"""One update of a weight in place, by each optimizer, and the counters that steps are counted with."""
from cnncore import _core, executor


def sgd(w, g, velocity, lr, momentum=0.0, nesterov=False):
    """w -= lr * g; with a velocity, v = momentum * v - lr * g and w += v, or w += momentum * v - lr * g if nesterov.

    All are Tensors: w, g and velocity (None without momentum) of one shape, lr float32 of shape ().
    """
    velocity = None if velocity is None else velocity.buffer
    executor.current().emit([_core.sgd(w.buffer, g.buffer, velocity, lr.buffer, momentum, nesterov)])


def adam(w, g, m, v, step, lr, beta1=0.9, beta2=0.999, epsilon=1e-7):
    """m += (g - m) * (1 - beta1), v += (g^2 - v) * (1 - beta2), w -= alpha * m / (sqrt(v) + epsilon)
    with alpha = lr * sqrt(1 - beta2^step) / (1 - beta1^step).

    All are Tensors: w, g, m and v of one shape, lr float32 and step int64 of shape (); step is 1 at the first update.
    """
    executor.current().emit([_core.adam(w.buffer, g.buffer, m.buffer, v.buffer, step.buffer, lr.buffer, beta1, beta2,
                                        epsilon)])


def update(kind, w, g, a, b, rates, k1=0.0, k2=0.0, epsilon=0.0):
    """One step of 'rmsprop', 'adagrad', 'adadelta', 'adamax', 'nadam' or 'lion'; csrc/contracts/layers.h has the formulas.

    All are Tensors: w, g, a and b (None where it keeps one thing) of one shape; rates of shape (), for 'nadam' (3,).
    """
    b = None if b is None else b.buffer
    executor.current().emit([_core.update(kind, w.buffer, g.buffer, a.buffer, b, rates.buffer, k1, k2, epsilon)])


def increment(value, by=1):
    """value += by, value being an int64 or uint64 Tensor of one number."""
    executor.current().emit([_core.increment(value.buffer, by)])
