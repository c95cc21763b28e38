"""Twenty steps of training follow PyTorch's losses, recorded by make_curves.py."""
import json

import numpy as np
import pytest
from make_curves import BATCH, PATH, STEPS, problem

import cnncore
from cnncore import layers, optimizers

OPTIMIZERS = {"sgd": lambda: optimizers.SGD(0.05, momentum=0.9),
              "adam": lambda: optimizers.Adam(0.003, epsilon=1e-5)}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_follows_pytorch(name):
    x, y, weights = problem()
    model = cnncore.Sequential([
        layers.Input(shape=(10, 10, 3)),
        layers.Conv2D(8, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(16, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(10, activation="softmax"),
    ])
    model.set_weights(weights)
    model.compile(optimizer=OPTIMIZERS[name](), loss="sparse_categorical_crossentropy")
    losses = []
    for i in range(STEPS):
        model.reset_metrics()
        losses.append(model.train_on_batch(x[i * BATCH:(i + 1) * BATCH], y[i * BATCH:(i + 1) * BATCH]))
    wanted = json.loads(PATH.read_text())[name]
    np.testing.assert_allclose(losses, wanted, rtol=2e-4)
    assert abs(wanted[-1] - wanted[0]) > 0.05  # the curve goes somewhere
