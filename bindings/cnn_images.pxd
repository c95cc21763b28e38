# The contracts of csrc/contracts/images.h, for Cython.
from libc.stdint cimport int32_t, int64_t, uint64_t

cdef extern from "cnn.h" nogil:
    enum:
        CNN_random_uniform
        CNN_random_log_gamma
        CNN_affine
        CNN_affine_dx
        CNN_sample
        CNN_sample_dx
        CNN_resample
        CNN_FILL_CONSTANT
        CNN_FILL_NEAREST
        CNN_FILL_REFLECT
        CNN_FILL_MIRROR
        CNN_FILL_WRAP
        CNN_FILL_GRID_CONSTANT
        CNN_FILL_GRID_WRAP

    ctypedef struct cnn_random_uniform_args:
        const uint64_t *state
        float *y
        int64_t size
        float low, high

    ctypedef struct cnn_random_log_gamma_args:
        const uint64_t *state
        const float *alpha
        float *y
        int64_t size, alphas

    ctypedef struct cnn_affine_args:
        const float *x
        const double *transform
        float *y
        int64_t batch, in_h, in_w, out_h, out_w, channels
        int32_t order, fill
        float fill_value

    ctypedef struct cnn_affine_dx_args:
        const float *dy
        const double *transform
        float *dx
        int64_t batch, in_h, in_w, out_h, out_w, channels
        int32_t order, fill
        int32_t accumulate

    ctypedef struct cnn_sample_args:
        const float *x
        const float *place
        float *y
        int64_t batch, in_h, in_w, out_h, out_w, channels
        int32_t order, fill
        float fill_value

    ctypedef struct cnn_sample_dx_args:
        const float *dy
        const float *place
        float *dx
        int64_t batch, in_h, in_w, out_h, out_w, channels
        int32_t order, fill
        int32_t accumulate

    ctypedef struct cnn_resample_args:
        const float *x
        const int32_t *index
        const float *weight
        float *y
        int64_t batch, lines, in_n, out_n, inner, taps
        int32_t accumulate
