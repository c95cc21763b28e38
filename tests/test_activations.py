"""Activations: derivatives, the places where they bend, axes, and what they refuse; values are in test_layers.py."""
import os

os.environ.setdefault("KERAS_BACKEND", "numpy")

import numpy as np
import pytest

import cnncore
from cnncore import activations, layers, ops

rng = np.random.default_rng(5)
NAMES = sorted(set(activations.__all__) - {"get", "serialize", "deserialize"})
MORE = {"threshold": (0.3, -1.0)}
BENDS = np.array([-6, -3, -1, -0.5, 0, 0.5, 1, 3, 6], "float32")


def values(shape):
    return rng.normal(size=shape).astype("float32")


def nearest_on_the_simplex(x):
    """sparsemax of each row in float64, by its definition: sorting, and the largest support that holds."""
    rows = []
    for row in np.asarray(x, np.float64):
        z = np.sort(row)[::-1]
        k = max(k for k in range(1, len(z) + 1) if 1 + k * z[k - 1] > z[:k].sum())
        rows.append(np.maximum(row - (z[:k].sum() - 1) / k, 0))
    return np.array(rows)


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_is_the_slope(name):
    function, more = activations.get(name), MORE.get(name, ())
    near = values((4, 10))
    near = np.where(np.abs(near[..., None] - BENDS).min(-1) < 0.02, near + 0.05, near).astype("float32")
    x = cnncore.Tensor(near, requires_grad=True)
    y = function(x, *more)
    weight, direction, step = values(y.shape), values(near.shape), 1e-3
    (y * weight).sum().backward()

    def loss(at):
        return (function(cnncore.Tensor(at.astype("float32")), *more).numpy().astype("float64") * weight).sum()

    slope = (loss(near + step * direction) - loss(near - step * direction)) / (2 * step)
    assert (x.grad.numpy() * direction).sum() == pytest.approx(slope, rel=0.01, abs=0.01)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "sparsemax"])
def test_values_where_functions_bend_are_those_of_keras(name):
    keras = pytest.importorskip("keras", exc_type=ImportError)
    x = np.append(BENDS, np.float32(0.3))
    got = getattr(activations, name)(cnncore.Tensor(x), *MORE.get(name, ())).numpy()
    expected = np.asarray(getattr(keras.activations, name)(x, *MORE.get(name, ())))
    np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-6)


def test_relu_at_its_threshold_is_that_of_keras():
    keras = pytest.importorskip("keras", exc_type=ImportError)
    x = np.array([-1, 0.4, 0.5, 0.6, 3], "float32")
    for options in ({"threshold": 0.5}, {"threshold": 0.5, "negative_slope": 0.1}, {"max_value": 0.55},
                    {"threshold": 0.5, "max_value": 0.55, "negative_slope": 0.1}, {"negative_slope": 0.1, "max_value": 1}):
        got = activations.relu(cnncore.Tensor(x), **options).numpy()
        np.testing.assert_allclose(got, np.asarray(keras.activations.relu(x, **options)), rtol=1e-6, atol=1e-7)


def test_sparsemax_is_the_nearest_point_of_the_simplex():
    x = np.concatenate([values((30, 7)), 5 * values((5, 7)), np.zeros((1, 7)), [[1, 1, 0, 0, -9, 1, 1]]]).astype("float32")
    y = activations.sparsemax(x).numpy()
    np.testing.assert_allclose(y, nearest_on_the_simplex(x), atol=1e-6)
    np.testing.assert_allclose(y.sum(1), 1, rtol=1e-5)
    np.testing.assert_array_equal(activations.sparsemax(x.T, axis=0).numpy(), y.T)


@pytest.mark.parametrize("axis", [0, 1, -2])
def test_glu_halves_any_axis_and_no_odd_one(axis):
    x = values((4, 6, 3))
    first, second = np.split(x.astype("float64"), 2, axis)
    np.testing.assert_allclose(activations.glu(x, axis).numpy(), first / (1 + np.exp(-second)), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=r"must be even. Received: shape \(4, 6, 3\), axis=2"):
        activations.glu(x, axis=2)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"threshold"}))
def test_a_layer_of_each_name_keeps_its_name_in_files(name):
    layer = layers.Activation(name)
    assert layers.Activation.from_config(layer.get_config()).activation is activations.get(name)
    x = values((2, 4))
    y = cnncore.Input((4,))
    model = cnncore.Model(y, layer(y))
    np.testing.assert_array_equal(model(x).numpy(), activations.get(name)(ops.convert_to_tensor(x)).numpy())
