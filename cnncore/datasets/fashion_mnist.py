"""Fashion-MNIST: 70,000 pictures of clothes (Xiao, Rasul and Vollgraf 2017)."""
from cnncore.datasets import files
from cnncore.datasets.mnist import IDX, split_of_idx

_ADDRESS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_DOWNLOAD = {
    "train-images-idx3-ubyte.gz": (_ADDRESS + "train-images-idx3-ubyte.gz",
                                   "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
    "train-labels-idx1-ubyte.gz": (_ADDRESS + "train-labels-idx1-ubyte.gz",
                                   "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
    "t10k-images-idx3-ubyte.gz": (_ADDRESS + "t10k-images-idx3-ubyte.gz",
                                  "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
    "t10k-labels-idx1-ubyte.gz": (_ADDRESS + "t10k-labels-idx1-ubyte.gz",
                                  "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
}
CLASSES = ("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")


def load_data():
    """Grey images of clothes, 28 by 28 pixels from 0 to 255, and which of ten kinds (CLASSES) they show.

    Looks for the idx files (also gzipped) in CNNCORE_HOME/datasets and in Keras's cache; then downloads.

    Returns:
        (x_train, y_train), (x_test, y_test): uint8 arrays of shapes (60000, 28, 28), (60000,), (10000, 28, 28) and
        (10000,).

    Raises:
        OSError: the files are not there and cannot be downloaded.
        ValueError: a file is damaged.
    """
    paths = files.find_all(IDX, ("fashion-mnist", "fashion_mnist", "FashionMNIST/raw"))
    return split_of_idx(paths or files.download("Fashion-MNIST", _DOWNLOAD, "fashion-mnist"))
