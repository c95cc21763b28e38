"""AlexNet (Krizhevsky et al. 2012)."""
from cnncore.applications.architecture import Architecture
from cnncore.applications.imagenet_utils import decode_predictions, preprocessing
from cnncore.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D

__all__ = ["AlexNet", "decode_predictions", "preprocess_input"]


def _body(x):
    x = Conv2D(96, 11, strides=4, activation="relu", name="conv1")(x)
    x = MaxPooling2D(3, strides=2, name="pool1")(x)
    x = Conv2D(256, 5, padding="same", activation="relu", name="conv2")(x)
    x = MaxPooling2D(3, strides=2, name="pool2")(x)
    for i, filters in enumerate((384, 384, 256), 3):
        x = Conv2D(filters, 3, padding="same", activation="relu", name=f"conv{i}")(x)
    return MaxPooling2D(3, strides=2, name="pool5")(x)


def _top(x, classes, activation):
    x = Flatten(name="flatten")(x)
    for i in (6, 7):
        x = Dense(4096, activation="relu", name=f"fc{i}")(x)
        x = Dropout(0.5, name=f"drop{i}")(x)
    return Dense(classes, activation=activation, name="predictions")(x)


AlexNet = Architecture(_body, size=227, least=67, top=_top, poolings=(None, None)).constructor(
    "AlexNet", "alexnet", "AlexNet, with which deep networks won ImageNet.",
    "Krizhevsky, Sutskever & Hinton, ImageNet Classification with Deep Convolutional Neural Networks, 2012. The paper "
    "split it over two GPUs and normalized responses across neighbouring channels; here every filter sees all channels, "
    "and responses are left as they are: normalizing them did not help in later networks (arXiv:1409.1556, section 4.1).",
    ("AlexNet(include_top=False, input_shape=(67, 67, 3)).output_shape", "(None, 1, 1, 256)"))
preprocess_input = preprocessing("torch")
