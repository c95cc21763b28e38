"""SPPNet (He et al. 2014)."""
from functools import partial

from cnncore.applications.architecture import Architecture, documented
from cnncore.applications.imagenet_utils import decode_predictions, preprocessing
from cnncore.layers import Conv2D, Dense, Dropout, MaxPooling2D, SpatialPyramidPooling2D

__all__ = ["SPPNet", "decode_predictions", "preprocess_input"]


def _body(x):
    x = Conv2D(96, 7, strides=2, padding="same", activation="relu", name="conv1")(x)
    x = MaxPooling2D(3, strides=2, name="pool1")(x)
    x = Conv2D(256, 5, strides=2, padding="same", activation="relu", name="conv2")(x)
    x = MaxPooling2D(3, strides=2, name="pool2")(x)
    for i, filters in enumerate((384, 384, 256), 3):
        x = Conv2D(filters, 3, padding="same", activation="relu", name=f"conv{i}")(x)
    return x


def _top(x, classes, activation, levels):
    x = SpatialPyramidPooling2D(levels, name="spp")(x)
    for i in (6, 7):
        x = Dense(4096, activation="relu", name=f"fc{i}")(x)
        x = Dropout(0.5, name=f"drop{i}")(x)
    return Dense(classes, activation=activation, name="predictions")(x)


@documented(
    "SPPNet, on the convolutions called ZF-5: a pyramid of maxima leads images of any size to one classifier.",
    "He, Zhang, Ren & Sun, Spatial Pyramid Pooling in Deep Convolutional Networks for Visual Recognition, 2014 "
    "(arXiv:1406.4729). Responses are not normalized across neighbouring channels, which did not help in later networks "
    "(arXiv:1409.1556, section 4.1).",
    ("SPPNet(include_top=False).output_shape", "(None, None, None, 256)"), size="any height and width, and 3 channels,",
    least=21, weights=False, levels="of the pyramid: for each the number of rows, and of columns, of windows.")
def SPPNet(include_top=True, weights=None, input_tensor=None, input_shape=None, pooling=None, classes=1000,
           classifier_activation="softmax", name="sppnet", levels=(6, 3, 2, 1)):
    network = Architecture(_body, least=21, top=partial(_top, levels=levels), any_size=True)
    return network(include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name)


preprocess_input = preprocessing("torch")
