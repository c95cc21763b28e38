"""Pooling: values, gradients, ties, NaNs, threads and messages."""
import numpy as np
import pytest
import reference
from cases import CASES, Case
from layer_checks import THREADS, TIERS, Run, normal, relative_error, same_bits

from cnncore import _core
from cnncore.ops.pool import AvgPool2D, GlobalAvgPool2D, GlobalMaxPool2D, MaxPool2D

OPS = {"max_pool2d": MaxPool2D, "avg_pool2d": AvgPool2D, "global_max_pool2d": GlobalMaxPool2D,
       "global_avg_pool2d": GlobalAvgPool2D}

# Beyond the table: windows of more than 256 positions, many images, images large enough to be cut into bands.
MORE = [
    Case("17x16_same_272_positions", {"x": (2, 18, 19, 5)}, dict(pool=(17, 16), strides=(3, 4), padding="same")),
    Case("16x16_valid_256_positions", {"x": (1, 17, 18, 3)}, dict(pool=(16, 16), strides=(1, 1), padding="valid")),
    Case("2x2_many_images", {"x": (33, 9, 8, 17)}, dict(pool=(2, 2), strides=(2, 2), padding="valid")),
    Case("2x2_bands", {"x": (2, 61, 50, 16)}, dict(pool=(2, 2), strides=(2, 2), padding="same")),
    Case("3x3_bands", {"x": (1, 60, 51, 17)}, dict(pool=(3, 3), strides=(2, 2), padding="same")),
    Case("no_channels", {"x": (2, 4, 4, 0)}, dict(pool=(2, 2), strides=(2, 2), padding="valid")),
]
WINDOWS = CASES["max_pool2d"] + MORE
GLOBALS = CASES["global_max_pool2d"] + [
    Case("bands", {"x": (1, 33, 31, 70)}),
    Case("wide_bands", {"x": (2, 15, 17, 300)}),
    Case("many", {"x": (40, 3, 5, 33)}),
]
ALL = [pytest.param(name, case, id=f"{name}-{case.id}") for name in OPS
       for case in (GLOBALS if name.startswith("global") else WINDOWS)]
SMALL = [p for p in ALL if np.prod(p.values[1].shapes["x"]) < 4000]


def arrays(op, case, seed=1, integers=False):
    """x and a dy; whole numbers from few values give ties."""
    draw = np.random.default_rng(seed)
    x = draw.integers(-4, 5, case.shapes["x"]).astype(np.float32) if integers else normal(seed, case.shapes["x"])
    (y,) = op.outputs(_core.Buffer.promise(x.shape), keep=False)
    return x, draw.integers(-8, 9, y.shape).astype(np.float32) if integers else normal(seed + 1, y.shape)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("name, case", SMALL)
def test_values_and_gradients_are_the_references(name, case, tier):
    op = OPS[name](**case.options)
    x, dy = arrays(op, case)
    run = Run(op, [x], dy, tier=tier)
    assert relative_error(run.y, getattr(reference, name)(x, **case.options)) < 3e-7
    assert relative_error(run.grads[0], getattr(reference, name + "_vjp")(dy, x, **case.options)[0]) < 3e-7


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("name, case", [p for p in SMALL if "max" in p.values[0]])
def test_max_pooling_of_whole_numbers_with_ties_is_exact(name, case, tier):
    op = OPS[name](**case.options)
    x, dy = arrays(op, case, integers=True)
    run = Run(op, [x], dy, tier=tier)
    assert np.array_equal(run.y, getattr(reference, name)(x, **case.options))
    assert np.array_equal(run.grads[0], getattr(reference, name + "_vjp")(dy, x, **case.options)[0])


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("name, case", ALL)
def test_the_bits_do_not_depend_on_threads_or_on_what_is_kept(name, case, tier):
    op = OPS[name](**case.options)
    x, dy = arrays(op, case)
    runs = [Run(op, [x], dy, tier=tier, threads=t) for t in THREADS]
    first = runs[0].outputs + runs[0].grads
    for run in runs[1:]:
        assert all(same_bits(a, b) for a, b in zip(run.outputs + run.grads, first, strict=True))
    assert same_bits(Run(op, [x], tier=tier).y, runs[0].y)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("name, case", SMALL)
