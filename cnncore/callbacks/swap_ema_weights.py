"""Evaluates a model with the moving averages of its weights."""
from cnncore.callbacks.callback import Callback


class SwapEMAWeights(Callback):
    """Puts the weights' moving averages, which the optimizer keeps with `use_ema=True`, in the weights' place during
    evaluation and prediction, and the weights back afterwards.

    Args:
        swap_on_epoch: whether to do so at the end of each epoch too, so that callbacks that follow, such as a
            `ModelCheckpoint`, save the averages.

    Raises:
        ValueError: in `fit`, if the optimizer keeps no averages.

    Example:
        >>> swap = SwapEMAWeights(swap_on_epoch=True)
    """

    def __init__(self, swap_on_epoch=False):
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._swapped = False

    def on_epoch_begin(self, epoch, logs=None):
        if self.swap_on_epoch:
            self._set(False)

    def on_epoch_end(self, epoch, logs=None):
        if self.swap_on_epoch and not self._swapped:
            self._set(True)
            if epoch == self.params["epochs"] - 1:  # `fit` is about to make the averages the weights
                for weight, average in self._pairs():
                    average.assign(weight)

    def on_test_begin(self, logs=None):
        self._set(True)

    def on_test_end(self, logs=None):
        self._set(False)

    def on_predict_begin(self, logs=None):
        self._set(True)

    def on_predict_end(self, logs=None):
        self._set(False)

    def _set(self, swapped):
        """Swaps unless the averages are, or are not, in the model as they should be."""
        if swapped == self._swapped:
            return
        for weight, average in self._pairs():
            value = weight.numpy()
            weight.assign(average)
            average.assign(value)
        self._swapped = swapped

    def _pairs(self):
        optimizer = self.model.optimizer
        if optimizer is None or not optimizer.use_ema:
            raise ValueError("SwapEMAWeights needs an optimizer that keeps moving averages. Received: "
                             f"{optimizer!r}; make it with use_ema=True")
        return zip(optimizer._trainable_variables, optimizer._averages, strict=True)
