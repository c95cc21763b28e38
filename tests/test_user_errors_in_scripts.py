"""Slips that scripts of beginners hold: what went wrong, what came, and the fix are said, or at least a warning."""
import warnings

import numpy as np
import pytest

import cnncore
from cnncore import callbacks, layers, losses, optimizers

g = np.random.default_rng(0)
X = g.random((20, 12, 12, 1), dtype="float32")
Y = np.arange(20) % 10
ONE_HOT = np.eye(10, dtype="float32")[Y]


def cnn(units=10, last="softmax", loss="sparse_categorical_crossentropy", optimizer="adam", flat=True, **arguments):
    model = cnncore.Sequential([layers.Input((12, 12, 1)), layers.Conv2D(4, 3, activation="relu", name="conv")])
    if flat:
        model.add(layers.Flatten())
    model.add(layers.Dense(units, activation=last, name="out"))
    model.compile(optimizer, loss, **arguments)
    return model


def fit(model, x=X, y=Y, **arguments):
    return model.fit(x, y, verbose=0, **arguments)


def batches():
    for _ in range(3):
        yield X[:4], Y[:4]


def without_targets():
    yield X[:4]


class NoReturn(cnncore.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, x):
        self.dense(x)


class OneUnit(cnncore.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1, activation="softmax")

    def call(self, x):
        return self.dense(x)

    def compiled_here(self):
        self.compile("sgd", "binary_crossentropy")
        return self


def own_model_without_return():
    model = NoReturn()
    model.compile("sgd", "mse")
    model.fit(X[:, 0, :, 0], X[:, 0, :3, 0])


def weights_of_another_model(tmp_path):
    path = str(tmp_path / "other.weights.h5")
    cnn(5).save_weights(path)
    cnn().load_weights(path)


