"""InputSpec: what a layer takes, in a form that it checks."""
from cnncore.nest import flatten


class InputSpec:
    """The number of axes, lengths and dtype that a layer takes; a layer of one's own sets it as `self.input_spec`.

    Args:
        dtype: dtype that inputs have; None takes any.
        shape: tuple of lengths, None for an axis of any length.
        ndim, max_ndim, min_ndim: number of axes, the largest and the smallest.
        axes: dict from axes to the lengths that they have.
        allow_last_axis_squeeze: whether an axis of length 1 at the end may be missing, or too many.
        name: key of the input, where a layer takes a dict.
        optional: whether None stands for an input that is not given.

    Raises:
        TypeError: `axes` is no dict of whole numbers.
        ValueError: `axes` names an axis that the number of axes rules out.

    Example:
        >>> InputSpec(ndim=4, axes={-1: 3})
        InputSpec(ndim=4, axes={-1: 3})
    """

    def __init__(self, dtype=None, shape=None, ndim=None, max_ndim=None, min_ndim=None, axes=None,
                 allow_last_axis_squeeze=False, name=None, optional=False):
        self.dtype = getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or dtype
        self.shape = None if shape is None else tuple(shape)
        self.ndim = ndim if shape is None else len(self.shape)
        self.max_ndim, self.min_ndim = max_ndim, min_ndim
        self.name, self.optional, self.allow_last_axis_squeeze = name, optional, allow_last_axis_squeeze
        try:
            self.axes = {int(axis): length for axis, length in dict(axes or {}).items()}
        except (TypeError, ValueError):
            raise TypeError("The axes of an InputSpec are a dict from whole numbers to lengths. Received: "
                            f"axes={axes!r}") from None
        most = self.ndim or self.max_ndim
        if self.axes and most is not None and max(self.axes) > most - 1:
            raise ValueError(f"The axes of an InputSpec of {most} axes go up to {most - 1}. Received: axes={axes!r}")

    def __repr__(self):
        shown = [f"{name}={getattr(self, name)}" for name in ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes")
                 if getattr(self, name)]
        return f"InputSpec({', '.join(shown)})"

    def get_config(self):
        """The arguments that make an equal one."""
        return {"dtype": self.dtype, "shape": self.shape, "ndim": self.ndim, "max_ndim": self.max_ndim,
                "min_ndim": self.min_ndim, "axes": self.axes, "optional": self.optional}

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        return cls(**config)

    def misfit(self, shape, dtype):
        """What this asks for and an input of this shape, None for unknown lengths, does not have; None where it fits."""
        ndim = len(shape)
        if self.ndim is not None and ndim != self.ndim and not self.allow_last_axis_squeeze:
            return f"of {self.ndim} axes"
        if self.max_ndim is not None and ndim > self.max_ndim:
            return f"of at most {self.max_ndim} axes"
        if self.min_ndim is not None and ndim < self.min_ndim:
            return f"of at least {self.min_ndim} axes"
        if self.dtype is not None and dtype != self.dtype:
            return f"of dtype {self.dtype}"
        for axis, length in self.axes.items():
            if length is not None and (not -ndim <= axis < ndim or shape[axis] not in (length, None)):
                return f"whose axis {axis} has length {length}"
        wanted = self.shape or ()
        if self.allow_last_axis_squeeze:
            wanted, shape = (part[:-1] if part and part[-1] == 1 else part for part in (wanted, tuple(shape)))
        if any(None not in pair and pair[0] != pair[1] for pair in zip(wanted, shape)):
            return f"of shape {self.shape}"
        return None


def check_inputs(layer, specs, inputs):
    """Raises ValueError where inputs, an array or a nest of them, are not what a layer's `input_spec` says."""
    specs = flatten(specs)
    if isinstance(inputs, dict) and all(spec.name for spec in specs):
        missing = [spec.name for spec in specs if spec.name not in inputs]
        if missing:
            raise ValueError(f"{layer._described()} takes a dict with the keys {[spec.name for spec in specs]}. Received: "
                             f"keys {list(inputs)}, without {missing}")
        inputs = [inputs[spec.name] for spec in specs]
    inputs = flatten(inputs)
    if len(inputs) != len(specs):
        raise ValueError(f"{layer._described()} takes {len(specs)} input(s). Received: {len(inputs)}")
    for spec, x in zip(specs, inputs, strict=True):
        if spec is None or (x is None and spec.optional):
            continue
        if not hasattr(x, "shape"):
            raise ValueError(f"{layer._described()} takes arrays and tensors. Received: {x!r:.200}")
        misfit = spec.misfit(tuple(x.shape), x.dtype)
        if misfit is not None:
            raise ValueError(f"{layer._described()} takes an input {misfit}. Received: shape {tuple(x.shape)}, {x.dtype}")
