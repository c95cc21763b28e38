"""How weights start: Keras's initializers, drawn with NumPy from a Philox stream per seed."""
import inspect
import math
import re

import numpy as np

from cnncore import _core, random
from cnncore.random import SeedGenerator, as_integer
from cnncore.utils.identifiers import unknown_name

# Standard deviation of a unit normal distribution after cutting it off at two standard deviations.
_TRUNCATED_STDDEV = 0.87962566103423978


class Initializer:
    """Base of all initializers: called with a shape, it returns a tensor of starting values.

    A subclass of your own overrides `__call__(shape, dtype=None)` and, to be saved in a model, `get_config`.

    Example:
        >>> import numpy as np
        >>> class Half(Initializer):
        ...     def __call__(self, shape, dtype=None):
        ...         return np.full(shape, 0.5, dtype or "float32")
        >>> Half()((2,))
        array([0.5, 0.5], dtype=float32)
    """

    def __call__(self, shape, dtype=None):
        """Draws the values.

        Args:
            shape: tuple of sizes, as of a weight.
            dtype: name of the dtype; None means 'float32'.

        Returns:
            A `Tensor` of that shape.
        """
        from cnncore.tensor import Tensor

        array = self._sample(_as_shape(shape), _as_dtype(dtype))
        # Drawn into memory of its own: a copy would double a model's first peak.
        return Tensor._over(array.base) if isinstance(array.base, _core.Buffer) else Tensor(array, array.dtype.name)

    def _sample(self, shape, dtype):
        """The values as a NumPy array of this shape and dtype."""
        raise NotImplementedError(f"An initializer defines __call__(shape, dtype=None). Received: a call of "
                                  f"{type(self).__name__}, add that method to it")

    def get_config(self):
        """The constructor's arguments, ready for JSON."""
        return {}

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        return cls(**config)

    def clone(self):
        """A new initializer with the same arguments; if none of them is a seed, it draws other values."""
        return type(self).from_config(self.get_config())


class Zeros(Initializer):
    """All values 0."""

    def _sample(self, shape, dtype):
        return np.zeros(shape, dtype)


class Ones(Initializer):
    """All values 1."""

    def _sample(self, shape, dtype):
        return np.ones(shape, dtype)


class Constant(Initializer):
    """All values the same number, or an array that broadcasts to the shape.

    Args:
        value: number or array.

    Raises:
        ValueError: when called, if an array does not broadcast to the shape.
    """

    def __init__(self, value=0.0):
        self.value = value

    def _sample(self, shape, dtype):
        value = np.asarray(self.value)
        try:
            return np.broadcast_to(value, shape).astype(dtype)
        except ValueError:
            raise ValueError("The value of Constant must broadcast to the weight's shape. Received: value of shape "
                             f"{value.shape} for shape {shape}, pass a number or an array of that shape") from None

    def get_config(self):
        value = self.value
        if hasattr(value, "dtype"):  # arrays, NumPy scalars and tensors go to JSON as Keras writes them
            value = np.asarray(value)
            value = {"class_name": "__tensor__", "config": {"value": value.tolist(), "dtype": value.dtype.name}}
        return {"value": value}

    @classmethod
    def from_config(cls, config):
        value = config.get("value", 0.0)
        if isinstance(value, dict):
            value = np.array(value["config"]["value"], value["config"]["dtype"])
        return cls(value)


class Identity(Initializer):
    """The identity matrix, for 2-D weights.

    Args:
        gain: factor on the matrix.

    Raises:
        ValueError: when called with a shape that is not 2-D.
    """

    def __init__(self, gain=1.0):
        self.gain = gain

    def _sample(self, shape, dtype):
        if len(shape) != 2:
            raise ValueError("Identity starts 2-D weights only. Received: shape "
                             f"{shape}, choose another initializer such as 'glorot_uniform'")
        return (self.gain * np.eye(*shape)).astype(dtype)

    def get_config(self):
        return {"gain": self.gain}


