"""MobileNet (Howard et al. 2017)."""
import warnings
from functools import partial

from cnncore.applications.architecture import Architecture, documented
from cnncore.applications.imagenet_utils import decode_predictions, preprocessing
from cnncore.applications.weights import BASE, Source
from cnncore.layers import (
    Activation,
    BatchNormalization,
    Conv2D,
    DepthwiseConv2D,
    Dropout,
    GlobalAveragePooling2D,
    ReLU,
    Reshape,
    ZeroPadding2D,
)

__all__ = ["MobileNet", "decode_predictions", "preprocess_input"]

_BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
_SIZES = (128, 160, 192, 224)  # of images, that weights are published for
ALPHAS = {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}


def _normalized(x, name):
    x = BatchNormalization(name=f"{name}_bn")(x)
    return ReLU(6.0, name=f"{name}_relu")(x)


def _body(x, alpha, depth_multiplier):
    x = Conv2D(int(32 * alpha), 3, strides=2, padding="same", use_bias=False, name="conv1")(x)
    x = _normalized(x, "conv1")
    for i, (filters, stride) in enumerate(_BLOCKS, 1):
        x = _block(x, int(filters * alpha), stride, depth_multiplier, i)
    return x


def _block(x, filters, stride, depth_multiplier, i):
    """A 3x3 convolution of each channel, then a mixture of the channels."""
    if stride == 2:
        x = ZeroPadding2D(((0, 1), (0, 1)), name=f"conv_pad_{i}")(x)
    x = DepthwiseConv2D(3, strides=stride, padding="same" if stride == 1 else "valid", use_bias=False,
                        depth_multiplier=depth_multiplier, name=f"conv_dw_{i}")(x)
    x = _normalized(x, f"conv_dw_{i}")
    x = Conv2D(filters, 1, padding="same", use_bias=False, name=f"conv_pw_{i}")(x)
    return _normalized(x, f"conv_pw_{i}")


def _top(x, classes, activation, dropout):
    x = GlobalAveragePooling2D(keepdims=True)(x)
    x = Dropout(dropout, name="dropout")(x)
    x = Conv2D(classes, 1, padding="same", name="conv_preds")(x)
    x = Reshape((classes,), name="reshape_2")(x)
    return Activation(activation, name="predictions")(x)


def sizes_of(input_shape, published, include_top, weights):
    """(the size whose weights fit, the height that the model's name tells) for a shape of images, which may be None."""
    shape = tuple(input_shape or ())
    size = shape[0] if len(shape) == 3 and shape[0] == shape[1] and shape[0] in published else 224
    if weights != "imagenet":
        return size, shape[0] if shape else size if include_top else None
    if shape and shape[:2] != (size, size):
        warnings.warn(f"Weights for ImageNet are published for images of {', '.join(map(str, published))} pixels each way. "
                      f"Received: input_shape={input_shape!r}; those for 224 are loaded", stacklevel=3)
    return size, size


@documented(
    "MobileNet: convolutions of single channels, each followed by a mixture of the channels.",
    "Howard, Zhu, Chen, Kalenichenko, Wang, Weyand, Andreetto & Adam, MobileNets: Efficient Convolutional Neural Networks "
    "for Mobile Vision Applications, 2017 (arXiv:1704.04861).", ("MobileNet(weights=None).count_params()", 4253864),
    alpha="factor for the number of filters of every layer; ImageNet's weights have 0.25, 0.5, 0.75 or 1.",
    depth_multiplier="filters of each channel in the convolutions of single channels.",
    dropout="the part of the features that is dropped before the classifier while training.")
def MobileNet(input_shape=None, alpha=1.0, depth_multiplier=1, dropout=1e-3, include_top=True, weights="imagenet",
              input_tensor=None, pooling=None, classes=1000, classifier_activation="softmax", name=None):
    if weights == "imagenet" and (alpha not in ALPHAS or depth_multiplier != 1):
        raise ValueError("MobileNet: weights='imagenet' have an alpha of 0.25, 0.5, 0.75 or 1 and depth_multiplier=1. "
                         f"Received: alpha={alpha}, depth_multiplier={depth_multiplier}")
    size, rows = sizes_of(input_shape, _SIZES, include_top, weights)
    source = Source(f"{BASE}mobilenet/mobilenet_{ALPHAS.get(alpha)}_{size}_tf", (".h5", "_no_top.h5"))
    network = Architecture(partial(_body, alpha=alpha, depth_multiplier=depth_multiplier), size,
                           top=partial(_top, dropout=dropout), poolings=(None, None), weights=source)
    return network(include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation,
                   name or f"mobilenet_{alpha:0.2f}_{rows}")


preprocess_input = preprocessing("tf")
