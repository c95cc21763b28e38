"""Saves the model, or its weights, as the training goes."""
import os
import warnings

import numpy as np

from cnncore.callbacks.callback import Callback
from cnncore.callbacks.monitor import checked_mode, comparison, is_better


class ModelCheckpoint(Callback):
    """Saves the model at the end of each epoch, or of each so many batches, always or when it is the best so far.

    A file is replaced whole: if the process is killed, or the disk is full, while a checkpoint is written, the one
    before it is still there.

    Args:
        filepath: string or path that ends in '.keras', in '.h5', or in '.weights.h5' or '.safetensors' for
            weights only. It may name the epoch, counted from 1, the batch and metrics of the logs, as in
            'w-{epoch:02d}-{val_loss:.2f}.keras'. Folders are made where they are missing.
        monitor: name of the metric that tells which model is best, as in the epoch's logs.
        verbose: 0 is silent, 1 tells of every saving.
        save_best_only: whether to save only when the metric is better than ever before.
        save_weights_only: whether to save the weights and the optimizer's state without the layers.
        mode: 'min' if lower is better, 'max' if higher is better, 'auto' to go by the metric.
        save_freq: 'epoch', or the number of batches between two savings.
        initial_value_threshold: value of the metric that must be beaten for the first saving.

    Raises:
        ValueError: the path's ending or `save_freq` does not fit; or, in `fit`, `mode` is 'auto' and the metric's
            direction is unknown.
        KeyError: in `fit`, if the path names a metric that is not in the logs.
        OSError: in `fit`, if the file cannot be written.

    Example:
        >>> best = ModelCheckpoint("best.keras", monitor="val_accuracy", mode="max", save_best_only=True)
    """

    _resumed = ("best", "_batches_since", "_last_batch")

    def __init__(self, filepath, monitor="val_loss", verbose=0, save_best_only=False, save_weights_only=False,
                 mode="auto", save_freq="epoch", initial_value_threshold=None):
        super().__init__()
        self.filepath = os.fspath(filepath)
        endings = (".weights.h5", ".safetensors") if save_weights_only else (".keras", ".h5")
        if not self.filepath.endswith(endings):
            what = "weights" if save_weights_only else "models"
            raise ValueError(f"ModelCheckpoint saves {what} in files that end in {' or '.join(endings)}. Received: "
                             f"filepath={self.filepath!r} with save_weights_only={save_weights_only}; change the ending")
        self.monitor = monitor
        self.mode = checked_mode(mode, "ModelCheckpoint")
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = save_freq
        self.best = initial_value_threshold
        self.monitor_op = None
        self._epoch = 0
        self._batches_since, self._last_batch = 0, None
        if checked_freq(save_freq, "ModelCheckpoint") != "epoch":
            self.on_train_batch_end = self._end_batch  # only now, so that without it no batch costs a call

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_epoch_end(self, epoch, logs=None):
        if self.save_freq == "epoch":
            self._save(epoch, None, logs or {})

    def _end_batch(self, batch, logs=None):
        if due(self, batch):
            self._save(self._epoch, batch, logs or {})

    def _save(self, epoch, batch, logs):
        path = self._path(epoch, batch, logs)
        if not self._is_due(epoch, logs, path):
            return
        folder = os.path.dirname(path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self.model.save(path, overwrite=True)
        if self.verbose > 0:
            print(f"\nEpoch {epoch + 1}: finished saving model to {path}", flush=True)

    def _is_due(self, epoch, logs, path):
        """Whether to save now; tells so, or why not."""
        current = logs.get(self.monitor) if self.save_best_only else None
        if not self.save_best_only or np.ndim(current) > 0:
            if self.save_best_only:
                warnings.warn("ModelCheckpoint needs one number to tell which model is best. Received: "
                              f"{self.monitor}={current!r}, so the model is saved each time", stacklevel=5)
            self._tell(epoch, f"saving model to {path}")
            return True
        if current is None:
            warnings.warn("ModelCheckpoint saves the best model by a metric of the logs. Received: "
                          f"monitor={self.monitor!r}, use one of {', '.join(logs) or '(there are none)'}; the model is "
                          "saved each time", stacklevel=5)
            return True
        if self.monitor_op is None:  # only now are all metrics of the model known
            self.monitor_op = comparison(self.monitor, self.mode, self.model, "ModelCheckpoint")
        before = "None" if self.best is None else f"{self.best:.5f}"
        if self.best is not None and not is_better(current, self.best, self.monitor_op):
            self._tell(epoch, f"{self.monitor} did not improve from {before}")
            return False
        self._tell(epoch, f"{self.monitor} improved from {before} to {current:.5f}, saving model to {path}")
        self.best = current
        return True

    def _tell(self, epoch, text):
        if self.verbose > 0:
            print(f"\nEpoch {epoch + 1}: {text}", flush=True)

    def _path(self, epoch, batch, logs):
        place = {"epoch": epoch + 1} | ({} if batch is None else {"batch": batch + 1})
        try:
            return self.filepath.format(**{**place, **logs})
        except KeyError as error:
            raise KeyError(f"A checkpoint's path names the epoch and what is in the logs: "
                           f"{', '.join([*place, *logs])}. Received: {self.filepath!r} with the unknown name "
                           f"{error}") from None


def checked_freq(save_freq, callback):
    """save_freq, which must be 'epoch' or a number of batches."""
    whole = isinstance(save_freq, int) and not isinstance(save_freq, bool) and save_freq > 0
    if save_freq != "epoch" and not whole:
        raise ValueError(f"The save_freq of {callback} is 'epoch' or a number of batches, 1 or more. Received: "
                         f"save_freq={save_freq!r}")
    return save_freq


def due(callback, batch):
    """Whether `save_freq` batches have gone by since this was last true; several may go by between two calls."""
    last = callback._last_batch
    callback._batches_since += batch + 1 if last is None or batch <= last else batch - last
    callback._last_batch = batch
    if callback._batches_since < callback.save_freq:
        return False
    callback._batches_since = 0
    return True
