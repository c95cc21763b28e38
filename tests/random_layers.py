"""Random configurations of layers: hypothesis strategies of (class, arguments, shapes of the inputs, training)."""
from hypothesis import strategies as st

ACTIVATIONS = ["linear", "relu", "sigmoid", "tanh", "softmax", "elu", "selu", "gelu", "silu", "softplus", "softsign",
               "leaky_relu", "relu6", "hard_sigmoid", "hard_silu", "mish", "exponential", "log_softmax", "celu",
               "hard_tanh", "tanh_shrink", "soft_shrink", "hard_shrink", "squareplus", "log_sigmoid",
               "sparse_plus", "glu", "threshold"]
PLAIN = ["linear", None, "relu", "sigmoid", "tanh", "softmax", "elu", "gelu"]
REGULARIZERS = [None, "l1", "l2", "L1L2"]
booleans, formats = st.booleans(), st.sampled_from(["channels_last", "channels_first", None])


def lengths(draw, count, low=1, high=10):
    return [draw(st.integers(low, high)) for _ in range(count)]


def maybe_tuple(draw, numbers):
    """The numbers as a list, or the one number where all are equal."""
    return numbers[0] if len(set(numbers)) == 1 and draw(booleans) else numbers


def placed(batch, sizes, channels, data_format):
    return [batch, channels, *sizes] if data_format == "channels_first" else [batch, *sizes, channels]


def some(draw, options):
    """A part of a dict of strategies, drawn: arguments that are not in it keep their defaults."""
    return {name: draw(strategy) for name, strategy in options.items() if draw(booleans)}


