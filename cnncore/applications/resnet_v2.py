"""ResNet50V2, ResNet101V2 and ResNet152V2 (He et al. 2016)."""
from functools import partial

from cnncore.applications.architecture import Architecture
from cnncore.applications.imagenet_utils import decode_predictions, preprocessing
from cnncore.applications.resnet import normalized, stem
from cnncore.layers import Add, Conv2D, MaxPooling2D, ZeroPadding2D

__all__ = ["ResNet50V2", "ResNet101V2", "ResNet152V2", "decode_predictions", "preprocess_input"]


def _body(x, depths):
    x = stem(x, normalizes=False)
    for stage, depth in enumerate(depths):
        for block in range(1, depth + 1):
            stride = 2 if stage < 3 and block == depth else 1
            x = _block(x, 64 << stage, stride, block == 1, f"conv{stage + 2}_block{block}")
    return normalized(x, "post", "post_relu")


def _block(x, filters, stride, projects, name):
    """A block whose convolutions come after what normalizes; its stride, if any, is the 3x3 convolution's."""
    ready = normalized(x, f"{name}_preact", f"{name}_preact_relu")
    if projects:
        shortcut = Conv2D(4 * filters, 1, strides=stride, name=f"{name}_0_conv")(ready)
    else:
        shortcut = MaxPooling2D(1, strides=stride)(x) if stride > 1 else x
    x = Conv2D(filters, 1, use_bias=False, name=f"{name}_1_conv")(ready)
    x = normalized(x, f"{name}_1", f"{name}_1_relu")
    x = ZeroPadding2D(1, name=f"{name}_2_pad")(x)
    x = Conv2D(filters, 3, strides=stride, use_bias=False, name=f"{name}_2_conv")(x)
    x = normalized(x, f"{name}_2", f"{name}_2_relu")
    x = Conv2D(4 * filters, 1, name=f"{name}_3_conv")(x)
    return Add(name=f"{name}_out")([shortcut, x])


def _resnet(layers, depths):
    name = f"resnet{layers}v2"
    return Architecture(partial(_body, depths=depths), weights=name).constructor(
        f"ResNet{layers}V2", name,
        f"A residual network of {layers} layers whose blocks begin with normalization and ReLU.",
        "He, Zhang, Ren & Sun, Identity Mappings in Deep Residual Networks, 2016 (arXiv:1603.05027).",
        (f"ResNet{layers}V2(weights=None, include_top=False).output_shape", "(None, None, None, 2048)"))


ResNet50V2 = _resnet(50, (3, 4, 6, 3))
ResNet101V2 = _resnet(101, (3, 4, 23, 3))
ResNet152V2 = _resnet(152, (3, 8, 36, 3))
preprocess_input = preprocessing("tf")
