"""Images in folders as a data set of batches."""
import itertools
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from cnncore import random
from cnncore.utils.dataset import SizedDataset
from cnncore.utils.images import channels_first, open_image

_FORMATS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
_CHANNELS = {"rgb": 3, "rgba": 4, "grayscale": 1}
_PIL_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def image_dataset_from_directory(directory, labels="inferred", label_mode="int", class_names=None, color_mode="rgb",
                                 batch_size=32, image_size=(256, 256), shuffle=True, seed=None, validation_split=None,
                                 subset=None, interpolation="bilinear", follow_links=False, crop_to_aspect_ratio=False,
                                 pad_to_aspect_ratio=False, data_format=None, format="tf", verbose=True):
    """The image files of a folder as batches, read while they are asked for.

    Each folder within is a class, named by it. Files end in .bmp, .gif (the first picture), .jpeg, .jpg or .png.

    Args:
        directory: path of the folder.
        labels: 'inferred' from the folders, None for images alone, or a list of whole numbers, one for each file in the
            alphabetical order of their paths.
        label_mode: 'int' for int32 numbers (batch,), 'categorical' for one-hot vectors (batch, classes), 'binary' for 0.0
            or 1.0 (batch, 1), None for no labels.
        class_names: the folders to use, in this order; all in alphabetical order by default.
        color_mode: 'rgb', 'rgba' or 'grayscale'.
        batch_size: images of a batch; None gives images one by one.
        image_size: (height, width) that all images are resized to.
        shuffle: whether the files are mixed before they are split, and drawn in another order in each pass.
        seed: of these orders. The same seed leaves the same files to 'training' and 'validation'.
        validation_split: share of the files that is kept for validation, from the end.
        subset: 'training', 'validation' or 'both', with `validation_split`.
        interpolation: 'bilinear', 'nearest', 'bicubic', 'area', 'lanczos3', 'lanczos5', 'gaussian' or 'mitchellcubic'.
        follow_links: whether links to folders are followed.
        crop_to_aspect_ratio: whether what does not fit the new proportions is cut off, instead of distorting the image.
        pad_to_aspect_ratio: whether the image is padded with 0 to the new proportions instead.
        data_format: 'channels_last', the default, or 'channels_first'.
        format: accepted for compatibility.
        verbose: whether to print how many files were found.

    Returns:
        `Dataset` of float32 images (batch, height, width, channels) from 0 to 255, or of tuples (images, labels), with
        attributes `class_names` and `file_paths`; a list of two for subset='both'.

    Raises:
        ImportError: Pillow is not installed.
        OSError: the folder does not exist; while iterating also a file that is no image.
        ValueError: an argument does not fit, or there are no images.

    Example:
        >>> import cnncore, numpy as np, os, tempfile
        >>> folder = tempfile.mkdtemp()
        >>> for name in ("cats", "dogs"):
        ...     os.mkdir(os.path.join(folder, name))
        ...     cnncore.utils.save_img(os.path.join(folder, name, "1.png"), np.zeros((5, 5, 3)))
        >>> dataset = image_dataset_from_directory(folder, image_size=(8, 8), verbose=False)
        >>> dataset.class_names
        ['cats', 'dogs']
        >>> [images.shape for images, labels in dataset]
        [(2, 8, 8, 3)]
    """
    size = _check(labels, label_mode, class_names, color_mode, image_size, interpolation, validation_split, subset, shuffle,
                  seed, batch_size, format, crop_to_aspect_ratio and pad_to_aspect_ratio)
    if labels is None or label_mode is None:
        labels = label_mode = None
    if seed is None:
        seed = int(np.random.randint(10**6))
    paths, numbers, names = _index(os.fspath(directory), labels, class_names, follow_links, verbose)
    if label_mode == "binary" and len(names) != 2:
        raise ValueError(f"label_mode='binary' needs two classes. Received: class_names={names}")
    if shuffle:
        order = np.random.RandomState(seed).permutation(len(paths))  # the one that Keras draws
        paths, numbers = [paths[i] for i in order], None if numbers is None else numbers[order]
    first, validation = _split_at(len(paths), validation_split)
    reader = _Reader(_CHANNELS[color_mode], size, interpolation, bool(crop_to_aspect_ratio), bool(pad_to_aspect_ratio),
                     channels_first(data_format))
    made = []
    for part, rows in (("training", slice(0, first)), ("validation", slice(first, None))):
        if subset not in (None, part, "both") or subset is None and part == "validation":
            continue
        if subset is not None:
            print(f"Using {len(paths) - validation if part == 'training' else validation} files for {part}.")
        if not paths[rows]:
            raise ValueError(f"There must be image files, ending in {', '.join(_FORMATS)}. Received: {directory} with none "
                             f"for {part if subset else 'the data set'}")
        mixes = shuffle and not (subset == "both" and part == "validation")
        made.append(_dataset(reader, paths[rows], None if numbers is None else _encoded(numbers[rows], label_mode, names),
                             batch_size, seed if mixes else None, names))
    return made if subset == "both" else made[0]


