"""A training that was killed, anywhere, goes on to exactly the weights of one that was not."""
import hashlib
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from fit_models import images, small_cnn, weights_of

import cnncore
from cnncore import callbacks

PROGRAM = """
import hashlib, os, signal, sys
import numpy as np, cnncore
from cnncore import callbacks
folder, freq, seed, die = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
cnncore.utils.set_random_seed(seed)
rng = np.random.default_rng(0)
x, y = rng.random((80, 6, 6, 1), dtype="float32"), rng.integers(0, 3, 80)
model = cnncore.Sequential([
    cnncore.Input((6, 6, 1)), cnncore.layers.Conv2D(3, 3, activation="relu"), cnncore.layers.BatchNormalization(),
    cnncore.layers.Flatten(), cnncore.layers.Dropout(0.4), cnncore.layers.Dense(3, activation="softmax")])
model.compile(cnncore.optimizers.Adam(0.02, use_ema=True), "sparse_categorical_crossentropy", metrics=["accuracy"])

class Killer(callbacks.Callback):
    steps = 0
    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        if self.steps == die:
            os.kill(os.getpid(), signal.SIGKILL)

backup = callbacks.BackupAndRestore(folder, save_freq=freq if freq == "epoch" else int(freq))
model.fit(x, y, batch_size=8, epochs=4, verbose=0, validation_split=0.1, callbacks=[
    backup, callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=0),
    callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True), Killer()])
assert not os.path.exists(folder)
print(hashlib.sha256(b"".join(w.tobytes() for w in model.get_weights())).hexdigest())
"""


def train(folder, freq, seed, die=0):
    return subprocess.run([sys.executable, "-c", PROGRAM, str(folder), str(freq), str(seed), str(die)],
                          capture_output=True, text=True, timeout=60)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
@pytest.mark.parametrize("freq, kills", [("epoch", [14, 13]), (4, [6, 17])])
def test_a_killed_training_ends_with_the_weights_of_an_unkilled_one(tmp_path, freq, kills):
    whole = train(tmp_path / "whole", freq, seed=1)
    assert whole.returncode == 0, whole.stderr
    for i, die in enumerate(kills):
        # Another seed after the first kill: order of the data and dropout come from the backup alone.
        assert train(tmp_path / "cut", freq, seed=1 + i, die=die).returncode == -signal.SIGKILL
    resumed = train(tmp_path / "cut", freq, seed=7)
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stdout == whole.stdout


class Stop(Exception):
    pass


class StopAt(callbacks.Callback):
    """Ends a training with an error after so many steps."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def on_train_batch_end(self, batch, logs=None):
        self.steps -= 1
        if self.steps == 0:
            raise Stop


def fit(folder, seed, die=0, freq=2, data=None, **arguments):
    cnncore.utils.set_random_seed(seed)
    model = small_cnn(seed)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = (images(48) if data is None else (data, None))
    logs = model.fit(x, y, epochs=3, verbose=0, callbacks=[callbacks.BackupAndRestore(folder, freq), StopAt(die)],
                     **({"batch_size": 8} if data is None else {}), **arguments).history
    return weights_of(model), {name: values[-1] for name, values in logs.items()}


class Items:
    """Batches by their numbers."""

    def __len__(self):
        return 6

    def __getitem__(self, i):
        x, y = images(48)
        return x[i * 8:i * 8 + 8], y[i * 8:i * 8 + 8]


@pytest.mark.parametrize("arguments", [{}, {"shuffle": False}, {"shuffle": "batch"}, {"steps_per_epoch": 4},
                                       {"data": Items()}, {"data": Items(), "steps_per_epoch": 4}],
                         ids=lambda a: "-".join(map(str, a)) or "plain")
@pytest.mark.parametrize("freq, die", [(2, 3), (2, 7), (5, 9), ("epoch", 9), (6, 8)])
def test_a_training_goes_on_in_the_middle_of_an_epoch(tmp_path, arguments, freq, die):
    whole = fit(tmp_path / "whole", 1, freq=freq, **arguments)
    with pytest.raises(Stop):
        fit(tmp_path / "cut", 1, die, freq, **arguments)
    resumed = fit(tmp_path / "cut", 9, freq=freq, **arguments)
    assert resumed == whole


def test_data_that_ran_out_begin_anew_in_the_next_epoch_as_in_keras():
    batches = []
    model = small_cnn()
    model.compile("sgd", "sparse_categorical_crossentropy")
    x, y = images(48)
    with pytest.warns(UserWarning, match="4 steps"):
        model.fit(x, y, batch_size=8, epochs=4, steps_per_epoch=4, verbose=0, callbacks=[callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: batches.append(batch))])
    assert batches == [0, 1, 2, 3, 0, 1, 0, 1, 2, 3, 0, 1]


def test_what_was_restored_is_told_apart_by_callbacks_and_data(tmp_path):
    with pytest.raises(Stop):
        fit(tmp_path / "b", 1, 5)
    with pytest.raises(ValueError, match="another backup_dir"):
        fit(tmp_path / "b", 1, validation_split=0.5)
    with pytest.raises(ValueError, match="shuffled"):
        fit(tmp_path / "b", 1, shuffle=False)


def test_a_damaged_backup_is_replaced_by_the_one_before(tmp_path):
    def run(die=0):
        cnncore.utils.set_random_seed(1)
        model = small_cnn()
        model.compile("adam", "sparse_categorical_crossentropy")
        x, y = images(48)
        model.fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=[
            callbacks.BackupAndRestore(tmp_path / "b", 2, double_checkpoint=True, delete_checkpoint=False),
            StopAt(die)])
        return weights_of(model)

    with pytest.raises(Stop):
        run(5)
    assert sorted(os.listdir(tmp_path / "b")) == ["latest.weights.h5", "latest.weights.h5.bkp"]
    path = tmp_path / "b" / "latest.weights.h5"
    path.write_bytes(path.read_bytes()[:-500])
    resumed = run()
    assert os.path.exists(path)
    for name in os.listdir(tmp_path / "b"):
        os.unlink(tmp_path / "b" / name)
    assert run() == resumed


def test_files_of_others_stay_in_the_folder(tmp_path):
    (tmp_path / "mine.txt").write_text("kept")
    fit(tmp_path, 1)
    assert os.listdir(tmp_path) == ["mine.txt"]


def test_what_a_killed_writer_left_goes_too(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / ".latest.weights.h5.0123456789abcdef.tmp").write_bytes(b"half")
    fit(tmp_path / "b", 1)
    assert os.listdir(tmp_path) == []


def test_a_model_must_be_built_and_a_folder_named(tmp_path):
    with pytest.raises(ValueError, match="backup_dir=''"):
        callbacks.BackupAndRestore("")
    with pytest.raises(ValueError, match="save_freq=1.5"):
        callbacks.BackupAndRestore("b", save_freq=1.5)


def test_the_hash_of_a_run_is_that_of_its_repetition(tmp_path):
    runs = {hashlib.sha256(b"".join(fit(tmp_path / str(i), 3)[0])).hexdigest() for i in range(2)}
    assert len(runs) == 1 and np.isfinite(fit(tmp_path / "c", 3)[1]["loss"])
