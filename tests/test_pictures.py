"""Pictures: figures with what belongs in them, models drawn by Graphviz, and messages where a package is missing."""
import builtins
import re
import shutil

import numpy as np
import pytest

import cnncore
from cnncore import layers, utils
from cnncore.utils import model_plot

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


@pytest.fixture(scope="module")
def model():
    cnncore.utils.set_random_seed(0)
    made = cnncore.Sequential([
        cnncore.Input((8, 8, 3)), layers.Conv2D(5, 3, activation="relu", name="first"), layers.MaxPooling2D(),
        layers.Conv2D(6, 2, name="second"), layers.Flatten(), layers.Dense(4, activation="softmax")])
    made.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return made


@pytest.fixture(autouse=True)
def closed():
    yield
    from matplotlib import pyplot
    pyplot.close("all")


X, Y = np.random.default_rng(0).random((12, 8, 8, 3)).astype("float32"), np.arange(12) % 4


def texts(figure):
    return [t.get_text() for t in figure.findobj(matplotlib.text.Text) if t.get_text()]


def test_a_history_is_drawn_with_its_validation(model):
    history = model.fit(X, Y, epochs=3, validation_data=(X, Y), verbose=0)
    figure = history.plot()
    assert [axes.get_title() for axes in figure.axes] == ["loss", "accuracy"]
    for axes, name in zip(figure.axes, ("loss", "accuracy")):
        training, validation = axes.lines
        assert list(training.get_xdata()) == [1, 2, 3] and list(training.get_ydata()) == history.history[name]
        assert list(validation.get_ydata()) == history.history[f"val_{name}"]
    history.history["learning_rate"] = [0.1, 0.2, 0.3]
    assert len(history.plot().axes) == 3
    with pytest.raises(ValueError, match="call fit first"):
        cnncore.callbacks.History().plot()
    figure.canvas.draw()


def test_epochs_are_whole_numbers():
    for epochs in (1, 2, 3, 40):
        history = cnncore.callbacks.History()
        history.history = {"loss": [1.0] * epochs, "val_loss": [2.0] * epochs}
        figure = history.plot()
        figure.canvas.draw()
        axes = figure.axes[0]
        ticks = [tick for tick in axes.get_xticks() if axes.get_xlim()[0] <= tick <= axes.get_xlim()[1]]
        assert ticks and all(tick == int(tick) for tick in ticks), ticks


def test_filters_are_drawn_in_colour_or_by_channel(model):
    kernel = model.get_layer("first").weights[0].numpy()
    figure = utils.plot_filters(model.get_layer("first"))
    assert len(figure.axes) == 5 and "first: 5 filters 3×3" in texts(figure)
    drawn = figure.axes[2].images[0].get_array()
    assert drawn.shape == (3, 3, 3) and np.allclose(drawn, (kernel[..., 2] / np.abs(kernel).max() + 1) / 2)
    figure = utils.plot_filters(model.get_layer("second"), filters=4, channel=3)
    assert len(figure.axes) == 4 and "second: 4 of 6 filters 2×2, input channel 3 of 5" in texts(figure)
    assert np.allclose(figure.axes[1].images[0].get_array(), model.get_layer("second").weights[0].numpy()[:, :, 3, 1])
    with pytest.raises(ValueError, match="channel is one of the layer's 5"):
        utils.plot_filters(model.get_layer("second"), channel=5)
    with pytest.raises(ValueError, match="layer is a convolution"):
        utils.plot_filters(model.layers[1])


def test_one_strong_filter_leaves_the_others_their_colours():
    model = cnncore.Sequential([layers.Input((8, 8, 1)), layers.Conv2D(6, 3)])
    kernel = np.random.default_rng(1).uniform(-1, 1, (3, 3, 1, 6)).astype("float32")
    kernel[..., 4] *= 20
    model.set_weights([kernel, np.zeros(6)])
    shown = utils.plot_filters(model.layers[0]).axes
    low, high = shown[0].images[0].get_clim()
    assert low == -high and np.abs(kernel[..., :4]).max() <= high < 2
    kernel[...] = 0
    model.set_weights([kernel, np.zeros(6)])
    assert utils.plot_filters(model.layers[0]).axes[0].images[0].get_clim() == (-1, 1)


def test_feature_maps_are_what_the_layers_make(model):
    figure = utils.plot_feature_maps(model, X[0], maps=4)
    assert len(figure.axes) == 12 and "first\n6×6×5" in texts(figure)
    wanted = cnncore.Model(model.inputs, model.get_layer("second").output).predict(X[:1], verbose=0)
    assert np.allclose(figure.axes[9].images[0].get_array(), wanted[0, ..., 1])
    assert len(utils.plot_feature_maps(model, X[:1], layers=["second"]).axes) == 6
    with pytest.raises(ValueError, match="layers that make images.*dense"):
        utils.plot_feature_maps(model, X[0], layers=[model.layers[-1].name])

    class Own(cnncore.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match="Sequential or functional"):
        utils.plot_feature_maps(Own(), X[0])


