"""Layers that prepare and augment images: what Keras computes from the same random numbers, in models and plans."""
import inspect
import math

import keras
import numpy as np
import pytest

import cnncore
from cnncore import layers
from cnncore.ops import image
from cnncore.ops.random import random_uniform
from cnncore.tensor import Variable


def pictures(shape=(5, 14, 17, 3), seed=0):
    """Smooth pictures from 0 to 255, in which a small error of place is a small error of value."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:shape[1], 0:shape[2]]
    waves = [127.5 + 127.5 * np.sin(rng.uniform(0.1, 0.6) * x + rng.uniform(0.1, 0.6) * y + rng.uniform(0, 6))
             for _ in range(shape[0] * shape[3])]
    return np.stack(waves).reshape(shape[0], shape[3], *shape[1:3]).transpose(0, 2, 3, 1).astype("float32").copy()


RANDOM = [
    ("RandomFlip", {}), ("RandomFlip", {"mode": "horizontal"}), ("RandomFlip", {"mode": "vertical"}),
    ("RandomRotation", {"factor": 0.2}), ("RandomRotation", {"factor": (0.1, 0.3), "fill_mode": "constant"}),
    ("RandomRotation", {"factor": 0.3, "fill_mode": "wrap"}), ("RandomRotation", {"factor": 0.3, "fill_mode": "nearest"}),
    ("RandomZoom", {"height_factor": 0.4}), ("RandomZoom", {"height_factor": (-0.5, 0.9), "width_factor": 0.3}),
    ("RandomTranslation", {"height_factor": 0.3, "width_factor": (-0.1, 0.4)}),
    ("RandomTranslation", {"height_factor": 0.3, "width_factor": 0.3, "fill_mode": "constant", "fill_value": 99.0}),
    ("RandomCrop", {"height": 6, "width": 9}), ("RandomCrop", {"height": 20, "width": 9}),
    ("RandomContrast", {"factor": 0.6}), ("RandomContrast", {"factor": (0.9, 0.1), "value_range": (0, 200)}),
    ("RandomBrightness", {"factor": 0.5}), ("RandomBrightness", {"factor": (-0.8, -0.1), "value_range": (20, 255)}),
]


def kerass(name, options, x, monkeypatch, seed, training=True):
    """What Keras's layer makes of our random numbers."""
    layer = getattr(keras.layers, name)(**options)
    state = Variable(np.array([seed, 0], "uint64"), trainable=False)

    def uniform(shape, minval=0.0, maxval=1.0, **_):
        return random_uniform((math.prod(shape),), state, minval, maxval).numpy().reshape(tuple(shape))

    monkeypatch.setattr(layer.backend.random, "uniform", uniform)
    return np.asarray(layer(x, training=training))


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("name, options", RANDOM, ids=str)
def test_random_layers_do_what_keras_does_with_the_same_numbers(name, options, data_format, monkeypatch):
    x = pictures()
    if data_format == "channels_first":
        x = x.transpose(0, 3, 1, 2).copy()
    options = {**options, "data_format": data_format}
    ours = getattr(layers, name)(seed=7, **options)
    for given in (x, x[2]):
        state = ours.generator.state
        state[1] = 0
        got = ours(given).numpy()
        wanted = kerass(name, options, given, monkeypatch, 7)
        if options.get("height") == 20:  # larger than the images: Keras distorts them, against its own description
            wanted = np.asarray(keras.ops.image.resize(given, (20, 9), crop_to_aspect_ratio=True, data_format=data_format))
        assert got.shape == wanted.shape and got.dtype == np.float32
        assert np.abs(got - wanted).max() < 0.05, f"{np.abs(got - wanted).max()} away"
    quiet = ours(x, training=False).numpy()
    if name == "RandomCrop":
        resized = image.resize(x, (ours.height, ours.width), crop_to_aspect_ratio=True, data_format=data_format)
        assert np.array_equal(quiet, resized.numpy())
    else:
        assert np.array_equal(quiet, x)


@pytest.mark.parametrize("name, options", RANDOM, ids=str)
def test_random_layers_draw_anew_and_repeat_by_seed(name, options):
    x = pictures((9, 14, 17, 1))
    runs = []
    for _ in range(2):
        layer = getattr(layers, name)(seed=3, **options)
        runs.append([layer(x).numpy() for _ in range(4)])
    assert all(np.array_equal(a, b) for a, b in zip(*runs, strict=True))
    if options.get("height") != 20:  # too large to be cut out: resized instead
        assert any(not np.array_equal(runs[0][0], later) for later in runs[0][1:])
    again = getattr(layers, name).from_config(getattr(layers, name)(seed=3, **options).get_config())
    assert np.array_equal(again(x).numpy(), runs[0][0])


