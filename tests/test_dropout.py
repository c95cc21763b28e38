"""Dropout: its generator against the published one, its rate, its independence of threads and tiers, its gradient."""
import numpy as np
import pytest
import reference
from layer_checks import THREADS, TIERS, Run, normal, relative_error, same_bits

from cnncore import _core, executor
from cnncore.ops.dropout import Dropout, dropout
from cnncore.tensor import Tensor, Variable

SHAPES = [(), (1,), (5,), (64,), (65,), (3, 33), (2, 7, 5, 6), (20, 1000), (3, 70, 70, 3), (0, 4)]


def state(seed=12345678901234567, counter=3):
    return np.array([seed, counter], np.uint64)


def words(size, seed, counter):
    """The random word of each element, by the contract of cnn_dropout_args."""
    out = np.zeros(-(-size // 64) * 64, np.uint32)
    for c in range(len(out) // 4):
        four = reference.philox4x32_10((c % 2**32, c >> 32, counter % 2**32, counter >> 32), (seed % 2**32, seed >> 32))
        for j in range(4):
            out[64 * (c // 16) + 16 * j + c % 16] = four[j]
    return out[:size]


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("seed, counter", [(0, 0), (12345678901234567, 3), (2**64 - 1, 2**64 - 1), (7, 2**40)])
def test_the_mask_is_philox_of_seed_counter_and_position(seed, counter, tier):
    x, rate = normal(1, (3, 67)), 0.3
    run = Run(Dropout(rate), [x, state(seed, counter)], x, [True, False], tier=tier)
    mask = (words(x.size, seed, counter) >= round(rate * 2**32)).reshape(x.shape)
    assert np.array_equal(run.outputs[1], mask)
    assert relative_error(run.y, reference.dropout(x, mask, rate)) < 1e-7
    assert relative_error(run.grads[0], reference.dropout_vjp(x, x, mask, rate)[0]) < 1e-7


def test_the_references_generator_is_the_published_one():
    full = 0xFFFFFFFF
    assert reference.philox4x32_10((0,) * 4, (0,) * 2) == (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)
    assert reference.philox4x32_10((full,) * 4, (full,) * 2) == (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_bits_do_not_depend_on_threads_tiers_or_what_is_kept(shape):
    x, dy = normal(1, shape), normal(2, shape)
    runs = [Run(Dropout(0.4), [x, state()], dy, [True, False], tier=tier, threads=t) for tier in TIERS for t in THREADS]
    for run in runs[1:]:
        here, first = (r.outputs + r.grads[:1] for r in (run, runs[0]))
        assert all(same_bits(a, b) for a, b in zip(here, first, strict=True))
    assert same_bits(Run(Dropout(0.4), [x, state()]).y, runs[0].y)


@pytest.mark.parametrize("tier", TIERS)
def test_the_counter_advances_and_the_mask_changes(tier):
    x = np.ones((50, 40), np.float32)
    first = Run(Dropout(0.5), [x, state(5, 0)], tier=tier)
    assert list(first.inputs[1]) == [5, 1]
    second = Run(Dropout(0.5), [x, first.inputs[1]], tier=tier)
    other_seed = Run(Dropout(0.5), [x, state(6, 0)], tier=tier)
    for run in (second, other_seed):
        assert 0.4 < (run.y == first.y).mean() < 0.6


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5, 0.9])
def test_the_rate_is_kept_and_the_mean_too(rate):
    run = Run(Dropout(rate), [np.ones((500, 400), np.float32), state()])
    dropped = (run.y == 0).mean()
    assert abs(dropped - rate) < 5 * np.sqrt(rate * (1 - rate) / run.y.size)
    assert set(np.unique(run.y)) == {np.float32(0), np.float32(1 / (1 - rate))}


@pytest.mark.parametrize("tier", TIERS)
def test_accumulate_adds_exactly_and_a_relu_before_masks(tier):
    x, dy, before = np.maximum(normal(1, (3, 45)), 0), normal(2, (3, 45)), normal(3, (3, 45))
    run = Run(Dropout(0.3), [x, state()], dy, [True, False], tier=tier)
    added = Run(Dropout(0.3), [x, state()], dy, [True, False], before=[before, None], tier=tier)
    assert same_bits(added.grads[0], before + run.grads[0])
    behind = Run(Dropout(0.3), [x, state()], dy, [True, False], behind_relu=True, tier=tier)
    assert np.array_equal(behind.grads[0], np.where(x > 0, run.grads[0], 0))


@pytest.mark.parametrize("tier", TIERS)
def test_nan_survives_where_it_is_kept(tier):
    run = Run(Dropout(0.5), [np.full((9, 31), np.nan, np.float32), state()], np.ones((9, 31), np.float32), tier=tier,
              wanted=[True, False])
    assert np.array_equal(np.isnan(run.y), run.outputs[1] == 1) and not run.y[run.outputs[1] == 0].any()


def test_rate_0_is_the_input_itself_and_rate_1_is_all_zeros():
    x, s = Tensor([1.0, 2.0]), Variable(state(), trainable=False)
    assert dropout(x, 0, s) is x
    with executor.no_grad():
        assert dropout(x, 1, s).tolist() == [0, 0]
    assert s.tolist() == [state()[0], 4]


def test_what_does_not_fit_is_explained():
    with pytest.raises(ValueError, match="between 0 and 1. Received: rate=1.5"):
        Dropout(1.5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        Dropout(float("nan"))
    with pytest.raises(ValueError, match="uint64 variable of two numbers"):
        Dropout(0.5).outputs(_core.Buffer.promise((3,)), _core.Buffer.promise((2,), "int64"), keep=False)
    with pytest.raises(TypeError, match="float32"):
        Dropout(0.5).outputs(_core.Buffer.promise((3,), "int32"), _core.Buffer.promise((2,), "uint64"), keep=False)
