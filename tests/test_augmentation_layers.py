"""The layers that augment images beside Keras's, given the same random numbers; and in models, plans and files."""
import inspect

import keras
import numpy as np
import pytest
from test_preprocessing_layers import pictures

import cnncore
from cnncore import layers, ops
from cnncore.ops import random as draws
from cnncore.tensor import Variable

RANDOM = [
    ("RandomShear", {"x_factor": 0.4, "y_factor": 0.3}), ("RandomShear", {"x_factor": (0.1, 0.5), "fill_mode": "wrap"}),
    ("RandomShear", {"y_factor": (0.2, 1.0), "fill_mode": "constant", "fill_value": 77.0}),
    ("RandomErasing", {}), ("RandomErasing", {"factor": (0.9, 1.0), "scale": (0.2, 0.6), "fill_value": (1.0, 20.0, 300.0)}),
    ("RandomErasing", {"factor": (0.4, 0.6), "fill_value": 7.0, "value_range": (10, 200)}),
    ("RandomHue", {"factor": 0.8}), ("RandomHue", {"factor": (0.2, 0.9), "value_range": (-20, 300)}),
    ("RandomSaturation", {"factor": 0.9}), ("RandomSaturation", {"factor": (0.3, 0.9)}),
    ("RandomGrayscale", {}), ("RandomGrayscale", {"factor": 1.0}),
    ("RandomInvert", {}), ("RandomInvert", {"factor": (0.5, 1.0), "value_range": (0, 300)}),
    ("RandomSharpness", {"factor": 1.0}), ("RandomSharpness", {"factor": (0.1, 0.4), "value_range": (20, 200)}),
    ("RandomPosterization", {"factor": 6}), ("RandomPosterization", {"factor": (2, 2)}),
    ("RandomPosterization", {"factor": (3, 8), "value_range": (-50, 300)}),
    ("Solarization", {}), ("Solarization", {"addition_factor": 0.3, "threshold_factor": (0.2, 0.8)}),
    ("Solarization", {"addition_factor": (0.1, 0.2), "threshold_factor": 0.5, "value_range": (-10, 260)}),
    ("RandomColorDegeneration", {"factor": 0.7}), ("RandomColorDegeneration", {"factor": (0.2, 1.0)}),
    ("RandomColorJitter", {"brightness_factor": 0.3, "contrast_factor": 0.4, "saturation_factor": (0.3, 0.8),
                           "hue_factor": 0.3}),
    ("RandomColorJitter", {"contrast_factor": 0.4}),
    ("RandomGaussianBlur", {}), ("RandomGaussianBlur", {"factor": (1.0, 1.0), "kernel_size": (5, 3), "sigma": (0.4, 1.0)}),
    ("RandomPerspective", {}), ("RandomPerspective", {"factor": (0.6, 1.0), "scale": 0.5, "fill_value": 50.0}),
    ("RandomElasticTransform", {}), ("RandomElasticTransform", {"scale": (0.3, 0.8), "fill_mode": "constant"}),
    ("RandomElasticTransform", {"factor": (0.9, 1.0), "fill_mode": "mirror", "scale": 1.0}),
    ("CutMix", {}), ("CutMix", {"factor": (0.3, 0.6)}), ("MixUp", {}), ("MixUp", {"alpha": 2.0}),
    ("RandAugment", {}), ("RandAugment", {"num_ops": 5, "factor": (0.1, 0.3)}),
]
ALWAYS = [
    ("AutoContrast", {}), ("AutoContrast", {"value_range": (-30, 290)}),
    ("Equalization", {}), ("Equalization", {"bins": 64}), ("Equalization", {"value_range": (-10, 270)}),
    ("ContrastLimitedAdaptiveHistogramEqualization", {}),
    ("ContrastLimitedAdaptiveHistogramEqualization", {"tile_grid_size": (3, 5), "clip_limit": 0}),
    ("ContrastLimitedAdaptiveHistogramEqualization", {"clip_limit": 1.5, "value_range": (0, 300)}),
]
NAMES = sorted({name for name, _ in RANDOM + ALWAYS} | {"AugMix"})
ONE_LEVEL = ("Equalization", "ContrastLimitedAdaptiveHistogramEqualization", "RandAugment", "RandomPosterization")


