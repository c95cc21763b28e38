"""Subnormal numbers, under 1.2e-38, count as zeros inside kernels and stay what they are everywhere else."""
import threading

import numpy as np
import pytest
from layer_checks import THREADS, TIERS

import cnncore
from cnncore import _core, layers
from cnncore.ops import matmul

SUBNORMAL = np.float32(1e-39)


def halved():
    """Half of a subnormal, by NumPy in this thread: 0 where somebody left the CPU flushing them."""
    return np.full(4, SUBNORMAL) * np.float32(0.5)


def train():
    model = cnncore.Sequential([layers.Input((8, 8, 1)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2)])
    model.compile("adam", "mse")
    model.fit(np.ones((8, 8, 8, 1), np.float32), np.zeros((8, 2), np.float32), batch_size=4, verbose=0)
    model.predict(np.ones((2, 8, 8, 1), np.float32), verbose=0)


@pytest.mark.parametrize("threads", THREADS)
def test_the_callers_arithmetic_is_left_as_it_was(threads):
    before = _core.threads()
    _core.set_threads(threads)
    try:
        train()
        assert (halved() > 0).all()
        found = []
        other = threading.Thread(target=lambda: (train(), found.append(halved())))
        other.start()
        other.join()
    finally:
        _core.set_threads(before)
    assert (found[0] > 0).all()


@pytest.mark.parametrize("tier", TIERS)
def test_subnormal_weights_count_as_zeros(tier):
    before = _core.tier()
    _core.use_tier(tier)
    try:
        product = matmul(np.full((64, 64), 1e30, np.float32), np.full((64, 64), SUBNORMAL)).numpy()
    finally:
        _core.use_tier(before)
    assert (product == 0).all()


def test_moments_that_shrink_never_become_subnormal():
    """0.9 of the smallest subnormal rounds to itself: an idle weight's moments would stay there for ever."""
    weight = cnncore.Variable(np.ones(40, np.float32), name="w")
    adam = cnncore.optimizers.Adam(beta_1=0.9, beta_2=0.9)
    adam.build([weight])
    for gradient in [1.0] + [0.0] * 1500:
        adam.apply([cnncore.Tensor(np.full(40, gradient, np.float32))], [weight])
    moments = [variable.numpy() for variable in adam.variables if variable.shape == (40,)]
    assert len(moments) == 2
    for moment in moments:  # where a step of 0.1 of it is subnormal, it may stop short of zero
        assert (moment < 1e-36).all()
        assert ((moment == 0) | (moment >= np.finfo(np.float32).tiny)).all()