@pytest.mark.parametrize("order", ["nearest", "bilinear"])
def test_pixels_are_taken_whole_where_nothing_lies_between(order):
    x = pictures((1, 9, 11, 3))
    for factor in (1 / 4, 1 / 2):  # quarter and half turns
        size = 9 if factor == 1 / 4 else 11
        given = x[:, :, :size]
        turned = layers.RandomRotation((factor, factor), interpolation=order, fill_mode="nearest")(given).numpy()
        assert np.allclose(turned, np.rot90(given, -round(4 * factor), (1, 2)), atol=0.01) or \
            np.allclose(turned, np.rot90(given, round(4 * factor), (1, 2)), atol=0.01)


def test_a_recorded_step_computes_exactly_what_eager_computes_on_any_number_of_threads():
    x, y = pictures((40, 24, 24, 3)), np.arange(40.0) % 2  # large enough for steps that run depth first
    results = []
    before = cnncore.get_num_threads()
    try:
        for threads in (1, 2, 3):
            for eager in (False, True):
                cnncore.set_num_threads(threads)
                cnncore.utils.set_random_seed(1)
                model = cnncore.Sequential([
                    cnncore.Input((24, 24, 3)), layers.Conv2D(3, 1), layers.RandomFlip(seed=1),
                    layers.RandomRotation(0.1, seed=2),
                    layers.RandomZoom(0.2, seed=3), layers.RandomTranslation(0.1, 0.1, seed=4),
                    layers.RandomContrast(0.2, seed=5), layers.RandomBrightness(0.1, seed=6),
                    layers.RandomCrop(20, 20, seed=7), layers.Resizing(16, 17), layers.CenterCrop(15, 15),
                    layers.Rescaling(1 / 255), layers.Conv2D(4, 3, activation="relu"), layers.Flatten(), layers.Dense(1)])
                model.compile("adam", "mse", run_eagerly=eager)
                losses = model.fit(x, y, epochs=2, batch_size=20, verbose=0).history["loss"]
                results.append((losses, model.get_weights(), model.predict(x, verbose=0)))
    finally:
        cnncore.set_num_threads(before)
    for losses, weights, predictions in results[1:]:
        assert losses == results[0][0] and np.array_equal(predictions, results[0][2])
        assert all(np.array_equal(a, b) for a, b in zip(weights, results[0][1], strict=True))


def test_gradients_flow_through_warps_and_resizing_as_differences_say():
    rng = np.random.default_rng(0)
    x, transform = pictures((2, 6, 7, 2)) / 255, rng.normal(0, 0.3, (2, 8)) + [1, 0, 0, 0, 1, 0, 0, 0]
    functions = [lambda t, f=fill: image.affine_transform(t, transform, fill_mode=f, fill_value=0.5)
                 for fill in ("constant", "nearest", "reflect", "mirror", "wrap")]
    functions += [lambda t, m=m, s=s: image.resize(t, s, m, antialias=True)
                  for m in ("bilinear", "bicubic", "nearest", "area") for s in ((3, 4), (11, 13))]
    for function in functions:
        given = cnncore.Tensor(x, requires_grad=True)
        y = function(given)
        direction, seed = rng.normal(size=x.shape), rng.normal(size=y.shape).astype("float32")
        y.backward(seed)
        ahead, behind = (function(cnncore.Tensor((x + sign * 0.5 * direction).astype("float32"))).numpy()
                         for sign in (1, -1))
        assert np.isclose((given.grad.numpy() * direction).sum(), ((ahead - behind) * seed).sum(), rtol=1e-3, atol=1e-2)


# ---- without chance ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name, options", [
    ("Rescaling", {"scale": 1 / 255}), ("Rescaling", {"scale": [1.0, 2.0, 3.0], "offset": -1.0}),
    ("Resizing", {"height": 7, "width": 20}), ("Resizing", {"height": 20, "width": 5, "interpolation": "bicubic"}),
    ("Resizing", {"height": 6, "width": 6, "interpolation": "lanczos3", "antialias": True}),
    ("Resizing", {"height": 6, "width": 9, "crop_to_aspect_ratio": True}),
    ("Resizing", {"height": 6, "width": 9, "pad_to_aspect_ratio": True, "fill_value": 50.0}),
    ("Resizing", {"height": 28, "width": 9, "pad_to_aspect_ratio": True, "interpolation": "nearest"}),
    ("CenterCrop", {"height": 5, "width": 8}), ("CenterCrop", {"height": 30, "width": 8}),
], ids=str)
def test_layers_without_chance_are_kerass(name, options):
    for x in (pictures(), pictures()[0], pictures().astype("uint8")):
        got, wanted = (getattr(module.layers, name)(**options)(x) for module in (cnncore, keras))
        wanted = np.asarray(wanted)
        assert got.dtype == wanted.dtype.name and got.shape == wanted.shape
        assert np.abs(got.numpy().astype(float) - wanted).max() < (1.01 if x.dtype == np.uint8 else 1e-2)