class _Normal(np.random.Generator):
    """A generator of NumPy's that draws our normally distributed numbers."""

    def __new__(cls, state):
        return super().__new__(cls, np.random.PCG64(0))

    def __init__(self, state):
        super().__init__(np.random.PCG64(0))
        self.state = state

    def normal(self, size, loc, scale):
        return loc + scale * draws.random_normal((*size, 1), self.state).numpy()[..., 0]


def draw_ours(monkeypatch, seed):
    """Makes Keras draw what our layers draw."""
    state = Variable(np.array([seed, 0], "uint64"), trainable=False)
    theirs = keras.src.backend.random

    def uniform(shape, minval=0.0, maxval=1.0, **_):
        return draws.random_uniform(tuple(shape), state, minval, maxval).numpy()

    def normal(shape, **_):
        return draws.random_normal(tuple(shape), state).numpy()

    def beta(shape, alpha, beta, **_):
        return draws.random_beta(tuple(shape), state, float(alpha), float(beta)).numpy()

    def randint(shape, minval, maxval, dtype="int32", **_):
        return draws.random_integers(tuple(shape), state, minval, maxval).numpy().astype(dtype)

    def shuffle(x, **_):
        return np.asarray(x)[draws.random_order(len(x), state).numpy()]

    for function in (uniform, normal, beta, randint, shuffle):
        monkeypatch.setattr(theirs, function.__name__, function)
    # On NumPy, Keras's layer changes the array that it is given.
    brighten = keras.layers.RandomBrightness.transform_images
    monkeypatch.setattr(keras.layers.RandomBrightness, "transform_images",
                        lambda self, images, *args, **kwargs: brighten(self, np.array(images), *args, **kwargs))
    monkeypatch.setattr(keras.src.backend.image, "draw_seed", lambda seed: _Normal(state))


def differences(got, wanted):
    assert got.shape == wanted.shape
    return np.abs(got.astype("float64") - wanted)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("name, options", RANDOM, ids=str)
def test_random_layers_do_what_keras_does_with_the_same_numbers(name, options, data_format, monkeypatch):
    first = data_format == "channels_first"
    x = pictures((6, 14, 17, 3))
    given = x.transpose(0, 3, 1, 2).copy() if first else x
    formats = ({}, {}) if name == "Solarization" else ({"data_format": data_format}, {"data_format": "channels_last"})
    ours = getattr(layers, name)(seed=7, **options, **formats[0])
    draw_ours(monkeypatch, 7)
    # Where Keras's layer is not right for channels that come first, ours must agree with itself.
    reference = getattr(keras.layers, name)(**options, **formats[1])
    for _ in range(2):
        got, wanted = ours(given).numpy(), np.asarray(reference(x, training=True))
        if first:
            got = got.transpose(0, 2, 3, 1)
        error = differences(got, wanted)
        assert got.dtype == wanted.dtype == np.float32
        # A place or a level at a border may fall to either side.
        assert np.quantile(error, 0.99) < 0.1, f"{error.max()} away, in {(error > 0.1).mean():.2%} of pixels"
        if name not in ONE_LEVEL:
            assert error.max() < 0.1 or (error > 0.1).mean() < 0.002
    quiet = ours(given, training=False).numpy()
    assert np.array_equal(quiet, given)


