"""MobileNetV3Small and MobileNetV3Large (Howard et al. 2019)."""
from functools import partial

from cnncore.applications.architecture import Architecture, documented
from cnncore.applications.blocks import eights, padded_to_halve
from cnncore.applications.imagenet_utils import as_they_are as preprocess_input
from cnncore.applications.imagenet_utils import decode_predictions
from cnncore.applications.weights import BASE, Source
from cnncore.layers import (
    Activation,
    Add,
    BatchNormalization,
    Conv2D,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Multiply,
    ReLU,
    Rescaling,
)

__all__ = ["MobileNetV3Large", "MobileNetV3Small", "decode_predictions", "preprocess_input"]

# (expansion, filters, stride, 5x5 window, squeeze and excitation, hard swish) of each block
_SMALL = ((1, 16, 2, 0, 1, 0), (72 / 16, 24, 2, 0, 0, 0), (88 / 24, 24, 1, 0, 0, 0), (4, 40, 2, 1, 1, 1),
          *((6, 40, 1, 1, 1, 1),) * 2, *((3, 48, 1, 1, 1, 1),) * 2, (6, 96, 2, 1, 1, 1), *((6, 96, 1, 1, 1, 1),) * 2)
_LARGE = ((1, 16, 1, 0, 0, 0), (4, 24, 2, 0, 0, 0), (3, 24, 1, 0, 0, 0), (3, 40, 2, 1, 1, 0),
          *((3, 40, 1, 1, 1, 0),) * 2, (6, 80, 2, 0, 0, 1), (2.5, 80, 1, 0, 0, 1), *((2.3, 80, 1, 0, 0, 1),) * 2,
          *((6, 112, 1, 0, 1, 1),) * 2, (6, 160, 2, 1, 1, 1), *((6, 160, 1, 1, 1, 1),) * 2)
_HASHES = {  # MD5 with the top, without it
    "large_224_0.75": ("765b44a33ad4005b3ac83185abf1d0eb", "40af19a13ebea4e2ee0c676887f69a2e"),
    "large_224_1.0": ("59e551e166be033d707958cf9e29a6a7", "07fb09a5933dd0c8eaafa16978110389"),
    "large_minimalistic_224_1.0": ("675e7b876c45c57e9e63e6d90a36599c", "ec5221f64a2f6d1ef965a614bdae7973"),
    "small_224_0.75": ("cb65d4e5be93758266aa0a7f2c6708b7", "ebdb5cc8e0b497cd13a7c275d475c819"),
    "small_224_1.0": ("8768d4c2e7dee89b9d02b2d03d65d862", "d3e8ec802a04aa4fc771ee12a9a9b836"),
    "small_minimalistic_224_1.0": ("99cd97fb2fcdad2bf028eb838de69e37", "cde8136e733e811080d9fcd8a252f7e4"),
}


def _normalized(x, name):
    return BatchNormalization(momentum=0.999, name=f"{name}_bn")(x)


def _active(x, hard_swish):
    return Activation("hard_swish")(x) if hard_swish else ReLU()(x)


def _body(x, blocks, alpha, minimalistic, rescales):
    if rescales:
        x = Rescaling(1 / 127.5, -1.0)(x)
    x = Conv2D(16, 3, strides=2, padding="same", use_bias=False, name="conv")(x)
    x = _active(_normalized(x, "conv"), not minimalistic)
    for i, (expansion, filters, stride, *more) in enumerate(blocks):
        more = (False, False, False) if minimalistic else more
        x = _block(x, expansion, eights(filters * alpha), stride, *more, f"expanded_conv_{i}" if i else "expanded_conv")
    x = Conv2D(eights(6 * x.shape[-1]), 1, padding="same", use_bias=False, name="conv_1")(x)
    return _active(_normalized(x, "conv_1"), not minimalistic)


