"""Writes the metrics of every epoch into a CSV file."""
import csv
import os

import numpy as np

from cnncore.callbacks.callback import Callback


class CSVLogger(Callback):
    """Writes a line with the metrics of each epoch into a CSV file, which is whole after every epoch.

    Args:
        filename: string or path of the file.
        separator: string between two values.
        append: whether to go on with a file that is there, without a second line of names; False starts it anew.

    Raises:
        OSError: in `fit`, if the file cannot be written.

    Example:
        >>> import os, tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "log.csv")
        >>> log = CSVLogger(path)
        >>> log.on_train_begin()
        >>> log.on_epoch_end(0, {"loss": 0.5, "val_loss": 0.75})
        >>> log.on_train_end()
        >>> open(path).read().split()
        ['epoch,loss,val_loss', '0,0.5,0.75']
    """

    def __init__(self, filename, separator=",", append=False):
        super().__init__()
        self.filename = os.fspath(filename)
        self.sep = separator
        self.append = append
        self.keys = None
        self.csv_file = None
        self.writer = None

    def on_train_begin(self, logs=None):
        self._close()
        self.keys = self.writer = None
        self._has_names = self.append and os.path.exists(self.filename) and os.path.getsize(self.filename) > 0
        self.csv_file = open(self.filename, "a" if self.append else "w", newline="", encoding="utf-8")

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        if self.keys is None:
            self.keys = sorted(logs)
            if not any(key.startswith("val_") for key in self.keys):
                self.keys += [f"val_{key}" for key in self.keys]  # the first epoch may go without validation
        if self.writer is None:
            self.writer = csv.DictWriter(self.csv_file, ["epoch", *self.keys], delimiter=self.sep)
            if not self._has_names:
                self.writer.writeheader()
        self.writer.writerow({"epoch": epoch, **{key: _cell(logs.get(key, "NA")) for key in self.keys}})
        self.csv_file.flush()

    def on_train_end(self, logs=None):
        self._close()
        self.writer = None

    def _close(self):
        if self.csv_file is not None and not self.csv_file.closed:
            self.csv_file.close()


def _cell(value):
    """A number as it is, several of them in brackets."""
    return f'"[{", ".join(map(str, value))}]"' if np.ndim(value) and not isinstance(value, str) else value
