"""Small models and data that the tests of training share."""
import os

os.environ.setdefault("KERAS_BACKEND", "numpy")


import numpy as np
import pytest

import cnncore

keras = pytest.importorskip("keras", exc_type=ImportError)


def images(rows=50, classes=3, seed=1):
    g = np.random.default_rng(seed)
    return g.random((rows, 8, 8, 1), dtype="float32"), g.integers(0, classes, rows)


def small_cnn(seed=0, last="softmax", units=3, library=cnncore):
    library.utils.set_random_seed(seed)
    return library.Sequential([
        library.layers.Input(shape=(8, 8, 1)), library.layers.Conv2D(4, 3, activation="relu"),
        library.layers.MaxPooling2D(2), library.layers.Flatten(),
        library.layers.Dense(units, activation=last)])


def pair_of_models(**arguments):
    """One of ours and one of Keras with the same weights."""
    ours, theirs = small_cnn(**arguments), small_cnn(**arguments, library=keras)
    theirs.set_weights(ours.get_weights())
    return ours, theirs


def weights_of(model):
    return [w.tobytes() for w in model.get_weights()]


def trained(epochs=2, rows=50, eager=False, model=None, **arguments):
    model = model or small_cnn()
    x, y = images(rows)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=eager)
    cnncore.utils.set_random_seed(5)
    history = model.fit(x, y, batch_size=16, epochs=epochs, verbose=0, **arguments)
    return model, history