def _check(labels, label_mode, class_names, color_mode, image_size, interpolation, split, subset, shuffle, seed,
           batch_size, format, both_ratios):
    """Raises ValueError for arguments that do not fit; returns the size as (height, width)."""
    from cnncore.ops.image import METHODS

    if not (labels is None or labels == "inferred" or isinstance(labels, (list, tuple, np.ndarray))):
        raise ValueError("labels is 'inferred', None, or a list of a whole number for each file. Received: "
                         f"labels={labels!r}")
    if class_names is not None and not (isinstance(labels, str) and labels == "inferred"):
        raise ValueError("class_names names the folders that labels are inferred from. Received: class_names="
                         f"{class_names!r} with other labels; leave one of them out")
    if batch_size is not None and (random.as_integer(batch_size) is None or batch_size < 1):
        raise ValueError(f"batch_size must be an integer of 1 or more, or None. Received: batch_size={batch_size!r}")
    for name, value, known in (("label_mode", label_mode, ("int", "categorical", "binary", None)),
                               ("color_mode", color_mode, tuple(_CHANNELS)), ("interpolation", interpolation, METHODS),
                               ("subset", subset, ("training", "validation", "both", None)),
                               ("format", format, ("tf", "grain"))):
        if value not in known:
            raise ValueError(f"{name} is one of {', '.join(map(repr, known))}. Received: {name}={value!r}")
    size = (image_size, image_size) if random.as_integer(image_size) is not None else image_size
    if not isinstance(size, (list, tuple)) or len(size) != 2 or any(
            random.as_integer(n) is None or n < 1 for n in size):
        raise ValueError(f"image_size is a height and a width of 1 pixel or more. Received: image_size={image_size!r}")
    if both_ratios:
        raise ValueError("An image is cropped or padded to the new proportions. Received: crop_to_aspect_ratio=True and "
                         "pad_to_aspect_ratio=True; choose one")
    if bool(split) != bool(subset) or split and not 0 < split < 1:
        raise ValueError("validation_split, a share above 0 and below 1, and subset go together. Received: "
                         f"validation_split={split!r}, subset={subset!r}")
    if split and shuffle and seed is None:
        raise ValueError("Files that are mixed and split need a seed, lest the two parts overlap. Received: seed=None; "
                         "pass the same seed for both parts, or shuffle=False")
    return tuple(size)


