"""Metrics of decisions, areas and variance gather Keras's figures, eagerly, in plans and in fit."""
import os

os.environ.setdefault("KERAS_BACKEND", "numpy")

import warnings

import numpy as np
import pytest
from fit_models import images, small_cnn

from cnncore import Tensor, metrics
from cnncore.plan import record

keras = pytest.importorskip("keras", exc_type=ImportError)


def bits(shape, seed=1):
    g = np.random.default_rng(seed)
    return g.integers(0, 2, shape).astype("float32"), g.random(shape, dtype="float32")


def one_hot(shape, seed=1):
    g = np.random.default_rng(seed)
    return np.eye(shape[-1], dtype="float32")[g.integers(0, shape[-1], shape[:-1])], g.random(shape, dtype="float32")


def classes(shape, seed=1, count=4):
    g = np.random.default_rng(seed)
    return g.integers(0, count, shape), g.integers(0, count, shape)


def probabilities_of_classes(shape, seed=1):
    y, p = one_hot(shape, seed)
    return y.argmax(-1), p


def logits(shape, seed=1):
    y, p = bits(shape, seed)
    return y, p * 6 - 3


def numbers(shape, seed=1):
    g = np.random.default_rng(seed)
    y = g.standard_normal(shape).astype("float32")
    return y, y + 0.5 * g.standard_normal(shape).astype("float32")


FLAT, TABLE, AREA = (7,), (7, 4), (3, 5, 5)
CASES = [(name, bits, shape, arguments) for name in ("TruePositives", "FalsePositives", "TrueNegatives",
                                                    "FalseNegatives", "Precision", "Recall")
         for shape, arguments in ((FLAT, {}), ((7, 1), {"thresholds": 0.3}), (TABLE, {"thresholds": [0.2, 0.5, 0.9]}))]
CASES += [(name, one_hot, TABLE, arguments) for name in ("Precision", "Recall")
          for arguments in ({"top_k": 2}, {"class_id": 1}, {"top_k": 1, "class_id": 2}, {"top_k": 4})]
CASES += [(name, bits, shape, arguments) for name, key in (
    ("SensitivityAtSpecificity", "specificity"), ("SpecificityAtSensitivity", "sensitivity"),
    ("PrecisionAtRecall", "recall"), ("RecallAtPrecision", "precision")) for shape, arguments in (
        (FLAT, {key: 0.4}), (TABLE, {key: 0.6, "num_thresholds": 20}), (TABLE, {key: 0.5, "class_id": 1}),
        (FLAT, {key: 0.5, "num_thresholds": 1}))]
CASES += [("AUC", bits, shape, {"curve": curve, "summation_method": method, "num_thresholds": count})
          for curve in ("ROC", "PR", "PRGAIN") for method, shape, count in (
              ("interpolation", FLAT, 200), ("minoring", (9, 1), 33), ("majoring", TABLE, 10))]
CASES += [("AUC", logits, FLAT, {"from_logits": True}), ("AUC", bits, FLAT, {"thresholds": [0.2, 0.35, 0.8]}),
          ("AUC", bits, TABLE, {"multi_label": True}),
          ("AUC", bits, TABLE, {"multi_label": True, "num_labels": 4, "label_weights": [0.1, 0.2, 0.3, 0.4]}),
          ("AUC", bits, TABLE, {"multi_label": True, "curve": "PR", "num_thresholds": 11}),
          ("AUC", bits, TABLE, {"label_weights": [0.1, 0.2, 0.3, 0.4]})]
CASES += [("IoU", classes, AREA, {"num_classes": 4, "target_class_ids": [0, 2]}),
          ("IoU", probabilities_of_classes, (3, 5, 5, 4),
           {"num_classes": 4, "target_class_ids": [1], "sparse_y_pred": False}),
          ("IoU", classes, AREA, {"num_classes": 3, "target_class_ids": [0, 1, 2]}),
          ("MeanIoU", classes, AREA, {"num_classes": 4}), ("MeanIoU", classes, FLAT, {"num_classes": 9}),
          ("MeanIoU", classes, AREA, {"num_classes": 4, "ignore_class": 1}),
          ("MeanIoU", classes, AREA, {"num_classes": 4, "dtype": "float32"}),
          ("OneHotIoU", one_hot, (3, 5, 5, 4), {"num_classes": 4, "target_class_ids": [0, 3]}),
          ("OneHotMeanIoU", one_hot, (3, 5, 5, 4), {"num_classes": 4}),
          ("BinaryIoU", bits, AREA, {}), ("BinaryIoU", bits, AREA, {"target_class_ids": [1], "threshold": 0.3})]
CASES += [(name, data, TABLE, arguments | more) for name, more in (("F1Score", {}), ("FBetaScore", {"beta": 2.0}))
          for data, arguments in ((one_hot, {}), (one_hot, {"average": "macro"}), (one_hot, {"average": "micro"}),
                                  (bits, {"average": "weighted", "threshold": 0.4}), (bits, {"threshold": 0.5}))]
CASES += [("R2Score", numbers, (8, 3), arguments) for arguments in (
    {}, {"class_aggregation": None}, {"class_aggregation": "variance_weighted_average"}, {"num_regressors": 2},
    {"num_regressors": 99})]
PARAMS = [pytest.param(*case, id="-".join([case[0], "x".join(map(str, case[2])), *map(str, case[3].values())]))
          for case in CASES]


