# The contracts of csrc/contracts/elementwise.h, for Cython.
from libc.stdint cimport int32_t, int64_t, uint8_t

cdef extern from "cnn.h" nogil:
    enum:
        CNN_unary
        CNN_unary_dx
        CNN_binary
        CNN_where
        CNN_strided_copy
        CNN_fill
        CNN_cast
        CNN_reduce
        CNN_argmax
        CNN_take
        CNN_take_dx
        CNN_one_hot
        CNN_softmax
        CNN_softmax_dx
        CNN_softmax_cross_entropy
        CNN_softmax_cross_entropy_dx
        CNN_UNARIES
        CNN_MOST_AXES

    ctypedef struct cnn_unary_args:
        const float *x
        float *y
        int64_t images, image_size
        int32_t function
        float p, q

    ctypedef struct cnn_unary_dx_args:
        const float *x
        const float *y
        const float *dy
        const float *behind
        float *dx
        int64_t images, image_size
        int32_t function, accumulate
        float p, q

    ctypedef struct cnn_binary_args:
        const void *a
        const void *b
        void *y
        int64_t length[CNN_MOST_AXES]
        int64_t a_step[CNN_MOST_AXES]
        int64_t b_step[CNN_MOST_AXES]
        int32_t axes, function, type

    ctypedef struct cnn_where_args:
        const uint8_t *condition
        const float *a
        const float *b
        float *y
        int64_t size

    ctypedef struct cnn_strided_copy_args:
        const void *from_ "from"
        void *to
        int64_t from_offset, to_offset
        int64_t length[CNN_MOST_AXES]
        int64_t from_step[CNN_MOST_AXES]
        int64_t to_step[CNN_MOST_AXES]
        int32_t axes, item, accumulate

    ctypedef struct cnn_fill_args:
        float *y
        int64_t size
        float value

    ctypedef struct cnn_cast_args:
        const void *x
        void *y
        int64_t size
        int32_t from_ "from"
        int32_t to

    ctypedef struct cnn_reduce_args:
        const float *x
        float *y
        int64_t outer, length, inner, images
        int32_t function, accumulate
        float scale

    ctypedef struct cnn_argmax_args:
        const float *x
        int32_t *y
        int64_t outer, length, inner

    ctypedef struct cnn_take_args:
        const void *x
        const int32_t *index
        void *y
        int64_t rows, count, row_bytes

    ctypedef struct cnn_take_dx_args:
        const float *dy
        const int32_t *index
        float *dx
        int64_t rows, count, row_size
        int32_t accumulate

    ctypedef struct cnn_one_hot_args:
        const int32_t *labels
        float *y
        int64_t count, classes

    ctypedef struct cnn_softmax_args:
        const float *x
        float *y
        int64_t rows, classes
        int32_t log

    ctypedef struct cnn_softmax_dx_args:
        const float *y
        const float *dy
        float *dx
        int64_t rows, classes
        int32_t log, accumulate

    ctypedef struct cnn_softmax_cross_entropy_args:
        const float *x
        const int32_t *labels
        const float *targets
        float *p
        float *loss
        int64_t rows, classes

    ctypedef struct cnn_softmax_cross_entropy_dx_args:
        const float *p
        const float *dloss
        const int32_t *labels
        const float *targets
        float *dx
        int64_t rows, classes
        int32_t accumulate