@pytest.mark.parametrize("name, options", ALWAYS, ids=str)
def test_layers_without_chance_are_kerass(name, options):
    for x in (pictures((3, 20, 31, 3)), pictures((1, 24, 24, 1))[0], np.full((2, 9, 9, 3), 7.0, "float32"),
              np.concatenate([np.full((1, 20, 20, 3), 9.0), pictures((1, 20, 20, 3))]).astype("float32")):
        got, wanted = (np.asarray(getattr(m.layers, name)(**options)(x, training=True)) for m in (cnncore, keras))
        error = differences(got, wanted)
        assert got.dtype == wanted.dtype
        assert np.quantile(error, 0.98) < 2e-2 and error.max() < 10, (np.quantile(error, 0.98), error.max())
    x = pictures((2, 12, 12, 3))
    ours, theirs = (np.asarray(getattr(m.layers, name)(**options)(x, training=False)) for m in (cnncore, keras))
    assert np.quantile(differences(ours, theirs), 0.98) < 2e-2


@pytest.mark.parametrize("name, options", RANDOM + [("AugMix", {}), ("AugMix", {"all_ops": False})], ids=str)
def test_random_layers_draw_anew_repeat_by_seed_and_by_configuration(name, options):
    x = pictures((9, 14, 17, 3))
    runs = []
    for _ in range(2):
        layer = getattr(layers, name)(seed=3, **options)
        runs.append([layer(x).numpy() for _ in range(4)])
    assert all(np.array_equal(a, b) for a, b in zip(*runs, strict=True))
    if options != {} or name != "Solarization":
        if options != {"factor": (2, 2)} and options != {"factor": 1.0}:
            assert any(not np.array_equal(runs[0][0], later) for later in runs[0][1:])
    again = layers.deserialize(layers.serialize(getattr(layers, name)(seed=3, **options)))
    assert np.array_equal(again(x).numpy(), runs[0][0])
    assert np.array_equal(layer(x[0]).shape, x[0].shape) and layer.compute_output_shape(x.shape) == x.shape
    theirs = keras.layers.deserialize(layers.serialize(layer))
    back = type(layer).from_config(theirs.get_config() | {"seed": 3, "dtype": "float32"})
    assert np.array_equal(back(x).numpy(), runs[0][0])


@pytest.mark.parametrize("name", NAMES)
def test_signatures_and_configurations_are_kerass(name):
    ours, theirs = (inspect.signature(getattr(m.layers, name).__init__).parameters for m in (cnncore, keras))
    assert [(p.name, p.default) for p in ours.values()] == [(p.name, p.default) for p in theirs.values()]
    options = {"factor": 0.5} if list(ours.values())[1].default is inspect.Parameter.empty else {}
    options = {"factor": 4} if name == "RandomPosterization" else options
    ours, theirs = (getattr(m.layers, name)(**options).get_config() for m in (cnncore, keras))
    for key in set(theirs) - {"dtype", "name", "data_format", "seed", "x_factor", "y_factor"}:
        both = (ours[key], theirs[key])
        assert both[0] == both[1] or list(both[0]) == list(both[1]), key


def test_a_recorded_step_computes_exactly_what_eager_computes_on_any_number_of_threads():
    x, y = pictures((24, 20, 20, 3)), np.arange(24.0) % 2
    results = []
    before = cnncore.get_num_threads()
    try:
        for threads in (1, 2, 3):
            for eager in (False, True):
                cnncore.set_num_threads(threads)
                cnncore.utils.set_random_seed(1)
                model = cnncore.Sequential([
                    cnncore.Input((20, 20, 3)), layers.Conv2D(3, 1, kernel_initializer="ones"),
                    layers.RandomShear(0.3, 0.2, seed=1), layers.RandomPerspective(scale=0.3, seed=2),
                    layers.RandomElasticTransform(seed=3), layers.RandomGaussianBlur(seed=4),
                    layers.RandomColorJitter((0, 255), 0.2, 0.2, (0.3, 0.7), 0.2, seed=5),
                    layers.RandomSharpness(1.0, seed=6),
                    layers.RandomGrayscale(seed=7), layers.RandomInvert(seed=8), layers.RandomErasing(seed=9),
                    layers.CutMix(seed=10), layers.MixUp(seed=11), layers.AutoContrast(),
                    layers.RandomColorDegeneration(0.4, seed=12), layers.Rescaling(1 / 255),
                    layers.Conv2D(4, 3, activation="relu"), layers.Flatten(), layers.Dense(1)])
                model.compile("adam", "mse", run_eagerly=eager)
                losses = model.fit(x, y, epochs=2, batch_size=12, verbose=0).history["loss"]
                results.append((losses, model.get_weights(), model.predict(x, verbose=0)))
    finally:
        cnncore.set_num_threads(before)
    assert np.isfinite(results[0][0]).all()
    for losses, weights, predictions in results[1:]:
        assert losses == results[0][0] and np.array_equal(predictions, results[0][2])
        assert all(np.array_equal(a, b) for a, b in zip(weights, results[0][1], strict=True))


