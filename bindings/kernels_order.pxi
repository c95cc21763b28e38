# The kernels of csrc/contracts/order.h: running sums and sorting.


def cumsum(Buffer x, Buffer y, int64_t outer, int64_t length, int64_t inner, bint reverse=False, bint accumulate=False):
    cdef Call call = Call(CNN_cumsum)
    cdef cnn_cumsum_args *a = <cnn_cumsum_args *> call.args
    if x.size != outer * length * inner or y.size != x.size:
        raise ValueError(f"cumsum of {x} to {y} as [{outer}][{length}][{inner}]")
    a.outer, a.length, a.inner = outer, length, inner
    a.reverse, a.accumulate = reverse, accumulate
    call.reads(&a.x, x)
    return call.writes(&a.y, y)


def argsort(Buffer x, Buffer y):
    """Along the last axis."""
    cdef Call call = Call(CNN_argsort)
    cdef cnn_argsort_args *a = <cnn_argsort_args *> call.args
    if not x.shape or x.shape[-1] >= 2**31:
        raise ValueError(f"argsort takes an axis of fewer than 2**31 elements. Received: {x}")
    a.rows, a.length = _rows(x), x.shape[-1]
    call.reads(&a.x, x)
    return call.writes(&a.y, y, x.shape, "int32")
