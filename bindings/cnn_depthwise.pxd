# The contracts of csrc/contracts/depthwise.h, for Cython.
from libc.stdint cimport int32_t, int64_t
from cnn cimport cnn_window

cdef extern from "cnn.h" nogil:
    enum:
        CNN_depthwise_conv2d
        CNN_depthwise_conv2d_dx
        CNN_depthwise_conv2d_dw

    ctypedef struct cnn_depthwise_conv2d_args:
        cnn_window window
        const float *x
        const float *w
        const float *b
        float *y
        int32_t activation

    ctypedef struct cnn_depthwise_conv2d_dx_args:
        cnn_window window
        const float *dy
        const float *w
        float *dx
        const float *behind
        int32_t accumulate

    ctypedef struct cnn_depthwise_conv2d_dw_args:
        cnn_window window
        const float *x
        const float *dy
        float *partial
        int64_t images_per_slot
