"""One table of operand shapes per op: `CASES[op]` lists what every test of that op runs through."""

from case import Case
from conv_cases import CONV2D, CONV2D_GROUPED, CONV2D_TRANSPOSE, DEPTHWISE_CONV2D


def _dense(batch, depth, units, bias=True, x="normal"):
    shapes = {"x": (batch, depth), "w": (depth, units), "b": (units,) if bias else None}
    return Case(f"{batch}x{depth}_to_{units}{'' if bias else '_no_bias'}{'' if x == 'normal' else '_' + x}", shapes,
                kinds={"x": x})


DENSE = [
    _dense(1, 1, 1),
    _dense(1, 5, 10),
    _dense(1, 400, 120),
    _dense(1, 3136, 7),
    _dense(2, 17, 1),
    _dense(3, 33, 33),
    _dense(4, 120, 84, bias=False),
    _dense(5, 64, 257),
    _dense(7, 1, 33),
    _dense(8, 16, 16),
    _dense(17, 257, 10),
    _dense(31, 40, 257, bias=False),
    _dense(32, 84, 10),
    _dense(33, 129, 7),
    _dense(33, 120, 120),
    _dense(0, 5, 3),
    _dense(65, 64, 48, x="sparse"),
    _dense(66, 70, 131, x="sparse"),
    _dense(130, 261, 64, bias=False, x="sparse"),
    _dense(257, 500, 300, x="sparse"),
]


def _matmul(id, a, b):
    return Case(id, {"a": a, "b": b})


MATMUL = [
    _matmul("1x1x1", (1, 1), (1, 1)),
    _matmul("3x5x7", (3, 5), (5, 7)),
    _matmul("33x17x10", (33, 17), (17, 10)),
    _matmul("row_times_column", (1, 40), (40, 1)),
    _matmul("column_times_row", (9, 1), (1, 6)),
    _matmul("batched", (4, 3, 5), (4, 5, 6)),
    _matmul("batch_of_a_only", (4, 3, 5), (5, 6)),
    _matmul("batch_of_b_only", (3, 5), (2, 5, 6)),
    _matmul("batches_broadcast", (2, 1, 3, 4), (5, 4, 2)),
]


def _pool(id, x, pool, strides, padding="valid"):
    return Case(id, {"x": x}, dict(pool=pool, strides=strides, padding=padding))


POOL2D = [
    _pool("2x2", (2, 8, 6, 5), (2, 2), (2, 2)),
    _pool("2x2_valid_drops_last_row_and_column", (2, 7, 9, 6), (2, 2), (2, 2)),
    _pool("2x2_same_odd", (2, 7, 9, 16), (2, 2), (2, 2), "same"),
    _pool("2x2_stride1_same", (1, 5, 6, 17), (2, 2), (1, 1), "same"),
    _pool("2x2_lenet", (1, 28, 28, 6), (2, 2), (2, 2)),
    _pool("3x3_stride2_same_even", (1, 8, 10, 33), (3, 3), (2, 2), "same"),
    _pool("3x3_stride2_same_odd", (3, 7, 9, 1), (3, 3), (2, 2), "same"),
    _pool("3x3_stride2_valid_overlaps", (1, 9, 11, 40), (3, 3), (2, 2)),
    _pool("3x3_stride1_same", (2, 6, 5, 3), (3, 3), (1, 1), "same"),
    _pool("3x3_stride3_same_10x11", (1, 10, 11, 5), (3, 3), (3, 3), "same"),
    _pool("2x2_stride3_larger_than_window", (2, 8, 10, 5), (2, 2), (3, 3)),
    _pool("2x2_stride3_larger_than_window_same", (2, 8, 10, 16), (2, 2), (3, 3), "same"),
    _pool("3x2_strides_1x2_same", (1, 7, 7, 6), (3, 2), (1, 2), "same"),
    _pool("1x4_strides_2x3", (1, 5, 11, 5), (1, 4), (2, 3)),
    _pool("1x1", (1, 4, 3, 5), (1, 1), (1, 1)),
    _pool("1x1_stride2", (1, 5, 6, 5), (1, 1), (2, 2), "same"),
    _pool("one_pixel_same", (1, 1, 1, 3), (2, 2), (2, 2), "same"),
    _pool("window_as_large_as_input", (2, 5, 4, 17), (5, 4), (1, 1)),
    _pool("window_larger_than_input_same", (2, 3, 2, 6), (5, 5), (2, 2), "same"),
    _pool("empty_batch", (0, 4, 4, 3), (2, 2), (2, 2)),
]

