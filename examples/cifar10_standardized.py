"""CIFAR-10 with each colour channel brought to mean 0 and standard deviation 1, and images changed as they are learnt."""
import argparse
import os

from cnncore import Input, Sequential, layers, regularizers, utils
from cnncore.datasets import cifar10


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds on a part of the data")
    parser.add_argument("--out", default="out", help="folder for the model and pictures")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    utils.set_random_seed(5)

    (x_train, y_train), (x_test, y_test) = cifar10.load_data()
    if options.quick:
        x_train, y_train, x_test, y_test = x_train[:1000], y_train[:1000], x_test[:300], y_test[:300]

    # The statistics are those of the training images only; the layer keeps them in the model's file.
    standardize = layers.Normalization(axis=-1)
    standardize.adapt(x_train)
    print("Channel means:", standardize.mean.numpy().ravel().round(2),
          "variances:", standardize.variance.numpy().ravel().round(1))

    model = Sequential([
        Input(shape=(32, 32, 3)),
        layers.RandomFlip("horizontal"),
        layers.RandomTranslation(0.1, 0.1, fill_mode="reflect"),
        standardize,
    ])
    for filters, dropout in ((32, 0.2), (64, 0.3), (128, 0.4)):
        filters = filters // 4 if options.quick else filters
        for _ in range(2):
            model.add(layers.Conv2D(filters, 3, padding="same", activation="relu",
                                    kernel_regularizer=regularizers.L2(1e-4)))
            model.add(layers.BatchNormalization())
        model.add(layers.MaxPooling2D())
        model.add(layers.Dropout(dropout))
    model.add(layers.Flatten())
    model.add(layers.Dense(10, activation="softmax"))
    model.summary()
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x_train, y_train, batch_size=64, epochs=1 if options.quick else 40,
                        validation_data=(x_test, y_test))

    loss, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"Test loss: {loss:.4f}, test accuracy: {accuracy:.4f}")
    model.save(os.path.join(options.out, "cifar10.keras"))
    history.plot().savefig(os.path.join(options.out, "cifar10_history.png"))
    utils.plot_predictions(model, x_test, y_test, cifar10.CLASSES).savefig(
        os.path.join(options.out, "cifar10_predictions.png"))


if __name__ == "__main__":
    main()
