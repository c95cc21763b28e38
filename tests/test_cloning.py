"""Clones of models have the same layers, shapes and training, and weights of their own."""
import os

os.environ.setdefault("KERAS_BACKEND", "numpy")

import numpy as np
import pytest
from fit_models import images, small_cnn

import cnncore
from cnncore.models import clone_model

keras = pytest.importorskip("keras", exc_type=ImportError)


def graph(k=cnncore):
    x = k.Input((4,), name="x")
    shared = k.layers.Dense(4, name="shared", activation="relu")
    inner = k.Sequential([k.Input((4,)), k.layers.Dense(4, name="inside")], name="inner")
    y = inner(shared(x) + shared(shared(x)))
    return k.Model(x, [k.layers.Dense(2, name="a")(y), k.layers.Dense(3, name="b")(y)], name="graph")


def test_a_clone_of_a_graph_computes_the_same_with_the_same_weights():
    model, x = graph(), np.random.default_rng(1).random((5, 4), dtype="float32")
    clone = clone_model(model)
    assert [layer.name for layer in clone.layers] == [layer.name for layer in model.layers]
    assert not any(a is b for a in clone.weights for b in model.weights)
    assert any(a.tobytes() != b.tobytes() for a, b in zip(clone.get_weights(), model.get_weights(), strict=True))
    clone.set_weights(model.get_weights())
    for a, b in zip(clone.predict(x, verbose=0), model.predict(x, verbose=0), strict=True):
        assert a.tobytes() == b.tobytes()
    theirs = keras.models.clone_model(graph(keras))
    assert [w.shape for w in theirs.weights] == [w.shape for w in clone.weights]
    assert [layer.name for layer in theirs.layers if layer.weights] == [
        layer.name for layer in clone.layers if layer.weights]


def test_a_clone_is_compiled_as_its_model_is_and_trains_alone():
    model = small_cnn()
    model.compile(cnncore.optimizers.Nadam(0.02), "sparse_categorical_crossentropy", metrics=["acc"])
    clone, (x, y) = clone_model(model), images(20)
    assert clone.optimizer is not model.optimizer and clone.optimizer.get_config()["learning_rate"] == pytest.approx(0.02)
    before = [w.tobytes() for w in model.get_weights()]
    assert set(clone.fit(x, y, verbose=0).history) == {"loss", "acc"}
    assert [w.tobytes() for w in model.get_weights()] == before


def test_layers_can_be_replaced_and_shared():
    def wider(layer):
        if isinstance(layer, cnncore.layers.Dense) and layer.name in ("shared", "inside"):
            return type(layer).from_config(layer.get_config() | {"units": 8})
        return layer if layer.name == "a" else type(layer).from_config(layer.get_config())

    assert clone_model(graph(), clone_function=lambda layer: layer).layers[1].name == "shared"
    with pytest.raises(ValueError):  # the inner model takes 4 numbers unless it is cloned layer by layer
        clone_model(graph(), clone_function=wider)
    names = []
    clone_model(graph(), recursive=True, clone_function=lambda layer: names.append(layer.name) or type(
        layer).from_config(layer.get_config()))
    assert "inside" in names and names.count("shared") == 1
    calls = []

    def call(layer, *args, **kwargs):
        calls.append(layer.name)
        return layer(*args, **kwargs)

    clone_model(graph(), call_function=call)
    assert calls.count("shared") == 3 and {"inner", "a", "b"} <= set(calls)


def test_a_clone_is_built_on_given_inputs():
    x = cnncore.Input((4,), name="other")
    assert clone_model(graph(), input_tensors=x).input is x
    model = cnncore.Sequential([cnncore.Input((4,)), cnncore.layers.Dense(2)])
    assert clone_model(model, input_tensors=x).count_params() == 10
    assert clone_model(cnncore.Sequential([cnncore.layers.Dense(2)])).built is False


@pytest.mark.parametrize("program, words", [
    (lambda: clone_model(graph(), input_tensors=3), "KerasTensors"),
    (lambda: clone_model(graph(), input_tensors=[cnncore.Input((4,)), cnncore.Input((4,))]), "1 input(s)"),
    (lambda: clone_model(small_cnn(), call_function=print), "Sequential"),
    (lambda: clone_model(small_cnn(), deep=True), "deep"),
])
def test_wrong_arguments_are_named(program, words):
    with pytest.raises(ValueError, match="Received") as error:
        program()
    assert words in str(error.value)
