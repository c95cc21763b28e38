"""ShuffleNet (Zhang et al. 2017), its first version."""
from functools import partial

from cnncore.applications.architecture import Architecture, documented
from cnncore.applications.imagenet_utils import decode_predictions, preprocessing
from cnncore.layers import (
    Activation,
    Add,
    AveragePooling2D,
    BatchNormalization,
    ChannelShuffle,
    Concatenate,
    Conv2D,
    DepthwiseConv2D,
    MaxPooling2D,
)

__all__ = ["ShuffleNet", "decode_predictions", "preprocess_input"]

_CHANNELS = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}  # groups: channels of the first stage, which each stage doubles
_DEPTHS = (4, 8, 4)


def _conv(x, filters, groups, name):
    x = Conv2D(filters, 1, groups=groups, use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv")(x)
    return BatchNormalization(name=f"{name}_bn")(x)


def _body(x, groups, scale):
    x = Conv2D(int(24 * scale), 3, strides=2, padding="same", use_bias=False, kernel_initializer="he_normal",
               name="conv1_conv")(x)
    x = Activation("relu", name="conv1_relu")(BatchNormalization(name="conv1_bn")(x))
    x = MaxPooling2D(3, strides=2, padding="same", name="pool1")(x)
    for stage, depth in enumerate(_DEPTHS):
        for unit in range(1, depth + 1):
            # The first convolution of all has too few channels for groups.
            x = _unit(x, int((_CHANNELS[groups] << stage) * scale), groups, stage + unit > 1, unit == 1,
                      f"stage{stage + 2}_unit{unit}")
    return x


def _unit(x, filters, groups, grouped, halves, name):
    """Two 1x1 convolutions in groups, with a shuffle and a 3x3 convolution of each channel between them; beside a
    shortcut to which they are added, or, where the image is halved, joined."""
    y = _conv(x, filters // 4, groups if grouped else 1, f"{name}_1")
    y = Activation("relu", name=f"{name}_1_relu")(y)
    y = ChannelShuffle(groups, name=f"{name}_shuffle")(y)
    y = DepthwiseConv2D(3, strides=2 if halves else 1, padding="same", use_bias=False, depthwise_initializer="he_normal",
                        name=f"{name}_2_dwconv")(y)
    y = BatchNormalization(name=f"{name}_2_bn")(y)
    if halves:
        y = _conv(y, filters - x.shape[-1], groups, f"{name}_3")
        x = AveragePooling2D(3, strides=2, padding="same", name=f"{name}_0_pool")(x)
        y = Concatenate(name=f"{name}_concat")([x, y])
    else:
        y = Add(name=f"{name}_add")([x, _conv(y, filters, groups, f"{name}_3")])
    return Activation("relu", name=f"{name}_out")(y)


def _divisible(groups, scale):
    """Whether all numbers of channels can be divided into groups."""
    first, given = int(_CHANNELS[groups] * scale), int(24 * scale)
    return 1 <= given < first and first % (4 * groups) == 0 and (first - given) % groups == 0


@documented(
    "ShuffleNet: 1x1 convolutions in groups of channels, which are shuffled so that the groups hear of each other.",
    "Zhang, Zhou, Lin & Sun, ShuffleNet: An Extremely Efficient Convolutional Neural Network for Mobile Devices, 2017 "
    "(arXiv:1707.01083).", ("ShuffleNet(groups=8).output_shape", "(None, 1000)"), weights=False,
    groups="of the 1x1 convolutions: 1, 2, 3, 4 or 8. More groups come with more channels, for the same work.",
    scale="factor for the number of channels of every layer, such as 0.25, 0.5 or 1.5.")
def ShuffleNet(include_top=True, weights=None, input_tensor=None, input_shape=None, pooling=None, classes=1000,
               classifier_activation="softmax", name=None, groups=3, scale=1.0):
    name = name or f"shufflenet_{scale:g}x_g{groups}"
    if groups not in _CHANNELS:
        raise ValueError(f"{name}: groups is 1, 2, 3, 4 or 8. Received: groups={groups!r}")
    if not _divisible(groups, scale):
        known = ", ".join(f"{s:g}" for s in (0.25, 0.5, 1, 1.5, 2) if _divisible(groups, s))
        raise ValueError(f"{name}: scale times {_CHANNELS[groups]} channels is a number that {4 * groups} divides, and one "
                         f"that {groups} divides after scale times 24 are taken away. Received: scale={scale!r} with "
                         f"groups={groups}; use {known}, say")
    network = Architecture(partial(_body, groups=groups, scale=scale), least=32)
    return network(include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name)


preprocess_input = preprocessing("torch")
