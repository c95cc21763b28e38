"""Initializers have the names, arguments, limits and variances of Keras's, and their seeds mean the same."""
import json
import math
import os
import random as python_random

os.environ.setdefault("KERAS_BACKEND", "numpy")

import numpy as np
import pytest

import cnncore
from cnncore import initializers, random

keras = pytest.importorskip("keras", exc_type=ImportError)

CLASSES = initializers._CLASSES
SCALING = ["GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform"]
SHAPES = [(300, 500), (3, 3, 40, 60), (90_000,), (5, 7, 3, 30, 20)]
TRUNCATED = 0.87962566103423978


def sample(initializer, shape, dtype="float32"):
    return initializer._sample(shape, np.dtype(dtype))


def theirs(ours):
    """Keras's initializer of the same configuration."""
    return getattr(keras.initializers, type(ours).__name__).from_config(json.loads(json.dumps(ours.get_config())))


@pytest.mark.parametrize("name", sorted(initializers._BY_NAME))
def test_every_name_is_one_of_keras_and_means_the_same_class(name):
    config = {"value": 0.0} if name.lower() == "constant" else {}  # Keras finds no Constant by name alone
    expected = keras.initializers.get({"class_name": name, "config": config})
    assert type(initializers.get(name)).__name__ == type(expected).__name__


def test_no_name_of_keras_is_missing():
    from keras.src.initializers import ALL_OBJECTS_DICT

    beyond = {"STFT", "stft", "STFTInitializer", "Initializer", "initializer"}
    assert {name for name in ALL_OBJECTS_DICT if name.lower() != "stft"} - beyond == set(
        initializers._BY_NAME)
    exported = {name for name in dir(keras.initializers) if not name.startswith("_") and "stft" not in name.lower()}
    assert exported - set(dir(initializers)) == set()


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_defaults_and_configurations_are_those_of_keras(cls):
    config, expected = cls().get_config(), getattr(keras.initializers, cls.__name__)().get_config()
    if cls is initializers.Identity:  # Keras forgets its gain
        expected = {"gain": 1.0}
    assert config == {name: expected[name] for name in config}
    assert {expected[name] for name in expected.keys() - config.keys()} <= {None}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_a_configuration_goes_through_json_and_back_here_and_in_keras(cls):
    ours = cls(seed=5) if issubclass(cls, initializers.RandomInitializer) else cls()
    text = json.dumps(initializers.serialize(ours))
    assert initializers.deserialize(json.loads(text)).get_config() == ours.get_config()
    read = keras.initializers.deserialize(json.loads(text))
    assert type(read).__name__ == cls.__name__
    again = initializers.deserialize(json.loads(json.dumps(keras.initializers.serialize(read))))
    assert np.array_equal(sample(again, (4, 4)), sample(ours, (4, 4)))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", SCALING)
def test_variance_and_limits_are_exact(name, shape):
    ours = initializers.get(name)
    values = sample(ours, shape).astype("float64")
    fan_in, fan_out = keras.src.initializers.random_initializers.compute_fans(shape)
    assert initializers.compute_fans(shape) == (fan_in, fan_out)
    n = (fan_in + fan_out) / 2 if "Glorot" in name else fan_in
    variance = (2 if "He" in name else 1) / n
    limit = math.sqrt(3 * variance) if "Uniform" in name else 2 * math.sqrt(variance) / TRUNCATED
    # Four standard errors of a variance over this many values; a kurtosis of 3 is an upper bound for both kinds.
    assert values.var() == pytest.approx(variance, rel=4 * math.sqrt(2 / values.size))
    assert abs(values.mean()) < 4 * math.sqrt(variance / values.size)
    assert 0.99 * limit < np.abs(values).max() <= limit * (1 + 1e-6)
    assert np.abs(theirs(ours)(shape)).max() == pytest.approx(np.abs(values).max(), rel=0.01)


@pytest.mark.parametrize("ours", [
    initializers.RandomNormal(1.5, 0.3, seed=1), initializers.TruncatedNormal(-2.0, 0.7, seed=2),
    initializers.RandomUniform(-3.0, 5.0, seed=3), initializers.VarianceScaling(0.5, "fan_out", "uniform", seed=4),
    initializers.VarianceScaling(2.0, "fan_avg", "untruncated_normal", seed=5),
    initializers.VarianceScaling(1.0, "fan_in", "normal", seed=6), initializers.HeNormal(seed=7),
], ids=lambda i: type(i).__name__)
def test_the_distribution_is_that_of_keras(ours):
    from scipy.stats import ks_2samp

    shape = (20, 30, 40)
    assert ks_2samp(sample(ours, shape).ravel(), np.asarray(theirs(ours)(shape)).ravel()).pvalue > 1e-3
    assert ks_2samp(sample(ours, shape).ravel(), 1.1 * np.asarray(theirs(ours)(shape)).ravel()).pvalue < 1e-3


