"""SEResNet50, SEResNet101 and SEResNet152 (Hu et al. 2017)."""
from functools import partial

from cnncore.applications.architecture import Architecture
from cnncore.applications.imagenet_utils import decode_predictions, preprocessing
from cnncore.applications.resnet import normalized
from cnncore.layers import (
    Activation,
    Add,
    Conv2D,
    Dense,
    GlobalAveragePooling2D,
    MaxPooling2D,
    Multiply,
    Reshape,
)

__all__ = ["SEResNet50", "SEResNet101", "SEResNet152", "decode_predictions", "preprocess_input"]

_REDUCTION = 16  # how many channels share a unit of the squeezed layer


def _conv(x, filters, kernel, name, stride=1):
    return Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False, kernel_initializer="he_normal",
                  name=f"{name}_conv")(x)


def _body(x, depths):
    x = normalized(_conv(x, 64, 7, "conv1", 2), "conv1", "conv1_relu")
    x = MaxPooling2D(3, strides=2, padding="same", name="pool1_pool")(x)
    for stage, depth in enumerate(depths):
        for block in range(1, depth + 1):
            stride = 2 if stage and block == 1 else 1
            x = _block(x, 64 << stage, stride, block == 1, f"conv{stage + 2}_block{block}")
    return x


def _block(x, filters, stride, projects, name):
    """A block of ResNet whose channels are weighed before they join the shortcut."""
    shortcut = x
    if projects:
        shortcut = normalized(_conv(x, 4 * filters, 1, f"{name}_0", stride), f"{name}_0")
    x = normalized(_conv(x, filters, 1, f"{name}_1", stride), f"{name}_1", f"{name}_1_relu")
    x = normalized(_conv(x, filters, 3, f"{name}_2"), f"{name}_2", f"{name}_2_relu")
    x = normalized(_conv(x, 4 * filters, 1, f"{name}_3"), f"{name}_3")
    x = Add(name=f"{name}_add")([shortcut, _excited(x, f"{name}_se")])
    return Activation("relu", name=f"{name}_out")(x)


def _excited(x, name):
    """Each channel times a weight from 0 to 1, which two dense layers make of the means of all channels."""
    channels = x.shape[-1]
    weight = GlobalAveragePooling2D(name=f"{name}_squeeze")(x)
    weight = Dense(channels // _REDUCTION, activation="relu", name=f"{name}_reduce")(weight)
    weight = Dense(channels, activation="sigmoid", name=f"{name}_expand")(weight)
    return Multiply(name=f"{name}_excite")([x, Reshape((1, 1, channels), name=f"{name}_reshape")(weight)])


def _senet(layers, depths):
    return Architecture(partial(_body, depths=depths)).constructor(
        f"SEResNet{layers}", f"se_resnet{layers}",
        f"A residual network of {layers} layers that squeezes each block's image into the means of its channels, and "
        "excites the channels that these call for.",
        "Hu, Shen, Albanie, Sun & Wu, Squeeze-and-Excitation Networks, 2017 (arXiv:1709.01507).",
        (f"SEResNet{layers}(include_top=False).output_shape", "(None, None, None, 2048)"))


SEResNet50 = _senet(50, (3, 4, 6, 3))
SEResNet101 = _senet(101, (3, 4, 23, 3))
SEResNet152 = _senet(152, (3, 8, 36, 3))
preprocess_input = preprocessing("torch")
