"""Sequential, functional and subclassed models have Keras's shapes, names, order of layers, tables and outputs."""
import copy
import os
import re

os.environ.setdefault("KERAS_BACKEND", "numpy")

import numpy as np
import pytest

import cnncore
from cnncore import layers, ops
from cnncore.utils import clear_session

keras = pytest.importorskip("keras", exc_type=ImportError)
rng = np.random.default_rng(6)


def values(*shape):
    return rng.normal(size=shape).astype("float32")


# ---- the same models in both libraries ---------------------------------------------------------------------------

def lenet(k):
    L = k.layers
    return k.Sequential([L.Input(shape=(12, 12, 1)), L.Conv2D(6, 5, padding="same", activation="relu"), L.MaxPooling2D(),
                         L.Conv2D(8, 3, activation="tanh"), L.AveragePooling2D(2), L.Flatten(),
                         L.Dense(10, activation="softmax")], name="lenet")


def by_add(k):
    model = k.Sequential()
    model.add(k.Input((8, 8, 3)))
    model.add(k.layers.Conv2D(4, 3, activation="relu"))
    model.add(k.layers.BatchNormalization())
    model.add(k.layers.Dropout(0.5))
    model.add(k.layers.GlobalAveragePooling2D())
    model.add(k.layers.Dense(3))
    return model


def chain(k):
    x = k.Input((8, 8, 3))
    h = k.layers.BatchNormalization()(k.layers.Conv2D(4, 3)(x))
    return k.Model(x, k.layers.Dense(2)(k.layers.Flatten()(k.layers.ReLU()(h))))


def arithmetic(k):
    x = k.Input((4, 3))
    y = 2 * x + x[:, :1] - 1
    y = -y / (abs(y) + 1.0)
    return k.Model(x, [y, y[..., 0] ** 2, 1 - y[:, 1]])


def shared(k):
    a, b = k.Input((6,), name="left"), k.Input((6,), name="right")
    dense, top = k.layers.Dense(6, activation="relu", name="tower"), k.layers.Dense(2, name="top")
    return k.Model([a, b], [top(dense(a)), top(dense(dense(b)))])


def deep_and_shallow(k):
    """A layer that stands at several depths: the order of layers follows the deepest."""
    x, z = k.Input((4,), name="x"), k.Input((4,), name="z")
    d1, d2, d3 = (k.layers.Dense(4, name=f"d{i}") for i in (1, 2, 3))
    h = d2(d1(x))
    return k.Model([x, z], [d3(h), d3(d1(h)), d2(z)], name="deep")


def by_dict(k):
    x = {"b": k.Input((3,), name="b"), "a": k.Input((4,), name="a")}
    first, second = k.layers.Dense(5, name="first")(x["b"]), k.layers.Dense(2, name="second")(x["a"])
    return k.Model(x, {"q": first, "p": second})


def nested(k):
    i = k.Input((6,))
    inner = k.Model(i, k.layers.Dense(6, activation="relu")(i), name="inner")
    tail = k.Sequential([k.Input((6,)), k.layers.Dense(4), k.layers.ReLU()], name="tail")
    loose = k.Sequential([k.layers.Dense(3), k.layers.Dense(2)], name="loose")
    x = k.Input((6,))
    return k.Model(x, loose(tail(inner(inner(x)))), name="outer")


def sequential_of_models(k):
    head = k.Sequential([k.layers.Dense(3)], name="head")
    return k.Sequential([k.Input((5,)), k.layers.Dense(4), head, k.layers.Dense(2)])


MODELS = [lenet, by_add, chain, arithmetic, shared, deep_and_shallow, by_dict, nested, sequential_of_models]


def pair(make):
    """Our model and Keras's with the same weights, from fresh counters of names."""
    clear_session()
    keras.utils.clear_session(free_memory=False)
    ours, theirs = make(cnncore), make(keras)
    theirs.set_weights([values(*w.shape) ** 2 + 0.1 for w in theirs.get_weights()])
    ours.set_weights(theirs.get_weights())
    return ours, theirs


def inputs_for(model, n=3):
    if not isinstance(model, (cnncore.Sequential, keras.Sequential)) and isinstance(model.input, dict):
        return {name: values(n, *tensor.shape[1:]) for name, tensor in model.input.items()}
    arrays = [values(n, *tensor.shape[1:]) for tensor in model.inputs]
    return arrays if len(arrays) > 1 else arrays[0]


