"""copy.deepcopy and pickle of whatever users hold: equal in all they do, and with nothing in common."""
import copy
import pickle

import numpy as np
import pytest

import cnncore
from cnncore import layers

X = np.random.default_rng(0).random((12, 6, 6, 2), "float32")
Y = np.arange(12) % 3
WAYS = {"deepcopy": copy.deepcopy, "pickle": lambda thing: pickle.loads(pickle.dumps(thing))}


def sequential():
    return cnncore.Sequential([layers.Input((6, 6, 2)), layers.Conv2D(3, 3, kernel_regularizer="l2"),
                               layers.BatchNormalization(), layers.Flatten(), layers.Dropout(0.3, seed=1),
                               layers.Dense(3, activation="softmax")])


def functional():
    x = layers.Input((6, 6, 2))
    a = layers.Conv2D(2, 3, padding="same", name="a")(x)
    inner = cnncore.Sequential([layers.Input((6, 6, 2)), layers.Conv2D(2, 1)], name="inner")
    y = inner(a + x) * 0.5
    return cnncore.Model(x, layers.Dense(3, activation="softmax")(layers.Flatten()(y)))


class Own(cnncore.Model):
    def __init__(self):
        super().__init__()
        self.parts = [layers.Flatten(), layers.Dense(3, activation="softmax")]

    def call(self, x):
        for part in self.parts:
            x = part(x)
        return x


class OwnGraph(cnncore.Model):
    def train_step(self, data):
        return super().train_step(data)


def own_graph():
    x = layers.Input((6, 6, 2))
    return OwnGraph(x, layers.Dense(3, activation="softmax")(layers.Flatten()(x)))


MODELS = {"sequential": sequential, "functional": functional, "own": Own, "own graph": own_graph}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", MODELS)
def test_a_copied_model_trains_on_as_the_model_does(name, way):
    model = MODELS[name]()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(X, Y, batch_size=5, epochs=2, verbose=0, shuffle=False)
    copied = WAYS[way](model)
    assert type(copied) is type(model) and copied.name == model.name
    assert int(copied.optimizer.iterations.numpy()) == 6
    assert not {id(v) for v in model.variables} & {id(v) for v in copied.variables}
    before = [w.tobytes() for w in model.get_weights()]
    history = copied.fit(X, Y, batch_size=5, epochs=1, verbose=0, shuffle=False).history
    assert [w.tobytes() for w in model.get_weights()] == before
    assert model.fit(X, Y, batch_size=5, epochs=1, verbose=0, shuffle=False).history == history
    assert [w.tobytes() for w in model.get_weights()] == [w.tobytes() for w in copied.get_weights()]
    np.testing.assert_array_equal(copied.predict(X, verbose=0), model.predict(X, verbose=0))


@pytest.mark.parametrize("way", WAYS)
def test_a_copied_model_is_a_graph_of_its_own(way):
    model = functional()
    copied = WAYS[way](model)
    features = cnncore.Model(copied.input, copied.get_layer("a").output)
    assert features.layers[-1] is copied.get_layer("a") is not model.get_layer("a")
    expected = cnncore.Model(model.input, model.get_layer("a").output).predict(X, verbose=0)
    np.testing.assert_array_equal(features.predict(X, verbose=0), expected)
    assert copied.to_json() == model.to_json()
    assert [part is other for part, other in zip(copied.inputs, model.inputs, strict=True)] == [False]


@pytest.mark.parametrize("way", WAYS)
def test_models_that_share_layers_share_their_copies(way):
    model = sequential()
    features = cnncore.Model(model.inputs, model.layers[0].output)
    copied, copied_features = WAYS[way]([model, features])
    copied.layers[0].set_weights([w * 0 for w in copied.layers[0].get_weights()])
    assert not copied_features.predict(X, verbose=0).any()
    assert features.predict(X, verbose=0).any()


@pytest.mark.parametrize("way", WAYS)
def test_a_deep_model_is_copied_without_deep_recursion(way):
    x = y = layers.Input((4,))
    for _ in range(150):
        y = layers.Dense(4)(y) + x
    copied = WAYS[way](cnncore.Model(x, y))
    assert len(copied.layers) == 151


@pytest.mark.parametrize("way", WAYS)
def test_small_things_are_copied(way):
    duplicate = WAYS[way]
    weight = cnncore.Variable([1.0, 2.0], name="w", trainable=False)
    other = duplicate(weight)
    other.assign([3.0, 4.0])
    assert (weight.tolist(), other.tolist(), other.name, other.trainable) == ([1, 2], [3, 4], "w", False)
    x = cnncore.Tensor([2.0], requires_grad=True)
    product = duplicate(x * x)
    assert product.tolist() == [4] and not product.requires_grad and duplicate(x).requires_grad
    mean = cnncore.metrics.Mean()
    mean.update_state(3.0)
    later = duplicate(mean)
    later.update_state(5.0)
    assert (float(mean.result()), float(later.result())) == (3, 4)
    assert duplicate(cnncore.losses.Huber(0.5)).get_config() == cnncore.losses.Huber(0.5).get_config()
    dense = layers.Dense(2)
    dense(np.ones((1, 3)))
    assert duplicate(dense).kernel.tolist() == dense.kernel.tolist()
    seeds = cnncore.random.SeedGenerator(3)
    seeds.next()
    assert duplicate(seeds).next().tolist() == seeds.next().tolist()


def test_a_copied_optimizer_still_spares_weights_from_decay():
    weight = cnncore.Variable([1.0])
    optimizer = cnncore.optimizers.SGD(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay([weight])
    weight, optimizer = copy.deepcopy([weight, optimizer])
    optimizer.apply_gradients([(cnncore.Tensor([0.0]), weight)])
    assert weight.tolist() == [1]


def test_what_fit_returns_is_copied():
    model = Own()
    model.compile("sgd", "sparse_categorical_crossentropy")
    history = model.fit(X, Y, verbose=0)
    copied = copy.deepcopy(history)
    assert copied.history == history.history and copied.model is not model
