"""Layers of the user's own: what they are made of is found, and they hear what they need to."""
import os
import time

os.environ.setdefault("KERAS_BACKEND", "numpy")

import numpy as np
import pytest

import cnncore
from cnncore import executor, layers, ops
from cnncore.utils import clear_session

keras = pytest.importorskip("keras", exc_type=ImportError)
rng = np.random.default_rng(5)


def values(shape):
    return rng.normal(size=shape).astype("float32")


def pair(make):
    """Our layer and Keras's, from fresh counters of names."""
    clear_session()
    keras.utils.clear_session(free_memory=False)
    return make(cnncore), make(keras)


class Scale(layers.Layer):
    def __init__(self, by=2.0, **kwargs):
        super().__init__(**kwargs)
        self.by = by

    def build(self, input_shape):
        self.gain = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="gain")
        self.seen = self.add_weight(shape=(), initializer="zeros", trainable=False, name="seen", dtype="int32")

    def call(self, x):
        return x * self.gain * self.by


def test_a_layer_of_ones_own_needs_no_shape_rule():
    layer = Scale(3.0, name="mine")
    symbolic = layer(cnncore.Input((None, 4)))
    assert symbolic.shape == (None, None, 4) and layer.built
    x = values((2, 3, 4))
    np.testing.assert_allclose(layer(x).numpy(), 3 * x, rtol=1e-6)
    assert [w.path for w in layer.weights] == ["mine/gain", "mine/seen"]
    assert [w.dtype for w in layer.weights] == ["float32", "int32"]
    assert len(layer.trainable_weights) == len(layer.non_trainable_weights) == 1
    assert layer.compute_output_shape((None, 4)) == (None, 4)


def test_shapes_follow_the_lengths_that_are_unknown():
    class Odd(layers.Layer):
        def call(self, x):
            return ops.reshape(ops.transpose(x, (0, 2, 1)), (x.shape[0] * x.shape[2], x.shape[1])), x[:, :1], x[:2]

    a, b, c = Odd()(cnncore.Input((None, 5)))
    assert (a.shape, b.shape, c.shape) == ((None, None), (None, 1, 5), (2, None, 5))