class RandomInitializer(Initializer):
    """Base of the random initializers: keeps the seed, so that every call gives the same values, as in Keras.

    Args:
        seed: integer; None draws one now from the global source; a `SeedGenerator` gives other values at each call.

    Raises:
        ValueError: the seed is none of these.
    """

    def __init__(self, seed=None):
        if isinstance(seed, dict):
            seed = SeedGenerator.from_config(seed["config"])
        number = as_integer(seed)
        if number is None and seed is not None and not isinstance(seed, SeedGenerator):
            raise ValueError("The seed of an initializer is an integer, a SeedGenerator or None. Received: "
                             f"seed={seed!r}, pass an integer such as 42")
        self._init_seed = seed if number is None else number
        self.seed = random.next_seed() if seed is None else self._init_seed

    def get_config(self):
        seed = self._init_seed
        if isinstance(seed, SeedGenerator):
            seed = {"module": "keras.random", "class_name": "SeedGenerator", "config": seed.get_config(),
                    "registered_name": None}
        return {"seed": seed}


class RandomNormal(RandomInitializer):
    """Values from a normal distribution.

    Args:
        mean: mean of the distribution.
        stddev: standard deviation.
        seed: integer, `SeedGenerator` or None.
    """

    def __init__(self, mean=0.0, stddev=0.05, seed=None):
        self.mean = mean
        self.stddev = stddev
        super().__init__(seed)

    def _sample(self, shape, dtype):
        return random.sample_normal(random.generator(self.seed), shape, self.mean, self.stddev, dtype)

    def get_config(self):
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


class TruncatedNormal(RandomNormal):
    """Values from a normal distribution, redrawn where they lie more than two standard deviations from the mean.

    Args:
        mean: mean of the distribution.
        stddev: standard deviation before the cut; that of the values is 0.88 times as large.
        seed: integer, `SeedGenerator` or None.
    """

    def _sample(self, shape, dtype):
        return random.sample_truncated_normal(random.generator(self.seed), shape, self.mean, self.stddev, dtype)


class RandomUniform(RandomInitializer):
    """Values spread evenly over an interval.

    Args:
        minval: lowest value.
        maxval: end of the interval, which is not reached.
        seed: integer, `SeedGenerator` or None.
    """

    def __init__(self, minval=-0.05, maxval=0.05, seed=None):
        self.minval = minval
        self.maxval = maxval
        super().__init__(seed)

    def _sample(self, shape, dtype):
        return random.sample_uniform(random.generator(self.seed), shape, self.minval, self.maxval, dtype)

    def get_config(self):
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}


class VarianceScaling(RandomInitializer):
    """Values whose variance is `scale / n`, so that signals keep their size from layer to layer.

    `n` is the number of inputs of one unit (`fan_in`), of outputs (`fan_out`), or the average of both (`fan_avg`).

    Args:
        scale: positive factor.
        mode: 'fan_in', 'fan_out' or 'fan_avg'.
        distribution: 'truncated_normal' (also called 'normal'), 'untruncated_normal' or 'uniform'.
        seed: integer, `SeedGenerator` or None.
        input_axes: axes of the weight that count its inputs, where the usual layout does not hold.
        output_axes: axes of the weight that count its outputs; both are given or none.

    Raises:
        ValueError: the scale is not positive, or the mode or the distribution is unknown.

    Example:
        >>> VarianceScaling(2.0, "fan_in", seed=1)((3, 3, 16, 32)).shape
        (3, 3, 16, 32)
    """

    def __init__(self, scale=1.0, mode="fan_in", distribution="truncated_normal", seed=None, input_axes=None,
                 output_axes=None):
        if not scale > 0:
            raise ValueError(f"The scale of VarianceScaling is positive. Received: scale={scale!r}, pass 1.0 or 2.0")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError("The mode of VarianceScaling is 'fan_in', 'fan_out' or 'fan_avg'. Received: "
                             f"mode={mode!r}, choose one of them")
        given, distribution = distribution, str(distribution).lower()
        if distribution == "normal":
            distribution = "truncated_normal"
        if distribution not in ("truncated_normal", "untruncated_normal", "uniform"):
            raise ValueError("The distribution of VarianceScaling is 'truncated_normal', 'untruncated_normal' or "
                             f"'uniform'. Received: distribution={given!r}, choose one of them")
        self.scale = scale
        self.mode = mode
        self.distribution = distribution
        self.input_axes = input_axes
        self.output_axes = output_axes
        super().__init__(seed)

    def _sample(self, shape, dtype):
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        stddev = math.sqrt(self.scale / max(1.0, n))
        rng = random.generator(self.seed)
        if self.distribution == "uniform":
            return random.sample_uniform(rng, shape, -math.sqrt(3) * stddev, math.sqrt(3) * stddev, dtype)
        if self.distribution == "untruncated_normal":
            return random.sample_normal(rng, shape, 0.0, stddev, dtype)
        return random.sample_truncated_normal(rng, shape, 0.0, stddev / _TRUNCATED_STDDEV, dtype)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale, "mode": self.mode, "distribution": self.distribution,
                **self._axes()}

    def _axes(self):
        """The axes if given: left out otherwise, so that Keras versions without them read the configuration."""
        axes = {"input_axes": self.input_axes, "output_axes": self.output_axes}
        return {name: value for name, value in axes.items() if value is not None}


