"""Every function of cnncore.ops that Keras has too: the same values, shapes and dtypes, and the slopes as gradients."""
import os

os.environ.setdefault("KERAS_BACKEND", "numpy")

import numpy as np
import pytest

import cnncore
from cnncore import executor, ops

keras = pytest.importorskip("keras", exc_type=ImportError)

rng = np.random.default_rng(11)


def numbers(*shape, low=-2.0, high=2.0):
    """Random numbers that are not near 0, where some functions turn."""
    x = rng.uniform(low, high, shape).astype("float32")
    return np.where(np.abs(x) < 0.02, np.float32(0.03), x)


X, Y, Z = numbers(3, 4), numbers(3, 4), numbers(4, 5)
UP, SMALL = numbers(3, 4, low=0.2, high=3.0), numbers(3, 4, low=-0.9, high=0.9)
V, W, CUBE, SQUARE = numbers(5), numbers(5), numbers(2, 3, 4), numbers(4, 4)
IMAGE, CHANCES = numbers(2, 6, 6, 4), numbers(3, 4, low=0.05, high=0.9)
ODD = np.float32([[0.0, -0.0, np.nan, np.inf], [-np.inf, 1.0, -1.0, 0.5], [2.5, -2.5, 1.5, 0.25]])
WHOLE, LABELS = np.int32([[3, -1, 0, 4], [2, 2, -5, 7]]), np.int32([2, 0, 3])
TRUE = np.array([[True, False, True, False], [False, False, True, True], [True] * 4])

for array in (X, Y, Z, UP, SMALL, V, W, CUBE, SQUARE, IMAGE, CHANCES):
    array.flags.writeable = False  # some functions of Keras's NumPy backend write into what they are given

