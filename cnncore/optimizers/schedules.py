"""Learning rate schedules: functions of the number of steps taken, given to an optimizer as its learning_rate."""
import math

import numpy as np

from cnncore.tensor import convert
from cnncore.utils.identifiers import from_identifier

__all__ = ["CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseTimeDecay", "LearningRateSchedule",
           "PiecewiseConstantDecay", "PolynomialDecay", "deserialize", "serialize"]


class LearningRateSchedule:
    """Base of schedules.

    Subclass it and define `__call__(self, step)`, which returns the learning rate of a step, counted from 0, and
    `get_config`, if the optimizer is to be saved.

    Example:
        >>> class Falling(LearningRateSchedule):
        ...     def __call__(self, step):
        ...         return 0.1 / (step + 1)
        >>> Falling()(1)
        0.05
    """

    def __call__(self, step):
        raise NotImplementedError(f"{type(self).__name__} must define __call__(self, step)")

    def get_config(self):
        """The arguments that make an equal schedule."""
        raise NotImplementedError(f"{type(self).__name__} must define get_config to be saved")

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        return cls(**config)


class _Formula(LearningRateSchedule):
    """A schedule that is a formula on Python numbers; its arguments are attributes of the same names."""

    _arguments = ()

    def __call__(self, step):
        return convert(np.float32(self._rate(float(step))))

    def get_config(self):
        return {name: getattr(self, name) for name in self._arguments}

    def _check_steps(self, name):
        if not getattr(self, name) > 0:
            raise ValueError(f"The {name} of {type(self).__name__} is above 0. Received: {name}={getattr(self, name)!r}")


class ExponentialDecay(_Formula):
    """initial_learning_rate * decay_rate^(step / decay_steps).

    Args:
        initial_learning_rate: the first rate.
        decay_steps: number of steps in which the rate falls by `decay_rate`.
        decay_rate: factor.
        staircase: whether the rate falls at once after each `decay_steps` instead of smoothly.
        name: kept in the configuration.

    Raises:
        ValueError: `decay_steps` is not above 0.

    Example:
        >>> round(float(ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)(20)), 4)
        0.025
    """

    _arguments = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase", "name")

    def __init__(self, initial_learning_rate, decay_steps, decay_rate, staircase=False, name="ExponentialDecay"):
        self.initial_learning_rate, self.decay_steps, self.decay_rate = initial_learning_rate, decay_steps, decay_rate
        self.staircase, self.name = staircase, name
        self._check_steps("decay_steps")

    def _rate(self, step):
        times = step / self.decay_steps
        return self.initial_learning_rate * self.decay_rate ** (math.floor(times) if self.staircase else times)


class InverseTimeDecay(_Formula):
    """initial_learning_rate / (1 + decay_rate * step / decay_steps).

    Args:
        initial_learning_rate: the first rate.
        decay_steps: number of steps after which the divisor has grown by `decay_rate`.
        decay_rate: number.
        staircase: whether the rate falls at once after each `decay_steps` instead of smoothly.
        name: kept in the configuration.

    Raises:
        ValueError: `decay_steps` is not above 0.

    Example:
        >>> round(float(InverseTimeDecay(0.1, decay_steps=10, decay_rate=1.0)(10)), 4)
        0.05
    """

    _arguments = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase", "name")

    def __init__(self, initial_learning_rate, decay_steps, decay_rate, staircase=False, name="InverseTimeDecay"):
        self.initial_learning_rate, self.decay_steps, self.decay_rate = initial_learning_rate, decay_steps, decay_rate
        self.staircase, self.name = staircase, name
        self._check_steps("decay_steps")

    def _rate(self, step):
        times = step / self.decay_steps
        return self.initial_learning_rate / (1 + self.decay_rate * (math.floor(times) if self.staircase else times))


class PiecewiseConstantDecay(_Formula):
    """One rate up to and with each boundary, another after it.

    Args:
        boundaries: list of numbers of steps, rising.
        values: list of rates, one more than boundaries.
        name: kept in the configuration.

    Raises:
        ValueError: there is not one value more than boundaries.

    Example:
        >>> rate = PiecewiseConstantDecay([100, 200], [0.5, 0.25, 0.125])
        >>> [float(rate(step)) for step in (0, 100, 101, 300)]
        [0.5, 0.5, 0.25, 0.125]
    """

    _arguments = ("boundaries", "values", "name")

    def __init__(self, boundaries, values, name="PiecewiseConstant"):
        if len(boundaries) != len(values) - 1:
            raise ValueError("PiecewiseConstantDecay takes one value more than boundaries. Received: "
                             f"{len(boundaries)} boundaries and {len(values)} values")
        self.boundaries, self.values, self.name = boundaries, values, name

    def _rate(self, step):
        return float(self.values[sum(step > float(boundary) for boundary in self.boundaries)])


