"""Metrics gather Keras's figures over many batches, eagerly and in plans."""
import os

os.environ.setdefault("KERAS_BACKEND", "numpy")

import numpy as np
import pytest
from test_losses import bits, classes, distribution, numbers, one_hot, positive, signs

from cnncore import Tensor, metrics
from cnncore.plan import record
from cnncore.utils import clear_session

keras = pytest.importorskip("keras", exc_type=ImportError)

CLOSE = dict(rtol=3e-5, atol=1e-6)


def whole(shape=(6, 4)):
    y, p = numbers(shape)
    return np.round(y), np.round(p)


CASES = [
    ("Accuracy", whole, {}), ("BinaryAccuracy", bits, {}), ("BinaryAccuracy", bits, {"threshold": 0.7}),
    ("CategoricalAccuracy", one_hot, {}), ("SparseCategoricalAccuracy", classes, {}),
    ("TopKCategoricalAccuracy", one_hot, {"k": 2}), ("SparseTopKCategoricalAccuracy", classes, {"k": 2}),
    ("MeanSquaredError", numbers, {}), ("RootMeanSquaredError", numbers, {}), ("MeanAbsoluteError", numbers, {}),
    ("MeanAbsolutePercentageError", numbers, {}), ("MeanSquaredLogarithmicError", positive, {}),
    ("CosineSimilarity", numbers, {}), ("LogCoshError", numbers, {}), ("Hinge", signs, {}),
    ("SquaredHinge", signs, {}), ("CategoricalHinge", one_hot, {}), ("KLDivergence", distribution, {}),
    ("Poisson", positive, {}), ("BinaryCrossentropy", bits, {}), ("CategoricalCrossentropy", one_hot, {}),
    ("SparseCategoricalCrossentropy", classes, {}), ("PearsonCorrelation", numbers, {}),
    ("ConcordanceCorrelation", numbers, {}),
]
PARAMS = [pytest.param(*case, id="-".join([case[0], *map(str, case[2].values())])) for case in CASES]


def result(metric):
    return float(np.asarray(metric.result()))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name, data, arguments", PARAMS)
def test_a_metric_gathers_what_keras_gathers(name, data, arguments, weighted):
    ours, theirs = getattr(metrics, name)(**arguments), getattr(keras.metrics, name)(**arguments)
    assert ours.name == theirs.name
    for shape in ((6, 4), (3, 4), (1, 4)):
        y_true, y_pred = data(shape)
        weight = np.linspace(0.5, 2, shape[0]).astype("float32") if weighted else None
        ours.update_state(y_true, y_pred, weight)
        theirs.update_state(y_true, y_pred, weight)
    assert result(ours) == pytest.approx(float(theirs.result()), **{"rel": 3e-5, "abs": 1e-6})
    for mine, other in zip(ours.variables, theirs.variables, strict=True):
        np.testing.assert_allclose(mine.numpy(), keras.ops.convert_to_numpy(other.value), **CLOSE)
    ours.reset_state()
    assert result(ours) == 0


@pytest.mark.parametrize("name, data, arguments", PARAMS)
def test_a_metric_in_a_plan_equals_the_eager_one_to_the_bit(name, data, arguments):
    eager, planned = getattr(metrics, name)(**arguments), getattr(metrics, name)(**arguments)
    y_true, y_pred = (Tensor(a) for a in data((6, 4)))
    plan = record(planned.update_state, y_true, y_pred)
    assert result(planned) == 0  # recording changes nothing
    for _ in range(3):
        eager.update_state(y_true, y_pred)
        plan.run()
    for a, b in zip(eager.variables, planned.variables, strict=True):
        assert a.numpy().tobytes() == b.numpy().tobytes()


@pytest.mark.parametrize("name, data, arguments", PARAMS)
def test_a_metric_comes_back_from_its_config(name, data, arguments):
    metric = getattr(metrics, name)(**arguments, name="mine")
    again = type(metric).from_config(metric.get_config())
    assert again.get_config() == metric.get_config()
    assert again.name == "mine"
    theirs = getattr(keras.metrics, name)(**arguments, name="mine").get_config()
    assert {key: metric.get_config()[key] for key in theirs} == theirs


