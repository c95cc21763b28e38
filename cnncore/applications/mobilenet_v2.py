"""MobileNetV2 (Sandler et al. 2018)."""
from functools import partial

from cnncore.applications.architecture import Architecture, documented
from cnncore.applications.blocks import eights, padded_to_halve
from cnncore.applications.imagenet_utils import decode_predictions, preprocessing
from cnncore.applications.mobilenet import sizes_of
from cnncore.applications.weights import BASE, Source
from cnncore.layers import Add, BatchNormalization, Conv2D, Dense, DepthwiseConv2D, GlobalAveragePooling2D, ReLU

__all__ = ["MobileNetV2", "decode_predictions", "preprocess_input"]

# filters, how often, and the stride of the first
_STAGES = ((16, 1, 1), (24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1))
_SIZES = (96, 128, 160, 192, 224)  # of images, that weights are published for
_ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)


def _normalized(x, name, activation=None):
    x = BatchNormalization(momentum=0.999, name=name)(x)
    return ReLU(6.0, name=activation)(x) if activation else x


def _body(x, alpha):
    x = Conv2D(eights(32 * alpha), 3, strides=2, padding="same", use_bias=False, name="Conv1")(x)
    x = _normalized(x, "bn_Conv1", "Conv1_relu")
    i = 0
    for filters, depth, stride in _STAGES:
        for block in range(depth):
            x = _block(x, eights(int(filters * alpha)), 1 if block else stride, f"block_{i}" if i else "expanded_conv")
            i += 1
    x = Conv2D(eights(1280 * max(alpha, 1.0)), 1, use_bias=False, name="Conv_1")(x)
    return _normalized(x, "Conv_1_bn", "out_relu")


def _block(x, filters, stride, name):
    """Few channels to many, a 3x3 convolution of each, and back to few, which join what the block was given."""
    shortcut, channels = x, x.shape[-1]
    if name != "expanded_conv":  # the first block has as many channels as it was given
        x = Conv2D(6 * channels, 1, padding="same", use_bias=False, name=f"{name}_expand")(x)
        x = _normalized(x, f"{name}_expand_BN", f"{name}_expand_relu")
    if stride == 2:
        x = padded_to_halve(x, 3, f"{name}_pad")
    x = DepthwiseConv2D(3, strides=stride, padding="same" if stride == 1 else "valid", use_bias=False,
                        name=f"{name}_depthwise")(x)
    x = _normalized(x, f"{name}_depthwise_BN", f"{name}_depthwise_relu")
    x = Conv2D(filters, 1, padding="same", use_bias=False, name=f"{name}_project")(x)
    x = _normalized(x, f"{name}_project_BN")
    return Add(name=f"{name}_add")([shortcut, x]) if stride == 1 and filters == channels else x


def _top(x, classes, activation):
    return Dense(classes, activation=activation, name="predictions")(GlobalAveragePooling2D()(x))


@documented(
    "MobileNetV2: blocks that widen, convolve single channels, and narrow again without a nonlinearity.",
    "Sandler, Howard, Zhu, Zhmoginov & Chen, MobileNetV2: Inverted Residuals and Linear Bottlenecks, 2018 "
    "(arXiv:1801.04381).", ("MobileNetV2(weights=None).count_params()", 3538984),
    alpha="factor for the number of filters; ImageNet's weights have 0.35, 0.5, 0.75, 1, 1.3 or 1.4.")
def MobileNetV2(input_shape=None, alpha=1.0, include_top=True, weights="imagenet", input_tensor=None, pooling=None,
                classes=1000, classifier_activation="softmax", name=None):
    if weights == "imagenet" and alpha not in _ALPHAS:
        raise ValueError("MobileNetV2: weights='imagenet' have an alpha of 0.35, 0.5, 0.75, 1, 1.3 or 1.4. Received: "
                         f"alpha={alpha}")
    size, rows = sizes_of(input_shape, _SIZES, include_top, weights)
    source = Source(f"{BASE}mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{float(alpha)}_{size}",
                    (".h5", "_no_top.h5"))
    network = Architecture(partial(_body, alpha=alpha), size, top=_top, poolings=(None, None), weights=source)
    return network(include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation,
                   name or f"mobilenetv2_{alpha:0.2f}_{rows}")


preprocess_input = preprocessing("tf")