def assert_same(ours, theirs):
    if isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        ours, theirs = list(ours.values()), list(theirs.values())
    if not isinstance(theirs, (list, tuple)):
        ours, theirs = [ours], [theirs]
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", MODELS)
def test_models_compute_what_keras_computes(make):
    ours, theirs = pair(make)
    x = inputs_for(theirs)
    assert_same(ours(x), theirs(x))
    assert_same(ours.predict(x, batch_size=2, verbose=0), theirs.predict(x, batch_size=2, verbose=0))


@pytest.mark.parametrize("make", MODELS)
def test_names_layers_shapes_and_weights_are_those_of_keras(make):
    ours, theirs = pair(make)
    assert ours.name == theirs.name
    assert [(layer.name, type(layer).__name__) for layer in ours.layers] \
        == [(layer.name, type(layer).__name__) for layer in theirs.layers]
    for what in ("weights", "trainable_weights", "non_trainable_weights", "trainable_variables"):
        assert [(w.name, tuple(w.shape)) for w in getattr(ours, what)] \
            == [(w.name, tuple(w.shape)) for w in getattr(theirs, what)], what
    assert ours.input_shape == theirs.input_shape and ours.output_shape == theirs.output_shape
    assert [t.shape for t in ours.inputs] == [t.shape for t in theirs.inputs]
    assert [t.shape for t in ours.outputs] == [t.shape for t in theirs.outputs]
    assert ours.count_params() == theirs.count_params() and ours.built
    if hasattr(theirs, "output_names"):
        assert ours.output_names == theirs.output_names
    for a, b in zip(ours.layers, theirs.layers, strict=True):
        assert a.trainable == b.trainable
    new_shape = [(7, *t.shape[1:]) for t in ours.inputs]
    if len(new_shape) == 1:
        assert ours.compute_output_shape(new_shape[0]) == theirs.compute_output_shape(new_shape[0])


@pytest.mark.parametrize("options", [{}, {"show_trainable": True, "expand_nested": True}], ids=["plain", "expanded"])
@pytest.mark.parametrize("make", MODELS)
def test_the_summary_is_that_of_keras(make, options):
    ours, theirs = pair(make)
    texts = []
    for model in (ours, theirs):
        model.layers[-1].trainable = False
        lines = []
        model.summary(print_fn=lines.append, **options)
        texts.append("\n".join(lines))
    assert texts[0] == texts[1]
    assert "Total params" in texts[0]


def test_the_summary_of_models_that_are_not_built_is_that_of_keras():
    texts = []
    for k in (cnncore, keras):
        clear_session(), keras.utils.clear_session(free_memory=False)

        class Own(k.Model):
            def __init__(self, k=k):
                super().__init__()
                self.dense, self.last = k.layers.Dense(4), k.layers.Dense(2)

            def call(self, x):
                return self.last(self.dense(x))

        for model in (Own(), k.Sequential([k.layers.Conv2D(6, 5), k.layers.Flatten(), k.layers.Dense(10)]),
                      k.Sequential([k.Input((3,))])):
            model.summary(print_fn=texts.append)
        model = Own()
        model(values(2, 3))
        # Keras shows the size of the first batch as if it were fixed.
        model.summary(print_fn=lambda text: texts.append(re.sub(r"\(2, (\d+)\)   ", r"(None, \1)", text)))
    half = len(texts) // 2
    for a, b in zip(texts[:half], texts[half:], strict=True):
        assert a == b


def test_names_of_models_follow_keras():
    names = []
    for k in (cnncore, keras):
        clear_session(), keras.utils.clear_session(free_memory=False)

        class MyOwnNet(k.Model):
            def call(self, x):
                return x

        x = k.Input((3,))
        names.append([k.Sequential().name, k.Sequential().name, k.Model(x, k.layers.Dense(1)(x)).name,
                      k.Model(x, k.layers.Dense(1)(x)).name, MyOwnNet().name, MyOwnNet(name="given").name,
                      k.Input((3,))._keras_history.operation.name, k.Input((3,), name="own").name])
        listed = k.Sequential([x, k.layers.Dense(2), k.layers.Dense(2)])
        for change in (lambda m=listed: m.add(m.layers[0].__class__(3)), listed.pop, lambda m=listed: type(m)(m.layers),
                       lambda m=listed, c=k.models.clone_model: c(m), lambda m=listed: type(m).from_config(m.get_config())):
            change()  # each makes a graph, which counts
            names[-1].append(k.Model(x, k.layers.Dense(1)(x)).name)
    assert names[0] == names[1]


