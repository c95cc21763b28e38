"""SqueezeNet (Iandola et al. 2016)."""
from cnncore.applications.architecture import Architecture
from cnncore.applications.imagenet_utils import decode_predictions, preprocessing
from cnncore.layers import Activation, Concatenate, Conv2D, Dropout, GlobalAveragePooling2D, MaxPooling2D

__all__ = ["SqueezeNet", "decode_predictions", "preprocess_input"]


def _fire(x, squeeze, name):
    """Few 1x1 filters, then many 1x1 and 3x3 filters side by side."""
    x = Conv2D(squeeze, 1, activation="relu", name=f"{name}_squeeze1x1")(x)
    ends = [Conv2D(4 * squeeze, size, padding="same", activation="relu", name=f"{name}_expand{size}x{size}")(x)
            for size in (1, 3)]
    return Concatenate(name=f"{name}_concat")(ends)


def _body(x):
    x = Conv2D(96, 7, strides=2, activation="relu", name="conv1")(x)
    x = MaxPooling2D(3, strides=2, name="pool1")(x)
    for i, squeeze in enumerate((16, 16, 32, 32, 48, 48, 64, 64), 2):
        x = _fire(x, squeeze, f"fire{i}")
        if i in (4, 8):
            x = MaxPooling2D(3, strides=2, name=f"pool{i}")(x)
    return x


def _top(x, classes, activation):
    x = Dropout(0.5, name="drop9")(x)
    x = Conv2D(classes, 1, activation="relu", name="conv10")(x)
    x = GlobalAveragePooling2D(name="avg_pool")(x)
    return Activation(activation, name="predictions")(x)


SqueezeNet = Architecture(_body, least=35, top=_top).constructor(
    "SqueezeNet", "squeezenet", "SqueezeNet 1.0: AlexNet's accuracy with a fiftieth of its weights.",
    "Iandola, Han, Moskewicz, Ashraf, Dally & Keutzer, SqueezeNet, 2016 (arXiv:1602.07360).",
    ("SqueezeNet().count_params()", 1248424))
preprocess_input = preprocessing("torch")
