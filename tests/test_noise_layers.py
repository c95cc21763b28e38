"""Noise and dropout of channels: statistics, seeds, what is dropped together, threads and plans, gradients."""
import numpy as np
import pytest
from layer_checks import THREADS, TIERS

import cnncore
from cnncore import _core, layers
from cnncore.ops.random import random_normal
from cnncore.tensor import Variable

MAKE = {
    "GaussianNoise": lambda **o: layers.GaussianNoise(0.5, **o),
    "GaussianDropout": lambda **o: layers.GaussianDropout(0.3, **o),
    "AlphaDropout": lambda **o: layers.AlphaDropout(0.3, **o),
    "AlphaDropout of a noise shape": lambda **o: layers.AlphaDropout(0.3, (None, 1, 1, 4), **o),
    "SpatialDropout2D": lambda **o: layers.SpatialDropout2D(0.3, **o),
    "SpatialDropout2D channels first": lambda **o: layers.SpatialDropout2D(0.3, "channels_first", **o),
}
IMAGE = (6, 5, 3, 4)
rng = np.random.default_rng(5)


def values(shape):
    return rng.normal(size=shape).astype("float32")


@pytest.mark.parametrize("tier", TIERS)
def test_normal_numbers_have_the_normal_distribution(tier):
    before = _core.tier()
    _core.use_tier(tier)
    try:
        state = Variable(np.array([7, 3], "uint64"), trainable=False)
        x = random_normal((400, 500), state, 2.0, 3.0).numpy().astype("float64")
    finally:
        _core.use_tier(before)
    assert state.tolist() == [7, 5]
    z = (x.ravel() - 2) / 3
    assert np.isfinite(z).all() and abs(z.mean()) < 0.01 and abs(z.std() - 1) < 0.01
    for bound, part in ((0, 0.5), (-1, 0.158655), (1.959964, 0.975), (-2.575829, 0.005)):
        assert (z < bound).mean() == pytest.approx(part, abs=5 * np.sqrt(part * (1 - part) / z.size))
    assert abs(np.corrcoef(z[:-1], z[1:])[0, 1]) < 0.01


