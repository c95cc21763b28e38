"""Layers that merge several inputs, and layers that reshape, pad and crop, are Keras's."""
import numpy as np
import pytest
from beside_keras import arguments, check_gradients, check_the_same, keras, values

import cnncore
from cnncore import layers

IMAGE = (2, 7, 6, 4)
MERGING = ["Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract"]
SAME = [IMAGE, IMAGE]

MERGED = {
    "add": (lambda k: k.layers.Add(), [IMAGE] * 3),
    "add of one": (lambda k: k.layers.Add(), [IMAGE]),
    "add over pixels": (lambda k: k.layers.Add(), [IMAGE, (2, 1, 1, 4)]),
    "multiply of other axes": (lambda k: k.layers.Multiply(), [IMAGE, (2, 4)]),
    "multiply of other axes first": (lambda k: k.layers.Multiply(), [(2, 4), IMAGE, (2, 1, 1, 1)]),
    "subtract": (lambda k: k.layers.Subtract(), SAME),
    "average": (lambda k: k.layers.Average(), [IMAGE] * 3),
    "maximum": (lambda k: k.layers.Maximum(), [IMAGE] * 3),
    "minimum": (lambda k: k.layers.Minimum(), SAME),
    "concatenate": (lambda k: k.layers.Concatenate(), [IMAGE, (2, 7, 6, 1), IMAGE]),
    "concatenate rows": (lambda k: k.layers.Concatenate(axis=1), [IMAGE, (2, 3, 6, 4)]),
    "dot": (lambda k: k.layers.Dot(axes=1), [(5, 7), (5, 7)]),
    "dot normalized": (lambda k: k.layers.Dot(axes=-1, normalize=True), [(5, 7), (5, 7)]),
    "dot of matrices": (lambda k: k.layers.Dot(axes=(1, 2)), [(4, 3, 5), (4, 6, 3)]),
    "dot of a matrix": (lambda k: k.layers.Dot(axes=(2, 1), normalize=True), [(4, 3, 5), (4, 5)]),
    "dot of images": (lambda k: k.layers.Dot(axes=(3, 1)), [(2, 3, 2, 5), (2, 5, 4)]),
}


@pytest.mark.parametrize("name", MERGED)
def test_merging_is_that_of_keras(name):
    make, shapes = MERGED[name]
    check_the_same(make, shapes, unknown="dot" not in name and "concatenate" not in name)


@pytest.mark.parametrize("name", MERGED)
def test_gradients_of_merging_are_slopes(name):
    make, shapes = MERGED[name]
    check_gradients(make, shapes)


@pytest.mark.parametrize("name", MERGING)
def test_functions_are_their_layers(name):
    function, theirs = (getattr(k.layers, name.lower()) for k in (cnncore, keras))
    assert arguments(function) == arguments(theirs)
    assert arguments(getattr(layers, name)) == arguments(getattr(keras.layers, name))
    x = [values((3, 4)), values((3, 4))]
    np.testing.assert_allclose(function(x).numpy(), np.asarray(theirs(x)), rtol=1e-5, atol=1e-6)
    inputs = [cnncore.Input((4,)), cnncore.Input((4,))]
    y = function(inputs, name="merged")
    model = cnncore.Model(inputs, y)
    assert type(model.get_layer("merged")) is getattr(layers, name)
    np.testing.assert_allclose(model.predict(x, verbose=0), np.asarray(theirs(x)), rtol=1e-5, atol=1e-6)


