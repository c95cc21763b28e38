"""The table of a model is, letter for letter, the one that Keras prints for it."""
import os
import re

os.environ.setdefault("KERAS_BACKEND", "numpy")

import numpy as np
import pytest

import cnncore
from cnncore.utils.summary import print_summary

keras = pytest.importorskip("keras", exc_type=ImportError)
layers = keras.layers


def built_sequential():
    return keras.Sequential([keras.Input((28, 28, 1)), layers.Conv2D(6, 5, padding="same"), layers.MaxPooling2D(),
                             layers.BatchNormalization(), layers.Flatten(), layers.Dense(10)], name="lenet")


def unbuilt_sequential():
    return keras.Sequential([layers.Conv2D(6, 5), layers.Flatten(), layers.Dense(10)])


def branches():
    x = keras.Input((8, 8, 3), name="picture")
    a = layers.Conv2D(4, 3, padding="same", name="left")(x)
    b = layers.Conv2D(4, 1, name="a_right_hand_side_with_a_very_long_name")(x)
    y = layers.Concatenate()([layers.Add()([a, b]), a])
    return keras.Model(x, [layers.Dense(2)(layers.Flatten()(y)), layers.GlobalAveragePooling2D()(y)], name="twin[b]")


def chain():
    x = keras.Input((8, 8, 3))
    return keras.Model(x, layers.Dense(1000)(layers.Flatten()(layers.Rescaling(1 / 255)(x))))


def shared():
    x, dense = keras.Input((5,)), layers.Dense(5)
    return keras.Model(x, dense(dense(x)))


def nested():
    inner = keras.Sequential([keras.Input((4, 4, 2)), layers.Conv2D(3, 2, name="deep"), layers.ReLU()], name="inner")
    inner.get_layer("deep").trainable = False
    x = keras.Input((4, 4, 2))
    outer = keras.Model(x, layers.Flatten()(inner(x)))
    return keras.Sequential([keras.Input((4, 4, 2)), outer, layers.Dropout(0.5), layers.Dense(3)])


def compiled():
    model = built_sequential()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)
    model.trainable = False
    return model


def subclassed():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense, self.last = layers.Dense(4), layers.Dense(2)

        def call(self, x):
            return self.last(self.dense(x))

    model = Own()
    model(np.zeros((2, 3), "float32"))
    return model


def several_outputs():
    class Split(layers.Layer):
        def call(self, x):
            return [x, x[:, :1]]

    x = keras.Input((6,))
    a, b = Split()(x)
    return keras.Model(x, layers.Concatenate()([a, b]))