def _index(directory, labels, class_names, follow_links, verbose):
    """(paths, label numbers or None, class names or None) of the files of a folder."""
    folders = [""]
    if isinstance(labels, str):
        folders = sorted(name for name in os.listdir(directory)
                         if os.path.isdir(os.path.join(directory, name)) and not name.startswith("."))
        if class_names is not None:
            if not set(class_names) <= set(folders):
                raise ValueError(f"class_names are folders of {directory}: {folders}. Received: class_names="
                                 f"{class_names!r}")
            folders = list(class_names)
    elif not os.path.isdir(directory):
        raise FileNotFoundError(f"directory must be a folder. Received: {directory!r}, which does not exist")
    paths, numbers = [], []
    for number, folder in enumerate(folders):
        found = list(image_files(os.path.join(directory, folder) if folder else directory, follow_links, _FORMATS))
        paths += found
        numbers += [number] * len(found)
    if labels is None:
        numbers = names = None
    elif isinstance(labels, str):
        numbers, names = np.array(numbers, "int32"), folders
    else:
        if len(labels) != len(paths):
            raise ValueError(f"There must be a label for each of the {len(paths)} files in {directory}. Received: "
                             f"{len(labels)} labels")
        numbers, names = np.array(labels, "int32"), [str(label) for label in sorted(set(labels))]
    if verbose:
        print(f"Found {len(paths)} files" + ("." if names is None else f" belonging to {len(names)} classes."))
    return paths, numbers, names


def image_files(folder, follow_links, endings):
    """The paths of the files below a folder that end so, folder by folder in alphabetical order."""
    for root, _, names in sorted(os.walk(folder, followlinks=follow_links), key=lambda found: found[0]):
        for name in sorted(names):
            if name.lower().endswith(endings):
                yield os.path.join(root, name)


def _split_at(count, split):
    """(the first row of validation, how many rows it has)."""
    validation = int(split * count) if split else 0
    return count - validation, validation


def _encoded(numbers, label_mode, names):
    from cnncore.utils.numerical import to_categorical

    if label_mode == "binary":
        return numbers.astype("float32")[:, None]
    return to_categorical(numbers, len(names)).astype("float32") if label_mode == "categorical" else numbers


class _Reader:
    """Reads and resizes images."""

    def __init__(self, channels, size, interpolation, crops, pads, channels_first):
        self.channels, self.size, self.interpolation = channels, size, interpolation
        self.crops, self.pads, self.channels_first = crops, pads, channels_first

    def decode(self, path):
        """The uint8 array of a file; run by several threads."""
        img = open_image(path)
        if img.mode.startswith("I"):  # 16 bits, of which the upper ones count
            pixels = (np.asarray(img).astype("int64") >> 8).clip(0, 255).astype("uint8")
            return np.repeat(pixels[..., None], self.channels, -1)
        mode = _PIL_MODES[self.channels]
        pixels = np.asarray(img if img.mode == mode else img.convert(mode))
        return pixels[..., None] if pixels.ndim == 2 else pixels

    def resize(self, pixels):
        from cnncore.ops import image

        x = pixels.astype("float32")
        if x.shape[:2] != self.size:
            x = image.resize(x, self.size, self.interpolation, crop_to_aspect_ratio=self.crops,
                             pad_to_aspect_ratio=self.pads).numpy()
        return x.transpose(2, 0, 1) if self.channels_first else x


def _dataset(reader, paths, labels, batch_size, seed, names):
    """The data set over these files; mixed in each pass where there is a seed."""
    from cnncore.tensor import Tensor

    passes, step = itertools.count(), batch_size or 1

    def make():
        order, number = np.arange(len(paths)), next(passes)
        if seed is not None:
            order = np.random.Generator(np.random.Philox(key=np.array([seed, number], "uint64"))).permutation(len(paths))
        batches = [order[i:i + step] for i in range(0, len(order), step)]
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            def start(rows):
                return rows, [pool.submit(reader.decode, paths[i]) for i in rows]

            ahead = start(batches[0])
            for following in [*batches[1:], None]:
                (rows, decoding), ahead = ahead, None if following is None else start(following)
                images = np.stack([reader.resize(one.result()) for one in decoding])
                parts = (images,) if labels is None else (images, labels[rows])
                if batch_size is None:
                    parts = tuple(part[0] for part in parts)
                tensors = tuple(Tensor(part) for part in parts)
                yield tensors if labels is not None else tensors[0]

    dataset = SizedDataset(make, -(-len(paths) // step), names)
    dataset.file_paths = paths
    return dataset