@pytest.mark.parametrize("layer", [
    lambda: layers.RandAugment(seed=1), lambda: layers.AugMix(num_chains=2, chain_depth=2, seed=2),
    lambda: layers.Pipeline([layers.Equalization(), layers.Solarization(0.2, 0.6, seed=3),
                             layers.RandomPosterization(5, seed=4),
                             layers.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=3)])])
def test_layers_that_choose_and_count_compute_the_same_in_a_recorded_step(layer):
    x, y = pictures((16, 12, 12, 3)), np.arange(16.0) % 2
    results = []
    for eager in (False, True):
        cnncore.utils.set_random_seed(1)
        model = cnncore.Sequential([cnncore.Input((12, 12, 3)), layer(), layers.Rescaling(1 / 255), layers.Flatten(),
                                    layers.Dense(1)])
        model.compile("sgd", "mse", run_eagerly=eager)
        losses = model.fit(x, y, epochs=3, batch_size=8, shuffle=False, verbose=0).history["loss"]
        results.append((losses, model.get_weights()))
    assert results[0][0] == results[1][0]
    assert all(np.array_equal(a, b) for a, b in zip(results[0][1], results[1][1], strict=True))


# ---- labels and masks --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["CutMix", "MixUp"])
def test_labels_are_mixed_as_keras_mixes_them(name, monkeypatch):
    batch = {"images": pictures((6, 14, 17, 3)), "labels": np.eye(6, dtype="float32")[:, :5].copy()}
    ours = getattr(layers, name)(seed=7)
    got = ours({key: value.copy() for key, value in batch.items()})
    draw_ours(monkeypatch, 7)
    wanted = getattr(keras.layers, name)()({key: value.copy() for key, value in batch.items()}, training=True)
    for key in batch:
        assert np.allclose(got[key].numpy(), np.asarray(wanted[key]), atol=0.05)
    quiet = ours(batch, training=False)
    assert all(np.array_equal(np.asarray(quiet[key]), batch[key]) for key in batch)
    with pytest.raises(ValueError, match="use to_categorical"):
        ours({"images": batch["images"], "labels": np.arange(6)})


def test_masks_move_with_their_images_and_labels_stay():
    x = pictures((4, 16, 16, 1))
    masks = (x > 127).astype("float32")
    labels = np.arange(4)
    for layer in (layers.RandomFlip(seed=1), layers.RandomTranslation(0.3, 0.3, seed=2), layers.RandomShear(0.5, seed=3),
                  layers.RandomRotation(0.2, seed=4, interpolation="nearest")):
        out = layer({"images": x, "segmentation_masks": masks, "labels": labels})
        assert np.array_equal(np.asarray(out["labels"]), labels) and out["labels"].dtype == "int64"
        moved = out["segmentation_masks"].numpy()
        assert set(np.unique(moved)) <= {0.0, 1.0} and not np.array_equal(moved, masks)
        assert ((out["images"].numpy() > 127) == moved).mean() > 0.9
    out = layers.RandomInvert(seed=1)({"images": x, "segmentation_masks": masks})
    assert np.array_equal(out["segmentation_masks"].numpy(), masks)
    out = layers.RandomCrop(8, 9, seed=1)({"images": x, "segmentation_masks": masks})
    assert np.array_equal(out["images"].numpy() > 127, out["segmentation_masks"].numpy() > 0)
    with pytest.raises(ValueError, match="takes a dict of 'images'"):
        layers.RandomFlip()({"labels": labels})


