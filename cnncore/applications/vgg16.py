"""VGG16 (Simonyan & Zisserman 2014)."""
from cnncore.applications.imagenet_utils import decode_predictions, preprocessing
from cnncore.applications.vgg import vgg

__all__ = ["VGG16", "decode_predictions", "preprocess_input"]

VGG16 = vgg((2, 2, 3, 3, 3), "vgg16").constructor(
    "VGG16", "vgg16", "VGG of 16 layers: 3x3 convolutions in five blocks, then three dense layers.",
    "Simonyan & Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, 2014 (arXiv:1409.1556).",
    ("VGG16(weights=None, include_top=False).output_shape", "(None, None, None, 512)"))
preprocess_input = preprocessing("caffe")
