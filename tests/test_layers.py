"""Layers have Keras's arguments, defaults, names, weights and outputs, and explain what they cannot take."""
import inspect
import os

os.environ.setdefault("KERAS_BACKEND", "numpy")

import numpy as np
import pytest

import cnncore
from cnncore import executor, layers, ops
from cnncore.utils import clear_session

keras = pytest.importorskip("keras", exc_type=ImportError)
rng = np.random.default_rng(5)

# One way to make each layer, and a shape that it takes.
MAKE = {
    "Conv2D": lambda k: k.layers.Conv2D(5, 3),
    "MaxPooling2D": lambda k: k.layers.MaxPooling2D(),
    "AveragePooling2D": lambda k: k.layers.AveragePooling2D(2),
    "GlobalAveragePooling2D": lambda k: k.layers.GlobalAveragePooling2D(),
    "GlobalMaxPooling2D": lambda k: k.layers.GlobalMaxPooling2D(),
    "Dense": lambda k: k.layers.Dense(4),
    "Flatten": lambda k: k.layers.Flatten(),
    "Reshape": lambda k: k.layers.Reshape((-1, 2)),
    "Dropout": lambda k: k.layers.Dropout(0.25),
    "Activation": lambda k: k.layers.Activation("tanh"),
    "ReLU": lambda k: k.layers.ReLU(),
    "Softmax": lambda k: k.layers.Softmax(),
    "BatchNormalization": lambda k: k.layers.BatchNormalization(),
}
IMAGE = (2, 7, 6, 4)
# Arguments for what is not here yet, and for what only newer versions of Keras have.
LEFT_OUT = {"lora_rank", "lora_alpha", "quantization_config", "renorm", "renorm_clipping", "renorm_momentum",
            "synchronized", "sparse", "ragged", "optional", "input_tensor", "tensor"}


def values(shape):
    return rng.normal(size=shape).astype("float32")


def pair(make):
    """Our layer and Keras's, from fresh counters of names."""
    clear_session()
    keras.utils.clear_session()
    return make(cnncore), make(keras)


def with_the_same_weights(make, shape):
    ours, theirs = pair(make)
    ours.build(shape)
    theirs.build(shape)
    theirs.set_weights([np.abs(values(w.shape)) + 0.1 for w in theirs.get_weights()])
    ours.set_weights(theirs.get_weights())
    return ours, theirs


# ---- arguments, names, weights -----------------------------------------------------------------------------------

def arguments(function):
    return [(p.name, p.default) for p in inspect.signature(function).parameters.values()
            if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL) and p.name not in LEFT_OUT]


@pytest.mark.parametrize("name", [*MAKE, "InputLayer", "Input", "Layer", "MaxPool2D", "AvgPool2D", "GlobalAvgPool2D",
                                  "GlobalMaxPool2D"])
def test_arguments_and_defaults_are_those_of_keras(name):
    assert arguments(getattr(layers, name)) == arguments(getattr(keras.layers, name))


def test_add_weight_takes_keras_arguments():
    assert arguments(layers.Layer.add_weight) == arguments(keras.layers.Layer.add_weight)


@pytest.mark.parametrize("name", MAKE)
def test_names_weights_and_shapes_are_those_of_keras(name):
    ours, theirs = pair(MAKE[name])
    assert ours.name == theirs.name
    assert not ours.weights
    if name not in ("Conv2D", "Dense", "BatchNormalization"):
        with pytest.raises(ValueError, match="."):
            ours.set_weights([np.zeros(3)])
    for layer in (ours, theirs):
        layer.build(IMAGE)
    for what in ("weights", "trainable_weights", "non_trainable_weights", "trainable_variables"):
        assert [(w.name, tuple(w.shape)) for w in getattr(ours, what)] \
            == [(w.name, tuple(w.shape)) for w in getattr(theirs, what)], what
    assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]
    assert ours.count_params() == theirs.count_params()
    assert tuple(ours.compute_output_shape(IMAGE)) == tuple(theirs.compute_output_shape(IMAGE))
    assert tuple(ours.compute_output_shape((None, *IMAGE[1:]))) == tuple(theirs.compute_output_shape((None, *IMAGE[1:])))
    assert type(ours)(**{**ours.get_config(), "name": "other"}).name == "other"


