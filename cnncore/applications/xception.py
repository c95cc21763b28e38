"""Xception (Chollet 2016)."""
from cnncore.applications.architecture import Architecture
from cnncore.applications.imagenet_utils import decode_predictions, preprocessing
from cnncore.layers import Activation, Add, BatchNormalization, Conv2D, MaxPooling2D, SeparableConv2D

__all__ = ["Xception", "decode_predictions", "preprocess_input"]


def _relu(x, name):
    return Activation("relu", name=f"{name}_act")(x)


def _separable(x, filters, name):
    x = SeparableConv2D(filters, 3, padding="same", use_bias=False, name=name)(x)
    return BatchNormalization(name=f"{name}_bn")(x)


def _halved(x, filters, name):
    """Two separable convolutions and max pooling beside a convolution with stride 2."""
    shortcut = Conv2D(filters[-1], 1, strides=2, padding="same", use_bias=False)(x)
    shortcut = BatchNormalization()(shortcut)
    for i, width in enumerate(filters, 1):
        if name != "block2":
            x = _relu(x, f"{name}_sepconv{i}")
        elif i == 2:  # what the second block is given has been through ReLU
            x = _relu(x, f"{name}_sepconv2")
        x = _separable(x, width, f"{name}_sepconv{i}")
    x = MaxPooling2D(3, strides=2, padding="same", name=f"{name}_pool")(x)
    return Add()([x, shortcut])


def _residual(x, name):
    """Three separable convolutions beside a shortcut."""
    shortcut = x
    for i in range(1, 4):
        x = _separable(_relu(x, f"{name}_sepconv{i}"), 728, f"{name}_sepconv{i}")
    return Add()([x, shortcut])


def _body(x):
    for i, (filters, stride) in enumerate(((32, 2), (64, 1)), 1):
        x = Conv2D(filters, 3, strides=stride, use_bias=False, name=f"block1_conv{i}")(x)
        x = _relu(BatchNormalization(name=f"block1_conv{i}_bn")(x), f"block1_conv{i}")
    for block, filters in enumerate((128, 256, 728), 2):
        x = _halved(x, (filters, filters), f"block{block}")
    for block in range(5, 13):
        x = _residual(x, f"block{block}")
    x = _halved(x, (728, 1024), "block13")
    for i, filters in enumerate((1536, 2048), 1):
        x = _relu(_separable(x, filters, f"block14_sepconv{i}"), f"block14_sepconv{i}")
    return x


Xception = Architecture(_body, size=299, least=71, poolings=(None, None), weights="xception").constructor(
    "Xception", "xception", "Xception: Inception taken to its end, where each channel has a branch of its own.",
    "Chollet, Xception: Deep Learning with Depthwise Separable Convolutions, 2016 (arXiv:1610.02357).",
    ("Xception(weights=None).count_params()", 22910480))
preprocess_input = preprocessing("tf")
