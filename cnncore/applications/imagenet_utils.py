"""Images into what networks trained on ImageNet expect, and their predictions into words."""
import functools
import json
import os
from pathlib import Path

import numpy as np

from cnncore import ops
from cnncore.symbolic import KerasTensor
from cnncore.tensor import Tensor

_INDEX = ("imagenet_class_index.json", "https://storage.googleapis.com/download.tensorflow.org/data/"
          "imagenet_class_index.json", "c2c37ea517e94d9795004a39431a14cb")
OTHERWISE = " Or pass them, or the file's path, as class_index."  # where they cannot be had
# (factor, means, deviations) of pixels after the order of the channels was reversed, or not
_MODES = {
    "caffe": (1.0, (103.939, 116.779, 123.68), None),
    "tf": (127.5, (1.0, 1.0, 1.0), None),
    "torch": (255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
_DONE = {
    "caffe": "Channels go from RGB to BGR and ImageNet's mean of each is subtracted; nothing is scaled.",
    "tf": "Pixels from 0 to 255 become numbers from -1 to 1.",
    "torch": "Pixels from 0 to 255 become numbers from 0 to 1, then each channel is normalized by ImageNet's mean and "
             "standard deviation.",
}


def preprocess_input(x, data_format=None, mode="caffe"):
    """Images with pixels from 0 to 255 as a network's first layer expects them.

    Args:
        x: array or tensor of one image or a batch of them, RGB. It is left as it is.
        data_format: 'channels_last', by default, or 'channels_first'.
        mode: 'caffe' reverses the channels and subtracts ImageNet's means; 'tf' scales to -1 to 1; 'torch' scales to 0
            to 1, then normalizes by ImageNet's means and deviations.

    Returns:
        An array, or a tensor, of the same shape; float32 where x holds whole numbers.

    Raises:
        ValueError: the mode, the format or the shape is none of these.

    Example:
        >>> import numpy as np
        >>> preprocess_input(np.array([[[0, 255, 51]]]), mode="tf")
        array([[[-1. ,  1. , -0.6]]], dtype=float32)
    """
    if mode not in _MODES:
        raise ValueError(f"mode is 'caffe', 'tf' or 'torch'. Received: mode={mode!r}")
    if data_format not in (None, "channels_last", "channels_first"):
        raise ValueError(f"data_format is 'channels_last' or 'channels_first'. Received: data_format={data_format!r}")
    if not isinstance(x, (np.ndarray, Tensor, KerasTensor)):
        raise TypeError(f"Images are an array or a tensor. Received: {type(x).__name__}; use numpy.array(images)")
    axis = len(x.shape) - (1 if data_format != "channels_first" else 3)
    if len(x.shape) not in (3, 4) or mode != "tf" and x.shape[axis] != 3:
        raise ValueError("Images have 3 axes, or 4 with the batch, and three channels unless mode='tf'. Received: shape "
                         f"{tuple(x.shape)}")
    factor, means, deviations = _MODES[mode]
    if isinstance(x, np.ndarray):
        x = x if np.issubdtype(x.dtype, np.floating) else x.astype("float32")
    elif x.dtype != "float32":
        x = ops.cast(x, "float32")

    def along(numbers):
        numbers = numbers[:1] if mode == "tf" else numbers
        array = np.array(numbers, x.dtype).reshape(-1, *(1,) * (len(x.shape) - 1 - axis))
        return array if isinstance(x, np.ndarray) else ops.convert_to_tensor(array)

    if mode == "caffe":
        x = np.flip(x, axis) if isinstance(x, np.ndarray) else ops.flip(x, axis)
    else:
        x = x / factor
    x = x - along(means)
    return x if deviations is None else x / along(deviations)


def preprocessing(mode):
    """The function `preprocess_input` of networks that were trained with this mode."""
    def preprocess_input_of_mode(x, data_format=None):
        return preprocess_input(x, data_format, mode)

    preprocess_input_of_mode.__name__ = preprocess_input_of_mode.__qualname__ = "preprocess_input"
    preprocess_input_of_mode.__doc__ = f"""Images with pixels from 0 to 255 as these networks expect them.

    {_DONE[mode]}

    Args:
        x: array or tensor of one image or a batch of them, RGB. It is left as it is.
        data_format: 'channels_last', by default, or 'channels_first'.

    Returns:
        An array, or a tensor, of the same shape; float32 where x holds whole numbers.

    Raises:
        ValueError: the format or the shape does not fit.
    """
    return preprocess_input_of_mode


def as_they_are(x, data_format=None):
    """Images as they are: networks with this function take pixels from 0 to 255 and prepare them in their first layers.

    Args:
        x: array or tensor.
        data_format: ignored.

    Returns:
        The same array or tensor.
    """
    return x


as_they_are.__name__ = as_they_are.__qualname__ = "preprocess_input"


def decode_predictions(preds, top=5, class_index=None):
    """The most likely classes of each prediction, by name.

    Args:
        preds: array of shape (images, 1000), or (images, classes) with `class_index`.
        top: how many classes for each image.
        class_index: where the classes have other names: a dict or list from class numbers to (id, name), or the path
            of such a dict in JSON. By default ImageNet's imagenet_class_index.json, looked for in CNNCORE_HOME/models and
            ~/.keras/models, else downloaded.

    Returns:
        For each image a list of (id, name, score), the highest score first.

    Raises:
        ValueError: the shape is another, or the index is damaged.
        OSError: the index is not there and cannot be downloaded.

    Example:
        >>> import numpy as np
        >>> decode_predictions(np.array([[0.25, 0.75]]), top=1, class_index=[("n1", "cat"), ("n2", "dog")])[0][0][:2]
        ('n2', 'dog')
    """
    preds = preds.numpy() if isinstance(preds, Tensor) else np.asarray(preds)
    if preds.ndim != 2 or class_index is None and preds.shape[1] != 1000:
        raise ValueError("Predictions have the shape (images, 1000), or (images, classes) with class_index. Received: "
                         f"shape {preds.shape}; one image's need a first axis of length 1, preds[None]")
    names = class_index
    if names is None or isinstance(names, (str, os.PathLike)):
        path = _index_path() if names is None else names
        names = _read_index(str(path), os.stat(path).st_mtime_ns, os.path.getsize(path))
    if len(names) != preds.shape[1]:
        raise ValueError(f"class_index names every class. Received: {len(names)} names for {preds.shape[1]} classes")
    pairs = [_pair(names, i) for i in range(len(names))]
    best = [np.argsort(scores)[::-1][:top] for scores in preds]
    return [[(*pairs[i], scores[i]) for i in order] for order, scores in zip(best, preds, strict=True)]


def _pair(names, i):
    try:
        identity, name = names[i if isinstance(names, (list, tuple)) or i in names else str(i)]
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"class_index maps each number from 0 to {len(names) - 1} to (id, name). Received: none, or "
                         f"something else, for {i}") from None
    return identity, name


def _index_path():
    """Where ImageNet's classes lie; any file of that name will do, the download alone must be Keras's."""
    from cnncore.applications.weights import folders
    from cnncore.datasets.files import advice
    from cnncore.utils import get_file

    name, source, known = _INDEX
    found = next((folder / name for folder in folders() if (folder / name).is_file()), None)
    if found:
        return found
    try:
        return Path(get_file(name, source, cache_subdir="models", file_hash=known))
    except OSError as error:
        raise OSError(advice("The names of ImageNet's classes are", {name: source}, folders(), error)
                      + OTHERWISE) from None


@functools.lru_cache(maxsize=4)
def _read_index(path, changed, size):
    try:
        with open(path, encoding="utf-8") as file:
            index = json.load(file)
    except ValueError as error:
        raise ValueError(f"A class index is a dict in JSON. Received: {path}, which is damaged ({error}); delete it to "
                         "have it downloaded again") from error
    if not isinstance(index, (dict, list)):
        raise ValueError(f"A class index is a dict in JSON. Received: {path} with a {type(index).__name__}")
    return index
