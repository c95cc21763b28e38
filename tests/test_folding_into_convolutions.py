"""Plans of prediction: what convolutions do as they read and as they store, in place of layers before and after them."""
import numpy as np
import pytest
from test_inference_plans import assert_close, images, randomised, repeated

import cnncore
from cnncore import _core, layers, ops

RNG = np.random.default_rng(5)


def check(model, x, gone=(), most=2e-5):
    """Predictions are what the model computes layer by layer, twice the same, for any number of threads; returns the
    calls, among which those of the kernels `gone` are not."""
    randomised(model)
    expected = model(x, training=False)
    expected = expected if isinstance(expected, (list, tuple)) else [expected]
    before = _core.threads()
    try:
        for threads in (1, 2, 5):
            _core.set_threads(threads)
            found = model.predict(x, batch_size=len(x), verbose=0)
            found = found if isinstance(found, (list, tuple)) else [found]
            if threads == 1:
                first = found
                for f, e in zip(found, expected, strict=True):
                    assert_close(f, np.asarray(e), most)
            for f, e in zip(found, first, strict=True):
                np.testing.assert_array_equal(f, e)
    finally:
        _core.set_threads(before)
    calls = repeated(model)
    assert not set(gone) & set(calls), calls
    return calls


CONVOLUTIONS = {
    "3x3": lambda: layers.Conv2D(24, 3, padding="same"),
    "1x1": lambda: layers.Conv2D(37, 1),
    "strided": lambda: layers.Conv2D(18, 5, strides=2, padding="same"),
    "dilated": lambda: layers.Conv2D(16, 3, dilation_rate=2),
    "to few channels": lambda: layers.Conv2D(3, 2),
    "depthwise": lambda: layers.DepthwiseConv2D(3, padding="same"),
    "depthwise, two filters": lambda: layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2),
    "depthwise, strided": lambda: layers.DepthwiseConv2D(5, strides=2, padding="same"),
}


@pytest.mark.parametrize("activation", ("relu", "relu6", "silu", "hard_silu", "sigmoid", "hard_sigmoid"))
@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_activations_are_applied_as_a_convolution_stores(kind, activation):
    model = cnncore.Sequential([layers.Input((12, 12, 20)), CONVOLUTIONS[kind](), layers.BatchNormalization(),
                                layers.Activation(activation)])
    check(model, 3 * images(), gone=("unary", "bn_apply"))


@pytest.mark.parametrize("activation", ("relu", "relu6", "silu"))
@pytest.mark.parametrize("strides", (1, 2))
def test_activations_are_applied_as_a_first_layer_stores(strides, activation):
    model = cnncore.Sequential([layers.Input((13, 14, 3)), layers.Conv2D(21, 3, strides=strides, padding="same"),
                                layers.BatchNormalization(), layers.Activation(activation)])
    check(model, RNG.standard_normal((6, 13, 14, 3)).astype(np.float32), gone=("unary", "bn_apply"))


@pytest.mark.parametrize("channels", (1, 5))
def test_activations_are_applied_where_a_vector_holds_several_pixels(channels):
    model = cnncore.Sequential([layers.Input((9, 7, channels)), layers.DepthwiseConv2D(3, padding="same"),
                                layers.Activation("silu"), layers.DepthwiseConv2D(3), layers.Activation("relu6")])
    check(model, 4 * RNG.normal(size=(2, 9, 7, channels)).astype("float32"), gone=("unary",))


def test_a_nan_and_infinities_pass_through_a_folded_activation_as_through_the_layer():
    for activation in ("relu6", "silu"):
        layer = layers.DepthwiseConv2D(1, depthwise_initializer="ones")
        model = cnncore.Sequential([layers.Input((2, 2, 20)), layer, layers.Activation(activation)])
        x = np.zeros((1, 2, 2, 20), "float32")
        x[0, :, :, 0] = [[np.nan, np.inf], [-3e38, 3e38]]
        found, expected = model.predict(x, verbose=0), np.asarray(model.layers[1](layer(x)))
        np.testing.assert_array_equal(found, expected)
        assert np.isnan(found[0, 0, 0, 0])