# Each a function of the ops of a library and of arrays; its gradient is tested where all the arrays are float32.
SMOOTH = {
    "abs": [(X,)], "absolute": [(X,)], "add": [(X, Y), (X, 2.0)], "celu": [(X, 0.7)], "cos": [(X,)], "cosh": [(X,)],
    "deg2rad": [(X,)], "divide": [(X, UP)], "elu": [(X, 0.7)], "erf": [(X,)], "erfc": [(X,)], "erfinv": [(SMALL,)],
    "exp": [(X,)], "exp2": [(X,)], "expm1": [(X,)], "gelu": [(X,), (X, False)], "hard_sigmoid": [(X,)],
    "hard_shrink": [(X,)], "hard_silu": [(X,)], "hard_swish": [(X,)], "hard_tanh": [(X,)], "hypot": [(X, Y)],
    "leaky_relu": [(X, 0.1)], "log": [(UP,)], "log10": [(UP,)], "log1p": [(UP,)], "log2": [(UP,)],
    "log_sigmoid": [(X,)], "log_softmax": [(X,)], "logaddexp": [(X, Y)], "maximum": [(X, Y)], "minimum": [(X, Y)],
    "multiply": [(X, Y)], "negative": [(X,)], "power": [(UP, Y)], "rad2deg": [(X,)], "reciprocal": [(UP,)],
    "relu": [(X,)], "relu6": [(X,)], "rsqrt": [(UP,)], "selu": [(X,)], "sigmoid": [(X,)], "silu": [(X,)],
    "sin": [(X,)],
    "sinh": [(X,)], "soft_shrink": [(X,)], "softmax": [(X,), (CUBE, 1)], "softplus": [(X,)], "softsign": [(X,)],
    "sparse_plus": [(X,)], "sparse_sigmoid": [(X,)], "sqrt": [(UP,)], "square": [(X,)], "squareplus": [(X,)],
    "subtract": [(X, Y)], "swish": [(X,)], "tan": [(SMALL,)], "tanh": [(X,)], "tanh_shrink": [(X,)],
    "true_divide": [(X, UP)], "divide_no_nan": [(X, UP)], "clip": [(X, -0.5, 0.7)], "where": [(TRUE, X, Y)],
    "arccos": [(SMALL,)], "arccosh": [(UP + 1,)], "arcsin": [(SMALL,)], "arcsinh": [(X,)], "arctan": [(X,), (8 * X,)],
    "arctan2": [(X, Y), (X, UP[0]), (X, 1.0)], "arctanh": [(SMALL,)], "cbrt": [(X,)], "fabs": [(X,)], "fmax": [(X, Y)],
    "fmin": [(X, Y)], "logaddexp2": [(X, Y)],
    # over axes
    "amax": [(X,), (X, 1, True)], "amin": [(X, 0)],
    "average": [(X, 1), (X, 1, np.float32([1, 2, 3, 4])), (X, None, UP)],
    "cumprod": [(X, 1), (X,)], "cumsum": [(X, 0), (X,)], "logsumexp": [(X, 1), (CUBE, (0, 2), True), (X,)],
    "max": [(X,), (CUBE, (0, 2)), (X, 1, True, 0.5)], "mean": [(X, 0), (CUBE, (1, 2), True)],
    "min": [(X,), (X, 1, False, -0.5)], "prod": [(X, 1)], "ptp": [(X, 1)], "std": [(X, 1)],
    "sum": [(X, 0), (X, None, True)],
    "var": [(CUBE, (0, 2), True)],
    "norm": [(X,), (V, 1), (X, 3, 1), (X, np.inf, 0), (X, "fro"), (X, 1), (X, -np.inf, 1, True)],
    "median": [(X,), (X, 1), (X, 0, True)], "quantile": [(X, 0.3), (X, 0.3, 1, "lower", True)],
    "percentile": [(X, 30), (X, 30, 0)],
    "trapezoid": [(X,), (X, None, 0.5, 0), (X, np.float32([0, 1, 3, 4]))], "moments": [(CUBE, (0, 2))],
    "normalize": [(X,), (X, 0), (X, -1, 1), (X, -1, 3)],
    # arrangement
    "append": [(X, Y), (X, Y, 1)], "array_split": [(X, 2), (X, 3, 1)], "broadcast_to": [(V, (3, 5))],
    "copy": [(X,)], "depth_to_space": [(IMAGE, 2), (IMAGE.transpose(0, 3, 1, 2), 2, "channels_first")],
    "diag": [(V,), (V, 1), (V, -2), (SQUARE,), (X, 1), (X, -1)],
    "diagflat": [(X,), (V, -1)], "dsplit": [(CUBE, 2)], "hsplit": [(X, 2), (V, [2])], "vsplit": [(X, 3)],
    "diagonal": [(X,), (X, 1), (X, -2), (CUBE, 0, 1, 2), (CUBE, 1, 2, 0)], "diff": [(X,), (X, 2), (X, 1, 0)],
    "dstack": [([X, Y],), ([V, W],)], "expand_dims": [(X, 1)], "flip": [(X, 0), (X,)], "fliplr": [(X,)],
    "flipud": [(X,)], "get_item": [(X, 1), (X, (slice(None), 2))], "hstack": [([X, Y],), ([V, W],)],
    "moveaxis": [(CUBE, 0, 2), (CUBE, [0, 1], [2, 0])], "pad": [(X, ((1, 2), (0, 1)))], "ravel": [(CUBE,)],
    "repeat": [(X, 2), (X, 3, 1), (X, np.int32([1, 0, 2]), 0)], "reshape": [(X, (4, 3)), (X, (2, -1))],
    "roll": [(X, 1), (X, -1, 1), (X, (1, 2), (0, 1)), (X, 9, 0)],
    "rot90": [(X,), (X, 2), (X, 3), (X, 4), (X, -1), (CUBE, 1, (0, 2))], "slice": [(X, (1, 0), (2, 3))],
    "slice_update": [(SQUARE.copy(), (1, 2), numbers(2, 2))], "space_to_depth": [(IMAGE, 2), (IMAGE, 3)],
    "split": [(X, 2, 1), (X, [1, 3], 1)], "squeeze": [(numbers(3, 1, 2), 1)], "stack": [([X, Y],), ([X, Y], 1)],
    "concatenate": [([X, Y], 1)], "swapaxes": [(CUBE, 0, 2)],
    "take": [(X, LABELS), (X, LABELS, 1), (X, np.int32([[0, -1]]), 0)],
    "take_along_axis": [(X, np.int32([[0], [2], [1]]), 1), (X, LABELS)],
    "tile": [(X, 2), (X, (2, 1)), (X, (2, 1, 3))],
    "transpose": [(CUBE,), (CUBE, (1, 0, 2))], "tril": [(SQUARE,), (CUBE, 1)], "triu": [(SQUARE, -1), (X,)],
    "trace": [(SQUARE,), (CUBE, 1, 1, 2)], "unstack": [(X,), (X, 4, 1)], "vstack": [([X, Y],), ([V, W],)],
    "sort": [(X,), (X, 0)], "select": [([X > 0, Y > 0], [X, Y], 0.5)], "meshgrid": [(V, W), (V,), (V, W, X[0])],
    "linspace": [(X[0], Y[0], 3), (X[0], Y[0], 4, False), (X[0], 1.0, 5, True, True, None, 1)],
    "logspace": [(X[0], Y[0], 3)],
    # products
    "cross": [(X[:, :3], Y[:, 1:]), (X[:, :2], Y[:, :2]), (X[:, :2], Y[:, 1:]), (X, Y, 0, 0, 1)],
    "kron": [(X, Z), (V, W), (V, X)],
    "einsum": [("ij,jk->ik", X, Z), ("ij,jk", X, Z), ("bhwc,bhwd->bcd", IMAGE, IMAGE[..., :2]), ("ij->j", X),
               ("ij,ij->", X, Y), ("i,j,k->kij", V[:3], W[:2], X[0]), ("...i,ij->...j", CUBE, Z),
               ("ij,ik,kl->jl", X, X, X.T @ X), ("ijk,ilk->ijl", CUBE, CUBE)],
    "dot": [(X, Z), (V, W), (CUBE, Z), (X, 2.0)], "inner": [(X, Y), (V, W)], "matmul": [(X, Z)], "outer": [(V, X)],
    "tensordot": [(X, Z, 1), (X, Y, 2), (CUBE, X, ([1, 2], [0, 1])), (V, W, 0)], "vdot": [(X, Y)],
    # losses and layers
    "binary_crossentropy": [(CHANCES, SMALL * 0.5 + 0.5), (CHANCES, X, True)],
    "categorical_crossentropy": [(CHANCES, UP), (CHANCES, X, True), (CHANCES, UP, False, 0)],
    "sparse_categorical_crossentropy": [(LABELS, UP), (LABELS, X, True), (LABELS[:, None], UP)],
    "psnr": [(X, Y, 4.0)], "glu": [(X,), (X, 1)], "segment_sum": [(X, np.int32([1, 0, 1]), 3)],
    "batch_normalization": [(CUBE, UP[0], UP[1], 2), (CUBE, UP[0], UP[1], -1, X[0], X[1], 0.1)],
    "layer_normalization": [(CUBE, X[0], X[1]), (CUBE, X, None, (1, 2), 0.1), (CUBE,)],
    "rms_normalization": [(CUBE, X[0]), (CUBE,)], "threshold": [(X, 0.3, -1.0)],
    "average_pool": [(IMAGE, 2, 2), (IMAGE, (3, 2), 2, "same")], "max_pool": [(IMAGE, 2, 2), (IMAGE, 3, 2, "same")],
    "adaptive_average_pool": [(IMAGE, 3)], "adaptive_max_pool": [(IMAGE, (2, 3))],
    "conv": [(IMAGE, numbers(3, 3, 4, 5)), (IMAGE, numbers(3, 3, 4, 5), 2, "same")],
    "conv_transpose": [(IMAGE, numbers(3, 3, 5, 4), 2, "same")],
    "depthwise_conv": [(IMAGE, numbers(3, 3, 4, 2), 1, "same")],
    "separable_conv": [(IMAGE, numbers(3, 3, 4, 2), numbers(1, 1, 8, 3))],
}
STEPS = {
    "cond": [(True, lambda: X, lambda: Y), (np.float32(0), lambda: X, lambda: Y)],
    "digitize": [(X, np.float32([-1, 0, 1]))],
    "fori_loop": [(0, 4, lambda i, x: x * 2 + i, X)], "isin": [(WHOLE, [2, 3]), (WHOLE, [[2], [7]], False, True)],
    "map": [(lambda x: x * 2, X), (lambda xs: xs[0] + xs[1], [X, Y])], "vectorized_map": [(lambda x: x * 2, X)],
    "scan": [(lambda c, x: (c + x, c * 2), X[0], X), (lambda c, x: (c + x, c * 2), X[0], X, None, True)],
    "scatter": [(np.int32([[0], [2], [0]]), X, (4, 4)), (np.int32([[0, 1], [1, 0]]), np.float32([3, 4]), (2, 2))],
    "scatter_update": [(X.copy(), np.int32([[0, 1], [2, 2]]), np.float32([5, 6])), (X.copy(), np.int32([[1]]), Y[:1]),
                       (X.copy(), np.int32([[0, 1], [0, 1]]), np.float32([5, 6]), "add")],
    "switch": [(1, [lambda x: x, lambda x: x * 2], X), (-3, [lambda x: x, lambda x: x * 2], X)],
    "while_loop": [(lambda i, x: i < 3, lambda i, x: (i + 1, x * 2), (0, X)), (lambda i: i < 9, lambda i: i + 1, 0, 4)],
    "custom_gradient": [], "all": [(TRUE,), (TRUE, 1)], "any": [(TRUE, 0, True)], "allclose": [(X, X + 1e-9), (X, Y)],
    "argmax": [(X, 1), (X,)], "argmin": [(X, 0)], "argsort": [(X,), (X, 0), (X, None)],
    "bincount": [(LABELS,), (LABELS, None, 6), (LABELS, np.float32([1, 2, 0.5]))],
    "cast": [(X, "int32"), (TRUE, "float32")],
    "ceil": [(X,)], "floor": [(X,)], "round": [(X,), (X, 1), (WHOLE, -1)], "sign": [(X,)], "trunc": [(X,), (WHOLE,)],
    "arange": [(5,), (2, 9, 3), (0.0, 1.0, 0.25), (6, None, None, "float32")], "array": [([1, 2],), (X,), ([1.0],
    "int32")],
    "count_nonzero": [(ODD,), (ODD, 1)], "convert_to_tensor": [([1.0, 2.0],), (WHOLE, "float32")],
    "equal": [(WHOLE, 2), (X, X)], "not_equal": [(WHOLE, 2)], "greater": [(X, Y)], "greater_equal": [(X, X)],
    "less": [(X, Y)], "less_equal": [(X, 0.0)], "empty_like": [], "empty": [],
    "eye": [(3,), (2, 4, 1), (3, None, -1, "int32")],
    "identity": [(3,)], "full": [((2, 3), 1.5), (4, 2, "int32")], "full_like": [(X, 3.0), (WHOLE, 2)],
    "zeros": [((2, 3),), (2, "int32")], "ones": [((2,),)], "zeros_like": [(X,), (WHOLE,)],
    "ones_like": [(X, "int32")],
    "floor_divide": [(X, UP), (WHOLE, 2)], "mod": [(X, UP), (WHOLE, 3)], "fmod": [(X, UP)],
    "heaviside": [(ODD[2], 0.5)],
    "in_top_k": [(LABELS, X, 2)], "top_k": [(X, 2)],
    "isclose": [(X, X + 1e-7), (ODD, ODD), (ODD, ODD, 0.1, 0.1, True)],
    "linspace": [(0, 1, 5), (0.0, 2.0, 4, False)], "logspace": [(0, 2, 5), (0.0, 1.0, 3, False, 2)],
    "isfinite": [(ODD,)], "isinf": [(ODD,)], "isnan": [(ODD,)], "isneginf": [(ODD,)], "isposinf": [(ODD,)],

    "logical_and": [(TRUE, ~TRUE)], "logical_or": [(TRUE, ~TRUE)], "logical_not": [(TRUE,)],
    "logical_xor": [(TRUE, X > 0)], "where": [(WHOLE > 1, WHOLE, 0), (TRUE, 0, 1), (TRUE, TRUE, ~TRUE)],
    "multi_hot": [(LABELS, 5), (np.int32([[0, 1], [3, 3]]), 4)], "nan_to_num": [(ODD,), (ODD, 1.0, 2.0, 3.0)],
    "one_hot": [(LABELS, 4), (LABELS, 4, 0), (np.int32([-1, 2]), 3, -1, "int32")], "ndim": [(CUBE,)],
    "size": [(CUBE,)],
    "shape": [(CUBE,)], "searchsorted": [(np.sort(V), W), (np.sort(V), W, "right")], "stop_gradient": [(X,)],
    "saturate_cast": [(X * 1e9, "int32"), (X * 300, "uint8"), (WHOLE, "uint8")], "tri": [(3,), (2, 4, 1)],
    "convert_to_numpy": [(X,)], "sparsemax": [], "dtype": [(WHOLE,), (X,)], "is_tensor": [(2,)],
}
# Several numbers of ours where Keras's NumPy backend is off, or leaves values to chance.
OTHERS = {"sparsemax": "ours adds up to 1", "empty": "zeros here", "empty_like": "zeros here",
          "custom_gradient": "see below"}
