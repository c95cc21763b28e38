"""Dense layers whose x or dy is full of zeros, which are not multiplied: what comes out is what zeros would have given."""
import numpy as np
import pytest
import reference as ref
from layer_checks import THREADS, TIERS, Run, relative_error, same_bits

from cnncore.ops.dense import Dense

# batch, depth, units: whole and partial blocks, vectors and tasks; several panels, slots and rounds of depth; bits that
# have no room at once
SHAPES = [(65, 64, 64), (70, 100, 50), (100, 257, 130), (129, 96, 300), (300, 520, 128), (257, 1100, 257), (32, 130, 700),
          (513, 4100, 96), (600, 520, 1100)]


def operands(batch, depth, units, zeros=0.6, integers=False):
    rng = np.random.default_rng(batch + depth + units)

    def numbers(*shape):
        return (rng.integers(-3, 4, shape) if integers else rng.standard_normal(shape)).astype(np.float32)

    x = numbers(batch, depth) * (rng.random((batch, depth)) >= zeros)
    x[:, ::7] = 0  # a unit of the layer before that is dead
    x[1::5] = 0    # a sample that is
    dy = numbers(batch, units) * (rng.random((batch, units)) >= zeros)
    dy[:, 5::11] = 0
    return x, numbers(depth, units), numbers(units), dy


def wanted(x, w, b, dy):
    return [ref.dense(x, w, b), *ref.dense_vjp(dy, x, w, b)]


def run(x, w, b, dy, **how):
    run = Run(Dense(), [x, w, b], dy, **how)
    return [run.y, *run.grads]


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_results_are_the_reference(shape, tier):
    values = operands(*shape)
    tolerance = 2e-5 if tier == "amx" else 2e-6
    for name, got, exact in zip(("y", "dx", "dw", "db"), run(*values, tier=tier), wanted(*values)):
        assert relative_error(got, exact) <= tolerance, name


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_whole_numbers_come_out_exact(shape, tier):
    values = operands(*shape, integers=True)
    for name, got, exact in zip(("y", "dx", "dw", "db"), run(*values, tier=tier), wanted(*values)):
        assert np.array_equal(got, exact), name


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("zeros", (0.17, 0.25, 0.33, 0.6, 1), ids="{} of them zeros".format)
def test_threads_do_not_change_a_bit(zeros, tier):
    """Some tasks may leave zeros out and others not: at a quarter or a third they begin to."""
    values = operands(300, 1100, 130, zeros)
    once = run(*values, tier=tier)
    for threads in THREADS:
        assert all(same_bits(a, b) for a, b in zip(once, run(*values, tier=tier, threads=threads)))


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_relus_mask_the_gradient_and_the_result(shape, tier):
    x, w, b, dy = operands(*shape, integers=True)
    x = np.abs(x)
    y = np.maximum(ref.dense(x, w, b), 0)
    dx, dw, db = ref.dense_vjp(np.where(y > 0, dy, 0), x, w, b)
    got = Run(Dense("relu"), [x, w, b], dy, behind_relu=True, tier=tier)
    assert np.array_equal(got.y, y)
    for a, e in zip(got.grads, (np.where(x > 0, dx, 0), dw, db)):
        assert np.array_equal(a, e)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradients_add_to_what_is_there(shape, tier):
    x, w, b, dy = operands(*shape, integers=True)
    before = [np.full(a.shape, 2, np.float32) for a in (x, w, b)]
    got = Run(Dense(), [x, w, b], dy, before=before, tier=tier)
    for a, e in zip(got.grads, ref.dense_vjp(dy, x, w, b)):
        assert np.array_equal(a, e + 2)


@pytest.mark.parametrize("tier", [tier for tier in TIERS if tier != "amx"])
@pytest.mark.parametrize("value", (np.nan, np.inf, -np.inf), ids=str)
@pytest.mark.parametrize("place", ("x", "w", "dy"))
def test_zeros_times_what_is_not_finite_are_nan(place, value, tier):
    """As IEEE 754 has it: also where all numbers that it is multiplied by are zeros."""
    x, w, b, dy = operands(140, 1100, 150)
    {"x": x, "w": w, "dy": dy}[place][[3, 77, 139], [0, 70, 149]] = value
    x[:, 77] = dy[:, 70] = 0
    if place == "x":
        x[77, 70] = value
    with np.errstate(invalid="ignore"):
        for name, got, exact in zip(("y", "dx", "dw", "db"), run(x, w, b, dy, tier=tier), wanted(x, w, b, dy)):
            assert np.array_equal(np.isnan(got), np.isnan(exact)), name
            assert np.array_equal(np.isinf(got), np.isinf(exact)), name
