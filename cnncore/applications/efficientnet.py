"""EfficientNetB0 to EfficientNetB7 (Tan & Le 2019)."""
import math
from functools import partial

from cnncore.applications.architecture import Architecture
from cnncore.applications.blocks import eights, padded_to_halve
from cnncore.applications.imagenet_utils import as_they_are as preprocess_input
from cnncore.applications.imagenet_utils import decode_predictions
from cnncore.applications.weights import Source
from cnncore.initializers import VarianceScaling
from cnncore.layers import (
    Activation,
    Add,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    GlobalAveragePooling2D,
    Multiply,
    Normalization,
    Rescaling,
    Reshape,
)

__all__ = [*(f"EfficientNetB{i}" for i in range(8)), "decode_predictions", "preprocess_input"]

# (kernel, depth, filters, expansion, stride) of each stage
_STAGES = ((3, 1, 16, 1, 1), (3, 2, 24, 6, 2), (5, 2, 40, 6, 2), (3, 3, 80, 6, 2), (5, 3, 112, 6, 1), (5, 4, 192, 6, 2),
           (3, 1, 320, 6, 1))
_DEVIATIONS = (0.229, 0.224, 0.225)  # of ImageNet's channels
_DROPPED = 0.2  # the part of the last block's results that is dropped; earlier blocks drop less


def _conv(x, filters, name, **options):
    return Conv2D(filters, 1, padding="same", kernel_initializer=VarianceScaling(2.0, "fan_out"), name=name, **options)(x)


def _normalized(x, name, activation=None):
    x = BatchNormalization(name=name)(x)
    return Activation("swish", name=activation)(x) if activation else x


def _body(x, width, depth, divides):
    x = Rescaling(1 / 255)(x)
    x = Normalization(axis=3)(x)
    if divides:  # the published weights' networks divide by the roots of the deviations
        x = Rescaling([1 / math.sqrt(deviation) for deviation in _DEVIATIONS])(x)
    x = padded_to_halve(x, 3, "stem_conv_pad")
    x = Conv2D(eights(32 * width), 3, strides=2, use_bias=False, kernel_initializer=VarianceScaling(2.0, "fan_out"),
               name="stem_conv")(x)
    x = _normalized(x, "stem_bn", "stem_activation")
    depths = [math.ceil(depth * stage[1]) for stage in _STAGES]
    done = 0
    for stage, (kernel, _, filters, expansion, stride) in enumerate(_STAGES):
        for block in range(depths[stage]):
            x = _block(x, eights(filters * width), kernel, 1 if block else stride, expansion, _DROPPED * done / sum(depths),
                       f"block{stage + 1}{'abcdefghijklmnopqrstuvwxyz'[block]}_")
            done += 1
    x = _conv(x, eights(1280 * width), "top_conv", use_bias=False)
    return _normalized(x, "top_bn", "top_activation")


def _block(x, filters, kernel, stride, expansion, dropped, name):
    """Few channels to many, a convolution of each, a weight for each, and back to few, which join what was given."""
    shortcut, channels = x, x.shape[-1]
    if expansion > 1:
        x = _conv(x, expansion * channels, f"{name}expand_conv", use_bias=False)
        x = _normalized(x, f"{name}expand_bn", f"{name}expand_activation")
    if stride == 2:
        x = padded_to_halve(x, kernel, f"{name}dwconv_pad")
    x = DepthwiseConv2D(kernel, strides=stride, padding="same" if stride == 1 else "valid", use_bias=False,
                        depthwise_initializer=VarianceScaling(2.0, "fan_out"), name=f"{name}dwconv")(x)
    x = _normalized(x, f"{name}bn", f"{name}activation")
    x = _excited(x, max(1, channels // 4), name)
    x = _normalized(_conv(x, filters, f"{name}project_conv", use_bias=False), f"{name}project_bn")
    if stride > 1 or filters != channels:
        return x
    if dropped:  # whole results, each image by itself
        x = Dropout(dropped, noise_shape=(None, 1, 1, 1), name=f"{name}drop")(x)
    return Add(name=f"{name}add")([x, shortcut])


def _excited(x, squeezed, name):
    """Each channel times a weight from 0 to 1 that depends on the means of all channels."""
    weight = GlobalAveragePooling2D(name=f"{name}se_squeeze")(x)
    weight = Reshape((1, 1, x.shape[-1]), name=f"{name}se_reshape")(weight)
    weight = _conv(weight, squeezed, f"{name}se_reduce", activation="swish")
    weight = _conv(weight, x.shape[-1], f"{name}se_expand", activation="sigmoid")
    return Multiply(name=f"{name}se_excite")([x, weight])


def _top(x, classes, activation, dropout):
    x = GlobalAveragePooling2D(name="avg_pool")(x)
    x = Dropout(dropout, name="top_dropout")(x)
    return Dense(classes, activation=activation, name="predictions",
                 kernel_initializer=VarianceScaling(1 / 3, "fan_out", "uniform"))(x)


def _efficientnet(kind, width, depth, size, dropout, parameters, *hashes):
    name = f"efficientnet{kind.lower()}"
    body = partial(_body, width=width, depth=depth, divides=False)
    network = Architecture(
        body, size, top=partial(_top, dropout=dropout), published_body=partial(body, divides=True),
        weights=Source(f"https://storage.googleapis.com/keras-applications/{name}", hashes=hashes))
    return network.constructor(
        f"EfficientNet{kind}", name, "EfficientNet: depth, width and images' size grow together from B0 to B7.",
        "Tan & Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, 2019 (arXiv:1905.11946).",
        (f"EfficientNet{kind}(weights=None).count_params()", parameters))


EfficientNetB0 = _efficientnet("B0", 1.0, 1.0, 224, 0.2, 5330571,
                               "902e53a9f72be733fc0bcb005b3ebbac", "50bc09e76180e00e4465e1a485ddc09d")
EfficientNetB1 = _efficientnet("B1", 1.0, 1.1, 240, 0.2, 7856239,
                               "1d254153d4ab51201f1646940f018540", "74c4e6b3e1f6a1eea24c589628592432")
EfficientNetB2 = _efficientnet("B2", 1.1, 1.2, 260, 0.3, 9177569,
                               "b15cce36ff4dcbd00b6dd88e7857a6ad", "111f8e2ac8aa800a7a99e3239f7bfb39")
EfficientNetB3 = _efficientnet("B3", 1.2, 1.4, 300, 0.3, 12320535,
                               "ffd1fdc53d0ce67064dc6a9c7960ede0", "af6d107764bb5b1abb91932881670226")
EfficientNetB4 = _efficientnet("B4", 1.4, 1.8, 380, 0.4, 19466823,
                               "18c95ad55216b8f92d7e70b3a046e2fc", "ebc24e6d6c33eaebbd558eafbeedf1ba")
EfficientNetB5 = _efficientnet("B5", 1.6, 2.2, 456, 0.4, 30562527,
                               "ace28f2a6363774853a83a0b21b9421a", "38879255a25d3c92d5e44e04ae6cec6f")
EfficientNetB6 = _efficientnet("B6", 1.8, 2.6, 528, 0.5, 43265143,
                               "165f6e37dce68623721b423839de8be5", "9ecce42647a20130c1f39a5d4cb75743")
EfficientNetB7 = _efficientnet("B7", 2.0, 3.1, 600, 0.5, 66658687,
                               "8c03f828fec3ef71311cd463b6759d99", "cbcfe4450ddf6f3ad90b1b398090fe4a")