MODELS = [built_sequential, unbuilt_sequential, branches, chain, shared, nested, compiled, subclassed, several_outputs]
OPTIONS = [{}, {"show_trainable": True, "expand_nested": True}, {"line_length": 60, "positions": [0.4, 0.7, 0.8, 1.0]},
           {"line_length": 130}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("make", MODELS, ids=lambda f: f.__name__)
def test_the_text_is_that_of_keras(make, options):
    model = make()
    ours, theirs = [], []
    print_summary(model, print_fn=ours.append, **options)
    model.summary(print_fn=theirs.append, **options)
    assert ours == theirs
    assert "Total params" in ours[0]


@pytest.mark.parametrize("columns", ["50", "200"])
def test_the_width_follows_the_terminal_as_that_of_keras(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    model, ours, theirs = branches(), [], []
    print_summary(model, print_fn=ours.append)
    model.summary(print_fn=theirs.append)
    assert ours == theirs


def test_without_a_function_it_prints(capsys):
    model = built_sequential()
    print_summary(model)
    ours = capsys.readouterr().out
    model.summary()
    assert ours == capsys.readouterr().out
    assert "(156)" not in ours and "156" in ours


def test_the_colours_are_those_of_keras(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for make in (branches, nested, unbuilt_sequential):
        model = make()
        print_summary(model, show_trainable=True, expand_nested=True)
        ours = capsys.readouterr().out
        model.summary(show_trainable=True, expand_nested=True)
        assert ours == capsys.readouterr().out
        assert "\x1b[" in ours


@pytest.mark.parametrize("ends", [["conv2d.*", "flatten.*"], ["flatten.*", "conv2d.*"], [".*", "max.*"]])
def test_a_range_of_layers_is_that_of_keras(ends):
    model, ours, theirs = built_sequential(), [], []
    print_summary(model, print_fn=ours.append, layer_range=ends)
    model.summary(print_fn=theirs.append, layer_range=ends)
    assert ours == theirs
    assert "dense" not in ours[0]


def test_sizes_have_the_unit_of_keras():
    for units in (1, 300, 300_000, 300_000_000):
        model = keras.Sequential(name="sized")
        variable = type("V", (), {"shape": (units,), "dtype": "float32"})()
        model._collected_trainable_weights = [variable, variable]
        ours, theirs = [], []
        print_summary(model, print_fn=ours.append)
        model.summary(print_fn=theirs.append)
        assert ours == theirs
        assert f"{2 * units:,}" in ours[0]


@pytest.mark.parametrize("bad, words", [
    ({"line_length": 15}, "pass a larger line_length"), ({"layer_range": ["conv2d"]}, "two names"),
    ({"layer_range": [1, 2]}, "two names"), ({"layer_range": ["nowhere", "dense"]}, "choose among conv2d"),
])
def test_wrong_arguments_are_explained(bad, words):
    keras.utils.clear_session(free_memory=False)
    with pytest.raises(ValueError, match=re.escape(words)):
        print_summary(built_sequential(), **bad)


# ---- models that each library makes for itself -------------------------------------------------------------------

def own_sequential(lib):
    return lib.Sequential([lib.Input((28, 28, 1)), lib.layers.Conv2D(6, 5, padding="same"), lib.layers.MaxPooling2D(),
                           lib.layers.BatchNormalization(), lib.layers.Flatten(), lib.layers.Dense(10)], name="lenet")


def own_unbuilt(lib):
    return lib.Sequential([lib.layers.Conv2D(6, 5), lib.layers.Flatten(), lib.layers.Dense(10)])


def own_graph(lib):
    x = lib.Input((8, 8, 3), name="picture")
    a = lib.layers.Conv2D(4, 3, padding="same")(x)
    y = lib.layers.Add()([a, lib.layers.Conv2D(4, 1)(x)]) * 2.0
    return lib.Model(x, [lib.layers.Dense(2)(lib.layers.Flatten()(y)), lib.layers.GlobalAveragePooling2D()(y)])


def own_several_inputs(lib):
    a, b, c = lib.Input((6,), name="left"), lib.Input((6,), name="right"), lib.Input((3,))
    shared = lib.layers.Dense(4, activation="relu")
    joined = lib.layers.Concatenate()([shared(a), shared(b), lib.layers.Dense(2)(c)])
    return lib.Model([a, b, c], lib.layers.Dense(1)(joined), name="siblings")


def own_nested(lib):
    inner = lib.Sequential([lib.Input((4, 4, 2)), lib.layers.Conv2D(3, 2), lib.layers.ReLU()], name="inner")
    x = lib.Input((4, 4, 2))
    outer = lib.Model(x, lib.layers.Flatten()(inner(x)), name="middle")
    return lib.Sequential([lib.Input((4, 4, 2)), outer, lib.layers.Dropout(0.5), lib.layers.Dense(3)])


def own_subclassed(lib):
    class Own(lib.Model):
        def __init__(self):
            super().__init__()
            self.dense = lib.layers.Dense(4, activation="relu")
            self.tail = lib.Sequential([lib.layers.Dense(3), lib.layers.Dense(2)])

        def call(self, x):
            return self.tail(self.dense(x))

    model = Own()
    model(np.zeros((2, 3), "float32"))
    return model


def own_subclassed_unbuilt(lib):
    class Own(lib.Model):
        def __init__(self):
            super().__init__(name="waiting")
            self.dense = lib.layers.Dense(4)

        def call(self, x):
            return self.dense(x)

    return Own()


def own_frozen(lib):
    model = own_nested(lib)
    model.layers[0].trainable = False
    return model


def train(lib, model):
    """Leaves a model as `fit` does. Keras's NumPy backend cannot train, but builds its optimizer on the same weights."""
    if lib is cnncore:
        model.fit(np.zeros((4, 28, 28, 1), "float32"), np.zeros(4, "int32"), verbose=0)
        return model
    model.optimizer.build(model.trainable_variables)
    model.optimizer.variables[0]._dtype = "int64"  # the step number, as on TensorFlow; other backends have int32
    return model


def own_trained(lib):
    model = own_sequential(lib)
    model.compile(lib.optimizers.Adam(amsgrad=True, use_ema=True), "sparse_categorical_crossentropy")
    return train(lib, model)


def own_frozen_and_trained(lib):
    model = own_sequential(lib)
    model.layers[0].trainable = False
    model.compile(lib.optimizers.SGD(momentum=0.9), "sparse_categorical_crossentropy")
    return train(lib, model)


def own_long_names(lib):
    x = lib.Input((8, 8, 3), name="a_picture_that_the_camera_took_on_a_sunny_day")
    y = lib.layers.SeparableConv2D(4, 3, name="a_convolution_whose_name_does_not_fit_into_its_column")(x)
    z = lib.layers.DepthwiseConv2D(3, name="another_convolution_beside_it_with_a_long_name")(x)
    y = lib.layers.Concatenate(name="both_of_them_one_behind_the_other_along_channels")([y, z])
    return lib.Model(x, y, name="a_model_with_a_name_of_some_length_that_goes_on_and_on_for_more_than_one_line_of_text")


OWN_MODELS = [own_sequential, own_unbuilt, own_graph, own_several_inputs, own_nested, own_subclassed,
              own_subclassed_unbuilt, own_frozen, own_trained, own_frozen_and_trained, own_long_names]


@pytest.mark.parametrize("make", OWN_MODELS, ids=lambda f: f.__name__)
def test_a_model_of_the_same_script_prints_the_same_table(make):
    models = []
    for lib in (cnncore, keras):
        lib.utils.clear_session()
        models.append(make(lib))
    for options in (*OPTIONS, {"expand_nested": True}, {"show_trainable": True}, {"line_length": 40}):
        ours, theirs = [], []
        models[0].summary(print_fn=ours.append, **options)
        models[1].summary(print_fn=theirs.append, **options)
        if make is own_subclassed:  # Keras shows the size of the first batch as if it were fixed
            theirs = [re.sub(r"\(2, (\d)\)   ", r"(None, \1)", text) for text in theirs]
        assert ours == theirs, options
        assert "Total params" in ours[0]
