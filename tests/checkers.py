"""What every operation is held to: forward, gradient, accumulation, whole numbers. tests/test_checkers.py breaks each."""
import numpy as np
import reference as ref
from layer_checks import Run, relative_error
from op_table import OPS

# Relative L2 error against float64. Winograd's transforms cost a digit, and pairs of bfloat16 on matrix tiles do.
TOLERANCE = 2e-6
FAST_TOLERANCE = 2e-5
EXACT = ("conv2d", "conv2d_transpose", "depthwise_conv2d", "dense", "max_pool2d", "global_max_pool2d", "add",
         "subtract", "multiply", "maximum", "minimum", "sum", "max", "min", "transpose", "concatenate", "pad2d", "relu",
         "negative", "square", "abs")


def tolerance(op, tier):
    fast = ("conv2d", "conv2d_transpose") + ("dense",) * (tier == "amx")
    return FAST_TOLERANCE if op in fast else TOLERANCE


def reference_forward(op, case, arrays):
    y = getattr(ref, op)(*arrays.values(), **case.options)
    return y[0] if isinstance(y, tuple) else y


def random_gradient(y, seed=7):
    """A dy of y's shape; its products with two outputs differ where the outputs do."""
    return np.random.default_rng(seed).standard_normal(np.shape(y)).astype(np.float32)


def check_forward(op, case, tier, build=None):
    """The engine's y, written over NaN between guards, is the reference's."""
    arrays = case.arrays()
    run = Run((build or OPS[op])(case), list(arrays.values()), tier=tier)
    error = relative_error(run.y, reference_forward(op, case, arrays))
    assert error <= tolerance(op, tier), f"forward: relative error {error:.1e}"


def check_gradient(op, case, tier, build=None):
    """Every input's gradient is the reference's, and its product with a random direction too."""
    arrays = case.arrays()
    dy = random_gradient(reference_forward(op, case, arrays))
    run = Run((build or OPS[op])(case), list(arrays.values()), dy, _wanted(case), tier=tier)
    for name, got, wanted in _gradients(op, case, arrays, dy, run):
        error = relative_error(got, wanted)
        assert error <= tolerance(op, tier), f"gradient of {name}: relative error {error:.1e}"


def check_accumulation(op, case, tier, build=None):
    """With accumulate, the gradient is what was there plus the gradient: nothing lost, nothing counted twice."""
    arrays = case.arrays()
    dy = random_gradient(reference_forward(op, case, arrays))
    before = [None if a is None else np.full(a.shape, 0.5, np.float32) for a in arrays.values()]
    run = Run((build or OPS[op])(case), list(arrays.values()), dy, _wanted(case), before, tier=tier)
    for name, got, wanted in _gradients(op, case, arrays, dy, run):
        error = relative_error(got, np.asarray(wanted) + 0.5)
        assert error <= tolerance(op, tier), f"accumulated gradient of {name}: relative error {error:.1e}"


def check_whole_numbers(op, case, tier, build=None):
    """On whole numbers, whose sums float32 holds exactly, forward and gradients are the reference's to the bit: with the
    plain kernels, and on matrix tiles, since bfloat16 holds small ones too. Winograd, which computes what would not fill
    the tiles, rounds."""
    for strict in (True, False)[:1 + (tier == "amx")]:
        _check_whole_numbers(op, case, tier, build, strict)


def _check_whole_numbers(op, case, tier, build, strict):
    from cnncore.ops.conv2d import set_strict

    arrays = case.arrays(integers=True)
    wanted_y = reference_forward(op, case, arrays)
    dy = np.random.default_rng(3).integers(-3, 4, np.shape(wanted_y)).astype(np.float32)
    set_strict(strict)
    try:
        run = Run((build or OPS[op])(case), list(arrays.values()), dy, _wanted(case), tier=tier)
    finally:
        set_strict(False)
    rounds = not strict and op in ("conv2d", "conv2d_transpose") and _may_be_by_winograd(case)
    assert _same(run.y, wanted_y, rounds), "forward differs on whole numbers"
    if op in ("max", "min"):  # their gradient is shared among equals, and a third is not whole
        return
    for name, got, wanted in _gradients(op, case, arrays, dy, run):
        assert _same(got, wanted, rounds), f"gradient of {name} differs on whole numbers"


def _same(got, wanted, rounds):
    return relative_error(got, wanted) <= FAST_TOLERANCE if rounds else np.array_equal(got, wanted)


def _may_be_by_winograd(case):
    steps = (*case.options.get("strides", (1, 1)), *case.options.get("dilation", (1, 1)))
    return case.shapes["w"][1] in (2, 3, 4, 5) and set(steps) == {1}


def _wanted(case):
    return [name in case.differentiable for name in case.shapes]


def _gradients(op, case, arrays, dy, run):
    """(operand, the engine's gradient, the reference's) for every operand that has one."""
    vjp = getattr(ref, f"{op}_vjp", None)
    if vjp is None:
        return
    reference_grads = dict(zip(case.shapes, vjp(dy, *arrays.values(), **case.options)))
    for (name, _), got in zip(case.shapes.items(), run.grads):
        if name in case.differentiable and reference_grads.get(name) is not None:
            yield name, got, reference_grads[name]
