"""The networks that tutorials train on MNIST, Fashion-MNIST and CIFAR-10, written once for every framework.

Layers: ("conv", filters, kernel, padding, activation), ("pool", size, padding), ("bn",), ("dropout", rate), ("flatten",),
("dense", units, activation).
"""
from dataclasses import dataclass


@dataclass(frozen=True)
class Workload:
    """A network: shape of an image, images per step, layers."""

    shape: tuple
    batch: int
    layers: tuple


def _conv(filters, kernel=3, padding="same", activation="relu"):
    return ("conv", filters, kernel, padding, activation)


POOL, POOL_SAME, BN, FLATTEN = ("pool", 2, "valid"), ("pool", 2, "same"), ("bn",), ("flatten",)


def _head(*units):
    return (FLATTEN, *(("dense", u, "relu") for u in units), ("dense", 10, "softmax"))


GREY, COLOUR = (28, 28, 1), (32, 32, 3)
WORKLOADS = {
    "lenet5_mnist": Workload(GREY, 32, (_conv(6, 5), POOL, _conv(16, 5), POOL, *_head(120, 84))),
    "fashion_plain": Workload(GREY, 512, (_conv(32), _conv(32), _conv(32), *_head(128, 64))),
    "fashion_pool": Workload(GREY, 512, (_conv(32), POOL, _conv(32), POOL, ("dropout", 0.4), _conv(32),
                                         ("dropout", 0.4), *_head(128, 64))),
    "fashion_bn": Workload(GREY, 512, (_conv(32), BN, POOL, _conv(64, padding="valid"), BN, POOL, ("dropout", 0.4),
                                       _conv(128), ("dropout", 0.4), FLATTEN, ("dense", 512, "relu"), BN,
                                       ("dense", 256, "relu"), BN, ("dense", 10, "softmax"))),
    "cifar_bn": Workload(COLOUR, 256, (*(layer for filters in (32, 64, 128) for layer in
                                         (_conv(filters), BN, POOL_SAME, ("dropout", 0.3))), *_head(256, 128))),
    "cifar_headline": Workload(COLOUR, 128, (_conv(64), POOL, ("dropout", 0.1), _conv(128), POOL, ("dropout", 0.8),
                                             *_head(256, 128))),
    "fashion_small_batch": Workload(GREY, 32, (_conv(32), POOL, _conv(64), POOL, FLATTEN, ("dense", 100, "relu"),
                                               ("dropout", 0.4), ("dense", 10, "softmax"))),
    "mnist_wide": Workload(GREY, 32, (_conv(32, 5), POOL, _conv(64, 2), POOL, ("dropout", 0.25), *_head(1000))),
    "fashion_nopool": Workload(GREY, 256, (_conv(32, padding="valid", activation=None), _conv(64, padding="valid"),
                                           *_head(256, 128))),
}


def keras_model(workload, keras, **compile_options):
    """The compiled model in Keras's words, for `keras` or `cnncore`."""
    layers = keras.layers
    model = keras.Sequential([layers.Input(shape=workload.shape)])
    make = {"conv": lambda f, k, p, a: layers.Conv2D(f, k, padding=p, activation=a),
            "pool": lambda size, p: layers.MaxPooling2D(size, padding=p), "bn": layers.BatchNormalization,
            "dropout": layers.Dropout, "flatten": layers.Flatten,
            "dense": lambda units, a: layers.Dense(units, activation=a)}
    for kind, *arguments in workload.layers:
        model.add(make[kind](*arguments))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"], **compile_options)
    return model


def torch_model(workload):
    """The model in PyTorch, ending in logits."""
    from torch import nn

    parts, (height, width, channels), flat = [], workload.shape, False
    for kind, *a in workload.layers:
        if kind == "conv":
            parts.append(nn.Conv2d(channels, a[0], a[1], padding=a[2]))
            channels = a[0]
            if a[2] == "valid":
                height, width = height - a[1] + 1, width - a[1] + 1
        elif kind == "pool":
            parts.append(nn.MaxPool2d(a[0]))
            height, width = height // a[0], width // a[0]
        elif kind == "bn":
            parts.append((nn.BatchNorm1d if flat else nn.BatchNorm2d)(channels))
        elif kind == "dropout":
            parts.append(nn.Dropout(a[0]))
        elif kind == "flatten":
            parts.append(nn.Flatten())
            channels, flat = channels * height * width, True
        else:
            parts.append(nn.Linear(channels, a[0]))
            channels = a[0]
        if kind in ("conv", "dense") and a[-1] == "relu":
            parts.append(nn.ReLU())
    return nn.Sequential(*parts)
