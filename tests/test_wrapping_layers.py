"""Lambda, Wrapper, SpectralNormalization, Pipeline, InputSpec and adaptive pooling, beside Keras's and in files."""
import inspect

import numpy as np
import pytest
from beside_keras import check_gradients, check_the_same, keras, pair, values, with_the_same_weights

import cnncore
from cnncore import layers, ops
from cnncore.saving import custom_object_scope

NAMES = ["AdaptiveAveragePooling1D", "AdaptiveAveragePooling2D", "AdaptiveMaxPooling1D", "AdaptiveMaxPooling2D",
         "InputSpec", "Lambda", "Pipeline", "SpectralNormalization", "Wrapper"]


@pytest.mark.parametrize("name", NAMES)
def test_arguments_are_kerass(name):
    ours, theirs = (inspect.signature(getattr(m.layers, name).__init__).parameters.values() for m in (cnncore, keras))
    assert [(p.name, p.default) for p in ours] == [(p.name, p.default) for p in theirs]


# ---- adaptive pooling --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["Average", "Max"])
@pytest.mark.parametrize("size, shape", [
    (3, (2, 10, 5)), ((4,), (1, 4, 1)), (7, (2, 3, 2)), (1, (3, 9, 4)),
    (3, (2, 9, 6, 5)), ((2, 5), (2, 7, 13, 3)), ((6, 1), (1, 4, 5, 2)), (1, (2, 8, 9, 3)), ((4, 9), (1, 9, 4, 1))], ids=str)
def test_adaptive_pooling_is_kerass(kind, size, shape):
    def make(k):
        return getattr(k.layers, f"Adaptive{kind}Pooling{len(shape) - 2}D")(size)

    check_the_same(make, shape, unknown=False)
    check_gradients(make, shape)
    x = np.moveaxis(values(shape), -1, 1).copy()
    ours, theirs = (getattr(k.layers, f"Adaptive{kind}Pooling{len(shape) - 2}D")(size, "channels_last") for k in
                    (cnncore, keras))
    first = type(ours)(size, data_format="channels_first")
    assert np.allclose(first(x).numpy(), np.moveaxis(np.asarray(theirs(np.moveaxis(x, 1, -1).copy())), -1, 1), atol=1e-5)
    assert first.compute_output_shape((None, *x.shape[1:])) == (None, *first(x).shape[1:])


def test_adaptive_pooling_takes_what_fits_only():
    with pytest.raises(ValueError, match="output_size must be one whole number of 1 or more"):
        layers.AdaptiveMaxPooling2D(0)
    with pytest.raises(ValueError, match="takes inputs of 4 axes"):
        layers.AdaptiveAveragePooling2D(2)(values((2, 5, 5)))


def test_a_pixel_that_is_no_number_stays_in_its_window():
    x = values((1, 10, 10, 1))
    x[0, 9, 9] = np.nan
    y = layers.AdaptiveAveragePooling2D(3)(x).numpy()
    assert np.isnan(y[0, 2, 2, 0]) and np.isnan(y).sum() == 1


# ---- Lambda ------------------------------------------------------------------------------------------------------

def doubled(x, by=2.0):
    return x * by


def of_training(x, training=None):
    return x + 1.0 if training else x


def test_a_lambda_is_its_function_in_models_of_all_kinds():
    x = values((4, 6, 3))
    layer = layers.Lambda(lambda x: ops.mean(x, axis=1) * 2)
    assert np.allclose(layer(x).numpy(), x.mean(1) * 2, atol=1e-6) and not layer.weights
    assert layer.compute_output_shape((None, 6, 3)) == (None, 3)
    inputs = cnncore.Input((6, 3))
    y = layers.Lambda(doubled, arguments={"by": 3.0}, name="times")(inputs)
    model = cnncore.Model(inputs, layers.Dense(1)(layer(y)))
    assert y.shape == (None, 6, 3) and model.get_layer("times").arguments == {"by": 3.0}
    model.compile("sgd", "mse")
    model.fit(x, np.ones((4, 1)), verbose=0)
    many = layers.Lambda(lambda pair: pair[0] - pair[1])
    assert np.allclose(many([x, x]).numpy(), 0)


def test_a_lambda_hears_about_training():
    x = values((2, 3))
    layer = layers.Lambda(of_training)
    assert np.allclose(layer(x, training=True).numpy(), x + 1) and np.allclose(layer(x).numpy(), x)
    model = cnncore.Sequential([cnncore.Input((3,)), layers.Lambda(of_training)])
    assert np.allclose(model(x, training=True).numpy(), x + 1) and np.allclose(model.predict(x, verbose=0), x)