def make_own(k):
    class Block(k.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.last = k.layers.Dense(2)
            self.many = [k.layers.Dense(3), k.layers.Dense(3)]
            self.named = {"z": k.layers.Dense(4), "a": [k.layers.BatchNormalization()]}

        def build(self, shape):
            self.own = self.add_weight(shape=(2,), name="own", initializer="ones")
            self.frozen = self.add_weight(shape=(2,), name="frozen", trainable=False, initializer="ones")
            self.built = True

        def call(self, x, training=None):
            for layer in (*self.many, self.named["z"], *self.named["a"]):
                x = layer(x)
            return self.last(x) * self.own + self.frozen

    return Block(name="block")


def test_layers_inside_are_found_in_attributes_lists_and_dicts():
    ours, theirs = pair(make_own)
    x = values((3, 5))
    ours(x), theirs(x)
    for what in ("weights", "trainable_weights", "non_trainable_weights"):
        assert [(w.name, tuple(w.shape)) for w in getattr(ours, what)] \
            == [(w.name, tuple(w.shape)) for w in getattr(theirs, what)]
    theirs.set_weights([np.abs(values(w.shape)) for w in theirs.get_weights()])
    ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(ours(x).numpy(), np.asarray(theirs(x)), rtol=1e-5, atol=1e-6)
    assert ours.count_params() == theirs.count_params()
    ours.trainable = theirs.trainable = False
    assert not ours.trainable_weights and not ours.many[0].trainable
    ours.trainable = True
    ours.many[0].trainable = False
    assert len(ours.trainable_weights) == 2 * 3 + 2 + 1
    ours.many.append(layers.Dense(2))
    ours.many[-1](x)
    assert len(ours.weights) == len(theirs.weights) + 2


def test_attributes_may_be_any_data():
    class Own(layers.Layer):
        def __init__(self):
            super().__init__()
            self.table = {1: "a", "b": [None, {2: layers.Dense(2, name="deep")}], None: ("c", layers.Dense(3))}
            self.loop = [layers.Flatten()]
            self.loop.append(self.loop)
            self.words, self.numbers = ["w"] * 5000, list(range(10**6))
            self.loose = [cnncore.Variable(np.ones(2)), {"v": cnncore.Variable(np.ones(3))}]

        def call(self, x):
            return self.table["b"][1][2](self.table[None][1](x))

    layer = Own()
    start = time.perf_counter()
    layer(values((2, 4)))
    assert [w.shape for w in layer.weights] == [(2,), (3,), (3, 2), (2,), (4, 3), (3,)]
    assert time.perf_counter() - start < 0.1


def test_variables_set_as_attributes_are_weights():
    class Own(layers.Layer):
        def __init__(self):
            super().__init__()
            self.a = cnncore.Variable(np.ones(3), name="a")
            self.b = cnncore.Variable(np.ones(2), trainable=False, name="b")

        def call(self, x):
            return x * self.a

    layer = Own()
    assert [w.name for w in layer.weights] == ["a", "b"] and [w.name for w in layer.trainable_weights] == ["a"]
    layer.a = cnncore.Variable(np.zeros(3), name="a")
    assert len(layer.weights) == 2 and layer.weights[0].numpy().tolist() == [0, 0, 0]
    del layer.b
    assert len(layer.weights) == 1


def test_variables_begin_with_a_value_or_an_initializer():
    ours, theirs = cnncore.Variable(np.ones(2, "float32"), name="a"), keras.Variable(np.ones(2, "float32"), name="a")
    assert (ours.name, ours.path, ours.shape, ours.dtype) == (theirs.name, theirs.path, theirs.shape, theirs.dtype)
    for start in ("ones", cnncore.initializers.Constant(1.0), lambda shape, dtype=None: np.ones(shape, dtype)):
        variable = cnncore.Variable(start, (2, 3), "int32", False)
        assert variable.numpy().tolist() == [[1] * 3] * 2 and variable.dtype == "int32" and not variable.trainable
    assert cnncore.Variable(initializer="glorot_uniform", shape=(2, 3)).trainable
    with pytest.raises(ValueError, match="needs a shape. Received: initializer='ones'"):
        cnncore.Variable("ones")
    with pytest.raises(ValueError, match="a value of shape \\(2,\\), shape=\\(3,\\)"):
        cnncore.Variable([1.0, 2.0], shape=(3,))


def test_init_without_super_works_or_is_explained():
    class Late(layers.Layer):
        def __init__(self):
            self.dense = layers.Dense(2)
            super().__init__(name="late")

        def call(self, x):
            return self.dense(x)

    class Never(layers.Layer):
        def __init__(self):
            self.number = 3

        def call(self, x):
            return x

    try:
        layer = Late()
    except RuntimeError as error:
        assert "super().__init__()" in str(error)
    else:
        layer(values((2, 3)))
        assert len(layer.weights) == 2
    with pytest.raises(RuntimeError, match=r"Never.*super\(\)\.__init__\(\)"):
        Never()(values((2, 3)))


def test_training_is_what_the_caller_was_told():
    seen = []

    class Inner(layers.Layer):
        def call(self, x, training=None):
            seen.append(training)
            return x

    class Outer(layers.Layer):
        def __init__(self, say=None):
            super().__init__()
            self.inner, self.say = Inner(), say

        def call(self, x):
            return self.inner(x) if self.say is None else self.inner(x, training=self.say)

    x = values((1, 2))
    for layer, told in ((Outer(), {}), (Outer(), {"training": True}), (Outer(False), {"training": True}),
                        (Outer(True), {}), (Inner(), {"training": False})):
        layer(x, **told)
    assert [bool(told) for told in seen] == [False, True, False, True, False]
    Inner()(x)
    assert not seen[-1]
    Inner()(x, True)
    assert seen[-1] is True

    class Always(layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = Inner()

        def call(self, x, training=True):
            return self.inner(x, training)

    Always()(x)
    assert seen[-1] is True
    Always()(x, training=False)
    assert seen[-1] is False


def test_losses_that_layers_add_are_those_of_the_last_call():
    class Activity(layers.Layer):
        def call(self, x):
            self.add_loss(ops.sum(x) * 0.5)
            return x

    class Outer(layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = Activity()

        def call(self, x):
            return self.inner(self.inner(x))

    layer = Outer()
    for _ in range(2):
        layer(np.ones((2, 3), "float32"))
    assert [float(loss) for loss in layer.losses] == [3.0, 3.0]


def test_metrics_that_layers_hold_are_listed():
    for library in (cnncore, keras):
        class Counts(library.layers.Layer):
            def __init__(self, mean, inner=None):
                super().__init__()
                self.mean, self.inner = mean, inner

        outer = Counts(library.metrics.Mean(name="mean"), Counts(library.metrics.Mean(name="mean")))
        assert [m.name for m in outer.metrics] == ["mean", "mean"] and library.layers.Dense(2).metrics == []


def test_regularizers_of_weights_and_outputs_are_losses():
    def half(x):
        return ops.sum(ops.square(x)) * 0.5

    dense = layers.Dense(2, kernel_regularizer=half, activity_regularizer=half)
    y = dense(np.ones((4, 3), "float32")).numpy()
    kernel = dense.get_weights()[0]
    assert sorted(float(loss) for loss in dense.losses) == pytest.approx(
        sorted([0.5 * (kernel ** 2).sum(), 0.5 * (y ** 2).sum() / 4]), rel=1e-5)
    assert dense.kernel.regularizer is half
    dense.trainable = False
    dense(np.ones((4, 3), "float32"))
    assert len(dense.losses) == 1


def test_a_shape_pass_makes_weights_but_no_values():
    layer = layers.Dense(3)
    with executor.use(executor.Shapes()):
        y = layer(cnncore.Tensor(np.ones((2, 4), "float32")))
        assert y.buffer.is_promise
    assert np.abs(layer.get_weights()[0]).sum() > 0


def test_weights_wait_for_the_first_data():
    layer = layers.Conv2D(4, 3)
    assert not layer.built and not layer.weights
    layer(values((1, 5, 5, 2)))
    assert layer.built and layer.kernel.shape == (3, 3, 2, 4) and layer.bias.shape == (4,)
    kernel = layer.kernel
    layer(values((1, 5, 5, 2)))
    assert layer.kernel is kernel


class Counter(layers.Layer):
    """Keeps numbers, tensors of another dtype and arrays in variables as it is called."""

    def __init__(self):
        super().__init__()
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)
        self.seen = self.add_weight(shape=(2,), initializer="zeros", trainable=False)

    def call(self, x):
        self.seen.assign([1, 2])
        self.seen.assign_add(np.array([self.factor, 0.0]))
        y = x * cnncore.ops.sum(self.seen)
        self.seen.assign(np.array([7.0, 8.0]))
        self.calls.assign(cnncore.ops.cast(self.calls + 1.0, "int32"))
        return y

    factor = 4.0


def test_numbers_assigned_in_a_step_are_there_at_each_run():
    counter = Counter()
    model = cnncore.Sequential([layers.Input((3,)), counter])
    assert counter.seen.tolist() == [0, 0] and float(counter.calls) == 0  # tracing the model assigns nothing
    x = np.ones((4, 3), "float32")
    assert (model.predict(x, batch_size=2, verbose=0) == 7).all()
    assert counter.seen.tolist() == [7, 8] and float(counter.calls) == 2
    counter.seen.assign([0, 0])
    assert (model.predict(x, batch_size=2, verbose=0) == 7).all() and float(counter.calls) == 4
    with pytest.raises(ValueError, match=r"shape \(2,\). Received: shape \(3,\)"):
        counter.seen.assign([1, 2, 3])


def test_variables_are_made_as_in_keras():
    for library in (cnncore, keras):
        made = [library.Variable(np.ones((2, 3), "float32"), name="a"), library.Variable("ones", (2, 3)),
                library.Variable(initializer=library.initializers.Constant(1.0), shape=(2, 3), trainable=False),
                library.Variable(1.0, dtype="float32"), library.Variable("zeros", (2,), "int32")]
        assert [tuple(v.shape) for v in made] == [(2, 3), (2, 3), (2, 3), (), (2,)]
        assert made[0].name == "a" and [v.trainable for v in made[:3]] == [True, True, False]
        assert all((np.array(v) == 1).all() for v in made[:4]) and made[4].dtype == "int32"
    with pytest.raises(ValueError, match="needs a shape"):
        cnncore.Variable("ones")
    with pytest.raises(ValueError, match="has its value.s shape"):
        cnncore.Variable(np.ones(2), (3,))