@pytest.mark.parametrize("axis", [-1, None, (1, 3), 2])
def test_normalization_adapts_as_kerass_does(axis):
    x = pictures()
    ours, theirs = cnncore.layers.Normalization(axis=axis), keras.layers.Normalization(axis=axis)
    ours.adapt(x)
    theirs.adapt(x)
    assert np.allclose(ours(x).numpy(), np.asarray(theirs(x)), atol=1e-4)
    assert [w.shape for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
    batches = cnncore.layers.Normalization(axis=axis)
    batches.adapt(cnncore.utils.Dataset.from_tensor_slices((x, np.arange(5))).batch(2))
    assert np.allclose(batches(x).numpy(), ours(x).numpy(), atol=1e-4)
    back = cnncore.layers.Normalization(axis=axis, invert=True)
    back.adapt([x[:3], x[3:]])
    assert np.allclose(back(ours(x)).numpy(), x, atol=1e-2)


@pytest.mark.parametrize("axis, mean, variance", [(-1, [1.0, 2.0, 3.0], [4.0, 5.0, 6.0]), (None, 3.0, 2.0), (-1, 3.0, 2.0)])
def test_normalization_with_given_statistics(axis, mean, variance):
    x = pictures()
    ours, theirs = (m.layers.Normalization(axis=axis, mean=mean, variance=variance) for m in (cnncore, keras))
    assert np.allclose(ours(x).numpy(), np.asarray(theirs(x)), rtol=1e-5)
    again = cnncore.layers.Normalization.from_config(ours.get_config())
    assert np.array_equal(again(x).numpy(), ours(x).numpy()) and not ours.weights


def test_an_adapted_layer_is_saved_and_adapting_reaches_a_recorded_step(tmp_path):
    x = pictures((8, 6, 6, 3))
    norm = layers.Normalization()
    norm.adapt(x)
    model = cnncore.Sequential([cnncore.Input((6, 6, 3)), layers.RandomFlip("horizontal", seed=1), norm,
                                layers.Rescaling(2.0, offset=[1.0, 2.0, 3.0]), layers.Flatten(), layers.Dense(1)])
    before = model.predict(x, verbose=0)
    model.save(tmp_path / "model.keras")
    assert np.array_equal(cnncore.models.load_model(tmp_path / "model.keras").predict(x, verbose=0), before)
    norm.adapt(x * 3)
    assert not np.allclose(model.predict(x, verbose=0), before)


@pytest.mark.parametrize("name", ["Rescaling", "Normalization", "Resizing", "CenterCrop", "RandomFlip", "RandomRotation",
                                  "RandomZoom", "RandomTranslation", "RandomCrop", "RandomContrast", "RandomBrightness"])
def test_signatures_and_configurations_are_kerass(name):
    ours, theirs = (inspect.signature(getattr(m.layers, name).__init__).parameters for m in (cnncore, keras))
    assert [(p.name, p.default) for p in ours.values()] == [(p.name, p.default) for p in theirs.values()]
    options = {"Rescaling": {"scale": 2.0}, "Normalization": {}, "RandomFlip": {}, "RandomRotation": {"factor": 0.2},
               "RandomZoom": {"height_factor": 0.2}, "RandomContrast": {"factor": 0.2}, "RandomBrightness": {"factor": 0.2},
               "RandomTranslation": {"height_factor": 0.2, "width_factor": 0.1}}.get(name, {"height": 4, "width": 5})
    ours, theirs = (getattr(m.layers, name)(**options).get_config() for m in (cnncore, keras))
    for key in set(theirs) - {"dtype", "name", "mean", "variance", "data_format", "seed"}:
        both = (ours[key], theirs[key])
        assert both[0] == both[1] or list(both[0]) == list(both[1]), key


@pytest.mark.parametrize("make, message", [
    (lambda: layers.RandomFlip("sideways"), "mode is 'horizontal'"),
    (lambda: layers.RandomRotation(2), "factor is a number, or two, from -1 to 1. Received: factor=2"),
    (lambda: layers.RandomRotation(0.1, fill_mode="mirror"), "fill_mode is 'reflect'"),
    (lambda: layers.RandomRotation(0.1, interpolation="cubic"), "interpolation is 'nearest'"),
    (lambda: layers.RandomZoom((-1, 0)), "height_factor is a number"),
    (lambda: layers.RandomTranslation(0.1, "a"), "width_factor is a number"),
    (lambda: layers.RandomContrast(1.5), "factor must be a number from 0 to 1"),
    (lambda: layers.RandomBrightness(0.1, value_range=5), "value_range is the smallest"),
    (lambda: layers.RandomCrop(0, 5), "height must be a whole number of 1 or more"),
    (lambda: layers.Resizing(5, 5, interpolation="cubic"), "interpolation is one of"),
    (lambda: layers.Resizing(5, 5, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True), "choose one"),
    (lambda: layers.Rescaling("a"), "scale must be a number"),
    (lambda: layers.Normalization(mean=1.0), "mean and variance are given together"),
    (lambda: layers.Normalization().adapt([]), "adapts to data. Received: none"),
    (lambda: layers.CenterCrop(5, 5)(np.zeros((4, 4), "float32")), r"takes images .* x\[..., None\]"),
    (lambda: layers.Resizing(5, 5, data_format="last"), "data_format is 'channels_last'"),
])
def test_what_does_not_fit_is_explained(make, message):
    with pytest.raises(ValueError, match=message):
        make()