def test_accumulate_adds_exactly(name, case, tier):
    op = OPS[name](**case.options)
    x, dy = arrays(op, case)
    fresh = Run(op, [x], dy, tier=tier).grads[0]
    before = normal(9, x.shape)
    assert same_bits(Run(op, [x], dy, before=[before], tier=tier).grads[0], before + fresh)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("name, case", SMALL)
def test_the_gradient_behind_a_relu_is_0_where_the_relu_was(name, case, tier):
    op = OPS[name](**case.options)
    x, dy = arrays(op, case)
    x = np.maximum(x - 1, 0)
    plain, behind = Run(op, [x], dy, tier=tier), Run(op, [x], dy, behind_relu=True, tier=tier)
    assert np.array_equal(behind.grads[0], np.where(x > 0, plain.grads[0], 0))


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("name, case", SMALL)
def test_nan_and_infinity_reach_the_output(name, case, tier):
    op = OPS[name](**case.options)
    x, dy = arrays(op, case)
    if x.size == 0:
        return
    draw = np.random.default_rng(4)
    x[draw.random(x.shape) < 0.1] = np.nan
    x[draw.random(x.shape) < 0.1] = -np.inf
    run = Run(op, [x], dy, tier=tier)
    wanted = getattr(reference, name)(x, **case.options)
    assert np.array_equal(np.isnan(run.y), np.isnan(wanted))
    assert np.array_equal(np.isinf(run.y), np.isinf(wanted))
    if "max" in name:
        assert relative_error(run.grads[0], getattr(reference, name + "_vjp")(dy, x, **case.options)[0]) < 3e-7


@pytest.mark.parametrize("tier", TIERS)
def test_a_nan_gradient_reaches_only_the_maximum(tier):
    x = np.arange(32, dtype=np.float32).reshape(1, 4, 4, 2)
    dy = np.full((1, 2, 2, 2), np.nan, np.float32)
    dx = Run(MaxPool2D((2, 2)), [x], dy, tier=tier).grads[0]
    assert np.isnan(dx[:, 1::2, 1::2]).all() and np.isnan(dx).sum() == 8


def test_a_small_call_is_one_group_and_a_large_image_is_many_tasks():
    promise, options = _core.Buffer.promise, ((2, 2), (2, 2), (0, 0))
    small = _core.max_pool2d(promise((4, 8, 8, 6)), promise((4, 4, 4, 6)), None, *options)
    assert small.work[0] <= small.work[1]
    large = _core.max_pool2d(promise((1, 224, 224, 64)), promise((1, 112, 112, 64)), None, *options)
    tasks, grain, per_image = large.work[:3]
    assert tasks == per_image == 16 and grain == 1


@pytest.mark.parametrize("options, x, words", [
    (dict(pool=(2, 2)), (3, 4, 5), "(batch, height, width, channels)"),
    (dict(pool=(5, 2)), (1, 4, 5, 1), "does not fit into an image of 4 by 5"),
    (dict(pool=(2, 2), padding="full"), (1, 4, 4, 1), "padding='full'"),
    (dict(pool=(2, 0)), (1, 4, 4, 1), "pool size"),
    (dict(pool=(2, 2), strides=(0, 1)), (1, 4, 4, 1), "strides"),
])
@pytest.mark.parametrize("op", [MaxPool2D, AvgPool2D])
def test_what_does_not_fit_is_explained(op, options, x, words):
    with pytest.raises(ValueError) as error:
        op(**options).outputs(_core.Buffer.promise(x), keep=True)
    assert words in str(error.value) and "Received" in str(error.value)


@pytest.mark.parametrize("op", [GlobalMaxPool2D, GlobalAvgPool2D])
def test_global_pooling_explains_what_does_not_fit(op):
    for shape in ((2, 3), (2, 0, 4, 3)):
        with pytest.raises(ValueError, match="Received"):
            op().outputs(_core.Buffer.promise(shape), keep=True)