class PolynomialDecay(_Formula):
    """From one rate to another along a power: (first - last) * (1 - step / decay_steps)^power + last.

    Args:
        initial_learning_rate: the first rate.
        decay_steps: number of steps in which the last rate is reached.
        end_learning_rate: the last rate.
        power: number; 1 gives a line.
        cycle: whether the rate rises again after `decay_steps`, to fall in a longer time; otherwise it stays.
        name: kept in the configuration.

    Raises:
        ValueError: `decay_steps` is not above 0.

    Example:
        >>> round(float(PolynomialDecay(0.1, decay_steps=10, end_learning_rate=0.0)(5)), 4)
        0.05
    """

    _arguments = ("initial_learning_rate", "decay_steps", "end_learning_rate", "power", "cycle", "name")

    def __init__(self, initial_learning_rate, decay_steps, end_learning_rate=0.0001, power=1.0, cycle=False,
                 name="PolynomialDecay"):
        self.initial_learning_rate, self.decay_steps = initial_learning_rate, decay_steps
        self.end_learning_rate, self.power, self.cycle, self.name = end_learning_rate, power, cycle, name
        self._check_steps("decay_steps")

    def _rate(self, step):
        length = self.decay_steps * (max(1, math.ceil(step / self.decay_steps)) if self.cycle else 1)
        share = 1 - min(step, length) / length
        return (self.initial_learning_rate - self.end_learning_rate) * share**self.power + self.end_learning_rate


class CosineDecay(_Formula):
    """Along half a cosine from one rate to `alpha` times it, after a linear rise if wanted (Loshchilov and Hutter 2016).

    Args:
        initial_learning_rate: the first rate.
        decay_steps: number of steps in which the rate falls.
        alpha: the last rate, as a share of the highest.
        name: kept in the configuration.
        warmup_target: the highest rate, which is reached in `warmup_steps`; None for no rise.
        warmup_steps: number of steps before the fall.

    Raises:
        ValueError: `decay_steps` is not above 0.

    Example:
        >>> round(float(CosineDecay(0.1, decay_steps=10)(5)), 4)
        0.05
    """

    _arguments = ("initial_learning_rate", "decay_steps", "alpha", "name", "warmup_target", "warmup_steps")

    def __init__(self, initial_learning_rate, decay_steps, alpha=0.0, name="CosineDecay", warmup_target=None,
                 warmup_steps=0):
        self.initial_learning_rate, self.decay_steps, self.alpha = initial_learning_rate, decay_steps, alpha
        self.name, self.warmup_target, self.warmup_steps = name, warmup_target, warmup_steps
        self._check_steps("decay_steps")

    def _rate(self, step):
        first, top = self.initial_learning_rate, self.warmup_target
        if top is None:
            top = first
        elif step < self.warmup_steps:
            return first + (top - first) * step / self.warmup_steps
        else:
            step -= self.warmup_steps
        return top * _cosine(min(step, self.decay_steps) / self.decay_steps, self.alpha)


class CosineDecayRestarts(_Formula):
    """Half cosines one after another, each `t_mul` times as long as the one before (Loshchilov and Hutter 2016).

    Args:
        initial_learning_rate: the first rate.
        first_decay_steps: number of steps of the first fall.
        t_mul: factor of the length from one fall to the next.
        m_mul: factor of the highest rate from one fall to the next.
        alpha: the last rate of a fall, as a share of the first rate.
        name: kept in the configuration.

    Raises:
        ValueError: `first_decay_steps` is not above 0.

    Example:
        >>> rate = CosineDecayRestarts(0.1, first_decay_steps=10)
        >>> [round(float(rate(step)), 4) for step in (5, 10, 20, 30)]
        [0.05, 0.1, 0.05, 0.1]
    """

    def __init__(self, initial_learning_rate, first_decay_steps, t_mul=2.0, m_mul=1.0, alpha=0.0, name="SGDRDecay"):
        self.initial_learning_rate, self.first_decay_steps = initial_learning_rate, first_decay_steps
        self._t_mul, self._m_mul, self.alpha, self.name = t_mul, m_mul, alpha, name
        self._check_steps("first_decay_steps")

    def _rate(self, step):
        number, begin, length = 0, 0.0, float(self.first_decay_steps)
        if self._t_mul == 1:
            number = math.floor(step / length)
            begin = number * length
        else:
            while step >= begin + length and length > 0:
                number, begin, length = number + 1, begin + length, length * self._t_mul
        return self.initial_learning_rate * _cosine((step - begin) / length, self.alpha, self._m_mul**number)

    def get_config(self):
        return {"initial_learning_rate": self.initial_learning_rate, "first_decay_steps": self.first_decay_steps,
                "t_mul": self._t_mul, "m_mul": self._m_mul, "alpha": self.alpha, "name": self.name}


def _cosine(share, alpha, height=1.0):
    return (1 - alpha) * height * 0.5 * (1 + math.cos(math.pi * share)) + alpha


def serialize(learning_rate_schedule):
    """A schedule as a JSON-ready dict."""
    from cnncore.saving import serialize_keras_object

    return serialize_keras_object(learning_rate_schedule)


def deserialize(config, custom_objects=None):
    """The schedule that a dict from `serialize` stands for."""
    from cnncore.saving import deserialize_keras_object

    if isinstance(config, dict) and "module" not in config and config.get("class_name") in __all__:
        return from_identifier("schedule", config, {name: globals()[name] for name in __all__})
    return deserialize_keras_object(config, custom_objects)
