"""Executors: who owns memory and runs kernel calls: Eager now, Shapes never; the plan's Recorder is in plan/."""
import threading
from contextlib import contextmanager

from cnncore import _core


class Eager:
    """Allocates from the free list and runs calls at once."""

    recording = False

    def empty(self, shape, dtype="float32"):
        """A buffer with any content."""
        return _core.Buffer.allocate(shape, dtype)

    def emit(self, calls):
        """Runs bound kernel calls in order."""
        if calls:
            _core.run_now(calls)


class Shapes:
    """Promises memory and forgets calls: a model run under it tells only shapes and dtypes."""

    recording = True

    def empty(self, shape, dtype="float32"):
        return _core.Buffer.promise(shape, dtype)

    def emit(self, calls):
        pass


class _State(threading.local):
    def __init__(self):
        self.executor = Eager()
        self.grad_enabled = True


_state = _State()


def current():
    """The executor of this thread."""
    return _state.executor


@contextmanager
def use(executor):
    """Runs the body's operations through another executor."""
    before, _state.executor = _state.executor, executor
    try:
        yield executor
    finally:
        _state.executor = before


def grad_enabled():
    """Whether operations remember what their backward needs."""
    return _state.grad_enabled


@contextmanager
def no_grad():
    """Operations in the body remember nothing for a backward pass: less memory, no gradients.

    Example:
        >>> import cnncore
        >>> with cnncore.no_grad():
        ...     y = cnncore.Tensor([1.0, 2.0]) * 3
    """
    before, _state.grad_enabled = _state.grad_enabled, False
    try:
        yield
    finally:
        _state.grad_enabled = before
