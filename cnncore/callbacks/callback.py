"""The base class of callbacks: one empty method per hook."""


def default(hook):
    """Marks a hook that does nothing, so that `CallbackList` need not call it."""
    hook._is_default = True  # the name Keras uses too: its own callbacks are recognized as well
    return hook


class Callback:
    """Base of callbacks, which are told what `fit`, `evaluate` and `predict` are doing.

    Subclass it and define the hooks you need. Each hook gets `logs`, a dict from metric names to numbers, where there
    are any. A per-batch hook costs time at every batch only in a callback that defines it.

    Attributes:
        model: the model at work.
        params: dict with 'epochs', 'steps' and 'verbose'.
        reads_logs_lazily: set it to True in a subclass whose `on_*_batch_end` seldom looks at `logs`. It then gets a
            read-only `LazyLogs`, whose numbers are fetched at the first look and hold only until the hook returns.

    Example:
        >>> class StopAtHalf(Callback):
        ...     def on_epoch_end(self, epoch, logs=None):
        ...         if logs["loss"] < 0.5:
        ...             self.model.stop_training = True
    """

    params = None
    reads_logs_lazily = False
    _model = None

    def __init__(self):
        self.params = None
        self._model = None

    def set_params(self, params):
        """Receives the training's parameters before it begins."""
        self.params = params

    def set_model(self, model):
        """Receives the model before the training begins."""
        self._model = model

    @property
    def model(self):
        """The model at work."""
        return self._model

    @default
    def on_train_begin(self, logs=None):
        """`fit` begins."""

    @default
    def on_train_end(self, logs=None):
        """`fit` ends; `logs` are those of its last epoch."""

    @default
    def on_epoch_begin(self, epoch, logs=None):
        """An epoch begins; `epoch` counts from 0."""

    @default
    def on_epoch_end(self, epoch, logs=None):
        """An epoch ends; `logs` are its metrics, those of the validation named 'val_...'."""

    @default
    def on_batch_begin(self, batch, logs=None):
        """Another name of `on_train_batch_begin`."""

    @default
    def on_batch_end(self, batch, logs=None):
        """Another name of `on_train_batch_end`."""

    @default
    def on_train_batch_begin(self, batch, logs=None):
        """A batch of training begins; `batch` counts from 0 in each epoch."""
        self.on_batch_begin(batch, logs=logs)

    @default
    def on_train_batch_end(self, batch, logs=None):
        """A batch of training ends; `logs` are the metrics over the epoch so far."""
        self.on_batch_end(batch, logs=logs)

    @default
    def on_test_begin(self, logs=None):
        """`evaluate`, or the validation in `fit`, begins."""

    @default
    def on_test_end(self, logs=None):
        """`evaluate`, or the validation in `fit`, ends; `logs` are its metrics."""

    @default
    def on_test_batch_begin(self, batch, logs=None):
        """A batch of evaluation or validation begins."""

    @default
    def on_test_batch_end(self, batch, logs=None):
        """A batch of evaluation or validation ends; `logs` are the metrics over all its batches so far."""

    @default
    def on_predict_begin(self, logs=None):
        """`predict` begins."""

    @default
    def on_predict_end(self, logs=None):
        """`predict` ends."""

    @default
    def on_predict_batch_begin(self, batch, logs=None):
        """A batch of prediction begins."""

    @default
    def on_predict_batch_end(self, batch, logs=None):
        """A batch of prediction ends; `logs` hold its 'outputs'."""
