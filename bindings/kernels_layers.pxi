# Pooling, batch normalization, dropout, optimizers and input: one function per kernel fills its struct.

# ---- pooling -------------------------------------------------------------------------------------------------------

cdef int _pool_window(cnn_window *g, Buffer x, Buffer y, pool, strides, pads) except -1:
    """Fills the geometry of pooling from the shapes of x (or dx) and y (or dy)."""
    if len(x.shape) != 4 or y.shape != x.shape[:1] + y.shape[1:3] + x.shape[3:]:
        raise ValueError(f"Pooling keeps the batch and the channels. Received: {x} and {y}")
    _window(g, x, tuple(pool), y, strides, (1, 1), pads)
    for length, out, kernel, stride, pad in zip(x.shape[1:3], y.shape[1:3], pool, strides, pads):
        if not (0 <= pad < kernel and stride > 0 and (out - 1) * stride - pad < length):
            raise ValueError(f"Every window must meet the image. Received: {x} and {y}, pool {pool}, strides {strides}")
    return 0


def position_dtype(pool):
    """The dtype that holds a position in a window."""
    return "uint8" if pool[0] * pool[1] <= 256 else "int32"


def max_pool2d(Buffer x, Buffer y, Buffer position, pool, strides, pads):
    cdef Call call = Call(CNN_max_pool2d)
    cdef cnn_max_pool2d_args *a = <cnn_max_pool2d_args *> call.args
    _pool_window(&a.window, x, y, pool, strides, pads)
    call.reads(&a.x, x)
    call.writes(&a.y, y)
    return call.writes(&a.position, position, y.shape, position_dtype(pool))


def max_pool2d_dx(Buffer dy, Buffer position, Buffer y, Buffer dx, pool, strides, pads, bint accumulate):
    """y is None unless the gradient is wanted behind the ReLU that x came from."""
    cdef Call call = Call(CNN_max_pool2d_dx)
    cdef cnn_max_pool2d_dx_args *a = <cnn_max_pool2d_dx_args *> call.args
    _pool_window(&a.window, dx, dy, pool, strides, pads)
    a.accumulate = accumulate
    call.reads(&a.dy, dy)
    call.reads(&a.position, position, dy.shape, position_dtype(pool))
    call.reads(&a.y, y, dy.shape)
    return call.writes(&a.dx, dx)


def avg_pool2d(Buffer x, Buffer y, pool, strides, pads):
    cdef Call call = Call(CNN_avg_pool2d)
    cdef cnn_avg_pool2d_args *a = <cnn_avg_pool2d_args *> call.args
    _pool_window(&a.window, x, y, pool, strides, pads)
    call.reads(&a.x, x)
    return call.writes(&a.y, y)


def avg_pool2d_dx(Buffer dy, Buffer behind, Buffer dx, pool, strides, pads, bint accumulate):
    """behind is x where that is a ReLU's output and the gradient is wanted behind it, else None."""
    cdef Call call = Call(CNN_avg_pool2d_dx)
    cdef cnn_avg_pool2d_dx_args *a = <cnn_avg_pool2d_dx_args *> call.args
    _pool_window(&a.window, dx, dy, pool, strides, pads)
    a.accumulate = accumulate
    call.reads(&a.dy, dy)
    call.reads(&a.behind, behind, dx.shape)
    return call.writes(&a.dx, dx)


cdef tuple _image_rows(Buffer x):
    """(batch, rows of an image, channels) of an array whose last axis is the channels."""
    cdef int64_t rows = 1
    cdef int last = len(x.shape) - 1, axis
    if last < 1:
        raise ValueError(f"Images have a batch axis and a channel axis. Received: {x}")
    for axis in range(1, last):
        rows *= <int64_t> x.shape[axis]
    return x.shape[0], rows, x.shape[last]


def global_max_pool2d(Buffer x, Buffer y, Buffer position):
    cdef Call call = Call(CNN_global_max_pool2d)
    cdef cnn_global_max_pool2d_args *a = <cnn_global_max_pool2d_args *> call.args
    a.batch, a.pixels, a.channels = _image_rows(x)
    call.reads(&a.x, x)
    call.writes(&a.y, y, (a.batch, a.channels))
    return call.writes(&a.position, position, (a.batch, a.channels), "int32")


