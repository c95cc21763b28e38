"""InceptionV3 (Szegedy et al. 2015)."""
from cnncore.applications.architecture import Architecture
from cnncore.applications.imagenet_utils import decode_predictions, preprocessing
from cnncore.layers import Activation, AveragePooling2D, BatchNormalization, Concatenate, Conv2D, MaxPooling2D

__all__ = ["InceptionV3", "decode_predictions", "preprocess_input"]


def _conv(x, filters, kernel, stride=1, padding="same"):
    x = Conv2D(filters, kernel, strides=stride, padding=padding, use_bias=False)(x)
    return Activation("relu")(BatchNormalization(scale=False)(x))


def _chain(x, *convolutions):
    """Convolutions in a row, each (filters, kernel); a third number is a stride, without padding."""
    for filters, kernel, *stride in convolutions:
        x = _conv(x, filters, kernel, stride[0], "valid") if stride else _conv(x, filters, kernel)
    return x


def _pooled(x, filters):
    """The mean over 3x3 pixels, then a 1x1 convolution."""
    return _conv(AveragePooling2D(3, strides=1, padding="same")(x), filters, 1)


def _halved(x, name, *branches):
    """Branches and max pooling, all with stride 2, side by side."""
    ends = [_chain(x, *branch) for branch in branches]
    return Concatenate(name=name)([*ends, MaxPooling2D(3, strides=2)(x)])


def _mixed_5(x, filters, name):
    ends = [_chain(x, (64, 1)), _chain(x, (48, 1), (64, 5)), _chain(x, (64, 1), (96, 3), (96, 3))]
    return Concatenate(name=name)([*ends, _pooled(x, filters)])


def _mixed_7(x, filters, name):
    """7x7 windows, as rows and columns."""
    row, column = (filters, (1, 7)), (filters, (7, 1))
    ends = [_chain(x, (192, 1)), _chain(x, (filters, 1), row, (192, (7, 1))),
            _chain(x, (filters, 1), column, row, column, (192, (1, 7)))]
    return Concatenate(name=name)([*ends, _pooled(x, 192)])


def _mixed_wide(x, names):
    """3x3 windows, as a row beside a column."""
    first = _conv(x, 320, 1)
    ends = []
    for name, convolutions in zip(names[:2], ([(384, 1)], [(448, 1), (384, 3)]), strict=True):
        end = _chain(x, *convolutions)
        ends.append(Concatenate(name=name)([_conv(end, 384, (1, 3)), _conv(end, 384, (3, 1))]))
    return Concatenate(name=names[-1])([first, *ends, _pooled(x, 192)])


def _body(x):
    x = _chain(x, (32, 3, 2), (32, 3, 1), (64, 3))
    x = MaxPooling2D(3, strides=2)(x)
    x = _chain(x, (80, 1, 1), (192, 3, 1))
    x = MaxPooling2D(3, strides=2)(x)
    for i, filters in enumerate((32, 64, 64)):
        x = _mixed_5(x, filters, f"mixed{i}")
    x = _halved(x, "mixed3", [(384, 3, 2)], [(64, 1), (96, 3), (96, 3, 2)])
    for i, filters in enumerate((128, 160, 160, 192), 4):
        x = _mixed_7(x, filters, f"mixed{i}")
    x = _halved(x, "mixed8", [(192, 1), (320, 3, 2)], [(192, 1), (192, (1, 7)), (192, (7, 1)), (192, 3, 2)])
    for i in range(2):
        x = _mixed_wide(x, (f"mixed9_{i}", None, f"mixed{9 + i}"))
    return x


InceptionV3 = Architecture(_body, size=299, least=75, poolings=(None, None), weights="inception_v3").constructor(
    "InceptionV3", "inception_v3", "Inception, version 3: in each block branches with windows of several sizes, joined.",
    "Szegedy, Vanhoucke, Ioffe, Shlens & Wojna, Rethinking the Inception Architecture for Computer Vision, 2015 "
    "(arXiv:1512.00567).",
    ("InceptionV3(weights=None, include_top=False).output_shape", "(None, None, None, 2048)"))
preprocess_input = preprocessing("tf")
