"""The progress bar: Keras's in a terminal or notebook, one plain line per epoch in a file or log."""
import math
import os
import sys
import time

import numpy as np

_BOLD, _GREEN, _WHITE, _RESET = "\x1b[1m", "\x1b[32m", "\x1b[37m", "\x1b[0m"


class Progbar:
    """Shows how far a loop has come, with its pace and metrics.

    In a terminal or notebook the line is rewritten in place, at most every `interval` seconds. Elsewhere (a file, a
    pipe, a CI log) only the last line of the loop is written, without escape codes or carriage returns. `NO_COLOR` in
    the environment keeps the bar but takes its colours away. A terminal that cannot show the bar's sign gets '='.

    Args:
        target: number of steps, or None if unknown.
        width: length of the bar, in characters.
        verbose: 0 shows nothing, 1 the bar, 2 one line at the end.
        interval: shortest time between two rewrites, in seconds.
        stateful_metrics: names of metrics shown as they come; all others are averaged over the steps.
        stateless_metrics: names of metrics averaged over the steps; all others are shown as they come.
        unit_name: name of a step.

    Raises:
        ValueError: both `stateful_metrics` and `stateless_metrics` are given.

    Example:
        >>> bar = Progbar(10)
        >>> for step in range(10):
        ...     bar.update(step + 1, [("loss", 1 / (step + 1))])  # doctest: +SKIP
    """

    def __init__(self, target, width=20, verbose=1, interval=0.05, stateful_metrics=None, stateless_metrics=None,
                 unit_name="step"):
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError("A Progbar takes stateful_metrics or stateless_metrics, each meaning the opposite for all "
                             f"other metrics. Received: stateful_metrics={stateful_metrics!r} and "
                             f"stateless_metrics={stateless_metrics!r}, leave one out")
        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = interval
        self.unit_name = unit_name
        self.stateful_metrics = set(stateful_metrics or ()) if stateless_metrics is None else None
        self.stateless_metrics = None if stateless_metrics is None else set(stateless_metrics)
        self._all_stateful = self.stateless_metrics is not None and not self.stateless_metrics
        self._rewrites = _rewrites_lines(sys.stdout)
        self._colours = self._rewrites and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._values = {}  # name -> the latest value, in the order of showing
        self._sums = {}  # name -> [sum, steps] of a value that is averaged
        self._seen_so_far = 0
        self._start = time.perf_counter()
        self._first_step_at = None
        self._next_at = -math.inf  # the time before which an update is not shown
        self._shown_width = 0

    def update(self, current, values=None, finalize=None):
        """Takes note of a step, and shows it if it is time to.

        Args:
            current: number of steps done.
            values: metrics as pairs (name, value), or a mapping; one with `is_lazy` is only read when it is shown.
            finalize: whether this is the last step; None means when `current` reaches the target.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        now = time.perf_counter()
        if self._all_stateful:
            if now < self._next_at and not finalize and current != 1:
                if values and not getattr(values, "is_lazy", False):
                    self._values.update(values)
                self._seen_so_far = current
                return
            self._values.update(values or ())
        elif values:
            self._average(current, values, finalize)
        self._seen_so_far = current
        pace = self._seconds_per_step(current, now)
        if self.verbose == 1:
            if now < self._next_at and not finalize:
                return
            if self._rewrites:
                self._rewrite(current, now, pace, finalize)
            elif finalize:
                _write(self._bar(current, False)[0] + self._tail(current, now, pace, finalize, False) + "\n")
        elif self.verbose == 2 and finalize and self.target:
            _write(f"{self._count(current)} - {now - self._start:.0f}s - {self._format_pace(pace)}"
                   + "".join(f" - {name}: {_format(value, value)}" for name, value in self._averages()) + "\n")
        self._next_at = now + self.interval

    def add(self, n, values=None):
        """Takes note of `n` more steps; see `update`."""
        self.update(self._seen_so_far + n, values)

    def _average(self, current, values, finalize):
        """Adds the values to the running sums, weighted by the steps since the last update, as Keras does."""
        steps = max(current - self._seen_so_far, 1)
        for name, value in values.items() if hasattr(values, "items") else values:
            averaged = name not in self.stateful_metrics if self.stateless_metrics is None else (
                name in self.stateless_metrics)
            self._values[name] = value
            if not averaged:
                continue
            if finalize:  # the last value is that of the whole loop already
                self._sums[name] = [value, 1]
            else:
                total = self._sums.setdefault(name, [0, 0])
                total[0] = total[0] + value * steps
                total[1] += steps

    def _averages(self):
        for name, value in self._values.items():
            if name in self._sums:
                total, steps = self._sums[name]
                value = total / steps
            yield name, float(value) if isinstance(value, (float, int)) else float(np.mean(value))

    def _seconds_per_step(self, current, now):
        """The pace so far, leaving out the first step, which also builds the model."""
        if not current:
            return 0
        if self._first_step_at is not None and current > 1:
            pace = (now - self._first_step_at) / (current - 1)
        else:
            pace = (now - self._start) / current
        if current == 1:
            self._first_step_at = now
        return pace

    def _rewrite(self, current, now, pace, finalize):
        bar, bar_width = self._bar(current, self._colours)
        tail = self._tail(current, now, pace, finalize, self._colours)
        codes = len(_BOLD + _RESET) if self._colours else 0
        width = bar_width + len(tail) - codes
        _write("\r" + bar + tail + " " * (self._shown_width - width) + "\n" * finalize)
        self._shown_width = width

    def _count(self, current):
        return f"{current:{len(str(self.target))}d}/{self.target}"

    def _bar(self, current, colours):
        """The count and the bar, and their width on the screen."""
        if not self.target:
            bar = f"{current:7d}/Unknown"
            return bar, len(bar)
        count = self._count(current)
        done = max(int(self.width * current / self.target), 0)
        left = max(self.width - done, 0)
        width = len(count) + 1 + done + left
        if not colours:  # without colours the two parts need signs of their own
            return f"{count} {'━' * done}{'─' * left}", width
        bar = f"{_GREEN}{'━' * done}{_RESET}" if done else ""
        return f"{_BOLD}{count}{_RESET} {bar}{_WHITE}{'━' * left}{_RESET}", width

    def _tail(self, current, now, pace, finalize, colours):
        """What follows the bar: time left or taken, pace, metrics."""
        if self.target and not finalize:
            seconds = pace * (self.target - current)
            minutes = int(seconds % 3600 // 60)
            if seconds > 3600:
                clock = f"{int(seconds // 3600)}:{minutes:02d}:{int(seconds % 60):02d}"
            elif seconds > 60:
                clock = f"{minutes}:{int(seconds % 60):02d}"
            else:
                clock = f"{int(seconds)}s"
        else:
            clock = f"{now - self._start:.0f}s"
        if colours:
            clock = f"{_BOLD}{clock}{_RESET}"
        metrics = "".join(f" - {name}: {_format(value, abs(value))}" for name, value in self._averages())
        return f" {clock} {self._format_pace(pace)}{metrics}"

    def _format_pace(self, pace):
        if pace >= 1 or pace == 0:
            return f"{pace:.0f}s/{self.unit_name}"
        if pace >= 1e-3:
            return f"{pace * 1e3:.0f}ms/{self.unit_name}"
        return f"{pace * 1e6:.0f}us/{self.unit_name}"


def _format(value, size):
    return f"{value:.4f}" if size > 1e-3 else f"{value:.4e}"


def _rewrites_lines(stream):
    """Whether the stream is a terminal or a notebook, where a line can be written over."""
    if type(stream).__module__.startswith("ipykernel"):
        return True
    if "PYCHARM_HOSTED" in os.environ and stream is sys.__stdout__:
        return True
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # no stream at all, or a closed one
        return False


def _write(text):
    stream = sys.stdout
    if stream is None:  # a windowed program without a console
        return
    try:
        stream.write(text)
    except UnicodeEncodeError:
        plain = text.replace("━", "=").replace("─", ".")
        encoding = stream.encoding or "ascii"
        stream.write(plain.encode(encoding, errors="replace").decode(encoding))
    stream.flush()
