"""Models that others trained with Keras, as they saved them: they score what they scored, and training goes on."""
import numpy as np
import pytest
from data import cifar10_sheets, real_data

from cnncore import layers, models, optimizers, saving
from cnncore.random import set_random_seed


def one_hot(labels):
    return np.eye(10, dtype="float32")[np.ravel(labels)]


@pytest.fixture(scope="module")
def digits():
    """(training images, labels, test images, labels) of MNIST, between 0 and 1."""
    with np.load(real_data() / "mnist.npz") as data:
        return (data["x_train"][..., None].astype("float32") / 255, one_hot(data["y_train"]),
                data["x_test"][..., None].astype("float32") / 255, one_hot(data["y_test"]))


def loaded(name):
    return saving.load_model(real_data() / "keras-files" / name)


@pytest.mark.filterwarnings("error")
def test_the_residual_network_of_keras_2_scores_and_trains_on():
    model = loaded("mlcommons_tiny_cifar10_resnet8.h5")
    x, y = cifar10_sheets("test")
    _, accuracy = model.evaluate(x.astype("float32"), one_hot(y), batch_size=500, verbose=0)
    assert 100 * accuracy == pytest.approx(87.19, abs=0.05)
    assert float(model.optimizer.learning_rate.numpy()) == pytest.approx(6.6368515e-6)
    assert int(model.optimizer.iterations.numpy()) == 781500
    assert all(np.any(v.numpy()) for v in (*model.optimizer._momentums, *model.optimizer._velocities))
    images, labels = (part[:2000] for part in cifar10_sheets("train", 1))
    images = images.astype("float32")
    before = model.evaluate(images, one_hot(labels), batch_size=500, verbose=0)[0]
    model.fit(images, one_hot(labels), batch_size=100, verbose=0)
    after = model.evaluate(images, one_hot(labels), batch_size=500, verbose=0)[0]
    assert 0 < after < before


@pytest.mark.parametrize("name, score", [("himalrana_mnist_cnn.h5", 99.05), ("himalrana_mnist_cnn.keras", 99.10)])
def test_the_networks_of_keras_3_score_and_their_training_goes_on_where_it_ended(digits, name, score):
    x_train, y_train, x_test, y_test = digits
    model = loaded(name)
    assert 100 * model.evaluate(x_test, y_test, batch_size=500, verbose=0)[1] == pytest.approx(score, abs=0.05)
    steps = int(model.optimizer.iterations.numpy())
    moments = [v.numpy() for v in model.optimizer.variables[2:]]
    assert steps > 4000 and all(np.any(m) for m in moments)
    model.fit(x_train[:3200], y_train[:3200], batch_size=128, verbose=0)
    assert int(model.optimizer.iterations.numpy()) == steps + 25
    assert 100 * model.evaluate(x_test, y_test, batch_size=500, verbose=0)[1] > score - 0.5


@pytest.mark.filterwarnings("ignore:.*has no state for the optimizer")
def test_the_split_form_and_the_dense_network_score(digits):
    x_test, y_test = digits[2:]
    folder = real_data() / "keras-files"
    dense = loaded("sannmyatmin_mnist_model.keras")
    raw = (255 * x_test.reshape(-1, 784)).round()
    assert 100 * np.mean(dense.predict(raw, verbose=0).argmax(-1) == y_test.argmax(-1)) == pytest.approx(98.02, abs=0.05)
    split = models.model_from_json((folder / "himalrana_model_architecture.json").read_text())
    split.load_weights(folder / "himalrana_mnist_weights.weights.h5")
    assert np.mean(split.predict(x_test, batch_size=500, verbose=0).argmax(-1) == y_test.argmax(-1)) > 0.985


def test_a_trained_body_gets_a_new_head(digits):
    x_train, y_train, x_test, y_test = digits
    set_random_seed(1)
    body = loaded("himalrana_mnist_cnn.keras")
    body.trainable = False
    head = layers.Dense(2, activation="softmax", name="odd")
    model = models.Sequential([layers.Input((28, 28, 1)), *body.layers[:-1], head])
    kept = [w.numpy() for layer in body.layers[:-1] for w in layer.weights]
    odd_train, odd_test = (y.argmax(-1) % 2 for y in (y_train, y_test))
    model.compile(optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train[:12800], odd_train[:12800], batch_size=64, verbose=0)
    assert model.evaluate(x_test, odd_test, batch_size=500, verbose=0)[1] > 0.9
    for old, new in zip(kept, [w for layer in body.layers[:-1] for w in layer.weights], strict=True):
        np.testing.assert_array_equal(old, new.numpy())
