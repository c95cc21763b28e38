"""LeNet-5 (LeCun et al. 1998) on MNIST, written as a class of its own and stopped when it no longer gets better."""
import argparse
import os

from cnncore import Model, callbacks, layers, utils
from cnncore.datasets import mnist


class LeNet5(Model):
    """Two convolutions, each followed by a mean over 2x2 pixels, and three dense layers."""

    def __init__(self, classes=10):
        super().__init__()
        self.scale = layers.Rescaling(1 / 255)
        self.conv1 = layers.Conv2D(6, 5, padding="same", activation="tanh")
        self.pool1 = layers.AveragePooling2D(2)
        self.conv2 = layers.Conv2D(16, 5, activation="tanh")
        self.pool2 = layers.AveragePooling2D(2)
        self.flatten = layers.Flatten()
        self.dense1 = layers.Dense(120, activation="tanh")
        self.dense2 = layers.Dense(84, activation="tanh")
        self.classify = layers.Dense(classes, activation="softmax")

    def call(self, images):
        x = self.pool1(self.conv1(self.scale(images)))
        x = self.pool2(self.conv2(x))
        return self.classify(self.dense2(self.dense1(self.flatten(x))))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds on a part of the data")
    parser.add_argument("--out", default="out", help="folder for pictures")
    parser.add_argument("--log-dir", help="folder for TensorBoard's logs; none by default")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    utils.set_random_seed(1)

    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    x_train, x_test = x_train[..., None], x_test[..., None]  # grey images have one channel
    if options.quick:
        x_train, y_train, x_test, y_test = x_train[:3000], y_train[:3000], x_test[:500], y_test[:500]

    model = LeNet5()
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    watching = [callbacks.EarlyStopping(monitor="val_loss", patience=3, restore_best_weights=True)]
    if options.log_dir:
        watching.append(callbacks.TensorBoard(log_dir=options.log_dir, histogram_freq=1))
    history = model.fit(x_train, y_train, batch_size=64, epochs=2 if options.quick else 30, validation_split=0.1,
                        callbacks=watching)
    model.summary()

    _, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"Test accuracy: {accuracy:.4f} after {len(history.epoch)} epochs")
    history.plot().savefig(os.path.join(options.out, "lenet5_history.png"))
    wrong = model.predict(x_test, verbose=0).argmax(axis=1) != y_test
    utils.plot_predictions(model, x_test[wrong], y_test[wrong]).savefig(os.path.join(options.out, "lenet5_mistakes.png"))


if __name__ == "__main__":
    main()
