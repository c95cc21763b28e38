"""The dense layer's product: its shape rule, its forward and its backward."""
from cnncore import _core
from cnncore.op import Op, Spec, apply
from cnncore.ops.conv2d import behind_relu, on_tiles

FEWEST_ROWS = 8  # of a batch that repay splitting the weights for the matrix tiles


def depth_slots(batch, depth, units):
    """In how many fixed ranges the sum over depth is cut: long sums into a small output give too few tasks."""
    tasks = max(1, -(-batch // 256) * -(-units // 256))
    return max(1, min(16 // tasks, depth // 512))


def dw_rows(depth, units, tiles=False):
    """Rows of dw in a task: enough tasks to share, in whole tiles on every tier, and few enough to stay in the cache. 256
    are whole panels of dx where zeros are left out."""
    most = 192 if units <= 512 else 96
    if tiles:
        return max(32, min(most, -(-depth // 16 // 32) * 32))
    return max(24, min(256 if units <= 256 else most, -(-depth // 16 // 24) * 24))


def tiles_suit(batch, depth, units):
    """Whether the matrix tiles compute this faster than vectors do."""
    return on_tiles() and batch >= FEWEST_ROWS and depth >= 16 and units >= 8


class Dense(Op):
    """y = act(x @ w + b), x (n, k), w (k, u), b (u), y (n, u)."""

    masks_relu = True

    def __init__(self, activation=None):
        self.relu = activation == "relu"

    def outputs(self, x, w, b=None, *, keep):
        if len(x.shape) != 2 or len(w.shape) != 2 or x.shape[1] != w.shape[0]:
            raise ValueError("dense takes (batch, features) and weights (features, units). Received: shapes "
                             f"{x.shape} and {w.shape}")
        if b is not None and b.shape != (w.shape[1],):
            raise ValueError(f"dense's bias must have shape {(w.shape[1],)}. Received: {b.shape}")
        return [Spec((x.shape[0], w.shape[1]))]

    def forward(self, empty, inputs, outputs):
        x, w, b = inputs
        (y,) = outputs
        slots, tiles = depth_slots(x.shape[0], *w.shape), tiles_suit(x.shape[0], *w.shape)
        if slots == 1:
            return [_core.dense(x, w, b, y, relu=self.relu, tiles=tiles)]
        partial = empty((slots, *y.shape))
        return [_core.dense(x, w, None, y, partial, tiles=tiles), _core.dense_finish(partial, b, y, self.relu)]

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs, masked=False):
        x, w, b = inputs
        dx, dw, db = d_inputs
        dz, calls = behind_relu(empty, outputs[0], d_outputs[0], self.relu and not masked)
        if dw or db:
            calls += dw_calls(empty, x, w, dz, dw, db)
        if dx:
            calls.append(_core.dense_dx(dz, w, dx.buffer, dx.accumulate, x if dx.behind_relu else None,
                                        tiles_suit(x.shape[0], *w.shape)))
        return calls


def dw_calls(empty, x, w, dz, dw, db):
    """dw and db in one call where both are wanted alike; a gradient that is not wanted goes to working memory."""
    target = dw.buffer if dw else empty(w.shape)
    tiles = tiles_suit(x.shape[0], *w.shape)
    accumulate, rows = dw.accumulate if dw else False, dw_rows(*w.shape, tiles)
    if db is None or db.accumulate == accumulate:
        return [_core.dense_dw(x, dz, target, db and db.buffer, accumulate, rows, tiles)]
    spare = empty(w.shape)
    return [_core.dense_dw(x, dz, target, None, accumulate, rows, tiles),
            _core.dense_dw(x, dz, spare, db.buffer, db.accumulate, rows, tiles)]


def dense(x, w, b=None, activation=None):
    """x (n, k) times w (k, u) plus b (u), then `activation` None or 'relu'."""
    return apply(Dense(activation), x, w, b)
