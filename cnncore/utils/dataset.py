"""Dataset: elements made one after another when they are asked for, with the words of tf.data; and `split_dataset`."""
import itertools

import numpy as np

from cnncore import random
from cnncore.nest import map_leaves, pack


class Dataset:
    """A sequence of elements that is made anew each time it is iterated; works as `fit`'s x once it is batched.

    Args:
        make: function without arguments that returns an iterator over the elements: tensors, or tuples, lists and dicts
            of them.
        length: how many there are; None if that is not known.
        class_names: of the labels, kept by all data sets made from this one; None without.

    Example:
        >>> dataset = Dataset.from_tensor_slices(np.arange(5)).map(lambda x: x * 2).batch(3)
        >>> [batch.numpy().tolist() for batch in dataset]
        [[0, 2, 4], [6, 8]]
    """

    def __init__(self, make, length=None, class_names=None):
        self._make, self._length, self.class_names = make, length, class_names

    @staticmethod
    def from_tensor_slices(tensors):
        """The rows of arrays.

        Args:
            tensors: array, or nest of arrays of one length.

        Raises:
            ValueError: the lengths differ.
        """
        nest = map_leaves(_to_array, tensors)
        lengths = set()
        map_leaves(lambda array: lengths.add(len(array)), nest)
        if len(lengths) != 1:
            raise ValueError(f"All arrays must have one length. Received: lengths {sorted(lengths)}")
        (length,) = lengths

        def row(i):
            return map_leaves(lambda array: _to_tensor(array[i]), nest)

        return _made(lambda: map(row, range(length)), length, None)

    def __iter__(self):
        return iter(self._make())

    def cardinality(self):
        """How many elements there are; -2 if that is not known."""
        return -2 if self._length is None else self._length

    def as_numpy_iterator(self):
        """The elements with arrays in place of tensors."""
        return (map_leaves(np.asarray, element) for element in self)

    def _then(self, make, length):
        return _made(make, length, self.class_names)

    def take(self, count):
        """The first elements only.

        Args:
            count: how many; -1 takes all.
        """
        if count < 0:
            return self
        length = None if self._length is None else min(count, self._length)
        return self._then(lambda: itertools.islice(iter(self), count), length)

    def skip(self, count):
        """All but the first elements.

        Args:
            count: how many to leave out.
        """
        length = None if self._length is None else max(self._length - count, 0)
        return self._then(lambda: itertools.islice(iter(self), count, None), length)

    def map(self, map_func, num_parallel_calls=None, deterministic=None, name=None):
        """A function of each element; of a tuple's parts as so many arguments.

        Args:
            map_func: function.
            num_parallel_calls, deterministic, name: accepted for compatibility.
        """
        def apply(element):
            return map_func(*element) if isinstance(element, tuple) else map_func(element)

        return self._then(lambda: map(apply, self), self._length)

    def filter(self, predicate, name=None):
        """The elements for which a function is true.

        Args:
            predicate: function, called as `map`'s.
            name: accepted for compatibility.
        """
        def holds(element):
            return bool(predicate(*element) if isinstance(element, tuple) else predicate(element))

        return self._then(lambda: filter(holds, self), None)

    def shuffle(self, buffer_size, seed=None, reshuffle_each_iteration=True, name=None):
        """The elements in another order: each is drawn from the next `buffer_size` ones.

        Args:
            buffer_size: how many are held in memory.
            seed: integer, or None to draw one.
            reshuffle_each_iteration: whether each pass has another order.
            name: accepted for compatibility.
        """
        if random.as_integer(buffer_size) is None or buffer_size < 1:
            raise ValueError(f"buffer_size must be an integer of 1 or more. Received: buffer_size={buffer_size!r}")
        key = random.next_seed() if seed is None else seed
        passes = itertools.count()

        def make():
            number = next(passes) if reshuffle_each_iteration else 0
            rng = np.random.Generator(np.random.Philox(key=np.array([key, number], "uint64")))
            held = []
            for element in self:
                held.append(element)
                if len(held) > buffer_size:
                    yield held.pop(int(rng.integers(buffer_size)))
            rng.shuffle(held)
            yield from held

        return self._then(make, self._length)

    def batch(self, batch_size, drop_remainder=False, num_parallel_calls=None, deterministic=None, name=None):
        """Elements stacked to batches.

        Args:
            batch_size: elements of a batch; the last may have fewer.
            drop_remainder: whether such a last one is left out.
            num_parallel_calls, deterministic, name: accepted for compatibility.
        """
        if random.as_integer(batch_size) is None or batch_size < 1:
            raise ValueError(f"batch_size must be an integer of 1 or more. Received: batch_size={batch_size!r}")

        def make():
            elements = iter(self)
            while rows := list(itertools.islice(elements, batch_size)):
                if len(rows) == batch_size or not drop_remainder:
                    yield _stack(rows)

        length = None
        if self._length is not None:
            length = self._length // batch_size if drop_remainder else -(-self._length // batch_size)
        return self._then(make, length)

    def unbatch(self):
        """The rows of the batches, one by one."""
        def make():
            for batch in self:
                yield from Dataset.from_tensor_slices(batch)

        return self._then(make, None)

    def repeat(self, count=None):
        """The data set several times over.

        Args:
            count: how often; None or -1 for ever, in which case `fit` needs `steps_per_epoch`.
        """
        if count is None or count < 0:
            return _Endless(lambda: itertools.chain.from_iterable(itertools.repeat(self)), class_names=self.class_names)
        length = None if self._length is None else self._length * count
        return self._then(lambda: itertools.chain.from_iterable(itertools.repeat(self, count)), length)

    def concatenate(self, dataset):
        """This data set and then another.

        Args:
            dataset: Dataset.
        """
        lengths = (self._length, dataset._length)
        return self._then(lambda: itertools.chain(self, dataset), None if None in lengths else sum(lengths))

    def enumerate(self, start=0):
        """Pairs of a number and the element.

        Args:
            start: the first number.
        """
        return self._then(lambda: enumerate(self, start), self._length)

    def cache(self, filename="", name=None):
        """Keeps the elements in memory once a pass has made them all.

        Args:
            filename, name: accepted for compatibility.
        """
        kept = []

        def make():
            if kept:
                yield from kept[0]
                return
            seen = []
            for element in self:
                seen.append(element)
                yield element
            kept[:] = [seen]

        return self._then(make, self._length)

    def prefetch(self, buffer_size=None, name=None):
        """This data set: one that reads files reads ahead by itself.

        Args:
            buffer_size, name: accepted for compatibility.
        """
        return self

    def __repr__(self):
        return f"<Dataset of {'unknown' if self._length is None else self._length} elements>"


