"""Case: the operands and options of one call of an op, with which its tests run."""

import zlib
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Case:
    """Operands and options of one call: `op(*case.arrays().values(), **case.options)`.

    Attributes:
        id: unique name among the op's cases.
        shapes: operand name to shape, in the order of the op's signature; None for an operand that is absent.
        options: the other arguments, by name.
        kinds: operand name to what fills it, where that is not "normal": "positive" (0.5 and more), "sparse" (about two
            thirds zeros), "mask" (bool, about a quarter False), "probabilities" (rows that sum to 1), "unit" (0 to 1), or
            an int n (labels 0 to n - 1).
    """

    id: str
    shapes: dict
    options: dict = field(default_factory=dict)
    kinds: dict = field(default_factory=dict)

    @property
    def differentiable(self):
        """Names of the operands that have a gradient, in order."""
        kinds = {name: self.kinds.get(name, "normal") for name, shape in self.shapes.items() if shape is not None}
        return [name for name, kind in kinds.items() if kind in ("normal", "positive", "sparse")]

    def arrays(self, integers=False):
        """Returns operand name to array (float32, int32 or bool), the same at every call; None where absent.

        With `integers` the floating-point operands hold whole numbers from -4 to 4, so that sums of products are exact
        in float32 and any order of adding gives the same bits.
        """
        rng = np.random.default_rng(zlib.crc32(f"{self.id} {self.shapes}".encode()))
        return {
            name: None if shape is None else np.asarray(_fill(rng, shape, self.kinds.get(name, "normal"), integers))
            for name, shape in self.shapes.items()
        }


def _fill(rng, shape, kind, integers):
    if isinstance(kind, int):
        return rng.integers(0, kind, shape, dtype=np.int32)
    if kind == "mask":
        return rng.random(shape) > 0.25
    if kind == "probabilities":
        rows = rng.random(shape, dtype=np.float32) + np.float32(0.01)
        return rows / rows.sum(-1, keepdims=True, dtype=np.float32)
    if kind == "unit":
        return rng.random(shape, dtype=np.float32)
    if kind == "sparse":
        return _fill(rng, shape, "normal", integers) * (rng.random(shape) > 0.65)
    if integers:
        return rng.integers(1 if kind == "positive" else -4, 5, shape).astype(np.float32)
    values = rng.standard_normal(shape, dtype=np.float32)
    return np.abs(values) + np.float32(0.5) if kind == "positive" else values
