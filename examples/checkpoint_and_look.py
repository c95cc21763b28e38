"""Keeps the best epoch of a training in a file, loads it again, and looks at what the network has learnt to see."""
import argparse
import os

import numpy as np

from cnncore import Input, Sequential, callbacks, layers, models, utils
from cnncore.datasets import fashion_mnist


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds on a part of the data")
    parser.add_argument("--out", default="out", help="folder for the model and pictures")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    utils.set_random_seed(3)

    (x_train, y_train), (x_test, y_test) = fashion_mnist.load_data()
    if options.quick:
        x_train, y_train, x_test, y_test = x_train[:2000], y_train[:2000], x_test[:500], y_test[:500]
    x_train, x_test = x_train[..., None] / 255.0, x_test[..., None] / 255.0

    model = Sequential([
        Input(shape=(28, 28, 1)),
        layers.Conv2D(16, 5, activation="relu", name="first"),
        layers.MaxPooling2D(),
        layers.Conv2D(32, 3, activation="relu", name="second"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dropout(0.3),
        layers.Dense(10, activation="softmax"),
    ])
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    path = os.path.join(options.out, "best.keras")
    best = callbacks.ModelCheckpoint(path, monitor="val_accuracy", mode="max", save_best_only=True, verbose=1)
    history = model.fit(x_train, y_train, batch_size=64, epochs=3 if options.quick else 12, validation_split=0.2,
                        callbacks=[best])
    print(f"Best validation accuracy: {max(history.history['val_accuracy']):.4f}")

    loaded = models.load_model(path)
    loss, accuracy = loaded.evaluate(x_test, y_test, verbose=0)
    print(f"Loaded from {path}: test loss {loss:.4f}, test accuracy {accuracy:.4f}")
    again = models.load_model(path)
    assert np.array_equal(again.predict(x_test, verbose=0), loaded.predict(x_test, verbose=0))

    for name, figure in (("filters", utils.plot_filters(loaded.get_layer("first"))),
                         ("feature_maps", utils.plot_feature_maps(loaded, x_test[0])),
                         ("predictions", utils.plot_predictions(loaded, x_test, y_test, fashion_mnist.CLASSES))):
        figure.savefig(os.path.join(options.out, f"best_{name}.png"))


if __name__ == "__main__":
    main()
