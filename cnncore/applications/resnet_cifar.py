"""ResNet20 and ResNet56 for images of 32 by 32 pixels (He et al. 2015, section 4.2)."""
from functools import partial

from cnncore import ops
from cnncore.applications.architecture import Architecture
from cnncore.layers import Activation, Add, BatchNormalization, Conv2D, MaxPooling2D

__all__ = ["ResNet20", "ResNet56"]


def _conv(x, filters, stride, name):
    x = Conv2D(filters, 3, strides=stride, padding="same", use_bias=False, kernel_initializer="he_normal",
               name=f"{name}_conv")(x)
    return BatchNormalization(name=f"{name}_bn")(x)


def _block(x, filters, stride, name):
    """Two 3x3 convolutions beside a shortcut, which has no weights: every other pixel, and channels of zeros."""
    shortcut = x
    if stride > 1:
        more = filters - x.shape[-1]
        shortcut = MaxPooling2D(1, strides=stride, name=f"{name}_0_pool")(x)
        shortcut = ops.pad(shortcut, ((0, 0), (0, 0), (0, 0), (more // 2, more - more // 2)))
    x = Activation("relu", name=f"{name}_1_relu")(_conv(x, filters, stride, f"{name}_1"))
    x = _conv(x, filters, 1, f"{name}_2")
    return Activation("relu", name=f"{name}_out")(Add(name=f"{name}_add")([shortcut, x]))


def _body(x, depth):
    x = Activation("relu", name="conv1_relu")(_conv(x, 16, 1, "conv1"))
    for stage in range(3):
        for block in range(1, depth + 1):
            x = _block(x, 16 << stage, 2 if stage and block == 1 else 1, f"conv{stage + 2}_block{block}")
    return x


def _resnet(layers):
    return Architecture(partial(_body, depth=(layers - 2) // 6), size=32, least=8, classes=10).constructor(
        f"ResNet{layers}", f"resnet{layers}", f"The residual network of {layers} layers for CIFAR-10.",
        "He, Zhang, Ren & Sun, Deep Residual Learning for Image Recognition, 2015 (arXiv:1512.03385), section 4.2, with "
        "shortcuts without weights (option A).",
        (f"ResNet{layers}(include_top=False).output_shape", "(None, None, None, 64)"))


ResNet20 = _resnet(20)
ResNet56 = _resnet(56)
