"""Normalization by sample, activations with weights, identities: arguments, values, gradients and files beside Keras."""
import os

os.environ.setdefault("KERAS_BACKEND", "numpy")

import numpy as np
import pytest
from beside_keras import signature

import cnncore
from cnncore import layers
from cnncore.utils import clear_session

keras = pytest.importorskip("keras", exc_type=ImportError)
rng = np.random.default_rng(5)
IMAGE = (2, 5, 4, 6)
CASES = {
    "leaky relu": (lambda k: k.layers.LeakyReLU(), IMAGE),
    "leaky relu of a slope": (lambda k: k.layers.LeakyReLU(0.01), (5, 4)),
    "elu": (lambda k: k.layers.ELU(), IMAGE),
    "elu of alpha": (lambda k: k.layers.ELU(alpha=0.5), (5, 4)),
    "prelu": (lambda k: k.layers.PReLU(), IMAGE),
    "prelu of channels": (lambda k: k.layers.PReLU("ones", "l2", "non_neg", shared_axes=[1, 2]), IMAGE),
    "prelu of one shared axis": (lambda k: k.layers.PReLU(shared_axes=1), IMAGE),
    "relu with all": (lambda k: k.layers.ReLU(0.9, 0.1, 0.3), IMAGE),
    "softmax of axes": (lambda k: k.layers.Softmax((1, 3)), IMAGE),
    "layer norm": (lambda k: k.layers.LayerNormalization(), IMAGE),
    "layer norm of features": (lambda k: k.layers.LayerNormalization(epsilon=0.1), (5, 4)),
    "layer norm of another axis": (lambda k: k.layers.LayerNormalization(axis=1), IMAGE),
    "layer norm of images": (lambda k: k.layers.LayerNormalization(axis=[3, 1, 2]), IMAGE),
    "layer norm of two axes": (lambda k: k.layers.LayerNormalization(axis=(-1, -2)), IMAGE),
    "layer norm bare": (lambda k: k.layers.LayerNormalization(center=False, scale=False), IMAGE),
    "layer norm without offset": (lambda k: k.layers.LayerNormalization(center=False), IMAGE),
    "group norm": (lambda k: k.layers.GroupNormalization(3), IMAGE),
    "group norm of one": (lambda k: k.layers.GroupNormalization(1, epsilon=0.1), (5, 4)),
    "group norm of another axis": (lambda k: k.layers.GroupNormalization(5, axis=1), IMAGE),
    "group norm from behind": (lambda k: k.layers.GroupNormalization(2, axis=-2), IMAGE),
    "instance norm": (lambda k: k.layers.GroupNormalization(-1, scale=False), IMAGE),
    "unit norm": (lambda k: k.layers.UnitNormalization(), IMAGE),
    "unit norm of axes": (lambda k: k.layers.UnitNormalization(axis=[1, 2]), IMAGE),
    "identity": (lambda k: k.layers.Identity(), IMAGE),
    "activity": (lambda k: k.layers.ActivityRegularization(0.1, 0.2), IMAGE),
}
NAMES = ["ActivityRegularization", "ELU", "GroupNormalization", "Identity", "LayerNormalization", "LeakyReLU", "PReLU",
         "ReLU", "Softmax", "UnitNormalization", "AlphaDropout", "GaussianDropout", "GaussianNoise", "SpatialDropout1D",
         "SpatialDropout2D"]


def values(shape):
    return rng.normal(size=shape).astype("float32")


def pair(name):
    """Our layer and Keras's, from fresh counters of names, built, of the same weights."""
    make, shape = CASES[name]
    clear_session()
    keras.utils.clear_session(free_memory=False)
    ours, theirs = make(cnncore), make(keras)
    for layer in (ours, theirs):
        layer.build(shape)
    theirs.set_weights([np.abs(values(w.shape)) + 0.1 for w in theirs.get_weights()])
    ours.set_weights(theirs.get_weights())
    return ours, theirs, shape


def arguments(cls):
    return [(p.name, p.default) for p in signature(cls)]


@pytest.mark.parametrize("name", NAMES)
def test_arguments_are_those_of_keras(name):
    assert arguments(getattr(layers, name)) == arguments(getattr(keras.layers, name))