CASES = [pytest.param(name, args, id=f"{name}-{i}") for table in (SMOOTH, STEPS) for name, rows in table.items()
         for i, args in enumerate(rows)]
FLOATS = [pytest.param(name, args, id=f"{name}-{i}") for name, rows in SMOOTH.items() for i, args in enumerate(rows)]


def leaves(value):
    return [leaf for part in value for leaf in leaves(part)] if isinstance(value, (list, tuple)) else [value]


def swapped(value, arrays):
    """The arguments with each float32 array in them replaced by the next of those given."""
    if isinstance(value, (list, tuple)):
        return type(value)(swapped(part, arrays) for part in value)
    return next(arrays) if isinstance(value, np.ndarray) and value.dtype == np.float32 else value


def float_arrays(args):
    return [leaf for leaf in leaves(args) if isinstance(leaf, np.ndarray) and leaf.dtype == np.float32]


def test_every_function_that_keras_has_is_compared():
    shared = {name for name in ops.__all__ if hasattr(keras.ops, name)}
    assert shared <= set(SMOOTH) | set(STEPS), sorted(shared - set(SMOOTH) - set(STEPS))
    assert {name for name, rows in {**SMOOTH, **STEPS}.items() if not rows} == set(OTHERS)


@pytest.mark.parametrize(("name", "args"), CASES)
def test_values_are_those_of_keras(name, args):
    got, wanted = leaves(getattr(ops, name)(*args)), leaves(getattr(keras.ops, name)(*args))
    assert len(got) == len(wanted)
    for one, other in zip(got, wanted, strict=True):
        if isinstance(other, (str, bool)):
            assert one == other
            continue
        one, other = np.asarray(one), np.asarray(other)
        assert one.shape == other.shape
        assert other.dtype.kind == one.dtype.kind, f"{one.dtype} for {other.dtype}"
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize(("name", "args"), FLOATS)
def test_gradients_are_the_slopes_of_what_keras_computes(name, args):
    arrays = float_arrays(args)
    tensors = [cnncore.Tensor(a, requires_grad=True) for a in arrays]
    results = [y for y in leaves(getattr(ops, name)(*swapped(args, iter(tensors)))) if y.dtype == "float32"]
    draw = np.random.default_rng(3).uniform
    weights = [draw(-2, 2, y.shape).astype("float32") for y in results]
    sum((ops.sum(y * w) for y, w in zip(results, weights, strict=True)), start=cnncore.Tensor(0.0)).backward()
    directions = [draw(-2, 2, a.shape) for a in arrays]

    def value(step):
        moved = iter([a + step * d for a, d in zip(arrays, directions, strict=True)])
        parts = leaves(getattr(keras.ops, name)(*swapped(args, moved)))
        return sum((np.asarray(part, "float64") * w).sum() for part, w in zip(parts, weights, strict=True))

    # Keras computes some of these in float32 whatever it is given.
    slope = (value(2e-3) - value(-2e-3)) / 4e-3
    found = [0 if t.grad is None else (t.grad.numpy() * d).sum() for t, d in zip(tensors, directions, strict=True)]
    size = sum(0 if t.grad is None else np.abs(t.grad.numpy() * d).sum() for t, d in zip(tensors, directions, strict=True))
    assert size > 0
    assert abs(sum(found) - slope) <= 2e-3 * size + 2e-3, (sum(found), slope)