class _NamedScaling(VarianceScaling):
    """A VarianceScaling whose scale, mode and distribution are set by its name."""

    _rule = None

    def __init__(self, seed=None, input_axes=None, output_axes=None):
        super().__init__(*self._rule, seed, input_axes, output_axes)

    def get_config(self):
        return {**RandomInitializer.get_config(self), **self._axes()}


class GlorotUniform(_NamedScaling):
    """Uniform within +-sqrt(6 / (fan_in + fan_out)): the default of Conv2D and Dense (Glorot and Bengio, 2010).

    Args:
        seed: integer, `SeedGenerator` or None.
        input_axes, output_axes: see `VarianceScaling`.
    """

    _rule = 1.0, "fan_avg", "uniform"


class GlorotNormal(_NamedScaling):
    """Truncated normal of variance 2 / (fan_in + fan_out) (Glorot and Bengio, 2010). Args as in `GlorotUniform`."""

    _rule = 1.0, "fan_avg", "truncated_normal"


class HeUniform(_NamedScaling):
    """Uniform within +-sqrt(6 / fan_in), for layers with ReLU (He et al., 2015). Args as in `GlorotUniform`."""

    _rule = 2.0, "fan_in", "uniform"


class HeNormal(_NamedScaling):
    """Truncated normal of variance 2 / fan_in, for layers with ReLU (He et al., 2015). Args as in `GlorotUniform`."""

    _rule = 2.0, "fan_in", "truncated_normal"


class LecunUniform(_NamedScaling):
    """Uniform within +-sqrt(3 / fan_in) (Klambauer et al., 2017). Args as in `GlorotUniform`."""

    _rule = 1.0, "fan_in", "uniform"


class LecunNormal(_NamedScaling):
    """Truncated normal of variance 1 / fan_in (Klambauer et al., 2017). Args as in `GlorotUniform`."""

    _rule = 1.0, "fan_in", "truncated_normal"


class Orthogonal(RandomInitializer):
    """An orthogonal matrix, from the QR decomposition of a normal one (Saxe et al., 2014).

    A weight of more than two axes is seen as a matrix of shape (product of all axes but the last, last).

    Args:
        gain: factor on the matrix.
        seed: integer, `SeedGenerator` or None.

    Raises:
        ValueError: when called with a shape of fewer than two axes.
    """

    def __init__(self, gain=1.0, seed=None):
        self.gain = gain
        super().__init__(seed)

    def _sample(self, shape, dtype):
        if len(shape) < 2:
            raise ValueError("Orthogonal starts weights of two axes or more. Received: shape "
                             f"{shape}, choose another initializer such as 'zeros'")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        normal = random.generator(self.seed).standard_normal((max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(normal)
        q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)  # makes every orthogonal matrix equally likely
        return (self.gain * (q.T if rows < columns else q)).reshape(shape).astype(dtype)

    def get_config(self):
        return {**super().get_config(), "gain": self.gain}


def compute_fans(shape, input_axes=None, output_axes=None):
    """The numbers (fan_in, fan_out) of a weight of shape (..., inputs, outputs), or by the axes given."""
    shape = tuple(shape)
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[a] for a in input_axes), math.prod(shape[a] for a in output_axes)
    if len(shape) < 2:
        return (math.prod(shape),) * 2
    taps = math.prod(shape[:-2])
    return taps * shape[-2], taps * shape[-1]


def _as_shape(shape):
    sizes = [as_integer(n) for n in (shape if hasattr(shape, "__iter__") else (shape,))]
    if any(n is None or n < 0 for n in sizes):
        raise ValueError(f"The shape of a weight is a tuple of sizes of 0 or more. Received: shape={shape!r}, build "
                         "the layer on an input whose sizes are known")
    return tuple(sizes)


def _as_dtype(dtype):
    try:
        return np.dtype(dtype or "float32")
    except TypeError:
        raise ValueError(f"A dtype is a name such as 'float32' or 'int32'. Received: dtype={dtype!r}, pass one of "
                         "these") from None


