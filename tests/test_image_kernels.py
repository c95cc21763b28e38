"""The kernels of random numbers, affine transformations and resizing: fenced, on every tier, on any number of threads."""
import numpy as np
import pytest
from layer_checks import THREADS, TIERS, Run, normal, relative_error, same_bits
from test_dropout import words

from cnncore import _core
from cnncore.ops.image import METHODS, Affine, Resample, _weights
from cnncore.ops.random import RandomUniform

FILLS = list(_core.FILLS)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("shape", [(1,), (63,), (3, 70), (0,), (40, 40)], ids=str)
def test_uniform_numbers_are_philoxs_words(shape, tier):
    state = np.array([12345678901234567, 3], "uint64")
    run = Run(RandomUniform(shape, -2, 3), [state], tier=tier)
    u = (words(int(np.prod(shape)), *map(int, state)) >> 8).reshape(shape) / 2**24
    assert np.allclose(run.y, -2 + 5 * u, atol=1e-6) and list(run.inputs[0]) == [state[0], 4]
    assert all(same_bits(Run(RandomUniform(shape, -2, 3), [state], tier=tier, threads=t).y, run.y) for t in THREADS)


def test_uniform_numbers_stay_below_the_end_and_are_spread_evenly():
    y = Run(RandomUniform((400000,), 7.0, np.nextafter(np.float32(7), np.float32(8))), [np.array([1, 0], "uint64")]).y
    assert (y == 7).all()
    y = Run(RandomUniform((400000,), 0, 1), [np.array([1, 0], "uint64")]).y
    assert y.min() >= 0 and y.max() < 1 and np.allclose(np.histogram(y, 10, (0, 1))[0] / y.size, 0.1, atol=0.003)


def transforms(batch, seed=0):
    rng = np.random.default_rng(seed)
    t = rng.normal(0, 0.5, (batch, 6)) + [1, 0, 0, 0, 1, 0]
    t[:, [2, 5]] += rng.normal(0, 4, (batch, 2))
    return t


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("order", [0, 1])
def test_affine_is_scipys(fill, order):
    ndimage = pytest.importorskip("scipy.ndimage")
    x, t = normal(1, (4, 7, 11, 2)), transforms(4)
    y = Run(Affine(order, fill, 5.0, (9, 6)), [x, t], tier=TIERS[0]).y
    for n in range(4):
        for c in range(2):
            wanted = ndimage.affine_transform(x[n, :, :, c], t[n].reshape(2, 3)[:, :2], t[n, [2, 5]], (9, 6), order=order,
                                              mode=fill, cval=5.0)
            assert np.allclose(y[n, :, :, c], wanted, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 5, 1, 3), (3, 6, 7, 1), (2, 9, 8, 5), (0, 4, 4, 3)], ids=str)
@pytest.mark.parametrize("fill", FILLS)
def test_affine_and_its_gradient_on_tiers_and_threads(shape, fill):
    x, t = normal(1, shape), transforms(shape[0])
    size = (shape[1] + 1, shape[2] + 2)
    dy = normal(2, (shape[0], *size, shape[3]))
    for tier in TIERS:
        runs = [Run(Affine(1, fill, 0.0, size), [x, t], dy, tier=tier, threads=threads) for threads in THREADS]
        for run in runs[1:]:
            assert same_bits(run.y, runs[0].y) and same_bits(run.grads[0], runs[0].grads[0])
        # y is linear in x where the fill value is 0, so its gradient is the same map, turned round.
        assert np.isclose((runs[0].y * dy).sum(dtype=float), (runs[0].grads[0] * x).sum(dtype=float), rtol=1e-3, atol=1e-3)
        before = normal(3, shape)
        added = Run(Affine(1, fill, 0.0, size), [x, t], dy, before=[before, None], tier=tier)
        assert relative_error(added.grads[0], before + runs[0].grads[0]) < 1e-6


def test_places_without_number_or_far_away_are_outside():
    x = normal(1, (1, 3, 3, 1))
    for value, rest in ((np.nan, "nearest"), (np.inf, "constant"), (1e300, "grid-constant")):
        t = np.array([[1, 0, value, 0, 1, 0]])
        assert (Run(Affine(1, rest, 9.0), [x, t]).y == 9).all()
    for fill in FILLS:
        y = Run(Affine(1, fill, 9.0), [x, np.array([[1e300, 0, -1e300, 0, 1e12, 1e12]])]).y
        assert np.isfinite(y).all()


@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("method", METHODS)
def test_resampling_is_a_product_with_its_weights(method, axis):
    x = normal(1, (3, 9, 7, 5))
    for length in (1, 4, 9, 20):
        for antialias in (False, True):
            matrix = _weights(x.shape[axis], length, method, antialias)
            wanted = np.moveaxis(np.tensordot(x, matrix, axes=(axis, 0)), -1, axis)
            dy = normal(2, wanted.shape)
            for tier in TIERS:
                runs = [Run(Resample(axis, length, method, antialias), [x], dy, tier=tier, threads=t) for t in THREADS]
                assert all(same_bits(run.y, runs[0].y) for run in runs)
                assert relative_error(runs[0].y, wanted) < 1e-6
                back = np.moveaxis(np.tensordot(dy, matrix, axes=(axis, 1)), -1, axis)
                assert relative_error(runs[0].grads[0], back) < 1e-6


@pytest.mark.parametrize("method", METHODS)
def test_weights_of_resizing_add_up_to_one(method):
    for old, new in ((5, 5), (7, 3), (3, 8), (1, 4), (64, 10)):
        assert np.allclose(_weights(old, new, method, False).sum(0), 1)
        assert np.allclose(_weights(old, new, method, True).sum(0), 1)


def test_what_does_not_fit_is_explained():
    x, t = _core.Buffer.allocate((2, 3, 3, 1)), _core.Buffer.allocate((2, 6), "float64")
    with pytest.raises(ValueError, match="six float64 numbers for each of 2 images"):
        Affine().outputs(x, _core.Buffer.allocate((2, 8), "float64"), keep=False)
    with pytest.raises(ValueError, match="float32 images"):
        Affine().outputs(_core.Buffer.allocate((3, 3, 1)), t, keep=False)
    with pytest.raises(ValueError, match="order from 0 to 5"):
        _core.affine(x, t, x, 6, "nearest", 0.0)
    with pytest.raises(ValueError, match="at least one pixel"):
        _core.affine(_core.Buffer.allocate((2, 0, 3, 1)), t, x, 1, "nearest", 0.0)
    index, weight = (_core.Buffer.wrap(a) for a in (np.array([[3]], "int32"), np.ones((1, 1), "float32")))
    with pytest.raises(ValueError, match="inside the image. Received: 3"):
        _core.resample(x, index, weight, _core.Buffer.allocate((2, 1, 3, 1)), 1, False)
    with pytest.raises(ValueError, match="uint64 variable of two numbers"):
        RandomUniform((3,), 0, 1).outputs(_core.Buffer.allocate((2,), "int64"), keep=False)