GLOBAL_POOL2D = [
    Case(id, {"x": x})
    for id, x in {
        "one_pixel": (1, 1, 1, 1),
        "7x7_17_channels": (2, 7, 7, 17),
        "4x9_33_channels": (3, 4, 9, 33),
        "1x5_one_channel": (2, 1, 5, 1),
        "14x14_40_channels": (1, 14, 14, 40),
    }.items()
]

# Shapes of elementwise ops: a scalar, less than a vector, just over one, and a few thousand elements.
ELEMENTWISE_SHAPES = {
    "scalar": (),
    "one": (1,),
    "5": (5,),
    "17": (17,),
    "rows": (3, 33),
    "image": (2, 7, 5, 6),
    "long": (4099,),
    "empty": (0, 3),
}


def _unary(kind="normal", **options):
    kinds = {} if kind == "normal" else {"x": kind}
    return [Case(id, {"x": shape}, dict(options), kinds) for id, shape in ELEMENTWISE_SHAPES.items()]


def _also(id, **options):
    """One more case of a unary op, with options other than its defaults."""
    return [Case(id, {"x": (3, 7, 5)}, options)]


SOFTMAX = [
    Case(id, {"x": shape}, options)
    for id, shape, options in [
        ("1x1", (1, 1), {}),
        ("1x10", (1, 10), {}),
        ("33x7", (33, 7), {}),
        ("5x17", (5, 17), {}),
        ("3x1000", (3, 1000), {}),
        ("vector", (9,), {}),
        ("image_over_channels", (2, 3, 4, 5), {"axis": -1}),
        ("image_over_rows", (2, 3, 4, 5), {"axis": 1}),
    ]
]


def _batch_norm(id, x, infer, gamma=True, beta=True, eps=1e-3):
    c = x[-1:]
    shapes = {"x": x, "gamma": c if gamma else None, "beta": c if beta else None}
    if infer:
        return Case(id, {**shapes, "mean": c, "var": c}, dict(eps=eps), {"var": "positive"})
    return Case(id, shapes, dict(eps=eps))


def _batch_norm_cases(infer):
    return [
        _batch_norm("rows_2x1", (2, 1), infer),
        _batch_norm("rows_7x5", (7, 5), infer),
        _batch_norm("rows_33x17", (33, 17), infer),
        _batch_norm("rows_32x120", (32, 120), infer, eps=1e-5),
        _batch_norm("one_image_3x3x6", (1, 3, 3, 6), infer),
        _batch_norm("images_4x5x7x1", (4, 5, 7, 1), infer),
        _batch_norm("images_3x4x6x16", (3, 4, 6, 16), infer),
        _batch_norm("images_5x7x7x33", (5, 7, 7, 33), infer),
        _batch_norm("images_2x14x14x40", (2, 14, 14, 40), infer),
        _batch_norm("no_gamma", (3, 5, 5, 8), infer, gamma=False),
        _batch_norm("no_beta", (3, 5, 5, 8), infer, beta=False),
        _batch_norm("neither", (6, 9), infer, gamma=False, beta=False),
    ]


DROPOUT = [
    Case(f"{id}_rate_{rate}", {"x": shape, "mask": shape}, dict(rate=rate), {"mask": "mask"})
    for id, shape in {"5": (5,), "rows": (3, 33), "image": (2, 7, 5, 6)}.items()
    for rate in (0.0, 0.25, 0.5)
]


def _cross_entropy(id, shape, probabilities):
    labels, kind = (shape, "probabilities") if probabilities else (shape[:-1], shape[-1])
    return Case(id, {"logits": shape, "labels": labels}, {}, {"labels": kind})


SOFTMAX_CROSS_ENTROPY = [
    _cross_entropy(f"{id}_{'probabilities' if probabilities else 'labels'}", shape, probabilities)
    for id, shape in {
        "1x10": (1, 10),
        "7x2": (7, 2),
        "33x10": (33, 10),
        "5x17": (5, 17),
        "3x1000": (3, 1000),
        "image_2x3x4x5": (2, 3, 4, 5),
        "one_class": (4, 1),
    }.items()
    for probabilities in (False, True)
]

BINARY_CROSS_ENTROPY = [
    Case(id, {"logits": shape, "targets": shape}, {}, {"targets": kind})
    for id, shape, kind in [
        ("1x1_labels", (1, 1), 2),
        ("33x1_labels", (33, 1), 2),
        ("7x5_labels", (7, 5), 2),
        ("7x5_probabilities", (7, 5), "unit"),
        ("vector_probabilities", (17,), "unit"),
    ]
]

