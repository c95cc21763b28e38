# Elementwise functions, reductions, movement and softmax: one function per kernel fills its struct.

# In the order of the enums of contracts/elementwise.h.
_TYPES = {name: i for i, name in enumerate(("float32", "float64", "int32", "int64", "uint8", "bool", "uint64"))}
_BINARIES = {name: i for i, name in enumerate((
    "add", "subtract", "multiply", "divide", "maximum", "minimum", "power", "floor_divide", "modulo",
    "equal", "not_equal", "less", "less_equal", "greater", "greater_equal"))}
_REDUCTIONS = {name: i for i, name in enumerate(("sum", "max", "min", "product"))}

cdef extern from *:
    """
    static const char *const cnn_unary_names[] = {
    #define UNARY(name, value, slope) #name,
    #include "unary.def"
    #undef UNARY
    };
    """
    const char *cnn_unary_names[]

_UNARIES = {cnn_unary_names[i].decode(): i for i in range(CNN_UNARIES)}


cdef int64_t _images(Buffer x):
    """How many parts a kernel may take an array in: the first axis, where there is one."""
    return x.shape[0] if x.shape else 1


def unary(str function, Buffer x, Buffer y, float p=0, float q=0):
    cdef Call call = Call(CNN_unary)
    cdef cnn_unary_args *a = <cnn_unary_args *> call.args
    a.images = _images(x)
    a.image_size = x.size // max(a.images, 1)
    a.function, a.p, a.q = _UNARIES[function], p, q
    call.reads(&a.x, x)
    return call.writes(&a.y, y, x.shape)


def unary_dx(str function, Buffer x, Buffer y, Buffer dy, Buffer dx, bint accumulate, float p=0, float q=0,
             Buffer behind=None):
    cdef Call call = Call(CNN_unary_dx)
    cdef cnn_unary_dx_args *a = <cnn_unary_dx_args *> call.args
    a.images = _images(x)
    a.image_size = x.size // max(a.images, 1)
    a.function, a.accumulate, a.p, a.q = _UNARIES[function], accumulate, p, q
    call.reads(&a.x, x)
    call.reads(&a.y, y, x.shape)
    call.reads(&a.dy, dy, x.shape)
    call.reads(&a.behind, behind, x.shape)
    return call.writes(&a.dx, dx, x.shape)


cdef _collapse(tuple shape, list steps):
    """Axes that can be walked as one, joined; the first stays by itself. Returns (lengths, steps of each operand)."""
    cdef list lengths = [], joined = [[] for _ in steps]
    for axis in range(len(shape)):
        if len(lengths) > 1 and all(j[-1] == s[axis] * shape[axis] for j, s in zip(joined, steps)):
            lengths[-1] *= shape[axis]
            for j, s in zip(joined, steps):
                j[-1] = s[axis]
        else:
            lengths.append(shape[axis])
            for j, s in zip(joined, steps):
                j.append(s[axis])
    return lengths, joined


def contiguous_steps(shape):
    """Elements from one index to the next along each axis of a contiguous array."""
    steps, step = [], 1
    for length in reversed(shape):
        steps.append(step)
        step *= length
    return steps[::-1]


def broadcast_steps(shape, to):
    """The steps with which an array of `shape` is read as if it had the shape `to`."""
    steps = contiguous_steps(shape)
    steps = [0 if length == 1 else step for length, step in zip(shape, steps)]
    return [0] * (len(to) - len(shape)) + steps


def binary(str function, Buffer a_, Buffer b_, Buffer y):
    """a and b are broadcast to y's shape."""
    cdef Call call = Call(CNN_binary)
    cdef cnn_binary_args *a = <cnn_binary_args *> call.args
    shape = y.shape or (1,)
    if np.broadcast_shapes(a_.shape, b_.shape) != y.shape:
        raise ValueError(f"binary broadcasts {a_.shape} and {b_.shape}, but y has shape {y.shape}")
    lengths, (a_steps, b_steps) = _collapse(shape, [broadcast_steps(a_.shape, shape), broadcast_steps(b_.shape, shape)])
    if len(lengths) > CNN_MOST_AXES:
        raise ValueError(f"Arrays have at most {CNN_MOST_AXES} axes. Received: shape {shape}")
    a.axes, a.function, a.type = len(lengths), _BINARIES[function], _TYPES[a_.dtype]
    for i in range(a.axes):
        a.length[i], a.a_step[i], a.b_step[i] = lengths[i], a_steps[i], b_steps[i]
    call.reads(&a.a, a_, None, a_.dtype)
    call.reads(&a.b, b_, None, a_.dtype)
    return call.writes(&a.y, y, None, "bool" if a.function >= _BINARIES["equal"] else a_.dtype)


