"""Data sets that make their batches themselves, by number."""
from collections import deque
from concurrent.futures import ThreadPoolExecutor


class PyDataset:
    """Base of data sets for `fit`, `evaluate` and `predict` that make one batch after another.

    Subclass it and define `__len__`, the number of batches, and `__getitem__(index)`, which returns a batch: (x, y) or
    (x, y, sample_weight). `num_batches` may be defined instead of `__len__`, and be None for a data set without end.

    Args:
        workers: number of threads that make batches ahead; with 0 or 1 each batch is made when it is wanted. They come
            in the same order.
        use_multiprocessing: accepted for compatibility; threads are used.
        max_queue_size: most batches that are made ahead.

    Example:
        >>> import numpy as np
        >>> class Squares(PyDataset):
        ...     def __len__(self):
        ...         return 3
        ...     def __getitem__(self, index):
        ...         x = np.full((2, 1), index, "float32")
        ...         return x, x * x
        >>> [float(y[0, 0]) for _, y in (Squares()[i] for i in range(len(Squares())))]
        [0.0, 1.0, 4.0]
    """

    def __init__(self, workers=1, use_multiprocessing=False, max_queue_size=10):
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, use_multiprocessing, max_queue_size

    def __getitem__(self, index):
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(self, index), which returns a batch")

    @property
    def num_batches(self):
        """The number of batches; None for a data set without end."""
        if not hasattr(self, "__len__"):
            raise NotImplementedError(f"{type(self).__name__} must define __len__(self), the number of batches")
        return len(self)

    def on_epoch_begin(self):
        """Called before each epoch."""

    def on_epoch_end(self):
        """Called after each epoch, for example to shuffle."""


Sequence = PyDataset


def in_order(source, numbers):
    """Yields source[number] for all numbers, made ahead by threads where the source asks for them."""
    workers = getattr(source, "workers", 1) or 1
    if workers < 2:
        for number in numbers:
            yield source[number]
        return
    ahead, waiting = max(int(getattr(source, "max_queue_size", 10) or 1), 1), deque()
    with ThreadPoolExecutor(workers, "cnncore-batches") as pool:
        try:
            for number in numbers:
                waiting.append(pool.submit(source.__getitem__, number))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:  # nobody wants them any more
                future.cancel()
