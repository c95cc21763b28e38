"""Runs one op forward and backward on a tier and a number of threads, every array NaN-filled and fenced by guards."""
import numpy as np

from cnncore import _core
from cnncore.op import Grad

TIERS = _core.tiers_here()
THREADS = (1, 2, 3)
GUARD = 64


class Fenced:
    """An array between guard bytes, filled with NaN or, where the dtype has none, with 119."""

    def __init__(self, shape, dtype="float32", value=None):
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        self.bytes = np.full(size + 2 * GUARD + 64, 0xA5, np.uint8)
        start = GUARD + -(self.bytes.ctypes.data + GUARD) % 16
        self.fence = np.ones(self.bytes.shape, bool)
        self.fence[start:start + size] = False
        self.array = self.bytes[start:start + size].view(dtype).reshape(shape)
        if value is not None:
            self.array[...] = value
        else:
            self.array[...] = np.nan if np.dtype(dtype).kind == "f" else 119
        self.buffer = _core.Buffer.wrap(self.array)

    def check(self):
        assert (self.bytes[self.fence] == 0xA5).all(), "a kernel wrote outside its array"


class Run:
    """The arrays of one run of an op.

    Args:
        op: an Op.
        inputs: arrays, or None for an absent one; written in place where the op does so, else left alone.
        dy: the gradient of the visible output; None runs only the forward without keeping anything.
        wanted: which inputs get a gradient; all float32 ones by default.
        behind_relu: whether the first input is a ReLU's output whose gradient is wanted behind it.
        before: what the gradients are added to, an array for each input; None overwrites.
    Attributes:
        inputs, outputs, grads: lists of arrays after the run; y is outputs[0].
    """

    def __init__(self, op, inputs, dy=None, wanted=None, before=None, behind_relu=False, tier=TIERS[-1],
                 threads=1):
        self.fences = []
        tier_before, threads_before = _core.tier(), _core.threads()
        _core.use_tier(tier)
        _core.set_threads(threads)
        try:
            self._run(op, inputs, dy, wanted, before, behind_relu)
        finally:
            _core.use_tier(tier_before)
            _core.set_threads(threads_before)
        for fence in self.fences:
            fence.check()
        self.y = self.outputs[0]

    def _empty(self, shape, dtype="float32", value=None):
        self.fences.append(Fenced(shape, dtype, value))
        return self.fences[-1].buffer

    def _run(self, op, inputs, dy, wanted, before, behind_relu):
        given = [None if a is None else self._empty(a.shape, a.dtype.name, a) for a in inputs]
        specs = op.outputs(*given, keep=dy is not None)
        outputs = [self._empty(*spec) for spec in specs]
        _core.run_now(op.forward(self._empty, given, outputs))
        self.inputs = [None if b is None else b.numpy() for b in given]
        self.outputs = [b.numpy() for b in outputs]
        self.grads = []
        if dy is None:
            return
        if wanted is None:
            wanted = [a is not None and a.dtype == np.float32 for a in inputs]
        grads = [None] * len(inputs)
        for i in range(len(inputs)):
            if wanted[i]:
                buffer = self._empty(inputs[i].shape, value=None if before is None else before[i])
                grads[i] = Grad(buffer, before is not None, behind_relu and i == 0)
        _core.run_now(op.backward(self._empty, given, outputs, [self._empty(dy.shape, value=dy)], grads))
        self.grads = [None if g is None else g.buffer.numpy() for g in grads]


def same_bits(a, b):
    """Whether two arrays are equal to the bit, NaNs included."""
    return a is b or a.tobytes() == b.tobytes()


def relative_error(got, wanted):
    """The relative L2 error, 0 for two empty or zero arrays."""
    got, wanted = np.asarray(got, np.float64), np.asarray(wanted, np.float64)
    assert got.shape == wanted.shape
    norm = np.linalg.norm(wanted)
    return np.linalg.norm(got - wanted) / norm if norm else np.linalg.norm(got)


def normal(seed, shape):
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