def test_the_second_layer_of_a_class_gets_a_number():
    clear_session()
    names = [layers.Conv2D(1, 1).name, layers.Conv2D(1, 1).name, layers.MaxPooling2D().name, layers.ReLU().name,
             layers.BatchNormalization().name, layers.GlobalAveragePooling2D().name, layers.MaxPool2D().name]
    assert names == ["conv2d", "conv2d_1", "max_pooling2d", "re_lu", "batch_normalization",
                     "global_average_pooling2d", "max_pooling2d_1"]


def test_aliases_are_the_same_classes():
    assert layers.MaxPool2D is layers.MaxPooling2D and layers.AvgPool2D is layers.AveragePooling2D
    assert layers.GlobalAvgPool2D is layers.GlobalAveragePooling2D
    assert layers.GlobalMaxPool2D is layers.GlobalMaxPooling2D


@pytest.mark.parametrize("name", MAKE)
def test_a_layer_made_of_its_configuration_is_the_same(name):
    layer = MAKE[name](cnncore)
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config() and again.name == layer.name


# ---- outputs -----------------------------------------------------------------------------------------------------

OUTPUTS = {
    "conv": (lambda k: k.layers.Conv2D(5, 3), IMAGE),
    "conv same": (lambda k: k.layers.Conv2D(5, (3, 2), padding="same", strides=2, activation="relu"), IMAGE),
    "conv SAME": (lambda k: k.layers.Conv2D(5, 3, padding="SAME"), IMAGE),
    "conv dilated": (lambda k: k.layers.Conv2D(3, 2, dilation_rate=(2, 1), use_bias=False), IMAGE),
    "conv softmax": (lambda k: k.layers.Conv2D(3, 1, activation="softmax"), IMAGE),
    "max": (lambda k: k.layers.MaxPooling2D(), IMAGE),
    "max same": (lambda k: k.layers.MaxPooling2D(3, 2, "same"), IMAGE),
    "max of strides": (lambda k: k.layers.MaxPooling2D((2, 3), strides=(1, 2)), IMAGE),
    "average": (lambda k: k.layers.AveragePooling2D(2), IMAGE),
    "average same": (lambda k: k.layers.AveragePooling2D(3, strides=2, padding="same"), IMAGE),
    "global average": (lambda k: k.layers.GlobalAveragePooling2D(), IMAGE),
    "global average kept": (lambda k: k.layers.GlobalAveragePooling2D(keepdims=True), IMAGE),
    "global max": (lambda k: k.layers.GlobalMaxPooling2D(), IMAGE),
    "global max kept": (lambda k: k.layers.GlobalMaxPooling2D(keepdims=True), IMAGE),
    "dense": (lambda k: k.layers.Dense(3, "relu"), (5, 4)),
    "dense without bias": (lambda k: k.layers.Dense(3, use_bias=False, activation="sigmoid"), (5, 4)),
    "dense of rank 3": (lambda k: k.layers.Dense(3, activation="relu"), (5, 2, 4)),
    "dense of rank 4": (lambda k: k.layers.Dense(3), IMAGE),
    "dense softmax": (lambda k: k.layers.Dense(3, activation="softmax"), (5, 4)),
    "flatten": (lambda k: k.layers.Flatten(), IMAGE),
    "flatten flat": (lambda k: k.layers.Flatten(), (5, 4)),
    "flatten of numbers": (lambda k: k.layers.Flatten(), (5,)),
    "flatten channels first": (lambda k: k.layers.Flatten(data_format="channels_first"), IMAGE),
    "reshape": (lambda k: k.layers.Reshape((4, -1)), IMAGE),
    "reshape to one": (lambda k: k.layers.Reshape((4,)), (5, 2, 2)),
    "dropout": (lambda k: k.layers.Dropout(0.5), IMAGE),
    "activation": (lambda k: k.layers.Activation("elu"), IMAGE),
    "activation by function": (lambda k: k.layers.Activation(k.activations.silu), IMAGE),
    "relu": (lambda k: k.layers.ReLU(), IMAGE),
    "relu with all": (lambda k: k.layers.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.3), IMAGE),
    "relu 6": (lambda k: k.layers.ReLU(6), IMAGE),
    "relu with a threshold": (lambda k: k.layers.ReLU(threshold=0.5), IMAGE),
    "softmax": (lambda k: k.layers.Softmax(), IMAGE),
    "softmax of an axis": (lambda k: k.layers.Softmax(axis=1), IMAGE),
    "softmax of axes": (lambda k: k.layers.Softmax(axis=(1, 2)), IMAGE),
    "batch norm": (lambda k: k.layers.BatchNormalization(), IMAGE),
    "batch norm of features": (lambda k: k.layers.BatchNormalization(epsilon=0.1), (5, 4)),
    "batch norm of another axis": (lambda k: k.layers.BatchNormalization(axis=1), IMAGE),
    "batch norm bare": (lambda k: k.layers.BatchNormalization(center=False, scale=False), IMAGE),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs_are_those_of_keras(name):
    make, shape = OUTPUTS[name]
    ours, theirs = with_the_same_weights(make, shape)
    x = values(shape)
    y, expected = ours(x), np.asarray(theirs(x))
    assert isinstance(y, cnncore.Tensor) and y.shape == expected.shape and y.dtype == "float32"
    np.testing.assert_allclose(y.numpy(), expected, rtol=2e-5, atol=2e-6)
    for symbolic in ((None, *shape[1:]), shape, (None,) * (len(shape) - 1) + shape[-1:]):
        if "softmax" not in name and "another" not in name and "reshape" not in name and "flatten" not in name \
                or symbolic[1:] == shape[1:]:
            assert make(cnncore)(cnncore.Input(batch_shape=symbolic)).shape \
                == make(keras)(keras.Input(batch_shape=symbolic)).shape


