"""Batch normalization: values, statistics, gradients, large means, threads and messages."""
import numpy as np
import pytest
import reference
from cases import CASES
from layer_checks import THREADS, TIERS, Run, normal, relative_error, same_bits

from cnncore import _core
from cnncore.ops.batch_norm import SLOTS, BatchNormInfer, BatchNormTrain, slots_shape

TRAIN, INFER = CASES["batch_norm_train"], CASES["batch_norm_infer"]
# Shapes with many slots, slots of several images, the last slot short, channels in every grouping of vectors.
LARGE = [(33, 9, 7, 17), (70, 8, 8, 5), (64, 4, 4, 130), (3, 70, 61, 9), (1, 80, 80, 48), (3000, 33), (257, 520),
         (1, 3)]


def train_inputs(shape, gamma=True, beta=True, seed=1):
    c = shape[-1:]
    return [normal(seed, shape) * 2 + 3, normal(seed + 1, c) if gamma else None, normal(seed + 2, c) if beta else None,
            normal(seed + 3, c), np.abs(normal(seed + 4, c))]


def check_gradients(run, dy, x, gamma, beta, epsilon=1e-3):
    """dx is what remains of dy * gamma * rstd after two projections (of two rows nearly nothing): its error is measured
    against that."""
    dx, dgamma, dbeta = reference.batch_norm_train_vjp(dy, x, gamma, beta, epsilon)
    scale = (1 if gamma is None else gamma) * run.outputs[2]
    assert np.linalg.norm(run.grads[0] - dx) < 1e-6 * np.linalg.norm(dy * scale)
    for got, right in ((run.grads[1], dgamma), (run.grads[2], dbeta)):
        assert (got is None) == (right is None)
        assert got is None or relative_error(got, right) < 3e-6


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("case", TRAIN, ids=lambda case: case.id)
def test_training_is_the_reference(case, tier):
    a = case.arrays()
    x, gamma, beta, epsilon = a["x"], a["gamma"], a["beta"], case.options["eps"]
    c = x.shape[-1:]
    moving_mean, moving_variance, dy = normal(5, c), np.abs(normal(6, c)), normal(7, x.shape)
    inputs = [x, gamma, beta, moving_mean, moving_variance]
    wanted = [True, gamma is not None, beta is not None, False, False]
    run = Run(BatchNormTrain(0.9, epsilon), inputs, dy, wanted, tier=tier)
    y, mean, variance = reference.batch_norm_train(x, gamma, beta, epsilon)
    assert relative_error(run.y, y) < 1e-6
    moved = reference.batch_norm_moving(moving_mean, moving_variance, mean, variance, 0.9)
    assert relative_error(run.inputs[3], moved[0]) < 1e-6 and relative_error(run.inputs[4], moved[1]) < 1e-6
    check_gradients(run, dy, x, gamma, beta, epsilon)
    for given, after in zip(inputs[:3], run.inputs[:3], strict=True):
        assert given is None or same_bits(given, after)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("case", INFER, ids=lambda case: case.id)
def test_inference_is_the_reference(case, tier):
    a = case.arrays()
    inputs = [a["x"], a["gamma"], a["beta"], a["mean"], a["var"]]
    dy = normal(8, a["x"].shape)
    wanted = [True, a["gamma"] is not None, a["beta"] is not None, False, False]
    run = Run(BatchNormInfer(case.options["eps"]), inputs, dy, wanted, tier=tier)
    assert relative_error(run.y, reference.batch_norm_infer(*inputs, case.options["eps"])) < 1e-6
    gradients = reference.batch_norm_infer_vjp(dy, *inputs, case.options["eps"])[:3]
    for got, right in zip(run.grads[:3], gradients, strict=True):
        assert (got is None) == (right is None)
        assert got is None or relative_error(got, right) < 1e-6


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("shape", LARGE, ids=str)
def test_many_slots_are_the_reference_and_the_same_bits_on_any_threads(shape, tier):
    inputs, dy = train_inputs(shape), normal(9, shape)
    wanted = [True, True, True, False, False]
    runs = [Run(BatchNormTrain(), inputs, dy, wanted, tier=tier, threads=t) for t in THREADS]
    y, mean, variance = reference.batch_norm_train(*inputs[:3])
    assert relative_error(runs[0].y, y) < 1e-6
    assert relative_error(runs[0].outputs[1], mean) < 1e-6
    check_gradients(runs[0], dy, *inputs[:3])
    for run in runs[1:]:
        here, first = (r.outputs + r.grads[:3] + r.inputs[3:] for r in (run, runs[0]))
        assert all(same_bits(a, b) for a, b in zip(here, first, strict=True))


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("mean, deviation", [(1000, 1), (-1000, 1), (1e4, 1), (1000, 1e-2)])
@pytest.mark.parametrize("shape", [(40, 9, 9, 5), (2, 40, 40, 33), (5000, 3)], ids=str)
def test_a_large_mean_costs_no_digits(shape, mean, deviation, tier):
    x = (normal(1, shape) * deviation + mean).astype(np.float32)
    zeros = np.zeros(shape[-1], np.float32)
    run = Run(BatchNormTrain(0.0, 0.0), [x, None, None, zeros, zeros], tier=tier)
    rows = x.reshape(-1, shape[-1]).astype(np.float64)
    assert np.abs(run.inputs[3] / rows.mean(0) - 1).max() < 1e-6
    assert np.abs(run.inputs[4] / rows.var(0) - 1).max() < 1e-5


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("shape", [(5, 3, 3, 6), (20, 5, 5, 17), (30, 9)], ids=str)
def test_a_fused_relu_is_a_relu_after(shape, tier):
    inputs, dy = train_inputs(shape), normal(9, shape)
    wanted = [True, True, True, False, False]
    for op in (BatchNormTrain, BatchNormInfer):
        plain = Run(op(), inputs, tier=tier).y
        fused = Run(op(activation="relu"), inputs, dy, wanted, tier=tier)
        assert same_bits(fused.y, np.maximum(plain, 0))
        apart = Run(op(), inputs, np.where(plain > 0, dy, 0), wanted, tier=tier)
        assert all(same_bits(a, b) for a, b in zip(fused.grads[:3], apart.grads[:3], strict=True))


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("op", [BatchNormTrain, BatchNormInfer])
def test_the_gradient_behind_a_relu_is_0_where_the_relu_was(op, tier):
    inputs, dy = train_inputs((5, 6, 7, 19)), normal(9, (5, 6, 7, 19))
    inputs[0] = np.maximum(inputs[0] - 3, 0)
    wanted = [True, True, True, False, False]
    plain, behind = (Run(op(), inputs, dy, wanted, behind_relu=b, tier=tier) for b in (False, True))
    assert np.array_equal(behind.grads[0], np.where(inputs[0] > 0, plain.grads[0], 0))


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("op", [BatchNormTrain, BatchNormInfer])
def test_accumulate_adds_exactly(op, tier):
    inputs, dy = train_inputs((18, 5, 5, 21)), normal(9, (18, 5, 5, 21))
    wanted = [True, True, True, False, False]
    before = [normal(20, a.shape) for a in inputs]
    fresh, added = (Run(op(), inputs, dy, wanted, before=b, tier=tier) for b in (None, before))
    assert all(same_bits(a, b + f) for a, b, f in zip(added.grads[:3], before[:3], fresh.grads[:3], strict=True))


