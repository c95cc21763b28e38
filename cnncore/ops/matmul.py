"""Matrix products."""
import math

import numpy as np

from cnncore.ops.dense import dense
from cnncore.ops.elementwise import cast
from cnncore.ops.movement import broadcast_to, getitem, reshape, stack
from cnncore.tensor import convert


def matmul(x1, x2):
    """The matrix product over the last two axes; axes in front broadcast."""
    a, b = cast(convert(x1), "float32"), cast(convert(x2), "float32")
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError(f"matmul takes arrays of at least one axis. Received: shapes {a.shape} and {b.shape}")
    if a.ndim == 1:
        y = matmul(reshape(a, (1, -1)), b)
        return reshape(y, y.shape[:-2] + y.shape[-1:])
    if b.ndim == 1:
        y = matmul(a, reshape(b, (-1, 1)))
        return reshape(y, y.shape[:-1])
    if a.shape[-1] != b.shape[-2]:
        raise ValueError(f"matmul needs as many columns on the left as rows on the right. Received: shapes {a.shape} "
                         f"and {b.shape}")
    if b.ndim == 2:
        y = dense(reshape(a, (math.prod(a.shape[:-1]), a.shape[-1])), b)
        return reshape(y, (*a.shape[:-1], b.shape[-1]))
    front = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = broadcast_to(a, front + a.shape[-2:]), broadcast_to(b, front + b.shape[-2:])
    count = math.prod(front)
    a, b = reshape(a, (count, *a.shape[-2:])), reshape(b, (count, *b.shape[-2:]))
    y = stack([dense(getitem(a, i), getitem(b, i)) for i in range(count)])
    return reshape(y, (*front, *y.shape[-2:]))
