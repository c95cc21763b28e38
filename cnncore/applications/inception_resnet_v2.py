"""InceptionResNetV2 (Szegedy et al. 2016)."""
from cnncore.applications.architecture import Architecture
from cnncore.applications.imagenet_utils import decode_predictions, preprocessing
from cnncore.layers import Activation, AveragePooling2D, BatchNormalization, Concatenate, Conv2D, Layer, MaxPooling2D

__all__ = ["InceptionResNetV2", "decode_predictions", "preprocess_input"]

# branches, factor of what they add, and how often, for each kind of block
_BLOCKS = {
    "block35": ([[(32, 1)], [(32, 1), (32, 3)], [(32, 1), (48, 3), (64, 3)]], 0.17, 10),
    "block17": ([[(192, 1)], [(128, 1), (160, (1, 7)), (192, (7, 1))]], 0.1, 20),
    "block8": ([[(192, 1)], [(192, 1), (224, (1, 3)), (256, (3, 1))]], 0.2, 10),
}


class CustomScaleLayer(Layer):
    """The first input plus a multiple of the second.

    Args:
        scale: the factor.

    Input shape: two of one shape.
    Output shape: the same.
    """

    def __init__(self, scale, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, inputs):
        return inputs[0] + inputs[1] * self.scale

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}

    def keras_form(self):
        """(module, class, configuration) under which Keras reads the layer."""
        return "keras.src.applications.inception_resnet_v2", "CustomScaleLayer", self.get_config()


def _conv(x, filters, kernel, stride=1, padding="same", name=None):
    x = Conv2D(filters, kernel, strides=stride, padding=padding, use_bias=False, name=name)(x)
    x = BatchNormalization(scale=False, name=name and f"{name}_bn")(x)
    return Activation("relu", name=name and f"{name}_ac")(x)


def _chain(x, *convolutions):
    """Convolutions in a row, each (filters, kernel); a third number is a stride, without padding."""
    for filters, kernel, *stride in convolutions:
        x = _conv(x, filters, kernel, stride[0], "valid") if stride else _conv(x, filters, kernel)
    return x


def _halved(x, name, *branches):
    """Branches and max pooling, all with stride 2, side by side."""
    ends = [_chain(x, *branch) for branch in branches]
    return Concatenate(name=name)([*ends, MaxPooling2D(3, strides=2)(x)])


def _blocks(x, kind):
    """Blocks of branches whose results, joined and mixed, are added to what the block was given."""
    branches, scale, depth = _BLOCKS[kind]
    for i in range(1, depth + 1):
        mixed = Concatenate(name=f"{kind}_{i}_mixed")([_chain(x, *branch) for branch in branches])
        up = Conv2D(x.shape[-1], 1, padding="same", name=f"{kind}_{i}_conv")(mixed)
        last = kind == "block8" and i == depth  # it adds all, and has no ReLU
        x = CustomScaleLayer(1.0 if last else scale)([x, up])
        x = x if last else Activation("relu", name=f"{kind}_{i}_ac")(x)
    return x


def _body(x):
    x = _chain(x, (32, 3, 2), (32, 3, 1), (64, 3))
    x = MaxPooling2D(3, strides=2)(x)
    x = _chain(x, (80, 1, 1), (192, 3, 1))
    x = MaxPooling2D(3, strides=2)(x)
    ends = [_chain(x, (96, 1)), _chain(x, (48, 1), (64, 5)), _chain(x, (64, 1), (96, 3), (96, 3))]
    ends.append(_conv(AveragePooling2D(3, strides=1, padding="same")(x), 64, 1))
    x = _blocks(Concatenate(name="mixed_5b")(ends), "block35")
    x = _halved(x, "mixed_6a", [(384, 3, 2)], [(256, 1), (256, 3), (384, 3, 2)])
    x = _blocks(x, "block17")
    x = _halved(x, "mixed_7a", [(256, 1), (384, 3, 2)], [(256, 1), (288, 3, 2)], [(256, 1), (288, 3), (320, 3, 2)])
    return _conv(_blocks(x, "block8"), 1536, 1, name="conv_7b")


InceptionResNetV2 = Architecture(
    _body, size=299, least=75, poolings=(None, None), weights="inception_resnet_v2").constructor(
    "InceptionResNetV2", "inception_resnet_v2", "Inception's branches, whose results are added to what they were given.",
    "Szegedy, Ioffe, Vanhoucke & Alemi, Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning, "
    "2016 (arXiv:1602.07261).", ("InceptionResNetV2(weights=None).count_params()", 55873736))
preprocess_input = preprocessing("tf")