@pytest.mark.parametrize("batch", (1, 9))
@pytest.mark.parametrize("after", ("conv", "strided", "depthwise", "both"))
def test_zeros_around_images_become_the_padding_of_what_reads_them(after, batch):
    inputs = layers.Input((11, 10, 20))
    x = layers.ZeroPadding2D(((1, 2), (0, 3)))(layers.Conv2D(16, 1)(inputs))
    convolutions = {"conv": layers.Conv2D(17, 3), "strided": layers.Conv2D(18, 3, strides=2),
                    "depthwise": layers.DepthwiseConv2D(5, strides=2)}
    chosen = list(convolutions.values()) if after == "both" else [convolutions[after]]
    model = cnncore.Model(inputs, [layer(x) for layer in chosen])
    x = RNG.normal(size=(batch, 11, 10, 20)).astype("float32")
    check(model, x, gone=("fill", "strided_copy"))


@pytest.mark.parametrize("relu", (True, False))
def test_zeros_change_a_maximum_unless_no_value_is_below(relu):
    inputs = layers.Input((11, 10, 20))
    x = layers.Conv2D(16, 1, activation="relu" if relu else None)(inputs)
    model = cnncore.Model(inputs, layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(x)))
    calls = check(model, RNG.normal(size=(2, 11, 10, 20)).astype("float32") - 5)
    assert ("fill" in calls) != relu


def test_zeros_that_others_read_or_that_fill_a_window_stay():
    inputs = layers.Input((6, 6, 20))
    x = layers.ZeroPadding2D(2)(layers.Conv2D(16, 1, activation="relu")(inputs))
    model = cnncore.Model(inputs, [layers.Conv2D(8, 3)(x), layers.AveragePooling2D(2)(x)])
    assert "fill" in check(model, images(size=6))
    model = cnncore.Model(inputs, layers.MaxPooling2D(2)(x))
    assert "fill" in check(model, images(size=6))


def reader(kind):
    return {"1x1": layers.Conv2D(24, 1, use_bias=False), "strided": layers.Conv2D(18, 3, strides=2, padding="same"),
            "dilated": layers.Conv2D(16, 3, dilation_rate=2), "narrow": layers.Conv2D(5, (1, 4), padding="same")}[kind]


@pytest.mark.parametrize("batch", (1, 9))
@pytest.mark.parametrize("relu", (True, False))
@pytest.mark.parametrize("kind", ("1x1", "strided", "dilated", "narrow"))
def test_a_normalization_is_applied_by_the_convolution_that_reads_it(kind, relu, batch):
    inputs = layers.Input((12, 12, 20))
    x = layers.BatchNormalization()(inputs)
    if relu:
        x = layers.ReLU()(x)
    check(cnncore.Model(inputs, reader(kind)(x)), images(batch), gone=("bn_apply", "unary"))


def test_a_normalization_that_others_need_too_is_computed_once():
    inputs = layers.Input((12, 12, 20))
    x = layers.ReLU()(layers.BatchNormalization()(inputs))
    model = cnncore.Model(inputs, [layers.Conv2D(8, 1)(x), layers.MaxPooling2D()(x)])
    assert check(model, images()).count("bn_apply") == 1
    model = cnncore.Model(inputs, [layers.Conv2D(8, 1)(x), x])
    assert check(model, images()).count("bn_apply") == 1


@pytest.mark.parametrize("batch", (1, 3, 9))
def test_gates_of_channels_are_applied_by_the_convolution_that_reads_them(batch):
    inputs = layers.Input((12, 12, 20))
    x = layers.DepthwiseConv2D(3, padding="same", activation="silu")(inputs)
    gate = layers.Reshape((1, 1, 20))(layers.GlobalAveragePooling2D()(x))
    gate = layers.Conv2D(20, 1, activation="sigmoid")(layers.Conv2D(17, 1, activation="silu")(gate))
    model = cnncore.Model(inputs, layers.Conv2D(24, 1)(layers.Multiply()([x, gate])))
    check(model, images(batch), gone=("binary", "unary"))


