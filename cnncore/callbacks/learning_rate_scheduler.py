"""Sets the learning rate at the beginning of each epoch."""
import numbers

import numpy as np

from cnncore.callbacks.callback import Callback


class LearningRateScheduler(Callback):
    """Sets the learning rate of each epoch by a function; the rate also goes into the logs, as 'learning_rate'.

    Args:
        schedule: function of the epoch, counted from 0, and of the present learning rate (or of the epoch alone), that
            returns the new one as a float.
        verbose: 0 is silent, 1 tells of each epoch's rate.

    Raises:
        ValueError: in `fit`, if the function returns no number.

    Example:
        >>> halved = LearningRateScheduler(lambda epoch, rate: rate if epoch < 10 else rate * 0.5)
    """

    def __init__(self, schedule, verbose=0):
        super().__init__()
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch, logs=None):
        optimizer = self.model.optimizer
        try:
            rate = self.schedule(epoch, rate_of(optimizer))
        except TypeError:  # a function of the epoch alone
            rate = self.schedule(epoch)
        if not isinstance(rate, (float, np.floating)):
            hint = ", return a float such as 0.01" if isinstance(rate, numbers.Number) or rate is None else ""
            raise ValueError("The schedule of LearningRateScheduler returns the learning rate as a float. Received: "
                             f"{rate!r} for epoch {epoch}{hint}")
        optimizer.learning_rate = rate
        if self.verbose > 0:
            print(f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate}.", flush=True)

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            logs["learning_rate"] = rate_of(self.model.optimizer)


def rate_of(optimizer):
    """The learning rate as a Python float."""
    if optimizer is None:
        raise ValueError("The learning rate is that of the model's optimizer. Received: a model without one; pass "
                         "optimizer to compile()")
    return float(optimizer.learning_rate)