@pytest.mark.parametrize("name", CASES)
def test_values_weights_names_and_configurations_are_those_of_keras(name):
    ours, theirs, shape = pair(name)
    assert ours.name == theirs.name
    assert [(w.path, tuple(w.shape)) for w in ours.weights] == [(w.path, tuple(w.shape)) for w in theirs.weights]
    assert ours.count_params() == theirs.count_params()
    x = values(shape)
    y, expected = ours(x), np.asarray(theirs(x))
    assert y.shape == expected.shape and y.dtype == "float32"
    np.testing.assert_allclose(y.numpy(), expected, rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose([float(loss) for loss in ours.losses], [float(loss) for loss in theirs.losses], rtol=1e-5)
    mine, other = ours.get_config(), theirs.get_config()
    plain = {k for k, v in other.items() if not isinstance(v, dict) and k != "dtype"}
    assert set(mine) == set(other)
    assert {k: mine[k] for k in plain} == {k: other[k] for k in plain}
    assert tuple(ours.compute_output_shape((None, *shape[1:]))) == tuple(theirs.compute_output_shape((None, *shape[1:])))


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_the_slopes_of_keras(name):
    ours, theirs, shape = pair(name)
    start = values(shape)
    bends = np.array([0, 0.3, 0.9], "float32")  # no step crosses one of these
    start = np.where(np.abs(start[..., None] - bends).min(-1) < 0.06, start + 0.15, start).astype("float32")
    x = cnncore.Tensor(start, requires_grad=True)
    y = ours(x)
    weight = values(y.shape)
    (y * weight).sum().backward()

    def slope(move):
        """Of Keras's output, weighted, where `move(t)` returns the inputs after a step of t; of fourth order."""
        def about(step):
            after, before = (np.asarray(theirs(move(t)), np.float64) for t in (step, -step))
            return ((after - before) * weight).sum() / (2 * step)

        return (4 * about(0.005) - about(0.01)) / 3

    direction = np.clip(values(shape), -3, 3)
    assert (x.grad.numpy() * direction).sum() == pytest.approx(slope(lambda t: start + np.float32(t) * direction),
                                                               rel=3e-3, abs=3e-3)
    for mine, other in zip(ours.trainable_weights, theirs.trainable_weights, strict=True):
        at, direction = np.array(other), values(other.shape)

        def move(t, other=other, at=at, direction=direction):
            other.assign(at + np.float32(t) * direction)
            return start

        assert (mine.grad.numpy() * direction).sum() == pytest.approx(slope(move), rel=3e-3, abs=3e-3)
        other.assign(at)


@pytest.mark.parametrize("name", CASES)
def test_a_model_of_it_trains_on_any_threads_and_comes_back_from_a_file(name, tmp_path):
    make, shape = CASES[name]
    x, y = values((6, *shape[1:])), values((6, 2))
    found = []
    for threads, eager in ((1, False), (2, False), (1, True)):
        before = cnncore.config.get_num_threads()
        cnncore.config.set_num_threads(threads)
        cnncore.utils.set_random_seed(3)
        model = cnncore.Sequential([layers.Input(shape[1:]), make(cnncore), layers.Flatten(), layers.Dense(2)])
        model.compile("sgd", "mse", run_eagerly=eager)
        model.fit(x, y, batch_size=3, epochs=2, verbose=0)
        cnncore.config.set_num_threads(before)
        found.append(model.get_weights())
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
    model.save(tmp_path / "model.keras")
    again = cnncore.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    if name == "softmax of axes":
        return  # files make a list of a tuple, of which Keras's own Softmax takes no account
    theirs = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(theirs.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["leaky relu", "prelu of channels", "layer norm", "group norm", "unit norm"])
def test_lengths_that_are_not_known_yet_stay_unknown(name):
    make, _ = CASES[name]
    assert make(cnncore)(cnncore.Input((None, None, 6))).shape == (None, None, None, 6)


def test_old_arguments_are_taken_with_a_warning():
    with pytest.warns(UserWarning, match="negative_slope"):
        assert layers.LeakyReLU(alpha=0.2).negative_slope == 0.2
    x = values(IMAGE)
    with pytest.warns(UserWarning, match="rms_scaling"):
        ours, theirs = (k.layers.LayerNormalization(axis=(1, 2), rms_scaling=True) for k in (cnncore, keras))
        expected = np.asarray(theirs(x))
    np.testing.assert_allclose(ours(x).numpy(), expected, rtol=1e-5, atol=1e-6)
    assert [w.name for w in ours.weights] == ["gamma"] and ours.get_config()["rms_scaling"] is True


def test_a_sample_of_zeros_has_a_finite_gradient():
    for layer in (layers.UnitNormalization(), layers.LayerNormalization(), layers.GroupNormalization(2)):
        x = cnncore.Tensor(np.zeros((2, 4), "float32"), requires_grad=True)
        (layer(x) * values((2, 4))).sum().backward()
        assert np.isfinite(x.grad.numpy()).all()


@pytest.mark.parametrize("mask_shape", [IMAGE, (2, 1, 1, 6), (6,), (5, 1, 1)])
def test_softmax_of_a_mask_is_that_of_keras(mask_shape):
    x, mask = values(IMAGE), rng.random(mask_shape) < 0.6
    for axis in (-1, 1, (1, 2)):
        expected = np.asarray(keras.layers.Softmax(axis)(x, mask=mask))
        np.testing.assert_allclose(layers.Softmax(axis)(x, mask=mask).numpy(), expected, rtol=1e-5, atol=1e-7)
    with pytest.raises(ValueError, match=r"mask that broadcasts.*Received: mask of shape \(5,\)"):
        layers.Softmax()(x, mask=np.ones(5, bool))


def test_identity_returns_a_nest_as_it_is():
    a, b = values((2, 3)), values((2, 5))
    y = layers.Identity()({"a": a, "b": [b]})
    np.testing.assert_array_equal(y["a"], a)
    np.testing.assert_array_equal(y["b"][0], b)
    inputs = [cnncore.Input((3,)), cnncore.Input((5,))]
    assert [t.shape for t in layers.Identity()(inputs)] == [(None, 3), (None, 5)]


def test_activity_regularization_is_part_of_the_loss():
    model = cnncore.Sequential([layers.Input((3,)), layers.ActivityRegularization(l1=0.5)])
    model.compile("sgd", "mse")
    x = values((8, 3))
    assert model.evaluate(x, x, batch_size=8, verbose=0) == pytest.approx(0.5 * np.abs(x).sum() / 8, rel=1e-5)


ERRORS = {
    "slope": (ValueError, lambda: layers.LeakyReLU(-1), "LeakyReLU: negative_slope.*Received: negative_slope=-1"),
    "no slope": (ValueError, lambda: layers.LeakyReLU(None), "negative_slope=None"),
    "alpha": (ValueError, lambda: layers.ELU("big"), "ELU: alpha.*'big'"),
    "batch shared": (ValueError, lambda: layers.PReLU(shared_axes=[0]), "PReLU: shared_axes"),
    "axis shared": (ValueError, lambda: layers.PReLU(shared_axes=[4])(values(IMAGE)), r"shared_axes=\[4\].*Received"),
    "prelu unknown": (ValueError, lambda: layers.PReLU()(cnncore.Input((None, 3))), "must know how many values"),
    "axis as text": (TypeError, lambda: layers.LayerNormalization("last"), "axis.*Received: axis='last'"),
    "axis of unit": (TypeError, lambda: layers.UnitNormalization(1.5), "axis=1.5"),
    "axis not there": (ValueError, lambda: layers.LayerNormalization(4)(values(IMAGE)), "axis=4.*choose an axis"),
    "axis of the batch": (ValueError, lambda: layers.LayerNormalization(0)(values(IMAGE)), "axis=0"),
    "unit axis not there": (ValueError, lambda: layers.UnitNormalization(7)(values(IMAGE)), "axis=7"),
    "groups 0": (ValueError, lambda: layers.GroupNormalization(0), "groups.*Received: groups=0"),
    "groups that do not divide": (ValueError, lambda: layers.GroupNormalization(4)(values(IMAGE)), "4 equal groups"),
    "too many groups": (ValueError, lambda: layers.GroupNormalization()(values(IMAGE)), "32 equal groups.*6 channels"),
    "group axis": (ValueError, lambda: layers.GroupNormalization(axis=[1]), r"axis=\[1\]"),
    "activity": (ValueError, lambda: layers.ActivityRegularization(l1=-1), "l1=-1"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_does_not_fit_is_explained(name):
    kind, make, message = ERRORS[name]
    with pytest.raises(kind, match=message):
        make()


@pytest.mark.parametrize("make", [layers.PReLU, layers.LayerNormalization, lambda: layers.GroupNormalization(2)])
def test_other_inputs_than_it_was_built_for_are_refused(make):
    layer = make()
    layer(values(IMAGE))
    with pytest.raises(ValueError, match="was built for inputs of 4 axes"):
        layer(values((2, 6)))
    with pytest.raises(ValueError, match="was built for inputs of 6"):
        layer(values((2, 5, 4, 8)))
