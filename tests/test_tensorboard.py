"""What the callback TensorBoard writes is read back by TensorBoard's own code."""
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from fit_models import images, small_cnn
from tensorboard_runs import fit, tensorboard, two_branches

import cnncore
from cnncore import callbacks
from cnncore.callbacks.event_file import png

pytest.importorskip("tensorboard", exc_type=ImportError)


def events(folder):
    """{tag: [(step, value)]} of a run: numbers, arrays, or lists of bytes."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    accumulator = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    accumulator.Reload()
    found = {tag: [(e.step, make_ndarray(e.tensor_proto)) for e in accumulator.Tensors(tag)]
             for tag in accumulator.Tags()["tensors"]}
    return found, accumulator


def test_scalars_of_epochs_are_the_logs(tmp_path):
    history = fit(small_cnn(), tmp_path, write_graph=False)
    train, validation = events(tmp_path / "train")[0], events(tmp_path / "validation")[0]
    for name in ("loss", "accuracy"):
        assert [(step, float(v)) for step, v in train[f"epoch_{name}"]] == [
            (i, pytest.approx(v)) for i, v in enumerate(history[name])]
        assert [(step, float(v)) for step, v in validation[f"epoch_{name}"]] == [
            (i, pytest.approx(v)) for i, v in enumerate(history[f"val_{name}"])]
        assert [step for step, _ in validation[f"evaluation_{name}_vs_iterations"]] == [4, 8, 12]
    assert [float(v) for _, v in train["epoch_learning_rate"]] == pytest.approx([0.01] * 3)
    assert set(train) == {"epoch_loss", "epoch_accuracy", "epoch_learning_rate"}


def test_scalars_are_in_the_plugin_that_draws_curves(tmp_path):
    fit(small_cnn(), tmp_path, write_images=True, histogram_freq=1)
    accumulator = events(tmp_path / "train")[1]
    plugin = {tag: accumulator.SummaryMetadata(tag).plugin_data.plugin_name for tag in accumulator.Tags()["tensors"]}
    assert plugin["epoch_loss"] == "scalars" and plugin["keras"] == "graph_keras_model"
    assert {name for tag, name in plugin.items() if tag.endswith("/histogram")} == {"histograms"}
    assert {name for tag, name in plugin.items() if tag.endswith("/image")} == {"images"}


@pytest.mark.parametrize("freq, steps", [("batch", [*range(1, 13)]), (1, [*range(1, 13)]), (5, [5, 10])])
def test_scalars_of_batches_come_every_so_often(tmp_path, freq, steps):
    fit(small_cnn(), tmp_path, update_freq=freq, write_steps_per_second=True)
    train = events(tmp_path / "train")[0]
    assert [step for step, _ in train["batch_loss"]] == steps
    assert all(float(v) > 0 for _, v in train["batch_steps_per_second"] + train["epoch_steps_per_second"])


def test_histograms_count_every_weight(tmp_path):
    model = small_cnn()
    fit(model, tmp_path, epochs=5, histogram_freq=2)
    train = events(tmp_path / "train")[0]
    for layer in model.layers:
        for weight in layer.weights:
            points = train[f"{weight.path}/histogram"]
            assert [step for step, _ in points] == [0, 2, 4]
            for _, buckets in points:
                assert buckets[:, 2].sum() == weight.size
            assert points[-1][1][0, 0] == pytest.approx(float(weight.numpy().min()))
            assert points[-1][1][-1, 1] == pytest.approx(float(weight.numpy().max()))


def test_pictures_of_weights_are_png_files(tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    import io

    model = small_cnn()
    fit(model, tmp_path, epochs=1, histogram_freq=1, write_images=True)
    train = events(tmp_path / "train")[0]
    kernel = model.layers[0].kernel.numpy()
    width, height, *pictures = train[f"{model.layers[0].kernel.path}/image"][0][1]
    assert (width, height, len(pictures)) == (b"3", b"3", 3)
    low, high = kernel.min(), kernel.max()
    for i, data in enumerate(pictures):
        shown = np.asarray(image_module.open(io.BytesIO(data)))
        np.testing.assert_array_equal(shown, np.rint((kernel[:, :, 0, i] - low) * (255 / (high - low))))
    for channels in (1, 3, 4):
        image = np.random.default_rng(1).integers(0, 256, (5, 7, channels), "uint8")
        np.testing.assert_array_equal(np.asarray(image_module.open(io.BytesIO(png(image)))).reshape(image.shape), image)


def test_the_graph_has_the_layers_and_their_connections(tmp_path):
    from tensorboard.plugins.graph.keras_util import keras_model_to_graph_def

    fit(two_branches(), tmp_path, epochs=1)
    found, accumulator = events(tmp_path / "train")
    nodes = {node.name: node for node in accumulator.Graph().node}
    assert set(nodes) == {"image", "flat", "left", "right", "add", "classes"}
    assert sorted(nodes["add"].input) == ["left", "right"]
    assert list(nodes["left"].input) == ["flat"] and nodes["left"].op == "Dense"
    conceptual = keras_model_to_graph_def(json.loads(found["keras"][0][1].item()))
    assert {node.name.split("/")[-1] for node in conceptual.node} >= {"image", "flat", "left", "right", "classes"}


def test_the_graph_of_a_row_of_layers_and_of_a_class_of_ones_own(tmp_path):
    fit(small_cnn(), tmp_path / "row", epochs=1)
    nodes = events(tmp_path / "row" / "train")[1].Graph().node
    assert [list(node.input) for node in nodes] == [[]] + [[node.name] for node in list(nodes)[:-1]]

    class Own(cnncore.Model):
        def __init__(self):
            super().__init__()
            self.flat, self.last = cnncore.layers.Flatten(), cnncore.layers.Dense(3, activation="softmax")

        def call(self, x):
            return self.last(self.flat(x))

    fit(Own(), tmp_path / "own", epochs=1, histogram_freq=1)
    assert {node.op for node in events(tmp_path / "own" / "train")[1].Graph().node} == {"Flatten", "Dense"}


def test_evaluate_writes_too_and_a_second_fit_adds_a_file(tmp_path):
    model = small_cnn()
    fit(model, tmp_path, epochs=1)
    fit(model, tmp_path, epochs=1)
    assert len(os.listdir(tmp_path / "train")) == 2
    x, y = images(16)
    model.evaluate(x, y, verbose=0, callbacks=[callbacks.TensorBoard(tmp_path / "alone", write_graph=False)])
    assert "evaluation_loss_vs_iterations" in events(tmp_path / "alone" / "validation")[0]


def test_tensorboard_itself_serves_curves_histograms_pictures_and_graphs(tmp_path):
    history = fit(two_branches(), tmp_path, epochs=2, histogram_freq=1, write_images=True)
    with tensorboard(tmp_path, epochs=2) as (ask, _):
        points = json.loads(ask("scalars/scalars?run=train&tag=epoch_loss"))
        assert [value for _, _, value in points] == pytest.approx(history["loss"], rel=1e-5)
        histograms = json.loads(ask("histograms/histograms?run=train&tag=left/kernel/histogram"))
        assert [step for _, step, _ in histograms] == [0, 1]
        assert json.loads(ask("images/tags"))["train"]["left/kernel/image"]["samples"] == 1
        for graph in (ask("graphs/graph?run=train&conceptual=true&tag=keras"),
                      ask("graphs/graph?run=train&conceptual=false")):
            assert graph.count("node {") == 6 and "classes" in graph


def test_wrong_arguments_are_named_and_what_has_no_effect_is_told():
    with pytest.raises(ValueError, match="update_freq='never'"):
        callbacks.TensorBoard(update_freq="never")
    with pytest.warns(UserWarning, match="profile_batch"):
        callbacks.TensorBoard(profile_batch=2)


def test_without_the_package_the_error_says_what_to_install(tmp_path):
    code = ("import sys; sys.modules['tensorboard'] = None\nimport cnncore\nmodel = cnncore.Sequential([cnncore.Input((1"
            f",))])\ncnncore.callbacks.TensorBoard({str(tmp_path)!r}).set_model(model)")
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "ImportError" in result.stderr and "cnncore[tensorboard]" in result.stderr
