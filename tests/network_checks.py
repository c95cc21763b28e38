"""The classic networks made by cnncore and by Keras with the same names and weights, and what tests do with them."""
import numpy as np
import pytest

import cnncore
from cnncore.utils import clear_session

keras = pytest.importorskip("keras", exc_type=ImportError)

SHARED = ("VGG16", "VGG19", "ResNet50", "ResNet101", "ResNet152", "ResNet50V2", "ResNet101V2", "ResNet152V2",
          "InceptionV3", "DenseNet121", "DenseNet169", "DenseNet201", "MobileNet", "MobileNetV2", "MobileNetV3Small",
          "MobileNetV3Large", "Xception", *(f"EfficientNetB{i}" for i in range(8)), "InceptionResNetV2", "NASNetMobile",
          "NASNetLarge")
SIDES = {"InceptionV3": 75, "InceptionResNetV2": 75, "Xception": 71}  # the smallest images of these; 32 for all others
PIXELS = ("MobileNetV3", "EfficientNet")  # networks that take pixels from 0 to 255


def both(name, **options):
    """Our network and Keras's, from fresh counters of names, and with the same first weights each time."""
    clear_session()
    keras.utils.clear_session()
    keras.utils.set_random_seed(1)
    return [getattr(k.applications, name)(**{"weights": None, **options}) for k in (cnncore, keras)]


def spread(theirs, ours, name):
    """Gives our network of this name, and Keras's, weights of which no two are alike and that let images through.

    Biases and scales are random; the statistics of every normalization are those of what it gets from images, so that
    predictions for two images differ as a trained network's do. Variances are somewhat larger, or else networks so deep
    would blow rounding up as they blow up what images differ by.
    """
    rng = np.random.default_rng(3)
    for w in theirs.weights:
        if len(w.shape) == 1:
            low, high = (0.5, 1.5) if w.name in ("gamma", "variance") else (-0.2, 0.2)
            w.assign(rng.uniform(low, high, tuple(w.shape)))
    ours.set_weights(theirs.get_weights())
    _finish(ours)
    for layer in ours.layers:
        if isinstance(layer, cnncore.layers.BatchNormalization):
            layer.momentum = 0.0
    number = 16 if (ours.input_shape[1] or 0) <= 400 else 4  # of larger images, more would not fit into 16 GB
    with cnncore.no_grad():  # or else every activation would be kept
        ours(images(ours.input_shape[1:], number, name, rng), training=True)
    for w in ours.weights:
        if w.name == "moving_variance":
            w.assign((1.1 if name.startswith("EfficientNet") else 1.5) * w.numpy())
    theirs.set_weights(ours.get_weights())
    _finish(theirs)


def _finish(model):
    """Normalization layers compute with copies of their weights."""
    for layer in model.layers:
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()


def shape_of(name):
    return (SIDES.get(name, 32), SIDES.get(name, 32), 3)


def images(shape, n=4, name="", rng=None):
    """Images such as the network of this name takes: noise over patches of colours, by which images differ as a whole."""
    rng = rng or np.random.default_rng(4)
    x = rng.normal(size=(n, *(4 for _ in shape[1:]), shape[-1]))
    for axis, length in enumerate(shape[:-1], 1):
        x = x.repeat(-(-length // 4), axis).take(range(length), axis)
    x = x + rng.normal(size=(n, *shape))
    return (np.clip(128 + 64 * x, 0, 255) if name.startswith(PIXELS) else x).astype("float32")


def check_predictions(ours, theirs, x):
    """Predictions are Keras's to 1e-4 of the largest, and to 1 % of what they differ by from image to image; the best five
    classes come in the same order. `theirs` is Keras's network, or what it predicted. Returns the error as a share of the
    largest prediction."""
    y, wanted = ours.predict(x, verbose=0), theirs if isinstance(theirs, np.ndarray) else theirs.predict(x, verbose=0)
    error = np.abs(y - wanted).max()
    assert error <= 1e-4 * np.abs(wanted).max()
    assert len(x) == 1 or error <= 0.01 * np.ptp(wanted, axis=0).max()
    if y.ndim == 2:
        assert (np.argsort(y)[:, -5:] == np.argsort(wanted)[:, -5:]).all()
    return error / np.abs(wanted).max()


def check_two_steps_lower_the_loss(model, name):
    """Two short steps of `fit` lower the loss on the images that they were made for.

    The gradient is cut to a length of 1, so that the rate is the length of a step in the space of all weights: untrained
    networks with batch normalization are so steep that no rate alone suits their slopes for two steps.
    """
    for layer in model.layers:
        if isinstance(layer, cnncore.layers.Dropout):
            layer.rate = 0  # so that all losses are of one function
    steep = any(isinstance(layer, cnncore.layers.BatchNormalization) for layer in model.layers)
    x, y = images(model.input_shape[1:], 8, name, np.random.default_rng(1)), np.arange(8) % 3
    model.compile(cnncore.optimizers.SGD(0.001 if steep else 0.01, global_clipnorm=1.0), "sparse_categorical_crossentropy")
    losses = model.fit(x, y, epochs=3, shuffle=False, verbose=0).history["loss"]  # before, after one step, after two
    assert np.isfinite(losses).all() and losses[0] > losses[1] > losses[2]