def value(metric):
    return np.asarray(metric.result())


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name, data, shape, arguments", PARAMS)
def test_a_metric_gathers_what_keras_gathers(name, data, shape, arguments, weighted):
    ours, theirs = getattr(metrics, name)(**arguments), getattr(keras.metrics, name)(**arguments)
    for seed in range(3):
        y_true, y_pred = data(shape, seed)
        weight = None
        if weighted:
            weight = np.arange(1, shape[0] + 1).astype("float32")
            if "IoU" in name and len(shape) > 1:  # one weight for each place
                weight = np.random.default_rng(seed).integers(0, 3, y_true.shape[:3]).astype("float32")
        ours.update_state(y_true, y_pred, weight)
        theirs.update_state(y_true, y_pred, weight)
    np.testing.assert_allclose(value(ours), np.asarray(theirs.result()), rtol=2e-4, atol=1e-5)
    for mine, other in zip(ours.variables, theirs.variables, strict=True):
        np.testing.assert_allclose(mine.numpy(), keras.ops.convert_to_numpy(other.value), rtol=1e-4, atol=1e-4)
        assert mine.name == other.name
    ours.reset_state()
    assert all(not v.numpy().any() for v in ours.variables)


@pytest.mark.parametrize("name, data, shape, arguments", PARAMS)
def test_a_metric_in_a_plan_equals_the_eager_one_to_the_bit(name, data, shape, arguments):
    eager, planned = getattr(metrics, name)(**arguments), getattr(metrics, name)(**arguments)
    y_true, y_pred = (Tensor(a) for a in data(shape))

    def step():
        planned.update_state(y_true, y_pred)
        return planned.result()

    plan = record(step)
    for _ in range(3):
        eager.update_state(y_true, y_pred)
        plan.run()
    assert plan.outputs.numpy().tobytes() == np.asarray(eager.result()).tobytes()


@pytest.mark.parametrize("name, data, shape, arguments", PARAMS)
def test_a_metric_comes_back_from_its_config(name, data, shape, arguments):
    metric = getattr(metrics, name)(**arguments, name="mine")
    config, theirs = metric.get_config(), getattr(keras.metrics, name)(**arguments, name="mine").get_config()
    np.testing.assert_equal({key: config[key] for key in theirs}, theirs)
    again = metrics.deserialize(metrics.serialize(metric))
    assert type(again) is type(metric)
    np.testing.assert_equal(again.get_config(), config)


@pytest.mark.parametrize("names", [["AUC", "Precision", "recall"], [metrics.AUC(name="area"), metrics.F1Score()],
                                   [metrics.MeanIoU(3, sparse_y_pred=False)]])
def test_metrics_work_in_fit_and_evaluate(names):
    sparse = isinstance(names[0], metrics.MeanIoU)
    model = small_cnn()
    model.compile("adam", f"{'sparse_' if sparse else ''}categorical_crossentropy", metrics=names)
    x, y = images(40)
    y = y if sparse else np.eye(3)[y]
    history = model.fit(x, y, epochs=2, verbose=0, validation_split=0.2).history
    logs = model.evaluate(x, y, verbose=0, return_dict=True)
    assert set(history) == set(logs) | {f"val_{name}" for name in logs} and len(logs) == len(names) + 1
    p = model.predict(x, verbose=0)
    for metric in names:
        name = metric if isinstance(metric, str) else metric.name
        fresh = metrics.get(metric) if isinstance(metric, str) else type(metric).from_config(metric.get_config())
        fresh.update_state(y, p)
        np.testing.assert_allclose(logs[name], value(fresh), rtol=1e-5)


@pytest.mark.parametrize("program, words", [
    (lambda: metrics.Precision(thresholds=1.5), "1.5"), (lambda: metrics.AUC(curve="ROCK"), "'ROCK'"),
    (lambda: metrics.AUC(num_thresholds=1), "num_thresholds=1"), (lambda: metrics.AUC(num_labels=3), "num_labels=3"),
    (lambda: metrics.AUC(summation_method="sum"), "summation_method='sum'"),
    (lambda: metrics.PrecisionAtRecall(2), "recall=2"), (lambda: metrics.IoU(3, [3]), "[3]"),
    (lambda: metrics.FBetaScore(beta=1), "beta=1"), (lambda: metrics.F1Score(threshold=2.0), "threshold=2.0"),
    (lambda: metrics.F1Score(average="mean"), "average='mean'"),
    (lambda: metrics.R2Score(class_aggregation="sum"), "class_aggregation='sum'"),
    (lambda: metrics.R2Score(num_regressors=-1), "num_regressors=-1"),
    (lambda: metrics.Recall().update_state([1, 2], [[0.5, 0.5], [0.5, 0.5]]), "to_categorical"),
    (lambda: metrics.F1Score().update_state([1, 2], [[0.5, 0.5], [0.5, 0.5]]), "to_categorical"),
    (lambda: metrics.Precision(class_id=1).update_state([1, 0], [0.5, 0.5]), "class_id=1"),
    (lambda: metrics.MeanIoU(2).update_state([1, 0], [[0.5, 0.5], [0.5, 0.5]]), "sparse_y_pred=False"),
    (lambda: metrics.R2Score().update_state([1.0, 2.0], [1.0, 2.0]), "(samples, 1)"),
])
def test_wrong_arguments_are_named(program, words):
    with pytest.raises(ValueError, match="Received") as error:
        program()
    assert words in str(error.value)


def test_nothing_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, data, shape, arguments in CASES:
            getattr(metrics, name)(**arguments)(*data(shape))