def global_max_pool2d_dx(Buffer dy, Buffer position, Buffer y, Buffer dx, bint accumulate):
    cdef Call call = Call(CNN_global_max_pool2d_dx)
    cdef cnn_global_max_pool2d_dx_args *a = <cnn_global_max_pool2d_dx_args *> call.args
    a.batch, a.pixels, a.channels = _image_rows(dx)
    a.accumulate = accumulate
    call.reads(&a.dy, dy, (a.batch, a.channels))
    call.reads(&a.position, position, (a.batch, a.channels), "int32")
    call.reads(&a.y, y, (a.batch, a.channels))
    return call.writes(&a.dx, dx)


def global_avg_pool2d(Buffer x, Buffer y):
    cdef Call call = Call(CNN_global_avg_pool2d)
    cdef cnn_global_avg_pool2d_args *a = <cnn_global_avg_pool2d_args *> call.args
    a.batch, a.pixels, a.channels = _image_rows(x)
    call.reads(&a.x, x)
    return call.writes(&a.y, y, (a.batch, a.channels))


def global_avg_pool2d_dx(Buffer dy, Buffer behind, Buffer dx, bint accumulate):
    cdef Call call = Call(CNN_global_avg_pool2d_dx)
    cdef cnn_global_avg_pool2d_dx_args *a = <cnn_global_avg_pool2d_dx_args *> call.args
    a.batch, a.pixels, a.channels = _image_rows(dx)
    a.accumulate = accumulate
    call.reads(&a.dy, dy, (a.batch, a.channels))
    call.reads(&a.behind, behind, dx.shape)
    return call.writes(&a.dx, dx)


# ---- batch normalization -------------------------------------------------------------------------------------------

