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
rng = np.random.default_rng(3)


def both(name, **options):
    """Our network and Keras's, from fresh counters of names."""
    clear_session()
    keras.utils.clear_session()
    return [getattr(k.applications, name)(**{"weights": None, **options}) for k in (cnncore, keras)]


def spread(model):
    """Gives every layer of a Keras model biases and statistics far from 0 and 1, so that no two are alike."""
    for w in model.weights:
        shape = tuple(w.shape)
        if len(shape) == 1:
            low, high = (0.5, 1.5) if w.name in ("gamma", "moving_variance", "variance") else (-0.2, 0.2)
            w.assign(rng.uniform(low, high, shape))


def shape_of(name):
    return (SIDES.get(name, 32), SIDES.get(name, 32), 3)


def images(shape, n=4, name="", rng=rng):
    """Images such as the network of this name takes."""
    if name.startswith(PIXELS):
        return rng.uniform(0, 255, (n, *shape)).astype("float32")
    return rng.normal(size=(n, *shape)).astype("float32")


def check_predictions(ours, theirs, x):
    """Predictions are Keras's to 1e-4 of the largest, and the best five come in the same order."""
    y, wanted = ours.predict(x, verbose=0), theirs.predict(x, verbose=0)
    assert np.abs(y - wanted).max() <= 1e-4 * np.abs(wanted).max()
    assert (np.argsort(y)[:, -5:] == np.argsort(wanted)[:, -5:]).all()
