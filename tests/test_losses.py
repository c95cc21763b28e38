"""Losses give Keras's values for every reduction and weighting, and the gradients of their formulas."""
import os
import warnings

os.environ.setdefault("KERAS_BACKEND", "numpy")

import numpy as np
import pytest

from cnncore import GradientTape, Tensor, layers, losses, models, ops
from cnncore.losses.crossentropy import bad_classes

keras = pytest.importorskip("keras", exc_type=ImportError)

CLOSE = dict(rtol=3e-5, atol=1e-6)
REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "none", None, "mean_with_sample_weight")


def rng():
    return np.random.default_rng(7)


def numbers(shape=(6, 4)):
    g = rng()
    return g.standard_normal(shape).astype("float32"), g.standard_normal(shape).astype("float32")


def positive(shape=(6, 4)):
    return tuple(np.abs(a) + 0.1 for a in numbers(shape))


def signs(shape=(6, 4)):
    y, p = numbers(shape)
    return np.where(y > 0, 1, -1).astype("float32"), p


def bits(shape=(6, 4)):
    y, p = numbers(shape)
    return (y > 0).astype("float32"), 1 / (1 + np.exp(-p))


def classes(shape=(6, 4)):
    y, p = numbers(shape)
    e = np.exp(p)
    return y.argmax(-1), e / e.sum(-1, keepdims=True)


def one_hot(shape=(6, 4)):
    y, p = classes(shape)
    return np.eye(shape[-1], dtype="float32")[y], p


def distribution(shape=(6, 4)):
    y, p = (np.exp(a) for a in numbers(shape))
    return y / y.sum(-1, keepdims=True), p / p.sum(-1, keepdims=True)


# (class, data, arguments)
CASES = [
    ("MeanSquaredError", numbers, {}), ("MeanAbsoluteError", numbers, {}),
    ("MeanAbsolutePercentageError", numbers, {}), ("MeanSquaredLogarithmicError", positive, {}),
    ("MeanSquaredLogarithmicError", numbers, {}), ("CosineSimilarity", numbers, {}),
    ("CosineSimilarity", numbers, {"axis": -2}), ("Huber", numbers, {}), ("Huber", numbers, {"delta": 0.3}),
    ("LogCosh", numbers, {}), ("Hinge", signs, {}), ("Hinge", bits, {}), ("SquaredHinge", signs, {}),
    ("SquaredHinge", bits, {}), ("CategoricalHinge", one_hot, {}), ("KLDivergence", distribution, {}),
    ("Poisson", positive, {}), ("BinaryCrossentropy", bits, {}),
    ("BinaryCrossentropy", bits, {"label_smoothing": 0.1}),
    ("BinaryCrossentropy", lambda shape=(6, 4): (bits(shape)[0], numbers(shape)[1]), {"from_logits": True}),
    ("BinaryFocalCrossentropy", bits, {}),
    ("BinaryFocalCrossentropy", bits, {"apply_class_balancing": True, "gamma": 1.5, "alpha": 0.4}),
    ("BinaryFocalCrossentropy", lambda shape=(6, 4): (bits(shape)[0], numbers(shape)[1]), {"from_logits": True}),
    ("CategoricalCrossentropy", one_hot, {}), ("CategoricalCrossentropy", distribution, {}),
    ("CategoricalCrossentropy", one_hot, {"label_smoothing": 0.2}),
    ("CategoricalCrossentropy", lambda shape=(6, 4): (one_hot(shape)[0], numbers(shape)[1]), {"from_logits": True}),
    ("SparseCategoricalCrossentropy", classes, {}),
    ("SparseCategoricalCrossentropy", lambda shape=(6, 4): (classes(shape)[0], numbers(shape)[1]),
     {"from_logits": True}),
    ("CategoricalFocalCrossentropy", one_hot, {}),
    ("CategoricalFocalCrossentropy", one_hot, {"alpha": 0.4, "gamma": 1.5, "label_smoothing": 0.1}),
    ("CategoricalFocalCrossentropy", lambda shape=(6, 4): (one_hot(shape)[0], numbers(shape)[1]),
     {"from_logits": True}),
    ("CategoricalGeneralizedCrossEntropy", classes, {"q": 0.7}), ("Dice", bits, {"axis": -1}),
    ("Tversky", bits, {"axis": -1}), ("Tversky", bits, {"axis": -1, "alpha": 0.3, "beta": 0.7}),
]
PARAMS = [pytest.param(*case, id="-".join([case[0], case[1].__name__.strip("<>"), *map(str, case[2])]))
          for case in CASES]