@pytest.mark.parametrize(("name", "args"), FLOATS)
def test_a_recorded_step_computes_what_eager_computes(name, args):
    """Shapes are found without values: what needs a value to go on would raise here."""
    arrays = float_arrays(args)
    eager = [np.asarray(y) for y in leaves(getattr(ops, name)(*args))]
    with executor.use(executor.Shapes()), executor.no_grad():
        promises = iter([cnncore.Tensor._over(cnncore._core.Buffer.promise(a.shape, "float32")) for a in arrays])
        found = leaves(getattr(ops, name)(*swapped(args, promises)))
    assert [y.shape for y in found] == [y.shape for y in eager]
    assert [np.dtype(y.dtype) for y in found] == [y.dtype for y in eager]


def test_angles_of_all_directions_and_at_the_ends():
    y, x = np.float32(np.meshgrid([-3, -1, -1e-30, 0, 1e-30, 1, 3, 1e30], [-2, -1, 0, 1, 5]))
    np.testing.assert_allclose(ops.arctan2(y, x), np.arctan2(y, x), rtol=1e-6)
    ends = np.float32([-np.inf, -1e30, -1, -0.0, 0.0, 1, 1e30, np.inf, np.nan])
    np.testing.assert_allclose(ops.arctan(ends), np.arctan(ends), rtol=1e-6)
    np.testing.assert_allclose(ops.arcsin([-1.0, 1.0]), np.arcsin([-1.0, 1.0]), rtol=1e-6)
    np.testing.assert_allclose(ops.arccos([-1.0, 0.0, 1.0]), np.arccos([-1.0, 0.0, 1.0]), rtol=1e-6, atol=1e-7)
    assert np.isnan(ops.arcsin([1.5, -2.0])).all()


