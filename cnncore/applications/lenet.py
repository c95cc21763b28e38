"""LeNet-5 (LeCun et al. 1998)."""
from cnncore.applications.architecture import Architecture
from cnncore.layers import AveragePooling2D, Conv2D, Dense, Flatten

__all__ = ["LeNet5"]


def _body(x):
    x = Conv2D(6, 5, activation="tanh", name="c1")(x)
    x = AveragePooling2D(2, name="s2")(x)
    x = Conv2D(16, 5, activation="tanh", name="c3")(x)
    return AveragePooling2D(2, name="s4")(x)


def _top(x, classes, activation):
    x = Flatten(name="flatten")(x)
    x = Dense(120, activation="tanh", name="c5")(x)
    x = Dense(84, activation="tanh", name="f6")(x)
    return Dense(classes, activation=activation, name="predictions")(x)


LeNet5 = Architecture(_body, size=32, least=28, top=_top, channels=1, poolings=(None, None), classes=10).constructor(
    "LeNet5", "lenet5", "LeNet-5, the network that read digits, as it is taught today.",
    "LeCun, Bottou, Bengio & Haffner, Gradient-Based Learning Applied to Document Recognition, 1998. Every filter of c3 "
    "sees all channels, the means of s2 and s4 are not scaled, and a softmax ends it, where the paper has a table of "
    "connections, trained factors and radial basis functions.",
    ("LeNet5().count_params()", 61706))
