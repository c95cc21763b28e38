"""Optimizers follow Keras's trajectories, step by step, eagerly and in plans, and keep variables in Keras's order."""
import os

os.environ.setdefault("KERAS_BACKEND", "numpy")

import numpy as np
import pytest

from cnncore import Tensor, Variable, optimizers
from cnncore.plan import record

keras = pytest.importorskip("keras", exc_type=ImportError)

SHAPES = [(5, 3), (3,), (2, 2, 3, 4), ()]
CASES = [
    ("SGD", {}), ("SGD", {"learning_rate": 0.1}), ("SGD", {"momentum": 0.9}),
    ("SGD", {"momentum": 0.9, "nesterov": True}), ("SGD", {"clipvalue": 0.5}), ("SGD", {"clipnorm": 0.7}),
    ("SGD", {"global_clipnorm": 0.7}), ("SGD", {"global_clipnorm": 1e9}), ("SGD", {"weight_decay": 0.05}),
    ("SGD", {"use_ema": True, "ema_momentum": 0.9}), ("SGD", {"loss_scale_factor": 4.0}),
    ("Adam", {}), ("Adam", {"learning_rate": 0.05, "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-3}),
    ("Adam", {"clipnorm": 0.1}), ("Adam", {"weight_decay": 0.1, "learning_rate": 0.1}), ("AdamW", {}),
    ("Adam", {"amsgrad": True, "learning_rate": 0.1}), ("Adagrad", {}), ("Adadelta", {}), ("Adamax", {}), ("Nadam", {}),
    ("Adagrad", {"learning_rate": 0.1, "initial_accumulator_value": 0.5, "epsilon": 1e-2, "weight_decay": 0.1}),
    ("Adadelta", {"learning_rate": 1.0, "rho": 0.7, "epsilon": 1e-3, "clipnorm": 1.0}),
    ("Adamax", {"learning_rate": 0.1, "beta_1": 0.7, "beta_2": 0.9, "epsilon": 1e-3, "global_clipnorm": 1.0}),
    ("Nadam", {"learning_rate": 0.1, "beta_1": 0.7, "beta_2": 0.9, "epsilon": 1e-3, "use_ema": True}),
    ("Lion", {}), ("Lion", {"learning_rate": 0.01, "beta_1": 0.7, "beta_2": 0.8, "weight_decay": 0.1}), ("Ftrl", {}),
    ("Ftrl", {"learning_rate": 0.1, "learning_rate_power": -0.7, "l1_regularization_strength": 0.1,
              "l2_regularization_strength": 0.2, "l2_shrinkage_regularization_strength": 0.05, "beta": 0.5}),
    ("SGD", {"gradient_accumulation_steps": 3, "learning_rate": 0.1, "momentum": 0.9}),
    ("Adam", {"gradient_accumulation_steps": 2, "weight_decay": 0.1, "clipnorm": 0.5}),
    ("Nadam", {"gradient_accumulation_steps": 2}), ("Lion", {"gradient_accumulation_steps": 3}),
    ("Adamax", {"gradient_accumulation_steps": 2, "use_ema": True, "ema_momentum": 0.5}),
    ("SGD", {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 3, "learning_rate": 0.3}),
    ("RMSprop", {}), ("RMSprop", {"rho": 0.5, "momentum": 0.5}), ("RMSprop", {"centered": True}),
]
PARAMS = [pytest.param(*case, id="-".join([case[0], *map(str, case[1])])) for case in CASES]


def start():
    g = np.random.default_rng(3)
    return [g.standard_normal(shape).astype("float32") for shape in SHAPES]


def gradients(step):
    g = np.random.default_rng(100 + step)
    return [g.standard_normal(shape).astype("float32") for shape in SHAPES]


def ours_and_theirs(name, arguments):
    ours, theirs = getattr(optimizers, name)(**arguments), getattr(keras.optimizers, name)(**arguments)
    return ours, theirs, [Variable(a) for a in start()], [keras.Variable(a) for a in start()]


@pytest.mark.parametrize("name, arguments", PARAMS)
def test_an_optimizer_follows_keras_trajectory(name, arguments):
    ours, theirs, weights, keras_weights = ours_and_theirs(name, arguments)
    for step in range(7):
        ours.apply_gradients(zip([Tensor(g) for g in gradients(step)], weights, strict=True))
        theirs.apply(gradients(step), keras_weights)
        for mine, other in zip(weights, keras_weights, strict=True):
            np.testing.assert_allclose(mine.numpy(), keras.ops.convert_to_numpy(other.value), rtol=2e-5, atol=5e-6)
    assert int(ours.iterations) == int(theirs.iterations) == 7 // arguments.get("gradient_accumulation_steps", 1)
    ours.finalize_variable_values(weights)
    theirs.finalize_variable_values(keras_weights)
    for mine, other in zip(weights, keras_weights, strict=True):
        np.testing.assert_allclose(mine.numpy(), keras.ops.convert_to_numpy(other.value), rtol=2e-5, atol=5e-6)


def test_gradients_may_be_arrays_and_have_the_weights_shapes():
    weights = [Variable(a) for a in start()]
    with_arrays, with_tensors = optimizers.Adam(0.1), optimizers.Adam(0.1)
    with_arrays.apply(gradients(0), weights)
    others = [Variable(a) for a in start()]
    with_tensors.apply([Tensor(g) for g in gradients(0)], others)
    for mine, other in zip(weights, others, strict=True):
        np.testing.assert_array_equal(mine.numpy(), other.numpy())
    before = [w.numpy() for w in weights]
    with pytest.raises(ValueError, match=r"shape of its weight. Received: a gradient of shape \(3, 1\) for the weight"):
        with_arrays.apply([np.ones((3, 1), np.float32)], weights[:1])
    assert int(with_arrays.iterations) == 1
    for weight, value in zip(weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)


@pytest.mark.parametrize("name, arguments", PARAMS)
def test_an_optimizer_keeps_variables_in_keras_order(name, arguments):
    ours, theirs, weights, keras_weights = ours_and_theirs(name, arguments)
    ours.build(weights)
    theirs.build(keras_weights)
    assert [v.shape for v in ours.variables] == [tuple(v.shape) for v in theirs.variables]
    ours.apply([Tensor(g) for g in gradients(0)], weights)
    theirs.apply(gradients(0), keras_weights)
    for mine, other in zip(ours.variables, theirs.variables, strict=True):
        np.testing.assert_allclose(mine.numpy(), keras.ops.convert_to_numpy(other.value), rtol=2e-5, atol=5e-6)


@pytest.mark.parametrize("name, arguments", PARAMS)
def test_an_optimizer_in_a_plan_equals_the_eager_one_to_the_bit(name, arguments):
    eager, planned = getattr(optimizers, name)(**arguments), getattr(optimizers, name)(**arguments)
    a, b = [Variable(w) for w in start()], [Variable(w) for w in start()]
    inputs = [Tensor(g) for g in gradients(0)]
    planned.build(b)
    plan = record(lambda grads: planned.apply(grads, b), inputs)
    for before, weight in zip(start(), b, strict=True):
        np.testing.assert_array_equal(weight.numpy(), before)  # recording changes nothing
    assert int(planned.iterations) == 0
    for step in range(4):
        for tensor, g in zip(inputs, gradients(step), strict=True):
            tensor._view()[...] = g
        eager.apply([Tensor(g) for g in gradients(step)], a)
        plan.run()
        if step == 1:  # a plan reads the learning rate when it runs
            eager.learning_rate = planned.learning_rate = 0.02
    for mine, other in zip([*a, *eager.variables], [*b, *planned.variables], strict=True):
        assert mine.numpy().tobytes() == other.numpy().tobytes()


@pytest.mark.parametrize("name, arguments", PARAMS)
def test_configs_are_those_of_keras_and_come_back(name, arguments):
    ours, theirs, *_ = ours_and_theirs(name, arguments)
    config, expected = ours.get_config(), theirs.get_config()
    assert set(config) == set(expected)
    assert config.pop("name").rstrip("_0123456789") == expected.pop("name").rstrip("_0123456789")
    for key, value in expected.items():
        assert config[key] == (pytest.approx(value) if isinstance(value, float) else value), key
    assert type(ours).from_config(ours.get_config()).get_config() == ours.get_config()


def test_names_find_optimizers_in_any_case():
    for name in ("adam", "Adam", "SGD", "sgd", "RMSprop", "adamw"):
        assert type(optimizers.get(name)).__name__ == type(keras.optimizers.get(name)).__name__
    adam = optimizers.Adam(0.5)
    assert optimizers.get(adam) is adam
    assert optimizers.get(None) is None
    again = optimizers.get({"class_name": "Adam", "config": {"learning_rate": 0.5}})
    assert float(again.learning_rate) == 0.5


def test_the_learning_rate_can_be_read_and_set():
    sgd = optimizers.SGD(0.5)
    w = Variable([1.0])
    sgd.learning_rate = 0.25
    assert float(sgd.learning_rate) == 0.25
    sgd.learning_rate.assign(0.125)
    sgd.apply([Tensor([1.0])], [w])
    assert w.numpy() == [0.875]
    assert float(optimizers.SGD(1).learning_rate) == 1


def test_a_schedule_gives_the_rate_of_each_step():
    seen = []

    def schedule(step):
        seen.append(int(step))
        return 1.0 / (1 + int(step))

    sgd = optimizers.SGD(schedule)
    w = Variable([0.0])
    for _ in range(3):
        sgd.apply([Tensor([1.0])], [w])
    assert w.numpy()[0] == pytest.approx(-(1 + 1 / 2 + 1 / 3))
    assert seen == [0, 1, 2]
    assert float(sgd.learning_rate) == 0.25
    with pytest.raises(TypeError, match="schedule"):
        sgd.learning_rate = 0.1
    constant = optimizers.SGD(lambda: 0.5)
    constant.apply([Tensor([1.0])], [w := Variable([0.0])])
    assert w.numpy() == [-0.5]


def test_weights_without_gradient_are_left_alone_with_a_warning():
    sgd, a, b = optimizers.SGD(1.0), Variable([1.0]), Variable([1.0], name="lonely")
    with pytest.warns(UserWarning, match="lonely"):
        sgd.apply([Tensor([1.0]), None], [a, b])
    assert a.numpy() == [0] and b.numpy() == [1]


def test_constraints_hold_after_each_step():
    w = Variable([1.0, -1.0])
    w.constraint = lambda v: v * (v > 0.0)
    optimizers.SGD(0.5).apply([Tensor([1.0, 1.0])], [w])
    np.testing.assert_array_equal(w.numpy(), [0.5, 0])


def test_weights_are_spared_from_decay():
    a, b = Variable([1.0], name="kernel"), Variable([1.0], name="bias")
    sgd = optimizers.SGD(0.5, weight_decay=0.5)
    sgd.exclude_from_weight_decay(var_names=["bias"])
    sgd.apply([Tensor([0.0]), Tensor([0.0])], [a, b])
    assert a.numpy() == [0.75] and b.numpy() == [1]


def test_the_state_goes_into_a_store_and_comes_back():
    adam, again = optimizers.Adam(), optimizers.Adam()
    a, b = [Variable(w) for w in start()], [Variable(w) for w in start()]
    adam.apply([Tensor(g) for g in gradients(0)], a)
    store = {}
    adam.save_own_variables(store)
    again.build(b)
    again.load_own_variables(store)
    for v, w in zip(a, b, strict=True):
        w.assign(v.numpy())
    for optimizer, weights in ((adam, a), (again, b)):
        optimizer.apply([Tensor(g) for g in gradients(1)], weights)
    for v, w in zip([*a, *adam.variables], [*b, *again.variables], strict=True):
        assert v.numpy().tobytes() == w.numpy().tobytes()
    other = optimizers.SGD()
    with pytest.warns(UserWarning, match="starts anew"):
        other.load_own_variables(store)


def test_an_optimizer_of_ones_own_changes_weights_by_operations():
    class Signs(optimizers.Optimizer):
        def update_step(self, gradient, variable, learning_rate):
            self.assign_sub(variable, (gradient > 0.0) * learning_rate)

    w = Variable([1.0, 1.0])
    optimizer = Signs(0.25)
    optimizer.apply_gradients([(Tensor([2.0, -2.0]), w)])
    np.testing.assert_array_equal(w.numpy(), [0.75, 1])
    assert optimizer.name.startswith("signs")


BAD = [
    (lambda: optimizers.SGD(lr=0.1), "learning_rate"),
    (lambda: optimizers.SGD("fast"), "learning_rate='fast'"),
    (lambda: optimizers.SGD(momentum=1.5), "momentum=1.5"),
    (lambda: optimizers.SGD(clipnorm=1.0, clipvalue=1.0), "clipnorm"),
    (lambda: optimizers.SGD(clipnorm=-1.0), "clipnorm=-1.0"),
    (lambda: optimizers.Lion(beta_1=0), "beta_1=0"),
    (lambda: optimizers.Ftrl(beta=0.0, learning_rate_power=0.5), "power=-0.5"),
    (lambda: optimizers.Adam(gradient_accumulation_steps=1), "gradient_accumulation_steps=1"),
    (lambda: optimizers.AdamW(weight_decay=None), "weight_decay=None"),
    (lambda: optimizers.get("adams"), "did you mean 'adam'"),
    (lambda: optimizers.get(3), "Received: 3"),
    (lambda: optimizers.SGD().apply([Tensor([1.0])]), "trainable_variables"),
    (lambda: optimizers.SGD().apply([None], [Variable([1.0])]), "gradient"),
    (lambda: optimizers.SGD().apply([Tensor([1.0])], []), "1 gradients for 0 weights"),
]


@pytest.mark.parametrize("program, words", BAD)
def test_wrong_arguments_are_named(program, words):
    with pytest.raises(ValueError) as error:
        program()
    assert words in str(error.value) and "Received" in str(error.value)


def test_gradients_of_unknown_weights_are_refused():
    sgd = optimizers.SGD()
    sgd.build([Variable([1.0])])
    with pytest.raises(ValueError, match="'stranger'"):
        sgd.apply([Tensor([1.0])], [Variable([1.0], name="stranger")])