def test_a_gradient_of_ones_own_is_taken_eagerly_and_in_a_recorded_step():
    @ops.custom_gradient
    def reverse(x):
        return x * 1.0, lambda *args, upstream=None: -args[0]

    @ops.custom_gradient
    def both(a, b):
        return [a * b, a + b], lambda da, db: (da * 2, db * 3)

    class Reversal(cnncore.layers.Layer):
        def call(self, x):
            return reverse(x)

    a, b = (cnncore.Tensor(x, requires_grad=True) for x in (X, Y))
    product, total = both(a, b)
    (ops.sum(product) + ops.sum(total) * 5 + ops.sum(a)).backward()
    assert np.array_equal(a.grad, np.full(X.shape, 3.0)) and np.array_equal(b.grad, np.full(Y.shape, 15.0))
    steps = []
    for layers in ([], [Reversal()], [Reversal(), Reversal()]):
        cnncore.utils.set_random_seed(1)
        model = cnncore.Sequential([cnncore.Input((4,)), cnncore.layers.Dense(1), *layers])
        before = model.get_weights()[0]
        for eager in (True, False):
            model.set_weights([before, np.zeros(1, "float32")])
            model.compile(cnncore.optimizers.SGD(0.1), "mse", run_eagerly=eager)
            model.fit(X, X[:, :1], verbose=0)
            steps.append(model.get_weights()[0] - before)
    assert all(np.array_equal(steps[i], steps[i + 1]) for i in (0, 2, 4))
    assert np.array_equal(steps[0], steps[4]) and np.allclose(steps[0], -steps[2], atol=1e-6) and np.abs(steps[0]).max() > 0
    with pytest.raises(ValueError, match="one for each of its arguments"):
        ops.sum(ops.custom_gradient(lambda x, y: (x + y, lambda d: d))(a, b)).backward()


