"""Doubles a small training set by one transformed copy of each image, and shows what that gains."""
import argparse
import os

import matplotlib.pyplot as plt
import numpy as np

from cnncore import Input, Sequential, layers, utils
from cnncore.datasets import fashion_mnist
from cnncore.preprocessing.image import ImageDataGenerator


def make_model():
    model = Sequential([
        Input(shape=(28, 28, 1)),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
        layers.Dropout(0.4),
        layers.Dense(10, activation="softmax"),
    ])
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds on a part of the data")
    parser.add_argument("--out", default="out", help="folder for pictures")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)

    (x_train, y_train), (x_test, y_test) = fashion_mnist.load_data()
    count, tests, epochs = (500, 500, 2) if options.quick else (5000, 10000, 20)
    x_train, y_train = x_train[:count, ..., None].astype("float32") / 255, y_train[:count]
    x_test, y_test = x_test[:tests, ..., None].astype("float32") / 255, y_test[:tests]

    generator = ImageDataGenerator(rotation_range=10, width_shift_range=0.08, height_shift_range=0.08, zoom_range=0.1,
                                   shear_range=5, horizontal_flip=True, fill_mode="nearest")
    copies = generator.flow(x_train, y_train, batch_size=count, shuffle=False, seed=4)
    x_copies, y_copies = copies[0]
    x_doubled, y_doubled = np.concatenate([x_train, x_copies]), np.concatenate([y_train, y_copies])
    print(f"Training sets: {x_train.shape} and, doubled, {x_doubled.shape}")
    _, rows = plt.subplots(2, 10, figsize=(12, 2.6), layout="constrained")
    for column in range(10):
        for axes, image in ((rows[0, column], x_train[column]), (rows[1, column], x_copies[column])):
            axes.imshow(image[..., 0], cmap="gray")
            axes.axis("off")
        rows[0, column].set_title(fashion_mnist.CLASSES[y_train[column]], fontsize=9)
    plt.savefig(os.path.join(options.out, "augmentation_images.png"))

    accuracies = {}
    for name, x, y in (("as it is", x_train, y_train), ("doubled", x_doubled, y_doubled)):
        utils.set_random_seed(4)
        model = make_model()
        model.fit(x, y, batch_size=64, epochs=epochs, verbose=0)
        accuracies[name] = model.evaluate(x_test, y_test, verbose=0)[1]
        print(f"Test accuracy with the training set {name}: {accuracies[name]:.4f}")

    # Rather than twice, a model can see each image in another form in every epoch: as many steps as with twice the data.
    utils.set_random_seed(4)
    model = make_model()
    model.fit(generator.flow(x_train, y_train, batch_size=64, seed=4), epochs=2 * epochs, verbose=0)
    print(f"Test accuracy with new forms in every epoch: {model.evaluate(x_test, y_test, verbose=0)[1]:.4f}")


if __name__ == "__main__":
    main()