@st.composite
def convolutions(draw):
    kind = draw(st.sampled_from(["Conv", "Conv", "SeparableConv", "DepthwiseConv"]))
    rank, data_format = draw(st.integers(1, 2)), draw(formats)
    kernel = lengths(draw, rank, 1, 4)
    strides, dilation = [1] * rank, [1] * rank
    what = draw(st.sampled_from(["plain", "strides", "dilation"]))
    if what == "strides":
        strides = lengths(draw, 1, 2, 4) * rank if kind != "Conv" else lengths(draw, rank, 1, 4)
    elif what == "dilation":
        dilation = lengths(draw, rank, 1, 3)
    kinds = ["valid", "same"] + ["causal"] * (rank == 1 and kind == "Conv" and data_format != "channels_first")
    padding = draw(st.sampled_from(kinds))
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation)]
    sizes = [draw(st.integers(r if padding == "valid" else 1, r + 8)) for r in reach]
    arguments = dict(kernel_size=maybe_tuple(draw, kernel), strides=maybe_tuple(draw, strides), padding=padding,
                     dilation_rate=maybe_tuple(draw, dilation), data_format=data_format, use_bias=draw(booleans),
                     activation=draw(st.sampled_from(PLAIN)))
    channels = draw(st.integers(1, 18))
    if kind == "Conv":
        arguments["groups"] = draw(st.sampled_from([1, 1, 2, 3]))
        channels = draw(st.integers(1, 18 // arguments["groups"])) * arguments["groups"]
        arguments["filters"] = draw(st.integers(1, 20 // arguments["groups"])) * arguments["groups"]
        arguments.update(some(draw, {"kernel_regularizer": st.sampled_from(REGULARIZERS),
                                     "activity_regularizer": st.sampled_from(REGULARIZERS)}))
    else:
        arguments["depth_multiplier"] = draw(st.integers(1, 3))
        arguments.update(some(draw, {"depthwise_regularizer": st.sampled_from(REGULARIZERS)}))
        if kind == "SeparableConv":
            arguments["filters"] = draw(st.integers(1, 9))
    return f"{kind}{rank}D", arguments, [placed(draw(st.integers(1, 4)), sizes, channels, data_format)], False


@st.composite
def transposed(draw):
    rank, data_format = draw(st.integers(1, 2)), draw(formats)
    kernel, strides, dilation = lengths(draw, rank, 1, 5), lengths(draw, rank, 1, 3), [1] * rank
    arguments = dict(filters=draw(st.integers(1, 9)), padding=draw(st.sampled_from(["valid", "same"])))
    if max(strides) == 1:
        dilation = lengths(draw, rank, 1, 3)
    elif draw(booleans):
        arguments["output_padding"] = maybe_tuple(draw, [draw(st.integers(0, s - 1)) for s in strides])
    arguments.update(kernel_size=maybe_tuple(draw, kernel), strides=maybe_tuple(draw, strides),
                     dilation_rate=maybe_tuple(draw, dilation), data_format=data_format, use_bias=draw(booleans),
                     activation=draw(st.sampled_from(PLAIN)))
    shape = placed(draw(st.integers(1, 3)), lengths(draw, rank, 1, 8), draw(st.integers(1, 9)), data_format)
    return f"Conv{rank}DTranspose", arguments, [shape], False


@st.composite
def pooling(draw):
    name = draw(st.sampled_from(["MaxPooling", "AveragePooling", "GlobalMaxPooling", "GlobalAveragePooling",
                                 "AdaptiveMaxPooling", "AdaptiveAveragePooling"]))
    rank, data_format = draw(st.integers(1, 2)), draw(formats)
    arguments, sizes = {"data_format": data_format}, lengths(draw, rank)
    if name.startswith("Global"):
        arguments["keepdims"] = draw(booleans)
    elif name.startswith("Adaptive"):
        arguments["output_size"] = maybe_tuple(draw, [draw(st.integers(1, size)) for size in sizes])
    else:
        pool, padding = lengths(draw, rank, 1, 4), draw(st.sampled_from(["valid", "same"]))
        sizes = [draw(st.integers(p if padding == "valid" else 1, 11)) for p in pool]
        arguments.update(pool_size=maybe_tuple(draw, pool), padding=padding)
        if draw(booleans):
            arguments["strides"] = maybe_tuple(draw, lengths(draw, rank, 1, 4))
    shape = placed(draw(st.integers(1, 3)), sizes, draw(st.integers(1, 9)), data_format)
    return f"{name}{rank}D", arguments, [shape], False


@st.composite
def dense(draw):
    if draw(booleans):
        arguments = dict(units=draw(st.integers(1, 20)), activation=draw(st.sampled_from(PLAIN)))
        arguments.update(some(draw, {name: st.sampled_from(REGULARIZERS) for name in
                                     ("kernel_regularizer", "bias_regularizer", "activity_regularizer")}))
        arguments.update(some(draw, {"use_bias": booleans}))
        return "Dense", arguments, [lengths(draw, draw(st.integers(2, 4)), 1, 8)], False
    shape = lengths(draw, draw(st.integers(2, 4)), 1, 6)
    name = draw(st.sampled_from(["Activation", "ReLU", "LeakyReLU", "ELU", "PReLU", "Softmax", "Identity",
                                 "ActivityRegularization"]))
    arguments = {}
    if name == "Activation":
        arguments["activation"] = draw(st.sampled_from(ACTIVATIONS))
        if arguments["activation"] == "glu":
            shape[-1] = 2 * draw(st.integers(1, 3))
    elif name == "ReLU":
        arguments = some(draw, {"max_value": st.sampled_from([None, 1.0, 6.0]),
                                "negative_slope": st.sampled_from([0.0, 0.1]), "threshold": st.sampled_from([0.0, 0.25])})
    elif name == "LeakyReLU":
        arguments = some(draw, {"negative_slope": st.sampled_from([0.0, 0.01, 0.5])})
    elif name == "ELU":
        arguments = some(draw, {"alpha": st.sampled_from([0.5, 2.0])})
    elif name == "PReLU" and len(shape) > 2:
        arguments = some(draw, {"shared_axes": st.sampled_from([[1], [1, 2], list(range(1, len(shape) - 1))])})
        if arguments.get("shared_axes") == [1, 2] and len(shape) == 3:
            arguments["shared_axes"] = [2]
    elif name == "Softmax":
        arguments = some(draw, {"axis": st.integers(1 - len(shape), -1)})
    elif name == "ActivityRegularization":
        arguments = some(draw, {"l1": st.sampled_from([0.0, 0.1]), "l2": st.sampled_from([0.0, 0.2])})
    return name, arguments, [shape], False


@st.composite
def normalization(draw):
    name = draw(st.sampled_from(["BatchNormalization", "BatchNormalization", "LayerNormalization", "GroupNormalization",
                                 "UnitNormalization", "Normalization"]))
    shape, training = [draw(st.integers(2, 4)), *lengths(draw, draw(st.integers(1, 3)), 2, 6)], draw(booleans)
    axis = draw(st.integers(1 - len(shape), -1))
    if name == "UnitNormalization":
        return name, {"axis": draw(st.sampled_from([axis, [axis], list(range(1, len(shape)))]))}, [shape], False
    if name == "Normalization":
        count = shape[-1]
        return name, {"mean": [0.25 * i for i in range(count)], "variance": [0.5 + i for i in range(count)],
                      "invert": draw(booleans)}, [shape], False
    arguments = some(draw, {"axis": st.just(axis), "epsilon": st.sampled_from([1e-3, 1e-2, 0.5]), "center": booleans,
                            "scale": booleans})
    if name == "BatchNormalization":
        arguments.update(some(draw, {"momentum": st.sampled_from([0.5, 0.9])}))
        return name, arguments, [shape], training
    if name == "LayerNormalization":
        if "axis" in arguments and draw(booleans):
            arguments["axis"] = list(range(1, len(shape)))
    else:
        channels = shape[arguments.get("axis", -1)]
        arguments["groups"] = draw(st.sampled_from([n for n in range(1, channels + 1) if channels % n == 0] + [-1]))
    return name, arguments, [shape], False


@st.composite
def shapes_and_places(draw):
    name = draw(st.sampled_from(["Flatten", "Reshape", "Permute", "RepeatVector", "UpSampling1D", "UpSampling2D",
                                 "Cropping1D", "Cropping2D", "ZeroPadding1D", "ZeroPadding2D"]))
    batch, channels, data_format = draw(st.integers(1, 3)), draw(st.integers(1, 6)), draw(formats)
    low, high = (5, 10) if name.startswith("Cropping") else (1, 8)
    if name == "RepeatVector":
        return name, {"n": draw(st.integers(1, 5))}, [[batch, channels]], False
    if name == "Flatten":
        return name, {"data_format": data_format}, [[batch, *lengths(draw, draw(st.integers(1, 3)), 1, 5)]], False
    if name == "Permute":
        dims = draw(st.permutations(range(1, draw(st.integers(2, 5)))))
        return name, {"dims": list(dims)}, [[batch, *lengths(draw, len(dims), 1, 5)]], False
    if name == "Reshape":
        target, a = lengths(draw, draw(st.integers(1, 3)), 1, 4), draw(st.integers(1, 3))
        count = a
        for length in target:
            count *= length
        return name, {"target_shape": [*target, draw(st.sampled_from([a, -1]))]}, [[batch, count // a, a]], False
    rank = int(name[-2])
    sizes = lengths(draw, rank, low, high)
    if name == "UpSampling1D":
        return name, {"size": draw(st.integers(1, 4))}, [[batch, *sizes, channels]], False
    if name == "UpSampling2D":
        arguments = {"size": maybe_tuple(draw, lengths(draw, 2, 1, 3)), "data_format": data_format,
                     "interpolation": draw(st.sampled_from(["nearest", "nearest", "bilinear", "bicubic", "lanczos3"]))}
        return name, arguments, [placed(batch, sizes, channels, data_format)], False
    edges = [lengths(draw, 2, 0, 2) for _ in range(rank)]
    word = "cropping" if name.startswith("Cropping") else "padding"
    if rank == 1:
        return name, {word: edges[0]}, [[batch, *sizes, channels]], False
    amount = draw(st.sampled_from([edges, [edge[0] for edge in edges], edges[0][0]]))
    return name, {word: amount, "data_format": data_format}, [placed(batch, sizes, channels, data_format)], False


@st.composite
def merging(draw):
    name = draw(st.sampled_from(["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot"]))
    shape = [draw(st.integers(1, 3)), *lengths(draw, draw(st.integers(1, 3)), 1, 5)]
    count = 2 if name == "Subtract" else draw(st.integers(2, 4))
    if name == "Concatenate":
        axis = draw(st.integers(1 - len(shape), -1))
        shapes = [list(shape) for _ in range(count)]
        for other in shapes:
            other[axis] = draw(st.integers(1, 5))
        return name, {"axis": axis}, shapes, False
    if name == "Dot":
        other = [shape[0], *lengths(draw, draw(st.integers(1, 3)), 1, 5)]
        axes = [draw(st.integers(1, len(shape) - 1)), draw(st.integers(1, len(other) - 1))]
        other[axes[1]] = shape[axes[0]]
        return name, {"axes": maybe_tuple(draw, axes), "normalize": draw(booleans)}, [shape, other], False
    # One of the inputs may have lengths of 1 where the others do not.
    narrow = [shape[0], *(draw(st.sampled_from([1, length])) for length in shape[1:])]
    return name, {}, [shape, narrow, *([shape] * (count - 2))], False


@st.composite
def images(draw):
    name = draw(st.sampled_from(["Rescaling", "Resizing", "Resizing", "CenterCrop", "Dropout", "SpatialDropout1D",
                                 "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "AlphaDropout",
                                 "SpectralNormalization"]))
    batch, channels = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    sizes, data_format = lengths(draw, 2, 2, 9), draw(formats)
    if name == "Rescaling":
        return name, {"scale": draw(st.sampled_from([2.0, 1 / 255])), **some(draw, {"offset": st.just(-1.0)})}, \
            [[batch, *sizes, channels]], False
    if name in ("Resizing", "CenterCrop"):
        arguments = {"height": draw(st.integers(1, 9)), "width": draw(st.integers(1, 9)), "data_format": data_format}
        if name == "Resizing":
            arguments["interpolation"] = draw(st.sampled_from(["nearest", "bilinear", "bicubic", "lanczos3",
                                                               "lanczos5"]))
            arguments.update(draw(st.sampled_from([{}, {"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True},
                                                   {"antialias": True}])))
        return name, arguments, [placed(batch, sizes, channels, data_format)], False
    if name == "SpectralNormalization":
        inner = {"class_name": "Dense", "config": {"units": draw(st.integers(1, 5))}}
        return name, {"layer": inner, "power_iterations": draw(st.integers(1, 3))}, [[batch, channels]], draw(booleans)
    word = "stddev" if name == "GaussianNoise" else "rate"
    shape = [batch, *sizes[:1], channels] if name == "SpatialDropout1D" else [batch, *sizes, channels]
    return name, {word: draw(st.sampled_from([0.0, 0.25, 0.5]))}, [shape], False


# How many examples of each make the 300.
FAMILIES = {"convolutions": (convolutions, 80), "transposed": (transposed, 35), "pooling": (pooling, 45),
            "dense": (dense, 40), "normalization": (normalization, 30), "shapes_and_places": (shapes_and_places, 30),
            "merging": (merging, 25), "images": (images, 25)}
