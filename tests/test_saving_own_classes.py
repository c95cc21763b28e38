"""Layers and models of the user's own classes are saved, loaded and kept under Keras's paths."""
import numpy as np
import pytest
from saving_models import assert_close, assert_same_weights, rng, shake

import cnncore
from cnncore import layers, models, saving

keras = pytest.importorskip("keras", exc_type=ImportError)


class Scale(layers.Layer):
    def __init__(self, by=2.0, **kwargs):
        super().__init__(**kwargs)
        self.by = by

    def build(self, input_shape):
        self.gain = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="gain")

    def call(self, x):
        return x * self.gain * self.by

    def get_config(self):
        return {**super().get_config(), "by": self.by}


class Block(models.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.zed = layers.Dense(4)
        self.parts = [layers.Dense(3), layers.Dense(3)]
        self._hidden = layers.Dense(2)
        self.named = {"a": layers.Dense(2)}

    def call(self, x, training=None):
        for part in (self.zed, *self.parts, self._hidden, self.named["a"]):
            x = part(x)
        return x


class KerasBlock(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.zed = keras.layers.Dense(4)
        self.parts = [keras.layers.Dense(3), keras.layers.Dense(3)]
        self._hidden = keras.layers.Dense(2)
        self.named = {"a": keras.layers.Dense(2)}

    def call(self, x, training=None):
        for part in (self.zed, *self.parts, self._hidden, self.named["a"]):
            x = part(x)
        return x


def test_a_layer_of_the_users_needs_to_be_passed_or_registered(tmp_path):
    model = models.Sequential([layers.Input((5,)), Scale(3.0, name="mine"), layers.Dense(2)])
    shake(model)
    path = tmp_path / "model.keras"
    model.save(path)
    with pytest.raises(ValueError, match=r"model\.keras.*'Scale'.*custom_objects"):
        saving.load_model(path)
    again = saving.load_model(path, custom_objects={"Scale": Scale})
    assert again.layers[0].by == 3.0
    assert_same_weights(model, again)
    with saving.custom_object_scope({"Scale": Scale}):
        assert_same_weights(model, saving.load_model(path))


def test_weights_of_a_subclassed_model_go_both_ways(tmp_path):
    ours, theirs, x = Block(), KerasBlock(), rng.normal(size=(2, 6)).astype("float32")
    with pytest.raises(ValueError, match="not built"):
        ours.save_weights(tmp_path / "a.weights.h5")
    ours(x), theirs(x)
    shake(ours)
    ours.save_weights(tmp_path / "a.weights.h5")
    theirs.load_weights(tmp_path / "a.weights.h5")
    assert_close(ours(x).numpy(), theirs(x))
    theirs.set_weights([w + 1 for w in theirs.get_weights()])
    theirs.save_weights(tmp_path / "b.weights.h5")
    ours.load_weights(tmp_path / "b.weights.h5")
    assert_close(ours(x).numpy(), theirs(x))


class Net(models.Model):
    def __init__(self, width=3, **kwargs):
        self.width = width
        inputs = layers.Input((6,))
        hidden = layers.Dense(width, activation="relu")
        super().__init__(inputs, layers.Dense(2)(hidden(inputs)), **kwargs)
        self.hidden = hidden

    def get_config(self):
        return {"width": self.width, "name": self.name}


class KerasNet(keras.Model):
    def __init__(self):
        inputs = keras.layers.Input((6,))
        hidden = keras.layers.Dense(3, activation="relu")
        super().__init__(inputs, keras.layers.Dense(2)(hidden(inputs)))
        self.hidden = hidden


@pytest.mark.parametrize("make", [Block, Net])
def test_a_model_class_of_the_users_is_saved_whole(tmp_path, make, monkeypatch):
    model, x = make(name="own"), rng.normal(size=(4, 6)).astype("float32")
    model.compile("adam", "mse")
    model.fit(x, np.zeros((4, 2), "float32"), verbose=0)
    model.save(tmp_path / "own.keras")
    with pytest.raises(ValueError, match=f"own\\.keras.*'{make.__name__}'.*custom_objects"):
        saving.load_model(tmp_path / "own.keras")
    again = saving.load_model(tmp_path / "own.keras", custom_objects={make.__name__: make})
    assert type(again).__name__ == make.__name__ and again.name == "own"
    for trainee in (model, again):
        trainee.train_on_batch(x, np.ones((4, 2), "float32"))
    assert_same_weights(model, again)


def test_weights_of_a_graph_model_of_the_users_class_go_both_ways(tmp_path):
    ours, theirs = Net(), KerasNet()
    ours.save_weights(tmp_path / "a.weights.h5")
    theirs.load_weights(tmp_path / "a.weights.h5")
    assert_same_weights(ours, theirs)
    shake(theirs)
    theirs.save_weights(tmp_path / "b.weights.h5")
    ours.load_weights(tmp_path / "b.weights.h5")
    assert_same_weights(ours, theirs)


def test_a_class_says_itself_how_its_variables_are_kept(tmp_path):
    class Half(Scale):
        def save_own_variables(self, store):
            store["halved"] = self.gain.numpy() / 2

        def load_own_variables(self, store):
            self.gain.assign(store["halved"] * 2)

    model = models.Sequential([layers.Input((5,)), Half()])
    shake(model)
    model.save_weights(tmp_path / "a.weights.h5")
    again = models.Sequential([layers.Input((5,)), Half()])
    again.load_weights(tmp_path / "a.weights.h5")
    assert_same_weights(model, again)


def test_a_model_that_is_not_built_keeps_its_layers_and_training(tmp_path):
    theirs = keras.Sequential([keras.layers.Dense(3), keras.layers.Dense(2)])
    theirs.compile("sgd", "mse")
    with pytest.warns(UserWarning, match="not yet been built"):
        theirs.save(tmp_path / "theirs.keras")
    model = saving.load_model(tmp_path / "theirs.keras")
    assert not model.built and [layer.units for layer in model.layers] == [3, 2]
    with pytest.warns(UserWarning, match="no weights yet"):
        model.save(tmp_path / "ours.keras")
    again = saving.load_model(tmp_path / "ours.keras")
    again.fit(np.ones((4, 5), "float32"), np.ones((4, 2), "float32"), verbose=0)


def test_names_of_ones_own_may_be_given_where_keras_names_may():
    def doubled(x):
        return x * 2

    def error(y_true, y_pred):
        return cnncore.ops.mean(cnncore.ops.abs(y_true - y_pred), -1)

    class Slow(cnncore.optimizers.SGD):
        pass

    with saving.custom_object_scope({"doubled": doubled, "error": error, "Slow": Slow}):
        layer = cnncore.layers.Dense(1, activation="doubled", kernel_regularizer="doubled")
        model = cnncore.Sequential([cnncore.Input((3,)), layer])
        model.compile("Slow", "error", metrics=["error"])
    assert layer.activation is doubled and isinstance(model.optimizer, Slow)
    with pytest.raises(ValueError, match="Received: 'doubled'"):
        cnncore.layers.Dense(1, activation="doubled")


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_functions_made_within_others_are_saved_by_name_and_passed_when_loading(ending, tmp_path):
    def square(x):
        return x * x

    def distance(y_true, y_pred):
        return cnncore.ops.mean(cnncore.ops.abs(y_true - y_pred), axis=-1)

    path, x, y = tmp_path / f"model{ending}", rng.normal(size=(8, 4)), rng.normal(size=(8, 2))
    model = models.Sequential([layers.Input((4,)), layers.Dense(2, activation=square)])
    model.compile("adam", distance, metrics=[distance])
    model.fit(x, y, verbose=0)
    model.save(path)
    with pytest.raises(ValueError, match="function 'square'.*custom_objects"):
        saving.load_model(path)
    again = saving.load_model(path, custom_objects={"square": square, "distance": distance})
    assert again.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    theirs = keras.saving.load_model(path, custom_objects={
        "square": lambda x: x * x, "distance": lambda y, p: keras.ops.mean(keras.ops.abs(y - p), axis=-1)})
    assert_close(theirs.predict(x, verbose=0), model.predict(x, verbose=0))


def test_weights_alone_are_written_in_the_layout_of_keras_2_which_keras_reads_by_order_and_by_name(tmp_path):
    def body(k):
        return [k.layers.Input((8, 8, 3)), k.layers.Conv2D(4, 3, name="conv"), k.layers.BatchNormalization(name="norm"),
                k.layers.Flatten()]

    ours = models.Sequential([*body(cnncore), layers.Dense(2, name="old")])
    shake(ours)
    ours.save_weights(tmp_path / "a.h5")
    theirs = keras.Sequential([*body(keras), keras.layers.Dense(2, name="old")])
    theirs.load_weights(tmp_path / "a.h5")
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    again = models.Sequential([*body(cnncore), layers.Dense(5, name="new")])
    again.load_weights(tmp_path / "a.h5", by_name=True)
    for a, b in zip(ours.get_weights()[:6], again.get_weights()[:6], strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match=r"a\.h5.*whole model"):
        saving.load_model(tmp_path / "a.h5")
