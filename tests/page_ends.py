"""Runs layers on arrays of which each ends where a page ends, in front of a page that must not be touched.

    python tests/page_ends.py TIER [OPERATION...]
"""
import ctypes
import mmap
import sys

import layer_checks
import numpy as np
import reference
from case import Case
from cases import CASES
from op_table import OPS, fits

from cnncore import _core

CASES["dense"] = CASES["dense"] + [  # rows of weights that end in parts of vectors, before few and many samples
    Case(f"{batch}x70x{units}_{x}", {"x": (batch, 70), "w": (70, units), "b": (units,)}, {}, {"x": x})
    for batch in (1, 33, 100) for units in (1, 10, 16, 20, 31, 40, 70, 128, 257, 300, 521) for x in ("normal", "sparse")]


class AtPageEnd:
    """As layer_checks.Fenced: whatever is read or written behind the array ends the process."""

    def __init__(self, shape, dtype="float32", value=None):
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        pages = -(-size // mmap.PAGESIZE)
        self.memory = mmap.mmap(-1, (pages + 1) * mmap.PAGESIZE)
        everything = np.frombuffer(self.memory, np.uint8)
        end = pages * mmap.PAGESIZE
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.mprotect(ctypes.c_void_p(everything.ctypes.data + end), ctypes.c_size_t(mmap.PAGESIZE), 0) == 0
        array = everything[end - size:end].view(dtype).reshape(shape)
        array[...] = 0 if value is None else value
        self.buffer = _core.Buffer.wrap(array)

    def check(self):
        pass


def run(name, case, tier):
    arrays, op = list(case.arrays().values()), OPS[name](case)
    y = layer_checks.Run(op, arrays, tier=tier).y
    if not hasattr(reference, f"{name}_vjp"):
        return
    for dy in np.ones(y.shape, "float32"), np.arange(y.size, dtype="float32").reshape(y.shape) % 2:
        layer_checks.Run(op, arrays, dy, tier=tier)


if __name__ == "__main__":
    layer_checks.Fenced = AtPageEnd
    tier, *names = sys.argv[1:]
    for name in names or OPS:
        for case in CASES[name]:
            print(name, case.id, flush=True)
            if fits(name, case):
                run(name, case, tier)
    print("done")
