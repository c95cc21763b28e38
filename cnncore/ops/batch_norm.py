"""Batch normalization over the last axis, in training and in inference: shape rule, forward and backward."""
from math import prod

from cnncore import _core
from cnncore.op import Op, Spec, apply

SLOTS = 32  # statistics are summed in at most this many slots
SLOT_ELEMENTS = 16384  # a slot of less is not worth a task
FEW_IMAGES = 16  # with fewer images than this, slots are runs of rows instead of images


def cut(shape):
    """(rows of a task, tasks of a slot) for the statistics of x: a rule of the shape, never of the threads.

    A task is an image where there are enough of them, so that a plan can run it right after the layer before.
    """
    batch, rows, channels = shape[0], prod(shape[1:-1]), shape[-1]
    if len(shape) > 2 and batch >= FEW_IMAGES:
        return max(1, rows), -(-batch // SLOTS)
    slots = max(1, min(SLOTS, batch * rows * channels // SLOT_ELEMENTS))
    return max(1, -(-batch * rows // slots)), 1


def slots_shape(shape):
    """The shape of the slots of x's statistics."""
    task_rows, task_slot = cut(shape)
    return -(-prod(shape[:-1]) // (task_rows * task_slot)), 2, shape[-1]


class _BatchNorm(Op):
    masks_relu = True

    def __init__(self, epsilon, activation):
        self.epsilon, self.relu = epsilon, activation == "relu"

    def _check(self, x, **parameters):
        if len(x.shape) < 2 or x.dtype != "float32":
            raise ValueError("batch normalization takes float32 of shape (batch, ..., channels). Received: "
                             f"shape {x.shape}, {x.dtype}")
        for name, p in parameters.items():
            if p is not None and (p.shape != x.shape[-1:] or p.dtype != "float32"):
                raise ValueError(f"{name} of batch normalization must be float32 of shape {x.shape[-1:]}, one number a "
                                 f"channel. Received: shape {p.shape}, {p.dtype}, for an input of shape {x.shape}")

    def _gradients(self, empty, inputs, y, mean, rstd, dy, d_inputs, frozen):
        """The calls for dx, dgamma and dbeta; y is None where dy needs no mask, `frozen` means that mean and variance
        did not depend on x."""
        x, gamma = inputs[:2]
        dx, dgamma, dbeta = d_inputs[:3]
        if dx is None and dgamma is None and dbeta is None:
            return []
        rows = cut(x.shape)
        slots = empty(slots_shape(x.shape), "float64")
        coef = empty((3, x.shape[-1]))
        calls = [_core.bn_dstats(x, y, dy, mean, slots, *rows),
                 _core.bn_dfinish(x, slots, gamma, rstd, dgamma and dgamma.buffer, dbeta and dbeta.buffer, coef, *rows,
                                  bool(dgamma and dgamma.accumulate), bool(dbeta and dbeta.accumulate))]
        if dx:
            calls.append(_core.bn_dx(None if frozen else x, y, dy, mean, coef, x if dx.behind_relu else None, dx.buffer,
                                     dx.accumulate))
        return calls


class BatchNormTrain(_BatchNorm):
    """y = act(gamma * (x - mean) / sqrt(variance + epsilon) + beta), with the mean and the biased variance of x over
    all axes but the last; moving = moving * momentum + batch * (1 - momentum) is written in place."""

    name = "batch_norm_train"

    def __init__(self, momentum=0.99, epsilon=1e-3, activation=None):
        super().__init__(epsilon, activation)
        self.momentum = momentum

    def outputs(self, x, gamma, beta, moving_mean, moving_variance, *, keep):
        self._check(x, gamma=gamma, beta=beta, moving_mean=moving_mean, moving_variance=moving_variance)
        if 0 in x.shape[:-1]:
            raise ValueError("batch normalization needs at least one value per channel to train. Received: "
                             f"shape {x.shape}")
        return [Spec(x.shape), Spec(x.shape[-1:]), Spec(x.shape[-1:])] if keep else [Spec(x.shape)]

    def forward(self, empty, inputs, outputs):
        x, gamma, beta, moving_mean, moving_variance = inputs
        channels = x.shape[-1:]
        y, *kept = outputs
        mean, rstd = kept or (empty(channels), empty(channels))
        rows = cut(x.shape)
        slots = empty(slots_shape(x.shape), "float64")
        scale, shift = empty(channels), empty(channels)
        return [_core.bn_stats(x, slots, *rows),
                _core.bn_finish(x, slots, gamma, beta, moving_mean, moving_variance, mean, rstd, scale, shift, *rows,
                                self.momentum, self.epsilon),
                _core.bn_apply(x, mean, scale, shift, y, self.relu)]

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs, masked=False):
        y, mean, rstd = outputs
        y = y if self.relu and not masked else None
        return self._gradients(empty, inputs, y, mean, rstd, d_outputs[0], d_inputs, frozen=False)


class BatchNormInfer(_BatchNorm):
    """y = act(gamma * (x - mean) / sqrt(variance + epsilon) + beta) with a given mean and variance, which get no
    gradient."""

    name = "batch_norm_infer"

    def __init__(self, epsilon=1e-3, activation=None):
        super().__init__(epsilon, activation)

    def outputs(self, x, gamma, beta, mean, variance, *, keep):
        self._check(x, gamma=gamma, beta=beta, mean=mean, variance=variance)
        return [Spec(x.shape), Spec(x.shape[-1:])] if keep else [Spec(x.shape)]

    def forward(self, empty, inputs, outputs):
        x, gamma, beta, mean, variance = inputs
        channels = x.shape[-1:]
        y, *rstd = outputs
        scale, shift = empty(channels), empty(channels)
        return [_core.bn_fold(gamma, beta, variance, rstd[0] if rstd else empty(channels), scale, shift, self.epsilon),
                _core.bn_apply(x, mean, scale, shift, y, self.relu)]

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs, masked=False):
        if d_inputs[3] or d_inputs[4]:
            raise ValueError("The mean and the variance that batch_norm_infer normalizes with get no gradient. Use "
                             "batch_norm_train, or compute the normalization from single operations")
        y, rstd = outputs
        y = y if self.relu and not masked else None
        return self._gradients(empty, inputs, y, inputs[3], rstd, d_outputs[0], d_inputs, frozen=True)


def batch_norm_train(x, gamma, beta, moving_mean, moving_variance, momentum=0.99, epsilon=1e-3, activation=None):
    """x (..., c) normalized by its own mean and variance, times gamma (c) plus beta (c), each of which may be None,
    then `activation` None or 'relu'. The Variables moving_mean and moving_variance (c) are updated in place."""
    return apply(BatchNormTrain(momentum, epsilon, activation), x, gamma, beta, moving_mean, moving_variance)


def batch_norm_infer(x, gamma, beta, mean, variance, epsilon=1e-3, activation=None):
    """x (..., c) normalized by a given mean (c) and variance (c), times gamma (c) plus beta (c), each of which may be
    None, then `activation` None or 'relu'."""
    return apply(BatchNormInfer(epsilon, activation), x, gamma, beta, mean, variance)
