"""GoogLeNet (Szegedy et al. 2014)."""
from functools import partial

from cnncore.applications.architecture import Architecture, documented
from cnncore.applications.imagenet_utils import decode_predictions, preprocessing
from cnncore.layers import (
    AveragePooling2D,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    MaxPooling2D,
)

__all__ = ["GoogLeNet", "decode_predictions", "preprocess_input"]

# filters: 1x1; 3x3 and what reduces the channels before it; 5x5 and what reduces them; 1x1 after pooling
_BLOCKS = {
    "3a": (64, 96, 128, 16, 32, 32), "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64), "4b": (160, 112, 224, 24, 64, 64), "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64), "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128), "5b": (384, 192, 384, 48, 128, 128),
}
_BRANCHING = ("4a", "4d")  # what the auxiliary classifiers see


def _conv(x, filters, kernel, name, stride=1):
    return Conv2D(filters, kernel, strides=stride, padding="same", activation="relu", name=name)(x)


def _halved(x, name):
    return MaxPooling2D(3, strides=2, padding="same", name=name)(x)


def _inception(x, filters, name):
    """Windows of 1x1, 3x3 and 5x5 pixels and a maximum, side by side."""
    one, before_three, three, before_five, five, pooled = filters
    ends = [_conv(x, one, 1, f"{name}_1x1"),
            _conv(_conv(x, before_three, 1, f"{name}_3x3_reduce"), three, 3, f"{name}_3x3"),
            _conv(_conv(x, before_five, 1, f"{name}_5x5_reduce"), five, 5, f"{name}_5x5"),
            _conv(MaxPooling2D(3, strides=1, padding="same", name=f"{name}_pool")(x), pooled, 1, f"{name}_pool_proj")]
    return Concatenate(name=f"{name}_output")(ends)


def _body(x, branches):
    """The features; appends what the auxiliary classifiers see to `branches`."""
    x = _halved(_conv(x, 64, 7, "conv1_7x7", 2), "pool1_3x3")
    x = _conv(_conv(x, 64, 1, "conv2_3x3_reduce"), 192, 3, "conv2_3x3")
    stage = "2"
    for block, filters in _BLOCKS.items():
        if block[0] != stage:
            x, stage = _halved(x, f"pool{stage}_3x3"), block[0]
        x = _inception(x, filters, f"inception_{block}")
        if block in _BRANCHING:
            branches.append(x)
    return x


def _top(x, classes, activation, branches):
    x = GlobalAveragePooling2D(name="avg_pool")(x)
    x = Dropout(0.4, name="dropout")(x)
    x = Dense(classes, activation=activation, name="predictions")(x)
    ends = [_auxiliary(branch, classes, activation, f"auxiliary{i}") for i, branch in enumerate(branches, 1)]
    return [x, *ends] if ends else x


def _auxiliary(x, classes, activation, name):
    x = AveragePooling2D(5, strides=3, name=f"{name}_pool")(x)
    x = Flatten(name=f"{name}_flatten")(_conv(x, 128, 1, f"{name}_conv"))
    x = Dense(1024, activation="relu", name=f"{name}_fc")(x)
    return Dense(classes, activation=activation, name=name)(Dropout(0.7, name=f"{name}_dropout")(x))


@documented(
    "GoogLeNet, the first Inception: in each block windows of several sizes side by side.",
    "Szegedy, Liu, Jia, Sermanet, Reed, Anguelov, Erhan, Vanhoucke & Rabinovich, Going Deeper with Convolutions, 2014 "
    "(arXiv:1409.4842). Responses are not normalized across neighbouring channels, which did not help in later networks "
    "(arXiv:1409.1556, section 4.1).",
    ("GoogLeNet().count_params()", 6998552), weights=False,
    auxiliary="whether two more classifiers, which see the features of inner blocks, are outputs too: `predictions`, "
    "`auxiliary1` and `auxiliary2`. They bring gradients into the depth while training; the paper weighs their losses by "
    "0.3: `model.compile('sgd', 'sparse_categorical_crossentropy', loss_weights=[1.0, 0.3, 0.3])`, then "
    "`model.fit(x, [y, y, y])`. `cnncore.Model(model.inputs, model.outputs[0])` is what remains afterwards. Images are "
    "at least 65 pixels each way then.")
def GoogLeNet(include_top=True, weights=None, input_tensor=None, input_shape=None, pooling=None, classes=1000,
              classifier_activation="softmax", name="googlenet", auxiliary=False):
    if auxiliary and not include_top:
        raise ValueError(f"{name}: auxiliary classifiers go with include_top=True. Received: include_top=False, "
                         "auxiliary=True")
    branches = []
    network = Architecture(partial(_body, branches=branches), least=65 if auxiliary else 32,
                           top=partial(_top, branches=branches if auxiliary else ()))
    return network(include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name)


preprocess_input = preprocessing("torch")