# name: (program, words that its message must hold)
PROGRAMS = {
    "images of another size": (lambda: fit(cnn(), X[:, :10]),
                               ["(None, 12, 12, 1)", "(20, 10, 12, 1)", "Resizing", "Input(shape=(10, 12, 1))"]),
    "colour images": (lambda: fit(cnn(), X.repeat(3, -1)), ["(20, 12, 12, 3)", "1 channel,", "Input(shape=(12, 12, 3))"]),
    "channels first": (lambda: fit(cnn(), X.transpose(0, 3, 1, 2)), ["x.transpose(0, 2, 3, 1)"]),
    "flat images": (lambda: cnn().predict(X.reshape(20, -1)), ["(20, 144)", "x.reshape(-1, 12, 12, 1)"]),
    "a single image": (lambda: cnn().predict(X[0]), ["x[None]"]),
    "no channels": (lambda: cnncore.Sequential([layers.Input((12, 12)), layers.Conv2D(4, 3, name="conv")]),
                    ["'conv'", "4 axes", "(None, 12, 12)", "x[..., None]"]),
    "Flatten forgotten": (lambda: fit(cnn(flat=False)), ["(20,)", "(20, 10, 10, 10)", "Flatten()"]),
    "Flatten forgotten, one-hot": (lambda: fit(cnn(flat=False, loss="categorical_crossentropy"), y=ONE_HOT),
                                   ["(20, 10)", "(20, 10, 10, 10)", "Flatten()"]),
    "Flatten too early": (lambda: cnncore.Sequential([layers.Input((12, 12, 1)), layers.Flatten(), layers.Conv2D(4, 3)]),
                          ["4 axes", "(None, 144)"]),
    "kernel larger than the image": (lambda: cnncore.Sequential([layers.Input((4, 4, 1)), layers.Conv2D(4, 5)]),
                                     ["(5, 5)", "(None, 4, 4, 1)", "padding='same'"]),
    "one-hot for a sparse loss": (lambda: fit(cnn(), y=ONE_HOT), ["(20, 10)", "'categorical_crossentropy'"]),
    "class numbers for a categorical loss": (lambda: fit(cnn(loss="categorical_crossentropy")),
                                             ["(20,)", "to_categorical", "'sparse_categorical_crossentropy'"]),
    "labels from 1": (lambda: fit(cnn(), y=Y + 1), ["0 to 9", "10 at index 9", "number the classes from 0"]),
    "too few units": (lambda: fit(cnn(5)), ["0 to 4", "5 at index 5", "more units"]),
    "too few units, one-hot": (lambda: fit(cnn(5, loss="categorical_crossentropy"), y=ONE_HOT),
                               ["(20, 5)", "(20, 10)", "10 units"]),
    "labels as words": (lambda: fit(cnn(), y=np.array(["cat"] * 20)), ["y ", "<U3"]),
    "lengths differ": (lambda: fit(cnn(), y=Y[:15]), ["x with 20", "y with 15"]),
    "metric misspelt": (lambda: fit(cnn(metrics=["acuracy"])), ["'acuracy'", "did you mean 'accuracy'"]),
    "metrics in third place": (lambda: cnn().compile("adam", "mse", ["accuracy"]), ["loss_weights", "metrics=[...]"]),
    "optimizer misspelt": (lambda: cnn(optimizer="adamm"), ["An optimizer", "'adamm'", "did you mean 'adam'"]),
    "optimizer of no known name": (lambda: cnn(optimizer="newton"), ["'newton'", "adam, adamax", "sgd"]),
    "loss misspelt": (lambda: cnn(loss="categorical_crossentrop"), ["did you mean 'categorical_crossentropy'"]),
    "activation misspelt": (lambda: layers.Dense(3, activation="rellu"), ["'rellu'", "did you mean 'relu'"]),
    "initializer misspelt": (lambda: layers.Dense(3, kernel_initializer="he_norml"), ["did you mean 'he_normal'"]),
    "regularizer misspelt": (lambda: layers.Dense(3, kernel_regularizer="l22"), ["'l22'", "did you mean 'l2'"]),
    "argument misspelt": (lambda: layers.Conv2D(4, 3, activaton="relu"), ["Conv2D", "did you mean 'activation'"]),
    "layer misspelt": (lambda: layers.Conv2d(4, 3), ["'Conv2d'", "did you mean 'Conv2D'"]),
    "the old name of the rate": (lambda: optimizers.Adam(lr=0.1), ["lr", "learning_rate"]),
    "rate as a text": (lambda: optimizers.Adam("0.1"), ["learning_rate='0.1'", "one number"]),
    "fit before compile": (lambda: fit(cnncore.Sequential([layers.Input((12, 12, 1)), layers.Flatten()])),
                           ["fit()", "model.compile(", "metrics=[...]"]),
    "targets forgotten": (lambda: fit(cnn(), y=None), ["out", "as y"]),
    "an empty generator": (lambda: cnn().fit(iter([])), ["at least one batch"]),
    "a generator that is not called": (lambda: cnn().fit(batches), ["function", "batches()"]),
    "a generator without targets": (lambda: cnn().fit(without_targets()), ["tuples (x, y)"]),
    "validation_split of a generator": (lambda: cnn().fit(batches(), validation_split=0.2), ["validation_data"]),
    "validation data without targets": (lambda: fit(cnn(), validation_data=X), ["(x_val, y_val)", "(20, 12, 12, 1)"]),
    "batch_size 0": (lambda: fit(cnn(), batch_size=0), ["batch_size=0", "1 or more"]),
    "epochs as a text": (lambda: fit(cnn(), epochs="3"), ["epochs='3'", "integer"]),
    "class_weight by texts": (lambda: fit(cnn(), class_weight={"0": 2.0}), ["'0'", "number of the class"]),
    "a callback's class": (lambda: fit(cnn(), callbacks=[callbacks.EarlyStopping]), ["EarlyStopping()"]),
    "a layer called on a list": (lambda: layers.Dense(3, name="d")([1, 2, 3]), ["'d'", "(3,)", "x[None]"]),
    "a layer as an output": (lambda: cnncore.Model(layers.Input((3,)), layers.Dense(3)), ["Dense", "layer(x)"]),
    "wrong data_format": (lambda: layers.Conv2D(4, 3, data_format="NHWC"), ["'channels_last'", "'NHWC'"]),
    "layers without brackets": (lambda: cnncore.Sequential(layers.Flatten(), layers.Dense(3)), ["list", "brackets"]),
    "filters and kernel_size swapped": (lambda: layers.Conv2D((3, 3), 32), ["filters=(3, 3)", "whole number"]),
    "Input without brackets": (lambda: layers.Input(28, 28, 1), ["tuple", "Input(shape=(28, 28, 1))"]),
    "Input of an array": (lambda: layers.Input(shape=X), ["x.shape[1:]"]),
    "Input with the batch": (lambda: cnncore.Sequential([layers.Input(X.shape), layers.Conv2D(4, 3)]),
                             ["(None, 20, 12, 12, 1)", "without the batch", "Input(shape=(12, 12, 1))"]),
    "patience as a text": (lambda: callbacks.EarlyStopping(patience="3"), ["EarlyStopping", "patience='3'"]),
    "an optimizer's argument misspelt": (lambda: optimizers.Adam(beta1=0.9), ["beta1", "did you mean 'beta_1'"]),
    "class numbers for a categorical metric": (lambda: fit(cnn(metrics=["categorical_accuracy"])),
                                               ["one-hot", "(20,)", "'sparse_categorical_accuracy'"]),
    "a history taken for its curves": (lambda: fit(cnn())["loss"], ["history.history['loss']"]),
    "a curve that is not there": (lambda: fit(cnn(metrics=["accuracy"])).history["acc"], ["accuracy, loss", "'acc'"]),
    "a call without return": (own_model_without_return, ["call()", "None", "return"]),
    "fit_generator": (lambda: cnn().fit_generator(batches()), ["fit_generator()", "Sequential", "use fit("]),
    "predict_classes": (lambda: cnn().predict_classes(X), ["predict(x).argmax(axis=-1)"]),
    "weights of another model": (weights_of_another_model, ["'out'", "(400, 10)", "(400, 5)", "Nothing was changed"]),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_slip_is_answered_with_the_rule_what_came_and_the_fix(name, tmp_path):
    program, words = PROGRAMS[name]
    with pytest.raises((ValueError, TypeError, AttributeError, KeyError)) as error:
        program(tmp_path) if program is weights_of_another_model else program()
    message = str(error.value)
    assert not [word for word in words if word not in message], message
    assert "Received" in message or name == "layer misspelt", message  # that one is in Python's own words


# name: (program that runs, words that a warning must hold)
DOUBTFUL = {
    "softmax of one unit": (lambda: fit(cnn(1, loss="binary_crossentropy"), y=Y % 2),
                            ["'out'", "1 unit", "activation='sigmoid'"]),
    "softmax of one unit in a class of one's own": (lambda: fit(OneUnit().compiled_here(), X[:, 0, :, 0], Y % 2),
                                                    ["1 unit", "activation='sigmoid'"]),
    "no softmax": (lambda: fit(cnn(last=None)), ["'out'", "'linear'", "activation='softmax'", "from_logits=True"]),
    "relu at the end": (lambda: fit(cnn(last="relu")), ["'out'", "'relu'", "activation='softmax'"]),
    "no sigmoid": (lambda: fit(cnn(1, None, "binary_crossentropy"), y=Y % 2), ["'linear'", "activation='sigmoid'"]),
    "targets of a binary loss": (lambda: fit(cnn(1, "sigmoid", "binary_crossentropy"), y=Y % 2 * 255),
                                 ["from 0 to 1", "y from 0 to 255", "divide them by 255"]),
    "softmax twice": (lambda: fit(cnn(loss=losses.SparseCategoricalCrossentropy(from_logits=True))),
                      ["from_logits=True", "twice", "'softmax'"]),
    "softmax as a layer of its own, twice": (
        lambda: fit(with_softmax_layer(losses.SparseCategoricalCrossentropy(from_logits=True))), ["twice"]),
    "NaN in the images": (lambda: fit(cnn(), np.where(np.arange(12) == 5, np.nan, X[..., 0])[..., None]),
                          ["nan in epoch 1", "x holds nan at index (0, 0, 5, 0)", "nan_to_num"]),
    "a rate that is far too large": (lambda: fit(cnn(1, None, "mse", optimizers.SGD(1e20)), epochs=8),
                                     ["lower the learning_rate"]),
    "a generator that ends early": (lambda: cnn().fit(batches(), steps_per_epoch=5, epochs=2, verbose=0),
                                    ["after 3 batches of epoch 1", "`while True:`", "steps_per_epoch"]),
    "an unknown metric to watch": (lambda: fit(cnn(metrics=["accuracy"]), callbacks=[callbacks.EarlyStopping("val_acc")]),
                                   ["'val_acc'", "accuracy, loss"]),
}


def with_softmax_layer(loss):
    model = cnn(last=None)
    model.add(layers.Softmax())
    model.compile("sgd", loss)
    return model


@pytest.mark.parametrize("name", DOUBTFUL)
def test_a_doubtful_program_runs_with_a_warning(name):
    program, words = DOUBTFUL[name]
    with pytest.warns(UserWarning) as caught:
        program()
    messages = [str(one.message) for one in caught]
    assert any(all(word in message for word in words) for message in messages), messages
    if name != "an unknown metric to watch":  # a callback does not know the line
        assert any(one.filename == __file__ for one in caught)


def test_an_epoch_without_a_batch_is_not_the_best():
    seen = []
    note = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(dict(logs)))
    with pytest.warns(UserWarning, match="no batch for this epoch"):
        history = cnn().fit(batches(), epochs=3, verbose=0, validation_data=(X, Y), callbacks=[note]).history
    assert len(seen) == 2 and seen[1]["loss"] == seen[0]["loss"] > 0 and seen[1]["val_loss"] == seen[0]["val_loss"]
    assert history["loss"] == [seen[0]["loss"]] * 2


def test_what_is_right_is_not_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(cnn())
        fit(cnn(last=None, loss=losses.SparseCategoricalCrossentropy(from_logits=True)))
        fit(cnn(1, "sigmoid", "binary_crossentropy"), y=Y % 2)
        fit(cnn(1, None, "mse"))
        fit(with_softmax_layer("sparse_categorical_crossentropy"))
        x = layers.Input((12, 12, 1))
        model = cnncore.Model(x, cnncore.ops.softmax(layers.Dense(10)(layers.Flatten()(x))))
        model.compile("sgd", "sparse_categorical_crossentropy")
        fit(model)


def test_a_warning_comes_once_after_each_compile():
    model = cnn(last=None)
    with pytest.warns(UserWarning, match="probabilities"):
        fit(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(model)
        model.evaluate(X, Y, verbose=0)


def test_former_methods_are_not_there():
    assert not hasattr(cnn(), "fit_generator") and not hasattr(cnncore.Model, "predict_classes")