BROADCASTS = {
    "scalars": ((), ()),
    "same": ((3, 17), (3, 17)),
    "long": ((4099,), (4099,)),
    "image_and_scalar": ((2, 5, 4, 3), ()),
    "scalar_and_rows": ((), (3, 33)),
    "rows_and_vector": ((7, 33), (33,)),
    "vector_and_image": ((6,), (2, 5, 4, 6)),
    "column_and_row": ((5, 1), (1, 7)),
    "image_and_its_means": ((2, 5, 4, 3), (2, 1, 1, 3)),
    "middle_axis": ((2, 1, 7), (2, 5, 7)),
    "both_ways": ((4, 1, 6, 1), (3, 1, 5)),
    "ones": ((1, 1), (1,)),
    "image_masks": ((2, 5, 4, 1), (2, 5, 4, 17)),
    "empty": ((0, 3), (3,)),
}


def _binary(**kinds):
    return [Case(id, {"a": a, "b": b}, {}, dict(kinds)) for id, (a, b) in BROADCASTS.items()]


def _reductions():
    table = [
        ("vector", (17,), {}),
        ("scalar", (), {}),
        ("rows_all", (5, 33), {}),
        ("rows_all_keepdims", (5, 33), dict(keepdims=True)),
        ("rows_axis0", (7, 33), dict(axis=0)),
        ("rows_last_axis", (7, 33), dict(axis=-1)),
        ("rows_last_axis_keepdims", (7, 33), dict(axis=-1, keepdims=True)),
        ("image_spatial", (2, 5, 7, 6), dict(axis=(1, 2))),
        ("image_spatial_keepdims", (2, 5, 7, 6), dict(axis=(1, 2), keepdims=True)),
        ("image_all_but_last", (3, 4, 5, 17), dict(axis=(0, 1, 2))),
        ("image_first_and_last", (3, 4, 5, 6), dict(axis=(0, -1))),
        ("middle_axis", (4, 9, 5), dict(axis=1)),
        ("axis_of_size_one", (4, 1, 5), dict(axis=1)),
        ("long", (4099,), dict(axis=0)),
    ]
    return [Case(id, {"x": shape}, options) for id, shape, options in table]


RESHAPE = [
    Case("flatten_images", {"x": (3, 4, 5, 6)}, dict(shape=(3, 120))),
    Case("infer_one_size", {"x": (4, 6)}, dict(shape=(-1, 3))),
    Case("to_scalar", {"x": (1, 1)}, dict(shape=())),
    Case("from_scalar", {"x": ()}, dict(shape=(1, 1))),
]

TRANSPOSE = [
    Case("matrix", {"x": (5, 7)}),
    Case("matrix_by_axes", {"x": (17, 33)}, dict(axes=(1, 0))),
    Case("identity", {"x": (2, 3, 4)}, dict(axes=(0, 1, 2))),
    Case("channels_first", {"x": (2, 5, 4, 3)}, dict(axes=(0, 3, 1, 2))),
    Case("channels_last", {"x": (2, 3, 5, 4)}, dict(axes=(0, 2, 3, 1))),
    Case("cycle", {"x": (3, 4, 5)}, dict(axes=(1, 2, 0))),
    Case("reversed", {"x": (2, 3, 4, 5)}),
]

CONCATENATE = [
    Case("one", {"a": (3, 4)}, dict(axis=0)),
    Case("rows", {"a": (2, 5), "b": (3, 5)}, dict(axis=0)),
    Case("channels", {"a": (2, 4, 3, 5), "b": (2, 4, 3, 1), "c": (2, 4, 3, 17)}, dict(axis=-1)),
    Case("middle_axis", {"a": (2, 1, 5), "b": (2, 3, 5)}, dict(axis=1)),
    Case("one_of_them_empty", {"a": (2, 3), "b": (2, 0)}, dict(axis=1)),
]

PAD2D = [
    Case("all_sides", {"x": (2, 4, 5, 3)}, dict(padding=((1, 1), (1, 1)))),
    Case("uneven", {"x": (1, 3, 2, 17)}, dict(padding=((0, 2), (3, 1)))),
    Case("none", {"x": (1, 3, 2, 5)}, dict(padding=((0, 0), (0, 0)))),
    Case("value", {"x": (2, 3, 3, 1)}, dict(padding=((1, 0), (0, 1)), value=-2.5)),
]

ONE_HOT = [
    Case("one", {"labels": (1,)}, dict(n=1), {"labels": 1}),
    Case("33_of_10", {"labels": (33,)}, dict(n=10), {"labels": 10}),
    Case("matrix_of_17", {"labels": (4, 5)}, dict(n=17), {"labels": 17}),
    Case("out_of_range_gives_zeros", {"labels": (12,)}, dict(n=3), {"labels": 6}),
]

