"""What is saved here loads in Keras and predicts the same, and the reverse; training goes on where it was saved."""
import json
import os
import time
import types
import zipfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "numpy")

import numpy as np
import pytest

from cnncore import layers, metrics, models, optimizers, saving
from cnncore import losses as our_losses
from cnncore.random import set_random_seed

keras = pytest.importorskip("keras", exc_type=ImportError)

OURS = types.SimpleNamespace(layers=layers, Sequential=models.Sequential, Model=models.Model, optimizers=optimizers,
                             losses=our_losses, metrics=metrics)
REAL = next((folder for folder in (Path(os.environ.get("CNNCORE_TEST_DATA", "absent")),
                                   Path(__file__).resolve().parents[2] / "shared" / "data")
             if (folder / "keras-files").is_dir()), None)
rng = np.random.default_rng(11)


# ---- the same models in both libraries ---------------------------------------------------------------------------

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
              "amsgrad": lambda k: k.optimizers.Adam(amsgrad=True)}


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


# ---- both directions ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("build", BUILDERS)
def test_keras_loads_what_we_save_and_predicts_the_same(tmp_path, build, optimizer):
    model = trained(build, optimizer)
    model.save(tmp_path / "model.keras")
    theirs = keras.models.load_model(tmp_path / "model.keras")
    x = inputs_of(model)
    assert_close(model.predict(x, verbose=0), theirs.predict(x, verbose=0))
    assert [layer.name for layer in theirs.layers] == [layer.name for layer in model.layers]
    assert type(theirs.optimizer).__name__ == type(model.optimizer).__name__
    for ours, other in zip(model.optimizer.variables, theirs.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ours.numpy(), np.asarray(other))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("build", BUILDERS)
def test_we_load_what_keras_saves_and_predict_the_same(tmp_path, build, optimizer):
    theirs = compiled(build, keras, optimizer)
    shake(theirs)
    theirs.optimizer.build(theirs.trainable_variables)
    for i, variable in enumerate(theirs.optimizer.variables):
        variable.assign(np.full(variable.shape, 0.25 + i))
    theirs.save(tmp_path / "model.keras")
    model = saving.load_model(tmp_path / "model.keras")
    x = inputs_of(theirs)
    assert_same_weights(model, theirs)
    assert_close(model.predict(x, verbose=0), theirs.predict(x, verbose=0))
    for ours, other in zip(model.optimizer.variables, theirs.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ours.numpy(), np.asarray(other))
    assert model.loss is not None
    model.fit(x, targets_of(build), verbose=0)


@pytest.mark.parametrize("build", BUILDERS)
def test_weights_alone_go_both_ways(tmp_path, build):
    ours, theirs = build(OURS), build(keras)
    shake(ours)
    ours.save_weights(tmp_path / "a.weights.h5")
    theirs.load_weights(tmp_path / "a.weights.h5")
    assert_same_weights(ours, theirs)
    shake(theirs)
    theirs.save_weights(tmp_path / "b.weights.h5")
    ours.load_weights(tmp_path / "b.weights.h5")
    assert_same_weights(ours, theirs)


@pytest.mark.parametrize("build", BUILDERS)
def test_json_goes_both_ways(build):
    ours, theirs = build(OURS), build(keras)
    again = keras.models.model_from_json(ours.to_json())
    again.set_weights(ours.get_weights())
    x = inputs_of(ours)
    assert_close(ours.predict(x, verbose=0), again.predict(x, verbose=0))
    again = saving.model_from_json(theirs.to_json())
    again.set_weights(theirs.get_weights())
    assert_close(again.predict(x, verbose=0), theirs.predict(x, verbose=0))


@pytest.mark.parametrize("name", sorted(
    name for name, value in vars(layers).items()
    if isinstance(value, type) and name not in ("Layer", "InputLayer", "Wrapper") and not name.startswith("_")))
