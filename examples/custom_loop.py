"""A training loop of one's own on MNIST: gradients by GradientTape, an optimizer, metrics, and nothing else."""
import argparse
import os
import time

import numpy as np

from cnncore import GradientTape, Input, Sequential, layers, losses, metrics, optimizers, utils
from cnncore.datasets import mnist


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds on a part of the data")
    parser.add_argument("--out", default="out", help="folder for the weights")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    utils.set_random_seed(7)

    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    x_train, x_test = (x[..., None].astype("float32") / 255 for x in (x_train, x_test))
    if options.quick:
        x_train, y_train, x_test, y_test = x_train[:1500], y_train[:1500], x_test[:500], y_test[:500]

    model = Sequential([
        Input(shape=(28, 28, 1)),
        layers.Conv2D(16, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dropout(0.3),
        layers.Dense(10),  # logits: the loss below applies softmax
    ])
    loss_of = losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = optimizers.Adam(learning_rate=1e-3)
    mean_loss, accuracy = metrics.Mean(), metrics.SparseCategoricalAccuracy()

    batch, epochs = 64, 2 if options.quick else 5
    for epoch in range(epochs):
        start, order = time.perf_counter(), np.random.permutation(len(x_train))
        mean_loss.reset_state()
        accuracy.reset_state()
        for first in range(0, len(order), batch):
            rows = order[first:first + batch]
            x, y = x_train[rows], y_train[rows]
            with GradientTape() as tape:
                logits = model(x, training=True)
                loss = loss_of(y, logits)
            gradients = tape.gradient(loss, model.trainable_weights)
            optimizer.apply_gradients(zip(gradients, model.trainable_weights))
            mean_loss.update_state(loss)
            accuracy.update_state(y, logits)
        print(f"Epoch {epoch + 1}/{epochs}: {time.perf_counter() - start:.1f} s, loss {float(mean_loss.result()):.4f}, "
              f"accuracy {float(accuracy.result()):.4f}")

    accuracy.reset_state()
    for first in range(0, len(x_test), 500):
        accuracy.update_state(y_test[first:first + 500], model(x_test[first:first + 500], training=False))
    print(f"Test accuracy: {float(accuracy.result()):.4f}")
    model.save_weights(os.path.join(options.out, "custom.weights.h5"))


if __name__ == "__main__":
    main()
