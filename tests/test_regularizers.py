"""Regularizers have Keras's values and the gradients of their formulas, and train inside a plan."""
import os

os.environ.setdefault("KERAS_BACKEND", "numpy")

import numpy as np
import pytest

import cnncore
from cnncore import regularizers

keras = pytest.importorskip("keras", exc_type=ImportError)

W = np.random.default_rng(3).standard_normal((4, 3)).astype("float32")


@pytest.mark.parametrize("name, arguments", [("L1", {"l1": 0.3}), ("L2", {}), ("L1L2", {"l1": 0.1, "l2": 0.2}),
                                             ("OrthogonalRegularizer", {"factor": 0.5})])
def test_a_regularizer_has_keras_value_and_config(name, arguments):
    ours, theirs = getattr(regularizers, name)(**arguments), getattr(keras.regularizers, name)(**arguments)
    assert float(ours(cnncore.Tensor(W))) == pytest.approx(float(theirs(W)), rel=1e-5)
    assert set(ours.get_config()) == set(theirs.get_config())
    again = regularizers.deserialize(regularizers.serialize(ours))
    assert type(again) is type(ours) and again.get_config() == ours.get_config()


def test_columns_are_the_rows_of_the_transposed_matrix():
    columns, rows = (regularizers.OrthogonalRegularizer(0.5, mode) for mode in ("columns", "rows"))
    assert float(columns(cnncore.Tensor(W))) == pytest.approx(float(rows(cnncore.Tensor(W.T.copy()))), rel=1e-6)
    orthogonal = np.linalg.qr(np.random.default_rng(1).standard_normal((4, 4)))[0].astype("float32")
    assert float(rows(cnncore.Tensor(orthogonal))) == pytest.approx(0, abs=1e-6)


def test_the_gradient_of_the_orthogonal_regularizer_is_that_of_its_formula():
    regularizer, w = regularizers.OrthogonalRegularizer(1.0), cnncore.Variable(W)
    with cnncore.GradientTape() as tape:
        loss = regularizer(w)
    direction = np.random.default_rng(2).standard_normal(W.shape).astype("float32")
    h = 1e-2
    slope = (float(regularizer(cnncore.Tensor(W + h * direction))) -
             float(regularizer(cnncore.Tensor(W - h * direction)))) / (2 * h)
    assert float((tape.gradient(loss, w).numpy() * direction).sum()) == pytest.approx(slope, rel=2e-2)


@pytest.mark.parametrize("eager", [False, True])
def test_it_makes_rows_of_a_kernel_orthogonal_while_training(eager):
    model = cnncore.Sequential([cnncore.Input((3,)),
                                cnncore.layers.Dense(5, kernel_regularizer="orthogonal_regularizer")])
    model.compile(cnncore.optimizers.SGD(0.5), lambda t, p: cnncore.ops.mean(p * 0.0, axis=-1), run_eagerly=eager)
    x = np.zeros((32, 3), "float32")
    history = model.fit(x, x[:, :1], batch_size=4, epochs=4, verbose=0).history["loss"]
    assert history[-1] < history[0]


@pytest.mark.parametrize("program, words", [
    (lambda: regularizers.OrthogonalRegularizer(mode="both"), "mode='both'"),
    (lambda: regularizers.OrthogonalRegularizer(-1), "factor=-1"),
    (lambda: regularizers.OrthogonalRegularizer()(cnncore.Tensor(np.zeros((2, 2, 2)))), "(2, 2, 2)"),
])
def test_wrong_arguments_are_named(program, words):
    with pytest.raises(ValueError, match="Received") as error:
        program()
    assert words in str(error.value)
