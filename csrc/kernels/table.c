/* table.c - every kernel for one tier: a tier's file defines LANES, MR, NV and CNN_TIER and includes this. */
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "../cnn.h"
#include "../simd.h"

#define GLUE_(a, b)  a##__##b
#define GLUE(a, b)   GLUE_(a, b)
#define TIERED(name) GLUE(name, CNN_TIER)

/* KERNEL_RUN(conv2d) { ... } defines cnn_conv2d__avx2, KERNEL_WORK(conv2d) { ... } what it tells the run loop. */
#define UNUSED __attribute__((unused))
#define KERNEL_RUN(op)                                                                                       \
    static void TIERED(cnn_##op)(const cnn_##op##_args *a, int64_t begin, int64_t end, void *scratch UNUSED, \
                                 void *state UNUSED)
#define KERNEL_WORK(op) static cnn_work TIERED(cnn_##op##_work)(const cnn_##op##_args *a)

#include "vmath.h"

#include "activate.h"
#include "ask.h"
#include "band.h"

#include "igemm.c"
#if MATRIX_TILES
#include "tiles.h"
#endif

#include "winograd.h"
#include "winograd_rows.h"

#include "sum_pixels.c"

#include "conv_few.c"
#include "winograd_rows.c"
#include "winograd_rows_dw.c"
#if ALL_POINTS_AT_ONCE
#include "winograd_pairs.c"
#include "winograd_pairs_dw.c"
#endif

#include "conv2d.c"
#include "conv2d_dw.c"
#if MATRIX_TILES
#include "conv_tiles.c"
#include "conv_tiles_dw.c"
#endif
#include "winograd.c"
#include "winograd_dw.c"
#include "depthwise_rows.c"

#include "depthwise.c"
#include "transpose.c"
#include "sparse_rows.c"
#include "dense.c"
#include "dense_dx.c"
#include "dense_dw.c"
#if MATRIX_TILES
#include "dense_tiles.c"
#endif
#include "peak.c"

#include "elementwise.c"
#include "reduce.c"
#include "movement.c"
#include "order.c"
#include "softmax.c"

#include "pool.c"
#include "global_pool.c"
#include "batch_norm.c"
#include "dropout.c"
#include "gather.c"
#include "optimizers_adaptive.c"
#include "optimizers.c"
#include "random.c"
#include "affine.c"
#include "sample.c"

const cnn_kernel TIERED(cnn_table)[CNN_KERNELS] = {
#define KERNEL(op) {#op, sizeof(cnn_##op##_args), (cnn_run_fn)TIERED(cnn_##op), (cnn_work_fn)TIERED(cnn_##op##_work)},
#if MATRIX_TILES
#define TILE_KERNEL(op) KERNEL(op)
#else
#define TILE_KERNEL(op) {#op, sizeof(cnn_##op##_args), NULL, NULL},
#endif
#include "../kernels.def"
#undef KERNEL
#undef TILE_KERNEL
};
