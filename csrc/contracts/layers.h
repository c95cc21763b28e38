/* layers.h - contracts of pooling, batch normalization, dropout, optimizer and input kernels; included by cnn.h. */

/* ---- pooling: kernels/pool.c ---------------------------------------------------------------------------------- */

/* y[n][oy][ox][c] = max of x[n][iy][ix][c] over the window's positions inside the image, a NaN where there is one.
 * position[n][oy][ox][c] = ky * k_w + kx of the first maximum, or of the first NaN: uint8 where the window has up to
 * 256 positions, int32 where it has more. Dilation is 1; in_c == out_c. Every window meets the image.
 * Task: a band of output rows of one image. */
typedef struct {
    cnn_window window;
    const float *x; /* [batch][in_h][in_w][in_c] */
    float *y;       /* [batch][out_h][out_w][in_c] */
    void *position; /* [batch][out_h][out_w][in_c], or NULL */
} cnn_max_pool2d_args;

/* dx[n][iy][ix][c] = sum of dy[n][oy][ox][c] over the windows whose position is (iy, ix). With y, those windows whose y
 * is not above 0 count as 0: dx is then the gradient behind the ReLU that x came from.
 * Task: a band of rows of dx of one image. */
typedef struct {
    cnn_window window;
    const float *dy;      /* [batch][out_h][out_w][in_c] */
    const void *position; /* as max_pool2d wrote it */
    const float *y;       /* as max_pool2d wrote it, or NULL */
    float *dx;            /* [batch][in_h][in_w][in_c] */
    int32_t accumulate;
} cnn_max_pool2d_dx_args;

/* y[n][oy][ox][c] = mean of x[n][iy][ix][c] over the window's positions inside the image.
 * Task: a band of output rows of one image. */
typedef struct {
    cnn_window window;
    const float *x; /* [batch][in_h][in_w][in_c] */
    float *y;       /* [batch][out_h][out_w][in_c] */
} cnn_avg_pool2d_args;

/* dx[n][iy][ix][c] = sum over the windows that hold (iy, ix) of dy[n][oy][ox][c] / (positions inside the image).
 * With `behind`, the ReLU's outputs that x is, 0 instead where they are not above 0.
 * Task: a band of rows of dx of one image. */
typedef struct {
    cnn_window window;
    const float *dy;     /* [batch][out_h][out_w][in_c] */
    const float *behind; /* [batch][in_h][in_w][in_c], or NULL */
    float *dx;           /* [batch][in_h][in_w][in_c] */
    int32_t accumulate;
} cnn_avg_pool2d_dx_args;

/* y[n][c] = max over pixels of x[n][pixel][c]; position[n][c] is the first maximum's pixel, or the first NaN's.
 * Task: a block of channels of one image. */
typedef struct {
    const float *x;    /* [batch][pixels][channels] */
    float *y;          /* [batch][channels] */
    int32_t *position; /* [batch][channels], or NULL */
    int64_t batch, pixels, channels;
} cnn_global_max_pool2d_args;

/* dx[n][pixel][c] = dy[n][c] where pixel == position[n][c], else 0; y as in max_pool2d_dx.
 * Task: a block of pixels of one image. */
typedef struct {
    const float *dy;         /* [batch][channels] */
    const int32_t *position; /* [batch][channels] */
    const float *y;          /* [batch][channels], or NULL */
    float *dx;               /* [batch][pixels][channels] */
    int64_t batch, pixels, channels;
    int32_t accumulate;
} cnn_global_max_pool2d_dx_args;

/* y[n][c] = mean over pixels of x[n][pixel][c], summed in fixed runs. Task: a block of channels of one image. */
typedef struct {
    const float *x; /* [batch][pixels][channels] */
    float *y;       /* [batch][channels] */
    int64_t batch, pixels, channels;
} cnn_global_avg_pool2d_args;

/* dx[n][pixel][c] = dy[n][c] / pixels. Task: a block of pixels of one image. */
typedef struct {
    const float *dy;     /* [batch][channels] */
    const float *behind; /* [batch][pixels][channels], or NULL; as in avg_pool2d_dx */
    float *dx;           /* [batch][pixels][channels] */
    int64_t batch, pixels, channels;
    int32_t accumulate;
} cnn_global_avg_pool2d_dx_args;

/* ---- batch normalization: kernels/batch_norm.c ---------------------------------------------------------------- */

/* x is seen as rows of channels: one row a pixel. A task takes task_rows rows, and task_slot tasks in order fill one
 * slot, so that a slot is a fixed set of rows for every number of threads. */
typedef struct {
    int64_t rows, channels;
    int64_t task_rows; /* rows of a task: those of an image, or any fixed number */
    int64_t task_slot; /* tasks of a slot */
    int64_t per_image; /* 1 where a task is an image, else 0 */
} cnn_bn_cut;

