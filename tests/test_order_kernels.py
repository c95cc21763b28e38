"""The kernels of running sums, sorting, gamma-distributed numbers and pixels' places: fenced, on tiers and threads."""
import numpy as np
import pytest
from layer_checks import THREADS, TIERS, Run, normal, relative_error, same_bits
from scipy import ndimage, stats

from cnncore import _core
from cnncore.ops.indexing import Gather
from cnncore.ops.order import ArgSort, CumSum
from cnncore.ops.random import RandomLogGamma
from cnncore.ops.sample import Sample

SHAPES = [(1,), (0,), (5, 0, 3), (7, 1), (3, 40, 5), (2, 3, 4, 257), (1, 1000)]


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_running_sums_and_their_gradients_are_numpys(shape, tier):
    for axis in range(len(shape)):
        x, dy, before = normal(1, shape), normal(2, shape), normal(3, shape)
        runs = [Run(CumSum(axis), [x], dy, tier=tier, threads=threads) for threads in THREADS]
        assert relative_error(runs[0].y, np.cumsum(x.astype("float64"), axis)) < 1e-5
        back = np.flip(np.cumsum(np.flip(dy.astype("float64"), axis), axis), axis)
        assert relative_error(runs[0].grads[0], back) < 1e-5
        added = Run(CumSum(axis), [x], dy, before=[before], tier=tier)
        assert np.array_equal(added.grads[0], before + runs[0].grads[0])
        assert all(same_bits(run.y, runs[0].y) and same_bits(run.grads[0], runs[0].grads[0]) for run in runs)
        whole = np.rint(10 * x)
        assert np.array_equal(Run(CumSum(axis), [whole], tier=tier).y, np.cumsum(whole, axis))


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("shape", [(1,), (3, 0), (0, 4), (2, 15), (2, 16), (2, 17), (3, 33), (5, 1000)], ids=str)
def test_sorting_is_stable_and_puts_what_is_no_number_last(shape, tier):
    for x in (normal(1, shape), np.rint(normal(2, shape)), np.zeros(shape, "float32"), -np.sort(normal(3, shape))):
        if x.size > 3:
            x[..., [0, -2]] = np.nan, np.inf
            x.ravel()[1::7] = np.nan
        runs = [Run(ArgSort(), [x], tier=tier, threads=threads) for threads in THREADS]
        assert np.array_equal(runs[0].y, np.argsort(x, axis=-1, kind="stable"))
        assert all(same_bits(run.y, runs[0].y) for run in runs)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("alpha", [0.05, 0.5, 1.0, 3.0, 40.0])
def test_gamma_distributed_numbers_are_spread_as_they_should_be(alpha, tier):
    runs = [Run(RandomLogGamma((20000,)), [np.array([9, 4], "uint64"), np.float32([alpha])], tier=tier, threads=threads)
            for threads in THREADS]
    assert all(same_bits(run.y, runs[0].y) for run in runs) and list(runs[0].inputs[0]) == [9, 5]
    y = runs[0].y.astype("float64")
    assert np.isfinite(y).all()
    assert stats.kstest(y, stats.loggamma(alpha).cdf).statistic < 0.015
    each = Run(RandomLogGamma((20000,)), [np.array([9, 4], "uint64"), np.full(20000, alpha, "float32")], tier=tier)
    assert same_bits(each.y, runs[0].y)
    later = Run(RandomLogGamma((20000,)), [np.array([9, 5], "uint64"), np.float32([alpha])], tier=tier).y
    assert abs(np.corrcoef(y, later)[0, 1]) < 0.03 and abs(np.corrcoef(y[1:], y[:-1])[0, 1]) < 0.03


def test_a_tiny_shape_gives_logarithms_that_a_float_holds():
    y = Run(RandomLogGamma((1000,)), [np.array([1, 0], "uint64"), np.float32([1e-6])]).y
    assert np.isfinite(y).all() and y.min() < -1e5


FILLS = list(_core.FILLS)


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("order", [0, 1])
def test_places_are_scipys(fill, order):
    x, place = normal(1, (3, 7, 11, 2)), 6 * normal(2, (3, 9, 5, 2)) + 4
    y = Run(Sample(order, fill, 5.0), [x, place], tier=TIERS[0]).y
    for n in range(3):
        for c in range(2):
            wanted = ndimage.map_coordinates(x[n, :, :, c], place[n].transpose(2, 0, 1).astype("float64"), order=order,
                                             mode=fill, cval=5.0)
            assert np.allclose(y[n, :, :, c], wanted, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 5, 1, 3), (3, 6, 7, 1), (2, 9, 8, 5), (0, 4, 4, 3)], ids=str)
@pytest.mark.parametrize("fill", FILLS)
def test_places_and_their_gradient_on_tiers_and_threads(shape, fill):
    x, place = normal(1, shape), 4 * normal(2, (shape[0], shape[1] + 1, shape[2] + 2, 2)) + 2
    if place.size > 4:
        place[0, 0, 0, 0] = np.nan
    dy, before = normal(3, (*place.shape[:3], shape[3])), normal(4, shape)
    for tier in TIERS:
        runs = [Run(Sample(1, fill), [x, place], dy, [True, False], tier=tier, threads=threads) for threads in THREADS]
        for run in runs[1:]:
            assert same_bits(run.y, runs[0].y) and same_bits(run.grads[0], runs[0].grads[0])
        direction = normal(5, shape)
        moved = Run(Sample(1, fill), [direction, place], tier=tier).y
        assert np.isclose((moved * dy).sum(), (direction * runs[0].grads[0]).sum(), rtol=1e-3, atol=1e-3)
        added = Run(Sample(1, fill), [x, place], dy, [True, False], [before, None], tier=tier).grads[0]
        assert np.allclose(added, before + runs[0].grads[0], atol=1e-5)


@pytest.mark.parametrize("tier", TIERS)
def test_sums_of_groups_and_their_gradient(tier):
    x, index = normal(1, (50, 3)), np.random.default_rng(0).integers(-2, 9, 50).astype("int32")
    dy, before = normal(2, (7, 3)), normal(3, (50, 3))
    wanted = np.zeros((7, 3))
    for row, group in zip(x.astype("float64"), index):
        if -7 <= group < 7:
            wanted[group] += row
    run = Run(Gather(7), [x, index], dy, [True, False], tier=tier)
    assert relative_error(run.y, wanted) < 1e-6
    inside = (index >= -7) & (index < 7)
    back = np.where(inside[:, None], dy[np.where(inside, index, 0)], 0)
    assert np.array_equal(run.grads[0], back)
    assert np.allclose(Run(Gather(7), [x, index], dy, [True, False], [before, None], tier=tier).grads[0], before + back)
