"""Random numbers from a counter, as operations: what a recorded step draws anew each time it runs."""
import math

import numpy as np

from cnncore import _core
from cnncore.op import Op, Spec, apply
from cnncore.ops.activations import sigmoid
from cnncore.ops.elementwise import add, cast, cos, floor, log, multiply, sqrt, subtract
from cnncore.ops.order import argsort
from cnncore.tensor import convert


def _check_state(state):
    if state.shape != (2,) or state.dtype != "uint64":
        raise ValueError("The state of random numbers is a uint64 variable of two numbers, seed and counter. "
                         f"Received: shape {state.shape}, {state.dtype}")


class RandomUniform(Op):
    """y[i] = low + (high - low) * u(seed, counter, i), u being spread evenly over [0, 1)."""

    name = "random_uniform"

    def __init__(self, shape, low, high):
        self.shape, self.low, self.high = tuple(shape), float(low), float(high)

    def outputs(self, state, *, keep):
        _check_state(state)
        return [Spec(self.shape)]

    def forward(self, empty, inputs, outputs):
        return [_core.random_uniform(inputs[0], outputs[0], self.low, self.high),
                _core.increment(inputs[0].rows(1, 2))]


class RandomLogGamma(Op):
    """y[i] = the logarithm of a gamma-distributed number of shape alpha[i], or alpha where that is one."""

    name = "random_log_gamma"

    def __init__(self, shape):
        self.shape = tuple(shape)

    def outputs(self, state, alpha, *, keep):
        _check_state(state)
        if alpha.dtype != "float32" or alpha.size != 1 and alpha.shape != self.shape:
            raise ValueError("Gamma-distributed numbers take one float32 alpha, or one for each. Received: "
                             f"{alpha.dtype} of shape {alpha.shape} for {self.shape}")
        return [Spec(self.shape)]

    def forward(self, empty, inputs, outputs):
        return [_core.random_log_gamma(*inputs, outputs[0]), _core.increment(inputs[0].rows(1, 2))]


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


def random_log_gamma(shape, state, alpha):
    """Logarithms of gamma-distributed numbers of shape `alpha`, a number or a tensor of the shape, and scale 1.

    state: uint64 Variable (seed, counter); the counter is advanced in place, so that the next call draws anew.
    """
    alpha = cast(convert(np.float32(alpha)) if isinstance(alpha, (int, float)) else convert(alpha), "float32").detach()
    return apply(RandomLogGamma(shape), state, alpha)


def random_beta(shape, state, alpha, beta):
    """Beta-distributed numbers, by two gamma-distributed ones a and b of these shapes: a / (a + b) from 0 to 1.

    By logarithms, so that shapes near 0, where a and b are both too small for a float, give 0 and 1 as they should.
    """
    return sigmoid(subtract(random_log_gamma(shape, state, alpha), random_log_gamma(shape, state, beta)))


def random_order(count, state):
    """The whole numbers below `count` in a random order, int32."""
    return argsort(random_uniform((count,), state))


def random_integers(shape, state, low, high):
    """Whole numbers spread evenly from `low` to below `high`, int32."""
    return cast(floor(random_uniform(shape, state, low, high)), "int32")
