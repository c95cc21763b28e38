"""The blocks that the classic networks are made of: outputs and gradients while training are those of Keras on JAX."""
import zlib

import numpy as np
import pytest

import cnncore
from cnncore import layers
from cnncore.applications import (
    densenet,
    efficientnet,
    googlenet,
    inception_resnet_v2,
    inception_v3,
    mobilenet,
    mobilenet_v2,
    mobilenet_v3,
    nasnet,
    resnet,
    resnet_cifar,
    resnet_v2,
    senet,
    shufflenet,
    squeezenet,
    xception,
)

# What a block is given, without the batch, and the block.
BLOCKS = {
    "ResNet, projecting": ((7, 6, 12), lambda x: resnet._block(x, 8, 2, True, "b")),
    "ResNet": ((5, 6, 16), lambda x: resnet._block(x, 4, 1, False, "b")),
    "ResNetV2, projecting": ((6, 5, 12), lambda x: resnet_v2._block(x, 8, 1, True, "b")),
    "ResNetV2, halving": ((7, 6, 16), lambda x: resnet_v2._block(x, 4, 2, False, "b")),
    "ResNet for CIFAR": ((8, 6, 6), lambda x: resnet_cifar._block(x, 12, 2, "b")),
    "SENet": ((7, 6, 32), lambda x: senet._block(x, 8, 1, False, "b")),
    "SENet, projecting": ((7, 6, 12), lambda x: senet._block(x, 8, 2, True, "b")),
    "InceptionV3, 5x5": ((4, 5, 16), lambda x: inception_v3._mixed_5(x, 32, "m")),
    "InceptionV3, 7x7": ((4, 5, 16), lambda x: inception_v3._mixed_7(x, 24, "m")),
    "InceptionV3, wide": ((2, 3, 16), lambda x: inception_v3._mixed_wide(x, ("a", None, "m"))),
    "InceptionV3, halving": ((7, 7, 12), lambda x: inception_v3._halved(x, "m", [(16, 3, 2)], [(8, 1), (12, 3, 2)])),
    "InceptionResNetV2": ((4, 5, 20), lambda x: inception_resnet_v2.CustomScaleLayer(0.17)([
        x, layers.Conv2D(20, 1)(inception_resnet_v2._chain(x, (16, 1), (20, (1, 7)), (24, (7, 1))))])),
    "GoogLeNet": ((5, 6, 16), lambda x: googlenet._inception(x, (8, 6, 12, 4, 8, 8), "i")),
    "DenseNet": ((5, 6, 16), lambda x: densenet._transition(densenet._block(x, "b"), "t")),
    "MobileNet": ((7, 6, 12), lambda x: mobilenet._block(x, 16, 2, 2, 1)),
    "MobileNetV2": ((5, 6, 12), lambda x: mobilenet_v2._block(x, 12, 1, "b")),
    "MobileNetV2, halving": ((7, 6, 8), lambda x: mobilenet_v2._block(x, 12, 2, "b")),
    "MobileNetV3": ((5, 6, 16), lambda x: mobilenet_v3._block(x, 3, 16, 1, True, True, True, "b")),
    "MobileNetV3, halving": ((7, 6, 16), lambda x: mobilenet_v3._block(x, 2, 24, 2, False, True, False, "b")),
    "EfficientNet": ((5, 6, 12), lambda x: efficientnet._block(x, 12, 5, 1, 4, 0.0, "b")),
    "EfficientNet, halving": ((8, 6, 12), lambda x: efficientnet._block(x, 16, 3, 2, 4, 0.0, "b")),
    "NASNet, normal": ((7, 6, 12), lambda x: nasnet._normal(x, layers.Conv2D(10, 1)(x), 12, False, "n")),
    "NASNet, after a reduction": ((3, 4, 12), lambda x: nasnet._normal(
        x, layers.Conv2D(10, 2, padding="same")(layers.UpSampling2D()(x)), 12, True, "n")),
    "NASNet, reducing": ((8, 6, 12), lambda x: nasnet._reduction(x, layers.Conv2D(10, 1)(x), 12, False, "n")),
    "Xception, halving": ((7, 6, 12), lambda x: xception._halved(x, (16, 20), "b")),
    "Xception": ((3, 4, 728), lambda x: xception._residual(x, "b")),
    "SqueezeNet": ((5, 6, 16), lambda x: squeezenet._fire(x, 8, "f")),
    "ShuffleNet": ((5, 6, 24), lambda x: shufflenet._unit(x, 24, 3, True, False, "u")),
    "ShuffleNet, halving": ((7, 6, 12), lambda x: shufflenet._unit(x, 36, 3, True, True, "u")),
    "SPPNet": ((7, 9, 8), lambda x: layers.Dense(6, activation="relu")(layers.SpatialPyramidPooling2D((3, 2, 1))(x))),
}


