"""The classic networks, with Keras's names, arguments, layers and weights."""
from importlib import import_module

_MODULES = {
    "alexnet": ("AlexNet",),
    "densenet": ("DenseNet121", "DenseNet169", "DenseNet201"),
    "efficientnet": tuple(f"EfficientNetB{i}" for i in range(8)),
    "googlenet": ("GoogLeNet",),
    "imagenet_utils": (),
    "inception_resnet_v2": ("InceptionResNetV2",),
    "inception_v3": ("InceptionV3",),
    "lenet": ("LeNet5",),
    "mobilenet": ("MobileNet",),
    "mobilenet_v2": ("MobileNetV2",),
    "mobilenet_v3": ("MobileNetV3Small", "MobileNetV3Large"),
    "nasnet": ("NASNetMobile", "NASNetLarge"),
    "resnet": ("ResNet50", "ResNet101", "ResNet152"),
    "resnet50": (),
    "resnet_cifar": ("ResNet20", "ResNet56"),
    "resnet_v2": ("ResNet50V2", "ResNet101V2", "ResNet152V2"),
    "senet": ("SEResNet50", "SEResNet101", "SEResNet152"),
    "shufflenet": ("ShuffleNet",),
    "sppnet": ("SPPNet",),
    "squeezenet": ("SqueezeNet",),
    "vgg16": ("VGG16",),
    "vgg19": ("VGG19",),
    "xception": ("Xception",),
}
_NAMES = {name: module for module, names in _MODULES.items() for name in names}
__all__ = [*_MODULES, *_NAMES]


def __getattr__(name):
    """Imports a family of networks when it is first asked for."""
    if name in _MODULES:
        return import_module(f"cnncore.applications.{name}")
    if name in _NAMES:
        return getattr(import_module(f"cnncore.applications.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'cnncore.applications' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
