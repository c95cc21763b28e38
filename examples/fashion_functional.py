"""Fashion-MNIST with a functional model: batch normalization, dropout, and what is taken for what."""
import argparse
import os

from cnncore import Input, Model, layers, utils
from cnncore.datasets import fashion_mnist


def block(x, filters):
    """Two convolutions with batch normalization, half the size, and dropout."""
    for _ in range(2):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
    return layers.Dropout(0.25)(layers.MaxPooling2D()(x))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds on a part of the data")
    parser.add_argument("--out", default="out", help="folder for pictures")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    utils.set_random_seed(2)

    (x_train, y_train), (x_test, y_test) = fashion_mnist.load_data()
    if options.quick:
        x_train, y_train, x_test, y_test = x_train[:2000], y_train[:2000], x_test[:500], y_test[:500]
    x_train, x_test = x_train[..., None].astype("float32") / 255, x_test[..., None].astype("float32") / 255
    y_train_vectors, y_test_vectors = utils.to_categorical(y_train, 10), utils.to_categorical(y_test, 10)

    images = Input(shape=(28, 28, 1))
    x = block(images, 16 if options.quick else 32)
    x = block(x, 32 if options.quick else 64)
    x = layers.Flatten()(x)
    x = layers.Dense(128, activation="relu")(x)
    x = layers.Dropout(0.5)(x)
    model = Model(inputs=images, outputs=layers.Dense(10, activation="softmax")(x), name="fashion")
    model.summary()
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x_train, y_train_vectors, batch_size=128, epochs=2 if options.quick else 15,
                        validation_data=(x_test, y_test_vectors))

    loss, accuracy = model.evaluate(x_test, y_test_vectors, verbose=0)
    print(f"Test loss: {loss:.4f}, test accuracy: {accuracy:.4f}")
    history.plot().savefig(os.path.join(options.out, "fashion_history.png"))
    figure = utils.plot_confusion_matrix(y_test, model.predict(x_test, verbose=0), fashion_mnist.CLASSES)
    figure.savefig(os.path.join(options.out, "fashion_confusion.png"))


if __name__ == "__main__":
    main()
