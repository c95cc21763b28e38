"""cnncore.random: what its tensors are spread as, and which of them are the same."""
import numpy as np
import pytest
from scipy import stats

import cnncore
from cnncore import layers, ops, random

DRAWS = {
    "normal": lambda seed: random.normal((4000,), 1.0, 2.0, seed=seed),
    "uniform": lambda seed: random.uniform((4000,), -1.0, 3.0, seed=seed),
    "truncated_normal": lambda seed: random.truncated_normal((4000,), 1.0, 2.0, seed=seed),
    "gamma": lambda seed: random.gamma((4000,), 0.7, seed=seed),
    "beta": lambda seed: random.beta((4000,), 0.5, 2.0, seed=seed),
    "randint": lambda seed: random.randint((4000,), 3, 9, seed=seed),
    "categorical": lambda seed: random.categorical(np.log([[0.2, 0.7, 0.1]]), 4000, seed=seed)[0],
    "shuffle": lambda seed: random.shuffle(np.arange(4000), seed=seed),
    "dropout": lambda seed: random.dropout(np.ones(4000, "float32"), 0.3, seed=seed),
}
SPREAD = {
    "normal": stats.norm(1, 2), "uniform": stats.uniform(-1, 4), "truncated_normal": stats.truncnorm(-2, 2, 1, 2),
    "gamma": stats.gamma(0.7), "beta": stats.beta(0.5, 2),
}
COUNTS = {"randint": {n: 1 / 6 for n in range(3, 9)}, "categorical": {0: 0.2, 1: 0.7, 2: 0.1},
          "dropout": {0.0: 0.3, 1 / 0.7: 0.7}}


@pytest.mark.parametrize("name", SPREAD)
def test_numbers_are_spread_as_they_should_be(name):
    assert stats.kstest(DRAWS[name](5).numpy(), SPREAD[name].cdf).pvalue > 0.001


@pytest.mark.parametrize("name", COUNTS)
def test_each_value_comes_as_often_as_it_should(name):
    x = DRAWS[name](5).numpy()
    found = {value: np.isclose(x, value).sum() for value in COUNTS[name]}
    assert sum(found.values()) == 4000
    assert stats.chisquare(list(found.values()), [4000 * part for part in COUNTS[name].values()]).pvalue > 0.001


@pytest.mark.parametrize("name", DRAWS)
def test_seeds_say_which_numbers_are_drawn(name):
    draw = DRAWS[name]
    assert np.array_equal(draw(3), draw(3)) and not np.array_equal(draw(3), draw(4))
    one, other = random.SeedGenerator(3), random.SeedGenerator(3)
    first, second = draw(one).numpy(), draw(one).numpy()
    assert not np.array_equal(first, second)
    assert np.array_equal(first, draw(other)) and np.array_equal(second, draw(other))
    random.set_random_seed(8)
    free = [draw(None).numpy() for _ in range(2)]
    random.set_random_seed(8)
    assert not np.array_equal(*free) and all(np.array_equal(x, draw(None)) for x in free)


def test_shapes_and_dtypes():
    assert random.normal((2, 3)).dtype == "float32" and random.uniform((), 0, 1).shape == ()
    assert random.uniform((3,), 0, 5, dtype="int32").dtype == "int32"
    assert random.randint((2,), 0, 3, dtype="int64").dtype == "int64"
    assert random.categorical(np.zeros((5, 3), "float32"), 7).shape == (5, 7)
    x = np.arange(12).reshape(3, 4)
    assert np.array_equal(np.sort(random.shuffle(x, axis=1, seed=1), axis=1), x)
    assert random.randint((100,), -5, -3, seed=1).numpy().tolist().count(-5) + sum(
        random.randint((100,), -5, -3, seed=1).numpy() == -4) == 100
    together = random.dropout(np.ones((50, 4), "float32"), 0.5, noise_shape=(None, 1), seed=2).numpy()
    assert (together == together[:, :1]).all() and 0 < together.mean() < 2


def test_a_step_that_is_recorded_draws_anew_each_time_and_an_integer_always_the_same():
    class Noise(layers.Layer):
        def __init__(self, seed):
            super().__init__()
            self.seed = seed

        def call(self, x):
            return x + random.normal(ops.shape(x), seed=self.seed)

    x, drawn = np.zeros((8, 3), "float32"), {}
    for seed in (7, random.SeedGenerator(7), None):
        random.set_random_seed(1)
        model = cnncore.Sequential([cnncore.Input((3,)), Noise(seed)])
        drawn[type(seed)] = model.predict(x, batch_size=4, verbose=0)
        first, second = np.split(drawn[type(seed)], 2)
        assert np.array_equal(first, second) == (seed == 7 and isinstance(seed, int))
    assert np.array_equal(drawn[int][:4], random.normal((4, 3), seed=7))
    assert np.array_equal(drawn[random.SeedGenerator][:4], random.normal((4, 3), seed=7))


@pytest.mark.parametrize(("call", "message"), [
    (lambda: random.normal((2,), seed="x"), "A seed is an integer, a SeedGenerator or None. Received: seed='x'"),
    (lambda: random.randint((2,), 3, 3), "at least one and at most"),
    (lambda: random.categorical(np.zeros(3), 2), "categorical takes logits"),
])
def test_what_is_wrong_is_said(call, message):
    with pytest.raises(ValueError, match=message):
        call()
