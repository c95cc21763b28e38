"""Whole models that Keras 2 saved: they load with what they were compiled with, and training goes on as it did there."""
import json
import tarfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from make_keras2_files import PATH, image_data, small_data

from cnncore import models, saving
from cnncore.saving import legacy_config

with tarfile.open(PATH) as _archive:
    FILES = {member.name: _archive.extractfile(member).read() for member in _archive.getmembers()}
EXPECTED = json.loads(FILES.pop("expected.json"))
STATES = [name for name in FILES if name.startswith(("old_", "new_"))]
# TensorFlow adds epsilon to the root, Keras 3 under it: 1e-7 beside roots of 0.03 and more, in steps of 0.01.
TOLERANCE = {"old_rmsprop": 2e-5}


@pytest.fixture
def file_of(tmp_path):
    """Writes one of the files out, and gives its path."""
    def write(name):
        (tmp_path / name).write_bytes(FILES[name])
        return tmp_path / name

    return write


def named_state_of(path):
    with h5py.File(path) as file:
        group = file["optimizer_weights"]
        names = [n.decode() if isinstance(n, bytes) else n for n in group.attrs["weight_names"]]
        return [(name, group[name][()]) for name in names]


def go_on(model):
    x, y = small_data()
    return model.fit(x, y, batch_size=4, shuffle=False, epochs=2, verbose=0).history["loss"]


def assert_went_on_as_there(model, name):
    expected = EXPECTED[name]
    np.testing.assert_allclose(go_on(model), expected["loss"], rtol=0, atol=1e-5)
    for ours, theirs in zip(model.get_weights(), expected["weights"], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE.get(name, 1e-6))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", [name for name in STATES if "nadam" not in name])
def test_training_goes_on_as_it_does_in_keras_2(file_of, name):
    model = saving.load_model(file_of(name))
    assert int(model.optimizer.iterations.numpy()) == 6
    assert_went_on_as_there(model, Path(name).stem)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", [name for name in STATES if "nadam" in name])
def test_nadam_has_its_moments_though_keras_3_lets_the_momentum_rise_otherwise(file_of, name):
    model = saving.load_model(file_of(name))
    state = named_state_of(file_of(f"{Path(name).stem}.h5"))
    kinds = {kind: [a for n, a in state if f"/{kind}:" in n or f"/{kind}/" in n] for kind in "mv"}
    cache = [a for n, a in state if "cache" in n]
    for kind, variables in (("m", model.optimizer._momentums), ("v", model.optimizer._velocities)):
        for array, variable in zip(kinds[kind], variables, strict=True):
            np.testing.assert_array_equal(variable.numpy(), array)
    u = [0.9 * (1 - 0.5 * 0.96**t) for t in range(1, 7)]
    assert float(model.optimizer._u_product.numpy()) == pytest.approx(float(cache[0]) if cache else np.prod(u))
    np.testing.assert_allclose(go_on(model), EXPECTED[Path(name).stem]["loss"], rtol=0.02)


def with_state(path, pairs):
    """The file with the optimizer's state as given, as Keras up to 2.3 wrote it."""
    with h5py.File(path, "a") as file:
        del file["optimizer_weights"]
        group = file.create_group("optimizer_weights")
        group.attrs["weight_names"] = [name.encode() for name, _ in pairs]
        for name, array in pairs:
            group[name] = array
    return path


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["momentum", "adam", "amsgrad", "rmsprop", "adagrad", "adadelta", "adamax"])
def test_states_without_names_are_read_by_their_order(file_of, name):
    path = file_of(f"old_{name}.h5")
    steps, *rest = (array for _, array in named_state_of(path))
    pairs = [(f"training/Any/Variable_{i}:0" if i else "training/Any/Variable:0", a) for i, a in enumerate(rest)]
    if name == "adam":  # had these whatever amsgrad was
        pairs += [(f"training/Any/Variable_{len(rest) + i}:0", np.zeros(1, "float32")) for i in range(6)]
    if name not in ("rmsprop", "adagrad", "adadelta"):  # which kept no count
        pairs = [("Any/iterations:0", steps), *pairs]
    assert_went_on_as_there(saving.load_model(with_state(path, pairs)), f"old_{name}")


@pytest.mark.parametrize("change", [lambda state: state[:-1], lambda state: [*state[:-1], ("a/m:0", np.zeros(7))],
                                    lambda state: [("Adam/iter:0", np.int64(9))]], ids=["short", "shape", "none"])
def test_a_state_of_other_weights_is_left_with_a_warning(file_of, change):
    path = file_of("old_adam.h5")
    with pytest.warns(UserWarning, match="of other weights; 'Adam' starts afresh"):
        model = saving.load_model(with_state(path, change(named_state_of(path))))
    assert int(model.optimizer.iterations.numpy()) == 0
    assert not any(np.any(v.numpy()) for v in model.optimizer._momentums)
    go_on(model)


@pytest.mark.filterwarnings("error")
def test_a_model_saved_before_its_first_step_loads_in_silence(file_of):
    path = with_state(file_of("old_adam.h5"), [("Adam/iter:0", np.int64(0))])
    assert int(saving.load_model(path).optimizer.iterations.numpy()) == 0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("ending", ["h5", "keras"])
def test_a_graph_with_models_inside_scores_the_same(file_of, ending):
    model = saving.load_model(file_of(f"branched.{ending}"))
    images, kinds, sizes = image_data()
    np.testing.assert_allclose(model.predict(images, verbose=0)[0], EXPECTED["branched"]["kind"], rtol=0, atol=1e-6)
    scores = model.evaluate(images, {"kind": kinds, "size": sizes}, batch_size=4, verbose=0)
    np.testing.assert_allclose(sorted(scores), sorted(EXPECTED["branched"]["scores"]), rtol=1e-5)
    assert int(model.optimizer.iterations.numpy()) == 4
    model.fit(images, {"kind": kinds, "size": sizes}, verbose=0)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("source", ["branched.weights.h5", "branched.h5", "branched.keras"])
def test_weights_alone_are_read_from_each_kind_of_file(file_of, source):
    model = models.model_from_json(FILES["branched.json"].decode())
    model.load_weights(file_of(source))
    np.testing.assert_allclose(model.predict(image_data()[0], verbose=0)[0], EXPECTED["branched"]["kind"], rtol=0,
                               atol=1e-6)


@pytest.mark.parametrize("ending", ["h5", "keras"])
@pytest.mark.filterwarnings("ignore:.*has no state for the optimizer")  # a .keras file of then had none of old optimizers
def test_losses_and_metrics_that_are_objects_come_back(file_of, ending):
    model = saving.load_model(file_of(f"sequential.{ending}"))
    images, kinds, _ = image_data()
    scores = model.evaluate(images[:, :8, :8, :1], kinds[:, :2], verbose=0)
    np.testing.assert_allclose(scores, EXPECTED["sequential"]["scores"], rtol=1e-5)


@pytest.mark.parametrize("metric, name", [
    ({"name": "accuracy", "fn": "categorical_accuracy"}, "accuracy"), ({"name": "acc", "fn": "x"}, "accuracy"),
    ({"name": "end_accuracy", "fn": "binary_accuracy"}, "accuracy"),
    ({"name": "end_binary_accuracy", "fn": "binary_accuracy"}, "binary_accuracy"), ({"name": "mse", "fn": "mse"}, "mse")])
def test_wrapped_metrics_are_known_by_their_function(metric, name):
    old = {"metrics": {"end": [{"class_name": "MeanMetricWrapper", "config": metric}]}}
    assert legacy_config.modern_training(old)["metrics"] == {"end": [name]}
