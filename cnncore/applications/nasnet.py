"""NASNetMobile and NASNetLarge (Zoph et al. 2017)."""
from functools import partial

from cnncore.applications.architecture import Architecture, documented
from cnncore.applications.blocks import padded_to_halve
from cnncore.applications.imagenet_utils import decode_predictions, preprocessing
from cnncore.applications.weights import BASE, Source
from cnncore.layers import (
    Activation,
    Add,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Cropping2D,
    Dense,
    GlobalAveragePooling2D,
    MaxPooling2D,
    SeparableConv2D,
    ZeroPadding2D,
)

__all__ = ["NASNetLarge", "NASNetMobile", "decode_predictions", "preprocess_input"]


def _normalized(x, name):
    return BatchNormalization(momentum=0.9997, name=name)(x)


def _conv(x, filters, name):
    return Conv2D(filters, 1, padding="same", use_bias=False, kernel_initializer="he_normal", name=name)(x)


def _separable(x, filters, kernel, name, stride=1):
    """Twice ReLU, a separable convolution and normalization; the first convolution has the stride."""
    x = Activation("relu")(x)
    if stride == 2:
        x = padded_to_halve(x, kernel, f"separable_conv_1_pad_{name}")
    for i, step in ((1, stride), (2, 1)):
        if i == 2:
            x = Activation("relu")(x)
        x = SeparableConv2D(filters, kernel, strides=step, padding="same" if step == 1 else "valid", use_bias=False,
                            name=f"separable_conv_{i}_{name}")(x)
        x = _normalized(x, f"separable_conv_{i}_bn_{name}")
    return x


