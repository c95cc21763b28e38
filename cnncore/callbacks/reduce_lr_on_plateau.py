"""Lowers the learning rate when training no longer makes progress."""
import warnings

import numpy as np

from cnncore.callbacks.callback import Callback
from cnncore.callbacks.learning_rate_scheduler import rate_of
from cnncore.callbacks.monitor import checked_mode, checked_patience, comparison, is_better


class ReduceLROnPlateau(Callback):
    """Multiplies the learning rate by a factor when a metric has not improved for a number of epochs.

    Args:
        monitor: name of the metric, as in the epoch's logs.
        factor: number below 1 that the learning rate is multiplied by.
        patience: number of epochs without improvement after which the rate is lowered.
        verbose: 0 is silent, 1 tells of each change.
        mode: 'min' if lower is better, 'max' if higher is better, 'auto' to go by the metric.
        min_delta: smallest change that counts as an improvement.
        cooldown: number of epochs after a change in which no epoch counts as without improvement.
        min_lr: the lowest learning rate.

    Raises:
        ValueError: the factor is 1 or more; or, in `fit`, `mode` is 'auto' and the metric's direction is unknown.

    Example:
        >>> slower = ReduceLROnPlateau(monitor="val_loss", factor=0.2, patience=5, min_lr=0.001)
    """

    _resumed = ("best", "cooldown_counter", "wait")

    def __init__(self, monitor="val_loss", factor=0.1, patience=10, verbose=0, mode="auto", min_delta=1e-4, cooldown=0,
                 min_lr=0.0, **kwargs):
        super().__init__()
        if kwargs:
            raise ValueError("ReduceLROnPlateau takes monitor, factor, patience, verbose, mode, min_delta, cooldown and "
                             f"min_lr. Received: {', '.join(kwargs)}; the old epsilon is called min_delta")
        if factor >= 1.0:
            raise ValueError(f"The factor of ReduceLROnPlateau is below 1. Received: factor={factor}, pass e.g. 0.1")
        self.monitor = monitor
        self.factor = factor
        self.patience = checked_patience(patience, "ReduceLROnPlateau")
        self.verbose = verbose
        self.mode = checked_mode(mode, "ReduceLROnPlateau")
        self.min_delta = abs(min_delta)
        self.cooldown = cooldown
        self.min_lr = min_lr
        self.monitor_op = None
        self._reset()

    def _reset(self):
        self.best = None
        self.cooldown_counter = 0
        self.wait = 0

    def on_train_begin(self, logs=None):
        self._reset()

    def on_epoch_end(self, epoch, logs=None):
        if self.monitor_op is None:  # only now are all metrics of the model known
            self.monitor_op = comparison(self.monitor, self.mode, self.model, "ReduceLROnPlateau")
        logs = {} if logs is None else logs
        logs["learning_rate"] = rate_of(self.model.optimizer)
        current = logs.get(self.monitor)
        if current is None:
            warnings.warn("ReduceLROnPlateau monitors a metric of the epoch's logs. Received: "
                          f"monitor={self.monitor!r}, use one of {', '.join(logs)}", stacklevel=2)
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self.best is None or is_better(current, self.best, self.monitor_op, self.min_delta):
            self.best = current
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience and self._lower(epoch):
                self.cooldown_counter = self.cooldown
                self.wait = 0

    def in_cooldown(self):
        """Whether the last change was so recent that no epoch counts as without improvement."""
        return self.cooldown_counter > 0

    def _lower(self, epoch):
        """Lowers the rate, unless it is as low as may be."""
        old = rate_of(self.model.optimizer)
        if old <= np.float32(self.min_lr):
            return False
        new = max(old * self.factor, self.min_lr)
        self.model.optimizer.learning_rate = new
        if self.verbose > 0:
            print(f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {new}.", flush=True)
        return True