class SizedDataset(Dataset):
    """A data set that knows its length, which `fit` shows. (Others have no `__len__`, lest anyone relies on it.)"""

    def __len__(self):
        return self._length


class _Endless(Dataset):
    """A data set without end."""

    def cardinality(self):
        return -1

    def __repr__(self):
        return "<Dataset without end>"


def _made(make, length, class_names):
    return (Dataset if length is None else SizedDataset)(make, length, class_names)


def _to_array(leaf):
    return leaf.numpy() if hasattr(leaf, "numpy") else np.asarray(leaf)


def _to_tensor(array):
    from cnncore.tensor import Tensor

    return Tensor(array)


def _stack(rows):
    from cnncore.nest import flatten

    columns = zip(*(flatten(row) for row in rows))
    return pack(rows[0], [_to_tensor(np.stack([np.asarray(value) for value in column])) for column in columns])


def split_dataset(dataset, left_size=None, right_size=None, shuffle=False, seed=None, preferred_backend=None):
    """Splits data in two, for example for training and testing.

    Args:
        dataset: array, list or tuple of arrays of one length, list of samples, or a `Dataset`.
        left_size: how many samples the first part gets, or, as a float, which share; what `right_size` leaves by
            default.
        right_size: likewise for the second part, taken from the end.
        shuffle: whether samples are drawn in another order before.
        seed: of that order.
        preferred_backend: accepted for compatibility.

    Returns:
        Two `Dataset`s of samples; `batch` them for `fit`.

    Raises:
        ValueError: neither size is given, or they do not fit the number of samples.
        TypeError: the data is of another kind.

    Example:
        >>> left, right = split_dataset(np.arange(10), left_size=0.8)
        >>> len(left), len(right)
        (8, 2)
    """
    if left_size is None and right_size is None:
        raise ValueError("left_size, right_size or both must be given. Received: neither")
    if not isinstance(dataset, Dataset):
        if not isinstance(dataset, (np.ndarray, list, tuple)) and not hasattr(dataset, "__array__"):
            raise TypeError(f"dataset is an array, a list or tuple of arrays, or a Dataset. Received: "
                            f"{type(dataset).__name__}")
        dataset = Dataset.from_tensor_slices(tuple(dataset) if isinstance(dataset, list) and dataset and
                                             hasattr(dataset[0], "shape") and dataset[0].shape else
                                             np.asarray(dataset) if isinstance(dataset, list) else dataset)
    samples = list(dataset)
    left, right = _sizes(left_size, right_size, len(samples))
    if shuffle:
        key = random.next_seed() if seed is None else seed
        order = random.generator(key).permutation(len(samples))
        samples = [samples[i] for i in order]
    parts = samples[:left], samples[len(samples) - right:]
    return tuple(SizedDataset(lambda part=part: iter(part), len(part), dataset.class_names) for part in parts)


def _sizes(left, right, total):
    """The two sizes as numbers of samples."""
    counts = []
    for name, size in (("left_size", left), ("right_size", right)):
        if size is None:
            counts.append(None)
            continue
        if isinstance(size, float):
            counts.append(round(size * total) if 0 < size < 1 else -1)
        else:
            counts.append(random.as_integer(size))
        if counts[-1] is None or not 0 < counts[-1] < total:
            raise ValueError(f"{name} is a share above 0 and below 1, or a number of samples from 1 to {total - 1}, and "
                             f"leaves no part empty. Received: {name}={size!r} of {total} samples")
    first = total - counts[1] if counts[0] is None else counts[0]
    second = total - counts[0] if counts[1] is None else counts[1]
    if first + second > total:
        raise ValueError(f"left_size and right_size together are at most the {total} samples. Received: "
                         f"left_size={left!r}, right_size={right!r}")
    return first, second
