# The kernels of csrc/contracts/images.h: random numbers, affine transformations, places of pixels, resizing.


def random_uniform(Buffer state, Buffer y, float low, float high):
    cdef Call call = Call(CNN_random_uniform)
    cdef cnn_random_uniform_args *a = <cnn_random_uniform_args *> call.args
    a.size, a.low, a.high = y.size, low, high
    call.reads(&a.state, state, (2,), "uint64")
    return call.writes(&a.y, y)


def random_log_gamma(Buffer state, Buffer alpha, Buffer y):
    cdef Call call = Call(CNN_random_log_gamma)
    cdef cnn_random_log_gamma_args *a = <cnn_random_log_gamma_args *> call.args
    if alpha.size != 1 and alpha.size != y.size:
        raise ValueError(f"random_log_gamma takes one alpha, or one for each number. Received: {alpha} for {y}")
    a.size, a.alphas = y.size, alpha.size
    call.reads(&a.state, state, (2,), "uint64")
    call.reads(&a.alpha, alpha)
    return call.writes(&a.y, y)


FILLS = {"constant": CNN_FILL_CONSTANT, "nearest": CNN_FILL_NEAREST, "reflect": CNN_FILL_REFLECT,
         "mirror": CNN_FILL_MIRROR, "wrap": CNN_FILL_WRAP, "grid-constant": CNN_FILL_GRID_CONSTANT,
         "grid-wrap": CNN_FILL_GRID_WRAP}


cdef int _affine_shapes(Buffer x, Buffer y, int order) except -1:
    if len(x.shape) != 4 or len(y.shape) != 4 or x.shape[0] != y.shape[0] or x.shape[3] != y.shape[3]:
        raise ValueError(f"affine takes images to images of one batch and as many channels. Received: {x} to {y}")
    if not 0 <= order <= 5:
        raise ValueError(f"affine interpolates with an order from 0 to 5. Received: order={order}")
    if not x.shape[1] or not x.shape[2]:
        raise ValueError(f"affine takes images of at least one pixel. Received: {x}")
    return 0


def affine(Buffer x, Buffer transform, Buffer y, int order, str fill, float fill_value):
    cdef Call call = Call(CNN_affine)
    cdef cnn_affine_args *a = <cnn_affine_args *> call.args
    _affine_shapes(x, y, order)
    a.batch, a.in_h, a.in_w, a.channels = x.shape
    a.out_h, a.out_w = y.shape[1:3]
    a.order, a.fill, a.fill_value = order, FILLS[fill], fill_value
    call.reads(&a.x, x)
    call.reads(&a.transform, transform, (a.batch, 6), "float64")
    return call.writes(&a.y, y)


def affine_dx(Buffer dy, Buffer transform, Buffer dx, int order, str fill, bint accumulate):
    cdef Call call = Call(CNN_affine_dx)
    cdef cnn_affine_dx_args *a = <cnn_affine_dx_args *> call.args
    _affine_shapes(dx, dy, order)
    a.batch, a.in_h, a.in_w, a.channels = dx.shape
    a.out_h, a.out_w = dy.shape[1:3]
    a.order, a.fill, a.accumulate = order, FILLS[fill], accumulate
    call.reads(&a.dy, dy)
    call.reads(&a.transform, transform, (a.batch, 6), "float64")
    return call.writes(&a.dx, dx)


def sample(Buffer x, Buffer place, Buffer y, int order, str fill, float fill_value):
    cdef Call call = Call(CNN_sample)
    cdef cnn_sample_args *a = <cnn_sample_args *> call.args
    _affine_shapes(x, y, order)
    a.batch, a.in_h, a.in_w, a.channels = x.shape
    a.out_h, a.out_w = y.shape[1:3]
    a.order, a.fill, a.fill_value = order, FILLS[fill], fill_value
    call.reads(&a.x, x)
    call.reads(&a.place, place, (a.batch, a.out_h, a.out_w, 2))
    return call.writes(&a.y, y)


def sample_dx(Buffer dy, Buffer place, Buffer dx, int order, str fill, bint accumulate):
    cdef Call call = Call(CNN_sample_dx)
    cdef cnn_sample_dx_args *a = <cnn_sample_dx_args *> call.args
    _affine_shapes(dx, dy, order)
    a.batch, a.in_h, a.in_w, a.channels = dx.shape
    a.out_h, a.out_w = dy.shape[1:3]
    a.order, a.fill, a.accumulate = order, FILLS[fill], accumulate
    call.reads(&a.dy, dy)
    call.reads(&a.place, place, (a.batch, a.out_h, a.out_w, 2))
    return call.writes(&a.dx, dx)


def resample(Buffer x, Buffer index, Buffer weight, Buffer y, int axis, bint accumulate):
    """Along axis 1 or 2 of images; index is a real buffer, whose numbers are checked here."""
    cdef Call call = Call(CNN_resample)
    cdef cnn_resample_args *a = <cnn_resample_args *> call.args
    cdef const int32_t *indices = <const int32_t *> index.data
    cdef int64_t i
    if len(x.shape) != 4 or axis not in (1, 2):
        raise ValueError(f"resample works along axis 1 or 2 of images. Received: {x}, axis={axis}")
    if y.shape != x.shape[:axis] + y.shape[axis:axis + 1] + x.shape[axis + 1:]:
        raise ValueError(f"resample changes one axis. Received: {x} to {y}, axis={axis}")
    if index.is_promise or len(index.shape) != 2 or index.shape[0] != y.shape[axis] or index.dtype != "int32":
        raise ValueError(f"resample takes an int32 index (out_n, taps). Received: {index} for {y}")
    a.batch, a.in_n, a.out_n, a.taps = x.shape[0], x.shape[axis], y.shape[axis], index.shape[1]
    a.lines = x.shape[1] if axis == 2 else 1
    a.inner = x.shape[3] if axis == 2 else x.shape[2] * x.shape[3]
    a.accumulate = accumulate
    for i in range(index.size):
        if not 0 <= indices[i] < a.in_n:
            raise ValueError(f"resample's indices lie inside the image. Received: {indices[i]} for {x}")
    call.reads(&a.x, x)
    call.reads(&a.index, index, None, "int32")
    call.reads(&a.weight, weight, index.shape)
    return call.writes(&a.y, y)
