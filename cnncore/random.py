"""Where randomness starts: one global source of seeds, and streams that depend on nothing but their own seed."""
import math
import operator
import random as python_random
import threading

import numpy as np

from cnncore import _core

_WORD = 2**64 - 1
_source = None
_stream = None  # the SeedGenerator of draws without a seed
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
    global _source, _stream
    number = as_integer(seed)
    if number is None or not 0 <= number < 2**32:
        raise ValueError(f"A random seed is an integer from 0 to 2**32 - 1. Received: seed={seed!r}, pass e.g. 42")
    python_random.seed(number)
    np.random.seed(number)
    with _lock:
        _source, _stream = generator(number), None


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


# ---- tensors -----------------------------------------------------------------------------------------------------

def state_of(seed):
    """The (seed, counter) that operations draw from: a SeedGenerator's own, which moves on; for an integer one that
    begins anew at each draw, also in a recorded step; for None that of the library's one stream."""
    global _stream
    from cnncore import executor
    from cnncore.ops.elementwise import copy_calls
    from cnncore.tensor import Tensor

    if seed is None:
        if _stream is None:
            _stream = SeedGenerator()
        seed = _stream
    if isinstance(seed, SeedGenerator):
        return Tensor._over(_core.Buffer.wrap(seed.state))
    number = as_integer(seed)
    if number is None:
        raise ValueError(f"A seed is an integer, a SeedGenerator or None. Received: seed={seed!r}")
    run, start = executor.current(), _core.Buffer.wrap(np.array([number & _WORD, 0], "uint64"))
    state = run.empty((2,), "uint64")
    run.emit(copy_calls(start, state))
    return Tensor._over(state)


def _in(dtype, x):
    from cnncore.ops.elementwise import cast

    return cast(x, dtype or "float32")


def normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """A tensor of normally distributed numbers.

    Args:
        shape: its shape.
        mean, stddev: mean and standard deviation.
        dtype: 'float32' by default.
        seed: integer for the same numbers at each call, `SeedGenerator` for others at each, or None for the library's own
            stream, which `set_random_seed` begins.

    Example:
        >>> normal((2, 3), seed=1).shape
        (2, 3)
    """
    from cnncore.ops.random import random_normal

    return _in(dtype, random_normal(tuple(shape), state_of(seed), mean, stddev))


def uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
    """A tensor of numbers spread evenly from `minval` to below `maxval`.

    Args:
        shape: its shape.
        minval, maxval: where they begin and end.
        dtype: 'float32' by default; whole numbers for an integer one.
        seed: see `normal`.
    """
    from cnncore.ops.random import random_uniform

    if dtype is not None and np.dtype(dtype).kind in "iu":
        return randint(shape, minval, maxval, dtype, seed)
    return _in(dtype, random_uniform(tuple(shape), state_of(seed), minval, maxval))


def randint(shape, minval, maxval, dtype="int32", seed=None):
    """A tensor of whole numbers spread evenly from `minval` to below `maxval`.

    Args:
        shape: its shape.
        minval, maxval: where they begin and end, at most 2**24 apart.
        dtype: their dtype.
        seed: see `normal`.

    Raises:
        ValueError: there is no such number, or there are too many.
    """
    from cnncore.ops.elementwise import add, cast
    from cnncore.ops.random import random_integers

    low, high = int(minval), int(maxval)
    if not 0 < high - low <= 2**24:
        raise ValueError("randint draws from at least one and at most 2**24 numbers. Received: "
                         f"minval={minval}, maxval={maxval}")
    numbers = random_integers(tuple(shape), state_of(seed), 0, high - low)
    return cast(add(cast(numbers, "int64"), low), dtype or "int32")


def truncated_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """A tensor of normally distributed numbers that are no further than two standard deviations from the mean.

    Args:
        shape, mean, stddev, dtype, seed: see `normal`.
    """
    from cnncore.ops.elementwise import add, clip, multiply
    from cnncore.ops.numeric import erfinv
    from cnncore.ops.random import random_uniform

    edge = math.erf(math.sqrt(2))  # the part of a normal distribution within two standard deviations
    inside = erfinv(random_uniform(tuple(shape), state_of(seed), -edge, edge))
    return _in(dtype, add(multiply(clip(multiply(inside, math.sqrt(2)), -2.0, 2.0), float(stddev)), float(mean)))