@pytest.mark.parametrize("tier", TIERS)
def test_gradients_that_are_not_wanted_change_nothing_in_the_others(tier):
    inputs, dy = train_inputs((18, 5, 5, 21)), normal(9, (18, 5, 5, 21))
    full = Run(BatchNormTrain(), inputs, dy, [True, True, True, False, False], tier=tier)
    for only in range(3):
        wanted = [i == only for i in range(5)]
        assert same_bits(Run(BatchNormTrain(), inputs, dy, wanted, tier=tier).grads[only], full.grads[only])
    assert Run(BatchNormTrain(), inputs, dy, [False] * 5, tier=tier).grads == [None] * 5


@pytest.mark.parametrize("tier", TIERS)
def test_a_nan_reaches_its_channel_and_no_other(tier):
    inputs = train_inputs((4, 6, 6, 7))
    inputs[0][2, 3, 1, 4] = np.nan
    run = Run(BatchNormTrain(), inputs, normal(1, (4, 6, 6, 7)), [True, True, True, False, False], tier=tier)
    for a in (*run.outputs, *run.grads[:2], run.inputs[3], run.inputs[4]):
        assert np.isnan(a[..., 4]).all() and not np.isnan(np.delete(a, 4, -1)).any()


@pytest.mark.parametrize("tier", TIERS)
def test_inference_of_an_empty_batch_gives_nothing_and_no_gradient(tier):
    inputs = train_inputs((0, 5, 5, 3))
    run = Run(BatchNormInfer(), inputs, normal(1, (0, 5, 5, 3)), [True, True, True, False, False], tier=tier)
    assert run.y.shape == (0, 5, 5, 3) and not run.grads[1].any() and not run.grads[2].any()


def test_slots_follow_from_the_shape_alone_and_are_never_many():
    assert slots_shape((512, 28, 28, 32)) == (SLOTS, 2, 32)
    assert slots_shape((33, 4, 4, 8))[0] == 17
    assert slots_shape((2, 4, 4, 8))[0] == 1
    assert slots_shape((100000, 64))[0] <= SLOTS


def test_what_does_not_fit_is_explained():
    c, promise = (3,), _core.Buffer.promise
    good = [promise((4, 5, 5, 3))] + [promise(c)] * 4
    for place, shape, words in ((0, (3,), "(batch, ..., channels)"), (1, (4,), "gamma"), (2, (1, 3), "beta"),
                                (0, (0, 5, 5, 3), "at least one value")):
        inputs = list(good)
        inputs[place] = promise(shape)
        with pytest.raises(ValueError) as error:
            BatchNormTrain().outputs(*inputs, keep=False)
        assert words in str(error.value) and "Received" in str(error.value)
    with pytest.raises(ValueError, match="moving_mean"):
        BatchNormTrain().outputs(*good[:3], promise((9,)), good[4], keep=True)
    with pytest.raises(ValueError, match="no\\s+gradient"):
        Run(BatchNormInfer(), train_inputs((4, 3)), normal(1, (4, 3)), [True] * 5)
