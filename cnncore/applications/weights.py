"""Where the weights of networks trained on ImageNet lie, by Keras's own names, and from where they come."""
import os
from pathlib import Path
from typing import NamedTuple

BASE = "https://storage.googleapis.com/tensorflow/keras-applications/"
OTHERWISE = " Or use weights=None, for random ones, or weights=PATH."  # where they cannot be had
_TAIL = "_weights_tf_dim_ordering_tf_kernels"


class Source(NamedTuple):
    """Where the two files of a network's weights come from: the part of their address that they share, the endings of
    the file with the classifier and of that without, their MD5 hashes, and their names here where these differ."""

    address: str
    endings: tuple = (".h5", "_notop.h5")
    hashes: tuple = (None, None)
    names: tuple = None


# network: (folder on the server, MD5 hash with the top, without it)
_KNOWN = {
    "vgg16": ("vgg16", "64373286793e3c8b2b4e3219cbf3544b", "6d6bbae143d832006294945121d1f1fc"),
    "vgg19": ("vgg19", "cbe5617147190e668d6c5d5026f83318", "253f8cb515780f3b799900260a226db6"),
    "resnet50": ("resnet", "2cb95161c43110f7111970584f804107", "4d473c1dd8becc155b73f8504c6f6626"),
    "resnet101": ("resnet", "f1aeb4b969a6efcfb50fad2f0c20cfc5", "88cf7a10940856eca736dc7b7e228a21"),
    "resnet152": ("resnet", "100835be76be38e30d865e96f2aaae62", "ee4c566cf9a93f14d82f913c2dc6dd0c"),
    "resnet50v2": ("resnet", "3ef43a0b657b3be2300d5770ece849e0", "fac2f116257151a9d068a22e544a4917"),
    "resnet101v2": ("resnet", "6343647c601c52e1368623803854d971", "c0ed64b8031c3730f411d2eb4eea35b5"),
    "resnet152v2": ("resnet", "a49b44d1979771252814e80f8ec446f9", "ed17cf2e0169df9d443503ef94b23b33"),
    "inception_v3": ("inception_v3", "9a0d58056eeedaa3f26cb7ebd46da564", "bcbd6486424b2319ff4ef7d526e38f63"),
    "densenet121": ("densenet", "9d60b8095a5708f2dcce2bca79d332c7", "30ee3e1110167f948a6b9946edeeb738"),
    "densenet169": ("densenet", "d699b8f76981ab1b30698df4c175e90b", "b8c4d4c20dd625c148057b9ff1c1176b"),
    "densenet201": ("densenet", "1ceb130c1ea1b78c3bf6114dbdfd8807", "c13680b51ded0fb44dff2d8f86ac8bb1"),
    "xception": ("xception", "0a58e3b7378bc2990ea3b43d5981f1f6", "b0042744bf5b25fce3cb969f33bebb97"),
    "inception_resnet_v2": ("inception_resnet_v2", "e693bd0210a403b3192acc6073ad2e96",
                            "d19885ff4a710c122648d3b5c3b684e4"),
}


def folders():
    """The folders to look in, in order: CNNCORE_HOME/models, then Keras's own cache."""
    home = Path(os.environ.get("CNNCORE_HOME") or Path.home() / ".cnncore")
    keras = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    return [home.expanduser() / "models", keras.expanduser() / "models"]


def published(network):
    """Whether Keras publishes weights of this network."""
    return network in _KNOWN


def _file(network, which):
    """(name, address) of a network's file, 0 with the classifier or 1 without."""
    source = network.address + network.endings[which]
    return network.names[which] if network.names else source.rpartition("/")[2], source


def _is_here(name):
    return any((folder / name).is_file() for folder in folders())


def imagenet(network, include_top):
    """The path of a network's weights for ImageNet, downloaded and checked where they are not here yet.

    Args:
        network: its name, or a Source where the files are not called as most are.
        include_top: whether the file with the classifier is wanted.

    Raises:
        OSError: they cannot be had; the message names the file, where to put it and where to get it.
    """
    from cnncore.datasets.files import advice
    from cnncore.utils import get_file

    if not isinstance(network, Source):
        folder, *hashes = _KNOWN[network]
        network = Source(f"{BASE}{folder}/{network}{_TAIL}", hashes=tuple(hashes))
    which = 0 if include_top else 1
    name, source = _file(network, which)
    if not include_top and not _is_here(name) and _is_here(_file(network, 0)[0]):
        which, (name, source) = 0, _file(network, 0)  # the same weights, and those of a classifier
    try:
        return get_file(name, source, cache_subdir="models", file_hash=network.hashes[which])
    except OSError as error:
        raise OSError(advice(f"The ImageNet weights {name} are", {name: source}, folders(), error)
                      + OTHERWISE) from None
