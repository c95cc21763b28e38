/* depthwise_rows.c - depthwise convolution forward, straight from the image: one filter for each channel, and vectors
 * of channels. Taps outside of the image are left out, so that nothing is padded. */

#define DEPTHWISE_PIXELS 8    /* vectors that are summed at once: each weight is loaded once for so many */
#define DEPTHWISE_FLOATS 6144 /* that a few pixels meet: half of a small first cache */

/* Pixels of one row that meet the same taps, `channels` channels of each. */
typedef struct {
    const float *x; /* what the first pixel's first tap meets */
    int64_t x_step;
    const float *w, *b;
    const int64_t *x_offset, *w_offset; /* of each tap */
    int64_t taps;
    float *y;
    int64_t channels, y_step;
    int32_t activation;
} depthwise_pixels;

static __attribute__((noinline)) void activate_pixels(float *y, int64_t y_step, int64_t m, int64_t n, int activation) {
    float *row[DEPTHWISE_PIXELS];
    for (int64_t i = 0; i < m; i++) row[i] = y + i * y_step;
    activate_rows(row, m, n, activation);
}

/* LANES channels from c on, or the last n. */
INLINE void depthwise_vectors(const depthwise_pixels *t, int64_t c, int64_t n, const int m, const int whole) {
    vf acc[DEPTHWISE_PIXELS];
    vf least = set(least_of(t->activation)), most = set(most_of(t->activation));
    const float *x = t->x + c, *w = t->w + c;
    if (whole) n = LANES;
    UNROLL
    for (int i = 0; i < m; i++) acc[i] = t->b ? load_n(t->b + c, n) : (vf){0};
    for (int64_t k = 0; k < t->taps; k++) {
        const float *at = x + t->x_offset[k];
        vf one = load_n(w + t->w_offset[k], n);
        UNROLL
        for (int i = 0; i < m; i++) acc[i] += load_n(at + i * t->x_step, n) * one;
    }
    UNROLL
    for (int i = 0; i < m; i++) store_n(t->y + i * t->y_step + c, vmin(most, vmax(least, acc[i])), n);
}

INLINE void depthwise_span(const depthwise_pixels *t, const int m) {
    int64_t c = 0;
    for (; c + LANES <= t->channels; c += LANES) depthwise_vectors(t, c, LANES, m, 1);
    if (c < t->channels) depthwise_vectors(t, c, t->channels - c, m, 0);
}

/* clang-format off */
#define SPAN_CASE(m)             \
    case m:                      \
        depthwise_span(&one, m); \
        break;
/* clang-format on */
static __attribute__((noinline)) void depthwise_some(const depthwise_pixels *t, int m) {
    depthwise_pixels one = *t;
    if (!is_bounds(one.activation)) one.activation = CNN_LINEAR;
    switch (m) {
        SPAN_CASE(1)
        SPAN_CASE(2)
        SPAN_CASE(3)
        SPAN_CASE(4)
        SPAN_CASE(5)
        SPAN_CASE(6)
        SPAN_CASE(7)
        SPAN_CASE(8)
    }
    if (!is_bounds(t->activation)) activate_pixels(t->y, t->y_step, m, t->channels, t->activation);
}

/* The taps [first, last) along one axis that lie inside the image, for the output at `out`. */
typedef struct {
    int64_t first, last;
} taps_inside;

INLINE taps_inside taps_of(int64_t out, int64_t stride, int64_t pad, int64_t dilation, int64_t kernel, int64_t length) {
    int64_t at = out * stride - pad;
    int64_t first = at < 0 ? ceil_div(-at, dilation) : 0;
    int64_t last = at < length ? ceil_div(length - at, dilation) : 0;
    return (taps_inside){min64(first, kernel), max64(min64(first, kernel), min64(last, kernel))};
}

/* Channels of a block, so that what a few pixels meet stays in the nearest cache. */
INLINE int64_t depthwise_block(const cnn_window *g) {
    int64_t met = g->k_h * ((DEPTHWISE_PIXELS - 1) * g->stride_w + 2 * g->k_w);
    return max64(2 * LANES, DEPTHWISE_FLOATS / met / LANES * LANES);
}

/* Channels [f0, f1) of row oy of y, straight from the image: taps outside of it are left out. */
static void depthwise_row_in_place(const cnn_depthwise_conv2d_args *a, int64_t n, int64_t oy, int64_t f0, int64_t f1,
                                   int64_t *x_offset, int64_t *w_offset) {
    const cnn_window *g = &a->window;
    int64_t channels = g->out_c;
    const float *row = a->x + ((n * g->in_h + oy * g->stride_h - g->pad_top) * g->in_w - g->pad_left) * channels;
    taps_inside down = taps_of(oy, g->stride_h, g->pad_top, g->dilation_h, g->k_h, g->in_h);
    for (int64_t ox = 0, next; ox < g->out_w; ox = next) {
        taps_inside across = taps_of(ox, g->stride_w, g->pad_left, g->dilation_w, g->k_w, g->in_w), other = across;
        for (next = ox; other.first == across.first && other.last == across.last;) {
            if (++next == g->out_w) break;
            other = taps_of(next, g->stride_w, g->pad_left, g->dilation_w, g->k_w, g->in_w);
        }
        depthwise_pixels t = {.x_step = g->stride_w * channels,
                              .w = a->w + f0,
                              .b = a->b ? a->b + f0 : NULL,
                              .x_offset = x_offset,
                              .w_offset = w_offset,
                              .channels = f1 - f0,
                              .y_step = channels,
                              .activation = a->activation};
        for (int64_t ky = down.first; ky < down.last; ky++)
            for (int64_t kx = across.first; kx < across.last; kx++, t.taps++) {
                x_offset[t.taps] = (ky * g->dilation_h * g->in_w + kx * g->dilation_w) * channels;
                w_offset[t.taps] = (ky * g->k_w + kx) * channels;
            }
        int64_t tiles = ceil_div(next - ox, DEPTHWISE_PIXELS);
        for (int64_t tile = 0; tile < tiles; tile++) {
            int64_t p0 = ox + tile_begin(next - ox, tiles, tile), p1 = ox + tile_begin(next - ox, tiles, tile + 1);
            t.x = row + p0 * t.x_step + f0;
            t.y = a->y + ((n * g->out_h + oy) * g->out_w + p0) * channels + f0;
            depthwise_some(&t, (int)(p1 - p0));
        }
    }
}