def both(name, arguments, y_true, y_pred, weight=None, **more):
    ours = getattr(losses, name)(**arguments, **more)(y_true, y_pred, weight)
    theirs = getattr(keras.losses, name)(**arguments, **more)(y_true, y_pred, weight)
    return ours.numpy(), keras.ops.convert_to_numpy(theirs)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name, data, arguments", PARAMS)
def test_a_loss_has_keras_value_under_every_reduction(name, data, arguments, reduction):
    y_true, y_pred = data()
    n = y_pred.shape[1] if arguments.get("axis") == -2 else y_pred.shape[0]
    weight = np.linspace(0, 2, n).astype("float32")
    for given in (None, weight, weight[:, None], np.zeros(n, "float32")):
        ours, theirs = both(name, arguments, y_true, y_pred, given, reduction=reduction)
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, **CLOSE)


@pytest.mark.parametrize("name, data, arguments", PARAMS)
def test_a_loss_has_keras_value_for_pictures(name, data, arguments):
    y_true, y_pred = data((2, 3, 5, 4))
    ours, theirs = both(name, arguments, y_true, y_pred, reduction="none")
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, **CLOSE)


@pytest.mark.parametrize("name, data, arguments", PARAMS)
def test_a_loss_has_the_gradient_of_its_value(name, data, arguments):
    if arguments.get("label_smoothing"):
        arguments = arguments | {"label_smoothing": 0.25}
    y_true, y_pred = data()
    loss = getattr(losses, name)(**arguments)
    x = Tensor(y_pred, requires_grad=True)
    loss(y_true, x).backward()
    direction = rng().standard_normal(y_pred.shape).astype("float32")
    step = 1e-4 * direction
    change = loss(y_true, y_pred + step).item() - loss(y_true, y_pred - step).item()
    expected = change / 2
    got = float((x.grad.numpy().astype("float64") * step).sum())
    assert abs(got - expected) <= 0.02 * abs(expected) + 3e-7 * max(1, abs(loss(y_true, y_pred).item()))


@pytest.mark.parametrize("name, data, arguments", PARAMS)
def test_a_loss_comes_back_from_its_config(name, data, arguments):
    loss = getattr(losses, name)(**arguments, name="mine", reduction="sum")
    again = type(loss).from_config(loss.get_config())
    theirs = getattr(keras.losses, name)(**arguments, name="mine", reduction="sum").get_config()
    assert again.get_config() == loss.get_config()
    assert {key: loss.get_config()[key] for key in theirs if key != "dtype"} == theirs
    assert again(*data()).item() == loss(*data()).item()


@pytest.mark.parametrize("name", sorted(losses.NAMES))
def test_names_are_those_of_keras(name):
    theirs, ours = keras.losses.get(name), losses.get(name)
    assert getattr(ours, "__name__", type(ours).__name__) == getattr(theirs, "__name__", type(theirs).__name__)
    if isinstance(ours, losses.Loss):
        assert ours.name == theirs.name