def test_the_strength_is_that_of_the_arguments():
    x = np.full((200, 500), 2, "float32")
    y = layers.GaussianNoise(0.5)(x, training=True).numpy()
    assert y.mean() == pytest.approx(2, abs=0.01) and y.std() == pytest.approx(0.5, abs=0.01)
    y = layers.GaussianDropout(0.3)(x, training=True).numpy()
    assert y.mean() == pytest.approx(2, abs=0.02) and y.std() == pytest.approx(2 * np.sqrt(0.3 / 0.7), rel=0.02)
    x = values((200, 500))
    y = layers.AlphaDropout(0.3)(x, training=True).numpy()
    assert y.mean() == pytest.approx(0, abs=0.02) and y.std() == pytest.approx(1, abs=0.02)
    lowest = -1.7580993408473766
    scale = (0.7 * (1 + 0.3 * lowest**2)) ** -0.5
    dropped = np.isclose(y, scale * lowest * 0.7, atol=1e-6)
    assert dropped.mean() == pytest.approx(0.3, abs=0.01)
    np.testing.assert_allclose(y[~dropped], (x * scale - scale * lowest * 0.3)[~dropped], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", MAKE)
def test_nothing_happens_outside_of_training_or_without_strength(name):
    x = values(IMAGE)
    np.testing.assert_array_equal(MAKE[name]()(x).numpy(), x)
    np.testing.assert_array_equal(MAKE[name]()(x, training=False).numpy(), x)
    np.testing.assert_array_equal(type(MAKE[name]())(0)(x, training=True).numpy(), x)


@pytest.mark.parametrize("name", MAKE)
def test_a_seed_repeats_it_and_each_call_draws_anew(name):
    x, layer = np.ones((8, 9, 7, 4), "float32"), MAKE[name](seed=3)
    first, second = (layer(x, training=True).numpy() for _ in range(2))
    assert (first != second).any()
    again = MAKE[name](seed=3)
    np.testing.assert_array_equal(again(x, training=True).numpy(), first)
    found = []
    for _ in range(2):
        cnncore.utils.set_random_seed(4)
        found.append(MAKE[name]()(x, training=True).numpy())
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("name", MAKE)
def test_any_threads_and_eager_training_give_the_same_bits(name):
    x, y = values((48, *IMAGE[1:])), values((48, 2))
    found = []
    for threads, eager in [(t, False) for t in THREADS] + [(1, True)]:
        before = _core.threads()
        _core.set_threads(threads)
        try:
            cnncore.utils.set_random_seed(3)
            model = cnncore.Sequential([layers.Input(IMAGE[1:]), MAKE[name](), layers.Flatten(), layers.Dense(2)])
            model.compile("sgd", "mse", run_eagerly=eager)
            model.fit(x, y, batch_size=20, epochs=2, verbose=0)
        finally:
            _core.set_threads(before)
        found.append(model.get_weights())
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", MAKE)
def test_the_gradient_is_the_slope_under_the_same_noise(name):
    weight, direction, start = values(IMAGE), values(IMAGE), values(IMAGE)
    x = cnncore.Tensor(start, requires_grad=True)
    (MAKE[name](seed=3)(x, training=True) * weight).sum().backward()

    def loss(at):
        return (MAKE[name](seed=3)(at.astype("float32"), training=True).numpy().astype("float64") * weight).sum()

    slope = loss(start + direction) - loss(start)  # all are linear in their input
    assert (x.grad.numpy() * direction).sum() == pytest.approx(slope, rel=1e-3, abs=1e-3)


def test_whole_channels_are_dropped():
    x = np.ones((40, 6, 5, 8), "float32")
    y = layers.SpatialDropout2D(0.25)(x, training=True).numpy()
    assert (y == y[:, :1, :1]).all() and set(np.unique(y)) == {np.float32(0), np.float32(1) / np.float32(0.75)}
    assert (y[:, 0, 0] == 0).mean() == pytest.approx(0.25, abs=0.12)
    y = layers.SpatialDropout2D(0.25, data_format="channels_first")(x, training=True).numpy()
    assert (y == y[:, :, :1, :1]).all() and 0 < (y == 0).mean() < 1
    y = layers.SpatialDropout1D(0.25)(x[:, :, 0], training=True).numpy()
    assert (y == y[:, :1]).all() and 0 < (y == 0).mean() < 1
    y = layers.AlphaDropout(0.25, noise_shape=(None, 1, 1, 8))(x, training=True).numpy()
    assert (y == y[:, :1, :1]).all() and len(np.unique(y)) == 2


@pytest.mark.parametrize("name", MAKE)
def test_configurations_are_those_of_keras(name):
    keras = pytest.importorskip("keras", exc_type=ImportError)
    ours = MAKE[name](seed=3, name="here")
    theirs = getattr(keras.layers, type(ours).__name__).from_config(ours.get_config())
    mine, other = ours.get_config(), theirs.get_config()
    assert set(mine) == set(other) and not ours.weights
    assert all(mine[key] == other[key] for key in set(other) - {"dtype"})
    assert type(ours).from_config(mine).get_config() == mine


ERRORS = {
    "stddev": (lambda: layers.GaussianNoise(1.5), "GaussianNoise: stddev.*from 0 to 1. Received: stddev=1.5"),
    "rate": (lambda: layers.GaussianDropout(-0.1), "GaussianDropout: rate.*Received: rate=-0.1"),
    "rate of 1": (lambda: layers.GaussianDropout(1), "rate of 1 leaves nothing"),
    "alpha rate of 1": (lambda: layers.AlphaDropout(1.0), "rate of 1 leaves nothing"),
    "no rate": (lambda: layers.AlphaDropout(None), "rate=None"),
    "noise shape": (lambda: layers.AlphaDropout(0.5, (None, 2))(values((3, 4))), r"noise_shape=\(None, 2\)"),
    "noise shape of a number": (lambda: layers.AlphaDropout(0.5, 3), "noise_shape=3"),
    "spatial rate": (lambda: layers.SpatialDropout1D(2), "SpatialDropout1D: rate|Dropout: rate.*rate=2"),
    "data format": (lambda: layers.SpatialDropout2D(0.5, "last"), "SpatialDropout2D: data_format.*'last'"),
    "steps": (lambda: layers.SpatialDropout1D(0.5)(values(IMAGE)), r"takes inputs of 3 axes, \(batch, steps"),
    "images": (lambda: layers.SpatialDropout2D(0.5)(values((3, 4))), r"takes inputs of 4 axes, \(batch, height"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_does_not_fit_is_explained(name):
    make, message = ERRORS[name]
    with pytest.raises(ValueError, match=message):
        make()
