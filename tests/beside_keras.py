"""Layers made twice, by cnncore and by Keras, with the same weights: what both must agree in."""
import inspect
import os

os.environ.setdefault("KERAS_BACKEND", "numpy")

import numpy as np
import pytest

import cnncore
from cnncore.utils import clear_session

keras = pytest.importorskip("keras", exc_type=ImportError)
rng = np.random.default_rng(5)

# Arguments for what is not here yet, and for what only newer versions of Keras have.
LEFT_OUT = {"lora_rank", "lora_alpha", "quantization_config", "renorm", "renorm_clipping", "renorm_momentum",
            "synchronized", "sparse", "ragged", "optional", "input_tensor", "tensor"}


def values(shape):
    return rng.normal(size=shape).astype("float32")


def each(function, shapes):
    """function of one shape, or of each in a list of shapes."""
    return [function(shape) for shape in shapes] if isinstance(shapes, list) else function(shapes)


def signature(thing):
    """The parameters of a function, or those with which a class is called: in Python 3.11.2 and before, `inspect` itself
    takes a class that inherits its __init__ to be called as __new__ is."""
    if not inspect.isclass(thing):
        return list(inspect.signature(thing).parameters.values())
    return list(inspect.signature(thing.__init__).parameters.values())[1:]


def arguments(thing):
    return [(p.name, p.default) for p in signature(thing)
            if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL) and p.name not in LEFT_OUT]


def pair(make):
    """Our layer and Keras's, from fresh counters of names."""
    clear_session()
    keras.utils.clear_session(free_memory=False)
    return make(cnncore), make(keras)


def with_the_same_weights(make, shape):
    ours, theirs = pair(make)
    ours.build(shape)
    theirs.build(shape)
    theirs.set_weights([np.abs(values(w.shape)) + 0.1 for w in theirs.get_weights()])
    ours.set_weights(theirs.get_weights())
    return ours, theirs


def check_the_same(make, shapes, unknown=True, tolerance=1e-5):
    """Names, weights, configuration, outputs and their shapes are Keras's; `unknown` tries unknown lengths too."""
    ours, theirs = with_the_same_weights(make, each(lambda shape: (None, *shape[1:]), shapes))
    assert ours.name == theirs.name
    for what in ("weights", "trainable_weights", "non_trainable_weights"):
        assert [(w.name, w.path, tuple(w.shape)) for w in getattr(ours, what)] \
            == [(w.name, w.path, tuple(w.shape)) for w in getattr(theirs, what)], what
    again = type(ours).from_config(ours.get_config())
    assert again.get_config() == ours.get_config() and again.name == ours.name
    assert {"build_config", *ours.get_config()} >= set(theirs.get_config()) - LEFT_OUT
    x = each(values, shapes)
    y, expected = ours(x), np.asarray(theirs(x))
    assert isinstance(y, cnncore.Tensor) and y.shape == expected.shape and y.dtype == "float32"
    error = np.abs(y.numpy() - expected).max(initial=0)
    assert error <= tolerance * max(np.abs(expected).max(initial=0), 1e-3), error
    assert tuple(ours.compute_output_shape(each(lambda s: (None, *s[1:]), shapes))) == (None, *expected.shape[1:])
    symbolic = [each(lambda s: (None, *s[1:]), shapes), shapes]
    if unknown:
        symbolic.append(each(lambda s: (*(None,) * (len(s) - 1), s[-1]), shapes))
    for given in symbolic:
        found = [make(k)(each(lambda s, k=k: k.Input(batch_shape=s), given)).shape for k in (cnncore, keras)]
        assert found[0] == found[1], given
    return ours, theirs


def apart(shapes):
    """Arrays whose elements all differ, and differ from 0, by more than small steps: no maximum and no ReLU turns."""
    inputs = shapes if isinstance(shapes, list) else [shapes]
    count = sum(int(np.prod(shape)) for shape in inputs)
    pool = iter(rng.permutation((np.arange(count) - count // 2 + 0.5) * (6 / count)).astype("float32"))
    return each(lambda shape: np.array([next(pool) for _ in range(int(np.prod(shape)))]).reshape(shape), shapes)


def check_gradients(make, shapes, training=True):
    """The gradients of inputs and weights are the slopes of the output along random directions."""
    ours = make(cnncore)
    x = apart(shapes)
    y = ours(x, training=training) if ours._training_at is not None else ours(x)
    ours.set_weights([values(w.shape) + 1 for w in ours.get_weights()])
    weight = values(y.shape)
    inputs = x if isinstance(x, list) else [x]
    start = [*inputs, *(w.numpy() for w in ours.trainable_weights)]

    def output(points):
        for variable, point in zip(ours.trainable_weights, points[len(inputs):]):
            variable.assign(point)
        tensors = [cnncore.Tensor(point, requires_grad=True) for point in points[:len(inputs)]]
        return tensors, ours(tensors if isinstance(x, list) else tensors[0])

    tensors, y = output(start)
    (y * weight).sum().backward()
    gradients = [t.grad.numpy() for t in [*tensors, *ours.trainable_weights]]
    for i, gradient in enumerate(gradients):
        direction, step = values(start[i].shape), 1e-3
        ends = [output([*start[:i], start[i] + sign * step * direction, *start[i + 1:]])[1].numpy().astype("float64")
                for sign in (1, -1)]
        slope = ((ends[0] - ends[1]) * weight).sum() / (2 * step)
        size = np.abs(gradient * direction).sum()
        assert abs((gradient * direction).sum() - slope) <= 0.01 * size + 0.02, (i, slope)