cdef tuple _bn_cut(cnn_bn_cut *cut, Buffer x, int64_t task_rows, int64_t task_slot):
    """Fills the cut of x's rows into tasks and slots; returns the shape of the slots."""
    batch, rows, channels = _image_rows(x)
    if task_rows < 1 or task_slot < 1:
        raise ValueError(f"A task has rows and a slot has tasks. Received: {task_rows}, {task_slot}")
    cut.rows, cut.channels = batch * rows, channels
    cut.task_rows, cut.task_slot = task_rows, task_slot
    cut.per_image = task_rows == rows
    return -(-cut.rows // (task_rows * task_slot)), 2, channels


def bn_stats(Buffer x, Buffer slots, int64_t task_rows, int64_t task_slot):
    cdef Call call = Call(CNN_bn_stats)
    cdef cnn_bn_stats_args *a = <cnn_bn_stats_args *> call.args
    shape = _bn_cut(&a.cut, x, task_rows, task_slot)
    call.reads(&a.x, x)
    return call.writes(&a.slots, slots, shape, "float64")


def bn_finish(Buffer x, Buffer slots, Buffer gamma, Buffer beta, Buffer moving_mean, Buffer moving_variance,
              Buffer mean, Buffer rstd, Buffer scale, Buffer shift, int64_t task_rows, int64_t task_slot,
              double momentum, double epsilon):
    """Of x only the shape is used."""
    cdef Call call = Call(CNN_bn_finish)
    cdef cnn_bn_finish_args *a = <cnn_bn_finish_args *> call.args
    shape = _bn_cut(&a.cut, x, task_rows, task_slot)
    channels = shape[2:]
    a.momentum, a.epsilon = momentum, epsilon
    call.writes(&a.slots, slots, shape, "float64")
    call.reads(&a.gamma, gamma, channels)
    call.reads(&a.beta, beta, channels)
    call.writes(&a.moving_mean, moving_mean, channels)
    call.writes(&a.moving_variance, moving_variance, channels)
    call.writes(&a.mean, mean, channels)
    call.writes(&a.rstd, rstd, channels)
    call.writes(&a.scale, scale, channels)
    return call.writes(&a.shift, shift, channels)


def bn_fold(Buffer gamma, Buffer beta, Buffer variance, Buffer rstd, Buffer scale, Buffer shift, double epsilon):
    cdef Call call = Call(CNN_bn_fold)
    cdef cnn_bn_fold_args *a = <cnn_bn_fold_args *> call.args
    channels = (variance.size,)
    a.channels, a.epsilon = variance.size, epsilon
    call.reads(&a.gamma, gamma, channels)
    call.reads(&a.beta, beta, channels)
    call.reads(&a.variance, variance, channels)
    call.writes(&a.rstd, rstd, channels)
    call.writes(&a.scale, scale, channels)
    return call.writes(&a.shift, shift, channels)


def bn_apply(Buffer x, Buffer mean, Buffer scale, Buffer shift, Buffer y, bint relu=False):
    cdef Call call = Call(CNN_bn_apply)
    cdef cnn_bn_apply_args *a = <cnn_bn_apply_args *> call.args
    a.batch, a.rows, a.channels = _image_rows(x)
    a.activation = relu
    call.reads(&a.x, x)
    call.reads(&a.mean, mean, (a.channels,))
    call.reads(&a.scale, scale, (a.channels,))
    call.reads(&a.shift, shift, (a.channels,))
    return call.writes(&a.y, y, x.shape)


def bn_dstats(Buffer x, Buffer y, Buffer dy, Buffer mean, Buffer slots, int64_t task_rows, int64_t task_slot):
    """y is None where no ReLU followed."""
    cdef Call call = Call(CNN_bn_dstats)
    cdef cnn_bn_dstats_args *a = <cnn_bn_dstats_args *> call.args
    shape = _bn_cut(&a.cut, x, task_rows, task_slot)
    call.reads(&a.x, x)
    call.reads(&a.y, y, x.shape)
    call.reads(&a.dy, dy, x.shape)
    call.reads(&a.mean, mean, shape[2:])
    return call.writes(&a.slots, slots, shape, "float64")


def bn_dfinish(Buffer x, Buffer slots, Buffer gamma, Buffer rstd, Buffer dgamma, Buffer dbeta, Buffer coef,
               int64_t task_rows, int64_t task_slot, bint accumulate_dgamma, bint accumulate_dbeta):
    """Of x only the shape is used."""
    cdef Call call = Call(CNN_bn_dfinish)
    cdef cnn_bn_dfinish_args *a = <cnn_bn_dfinish_args *> call.args
    shape = _bn_cut(&a.cut, x, task_rows, task_slot)
    channels = shape[2:]
    a.accumulate_dgamma, a.accumulate_dbeta = accumulate_dgamma, accumulate_dbeta
    call.writes(&a.slots, slots, shape, "float64")
    call.reads(&a.gamma, gamma, channels)
    call.reads(&a.rstd, rstd, channels)
    call.writes(&a.dgamma, dgamma, channels)
    call.writes(&a.dbeta, dbeta, channels)
    return call.writes(&a.coef, coef, (3,) + channels)


def bn_dx(Buffer x, Buffer y, Buffer dy, Buffer mean, Buffer coef, Buffer behind, Buffer dx, bint accumulate):
    """x is None where mean and variance did not depend on it, y where no ReLU followed or dy is masked already, behind
    unless x is a ReLU's output and the gradient is wanted behind it."""
    cdef Call call = Call(CNN_bn_dx)
    cdef cnn_bn_dx_args *a = <cnn_bn_dx_args *> call.args
    a.batch, a.rows, a.channels = _image_rows(dx)
    a.accumulate = accumulate
    call.reads(&a.x, x, dx.shape)
    call.reads(&a.y, y, dx.shape)
    call.reads(&a.dy, dy, dx.shape)
    if x is not None:
        call.reads(&a.mean, mean, (a.channels,))
    call.reads(&a.coef, coef, (3, a.channels))
    call.reads(&a.behind, behind, dx.shape)
    return call.writes(&a.dx, dx)


# ---- dropout -------------------------------------------------------------------------------------------------------

def dropout(Buffer x, Buffer state, Buffer y, Buffer mask, uint32_t drop, float scale):
    cdef Call call = Call(CNN_dropout)
    cdef cnn_dropout_args *a = <cnn_dropout_args *> call.args
    a.batch = x.shape[0] if x.shape else 1
    a.image_size = x.size // max(a.batch, 1)
    a.drop, a.scale = drop, scale
    call.reads(&a.x, x)
    call.reads(&a.state, state, (2,), "uint64")
    call.writes(&a.y, y, x.shape)
    return call.writes(&a.mask, mask, x.shape, "uint8")


def dropout_dx(Buffer dy, Buffer mask, Buffer behind, Buffer dx, float scale, bint accumulate):
    cdef Call call = Call(CNN_dropout_dx)
    cdef cnn_dropout_dx_args *a = <cnn_dropout_dx_args *> call.args
    a.batch = dx.shape[0] if dx.shape else 1
    a.image_size = dx.size // max(a.batch, 1)
    a.scale, a.accumulate = scale, accumulate
    call.reads(&a.dy, dy, dx.shape)
    call.reads(&a.mask, mask, dx.shape, "uint8")
    call.reads(&a.behind, behind, dx.shape)
    return call.writes(&a.dx, dx)


def increment(Buffer value, int64_t by=1):
    """Adds to the one int64 or uint64 of a buffer."""
    cdef Call call = Call(CNN_increment)
    cdef cnn_increment_args *a = <cnn_increment_args *> call.args
    if value.size != 1:
        raise ValueError(f"increment changes one number. Received: {value}")
    a.by = by
    return call.writes(&a.value, value, None, "uint64" if value.dtype == "uint64" else "int64")


# ---- optimizers ----------------------------------------------------------------------------------------------------

DEF UPDATE_CHUNK = 16384


def sgd(Buffer w, Buffer g, Buffer velocity, Buffer lr, float momentum=0.0, bint nesterov=False):
    cdef Call call = Call(CNN_sgd)
    cdef cnn_sgd_args *a = <cnn_sgd_args *> call.args
    a.size, a.chunk, a.momentum, a.nesterov = w.size, UPDATE_CHUNK, momentum, nesterov
    call.writes(&a.w, w)
    call.reads(&a.g, g, w.shape)
    call.writes(&a.velocity, velocity, w.shape)
    return call.reads(&a.lr, lr, ())


def adam(Buffer w, Buffer g, Buffer m, Buffer v, Buffer step, Buffer lr, double beta1, double beta2, float epsilon):
    cdef Call call = Call(CNN_adam)
    cdef cnn_adam_args *a = <cnn_adam_args *> call.args
    a.size, a.chunk, a.beta1, a.beta2, a.epsilon = w.size, UPDATE_CHUNK, beta1, beta2, epsilon
    call.writes(&a.w, w)
    call.reads(&a.g, g, w.shape)
    call.writes(&a.m, m, w.shape)
    call.writes(&a.v, v, w.shape)
    call.reads(&a.lr, lr, ())
    return call.reads(&a.step, step, (), "int64")


_UPDATES = {"rmsprop": (CNN_RMSPROP, 1, 1), "adagrad": (CNN_ADAGRAD, 1, 1), "adadelta": (CNN_ADADELTA, 2, 1),
            "adamax": (CNN_ADAMAX, 2, 1), "nadam": (CNN_NADAM, 2, 3), "lion": (CNN_LION, 1, 1)}


def update(str kind, Buffer w, Buffer g, Buffer a, Buffer b, Buffer rates, double k1=0.0, double k2=0.0,
           float epsilon=0.0):
    """One step of the optimizer `kind`; `b` is None where it keeps one thing."""
    cdef Call call = Call(CNN_update)
    cdef cnn_update_args *args = <cnn_update_args *> call.args
    number, keeps, changing = _UPDATES[kind]
    if (b is None) != (keeps == 1) and not (kind == "rmsprop" and b is not None):
        raise ValueError(f"update needs {keeps} buffer(s) that {kind} keeps. Received: b={b}")
    args.kind, args.size, args.chunk = number, w.size, UPDATE_CHUNK
    args.k1, args.k2, args.epsilon = k1, k2, epsilon
    call.writes(&args.w, w)
    call.reads(&args.g, g, w.shape)
    call.writes(&args.a, a, w.shape)
    call.writes(&args.b, b, w.shape)
    return call.reads(&args.rates, rates, (3,) if changing == 3 else ())


# ---- input ---------------------------------------------------------------------------------------------------------

_GATHER_FROM = {"bool": CNN_FROM_UINT8, "uint8": CNN_FROM_UINT8, "int8": CNN_FROM_INT8, "uint16": CNN_FROM_UINT16,
                "int16": CNN_FROM_INT16, "uint32": CNN_FROM_UINT32, "int32": CNN_FROM_INT32,
                "uint64": CNN_FROM_UINT64, "int64": CNN_FROM_INT64, "float16": CNN_FROM_FLOAT16,
                "float32": CNN_FROM_FLOAT32, "float64": CNN_FROM_FLOAT64}


def gather_rows(Buffer source, Buffer index, Buffer out, Buffer start=None):
    cdef Call call = Call(CNN_gather_rows)
    cdef cnn_gather_rows_args *a = <cnn_gather_rows_args *> call.args
    a.rows = out.shape[0]
    a.row_size = out.size // max(a.rows, 1)
    a.to_int = out.dtype == "int32"
    a.from_dtype = _GATHER_FROM[source.dtype]
    if source.shape[1:] != out.shape[1:]:
        raise ValueError(f"gather_rows copies whole rows. Received: {source} into {out}")
    if index.size < a.rows:
        raise ValueError(f"gather_rows needs an index for each row. Received: {index} for {out}")
    call.reads(&a.source, source, None, source.dtype)
    call.reads(&a.index, index, None, "int64")
    call.reads(&a.start, start, (), "int64")
    return call.writes(&a.out, out, None, "int32" if a.to_int else "float32")
