/* conv.h - contracts of the convolution and dense kernels; included by cnn.h. */

/* ---- conv2d: kernels/conv2d.c --------------------------------------------------------------------------------- */

/* Packs filters w[k_h][k_w][in_c][out_c] into panels of the tier's panel width for conv2d.
 * packed[out_c / width][k_h][k_w][in_c][width], the last panel narrower; zeros past out_c.
 * Task: one panel. */
typedef struct {
    cnn_window window;
    const float *w;
    float *packed; /* cnn_conv2d_packed_size(in_c, out_c) elements */
} cnn_conv2d_pack_args;

/* The same for conv2d_dx: the roles of in_c and out_c swapped.
 * packed[in_c / width][k_h][k_w][out_c][width]. Task: one panel. */
typedef cnn_conv2d_pack_args cnn_conv2d_pack_dx_args;

/* y[n][oy][ox][f] = act(b[f] + sum over ky, kx, c of x[n][iy][ix][c] * w[ky][kx][c][f])
 * with iy = oy * stride_h + ky * dilation_h - pad_top, ix likewise, x being 0 outside the image.
 * What is read, and where
 * the channels of x and y lie, is told by `sides`. With `accumulate` the sum adds to y before the activation.
 * Task: a band of output rows of one image. */
typedef struct {
    cnn_window window;
    const float *x;      /* [batch][in_h][in_w][in_c] */
    const float *packed; /* from conv2d_pack */
    const float *b;      /* [out_c], or NULL */
    float *y;            /* [batch][out_h][out_w][out_c] */
    int32_t activation, accumulate;
    int32_t winograd; /* whether rows of few channels may be taken by Winograd: relative error 3e-6 instead of 3e-7 */
    cnn_sides sides;
} cnn_conv2d_args;

/* dx[n][iy][ix][c] = sum over ky, kx, f of dy[n][oy][ox][f] * w[ky][kx][c][f], the adjoint of conv2d.
 * Task: a band of rows of dx of one image. */
typedef struct {
    cnn_window window;
    const float *dy;     /* [batch][out_h][out_w][out_c] */
    const float *packed; /* from conv2d_pack_dx */
    float *dx;           /* [batch][in_h][in_w][in_c] */
    const float *behind; /* NULL, or the ReLU's output that was conv2d's x: dx is 0 where it is not above 0 */
    int32_t accumulate;
    int32_t winograd; /* as conv2d's, for stride 1 */
} cnn_conv2d_dx_args;

/* Weight gradients of a slot of images: partial[slot][k_h * k_w * in_c + 1][out_c], the last row being the bias's
 * gradient. Slot s takes images s * images_per_slot and on, in order; a slot's first image overwrites.
 * sum_slots adds the slots in a fixed tree, so that the sum is the same for every number of threads.
 * Task: one image; the grain is a slot. */
typedef struct {
    cnn_window window;
    const float *x;  /* [batch][in_h][in_w][in_c] */
    const float *dy; /* [batch][out_h][out_w][out_c] */
    float *partial;  /* [slots][k_h * k_w * in_c + 1][out_c] */
    int64_t images_per_slot;
    int32_t winograd; /* conv2d_dw: as conv2d's; winograd_dw: its points, as winograd_pack's */
} cnn_conv2d_dw_args;

/* total[i] = sum over slots of partial[s * slot_size + begin + i], in a fixed tree. Task: a chunk of elements. */
typedef struct {
    const float *partial;
    float *total; /* [size] */
    int64_t slots, slot_size, begin, size;
    int32_t accumulate;
} cnn_sum_slots_args;

/* ---- dense: kernels/dense.c ----------------------------------------------------------------------------------- */

/* y[n][u] = act(b[u] + sum over k of x[n][k] * w[k][u]). Where depth is long and the output small, the sum over k is
 * cut into `slots` fixed ranges whose sums go to partial, and dense_finish adds them; slots == 1 writes y itself.
 * Task: a block of rows, columns and one slot. */
typedef struct {
    const float *x; /* [batch][depth] */
    const float *w; /* [depth][units] */
    const float *b; /* [units], or NULL */
    float *y;       /* [batch][units]; not touched where slots > 1 */
    float *partial; /* [slots][batch][units]; NULL where slots == 1 */
    int64_t batch, depth, units, slots;
    int32_t activation;
} cnn_dense_args;

/* y[n][u] = act(b[u] + sum over slots of partial[s][n][u]). Task: a block of rows. */
typedef cnn_dense_args cnn_dense_finish_args;

#define CNN_DX_DEPTH 256 /* units up to which dense_dx sums in one go */

