"""Callbacks are called as Keras calls them, decide as Keras's decide, and cost nothing where they do nothing."""
import io
import os
import random
import sys
import timeit
import warnings
from types import SimpleNamespace

os.environ.setdefault("KERAS_BACKEND", "numpy")

import numpy as np
import pytest

from cnncore import callbacks
from cnncore.callbacks import CallbackList, EarlyStopping, History, LambdaCallback, LazyLogs, TerminateOnNaN
from cnncore.callbacks.lazy_logs import python_logs
from cnncore.utils import progbar

HOOKS = sorted(name for name in vars(callbacks.Callback) if name.startswith("on_"))


@pytest.fixture
def keras():
    return pytest.importorskip("keras", exc_type=ImportError)


@pytest.fixture
def new_keras(keras):
    if tuple(map(int, keras.__version__.split(".")[:2])) < (3, 15):
        pytest.skip("some arguments, EarlyStopping's reuse and the progress bar are those of Keras 3.15")
    return keras


class FakeModel:
    """Weights that tell the epoch they come from."""

    def __init__(self, metrics=()):
        self.metrics = list(metrics)
        self.stop_training = False
        self.weights = [np.zeros(2)]
        self.restored = None

    def get_weights(self):
        return [w.copy() for w in self.weights]

    def set_weights(self, weights):
        self.restored = [w.copy() for w in weights]


class Recorder(callbacks.Callback):
    """Notes every hook with its arguments."""

    def __init__(self):
        super().__init__()
        self.calls = []


def _noting(name):
    def hook(self, *place, logs=None):
        self.calls.append((name, place, logs))
    return hook


for _name in HOOKS:
    setattr(Recorder, _name, _noting(_name))


def train(callback_list, epochs=2, batches=3):
    """Calls the hooks as `fit` with validation does."""
    callback_list.on_train_begin()
    for epoch in range(epochs):
        callback_list.on_epoch_begin(epoch)
        for batch in range(batches):
            callback_list.on_train_batch_begin(batch)
            callback_list.on_train_batch_end(batch, {"loss": np.float32(1 / (batch + 1)), "acc": batch})
        callback_list.on_test_begin()
        for batch in range(2):
            callback_list.on_test_batch_begin(batch)
            callback_list.on_test_batch_end(batch, {"loss": 0.5})
        callback_list.on_test_end({"loss": 0.5})
        callback_list.on_epoch_end(epoch, {"loss": np.float32(0.25), "acc": 1, "val": {"b": np.ones(()), "a": 2}})
    callback_list.on_train_end({"loss": 0.25})
    for batch in range(2):
        callback_list.on_predict_begin()
        callback_list.on_predict_batch_begin(batch)
        callback_list.on_predict_batch_end(batch, {"outputs": np.ones((2, 3))})
        callback_list.on_predict_end()


def test_the_hooks_and_their_arguments_are_those_of_keras(new_keras):
    import inspect

    theirs = new_keras.callbacks.Callback
    assert HOOKS == sorted(name for name in dir(theirs) if name.startswith("on_"))
    for name in HOOKS:
        assert inspect.signature(getattr(callbacks.Callback, name)) == inspect.signature(getattr(theirs, name))
    for name in ("EarlyStopping", "History", "LambdaCallback", "TerminateOnNaN", "CallbackList", "ProgbarLogger"):
        ours = list(inspect.signature(getattr(callbacks, name)).parameters.values())
        expected = list(inspect.signature(getattr(new_keras.callbacks, name)).parameters.values())
        assert [(p.name, p.default, p.kind) for p in ours] == [(p.name, p.default, p.kind) for p in expected]


