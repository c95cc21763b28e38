"""Optimizers' kernels: one step against the formulas, many steps, threads, NaN."""
import functools

import numpy as np
import pytest
import reference
from cases import CASES
from layer_checks import THREADS, TIERS, Fenced, normal, relative_error, same_bits

from cnncore import _core
from cnncore.ops import optimizers
from cnncore.tensor import Tensor


def run(call, arrays, tier, threads=1, **options):
    """The arrays after one call of a kernel on copies of them."""
    fences = [None if a is None else Fenced(np.shape(a), np.asarray(a).dtype.name, a) for a in arrays]
    before = _core.tier(), _core.threads()
    _core.use_tier(tier)
    _core.set_threads(threads)
    try:
        _core.run_now([call(*[f and f.buffer for f in fences], **options)])
    finally:
        _core.use_tier(before[0])
        _core.set_threads(before[1])
    for fence in fences:
        if fence is not None:
            fence.check()
    return [None if f is None else f.array for f in fences]


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("case", CASES["sgd"], ids=lambda case: case.id)
def test_sgd_is_the_reference(case, tier):
    a, o = case.arrays(), case.options
    arrays = [a["w"], a["g"], a["velocity"], np.float32(o["lr"])]
    w, g, velocity, lr = run(_core.sgd, arrays, tier, momentum=o["momentum"], nesterov=o["nesterov"])
    right_w, right_velocity = reference.sgd(a["w"], a["g"], velocity=a["velocity"], **o)
    assert relative_error(w, right_w) < 3e-7
    assert velocity is None or relative_error(velocity, right_velocity) < 3e-7
    assert same_bits(g, a["g"]) and lr == np.float32(o["lr"])


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("case", CASES["adam"], ids=lambda case: case.id)
def test_adam_is_the_reference(case, tier):
    a, o = case.arrays(), case.options
    arrays = [a["w"], a["g"], a["m"], a["v"], np.int64(o["step"]), np.float32(o["lr"])]
    w, g, m, v, step, _ = run(_core.adam, arrays, tier, beta1=o["beta1"], beta2=o["beta2"], epsilon=o["epsilon"])
    for got, right in zip((w, m, v), reference.adam(a["w"], a["g"], a["m"], a["v"], **o), strict=True):
        assert relative_error(got, right) < 3e-7
    assert same_bits(g, a["g"]) and step == o["step"]


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("case", CASES["update"], ids=lambda case: case.id)
def test_update_is_the_reference(case, tier):
    a, o = case.arrays(), dict(case.options)
    kind, rates = o.pop("kind"), np.asarray(o.pop("rates"), "float32")
    arrays = [a["w"], a["g"], a["a"], a["b"], rates]
    w, g, kept_a, kept_b, after = run(functools.partial(_core.update, kind), arrays, tier, **o)
    right = reference.update(kind, a["w"], a["g"], a["a"], a["b"], rates, **o)
    for got, expected in zip((w, kept_a, kept_b), right, strict=True):
        assert (got is None and expected is None) or relative_error(got, expected) < 3e-7
    assert same_bits(g, a["g"]) and same_bits(after, rates)


@pytest.mark.parametrize("tier", TIERS)
def test_adam_starts_with_a_step_of_the_learning_rate_whatever_the_gradient(tier):
    g = np.array([1e-3, -5, 1e4, 0], np.float32)
    zeros = np.zeros(4, np.float32)
    w = run(_core.adam, [zeros, g, zeros, zeros, np.int64(1), np.float32(0.01)], tier, beta1=0.9, beta2=0.999,
            epsilon=1e-7)[0]
    assert np.allclose(w, [-0.01, 0.01, -0.01, 0], rtol=1e-2)


@pytest.mark.parametrize("tier", TIERS)
def test_the_bits_do_not_depend_on_threads(tier):
    w, g, m, v = (normal(i, (50001,)) for i in range(4))
    for call, arrays, options in [
        (_core.sgd, [w, g, m, np.float32(0.1)], dict(momentum=0.9, nesterov=True)),
        (_core.adam, [w, g, m, v * v, np.int64(7), np.float32(0.1)], dict(beta1=0.9, beta2=0.999, epsilon=1e-7)),
        (functools.partial(_core.update, "nadam"), [w, g, m, v * v, np.array([0.1, 0.2, 1.5], "float32")],
         dict(k1=0.9, k2=0.999, epsilon=1e-7)),
    ]:
        runs = [run(call, arrays, tier, t, **options) for t in THREADS]
        assert all(same_bits(a, b) for other in runs[1:] for a, b in zip(other, runs[0], strict=True))