def test_a_lambda_that_looks_at_values_states_its_shape():
    def peeks(x):
        return x * float(ops.sum(x))

    inputs = cnncore.Input((3,))
    with pytest.raises(NotImplementedError, match="the shape of its output must be given. Received: output_shape=None"):
        layers.Lambda(peeks)(inputs)
    for shape in ((3,), lambda shape: shape):
        assert layers.Lambda(peeks, output_shape=shape)(inputs).shape == (None, 3)
    with pytest.raises(TypeError, match="calls a function. Received: function=3"):
        layers.Lambda(3)


def test_named_functions_come_back_from_files_and_lambdas_never(tmp_path):
    x = values((4, 3))
    with custom_object_scope({"doubled": doubled}):
        model = cnncore.Sequential([cnncore.Input((3,)), layers.Lambda(doubled, arguments={"by": 5.0}), layers.Dense(2)])
        path = tmp_path / "model.keras"
        model.save(path)
        again = cnncore.models.load_model(path)
    assert np.array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    theirs = keras.models.load_model(path, custom_objects={"doubled": doubled})
    assert np.allclose(theirs.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-5)
    with pytest.raises(ValueError, match="function 'doubled'"):
        cnncore.models.load_model(path)
    model = cnncore.Sequential([cnncore.Input((3,)), layers.Lambda(lambda x: x * 2)])
    with pytest.warns(UserWarning, match="is of a lambda, which no file holds"):
        model.save(path)
    with pytest.raises(ValueError, match="must hold no code"):
        cnncore.models.load_model(path)
    assert np.allclose(cnncore.models.clone_model(model)(x).numpy(), x * 2)


@pytest.mark.parametrize("function", ["os.system", ["4wAAAAAAAAAA", None, None], {}, None, 3,
                                      {"class_name": "__lambda__", "config": {"code": "4wAAAAAAAAAA"}}], ids=str)
def test_code_in_a_lambda_of_a_file_is_refused(function):
    with pytest.raises(ValueError, match="must hold no code"):
        layers.deserialize({"module": "keras.layers", "class_name": "Lambda", "config": {"function": function},
                            "registered_name": None})


# ---- Wrapper and SpectralNormalization ---------------------------------------------------------------------------

def test_a_wrapper_of_ones_own_builds_saves_and_restores_its_layer():
    class Twice(layers.Wrapper):
        def call(self, x):
            return self.layer(self.layer(x))

    x = values((2, 3))
    layer = Twice(layers.Dense(3))
    assert np.allclose(layer(x).numpy(), layer.layer(layer.layer(x)).numpy()) and len(layer.trainable_weights) == 2
    with custom_object_scope({"Twice": Twice}):
        again = layers.deserialize(layers.serialize(layer))
    assert type(again) is Twice and again.layer.units == 3
    with pytest.raises(ValueError, match="wraps a layer. Received: layer=5"):
        Twice(5)


@pytest.mark.parametrize("make, shape", [(lambda k: k.layers.Dense(4), (5, 3)),
                                         (lambda k: k.layers.Conv2D(4, 3, padding="same"), (2, 6, 6, 3))])
@pytest.mark.parametrize("iterations", [1, 3])
def test_spectral_normalization_is_kerass(make, shape, iterations):
    ours, theirs = with_the_same_weights(lambda k: k.layers.SpectralNormalization(make(k), iterations), (None, *shape[1:]))
    x = values(shape)
    assert [w.name for w in ours.weights] == [w.name for w in theirs.weights] and ours.name == theirs.name
    assert [w.name for w in ours.trainable_weights] == [w.name for w in theirs.trainable_weights]
    assert ours.compute_output_shape(shape) == theirs.compute_output_shape(shape) == ours(x).shape
    assert np.allclose(ours(x).numpy(), np.asarray(theirs(x)), atol=1e-5)
    assert type(ours).from_config(ours.get_config()).get_config() == ours.get_config()
    for _ in range(3):
        y, expected = ours(x, training=True).numpy(), np.asarray(theirs(x, training=True))
        assert np.allclose(y, expected, atol=1e-4)
        for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            assert np.allclose(mine, other, atol=1e-5)
    ours.kernel.assign(np.zeros(ours.kernel.shape))
    before = ours.vector_u.numpy()
    assert np.isfinite(ours(x, training=True).numpy()).all() and np.array_equal(ours.vector_u.numpy(), before)


