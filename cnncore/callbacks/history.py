"""Keeps the metrics of every epoch."""
from cnncore.callbacks.callback import Callback


class Curves(dict):
    """A dict from the names of metrics to lists, which tells its names to who asks for another."""

    def __missing__(self, name):
        raise KeyError(f"The training has the metrics {', '.join(self) or 'of no epoch'}. Received: {name!r}; metrics are "
                       "called as in compile(), and those of validation data begin with val_")


class History(Callback):
    """What `fit` returns: the metrics of every epoch.

    Attributes:
        history: dict from metric names to lists, one number per epoch. A second `fit` with the same object goes on.
        epoch: the epochs' numbers, from 0 or `initial_epoch`.

    Example:
        >>> history = History()
        >>> history.on_train_begin()
        >>> history.on_epoch_end(0, {"loss": 0.5})
        >>> history.history
        {'loss': [0.5]}
    """

    def __init__(self):
        super().__init__()
        self.history = Curves()
        self.epoch = []

    def __getitem__(self, name):
        raise TypeError(f"The curves of a training are in history.history, a dict. Received: history[{name!r}]; write "
                        f"history.history[{name!r}]")

    def on_train_begin(self, logs=None):
        self.epoch = []

    def on_epoch_end(self, epoch, logs=None):
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        if self.model is not None:
            self.model.history = self

    def plot(self):
        """The training as curves over its epochs, one picture for each metric.

        Returns:
            matplotlib figure.

        Raises:
            ValueError: there is no epoch to draw.
            ImportError: matplotlib is not installed.
        """
        from cnncore.utils.plots import plot_history

        return plot_history(self.history, self.epoch)
