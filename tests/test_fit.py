"""fit, evaluate and predict: Keras's names, numbers and order, the same bits eagerly, in plans and on any threads."""
import os

os.environ.setdefault("KERAS_BACKEND", "numpy")


import numpy as np
import pytest
from fit_models import images, pair_of_models, small_cnn, trained, weights_of

import cnncore
from cnncore import _core, layers
from cnncore.models.data import Batches

keras = pytest.importorskip("keras", exc_type=ImportError)

# ---- bits --------------------------------------------------------------------------------------------------------

def bn_dropout_model():
    cnncore.utils.set_random_seed(2)
    return cnncore.Sequential([
        layers.Input(shape=(8, 8, 1)), layers.Conv2D(6, 3, padding="same"), layers.BatchNormalization(),
        layers.Activation("relu"), layers.MaxPooling2D(2), layers.Dropout(0.3), layers.Flatten(),
        layers.Dense(3, activation="softmax")])


@pytest.mark.parametrize("make", [small_cnn, bn_dropout_model])
def test_eager_and_plan_train_to_the_same_bits(make):
    runs = [trained(eager=eager, model=make(), validation_split=0.2) for eager in (False, True)]
    assert weights_of(runs[0][0]) == weights_of(runs[1][0])
    assert runs[0][1].history == runs[1][1].history


@pytest.mark.parametrize("make", [small_cnn, bn_dropout_model])
def test_any_number_of_threads_trains_to_the_same_bits(make):
    before, found = _core.threads(), set()
    try:
        for threads in (1, 2, 3):
            _core.set_threads(threads)
            found.add(tuple(weights_of(trained(model=make())[0])))
    finally:
        _core.set_threads(before)
    assert len(found) == 1


def test_training_step_by_step_equals_fit_to_the_bit():
    model, _ = trained(epochs=1, shuffle=False)
    other = small_cnn()
    other.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = images()
    for i in range(0, 50, 16):
        other.train_on_batch(x[i:i + 16], y[i:i + 16])
    assert weights_of(model) == weights_of(other)


def test_two_fits_equal_a_resumed_one():
    model, _ = trained(epochs=3)
    other = small_cnn()
    x, y = images()
    other.compile("adam", "sparse_categorical_crossentropy")
    for first, last in ((0, 1), (1, 3)):
        cnncore.utils.set_random_seed(5)
        other.fit(x, y, batch_size=16, initial_epoch=first, epochs=last, verbose=0)
    assert weights_of(model) == weights_of(other)


def test_recording_a_step_changes_no_value():
    model = small_cnn()
    model.compile("adam", "sparse_categorical_crossentropy")
    x, y = images(8)
    batches = Batches(x, y, batch_size=8)
    from cnncore.models.loops import prepare
    from cnncore.models.steps import BoundStep

    prepare(model, batches, "fit", learns=True)
    before = weights_of(model)
    step = BoundStep(model.train_step, True, batches, 8)
    assert weights_of(model) == before and int(model.optimizer.iterations) == 0
    step.run()
    assert weights_of(model) != before and int(model.optimizer.iterations) == 1


# ---- Keras's numbers and names -----------------------------------------------------------------------------------