# ---- Sequential --------------------------------------------------------------------------------------------------

def test_a_sequential_without_input_is_built_by_its_first_data():
    ours, theirs = cnncore.Sequential([layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2)]), None
    assert not ours.built and not ours.weights and len(ours.layers) == 3
    for name in ("input_shape", "output_shape", "inputs", "outputs"):
        with pytest.raises(AttributeError, match="sequential.*[Ii]nput|Input|input"):
            getattr(ours, name)
    with pytest.raises(ValueError, match="built"):
        ours.count_params()
    theirs = ours(values(2, 8, 8, 3))
    assert theirs.shape == (2, 2) and ours.built and len(ours.layers) == 3
    assert ours.input_shape == (None, 8, 8, 3) and ours.output_shape == (None, 2)
    assert ours(values(5, 8, 8, 3)).shape == (5, 2)


def test_a_sequential_is_built_by_a_shape_or_by_its_first_layer():
    for model in (cnncore.Sequential([layers.Dense(3), layers.Dense(2)]),
                  cnncore.Sequential([layers.Dense(3, input_shape=(4,)), layers.Dense(2)]),
                  cnncore.Sequential([layers.Dense(3, input_dim=4), layers.Dense(2)])):
        if not model.built:
            model.build((None, 4))
        assert model.built and [w.shape for w in model.weights] == [(4, 3), (3,), (3, 2), (2,)]
        assert [type(layer).__name__ for layer in model.layers] == ["Dense", "Dense"]
        assert model.input_shape == (None, 4)


def test_adding_and_taking_off_layers():
    model = cnncore.Sequential([layers.Input((4,)), layers.Dense(3, name="a"), layers.Dense(2, name="b")])
    kernel = model.get_layer("a").kernel
    last = model.pop()
    assert last.name == "b" and model.output_shape == (None, 3) and len(model.weights) == 2
    model.add(layers.Dense(5, name="c"))
    assert model.output_shape == (None, 5) and model.get_layer("a").kernel is kernel and model.built
    x = values(2, 4)
    assert model(x).shape == (2, 5)
    model.pop()
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.layers[0](x).numpy())


def test_a_plan_is_made_anew_when_layers_change():
    model = cnncore.Sequential([layers.Input((4,)), layers.Dense(3), layers.Dense(2)])
    x = values(3, 4)
    assert model.predict(x, verbose=0).shape == (3, 2)
    model.pop()
    model.add(layers.Dense(6))
    np.testing.assert_allclose(model.predict(x, verbose=0), model(x).numpy())


def test_layers_of_a_sequential_may_take_and_give_several_tensors():
    class Split(layers.Layer):
        def call(self, x):
            return [x[:, :2], x[:, 2:]]

    class Join(layers.Layer):
        def call(self, parts):
            return ops.concatenate(parts, 1)

    x = values(3, 5)
    for model in (cnncore.Sequential([layers.Input((5,)), Split(), Join()]), cnncore.Sequential([Split(), Join()])):
        np.testing.assert_array_equal(model(x).numpy(), x)


def test_slices_of_layers_make_models():
    model = cnncore.Sequential([layers.Input((6,)), layers.Dense(5, name="a"), layers.Dense(4, name="b"),
                                layers.Dense(3, name="c")])
    head = cnncore.Sequential(model.layers[:-1])
    x = values(2, 6)
    assert_same(head(x), model.layers[1](model.layers[0](x)))
    middle = cnncore.Model(model.inputs, model.get_layer("b").output)
    assert_same(middle(x), head(x))
    assert_same(cnncore.Model(inputs=model.input, outputs=[layer.output for layer in model.layers])(x)[2], model(x))


# ---- functional --------------------------------------------------------------------------------------------------

def test_a_part_of_a_graph_is_a_model_that_shares_its_weights():
    model = chain(cnncore)
    conv, relu = model.layers[1], model.layers[3]
    features = cnncore.Model(model.input, relu.output)
    x = values(2, 8, 8, 3)
    h = features(x)
    assert h.shape == (2, 6, 6, 4) and features.layers[1] is conv
    rest = cnncore.Model(relu.output, model.output)
    assert_same(rest(h), model(x))
    assert len(rest.weights) == 2
    top = cnncore.Model(model.input, layers.Dense(7)(features.output[:, 0, 0]))
    assert top(x).shape == (2, 7)