def _fitted(p, filters, twice, name):
    """What the cell before was given, in this cell's number of channels, and at half its size where it is `twice` as
    large: from every other pixel, and from those one further down and right."""
    if twice:
        p = Activation("relu", name=f"adjust_relu_1_{name}")(p)
        near = AveragePooling2D(1, strides=2, name=f"adjust_avg_pool_1_{name}")(p)
        near = _conv(near, filters // 2, f"adjust_conv_1_{name}")
        far = Cropping2D(((1, 0), (1, 0)))(ZeroPadding2D(((0, 1), (0, 1)))(p))
        far = AveragePooling2D(1, strides=2, name=f"adjust_avg_pool_2_{name}")(far)
        far = _conv(far, filters // 2, f"adjust_conv_2_{name}")
        return _normalized(Concatenate()([near, far]), f"adjust_bn_{name}")
    if p.shape[-1] == filters:
        return p
    return _normalized(_conv(Activation("relu")(p), filters, f"adjust_conv_projection_{name}"), f"adjust_bn_{name}")


def _normal(x, p, filters, twice, name):
    """A cell that keeps the size, made of x and of p, what the cell before x was given."""
    p = _fitted(p, filters, twice, name)
    h = _normalized(_conv(Activation("relu")(x), filters, f"normal_conv_1_{name}"), f"normal_bn_1_{name}")

    def separable(x, kernel, place):
        return _separable(x, filters, kernel, f"normal_{place}_{name}")

    def mean(x, place):
        return AveragePooling2D(3, strides=1, padding="same", name=f"normal_{place}_{name}")(x)

    def add(i, a, b):
        return Add(name=f"normal_add_{i}_{name}")([a, b])

    sums = [add(1, separable(h, 5, "left1"), separable(p, 3, "right1")),
            add(2, separable(p, 5, "left2"), separable(p, 3, "right2")),
            add(3, mean(h, "left3"), p), add(4, mean(p, "left4"), mean(p, "right4")), add(5, separable(h, 3, "left5"), h)]
    return Concatenate(name=f"normal_concat_{name}")([p, *sums])


def _reduction(x, p, filters, twice, name):
    """A cell that halves the size, made of x and of p, what the cell before x was given; of x alone without a p."""
    p = x if p is None else _fitted(p, filters, twice, name)
    h = _normalized(_conv(Activation("relu")(x), filters, f"reduction_conv_1_{name}"), f"reduction_bn_1_{name}")
    padded = padded_to_halve(h, 3, f"reduction_pad_1_{name}")

    def separable(x, kernel, place):
        return _separable(x, filters, kernel, f"reduction_{place}_{name}", 2)

    def add(a, b, which=None):
        return Add(name=which and f"reduction_{which}_{name}")([a, b])

    def pooled(pooling, place):
        return pooling(3, strides=2, name=f"reduction_{place}_{name}")(padded)

    one = add(separable(h, 5, "left1"), separable(p, 7, "right1"), "add_1")
    two = add(pooled(MaxPooling2D, "left2"), separable(p, 7, "right2"), "add_2")
    three = add(pooled(AveragePooling2D, "left3"), separable(p, 5, "right3"), "add3")
    four = add(two, AveragePooling2D(3, strides=1, padding="same", name=f"reduction_left4_{name}")(one))
    five = add(_separable(one, filters, 3, f"reduction_left4_{name}"), pooled(MaxPooling2D, "right5"), "add4")
    return Concatenate(name=f"reduction_concat_{name}")([two, three, four, five])


def _body(x, filters, stem, depth, skips):
    """Three stages of normal cells with reductions between; `skips` says whether the cell after a reduction is given
    what the one before it was given."""
    x = Conv2D(stem, 3, strides=2, use_bias=False, kernel_initializer="he_normal", name="stem_conv1")(x)
    x = _normalized(x, "stem_bn1")
    first = _reduction(x, None, filters // 4, False, "stem_1")
    x, p = _reduction(first, x, filters // 2, True, "stem_2"), first
    for stage in range(3):
        if stage:
            shrunk = _reduction(x, p, filters << stage, False, f"reduce_{stage * depth}")
            x, p = shrunk, p if skips else x
        for i in range(depth):
            x, p = _normal(x, p, filters << stage, i == 0, f"{stage * depth + (stage > 0) + i}"), x
    return Activation("relu")(x)


def _top(x, classes, activation):
    return Dense(classes, activation=activation, name="predictions")(GlobalAveragePooling2D()(x))


def _nasnet(kind, size, filters, stem, depth, skips, parameters, *hashes):
    function, known = f"NASNet{kind}", f"nasnet_{kind.lower()}"
    source = Source(f"{BASE}nasnet/NASNet-{kind.lower()}", (".h5", "-no-top.h5"), hashes,
                    (f"{known}.h5", f"{known}_no_top.h5"))
    network = Architecture(partial(_body, filters=filters, stem=stem, depth=depth, skips=skips), size, top=_top,
                           poolings=(None, None), weights=source)

    @documented(
        f"NASNet-A, {kind.lower()}: two kinds of cells, found by search on CIFAR-10, stacked.",
        "Zoph, Vasudevan, Shlens & Le, Learning Transferable Architectures for Scalable Image Recognition, 2017 "
        "(arXiv:1707.07012).", (f"{function}(weights=None).count_params()", parameters), size=size)
    def build(input_shape=None, include_top=True, weights="imagenet", input_tensor=None, pooling=None, classes=1000,
              classifier_activation="softmax", name=known):
        if kind == "Mobile" and input_shape is None:
            input_shape = (size, size, 3)
        return network(include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name)

    build.__name__ = build.__qualname__ = function
    return build


NASNetMobile = _nasnet("Mobile", 224, 44, 32, 4, False, 5326716, "020fb642bf7360b370c678b08e0adf61",
                       "1ed92395b5b598bdda52abe5c0dbfd63")
NASNetLarge = _nasnet("Large", 331, 168, 96, 6, True, 88949818, "11577c9a518f0070763c2b964a382f17",
                      "d81d89dc07e6e56530c4e77faddd61b5")
preprocess_input = preprocessing("tf")
