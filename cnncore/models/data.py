"""Data for training: arrays as they come from users, checked once, and read batch by batch without a second copy."""
import inspect
import itertools
import math

import numpy as np

from cnncore import _core, executor, random
from cnncore.nest import flatten, is_nest, map_leaves, name_leaves, pack
from cnncore.ops.gather_rows import SOURCES, gather_call
from cnncore.tensor import Tensor
from cnncore.utils.py_dataset import in_order

_INT32 = np.iinfo("int32")


# ---- arrays ------------------------------------------------------------------------------------------------------

def to_nest(value):
    """A user's x, y or sample_weight as a nest of arrays. A list of numbers, or of rows of them, is one array."""
    if isinstance(value, dict):
        return {key: to_nest(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        if _is_table(value):
            return _table(value)
        parts = [to_nest(part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value


def _is_table(value):
    """Whether nested lists hold nothing but numbers."""
    while isinstance(value, (list, tuple)):
        if not value:
            return True
        value = value[0]
    return isinstance(value, (int, float, np.generic, str))


def _table(value):
    """Nested lists as one array; of objects, which `to_source` refuses, where they do not fit into one."""
    try:
        return np.asarray(value)
    except ValueError:  # rows of different lengths
        return np.zeros(len(value), object)


def to_source(name, value):
    """One array as `gather_rows` reads it: what is so already is not copied; anything else is converted once."""
    if isinstance(value, Tensor):
        value = value._view()
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        what = ("rows of different lengths, or values that are no numbers" if array.dtype.kind == "O"
                else "values that are no real numbers")
        raise TypeError(f"{name} must be an array of numbers. Received: dtype {array.dtype}, {what}; convert it to one "
                        "numeric NumPy array first, e.g. with np.stack or astype('float32')")
    if array.ndim == 0:
        raise ValueError(f"{name} must hold one entry for each sample along its first axis. Received: the single "
                         f"number {array[()]}; pass an array")
    dtype = array.dtype.newbyteorder("=")
    if dtype.name not in SOURCES:
        dtype = np.dtype("float64")
    return np.require(array, dtype, ["C", "A"])


def is_array_like(value):
    """Whether a leaf of `to_nest` can be cut into batches by rows."""
    return isinstance(value, (np.ndarray, Tensor)) or hasattr(value, "__array__") and hasattr(value, "shape")


def _target_dtype(array, keep_integers):
    """What rows become: float32, or int32 for integers that stay integers and fit."""
    if not keep_integers or array.dtype.kind == "f":
        return "float32"
    if array.dtype.itemsize >= 4 and array.dtype != np.int32 and array.size:
        if array.min() < _INT32.min or array.max() > _INT32.max:
            return "float32"
    return "int32"


# ---- batches -----------------------------------------------------------------------------------------------------

class Batches:
    """Arrays that are read batch by batch.

    Args:
        x, y, sample_weight: nests of arrays of the same number of rows; y and sample_weight may be None.
        batch_size: rows of a batch, 32 by default; the last batch may have fewer.
        steps: steps that an epoch is to have, or None for one pass over the data.
        shuffle: whether rows are drawn in another order in each epoch; 'batch' keeps the batches and only their order
            within changes.
        class_weight: dict from class numbers to the weights of their samples.
        integers: for each leaf of x, whether integers stay integers; False turns them into float32.
        in_tuple: whether a step is given (x,) where there is nothing else; otherwise x itself, unless it is a list.
    """

    def __init__(self, x, y=None, sample_weight=None, batch_size=None, steps=None, shuffle=False, class_weight=None,
                 integers=(), in_tuple=False):
        x, y, sample_weight = to_nest(x), to_nest(y), to_nest(sample_weight)
        if batch_size is not None and (random.as_integer(batch_size) is None or batch_size < 1):
            raise ValueError(f"batch_size must be an integer of 1 or more. Received: batch_size={batch_size!r}")
        if class_weight is not None:
            if sample_weight is not None:
                raise ValueError("Either class_weight or sample_weight can be given. Received: both; multiply them "
                                 "into one sample_weight")
            sample_weight = class_weights(y, class_weight)
        elif sample_weight is not None and is_nest(y) and not is_nest(sample_weight):
            sample_weight = map_leaves(lambda _: sample_weight, y)  # one weight a sample counts for every output
        self.nest, self.in_tuple = (x, y, sample_weight), in_tuple
        self.names = [*name_leaves("x", x), *name_leaves("y", y), *name_leaves("sample_weight", sample_weight)]
        leaves = flatten(self.nest)
        self.sources = [None if leaf is None else to_source(name, leaf)
                        for name, leaf in zip(self.names, leaves, strict=True)]
        count_x, count_y = len(flatten(x)), len(flatten(y))
        keep = [*(list(integers) or [False]) * count_x][:count_x] + [True] * count_y + [False] * len(leaves)
        self.dtypes = [None if a is None else _target_dtype(a, kept)
                       for a, kept in zip(self.sources, keep, strict=False)]
        self.y_range = range(count_x, count_x + count_y)
        self.rows = self._check_lengths()
        self.batch_size = int(batch_size) if batch_size else math.ceil(self.rows / steps) if steps else 32
        self.steps_per_epoch = steps
        self.batch_count = math.ceil(self.rows / self.batch_size)
        self.shuffle = shuffle
        self.seed = random.next_seed() if shuffle else None
        self._next = 0  # the batch that the next epoch starts with, where `steps` cuts the data into parts
        self._passes = 0
        self.index = _core.Buffer.allocate((self.rows,), "int64")
        self._order = self.index.numpy()
        self._order[...] = np.arange(self.rows)
        self.start = _core.Buffer.allocate((), "int64")
        self._start = self.start.numpy()
        self._start[()] = 0
        self._wrapped = [_core.Buffer.wrap(a) for a in self.sources if a is not None]

    def _check_lengths(self):
        lengths = {name: a.shape[0] for name, a in zip(self.names, self.sources, strict=True) if a is not None}
        if not lengths:
            raise ValueError("x must be an array, or a nest of arrays. Received: None")
        if len(set(lengths.values())) > 1:
            items = [f"{name} with {length}" for name, length in lengths.items()]
            shown = ", ".join(items if len(items) < 9 else [*items[:3], "...", *items[-2:]])
            hint = ("; stack a list of samples into one array with np.stack" if isinstance(self.nest[0], list)
                    and len(self.nest[0]) > 1 else "; pass arrays that belong together")
            raise ValueError(f"All arrays must have one row for each sample. Received: {shown} rows{hint}")
        rows = next(iter(lengths.values()))
        if not rows:
            raise ValueError("There must be at least one sample. Received: "
                             + ", ".join(f"{name} of shape {a.shape}" for name, a in
                                         zip(self.names, self.sources, strict=True) if a is not None))
        return rows

    @property
    def steps(self):
        """Steps of an epoch."""
        return self.steps_per_epoch or self.batch_count

    def epoch(self, number, skip=0):
        """Yields (first row, rows) of every batch of an epoch, but for the first `skip` ones, having drawn the order.

        The order depends on the seed and on how many passes were made before alone, so that a training that is
        resumed goes on as the uninterrupted one.
        """
        if self.steps_per_epoch is None:
            self._next, self._passes = skip, number
        if self._next == 0 or skip:
            self._draw()
        for _ in range(self.steps - skip):
            if self._next >= self.batch_count:
                break
            first = self._next * self.batch_size
            self._next += 1
            yield first, min(self.batch_size, self.rows - first)
        if self._next >= self.batch_count:
            self._next, self._passes = 0, self._passes + 1

    def restart(self):
        """Makes the next epoch begin with the first batch, wherever `steps` ended the one before."""
        self._next = 0

    def position(self):
        """Where in the data a training is, for `resumption`; numbers that JSON can hold."""
        return {"rows": self.rows, "seed": self.seed, "next": self._next, "passes": self._passes}

    def resumption(self, position):
        """A function without arguments that goes to a position of the same data."""
        rows, seed, following, passes = (position[key] for key in ("rows", "seed", "next", "passes"))
        if rows != self.rows or (seed is None) != (self.seed is None):
            raise ValueError(f"{rows} samples instead of {self.rows}, or shuffled where these are not")

        def resume():
            self.seed, self._next, self._passes = seed, int(following), int(passes)
            self._draw()

        return resume

    def _draw(self):
        if not self.shuffle:
            return
        order = np.random.Generator(np.random.Philox(key=np.array([self.seed, self._passes], "uint64")))
        if self.shuffle == "batch":
            for first in range(0, self.rows, self.batch_size):
                size = min(self.batch_size, self.rows - first)
                self._order[first:first + size] = order.permutation(size) + first
        else:
            self._order[...] = order.permutation(self.rows)

    def go_to(self, first):
        """Sets the row that the next batch starts with, for plans that read it when they run."""
        self._start[()] = first

    # What a step is given: x, (x,), (x, y) or (x, y, sample_weight).

    def specs(self, rows):
        """For each leaf (shape, dtype), or None, of a batch of so many rows."""
        return tuple(None if a is None else ((rows, *a.shape[1:]), dtype)
                     for a, dtype in zip(self.sources, self.dtypes, strict=True))

    def make(self, rows, make_buffer, kind=Tensor):
        """A batch of tensors over buffers made by make_buffer(shape, dtype)."""
        tensors = [None if spec is None else kind._over(make_buffer(*spec)) for spec in self.specs(rows)]
        x, y, sample_weight = pack(self.nest, tensors)
        return (x,) if self.in_tuple and y is None else pack_x_y_sample_weight(x, y, sample_weight)

    def calls_into(self, batch):
        """The calls that fill a batch of `make` with the rows from `go_to` on."""
        leaves = [leaf.buffer for leaf in flatten(batch) if leaf is not None]
        return [gather_call(a, self.index, leaf, self.start) for a, leaf in zip(self._wrapped, leaves, strict=True)]

    @property
    def buffers(self):
        """What the calls of `calls_into` read: for batches alike in `kind_of`, in the same order."""
        return [*self._wrapped, self.index, self.start]

    def kind_of(self, rows):
        """What a plan for a batch of so many rows depends on."""
        return (self.specs(rows), tuple(buffer.dtype for buffer in self._wrapped),
                str(map_leaves(lambda leaf: leaf is None, self.nest)), self.in_tuple)

    def gather(self, rows):
        """A batch with the rows from `go_to` on, computed by the executor at work."""
        run = executor.current()
        batch = self.make(rows, run.empty)
        run.emit(self.calls_into(batch))
        return batch


def class_weights(y, class_weight):
    """One weight for each sample, by its class; 1 for classes that are not named."""
    if is_nest(y) or y is None:
        raise ValueError("class_weight needs a model with one output, and its targets. Received: y of type "
                         f"{type(y).__name__}; give each output its sample_weight instead")
    if not isinstance(class_weight, dict):
        raise ValueError("class_weight is a dict from class numbers to weights. Received: "
                         f"{type(class_weight).__name__}; pass e.g. {{0: 1.0, 1: 5.0}}")
    y = to_source("y", y)
    if y.ndim > 1:
        y = y[..., 0] if y.shape[-1] == 1 else y.argmax(-1)
    if y.ndim > 1:
        raise ValueError("class_weight needs one class for each sample. Received: classes of shape "
                         f"{y.shape}; pass sample_weight instead")
    weights = np.ones(y.shape, "float32")
    classes = np.rint(y)
    for number, weight in class_weight.items():
        if isinstance(number, str):
            raise ValueError("class_weight is a dict from class numbers to weights. Received: class_weight="
                             f"{class_weight!r}, with the text {number!r}; pass the number of the class")
        weights[classes == number] = weight
    return weights


def split_validation(x, y, sample_weight, share):
    """((x, y, sample_weight) for training, the same for validation): the last part of the rows, as views."""
    if not 0 < share < 1:
        raise ValueError(f"validation_split is a share of the samples, above 0 and below 1. Received: {share!r}")
    nest = (to_nest(x), to_nest(y), to_nest(sample_weight))
    names = [*name_leaves("x", nest[0]), *name_leaves("y", nest[1]), *name_leaves("sample_weight", nest[2])]
    for name, leaf in zip(names, flatten(nest), strict=True):
        if leaf is not None and not is_array_like(leaf):
            raise ValueError("validation_split needs arrays, whose last rows it takes. Received: "
                             f"{name} of type {type(leaf).__name__}; pass validation_data instead")
    sources = [None if leaf is None else to_source(name, leaf)
               for name, leaf in zip(names, flatten(nest), strict=True)]
    rows = next((a.shape[0] for a in sources if a is not None), 0)
    at = math.floor(rows * (1.0 - share))
    if at in (0, rows):
        raise ValueError("validation_split must leave samples for training and for validation. Received: "
                         f"validation_split={share} of {rows} samples; give more data or another share")
    return tuple(pack(nest, [None if a is None else a[part] for a in sources])
                 for part in (slice(0, at), slice(at, None)))


def unpack_x_y_sample_weight(data):
    """(x, y, sample_weight) of what a step or a data set gives: x, (x,), (x, y) or (x, y, sample_weight)."""
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if len(data) > 3 or not data:
        raise ValueError("A batch is x, (x,), (x, y) or (x, y, sample_weight). Received: a tuple of "
                         f"{len(data)} elements")
    return data + (None,) * (3 - len(data))


def pack_x_y_sample_weight(x, y=None, sample_weight=None):
    """The inverse of `unpack_x_y_sample_weight`: x, (x,), (x, y) or (x, y, sample_weight).

    Args:
        x, y, sample_weight: arrays or nests of them; y and sample_weight may be None.

    Example:
        >>> pack_x_y_sample_weight(1, 2)
        (1, 2)
    """
    if y is None:
        return (x,) if isinstance(x, (list, tuple)) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


# ---- batches that come one by one --------------------------------------------------------------------------------

class Stream:
    """Batches that something else makes: a generator, or an object with a length whose items are batches.

    Args:
        source: iterator, or object with `__len__` and `__getitem__`.
        steps: steps of an epoch, or None for as many as there are.
        shuffle: whether the items are taken in another order in each epoch.
        class_weight: dict from class numbers to weights.
    """

    def __init__(self, source, steps=None, shuffle=False, class_weight=None, integers=()):
        self.source, self.steps_per_epoch = source, steps
        self.class_weight, self.integers = class_weight, integers
        self.indexed = hasattr(source, "__getitem__") and (hasattr(source, "__len__") or hasattr(source, "num_batches"))
        self.seed = random.next_seed() if shuffle and self.indexed else None
        self._iterator, self._head = None, None
        self._pass, self._taken = 0, 0  # the epoch that the iterator is of, and the batches it has given

    @property
    def steps(self):
        """Steps of an epoch, None if that is not known."""
        if self.steps_per_epoch:
            return self.steps_per_epoch
        return self._length()

    def first(self):
        """The first batch, which is kept for the epoch to come."""
        if self._head is None:
            self._head = self._batch(next(self._items(0), None))
            self._taken += 1
        return self._head

    def _items(self, number):
        if self._iterator is None:
            self._pass, self._taken = number, 0
            self._iterator = self._indexed(number) if self.indexed else iter(self.source)
        return self._iterator

    def restart(self):
        """Makes the next epoch begin with the first batch; what cannot begin again goes on."""
        if self.indexed and self._taken > (self._head is not None):
            self._iterator = self._head = None

    def position(self):
        """Where in the data a training is, for `resumption`; numbers that JSON can hold."""
        return {"seed": self.seed, "pass": self._pass if self._iterator is not None else None, "taken": self._taken}

    def resumption(self, position):
        """A function without arguments that goes to a position of the same data; a generator begins anew."""
        seed, number, taken = (position[key] for key in ("seed", "pass", "taken"))
        if (seed is None) != (self.seed is None):
            raise ValueError("batches that are shuffled where these are not, or the reverse")

        def resume():
            self.seed = seed
            if self.indexed:
                self._iterator = self._head = None  # the first batch was looked up in another order
                if number is not None:
                    self._iterator = self._indexed(int(number), int(taken))
                    self._pass, self._taken = int(number), int(taken)

        return resume

    def _indexed(self, number, skip=0):
        if self._length() is None:
            order = itertools.count(skip)
        elif self.seed is None:
            order = range(skip, self._length())
        else:
            rng = np.random.Generator(np.random.Philox(key=np.array([self.seed, number], "uint64")))
            order = rng.permutation(self._length())[skip:].tolist()
        yield from in_order(self.source, order)

    def _length(self):
        """How many batches the source has; None for one without end, or whose end is not known."""
        if hasattr(self.source, "num_batches"):
            return self.source.num_batches
        return len(self.source) if hasattr(self.source, "__len__") else None

    def _batch(self, data):
        if data is None:
            raise ValueError("There must be at least one batch. Received: a data set without any")
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        rows = len(flatten(to_nest(x))[0])
        return Batches(x, y, sample_weight, max(rows, 1), class_weight=self.class_weight, integers=self.integers,
                       in_tuple=isinstance(data, (list, tuple)))

    def epoch(self, number, skip=0):
        """Yields the Batches of an epoch, each of a single batch, but for the first `skip` ones."""
        limit, seen = self.steps_per_epoch or math.inf, skip
        if skip and not self.indexed and self.steps_per_epoch is None:
            self._head = None
            for _ in itertools.islice(self._items(number), skip):
                pass
        if hasattr(self.source, "on_epoch_begin"):
            self.source.on_epoch_begin()
        while seen < limit:
            if self._head is not None:
                batch, self._head = self._head, None
            else:
                data = next(self._items(number), None)
                if data is None:
                    self._iterator = None
                    if self.indexed and self.steps_per_epoch and self._taken:
                        continue  # a data set with a length starts again
                    break
                self._taken += 1
                batch = self._batch(data)
            seen += 1
            yield batch
        if self.steps_per_epoch is None:
            self._iterator = None
        if hasattr(self.source, "on_epoch_end"):
            self.source.on_epoch_end()


def batches_of(x, y=None, sample_weight=None, batch_size=None, steps=None, shuffle=False, class_weight=None,
               integers=()):
    """Batches of arrays, or a Stream of what makes batches itself."""
    if x is None:
        raise ValueError("x is the data to work on. Received: x=None; pass an array, a nest of arrays, or a generator")
    if all(is_array_like(leaf) or leaf is None for leaf in flatten(to_nest(x))):
        return Batches(x, y, sample_weight, batch_size, steps, shuffle, class_weight, integers)
    if isinstance(x, (str, bytes)) or not (hasattr(x, "__iter__") or hasattr(x, "__getitem__")) or is_nest(x):
        raise TypeError("x must be an array, a nest of arrays, or something that makes batches. Received: "
                        f"{type(x).__name__}" + (f"; call it: {x.__name__}()" if inspect.isgeneratorfunction(x) else ""))
    for name, value in (("y", y), ("sample_weight", sample_weight)):
        if value is not None:
            raise ValueError(f"{name} comes with the batches where x makes them. Received: {name} together with x of "
                             f"type {type(x).__name__}; let x give tuples (x, y, sample_weight)")
    return Stream(x, steps, shuffle, class_weight, integers)
