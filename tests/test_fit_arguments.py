"""What fit, evaluate, predict and their kin do with each of their arguments is what Keras does, number by number."""
import json

import numpy as np
import pytest
import training_scenarios
from training_scenarios import SCENARIOS, one_output

import cnncore

with open(training_scenarios.RESULTS) as file:
    KERAS = json.load(file)


def compare(ours, theirs, place):
    assert type(ours) is type(theirs), (place, ours, theirs)
    if isinstance(ours, dict):
        assert sorted(ours) == sorted(theirs), place
        for key in ours:
            compare(ours[key], theirs[key], f"{place}.{key}")
    elif isinstance(ours, list):
        assert len(ours) == len(theirs), place
        for i, pair in enumerate(zip(ours, theirs, strict=True)):
            compare(*pair, f"{place}[{i}]")
    elif isinstance(ours, float):
        assert ours == pytest.approx(theirs, rel=2e-4, abs=2e-6), place
    else:
        assert ours == theirs, place


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_a_training_has_the_numbers_and_names_of_keras(scenario):
    ours = training_scenarios.plain(scenario(cnncore))
    compare(ours, KERAS[scenario.__name__], scenario.__name__)


def test_metrics_that_are_attributes_of_a_model_are_tracked():
    class Largest(cnncore.metrics.Metric):
        def __init__(self, name="largest", **kwargs):
            super().__init__(name=name, **kwargs)
            self.value = self.add_weight(name="value")

        def update_state(self, values, sample_weight=None):
            self.value.assign(cnncore.ops.maximum(self.value, cnncore.ops.max(values)))

        def result(self):
            return self.value

    class Own(cnncore.Model):
        def __init__(self):
            super().__init__()
            self.dense = cnncore.layers.Dense(1)
            self.largest, self.loss_mean = Largest(), cnncore.metrics.Mean(name="mean_loss")
            self.more = [cnncore.metrics.Mean(name="in_a_list")]

        def call(self, x):
            return self.dense(x)

        def train_step(self, batch):
            x, y = batch
            with cnncore.GradientTape() as tape:
                loss = cnncore.ops.mean(cnncore.ops.square(self(x, training=True) - y))
            self.optimizer.apply_gradients(zip(tape.gradient(loss, self.trainable_weights), self.trainable_weights,
                                               strict=True))
            self.largest.update_state(loss)
            self.loss_mean.update_state(loss)
            self.more[0].update_state(2.0 * loss)
            return {metric.name: metric.result() for metric in (self.largest, self.loss_mean, *self.more)}

    model = Own()
    model.compile(optimizer="sgd")
    assert {"largest", "mean_loss", "in_a_list"} <= {metric.name for metric in model.metrics}
    x = np.random.default_rng(1).random((32, 4), dtype="float32")
    history = model.fit(x, x[:, :1], batch_size=8, epochs=3, verbose=0).history
    assert sorted(history) == ["in_a_list", "largest", "mean_loss"]
    assert history["largest"][0] > history["largest"][-1] > history["mean_loss"][-1]  # they are reset at each epoch
    np.testing.assert_allclose(history["in_a_list"], 2 * np.array(history["mean_loss"]), rtol=1e-6)


class Numbered(cnncore.utils.PyDataset):
    """Batches that tell when they are made."""

    def __init__(self, length=6, **arguments):
        super().__init__(**arguments)
        self.length, self.made, self.calls = length, [], []

    def __len__(self):
        return self.length

    def __getitem__(self, i):
        self.made.append(i)
        if i == 99:
            raise OSError("no such batch")
        return np.full((4, 5), i, "float32"), np.full(4, i % 3)

    def on_epoch_begin(self):
        self.calls.append("begin")

    def on_epoch_end(self):
        self.calls.append("end")


def test_threads_make_batches_ahead_and_in_order():
    weights = []
    for workers in (1, 3):
        source, model = Numbered(workers=workers, max_queue_size=2), one_output(cnncore)
        model.fit(source, epochs=2, verbose=0, shuffle=False)
        assert sorted(source.made) == sorted([*range(6)] * 2 + [0]) or sorted(source.made) == sorted([*range(6)] * 2)
        assert source.calls == ["begin", "end"] * 2
        weights.append([w.tobytes() for w in model.get_weights()])
    assert weights[0] == weights[1]


