"""Weights, optimizers' variables and metrics' have the names and paths that Keras gives them, in files too."""
import os
import zipfile

os.environ.setdefault("KERAS_BACKEND", "numpy")

import numpy as np
import pytest

import cnncore

keras = pytest.importorskip("keras", exc_type=ImportError)
h5py = pytest.importorskip("h5py")

ROWS = np.linspace(-1, 1, 8, dtype="float32").reshape(2, 4)
IMAGES = np.linspace(-1, 1, 2 * 8 * 8 * 3, dtype="float32").reshape(2, 8, 8, 3)


def own_classes(lib):
    """A layer that builds the layers inside, one that leaves it to their calls, and a model that holds both."""
    class Builds(lib.layers.Layer):
        def __init__(self, units=3, **kwargs):
            super().__init__(**kwargs)
            self.units, self.a, self.b = units, lib.layers.Dense(units), lib.layers.Dense(units, name="second")

        def build(self, input_shape):
            self.gain = self.add_weight(shape=(1,), name="gain")
            self.a.build(input_shape)
            self.b.build((None, self.units))

        def call(self, x):
            return self.b(self.a(x)) * self.gain

    class Calls(lib.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.a, self.inner = lib.layers.Dense(3), Builds()
            self.early = self.add_weight(shape=(2,), name="early")

        def call(self, x):
            return self.inner(self.a(x))

    class Whole(lib.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.block, self.listed = Builds(), [lib.layers.Dense(2), lib.layers.BatchNormalization()]
            self.chain = lib.Sequential([lib.layers.Dense(2), Calls()])
            self.scale = self.add_weight(shape=(2,), name="scale")
            self.free = lib.Variable(np.zeros(2, "float32"), name="free")

        def call(self, x):
            x = self.chain(self.block(x))
            for layer in self.listed:
                x = layer(x)
            return x

    return Builds, Calls, Whole


def sequential(lib):
    layers = lib.layers
    return lib.Sequential([lib.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.BatchNormalization(),
                           layers.SeparableConv2D(4, 2), layers.Normalization(), layers.Flatten(), layers.Dense(2)])


def built_later(lib):
    model = lib.Sequential([lib.layers.Conv2D(4, 3), lib.layers.Flatten(), lib.layers.Dense(2)], name="later")
    model.build((None, 8, 8, 3))
    return model


def built_by_a_call(lib):
    model = lib.Sequential([lib.layers.Conv2D(4, 3), lib.layers.Flatten()])
    model(IMAGES)
    return model


def grown(lib):
    model = lib.Sequential(name="grown")
    for layer in (lib.Input((4,)), lib.layers.Dense(3), lib.layers.Dense(2)):
        model.add(layer)
    return model


def shared(lib):
    x, dense = lib.Input((4,)), lib.layers.Dense(4)
    return lib.Model(x, lib.layers.Dense(3)(dense(dense(x))), name="graph")


def nested(lib):
    built = lib.Sequential([lib.Input((4,)), lib.layers.Dense(3)], name="built")
    late = lib.Sequential([lib.layers.Dense(3), lib.layers.Dense(2)], name="late")
    return lib.Sequential([lib.Input((4,)), built, late, lib.layers.Dense(1)], name="outer")


def nested_graph(lib):
    x = lib.Input((4,))
    inner = lib.Model(x, lib.layers.Dense(3)(x), name="inner")
    late = lib.Sequential([lib.layers.Dense(3)], name="late")
    a, b = lib.Input((4,)), lib.Input((4,))
    return lib.Model([a, b], lib.layers.Concatenate()([late(inner(a)), inner(b)]), name="pair")


def layers_in_two_models(lib):
    dense, early = lib.layers.Dense(4, name="common"), lib.layers.Dense(4, name="early")
    early.build((None, 4))
    lib.Sequential([lib.Input((4,)), dense], name="first")
    return lib.Sequential([lib.Input((4,)), dense, early, lib.layers.Dense(2)], name="second")


def subclassed(lib):
    model = own_classes(lib)[2](name="whole")
    model(ROWS)
    return model


def subclassed_in_a_graph(lib):
    _, calls, whole = own_classes(lib)
    x = lib.Input((4,))
    return lib.Model(x, whole(name="part")(calls()(x)), name="around")


def own_layers_in_sequential(lib):
    builds, calls, _ = own_classes(lib)
    return lib.Sequential([lib.Input((4,)), calls(name="calls"), builds(name="builds"), lib.layers.Dense(1)])


MODELS = [sequential, built_later, built_by_a_call, grown, shared, nested, nested_graph, layers_in_two_models, subclassed,
          subclassed_in_a_graph, own_layers_in_sequential]


def both(make):
    """What a function makes with each library, names counted from the start."""
    made = []
    for lib in (cnncore, keras):
        lib.utils.clear_session()
        made.append(make(lib))
    return made


@pytest.mark.parametrize("make", MODELS, ids=lambda f: f.__name__)
def test_weights_have_the_paths_of_keras(make):
    ours, theirs = both(make)
    assert [(w.name, w.path, w.shape) for w in ours.weights] == [(w.name, w.path, w.shape) for w in theirs.weights]
    assert any("/" in w.path for w in ours.weights)
    assert ours.path == theirs.path == ours.name
    for mine, other in zip(ours.layers, theirs.layers, strict=True):
        assert other.path is None or mine.path == other.path


def test_a_layer_has_a_path_once_it_is_built():
    for lib in (cnncore, keras):
        layer = lib.layers.Dense(2, name="dense")
        assert layer.path is None
        lib.Sequential([lib.Input((3,)), layer], name="model")
        assert layer.path == "model/dense"


def test_variables_are_printed_as_in_keras():
    printed = []
    for lib in (cnncore, keras):
        layer = lib.layers.Dense(2, name="dense")
        layer.build((None, 2))
        layer.set_weights([np.eye(2), np.float32([0.1, -3])])
        printed.append(f"{layer.weights} {layer.bias!s}")
    assert printed[0] == printed[1] and "<Variable path=dense/kernel, shape=(2, 2)" in printed[0]
    assert repr(cnncore.Input((2,), name="x")) == repr(keras.Input((2,), name="x"))


def test_variables_without_a_name_are_numbered_as_in_keras():
    paths = []
    for lib in (cnncore, keras):
        lib.utils.clear_session()

        class Two(lib.layers.Layer):
            def build(self, shape):
                self.w, self.b = self.add_weight(shape=(2,)), self.add_weight(shape=(3,), initializer="zeros")

        layer = Two(name="two")
        layer.build((1,))
        paths.append([*(w.path for w in layer.weights), lib.Variable(1.0).path])
    assert paths[0] == paths[1] == ["two/variable", "two/variable_1", "variable_2"]


def test_a_build_that_fails_closes_its_scope():
    class Fails(cnncore.layers.Layer):
        def build(self, input_shape):
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cnncore.Sequential([cnncore.Input((3,)), Fails()], name="failed")
    assert cnncore.Variable([1.0], name="after").path == "after"


OPTIMIZERS = [
    ("SGD", {}), ("SGD", {"momentum": 0.9}), ("SGD", {"momentum": 0.9, "use_ema": True}), ("Adam", {}),
    ("Adam", {"amsgrad": True}), ("Adam", {"use_ema": True, "name": "mine"}), ("AdamW", {}), ("Adadelta", {}),
    ("AdamW", {"gradient_accumulation_steps": 2}), ("RMSprop", {}), ("RMSprop", {"centered": True, "momentum": 0.5}),
    ("Adagrad", {}), ("Adamax", {}), ("Nadam", {}), ("Ftrl", {}), ("Lion", {}),
]


@pytest.mark.parametrize("name, options", OPTIMIZERS, ids=str)
def test_optimizers_variables_have_the_names_and_paths_of_keras(name, options):
    def make(lib):
        optimizer = getattr(lib.optimizers, name)(**options)
        optimizer.build(nested(lib).trainable_variables)
        return optimizer

    ours, theirs = both(make)
    assert [(v.name, v.shape) for v in ours.variables] == [(v.name, v.shape) for v in theirs.variables]
    paths = [v.path for v in theirs.variables]
    if name == "Nadam":  # Keras makes this one variable outside of the optimizer's names
        paths[-1] = f"nadam/{paths[-1]}"
    assert [v.path for v in ours.variables] == paths
    assert f"{ours.name}/iteration" in paths


def test_a_schedule_has_no_variable():
    def make(lib):
        return lib.optimizers.SGD(lib.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5))

    ours, theirs = both(make)
    assert [v.path for v in ours.variables] == [v.path for v in theirs.variables] == ["sgd/iteration"]


@pytest.mark.parametrize("name", ["MeanSquaredError", "Accuracy", "AUC", "Precision"])
def test_metrics_variables_have_the_paths_of_keras(name):
    ours, theirs = both(lambda lib: getattr(lib.metrics, name)())
    assert [(v.name, v.path) for v in ours.variables] == [(v.name, v.path) for v in theirs.variables]


def contents(file):
    """{path in an HDF5 file: shape of the data, or names of the weights}."""
    found = {}

    def note(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = item.shape
        elif "weight_names" in item.attrs:
            found[name] = [one if isinstance(one, str) else one.decode() for one in item.attrs["weight_names"]]

    file.visititems(note)
    return found


@pytest.mark.parametrize("ending", [".h5", ".weights.h5", ".keras"])
@pytest.mark.parametrize("make", [sequential, shared, nested, nested_graph], ids=lambda f: f.__name__)
def test_files_hold_what_those_of_keras_hold(make, ending, tmp_path):
    def saved(lib):
        model = make(lib)
        model.compile(lib.optimizers.Adam(use_ema=True), lib.losses.MeanSquaredError())
        model.optimizer.build(model.trainable_variables)
        path = str(tmp_path / (lib.__name__ + ending))
        (model.save_weights if ending == ".weights.h5" else model.save)(path)
        if ending == ".keras":
            with zipfile.ZipFile(path) as archive, archive.open("model.weights.h5") as part, h5py.File(part) as file:
                return model, path, contents(file)
        with h5py.File(path) as file:
            return model, path, contents(file)

    (ours, our_path, our_contents), (theirs, their_path, their_contents) = both(saved)
    assert our_contents == their_contents
    assert len(our_contents) >= len(ours.weights)
    if ending == ".weights.h5":
        loaded = make(cnncore), make(keras)
        loaded[0].load_weights(their_path)
        loaded[1].load_weights(our_path)
    else:
        loaded = cnncore.models.load_model(their_path), keras.models.load_model(our_path)
    for model, source in zip(loaded, (theirs, ours), strict=True):
        for mine, other in zip(model.get_weights(), source.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, other)