_CLASSES = (Constant, GlorotNormal, GlorotUniform, HeNormal, HeUniform, Identity, LecunNormal, LecunUniform, Ones,
            Orthogonal, RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling, Zeros)
_BY_NAME = {"IdentityInitializer": Identity, "OrthogonalInitializer": Orthogonal, "normal": RandomNormal,
            "uniform": RandomUniform, "one": Ones, "zero": Zeros}
for _class in _CLASSES:
    _BY_NAME[_class.__name__] = _BY_NAME[re.sub("(?<!^)([A-Z])", r"_\1", _class.__name__).lower()] = _class

constant, identity, ones, orthogonal, zeros = Constant, Identity, Ones, Orthogonal, Zeros
glorot_normal, glorot_uniform, he_normal, he_uniform = GlorotNormal, GlorotUniform, HeNormal, HeUniform
lecun_normal, lecun_uniform, random_normal, random_uniform = LecunNormal, LecunUniform, RandomNormal, RandomUniform
truncated_normal, variance_scaling = TruncatedNormal, VarianceScaling
IdentityInitializer, OrthogonalInitializer = Identity, Orthogonal


def serialize(initializer):
    """The initializer as a JSON-ready dict, in Keras's own form.

    Args:
        initializer: an `Initializer`, or a named function.

    Raises:
        ValueError: it is a lambda or a local object that no name leads back to.
    """
    if initializer is None:
        return None
    if hasattr(initializer, "get_config"):
        own = type(initializer) in _CLASSES
        return {"module": "keras.initializers" if own else None, "class_name": type(initializer).__name__,
                "config": initializer.get_config(), "registered_name": None if own else type(initializer).__name__}
    name = getattr(initializer, "__name__", "<lambda>")
    if not callable(initializer) or not name.isidentifier():
        raise ValueError("Only an Initializer or a named function can be saved. Received: "
                         f"{initializer!r}, write it as a subclass of Initializer with get_config")
    return {"module": "builtins", "class_name": "function", "config": name, "registered_name": "function"}


def deserialize(config, custom_objects=None):
    """The inverse of `serialize`. Classes come from cnncore or from `custom_objects`, never from a module's name.

    Args:
        config: dict with 'class_name' and 'config', or a name.
        custom_objects: dict from names to your own classes or functions.

    Raises:
        ValueError: the name is unknown, or the configuration does not fit its class.
    """
    if isinstance(config, str):
        config = {"class_name": config, "config": {}}
    known = {**_BY_NAME, **(custom_objects or {})}
    name, arguments = config.get("class_name"), config.get("config") or {}
    if name == "function":
        name = arguments
    if not isinstance(name, str) or name not in known:
        raise unknown_name("initializer", name, known, ", or pass it in custom_objects")
    found = known[name]
    if not inspect.isclass(found):
        return found
    try:
        return found.from_config(arguments)
    except TypeError as error:
        raise ValueError(f"The config of an initializer holds its constructor's arguments. Received: {arguments} for "
                         f"{name}, which says: {error}; correct the config") from None


def get(identifier):
    """Finds an initializer.

    Args:
        identifier: a name such as 'glorot_uniform' or 'GlorotUniform', a dict from `serialize`, an initializer or its
            class, a function `f(shape, dtype=None)`, an array or tensor of the weight's own values, or None.

    Returns:
        Something to call with (shape, dtype); None for None.

    Raises:
        ValueError: there is no such initializer.

    Example:
        >>> get("he_normal").scale
        2.0
    """
    if identifier is None:
        return None
    if isinstance(identifier, (str, dict)):
        return deserialize(identifier)
    if inspect.isclass(identifier):
        return identifier()
    if hasattr(identifier, "__array__") and hasattr(identifier, "shape"):
        return _of_values(identifier)
    if callable(identifier):
        return identifier
    raise ValueError("An initializer is a name, a dict, an Initializer, a function or an array. Received: "
                     f"{identifier!r}, pass for example 'glorot_uniform'")


def _of_values(values):
    def initialize(shape, dtype=None):
        from cnncore.tensor import Tensor

        array = np.asarray(values)
        if _as_shape(shape) != array.shape:
            raise ValueError("An array given as initializer has the weight's own shape. Received: array of shape "
                             f"{array.shape} for shape {tuple(shape)}, pass an array of that shape")
        return Tensor(array.astype(_as_dtype(dtype)), dtype=_as_dtype(dtype).name)

    initialize.__name__ = "<array>"  # no name leads back to these values, so it cannot be saved
    return initialize