def _block(x, expansion, filters, stride, wide, excites, hard_swish, name):
    """Few channels to many, a convolution of each, perhaps a weight for each, and back to few."""
    shortcut, channels, kernel = x, x.shape[-1], 5 if wide else 3
    if name != "expanded_conv":
        x = Conv2D(eights(channels * expansion), 1, padding="same", use_bias=False, name=f"{name}_expand")(x)
        x = _active(_normalized(x, f"{name}_expand"), hard_swish)
    if stride == 2:
        x = padded_to_halve(x, kernel, f"{name}_depthwise_pad")
    x = DepthwiseConv2D(kernel, strides=stride, padding="same" if stride == 1 else "valid", use_bias=False,
                        name=f"{name}_depthwise")(x)
    x = _active(_normalized(x, f"{name}_depthwise"), hard_swish)
    if excites:
        x = _excited(x, f"{name}_squeeze_excite")
    x = Conv2D(filters, 1, padding="same", use_bias=False, name=f"{name}_project")(x)
    x = _normalized(x, f"{name}_project")
    return Add(name=f"{name}_add")([shortcut, x]) if stride == 1 and filters == channels else x


def _excited(x, name):
    """Each channel times a weight from 0 to 1 that depends on the means of all channels."""
    weight = GlobalAveragePooling2D(keepdims=True, name=f"{name}_avg_pool")(x)
    weight = Conv2D(eights(x.shape[-1] / 4), 1, padding="same", name=f"{name}_conv")(weight)
    weight = ReLU(name=f"{name}_relu")(weight)
    weight = Conv2D(x.shape[-1], 1, padding="same", name=f"{name}_conv_1")(weight)
    weight = ReLU(6.0)(weight + 3.0) * (1 / 6)
    return Multiply(name=f"{name}_mul")([x, weight])


def _top(x, classes, activation, filters, minimalistic, dropout_rate):
    x = GlobalAveragePooling2D(keepdims=True)(x)
    x = Conv2D(filters, 1, padding="same", name="conv_2")(x)
    x = _active(x, not minimalistic)
    if dropout_rate > 0:
        x = Dropout(dropout_rate)(x)
    x = Conv2D(classes, 1, padding="same", name="logits")(x)
    return Activation(activation, name="predictions")(Flatten()(x))


def _mobilenet(kind, blocks, filters, parameters):
    function = f"MobileNetV3{kind}"

    @documented(
        f"MobileNetV3, {kind.lower()}: found by search, with hard swish and weights for channels in some blocks.",
        "Howard, Sandler, Chu, Chen, Chen, Tan, Wang, Zhu, Pang, Vasudevan, Le & Adam, Searching for MobileNetV3, 2019 "
        "(arXiv:1905.02244).", (f"{function}(weights=None).count_params()", parameters), size=(None, None, 3),
        alpha="factor for the number of filters; ImageNet's weights have 0.75 or 1.",
        minimalistic="whether to do without 5x5 windows, hard swish and the channels' weights.",
        dropout_rate="the part of the features that is dropped before the classifier while training.",
        include_preprocessing="whether the network takes pixels from 0 to 255 and brings them to -1 to 1 itself.")
    def build(input_shape=None, alpha=1.0, minimalistic=False, include_top=True, weights="imagenet", input_tensor=None,
              classes=1000, pooling=None, dropout_rate=0.2, classifier_activation="softmax", include_preprocessing=True,
              name=function):
        variant = f"{kind.lower()}{'_minimalistic' if minimalistic else ''}_224_{float(alpha)}"
        if weights == "imagenet" and variant not in _HASHES:
            raise ValueError(f"{function}: weights='imagenet' have alpha=1.0, or alpha=0.75 and minimalistic=False. "
                             f"Received: alpha={alpha}, minimalistic={minimalistic}")
        source = Source(f"{BASE}mobilenet_v3/weights_mobilenet_v3_{variant}_float", (".h5", "_no_top_v2.h5"),
                        _HASHES.get(variant))
        network = Architecture(
            partial(_body, blocks=blocks, alpha=alpha, minimalistic=minimalistic, rescales=include_preprocessing),
            top=partial(_top, filters=eights(filters * alpha) if alpha > 1 else filters, minimalistic=minimalistic,
                        dropout_rate=dropout_rate), weights=source, any_size=True)
        return network(include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name)

    build.__name__ = build.__qualname__ = function
    return build


MobileNetV3Small = _mobilenet("Small", _SMALL, 1024, 2554968)
MobileNetV3Large = _mobilenet("Large", _LARGE, 1280, 5507432)
