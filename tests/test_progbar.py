"""The progress bar shows in a terminal what Keras shows, letter for letter, and stays readable in a file."""
import io
import os
import random
import sys
import timeit
from types import SimpleNamespace

os.environ.setdefault("KERAS_BACKEND", "numpy")

import pytest

from cnncore.utils import progbar
from cnncore.utils.progbar import Progbar


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progbar, "time", SimpleNamespace(perf_counter=clock))
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("PYCHARM_HOSTED", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    return clock


@pytest.fixture
def keras_bar(clock, monkeypatch):
    keras = pytest.importorskip("keras", exc_type=ImportError)
    if tuple(map(int, keras.__version__.split(".")[:2])) < (3, 15):
        pytest.skip("the layout is that of Keras 3.15")
    from keras.src.utils import progbar as theirs

    monkeypatch.setattr(theirs, "time", SimpleNamespace(time=clock))
    return theirs.Progbar


def played(make, script, clock, monkeypatch, stream=Terminal):
    """What a bar writes while it is updated: script of (seconds waited, current, values, finalize)."""
    out = stream()
    clock.now = 1000.0
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        bar = make()
        for wait, current, values, finalize in script:
            clock.now += wait
            bar.update(current, values, finalize)
    return out.getvalue()


def random_script(rng, target):
    pace, steps, script, current = 10 ** rng.uniform(-6, 3), target or 30, [], 0
    names = rng.sample(["loss", "accuracy", "mae", "top_k"], rng.randint(0, 4))
    values = [(name, rng.choice([1.0, -1.0]) * 10 ** rng.uniform(-6, 5)) for name in names]
    while current < steps:
        current = min(current + rng.choice([1, 1, 1, 2, 5]), steps)
        values = [(name, value * rng.uniform(0.5, 1.5)) for name, value in values]
        shown = values[: rng.randint(0, len(values))] if rng.random() < 0.2 else values
        script.append((pace * rng.uniform(0.5, 2), current, shown, None if rng.random() < 0.8 else current == steps))
    return script


@pytest.mark.parametrize("seed", range(40))
def test_a_terminal_shows_what_keras_shows(seed, clock, keras_bar, monkeypatch):
    rng = random.Random(seed)
    target = rng.choice([None, 0, 1, 2, 9, 10, 100, 1875])
    options = rng.choice([{}, {"stateless_metrics": ()}, {"stateful_metrics": ["mae", "loss"]}, {"width": 7},
                          {"stateless_metrics": ["accuracy"]}, {"unit_name": "sample", "interval": 0.5}])
    script = random_script(rng, target)
    for verbose in (0, 1, 2):
        ours = played(lambda v=verbose: Progbar(target, verbose=v, **options), script, clock, monkeypatch)
        theirs = played(lambda v=verbose: keras_bar(target, verbose=v, **options), script, clock, monkeypatch)
        assert ours == theirs.replace("\b", "")
        assert (ours == "") == (verbose == 0 or verbose == 2 and not target)


@pytest.mark.parametrize("values", [[("loss", float("nan"))], [("loss", float("-inf")), ("a", 1e-3)], [("a", 7)]])
@pytest.mark.parametrize("verbose", [1, 2])
def test_odd_values_look_as_in_keras(values, verbose, clock, keras_bar, monkeypatch):
    script = [(1.0, 1, values, None), (1.0, 2, values, None)]
    ours = played(lambda: Progbar(2, verbose=verbose), script, clock, monkeypatch)
    assert ours == played(lambda: keras_bar(2, verbose=verbose), script, clock, monkeypatch).replace("\b", "")


def test_the_layout_in_a_terminal(clock, monkeypatch):
    script = [(0.5, 1, [("loss", 2.0)], None), (0.5, 12, [("loss", 0.3)], None)]
    text = played(lambda: Progbar(40, stateless_metrics=()), script, clock, monkeypatch)
    assert text.split("\r")[2] == ("\x1b[1m12/40\x1b[0m \x1b[32m━━━━━━\x1b[0m\x1b[37m━━━━━━━━━━━━━━\x1b[0m "
                                   "\x1b[1m1s\x1b[0m 45ms/step - loss: 0.3000  ")  # the last line was two longer


def test_the_line_is_rewritten_every_twentieth_of_a_second_at_most(clock, monkeypatch):
    script = [(0.001, n + 1, [("loss", 1.0)], None) for n in range(1000)]
    text = played(lambda: Progbar(1000), script, clock, monkeypatch)
    assert 15 <= text.count("\r") <= 1.0 / 0.05 + 1
    assert text.count("\n") == 1 and text.endswith("\n")


@pytest.mark.parametrize("target", [None, 50])
def test_a_file_gets_one_plain_line(target, clock, monkeypatch):
    script = [(0.1, n + 1, [("loss", 0.25)], n == 49) for n in range(50)]
    text = played(lambda: Progbar(target), script, clock, monkeypatch, io.StringIO)
    bar = "50/50 ━━━━━━━━━━━━━━━━━━━━" if target else "     50/Unknown"
    assert text == f"{bar} 5s 100ms/step - loss: 0.2500\n"


@pytest.mark.parametrize("name, value", [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_without_colours_the_bar_is_still_rewritten(name, value, clock, monkeypatch):
    monkeypatch.setenv(name, value)
    text = played(lambda: Progbar(4), [(1.0, 1, None, None), (1.0, 2, None, None)], clock, monkeypatch)
    assert text == "\r1/4 ━━━━━─────────────── 3s 1s/step\r2/4 ━━━━━━━━━━────────── 2s 1s/step"


def test_a_stream_that_cannot_write_the_sign_gets_another(clock, monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "ascii", write_through=True))
    Progbar(2).update(2)
    assert raw.getvalue().startswith(b"2/2 ==================== 0s")


def test_a_program_without_a_console_shows_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    Progbar(2).update(2, [("loss", 1.0)])


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no pseudo terminals")
def test_a_pseudo_terminal_is_recognized(clock, monkeypatch):
    reader, writer = os.openpty()
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        bar = Progbar(2)
        for step in (1, 2):
            clock.now += 1
            bar.update(step, [("loss", 0.5)])
        monkeypatch.undo()
        shown = b""
        while not shown.endswith(b"\n"):                        # a read may give a part of what was written
            shown += os.read(reader, 10_000)
        text = shown.decode()
    os.close(reader)
    assert text == ("\r\x1b[1m1/2\x1b[0m \x1b[32m━━━━━━━━━━\x1b[0m\x1b[37m━━━━━━━━━━\x1b[0m "
                    "\x1b[1m1s\x1b[0m 1s/step - loss: 0.5000"
                    "\r\x1b[1m2/2\x1b[0m \x1b[32m━━━━━━━━━━━━━━━━━━━━\x1b[0m\x1b[37m\x1b[0m "
                    "\x1b[1m2s\x1b[0m 1s/step - loss: 0.5000\r\n")


def test_lazy_values_are_read_only_when_they_are_shown(clock, monkeypatch):
    class Lazy(dict):
        is_lazy = True
        read = 0

        def keys(self):
            self.read += 1
            return super().keys()

        def __iter__(self):
            return super().__iter__()

    values = Lazy(loss=0.5)
    script = [(0.001, n + 1, values, False) for n in range(200)]
    text = played(lambda: Progbar(1000, stateless_metrics=()), script, clock, monkeypatch)
    assert values.read == text.count("\r") < 6


@pytest.mark.parametrize("options", [{"stateless_metrics": ()}, {}])
def test_an_update_that_is_not_shown_costs_less_than_two_microseconds(options, monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    bar = Progbar(10**9, interval=1e9, **options)
    values = [("accuracy", 0.5), ("loss", 0.25)]
    bar.update(1, values)
    bar.update(2, values)
    best = min(timeit.repeat(lambda: bar.update(3, values, False), number=1000, repeat=30)) / 1000
    assert best < 2e-6


def test_add_counts_on(clock, monkeypatch):
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    bar = Progbar(10)
    bar.add(4)
    clock.now += 1
    bar.add(6, [("loss", 1.0)])
    assert "\x1b[1m10/10\x1b[0m" in out.getvalue() and out.getvalue().endswith("loss: 1.0000\n")


def test_both_kinds_of_metrics_cannot_be_given():
    with pytest.raises(ValueError, match="leave one out"):
        Progbar(1, stateful_metrics=["a"], stateless_metrics=["b"])
