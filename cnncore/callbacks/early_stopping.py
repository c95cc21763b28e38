"""Ends a training that no longer improves."""
import warnings

from cnncore.callbacks.callback import Callback
from cnncore.callbacks.monitor import checked_mode, checked_patience, comparison, is_better


class EarlyStopping(Callback):
    """Ends the training when a metric has not improved for a number of epochs.

    Args:
        monitor: name of the metric, as in the epoch's logs.
        min_delta: smallest change that counts as an improvement.
        patience: number of epochs without improvement after which the training ends.
        verbose: 0 is silent, 1 tells when the training ends and which epoch's weights are restored.
        mode: 'min' if lower is better, 'max' if higher is better, 'auto' to go by the metric.
        baseline: value that must be beaten for the patience to start anew.
        restore_best_weights: whether the model ends with the weights of its best epoch, not of its last.
        start_from_epoch: number of epochs at the start that are not looked at.

    Raises:
        ValueError: in `fit`, if `mode` is 'auto' and the metric's direction is unknown.

    Example:
        >>> stop = EarlyStopping(monitor="val_accuracy", mode="max", patience=3, restore_best_weights=True)
    """

    _resumed = ("wait", "stopped_epoch", "best", "best_epoch", "best_weights")

    def __init__(self, monitor="val_loss", min_delta=0, patience=0, verbose=0, mode="auto", baseline=None,
                 restore_best_weights=False, start_from_epoch=0):
        super().__init__()
        self.monitor = monitor
        self.min_delta = abs(min_delta)
        self.patience = checked_patience(patience, "EarlyStopping")
        self.verbose = verbose
        self.mode = checked_mode(mode, "EarlyStopping")
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self.monitor_op = None
        self._reset()

    def _reset(self):
        self.wait = 0
        self.stopped_epoch = 0
        self.best = None
        self.best_weights = None
        self.best_epoch = 0

    def on_train_begin(self, logs=None):
        self._reset()

    def on_epoch_end(self, epoch, logs=None):
        if self.monitor_op is None:  # only now are all metrics of the model known
            self.monitor_op = comparison(self.monitor, self.mode, self.model, "EarlyStopping")
        current = self.get_monitor_value(logs)
        if current is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights = self.model.get_weights()
            self.best_epoch = epoch
        self.wait += 1
        if self._improves(current, self.best):
            self.best = current
            self.best_epoch = epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self._improves(current, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        if self.stopped_epoch > 0 and self.verbose > 0:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose > 0:
                print(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)

    def get_monitor_value(self, logs):
        """The monitored metric in these logs; None, with a warning, if it is not among them."""
        logs = logs or {}
        if logs.get(self.monitor) is None:
            warnings.warn("EarlyStopping monitors a metric of the epoch's logs. Received: "
                          f"monitor={self.monitor!r}, use one of {', '.join(logs) or '(there are none)'}", stacklevel=2)
        return logs.get(self.monitor)

    def _improves(self, value, reference):
        return reference is None or is_better(value, reference, self.monitor_op, self.min_delta)