def test_a_confusion_matrix_counts():
    true, predicted = [0, 0, 1, 2, 2, 2], [0, 1, 1, 2, 0, 2]
    for y, p in ((true, predicted), (np.array(true)[:, None], np.eye(3)[predicted] * 0.6), (np.eye(3)[true], predicted)):
        figure = utils.plot_confusion_matrix(y, p, ["a", "b", "c"])
        shares = figure.axes[0].images[0].get_array()
        assert np.allclose(shares, [[0.5, 0.5, 0], [0, 1, 0], [1 / 3, 0, 2 / 3]])
        assert figure.axes[0].get_title() == "4 of 6 right (66.7 %)" and {"a", "b", "c"} <= set(texts(figure))
    assert "67" in texts(utils.plot_confusion_matrix(true, predicted, normalize=True))
    binary = utils.plot_confusion_matrix([0, 1, 1], [[0.2], [0.7], [0.4]])
    assert np.allclose(binary.axes[0].images[0].get_array(), [[1, 0], [0.5, 0.5]])
    with pytest.raises(ValueError, match="one entry for each sample. Received: 2 and 3"):
        utils.plot_confusion_matrix([0, 1], [0, 1, 1])
    with pytest.raises(ValueError, match="Classes are from 0 to 1"):
        utils.plot_confusion_matrix([0, 2], [0, 1], ["a", "b"])


def test_predictions_say_what_is_right(model):
    p = model.predict(X, verbose=0)
    names = ["ant", "bee", "cow", "dog"]
    for given in (model, p):
        figure = utils.plot_predictions(given, X, Y, names, count=6)
        assert len(figure.axes) == 6 and f"{(p.argmax(1) == Y)[:6].sum()} of 6 right" in texts(figure)
        for i, axes in enumerate(figure.axes):
            title = axes.get_title()
            assert title.startswith(f"{names[p[i].argmax()]}: {100 * p[i].max():.0f} %")
            assert ("is " + names[Y[i]] in title) == (p[i].argmax() != Y[i])
    assert "predictions" in texts(utils.plot_predictions(p, (X * 255).astype("uint8")))
    assert len(utils.plot_predictions(np.array([[0.2], [0.9]]), X[:2, ..., 0]).axes) == 2
    with pytest.raises(ValueError, match="images is a batch"):
        utils.plot_predictions(model, X[0, 0])
    with pytest.raises(ValueError, match="a prediction, and a label, for each image"):
        utils.plot_predictions(p[:3], X)


# ---- models ------------------------------------------------------------------------------------------------------

def nested():
    i = cnncore.Input((8, 8, 3), name="photo")
    inner = cnncore.Sequential([cnncore.Input((6, 6, 4)), layers.Conv2D(2, 3, name="deep"), layers.Flatten(name="flat")],
                               name="inner")
    h = layers.Conv2D(4, 3, activation="relu", name="conv")(i)
    a, b = inner(h), layers.GlobalAveragePooling2D(name="pool")(h)
    return cnncore.Model(i, [layers.Dense(3, name="one")(a), layers.Dense(2, name="two")(b)], name="whole")


def edges(dot):
    return set(re.findall(r'"([^"]+)"\s*->\s*"([^"]+)"', dot))


def test_a_model_is_described_with_all_that_is_asked_for():
    pytest.importorskip("pydot")
    model = nested()
    model.get_layer("conv").trainable = False
    dot = utils.model_to_dot(model).to_string()
    assert edges(dot) == {("photo", "conv"), ("conv", "inner"), ("conv", "pool"), ("inner", "one"), ("pool", "two")}
    assert "(None" not in dot and "float32" not in dot and "rankdir=TB" in dot
    dot = utils.model_to_dot(model, show_shapes=True, show_dtype=True, show_layer_activations=True, show_trainable=True,
                             show_layer_names=False, rankdir="LR", expand_nested=True).to_string()
    assert edges(dot) == {("photo", "conv"), ("conv", "inner/deep"), ("conv", "pool"), ("inner/deep", "inner/flat"),
                          ("inner/flat", "one"), ("pool", "two")}
    for part in ("(None, 6, 6, 4)", "float32", "relu", "rankdir=LR", "cluster", ">no<", ">yes<"):
        assert part in dot, part
    assert "conv (" not in dot
    cluster = utils.model_to_dot(model, subgraph=True)
    assert type(cluster).__name__ == "Cluster"
    with pytest.raises(ValueError, match="once it is built"):
        utils.model_to_dot(cnncore.Sequential([layers.Dense(2)]))
    with pytest.raises(ValueError, match="rankdir is"):
        utils.model_to_dot(model, rankdir="down")


def test_signatures_are_kerass():
    import inspect

    import keras

    for name in ("plot_model", "model_to_dot"):
        ours, theirs = (inspect.signature(getattr(m.utils, name)).parameters.values() for m in (cnncore, keras))
        assert [(p.name, p.default) for p in ours] == [(p.name, p.default) for p in theirs]


@pytest.mark.parametrize("ending", ["png", "svg", "dot"])
def test_a_model_is_drawn_into_a_file(tmp_path, ending):
    pytest.importorskip("pydot")
    if ending != "dot" and not shutil.which("dot"):
        pytest.skip("Graphviz is not installed")
    path = tmp_path / f"model.{ending}"
    assert utils.plot_model(nested(), path, show_shapes=True, expand_nested=True, show_layer_names=True, dpi=60) is None
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG") if ending == "png" else b"inner" in data and b"(None, 6, 6, 4)" in data
    with pytest.raises(ValueError, match="to_file ends in"):
        utils.plot_model(nested(), tmp_path / "model.doc")


def test_a_missing_package_is_named(tmp_path, monkeypatch, model):
    pytest.importorskip("pydot")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ImportError, match="Graphviz, whose program dot is not installed"):
        utils.plot_model(model, tmp_path / "model.png")
    assert not (tmp_path / "model.png").exists()
    real = builtins.__import__

    def missing(name, *args, **kwargs):
        if name.split(".")[0] in ("pydot", "matplotlib"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ImportError, match="pip install pydot"):
        model_plot.model_to_dot(model)
    with pytest.raises(ImportError, match="drawn by matplotlib"):
        utils.plot_filters(model.get_layer("first"))
