"""Layers, with Keras's names and arguments."""
from cnncore.layers.activation import Activation, ReLU, Softmax
from cnncore.layers.augmentation import (
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomFlip,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
)
from cnncore.layers.batch_normalization import BatchNormalization
from cnncore.layers.conv2d import Conv2D
from cnncore.layers.dense import Dense
from cnncore.layers.dropout import Dropout
from cnncore.layers.input_layer import Input, InputLayer
from cnncore.layers.layer import Layer
from cnncore.layers.operation import Operation
from cnncore.layers.pooling import AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D, MaxPooling2D
from cnncore.layers.preprocessing import CenterCrop, Normalization, Rescaling, Resizing
from cnncore.layers.reshaping import Flatten, Reshape

AvgPool2D = AveragePooling2D
MaxPool2D = MaxPooling2D
GlobalAvgPool2D = GlobalAveragePooling2D
GlobalMaxPool2D = GlobalMaxPooling2D
Convolution2D = Conv2D

__all__ = [
    "Activation", "AveragePooling2D", "AvgPool2D", "BatchNormalization", "CenterCrop", "Conv2D", "Convolution2D",
    "Dense", "Dropout", "Flatten", "GlobalAveragePooling2D", "GlobalAvgPool2D", "GlobalMaxPool2D",
    "GlobalMaxPooling2D", "Input", "InputLayer", "Layer", "MaxPool2D", "MaxPooling2D", "Normalization", "Operation",
    "RandomBrightness", "RandomContrast", "RandomCrop", "RandomFlip", "RandomRotation", "RandomTranslation",
    "RandomZoom", "ReLU", "Rescaling", "Reshape", "Resizing", "Softmax",
]
