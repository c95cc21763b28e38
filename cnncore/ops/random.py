"""Random numbers from a counter, as operations: what a recorded step draws anew each time it runs."""
import math

from cnncore import _core
from cnncore.op import Op, Spec, apply
from cnncore.ops.elementwise import add, cos, log, multiply, sqrt, subtract


class RandomUniform(Op):
    """y[i] = low + (high - low) * u(seed, counter, i), u being spread evenly over [0, 1)."""

    name = "random_uniform"

    def __init__(self, shape, low, high):
        self.shape, self.low, self.high = tuple(shape), float(low), float(high)

    def outputs(self, state, *, keep):
        if state.shape != (2,) or state.dtype != "uint64":
            raise ValueError("The state of random numbers is a uint64 variable of two numbers, seed and counter. "
                             f"Received: shape {state.shape}, {state.dtype}")
        return [Spec(self.shape)]

    def forward(self, empty, inputs, outputs):
        return [_core.random_uniform(inputs[0], outputs[0], self.low, self.high),
                _core.increment(inputs[0].rows(1, 2))]


def random_uniform(shape, state, low=0.0, high=1.0):
    """Numbers spread evenly over [low, high).

    state: uint64 Variable (seed, counter); the counter is advanced in place, so that the next call draws anew.
    """
    return apply(RandomUniform(shape, low, high), state)


def random_normal(shape, state, mean=0.0, stddev=1.0):
    """Numbers spread as the normal distribution has it: mean + stddev sqrt(-2 log(1 - u)) cos(2 pi v) of two uniform
    numbers (Box and Muller 1958).

    state: uint64 Variable (seed, counter); the counter is advanced by two in place, so that the next call draws anew.
    """
    radius = sqrt(multiply(log(subtract(1.0, random_uniform(shape, state))), -2.0 * stddev**2))
    return add(multiply(radius, cos(random_uniform(shape, state, 0.0, 2 * math.pi))), float(mean))
