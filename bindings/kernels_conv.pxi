# Convolution and dense layers: one function per kernel fills its struct.

cdef int _window(cnn_window *g, Buffer x, tuple w_shape, Buffer y, strides, dilation, pads) except -1:
    """Fills the geometry from the shapes of x (or dx), w and y (or dy)."""
    g.batch, g.in_h, g.in_w, g.in_c = x.shape
    g.k_h, g.k_w = w_shape[0], w_shape[1]
    g.out_h, g.out_w, g.out_c = y.shape[1], y.shape[2], y.shape[3]
    g.stride_h, g.stride_w = strides
    g.dilation_h, g.dilation_w = dilation
    g.pad_top, g.pad_left = pads
    return 0


cdef void _alone(cnn_sides *s, const cnn_window *g):
    """x and y are arrays of their own, and x is taken as it is."""
    s.x_step, s.y_step = g.in_c, g.out_c


def conv2d_packed_size(tuple w_shape, bint for_dx=False):
    """Elements of the packed weights: the output channels rounded up to whole vectors."""
    k_h, k_w, in_c, out_c = w_shape
    if for_dx:
        in_c, out_c = out_c, in_c
    width = lanes()
    return k_h * k_w * in_c * ((out_c + width - 1) // width * width)


def conv2d_pack(Buffer w, Buffer packed, bint for_dx=False):
    cdef Call call = Call(CNN_conv2d_pack_dx if for_dx else CNN_conv2d_pack)
    cdef cnn_conv2d_pack_args *a = <cnn_conv2d_pack_args *> call.args
    a.window.k_h, a.window.k_w, a.window.in_c, a.window.out_c = w.shape
    call.reads(&a.w, w)
    return call.writes(&a.packed, packed, (conv2d_packed_size(w.shape, for_dx),))


def conv2d(Buffer x, Buffer packed, Buffer b, Buffer y, tuple w_shape, strides, dilation, pads, bint relu=False,
           bint winograd=False):
    """winograd: whether rows of few channels may be taken by it, which costs a digit; for dx and dw likewise."""
    cdef Call call = Call(CNN_conv2d)
    cdef cnn_conv2d_args *a = <cnn_conv2d_args *> call.args
    _window(&a.window, x, w_shape, y, strides, dilation, pads)
    _alone(&a.sides, &a.window)
    a.activation, a.winograd = relu, winograd
    call.reads(&a.x, x, (y.shape[0],) + x.shape[1:3] + (w_shape[2],))
    call.reads(&a.packed, packed, (conv2d_packed_size(w_shape),))
    call.reads(&a.b, b, (w_shape[3],))
    return call.writes(&a.y, y, y.shape[:3] + (w_shape[3],))


def conv2d_dx(Buffer dy, Buffer packed, Buffer dx, tuple w_shape, strides, dilation, pads, bint accumulate,
              Buffer behind=None, bint winograd=False):
    cdef Call call = Call(CNN_conv2d_dx)
    cdef cnn_conv2d_dx_args *a = <cnn_conv2d_dx_args *> call.args
    _window(&a.window, dx, w_shape, dy, strides, dilation, pads)
    a.accumulate, a.winograd = accumulate, winograd
    call.reads(&a.dy, dy, (dx.shape[0],) + dy.shape[1:3] + (w_shape[3],))
    call.reads(&a.packed, packed, (conv2d_packed_size(w_shape, True),))
    call.reads(&a.behind, behind, dx.shape)
    return call.writes(&a.dx, dx, dx.shape[:3] + (w_shape[2],))


def conv2d_dw(Buffer x, Buffer dy, Buffer partial, tuple w_shape, strides, dilation, pads, int64_t images_per_slot,
              bint tiles=False, bint winograd=False):
    cdef Call call = Call(CNN_conv2d_tiles_dw if tiles else CNN_conv2d_dw)
    cdef cnn_conv2d_dw_args *a = <cnn_conv2d_dw_args *> call.args
    k_h, k_w, in_c, out_c = w_shape
    slots = (x.shape[0] + images_per_slot - 1) // images_per_slot
    _window(&a.window, x, w_shape, dy, strides, dilation, pads)
    a.images_per_slot, a.winograd = images_per_slot, winograd
    call.reads(&a.x, x, (dy.shape[0],) + x.shape[1:3] + (in_c,))
    call.reads(&a.dy, dy, dy.shape[:3] + (out_c,))
    return call.writes(&a.partial, partial, (slots, k_h * k_w * in_c + 1, out_c))


def winograd_packed_size(tuple w_shape, bint transpose=False, int points=8):
    """Elements of the filters as winograd_pack transforms them, with 8 or 6 points along an axis."""
    _, _, in_c, out_c = w_shape
    if transpose:
        in_c, out_c = out_c, in_c
    width = lanes()
    return points * points * in_c * ((out_c + width - 1) // width * width)


def winograd_pack(Buffer w, Buffer packed, bint transpose=False, int points=8):
    cdef Call call = Call(CNN_winograd_pack)
    cdef cnn_winograd_pack_args *a = <cnn_winograd_pack_args *> call.args
    a.k, a.in_c, a.out_c = w.shape[1:]
    a.points, a.transpose = points, transpose
    call.reads(&a.w, w, (w.shape[1],) + w.shape[1:])
    return call.writes(&a.packed, packed, (winograd_packed_size(w.shape, transpose, points),))


def winograd(Buffer x, Buffer packed, Buffer b, Buffer y, int k, tuple pads, int points, bint relu=False,
             bint accumulate=False, Buffer behind=None):
    """y from x, or dx (as y) from dy (as x) with transposed filters and pads of k - 1 - pad, for filters of k by k.

    points: as for winograd_pack.
    """
    cdef Call call = Call(CNN_winograd)
    cdef cnn_winograd_args *a = <cnn_winograd_args *> call.args
    w_shape = (k, k, x.shape[3], y.shape[3])
    _window(&a.window, x, w_shape, y, (1, 1), (1, 1), pads)
    _alone(&a.sides, &a.window)
    a.activation, a.accumulate, a.points = relu, accumulate, points
    call.reads(&a.x, x, (y.shape[0],) + x.shape[1:])
    call.reads(&a.packed, packed, (winograd_packed_size(w_shape, False, points),))
    call.reads(&a.b, b, (y.shape[3],))
    call.reads(&a.behind, behind, y.shape)
    return call.writes(&a.y, y)


def winograd_dw(Buffer x, Buffer dy, Buffer partial, int k, tuple pads, int64_t images_per_slot, int points):
    cdef Call call = Call(CNN_winograd_dw)
    cdef cnn_conv2d_dw_args *a = <cnn_conv2d_dw_args *> call.args
    in_c, out_c = x.shape[3], dy.shape[3]
    slots = (x.shape[0] + images_per_slot - 1) // images_per_slot
    _window(&a.window, x, (k, k, in_c, out_c), dy, (1, 1), (1, 1), pads)
    a.images_per_slot, a.winograd = images_per_slot, points
    call.reads(&a.x, x, (dy.shape[0],) + x.shape[1:])
    call.reads(&a.dy, dy)
    return call.writes(&a.partial, partial, (slots, k * k * in_c + 1, out_c))


def conv2d_tiles_packed_size(tuple w_shape, bint transpose=False):
    """Elements of the filters as conv2d_tiles_pack splits them: tiles of 16 output channels by 32 summed elements."""
    k_h, k_w, in_c, out_c = w_shape
    if transpose:
        in_c, out_c = out_c, in_c
    chunks, folded = k_h * ((k_w * in_c + 31) // 32), (k_h * k_w * in_c + 31) // 32
    return (out_c + 15) // 16 * (folded if 2 * folded <= chunks else chunks) * 512


def conv2d_tiles_pack(Buffer w, Buffer packed, bint transpose=False):
    cdef Call call = Call(CNN_conv2d_tiles_pack)
    cdef cnn_conv2d_tiles_pack_args *a = <cnn_conv2d_tiles_pack_args *> call.args
    a.k_h, a.k_w, a.in_c, a.out_c = w.shape
    a.transpose = transpose
    call.reads(&a.w, w)
    return call.writes(&a.packed, packed, (conv2d_tiles_packed_size(w.shape, transpose),))


def conv2d_tiles(Buffer x, Buffer packed, Buffer b, Buffer y, tuple kernel, strides, tuple pads, bint relu=False,
                 bint accumulate=False, Buffer behind=None):
    """y from x, or, for stride 1, dx (as y) from dy (as x) with transposed filters and pads of kernel - 1 - pad."""
    cdef Call call = Call(CNN_conv2d_tiles)
    cdef cnn_winograd_args *a = <cnn_winograd_args *> call.args
    w_shape = (*kernel, x.shape[3], y.shape[3])
    _window(&a.window, x, w_shape, y, strides, (1, 1), pads)
    _alone(&a.sides, &a.window)
    a.activation, a.accumulate = relu, accumulate
    call.reads(&a.x, x, (y.shape[0],) + x.shape[1:])
    call.reads(&a.packed, packed, (conv2d_tiles_packed_size(w_shape),))
    call.reads(&a.b, b, (y.shape[3],))
    call.reads(&a.behind, behind, y.shape)
    return call.writes(&a.y, y)


def sum_slots(Buffer partial, Buffer total, int64_t begin, bint accumulate):
    """Adds the slots partial[slots, ...], from element `begin` of each slot on, into total."""
    cdef Call call = Call(CNN_sum_slots)
    cdef cnn_sum_slots_args *a = <cnn_sum_slots_args *> call.args
    a.slots = partial.shape[0]
    a.slot_size = partial.shape[1]
    for length in partial.shape[2:]:
        a.slot_size *= length
    a.begin, a.size, a.accumulate = begin, total.size, accumulate
    if not 0 <= begin <= a.slot_size - total.size:
        raise ValueError(f"sum_slots reads past a slot: begin {begin}, {partial}, {total}")
    call.reads(&a.partial, partial)
    return call.writes(&a.total, total)


def dense(Buffer x, Buffer w, Buffer b, Buffer y, Buffer partial=None, bint relu=False, bint tiles=False):
    cdef Call call = Call(CNN_dense_tiles if tiles else CNN_dense)
    cdef cnn_dense_args *a = <cnn_dense_args *> call.args
    _dense_sizes(a, x, w, partial)
    a.activation = relu
    call.reads(&a.x, x, (a.batch, a.depth))
    call.reads(&a.w, w, (a.depth, a.units))
    if partial is not None:
        return call.writes(&a.partial, partial, (a.slots, a.batch, a.units))
    call.reads(&a.b, b, (a.units,))
    return call.writes(&a.y, y, (a.batch, a.units))


cdef int _dense_sizes(cnn_dense_args *a, Buffer x, Buffer w, Buffer partial) except -1:
    a.batch, a.depth, a.units = x.shape[0], w.shape[0], w.shape[1]
    a.slots = 1 if partial is None else partial.shape[0]
    return 0


def dense_finish(Buffer partial, Buffer b, Buffer y, bint relu=False):
    cdef Call call = Call(CNN_dense_finish)
    cdef cnn_dense_args *a = <cnn_dense_args *> call.args
    a.slots, a.batch, a.units = partial.shape
    a.activation = relu
    call.reads(&a.partial, partial)
    call.reads(&a.b, b, (a.units,))
    return call.writes(&a.y, y, (a.batch, a.units))


def dense_dx(Buffer dy, Buffer w, Buffer dx, bint accumulate, Buffer behind=None, bint tiles=False):
    cdef Call call = Call(CNN_dense_tiles_dx if tiles else CNN_dense_dx)
    cdef cnn_dense_dx_args *a = <cnn_dense_dx_args *> call.args
    a.batch, a.depth, a.units = dx.shape[0], w.shape[0], w.shape[1]
    a.accumulate = accumulate
    call.reads(&a.dy, dy, (a.batch, a.units))
    call.reads(&a.w, w, (a.depth, a.units))
    call.reads(&a.behind, behind, (a.batch, a.depth))
    return call.writes(&a.dx, dx, (a.batch, a.depth))


def dense_dw(Buffer x, Buffer dy, Buffer dw, Buffer db, bint accumulate, int64_t rows=192,
             bint tiles=False):
    """`rows` of dw make a task."""
    cdef Call call = Call(CNN_dense_tiles_dw if tiles else CNN_dense_dw)
    cdef cnn_dense_dw_args *a = <cnn_dense_dw_args *> call.args
    a.batch, a.depth, a.units, a.rows = x.shape[0], x.shape[1], dy.shape[1], rows
    a.accumulate = accumulate
    call.reads(&a.x, x, (a.batch, a.depth))
    call.reads(&a.dy, dy, (a.batch, a.units))
    call.writes(&a.dw, dw, (a.depth, a.units))
    return call.writes(&a.db, db, (a.units,))


def fma_peak(Buffer y, int64_t rounds):
    """One task per element of y. A task's arithmetic is tile_flops() * rounds."""
    cdef Call call = Call(CNN_fma_peak)
    cdef cnn_fma_peak_args *a = <cnn_fma_peak_args *> call.args
    a.tasks, a.rounds = y.size, rounds
    return call.writes(&a.y, y)


def tile_flops():
    """Floating-point operations of one multiply-add on a whole tile of the tier in use."""
    return 2 * lanes() * 2 * {"sse2": 4, "avx2": 6, "avx512": 12, "amx": 12, "neon": 8}[tier()]