def test_a_list_calls_as_that_of_keras(keras):
    class Theirs(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.calls = []

    for name in HOOKS:
        setattr(Theirs, name, _noting_positionally(name))
    ours, theirs = Theirs(), Theirs()
    for make, recorder in ((CallbackList, ours), (keras.callbacks.CallbackList, theirs)):
        train(make([recorder], add_history=True, model=FakeModel(), epochs=2, verbose=0, steps=3))
    assert len(ours.calls) == len(theirs.calls) == 38
    for mine, other in zip(ours.calls, theirs.calls, strict=True):
        assert mine[:2] == other[:2]
        assert list(mine[2]) == list(other[2])
        assert all(np.array_equal(mine[2][k], other[2][k]) and type(mine[2][k]) is type(other[2][k]) for k in mine[2])
    assert ours.params == theirs.params == {"epochs": 2, "verbose": 0, "steps": 3}


def _noting_positionally(name):
    if any(word in name for word in ("batch", "epoch")):
        return lambda self, place, logs=None: self.calls.append((name, place, logs))
    return lambda self, logs=None: self.calls.append((name, None, logs))


@pytest.mark.parametrize("kind, hook", [
    ("train", "on_train_batch_end"), ("train", "on_train_batch_begin"), ("train", "on_batch_end"),
    ("train", "on_batch_begin"), ("test", "on_test_batch_begin"), ("test", "on_test_batch_end"),
    ("predict", "on_predict_batch_begin"), ("predict", "on_predict_batch_end"),
])
def test_only_hooks_that_do_something_are_called_per_batch(kind, hook, keras):
    calls = []
    function = lambda self, batch, logs=None: calls.append((hook, batch))  # noqa: E731
    for base in (callbacks.Callback, keras.callbacks.Callback):
        calls.clear()
        own, idle = type("Own", (base,), {hook: function})(), base()
        listening = CallbackList([idle, own, History(), EarlyStopping("loss")])
        assert [k for k in ("train", "test", "predict") if listening.wants(k)] == [kind]
        assert sum(map(len, listening._hooks.values())) == 1 + (kind == "train" and "train" not in hook)
        train(listening, epochs=1)
        assert calls == [(hook, batch) for batch in range(3 if kind == "train" else 2)]


def test_hooks_put_on_an_object_are_found_also_during_training():
    seen = []
    late = callbacks.Callback()
    listening = CallbackList([late])
    listening.on_train_begin()
    late.on_train_batch_end = lambda batch, logs=None: seen.append(batch)
    listening.on_train_batch_end(0)
    listening.on_epoch_begin(0)
    listening.on_train_batch_end(1)
    listening.append(LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(-batch)))
    listening.on_train_batch_end(2)
    assert seen == [1, 2, -2]


def test_lists_within_lists_are_called_too():
    recorder = Recorder()
    inner = CallbackList([recorder])
    outer = CallbackList([inner, (callbacks.Callback(), [History()])])
    assert len(outer.callbacks) == 3
    outer.on_train_batch_end(4, {"loss": 1})
    assert recorder.calls == [("on_train_batch_end", (4,), {"loss": 1.0})]


def test_a_batch_without_listeners_costs_nothing():
    read = []
    listening = CallbackList([History(), EarlyStopping()])
    cost = min(timeit.repeat(lambda: listening.on_train_batch_end(0, read.append), number=1000, repeat=20)) / 1000
    assert not read and cost < 1e-6


def test_lazy_logs_are_read_at_the_first_look_and_once():
    reads = []

    class Looker(callbacks.Callback):
        reads_logs_lazily = True

        def on_train_batch_end(self, batch, logs=None):
            logs = logs or {}
            if batch == 2:
                assert logs["loss"] == 0.5 and list(logs) == ["acc", "loss"] and repr(logs) == str(dict(logs))

    listening = CallbackList([Looker(), Looker()])
    for batch in range(4):
        listening.on_train_batch_end(batch, lambda: reads.append(1) or {"loss": np.float32(0.5), "acc": 1})
        assert len(reads) == (batch >= 2)


def test_other_callbacks_get_a_dict_that_stays_what_it_was_and_is_shared():
    state, kept, shown = {"loss": 0.0}, [], []

    class Lazy(callbacks.Callback):
        reads_logs_lazily = True

        def on_train_batch_end(self, batch, logs=None):
            shown.append(dict(logs))

    def add(batch, logs):
        logs["lr"] = batch
        kept.append(logs)

    listening = CallbackList([LambdaCallback(on_train_batch_end=add), Lazy()])
    for batch in range(3):
        state["loss"] = float(batch)
        listening.on_train_batch_end(batch, LazyLogs(lambda: state))
    assert all(type(logs) is dict for logs in kept)
    assert kept == shown == [{"loss": float(batch), "lr": batch} for batch in range(3)]


