"""Where a training stands besides the model's own weights, kept in one file with these so that it can go on."""
import json
import math

import numpy as np

_PATH = "training_state"


class Training:
    """A running `fit`: the next epoch and batch, the order of the data, the metrics, and what callbacks remember.

    Args:
        model: the model in training.
        data: `Batches` or `Stream` that it is trained on.
        callbacks: `CallbackList`.
        epoch: the epoch to begin with.
    """

    def __init__(self, model, data, callbacks, epoch):
        self.model, self.data, self.callbacks = model, data, callbacks
        self.epoch, self.batch = epoch, 0  # what comes next

    def save(self, path):
        """Writes the model's variables and this state into one file, which is replaced whole."""
        from cnncore.saving import atomic, h5_store, state

        arrays = {f"metric_{i}": v.numpy() for i, v in enumerate(self._metric_variables())}
        remembered = [_plain(callback, f"callback_{i}", arrays) for i, callback in enumerate(self._resumable())]
        text = json.dumps({"epoch": self.epoch, "batch": self.batch,
                           "data": self.data.position(), "callbacks": remembered})
        arrays["state"] = np.frombuffer(text.encode(), "uint8")
        data = h5_store.pack([*state.entries(self.model), (_PATH, None, arrays)])
        atomic.write_bytes(path, [data, h5_store.trailer(data)])

    def load(self, path):
        """Goes to where a training was when it wrote this file.

        Raises:
            ValueError: the file is damaged, or another model's.
            OSError: it cannot be read.
        """
        from cnncore.saving import h5_store, limits, state

        where = f"the backup {path!r}"
        with open(path, "rb") as file, h5_store.H5Reader(file, where) as reader:
            names = reader.shapes(_PATH)
            if "state" not in names:
                raise ValueError(f"{where} must be one that BackupAndRestore wrote here. Received: a file without the "
                                 "training's state; delete it, or choose another backup_dir")
            arrays = {name: reader.read(_PATH, name) for name in names}
            saved = limits.parse_json(arrays["state"].tobytes(), where)
            try:
                epoch, batch = int(saved["epoch"]), int(saved["batch"])
                metrics = [arrays[f"metric_{i}"].reshape(v.shape) for i, v in enumerate(self._metric_variables())]
                remembered = [_restored(callback, part, arrays) for callback, part in
                              zip(self._resumable(), saved["callbacks"], strict=True)]
                resume = self.data.resumption(saved["data"])
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise ValueError(f"{where} must be that of a training with the same data, metrics and callbacks, here "
                                 f"{[type(c).__name__ for c in self._resumable()]}. Received: another one's "
                                 f"({error!r}); choose another backup_dir, or delete this one") from error
            state.load(self.model, reader, also=(_PATH,))
        for variable, value in zip(self._metric_variables(), metrics, strict=True):
            variable.assign(value)
        for callback, values in zip(self._resumable(), remembered, strict=True):
            for name, value in values.items():
                setattr(callback, name, value)
        resume()
        self.epoch, self.batch = epoch, batch

    def _metric_variables(self):
        return [variable for metric in self.model.metrics for variable in metric.variables]

    def _resumable(self):
        """The callbacks that say which of their attributes a resumed training needs."""
        return [callback for callback in self.callbacks.callbacks if getattr(callback, "_resumed", ())]


def _plain(callback, prefix, arrays):
    """A callback's attributes as JSON can hold them; lists of arrays, as of weights, go among the arrays."""
    values = {}
    for name in callback._resumed:
        value = getattr(callback, name)
        if isinstance(value, list):
            arrays |= {f"{prefix}_{name}_{i}": array for i, array in enumerate(value)}
            value = {"arrays": len(value)}
        elif value is not None and not isinstance(value, (bool, int, str)):
            value = float(value)
            value = value if math.isfinite(value) else {"float": repr(value)}
        values[name] = value
    return {"name": type(callback).__name__, "prefix": prefix, "values": values}


def _restored(callback, saved, arrays):
    """The attributes that `_plain` wrote, as they were."""
    if saved["name"] != type(callback).__name__:
        raise ValueError(f"the state of {saved['name']} for {type(callback).__name__}")
    values = {}
    for name in callback._resumed:
        value = saved["values"][name]
        if isinstance(value, dict) and "float" in value:
            value = float(value["float"])
        elif isinstance(value, dict):
            value = [arrays[f"{saved['prefix']}_{name}_{i}"] for i in range(value["arrays"])]
        values[name] = value
    return values
