"""What nodes may make of constants alone: how many numbers, and what of lengths that are unknown until a model runs."""
import math

import numpy as np

BATCH = -(1 << 40)  # stands for the length of axis 0, and BATCH - i for that of axis i; nothing else is that negative
_AXES = 64
_MOST = 1 << 24


def check_size(shape):
    """Refuses to make an array of this shape, rather than fill the memory.

    Raises:
        ValueError: it is too large.
    """
    if math.prod(shape) > _MOST:
        raise ValueError(f"Constants that nodes make have at most {_MOST:,} numbers. Received: shape {tuple(shape)}")


# ---- lengths -----------------------------------------------------------------------------------------------------

_CARRIERS = {"Cast": [0], "Gather": [0], "Identity": [0], "Reshape": [0, 1], "Resize": [3], "Shape": [0], "Slice": [0],
             "Squeeze": [0], "Unsqueeze": [0]}  # and Concat: the inputs that may hold lengths that are unknown


def is_unknown(length):
    """Whether a number, or each of an array, stands for a length that is unknown."""
    return (length <= BATCH) & (length > BATCH - _AXES)


def lengths_of(shape):
    """A shape as numbers."""
    return np.array([BATCH - axis if n is None else n for axis, n in enumerate(shape)], "int64")


def check_lengths(kind, sources):
    """Nodes pass on lengths that are unknown to a Reshape or Resize; what is computed of them would be wrong.

    Raises:
        ValueError: this node would compute with them.
    """
    for place, x in enumerate(sources):
        if isinstance(x, np.ndarray) and x.dtype == "int64" and kind != "Concat" and place not in _CARRIERS.get(kind, ()):
            axes = (BATCH - x[is_unknown(x)]).tolist()
            if axes:
                which = "the batch" if axes[0] == 0 else f"axis {axes[0]}, which the file leaves open"
                raise ValueError(f"{kind} is read where the lengths that it computes with are known. Received: that of "
                                 f"{which}; export the model for images of one size, and without arithmetic on the batch")


# ---- memory ------------------------------------------------------------------------------------------------------

def _broadcast(attributes, *xs):
    return math.prod(np.broadcast_shapes(*(x.shape for x in xs)))


def _matmul(attributes, a, b):
    rows, columns = a.shape[-2:-1], b.shape[-1:] if b.ndim > 1 else ()
    return math.prod((*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), *rows, *columns))


def _gather(attributes, x, indices):
    axis = range(x.ndim)[attributes.get("axis", 0)]
    return np.size(indices) * math.prod((*x.shape[:axis], *x.shape[axis + 1:]))


def _pad(attributes, x, pads, fill=None, axes=None):
    lengths, pads = list(x.shape), np.ravel(pads).tolist()
    for i, axis in enumerate(range(x.ndim) if axes is None else np.ravel(axes).tolist()):
        lengths[axis] += max(pads[i], 0) + max(pads[i + len(pads) // 2], 0)
    return math.prod(lengths)


# How many numbers a node makes of constants, at most. Views of what there is have none of their own.
_SIZES = {
    **dict.fromkeys(["Identity", "Shape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze", "Dropout"],
                    lambda attributes, *xs: 0),
    **dict.fromkeys(["Add", "Sub", "Mul", "Div", "Pow", "Less", "Greater", "Equal", "LessOrEqual", "GreaterOrEqual",
                     "Where", "Max", "Min", "Sum"], _broadcast),
    **dict.fromkeys(["Cast", "Reshape", "Flatten", "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "Clip", "Shrink",
                     "Celu", "Relu", "LeakyRelu", "Elu", "HardSigmoid", "Gelu", "Softmax", "LogSoftmax", "Sigmoid", "Tanh",
                     "Softplus", "Softsign", "Exp", "Sqrt", "Abs", "Neg", "Log", "Erf", "Selu", "Reciprocal", "HardSwish",
                     "Mish"], lambda attributes, x, *more: x.size),
    "Concat": lambda attributes, *xs: sum(x.size for x in xs), "MatMul": _matmul, "Gather": _gather, "Pad": _pad,
    "Tile": lambda attributes, x, times: x.size * math.prod(np.ravel(times).tolist()),
}


class Allowance:
    """How many numbers the nodes of a file may still make of constants alone.

    Args:
        number_of_bytes: those of the file.
    """

    def __init__(self, number_of_bytes):
        self.most = self.left = 2 * number_of_bytes + _MOST  # eight times the file's own, where these are float32

    def spend(self, kind, attributes, sources):
        """Called before a node makes something of constants alone.

        Raises:
            ValueError: it would be too much, or the node is a layer, whose input comes from the model's.
        """
        if kind not in _SIZES:
            raise ValueError(f"{kind} is read for what comes from the inputs of the model. Received: constants alone; "
                             "simplify the file first, with onnxsim for instance")
        numbers = _SIZES[kind](attributes, *sources)
        self.left -= max(numbers, 0)
        if self.left < 0:
            raise ValueError(f"Constants that the nodes of this file make have at most {self.most:,} numbers in all. "
                             f"Received: {numbers:,} beyond that; the file was made to exhaust memory")
