"""DenseNet121, DenseNet169 and DenseNet201 (Huang et al. 2016)."""
from functools import partial

from cnncore.applications.architecture import Architecture
from cnncore.applications.imagenet_utils import decode_predictions, preprocessing
from cnncore.applications.resnet import normalized
from cnncore.layers import (
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    MaxPooling2D,
    ZeroPadding2D,
)

__all__ = ["DenseNet121", "DenseNet169", "DenseNet201", "decode_predictions", "preprocess_input"]

_GROWTH = 32  # channels that each block adds


def _body(x, depths):
    x = ZeroPadding2D(3)(x)
    x = Conv2D(64, 7, strides=2, use_bias=False, name="conv1_conv")(x)
    x = normalized(x, "conv1", "conv1_relu")
    x = ZeroPadding2D(1)(x)
    x = MaxPooling2D(3, strides=2, name="pool1")(x)
    for stage, depth in enumerate(depths, 2):
        if stage > 2:
            x = _transition(x, f"pool{stage - 1}")
        for block in range(1, depth + 1):
            x = _block(x, f"conv{stage}_block{block}")
    x = BatchNormalization(epsilon=1.001e-5, name="bn")(x)
    return Activation("relu", name="relu")(x)


def _block(x, name):
    """A 1x1 and a 3x3 convolution, whose result joins everything before it."""
    new = normalized(x, f"{name}_0", f"{name}_0_relu")
    new = Conv2D(4 * _GROWTH, 1, use_bias=False, name=f"{name}_1_conv")(new)
    new = normalized(new, f"{name}_1", f"{name}_1_relu")
    new = Conv2D(_GROWTH, 3, padding="same", use_bias=False, name=f"{name}_2_conv")(new)
    return Concatenate(name=f"{name}_concat")([x, new])


def _transition(x, name):
    """Half the channels, half the height and half the width."""
    x = normalized(x, name, f"{name}_relu")
    x = Conv2D(x.shape[-1] // 2, 1, use_bias=False, name=f"{name}_conv")(x)
    return AveragePooling2D(2, name=f"{name}_pool")(x)


def _densenet(layers, depths, channels):
    name = f"densenet{layers}"
    return Architecture(partial(_body, depths=depths), weights=name).constructor(
        f"DenseNet{layers}", name,
        f"A densely connected network of {layers} layers: each block sees what all before it made.",
        "Huang, Liu, van der Maaten & Weinberger, Densely Connected Convolutional Networks, 2016 (arXiv:1608.06993).",
        (f"DenseNet{layers}(weights=None, include_top=False).output_shape", f"(None, None, None, {channels})"))


DenseNet121 = _densenet(121, (6, 12, 24, 16), 1024)
DenseNet169 = _densenet(169, (6, 12, 32, 32), 1664)
DenseNet201 = _densenet(201, (6, 12, 48, 32), 1920)
preprocess_input = preprocessing("torch")
