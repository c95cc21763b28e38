"""Checkpoints, learning rates and logs: callbacks that save or steer a training do what Keras's do."""
import gc
import os
import random
import warnings
import weakref

os.environ.setdefault("KERAS_BACKEND", "numpy")

import numpy as np
import pytest
from fit_models import images, pair_of_models, small_cnn, weights_of

import cnncore
from cnncore import callbacks

keras = pytest.importorskip("keras", exc_type=ImportError)


class FakeModel:
    """Notes what is saved, and has an optimizer with a rate."""

    def __init__(self, library):
        self.metrics, self.saved, self.stop_training = [], [], False
        self.optimizer = library.optimizers.SGD(learning_rate=0.5)

    def save(self, path, overwrite):
        self.saved.append(("model", path))

    def save_weights(self, path, overwrite):
        self.saved.append(("weights", path))


def run_epochs(callback, model, epochs, batches=4):
    """Calls a callback as fit does; returns the logs as the callback left them."""
    left = []
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, logs in enumerate(epochs):
        callback.on_epoch_begin(epoch)
        for batch in range(batches):
            callback.on_train_batch_end(batch, {"loss": epoch + batch / 10})
        logs = dict(logs)
        callback.on_epoch_end(epoch, logs)
        left.append(logs)
    callback.on_train_end({})
    return left


def same_in_both(name, arguments, epochs, capsys, **options):
    """Runs the callback of both libraries and compares what it saved, printed, logged and warned of."""
    outcomes = []
    for library in (cnncore, keras):
        model = FakeModel(library)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            left = run_epochs(getattr(library.callbacks, name)(**arguments), model, epochs, **options)
        rate = float(model.optimizer.learning_rate)
        outcomes.append((model.saved, capsys.readouterr().out, left, rate, sum(w.category is UserWarning for w in caught)))
    assert outcomes[0] == outcomes[1], arguments
    return outcomes[0]


@pytest.mark.parametrize("seed", range(30))
def test_model_checkpoint_saves_when_and_where_that_of_keras_does(seed, capsys, tmp_path):
    rng = random.Random(seed)
    for _ in range(5):
        weights = rng.random() < 0.3
        stem = rng.choice(["m", "w-{epoch:02d}-{val_loss:.2f}", "deep/{epoch}", "{loss:.3f}"])
        arguments = {"filepath": f"{tmp_path}/{stem}" + (".weights.h5" if weights else rng.choice([".keras", ".h5"])),
                     "monitor": rng.choice(["val_loss", "loss", "missing"]), "save_weights_only": weights,
                     "verbose": rng.choice([0, 1]), "save_best_only": rng.random() < 0.7,
                     "mode": rng.choice(["min", "max"]), "initial_value_threshold": rng.choice([None, None, 0.4])}
        epochs = [{"loss": rng.randint(0, 9) / 9, "val_loss": rng.randint(0, 9) / 9} for _ in range(8)]
        same_in_both("ModelCheckpoint", arguments, epochs, capsys)
    assert os.path.isdir(tmp_path)


@pytest.mark.parametrize("freq", [1, 3, 5, 9])
def test_model_checkpoint_saves_after_so_many_batches(freq, capsys):
    arguments = {"filepath": "e{epoch}-b{batch:02d}.weights.h5", "save_freq": freq, "save_weights_only": True,
                 "verbose": 1}
    saved = same_in_both("ModelCheckpoint", arguments, [{"loss": 1.0}] * 3, capsys)[0]
    assert len(saved) == 12 // freq


def test_a_checkpoint_of_the_best_epoch_comes_back(tmp_path):
    x, y = images(64)
    for name in ("best-cnn-model.h5", "best.keras", "best.weights.h5"):
        model = small_cnn()
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["acc"])
        path = os.path.join(tmp_path, "new", name)
        history = model.fit(x, y, epochs=4, validation_split=0.25, verbose=0, callbacks=[
            callbacks.ModelCheckpoint(path, monitor="val_loss", save_best_only=True,
                                      save_weights_only="weights" in name)]).history
        if "weights" in name:
            model.load_weights(path)
        else:
            model = cnncore.models.load_model(path)
        loss = model.evaluate(x[48:], y[48:], verbose=0)[0]
        assert loss == pytest.approx(min(history["val_loss"]), rel=1e-5)


def test_a_whole_model_in_h5_is_read_by_keras_and_back(tmp_path):
    ours, _ = pair_of_models()
    ours.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = images()
    ours.fit(x, y, verbose=0)
    ours.save(tmp_path / "model.h5")
    theirs, again = keras.models.load_model(tmp_path / "model.h5"), cnncore.models.load_model(tmp_path / "model.h5")
    np.testing.assert_allclose(theirs.predict(x, verbose=0), ours.predict(x, verbose=0), rtol=1e-5, atol=1e-6)
    assert weights_of(again) == weights_of(ours)
    assert [v.numpy().tobytes() for v in again.optimizer.variables] == [
        v.numpy().tobytes() for v in ours.optimizer.variables]
    assert again.evaluate(x, y, verbose=0) == ours.evaluate(x, y, verbose=0)
    ours.save(tmp_path / "bare.h5", include_optimizer=False)
    assert not cnncore.models.load_model(tmp_path / "bare.h5").compiled