@pytest.mark.parametrize("loss, last, units, targets", [
    ("sparse_categorical_crossentropy", "softmax", 3, lambda y: y),
    ("categorical_crossentropy", "softmax", 3, lambda y: np.eye(3, dtype="float32")[y]),
    ("crossentropy", "softmax", 3, lambda y: y),
    ("binary_crossentropy", "sigmoid", 1, lambda y: y > 0),
    ("mse", None, 1, lambda y: y.astype("float64")),
    (lambda y_true, y_pred: (y_true - y_pred) * (y_true - y_pred), None, 1, lambda y: y[:, None].astype("float32")),
])
@pytest.mark.parametrize("weighted", [False, True])
def test_evaluation_gives_keras_numbers(loss, last, units, targets, weighted):
    ours, theirs = pair_of_models(last=last, units=units)
    x, y = images()
    weight = np.linspace(0, 2, len(y)).astype("float32") if weighted else None
    found = []
    for model in (ours, theirs):
        arguments = {"weighted_metrics": ["mae"]} if units == 1 else {}
        model.compile("sgd", loss, metrics=["accuracy", "mse"] if units == 1 else ["acc"], **arguments)
        found.append((model.evaluate(x, targets(y), batch_size=16, sample_weight=weight, verbose=0, return_dict=True),
                      model.evaluate(x, targets(y), batch_size=16, sample_weight=weight, verbose=0)))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-4, abs=1e-6)
    assert found[0][1] == pytest.approx(found[1][1], rel=1e-4, abs=1e-6)
    assert list(found[0][0]) == list(found[1][0])
    assert ours.metrics_names == theirs.metrics_names
    np.testing.assert_allclose(ours.predict(x, verbose=0), theirs.predict(x, verbose=0), rtol=1e-5, atol=1e-6)


def test_evaluate_without_metrics_gives_a_number():
    model = small_cnn()
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert isinstance(model.evaluate(*images(), verbose=0), float)


@pytest.mark.parametrize("name, key", [("accuracy", "accuracy"), ("acc", "acc"), ("Accuracy", "Accuracy"),
                                       ("sparse_categorical_accuracy", "sparse_categorical_accuracy")])
def test_history_has_keras_keys(name, key):
    model = small_cnn()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=[name])
    history = model.fit(*images(), epochs=2, validation_split=0.2, verbose=0)
    assert set(history.history) == {key, "loss", f"val_{key}", "val_loss"}
    assert all(len(values) == 2 and all(isinstance(v, float) for v in values) for values in history.history.values())
    assert history.epoch == [0, 1]
    assert model.history is history
    assert 0 <= history.history[key][0] <= 1


def test_a_metric_given_twice_gets_a_number():
    model = small_cnn()
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy", "accuracy"],
                  weighted_metrics=["accuracy"])
    logs = model.evaluate(*images(), verbose=0, return_dict=True)
    assert set(logs) == {"loss", "accuracy", "accuracy_1", "weighted_accuracy"}


def test_batch_results_are_lists_in_keras_order():
    ours, theirs = pair_of_models()
    x, y = images(8)
    for model in (ours, theirs):
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["acc"])
    theirs_logs = theirs.evaluate(x, y, verbose=0)
    assert ours.test_on_batch(x, y) == pytest.approx(theirs_logs, rel=1e-4)
    assert set(ours.test_on_batch(x, y, return_dict=True)) == {"loss", "acc"}
    assert ours.train_on_batch(x, y) == pytest.approx(theirs_logs, rel=1e-4)
    assert ours.predict_on_batch(x).shape == (8, 3)


# ---- data --------------------------------------------------------------------------------------------------------

def seen_rows(batches, epoch=0):
    """The first number of every row that an epoch's batches give."""
    found = []
    for first, rows in batches.epoch(epoch):
        batches.go_to(first)
        found.append(batches.gather(rows).numpy().reshape(rows, -1)[:, 0].tolist())
    return found


def test_validation_takes_the_last_part_unshuffled():
    model = small_cnn()
    x, y = images(50)
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["acc"])
    history = model.fit(x, y, epochs=1, validation_split=0.3, verbose=0)
    expected = model.evaluate(x[35:], y[35:], verbose=0, return_dict=True)
    assert history.history["val_loss"] == [expected["loss"]]
    assert history.history["val_acc"] == [expected["acc"]]


def test_every_row_comes_once_in_each_epoch_and_shuffling_changes_the_order():
    cnncore.utils.set_random_seed(1)
    x = np.arange(10, dtype="float32")
    plain, shuffled = Batches(x, batch_size=4), Batches(x, batch_size=4, shuffle=True)
    assert seen_rows(plain) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    first, second = seen_rows(shuffled, 0), seen_rows(shuffled, 1)
    assert first != second
    assert sorted(sum(first, [])) == sorted(sum(second, [])) == x.tolist()
    assert seen_rows(shuffled, 0) == first
    within = seen_rows(Batches(x, batch_size=4, shuffle="batch"))
    assert [sorted(batch) for batch in within] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert within != seen_rows(plain)