@pytest.mark.parametrize("name", sorted(set(dir(cnncore.activations)) & set(dir(keras.activations))
                                        - {"get", "serialize", "deserialize"}))
def test_activations_are_those_of_keras(name):
    ours, theirs = getattr(cnncore.activations, name), getattr(keras.activations, name)
    if not inspect.isfunction(ours) or name.startswith("_"):
        pytest.skip("no activation")
    assert arguments(ours) == arguments(theirs)
    x = 2 * values((4, 9))
    np.testing.assert_allclose(ours(cnncore.Tensor(x)).numpy(), np.asarray(theirs(x)), rtol=2e-5, atol=2e-6)
    assert cnncore.activations.get(name)(cnncore.Tensor(x)).numpy().tolist() == ours(cnncore.Tensor(x)).numpy().tolist()
    assert cnncore.activations.serialize(ours) == keras.activations.serialize(theirs)


def test_batch_norm_trains_as_keras_does():
    ours, theirs = with_the_same_weights(lambda k: k.layers.BatchNormalization(momentum=0.7), IMAGE)
    x = values(IMAGE)
    for training in (True, False, True):
        np.testing.assert_allclose(ours(x, training=training).numpy(), np.asarray(theirs(x, training=training)),
                                   rtol=1e-4, atol=1e-5)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_batch_norm_that_is_not_trained_infers():
    layer = layers.BatchNormalization()
    x = values(IMAGE)
    layer(x)
    layer.trainable = False
    before = layer.get_weights()
    np.testing.assert_array_equal(layer(x, training=True).numpy(), layer(x).numpy())
    for a, b in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert [len(layer.trainable_weights), len(layer.non_trainable_weights)] == [0, 4]
    layer.trainable = True
    assert [len(layer.trainable_weights), len(layer.non_trainable_weights)] == [2, 2]


