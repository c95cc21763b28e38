/* images.h - contracts of the kernels that draw random numbers and that move pixels about; included by cnn.h. */

/* ---- random numbers: kernels/random.c ------------------------------------------------------------------------- */

/* y[i] = low + (high - low) * u(i) with u(i) = floor(word(i) / 256) / 2^24, from 0 to below 1, word(i) as in dropout:
 * the numbers depend on the seed, the counter and i alone. Task: a block of 64 elements. */
typedef struct {
    const uint64_t *state; /* [2]: seed, counter */
    float *y;              /* [size] */
    int64_t size;
    float low, high;
} cnn_random_uniform_args;

/* y[i] = the logarithm of a number that is gamma-distributed with shape alpha[i] and scale 1 (Marsaglia and Tsang
 * 2000). A small alpha gives numbers too small for a float, but not for their logarithm. Element i draws from words of
 * its own, so that how often it must draw moves no other. Task: an element. */
typedef struct {
    const uint64_t *state; /* [2]: seed, counter */
    const float *alpha;    /* [alphas]: one for all, or one for each, above 0 */
    float *y;              /* [size] */
    int64_t size, alphas;
} cnn_random_log_gamma_args;

/* ---- affine transformations: kernels/affine.c ----------------------------------------------------------------- */

/* What stands where a place outside the image is asked for. n is the length of an axis. */
enum {
    CNN_FILL_CONSTANT,      /* fill_value, from beyond the centres of the outermost pixels on */
    CNN_FILL_NEAREST,       /* the outermost pixel: a a a | a b c d | d d d */
    CNN_FILL_REFLECT,       /* mirrored at the edge: c b a | a b c d | d c b */
    CNN_FILL_MIRROR,        /* mirrored at the outermost pixel's centre: d c b | a b c d | c b a */
    CNN_FILL_WRAP,          /* repeated with period n - 1, so that the first and the last pixel are one */
    CNN_FILL_GRID_CONSTANT, /* pixels of fill_value all around */
    CNN_FILL_GRID_WRAP      /* repeated with period n: b c d | a b c d | a b c */
};

/* y[n][oy][ox][c] = x[n] at row t[0] * oy + t[1] * ox + t[2] and column t[3] * oy + t[4] * ox + t[5], t = transform[n],
 * between pixels by B-splines of degree `order`: 0 takes the nearest pixel, 1 is linear, 2 to 5 take x as the
 * coefficients of the spline through the pixels. A NaN place counts as outside. Task: a row of y. */
typedef struct {
    const float *x;          /* [batch][in_h][in_w][channels] */
    const double *transform; /* [batch][6] */
    float *y;                /* [batch][out_h][out_w][channels] */
    int64_t batch, in_h, in_w, out_h, out_w, channels;
    int32_t order, fill;
    float fill_value;
} cnn_affine_args;

/* dx[n][iy][ix][c] = sum of dy[n][oy][ox][c] times the weight with which affine took x[n][iy][ix][c] for it.
 * Task: an image. */
typedef struct {
    const float *dy;         /* [batch][out_h][out_w][channels] */
    const double *transform; /* [batch][6] */
    float *dx;               /* [batch][in_h][in_w][channels] */
    int64_t batch, in_h, in_w, out_h, out_w, channels;
    int32_t order, fill;
    int32_t accumulate;
} cnn_affine_dx_args;

/* ---- places of their own for all pixels: kernels/sample.c ------------------------------------------------------ */

/* y[n][oy][ox][c] = x[n] at row place[n][oy][ox][0] and column place[n][oy][ox][1], as affine takes it from there.
 * Task: a row of y. */
typedef struct {
    const float *x;     /* [batch][in_h][in_w][channels] */
    const float *place; /* [batch][out_h][out_w][2] */
    float *y;           /* [batch][out_h][out_w][channels] */
    int64_t batch, in_h, in_w, out_h, out_w, channels;
    int32_t order, fill;
    float fill_value;
} cnn_sample_args;

/* dx[n][iy][ix][c] = sum of dy[n][oy][ox][c] times the weight with which sample took x[n][iy][ix][c] for it.
 * Task: an image. */
typedef struct {
    const float *dy;    /* [batch][out_h][out_w][channels] */
    const float *place; /* [batch][out_h][out_w][2] */
    float *dx;          /* [batch][in_h][in_w][channels] */
    int64_t batch, in_h, in_w, out_h, out_w, channels;
    int32_t order, fill;
    int32_t accumulate;
} cnn_sample_dx_args;

/* ---- resizing: kernels/affine.c ------------------------------------------------------------------------------- */

/* y[n][line][o][k] = sum over t of weight[o][t] * x[n][line][index[o][t]][k]. The indices are valid.
 * Task: one (line, o) of one image. */
typedef struct {
    const float *x;       /* [batch][lines][in_n][inner] */
    const int32_t *index; /* [out_n][taps] */
    const float *weight;  /* [out_n][taps] */
    float *y;             /* [batch][lines][out_n][inner] */
    int64_t batch, lines, in_n, out_n, inner, taps;
    int32_t accumulate;
} cnn_resample_args;
