# The contracts of csrc/contracts/layers.h, for Cython.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from cnn cimport cnn_window

cdef extern from "cnn.h" nogil:
    enum:
        CNN_max_pool2d
        CNN_max_pool2d_dx
        CNN_avg_pool2d
        CNN_avg_pool2d_dx
        CNN_global_max_pool2d
        CNN_global_max_pool2d_dx
        CNN_global_avg_pool2d
        CNN_global_avg_pool2d_dx
        CNN_bn_stats
        CNN_bn_finish
        CNN_bn_fold
        CNN_bn_apply
        CNN_bn_dstats
        CNN_bn_dfinish
        CNN_bn_dx
        CNN_dropout
        CNN_dropout_dx
        CNN_increment
        CNN_sgd
        CNN_adam
        CNN_update
        CNN_gather_rows

    enum:
        CNN_RMSPROP
        CNN_ADAGRAD
        CNN_ADADELTA
        CNN_ADAMAX
        CNN_NADAM
        CNN_LION

    enum:
        CNN_FROM_UINT8
        CNN_FROM_INT8
        CNN_FROM_UINT16
        CNN_FROM_INT16
        CNN_FROM_UINT32
        CNN_FROM_INT32
        CNN_FROM_UINT64
        CNN_FROM_INT64
        CNN_FROM_FLOAT16
        CNN_FROM_FLOAT32
        CNN_FROM_FLOAT64

    ctypedef struct cnn_max_pool2d_args:
        cnn_window window
        const float *x
        float *y
        void *position

    ctypedef struct cnn_max_pool2d_dx_args:
        cnn_window window
        const float *dy
        const void *position
        const float *y
        float *dx
        int32_t accumulate

    ctypedef struct cnn_avg_pool2d_args:
        cnn_window window
        const float *x
        float *y

    ctypedef struct cnn_avg_pool2d_dx_args:
        cnn_window window
        const float *dy
        const float *behind
        float *dx
        int32_t accumulate

    ctypedef struct cnn_global_max_pool2d_args:
        const float *x
        float *y
        int32_t *position
        int64_t batch, pixels, channels

    ctypedef struct cnn_global_max_pool2d_dx_args:
        const float *dy
        const int32_t *position
        const float *y
        float *dx
        int64_t batch, pixels, channels
        int32_t accumulate

    ctypedef struct cnn_global_avg_pool2d_args:
        const float *x
        float *y
        int64_t batch, pixels, channels

    ctypedef struct cnn_global_avg_pool2d_dx_args:
        const float *dy
        const float *behind
        float *dx
        int64_t batch, pixels, channels
        int32_t accumulate

    ctypedef struct cnn_bn_cut:
        int64_t rows, channels
        int64_t task_rows
        int64_t task_slot
        int64_t per_image

    ctypedef struct cnn_bn_stats_args:
        cnn_bn_cut cut
        const float *x
        double *slots

    ctypedef struct cnn_bn_finish_args:
        cnn_bn_cut cut
        double *slots
        const float *gamma
        const float *beta
        float *moving_mean
        float *moving_variance
        float *mean
        float *rstd
        float *scale
        float *shift
        double momentum, epsilon

    ctypedef struct cnn_bn_fold_args:
        const float *gamma
        const float *beta
        const float *variance
        float *rstd
        float *scale
        float *shift
        int64_t channels
        double epsilon

    ctypedef struct cnn_bn_apply_args:
        const float *x
        const float *mean
        const float *scale
        const float *shift
        float *y
        int64_t batch, rows, channels
        int32_t activation

    ctypedef struct cnn_bn_dstats_args:
        cnn_bn_cut cut
        const float *x
        const float *y
        const float *dy
        const float *mean
        double *slots

    ctypedef struct cnn_bn_dfinish_args:
        cnn_bn_cut cut
        double *slots
        const float *gamma
        const float *rstd
        float *dgamma
        float *dbeta
        float *coef
        int32_t accumulate_dgamma, accumulate_dbeta

    ctypedef struct cnn_bn_dx_args:
        const float *x
        const float *y
        const float *dy
        const float *mean
        const float *coef
        const float *behind
        float *dx
        int64_t batch, rows, channels
        int32_t accumulate

    ctypedef struct cnn_dropout_args:
        const float *x
        const uint64_t *state
        float *y
        uint8_t *mask
        int64_t batch, image_size
        uint32_t drop
        float scale

    ctypedef struct cnn_dropout_dx_args:
        const float *dy
        const uint8_t *mask
        const float *behind
        float *dx
        int64_t batch, image_size
        float scale
        int32_t accumulate

    ctypedef struct cnn_increment_args:
        int64_t *value
        int64_t by

    ctypedef struct cnn_sgd_args:
        float *w
        const float *g
        float *velocity
        const float *lr
        int64_t size, chunk
        float momentum
        int32_t nesterov

    ctypedef struct cnn_adam_args:
        float *w
        const float *g
        float *m
        float *v
        const float *lr
        const int64_t *step
        int64_t size, chunk
        double beta1, beta2
        float epsilon

    ctypedef struct cnn_update_args:
        float *w
        const float *g
        float *a
        float *b
        const float *rates
        int64_t size, chunk
        double k1, k2
        float epsilon
        int32_t kind

    ctypedef struct cnn_gather_rows_args:
        const void *source
        const int64_t *index
        const int64_t *start
        void *out
        int64_t rows, row_size
        int32_t from_dtype "from"
        int32_t to_int
