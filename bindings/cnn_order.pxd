# The contracts of csrc/contracts/order.h, for Cython.
from libc.stdint cimport int32_t, int64_t

cdef extern from "cnn.h" nogil:
    enum:
        CNN_cumsum
        CNN_argsort

    ctypedef struct cnn_cumsum_args:
        const float *x
        float *y
        int64_t outer, length, inner
        int32_t reverse, accumulate

    ctypedef struct cnn_argsort_args:
        const float *x
        int32_t *y
        int64_t rows, length
