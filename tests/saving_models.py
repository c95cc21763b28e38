"""The same small models in cnncore and in Keras, and what tests of saving do with them."""
import types

import numpy as np

from cnncore import layers, losses, metrics, models, optimizers
from cnncore.random import set_random_seed

OURS = types.SimpleNamespace(layers=layers, Sequential=models.Sequential, Model=models.Model, optimizers=optimizers,
                             losses=losses, metrics=metrics)
rng = np.random.default_rng(11)


def sequential(k):
    L = k.layers
    return k.Sequential([
        L.Input((12, 12, 3)), L.Conv2D(8, 3, padding="same", activation="relu"), L.BatchNormalization(),
        L.MaxPooling2D(), L.Conv2D(4, (3, 2), strides=(2, 1), use_bias=False), L.BatchNormalization(scale=False),
        L.ReLU(), L.AveragePooling2D(2, strides=1, padding="same"), L.Dropout(0.3), L.Flatten(),
        L.Dense(7, activation="tanh"), L.Dense(5, activation="softmax", name="out")], name="plain")


def functional(k):
    L = k.layers
    image = L.Input((12, 12, 3), name="image")
    x = L.Conv2D(6, 3, padding="same", name="stem")(image)
    shared = L.Conv2D(6, 3, padding="same", activation="relu", name="shared")
    x = L.BatchNormalization()(shared(shared(x)))
    x = L.GlobalAveragePooling2D()(x)
    return k.Model(image, L.Dense(5, activation="softmax")(x), name="graph")


def nested(k):
    L = k.layers
    inner_in = L.Input((6,))
    inner = k.Model(inner_in, L.Dense(6, activation="relu")(inner_in), name="inner")
    tail = k.Sequential([L.Input((6,)), L.Dense(4, activation="relu"), L.Dropout(0.5)], name="tail")
    image = L.Input((12, 12, 3))
    x = L.GlobalMaxPooling2D()(L.Conv2D(6, 5, activation="relu")(image))
    return k.Model(image, L.Dense(5, activation="softmax")(tail(inner(inner(x)))))


def two_ended(k):
    L = k.layers
    left, right = L.Input((12, 12, 3), name="left"), L.Input((12, 12, 3), name="right")
    tower = L.Conv2D(4, 3, activation="relu", name="tower")
    pool = L.GlobalAveragePooling2D()
    a, b = pool(tower(left)), pool(tower(right))
    return k.Model([left, right], [L.Dense(2, name="first")(a), L.Dense(3, name="second")(b)])


BUILDERS = [sequential, functional, nested, two_ended]
OPTIMIZERS = {"adam": lambda k: k.optimizers.Adam(3e-3), "sgd": lambda k: k.optimizers.SGD(0.05),
              "momentum": lambda k: k.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
              "average": lambda k: k.optimizers.AdamW(use_ema=True)}


def inputs_of(model, n=6):
    x = rng.normal(size=(n, 12, 12, 3)).astype("float32")
    return [x, x[::-1].copy()] if len(model.inputs) == 2 else x


def shake(model):
    """Weights unlike those that any layer starts with."""
    model.set_weights([rng.uniform(0.2, 0.9, w.shape).astype("float32") for w in model.get_weights()])


def arrays(values):
    return [np.asarray(v) for v in (values if isinstance(values, (list, tuple)) else [values])]


def assert_close(ours, theirs):
    for a, b in zip(arrays(ours), arrays(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


def assert_same_weights(a, b):
    for v, w in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(v, w)


def compiled(build, k, optimizer="adam"):
    model = build(k)
    loss = {"first": "mse", "second": "mae"} if build is two_ended else k.losses.SparseCategoricalCrossentropy()
    model.compile(OPTIMIZERS[optimizer](k), loss, metrics=None if build is two_ended else ["accuracy"])
    return model


def targets_of(build, n=6):
    if build is two_ended:
        return [np.ones((n, 2), "float32"), np.zeros((n, 3), "float32")]
    return np.arange(n) % 5


def trained(build, optimizer="adam"):
    set_random_seed(3)
    model = compiled(build, OURS, optimizer)
    model.fit(inputs_of(model), targets_of(build), batch_size=3, epochs=2, verbose=0)
    return model