def test_dropout_drops_in_training_only_and_draws_anew():
    layer, x = layers.Dropout(0.4, seed=3), np.ones((100, 50), "float32")
    np.testing.assert_array_equal(layer(x).numpy(), x)
    first, second = layer(x, training=True).numpy(), layer(x, training=True).numpy()
    assert set(np.unique(first)) == {np.float32(0), np.float32(1) / np.float32(0.6)}
    assert (first == 0).mean() == pytest.approx(0.4, abs=0.03)
    assert (first != second).any()
    np.testing.assert_array_equal(layers.Dropout(0.4, seed=3)(x, training=True).numpy(), first)
    assert not layer.weights and layer.count_params() == 0
    assert (layers.Dropout(0.4)(x, training=True).numpy() != layers.Dropout(0.4)(x, training=True).numpy()).any()


def test_dropout_of_a_noise_shape_drops_whole_rows():
    x = np.ones((8, 50, 3), "float32")
    y = layers.Dropout(0.5, noise_shape=(None, 1, 3), seed=1)(x, training=True).numpy()
    assert (y == y[:, :1]).all() and 0 < (y == 0).mean() < 1


def test_a_seed_makes_dropout_repeatable():
    found = []
    for _ in range(2):
        cnncore.utils.set_random_seed(4)
        found.append(layers.Dropout(0.5)(np.ones((9, 9), "float32"), training=True).numpy())
    np.testing.assert_array_equal(*found)


def test_a_relu_is_fused_and_other_activations_follow():
    x = values((2, 8, 8, 3))
    for activation in ("relu", cnncore.activations.relu, "tanh", lambda t: ops.relu(t) * 2):
        fused, plain = layers.Conv2D(4, 3, activation=activation), layers.Conv2D(4, 3)
        fused(x), plain(x)
        plain.set_weights(fused.get_weights())
        function = cnncore.activations.get(activation)
        np.testing.assert_array_equal(fused(x).numpy(), function(plain(x)).numpy())
        y = fused(x)
        assert y.node.op.relu == (function is cnncore.activations.relu) if hasattr(y.node.op, "relu") else True
    assert layers.Dense(3, activation="relu")(values((2, 5))).node.op.relu


@pytest.mark.parametrize("name", ["conv same", "dense of rank 3", "batch norm", "batch norm of another axis", "activation",
                                  "flatten channels first", "max same", "average same", "softmax of axes"])
def test_gradients_reach_weights_and_inputs(name):
    make, shape = OUTPUTS[name]
    layer = make(cnncore)
    x = cnncore.Tensor(values(shape), requires_grad=True)
    y = layer(x, training=True)
    weight = values(y.shape)
    (y * weight).sum().backward()
    assert x.grad.shape == shape and np.isfinite(x.grad.numpy()).all()
    for variable in layer.trainable_weights:
        assert variable.grad is not None and variable.grad.shape == variable.shape
    direction, step = values(shape), 1e-3
    state = [w.numpy() for w in layer.weights]

    def loss(at):
        layer.set_weights(state) if state else None
        return float((layer(at.astype("float32"), training=True).numpy().astype("float64") * weight).sum())

    slope = (loss(x.numpy() + step * direction) - loss(x.numpy() - step * direction)) / (2 * step)
    assert (x.grad.numpy() * direction).sum() == pytest.approx(slope, rel=0.02, abs=0.1)


# ---- inputs ------------------------------------------------------------------------------------------------------

def test_numbers_of_many_kinds_are_taken_in():
    dense = layers.Dense(2)
    expected = dense(np.array([[1, 2, 3], [4, 5, 6]], "float32")).numpy()
    for x in ([[1, 2, 3], [4, 5, 6]], [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], np.array([[1, 2, 3], [4, 5, 6]]),
              np.array([[1, 2, 3], [4, 5, 6]], "uint8"), np.array([[1, 2, 3], [4, 5, 6]], "float64"),
              np.asfortranarray(np.array([[1, 2, 3], [4, 5, 6]], "float32")), cnncore.Tensor([[1, 2, 3], [4, 5, 6]])):
        np.testing.assert_array_equal(dense(x).numpy(), expected)


