"""Calls the hooks of several callbacks, and only the hooks that do something."""
from cnncore.callbacks.callback import Callback
from cnncore.callbacks.history import History
from cnncore.callbacks.lazy_logs import LazyLogs, python_logs
from cnncore.callbacks.progbar_logger import ProgbarLogger

_BATCH_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end", "on_test_batch_begin",
                "on_test_batch_end", "on_predict_batch_begin", "on_predict_batch_end")


class CallbackList(Callback):
    """Several callbacks as one, called in their order.

    Which callbacks define per-batch hooks is looked up when a training, epoch, evaluation or prediction begins, and
    not at every batch. A training loop can ask `wants("train")` and run many batches in one go if nobody listens.

    Args:
        callbacks: a callback, or a list of them, nested or not.
        add_history: adds a `History` unless there is one.
        add_progbar: adds a `ProgbarLogger` unless there is one.
        model: the model at work.
        **params: 'epochs', 'steps', 'verbose', passed to every callback.

    Example:
        >>> callbacks = CallbackList([Callback()], add_history=True)
        >>> callbacks.wants("train")
        False
    """

    def __init__(self, callbacks=None, add_history=False, add_progbar=False, model=None, **params):
        super().__init__()
        self.callbacks = _flatten(callbacks)
        self._history = self._last_of(History)
        self._progbar = self._last_of(ProgbarLogger)
        if self._history is None and add_history:
            self._history = History()
            self.callbacks.append(self._history)
        if self._progbar is None and add_progbar:
            self._progbar = ProgbarLogger()
            self.callbacks.append(self._progbar)
        self.set_model(model)
        self.set_params(params)
        self._find_batch_hooks()

    def append(self, callback):
        """Adds a callback, which gets the model and the parameters."""
        self.callbacks.append(callback)
        if self._model is not None:
            callback.set_model(self._model)
        if self.params:
            callback.set_params(self.params)
        self._find_batch_hooks()

    def set_params(self, params):
        self.params = params
        if params:
            for callback in self.callbacks:
                callback.set_params(params)

    def set_model(self, model):
        if model is None:
            return
        super().set_model(model)
        if self._history is not None:
            model.history = self._history
        for callback in self.callbacks:
            callback.set_model(model)

    def wants(self, kind):
        """Whether any callback listens to the batches of 'train', 'test' or 'predict'."""
        return bool(self._hooks[f"on_{kind}_batch_begin"] or self._hooks[f"on_{kind}_batch_end"])

    def on_train_begin(self, logs=None):
        self._call("on_train_begin", logs)

    def on_train_end(self, logs=None):
        self._call("on_train_end", logs)

    def on_epoch_begin(self, epoch, logs=None):
        self._call("on_epoch_begin", logs, epoch)

    def on_epoch_end(self, epoch, logs=None):
        self._call("on_epoch_end", logs, epoch)

    def on_test_begin(self, logs=None):
        self._call("on_test_begin", logs)

    def on_test_end(self, logs=None):
        self._call("on_test_end", logs)

    def on_predict_begin(self, logs=None):
        self._call("on_predict_begin", logs)

    def on_predict_end(self, logs=None):
        self._call("on_predict_end", logs)

    def on_batch_begin(self, batch, logs=None):
        self._call_batch(self._hooks["on_batch_begin"], batch, logs)

    def on_batch_end(self, batch, logs=None):
        self._call_batch(self._hooks["on_batch_end"], batch, logs)

    def on_train_batch_begin(self, batch, logs=None):
        self._call_batch(self._hooks["on_train_batch_begin"], batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        self._call_batch(self._hooks["on_train_batch_end"], batch, logs)

    def on_test_batch_begin(self, batch, logs=None):
        self._call_batch(self._hooks["on_test_batch_begin"], batch, logs)

    def on_test_batch_end(self, batch, logs=None):
        self._call_batch(self._hooks["on_test_batch_end"], batch, logs)

    def on_predict_batch_begin(self, batch, logs=None):
        self._call_batch(self._hooks["on_predict_batch_begin"], batch, logs)

    def on_predict_batch_end(self, batch, logs=None):
        self._call_batch(self._hooks["on_predict_batch_end"], batch, logs)

    def _in_order(self):
        """The callbacks as they are called: one that saves what the others have done comes last."""
        return sorted(self.callbacks, key=lambda callback: getattr(callback, "_acts_last", False))

    def _last_of(self, kind):
        return next((c for c in reversed(self.callbacks) if isinstance(c, kind)), None)

    def _call(self, name, logs, *place):
        """Calls a hook that is not per batch; all callbacks share one dict, so that each sees what others add."""
        logs = logs.as_dict() if isinstance(logs, LazyLogs) else python_logs(logs() if callable(logs) else logs)
        for callback in self._in_order():
            getattr(callback, name)(*place, logs)
        if name.endswith("_begin"):  # a hook may just have been put on a callback
            self._find_batch_hooks()

    def _call_batch(self, hooks, batch, logs):
        """Calls a hook per batch. Only those who asked for it get the lazy logs: a dict is safe to keep."""
        if not hooks:
            return
        lazy = logs if isinstance(logs, LazyLogs) else LazyLogs(logs)
        for hook, reads_lazily in hooks:
            hook(batch, logs=lazy if reads_lazily else lazy.as_dict())

    def _find_batch_hooks(self):
        self._hooks = {name: [(getattr(c, name), getattr(c, "reads_logs_lazily", False)) for c in self._in_order()
                              if _does_something(c, name)] for name in _BATCH_HOOKS}


def _does_something(callback, name):
    """Whether a per-batch hook is defined, under its own name or, for training, under its old one."""
    if isinstance(callback, CallbackList):
        callback._find_batch_hooks()
        return bool(callback._hooks[name])
    if not getattr(getattr(callback, name, None), "_is_default", not hasattr(callback, name)):
        return True
    old = name.replace("_train_", "_")
    return old != name and _does_something(callback, old)


def _flatten(callbacks):
    if callbacks is None:
        return []
    if isinstance(callbacks, (list, tuple)):
        return [callback for group in callbacks for callback in _flatten(group)]
    if isinstance(callbacks, type) or not hasattr(callbacks, "on_epoch_end"):
        raise TypeError("Callbacks are instances of Callback. Received: "
                        f"{callbacks!r}, pass an instance such as EarlyStopping()")
    return [callbacks]