def test_targets_of_rank_one_meet_predictions_of_one_column():
    y_true, y_pred = numbers((5, 1))
    for t, p in ((y_true[:, 0], y_pred), (y_true, y_pred[:, 0]), (y_true, y_pred)):
        ours, theirs = both("MeanSquaredError", {}, t, p)
        np.testing.assert_allclose(ours, theirs, **CLOSE)
    t, p = bits((5, 1))
    ours, theirs = both("BinaryCrossentropy", {}, t[:, 0], p)
    np.testing.assert_allclose(ours, theirs, **CLOSE)
    t, p = classes()
    np.testing.assert_allclose(*both("SparseCategoricalCrossentropy", {}, t[:, None], p), **CLOSE)


def test_ignored_classes_do_not_count():
    y_true, y_pred = classes((8, 4))
    y_true[[1, 5]] = -1
    for reduction in ("sum_over_batch_size", "sum", "none"):
        ours, theirs = both("SparseCategoricalCrossentropy", {"ignore_class": -1}, y_true, y_pred,
                            reduction=reduction)
        np.testing.assert_allclose(ours, theirs, **CLOSE)
    with pytest.raises(ValueError, match=r"one weight for each value of the loss.*\(6, 4\).*\(6,\)"):
        losses.SparseCategoricalCrossentropy(ignore_class=-1)(np.zeros((6, 4)), np.ones((6, 4, 3)) / 3, np.ones(6))


def test_classes_may_lie_along_another_axis():
    y_true, y_pred = one_hot((3, 5, 4))
    t, p = np.moveaxis(y_true, -1, 1), np.moveaxis(y_pred, -1, 1)
    ours = losses.categorical_crossentropy(t, p, axis=1).numpy()
    np.testing.assert_allclose(ours, losses.categorical_crossentropy(y_true, y_pred).numpy(), **CLOSE)
    ours = losses.sparse_categorical_crossentropy(y_true.argmax(-1), p, axis=1).numpy()
    np.testing.assert_allclose(ours, losses.categorical_crossentropy(y_true, y_pred).numpy(), **CLOSE)


@pytest.mark.parametrize("sparse", [False, True])
def test_the_loss_behind_a_softmax_is_exact_however_sure_the_model_is(sparse):
    logits = np.array([[0, 60, 0], [90, 0, 0], [1, 2, 3]], "float32")
    y = np.array([0, 1, 2])
    x = Tensor(logits, requires_grad=True)
    p = ops.softmax(x)
    loss = (losses.sparse_categorical_crossentropy(y, p) if sparse
            else losses.categorical_crossentropy(np.eye(3, dtype="float32")[y], p))
    exact = np.log(np.exp(logits.astype("float64")).sum(1)) - logits[range(3), y]
    np.testing.assert_allclose(loss.numpy(), exact, rtol=1e-6)
    ops.sum(loss).backward()
    e = np.exp(logits.astype("float64") - logits.max(1, keepdims=True))
    np.testing.assert_allclose(x.grad.numpy(), e / e.sum(1, keepdims=True) - np.eye(3)[y], atol=1e-6)


def test_the_loss_behind_a_sigmoid_is_exact_however_sure_the_model_is():
    z = np.array([[60.0], [-60.0], [0.0]], "float32")
    x = Tensor(z, requires_grad=True)
    loss = losses.binary_crossentropy(np.array([[0.0], [1.0], [1.0]]), ops.sigmoid(x))
    np.testing.assert_allclose(loss.numpy(), [60, 60, np.log(2)], rtol=1e-6)
    ops.sum(loss).backward()
    np.testing.assert_allclose(x.grad.numpy(), [[1], [-1], [-0.5]], atol=1e-6)


def test_a_loss_of_ones_own_is_reduced_like_any():
    class Cubed(losses.Loss):
        def call(self, y_true, y_pred):
            return ops.sum((y_true - y_pred) * (y_true - y_pred) * (y_true - y_pred), axis=-1)

    y_true, y_pred = numbers()
    weight = np.arange(6, dtype="float32")
    expected = (((y_true - y_pred) ** 3).sum(-1) * weight).mean()
    assert Cubed()(y_true, y_pred, weight).item() == pytest.approx(expected, rel=1e-5)
    assert Cubed().name.startswith("cubed")


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "none", "mean_with_sample_weight"])
def test_a_loss_of_one_number_is_weighted_as_a_whole(reduction):
    data = (*bits((6, 4)), np.arange(6, dtype="float32"))
    with pytest.warns(UserWarning, match="multiplied by every weight.*return one value for each sample") as warned:
        ours = losses.Dice(reduction=reduction)(*data).numpy()
    np.testing.assert_allclose(ours, keras.losses.Dice(reduction=reduction)(*data), **CLOSE)
    assert [one.filename for one in warned] == [__file__]


