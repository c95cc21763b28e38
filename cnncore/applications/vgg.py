"""What VGG16 and VGG19 share: five blocks of 3x3 convolutions."""
from functools import partial

from cnncore.applications.architecture import Architecture
from cnncore.layers import Conv2D, Dense, Flatten, MaxPooling2D

_FILTERS = (64, 128, 256, 512, 512)


def vgg(depths, weights):
    """The architecture with so many convolutions in each block."""
    return Architecture(partial(_body, depths=depths), top=_top, poolings=(None, None), weights=weights)


def _body(x, depths):
    for block, (filters, depth) in enumerate(zip(_FILTERS, depths, strict=True), 1):
        for i in range(1, depth + 1):
            x = Conv2D(filters, 3, padding="same", activation="relu", name=f"block{block}_conv{i}")(x)
        x = MaxPooling2D(2, name=f"block{block}_pool")(x)
    return x


def _top(x, classes, activation):
    x = Flatten(name="flatten")(x)
    for name in ("fc1", "fc2"):
        x = Dense(4096, activation="relu", name=name)(x)
    return Dense(classes, activation=activation, name="predictions")(x)
