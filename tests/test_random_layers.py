"""Random configurations of all layers: configuration, weights, outputs, losses and gradients are those of Keras on JAX.

CNNCORE_LAYER_SEED draws others than those of every run, and CNNCORE_LAYER_COUNT multiplies how many.
"""
import os

import numpy as np
import pytest

pytest.importorskip("jax", exc_type=ImportError)
pytest.importorskip("keras", exc_type=ImportError)
from hypothesis import HealthCheck, given, note, seed, settings
from keras_on_jax import describe
from random_layers import FAMILIES

import cnncore

SEED, TIMES = os.environ.get("CNNCORE_LAYER_SEED"), int(os.environ.get("CNNCORE_LAYER_COUNT", 1))


def apart(rng, shapes):
    """Arrays of numbers that differ, none near 0: no maximum is undecided."""
    count = sum(int(np.prod(shape)) for shape in shapes)
    pool = iter((rng.permutation(np.arange(count) - count // 2 + 0.37) * (5 / max(count, 5))).astype("float32"))
    return [np.array([next(pool) for _ in range(int(np.prod(shape)))], "float32").reshape(shape) for shape in shapes]


def near(ours, theirs, what, tolerance=1e-5, least=1e-2):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape, what
    error, size = np.abs(ours - theirs).max(initial=0), np.abs(theirs).max(initial=0)
    assert error <= tolerance * max(size, least), f"{what}: {error:.3g} of {size:.3g}"


def compare(server, case):
    name, arguments, shapes, training = case
    note(f"layers.{name}(**{arguments}) of {shapes}, training={training}")
    rng = np.random.default_rng(11)
    ours, described = describe(cnncore, name, arguments, shapes)
    inputs = apart(rng, shapes)
    weights = [(np.abs(rng.normal(size=w.shape)) + 0.1 if "variance" in w.name else rng.normal(size=w.shape) * 0.5)
               .astype("float32") for w in ours.weights]
    ours.set_weights(weights)
    tensors = [cnncore.Tensor(x, requires_grad=True) for x in inputs]
    given_ = tensors if len(tensors) > 1 else tensors[0]
    y = ours(given_, training=training) if ours._training_at is not None else ours(given_)
    dy = rng.normal(size=y.shape).astype("float32")
    losses = list(ours.losses)
    total = (y * dy).sum()
    for loss in losses:
        total = total + loss
    total.backward()
    theirs = server.ask((name, arguments, inputs, training, weights, dy))
    assert "error" not in theirs, theirs
    assert described["name"] == theirs["name"]
    assert described["weights"] == theirs["weights"]
    assert described["output_shape"] == theirs["output_shape"] == y.shape
    differing = {key: (described["config"].get(key, "missing"), theirs["config"].get(key, "missing"))
                 for key in {*described["config"], *theirs["config"]}
                 if described["config"].get(key, "missing") != theirs["config"].get(key, "missing")}
    assert not differing, f"configuration (ours, Keras's): {differing}"
    near(y.numpy(), theirs["y"], "outputs")
    for loss, other in zip(losses, theirs["losses"], strict=True):
        near(loss.numpy(), other, "losses")
    # What normalizes subtracts numbers of the size of dy from one another.
    subtracts = "Normalization" in name or name == "Softmax" or "softmax" in str(arguments.get("activation"))
    least = 1 if subtracts else 1e-2
    for i, (tensor, dx) in enumerate(zip(tensors, theirs["dx"], strict=True)):
        near(tensor.grad.numpy() if tensor.grad is not None else np.zeros_like(dx), dx, f"gradient of input {i}", 2e-5,
             least)
    for variable, dw in zip(ours.trainable_weights, theirs["dw"], strict=True):
        near(variable.grad.numpy(), dw, f"gradient of {variable.path}", 2e-5, least)
    states = [w for w in ours.non_trainable_weights if w.dtype == "float32"]
    for variable, state in zip(states, theirs["states"], strict=True):
        near(variable.numpy(), state, variable.path)


@pytest.mark.parametrize("family", FAMILIES)
def test_random_layers_are_those_of_keras(family, jax_server):
    strategy, count = FAMILIES[family]

    @settings(max_examples=count * TIMES, derandomize=SEED is None, database=None, deadline=None,
              suppress_health_check=list(HealthCheck))
    @given(strategy())
    def check(case):
        compare(jax_server, case)

    (check if SEED is None else seed(int(SEED))(check))()