def test_operators_indexing_and_operations_build_graphs():
    x = cnncore.Input((4, 3))
    y = [x @ np.ones((3, 2), "float32"), x // 2, x % 2, x > 0, x >= 0.5, 2 / (x * x + 1), x[:, -1], x[..., None],
         x.reshape((-1, 12)), ops.mean(x, axis=1), ops.concatenate([x, x * 2], axis=1), ops.relu(x), ops.softmax(x),
         cnncore.activations.silu(x), ops.where(x > 0, x, 0.0)]
    model, a = cnncore.Model(x, y), values(5, 4, 3)
    expected = [a @ np.ones((3, 2)), a // 2, a % 2, a > 0, a >= 0.5, 2 / (a * a + 1), a[:, -1], a[..., None],
                a.reshape(-1, 12), a.mean(1), np.concatenate([a, 2 * a], 1), np.maximum(a, 0),
                np.exp(a) / np.exp(a).sum(-1, keepdims=True), a / (1 + np.exp(-a)), np.where(a > 0, a, 0)]
    assert_same(model(a), expected)
    assert_same(model.predict(a, verbose=0), expected)
    assert [t.shape[1:] for t in model.outputs] == [e.shape[1:] for e in expected]
    assert [t.dtype == "bool" for t in model.outputs] == [e.dtype == "bool" for e in expected]


def test_inputs_may_be_named_listed_or_in_another_order():
    model = shared(cnncore)
    a, b = values(2, 6), values(2, 6)
    expected = model([a, b])
    assert_same(model({"right": b, "left": a}), expected)
    assert_same(model((a, b)), expected)
    model = by_dict(cnncore)
    x = {"b": values(2, 3), "a": values(2, 4)}
    assert list(model(x)) == ["q", "p"]
    assert_same(model({"a": x["a"], "b": x["b"]}), model(x))


def test_a_sequential_takes_its_input_by_name():
    model = cnncore.Sequential([layers.Input((3,), name="x"), layers.Dense(2)])
    x = values(2, 3)
    assert_same(model({"x": x}), model(x))
    assert_same(model([x]), model(x))


def test_an_input_gains_or_loses_a_last_axis_of_one():
    model = cnncore.Sequential([layers.Input((8, 8, 1)), layers.Flatten(), layers.Dense(2)])
    x = values(3, 8, 8, 1)
    assert_same(model(x[..., 0]), model(x))
    assert_same(model.predict(x[..., 0], verbose=0), model.predict(x, verbose=0))


def test_a_model_called_on_a_keras_tensor_is_a_layer():
    inner = lenet(cnncore)
    x = cnncore.Input((12, 12, 1))
    y = inner(x)
    assert y.shape == (None, 10)
    outer = cnncore.Model(x, y * 2.0)
    image = values(2, 12, 12, 1)
    np.testing.assert_allclose(outer(image).numpy(), 2 * inner(image).numpy(), rtol=1e-6)
    assert [id(w) for w in outer.weights] == [id(w) for w in inner.weights]


def test_freezing_a_model_freezes_what_is_inside():
    model = nested(cnncore)
    model.get_layer("inner").trainable = False
    assert len(model.trainable_weights) == len(model.weights) - 2
    assert not model.get_layer("inner").layers[1].trainable
    model.trainable = False
    assert not model.trainable_weights and len(model.non_trainable_weights) == len(model.weights)
    model.trainable = True
    assert len(model.trainable_weights) == len(model.weights)


def test_training_reaches_the_layers_inside():
    model = cnncore.Sequential([layers.Input((50,)), cnncore.Sequential([layers.Dropout(0.5)])])
    x = np.ones((4, 50), "float32")
    assert (model(x).numpy() == 1).all() and (model.predict(x, verbose=0) == 1).all()
    assert (model(x, training=True).numpy() == 0).any()
    graph = cnncore.Model(model.input, model.output)
    assert (graph(x, training=True).numpy() == 0).any() and (graph(x, training=False).numpy() == 1).all()
    pinned = cnncore.Model(model.input, layers.Dropout(0.5)(model.input, training=True))
    assert (pinned(x).numpy() == 0).any()