def test_names_too_long_for_one_attribute_are_split(tmp_path):
    model = cnncore.Sequential([cnncore.Input((1,))])
    for i in range(300):
        model.add(cnncore.layers.Dense(1, name=f"{'long' * 60}_{i}"))
    model.save(tmp_path / "deep.h5")
    assert weights_of(cnncore.models.load_model(tmp_path / "deep.h5")) == weights_of(model)


def test_a_model_forgets_the_data_of_a_training_that_failed():
    model = small_cnn()
    model.compile("adam", "sparse_categorical_crossentropy")
    x, y = images(32)
    seen = weakref.ref(x)
    with pytest.raises(ZeroDivisionError):
        model.fit(x, y, verbose=0, callbacks=[callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: 1 / 0)])
    del x
    gc.collect()
    assert seen() is None


@pytest.mark.parametrize("seed", range(20))
def test_reduce_lr_on_plateau_decides_as_that_of_keras(seed, capsys):
    rng = random.Random(seed)
    for _ in range(5):
        arguments = {"monitor": rng.choice(["val_loss", "loss", "missing"]), "factor": rng.choice([0.1, 0.5]),
                     "patience": rng.randint(0, 3), "mode": rng.choice(["min", "max"]), "verbose": rng.choice([0, 1]),
                     "min_delta": rng.choice([1e-4, 0.2]), "cooldown": rng.randint(0, 2),
                     "min_lr": rng.choice([0.0, 0.01])}
        epochs = [{"loss": rng.randint(0, 9) / 9, "val_loss": rng.randint(0, 9) / 9} for _ in range(12)]
        same_in_both("ReduceLROnPlateau", arguments, epochs, capsys)


@pytest.mark.parametrize("schedule", [lambda epoch: 0.1 / (epoch + 1), lambda epoch, rate: rate * 0.5,
                                      lambda epoch: np.float32(0.25)])
def test_learning_rate_scheduler_sets_what_that_of_keras_sets(schedule, capsys):
    same_in_both("LearningRateScheduler", {"schedule": schedule, "verbose": 1}, [{"loss": 1.0}] * 3, capsys)


def test_csv_logger_writes_the_file_of_keras(tmp_path, capsys):
    epochs = [{"loss": 0.5, "acc": 0.25}, {"loss": 0.25, "acc": 0.5, "val_loss": 0.3, "val_acc": 0.1}]
    for separator, append in ((",", False), (";", True)):
        texts = []
        for library in (cnncore, keras):
            path = tmp_path / f"{library.__name__}{append}.csv"
            for _ in range(2):
                run_epochs(library.callbacks.CSVLogger(str(path), separator, append), FakeModel(library), epochs)
            texts.append(path.read_bytes())
        assert texts[0] == texts[1] and texts[0].count(b"\r\n") == (5 if append else 3)


def test_the_averages_of_weights_stand_in_during_evaluation(tmp_path):
    x, y = images(32)
    model = small_cnn()
    model.compile(cnncore.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.9), "sparse_categorical_crossentropy")
    seen = {}

    class Watch(callbacks.Callback):
        def on_test_end(self, logs=None):
            seen["test"] = weights_of(self.model)

        def on_epoch_end(self, epoch, logs=None):
            seen["epoch"] = weights_of(self.model)

        def on_train_batch_end(self, batch, logs=None):
            seen["batch"] = weights_of(self.model)

    swap = callbacks.SwapEMAWeights(swap_on_epoch=True)
    model.fit(x, y, epochs=2, validation_data=(x, y), verbose=0, callbacks=[Watch(), swap, Watch()])
    assert seen["epoch"] == weights_of(model) != seen["batch"]
    model = small_cnn()
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="use_ema=True"):
        model.fit(x, y, validation_data=(x, y), verbose=0, callbacks=[callbacks.SwapEMAWeights()])


@pytest.mark.parametrize("program, kind, words", [
    (lambda: callbacks.ModelCheckpoint("model"), ValueError, ".keras or .h5"),
    (lambda: callbacks.ModelCheckpoint("model.keras", save_weights_only=True), ValueError, ".weights.h5"),
    (lambda: callbacks.ModelCheckpoint("model.keras", save_freq="batch"), ValueError, "save_freq='batch'"),
    (lambda: callbacks.ModelCheckpoint("model.keras", save_freq=0), ValueError, "save_freq=0"),
    (lambda: callbacks.ReduceLROnPlateau(factor=1.5), ValueError, "factor=1.5"),
    (lambda: callbacks.ReduceLROnPlateau(epsilon=0.1), ValueError, "min_delta"),
    (lambda: run_epochs(callbacks.ModelCheckpoint("{acc}.keras"), FakeModel(cnncore), [{"loss": 1.0}]), KeyError,
     "'acc'"),
    (lambda: run_epochs(callbacks.LearningRateScheduler(lambda epoch: None), FakeModel(cnncore), [{}]), ValueError,
     "None for epoch 0"),
    (lambda: run_epochs(callbacks.ReduceLROnPlateau("val_f1"), FakeModel(cnncore), [{}]), ValueError, "mode='max'"),
])
def test_wrong_arguments_are_named(program, kind, words):
    with pytest.raises(kind, match="Received") as error:
        program()
    assert words in str(error.value)