/* dx[n][k] = sum over u of dy[n][u] * w[k][u]. Task: `columns` columns of dx, 1 to 256; 0: as many as suit the kernel.
 * dx may take the place of `behind`, in dense_dx for up to CNN_DX_DEPTH units. */
typedef struct {
    const float *dy;     /* [batch][units] */
    const float *w;      /* [depth][units] */
    float *dx;           /* [batch][depth] */
    const float *behind; /* NULL, or the ReLU's output that was x: dx is 0 where it is not above 0 */
    int64_t batch, depth, units, columns;
    int32_t accumulate;
} cnn_dense_dx_args;

/* dw[k][u] = sum over n of x[n][k] * dy[n][u]; db[u] = sum over n of dy[n][u]. Task: `rows` rows of dw, 1 to 256; the
 * first task also writes db. */
typedef struct {
    const float *x;  /* [batch][depth] */
    const float *dy; /* [batch][units] */
    float *dw;       /* [depth][units] */
    float *db;       /* [units], or NULL */
    int64_t batch, depth, units, rows;
    int32_t accumulate;
} cnn_dense_dw_args;

/* ---- Winograd: kernels/winograd.c, for filters of 2x2 to 5x5 with stride and dilation 1 -------------------------- */

/* Transforms filters: packed[f / width][points][points][in_c][width] = G w G' (Lavin and Gray 2016, "Fast Algorithms
 * for Convolutional Neural Networks"). An axis has 8 points, for large and small tiles, or 6, for small ones
 * alone; all calls that use these filters must say the same. With `transpose` the filters of the adjoint instead:
 * rotated by half a turn, in_c and out_c swapped. Task: some rows of one panel. */
typedef struct {
    const float *w; /* [k][k][in_c][out_c] */
    float *packed;
    int64_t k, in_c, out_c; /* of w */
    int32_t points, transpose;
} cnn_winograd_pack_args;

/* As conv2d, from filters of winograd_pack. dx is the same with window.in_* describing dy, window.out_* dx, the pads
 * k - 1 - pad, and transposed filters. Task: a row of tiles of one image. */
typedef struct {
    cnn_window window;
    const float *x;
    const float *packed;
    const float *b; /* [out_c], or NULL */
    float *y;
    const float *behind;                    /* NULL, or as for conv2d_dx */
    int32_t activation, accumulate, points; /* points: winograd's alone, as winograd_pack's */
    cnn_sides sides;                        /* winograd: neither scale, shift nor relu */
} cnn_winograd_args;

/* As conv2d_dw: partial[slot][k * k * in_c + 1][out_c]. Task: one image; the grain is a slot. */
typedef cnn_conv2d_dw_args cnn_winograd_dw_args;

/* ---- on matrix tiles: kernels/conv_tiles.c, kernels/dense_tiles.c ---------------------------------------------- */

/* Products of pairs of bfloat16 numbers (see kernels/tiles.h): relative error about 4e-6 instead of 2e-7. */

/* Splits filters for conv2d_tiles: packed[f / 16][k_h][chunk of k_w * in_c][h and l], a chunk being 32 elements; where
 * that at least halves the chunks, [f / 16][chunk of k_w * k_h * in_c][h and l] instead. With `transpose` the filters
 * of the adjoint, as winograd_pack makes them. Task: 16 output channels. */
typedef struct {
    const float *w; /* [k_h][k_w][in_c][out_c] */
    float *packed;
    int64_t k_h, k_w, in_c, out_c; /* of w */
    int32_t transpose;
} cnn_conv2d_tiles_pack_args;

/* As winograd, for filters of any size and stride, dilation 1; dx for stride 1. Task: a band of output rows of one
 * image, or some of its output channels. */
typedef cnn_winograd_args cnn_conv2d_tiles_args;

/* As conv2d_dw, for stride and dilation 1. */
typedef cnn_conv2d_dw_args cnn_conv2d_tiles_dw_args;

/* As dense, dense_dx and dense_dw. */
typedef cnn_dense_args cnn_dense_tiles_args;
typedef cnn_dense_dx_args cnn_dense_tiles_dx_args;
typedef cnn_dense_dw_args cnn_dense_tiles_dw_args;

/* ---- what the machine can do: kernels/peak.c --------------------------------------------------------------------- */

/* Each task runs `rounds` times cnn_fma_peak's multiply-adds on registers alone: a whole tile of them. y[task] is a sum
 * that nobody needs. */
typedef struct {
    float *y;
    int64_t tasks, rounds;
} cnn_fma_peak_args;
