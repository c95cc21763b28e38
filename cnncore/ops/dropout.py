"""Dropout: its forward from a counter-based generator, and its backward."""
from cnncore import _core
from cnncore.op import Op, Spec, apply


class Dropout(Op):
    """y = x * mask / (1 - rate), each element of mask being 0 with probability `rate`, else 1."""

    name = "dropout"
    masks_relu = True

    def __init__(self, rate):
        self.rate = float(rate)
        if not 0 <= self.rate <= 1:
            raise ValueError(f"The dropout rate must be between 0 and 1. Received: rate={rate}")
        self.drop = min(round(self.rate * 2**32), 2**32 - 1)
        self.scale = 1 / (1 - self.rate) if self.rate < 1 else 0.0

    def outputs(self, x, state, *, keep):
        if x.dtype != "float32":
            raise TypeError(f"dropout takes float32. Received: {x.dtype}; cast it first")
        if state.shape != (2,) or state.dtype != "uint64":
            raise ValueError("The state of dropout is a uint64 variable of two numbers, seed and counter. Received: "
                             f"shape {state.shape}, {state.dtype}")
        return [Spec(x.shape), Spec(x.shape, "uint8")] if keep else [Spec(x.shape)]

    def forward(self, empty, inputs, outputs):
        x, state = inputs
        y, *mask = outputs
        return [_core.dropout(x, state, y, mask[0] if mask else None, self.drop, self.scale),
                _core.increment(state.rows(1, 2))]

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs):
        dx = d_inputs[0]
        if dx is None:
            return []
        return [_core.dropout_dx(d_outputs[0], outputs[1], inputs[0] if dx.behind_relu else None, dx.buffer, self.scale,
                                 dx.accumulate)]


def dropout(x, rate, state):
    """Zeroes each element with probability `rate` and divides the rest by 1 - rate.

    state: uint64 Variable (seed, counter); the counter is advanced in place, so that the next call draws anew.
    """
    op = Dropout(rate)
    return x if op.rate == 0 else apply(op, x, state)
