"""Models explain what they cannot be: the model, the rule, what came, and the fix."""
import numpy as np
import pytest

import cnncore
from cnncore import layers

rng = np.random.default_rng(6)


def values(*shape):
    return rng.normal(size=shape).astype("float32")


def shared():
    a, b = cnncore.Input((6,), name="left"), cnncore.Input((6,), name="right")
    dense, top = layers.Dense(6, name="tower"), layers.Dense(2, name="top")
    return cnncore.Model([a, b], [top(dense(a)), top(dense(dense(b)))])


class Own(cnncore.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(3)

    def call(self, x):
        return self.dense(x)


def graph_of(*names):
    x = cnncore.Input((4,))
    y = x
    for name in names:
        y = layers.Dense(4, name=name)(y)
    return x, y


X = np.zeros((2, 8, 8, 1), "float32")
ERRORS = {
    "not a layer": (lambda: cnncore.Sequential([layers.Dense(3), "relu"]), ["'relu'", "str"]),
    "a class": (lambda: cnncore.Sequential([layers.Flatten]), ["Flatten", "()"]),
    "a function": (lambda: cnncore.Sequential([np.tanh]), ["tanh"]),
    "a name twice": (lambda: cnncore.Sequential([layers.Dense(3, name="d"), layers.Dense(3, name="d")]), ["'d'"]),
    "a layer twice": (lambda: cnncore.Sequential([*[layers.Dense(3, name="d")] * 2]), ["'d'"]),
    "two inputs": (lambda: cnncore.Sequential([layers.Input((3,)), layers.Input((3,))]), ["Input", "(None, 3)"]),
    "no layers": (lambda: cnncore.Sequential()(values(2, 3)), ["sequential", "no layers"]),
    "pop of nothing": (lambda: cnncore.Sequential().pop(), ["no layers"]),
    "images too small": (lambda: cnncore.Sequential([layers.Input((8, 8, 1)), layers.Conv2D(4, 5), layers.MaxPooling2D(),
                                                     layers.Conv2D(4, 5, name="second")]),
                         ["'second'", "(None, 2, 2, 4)", "'same'"]),
    "wrong shape": (lambda: cnncore.Sequential([layers.Input((8, 8, 1), name="i"), layers.Flatten()])(values(2, 9, 8, 1)),
                    ["(2, 9, 8, 1)", "(None, 8, 8, 1)"]),
    "wrong rank": (lambda: cnncore.Sequential([layers.Input((8, 8, 1)), layers.Flatten()])(values(2, 64)),
                   ["(2, 64)", "(None, 8, 8, 1)"]),
    "one image": (lambda: cnncore.Sequential([layers.Input((8, 8, 3)), layers.Flatten()])(values(8, 8, 3)),
                  ["(8, 8, 3)", "(None, 8, 8, 3)"]),
    "another build": (lambda: cnncore.Sequential([layers.Input((3,)), layers.Dense(2)]).build((None, 4)),
                      ["(None, 3)", "(None, 4)"]),
    "outputs only": (lambda: cnncore.Model(outputs=graph_of("a")[1]), ["inputs"]),
    "inputs of arrays": (lambda: cnncore.Model(values(2, 3), values(2, 3)), ["inputs", "KerasTensor"]),
    "outputs of arrays": (lambda: cnncore.Model(cnncore.Input((3,)), values(2, 3)), ["outputs", "KerasTensor"]),
    "no inputs": (lambda: cnncore.Model([], graph_of("a")[1]), ["inputs"]),
    "disconnected": (lambda: cnncore.Model(cnncore.Input((4,), name="other"), graph_of("a")[1]), ["connected", "'a'"]),
    "a name twice in a graph": (lambda: cnncore.Model(*graph_of("a", "a")), ["'a'", "name"]),
    "missing input": (lambda: shared()({"left": values(2, 6)}), ["right"]),
    "too many inputs": (lambda: shared()([values(2, 6)] * 3), ["2", "3"]),
    "one of two inputs": (lambda: shared()(values(2, 6)), ["2", "left", "right"]),
    "unknown layer": (lambda: cnncore.Model(*graph_of("alpha")).get_layer("alfa"), ["'alfa'", "alpha"]),
    "layer number": (lambda: cnncore.Model(*graph_of("alpha")).get_layer(index=9), ["9", "2"]),
    "no name or number": (lambda: cnncore.Model(*graph_of("alpha")).get_layer(), ["name", "index"]),
    "weights": (lambda: cnncore.Model(*graph_of("alpha")).set_weights([np.zeros(3)]), ["2", "1"]),
    "unbuilt weights": (lambda: Own().set_weights([np.zeros(3)]), ["built"]),
    "parameters": (lambda: Own(name="mine").count_params(), ["'mine'", "built"]),
    "NumPy on a graph": (lambda: np.tanh(cnncore.Input((4,))), ["KerasTensor", "ops"]),
    "truth of a graph": (lambda: bool(cnncore.Input((4,)) > 0), ["KerasTensor"]),
    "mixed": (lambda: layers.Dense(3)(cnncore.Input((4,)).numpy()), ["KerasTensor"]),
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_a_model_cannot_be_is_explained(name):
    program, words = ERRORS[name]
    with pytest.raises((ValueError, TypeError, AttributeError)) as error:
        program()
    message = str(error.value)
    assert not [word for word in words if word not in message], message
    assert "Received" in message, message
