"""Files that do not fit, configurations that are absurd or malicious: refused by name, with nothing changed."""
import json
import time
import zipfile

import numpy as np
import pytest
from saving_models import OURS, compiled, sequential

from cnncore import layers, models, saving


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


@pytest.mark.parametrize("name", ["model.hd5", "model", "model.keras.zip"])
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

    change.__name__ = f"{class_name}-{key}-{str(value)[:20]}"
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
], ids=lambda change: change.__name__)
def test_malicious_and_absurd_configurations_are_refused_by_name(tmp_path, change):
    path = tmp_path / "bad.keras"
    compiled(sequential, OURS).save(path)
    edit(path, change)
    start = time.perf_counter()
    with pytest.raises(ValueError, match="Received|must"):
        saving.load_model(path)
    assert time.perf_counter() - start < 2


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    model = models.Sequential([layers.Input((2,)), layers.Dense(1)])
    for save, name in ((model.save, "a.keras"), (model.save_weights, "a.weights.h5"), (model.save, "a.h5")):
        with pytest.raises(FileNotFoundError, match="make this one first, with os.makedirs: '.*nowhere'"):
            save(tmp_path / "nowhere" / name)


@pytest.mark.parametrize("layer, key, value", [
    (layers.Resizing(4, 4), "height", 1 << 29), (layers.Resizing(4, 4, interpolation="area"), "width", 1 << 27),
    (layers.UpSampling2D(2, interpolation="bilinear"), "size", [1 << 27, 2]),
    (layers.AdaptiveAveragePooling2D(2), "output_size", [1 << 28, 2]),
    (layers.AdaptiveMaxPooling2D(3), "output_size", [2, 1 << 28]),
    (layers.SpatialPyramidPooling2D((2, 1)), "levels", list(range(1, 100_000))),
    (layers.RandAugment(), "num_ops", 1 << 28), (layers.AugMix(), "num_chains", 1 << 28),
    (layers.AugMix(), "chain_depth", 1 << 28),
    (layers.ContrastLimitedAdaptiveHistogramEqualization(), "tile_grid_size", [1 << 28, 8])],
    ids=lambda value: getattr(value, "name", None))
def test_layers_that_would_compute_for_ever_or_fill_the_memory_are_refused(layer, key, value, tmp_path):
    models.Sequential([layers.Input((8, 8, 3)), layer]).save(tmp_path / "bad.keras")
    edit(tmp_path / "bad.keras", set_first(type(layer).__name__, key, value))
    start = time.perf_counter()
    with pytest.raises(ValueError, match="(?i)at most|from 1 to"):
        saving.load_model(tmp_path / "bad.keras")
    assert time.perf_counter() - start < 2