def test_unknown_sizes_of_images_are_found_at_run_time():
    x = cnncore.Input((None, None, 3))
    h = layers.Conv2D(4, 3, padding="same", strides=2)(x)
    model = cnncore.Model(x, [layers.GlobalMaxPooling2D()(h), h])
    assert [t.shape for t in model.outputs] == [(None, 4), (None, None, None, 4)]
    for size in (8, 13):
        assert [y.shape for y in model(values(2, size, size + 1, 3))][0] == (2, 4)
        assert model.predict(values(2, size, size, 3), verbose=0)[1].shape == (2, -(-size // 2), -(-size // 2), 4)


# ---- subclassed --------------------------------------------------------------------------------------------------

class Net(cnncore.Model):
    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.conv = layers.Conv2D(4, 3, activation="relu")
        self.blocks = [layers.BatchNormalization(), layers.Dropout(0.5)]
        self.flatten, self.dense = layers.Flatten(), layers.Dense(units)

    def call(self, x, training=None):
        x = self.conv(x)
        for block in self.blocks:
            x = block(x, training=training)
        return self.dense(self.flatten(x))


def test_a_subclassed_model_is_built_by_data_or_a_shape_and_trains():
    model, x = Net(), values(6, 8, 8, 1)
    assert model.name.startswith("net") and not model.built
    y = model(x)
    assert y.shape == (6, 3) and model.built
    assert [layer.name.rstrip("_0123456789") for layer in model.layers] \
        == ["conv2d", "batch_normalization", "dropout", "flatten", "dense"]
    assert model.count_params() == 4 * 9 + 4 + 16 + 144 * 3 + 3
    assert (model(x, training=True).numpy() != model(x, training=False).numpy()).any()
    other = Net()
    other.build((None, 8, 8, 1))
    assert [w.shape for w in other.weights] == [w.shape for w in model.weights]
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    before = model.get_weights()
    model.fit(x, np.arange(6) % 3, epochs=2, verbose=0)
    assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))


def test_a_subclassed_model_may_call_models_and_be_called_on_a_keras_tensor():
    class Outer(cnncore.Model):
        def __init__(self):
            super().__init__()
            self.net = Net(5)
            self.last = cnncore.Sequential([layers.Dense(2)])

        def call(self, x, training=None):
            return self.last(self.net(x))

    outer = Outer()
    x = cnncore.Input((8, 8, 1))
    y = outer(x)
    assert y.shape == (None, 2)
    image = values(3, 8, 8, 1)
    assert_same(cnncore.Model(x, y)(image), outer(image))
    assert (outer(image, training=True).numpy() != outer(image).numpy()).any()


def test_a_class_of_ones_own_may_give_inputs_and_outputs():
    class Graph(cnncore.Model):
        def __init__(self, units):
            x = layers.Input((4,))
            super().__init__(inputs=x, outputs=layers.Dense(units)(x), name="graph_of_mine")
            self.units = units

        def train_step(self, data):
            self.stepped = True
            return super().train_step(data)

    model = Graph(3)
    assert model.name == "graph_of_mine" and model.output_shape == (None, 3) and model.units == 3
    assert model(values(2, 4)).shape == (2, 3)
    model.compile("sgd", "mse")
    model.fit(values(4, 4), values(4, 3), verbose=0)
    assert model.stepped


def test_models_without_call_or_super_are_explained():
    class Empty(cnncore.Model):
        pass

    class Never(cnncore.Model):
        def __init__(self):
            self.dense = layers.Dense(2)

        def call(self, x):
            return self.dense(x)

    with pytest.raises(NotImplementedError, match="Empty.*call"):
        Empty()(values(2, 3))
    with pytest.raises(RuntimeError, match=r"Never.*super\(\)\.__init__\(\)"):
        Never()(values(2, 3))


# ---- configuration -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("make", MODELS)
def test_a_model_made_of_its_configuration_is_the_same(make):
    model = make(cnncore)
    again = type(model).from_config(model.get_config())
    again.set_weights(model.get_weights())
    x = inputs_for(model)
    assert_same(again(x), model(x))
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert again.name == model.name


@pytest.mark.parametrize("make", [make for make in MODELS if make is not arithmetic])
def test_configurations_are_those_of_keras(make):
    ours, theirs = pair(make)
    again = type(theirs).from_config(copy.deepcopy(ours.get_config()))
    again.set_weights(theirs.get_weights())
    x = inputs_for(theirs)
    assert_same(ours(x), again(x))
    if not isinstance(ours, cnncore.Sequential):
        for key in ("input_layers", "output_layers"):
            assert ours.get_config()[key] == theirs.get_config()[key]
