"""Layers, with Keras's names and arguments."""
from cnncore.layers.activation import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from cnncore.layers.adaptive_pooling import (
    AdaptiveAveragePooling1D,
    AdaptiveAveragePooling2D,
    AdaptiveMaxPooling1D,
    AdaptiveMaxPooling2D,
)
from cnncore.layers.augmentation import (
    RandomCrop,
    RandomFlip,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
)
from cnncore.layers.batch_normalization import BatchNormalization
from cnncore.layers.borders import Cropping1D, Cropping2D, ZeroPadding1D, ZeroPadding2D
from cnncore.layers.channel_shuffle import ChannelShuffle
from cnncore.layers.conv1d import Conv1D
from cnncore.layers.conv2d import Conv2D
from cnncore.layers.conv_transpose import Conv1DTranspose, Conv2DTranspose
from cnncore.layers.dense import Dense
from cnncore.layers.depthwise_conv import DepthwiseConv1D, DepthwiseConv2D
from cnncore.layers.distortion import RandomElasticTransform, RandomGaussianBlur, RandomPerspective, RandomShear
from cnncore.layers.dropout import Dropout, SpatialDropout1D, SpatialDropout2D
from cnncore.layers.equalization import (
    AutoContrast,
    ContrastLimitedAdaptiveHistogramEqualization,
    Equalization,
)
from cnncore.layers.identity import ActivityRegularization, Identity
from cnncore.layers.input_layer import Input, InputLayer
from cnncore.layers.input_spec import InputSpec
from cnncore.layers.lambda_layer import Lambda
from cnncore.layers.layer import Layer
from cnncore.layers.merging import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    dot,
    maximum,
    minimum,
    multiply,
    subtract,
)
from cnncore.layers.mixing import CutMix, MixUp, RandomErasing
from cnncore.layers.noise import AlphaDropout, GaussianDropout, GaussianNoise
from cnncore.layers.normalization import GroupNormalization, LayerNormalization, UnitNormalization
from cnncore.layers.operation import Operation
from cnncore.layers.pipeline import Pipeline
from cnncore.layers.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    MaxPooling1D,
    MaxPooling2D,
)
from cnncore.layers.preprocessing import CenterCrop, Normalization, Rescaling, Resizing
from cnncore.layers.rand_augment import AugMix, RandAugment
from cnncore.layers.random_color import (
    RandomBrightness,
    RandomColorDegeneration,
    RandomColorJitter,
    RandomContrast,
    RandomGrayscale,
    RandomHue,
    RandomInvert,
    RandomPosterization,
    RandomSaturation,
    RandomSharpness,
    Solarization,
)
from cnncore.layers.reshaping import Flatten, Permute, RepeatVector, Reshape
from cnncore.layers.separable_conv import SeparableConv1D, SeparableConv2D
from cnncore.layers.spatial_pyramid_pooling import SpatialPyramidPooling2D
from cnncore.layers.up_sampling import UpSampling1D, UpSampling2D
from cnncore.layers.wrapper import SpectralNormalization, Wrapper

AvgPool1D = AveragePooling1D
AvgPool2D = AveragePooling2D
Convolution1D = Conv1D
Convolution1DTranspose = Conv1DTranspose
Convolution2D = Conv2D
Convolution2DTranspose = Conv2DTranspose
GlobalAvgPool1D = GlobalAveragePooling1D
GlobalAvgPool2D = GlobalAveragePooling2D
GlobalMaxPool1D = GlobalMaxPooling1D
GlobalMaxPool2D = GlobalMaxPooling2D
MaxPool1D = MaxPooling1D
MaxPool2D = MaxPooling2D
SeparableConvolution1D = SeparableConv1D
SeparableConvolution2D = SeparableConv2D

__all__ = [
    "Activation", "ActivityRegularization", "AdaptiveAveragePooling1D", "AdaptiveAveragePooling2D",
    "AdaptiveMaxPooling1D", "AdaptiveMaxPooling2D", "Add", "AlphaDropout", "AugMix", "AutoContrast", "Average",
    "AveragePooling1D", "AveragePooling2D", "AvgPool1D", "AvgPool2D", "BatchNormalization", "CenterCrop",
    "ChannelShuffle", "Concatenate", "ContrastLimitedAdaptiveHistogramEqualization", "Conv1D", "Conv1DTranspose",
    "Conv2D", "Conv2DTranspose", "Convolution1D", "Convolution1DTranspose", "Convolution2D", "Convolution2DTranspose",
    "Cropping1D", "Cropping2D", "CutMix", "Dense", "DepthwiseConv1D", "DepthwiseConv2D", "Dot", "Dropout", "ELU",
    "Equalization", "Flatten", "GaussianDropout", "GaussianNoise", "GlobalAveragePooling1D", "GlobalAveragePooling2D",
    "GlobalAvgPool1D", "GlobalAvgPool2D", "GlobalMaxPool1D", "GlobalMaxPool2D", "GlobalMaxPooling1D",
    "GlobalMaxPooling2D", "GroupNormalization", "Identity", "Input", "InputLayer", "InputSpec", "Lambda", "Layer",
    "LayerNormalization", "LeakyReLU", "MaxPool1D", "MaxPool2D", "MaxPooling1D", "MaxPooling2D", "Maximum", "Minimum",
    "MixUp", "Multiply", "Normalization", "Operation", "PReLU", "Permute", "Pipeline", "RandAugment",
    "RandomBrightness", "RandomColorDegeneration", "RandomColorJitter", "RandomContrast", "RandomCrop",
    "RandomElasticTransform", "RandomErasing", "RandomFlip", "RandomGaussianBlur", "RandomGrayscale", "RandomHue",
    "RandomInvert", "RandomPerspective", "RandomPosterization", "RandomRotation", "RandomSaturation", "RandomSharpness",
    "RandomShear", "RandomTranslation", "RandomZoom", "ReLU", "RepeatVector", "Rescaling", "Reshape", "Resizing",
    "SeparableConv1D", "SeparableConv2D", "SeparableConvolution1D", "SeparableConvolution2D", "Softmax", "Solarization",
    "SpatialDropout1D", "SpatialDropout2D", "SpatialPyramidPooling2D", "SpectralNormalization", "Subtract",
    "UnitNormalization", "UpSampling1D", "UpSampling2D", "Wrapper", "ZeroPadding1D", "ZeroPadding2D", "add", "average",
    "concatenate", "deserialize", "dot", "maximum", "minimum", "multiply", "serialize", "subtract",
]


def serialize(layer):
    """A layer as a JSON-ready dict.

    Args:
        layer: `Layer`.

    Example:
        >>> serialize(Flatten())["class_name"]
        'Flatten'
    """
    from cnncore.saving import serialize_keras_object

    return serialize_keras_object(layer)


def deserialize(config, custom_objects=None):
    """The layer that a dict from `serialize` stands for, with new weights.

    Args:
        config: such a dict.
        custom_objects: dict from names to classes and functions of one's own.

    Raises:
        ValueError: the dict does not stand for a layer.

    Example:
        >>> deserialize(serialize(Dense(3))).units
        3
    """
    from cnncore.saving import deserialize_keras_object

    layer = deserialize_keras_object(config, custom_objects=custom_objects)
    if not isinstance(layer, Layer):
        raise ValueError(f"A layer is made of a layer's configuration. Received: {config!r:.200}")
    return layer


def __getattr__(name):
    from cnncore.utils.identifiers import unknown_attribute

    raise unknown_attribute(__name__, name, __all__)