_WEIGHT_SHAPES = {"one": (1,), "17": (17,), "conv": (3, 3, 5, 6), "long": (4099,)}


def _sgd(id, shape, lr, momentum=0.0, nesterov=False):
    velocity = shape if momentum else None
    shapes = {"w": shape, "g": shape, "velocity": velocity}
    return Case(id, shapes, dict(lr=lr, momentum=momentum, nesterov=nesterov))


SGD = [
    case
    for id, shape in _WEIGHT_SHAPES.items()
    for case in (
        _sgd(f"{id}_plain", shape, 0.01),
        _sgd(f"{id}_momentum", shape, 0.1, 0.9),
        _sgd(f"{id}_nesterov", shape, 0.05, 0.9, True),
    )
]

ADAM = [
    Case(
        f"{id}_step_{step}",
        {"w": shape, "g": shape, "m": shape, "v": shape},
        dict(step=step, lr=lr, beta1=beta1, beta2=beta2, epsilon=epsilon),
        {"v": "positive"},
    )
    for id, shape in _WEIGHT_SHAPES.items()
    for step, lr, beta1, beta2, epsilon in ((1, 0.001, 0.9, 0.999, 1e-7), (1000, 0.01, 0.8, 0.99, 1e-3))
]

UPDATE = [
    Case(f"{kind}{'_with_b' if kind == 'rmsprop' and k2 else ''}_{id}",
         {"w": shape, "g": shape, "a": shape, "b": shape if k2 or kind == "adadelta" else None},
         dict(kind=kind, rates=rates, k1=k1, k2=k2, epsilon=epsilon), {"a": "positive", "b": "positive"})
    for kind, rates, k1, k2, epsilon in (
        ("rmsprop", 0.01, 0.9, 0.0, 1e-7), ("rmsprop", 0.01, 0.8, 0.9, 1e-3), ("adagrad", 0.1, 0.0, 0.0, 1e-7),
        ("adadelta", 0.5, 0.95, 0.0, 1e-7), ("adamax", 0.1, 0.9, 0.999, 1e-7),
        ("nadam", [0.01, 0.002, 1.5], 0.9, 0.999, 1e-7), ("lion", 0.01, 0.9, 0.0, 0.0))
    for id, shape in _WEIGHT_SHAPES.items()
]

CASES = {
    "conv2d": CONV2D + CONV2D_GROUPED,
    "depthwise_conv2d": DEPTHWISE_CONV2D,
    "conv2d_transpose": CONV2D_TRANSPOSE,
    "dense": DENSE,
    "matmul": MATMUL,
    "bias_add": [Case(f"{len(x)}d_{x[-1]}", {"x": x, "b": x[-1:]}) for x in ((1, 1), (7, 33), (2, 5, 4, 17))],
    "max_pool2d": POOL2D,
    "avg_pool2d": POOL2D,
    "global_max_pool2d": GLOBAL_POOL2D,
    "global_avg_pool2d": GLOBAL_POOL2D,
    **{
        op: _unary()
        for op in (
            "linear relu relu6 selu sigmoid tanh softplus softsign silu exponential hard_sigmoid hard_silu mish "
            "exp expm1 square abs negative sin cos"
        ).split()
    },
    **{op: _unary("positive") for op in "log log1p sqrt rsqrt reciprocal".split()},
    "leaky_relu": _unary() + _also("slope_0.01", negative_slope=0.01),
    "elu": _unary() + _also("alpha_0.5", alpha=0.5),
    "celu": _unary() + _also("alpha_0.5", alpha=0.5),
    "gelu": _unary() + _also("approximate", approximate=True),
    "clip": _unary(lo=-0.5, hi=1.0),
    "softmax": SOFTMAX,
    "log_softmax": SOFTMAX,
    "batch_norm_train": _batch_norm_cases(infer=False),
    "batch_norm_infer": _batch_norm_cases(infer=True),
    "dropout": DROPOUT,
    "softmax_cross_entropy": SOFTMAX_CROSS_ENTROPY,
    "binary_cross_entropy": BINARY_CROSS_ENTROPY,
    "add": _binary(),
    "subtract": _binary(),
    "multiply": _binary(),
    "divide": _binary(b="positive"),
    "maximum": _binary(),
    "minimum": _binary(),
    "power": _binary(a="positive"),
    "sum": _reductions(),
    "mean": _reductions(),
    "max": _reductions(),
    "min": _reductions(),
    "reshape": RESHAPE,
    "transpose": TRANSPOSE,
    "concatenate": CONCATENATE,
    "pad2d": PAD2D,
    "one_hot": ONE_HOT,
    "sgd": SGD,
    "adam": ADAM,
    "update": UPDATE,
}