def near(ours, theirs, what, least):
    """Equal to 1e-4 of the largest, or of `least` where all are smaller.

    Every pass keeps to 2e-5, and a block is several in a row, with normalizations over few pixels between them.
    """
    assert ours.shape == theirs.shape, what
    error, size = np.abs(ours - theirs).max(), np.abs(theirs).max()
    assert error <= 1e-4 * max(size, least), f"{what}: {error:.3g} of {size:.3g}"


def random_weights(model, rng):
    """Weights that let images through, biases and statistics of which no two are alike."""
    drawn = []
    for w in model.weights:
        if len(w.shape) > 1:
            drawn.append(rng.normal(size=w.shape) * (2 / max(1, np.prod(w.shape[:-1]))) ** 0.5)
        else:
            drawn.append(rng.uniform(*((0.5, 1.5) if w.name in ("gamma", "moving_variance") else (-0.3, 0.3)), w.shape))
    return [w.astype("float32") for w in drawn]


def gradients(model, weights, images, dy):
    """(output, gradient of the input, those of the weights), from the given weights on."""
    model.set_weights(weights)
    tensor = cnncore.Tensor(images, requires_grad=True)
    for w in model.trainable_weights:
        w.grad = None
    y = model(tensor, training=True)
    (y * dy).sum().backward()
    return y.numpy(), tensor.grad.numpy(), [w.grad.numpy() for w in model.trainable_weights]


def steady_question(model, shape, rng):
    """(weights, images, dy, what `gradients` gives) where no gradient jumps nearby.

    Rounding may put a number on the other side of a ReLU's corner, or make another one the maximum, and the gradient is
    then another: images are drawn until it stays as it is when they are moved by some ten times what rounding is.
    """
    for _ in range(100):
        weights, images = random_weights(model, rng), rng.normal(size=(2, *shape)).astype("float32")
        dy = rng.normal(size=(len(images), *model.output_shape[1:])).astype("float32")
        found = gradients(model, weights, images, dy)
        moves = (rng.choice([-1, 1], images.shape) * 3e-5).astype("float32")
        if all(np.abs(gradients(model, weights, images + sign * moves, dy)[1] - found[1]).max()
               < 1e-4 * np.abs(found[1]).max() for sign in (-1, 1)):
            return weights, images, dy, gradients(model, weights, images, dy)
    raise AssertionError("no images were found whose gradient is steady")


@pytest.mark.parametrize("name", BLOCKS)
def test_gradients_of_a_block_are_those_of_keras(name, jax_server):
    shape, block = BLOCKS[name]
    x = cnncore.Input(shape)
    model = cnncore.Model(x, block(x))
    weights, images, dy, (y, dx, dw) = steady_question(model, shape, np.random.default_rng(zlib.crc32(name.encode())))
    theirs = jax_server.ask((model.to_json(), [images], weights, dy))
    assert "error" not in theirs, theirs
    near(y, theirs["y"], "outputs", 0.0)
    near(dx, theirs["dx"][0], "gradient of the input", 0.0)
    # A bias before a normalization has the gradient 0: what rounding leaves is measured by the others.
    largest = max(np.abs(other).max() for other in theirs["dw"])
    for w, ours, other in zip(model.trainable_weights, dw, theirs["dw"], strict=True):
        near(ours, other, f"gradient of {w.path}", 0.1 * largest)
    states = [w for w in model.non_trainable_weights if w.dtype == "float32"]
    for w, state in zip(states, theirs["states"], strict=True):
        near(w.numpy(), state, w.path, 0.1)