def test_spectral_normalization_in_a_recorded_step_is_eager():
    x, y = values((8, 6)), values((8, 2))
    results = []
    for eager in (False, True):
        cnncore.utils.set_random_seed(3)
        model = cnncore.Sequential([cnncore.Input((6,)), layers.SpectralNormalization(layers.Dense(4)), layers.Dense(2)])
        model.compile("sgd", "mse", run_eagerly=eager)
        model.fit(x, y, epochs=4, verbose=0)
        results.append(model.get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(*results, strict=True))
    sigma = np.linalg.svd(model.layers[0].kernel.numpy(), compute_uv=False)[0]
    assert 0.5 < sigma < 2
    with pytest.raises(ValueError, match="normalizes a layer's kernel"):
        layers.SpectralNormalization(layers.Flatten())(x)


# ---- Pipeline, serialize, InputSpec ------------------------------------------------------------------------------

def test_a_pipeline_is_its_layers_one_after_another():
    x = np.abs(values((3, 8, 8, 3)))
    pipeline = layers.Pipeline([layers.RandomFlip(seed=1), layers.Rescaling(2.0), layers.RandomContrast(0.5, seed=2)])
    y = pipeline(x).numpy()
    flip, scale, contrast = layers.RandomFlip(seed=1), layers.Rescaling(2.0), layers.RandomContrast(0.5, seed=2)
    assert np.array_equal(y, contrast(scale(flip(x))).numpy())
    assert np.allclose(pipeline(x, training=False).numpy(), 2 * x)
    again = layers.deserialize(layers.serialize(pipeline))
    assert [type(layer) for layer in again.layers] == [type(layer) for layer in pipeline.layers]
    theirs = keras.layers.deserialize(layers.serialize(pipeline))
    assert np.allclose(np.asarray(theirs(x, training=False)), 2 * x)
    with pytest.raises(ValueError, match="layers is a list of layers"):
        layers.Pipeline([3])


def test_layers_are_serialized_as_keras_does_it():
    ours, theirs = pair(lambda k: k.layers.Dense(3, activation="relu"))
    mine, other = layers.serialize(ours), keras.layers.serialize(theirs)
    assert {key: mine[key] for key in ("module", "class_name", "registered_name")} \
        == {key: other[key] for key in ("module", "class_name", "registered_name")}
    assert layers.deserialize(other).get_config() == ours.get_config()
    with pytest.raises(ValueError, match="is made of a layer's configuration"):
        layers.deserialize({"class_name": "Zeros", "module": "keras.initializers", "config": {}, "registered_name": None})


SPECS = [{"ndim": 4}, {"shape": (None, 5, 5, 3)}, {"min_ndim": 2, "max_ndim": 3}, {"axes": {-1: 3, 1: 5}},
         {"dtype": "float32"}, {"shape": (None, 5, 1), "allow_last_axis_squeeze": True}, {"axes": {-1: None}}]


@pytest.mark.parametrize("options", SPECS, ids=str)
@pytest.mark.parametrize("shape", [(2, 5, 5, 3), (2, 5, 3), (2, 5), (2, 5, 5, 1), (2, 4, 4, 3), (5,)], ids=str)
def test_an_input_spec_lets_through_what_kerass_does(options, shape):
    def fits(k):
        class Picky(k.layers.Layer):
            def __init__(self):
                super().__init__()
                self.input_spec = k.layers.InputSpec(**options)

            def call(self, x):
                return x

        try:
            Picky()(np.zeros(shape, "float32"))
        except ValueError as error:
            assert "Received" in str(error) or k is keras
            return False
        return True

    try:
        wanted = fits(keras)
    except IndexError:  # Keras looks up an axis that is not there
        wanted = False
    assert fits(cnncore) == wanted
    ours, theirs = (k.layers.InputSpec(**options) for k in (cnncore, keras))
    assert repr(ours) == repr(theirs) and ours.get_config() == theirs.get_config()


def test_input_specs_that_contradict_themselves_are_refused():
    with pytest.raises(ValueError, match="go up to 1"):
        layers.InputSpec(ndim=2, axes={2: 5})
    with pytest.raises(TypeError, match="dict from whole numbers"):
        layers.InputSpec(axes={"a": 5})
