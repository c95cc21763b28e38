"""Iterators over batches of transformed images: from arrays, and from folders of files."""
import os
import threading
import warnings

import numpy as np

from cnncore.utils.image_dataset import image_files
from cnncore.utils.images import array_to_img, channels_first, img_to_array, load_img

_CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}


class Iterator:
    """Batches for ever, or by their number: what `ImageDataGenerator.flow` and its kin return.

    `next(it)` gives batch after batch, `it[i]` the i-th of an epoch, `len(it)` tells how many an epoch has.

    Args:
        n: number of samples.
        batch_size: samples of a batch; the last may have fewer.
        shuffle: whether samples are drawn in another order in each epoch.
        seed: of the order and of the transformations; None takes NumPy's global generator.
    """

    white_list_formats = ("png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff")

    def __init__(self, n, batch_size, shuffle, seed, **kwargs):
        if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise ValueError(f"batch_size must be an integer of 1 or more. Received: batch_size={batch_size!r}")
        self.n, self.batch_size, self.shuffle, self.seed = int(n), int(batch_size), shuffle, seed
        self.batch_index = self.total_batches_seen = 0
        self.lock = threading.RLock()
        self.index_array = None
        self._random = np.random

    def _seed_batch(self):
        """The numbers of a batch: as Keras draws them, without touching the global generator where there is a seed."""
        self._random = np.random if self.seed is None else np.random.RandomState(self.seed + self.total_batches_seen)

    def _set_index_array(self):
        self.index_array = self._random.permutation(self.n) if self.shuffle else np.arange(self.n)

    def __len__(self):
        return -(-self.n // self.batch_size)

    def __getitem__(self, idx):
        with self.lock:
            number = idx + len(self) if idx < 0 else idx
            if not 0 <= number < len(self):
                raise ValueError(f"An epoch has {len(self)} batches, from 0 on. Received: batch {idx}")
            self._seed_batch()
            self.total_batches_seen += 1
            if self.index_array is None:
                self._set_index_array()
            rows = self.index_array[self.batch_size * number:self.batch_size * (number + 1)]
            return self._get_batches_of_transformed_samples(rows)

    def __iter__(self):
        return self

    def __next__(self):
        with self.lock:
            if not self.n:
                raise ValueError("There must be samples to give. Received: none; see where the data is looked for")
            self._seed_batch()
            if self.batch_index == 0:
                self._set_index_array()
            first = self.batch_index * self.batch_size
            rows = self.index_array[first:first + self.batch_size]
            self.batch_index = self.batch_index + 1 if first + self.batch_size < self.n else 0
            self.total_batches_seen += 1
            return self._get_batches_of_transformed_samples(rows)

    def next(self):
        """The next batch."""
        return self.__next__()

    def on_epoch_end(self):
        """Draws the order of the next epoch; `fit` calls it."""
        self._set_index_array()

    def reset(self):
        """Lets `next` go on with the first batch of an epoch."""
        self.batch_index = 0

    def _get_batches_of_transformed_samples(self, index_array):
        """The batch of these samples; for iterators of one's own to define."""
        raise NotImplementedError(f"{type(self).__name__} must define _get_batches_of_transformed_samples(index_array)")

    def _save(self, batch, index_array):
        """Writes the images of a batch to `save_to_dir`, to be looked at."""
        if not self.save_to_dir:
            return
        for image, i in zip(batch, index_array):
            name = f"{self.save_prefix}_{i}_{np.random.randint(10**7)}.{self.save_format}"
            array_to_img(image, self.data_format, scale=True).save(os.path.join(self.save_to_dir, name))


class NumpyArrayIterator(Iterator):
    """Batches of transformed images out of an array; see `ImageDataGenerator.flow`."""

    def __init__(self, x, y, image_data_generator, batch_size=32, shuffle=False, sample_weight=None, seed=None,
                 data_format=None, save_to_dir=None, save_prefix="", save_format="png", subset=None,
                 ignore_class_split=False, dtype=None):
        self.dtype = dtype or "float32"
        others = []  # further inputs, which are batched and not transformed
        if isinstance(x, (tuple, list)) and len(x) == 2 and getattr(x[0], "ndim", 0) == 4:
            others = [np.asarray(part) for part in (x[1] if isinstance(x[1], list) else [x[1]])]
            x = x[0]
        x = np.asarray(x)
        for name, part in (("y", y), ("sample_weight", sample_weight), *(("x[1]", part) for part in others)):
            if part is not None and len(part) != len(x):
                raise ValueError(f"{name} has one entry for each image. Received: {len(part)} for {len(x)} images of "
                                 f"shape {x.shape}")
        y = None if y is None else np.asarray(y)
        weight = None if sample_weight is None else np.asarray(sample_weight)
        if subset is not None:
            at = int(len(x) * image_data_generator._validation_split)
            rows = {"training": slice(at, None), "validation": slice(0, at)}.get(subset)
            if rows is None:
                raise ValueError(f"subset is 'training' or 'validation'. Received: subset={subset!r}")
            if y is not None and not ignore_class_split and not np.array_equal(np.unique(y[:at]), np.unique(y[at:])):
                raise ValueError("Both parts must have all classes. Received: data whose first "
                                 f"{at} samples have others than the rest; shuffle it first, or pass "
                                 "ignore_class_split=True")
            x, y, others = x[rows], None if y is None else y[rows], [part[rows] for part in others]
            weight = None if weight is None else weight[rows]
        if x.ndim != 4:
            raise ValueError(f"Images have four axes, (batch, height, width, channels). Received: shape {x.shape}"
                             + ("; give grey images a last axis, x[..., None]" if x.ndim == 3 else ""))
        self.x, self.x_misc, self.y, self.sample_weight = x, others, y, weight
        first = channels_first(data_format)
        self.data_format = "channels_first" if first else "channels_last"
        check_channels(x.shape, first)
        self.image_data_generator = image_data_generator
        self.save_to_dir, self.save_prefix, self.save_format = save_to_dir, save_prefix, save_format
        super().__init__(len(x), batch_size, shuffle, seed)

    def _get_batches_of_transformed_samples(self, index_array):
        batch = self.image_data_generator._transformed(self.x[index_array].astype(self.dtype), self._random)
        self._save(batch, index_array)
        x = [batch, *(part[index_array] for part in self.x_misc)] if self.x_misc else batch
        if self.y is None:
            return x
        parts = (x, self.y[index_array])
        return parts if self.sample_weight is None else (*parts, self.sample_weight[index_array])


def check_channels(shape, first):
    """Warns where images seem to have their channels elsewhere."""
    count = shape[1 if first else 3]
    if count not in (1, 3, 4):
        warnings.warn(f"Images have 1, 3 or 4 channels, on axis {1 if first else 3}. Received: shape {shape} with {count}; "
                      "see data_format", stacklevel=4)


class FilesIterator(Iterator):
    """What iterators over image files share: reading, transforming and labelling them.

    Attributes:
        filenames: names of the files.
        filepaths: their paths.
        labels: their labels.
    """

    def _set_files(self, generator, target_size, color_mode, data_format, save_to_dir, save_prefix, save_format, subset,
                   interpolation, keep_aspect_ratio, dtype):
        if color_mode not in _CHANNELS:
            raise ValueError(f"color_mode is 'rgb', 'rgba' or 'grayscale'. Received: color_mode={color_mode!r}")
        if subset not in (None, "training", "validation"):
            raise ValueError(f"subset is 'training' or 'validation'. Received: subset={subset!r}")
        self.image_data_generator, self.target_size = generator, tuple(target_size)
        self.color_mode, self.interpolation, self.keep_aspect_ratio = color_mode, interpolation, keep_aspect_ratio
        first = channels_first(data_format)
        self.data_format = "channels_first" if first else "channels_last"
        channels = (_CHANNELS[color_mode],)
        self.image_shape = channels + self.target_size if first else self.target_size + channels
        self.save_to_dir, self.save_prefix, self.save_format = save_to_dir, save_prefix, save_format
        self.dtype, self.subset, self.split = dtype or "float32", subset, None
        if subset is not None:
            share = generator._validation_split
            self.split = (0, share) if subset == "validation" else (share, 1)

    def _part(self, count):
        """The rows that belong to the subset."""
        return slice(0, count) if self.split is None else slice(*(int(share * count) for share in self.split))

    @property
    def filepaths(self):
        return self._filepaths

    @property
    def labels(self):
        return self.classes

    @property
    def sample_weight(self):
        return None

    def _get_batches_of_transformed_samples(self, index_array):
        batch = np.zeros((len(index_array), *self.image_shape), self.dtype)
        for to, i in zip(batch, index_array):
            image = load_img(self.filepaths[i], color_mode=self.color_mode, target_size=self.target_size,
                             interpolation=self.interpolation, keep_aspect_ratio=self.keep_aspect_ratio)
            to[...] = img_to_array(image, self.data_format)
        if self.image_data_generator is not None:
            batch = self.image_data_generator._transformed(batch, self._random)
        self._save(batch, index_array)
        if self.class_mode is None:
            return batch
        parts = (batch, self._labels_of(batch, index_array))
        return parts if self.sample_weight is None else (*parts, self.sample_weight[index_array])

    def _labels_of(self, batch, rows):
        if self.class_mode == "input":
            return batch.copy()
        if self.class_mode == "multi_output":
            return [part[rows] for part in self.labels]
        if self.class_mode == "raw":
            return self.labels[rows]
        if self.class_mode == "categorical":
            y = np.zeros((len(rows), len(self.class_indices)), self.dtype)
            for i, row in enumerate(rows):
                y[i, self.classes[row]] = 1
            return y
        return np.array([self.classes[row] for row in rows], self.dtype)


class DirectoryIterator(FilesIterator):
    """Batches of transformed images out of a folder with a folder for each class; see
    `ImageDataGenerator.flow_from_directory`.

    Attributes:
        class_indices: dict from the classes' names to their numbers.
        classes: the number of each file's class.
        samples: how many files there are.
    """

    allowed_class_modes = {"categorical", "binary", "sparse", "input", None}

    def __init__(self, directory, image_data_generator, target_size=(256, 256), color_mode="rgb", classes=None,
                 class_mode="categorical", batch_size=32, shuffle=True, seed=None, data_format=None, save_to_dir=None,
                 save_prefix="", save_format="png", follow_links=False, subset=None, interpolation="nearest",
                 keep_aspect_ratio=False, dtype=None):
        self._set_files(image_data_generator, target_size, color_mode, data_format, save_to_dir, save_prefix, save_format,
                        subset, interpolation, keep_aspect_ratio, dtype)
        if class_mode not in self.allowed_class_modes:
            raise ValueError("class_mode is 'categorical', 'binary', 'sparse', 'input' or None. Received: class_mode="
                             f"{class_mode!r}")
        self.directory, self.class_mode = directory, class_mode
        names = list(classes or sorted(name for name in os.listdir(directory)
                                       if os.path.isdir(os.path.join(directory, name))))
        self.num_classes, self.class_indices = len(names), {name: i for i, name in enumerate(names)}
        self.filenames, numbers = [], []
        for i, name in enumerate(names):
            found = list(image_files(os.path.join(directory, name), follow_links, self.white_list_formats))
            found = found[self._part(len(found))]
            self.filenames += [os.path.relpath(path, directory) for path in found]
            numbers += [i] * len(found)
        self.samples, self.classes = len(numbers), np.array(numbers, "int32")
        print(f"Found {self.samples} images belonging to {self.num_classes} classes.")
        self._filepaths = [os.path.join(directory, name) for name in self.filenames]
        super().__init__(self.samples, batch_size, shuffle, seed)
