"""MNIST: 70,000 handwritten digits (LeCun, Cortes and Burges)."""
from cnncore.datasets import files, formats

IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_DOWNLOAD = {"mnist.npz": ("https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
                           "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1")}
_SHAPES = {"x_train": (None, 28, 28), "y_train": (None,), "x_test": (None, 28, 28), "y_test": (None,)}


def load_data(path="mnist.npz"):
    """Grey images of handwritten digits, 28 by 28 pixels from 0 to 255, and which digits they show.

    Looks for `path`, then for the idx files (also gzipped), in CNNCORE_HOME/datasets and in Keras's cache; then
    downloads.

    Args:
        path: name of the .npz file.

    Returns:
        (x_train, y_train), (x_test, y_test): uint8 arrays of shapes (60000, 28, 28), (60000,), (10000, 28, 28) and
        (10000,).

    Raises:
        OSError: the files are not there and cannot be downloaded.
        ValueError: a file is damaged.
    """
    name = files.file_name(path)
    found = files.find(name, "mnist/" + name)
    if found is None:
        idx = files.find_all(IDX, ("mnist", "MNIST/raw", ""))
        if idx is not None:
            return split_of_idx(idx)
        (found,) = files.download("MNIST", _DOWNLOAD)
    arrays = formats.read_npz(found, _SHAPES)
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])


def split_of_idx(paths):
    """((x_train, y_train), (x_test, y_test)) from the four idx files, in the order of IDX."""
    x_train, y_train, x_test, y_test = (formats.read_idx(path, 3 if "images" in path.name else 1) for path in paths)
    for x, y, path in ((x_train, y_train, paths[0]), (x_test, y_test, paths[2])):
        if len(x) != len(y):
            raise ValueError(f"{path} and its labels must be of one length. Received: {len(x)} images and {len(y)} "
                             "labels")
    return (x_train, y_train), (x_test, y_test)
