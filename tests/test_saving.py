"""What is saved here loads in Keras and predicts the same, and the reverse; training goes on where it was saved."""
import json

import h5py
import numpy as np
import pytest
from beside_keras import signature
from data import real_data
from saving_models import (
    BUILDERS,
    OPTIMIZERS,
    OURS,
    assert_close,
    assert_same_weights,
    compiled,
    inputs_of,
    nested,
    sequential,
    shake,
    targets_of,
    trained,
    two_ended,
)

from cnncore import layers, models, saving

keras = pytest.importorskip("keras", exc_type=ImportError)


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
    if isinstance(value, type) and value.__name__ == name and name not in ("Layer", "InputLayer", "InputSpec", "Wrapper")))
def test_every_layers_configuration_is_one_that_keras_reads_and_writes(name):
    if not hasattr(keras.layers, name):
        pytest.skip(f"Keras has no {name}")
    needed = {"filters": 3, "kernel_size": 3, "units": 4, "activation": "relu", "target_shape": (2, -1), "rate": 0.4,
              "dims": (2, 1), "n": 3, "stddev": 0.2, "factor": 0.2, "height": 4, "width": 4, "scale": 0.5,
              "num_heads": 2, "key_dim": 3, "axes": 1} | ({"factor": 4} if name == "RandomPosterization" else {})
    required = [p.name for p in signature(getattr(layers, name))
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
    with pytest.warns(UserWarning, match="no state for the optimizer 'sgd"):
        other.load_weights(tmp_path / "a.weights.h5")
    assert_same_weights(other, model)


def test_a_model_can_be_loaded_without_its_training(tmp_path):
    model = trained(sequential)
    model.save(tmp_path / "model.keras")
    again = saving.load_model(tmp_path / "model.keras", compile=False)
    assert_same_weights(model, again)
    with pytest.raises(ValueError, match="must be compiled"):
        again.evaluate(inputs_of(again), targets_of(sequential), verbose=0)


# ---- the HDF5 files of Keras 1 and 2 -----------------------------------------------------------------------------

def old_format(path):
    """(names of the layers, [(name, array)] of the weights, [(name, array)] of the optimizer) of a file."""
    with h5py.File(path) as file:
        def arrays_in(group):
            return [(str(name), group[name][()]) for name in group.attrs["weight_names"]]

        names = [str(name) for name in file["model_weights"].attrs["layer_names"]]
        weights = [pair for name in names for pair in arrays_in(file["model_weights"][name])]
        return names, weights, arrays_in(file["optimizer_weights"])


OLD_FORMAT = [(build, "adam") for build in BUILDERS] + [(sequential, name) for name in OPTIMIZERS if name != "adam"]


@pytest.mark.parametrize("build, optimizer", [case for case in OLD_FORMAT if case[0] is not two_ended])
def test_the_old_format_is_written_as_keras_writes_it(tmp_path, build, optimizer):
    # Keras 3 reads no optimizer's state from such files, so its own file is what ours is compared with.
    model = trained(build, optimizer)
    model.save(tmp_path / "ours.h5")
    theirs = keras.models.load_model(tmp_path / "ours.h5")
    x = inputs_of(model)
    assert_close(model.predict(x, verbose=0), theirs.predict(x, verbose=0))
    assert type(theirs.optimizer).__name__ == type(model.optimizer).__name__
    theirs.compile(OPTIMIZERS[optimizer](keras), "mse")
    theirs.optimizer.build(theirs.trainable_variables)
    theirs.optimizer.set_weights([v.numpy() for v in model.optimizer.variables])
    theirs.save(tmp_path / "theirs.h5")
    ours, other = (old_format(tmp_path / name) for name in ("ours.h5", "theirs.h5"))
    assert ours[0] == other[0]
    for i in (1, 2):
        assert [name.rpartition("/")[2].rpartition("_")[2] for name, _ in ours[i]] == [
            name.rpartition("/")[2].rpartition("_")[2] for name, _ in other[i]]
        for (_, a), (_, b) in zip(ours[i], other[i], strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("build, optimizer", OLD_FORMAT)
def test_whole_models_in_the_old_format_predict_the_same_and_train_on(tmp_path, build, optimizer):
    theirs = compiled(build, keras, optimizer)
    shake(theirs)
    theirs.optimizer.build(theirs.trainable_variables)
    for i, variable in enumerate(theirs.optimizer.variables):
        variable.assign(np.full(variable.shape, 0.25 + i))
    theirs.save(tmp_path / "model.h5")
    model = saving.load_model(tmp_path / "model.h5")
    x = inputs_of(theirs)
    assert_close(model.predict(x, verbose=0), theirs.predict(x, verbose=0))
    for ours, other in zip(model.optimizer.variables, theirs.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ours.numpy(), np.asarray(other))
    model.fit(x, targets_of(build), verbose=0)


def test_weights_in_the_old_format_are_matched_by_order_or_by_name(tmp_path):
    theirs = keras.Sequential([keras.layers.Input((5,)), keras.layers.Dense(4, name="a"),
                               keras.layers.Dense(3, name="b")])
    theirs.save(tmp_path / "old.h5")
    model = models.Sequential([layers.Input((5,)), layers.Dense(4, name="x"), layers.Dense(3, name="y")])
    model.load_weights(tmp_path / "old.h5")
    assert_same_weights(model, theirs)
    model = models.Sequential([layers.Input((4,)), layers.Dense(3, name="b"), layers.Dense(5, name="new")])
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"old\.h5.*Nothing was changed"):
        model.load_weights(tmp_path / "old.h5")
    model.load_weights(tmp_path / "old.h5", by_name=True)
    np.testing.assert_array_equal(model.get_weights()[0], theirs.get_weights()[2])
    np.testing.assert_array_equal(model.get_weights()[2], before[2])
    model.save_weights(tmp_path / "new.weights.h5")
    with pytest.raises(ValueError, match="by_name"):
        model.load_weights(tmp_path / "new.weights.h5", by_name=True)


# ---- real files --------------------------------------------------------------------------------------------------

def mnist_test(folder):
    with np.load(folder / "mnist.npz") as data:
        return data["x_test"], data["y_test"]


def accuracy(model, x, y):
    return float(np.mean(np.argmax(np.asarray(model.predict(x, batch_size=500, verbose=0)), -1) == y))


def test_models_that_others_trained_with_keras_have_their_accuracy():
    folder = real_data()
    x, y = mnist_test(folder)
    images = x[..., None].astype("float32") / 255
    cnn = saving.load_model(folder / "keras-files" / "himalrana_mnist_cnn.keras")
    assert accuracy(cnn, images, y) == pytest.approx(0.9910, abs=1e-4)
    assert type(cnn.optimizer).__name__ == "Adam" and int(cnn.optimizer.iterations.numpy()) > 0
    dense = saving.load_model(folder / "keras-files" / "sannmyatmin_mnist_model.keras")
    assert accuracy(dense, x.reshape(-1, 784).astype("float32"), y) == pytest.approx(0.9802, abs=1e-4)
    split = saving.model_from_json((folder / "keras-files" / "himalrana_model_architecture.json").read_text())
    split.load_weights(folder / "keras-files" / "himalrana_mnist_weights.weights.h5")
    assert accuracy(split, images, y) > 0.98
    old = saving.load_model(folder / "keras-files" / "himalrana_mnist_cnn.h5")
    assert accuracy(old, images, y) == pytest.approx(0.9905, abs=1e-4)
    assert int(old.optimizer.iterations.numpy()) == 4220