def test_logs_become_python_numbers_as_in_keras(keras):
    from keras.src.utils.python_utils import pythonify_logs

    logs = {"loss": np.float32(0.1), "b": {"z": 1, "a": np.array(2)}, "name": "x", "none": None, "flag": True}
    assert python_logs(logs) == pythonify_logs(logs)
    assert list(python_logs(logs)) == list(pythonify_logs(logs))
    assert python_logs(None) == {}


def test_callbacks_must_be_instances():
    with pytest.raises(TypeError, match="pass an instance"):
        CallbackList([EarlyStopping])
    with pytest.raises(TypeError, match="Received: 3"):
        CallbackList([3])


def test_history_keeps_every_epoch():
    model, history = FakeModel(), History()
    listening = CallbackList([history], add_history=True, model=model)
    assert listening.callbacks == [history] and model.history is history
    train(listening)
    assert history.epoch == [0, 1]
    assert history.history == {"acc": [1.0, 1.0], "loss": [0.25, 0.25], "a": [2.0, 2.0], "b": [1.0, 1.0]}
    train(listening, epochs=1)
    assert history.epoch == [0] and history.history["loss"] == [0.25] * 3


# EarlyStopping

def stopped(callback, model, values, monitor):
    """Everything that can be seen of a callback while it watches these values; None is a missing one."""
    seen = []
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, value in enumerate(values):
        model.weights = [np.full(2, float(epoch)), np.full(1, -float(epoch))]
        callback.on_epoch_end(epoch, {"other": 0.0} if value is None else {"other": 0.0, monitor: value})
        best = None if callback.best_weights is None else [w.tolist() for w in callback.best_weights]
        seen.append((callback.wait, callback.best, callback.stopped_epoch, model.stop_training, best))
        if model.stop_training:
            break
    callback.on_train_end()
    return seen, callback.best_epoch, None if model.restored is None else [w.tolist() for w in model.restored]


@pytest.mark.parametrize("seed", range(60))
def test_early_stopping_decides_as_that_of_keras(seed, new_keras, capsys):
    rng = random.Random(seed)
    for _ in range(10):
        monitor = rng.choice(["val_loss", "loss", "val_score"])
        options = {"monitor": monitor, "patience": rng.randint(0, 4), "min_delta": rng.choice([0, 0.05, -0.1, 0.25]),
                   "mode": rng.choice(["min", "max"] if "score" in monitor else ["auto", "min", "max"]),
                   "baseline": rng.choice([None, None, 0.2, 0.5, 0.8]), "restore_best_weights": rng.random() < 0.5,
                   "start_from_epoch": rng.choice([0, 0, 1, 3, 50]), "verbose": rng.choice([0, 1])}
        grid = rng.choice([10, 1000, 20])  # a coarse grid, so that ties and differences of just min_delta occur
        kinds = [None, float("nan"), float("inf")]
        values = [rng.choice(kinds) if rng.random() < 0.05 else rng.randint(0, grid) / grid for _ in range(15)]
        outcomes = []
        for cls in (EarlyStopping, new_keras.callbacks.EarlyStopping):
            callback = cls(**options)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                runs = [stopped(callback, FakeModel(), values, monitor), stopped(callback, FakeModel(), values[::-1],
                                                                               monitor)]
            outcomes.append((repr(runs), capsys.readouterr().out, len(caught)))
        assert outcomes[0] == outcomes[1], options


def test_the_direction_comes_from_the_metrics_of_the_model(keras):
    inner = SimpleNamespace(metrics=[SimpleNamespace(name="score", _direction="up"),
                                     SimpleNamespace(name="error", _direction="down")])
    for monitor, better in (("val_score", 1.0), ("error", -1.0), ("val_loss", -1.0), ("acc", 1.0),
                            ("val_top_k_accuracy", 1.0)):
        callback, model = EarlyStopping(monitor=monitor, patience=1), FakeModel([inner])
        stopped(callback, model, [0.0, better], monitor)
        assert callback.best == better and not model.stop_training


def test_an_unknown_direction_is_an_error_as_in_keras(keras):
    for cls in (EarlyStopping, keras.callbacks.EarlyStopping):
        callback = cls(monitor="val_score")
        callback.set_model(FakeModel())
        with pytest.raises(ValueError, match="val_score"):
            callback.on_epoch_end(0, {"val_score": 1.0})