def test_an_empty_batch_gives_an_empty_output():
    x = np.zeros((0, 8, 8, 3), "float32")
    y = layers.Flatten()(layers.MaxPooling2D()(layers.Conv2D(4, 3, activation="relu")(x)))
    assert layers.Dense(3)(y).shape == (0, 3)


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
    "groups": (lambda: layers.Conv2D(4, 3, groups=2), ["groups", "2"]),
    "channels first": (lambda: layers.Conv2D(4, 3, data_format="channels_first"), ["channels_first", "channels_last"]),
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


# ---- layers of the user's own ------------------------------------------------------------------------------------

class Scale(layers.Layer):
    def __init__(self, by=2.0, **kwargs):
        super().__init__(**kwargs)
        self.by = by

    def build(self, input_shape):
        self.gain = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="gain")
        self.seen = self.add_weight(shape=(), initializer="zeros", trainable=False, name="seen", dtype="int32")

    def call(self, x):
        return x * self.gain * self.by


def test_a_layer_of_ones_own_needs_no_shape_rule():
    layer = Scale(3.0, name="mine")
    symbolic = layer(cnncore.Input((None, 4)))
    assert symbolic.shape == (None, None, 4) and layer.built
    x = values((2, 3, 4))
    np.testing.assert_allclose(layer(x).numpy(), 3 * x, rtol=1e-6)
    assert [w.path for w in layer.weights] == ["mine/gain", "mine/seen"]
    assert [w.dtype for w in layer.weights] == ["float32", "int32"]
    assert len(layer.trainable_weights) == len(layer.non_trainable_weights) == 1
    assert layer.compute_output_shape((None, 4)) == (None, 4)


def test_shapes_follow_the_lengths_that_are_unknown():
    class Odd(layers.Layer):
        def call(self, x):
            return ops.reshape(ops.transpose(x, (0, 2, 1)), (x.shape[0] * x.shape[2], x.shape[1])), x[:, :1], x[:2]

    a, b, c = Odd()(cnncore.Input((None, 5)))
    assert (a.shape, b.shape, c.shape) == ((None, None), (None, 1, 5), (2, None, 5))