def test_the_warning_of_weights_names_the_line_that_calls_fit():
    model = models.Sequential([layers.Input((4,)), layers.Dense(4, activation="sigmoid")])
    model.compile("sgd", losses.Dice())
    with pytest.warns(UserWarning, match="multiplied by every weight") as warned:
        model.fit(*bits((6, 4)), sample_weight=np.arange(6, dtype="float32"), verbose=0)
    assert {one.filename for one in warned if "every weight" in str(one.message)} == {__file__}


def test_a_loss_of_one_number_takes_one_weight_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert losses.Dice()(*bits(), 3.0).item() == pytest.approx(3 * losses.Dice()(*bits()).item())


def test_nan_and_infinity_reach_the_loss():
    for name in ("MeanSquaredError", "MeanAbsoluteError", "Huber", "LogCosh", "Hinge"):
        y_true, y_pred = numbers()
        y_pred[2, 1] = np.nan
        assert np.isnan(getattr(losses, name)()(y_true, y_pred).item()), name


def test_bad_classes_finds_the_first_wrong_label():
    assert bad_classes(np.array([0, 1, 2]), 3) is None
    assert bad_classes(np.array([0, 3, -1]), 3) == (1, 3)
    assert bad_classes(np.array([[0], [-1]]), 3) == ((1, 0), -1)
    assert bad_classes(np.array([0.0, 1.5]), 3) == (1, 1.5)
    assert bad_classes(np.array([0, 255, 1], "uint8"), 3) == (1, 255)
    assert bad_classes(np.array([0, 255, 1], "uint8"), 3, ignore_class=255) is None
    assert np.isnan(bad_classes(np.array([0.0, np.nan]), 3)[1])
    assert bad_classes(np.zeros(0, int), 3) is None


def test_gradients_reach_predictions_through_the_tape():
    y_true, y_pred = one_hot()
    x = Tensor(y_pred)
    with GradientTape() as tape:
        tape.watch(x)
        loss = losses.CategoricalCrossentropy()(y_true, x)
    assert tape.gradient(loss, x).shape == y_pred.shape


@pytest.mark.parametrize("axis", [None, (1, 2, 3), (1, 2), 0])
@pytest.mark.parametrize("name", ["Dice", "Tversky"])
def test_overlap_is_measured_over_the_axes_that_keras_sums_over(name, axis):
    y_true, y_pred = bits((2, 4, 5, 3))
    ours, theirs = both(name, {"axis": axis}, y_true, y_pred)
    np.testing.assert_allclose(ours, theirs, **CLOSE)
    with pytest.raises(ValueError, match="to_categorical"):
        getattr(losses, name)()(y_true[..., 0], y_pred)


def test_losses_are_serialized_as_in_keras():
    for name, arguments in (("Dice", {"axis": (1, 2)}), ("Tversky", {"alpha": 0.3}), ("Poisson", {}),
                            ("CategoricalFocalCrossentropy", {"alpha": 0.5})):
        config = losses.serialize(getattr(losses, name)(**arguments))
        theirs = keras.losses.serialize(getattr(keras.losses, name)(**arguments))
        assert {k: config[k] for k in ("module", "class_name")} == {k: theirs[k] for k in ("module", "class_name")}
        assert losses.deserialize(config).get_config() == losses.deserialize(theirs).get_config()
    assert losses.deserialize("mse") is losses.mean_squared_error