@pytest.mark.parametrize("cls", ["Mean", "Sum"])
def test_means_and_sums_take_values_and_weights_of_keras_shapes(cls):
    values = numbers((4, 3))[0]
    for weight in (None, 2.0, np.array([1, 0, 2, 1], "float32"), np.abs(numbers((4, 3))[1])):
        ours, theirs = getattr(metrics, cls)(), getattr(keras.metrics, cls)()
        for v in (values, values[:2]):
            w = weight[:len(v)] if isinstance(weight, np.ndarray) else weight
            w_theirs = w if isinstance(w, np.ndarray) or w is None else np.full(len(v), w, "float32")
            ours.update_state(v, w if w is None or isinstance(w, np.ndarray) else w_theirs)
            theirs.update_state(v, w_theirs)
        assert result(ours) == pytest.approx(float(theirs.result()), rel=1e-5, abs=1e-6)
    scalar = getattr(metrics, cls)()
    scalar.update_state(Tensor(3.0))
    scalar.update_state(5.0)
    assert result(scalar) == {"Mean": 4, "Sum": 8}[cls]


def test_a_mean_of_scalars_weighs_them_by_the_batch_size():
    mean = metrics.Mean()
    mean.update_state(Tensor(1.0), sample_weight=30)
    mean.update_state(Tensor(4.0), sample_weight=10)
    assert result(mean) == pytest.approx(1.75)
    assert result(metrics.Mean()) == 0


@pytest.mark.parametrize("name", sorted(metrics.NAMES))
def test_names_are_those_of_keras(name):
    clear_session()
    keras.utils.clear_session(free_memory=False)
    try:
        keras.metrics.get(name)
    except TypeError:  # a class that needs arguments
        with pytest.raises(ValueError, match="needs"):
            metrics.get(name)
        return
    keras.utils.clear_session(free_memory=False)
    ours, theirs = metrics.get(name), keras.metrics.get(name)
    assert type(ours).__name__ == type(theirs).__name__
    assert ours.name == theirs.name


def test_ties_count_as_among_the_k_largest_as_in_keras():
    y = np.array([[0.5, 0.5, 0.5, 0.1], [0.1, 0.3, 0.3, 0.3], [1, 2, 3, 4]], "float32")
    for k in (1, 2, 3, 5):
        for labels in ([0, 0, 0], [2, 3, 1], [3, 1, 3]):
            ours = metrics.sparse_top_k_categorical_accuracy(np.array(labels), y, k=k).numpy()
            theirs = keras.metrics.sparse_top_k_categorical_accuracy(np.array(labels), y, k=min(k, 4))
            np.testing.assert_array_equal(ours, np.asarray(theirs))


def test_accuracies_of_pictures_have_keras_values():
    y_true, y_pred = classes((2, 3, 5, 4))
    for name, t in (("SparseCategoricalAccuracy", y_true), ("SparseCategoricalAccuracy", y_true[..., None]),
                    ("CategoricalAccuracy", np.eye(4, dtype="float32")[y_true])):
        ours, theirs = getattr(metrics, name)(), getattr(keras.metrics, name)()
        ours.update_state(t, y_pred)
        theirs.update_state(t, y_pred)
        assert result(ours) == pytest.approx(float(theirs.result()))


def test_ignored_classes_do_not_count():
    y_true, y_pred = classes((8, 4))
    y_true[[1, 5]] = -1
    kept = y_true >= 0
    metric = metrics.SparseCategoricalCrossentropy(ignore_class=-1)
    metric.update_state(y_true, y_pred)
    plain = metrics.SparseCategoricalCrossentropy()
    plain.update_state(y_true[kept], y_pred[kept])
    assert result(metric) == pytest.approx(result(plain), rel=1e-6)


def test_directions_are_those_of_keras():
    for name, _, arguments in CASES:
        theirs = getattr(getattr(keras.metrics, name)(**arguments), "_direction", None)
        ours = getattr(metrics, name)(**arguments)._direction
        assert ours == theirs or theirs is None, name


def test_a_metric_of_ones_own_is_reset_and_keeps_its_variables():
    class Largest(metrics.Metric):
        def __init__(self):
            super().__init__(name="largest")
            self.value = self.add_weight(name="value", initializer="zeros")
            self.inner = metrics.Mean(name="inner")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.inner.update_state(y_pred)
            self.value.assign_add(Tensor(1.0))

        def result(self):
            return self.value

    metric = Largest()
    metric(None, np.ones((2, 2), "float32"))
    assert len(metric.variables) == 3
    assert [float(v.numpy()) for v in metric.variables] == [1, 2, 2]
    metric.reset_state()
    assert [float(v.numpy()) for v in metric.variables] == [0, 0, 0]


def test_metrics_without_a_name_get_one_of_their_own():
    class Nameless(metrics.Metric):
        pass

    assert Nameless().name == "nameless"
    assert Nameless().name == "nameless_1"


def test_a_metric_must_call_super_first():
    class Hasty(metrics.Metric):
        def __init__(self):
            self.part = metrics.Mean()
            super().__init__()

    with pytest.raises(RuntimeError, match="super"):
        Hasty()