# ---- by what they are for ----------------------------------------------------------------------------------------

def test_an_aug_mix_of_one_layer_is_that_layers_mixture(monkeypatch):
    x = pictures((4, 12, 12, 3))
    layer = layers.AugMix(num_chains=1, chain_depth=1, seed=5)
    for _ in range(6):
        before = layer.generator.state.copy()
        got = layer(x).numpy()
        after = layer.generator.state.copy()
        layer.generator.state[:] = before
        parts, kept, [[(choice, numbers)]] = layer._draw(x=ops.convert_to_tensor(x))
        assert np.array_equal(layer.generator.state, after) and np.allclose(parts.numpy(), 1)
        number = int(choice)
        other = layer._choices[number]._change(ops.convert_to_tensor(x), numbers[number]).numpy() if number < 11 else x
        assert np.allclose(got, np.clip(float(kept) * x + (1 - float(kept)) * other, 0, 255), atol=1e-3)


def test_parts_are_drawn_as_often_as_they_should_be():
    x = np.arange(400.0, dtype="float32").reshape(400, 1, 1, 1) + np.zeros((400, 2, 2, 3), "float32")
    assert 0.4 < (layers.RandomInvert((0.5, 0.5), (0, 400), seed=1)(x).numpy()[:, 0, 0, 0] != x[:, 0, 0, 0]).mean() < 0.6
    mixed = layers.MixUp(0.2, seed=1)({"images": x, "labels": np.eye(400, dtype="float32")})
    assert np.allclose((mixed["labels"].numpy() * np.arange(400)).sum(1), mixed["images"].numpy()[:, 0, 0, 0], atol=0.1)
    assert np.allclose(mixed["labels"].numpy().sum(1), 1, atol=1e-5)
    one = ops.convert_to_tensor(x[:1])
    chosen = [int(layers.RandAugment(num_ops=1, seed=seed)._draw(one)[0][0]) for seed in range(300)]
    assert np.bincount(chosen, minlength=11).min() > 8


@pytest.mark.parametrize("make, message", [
    (lambda: layers.RandomShear(1.5), "x_factor is a number, or two, from 0 to 1. Received: x_factor=1.5"),
    (lambda: layers.RandomShear(0.5, fill_mode="mirror"), "fill_mode is 'reflect', 'wrap', 'constant' or 'nearest'"),
    (lambda: layers.RandomErasing(fill_value=(1, 2)), "one for each of three channels"),
    (lambda: layers.RandomHue(-0.5), "factor is a number, or two, from 0 to 1"),
    (lambda: layers.RandomPosterization(9), "from 1 to 8. Received: factor=9"),
    (lambda: layers.RandomGaussianBlur(kernel_size=4), "kernel_size must be odd"),
    (lambda: layers.RandomPerspective(scale=2), "scale must be a number from 0 to 1"),
    (lambda: layers.MixUp(0), "alpha must be above 0"),
    (lambda: layers.RandAugment(num_ops=0), "num_ops must be a whole number from 1 to 32"),
    (lambda: layers.AutoContrast(255), "value_range is the smallest and the largest"),
    (lambda: layers.RandomHue(0.5)(np.zeros((2, 4, 4, 1), "float32")), "3 channels. Received: shape"),
    (lambda: layers.RandomGrayscale()(np.zeros((4, 4), "float32")), "takes images"),
])
def test_what_does_not_fit_is_explained(make, message):
    with pytest.raises(ValueError, match=message):
        make()
