"""Ends a training whose loss is no longer a number."""
import math

from cnncore.callbacks.callback import Callback


class TerminateOnNaN(Callback):
    """Ends the training when the loss of a batch is NaN or infinite.

    Args:
        raise_error: False sets `model.stop_training`, so that `fit` returns; True raises at once.

    Raises:
        RuntimeError: in `fit`, if `raise_error` and the loss is NaN or infinite.

    Example:
        >>> callback = TerminateOnNaN(raise_error=True)
        >>> callback.on_train_batch_end(3, {"loss": float("nan")})
        Traceback (most recent call last):
        ...
        RuntimeError: The loss must stay finite. Received: nan at batch 3, lower the learning rate or check the data
    """

    def __init__(self, raise_error=False):
        super().__init__()
        self.raise_error = raise_error

    def on_batch_end(self, batch, logs=None):
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(f"The loss must stay finite. Received: {loss} at batch {batch}, lower the learning rate "
                               "or check the data")
        print(f"Batch {batch}: Invalid loss, terminating training")
        self.model.stop_training = True
