"""Transfer learning: a head on a MobileNet that ImageNet trained, first frozen, then fine-tuned, beside random features.

Needs Keras's weights of a MobileNet, such as mobilenet_1_0_224_tf_no_top.h5 or mobilenet_2_5_224_tf.h5.
"""
import argparse
import os
import re
import sys
from pathlib import Path

import numpy as np

from cnncore import Input, Model, Sequential, layers, models, optimizers, utils
from cnncore.applications.mobilenet import MobileNet
from cnncore.datasets import cifar10

NAME = re.compile(r"mobilenet_(1_0|7_5|5_0|2_5)_\d+_tf(_no_top)?\.h5")
ALPHAS = {"1_0": 1.0, "7_5": 0.75, "5_0": 0.5, "2_5": 0.25}  # widths of the network, as files are named by them


def find_weights(given):
    """(path, alpha) of the weights."""
    folders = [Path(os.environ.get("CNNCORE_HOME") or Path.home() / ".cnncore") / "models", Path.home() / ".keras/models"]
    paths = [Path(given)] if given else [path for folder in folders for path in sorted(folder.glob("mobilenet_*.h5"))]
    for path in paths:
        if path.is_file() and NAME.fullmatch(path.name):
            return path, ALPHAS[NAME.fullmatch(path.name)[1]]
    where = given or " nor in ".join(map(str, folders))
    sys.exit(f"There are no weights of a MobileNet in {where}. Download a file such as "
             "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet/mobilenet_2_5_224_tf_no_top.h5, keep "
             "its name, and put it there or give --weights FILE")


def load_images(options):
    """(x_train, y_train), (x_test, y_test), names of the classes: CIFAR-10, or a folder with a folder for each class."""
    if not options.folder:
        (x, y), (x_test, y_test) = cifar10.load_data()
        train, test = options.images, max(options.images // 5, 300)
        return (x[:train], y[:train, 0]), (x_test[:test], y_test[:test, 0]), cifar10.CLASSES
    parts = utils.image_dataset_from_directory(options.folder, image_size=(options.size, options.size),
                                               validation_split=0.2, subset="both", seed=10)
    arrays = [[np.concatenate([np.asarray(a) for a in arrays]) for arrays in zip(*part)] for part in parts]
    return (arrays[0][0][:options.images], arrays[0][1][:options.images]), tuple(arrays[1]), parts[0].class_names


def features_of(images, size, alpha, weights):
    """A model from images to features, and the MobileNet in it, with these weights or random ones."""
    mobilenet = MobileNet(alpha=alpha, include_top=False, weights=None, input_shape=(size, size, 3), pooling="avg")
    if weights is not None:
        mobilenet.load_weights(weights, by_name=True)  # whatever else the file holds, such as a classifier, is left there
    prepare = Sequential([layers.Resizing(size, size), layers.Rescaling(1 / 127.5, offset=-1)])
    if weights is None:
        # For a fair comparison a random network at least normalizes by what it gets: else its features are all but equal.
        for layer in mobilenet.layers:
            if isinstance(layer, layers.BatchNormalization):
                layer.momentum = 0.0
        mobilenet(prepare(images[:256].astype("float32")), training=True)
    image = Input(images.shape[1:])
    # training=False: BatchNormalization keeps to what it learnt on ImageNet, while fine-tuning too.
    return Model(image, mobilenet(prepare(image), training=False)), mobilenet


def train_head(features, labels, validation, classes, epochs):
    """(a classifier of features, which are normalized first, and its test accuracy)."""
    head = Sequential([Input(features.shape[1:]), layers.BatchNormalization(momentum=0.9), layers.Dropout(0.2),
                       layers.Dense(classes, activation="softmax")])
    head.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    head.fit(features, labels, batch_size=32, epochs=epochs, verbose=0)
    return head, head.evaluate(*validation, verbose=0)[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few seconds on a part of the data")
    parser.add_argument("--out", default="out", help="folder for the model and pictures")
    parser.add_argument("--weights", help="file of weights (default: one in CNNCORE_HOME/models or ~/.keras/models)")
    parser.add_argument("--folder", help="folder with a folder of images for each class; CIFAR-10 by default")
    parser.add_argument("--images", type=int, default=10000, help="how many images to train on, at most")
    parser.add_argument("--size", type=int, default=96, help="height and width that images are resized to")
    options = parser.parse_args()
    if options.quick:
        options.images = min(options.images, 600)
    path, alpha = find_weights(options.weights)
    os.makedirs(options.out, exist_ok=True)
    utils.set_random_seed(10)
    (x_train, y_train), (x_test, y_test), names = load_images(options)
    print(f"MobileNet of alpha={alpha} from {path}: {len(x_train)} training and {len(x_test)} test images")

    accuracies = []
    for kind, weights in (("random", None), ("ImageNet's", path)):
        extractor, mobilenet = features_of(x_train, options.size, alpha, weights)
        # The network is frozen, so what it makes of an image is computed once, not in every epoch.
        train, test = extractor.predict(x_train, verbose=0), extractor.predict(x_test, verbose=0)
        head, accuracy = train_head(train, y_train, (test, y_test), len(names), 20)
        accuracies.append(accuracy)
        print(f"A head on {kind} features: test accuracy {accuracy:.4f}")

    # Fine-tuning: all blocks but the first three learn too, in small steps, together with the head.
    model = Model(extractor.input, head(extractor.output))
    depth = [layer.name for layer in mobilenet.layers].index("conv_dw_4")
    for layer in mobilenet.layers[:depth]:
        layer.trainable = False
    model.compile(optimizer=optimizers.Adam(1e-4), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    print(f"Fine-tuning {len(model.trainable_weights)} of {len(model.weights)} arrays of weights")
    history = model.fit(x_train, y_train, batch_size=64, epochs=1 if options.quick else 5,
                        validation_data=(x_test, y_test))
    accuracies.append(model.evaluate(x_test, y_test, verbose=0)[1])
    print("Test accuracy: random features {:.4f}, frozen {:.4f}, fine-tuned {:.4f}".format(*accuracies))

    saved = os.path.join(options.out, "transfer.keras")
    model.save(saved)
    image, label = x_test[:1], names[int(y_test[0])]
    best = models.load_model(saved).predict(image, verbose=0)[0]
    print(f"Loaded again, it takes a {label} for a {names[best.argmax()]}, with a probability of {best.max():.0%}")
    history.plot().savefig(os.path.join(options.out, "transfer_history.png"))
    utils.plot_predictions(model, x_test, y_test, names).savefig(os.path.join(options.out, "transfer_predictions.png"))


if __name__ == "__main__":
    main()