def test_every_layers_configuration_is_one_that_keras_reads_and_writes(name):
    import inspect

    if not hasattr(keras.layers, name):
        pytest.skip(f"Keras has no {name}")
    needed = {"filters": 3, "kernel_size": 3, "units": 4, "activation": "relu", "target_shape": (2, -1), "rate": 0.4,
              "dims": (2, 1), "n": 3, "stddev": 0.2, "factor": 0.2, "height": 4, "width": 4, "scale": 0.5,
              "num_heads": 2, "key_dim": 3, "axes": 1}
    required = [p.name for p in inspect.signature(getattr(layers, name)).parameters.values()
                if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    if any(argument not in needed for argument in required):
        pytest.skip(f"{name} wraps other layers")
    layer = getattr(layers, name)(**{argument: needed[argument] for argument in required})
    config = json.loads(json.dumps(saving.serialize_keras_object(layer)))
    theirs = keras.saving.deserialize_keras_object(config)
    assert type(theirs).__name__ == name and theirs.name == layer.name
    theirs_config = json.loads(json.dumps(keras.saving.serialize_keras_object(theirs)))
    again = saving.deserialize_keras_object(theirs_config)
    assert type(again) is type(layer)
    assert json.loads(json.dumps(saving.serialize_keras_object(again)))["config"] == config["config"]


# ---- training goes on --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("build", [sequential, nested])
def test_training_goes_on_after_loading_to_the_very_same_weights(tmp_path, build, optimizer):
    model = trained(build, optimizer)
    model.save(tmp_path / "model.keras")
    again = models.load_model(tmp_path / "model.keras")
    assert int(again.optimizer.iterations.numpy()) == 4
    x, y = inputs_of(model), targets_of(build)
    for trainee in (model, again):
        for _ in range(3):
            trainee.train_on_batch(x, y)
    assert_same_weights(model, again)


def test_weights_files_carry_the_optimizers_state_too(tmp_path):
    model = trained(sequential)
    model.save_weights(tmp_path / "a.weights.h5")
    again = compiled(sequential, OURS)
    again.load_weights(tmp_path / "a.weights.h5")
    for a, b in zip(model.optimizer.variables, again.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    other = compiled(sequential, OURS, "sgd")
    with pytest.warns(UserWarning, match="no state for the optimizer 'sgd'"):
        other.load_weights(tmp_path / "a.weights.h5")
    assert_same_weights(other, model)


def test_a_model_can_be_loaded_without_its_training(tmp_path):
    model = trained(sequential)
    model.save(tmp_path / "model.keras")
    again = saving.load_model(tmp_path / "model.keras", compile=False)
    assert_same_weights(model, again)
    with pytest.raises(ValueError, match="must be compiled"):
        again.evaluate(inputs_of(again), targets_of(sequential), verbose=0)


# ---- the user's own classes --------------------------------------------------------------------------------------

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


# ---- files that do not fit ---------------------------------------------------------------------------------------

def test_weights_of_another_model_change_nothing(tmp_path):
    model, other = models.Sequential([layers.Input((5,)), layers.Dense(4), layers.Dense(3)]), \
        models.Sequential([layers.Input((5,)), layers.Dense(4), layers.Dense(9, name="wide")])
    other.save_weights(tmp_path / "a.weights.h5")
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"a\.weights\.h5.*shape \(4, 3\), the file one of shape \(4, 9\).*Nothing"):
        model.load_weights(tmp_path / "a.weights.h5")
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.warns(UserWarning, match="keep their values"):
        model.load_weights(tmp_path / "a.weights.h5", skip_mismatch=True)
    np.testing.assert_array_equal(model.get_weights()[0], other.get_weights()[0])
    np.testing.assert_array_equal(model.get_weights()[2], before[2])


@pytest.mark.parametrize("name", ["model.h5", "model", "model.keras.zip"])
def test_other_endings_are_refused(tmp_path, name):
    model = models.Sequential([layers.Input((5,)), layers.Dense(4)])
    with pytest.raises(ValueError, match=r"ends in '\.keras'"):
        model.save(tmp_path / name)
    with pytest.raises(ValueError, match=r"ends in '\.weights\.h5'"):
        model.save_weights(tmp_path / name)


def test_a_file_is_replaced_only_where_that_is_wanted_and_a_missing_one_is_named(tmp_path):
    model = models.Sequential([layers.Input((5,)), layers.Dense(4)])
    model.save(tmp_path / "a.keras")
    with pytest.raises(FileExistsError, match=r"a\.keras"):
        model.save(tmp_path / "a.keras", overwrite=False)
    with pytest.raises(FileNotFoundError, match=r"b\.keras"):
        saving.load_model(tmp_path / "b.keras")
    with pytest.raises(FileNotFoundError, match=r"b\.weights\.h5"):
        model.load_weights(tmp_path / "b.weights.h5")


def edit(path, change):
    """The file with its configuration changed."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    change(config)
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def set_first(class_name, key, value):
    def change(config):
        layer = next(item for item in config["config"]["layers"] if item["class_name"] == class_name)
        layer["config"][key] = value

    return change


def replace_layer(layer):
    return lambda config: config["config"]["layers"].insert(2, layer)


def to_list(config):
    config["config"]["layers"] = 3


def to_evil_optimizer(config):
    config["compile_config"]["optimizer"] = {"module": "os", "class_name": "system", "config": {"command": "true"},
                                             "registered_name": None}


@pytest.mark.parametrize("change", [
    set_first("Dense", "units", 1 << 63), set_first("Dense", "units", 1 << 40), set_first("Dense", "units", 50_000_000),
    set_first("Dense", "units", -1), set_first("Dense", "units", "many"), set_first("Conv2D", "filters", -1),
    set_first("Conv2D", "filters", 1 << 31), set_first("Conv2D", "kernel_size", [1 << 31, 1 << 31]),
    set_first("Conv2D", "activation", "eval"), set_first("Conv2D", "absurd", 1), set_first("Conv2D", "strides", 0),
    set_first("Conv2D", "padding", ["valid"]), set_first("InputLayer", "batch_shape", [None, 1 << 62, 1 << 62, 3]),
    set_first("MaxPooling2D", "pool_size", [99, 99]), set_first("Dropout", "rate", "0.5"),
    set_first("Conv2D", "kernel_initializer", {"module": "os", "class_name": "system", "config": {"command": "true"}}),
    replace_layer({"module": "keras.layers", "class_name": "Lambda", "config": {"function": "x"}}),
    replace_layer({"module": "subprocess", "class_name": "Popen", "config": {"args": ["true"]}}),
    replace_layer(7), to_list, to_evil_optimizer, lambda config: config.update(config=None),
    lambda config: config.update(class_name="Dense"), lambda config: config.clear(),
], ids=str)
def test_malicious_and_absurd_configurations_are_refused_by_name(tmp_path, change):
    path = tmp_path / "bad.keras"
    compiled(sequential, OURS).save(path)
    edit(path, change)
    start = time.perf_counter()
    with pytest.raises(ValueError, match="Received|must"):
        saving.load_model(path)
    assert time.perf_counter() - start < 2


# ---- real files --------------------------------------------------------------------------------------------------

def mnist_test():
    with np.load(REAL / "mnist.npz") as data:
        return data["x_test"], data["y_test"]


def accuracy(model, x, y):
    return float(np.mean(np.argmax(np.asarray(model.predict(x, batch_size=500, verbose=0)), -1) == y))


@pytest.mark.skipif(REAL is None, reason="the real files are not at hand")
def test_models_that_others_trained_with_keras_have_their_accuracy():
    x, y = mnist_test()
    images = x[..., None].astype("float32") / 255
    cnn = saving.load_model(REAL / "keras-files" / "himalrana_mnist_cnn.keras")
    assert accuracy(cnn, images, y) == pytest.approx(0.9910, abs=1e-4)
    assert type(cnn.optimizer).__name__ == "Adam" and int(cnn.optimizer.iterations.numpy()) > 0
    dense = saving.load_model(REAL / "keras-files" / "sannmyatmin_mnist_model.keras")
    assert accuracy(dense, x.reshape(-1, 784).astype("float32"), y) == pytest.approx(0.9802, abs=1e-4)
    split = saving.model_from_json((REAL / "keras-files" / "himalrana_model_architecture.json").read_text())
    split.load_weights(REAL / "keras-files" / "himalrana_mnist_weights.weights.h5")
    assert accuracy(split, images, y) > 0.98