def make_own(k):
    class Block(k.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.last = k.layers.Dense(2)
            self.many = [k.layers.Dense(3), k.layers.Dense(3)]
            self.named = {"z": k.layers.Dense(4), "a": [k.layers.BatchNormalization()]}

        def build(self, shape):
            self.own = self.add_weight(shape=(2,), name="own", initializer="ones")
            self.frozen = self.add_weight(shape=(2,), name="frozen", trainable=False, initializer="ones")
            self.built = True

        def call(self, x, training=None):
            for layer in (*self.many, self.named["z"], *self.named["a"]):
                x = layer(x)
            return self.last(x) * self.own + self.frozen

    return Block(name="block")


def test_layers_inside_are_found_in_attributes_lists_and_dicts():
    ours, theirs = pair(make_own)
    x = values((3, 5))
    ours(x), theirs(x)
    for what in ("weights", "trainable_weights", "non_trainable_weights"):
        assert [(w.name, tuple(w.shape)) for w in getattr(ours, what)] \
            == [(w.name, tuple(w.shape)) for w in getattr(theirs, what)]
    theirs.set_weights([np.abs(values(w.shape)) for w in theirs.get_weights()])
    ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(ours(x).numpy(), np.asarray(theirs(x)), rtol=1e-5, atol=1e-6)
    assert ours.count_params() == theirs.count_params()
    ours.trainable = theirs.trainable = False
    assert not ours.trainable_weights and not ours.many[0].trainable
    ours.trainable = True
    ours.many[0].trainable = False
    assert len(ours.trainable_weights) == 2 * 3 + 2 + 1
    ours.many.append(layers.Dense(2))
    ours.many[-1](x)
    assert len(ours.weights) == len(theirs.weights) + 2


def test_variables_set_as_attributes_are_weights():
    class Own(layers.Layer):
        def __init__(self):
            super().__init__()
            self.a = cnncore.Variable(np.ones(3), name="a")
            self.b = cnncore.Variable(np.ones(2), trainable=False, name="b")

        def call(self, x):
            return x * self.a

    layer = Own()
    assert [w.name for w in layer.weights] == ["a", "b"] and [w.name for w in layer.trainable_weights] == ["a"]
    layer.a = cnncore.Variable(np.zeros(3), name="a")
    assert len(layer.weights) == 2 and layer.weights[0].numpy().tolist() == [0, 0, 0]
    del layer.b
    assert len(layer.weights) == 1


def test_init_without_super_works_or_is_explained():
    class Late(layers.Layer):
        def __init__(self):
            self.dense = layers.Dense(2)
            super().__init__(name="late")

        def call(self, x):
            return self.dense(x)

    class Never(layers.Layer):
        def __init__(self):
            self.number = 3

        def call(self, x):
            return x

    try:
        layer = Late()
    except RuntimeError as error:
        assert "super().__init__()" in str(error)
    else:
        layer(values((2, 3)))
        assert len(layer.weights) == 2
    with pytest.raises(RuntimeError, match=r"Never.*super\(\)\.__init__\(\)"):
        Never()(values((2, 3)))


def test_training_is_what_the_caller_was_told():
    seen = []

    class Inner(layers.Layer):
        def call(self, x, training=None):
            seen.append(training)
            return x

    class Outer(layers.Layer):
        def __init__(self, say=None):
            super().__init__()
            self.inner, self.say = Inner(), say

        def call(self, x):
            return self.inner(x) if self.say is None else self.inner(x, training=self.say)

    x = values((1, 2))
    for layer, told in ((Outer(), {}), (Outer(), {"training": True}), (Outer(False), {"training": True}),
                        (Outer(True), {}), (Inner(), {"training": False})):
        layer(x, **told)
    assert [bool(told) for told in seen] == [False, True, False, True, False]
    Inner()(x)
    assert not seen[-1]


def test_losses_that_layers_add_are_those_of_the_last_call():
    class Activity(layers.Layer):
        def call(self, x):
            self.add_loss(ops.sum(x) * 0.5)
            return x

    class Outer(layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = Activity()

        def call(self, x):
            return self.inner(self.inner(x))

    layer = Outer()
    for _ in range(2):
        layer(np.ones((2, 3), "float32"))
    assert [float(loss) for loss in layer.losses] == [3.0, 3.0]


def test_regularizers_of_weights_and_outputs_are_losses():
    def half(x):
        return ops.sum(ops.square(x)) * 0.5

    dense = layers.Dense(2, kernel_regularizer=half, activity_regularizer=half)
    y = dense(np.ones((4, 3), "float32")).numpy()
    kernel = dense.get_weights()[0]
    assert sorted(float(loss) for loss in dense.losses) == pytest.approx(
        sorted([0.5 * (kernel ** 2).sum(), 0.5 * (y ** 2).sum() / 4]), rel=1e-5)
    assert dense.kernel.regularizer is half
    dense.trainable = False
    dense(np.ones((4, 3), "float32"))
    assert len(dense.losses) == 1


def test_a_shape_pass_makes_weights_but_no_values():
    layer = layers.Dense(3)
    with executor.use(executor.Shapes()):
        y = layer(cnncore.Tensor(np.ones((2, 4), "float32")))
        assert y.buffer.is_promise
    assert np.abs(layer.get_weights()[0]).sum() > 0


def test_weights_wait_for_the_first_data():
    layer = layers.Conv2D(4, 3)
    assert not layer.built and not layer.weights
    layer(values((1, 5, 5, 2)))
    assert layer.built and layer.kernel.shape == (3, 3, 2, 4) and layer.bias.shape == (4,)
    kernel = layer.kernel
    layer(values((1, 5, 5, 2)))
    assert layer.kernel is kernel