def test_steps_cut_the_data_into_parts_that_go_on():
    x = np.arange(10, dtype="float32")
    batches = Batches(x, batch_size=2, steps=3)
    assert seen_rows(batches) == [[0, 1], [2, 3], [4, 5]]
    assert seen_rows(batches, 1) == [[6, 7], [8, 9]]
    assert Batches(x, steps=4).batch_size == 3


KINDS = {
    "uint8": lambda x: x.astype("uint8"), "float64": lambda x: x.astype("float64"), "int64": lambda x: x.astype(int),
    "float16": lambda x: x.astype("float16"), "bool": lambda x: x > 2, "lists": lambda x: x.tolist(),
    "fortran": np.asfortranarray, "backwards": lambda x: x[::-1][::-1][:], "reversed": lambda x: x[::-1].copy()[::-1],
    "big endian": lambda x: x.astype(">f4"), "big endian ints": lambda x: x.astype(">i4"),
    "read only": lambda x: np.broadcast_to(x, x.shape), "long": lambda x: x.astype(np.longdouble),
    "tensor": lambda x: cnncore.Tensor(x), "strided": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
}


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_of_every_kind_are_read_as_numbers(kind):
    x = np.random.default_rng(1).integers(0, 5, (9, 3)).astype("float32")
    given = KINDS[kind](x)
    batches = Batches(given, batch_size=4)
    rows = np.concatenate([np.asarray(batches.gather(n).numpy()) for first, n in batches.epoch(0)
                           if batches.go_to(first) is None])
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, x > 2 if kind == "bool" else x)


def test_contiguous_arrays_are_not_copied():
    x = np.zeros((10, 3), "uint8")
    assert Batches(x).sources[0] is x or Batches(x).sources[0].base is x
    (train, _, _), (val, _, _) = cnncore.models.data.split_validation(x, None, None, 0.5)
    assert np.shares_memory(Batches(train).sources[0], x) and np.shares_memory(Batches(val).sources[0], x)


def test_targets_keep_integers_that_fit_and_become_floats_where_they_do_not():
    x = np.zeros((2, 1), "float32")
    for y, dtype, values in ((np.array([1, 2]), "int32", [1, 2]), (np.array([True, False]), "int32", [1, 0]),
                             (np.array([2**40, 1]), "float32", [2.0**40, 1]),
                             (np.array([0.5, 1]), "float32", [0.5, 1])):
        _, got = Batches(x, y).gather(2)
        assert got.dtype == dtype and got.numpy().tolist() == values


def test_class_weights_become_sample_weights_as_in_keras():
    from keras.src.trainers.data_adapters.data_adapter_utils import class_weight_to_sample_weights

    y = np.array([0, 2, 1, 2])
    for given in (y, y[:, None], np.eye(3)[y], y.astype("float32")):
        _, _, weight = Batches(np.zeros((4, 1)), given, class_weight={0: 2.0, 2: 0.5}).gather(4)
        np.testing.assert_array_equal(weight.numpy(), class_weight_to_sample_weights(given, {0: 2.0, 2: 0.5}))


def test_weights_change_the_training():
    x, y = images()
    found = []
    for arguments in ({}, {"class_weight": {0: 5.0}}, {"sample_weight": np.where(y == 0, 5.0, 1.0)}):
        found.append(weights_of(trained(shuffle=False, **arguments)[0]))
    assert found[1] == found[2] != found[0]


