"""Plans that a call of fit leaves to the next: made once, made anew when the model changes, and holding no data."""
import gc
import weakref

import numpy as np
import pytest

import cnncore
from cnncore import callbacks, layers
from cnncore.models.steps import Step

X = np.random.default_rng(0).random((40, 8, 8, 1), dtype="float32")
Y = np.arange(40) % 3


@pytest.fixture
def recorded(monkeypatch):
    """The steps that have been recorded."""
    steps, record = [], Step.record

    def recording(self, *args, **kwargs):
        steps.append(self)
        record(self, *args, **kwargs)

    monkeypatch.setattr(Step, "record", recording)
    return steps


def network(**compile_arguments):
    cnncore.utils.set_random_seed(3)
    model = cnncore.Sequential([
        layers.Input(shape=(8, 8, 1)), layers.Conv2D(4, 3, activation="relu"), layers.MaxPooling2D(2),
        layers.Flatten(), layers.Dropout(0.2), layers.Dense(3, activation="softmax")])
    model.compile(**{"optimizer": "adam", "loss": "sparse_categorical_crossentropy", **compile_arguments})
    return model


def fit(model, x=X, y=Y, **arguments):
    return model.fit(x, y, **{"batch_size": 16, "verbose": 0, "shuffle": False, **arguments})


def weights_of(model):
    return [weight.tobytes() for weight in model.get_weights()]


def test_the_next_fit_uses_the_plans_of_the_last_and_learns_the_same(recorded):
    model, other = network(), network()
    for x, y in ((X, Y), (X[::-1].copy(), Y[::-1].copy()), (X[:32], Y[:32])):
        fit(model, x, y)
        made = len(recorded)
        fit(other, x, y)
        other._drop_plans()
        assert weights_of(model) == weights_of(other)
        del recorded[made:]
    assert len(recorded) == 2  # for 16 rows and for the last 8 of 40


def test_batches_of_a_generator_share_a_plan(recorded):
    def batches():
        while True:
            for first in range(0, 32, 16):
                yield X[first:first + 16], Y[first:first + 16]

    model, other = network(), network()
    model.fit(batches(), steps_per_epoch=2, epochs=3, verbose=0)
    assert len(recorded) == 1
    fit(other, X[:32], Y[:32], epochs=3)
    assert weights_of(model) == weights_of(other)


def test_validation_keeps_its_plan_too(recorded):
    model = network()
    first = fit(model, validation_data=(X[:16], Y[:16]), batch_size=20)
    second = fit(model, validation_data=(X[16:32], Y[16:32]), batch_size=20)
    assert len(recorded) == 2
    assert second.history["val_loss"] == [pytest.approx(model.evaluate(X[16:32], Y[16:32], verbose=0), rel=1e-5)]
    assert first.history["val_loss"] != second.history["val_loss"]


def set_rate(model):
    model.layers[3].rate = 0.5


def set_clipping(model):
    model.optimizer.clipnorm = 0.01


def freeze(model):
    model.layers[0].trainable = False


def compile_again(model):
    model.compile("sgd", "sparse_categorical_crossentropy")


def use_one_thread(model):
    cnncore.set_num_threads(1)


@pytest.mark.parametrize("change", [set_rate, set_clipping, freeze, compile_again, use_one_thread],
                         ids=lambda change: change.__name__)
def test_a_change_of_the_model_makes_a_plan_anew(recorded, change):
    threads = cnncore.get_num_threads()
    try:
        cnncore.set_num_threads(2)
        model = network()
        fit(model, X[:32], Y[:32])
        fit(model, X[:32], Y[:32])
        assert len(recorded) == 1
        change(model)
        fit(model, X[:32], Y[:32])
        assert len(recorded) == 2
    finally:
        cnncore.set_num_threads(threads)


def test_a_model_that_is_compiled_while_it_trains_keeps_no_plan_of_before(recorded):
    class Compiling(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            compile_again(self.model)

    model = network()
    fit(model, X[:32], Y[:32], callbacks=[Compiling()])
    fit(model, X[:32], Y[:32])
    assert len(recorded) == 2


def test_a_layer_that_remembers_what_it_saw_is_no_change(recorded):
    class Remembering(layers.Layer):
        def call(self, x):
            self.seen = x.shape
            return x

    model = cnncore.Sequential([layers.Input(shape=(4,)), Remembering(), layers.Dense(1)])
    model.compile("sgd", "mse")
    for _ in range(3):
        model.fit(X[:, 0, :4, 0], Y.astype("float32"), batch_size=40, verbose=0)
        model.train_on_batch(X[:, 0, :4, 0], Y.astype("float32"))
    assert len(recorded) == 2


@pytest.mark.parametrize("fails", [False, True], ids=("done", "interrupted"))
def test_no_data_outlives_fit(fails):
    class Failing(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if fails:
                raise KeyboardInterrupt

    model, x = network(), X.copy()
    seen = weakref.ref(x)
    try:
        fit(model, x, callbacks=[Failing()])
    except KeyboardInterrupt:
        assert fails
    del x
    gc.collect()
    assert seen() is None
    fit(model)


def test_a_plan_that_has_let_go_of_its_data_does_not_run(recorded):
    fit(network())
    with pytest.raises(RuntimeError, match="bound again"):
        recorded[0].run()


def test_a_generator_of_many_shapes_keeps_few_plans(monkeypatch):
    alive, most, record = weakref.WeakSet(), [], Step.record

    def recording(self, *args, **kwargs):
        record(self, *args, **kwargs)
        gc.collect()
        alive.add(self)
        most.append(len(alive))

    monkeypatch.setattr(Step, "record", recording)
    model = network()
    model.fit(((X[:rows], Y[:rows]) for rows in range(2, 22)), epochs=1, verbose=0)
    assert len(most) == 20 and max(most) <= 10 and len(model._plans.bound) == 4


def test_an_optimizer_that_makes_tensors_is_no_change(recorded):
    model = network(optimizer=cnncore.optimizers.Adam(amsgrad=True))
    for _ in range(3):
        fit(model)
    assert len(recorded) == 2


def test_few_plans_are_kept(recorded):
    model = network()
    for rows in range(4, 14):
        fit(model, X[:rows], Y[:rows])
    assert len(recorded) == 10 and len(model._plans.bound) == 4
