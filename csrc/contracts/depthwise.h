/* depthwise.h - contracts of depthwise convolution; included by cnn.h. */

/* ---- kernels/depthwise.c ---------------------------------------------------------------------------------------- */

/* y[n][oy][ox][f] = act(b[f] + sum over ky, kx of x[n][iy][ix][f / m] * w[ky][kx][f]) with m = out_c / in_c filters for
 * each channel; iy and ix as in conv2d. Task: a band of output rows of one image. */
typedef struct {
    cnn_window window;
    const float *x; /* [batch][in_h][in_w][in_c] */
    const float *w; /* [k_h][k_w][out_c] */
    const float *b; /* [out_c], or NULL */
    float *y;       /* [batch][out_h][out_w][out_c] */
    int32_t activation;
} cnn_depthwise_conv2d_args;

/* dx[n][iy][ix][c] = sum over ky, kx and the filters f of c of dy[n][oy][ox][f] * w[ky][kx][f], the adjoint.
 * Task: a band of rows of dx of one image. */
typedef struct {
    cnn_window window;
    const float *dy;     /* [batch][out_h][out_w][out_c] */
    const float *w;      /* [k_h][k_w][out_c] */
    float *dx;           /* [batch][in_h][in_w][in_c] */
    const float *behind; /* NULL, or the ReLU's output that was x: dx is 0 where it is not above 0 */
    int32_t accumulate;
} cnn_depthwise_conv2d_dx_args;

/* Weight gradients of a slot of images, as in conv2d_dw: the last row is the bias's gradient.
 * Task: one image; the grain is a slot. */
typedef struct {
    cnn_window window;
    const float *x;  /* [batch][in_h][in_w][in_c] */
    const float *dy; /* [batch][out_h][out_w][out_c] */
    float *partial;  /* [slots][k_h * k_w + 1][out_c] */
    int64_t images_per_slot;
} cnn_depthwise_conv2d_dw_args;