def where(Buffer condition, Buffer x, Buffer otherwise, Buffer y):
    cdef Call call = Call(CNN_where)
    cdef cnn_where_args *a = <cnn_where_args *> call.args
    a.size = y.size
    call.reads(&a.condition, condition, y.shape, "bool")
    call.reads(&a.a, x, y.shape)
    call.reads(&a.b, otherwise, y.shape)
    return call.writes(&a.y, y)


def strided_copy(Buffer source, Buffer to, tuple shape, from_steps, to_steps, int64_t from_offset=0,
                 int64_t to_offset=0, bint accumulate=False):
    """Copies (or adds) an index space of `shape` between two arrays, each walked with its own steps, in elements."""
    cdef Call call = Call(CNN_strided_copy)
    cdef cnn_strided_copy_args *a = <cnn_strided_copy_args *> call.args
    if not shape:
        shape, from_steps, to_steps = (1,), [0], [0]
    for buffer, steps, offset in ((source, from_steps, from_offset), (to, to_steps, to_offset)):
        low = offset + sum(min(0, step * (length - 1)) for step, length in zip(steps, shape))
        high = offset + sum(max(0, step * (length - 1)) for step, length in zip(steps, shape))
        if 0 not in shape and not (0 <= low and high < buffer.size):
            raise ValueError(f"strided_copy of {shape} with steps {steps} from {offset} on leaves {buffer}")
    lengths, (from_steps, to_steps) = _collapse(shape, [list(from_steps), list(to_steps)])
    if len(lengths) > CNN_MOST_AXES:
        raise ValueError(f"Arrays have at most {CNN_MOST_AXES} axes. Received: shape {shape}")
    a.axes, a.item, a.accumulate = len(lengths), _ITEM_SIZES[source.dtype], accumulate
    a.from_offset, a.to_offset = from_offset, to_offset
    for i in range(a.axes):
        a.length[i], a.from_step[i], a.to_step[i] = lengths[i], from_steps[i], to_steps[i]
    call.reads(&a.from_, source, None, source.dtype)
    return call.writes(&a.to, to, None, "float32" if accumulate else source.dtype)


def fill(Buffer y, float value):
    cdef Call call = Call(CNN_fill)
    cdef cnn_fill_args *a = <cnn_fill_args *> call.args
    a.size, a.value = y.size, value
    return call.writes(&a.y, y)


def cast(Buffer x, Buffer y):
    cdef Call call = Call(CNN_cast)
    cdef cnn_cast_args *a = <cnn_cast_args *> call.args
    a.size, a.from_, a.to = y.size, _TYPES[x.dtype], _TYPES[y.dtype]
    call.reads(&a.x, x, y.shape, x.dtype)
    return call.writes(&a.y, y, None, y.dtype)


def reduce(str function, Buffer x, Buffer y, int64_t outer, int64_t length, int64_t inner, float scale=1,
           bint accumulate=False):
    """x seen as [outer][length][inner], y as [outer][inner]."""
    cdef Call call = Call(CNN_reduce)
    cdef cnn_reduce_args *a = <cnn_reduce_args *> call.args
    if x.size != outer * length * inner or y.size != outer * inner:
        raise ValueError(f"reduce of {x} to {y} as [{outer}][{length}][{inner}]")
    images = x.shape[0] if x.shape else 0
    a.outer, a.length, a.inner = outer, length, inner
    # Image by image where the first axis, the batch, survives at the front of y.
    a.images = images if images and y.shape and y.shape[0] == images and outer % images == 0 else 0
    a.function, a.scale, a.accumulate = _REDUCTIONS[function], scale, accumulate
    call.reads(&a.x, x)
    return call.writes(&a.y, y)


