"""The reference is right: its gradients match finite differences, its forward passes match independent formulations."""

import inspect

import numpy as np
import pytest
import reference as ref
from cases import CASES

# Central differences with a step of 1e-6 in float64 are good to about 4e-9 on these cases.
TOLERANCE = 1e-7

OPS_WITH_GRADIENT = [op for op in CASES if hasattr(ref, f"{op}_vjp")]
GRADIENT_CASES = [pytest.param(op, case, id=f"{op}-{case.id}") for op in OPS_WITH_GRADIENT for case in CASES[op]]


def forward(op, arrays, options):
    """Returns the op's result; of several results the first, which is the one that has a gradient."""
    y = getattr(ref, op)(*arrays.values(), **options)
    return y[0] if isinstance(y, tuple) else y


def float64_arrays(case):
    """Returns the case's operands, the floating-point ones in float64 so that a small step does not round away."""
    return {
        name: array.astype(np.float64) if array is not None and array.dtype == np.float32 else array
        for name, array in case.arrays().items()
    }


def gradients_by_name(case, gradients):
    """Returns operand name to gradient: a vjp leaves out labels, targets and masks, which come last."""
    return dict(zip(case.shapes, gradients, strict=False))


def worst_disagreement(op, case, vjp):
    """Returns by how much `vjp` and central differences differ, relative to the size of the terms, at worst.

    Each operand is moved by a small step along a random direction u: (y(x + h u) - y(x - h u)) . dy / 2h must be
    u . vjp(dy). A wrong gradient agrees with a random projection only by a coincidence of probability 0.
    """
    arrays, rng, h, worst = float64_arrays(case), np.random.default_rng(7), 1e-6, 0.0
    dy = rng.standard_normal(np.shape(forward(op, arrays, case.options)))
    gradients = gradients_by_name(case, vjp(dy, *arrays.values(), **case.options))
    for name in case.differentiable:
        direction = rng.standard_normal(arrays[name].shape)
        up = forward(op, {**arrays, name: arrays[name] + h * direction}, case.options)
        down = forward(op, {**arrays, name: arrays[name] - h * direction}, case.options)
        change = (up - down) / (2 * h) * dy
        slope = direction * gradients[name]
        size = np.sqrt(np.sum(slope**2) + np.sum(change**2)) + 1e-3
        worst = max(worst, abs(change.sum() - slope.sum()) / size)
    return worst


@pytest.mark.parametrize(("op", "case"), GRADIENT_CASES)
def test_the_gradient_matches_central_differences(op, case):
    assert worst_disagreement(op, case, getattr(ref, f"{op}_vjp")) < TOLERANCE


@pytest.mark.parametrize(("op", "case"), GRADIENT_CASES)
def test_there_is_one_float64_gradient_of_its_shape_for_each_operand(op, case):
    arrays = case.arrays()
    dy = np.ones(np.shape(forward(op, arrays, case.options)))
    gradients = getattr(ref, f"{op}_vjp")(dy, *arrays.values(), **case.options)
    assert isinstance(gradients, tuple)
    by_name = gradients_by_name(case, gradients)
    assert [name for name, gradient in by_name.items() if gradient is not None] == case.differentiable
    for name in case.differentiable:
        assert by_name[name].shape == case.shapes[name]
        assert by_name[name].dtype == np.float64


def without_largest(gradient):
    """Returns the gradient with its largest element missing."""
    wrong = gradient.copy()
    wrong.flat[np.argmax(np.abs(wrong))] = 0.0
    return wrong


WRONG = {"zero": np.zeros_like, "scaled": lambda g: g * 1.001, "negated": np.negative, "one_missing": without_largest}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("op", OPS_WITH_GRADIENT)
def test_the_gradient_check_rejects_a_wrong_gradient_of_any_operand(op, wrong):
    def elements(case):
        return sum(int(np.prod(shape)) for shape in case.shapes.values() if shape is not None)

    small = [case for case in CASES[op] if None not in case.shapes.values() and elements(case) < 2000]
    case = max(small, key=elements)
    for name in case.differentiable:
        position = list(case.shapes).index(name)

        def spoilt(*args, position=position, **options):
            gradients = list(getattr(ref, f"{op}_vjp")(*args, **options))
            gradients[position] = wrong(gradients[position])
            return gradients

        assert worst_disagreement(op, case, spoilt) > TOLERANCE, name


def test_every_op_has_cases_and_every_case_a_unique_id():
    helpers = {"window_axis", "windows", "batch_norm_moving", "philox4x32_10"}
    functions = {name for name, value in inspect.getmembers(ref, inspect.isfunction) if not name.startswith("_")}
    assert {name for name in functions if not name.endswith("_vjp")} - helpers == set(CASES)
    for op, cases in CASES.items():
        assert len({case.id for case in cases}) == len(cases) > 0, op


