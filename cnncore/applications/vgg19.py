"""VGG19 (Simonyan & Zisserman 2014)."""
from cnncore.applications.imagenet_utils import decode_predictions, preprocessing
from cnncore.applications.vgg import vgg

__all__ = ["VGG19", "decode_predictions", "preprocess_input"]

VGG19 = vgg((2, 2, 4, 4, 4), "vgg19").constructor(
    "VGG19", "vgg19", "VGG of 19 layers: 3x3 convolutions in five blocks, then three dense layers.",
    "Simonyan & Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, 2014 (arXiv:1409.1556).",
    ("VGG19(weights=None, include_top=False).output_shape", "(None, None, None, 512)"))
preprocess_input = preprocessing("caffe")
