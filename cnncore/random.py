"""Where randomness starts: one global source of seeds, and streams that depend on nothing but their own seed."""
import math
import operator
import random as python_random
import threading

import numpy as np

_WORD = 2**64 - 1
_source = None
_lock = threading.Lock()


def set_random_seed(seed):
    """Makes everything that is drawn after it repeatable: Python's `random`, NumPy's global generator and cnncore.

    Args:
        seed: integer from 0 to 2**32 - 1.

    Raises:
        ValueError: the seed is not an integer in that range.

    Example:
        >>> set_random_seed(1)
        >>> first = next_seed()
        >>> set_random_seed(1)
        >>> next_seed() == first
        True
    """
    global _source
    number = as_integer(seed)
    if number is None or not 0 <= number < 2**32:
        raise ValueError(f"A random seed is an integer from 0 to 2**32 - 1. Received: seed={seed!r}, pass e.g. 42")
    python_random.seed(number)
    np.random.seed(number)
    with _lock:
        _source = generator(number)


def next_seed():
    """The next seed from the global source: an integer from 0 to 2**53 - 1, which JSON also holds exactly."""
    global _source
    with _lock:
        if _source is None:
            _source = np.random.Generator(np.random.Philox())
        return int(_source.integers(2**53))


def generator(seed):
    """A NumPy Generator over Philox, whose stream is fixed by the seed.

    Args:
        seed: integer, of which the low 64 bits count, or a `SeedGenerator`, which moves on by one.
    """
    key = seed.next() if isinstance(seed, SeedGenerator) else np.array([seed & _WORD, 0], "uint64")
    return np.random.Generator(np.random.Philox(key=key))


def as_integer(value):
    """The value as a Python int, or None if it is not an integer."""
    try:
        return operator.index(value)
    except TypeError:
        return None


class SeedGenerator:
    """A seed that gives other random values at each use, where a plain integer gives the same ones.

    Args:
        seed: integer; None draws one from the global source.
        name: name kept in the configuration.

    Raises:
        ValueError: the seed is neither an integer nor None.

    Example:
        >>> seeds = SeedGenerator(7)
        >>> seeds.next().tolist(), seeds.next().tolist()
        ([7, 0], [7, 1])
    """

    def __init__(self, seed=None, name=None):
        number = next_seed() if seed is None else as_integer(seed)
        if number is None:
            raise ValueError(f"The seed of a SeedGenerator is an integer or None. Received: seed={seed!r}, pass an "
                             "integer such as 42")
        self.name = name or "seed_generator"
        self.state = np.array([number & _WORD, 0], "uint64")
        self._initial_seed = seed if seed is None else number
        self._lock = threading.Lock()

    def __getstate__(self):  # a lock cannot be copied
        return {key: value for key, value in self.__dict__.items() if key != "_lock"}

    def __setstate__(self, state):
        self.__dict__.update(state, _lock=threading.Lock())

    def next(self):
        """The current pair (seed, counter) as a uint64 array; the counter then moves on by one."""
        with self._lock:
            pair = self.state.copy()
            self.state[1] += 1
        return pair

    def get_config(self):
        """The arguments that make an equal generator at its start."""
        return {"seed": self._initial_seed, "name": self.name}

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        return cls(**config)


def sample_normal(rng, shape, mean, stddev, dtype):
    """Normal values as an array of any dtype; float32 is drawn as float32."""
    values = rng.standard_normal(shape, _draw_dtype(dtype))
    values *= stddev
    values += mean
    return values.astype(dtype, copy=False)


def sample_truncated_normal(rng, shape, mean, stddev, dtype):
    """Normal values, redrawn until they lie within two standard deviations of the mean."""
    values = rng.standard_normal(math.prod(shape), _draw_dtype(dtype))
    outside = np.flatnonzero(np.abs(values) > 2)
    while outside.size:
        values[outside] = rng.standard_normal(outside.size, values.dtype)
        outside = outside[np.abs(values[outside]) > 2]
    values *= stddev
    values += mean
    return values.reshape(shape).astype(dtype, copy=False)


def sample_uniform(rng, shape, low, high, dtype):
    """Values spread evenly over [low, high)."""
    values = rng.random(shape, _draw_dtype(dtype))
    values *= high - low
    values += low
    if high > low:  # rounding may reach the end of the interval, which is not part of it
        np.minimum(values, np.nextafter(values.dtype.type(high), values.dtype.type(low)), out=values)
    return values.astype(dtype, copy=False)


def _draw_dtype(dtype):
    """Draws at least as fine as the dtype asked for."""
    return "float32" if dtype == "float32" else "float64"
