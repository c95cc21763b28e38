"""Layers explain what they cannot take: the layer, the rule, what came, and the fix."""
import numpy as np
import pytest

import cnncore
from cnncore import layers

rng = np.random.default_rng(5)


def values(shape):
    return rng.normal(size=shape).astype("float32")


IMAGE = (2, 7, 6, 4)
ERRORS = {
    "filters 0": (lambda: layers.Conv2D(0, 3), ["filters", "0"]),
    "filters -1": (lambda: layers.Conv2D(-1, 3), ["filters", "-1"]),
    "filters 1.5": (lambda: layers.Conv2D(1.5, 3), ["filters", "1.5"]),
    "kernel 0": (lambda: layers.Conv2D(3, 0), ["kernel_size", "0"]),
    "kernel of three": (lambda: layers.Conv2D(3, (3, 3, 3)), ["kernel_size", "(3, 3, 3)", "2"]),
    "kernel as text": (lambda: layers.Conv2D(3, "3x3"), ["kernel_size", "3x3"]),
    "strides 0": (lambda: layers.Conv2D(3, 3, strides=0), ["strides", "0"]),
    "strides and dilation": (lambda: layers.Conv2D(3, 3, strides=2, dilation_rate=2), ["strides", "dilation_rate"]),
    "padding": (lambda: layers.Conv2D(3, 3, padding="sam"), ["padding", "'sam'", "'same'", "'valid'"]),
    "padding of a number": (lambda: layers.Conv2D(3, 3, padding=1), ["padding", "1", "'same'"]),
    "causal": (lambda: layers.Conv2D(3, 3, padding="causal"), ["padding", "causal"]),
    "groups": (lambda: layers.Conv2D(4, 3, groups=3), ["filters=4", "groups=3", "multiple"]),
    "groups of channels": (lambda: layers.Conv2D(6, 3, groups=3, name="g")(values(IMAGE)), ["'g'", "4", "3 groups"]),
    "data format": (lambda: layers.Conv2D(4, 3, data_format="last"), ["data_format", "'last'"]),
    "activation": (lambda: layers.Dense(4, activation="rellu"), ["'rellu'", "did you mean 'relu'"]),
    "activation number": (lambda: layers.Dense(4, activation=3), ["activation", "3"]),
    "initializer": (lambda: layers.Dense(4, kernel_initializer="glorot"), ["'glorot'"]),
    "unknown argument": (lambda: layers.Conv2D(4, 3, stride=2), ["Conv2D", "stride"]),
    "units 0": (lambda: layers.Dense(0), ["units", "0"]),
    "units as text": (lambda: layers.Dense("10"), ["units", "'10'"]),
    "pool size 0": (lambda: layers.MaxPooling2D(0), ["pool_size", "0"]),
    "pool padding": (lambda: layers.MaxPooling2D(2, padding="full"), ["padding", "'full'"]),
    "rate": (lambda: layers.Dropout(1.5), ["rate", "1.5"]),
    "rate of None": (lambda: layers.Dropout(None), ["rate", "None"]),
    "momentum": (lambda: layers.BatchNormalization(momentum="high"), ["momentum", "'high'"]),
    "relu": (lambda: layers.ReLU(negative_slope=-1), ["negative_slope", "-1"]),
    "no shape": (lambda: layers.Input(), ["shape"]),
    "shape as number": (lambda: layers.Input(shape=784), ["shape", "784", "(784,)"]),
    "shape of text": (lambda: layers.Input(shape=("a",)), ["shape", "'a'"]),
    "negative shape": (lambda: layers.Input(shape=(-1, 3)), ["shape", "-1", "None"]),
    "shape twice": (lambda: layers.Input(shape=(3,), batch_shape=(None, 3)), ["shape", "batch_shape"]),
    "name with a slash": (lambda: layers.Dense(3, name="a/b"), ["name", "'a/b'"]),
    "name of a number": (lambda: layers.Dense(3, name=5), ["name", "5"]),
    "dtype": (lambda: layers.Dense(3, dtype="complex64"), ["dtype", "complex64"]),
    "rank": (lambda: layers.Conv2D(4, 3, name="first")(values((8, 8, 1))),
             ["'first'", "(8, 8, 1)", "(batch, height, width, channels)"]),
    "flat images": (lambda: layers.Conv2D(4, 3, name="first")(values((5, 784))), ["'first'", "(5, 784)"]),
    "kernel too large": (lambda: layers.Conv2D(4, 5, name="big")(values((1, 4, 4, 1))),
                         ["'big'", "(1, 4, 4, 1)", "'same'"]),
    "dilated kernel too large": (lambda: layers.Conv2D(4, 3, dilation_rate=2, name="big")(values((1, 4, 4, 1))),
                                 ["'big'", "'same'"]),
    "pool too large": (lambda: layers.MaxPooling2D(5, name="big")(values((1, 4, 4, 1))), ["'big'", "(1, 4, 4, 1)"]),
    "channels unknown": (lambda: layers.Conv2D(4, 3, name="c")(cnncore.Input((8, 8, None))), ["'c'", "channels"]),
    "features unknown": (lambda: layers.Dense(4, name="d")(cnncore.Input((None,))), ["'d'", "last axis"]),
    "dense of a vector": (lambda: layers.Dense(4, name="d")(values((5,))), ["'d'", "(5,)"]),
    "pool of a matrix": (lambda: layers.MaxPooling2D(name="p")(values((5, 4))), ["'p'", "(5, 4)"]),
    "global pool of a matrix": (lambda: layers.GlobalAveragePooling2D(name="p")(values((5, 4))), ["'p'", "(5, 4)"]),
    "reshape": (lambda: layers.Reshape((5,), name="r")(values((2, 4))), ["'r'", "(5,)", "4"]),
    "reshape twice unknown": (lambda: layers.Reshape((-1, -1)), ["target_shape", "-1"]),
    "axis": (lambda: layers.BatchNormalization(axis=4, name="n")(values(IMAGE)), ["'n'", "axis", "4"]),
    "a text": (lambda: layers.Dense(3, name="d")("hello"), ["'d'", "str"]),
    "nothing": (lambda: layers.Dense(3, name="d")(), ["'d'", "input"]),
    "a list of two": (lambda: layers.Dense(3, name="d")([values((2, 3)), values((2, 4))]), ["'d'"]),
    "ragged": (lambda: layers.Dense(3, name="d")([[1, 2], [3]]), ["'d'"]),
    "objects": (lambda: layers.Dense(3, name="d")(np.array([[None]])), ["object"]),
    "parameters of an unbuilt layer": (lambda: layers.Dense(3, name="d").count_params(), ["'d'", "built"]),
    "a layer of a layer": (lambda: layers.Dense(3, name="d")(layers.Flatten()), ["'d'", "Flatten"]),
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_a_layer_cannot_take_is_explained(name):
    program, words = ERRORS[name]
    with pytest.raises((ValueError, TypeError)) as error:
        program()
    message = str(error.value)
    assert not [word for word in words if word not in message], message
    assert "Received" in message, message


@pytest.mark.parametrize("make, first, second, words", [
    (lambda: layers.Conv2D(4, 3, name="c"), (1, 8, 8, 3), (1, 8, 8, 1), ["'c'", "3", "(1, 8, 8, 1)"]),
    (lambda: layers.Dense(4, name="d"), (2, 5), (2, 6), ["'d'", "5", "(2, 6)"]),
    (lambda: layers.BatchNormalization(name="b"), (2, 5), (2, 6), ["'b'", "5", "(2, 6)"]),
    (lambda: layers.BatchNormalization(name="b"), (2, 3, 3, 5), (2, 5), ["'b'", "(2, 5)"]),
])
def test_a_built_layer_takes_only_what_it_was_built_for(make, first, second, words):
    layer = make()
    layer(values(first))
    for x in (values(second), cnncore.Input(batch_shape=second)):
        with pytest.raises(ValueError) as error:
            layer(x)
        message = str(error.value)
        assert not [word for word in words if word not in message], message


def test_weights_are_set_all_or_none():
    layer = layers.Dense(3, name="d")
    layer.build((None, 4))
    before = layer.get_weights()
    for weights, words in (([np.zeros((4, 3))], ["2", "1"]), ([np.zeros((4, 3)), np.zeros(4)], ["(3,)", "(4,)", "bias"]),
                           ([np.zeros((4, 3)), np.array(["a"] * 3)], ["bias", "<U1"])):
        with pytest.raises((ValueError, TypeError)) as error:
            layer.set_weights(weights)
        assert not [word for word in (*words, "'d'") if word not in str(error.value)], str(error.value)
    for a, b in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    before[0][:] = 7  # copies: the layer's own values stay
    assert not (layer.get_weights()[0] == 7).all()
