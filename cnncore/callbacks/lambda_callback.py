"""A callback made of functions."""
from cnncore.callbacks.callback import Callback

_HOOKS = {name for name in vars(Callback) if name.startswith("on_")}


class LambdaCallback(Callback):
    """Makes a callback of functions, called with the hooks' arguments: (epoch, logs), (batch, logs) or (logs).

    Args:
        on_epoch_begin: function (epoch, logs).
        on_epoch_end: function (epoch, logs).
        on_train_begin: function (logs).
        on_train_end: function (logs).
        on_train_batch_begin: function (batch, logs).
        on_train_batch_end: function (batch, logs).
        **kwargs: functions for any other hook of `Callback`, by its name.

    Raises:
        ValueError: a name is not that of a hook.

    Example:
        >>> callback = LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))
        >>> callback.on_epoch_end(0, {"loss": 0.5})
        0 0.5
    """

    def __init__(self, on_epoch_begin=None, on_epoch_end=None, on_train_begin=None, on_train_end=None,
                 on_train_batch_begin=None, on_train_batch_end=None, **kwargs):
        super().__init__()
        unknown = sorted(set(kwargs) - _HOOKS)
        if unknown:
            raise ValueError("LambdaCallback takes functions by the names of Callback's hooks. Received: "
                             f"{', '.join(unknown)}, use names among {', '.join(sorted(_HOOKS))}")
        functions = {"on_epoch_begin": on_epoch_begin, "on_epoch_end": on_epoch_end, "on_train_begin": on_train_begin,
                     "on_train_end": on_train_end, "on_train_batch_begin": on_train_batch_begin,
                     "on_train_batch_end": on_train_batch_end, **kwargs}
        for name, function in functions.items():
            if function is not None:
                setattr(self, name, function)