def categorical(logits, num_samples, dtype="int32", seed=None):
    """Class numbers drawn with the probabilities softmax(logits).

    Args:
        logits: (batch, classes).
        num_samples: how many for each row.
        dtype: their dtype.
        seed: see `normal`.

    Returns:
        Tensor (batch, num_samples).
    """
    from cnncore.ops.elementwise import add, cast, log, negative
    from cnncore.ops.movement import expand_dims
    from cnncore.ops.random import random_uniform
    from cnncore.ops.reductions import argmax
    from cnncore.tensor import convert

    x = cast(convert(logits), "float32")
    if x.ndim != 2:
        raise ValueError(f"categorical takes logits (batch, classes). Received: shape {x.shape}")
    noise = random_uniform((x.shape[0], num_samples, x.shape[1]), state_of(seed), 1e-30, 1.0)
    # The largest of the logits with Gumbel-distributed noise falls on a class as often as softmax says.
    return cast(argmax(add(expand_dims(x, 1), negative(log(negative(log(noise))))), axis=-1), dtype)


def shuffle(x, axis=0, seed=None):
    """x with its slices along an axis in a random order.

    Args:
        x: tensor.
        axis: the axis.
        seed: see `normal`.
    """
    from cnncore.ops.movement import take
    from cnncore.ops.random import random_order
    from cnncore.tensor import convert

    x = convert(x)
    return take(x, random_order(x.shape[axis], state_of(seed)), axis)


def dropout(inputs, rate, noise_shape=None, seed=None):
    """Inputs of which a random part is 0, and the rest scaled up.

    Args:
        inputs: tensor.
        rate: the part, from 0 to less than 1.
        noise_shape: shape of what is dropped together, which broadcasts to the inputs.
        seed: see `normal`.
    """
    from cnncore.ops.dropout import dropout as drop
    from cnncore.ops.elementwise import cast, multiply
    from cnncore.tensor import convert

    x = cast(convert(inputs), "float32")
    if noise_shape is None:
        return drop(x, rate, state_of(seed))
    shape = [n if m is None else m for n, m in zip(x.shape, noise_shape, strict=True)]
    return multiply(x, drop(convert(np.ones(shape, "float32")), rate, state_of(seed)))


def gamma(shape, alpha, dtype=None, seed=None):
    """A tensor of gamma-distributed numbers of scale 1.

    Args:
        shape: its shape.
        alpha: the distribution's shape, above 0: a number, or a tensor of that shape.
        dtype, seed: see `normal`.
    """
    from cnncore.ops.elementwise import exp
    from cnncore.ops.random import random_log_gamma

    return _in(dtype, exp(random_log_gamma(tuple(shape), state_of(seed), alpha)))


def beta(shape, alpha, beta, dtype=None, seed=None):
    """A tensor of beta-distributed numbers, from 0 to 1.

    Args:
        shape: its shape.
        alpha, beta: the distribution's shapes, above 0: numbers, or tensors of that shape.
        dtype, seed: see `normal`.
    """
    from cnncore.ops.random import random_beta

    return _in(dtype, random_beta(tuple(shape), state_of(seed), alpha, beta))


# ---- arrays, for initializers ------------------------------------------------------------------------------------

def sample_normal(rng, shape, mean, stddev, dtype):
    """Normal values as an array of any dtype; float32 is drawn as float32."""
    values = _core.Buffer.allocate(shape, _draw_dtype(dtype)).numpy()
    rng.standard_normal(shape, values.dtype, out=values)
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
    values = _core.Buffer.allocate(shape, _draw_dtype(dtype)).numpy()
    rng.random(shape, values.dtype, out=values)
    values *= high - low
    values += low
    if high > low:  # rounding may reach the end of the interval, which is not part of it
        np.minimum(values, np.nextafter(values.dtype.type(high), values.dtype.type(low)), out=values)
    return values.astype(dtype, copy=False)


def _draw_dtype(dtype):
    """Draws at least as fine as the dtype asked for."""
    return "float32" if dtype == "float32" else "float64"
