"""Steps of one's own, callbacks between them, prediction, and what a step costs."""
import os

os.environ.setdefault("KERAS_BACKEND", "numpy")

import threading
import time
import warnings

import numpy as np
import pytest
from fit_models import images, small_cnn, trained, weights_of

import cnncore
from cnncore import callbacks, layers, metrics, ops

keras = pytest.importorskip("keras", exc_type=ImportError)

# ---- overriding and callbacks ------------------------------------------------------------------------------------

def test_a_step_of_ones_own_is_recorded_and_its_logs_are_shown():
    class Own(cnncore.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)
            self.mean = metrics.Mean(name="own")

        def call(self, x, training=None):
            return self.dense(x)

        @property
        def metrics(self):
            return [self.mean]

        def train_step(self, data):
            x, y = data
            with cnncore.GradientTape() as tape:
                loss = ops.mean(ops.square(self(x, training=True) - y))
            weights = self.trainable_variables
            self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
            self.mean.update_state(loss)
            return {"own": self.mean.result(), "last": loss}

    found = []
    for eager in (False, True):
        cnncore.utils.set_random_seed(0)
        model = Own()
        model.compile(optimizer=cnncore.optimizers.SGD(0.1), run_eagerly=eager)
        x = np.linspace(0, 1, 24, dtype="float32").reshape(12, 2)
        history = model.fit(x, x.sum(1, keepdims=True), epochs=3, batch_size=4, verbose=0, shuffle=False)
        assert set(history.history) == {"own", "last"}
        assert history.history["own"][-1] < history.history["own"][0]
        found.append((weights_of(model), history.history))
    assert found[0] == found[1]


@pytest.mark.parametrize(("x", "y", "kind"), [
    (np.ones((4, 2)), None, "x"), ([np.ones((4, 2)), np.ones((4, 3))], None, "(list)"),
    ((np.ones((4, 2)), np.ones((4, 3))), None, "(tuple)"), ({"a": np.ones((4, 2))}, None, "dict"),
    (np.ones((4, 2)), np.ones(4), "(x, x)"),
    (cnncore.utils.Dataset.from_tensor_slices(np.ones((4, 2))).batch(2), None, "x"),
    ([(np.ones((4, 2)),)], None, "(x)"), ([(np.ones((4, 2)), np.ones(4))], None, "(x, x)"),
])
def test_a_step_of_ones_own_is_given_what_keras_gives_it(x, y, kind):
    given = []

    def name(data):
        parts = [type(part).__name__ if isinstance(part, (list, tuple, dict)) else "x" for part in data] \
            if isinstance(data, tuple) else []
        return f"({', '.join(parts)})" if parts else type(data).__name__ if isinstance(data, dict) else "x"

    class Own(cnncore.Model):
        def train_step(self, data):
            given.append(name(data))
            return {}

        def test_step(self, data):
            given.append(name(data))
            return {}

    model = Own()
    model.compile()
    source = iter(x) if isinstance(x, list) and isinstance(x[0], tuple) else x
    model.fit(source, y, verbose=0, **({"steps_per_epoch": 1} if source is not x else {}))
    if source is x:
        model.evaluate(x, y, verbose=0)
    assert set(given) == {kind}


def test_a_loss_of_ones_own_may_look_at_values_when_run_eagerly():
    seen = []

    def loss(y_true, y_pred):
        seen.append(float(ops.mean(y_pred)))
        return ops.mean(ops.square(y_true - y_pred), axis=-1)

    model = small_cnn(last=None, units=1)
    x, y = images(8)
    model.compile("sgd", loss, run_eagerly=True)
    model.fit(x, y.astype("float32"), verbose=0)
    assert len(seen) == 1
    model.compile("sgd", loss)
    with pytest.raises(RuntimeError, match="run_eagerly=True"):
        model.fit(x, y.astype("float32"), verbose=0)


def test_callbacks_see_each_batch_and_can_stop():
    class Watch(callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.losses, self.begun = [], []

        def on_train_batch_begin(self, batch, logs=None):
            self.begun.append(batch)

        def on_train_batch_end(self, batch, logs=None):
            self.losses.append((batch, logs["loss"], logs["accuracy"]))
            if len(self.losses) == 6:
                self.model.stop_training = True

    watch = Watch()
    _, history = trained(epochs=5, callbacks=[watch])
    assert watch.begun == [0, 1, 2, 3, 0, 1]
    assert [batch for batch, *_ in watch.losses] == [0, 1, 2, 3, 0, 1]
    assert history.history["loss"][0] == watch.losses[3][1]
    assert len(history.history["loss"]) == 2
    assert watch.params["steps"] == 4 and watch.params["epochs"] == 5


def test_steps_per_execution_calls_callbacks_less_often():
    ends = []
    model = small_cnn()
    model.compile("sgd", "sparse_categorical_crossentropy", steps_per_execution=3)
    model.fit(*images(50), batch_size=10, verbose=0,
              callbacks=[callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: ends.append(batch))])
    assert ends == [2, 4]