ERRORS = {
    "one input": (lambda: layers.Add(name="a")(values(IMAGE)), ["'a'", "list"]),
    "one for two": (lambda: layers.Subtract(name="s")([values(IMAGE)]), ["'s'", "2"]),
    "three for two": (lambda: layers.Subtract(name="s")([values(IMAGE)] * 3), ["'s'", "exactly 2", "3"]),
    "shapes": (lambda: layers.Add(name="a")([values((2, 3)), values((2, 4))]), ["'a'", "(None, 4)", "(None, 3)"]),
    "batches": (lambda: layers.Add(name="a")([values((2, 3)), values((3, 3))]), ["'a'", "(3, 3)", "batch"]),
    "joined": (lambda: layers.Concatenate(name="c")([values((2, 3, 1)), values((2, 4, 1))]), ["'c'", "(None, 4, 1)"]),
    "joined axis": (lambda: layers.Concatenate(5, name="c")([values((2, 3)), values((2, 3))]), ["'c'", "axis=5"]),
    "dot axes": (lambda: layers.Dot((1, 2, 3)), ["axes", "(1, 2, 3)"]),
    "dot of the batch": (lambda: layers.Dot(0, name="d")([values((2, 3)), values((2, 3))]), ["'d'", "batch"]),
    "dot lengths": (lambda: layers.Dot(1, name="d")([values((2, 3)), values((2, 4))]), ["'d'", "(None, 4)"]),
    "dims": (lambda: layers.Permute((0, 1)), ["dims", "(0, 1)"]),
    "dims of others": (lambda: layers.Permute((2, 1), name="p")(values(IMAGE)), ["'p'", "(2, 7, 6, 4)"]),
    "repeat 1.5": (lambda: layers.RepeatVector(1.5), ["n=1.5"]),
    "repeat images": (lambda: layers.RepeatVector(2, name="r")(values(IMAGE)), ["'r'", "(2, 7, 6, 4)"]),
    "padding": (lambda: layers.ZeroPadding2D(-1), ["padding", "-1"]),
    "padding of three": (lambda: layers.ZeroPadding2D((1, 2, 3)), ["padding", "(1, 2, 3)"]),
    "all cropped": (lambda: layers.Cropping2D(3, name="c")(values(IMAGE)), ["'c'", "(2, 7, 6, 4)", "((3, 3), (3, 3))"]),
    "pooled": (lambda: layers.MaxPooling1D(9, name="m")(values((1, 4, 2))), ["'m'", "length 4"]),
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_cannot_be_is_explained(name):
    program, words = ERRORS[name]
    with pytest.raises((ValueError, TypeError)) as error:
        program()
    message = str(error.value)
    assert not [word for word in [*words, "Received"] if word not in message], message


# ---- reshaping, borders and pooling ------------------------------------------------------------------------------

MOVED = {
    "permute": (lambda k: k.layers.Permute((2, 3, 1)), IMAGE),
    "repeat": (lambda k: k.layers.RepeatVector(3), (5, 4)),
    "pad": (lambda k: k.layers.ZeroPadding2D(), IMAGE),
    "pad by axes": (lambda k: k.layers.ZeroPadding2D((1, 2)), IMAGE),
    "pad by sides": (lambda k: k.layers.ZeroPadding2D(((1, 0), (2, 3))), IMAGE),
    "pad channels first": (lambda k: k.layers.ZeroPadding2D(2, data_format="channels_first"), IMAGE),
    "pad 1D": (lambda k: k.layers.ZeroPadding1D((1, 2)), (2, 5, 3)),
    "pad 1D channels first": (lambda k: k.layers.ZeroPadding1D(2, data_format="channels_first"), (2, 5, 3)),
    "crop": (lambda k: k.layers.Cropping2D(1), IMAGE),
    "crop nothing": (lambda k: k.layers.Cropping2D(), IMAGE),
    "crop by sides": (lambda k: k.layers.Cropping2D(((1, 0), (2, 3))), IMAGE),
    "crop channels first": (lambda k: k.layers.Cropping2D((1, 1), data_format="channels_first"), (2, 3, 7, 6)),
    "crop 1D": (lambda k: k.layers.Cropping1D((1, 2)), (2, 5, 3)),
    "max 1D": (lambda k: k.layers.MaxPooling1D(), (2, 7, 3)),
    "max 1D same": (lambda k: k.layers.MaxPooling1D(3, 2, "same"), (2, 8, 3)),
    "average 1D": (lambda k: k.layers.AveragePooling1D(2, padding="same"), (2, 7, 3)),
    "average 1D channels first": (lambda k: k.layers.AveragePooling1D(3, 1, data_format="channels_first"), (2, 3, 7)),
    "max channels first": (lambda k: k.layers.MaxPooling2D((2, 3), data_format="channels_first"), (2, 3, 7, 6)),
    "global average 1D": (lambda k: k.layers.GlobalAveragePooling1D(), (2, 7, 3)),
    "global average 1D kept": (lambda k: k.layers.GlobalAveragePooling1D("channels_first", keepdims=True), (2, 7, 3)),
    "global max 1D": (lambda k: k.layers.GlobalMaxPooling1D(keepdims=True), (2, 7, 3)),
    "global max channels first": (lambda k: k.layers.GlobalMaxPooling2D("channels_first"), (2, 3, 7, 6)),
    "global average kept": (lambda k: k.layers.GlobalAveragePooling2D("channels_first", keepdims=True), (2, 3, 7, 6)),
}


@pytest.mark.parametrize("name", MOVED)
def test_layers_that_move_and_pool_are_those_of_keras(name):
    make, shape = MOVED[name]
    check_the_same(make, shape, unknown="first" not in name)


@pytest.mark.parametrize("name", MOVED)
def test_gradients_of_layers_that_move_and_pool_are_slopes(name):
    make, shape = MOVED[name]
    check_gradients(make, shape)


@pytest.mark.parametrize("name", [n for n in layers.__all__ if hasattr(keras.layers, n) and n not in ("Layer", "Input")])
def test_arguments_and_defaults_are_those_of_keras(name):
    assert arguments(getattr(layers, name)) == arguments(getattr(keras.layers, name))
    assert getattr(layers, name).__name__ == getattr(keras.layers, name).__name__


def test_a_mask_says_which_steps_are_averaged():
    x, mask = values((3, 4, 2)), np.array([[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1]], bool)
    for format, given in (("channels_last", x), ("channels_first", np.moveaxis(x, 2, 1))):
        ours, theirs = (k.layers.GlobalAveragePooling1D(format) for k in (cnncore, keras))
        np.testing.assert_allclose(ours(given, mask=mask).numpy(), np.asarray(theirs(given, mask=mask)), rtol=1e-5)


def test_whole_numbers_stay_whole_where_they_only_move():
    x = np.arange(24, dtype="uint8").reshape(1, 4, 6, 1)
    for layer in (layers.ZeroPadding2D(1), layers.Cropping2D(1), layers.Permute((2, 1, 3))):
        assert layer(x).dtype == "uint8"
