"""CIFAR-10: 60,000 small photographs (Krizhevsky 2009)."""
import numpy as np

from cnncore.datasets import files, formats

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_FOLDER = "cifar-10-batches-bin"
_NAMES = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")
_TAR = "cifar-10-binary.tar.gz"
_DOWNLOAD = {_TAR: ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd")}
_SHAPES = {"x_train": (None, 32, 32, 3), "y_train": (None, 1), "x_test": (None, 32, 32, 3), "y_test": (None, 1)}


def load_data():
    """Colour photographs of 32 by 32 pixels from 0 to 255, and which of ten things (CLASSES) they show.

    Looks for the binary distribution (the folder cifar-10-batches-bin or cifar-10-binary.tar.gz) or cifar10.npz in
    CNNCORE_HOME/datasets and in Keras's cache; then downloads. The Python distribution is not read: it is pickled, and
    a pickle can run any code.

    Returns:
        (x_train, y_train), (x_test, y_test): uint8 arrays of shapes (50000, 32, 32, 3), (50000, 1), (10000, 32, 32, 3)
        and (10000, 1).

    Raises:
        OSError: the files are not there and cannot be downloaded.
        ValueError: a file is damaged.
    """
    paths = files.find_all(_NAMES, (_FOLDER, ""), endings=("",))
    if paths is not None:
        return _split([path.read_bytes() for path in paths], paths)
    found = files.find("cifar10.npz")
    if found is not None:
        arrays = formats.read_npz(found, _SHAPES)
        return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])
    tar = files.find(_TAR) or files.download("CIFAR-10", _DOWNLOAD)[0]
    return _split(formats.read_tar(tar, [f"{_FOLDER}/{name}" for name in _NAMES]), [f"{name} in {tar}" for name in _NAMES])


def _split(contents, names):
    parts = [formats.cifar_records(data, name) for data, name in zip(contents, names)]
    x_train, y_train = (np.concatenate(arrays) for arrays in zip(*parts[:-1]))
    return (x_train, y_train), parts[-1]
