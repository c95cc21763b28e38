"""Convolutions of all kinds, and UpSampling, are Keras's."""
import numpy as np
import pytest
from beside_keras import check_gradients, check_the_same, values

import cnncore
from cnncore import layers

IMAGE, STEPS = (2, 9, 8, 6), (2, 11, 6)
FIRST = dict(data_format="channels_first")

CONVOLUTIONS = {
    "groups": (lambda k: k.layers.Conv2D(9, 3, groups=3, activation="relu"), IMAGE),
    "groups of strides": (lambda k: k.layers.Conv2D(4, 3, 2, "same", groups=2, use_bias=False), IMAGE),
    "groups as channels": (lambda k: k.layers.Conv2D(12, 3, groups=6, dilation_rate=2), IMAGE),
    "channels first": (lambda k: k.layers.Conv2D(5, 3, activation="relu", **FIRST), (2, 3, 9, 8)),
    "channels first softmax": (lambda k: k.layers.Conv2D(5, 3, activation="softmax", **FIRST), (2, 3, 9, 8)),
    "1D": (lambda k: k.layers.Conv1D(5, 3, activation="relu"), STEPS),
    "1D same": (lambda k: k.layers.Conv1D(5, 4, strides=2, padding="same"), STEPS),
    "1D causal": (lambda k: k.layers.Conv1D(5, 3, padding="causal", dilation_rate=2), STEPS),
    "1D groups first": (lambda k: k.layers.Conv1D(4, 3, groups=2, **FIRST), (2, 6, 11)),
    "depthwise": (lambda k: k.layers.DepthwiseConv2D(3), IMAGE),
    "depthwise relu": (lambda k: k.layers.DepthwiseConv2D((3, 2), 2, "same", 3, activation="relu"), IMAGE),
    "depthwise first": (lambda k: k.layers.DepthwiseConv2D(3, dilation_rate=2, use_bias=False, **FIRST), (2, 3, 9, 8)),
    "depthwise 1D": (lambda k: k.layers.DepthwiseConv1D(3, 2, "same", depth_multiplier=2), STEPS),
    "separable": (lambda k: k.layers.SeparableConv2D(5, 3, activation="relu"), IMAGE),
    "separable same": (lambda k: k.layers.SeparableConv2D(5, 3, 2, "same", depth_multiplier=2, use_bias=False), IMAGE),
    "separable first": (lambda k: k.layers.SeparableConv2D(5, 3, activation="tanh", **FIRST), (2, 3, 9, 8)),
    "separable 1D": (lambda k: k.layers.SeparableConv1D(5, 3, dilation_rate=2), STEPS),
    "transposed": (lambda k: k.layers.Conv2DTranspose(5, 3), IMAGE),
    "transposed same": (lambda k: k.layers.Conv2DTranspose(5, 3, 2, "same", activation="relu"), IMAGE),
    "transposed same even": (lambda k: k.layers.Conv2DTranspose(5, 4, 2, "same", use_bias=False), IMAGE),
    "transposed strides above the kernel": (lambda k: k.layers.Conv2DTranspose(5, 2, 3), IMAGE),
    "transposed ends": (lambda k: k.layers.Conv2DTranspose(5, 3, 2, "same", output_padding=1), IMAGE),
    "transposed ends valid": (lambda k: k.layers.Conv2DTranspose(5, 3, (3, 2), output_padding=(2, 0)), IMAGE),
    "transposed dilation": (lambda k: k.layers.Conv2DTranspose(5, 3, dilation_rate=2), IMAGE),
    "transposed wide": (lambda k: k.layers.Conv2DTranspose(16, 3, padding="same"), (2, 9, 8, 17)),
    "transposed first": (lambda k: k.layers.Conv2DTranspose(5, 3, 2, **FIRST), (2, 3, 9, 8)),
    "transposed 1D": (lambda k: k.layers.Conv1DTranspose(5, 3, 2, "same"), STEPS),
    "transposed 1D ends": (lambda k: k.layers.Conv1DTranspose(5, 5, 3, output_padding=1), STEPS),
    "up": (lambda k: k.layers.UpSampling2D(), IMAGE),
    "up by axes": (lambda k: k.layers.UpSampling2D((1, 3), **FIRST), IMAGE),
    "up bilinear": (lambda k: k.layers.UpSampling2D(2, interpolation="bilinear"), IMAGE),
    "up bilinear by 3": (lambda k: k.layers.UpSampling2D((3, 2), interpolation="bilinear"), IMAGE),
    "up bicubic": (lambda k: k.layers.UpSampling2D(2, interpolation="bicubic"), IMAGE),
    "up 1D": (lambda k: k.layers.UpSampling1D(3), STEPS),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions_are_those_of_keras(name):
    make, shape = CONVOLUTIONS[name]
    check_the_same(make, shape, unknown="first" not in name and "axes" not in name)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_gradients_of_convolutions_are_slopes(name):
    make, shape = CONVOLUTIONS[name]
    check_gradients(make, shape)


ERRORS = {
    "groups": (lambda: layers.Conv1D(4, 3, groups=3), ["Conv1D", "groups=3"]),
    "causal images": (lambda: layers.DepthwiseConv1D(3, padding="causal"), ["DepthwiseConv1D", "'causal'"]),
    "multiplier": (lambda: layers.DepthwiseConv2D(3, depth_multiplier=0), ["depth_multiplier", "0"]),
    "filters": (lambda: layers.SeparableConv2D(0, 3), ["SeparableConv2D", "filters"]),
    "both": (lambda: layers.Conv2DTranspose(3, 3, strides=2, dilation_rate=2), ["strides", "dilation_rate"]),
    "output padding": (lambda: layers.Conv2DTranspose(3, 3, output_padding=1), ["output_padding", "strides"]),
    "images": (lambda: layers.Conv1D(3, 3, name="c")(values(IMAGE)), ["'c'", "(batch, steps, channels)", "3 axes"]),
    "interpolation": (lambda: layers.UpSampling2D(interpolation="linear"), ["interpolation", "'linear'", "bilinear"]),
    "size": (lambda: layers.UpSampling1D(0), ["size", "0"]),
    "too short": (lambda: layers.Conv1D(3, 5, name="c")(values((1, 4, 2))), ["'c'", "length 4", "'same'"]),
    "channels of channels first": (lambda: layers.Conv2D(3, 3, name="c", data_format="channels_first")(
        cnncore.Input((None, 8, 8))), ["'c'", "channels", "axis 1"]),
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_cannot_be_is_explained(name):
    program, words = ERRORS[name]
    with pytest.raises(ValueError) as error:
        program()
    message = str(error.value)
    assert not [word for word in [*words, "Received"] if word not in message], message


@pytest.mark.parametrize("name", [n for n in CONVOLUTIONS if "up" not in n[:2]])
def test_a_built_convolution_takes_only_its_channels(name):
    make, shape = CONVOLUTIONS[name]
    layer = make(cnncore)
    layer(values(shape))
    axis = 1 if "first" in name else -1
    wrong = list(shape)
    wrong[axis] += 6
    with pytest.raises(ValueError, match=f"was built for inputs of {shape[axis]} channels"):
        layer(values(wrong))


def test_an_empty_batch_gives_an_empty_output():
    for name, (make, shape) in CONVOLUTIONS.items():
        y = make(cnncore)(np.zeros((0, *shape[1:]), "float32"))
        assert y.shape[0] == 0 and y.shape[1:] == make(cnncore)(values(shape)).shape[1:], name