def test_a_generator_trains_as_arrays_do():
    x, y = images(48)
    model, _ = trained(rows=48, shuffle=False)
    other = small_cnn()
    other.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])

    def forever():
        while True:
            for i in range(0, 48, 16):
                yield x[i:i + 16], y[i:i + 16]

    history = other.fit(forever(), steps_per_epoch=3, epochs=2, verbose=0)
    assert weights_of(model) == weights_of(other)
    assert len(history.history["loss"]) == 2

    class Items:
        def __len__(self):
            return 3

        def __getitem__(self, i):
            return x[16 * i:16 * i + 16], y[16 * i:16 * i + 16]

    third = small_cnn()
    third.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    third.fit(Items(), epochs=2, verbose=0, shuffle=False)
    assert weights_of(third) == weights_of(other)
    expected = model.evaluate(x, y, batch_size=16, verbose=0)
    assert third.evaluate(Items(), verbose=0) == pytest.approx(expected)
    np.testing.assert_array_equal(third.predict(Items(), verbose=0), model.predict(x, 16, verbose=0))


def test_data_that_ends_early_is_told():
    model = small_cnn()
    model.compile("adam", "sparse_categorical_crossentropy")
    with pytest.warns(UserWarning, match="5 steps"):
        model.fit(*images(50), batch_size=16, steps_per_epoch=5, verbose=0)


# ---- several inputs and outputs ----------------------------------------------------------------------------------

def two_by_two(library=cnncore, seed=0):
    library.utils.set_random_seed(seed)
    a, b = library.layers.Input(shape=(4,), name="a"), library.layers.Input(shape=(3,), name="b")

    class Total(library.layers.Layer):
        def call(self, pair):
            return pair[0] + pair[1]

    h = Total()([library.layers.Dense(5, activation="relu")(a), library.layers.Dense(5)(b)])
    return library.Model([a, b], [library.layers.Dense(1, name="p")(h),
                                  library.layers.Dense(3, activation="softmax", name="q")(h)])


def two_by_two_data(rows=20):
    g = np.random.default_rng(4)
    return ([g.random((rows, 4), dtype="float32"), g.random((rows, 3), dtype="float32")],
            [g.random(rows).astype("float32"), g.integers(0, 3, rows)])


@pytest.mark.parametrize("arguments", [
    {"loss": ["mse", "sparse_categorical_crossentropy"], "metrics": [["mae"], ["accuracy"]]},
    {"loss": {"p": "mse", "q": "sparse_categorical_crossentropy"}, "metrics": {"q": ["acc", "sparse_top_k_categorical_"
                                                                                 "accuracy"]},
     "loss_weights": {"p": 2.0, "q": 0.5}},
    {"loss": ["mse", "sparse_categorical_crossentropy"], "loss_weights": [0.25, 1.0],
     "weighted_metrics": {"p": "mse"}},
])
def test_several_outputs_have_keras_names_and_numbers(arguments):
    x, y = two_by_two_data()
    ours, theirs = two_by_two(), two_by_two(keras)
    theirs.set_weights(ours.get_weights())
    found = []
    for model in (ours, theirs):
        model.compile("sgd", **arguments)
        found.append(model.evaluate(x, y, batch_size=8, verbose=0, return_dict=True))
        found.append(model.evaluate({"a": x[0], "b": x[1]}, {"p": y[0], "q": y[1]}, verbose=0, return_dict=True,
                                    sample_weight=None))
    assert found[0] == pytest.approx(found[2], rel=1e-4)
    assert found[1] == pytest.approx(found[3], rel=1e-4)
    history = ours.fit(x, y, epochs=1, batch_size=8, verbose=0)
    assert set(history.history) == set(found[0])
    predictions = ours.predict(x, verbose=0)
    assert [p.shape for p in predictions] == [(20, 1), (20, 3)]


def test_an_output_may_have_no_loss():
    x, y = two_by_two_data()
    model = two_by_two()
    model.compile("sgd", loss=["mse", None])
    assert isinstance(model.evaluate(x, y, verbose=0), float)
    assert isinstance(model.evaluate(x, y[:1], verbose=0), float)