def test_an_error_in_a_thread_reaches_fit():
    class Broken(Numbered):
        def __getitem__(self, i):
            return super().__getitem__(99 if i == 3 else i)

    with pytest.raises(OSError, match="no such batch"):
        one_output(cnncore).fit(Broken(workers=2), verbose=0, shuffle=False)


def test_a_data_set_without_end_needs_steps():
    class Endless(cnncore.utils.PyDataset):
        num_batches = None

        def __getitem__(self, i):
            return np.full((4, 5), i % 7, "float32"), np.full(4, i % 3)

    model = one_output(cnncore)
    assert len(model.fit(Endless(), steps_per_epoch=5, epochs=2, verbose=0).history["loss"]) == 2


def test_a_data_set_must_say_what_its_batches_are():
    with pytest.raises(NotImplementedError, match="__getitem__"):
        cnncore.utils.PyDataset()[0]
    with pytest.raises(NotImplementedError, match="__len__"):
        _ = cnncore.utils.PyDataset().num_batches
    assert cnncore.utils.Sequence is cnncore.utils.PyDataset


def test_tuples_of_data_are_packed_and_unpacked_as_in_keras():
    keras = pytest.importorskip("keras", exc_type=ImportError)
    for values in ((1,), (1, 2), (1, 2, 3), ([1, 2],)):
        packed = cnncore.utils.pack_x_y_sample_weight(*values)
        assert packed == keras.utils.pack_x_y_sample_weight(*values)
        assert cnncore.utils.unpack_x_y_sample_weight(packed) == keras.utils.unpack_x_y_sample_weight(packed)


def test_a_single_metric_needs_no_list():
    x, y, _, _ = training_scenarios.data()
    histories = [one_output(cnncore, metrics=given).fit(x, y, verbose=0, shuffle=False).history
                 for given in ("accuracy", ["accuracy"])]
    assert histories[0] == histories[1] and "accuracy" in histories[0]
    for single in (cnncore.metrics.SparseCategoricalAccuracy(), cnncore.metrics.sparse_categorical_accuracy):
        assert "sparse_categorical_accuracy" in one_output(cnncore, metrics=single).fit(x, y, verbose=0).history
    with pytest.raises(ValueError, match="metrics"):
        one_output(cnncore, metrics=3)


def test_an_output_may_have_several_losses():
    x = cnncore.layers.Input((4,))
    p, q = (cnncore.layers.Dense(1, name=name, kernel_initializer="ones")(x) for name in "pq")
    data, y = np.random.default_rng(0).random((8, 4), "float32"), np.zeros((8, 1), "float32")
    out = data.sum(1)
    mse, mae = float((out ** 2).mean()), float(out.mean())

    def figures(outputs, **arguments):
        model = cnncore.Model(x, outputs)
        model.compile("sgd", **arguments)
        return model.evaluate(data, [y, y] if isinstance(outputs, list) else y, verbose=0, return_dict=True)

    for loss, weights in ((["mse", "mae"], [1.0, 2.0]), ({"p": ["mse", "mae"]}, {"p": [1.0, 2.0]})):
        assert figures(p, loss=loss)["loss"] == pytest.approx(mse + mae, rel=1e-5)
        assert figures(p, loss=loss, loss_weights=weights)["loss"] == pytest.approx(mse + 2 * mae, rel=1e-5)
    for loss, weights in (([["mse", "mae"], "mse"], [[1.0, 2.0], 3.0]),
                          ({"p": ["mse", "mae"], "q": "mse"}, {"p": [1.0, 2.0], "q": 3.0})):
        found = figures([p, q], loss=loss, loss_weights=weights)
        assert found["loss"] == pytest.approx(4 * mse + 2 * mae, rel=1e-5)
        assert (found["p_loss"], found["q_loss"]) == pytest.approx((mse + mae, mse), rel=1e-5)
