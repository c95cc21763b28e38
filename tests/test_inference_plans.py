"""Plans of prediction: what is folded, when weights are packed again, and that the results stay what they were."""
import numpy as np
import pytest

import cnncore
from cnncore import _core, layers, ops

RNG = np.random.default_rng(3)


def randomised(model):
    """The model with statistics, biases and scales as after a training."""
    for variable in model.variables:
        if variable.path.endswith(("moving_variance", "gamma")):
            variable.assign(RNG.uniform(0.5, 1.5, variable.shape).astype("float32"))
        elif variable.path.endswith(("moving_mean", "beta", "bias")):
            variable.assign(RNG.normal(0, 0.3, variable.shape).astype("float32"))
    return model


def images(batch=3, size=12, channels=20):
    return RNG.normal(size=(batch, size, size, channels)).astype("float32")


def step_of(model):
    return list(model._plans.shared.values())[-1]


def repeated(model):
    """The names of the calls that each prediction runs."""
    program = step_of(model).plan._program
    return [call.name for call in program.calls[program.prepared:]]


def layer_by_layer(model, x):
    """The outputs of a Sequential model without any plan."""
    for layer in model.layers:
        x = layer(x, training=False) if isinstance(layer, layers.BatchNormalization) else layer(x)
    return np.asarray(x)


def assert_close(found, expected, most=1e-5):
    assert np.isfinite(expected).all()
    assert np.linalg.norm(found - expected) <= most * np.linalg.norm(expected)


CONVOLUTIONS = {
    "3x3": lambda: layers.Conv2D(24, 3, padding="same"),
    "1x1 without bias": lambda: layers.Conv2D(37, 1, use_bias=False),
    "strided": lambda: layers.Conv2D(18, 5, strides=2, padding="same", use_bias=False),
    "dilated": lambda: layers.Conv2D(16, 3, dilation_rate=2),
    "narrow": lambda: layers.Conv2D(5, (1, 7), padding="same"),
    "depthwise": lambda: layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2),
    "depthwise without bias": lambda: layers.DepthwiseConv2D(5, strides=2, use_bias=False),
    "dense": lambda: layers.Dense(30),
    "separable": lambda: layers.SeparableConv2D(17, 3, padding="same"),
}


@pytest.mark.parametrize("relu", (False, True))
@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_batch_normalization_is_folded_into_the_layer_before(kind, relu):
    model = cnncore.Sequential([layers.Input((12, 12, 20)), CONVOLUTIONS[kind](), layers.BatchNormalization(),
                                *([layers.ReLU()] if relu else [])])
    randomised(model)
    x = images()
    assert_close(model.predict(x, verbose=0), layer_by_layer(model, x))
    assert not {"bn_apply", "bn_fold", "unary"} & set(repeated(model))
    assert not [name for name in repeated(model) if "pack" in name]


@pytest.mark.parametrize("depth", (40, 6000))
def test_batch_normalization_is_folded_into_a_dense_layer_of_rows(depth):
    model = randomised(cnncore.Sequential([layers.Input((depth,)), layers.Dense(12), layers.BatchNormalization(),
                                           layers.Activation("relu")]))
    x = RNG.normal(size=(5, depth)).astype("float32")
    assert_close(model.predict(x, verbose=0), layer_by_layer(model, x))
    assert not {"bn_apply", "bn_fold", "unary"} & set(repeated(model))


def test_a_normalization_is_not_folded_where_others_need_what_it_reads():
    inputs = layers.Input((8, 8, 20))
    before = layers.Conv2D(16, 3, padding="same")(inputs)
    after = layers.BatchNormalization()(before)
    model = randomised(cnncore.Model(inputs, [layers.ReLU()(after), layers.Add()([before, after])]))
    x = images(size=8)
    with cnncore.no_grad():
        between = model.layers[1](x)
        normal = model.layers[2](between, training=False)
    found = model.predict(x, verbose=0)
    assert_close(found[0], np.maximum(np.asarray(normal), 0))
    assert_close(found[1], np.asarray(between) + np.asarray(normal))
    assert repeated(model).count("bn_apply") == 1


def test_an_intermediate_that_is_an_output_keeps_its_values():
    inputs = layers.Input((8, 8, 20))
    before = layers.Conv2D(16, 3)(inputs)
    model = randomised(cnncore.Model(inputs, [before, layers.BatchNormalization()(before)]))
    x = images(size=8)
    found = model.predict(x, verbose=0)
    with cnncore.no_grad():
        assert_close(found[0], np.asarray(model.layers[1](x)))
        assert_close(found[1], np.asarray(model.layers[2](model.layers[1](x), training=False)))


def small_model():
    cnncore.utils.set_random_seed(1)
    return randomised(cnncore.Sequential([
        layers.Input((12, 12, 20)), layers.Conv2D(24, 3, use_bias=False), layers.BatchNormalization(), layers.ReLU(6.0),
        layers.DepthwiseConv2D(3), layers.BatchNormalization(), layers.ReLU(), layers.Conv2D(16, 1),
        layers.GlobalAveragePooling2D(), layers.Dense(4, activation="softmax")]))


