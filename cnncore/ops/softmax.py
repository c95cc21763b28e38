"""Softmax, its logarithm, and the cross-entropy fused with it."""
from cnncore import _core, executor
from cnncore.op import Op, Spec, apply
from cnncore.ops.elementwise import cast, unary
from cnncore.tensor import convert


class Softmax(Op):
    """y = exp(x) / sum of exp(x) over the last axis, or with `log` its logarithm."""

    def __init__(self, log=False):
        self.log = log

    def outputs(self, x, *, keep):
        if not x.shape or x.shape[-1] == 0 or x.dtype != "float32":
            raise ValueError("softmax takes float32 arrays with at least one element along the axis. Received: "
                             f"shape {x.shape}, {x.dtype}")
        return [Spec(x.shape)]

    def forward(self, empty, inputs, outputs):
        return [_core.softmax(inputs[0], outputs[0], self.log)]

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs):
        (dx,) = d_inputs
        return [_core.softmax_dx(outputs[0], d_outputs[0], dx.buffer, self.log, dx.accumulate)] if dx else []


def _along(op, x, axis):
    """Applies an op of the last axis along another one."""
    from cnncore.ops.movement import moveaxis
    from cnncore.ops.reductions import normal_axes

    x = cast(x, "float32")
    (axis,) = normal_axes(axis, x.ndim) if x.ndim else (0,)
    if axis >= x.ndim - 1:
        return apply(op, x)
    return moveaxis(apply(op, moveaxis(x, axis, -1)), -1, axis)


def softmax(x, axis=-1):
    """exp(x) over its sum along an axis."""
    return _along(Softmax(), convert(x), axis)


def log_softmax(x, axis=-1):
    """The logarithm of softmax(x)."""
    return _along(Softmax(log=True), convert(x), axis)


def logits_of(probabilities):
    """The Tensor whose softmax over the last axis these probabilities are, or None where the tape does not say so."""
    node = probabilities.node
    return node.inputs[0] if node is not None and isinstance(node.op, Softmax) and not node.op.log else None


def logits_of_sigmoid(probabilities):
    """The Tensor whose sigmoid these probabilities are, or None where the tape does not say so."""
    node = probabilities.node
    return node.inputs[0] if node is not None and node.op.name == "sigmoid" else None


class SoftmaxCrossEntropy(Op):
    """loss = -sum over classes of t log softmax(x); also keeps the probabilities for backward."""

    def outputs(self, x, target, *, keep):
        if not x.shape or x.shape[-1] == 0:
            raise ValueError(f"softmax_cross_entropy takes logits (..., classes). Received: shape {x.shape}")
        expected = x.shape[:-1] if target.dtype == "int32" else x.shape
        if target.shape != expected or target.dtype not in ("int32", "float32"):
            raise ValueError(f"softmax_cross_entropy of logits of shape {x.shape} takes int32 labels of shape "
                             f"{x.shape[:-1]} or float32 probabilities of shape {x.shape}. Received: {target.dtype} "
                             f"of shape {target.shape}")
        return [Spec(x.shape[:-1]), Spec(x.shape)] if keep else [Spec(x.shape[:-1])]

    def forward(self, empty, inputs, outputs):
        x, target = inputs
        return [_core.softmax_cross_entropy(x, target, outputs[1] if len(outputs) > 1 else None, outputs[0])]

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs):
        dx = d_inputs[0]
        if dx is None:
            return []
        return [_core.softmax_cross_entropy_dx(outputs[1], d_outputs[0], inputs[1], dx.buffer, dx.accumulate)]


def softmax_cross_entropy(logits, labels):
    """The cross-entropy of softmax(logits), (..., classes), with int labels (...) or probabilities (..., classes)."""
    labels = convert(labels)
    labels = cast(labels, "float32" if labels.dtype == "float32" else "int32")
    logits = cast(convert(logits), "float32")
    if labels.requires_grad and executor.grad_enabled():  # what a model says of the labels is learned too
        from cnncore.ops.reductions import sum as total

        return unary("negative", total(labels * log_softmax(logits), -1))
    return apply(SoftmaxCrossEntropy(), logits, labels.detach())


def sigmoid_cross_entropy(logits, targets):
    """The cross-entropy of sigmoid(logits) with targets of the same shape, element by element."""
    logits, targets = convert(logits), cast(convert(targets), "float32")
    return unary("softplus", logits) - logits * targets
