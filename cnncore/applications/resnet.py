"""ResNet50, ResNet101 and ResNet152 (He et al. 2015)."""
from functools import partial

from cnncore.applications.architecture import Architecture
from cnncore.applications.imagenet_utils import decode_predictions, preprocessing
from cnncore.layers import Activation, Add, BatchNormalization, Conv2D, MaxPooling2D, ZeroPadding2D

__all__ = ["ResNet50", "ResNet101", "ResNet152", "decode_predictions", "preprocess_input"]


def normalized(x, name, activation=None):
    """Batch normalization, and ReLU by the name of `activation` where it is given."""
    x = BatchNormalization(epsilon=1.001e-5, name=f"{name}_bn")(x)
    return Activation("relu", name=activation)(x) if activation else x


def stem(x, normalizes):
    """A 7x7 convolution and max pooling, both with stride 2."""
    x = ZeroPadding2D(3, name="conv1_pad")(x)
    x = Conv2D(64, 7, strides=2, name="conv1_conv")(x)
    if normalizes:
        x = normalized(x, "conv1", "conv1_relu")
    x = ZeroPadding2D(1, name="pool1_pad")(x)
    return MaxPooling2D(3, strides=2, name="pool1_pool")(x)


def _body(x, depths):
    x = stem(x, normalizes=True)
    for stage, depth in enumerate(depths):
        for block in range(1, depth + 1):
            stride = 2 if stage and block == 1 else 1
            x = _block(x, 64 << stage, stride, block == 1, f"conv{stage + 2}_block{block}")
    return x


def _block(x, filters, stride, projects, name):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut, which a convolution leads to the new shape where it changes."""
    shortcut = x
    if projects:
        shortcut = normalized(Conv2D(4 * filters, 1, strides=stride, name=f"{name}_0_conv")(x), f"{name}_0")
    x = normalized(Conv2D(filters, 1, strides=stride, name=f"{name}_1_conv")(x), f"{name}_1", f"{name}_1_relu")
    x = normalized(Conv2D(filters, 3, padding="same", name=f"{name}_2_conv")(x), f"{name}_2", f"{name}_2_relu")
    x = normalized(Conv2D(4 * filters, 1, name=f"{name}_3_conv")(x), f"{name}_3")
    x = Add(name=f"{name}_add")([shortcut, x])
    return Activation("relu", name=f"{name}_out")(x)


def _resnet(layers, depths):
    name = f"resnet{layers}"
    return Architecture(partial(_body, depths=depths), weights=name).constructor(
        f"ResNet{layers}", name, f"A residual network of {layers} layers: each block adds to what it was given.",
        "He, Zhang, Ren & Sun, Deep Residual Learning for Image Recognition, 2015 (arXiv:1512.03385).",
        (f"ResNet{layers}(weights=None, include_top=False).output_shape", "(None, None, None, 2048)"))


ResNet50 = _resnet(50, (3, 4, 6, 3))
ResNet101 = _resnet(101, (3, 4, 23, 3))
ResNet152 = _resnet(152, (3, 8, 36, 3))
preprocess_input = preprocessing("caffe")
