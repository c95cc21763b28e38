"""Keeps what a training needs to go on after it was killed."""
import contextlib
import os

from cnncore.callbacks.callback import Callback
from cnncore.callbacks.model_checkpoint import checked_freq, due


class BackupAndRestore(Callback):
    """Saves the state of the training now and then; a `fit` that was killed and is started again goes on from there.

    The resumed training ends with exactly the weights of one that was not interrupted: besides weights and optimizer,
    the order of the samples, the counters of dropout, the metrics and what callbacks such as `EarlyStopping` and
    `ReduceLROnPlateau` have seen are kept, also in the middle of an epoch. (What a generator of the user's yields
    cannot be kept: it begins anew.) All of it is one file that is replaced whole.

    Args:
        backup_dir: string or path of a folder for this training alone.
        save_freq: 'epoch', or the number of batches between two savings.
        double_checkpoint: whether to keep the saving before the last one too.
        delete_checkpoint: whether to delete the files when the training has ended.

    Raises:
        ValueError: an argument does not fit; or, in `fit`, the folder has the state of another model's training.
        OSError: in `fit`, if the file cannot be read or written.

    Example:
        >>> backup = BackupAndRestore("backup", save_freq=500)
    """

    _acts_last = True  # saves what the other callbacks have done, and restores after they have reset themselves

    def __init__(self, backup_dir, save_freq="epoch", double_checkpoint=False, delete_checkpoint=True):
        super().__init__()
        if not backup_dir:
            raise ValueError(f"BackupAndRestore needs a folder. Received: backup_dir={backup_dir!r}, pass its name")
        self.backup_dir = os.fspath(backup_dir)
        self.save_freq = save_freq
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self._path = os.path.join(self.backup_dir, "latest.weights.h5")
        self._batches_since, self._last_batch = 0, None
        if checked_freq(save_freq, "BackupAndRestore") != "epoch":
            self.on_train_batch_end = self._end_batch  # only now, so that without it no batch costs a call

    def on_train_begin(self, logs=None):
        if not self.model.built:
            raise ValueError("BackupAndRestore needs a model with weights before fit. Received: the model "
                             f"{self.model.name!r}, which is not built; give it an Input, or call it on a batch first")
        paths = [path for path in (self._path, f"{self._path}.bkp") if os.path.exists(path)]
        for number, path in enumerate(paths):
            try:
                self.model._training.load(path)
                return
            except (ValueError, OSError):
                if number == len(paths) - 1:
                    raise

    def on_epoch_end(self, epoch, logs=None):
        self._last_batch = None
        if self.save_freq == "epoch":
            self._save()

    def _end_batch(self, batch, logs=None):
        if due(self, batch):
            self._save()

    def on_train_end(self, logs=None):
        if self.delete_checkpoint:
            from cnncore.saving import atomic

            for path in (self._path, f"{self._path}.bkp"):
                atomic.remove(path)
            with contextlib.suppress(OSError):  # a folder with files of others stays
                os.rmdir(self.backup_dir)

    def _save(self):
        os.makedirs(self.backup_dir, exist_ok=True)
        if self.double_checkpoint and os.path.exists(self._path):
            from cnncore.saving import atomic

            with open(self._path, "rb") as file:
                atomic.write_bytes(f"{self._path}.bkp", file.read())
        self.model._training.save(self._path)
