"""Writes a training's curves, weights and model graph for TensorBoard."""
import os
import time
import warnings

import numpy as np

from cnncore.callbacks.callback import Callback
from cnncore.callbacks.event_file import EventFile, layer_graph
from cnncore.callbacks.learning_rate_scheduler import rate_of


class TensorBoard(Callback):
    """Writes event files for TensorBoard: `tensorboard --logdir logs` shows them.

    The runs are called 'train' and 'validation'. Scalars are called 'epoch_loss' and so on, by the epoch; with
    `update_freq` also 'batch_loss' and so on, by the batch; and 'evaluation_loss_vs_iterations'. It needs the package
    `tensorboard`.

    Args:
        log_dir: string or path of the folder for the files.
        histogram_freq: number of epochs between two writings of all weights as histograms; 0 for none.
        write_graph: whether to write the graph of the model's layers.
        write_images: whether to write weights as pictures too, whenever they are written as histograms. Each weight's
            range of values is spread over that of grey levels.
        write_steps_per_second: whether to write how many steps are made in a second.
        update_freq: 'epoch', 'batch', or the number of batches between two writings of the batch's metrics.
        profile_batch: accepted for compatibility; nothing is profiled.
        embeddings_freq, embeddings_metadata: accepted for compatibility; there are no embeddings.

    Raises:
        ImportError: in `fit`, if the package `tensorboard` is missing.
        ValueError: an argument has the wrong form.

    Example:
        >>> board = TensorBoard("logs", histogram_freq=1)
    """

    def __init__(self, log_dir="logs", histogram_freq=0, write_graph=True, write_images=False,
                 write_steps_per_second=False, update_freq="epoch", profile_batch=0, embeddings_freq=0,
                 embeddings_metadata=None):
        super().__init__()
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq = histogram_freq
        self.write_graph = write_graph
        self.write_images = write_images
        self.write_steps_per_second = write_steps_per_second
        self.update_freq = 1 if update_freq == "batch" else update_freq
        self.embeddings_freq, self.embeddings_metadata = embeddings_freq, embeddings_metadata
        whole = isinstance(self.update_freq, int) and not isinstance(update_freq, bool) and self.update_freq > 0
        if update_freq != "epoch" and not whole:
            raise ValueError("The update_freq of TensorBoard is 'epoch', 'batch' or a number of batches, 1 or more. "
                             f"Received: update_freq={update_freq!r}")
        for name, value in (("profile_batch", profile_batch), ("embeddings_freq", embeddings_freq)):
            if value:
                warnings.warn(f"TensorBoard's {name} has no effect here. Received: {name}={value!r}, leave it at 0",
                              stacklevel=2)
        self._files = {}
        self._train_batches = self._test_batches = 0
        if update_freq != "epoch" or write_steps_per_second:  # only now, so that without them no batch costs a call
            self.on_train_batch_begin, self.on_train_batch_end = self._begin_batch, self._end_batch
        if update_freq != "epoch":
            self.on_test_batch_end = self._end_test_batch

    def set_model(self, model):
        super().set_model(model)
        self._close()
        if self.write_graph:
            graph, config = layer_graph(model)
            self._file("train").write_graph(graph)
            if config is not None:
                self._file("train").write_model(config)

    def on_train_begin(self, logs=None):
        self._train_batches = 0

    def on_train_end(self, logs=None):
        self._close()

    def on_epoch_begin(self, epoch, logs=None):
        if self.write_steps_per_second:
            self._steps, self._start = int(self.model.optimizer.iterations), time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        logs = dict(logs or {})
        if logs:
            if self.model.optimizer is not None:
                logs["learning_rate"] = rate_of(self.model.optimizer)
            if self.write_steps_per_second:
                steps = int(self.model.optimizer.iterations) - self._steps
                logs["steps_per_second"] = steps / (time.perf_counter() - self._start)
        for name, value in logs.items():
            run = "validation" if name.startswith("val_") else "train"
            self._file(run).write_scalar(f"epoch_{name.removeprefix('val_')}", value, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)
        for file in self._files.values():
            file.flush()

    def on_test_end(self, logs=None):
        if self.model.optimizer is not None:
            step = int(self.model.optimizer.iterations)
            for name, value in (logs or {}).items():
                self._file("validation").write_scalar(f"evaluation_{name}_vs_iterations", value, step)
            self._file("validation").flush()

    def _begin_batch(self, batch, logs=None):
        self._train_batches += 1
        self._batch_start = time.perf_counter()

    def _end_batch(self, batch, logs=None):
        if self.update_freq != "epoch" and self._train_batches % self.update_freq:
            return
        if self.write_steps_per_second:
            seconds = time.perf_counter() - self._batch_start
            self._file("train").write_scalar("batch_steps_per_second", 1 / seconds, self._train_batches)
        if self.update_freq != "epoch":
            for name, value in (logs or {}).items():
                self._file("train").write_scalar(f"batch_{name}", value, self._train_batches)

    def _end_test_batch(self, batch, logs=None):
        self._test_batches += 1
        if self._test_batches % self.update_freq == 0:
            for name, value in (logs or {}).items():
                self._file("validation").write_scalar(f"batch_{name}", value, self._test_batches)

    def _write_weights(self, epoch):
        file, seen = self._file("train"), set()
        for layer in self.model.layers:
            for weight in layer.weights:
                name = weight.path.replace(":", "_")
                if name in seen:  # layers in several models of one name
                    name = f"{layer.name}/{name}"
                seen.add(name)
                values = weight.numpy()
                file.write_histogram(f"{name}/histogram", values, epoch)
                images = _images(values) if self.write_images else None
                if images is not None:
                    file.write_images(f"{name}/image", images, epoch)

    def _file(self, run):
        if run not in self._files:
            self._files[run] = EventFile(os.path.join(self.log_dir, run))
        return self._files[run]

    def _close(self):
        for file in self._files.values():
            file.close()
        self._files = {}


def _images(values):
    """A weight as up to three grey or colour pictures (n, height, width, channels) of uint8; None if it is none."""
    values = np.squeeze(values)
    if values.ndim == 1:
        values = values.reshape(1, -1, 1, 1)
    elif values.ndim == 2:
        values = (values.T if values.shape[0] > values.shape[1] else values)[None, :, :, None]
    elif values.ndim == 3:
        values = values.transpose(2, 0, 1)[..., None]
    if values.ndim != 4 or values.shape[-1] not in (1, 3, 4) or not values.size or not np.isfinite(values).all():
        return None
    low, high = float(values.min()), float(values.max())
    return np.rint((values[:3] - low) * (255 / (high - low) if high > low else 0)).astype("uint8")