def test_the_arrays_of_a_case_are_the_same_at_every_call():
    for op, cases in CASES.items():
        for case in cases:
            for name, array in case.arrays().items():
                assert array is None or np.array_equal(array, case.arrays()[name]), (op, case.id)
                assert array is None or array.shape == case.shapes[name], (op, case.id)


@pytest.mark.parametrize("integers", [False, True], ids=["real", "integers"])
@pytest.mark.parametrize("op", CASES)
def test_every_case_gives_finite_float64_results(op, integers):
    for case in CASES[op]:
        arrays = case.arrays(integers)
        # Concatenation takes any number of arrays and has no names for them.
        positional, named = (arrays.values(), {}) if op == "concatenate" else ((), arrays)
        results = getattr(ref, op)(*positional, **named, **case.options)
        for result in results if isinstance(results, tuple) else (results,):
            assert result is None or (result.dtype == np.float64 and np.all(np.isfinite(result))), case.id


@pytest.mark.parametrize("case", [c for c in CASES["conv2d"] if c.shapes["x"][0]], ids=lambda case: case.id)
def test_conv2d_is_the_product_of_its_patches_and_weights(case):
    arrays, options = float64_arrays(case), case.options
    x, w, b = arrays.values()
    (d_h, d_w), (s_h, s_w), groups = options["dilation"], options["strides"], options["groups"]
    reach = ((w.shape[0] - 1) * d_h + 1, (w.shape[1] - 1) * d_w + 1)
    pads = options["padding"]
    if pads == "valid":
        pads = ((0, 0), (0, 0))
    elif pads == "same":
        pads = []
        for size, stride, length in zip(x.shape[1:3], (s_h, s_w), reach, strict=True):
            total = max((-(-size // stride) - 1) * stride + length - size, 0)
            pads.append((total // 2, total - total // 2))
    padded = np.pad(x, ((0, 0), *pads, (0, 0)))
    patches = np.lib.stride_tricks.sliding_window_view(padded, reach, (1, 2))[:, ::s_h, ::s_w, :, ::d_h, ::d_w]
    channels, filters = np.split(patches, groups, 3), np.split(w, groups, 3)
    parts = [np.einsum("nyxchw,hwcf->nyxf", c, f) for c, f in zip(channels, filters, strict=True)]
    expected = np.concatenate(parts, -1) + (0 if b is None else b)
    np.testing.assert_allclose(ref.conv2d(**arrays, **options), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation", "expected"),
    [(5, 3, 1, 1, (5, 1)), (5, 2, 1, 1, (5, 0)), (6, 3, 2, 1, (3, 0)), (7, 3, 2, 1, (4, 1)), (8, 2, 3, 1, (3, 0)),
     (28, 5, 1, 1, (28, 2)), (224, 7, 2, 1, (112, 2)), (9, 3, 1, 2, (9, 2)), (1, 3, 1, 1, (1, 1)),
     (7, 1, 2, 1, (4, 0))],
)  # fmt: skip
def test_same_padding_puts_the_odd_pixel_at_the_end(size, kernel, stride, dilation, expected):
    assert ref.window_axis(size, kernel, stride, "same", dilation) == expected


def test_a_window_larger_than_its_input_is_refused():
    with pytest.raises(ValueError, match="Received: a reach of 5 over 4 positions"):
        ref.conv2d(np.zeros((1, 4, 6, 1)), np.zeros((3, 3, 1, 1)), padding="valid", dilation=(2, 2))
    with pytest.raises(ValueError, match="padding='same'"):
        ref.max_pool2d(np.zeros((1, 1, 6, 1)), (2, 2))


def test_dense_and_matmul_are_numpy_products():
    for case in CASES["dense"]:
        x, w, b = float64_arrays(case).values()
        np.testing.assert_allclose(ref.dense(x, w, b), x @ w + (0 if b is None else b), rtol=0, atol=1e-11)
    for case in CASES["matmul"]:
        a, b = float64_arrays(case).values()
        np.testing.assert_allclose(ref.matmul(a, b), a @ b, rtol=0, atol=1e-12)


def test_max_pooling_gives_a_tie_to_the_first_and_nothing_to_the_padding():
    x = np.full((1, 3, 3, 1), -2.0)
    np.testing.assert_array_equal(ref.max_pool2d(x, (2, 2), padding="same"), np.full((1, 2, 2, 1), -2.0))
    (dx,) = ref.max_pool2d_vjp(np.array([1.0, 2.0, 3.0, 4.0]).reshape(1, 2, 2, 1), x, (2, 2), padding="same")
    np.testing.assert_array_equal(dx[0, :, :, 0], [[1, 0, 2], [0, 0, 0], [3, 0, 4]])


def test_overlapping_windows_add_their_gradients():
    x = np.zeros((1, 3, 3, 1))
    x[0, 1, 1] = 5.0
    (dx,) = ref.max_pool2d_vjp(np.ones((1, 2, 2, 1)), x, (2, 2), (1, 1))
    assert dx[0, 1, 1, 0] == 4.0 == dx.sum()


def test_max_pooling_lets_nan_and_negative_infinity_through():
    x = np.full((1, 2, 4, 2), -np.inf)
    x[0, 1, 0, 0] = np.nan
    x[0, 1, 1, 0] = 9.0
    y = ref.max_pool2d(x, (2, 2))
    assert np.isnan(y[0, 0, 0, 0]) and np.all(y[0, :, 1] == -np.inf) and y[0, 0, 0, 1] == -np.inf
    assert np.isnan(ref.global_max_pool2d(x)[0, 0])
    (dx,) = ref.max_pool2d_vjp(np.ones((1, 1, 2, 2)), x, (2, 2))
    assert dx[0, 1, 0, 0] == 1.0 and dx[0, 1, 1, 0] == 0.0


def test_average_pooling_does_not_count_the_padding():
    x = np.arange(9.0).reshape(1, 3, 3, 1)
    y = ref.avg_pool2d(x, (2, 2), padding="same")
    np.testing.assert_array_equal(y[0, :, :, 0], [[2.0, 3.5], [6.5, 8.0]])


def test_relu_keeps_nan_and_has_no_gradient_at_zero():
    x = np.array([-1.0, -0.0, 0.0, 2.0, np.nan, np.inf, -np.inf])
    np.testing.assert_array_equal(ref.relu(x), [0, 0, 0, 2, np.nan, np.inf, 0])
    np.testing.assert_array_equal(ref.relu_vjp(np.ones(7), x)[0], [0, 0, 0, 1, 0, 1, 0])
    assert np.isnan(ref.relu6(np.array([np.nan])))[0]


def test_activations_survive_large_arguments():
    x = np.array([-800.0, 800.0])
    np.testing.assert_array_equal(ref.sigmoid(x), [0, 1])
    np.testing.assert_array_equal(ref.softplus(x), [0, 800])
    np.testing.assert_array_equal(ref.elu(x), [-1, 800])
    np.testing.assert_array_equal(ref.log_softmax(x), [-1600, 0])
    np.testing.assert_array_equal(ref.binary_cross_entropy(x, np.array([1, 0])), [800, 800])
    np.testing.assert_array_equal(ref.softmax_cross_entropy(x[None], np.array([0])), [1600])


def test_activations_take_known_values():
    one = np.array([1.0])
    known = {
        "sigmoid": 0.7310585786300049, "tanh": 0.7615941559557649, "softplus": 1.3132616875182228, "softsign": 0.5,
        "silu": 0.7310585786300049, "gelu": 0.8413447460685429, "mish": 0.8650983882673103,
        "hard_sigmoid": 2 / 3, "hard_silu": 2 / 3, "selu": 1.0507009873554805, "exponential": 2.718281828459045,
    }  # fmt: skip
    for op, value in known.items():
        np.testing.assert_allclose(getattr(ref, op)(one), [value], rtol=1e-14, err_msg=op)
    np.testing.assert_allclose(ref.elu(-one, 2.0), [2 * (np.exp(-1.0) - 1)], rtol=1e-14)
    np.testing.assert_allclose(ref.leaky_relu(-one), [-0.2], rtol=1e-14)
    np.testing.assert_allclose(ref.gelu(one, True), [0.8411919906082768], rtol=1e-14)
    # The lower tail of the normal distribution, to all digits.
    np.testing.assert_allclose(ref.gelu(-10 * one), [-7.619853024160527e-23], rtol=1e-12)


def test_batch_norm_leaves_mean_beta_and_deviation_gamma():
    for case in CASES["batch_norm_train"]:
        arrays = float64_arrays(case)
        y, mean, var = ref.batch_norm_train(**arrays, **{**case.options, "eps": 0.0})
        axes = tuple(range(y.ndim - 1))
        gamma = 1.0 if arrays["gamma"] is None else arrays["gamma"]
        np.testing.assert_allclose(y.mean(axes) - (0.0 if arrays["beta"] is None else arrays["beta"]), 0, atol=1e-10)
        np.testing.assert_allclose(y.std(axes), np.abs(gamma) * np.ones(y.shape[-1]), rtol=1e-9)
        np.testing.assert_allclose(mean, arrays["x"].mean(axes), atol=1e-12)
        np.testing.assert_allclose(var, arrays["x"].var(axes), rtol=1e-12)
        infer = ref.batch_norm_infer(**arrays, mean=mean, var=var, **case.options)
        np.testing.assert_allclose(infer, ref.batch_norm_train(**arrays, **case.options)[0], rtol=0, atol=1e-12)


def test_moving_statistics_keep_the_share_momentum_of_the_old():
    mean, var = ref.batch_norm_moving([1.0], [2.0], np.array([3.0]), np.array([4.0]), momentum=0.75)
    assert (mean[0], var[0]) == (1.5, 2.5)


def test_dropout_scales_what_it_keeps():
    x, mask = np.array([1.0, 2.0, np.nan]), np.array([True, True, False])
    np.testing.assert_array_equal(ref.dropout(x, mask, 0.75), [4.0, 8.0, 0.0])


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_philox_gives_the_known_answers_of_random123(counter, key, expected):
    words = ref.philox4x32_10([int(c, 16) for c in counter.split()], [int(k, 16) for k in key.split()])
    assert " ".join(f"{word:08x}" for word in words) == expected


def test_cross_entropy_of_labels_is_that_of_their_one_hot_rows():
    logits, labels = np.random.default_rng(3).standard_normal((5, 4)), np.array([0, 3, 1, 1, 2])
    one_hot = ref.one_hot(labels, 4)
    np.testing.assert_array_equal(one_hot, np.eye(4)[labels])
    loss = ref.softmax_cross_entropy(logits, labels)
    np.testing.assert_allclose(loss, -np.log(ref.softmax(logits))[np.arange(5), labels], rtol=1e-12)
    np.testing.assert_array_equal(loss, ref.softmax_cross_entropy(logits, one_hot))
    dy = np.arange(5.0)
    by_label, by_row = (ref.softmax_cross_entropy_vjp(dy, logits, t)[0] for t in (labels, one_hot))
    np.testing.assert_array_equal(by_label, by_row)


def test_binary_cross_entropy_is_that_of_two_classes():
    x, t = np.linspace(-5, 5, 11), np.linspace(0, 1, 11)
    two = ref.softmax_cross_entropy(np.stack([np.zeros(11), x], -1), np.stack([1 - t, t], -1))
    np.testing.assert_allclose(ref.binary_cross_entropy(x, t), two, rtol=1e-12)


def test_ties_of_maximum_go_to_the_first_operand_and_of_max_to_all():
    two = np.array([2.0, 2.0])
    for da, db in (ref.maximum_vjp(two, two, two), ref.minimum_vjp(two, two, two)):
        np.testing.assert_array_equal((da, db), ([2, 2], [0, 0]))
    np.testing.assert_array_equal(ref.max_vjp(3.0, np.array([1.0, 5.0, 5.0]))[0], [0, 1.5, 1.5])
    np.testing.assert_array_equal(ref.min_vjp(3.0, np.array([1.0, 5.0, 1.0]))[0], [1.5, 0, 1.5])


def test_powers_of_zero_and_to_zero_have_finite_gradients():
    da, db = ref.power_vjp(np.ones(4), np.array([0.0, 0.0, 3.0, -2.0]), np.array([0.0, 2.0, 0.0, 2.0]))
    np.testing.assert_allclose((da, db), ([0, 0, 0, -4], [0, 0, np.log(3.0), 0]))


def test_padding_with_a_value_and_one_hot_out_of_range():
    y = ref.pad2d(np.ones((1, 1, 1, 1)), ((1, 0), (0, 2)), 7.0)
    np.testing.assert_array_equal(y[0, :, :, 0], [[7, 7, 7], [1, 7, 7]])
    np.testing.assert_array_equal(ref.one_hot(np.array([-1, 1, 2]), 2), [[0, 0], [0, 1], [0, 0]])


def test_optimizer_steps_by_hand():
    w, velocity = ref.sgd([1.0], [2.0], 0.1)
    assert (w[0], velocity) == (0.8, None)
    w, velocity = ref.sgd([1.0], [2.0], 0.5, momentum=0.5, velocity=[4.0])
    assert (w[0], velocity[0]) == (2.0, 1.0)
    w, velocity = ref.sgd([1.0], [2.0], 0.5, momentum=0.5, nesterov=True, velocity=[4.0])
    assert (w[0], velocity[0]) == (0.5, 1.0)
    # Adam's first step is lr in size, whatever the gradient's size, but for epsilon over sqrt(1 - beta2) |g|.
    w, m, v = ref.adam([1.0], [0.5], [0.0], [0.0], step=1, lr=0.01)
    np.testing.assert_allclose(w, [1 - 0.01 * 0.5 / (0.5 + 1e-7 / np.sqrt(0.001))], rtol=1e-14)
    np.testing.assert_allclose((m[0], v[0]), (0.05, 0.00025), rtol=1e-12)
