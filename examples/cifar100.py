"""CIFAR-100: a hundred classes, how often the right one is among the best five, and which groups are confused."""
import argparse
import os

import numpy as np

from cnncore import Input, Sequential, layers, utils
from cnncore.datasets import cifar100


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds on a part of the data")
    parser.add_argument("--out", default="out", help="folder for pictures")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    utils.set_random_seed(6)

    (x_train, y_train), (x_test, y_test) = cifar100.load_data(label_mode="fine")
    (_, groups_train), (_, groups_test) = cifar100.load_data(label_mode="coarse")
    group_of = np.zeros(100, int)
    group_of[y_train[:, 0]] = groups_train[:, 0]  # each class belongs to one group
    if options.quick:
        x_train, y_train, x_test, y_test = x_train[:1000], y_train[:1000], x_test[:300], y_test[:300]
        groups_test = groups_test[:300]

    width = 16 if options.quick else 64
    model = Sequential([Input(shape=(32, 32, 3)), layers.RandomFlip("horizontal"), layers.Rescaling(1 / 127.5, offset=-1)])
    for filters in (width, 2 * width, 4 * width):
        model.add(layers.Conv2D(filters, 3, padding="same", use_bias=False))
        model.add(layers.BatchNormalization())
        model.add(layers.ReLU())
        model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(layers.MaxPooling2D())
        model.add(layers.Dropout(0.3))
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(100, activation="softmax"))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x_train, y_train, batch_size=128, epochs=1 if options.quick else 40,
                        validation_data=(x_test, y_test))

    p = model.predict(x_test, verbose=0)
    best = np.argsort(-p, axis=1)
    print(f"The right class is the first of a hundred in {np.mean(best[:, :1] == y_test):.1%}, "
          f"among the first five in {np.mean((best[:, :5] == y_test).any(axis=1)):.1%}")
    print(f"The right group is taken in {np.mean(group_of[best[:, 0]] == groups_test[:, 0]):.1%}")
    history.plot().savefig(os.path.join(options.out, "cifar100_history.png"))
    figure = utils.plot_confusion_matrix(groups_test, group_of[best[:, 0]], cifar100.COARSE_CLASSES, normalize=True)
    figure.savefig(os.path.join(options.out, "cifar100_groups.png"))


if __name__ == "__main__":
    main()