/* slots[s][0][c] = mean and slots[s][1][c] = sum of squared distances from it, over the rows of slot s.
 * Task: task_rows rows; the grain is a slot. */
typedef struct {
    cnn_bn_cut cut;
    const float *x; /* [rows][channels] */
    double *slots;  /* [slots][2][channels] */
} cnn_bn_stats_args;

/* Merges the slots in a fixed tree into the batch's mean and biased variance, and from them
 *   rstd = 1 / sqrt(variance + epsilon), scale = gamma * rstd,
 *   shift = beta, less scale times what float32 could not hold of the mean,
 *   moving_mean = moving_mean * momentum + mean * (1 - momentum), moving_variance likewise.
 * Task: a block of channels. */
typedef struct {
    cnn_bn_cut cut;
    double *slots;          /* [slots][2][channels]; used up */
    const float *gamma;     /* [channels], or NULL for 1 */
    const float *beta;      /* [channels], or NULL for 0 */
    float *moving_mean;     /* [channels], changed in place */
    float *moving_variance; /* [channels], changed in place */
    float *mean, *rstd;     /* [channels] */
    float *scale, *shift;   /* [channels] */
    double momentum, epsilon;
} cnn_bn_finish_args;

/* rstd, scale and shift as bn_finish writes them, for a given mean and variance. Task: a block of channels. */
typedef struct {
    const float *gamma;          /* [channels], or NULL for 1 */
    const float *beta;           /* [channels], or NULL for 0 */
    const float *variance;       /* [channels] */
    float *rstd, *scale, *shift; /* [channels] */
    int64_t channels;
    double epsilon;
} cnn_bn_fold_args;

/* y[n][row][c] = act((x[n][row][c] - mean[c]) * scale[c] + shift[c]). Task: a block of rows of one image. */
typedef struct {
    const float *x;                    /* [batch][rows][channels] */
    const float *mean, *scale, *shift; /* [channels] */
    float *y;                          /* [batch][rows][channels] */
    int64_t batch, rows, channels;
    int32_t activation;
} cnn_bn_apply_args;

/* slots[s][0][c] = sum of dz and slots[s][1][c] = sum of dz * (x - mean[c]) over the rows of slot s, where dz is dy,
 * and 0 where y says that the ReLU stopped it. Task: task_rows rows; the grain is a slot. */
typedef struct {
    cnn_bn_cut cut;
    const float *x;    /* [rows][channels] */
    const float *y;    /* [rows][channels], or NULL where there is no ReLU */
    const float *dy;   /* [rows][channels] */
    const float *mean; /* [channels] */
    double *slots;     /* [slots][2][channels] */
} cnn_bn_dstats_args;

/* Adds the slots in a fixed tree: dbeta = sum of dz, dgamma = rstd * sum of dz * (x - mean), and the coefficients with
 * which bn_dx computes dx = coef[0] * dz + coef[1] * (x - mean) + coef[2]. Task: a block of channels. */
typedef struct {
    cnn_bn_cut cut;
    double *slots;      /* [slots][2][channels]; used up */
    const float *gamma; /* [channels], or NULL for 1 */
    const float *rstd;  /* [channels] */
    float *dgamma;      /* [channels], or NULL */
    float *dbeta;       /* [channels], or NULL */
    float *coef;        /* [3][channels] */
    int32_t accumulate_dgamma, accumulate_dbeta;
} cnn_bn_dfinish_args;

/* dx[n][row][c] = coef[0][c] * dz + coef[1][c] * (x - mean[c]) + coef[2][c], dz as in bn_dstats; without x, where the
 * mean and the variance did not depend on it, dx = coef[0][c] * dz. Task: a block of rows of one image. */
typedef struct {
    const float *x;      /* [batch][rows][channels], or NULL */
    const float *y;      /* [batch][rows][channels], or NULL where there is no ReLU */
    const float *dy;     /* [batch][rows][channels] */
    const float *mean;   /* [channels]; not read without x */
    const float *coef;   /* [3][channels] */
    const float *behind; /* [batch][rows][channels], or NULL; as in avg_pool2d_dx */
    float *dx;           /* [batch][rows][channels] */
    int64_t batch, rows, channels;
    int32_t accumulate;
} cnn_bn_dx_args;

/* ---- dropout: kernels/dropout.c ------------------------------------------------------------------------------- */

/* y[i] = word(i) >= drop ? x[i] * scale : 0, and mask[i] = word(i) >= drop. Of every 64 elements, element
 * i = 64 * block + 16 * j + l takes word j of Philox4x32-10 with key state[0] and counter (16 * block + l, state[1]),
 * low halves first: the mask depends on the seed, the counter and i alone. Task: a part of one image. */
