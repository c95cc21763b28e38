"""Layers have Keras's arguments, defaults, names, weights and outputs."""
import threading

import numpy as np
import pytest
from beside_keras import arguments, keras, pair, values, with_the_same_weights

import cnncore
from cnncore import layers, ops
from cnncore.utils import clear_session

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


# ---- arguments, names, weights -----------------------------------------------------------------------------------

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


def test_names_are_unique_where_threads_make_layers():
    clear_session()
    names = []

    def make():
        names.extend(layers.Dense(1).name for _ in range(200))

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == len(names)


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
    np.testing.assert_allclose(y.numpy(), expected, rtol=2e-5, atol=2e-6 * max(1, abs(expected).max()))
    for symbolic in ((None, *shape[1:]), shape, (None,) * (len(shape) - 1) + shape[-1:]):
        if "softmax" not in name and "another" not in name and "reshape" not in name and "flatten" not in name \
                or symbolic[1:] == shape[1:]:
            assert make(cnncore)(cnncore.Input(batch_shape=symbolic)).shape \
                == make(keras)(keras.Input(batch_shape=symbolic)).shape


@pytest.mark.parametrize("name", sorted(set(cnncore.activations.__all__)
                                        - {"get", "serialize", "deserialize", "sparsemax"}))
def test_activations_are_those_of_keras(name):
    ours, theirs = getattr(cnncore.activations, name), getattr(keras.activations, name)
    assert arguments(ours) == arguments(theirs)
    x = 2 * values((4, 10))
    more = (0.3, -1.0) if name == "threshold" else ()
    y = ours(cnncore.Tensor(x), *more).numpy()
    np.testing.assert_allclose(y, np.asarray(theirs(x, *more)), rtol=2e-5, atol=2e-6)
    assert cnncore.activations.get(name)(cnncore.Tensor(x), *more).numpy().tolist() == y.tolist()
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


@pytest.mark.parametrize("make", [
    lambda **options: layers.Dense(3, **options), lambda **options: layers.Conv2D(3, 2, **options),
    lambda **options: layers.DepthwiseConv2D(2, **options), lambda **options: layers.SeparableConv2D(3, 2, **options),
    lambda **options: layers.Conv2DTranspose(3, 2, **options)])
def test_an_activation_can_be_taken_off(make):
    """Class activation maps are made of models whose last softmax is cut: model.layers[-1].activation = None."""
    x, layer, plain = values((2, 5, 5, 3)), make(activation="softmax"), make()
    layer(x), plain(x)
    plain.set_weights(layer.get_weights())
    layer.activation = None
    np.testing.assert_array_equal(layer(x).numpy(), plain(x).numpy())
    assert layer.from_config(layer.get_config()).activation is cnncore.activations.linear


@pytest.mark.parametrize("name", ["conv same", "dense of rank 3", "batch norm", "batch norm of another axis", "activation",
                                  "flatten channels first", "max same", "average same", "softmax of axes"])
def test_gradients_reach_weights_and_inputs(name):
    make, shape = OUTPUTS[name]
    layer, values = make(cnncore), np.random.default_rng(5).standard_normal
    x = cnncore.Tensor(values(shape), dtype="float32", requires_grad=True)
    y = layer(x, training=True)
    weight = values(y.shape).astype("float32")
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


def test_tensors_are_printed_as_their_values():
    seen = []

    class Looks(layers.Layer):
        def call(self, x):
            seen.append(str(x))
            return x

    x = ops.convert_to_tensor(np.float32([[0.5, 2]]))
    assert (f"{x}", str(x), str(x[0, 0]), str(np.max(x) > 1)) == ("[[0.5 2. ]]", "[[0.5 2. ]]", "0.5", "True")
    assert repr(x[0]) == "<Tensor shape=(2,) dtype=float32 [0.5, 2. ]>"
    model = cnncore.Sequential([layers.Input((2,)), Looks()])
    model.predict(x, verbose=0)
    assert seen[-1] == "<Tensor shape=(1, 2) dtype=float32 being recorded>"
