"""The checkers of checkers.py notice wrong kernels: each is fed operations that are wrong in one way and must fail."""
import ctypes

import numpy as np
import pytest
from cases import CASES
from checkers import check_accumulation, check_forward, check_gradient, check_whole_numbers
from layer_checks import Run, same_bits
from op_table import OPS

from cnncore import _core
from cnncore.op import Grad

TIER = _core.tiers_here()[-1]


def case_of(op, id):
    return next(case for case in CASES[op] if case.id == id)


CONV = ("conv2d", case_of("conv2d", "3x3_valid_odd"))
ADD = ("add", case_of("add", "same"))
TANH = ("tanh", case_of("tanh", "rows"))


class Wrong:
    """An op whose forward or backward is followed by something wrong."""

    def __init__(self, op, forward=None, backward=None, accumulate=None):
        self._op, self._forward, self._backward, self._accumulate = op, forward, backward, accumulate

    def __getattr__(self, name):
        return getattr(self._op, name)

    def forward(self, empty, inputs, outputs):
        calls = self._op.forward(empty, inputs, outputs)
        return calls + (self._forward(empty, outputs[0]) if self._forward else [])

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs):
        if self._accumulate is not None:
            d_inputs = [d and Grad(d.buffer, self._accumulate) for d in d_inputs]
        calls = self._op.backward(empty, inputs, outputs, d_outputs, d_inputs)
        if self._backward:
            for d in d_inputs:
                calls += self._backward(empty, d.buffer) if d else []
        return calls


def zeros(empty, y):
    return [_core.fill(y, 0.0)]


def scaled(by):
    def calls(empty, y):
        copy = empty(y.shape)
        return [_core.unary("affine", y, copy, by), _core.strided_copy(copy, y, (y.size,), [1], [1])]

    return calls


def last_element_lost(empty, y):
    value = empty((1,))
    return [_core.fill(value, 0.0), _core.strided_copy(value, y, (1,), [1], [1], 0, y.size - 1)]


def nothing_written(empty, y):
    value = empty((1,))
    return [_core.fill(value, np.nan), _core.strided_copy(value, y, (y.size,), [0], [1])]


FORWARD_FAULTS = [zeros, scaled(-1.0), scaled(1.0001), last_element_lost, nothing_written]


def build(op, **faults):
    return lambda case: Wrong(OPS[op](case), **faults)


@pytest.mark.parametrize("op,case", [CONV, ADD, TANH])
def test_the_right_operations_pass(op, case):
    for check in (check_forward, check_gradient, check_accumulation):
        check(op, case, TIER, build(op))


@pytest.mark.parametrize("op,case", [CONV, ADD, TANH])
@pytest.mark.parametrize("fault", FORWARD_FAULTS)
def test_a_wrong_forward_is_noticed(op, case, fault):
    with pytest.raises(AssertionError):
        check_forward(op, case, TIER, build(op, forward=fault))


@pytest.mark.parametrize("op,case", [CONV, ADD, TANH])
@pytest.mark.parametrize("fault", FORWARD_FAULTS)
def test_a_wrong_gradient_is_noticed(op, case, fault):
    with pytest.raises(AssertionError):
        check_gradient(op, case, TIER, build(op, backward=fault))


@pytest.mark.parametrize("op,case", [CONV, ADD, TANH])
def test_ignoring_accumulate_is_noticed(op, case):
    with pytest.raises(AssertionError):
        check_accumulation(op, case, TIER, build(op, accumulate=False))


@pytest.mark.parametrize("op,case", [CONV, ADD, TANH])
def test_always_accumulating_is_noticed(op, case):
    with pytest.raises(AssertionError):  # what was there is NaN
        check_gradient(op, case, TIER, build(op, accumulate=True))


@pytest.mark.parametrize("op,case", [CONV, ADD])
@pytest.mark.parametrize("where", ["forward", "backward"])
def test_the_smallest_error_on_whole_numbers_is_noticed(op, case, where):
    with pytest.raises(AssertionError):
        check_whole_numbers(op, case, TIER, build(op, **{where: scaled(1 + 2**-22)}))


def test_a_write_past_the_end_is_noticed():
    class Past:
        """y, and four bytes more."""

        def outputs(self, x, *, keep):
            return OPS["tanh"](TANH[1]).outputs(x, keep=keep)

        def forward(self, empty, inputs, outputs):
            (x,), (y,) = inputs, outputs
            ctypes.memset(y.address + y.nbytes, 0, 4)
            return [_core.unary("tanh", x, y)]

    with pytest.raises(AssertionError, match="outside"):
        Run(Past(), [np.ones((3, 5), np.float32)])


def test_bits_tell_what_numbers_do_not():
    a = np.array([0.0, np.nan], np.float32)
    assert same_bits(a, a.copy())
    assert not same_bits(a, np.array([-0.0, np.nan], np.float32))