def test_predictions_follow_weights_that_the_user_assigns():
    model, x = small_model(), images()
    model.predict(x, verbose=0)
    for variable in model.variables:
        if variable.dtype != "float32":
            continue
        before = model.predict(x, verbose=0)
        variable.assign(variable.numpy() * 1.5 + 0.25)
        after = model.predict(x, verbose=0)
        assert_close(after, layer_by_layer(model, x), most=3e-5)  # of weights that have grown large
        assert (before != after).any(), variable.path
    model.set_weights([w * 0.5 for w in model.get_weights()])
    assert_close(model.predict(x, verbose=0), layer_by_layer(model, x))
    model.layers[0].kernel.assign_add(np.ones(model.layers[0].kernel.shape, "float32"))
    assert_close(model.predict(x, verbose=0), layer_by_layer(model, x))
    assert len(model._plans.shared) == 1  # the plan was made once


@pytest.mark.parametrize("eager", (False, True))
def test_predictions_follow_training(eager):
    model, x = small_model(), images(16)
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=eager)
    y = np.arange(16) % 4
    for _ in range(2):
        before = model.predict(x, verbose=0)
        model.fit(x, y, batch_size=8, epochs=1, verbose=0)
        after = model.predict(x, verbose=0)
        assert (before != after).any()
        assert_close(after, layer_by_layer(model, x))
        assert_close(model.predict_on_batch(x), after)


def test_predictions_follow_weights_that_are_loaded(tmp_path):
    model, other, x = small_model(), small_model(), images()
    other.save_weights(tmp_path / "other.weights.h5")
    assert (model.predict(x, verbose=0) != other.predict(x, verbose=0)).any()
    model.load_weights(tmp_path / "other.weights.h5")
    np.testing.assert_array_equal(model.predict(x, verbose=0), other.predict(x, verbose=0))


@pytest.mark.parametrize("batch", (1, 5))
def test_the_number_of_threads_changes_no_bit_of_a_prediction(batch):
    model, x = small_model(), images(batch)
    before, found = _core.threads(), []
    try:
        for threads in (1, 2, 3, 7):
            _core.set_threads(threads)
            found.append(model.predict(x, verbose=0))
    finally:
        _core.set_threads(before)
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)


def test_what_depends_on_the_input_or_on_a_state_is_computed_each_time():
    class Own(cnncore.Model):
        def __init__(self):
            super().__init__()
            self.count = self.add_weight(shape=(), initializer="zeros", trainable=False, name="count")
            self.scale = self.add_weight(shape=(3,), initializer="ones", name="scale")

        def call(self, x, training=None):
            self.count.assign_add(1.0)
            return x * ops.exp(self.scale) + self.count

    model, x = Own(), np.ones((2, 3), "float32")
    for number in (1, 2, 3):
        assert_close(model.predict(x, verbose=0), np.full((2, 3), np.e + number))
    assert step_of(model).plan._program.prepared == 1  # exp
    assert_close(model.predict(2 * x, verbose=0), np.full((2, 3), 2 * np.e + 4))


def residual_model(projection, relu, tail=True):
    inputs = layers.Input((10, 10, 20))
    x = layers.Conv2D(24, 3, padding="same", activation="relu")(inputs)
    for _ in range(2):
        y = layers.BatchNormalization()(layers.Conv2D(24, 3, padding="same")(x))
        y = layers.BatchNormalization()(layers.Conv2D(24, 3, padding="same")(layers.ReLU()(y)))
        shortcut = layers.BatchNormalization()(layers.Conv2D(24, 1)(x)) if projection else x
        x = layers.Add()([shortcut, y])
        if relu:
            x = layers.ReLU()(x)
    outputs = layers.GlobalAveragePooling2D()(x) if tail else x
    return randomised(cnncore.Model(inputs, outputs))


@pytest.mark.parametrize("batch", (1, 6))
@pytest.mark.parametrize("tail", (False, True))
@pytest.mark.parametrize("relu", (False, True))
@pytest.mark.parametrize("projection", (False, True))
def test_a_shortcut_is_added_by_the_convolution(projection, relu, tail, batch):
    model, x = residual_model(projection, relu, tail), images(batch, size=10)
    for _ in range(2):  # twice: memory that was written over must not be read as if it were new
        # Six convolutions one after the other, each rounded to pairs of bfloat16 numbers where there are matrix tiles.
        assert_close(model.predict(x, verbose=0), np.asarray(model(x, training=False)), most=2e-5)
    assert "binary" not in repeated(model)
    assert "unary" not in repeated(model)


def test_a_shortcut_that_is_needed_later_is_left_alone():
    inputs = layers.Input((10, 10, 20))
    x = layers.Conv2D(20, 3, padding="same")(inputs)
    y = layers.Conv2D(20, 3, padding="same")(x)
    total = layers.Add()([x, y])
    model = randomised(cnncore.Model(inputs, [layers.Conv2D(3, 1)(total), layers.Multiply()([total, x]),
                                              layers.Add()([inputs, layers.Conv2D(20, 1)(y)])]))
    x = images(size=10)
    for _ in range(2):
        for found, expected in zip(model.predict(x, verbose=0), model(x, training=False), strict=True):
            assert_close(found, np.asarray(expected))