def test_axes_given_replace_the_usual_layout():
    shape = (40, 30, 20, 10)
    ours = initializers.HeUniform(seed=1, input_axes=[3], output_axes=[0, 1])
    assert np.abs(sample(ours, shape)).max() == pytest.approx(math.sqrt(6 / 10), rel=1e-3)
    assert ours.get_config() == {"seed": 1, "input_axes": [3], "output_axes": [0, 1]}


@pytest.mark.parametrize("shape", [(7, 7), (9, 4), (4, 9), (3, 3, 5, 8), (2, 1, 2, 30)], ids=str)
def test_orthogonal_is_orthogonal(shape):
    values = sample(initializers.Orthogonal(gain=1.5, seed=3), shape).astype("float64")
    matrix = values.reshape(-1, shape[-1]) / 1.5
    if matrix.shape[0] < matrix.shape[1]:
        matrix = matrix.T
    assert matrix.T @ matrix == pytest.approx(np.eye(matrix.shape[1]), abs=1e-6)


def test_orthogonal_matrices_of_both_signs_are_equally_likely():
    corners = [sample(initializers.Orthogonal(seed=seed), (3, 3))[0, 0] for seed in range(400)]
    assert abs(np.mean(np.sign(corners))) < 0.2


@pytest.mark.parametrize("ours, shape", [
    (initializers.Zeros(), (2, 3)), (initializers.Ones(), (4,)), (initializers.Ones(), ()),
    (initializers.Constant(-2.5), (2, 2)), (initializers.Constant(3), (0, 2)), (initializers.Identity(2.0), (3, 5)),
    (initializers.Constant(np.arange(3.0)), (2, 3)), (initializers.Constant(np.float32(1.5)), (2,)),
], ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "float16"])
def test_constant_values_are_those_of_keras(ours, shape, dtype):
    values, expected = sample(ours, shape, dtype), np.asarray(theirs(ours)(shape, dtype))
    assert values.dtype == dtype
    assert np.array_equal(values, expected.astype(dtype))


@pytest.mark.parametrize("name", ["RandomNormal", "RandomUniform", "TruncatedNormal", "Orthogonal", *SCALING])
def test_a_seed_fixes_the_values_and_no_seed_fixes_them_for_the_object_only(name):
    cls, shape = getattr(initializers, name), (6, 5)
    assert np.array_equal(sample(cls(seed=3), shape), sample(cls(seed=3), shape))
    assert not np.array_equal(sample(cls(seed=3), shape), sample(cls(seed=4), shape))
    unseeded = cls()
    assert np.array_equal(sample(unseeded, shape), sample(unseeded, shape))
    assert unseeded.get_config()["seed"] is None
    assert not np.array_equal(sample(unseeded, shape), sample(unseeded.clone(), shape))


def test_a_seed_generator_gives_other_values_at_each_call():
    ours = initializers.HeNormal(seed=random.SeedGenerator(9))
    first, second = sample(ours, (8,)), sample(ours, (8,))
    assert not np.array_equal(first, second)
    again = initializers.deserialize(json.loads(json.dumps(initializers.serialize(ours))))
    assert np.array_equal(sample(again, (8,)), first)
    read = keras.initializers.deserialize(json.loads(json.dumps(initializers.serialize(ours))))
    assert isinstance(read.seed, keras.random.SeedGenerator)


def test_set_random_seed_repeats_everything():
    def draw():
        return random.next_seed(), sample(initializers.GlorotUniform(), (3,)).tolist(), np.random.rand(), (
            python_random.random())

    random.set_random_seed(11)
    first = draw()
    second = draw()
    random.set_random_seed(11)
    assert draw() == first != second
    random.set_random_seed(12)
    assert draw()[0] != first[0]


def test_the_values_of_a_seed_never_change():
    values = sample(initializers.GlorotUniform(seed=42), (2, 2))
    assert values == pytest.approx(np.array([[-0.48430157, 0.78432214], [-0.33696657, -0.7611898]]), rel=1e-6)


def test_uniform_values_stay_below_the_end_of_the_interval():
    values = sample(initializers.RandomUniform(1.0, 1.0 + 1e-6, seed=1), (10_000,))
    assert values.min() == 1.0 and values.max() < np.float32(1.0 + 1e-6)
    assert (sample(initializers.RandomUniform(2.0, 2.0, seed=1), (5,)) == 2).all()


