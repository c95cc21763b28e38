"""Wrong programs are answered with what was expected, what came, and the fix."""
import numpy as np
import pytest

import cnncore
from cnncore import layers, losses
from cnncore.models.data import Batches


def model_of(loss="sparse_categorical_crossentropy", units=3, last="softmax", compiled=True, **arguments):
    model = cnncore.Sequential([layers.Input(shape=(8, 8, 1)), layers.Conv2D(4, 3, name="first_conv"),
                                layers.Flatten(), layers.Dense(units, activation=last, name="last_dense")])
    if compiled:
        model.compile("sgd", loss, **arguments)
    return model


X = np.zeros((10, 8, 8, 1), "float32")
Y = np.arange(10) % 3
NAN = np.array([0.0, 1.0, np.nan] + [0.0] * 7)


def two_outputs(**arguments):
    a = layers.Input(shape=(4,))
    model = cnncore.Model(a, [layers.Dense(1, name="p")(a), layers.Dense(3, name="q")(a)])
    model.compile("sgd", **arguments)
    return model


A = np.zeros((10, 4), "float32")


def once_trained(**arguments):
    model = two_outputs(**arguments)
    model.fit(A, {"p": A[:, :1], "q": A[:, :3]}, verbose=0)
    return model


# (program, words that its message must hold)
PROGRAMS = {
    "fit before compile": (lambda: model_of(compiled=False).fit(X, Y), ["fit()", "compile"]),
    "evaluate before compile": (lambda: model_of(compiled=False).evaluate(X, Y), ["evaluate()", "compile"]),
    "train_on_batch before compile": (lambda: model_of(compiled=False).train_on_batch(X, Y), ["train_on_batch()"]),
    "no data": (lambda: model_of().fit(), ["x", "None"]),
    "no targets": (lambda: model_of().fit(X), ["targets", "y"]),
    "no targets of one output": (lambda: two_outputs(loss="mse").fit(A, {"p": A[:, :1]}), ["output q", "loss", "y"]),
    "no targets of one output later": (lambda: once_trained(loss="mse").fit(A, {"p": A[:, :1]}), ["output q", "loss"]),
    "no targets of a metric later": (lambda: once_trained(loss={"p": "mse"}, metrics={"q": "mae"}).fit(A, {"p": A[:, :1]}),
                                     ["output q", "metrics", "y"]),
    "no loss": (lambda: model_of(loss=None).fit(X, Y), ["loss", "compile()"]),
    "empty arrays": (lambda: model_of().fit(X[:0], Y[:0]), ["at least one sample", "(0, 8, 8, 1)"]),
    "lengths differ": (lambda: model_of().fit(X, Y[:7]), ["x with 10", "y with 7"]),
    "weights of another length": (lambda: model_of().fit(X, Y, sample_weight=np.ones(4)), ["sample_weight with 4"]),
    "a list of images": (lambda: model_of().fit(list(X), Y), ["np.stack", "x[0] with 8", "..., x[9] with 8"]),
    "label too large": (lambda: model_of().fit(X, Y + 1), ["y ", "0 to 2", "3 at index 2", "last layer"]),
    "label below 0": (lambda: model_of().fit(X, Y - 1), ["0 to 2", "-1 at index 0"]),
    "label with a fraction": (lambda: model_of().fit(X, Y + 0.5), ["0 to 2", "0.5 at index 0"]),
    "label too large in evaluate": (lambda: model_of().evaluate(X, Y + 1), ["0 to 2", "3 at index 2"]),
    "label too large in validation": (lambda: model_of().fit(X, Y, validation_data=(X, Y + 1)), ["0 to 2", "3"]),
    "label too large on a batch": (lambda: model_of().train_on_batch(X, Y + 1), ["0 to 2", "3 at index 2"]),
    "label too large in the loss": (lambda: losses.sparse_categorical_crossentropy([5], [[0.5, 0.5]]),
                                    ["0 to 1", "5 at index 0"]),
    "NaN labels": (lambda: model_of().fit(X, NAN), ["y ", "NaN at index 2"]),
    "NaN targets": (lambda: model_of("mse", 1, None).fit(X, NAN), ["y ", "NaN at index 2"]),
    "NaN in a matrix of targets": (lambda: model_of("mse", 2, None).fit(X, np.stack([0 * NAN[:2].repeat(5), NAN], 1)),
                                   ["NaN at index (2, 1)"]),
    "one-hot for a sparse loss": (lambda: model_of().fit(X, np.eye(3)[Y]), ["(10, 3)", "'categorical_crossentropy'"]),
    "classes for a categorical loss": (lambda: model_of("categorical_crossentropy").fit(X, Y),
                                       ["one-hot", "(10, 3)", "(10,)", "sparse_categorical_crossentropy"]),
    "one-hot of another width": (lambda: model_of("categorical_crossentropy").fit(X, np.eye(4)[Y]),
                                 ["(10, 3)", "(10, 4)"]),
    "targets of another width": (lambda: model_of("mse", 2, None).fit(X, np.zeros((10, 3))), ["(10, 3)", "(10, 2)"]),
    "binary loss with classes": (lambda: model_of("binary_crossentropy").fit(X, Y), ["(10, 3)", "Dense(1)"]),
    "texts": (lambda: model_of().fit(np.array([["a"]] * 10), Y), ["x ", "<U1", "numbers"]),
    "objects": (lambda: model_of().fit(np.array([[1], None] * 5, object), Y), ["x ", "object", "np.stack"]),
    "ragged lists": (lambda: model_of().fit([[1, 2], [3]], [0, 1]), ["x ", "different lengths"]),
    "complex numbers": (lambda: model_of().fit(X.astype("complex64"), Y), ["complex64"]),
    "a single number": (lambda: model_of().fit(np.float32(3), Y), ["x ", "single number"]),
    "a text as data": (lambda: model_of().fit("mnist", Y), ["x ", "str"]),
    "targets with a generator": (lambda: model_of().fit((b for b in [(X, Y)]), Y), ["y ", "generator"]),
    "an empty generator": (lambda: model_of().fit(b for b in []), ["at least one batch"]),
    "wrong channels": (lambda: model_of().fit(np.zeros((10, 8, 8, 3)), Y), ["(10, 8, 8, 3)", "8, 8, 1"]),
    "wrong rank": (lambda: model_of().predict(np.zeros((10, 64))), ["(10, 64)", "8, 8, 1"]),
    "wrong size": (lambda: model_of().predict(np.zeros((10, 9, 8, 1))), ["(10, 9, 8, 1)", "8, 8, 1"]),
    "two inputs for one": (lambda: model_of().predict([X, X]), ["input"]),
    "batch size 0": (lambda: model_of().fit(X, Y, batch_size=0), ["batch_size=0"]),
    "batch size 1.5": (lambda: model_of().fit(X, Y, batch_size=1.5), ["batch_size=1.5"]),
    "epochs -1": (lambda: model_of().fit(X, Y, epochs=-1), ["epochs=-1"]),
    "validation_split 1.5": (lambda: model_of().fit(X, Y, validation_split=1.5), ["1.5"]),
    "validation_split of too little": (lambda: model_of().fit(X, Y, validation_split=0.999), ["10 samples"]),
    "validation_split of a generator": (lambda: model_of().fit((b for b in []), validation_split=0.5),
                                        ["validation_data"]),
    "validation_freq": (lambda: model_of().fit(X, Y, validation_freq=0), ["validation_freq=0"]),
    "a tuple of four": (lambda: model_of().fit(X, Y, validation_data=(X, Y, Y, Y)), ["4 elements"]),
    "class_weight and sample_weight": (lambda: model_of().fit(X, Y, class_weight={0: 1}, sample_weight=np.ones(10)),
                                       ["class_weight", "sample_weight"]),
    "class_weight as a list": (lambda: model_of().fit(X, Y, class_weight=[1, 2]), ["class_weight", "list"]),
    "unknown loss": (lambda: model_of("crossentropy_sparse"), ["'crossentropy_sparse'"]),
    "misspelt loss": (lambda: model_of("mean_square_error"), ["did you mean 'mean_squared_error'"]),
    "misspelt optimizer": (lambda: model_of(compiled=False).compile("adma", "mse"), ["did you mean 'adam'"]),
    "misspelt metric": (lambda: model_of(metrics=["accuracies"]), ["'accuracies'"]),
    "metrics as a number": (lambda: model_of(metrics=3), ["metrics=3", "is a list"]),
    "metric without targets": (lambda: model_of(metrics=[None]).fit(X, Y), ["None"]),
    "steps_per_execution 0": (lambda: model_of(steps_per_execution=0), ["steps_per_execution=0"]),
    "three weights for two losses": (lambda: model_of(["mse", "mae"], 1, loss_weights=[1, 2, 3]).fit(X, Y),
                                     ["2 losses", "3 for", "['mse', 'mae']"]),
    "no loss in a list": (lambda: two_outputs(loss=[[None], "mse"]).fit(A, [Y, Y]), ["at least", "[None]"]),
    "three losses for two outputs": (lambda: two_outputs(loss=["mse"] * 3).fit(A, [Y, Y]), ["2 outputs", "3 entries"]),
    "unknown output": (lambda: two_outputs(loss={"p": "mse", "z": "mse"}).fit(A, [Y, Y]), ["['p', 'q']", "['z']"]),
    "one target for two outputs": (lambda: two_outputs(loss="mse").fit(A, Y), ["2 output", "1 array"]),
    "metrics for other outputs": (lambda: two_outputs(loss="mse", metrics=["mae", "mae", "mae"]).fit(
        A, [Y[:, None], np.zeros((10, 3))]), ["metrics", "2 outputs"]),
    "loss_weights of another length": (lambda: two_outputs(loss="mse", loss_weights=[1.0]).fit(
        A, [Y[:, None], np.zeros((10, 3))]), ["loss_weights", "2"]),
    "weights of a shape of their own": (lambda: model_of("mse", 2, None).fit(
        X, np.zeros((10, 2)), sample_weight=np.ones((10, 5))), ["sample_weight", "(10, 5)"]),
    "unknown reduction": (lambda: losses.MeanSquaredError(reduction="average"), ["'average'", "'mean'"]),
    "unknown argument of compile": (lambda: model_of(compiled=False).compile(optimiser="sgd"), ["optimiser"]),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_wrong_program_is_explained(name):
    program, words = PROGRAMS[name]
    with pytest.raises((ValueError, TypeError)) as error:
        program()
    message = str(error.value)
    missing = [word for word in words if word not in message]
    assert not missing, message
    if name != "unknown argument of compile":  # Python's own message
        assert "Received" in message


def test_messages_of_kept_values_do_not_change_the_model():
    model = model_of()
    before = [w.tobytes() for w in model.get_weights()]
    for y in (Y + 1, NAN):
        with pytest.raises(ValueError):
            model.fit(X, y, verbose=0)
    assert [w.tobytes() for w in model.get_weights()] == before
    model.fit(X, Y, verbose=0)


def test_a_program_that_is_right_is_left_alone():
    Batches(X, Y, np.ones(10))
    model_of().fit(X, Y.astype("float32"), verbose=0)
    model_of("mse", 1, None).fit(X, Y.astype("uint8"), verbose=0)