def test_a_subclass_compares_by_what_the_callback_watches():
    class Own(EarlyStopping):
        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, logs)
            seen.append(bool(self.monitor_op(0.1, 0.2)))

    seen = []
    for mode in ("min", "max"):
        stopped(Own(mode=mode), FakeModel(), [0.5], "val_loss")
    assert seen == [True, False] and EarlyStopping().monitor_op is None
    ours = EarlyStopping()
    ours.monitor_op = np.greater  # as classes made for older versions do
    stopped(ours, FakeModel(), [0.5, 0.7], "val_loss")
    assert ours.best == 0.7


def test_an_unknown_mode_falls_back_to_auto_with_a_warning():
    with pytest.warns(UserWarning, match="mode='lower'"):
        assert EarlyStopping(mode="lower").mode == "auto"


def test_the_missing_metric_is_named():
    callback = EarlyStopping()
    callback.set_model(FakeModel())
    with pytest.warns(UserWarning, match="'val_loss', use one of accuracy, loss"):
        callback.on_epoch_end(0, {"accuracy": 0.5, "loss": 1.0})


# The others

@pytest.mark.parametrize("loss, stops", [(1.0, False), (np.nan, True), (-np.inf, True), (None, False)])
def test_terminate_on_nan(loss, stops, capsys):
    model = FakeModel()
    logs = {} if loss is None else {"loss": loss}
    CallbackList([TerminateOnNaN()], model=model).on_train_batch_end(7, logs)
    assert model.stop_training is stops
    assert capsys.readouterr().out == ("Batch 7: Invalid loss, terminating training\n" if stops else "")
    if stops:
        with pytest.raises(RuntimeError, match="batch 7"):
            CallbackList([TerminateOnNaN(raise_error=True)], model=model).on_train_batch_end(7, logs)


def test_a_lambda_callback_calls_its_functions():
    calls = []
    functions = {name: (lambda *args, _name=name, **logs: calls.append((_name, *args, *logs.values())))
                 for name in HOOKS}
    train(CallbackList([LambdaCallback(**functions)]), epochs=1, batches=1)
    names = {call[0] for call in calls}
    assert names == set(HOOKS) - {"on_batch_begin", "on_batch_end"}
    assert ("on_train_batch_end", 0, {"loss": 1.0, "acc": 0.0}) in calls
    with pytest.raises(ValueError, match="on_epoch_finish"):
        LambdaCallback(on_epoch_finish=print)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("steps", [3, None])
@pytest.mark.parametrize("verbose", [0, 1, 2, "auto"])
def test_the_progress_of_a_training_looks_as_in_keras(verbose, steps, new_keras, monkeypatch):
    from keras.src.utils import progbar as theirs

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    texts = []
    for make in (CallbackList, new_keras.callbacks.CallbackList):
        ticks = iter(range(10_000))
        monkeypatch.setattr(progbar, "time", SimpleNamespace(perf_counter=lambda t=ticks: next(t) / 4))
        monkeypatch.setattr(theirs, "time", SimpleNamespace(time=lambda t=ticks: next(t) / 4))
        out = Terminal()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            listening = make(add_progbar=verbose != 0, model=FakeModel(), epochs=2, verbose=verbose, steps=steps)
            listening._async_train = listening._async_test = listening._async_predict = False  # Keras's threads
            train(listening)
        texts.append(out.getvalue().replace("\b", ""))
    assert texts[0] == texts[1]
    assert ("Epoch 2/2\n" in texts[0]) == (verbose != 0)


def test_a_training_writes_two_lines_an_epoch_into_a_file(capsys):
    train(CallbackList(add_progbar=True, epochs=2, verbose=1, steps=3))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" ")[0] for line in lines] == ["Epoch", "3/3", "Epoch", "3/3", "3/3", "3/3"]
    assert not any("\r" in line or "\x1b" in line for line in lines)


def test_the_progress_bar_costs_little_per_batch(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    reads = []
    listening = CallbackList(add_progbar=True, epochs=1, verbose=1, steps=10**9)
    listening.on_train_begin()
    listening.on_epoch_begin(0)
    listening.on_train_batch_end(0, {"loss": 1.0})
    listening._progbar.progbar._next_at = 1e18
    cost = min(timeit.repeat(lambda: listening.on_train_batch_end(5, reads.append), number=1000, repeat=20)) / 1000
    assert not reads and cost < 5e-6