def test_conditions_in_a_recorded_step_choose_between_what_both_compute():
    class Scaled(cnncore.layers.Layer):
        def call(self, x):
            y = ops.cond(ops.sum(x) > 0, lambda: x * 2, lambda: x * 3)
            return ops.switch(ops.cast(ops.sum(x) > 100, "int32"), [lambda x: x, lambda x: x + 1, lambda x: x - 1], y)

    model = cnncore.Sequential([cnncore.Input((4,)), Scaled()])
    for x in (np.abs(X), -np.abs(X), np.abs(X) + 100):
        np.testing.assert_allclose(model.predict(x, verbose=0), model(x), rtol=1e-6)
        factor, more = (2, 1) if x.sum() > 100 else (2, 0) if x.sum() > 0 else (3, 0)
        np.testing.assert_allclose(model(x), x * factor + more, rtol=1e-6)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: ops.einsum("ij,jk->ik", X, X), "Axes of one letter have one length"),
    (lambda: ops.einsum("ii->i", SQUARE), "each axis of an array by a letter of its own"),
    (lambda: ops.einsum("ij->ik", X), "The result of einsum"),
    (lambda: ops.einsum("ij", X, X), "an array for each part"),
    (lambda: ops.scatter_update(X, np.int32([[1], [1]]), X[:2]), "a place twice"),
    (lambda: ops.map(lambda xs: xs[0], [X, V]), "one number of rows"),
    (lambda: ops.cross(X, Y), "2 or 3 numbers"),
    (lambda: ops.unstack(X, 2), "as many arrays as the axis is long"),
    (lambda: ops.one_hot(LABELS, 3, sparse=True), "gives arrays"),
    (lambda: ops.tensordot(X, Y, 1), "axes of equal lengths"),
])
def test_what_is_wrong_is_said(call, message):
    with pytest.raises(ValueError, match=message):
        call()