def test_a_function_a_class_and_values_can_be_given():
    def two(shape, dtype=None):
        return np.full(shape, 2.0, dtype)

    assert initializers.get(None) is None
    assert initializers.get(two) is two
    assert isinstance(initializers.get(initializers.Ones), initializers.Ones)
    ours = initializers.HeNormal()
    assert initializers.get(ours) is ours
    assert initializers.deserialize(initializers.serialize(two), {"two": two}) is two
    assert initializers.serialize(two) == keras.initializers.serialize(two)


def test_a_call_returns_a_tensor():
    tensor = pytest.importorskip("cnncore.tensor", exc_type=ImportError)
    made = initializers.HeNormal(seed=1)((3, 3, 2, 4))
    assert isinstance(made, tensor.Tensor) and made.dtype == "float32"
    assert np.array_equal(made.numpy(), sample(initializers.HeNormal(seed=1), (3, 3, 2, 4)))
    weights = np.arange(6.0).reshape(2, 3)
    assert np.array_equal(initializers.get(weights)((2, 3)).numpy(), weights)
    with pytest.raises(ValueError, match="own shape"):
        initializers.get(weights)((3, 2))


class Mine(initializers.Initializer):
    def __init__(self, level=1.0):
        self.level = level

    def __call__(self, shape, dtype=None):
        return np.full(shape, self.level, dtype)

    def get_config(self):
        return {"level": self.level}


def test_a_class_of_ones_own_is_found_only_where_it_is_named():
    config = initializers.serialize(Mine(3.0))
    assert initializers.deserialize(config, {"Mine": Mine}).level == 3.0
    with pytest.raises(ValueError, match="custom_objects"):
        initializers.deserialize({**config, "module": __name__})


@pytest.mark.parametrize("call, words", [
    (lambda: initializers.get("glorot"), "Received: 'glorot'"),
    (lambda: initializers.get(3), "Received: 3"),
    (lambda: initializers.get({"class_name": "Zeros", "config": {"value": 1}}), "correct the config"),
    (lambda: initializers.get({"config": {}}), "Received: None"),
    (lambda: initializers.RandomNormal(seed=1.5), "seed=1.5"),
    (lambda: initializers.VarianceScaling(scale=0), "scale=0"),
    (lambda: initializers.VarianceScaling(scale=float("nan")), "scale=nan"),
    (lambda: initializers.VarianceScaling(mode="fan"), "mode='fan'"),
    (lambda: initializers.VarianceScaling(distribution="Poisson"), "distribution='Poisson'"),
    (lambda: sample(initializers.Orthogonal(), (3,)), "two axes"),
    (lambda: sample(initializers.Identity(), (3, 3, 3)), "2-D"),
    (lambda: sample(initializers.Constant(np.ones(3)), (2,)), "broadcast"),
    (lambda: initializers._as_shape((None, 3)), "sizes"),
    (lambda: initializers._as_shape((2, -1)), "sizes"),
    (lambda: initializers._as_dtype("float33"), "float33"),
    (lambda: initializers.serialize(lambda shape, dtype=None: 0), "subclass of Initializer"),
    (lambda: initializers.Initializer()._sample((2,), "float32"), "defines __call__"),
    (lambda: random.set_random_seed("1"), "seed='1'"),
    (lambda: random.set_random_seed(2**32), "seed=4294967296"),
    (lambda: random.SeedGenerator(0.5), "seed=0.5"),
])
def test_wrong_arguments_are_explained(call, words):
    with pytest.raises((ValueError, NotImplementedError)) as error:
        call()
    assert words in str(error.value) and "Received" in str(error.value)


def test_a_variable_takes_the_memory_that_was_drawn_for_it_and_no_memory_of_others():
    drawn = []

    class Kept(initializers.Initializer):
        def __call__(self, shape, dtype=None):
            drawn.append(cnncore.Tensor(np.ones(shape, "float32")))
            return drawn[0]

    first, second = cnncore.Variable(Kept(), (3,)), cnncore.Variable(Kept(), (3,))
    first.assign(np.zeros(3))
    np.testing.assert_array_equal(second.numpy(), np.ones(3))
    np.testing.assert_array_equal(drawn[0].numpy(), np.ones(3))
    same = initializers.RandomUniform(seed=4)
    first, second = cnncore.Variable(same, (40, 50)), cnncore.Variable(same, (40, 50))
    np.testing.assert_array_equal(first.numpy(), second.numpy())
    first.assign(first * 2)
    np.testing.assert_array_equal(first.numpy(), 2 * second.numpy())
    assert cnncore.Variable(same, (2, 3), dtype="float64").dtype == "float64"