@pytest.mark.parametrize("tier", TIERS)
def test_a_nan_gradient_reaches_the_weight_and_no_other(tier):
    w, g, zeros = normal(1, (37,)), normal(2, (37,)), np.zeros(37, np.float32)
    g[20] = np.nan
    results = [run(_core.sgd, [w, g, velocity, np.float32(0.1)], tier, momentum=0.9)[0] for velocity in (None, zeros)]
    results.append(run(_core.adam, [w, g, zeros, zeros, np.int64(1), np.float32(0.1)], tier, beta1=0.9, beta2=0.999,
                       epsilon=1e-7)[0])
    for kind, b, rates in (("rmsprop", None, 0.1), ("rmsprop", zeros, 0.1), ("adagrad", None, 0.1),
                           ("adadelta", zeros, 0.1), ("adamax", zeros, 0.1), ("lion", None, 0.1),
                           ("nadam", zeros, [0.1, 0.1, 1])):
        results.append(run(functools.partial(_core.update, kind), [w, g, zeros, b, np.asarray(rates, "float32")], tier,
                           k1=0.9, k2=0.9, epsilon=1e-7)[0])
    for after in results:
        assert np.flatnonzero(np.isnan(after)).tolist() == [20]


@pytest.mark.parametrize("tier", TIERS)
def test_an_empty_weight_is_left_alone(tier):
    empty = np.zeros((0, 3), np.float32)
    assert run(_core.sgd, [empty, empty, None, np.float32(0.1)], tier)[0].shape == (0, 3)


def test_twenty_steps_through_tensors_follow_the_reference():
    w, m, v, velocity = Tensor(normal(1, (7, 3))), Tensor(np.zeros((7, 3))), Tensor(np.zeros((7, 3))), np.zeros((7, 3))
    u, velocity_here = Tensor(w.numpy()), Tensor(velocity)
    step, lr = Tensor(np.int64(0)), Tensor(np.float32(0.05))
    right, right_m, right_v, right_u = w.numpy(), m.numpy(), v.numpy(), u.numpy()
    for t in range(1, 21):
        g = normal(100 + t, (7, 3))
        optimizers.increment(step)
        optimizers.adam(w, Tensor(g), m, v, step, lr)
        optimizers.sgd(u, Tensor(g), velocity_here, lr, 0.9)
        right, right_m, right_v = reference.adam(right, g, right_m, right_v, t, 0.05)
        right_u, velocity = reference.sgd(right_u, g, 0.05, 0.9, velocity=velocity)
    assert step.item() == 20
    assert relative_error(w.numpy(), right) < 1e-6 and relative_error(u.numpy(), right_u) < 1e-6


def test_increment_adds_any_amount_and_wraps():
    counter, unsigned = Tensor(np.int64(5)), Tensor(np.array([2**64 - 1], np.uint64))
    optimizers.increment(counter, -3)
    optimizers.increment(unsigned)
    assert counter.item() == 2 and unsigned.item() == 0


@pytest.mark.parametrize("bad", [dict(g=np.zeros((4, 2), np.float32)), dict(lr=np.zeros(1, np.float32)),
                                 dict(w=np.zeros((3, 2), np.int32))])
def test_buffers_that_do_not_fit_are_refused(bad):
    given = dict(w=np.zeros((3, 2), np.float32), g=np.zeros((3, 2), np.float32), lr=np.float32(0.1)) | bad
    w, g, lr = (Fenced(np.shape(a), np.asarray(a).dtype.name, a).buffer for a in given.values())
    with pytest.raises(ValueError, match="sgd needs"):
        _core.sgd(w, g, None, lr)


def test_update_needs_what_its_optimizer_keeps():
    w, g, a, b = (Fenced((3,), "float32", np.zeros(3, np.float32)).buffer for _ in range(4))
    rate = Fenced((), "float32", np.float32(0.1)).buffer
    for kind, other in (("adamax", None), ("lion", b), ("adagrad", b)):
        with pytest.raises(ValueError, match=kind):
            _core.update(kind, w, g, a, other, rate)
    with pytest.raises(ValueError, match="update needs"):
        _core.update("nadam", w, g, a, b, rate)
