"""Models that others trained with Keras: what their files score on real test sets, and that training goes on from them."""
import numpy as np
import pytest
from data import real_data

from cnncore import optimizers, saving


def cifar10(split, sheets):
    """(images, labels) of CIFAR-10 from that many of its sheets."""
    image = pytest.importorskip("PIL.Image")
    folder, parts = real_data() / "cifar-10", []
    for path in sorted(folder.glob(f"{split}_*.webp"))[:sheets]:
        sheet = np.asarray(image.open(path).convert("RGB"))
        rows, columns = sheet.shape[0] // 32, sheet.shape[1] // 32
        parts.append(sheet.reshape(rows, 32, columns, 32, 3).swapaxes(1, 2).reshape(-1, 32, 32, 3))
    x = np.concatenate(parts).astype("float32")
    return x, np.load(folder / f"labels_{split}.npy")[:len(x)].astype("int64")


def mnist(split, count):
    with np.load(real_data() / "mnist.npz") as arrays:
        return arrays[f"x_{split}"][:count], arrays[f"y_{split}"][:count]


def accuracy(model, x, y):
    return 100 * np.mean(model.predict(x, batch_size=500, verbose=0).argmax(-1) == y)


def test_a_residual_network_of_keras_2_4_has_its_accuracy_and_goes_on():
    path = real_data() / "keras-files" / "mlcommons_tiny_cifar10_resnet8.h5"
    model = saving.load_model(path)
    x, y = cifar10("test", None)
    assert len(x) == 10000 and abs(accuracy(model, x, y) - 87.19) <= 0.05
    x, y = cifar10("train", 1)
    x, y = x[:1024], np.eye(10, dtype="float32")[y[:1024]]
    model.compile(optimizers.Adam(1e-4), "categorical_crossentropy", metrics=["accuracy"])
    before = model.evaluate(x, y, verbose=0, return_dict=True)
    model.fit(x, y, batch_size=32, epochs=2, verbose=0)
    after = model.evaluate(x, y, verbose=0, return_dict=True)
    assert after["loss"] < before["loss"] and after["accuracy"] > 0.85


@pytest.mark.parametrize(("name", "score", "steps", "prepare"), [
    ("himalrana_mnist_cnn.h5", 99.05, 4220, lambda x: x[..., None] / np.float32(255)),
    ("himalrana_mnist_cnn.keras", 99.10, 4220, lambda x: x[..., None] / np.float32(255)),
    ("sannmyatmin_mnist_model.keras", 98.02, 0,  # in Keras too, whose optimizer has other variables now
     lambda x: x.reshape(len(x), -1).astype("float32"))])
def test_training_goes_on_where_others_left_it(name, score, steps, prepare):
    model = saving.load_model(real_data() / "keras-files" / name)
    x_test, y_test = mnist("test", None)
    assert abs(accuracy(model, prepare(x_test), y_test) - score) <= 0.05
    assert int(model.optimizer.iterations.numpy()) == steps
    x, y = mnist("train", 2048)
    x, y = prepare(x), np.eye(10, dtype="float32")[y]
    before = model.evaluate(x, y, verbose=0)[0]
    model.fit(x, y, batch_size=64, epochs=2, verbose=0)
    assert int(model.optimizer.iterations.numpy()) == steps + 64
    assert model.evaluate(x, y, verbose=0)[0] < before and accuracy(model, prepare(x_test), y_test) > score - 1.5