def test_arithmetic_with_constants_is_applied_by_the_convolution_that_reads_it():
    inputs = layers.Input((12, 12, 3))
    normal = layers.Normalization(mean=[0.4, 0.5, 0.6], variance=[0.04, 0.05, 0.06])
    x = layers.Rescaling([0.5, 2.0, 0.25])(normal(layers.Rescaling(1 / 127.5, offset=-1)(inputs)))
    model = cnncore.Model(inputs, layers.Conv2D(8, 3, strides=2)(layers.ZeroPadding2D(1)(x)))
    x = RNG.uniform(0, 255, (2, 12, 12, 3)).astype("float32")
    check(model, x, gone=("binary", "unary", "fill"))

    class Shifted(layers.Layer):
        def call(self, x):
            return ops.divide(ops.add(x, self.variable), 3.0)

        def build(self, shape):
            self.variable = self.add_weight(shape=(shape[-1],), initializer="ones", name="beta")

    model = cnncore.Sequential([layers.Input((12, 12, 20)), Shifted(), layers.Conv2D(8, 1)])
    check(model, images(), gone=("binary", "unary"))
    model.layers[0].variable.assign(np.arange(20, dtype="float32"))
    x = images()
    assert_close(model.predict(x, verbose=0), np.asarray(model(x, training=False)), 2e-5)


@pytest.mark.parametrize("batch", (1, 3, 9))
def test_a_dense_block_concatenates_in_place(batch):
    inputs = layers.Input((12, 12, 20))
    x = layers.MaxPooling2D()(inputs)
    for _ in range(3):
        y = layers.Conv2D(32, 1, use_bias=False)(layers.ReLU()(layers.BatchNormalization()(x)))
        y = layers.Conv2D(16, 3, padding="same", use_bias=False)(layers.ReLU()(layers.BatchNormalization()(y)))
        x = layers.Concatenate()([x, y])
    model = cnncore.Model(inputs, layers.Conv2D(24, 1)(layers.ReLU()(layers.BatchNormalization()(x))))
    calls = check(model, images(batch), gone=("bn_apply", "unary"))
    assert calls.count("strided_copy") == 1  # of what is pooled


@pytest.mark.parametrize("batch", (1, 9))
def test_branches_concatenate_in_place(batch):
    inputs = layers.Input((12, 12, 20))
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(inputs)
    wide = layers.Conv2D(24, 3, padding="same", activation="relu")(x)
    branches = [layers.Conv2D(17, 1, activation="relu")(x), layers.Conv2D(5, (1, 3), padding="same")(wide),
                layers.DepthwiseConv2D(3, padding="same")(x), wide, layers.Conv2D(8, 5, padding="same")(x)]
    joint = layers.Concatenate()(branches)
    model = cnncore.Model(inputs, [layers.Conv2D(9, 3, padding="same")(joint), layers.GlobalMaxPooling2D()(joint)])
    assert check(model, images(batch)).count("strided_copy") == 1  # of what is convolved depthwise


def test_what_others_need_by_itself_is_copied():
    inputs = layers.Input((12, 12, 20))
    x = layers.Conv2D(16, 3, padding="same")(inputs)
    y = layers.Conv2D(16, 1)(x)
    twice = layers.Concatenate()([x, x])
    model = cnncore.Model(inputs, [layers.Concatenate()([x, y]), y, layers.Conv2D(4, 1)(twice),
                                   layers.Multiply()([x, layers.Concatenate()([x, y])[..., :16]])])
    check(model, images())


def test_a_shortcut_is_not_added_into_a_part_that_is_read_later():
    inputs = layers.Input((12, 12, 20))
    x, y = layers.Conv2D(16, 3, padding="same")(inputs), layers.Conv2D(16, 1)(inputs)
    joint = layers.Concatenate()([x, y])
    total = layers.Add()([joint, layers.Conv2D(32, 3, padding="same")(inputs)])
    model = cnncore.Model(inputs, [total, layers.Conv2D(8, 1)(x), layers.Conv2D(8, 1)(y)])
    check(model, images())


def test_padding_along_channels_is_not_taken_for_concatenation():
    inputs = layers.Input((12, 12, 20))
    x = layers.Conv2D(16, 3, padding="same")(inputs)
    padded = layers.Lambda(lambda t: ops.pad(t, ((0, 0), (0, 0), (0, 0), (3, 5))))(x)
    check(cnncore.Model(inputs, layers.Conv2D(8, 1)(padded)), images())