def test_early_stopping_and_validation_frequency():
    x, y = images()
    model, history = trained(epochs=4, validation_data=(x, y), validation_freq=2)
    assert len(history.history["loss"]) == 4 and len(history.history["val_loss"]) == 2
    stop = callbacks.EarlyStopping(monitor="val_accuracy", patience=1, min_delta=1)
    _, history = trained(epochs=10, validation_data=(x, y), callbacks=[stop])
    assert len(history.history["loss"]) < 10


def test_the_learning_rate_may_change_between_steps_of_a_plan():
    rates = []

    class Slow(callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            self.model.optimizer.learning_rate = 0.0 if batch else 0.5

        def on_train_batch_end(self, batch, logs=None):
            rates.append(weights_of(self.model))

    model = small_cnn()
    model.compile("sgd", "sparse_categorical_crossentropy")
    before = weights_of(model)
    model.fit(*images(), batch_size=16, verbose=0, callbacks=[Slow()])
    assert rates[0] != before and rates[0] == rates[1] == rates[3]


def test_a_schedule_is_followed_by_plans():
    found = []
    for eager in (False, True):
        model = small_cnn()
        model.compile(cnncore.optimizers.SGD(lambda step: 0.5 / (1 + int(step))), "sparse_categorical_crossentropy",
                      run_eagerly=eager)
        model.fit(*images(), batch_size=16, verbose=0, shuffle=False)
        found.append(weights_of(model))
        assert float(model.optimizer.learning_rate) == pytest.approx(0.1)
    assert found[0] == found[1]


def test_frozen_layers_stay_and_plans_follow_compile():
    model, _ = trained(epochs=1)
    before = model.get_weights()
    model.layers[0].trainable = False
    model, _ = trained(epochs=1, model=model)
    after = model.get_weights()
    assert (before[0] == after[0]).all() and (before[2] != after[2]).any()


def test_an_interrupt_leaves_weights_of_a_step_boundary():
    class Interrupt(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                raise KeyboardInterrupt

    model = small_cnn()
    x, y = images()
    model.compile("adam", "sparse_categorical_crossentropy")
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, batch_size=16, verbose=0, shuffle=False, callbacks=[Interrupt()])
    other = small_cnn()
    other.compile("adam", "sparse_categorical_crossentropy")
    other.fit(x[:32], y[:32], batch_size=16, verbose=0, shuffle=False)
    assert weights_of(model) == weights_of(other)
    model.fit(x, y, verbose=0)


# ---- predict -----------------------------------------------------------------------------------------------------

def test_predictions_do_not_depend_on_batches_or_threads():
    model = small_cnn()
    x, _ = images(70)
    expected = model.predict(x, batch_size=70, verbose=0)
    for size in (1, 7, 32):
        np.testing.assert_allclose(model.predict(x, batch_size=size, verbose=0), expected, rtol=1e-6)
    once, wrong = model.predict(x, verbose=0), []

    def work():
        for _ in range(20):
            if model.predict(x, verbose=0).tobytes() != once.tobytes():
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_predictions_belong_to_the_caller():
    model = small_cnn()
    x, _ = images(8)
    first = model.predict(x, verbose=0)
    kept = first.copy()
    model.predict(x + 1, verbose=0)
    np.testing.assert_array_equal(first, kept)


def test_many_shapes_of_batches_keep_few_plans():
    model = small_cnn()
    for rows in range(1, 30):
        model.predict(np.zeros((rows, 8, 8, 1), "float32"), verbose=0)
    assert len(model._plans.shared) <= 8


# ---- cost --------------------------------------------------------------------------------------------------------

def test_a_step_of_fit_costs_little_python():
    model = cnncore.Sequential([layers.Input(shape=(2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.zeros((4000, 2), "float32")
    y = np.zeros((4000, 1), "float32")
    best = float("inf")
    for _ in range(3):
        stamps = []
        stamp = callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs, s=stamps: s.append(time.perf_counter()),
                                         on_epoch_end=lambda epoch, logs, s=stamps: s.append(time.perf_counter()))
        model.fit(x, y, batch_size=4, epochs=2, verbose=0, callbacks=[stamp])
        best = min(best, (stamps[3] - stamps[2]) / 1000)
    assert best < 60e-6  # the whole step with its kernels, on a machine that may be busy


def test_no_warnings_in_a_plain_training():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trained(epochs=1, validation_split=0.2)
