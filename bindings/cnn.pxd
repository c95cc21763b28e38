# The C contract of csrc/cnn.h, for Cython.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

cdef extern from "cnn.h" nogil:
    ctypedef struct cnn_work:
        int64_t tasks
        int64_t grain
        int64_t per_image
        size_t scratch
        size_t state
        int32_t ordered

    ctypedef void (*cnn_run_fn)(const void *args, int64_t begin, int64_t end, void *scratch, void *state)
    ctypedef cnn_work (*cnn_work_fn)(const void *args)

    ctypedef struct cnn_kernel:
        const char *name
        size_t args_size
        cnn_run_fn run
        cnn_work_fn work

    ctypedef struct cnn_patch:
        int64_t call
        size_t field
        int64_t offset
        int64_t image_bytes

    ctypedef struct cnn_group:
        int64_t count
        int64_t images, images_per_slot, images_per_block
        const cnn_patch *patches
        int64_t patch_count
        const int64_t *states
        const char *args
        size_t args_bytes
        size_t scratch

    ctypedef struct cnn_call:
        cnn_run_fn run
        const void *args
        cnn_work work
        int32_t kernel
        int32_t wait
        const cnn_group *group

    enum:
        CNN_KERNELS
        CNN_TIERS

    const char *cnn_tier_name(int tier)
    int cnn_best_tier()
    int cnn_tier_runs_here(int tier)
    const cnn_kernel *cnn_tier_table(int tier)
    int cnn_tier_lanes(int tier)
    int cnn_tier_has_tiles(int tier)
    size_t cnn_claims_bytes(int64_t count)
    int cnn_run(const cnn_call *calls, int64_t count, int threads, void *scratch, size_t scratch_stride,
                double *seconds)

    ctypedef struct cnn_window:
        int64_t batch, in_h, in_w, in_c, out_h, out_w, out_c
        int64_t k_h, k_w, stride_h, stride_w, dilation_h, dilation_w
        int64_t pad_top, pad_left

    enum:
        CNN_conv2d_pack
        CNN_conv2d_pack_dx
        CNN_conv2d
        CNN_conv2d_dx
        CNN_conv2d_dw
        CNN_sum_slots
        CNN_winograd_pack
        CNN_winograd
        CNN_winograd_dw
        CNN_conv2d_tiles_pack
        CNN_conv2d_tiles
        CNN_conv2d_tiles_dw
        CNN_dense
        CNN_dense_finish
        CNN_dense_dx
        CNN_dense_dw
        CNN_dense_tiles
        CNN_dense_tiles_dx
        CNN_dense_tiles_dw
        CNN_fma_peak

    ctypedef struct cnn_sides:
        int64_t x_step, x_first, y_step, y_first
        const float *scale
        const float *shift
        int64_t image_step
        int32_t relu

    enum:
        CNN_LINEAR
        CNN_RELU
        CNN_RELU6
        CNN_SILU
        CNN_HARD_SILU
        CNN_SIGMOID
        CNN_HARD_SIGMOID

    ctypedef struct cnn_conv2d_pack_args:
        cnn_window window
        const float *w
        float *packed

    ctypedef struct cnn_conv2d_args:
        cnn_window window
        const float *x
        const float *packed
        const float *b
        float *y
        int32_t activation, accumulate, winograd
        cnn_sides sides

    ctypedef struct cnn_conv2d_dx_args:
        cnn_window window
        const float *dy
        const float *packed
        float *dx
        const float *behind
        int32_t accumulate, winograd

    ctypedef struct cnn_conv2d_dw_args:
        cnn_window window
        const float *x
        const float *dy
        float *partial
        int64_t images_per_slot
        int32_t winograd

    ctypedef struct cnn_winograd_pack_args:
        const float *w
        float *packed
        int64_t k, in_c, out_c
        int32_t points, transpose

    ctypedef struct cnn_winograd_args:
        cnn_window window
        const float *x
        const float *packed
        const float *b
        float *y
        const float *behind
        int32_t activation, accumulate, points
        cnn_sides sides

    ctypedef struct cnn_conv2d_tiles_pack_args:
        const float *w
        float *packed
        int64_t k_h, k_w, in_c, out_c
        int32_t transpose

    ctypedef struct cnn_sum_slots_args:
        const float *partial
        float *total
        int64_t slots, slot_size, begin, size
        int32_t accumulate

    ctypedef struct cnn_dense_args:
        const float *x
        const float *w
        const float *b
        float *y
        float *partial
        int64_t batch, depth, units, slots
        int32_t activation

    enum:
        CNN_DX_DEPTH

    ctypedef struct cnn_dense_dx_args:
        const float *dy
        const float *w
        float *dx
        const float *behind
        int64_t batch, depth, units, columns
        int32_t accumulate

    ctypedef struct cnn_dense_dw_args:
        const float *x
        const float *dy
        float *dw
        float *db
        int64_t batch, depth, units, rows
        int32_t accumulate

    ctypedef struct cnn_fma_peak_args:
        float *y
        int64_t tasks, rounds