def argmax(Buffer x, Buffer y, int64_t outer, int64_t length, int64_t inner):
    cdef Call call = Call(CNN_argmax)
    cdef cnn_argmax_args *a = <cnn_argmax_args *> call.args
    if x.size != outer * length * inner or y.size != outer * inner:
        raise ValueError(f"argmax of {x} to {y} as [{outer}][{length}][{inner}]")
    a.outer, a.length, a.inner = outer, length, inner
    call.reads(&a.x, x)
    return call.writes(&a.y, y, None, "int32")


def take(Buffer x, Buffer index, Buffer y):
    cdef Call call = Call(CNN_take)
    cdef cnn_take_args *a = <cnn_take_args *> call.args
    a.rows, a.count = x.shape[0], index.size
    a.row_bytes = x.nbytes // max(a.rows, 1)
    call.reads(&a.x, x, None, x.dtype)
    call.reads(&a.index, index, None, "int32")
    return call.writes(&a.y, y, index.shape + x.shape[1:], x.dtype)


def take_dx(Buffer dy, Buffer index, Buffer dx, bint accumulate):
    cdef Call call = Call(CNN_take_dx)
    cdef cnn_take_dx_args *a = <cnn_take_dx_args *> call.args
    a.rows, a.count = dx.shape[0], index.size
    a.row_size = dx.size // max(a.rows, 1)
    a.accumulate = accumulate
    call.reads(&a.dy, dy, index.shape + dx.shape[1:])
    call.reads(&a.index, index, None, "int32")
    return call.writes(&a.dx, dx)


def one_hot(Buffer labels, Buffer y):
    cdef Call call = Call(CNN_one_hot)
    cdef cnn_one_hot_args *a = <cnn_one_hot_args *> call.args
    a.count, a.classes = labels.size, y.shape[-1]
    call.reads(&a.labels, labels, None, "int32")
    return call.writes(&a.y, y, labels.shape + (y.shape[-1],))


cdef int64_t _rows(Buffer x):
    """Rows of the last axis."""
    return x.size // x.shape[-1] if x.shape[-1] else 0


def softmax(Buffer x, Buffer y, bint log=False):
    cdef Call call = Call(CNN_softmax)
    cdef cnn_softmax_args *a = <cnn_softmax_args *> call.args
    a.rows, a.classes, a.log = _rows(x), x.shape[-1], log
    call.reads(&a.x, x)
    return call.writes(&a.y, y, x.shape)


def softmax_dx(Buffer y, Buffer dy, Buffer dx, bint log, bint accumulate):
    cdef Call call = Call(CNN_softmax_dx)
    cdef cnn_softmax_dx_args *a = <cnn_softmax_dx_args *> call.args
    a.rows, a.classes, a.log, a.accumulate = _rows(y), y.shape[-1], log, accumulate
    call.reads(&a.y, y)
    call.reads(&a.dy, dy, y.shape)
    return call.writes(&a.dx, dx, y.shape)


def softmax_cross_entropy(Buffer x, Buffer target, Buffer p, Buffer loss):
    """target: int32 labels of loss's shape, or float32 probabilities of x's."""
    cdef Call call = Call(CNN_softmax_cross_entropy)
    cdef cnn_softmax_cross_entropy_args *a = <cnn_softmax_cross_entropy_args *> call.args
    a.rows, a.classes = _rows(x), x.shape[-1]
    call.reads(&a.x, x)
    if target.dtype == "int32":
        call.reads(&a.labels, target, loss.shape, "int32")
    else:
        call.reads(&a.targets, target, x.shape)
    call.writes(&a.p, p, x.shape)
    return call.writes(&a.loss, loss, x.shape[:-1])


def softmax_cross_entropy_dx(Buffer p, Buffer dloss, Buffer target, Buffer dx, bint accumulate):
    cdef Call call = Call(CNN_softmax_cross_entropy_dx)
    cdef cnn_softmax_cross_entropy_dx_args *a = <cnn_softmax_cross_entropy_dx_args *> call.args
    a.rows, a.classes, a.accumulate = _rows(p), p.shape[-1], accumulate
    call.reads(&a.p, p)
    call.reads(&a.dloss, dloss, p.shape[:-1])
    if target.dtype == "int32":
        call.reads(&a.labels, target, dloss.shape, "int32")
    else:
        call.reads(&a.targets, target, p.shape)
    return call.writes(&a.dx, dx, p.shape)