typedef struct {
    const float *x;        /* [batch][image_size] */
    const uint64_t *state; /* [2]: seed, counter */
    float *y;              /* [batch][image_size] */
    uint8_t *mask;         /* [batch][image_size], or NULL */
    int64_t batch, image_size;
    uint32_t drop; /* rate * 2^32 */
    float scale;   /* 1 / (1 - rate) */
} cnn_dropout_args;

/* dx[i] = mask[i] ? dy[i] * scale : 0. Task: a part of one image. */
typedef struct {
    const float *dy;     /* [batch][image_size] */
    const uint8_t *mask; /* [batch][image_size] */
    const float *behind; /* [batch][image_size], or NULL; as in avg_pool2d_dx */
    float *dx;           /* [batch][image_size] */
    int64_t batch, image_size;
    float scale;
    int32_t accumulate;
} cnn_dropout_dx_args;

/* *value += by. One task. */
typedef struct {
    int64_t *value; /* or a uint64 */
    int64_t by;
} cnn_increment_args;

/* ---- optimizers: kernels/optimizers.c ------------------------------------------------------------------------- */

/* Without velocity w -= lr * g. With it v = momentum * v - lr * g, and then w += v, or, where nesterov,
 * w += momentum * v - lr * g. Task: `chunk` elements. */
typedef struct {
    float *w;        /* [size] */
    const float *g;  /* [size] */
    float *velocity; /* [size], or NULL */
    const float *lr; /* [1] */
    int64_t size, chunk;
    float momentum;
    int32_t nesterov;
} cnn_sgd_args;

/* m += (g - m) * (1 - beta1), v += (g * g - v) * (1 - beta2), w -= alpha * m / (sqrt(v) + epsilon)
 * with alpha = lr * sqrt(1 - beta2^step) / (1 - beta1^step). Task: `chunk` elements. */
typedef struct {
    float *w;            /* [size] */
    const float *g;      /* [size] */
    float *m, *v;        /* [size] */
    const float *lr;     /* [1] */
    const int64_t *step; /* [1], 1 at the first update */
    int64_t size, chunk;
    double beta1, beta2;
    float epsilon;
} cnn_adam_args;

/* How update changes a weight w with the gradient g, from what it keeps in a and b:
 * RMSPROP   a = k1 a + (1 - k1) g^2, s = r g / sqrt(a + epsilon); w -= s, or with b: b = k2 b + s and w -= b
 * ADAGRAD   a += g^2, w -= r g / sqrt(a + epsilon)
 * ADADELTA  a = k1 a + (1 - k1) g^2, d = g sqrt(b + epsilon) / sqrt(a + epsilon), b = k1 b + (1 - k1) d^2, w -= r d
 * ADAMAX    a += (g - a) (1 - k1), b = max(k2 b, |g|), w -= r a / (b + epsilon)
 * NADAM     a += (g - a) (1 - k1), b += (g^2 - b) (1 - k2), w -= (r a + r1 g) / (sqrt(r2 b) + epsilon)
 * LION      w -= r sign(k1 a + (1 - k1) g), a = k2 a + (1 - k2) g */
enum { CNN_RMSPROP, CNN_ADAGRAD, CNN_ADADELTA, CNN_ADAMAX, CNN_NADAM, CNN_LION };

/* One step of such an optimizer. Task: `chunk` elements. */
typedef struct {
    float *w;           /* [size] */
    const float *g;     /* [size] */
    float *a, *b;       /* [size]; b is NULL where the optimizer keeps one thing */
    const float *rates; /* r, for NADAM also r1 and r2: what changes from step to step */
    int64_t size, chunk;
    double k1, k2;
    float epsilon;
    int32_t kind;
} cnn_update_args;

/* ---- input: kernels/gather.c ---------------------------------------------------------------------------------- */

/* What gather_rows reads; it writes float32 or int32. */
enum {
    CNN_FROM_UINT8,
    CNN_FROM_INT8,
    CNN_FROM_UINT16,
    CNN_FROM_INT16,
    CNN_FROM_UINT32,
    CNN_FROM_INT32,
    CNN_FROM_UINT64,
    CNN_FROM_INT64,
    CNN_FROM_FLOAT16,
    CNN_FROM_FLOAT32,
    CNN_FROM_FLOAT64
};

/* out[i][k] = source[index[start + i]][k] as float32, or as int32: real numbers lose their fraction, and those that no
 * int32 holds become INT32_MIN. start is *start, or 0 where it is NULL. The indices are valid. Task: a row. */
typedef struct {
    const void *source;   /* [any][row_size] of `from` */
    const int64_t *index; /* at least start + rows */
    const int64_t *start; /* [1], or NULL */
    void *out;            /* [rows][row_size] */
    int64_t rows, row_size;
    int32_t from, to_int;
} cnn_gather_rows_args;
