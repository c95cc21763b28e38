"""The reference's forward passes, losses and optimizer steps are those of Keras 3."""

import os

import numpy as np
import pytest
import reference as ref
from cases import CASES

os.environ.setdefault("KERAS_BACKEND", "numpy")
# Any ImportError: a Keras whose backend lacks a package of its own (its NumPy backend imports jax) cannot be used.
keras = pytest.importorskip("keras", exc_type=ImportError)

# Keras computes in float32.
CLOSE = dict(rtol=2e-5, atol=5e-5)

ACTIVATIONS = (
    "relu relu6 leaky_relu elu selu celu sigmoid tanh softplus softsign silu gelu exponential hard_sigmoid hard_silu "
    "mish softmax log_softmax linear"
).split()
BINARY = "add subtract multiply divide maximum minimum power".split()
UNARY = "exp expm1 log log1p sqrt rsqrt reciprocal square abs negative sin cos".split()
REDUCTIONS = "sum mean max min".split()


def params(ops, wanted=lambda case: True):
    return [pytest.param(op, case, id=f"{op}-{case.id}") for op in ops for case in CASES[op] if wanted(case)]


def keras_array(x):
    return None if x is None else keras.ops.convert_to_tensor(x)


def assert_close(actual, expected):
    actual = keras.ops.convert_to_numpy(actual)
    assert actual.shape == np.shape(expected)
    np.testing.assert_allclose(actual, expected, **CLOSE)


@pytest.mark.parametrize(
    ("op", "case"),
    params(["conv2d"], lambda case: isinstance(case.options["padding"], str)
           and case.shapes["x"][0] and case.shapes["w"][3]),
)
def test_conv2d(op, case):
    x, w, b = case.arrays().values()
    o = case.options
    y = keras.ops.conv(keras_array(x), keras_array(w), o["strides"], o["padding"], "channels_last", o["dilation"])
    assert_close(y, ref.conv2d(x, w, None, **o))


@pytest.mark.parametrize(("op", "case"), params(["max_pool2d", "avg_pool2d"], lambda case: case.shapes["x"][0]))
def test_pooling(op, case):
    (x,) = case.arrays().values()
    o = case.options
    pool = keras.ops.max_pool if op == "max_pool2d" else keras.ops.average_pool
    y = pool(keras_array(x), o["pool"], o["strides"], o["padding"], "channels_last")
    assert_close(y, getattr(ref, op)(x, **o))


@pytest.mark.parametrize("case", CASES["global_max_pool2d"], ids=lambda case: case.id)
def test_global_pooling(case):
    (x,) = case.arrays().values()
    assert_close(keras.layers.GlobalMaxPooling2D()(keras_array(x)), ref.global_max_pool2d(x))
    assert_close(keras.layers.GlobalAveragePooling2D()(keras_array(x)), ref.global_avg_pool2d(x))


@pytest.mark.parametrize(("op", "case"), params(ACTIVATIONS, lambda case: 0 not in case.shapes["x"]))
def test_activations(op, case):
    (x,) = case.arrays().values()
    x = 3 * x  # reaches the flat ends of the hard functions
    assert_close(getattr(keras.activations, op)(keras_array(x), **case.options), getattr(ref, op)(x, **case.options))


@pytest.mark.parametrize(("op", "case"), params(BINARY + UNARY + REDUCTIONS + ["matmul", "transpose", "reshape"]))
def test_arithmetic(op, case):
    arrays = case.arrays().values()
    options = {{"shape": "newshape"}.get(name, name): value for name, value in case.options.items()}
    y = getattr(keras.ops, op)(*map(keras_array, arrays), **options)
    assert_close(y, getattr(ref, op)(*arrays, **case.options))


@pytest.mark.parametrize("case", CASES["one_hot"], ids=lambda case: case.id)
def test_one_hot(case):
    (labels,) = case.arrays().values()
    inside = labels % case.options["n"]
    assert_close(keras.ops.one_hot(keras_array(inside), case.options["n"]), ref.one_hot(inside, case.options["n"]))


@pytest.mark.parametrize("case", CASES["batch_norm_train"], ids=lambda case: case.id)
def test_batch_normalization_and_its_moving_statistics(case):
    x, gamma, beta = case.arrays().values()
    layer = keras.layers.BatchNormalization(
        epsilon=case.options["eps"], momentum=0.9, center=beta is not None, scale=gamma is not None
    )
    layer.build(x.shape)
    ones, zeros = np.ones(x.shape[-1]), np.zeros(x.shape[-1])
    layer.set_weights([w for w in (gamma, beta, zeros, ones) if w is not None])
    y, mean, var = ref.batch_norm_train(x, gamma, beta, **case.options)
    assert_close(layer(keras_array(x), training=True), y)
    moving_mean, moving_var = ref.batch_norm_moving(zeros, ones, mean, var, 0.9)
    assert_close(layer.moving_mean, moving_mean)
    assert_close(layer.moving_variance, moving_var)
    infer = ref.batch_norm_infer(x, gamma, beta, moving_mean, moving_var, **case.options)
    assert_close(layer(keras_array(x), training=False), infer)


@pytest.mark.parametrize("case", CASES["softmax_cross_entropy"], ids=lambda case: case.id)
def test_softmax_cross_entropy(case):
    logits, labels = case.arrays().values()
    op = keras.ops.categorical_crossentropy if labels.ndim == logits.ndim else keras.ops.sparse_categorical_crossentropy
    y = op(keras_array(labels), keras_array(logits), from_logits=True)
    assert_close(y, ref.softmax_cross_entropy(logits, labels))


@pytest.mark.parametrize("case", CASES["binary_cross_entropy"], ids=lambda case: case.id)
def test_binary_cross_entropy(case):
    logits, targets = case.arrays().values()
    y = keras.ops.binary_crossentropy(keras_array(targets.astype(np.float32)), keras_array(logits), from_logits=True)
    # The NumPy backend clips the probabilities to 1e-7, which shows only in losses above 16.
    assert_close(y, ref.binary_cross_entropy(logits, targets))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", dict(learning_rate=0.1)),
        ("SGD", dict(learning_rate=0.05, momentum=0.9)),
        ("SGD", dict(learning_rate=0.05, momentum=0.9, nesterov=True)),
        ("Adam", dict(learning_rate=0.01)),
        ("Adam", dict(learning_rate=0.1, beta_1=0.8, beta_2=0.95, epsilon=1e-2)),
    ],
    ids=["sgd", "momentum", "nesterov", "adam", "adam_with_large_epsilon"],
)
def test_five_steps_of_an_optimizer(name, options):
    rng = np.random.default_rng(11)
    w = rng.standard_normal(33).astype(np.float32)
    variable, optimizer = keras.Variable(w), getattr(keras.optimizers, name)(**options)
    optimizer.build([variable])
    state = dict(velocity=np.zeros(33), m=np.zeros(33), v=np.zeros(33))
    for step in range(1, 6):
        g = rng.standard_normal(33).astype(np.float32)
        optimizer.apply([keras_array(g)])
        lr = options["learning_rate"]
        if name == "SGD":
            momentum, nesterov = options.get("momentum", 0.0), options.get("nesterov", False)
            w, state["velocity"] = ref.sgd(w, g, lr, momentum, nesterov, state["velocity"])
        else:
            betas = options.get("beta_1", 0.9), options.get("beta_2", 0.999)
            w, state["m"], state["v"] = ref.adam(
                w, g, state["m"], state["v"], step, lr, *betas, options.get("epsilon", 1e-7)
            )
        assert_close(variable.value, w)
