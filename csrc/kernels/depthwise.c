/* depthwise.c - convolution of each channel by filters of its own: forward, dx and dw.
 *
 * A band of rows is made as in conv2d.c, with every channel repeated once for each of its filters, so that the kernels
 * know one number of channels only. A vector is LANES channels of a pixel. Where a pixel has fewer channels than that
 * and pixels follow each other without a gap, a vector is LANES floats of a row instead, and meets weights that are
 * repeated along it ("flat").
 */

#define DEPTHWISE_TAPS 9 /* taps whose gradients are summed at once: each vector of dy is loaded once for so many */

/* As cut_band, of an image of in_c channels that become out_c, a multiple of them. */
static band cut_wide_band(const float *image, int64_t h, int64_t w, int64_t in_c, int64_t out_c, int64_t top,
                          int64_t left, int64_t height, int64_t width, float *room) {
    if (in_c == out_c) return cut_band(image, h, w, in_c, top, left, height, width, room);
    int64_t filters = out_c / in_c;
    for (int64_t r = 0; r < height; r++)
        for (int64_t p = 0; p < width; p++) {
            float *to = room + (r * width + p) * out_c;
            int64_t y = top + r, x = left + p;
            if (y < 0 || y >= h || x < 0 || x >= w) {
                memset(to, 0, (size_t)out_c * sizeof(float));
                continue;
            }
            const float *from = image + (y * w + x) * in_c;
            for (int64_t c = 0; c < in_c; c++)
                for (int64_t m = 0; m < filters; m++) *to++ = from[c];
        }
    return (band){room, width * out_c};
}

/* ---- forward and dx: vectors that meet the same taps --------------------------------------------------------------
 */

typedef struct {
    const float *x; /* what the first vector meets: x, or dy for dx */
    int64_t x_step; /* floats from one vector's to the next's */
    const float *w, *b;
    const int64_t *x_offset, *w_offset; /* of each tap */
    int64_t taps;
    const int64_t *at; /* flat: of each vector, where its weights begin */
    float *y;
    int64_t y_step;
    const float *behind; /* NULL, or what stands behind y */
    int64_t n;           /* channels of a vector */
    int32_t activation, accumulate;
} depthwise_tile;

/* m vectors; `whole` where a vector has all its channels. */
INLINE void depthwise_m(const depthwise_tile *t, const int m, const int whole, const int flat) {
    vf acc[DEPTHWISE_PIXELS];
    int64_t n = whole ? LANES : t->n;
    UNROLL
    for (int i = 0; i < m; i++) acc[i] = t->b ? load_n(t->b + (flat ? t->at[i] : 0), n) : (vf){0};
    for (int64_t k = 0; k < t->taps; k++) {
        const float *x = t->x + t->x_offset[k], *w = t->w + t->w_offset[k];
        vf one = flat ? (vf){0} : load_n(w, n);
        UNROLL
        for (int i = 0; i < m; i++) acc[i] += load_n(x + i * t->x_step, n) * (flat ? load_n(w + t->at[i], n) : one);
    }
    UNROLL
    for (int i = 0; i < m; i++) {
        float *y = t->y + i * t->y_step;
        if (t->activation == CNN_RELU) acc[i] = vmax(set(0), acc[i]);
        if (t->behind) acc[i] = behind_relu(load_n(t->behind + i * t->y_step, n), acc[i]);
        store_n(y, t->accumulate ? load_n(y, n) + acc[i] : acc[i], n);
        if (t->activation > CNN_RELU) activate_rows(&y, 1, n, t->activation);
    }
}

/* clang-format off */
#define DEPTHWISE_CASE(m)               \
    case m:                             \
        depthwise_m(t, m, whole, flat); \
        break;
#define DEPTHWISE_TILES(name, is_whole, is_flat)                                              \
    static __attribute__((noinline)) void name(const depthwise_tile *t, int m) {              \
        const int whole = is_whole, flat = is_flat;                                           \
        switch (m) {                                                                          \
            DEPTHWISE_CASE(1) DEPTHWISE_CASE(2) DEPTHWISE_CASE(3) DEPTHWISE_CASE(4)           \
            DEPTHWISE_CASE(5) DEPTHWISE_CASE(6) DEPTHWISE_CASE(7) DEPTHWISE_CASE(8)           \
        }                                                                                     \
    }
/* clang-format on */
_Static_assert(DEPTHWISE_PIXELS == 8, "DEPTHWISE_TILES lists the vectors that a tile may have");
DEPTHWISE_TILES(depthwise_whole, 1, 0)
DEPTHWISE_TILES(depthwise_part, 0, 0)
DEPTHWISE_TILES(depthwise_flat, 1, 1)
DEPTHWISE_TILES(depthwise_flat_part, 0, 1)

/* Whether a row whose pixels meet `step` floats apart goes flat. */
INLINE int goes_flat(int64_t channels, int64_t stride) { return channels < LANES && stride == 1; }

/* Floats of weights that are repeated so that a vector may begin at any channel. */
INLINE int64_t flat_step(int64_t channels) { return channels + LANES; }

static void repeat_weights(const float *w, int64_t rows, int64_t channels, float *to) {
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < flat_step(channels); i++) *to++ = w[r * channels + i % channels];
}

/* `pixels` pixels of one row of y. The tile says all but its vectors' channels; w, b, y, behind are those of channel 0.
 */
static void depthwise_row(depthwise_tile t, int64_t pixels, int64_t channels) {
    const float *x = t.x, *w = t.w, *b = t.b, *behind = t.behind;
    float *y = t.y;
    int64_t x_step = t.x_step, y_step = t.y_step, tiles = ceil_div(pixels, DEPTHWISE_PIXELS);
    for (int64_t f = 0; f < channels; f += LANES) {
        t.n = min64(LANES, channels - f);
        t.w = w + f;
        t.b = b ? b + f : NULL;
        for (int64_t tile = 0; tile < tiles; tile++) {
            int64_t p0 = tile_begin(pixels, tiles, tile), p1 = tile_begin(pixels, tiles, tile + 1);
            t.x = x + p0 * x_step + f;
            t.y = y + p0 * y_step + f;
            t.behind = behind ? behind + p0 * y_step + f : NULL;
            if (t.n == LANES)
                depthwise_whole(&t, (int)(p1 - p0));
            else
                depthwise_part(&t, (int)(p1 - p0));
        }
    }
}

/* The same for a row that goes flat, from repeated weights and biases. */
static void depthwise_flat_row(depthwise_tile t, int64_t pixels, int64_t channels) {
    int64_t floats = pixels * channels, vectors = floats / LANES, tiles = ceil_div(vectors, DEPTHWISE_PIXELS);
    int64_t at[DEPTHWISE_PIXELS];
    const float *x = t.x, *behind = t.behind;
    float *y = t.y;
    t.x_step = t.y_step = LANES;
    t.at = at;
    for (int64_t tile = 0; tile <= tiles; tile++) {
        int64_t v0 = tile < tiles ? tile_begin(vectors, tiles, tile) : vectors;
        int64_t v1 = tile < tiles ? tile_begin(vectors, tiles, tile + 1) : vectors + 1;
        for (int64_t v = v0; v < v1; v++) at[v - v0] = v * LANES % channels;
        t.x = x + v0 * LANES;
        t.y = y + v0 * LANES;
        t.behind = behind ? behind + v0 * LANES : NULL;
        t.n = floats - vectors * LANES;
        if (tile < tiles)
            depthwise_flat(&t, (int)(v1 - v0));
        else if (t.n)
            depthwise_flat_part(&t, 1);
    }
}

/* ---- forward from a padded band -----------------------------------------------------------------------------------
 */

static int64_t depthwise_bands(const cnn_window *g) {
    return bands_per_image(g->batch, g->out_h, columns_under(g) * g->out_c * g->stride_h * (int64_t)sizeof(float));
}

/* Scratch beside the band: the taps' offsets, and weights and biases that are repeated. */
static size_t depthwise_extra(const cnn_window *g) {
    int64_t taps = g->k_h * g->k_w;
    return 2 * (size_t)taps * sizeof(int64_t) + (size_t)((taps + 1) * flat_step(g->out_c)) * sizeof(float);
}

KERNEL_WORK(depthwise_conv2d) {
    const cnn_window *g = &a->window;
    int64_t bands = depthwise_bands(g), rows = ceil_div(g->out_h, bands);
    size_t room = (size_t)(rows_under(g, rows) * columns_under(g) * g->out_c) * sizeof(float);
    return (cnn_work){g->batch * bands, 1, bands, room + depthwise_extra(g)};
}

KERNEL_RUN(depthwise_conv2d) {
    const cnn_window *g = &a->window;
    int64_t bands = depthwise_bands(g), channels = g->out_c, taps = g->k_h * g->k_w;
    int flat = goes_flat(channels, g->stride_w);
    int64_t *x_offset = scratch, *w_offset = x_offset + taps;
    float *repeated = (float *)(w_offset + taps), *room = repeated + (taps + 1) * flat_step(channels);
    const float *w = a->w, *b = a->b;
    if (flat) {
        repeat_weights(a->w, taps, channels, repeated);
        w = repeated;
        if (b) repeat_weights(a->b, 1, channels, repeated + taps * flat_step(channels));
        if (b) b = repeated + taps * flat_step(channels);
    }
    for (int64_t k = 0; k < taps; k++) w_offset[k] = k * (flat ? flat_step(channels) : channels);
    int64_t block = depthwise_block(g);
    for (int64_t task = begin; task < end; task++) {
        int64_t n = task / bands, i = task % bands;
        int64_t oy0 = tile_begin(g->out_h, bands, i), rows = tile_begin(g->out_h, bands, i + 1) - oy0;
        if (g->in_c == channels && !flat) {
            for (int64_t f = 0; f < channels; f += block)
                for (int64_t oy = oy0; oy < oy0 + rows; oy++)
                    depthwise_row_in_place(a, n, oy, f, min64(f + block, channels), x_offset, w_offset);
            continue;
        }
        band in =
            cut_wide_band(a->x + n * g->in_h * g->in_w * g->in_c, g->in_h, g->in_w, g->in_c, channels,
                          oy0 * g->stride_h - g->pad_top, -g->pad_left, rows_under(g, rows), columns_under(g), room);
        for (int64_t k = 0; k < taps; k++)
            x_offset[k] = k / g->k_w * g->dilation_h * in.row_step + k % g->k_w * g->dilation_w * channels;
        for (int64_t r = 0; r < rows; r++) {
            depthwise_tile t = {in.rows + r * g->stride_h * in.row_step,
                                g->stride_w * channels,
                                w,
                                b,
                                x_offset,
                                w_offset,
                                taps,
                                NULL,
                                a->y + (n * g->out_h + oy0 + r) * g->out_w * channels,
                                channels,
                                NULL,
                                0,
                                a->activation,
                                0};
            if (flat)
                depthwise_flat_row(t, g->out_w, channels);
            else
                depthwise_row(t, g->out_w, channels);
        }
    }
}

/* ---- dx -----------------------------------------------------------------------------------------------------------
 */

/* Columns of dy that a row of dx meets, from first_met on. */
INLINE int64_t columns_met(const cnn_window *g) {
    return end_met(g->in_w, g->pad_left, g->stride_w) - first_met(0, g->pad_left, g->k_w, g->dilation_w, g->stride_w);
}

static int64_t depthwise_dx_bands(const cnn_window *g) {
    return bands_per_image(g->batch, g->in_h,
                           max64(columns_met(g) * g->out_c * (int64_t)sizeof(float) / g->stride_h, 1));
}

KERNEL_WORK(depthwise_conv2d_dx) {
    const cnn_window *g = &a->window;
    int64_t bands = depthwise_dx_bands(g), rows = ceil_div(g->in_h, bands);
    int64_t met = (rows - 1 + (g->k_h - 1) * g->dilation_h) / g->stride_h + 2;
    size_t room = (size_t)((met * columns_met(g) + g->in_w) * g->out_c) * sizeof(float);
    return (cnn_work){g->batch * bands, 1, bands, room + depthwise_extra(g)};
}

/* A row of dx from a row in which every channel has a sum for each of its filters. */
static void fold_row(const cnn_window *g, const float *wide, float *dx, const float *behind, int accumulate) {
    int64_t filters = g->out_c / g->in_c;
    for (int64_t i = 0; i < g->in_w * g->in_c; i++) {
        float sum = 0;
        for (int64_t m = 0; m < filters; m++) sum += wide[i * filters + m];
        if (behind && behind[i] <= 0) sum = 0;
        dx[i] = accumulate ? dx[i] + sum : sum;
    }
}

/* The taps that the pixels of row iy and of columns phase, phase + stride_w, ... meet: how many. `in` begins at row
 * `top` and column `left` of dy. */
static int64_t list_depthwise_taps(const cnn_window *g, int64_t iy, int64_t phase, int64_t top, int64_t left,
                                   int64_t row_step, int64_t w_step, int64_t *x_offset, int64_t *w_offset) {
    int64_t taps = 0;
    for (int64_t ky = 0; ky < g->k_h; ky++) {
        int64_t up = iy + g->pad_top - ky * g->dilation_h, oy = floor_div(up, g->stride_h);
        if (oy * g->stride_h != up) continue;
        for (int64_t kx = 0; kx < g->k_w; kx++) {
            int64_t across = phase + g->pad_left - kx * g->dilation_w, ox = floor_div(across, g->stride_w);
            if (ox * g->stride_w != across) continue;
            x_offset[taps] = (oy - top) * row_step + (ox - left) * g->out_c;
            w_offset[taps++] = (ky * g->k_w + kx) * w_step;
        }
    }
    return taps;
}

KERNEL_RUN(depthwise_conv2d_dx) {
    const cnn_window *g = &a->window;
    int64_t bands = depthwise_dx_bands(g), channels = g->out_c, taps = g->k_h * g->k_w;
    int flat = goes_flat(channels, g->stride_w), fold = g->in_c != channels;
    int64_t w_step = flat ? flat_step(channels) : channels, left, columns = columns_met(g);
    int64_t *x_offset = scratch, *w_offset = x_offset + taps;
    float *repeated = (float *)(w_offset + taps), *wide = repeated + (taps + 1) * flat_step(channels);
    float *room = wide + g->in_w * channels;
    left = first_met(0, g->pad_left, g->k_w, g->dilation_w, g->stride_w);
    if (flat) repeat_weights(a->w, taps, channels, repeated);
    for (int64_t task = begin; task < end; task++) {
        int64_t n = task / bands, i = task % bands;
        int64_t iy0 = tile_begin(g->in_h, bands, i), iy1 = tile_begin(g->in_h, bands, i + 1);
        int64_t top = first_met(iy0, g->pad_top, g->k_h, g->dilation_h, g->stride_h);
        band in = cut_band(a->dy + n * g->out_h * g->out_w * channels, g->out_h, g->out_w, channels, top, left,
                           end_met(iy1, g->pad_top, g->stride_h) - top, columns, room);
        for (int64_t iy = iy0; iy < iy1; iy++) {
            int64_t row = (n * g->in_h + iy) * g->in_w * g->in_c;
            const float *behind = a->behind ? a->behind + row : NULL;
            for (int64_t phase = 0; phase < min64(g->stride_w, g->in_w); phase++) {
                depthwise_tile t = {
                    in.rows,
                    channels,
                    flat ? repeated : a->w,
                    NULL,
                    x_offset,
                    w_offset,
                    list_depthwise_taps(g, iy, phase, top, left, in.row_step, w_step, x_offset, w_offset),
                    NULL,
                    (fold ? wide : a->dx + row) + phase * channels,
                    g->stride_w * channels,
                    fold || !behind ? NULL : behind + phase * channels,
                    0,
                    0,
                    !fold && a->accumulate};
                if (flat)
                    depthwise_flat_row(t, g->in_w, channels);
                else
                    depthwise_row(t, ceil_div(g->in_w - phase, g->stride_w), channels);
            }
            if (fold) fold_row(g, wide, a->dx + row, behind, a->accumulate);
        }
    }
}

/* ---- dw -----------------------------------------------------------------------------------------------------------
 */

/* Gradients of taps [k0, k0 + m) at n channels, summed over a band: x at the band's first pixel, dy likewise. */
typedef struct {
    const float *x, *dy;
    int64_t row_step, pixel_step; /* of x, from one output row and pixel to the next */
    int64_t rows, columns, channels, n;
    const int64_t *x_offset;
    float *to;
    int32_t accumulate;
} depthwise_taps;

INLINE void depthwise_dw_m(const depthwise_taps *t, const int m, const int whole) {
    vf acc[DEPTHWISE_TAPS] = {{0}};
    int64_t n = whole ? LANES : t->n;
    const float *dy = t->dy;
    for (int64_t r = 0; r < t->rows; r++) {
        const float *x = t->x + r * t->row_step;
        for (int64_t p = 0; p < t->columns; p++, x += t->pixel_step, dy += t->channels) {
            vf d = load_n(dy, n);
            UNROLL
            for (int k = 0; k < m; k++) acc[k] += load_n(x + t->x_offset[k], n) * d;
        }
    }
    UNROLL
    for (int k = 0; k < m; k++) {
        float *to = t->to + k * t->channels;
        store_n(to, t->accumulate ? load_n(to, n) + acc[k] : acc[k], n);
    }
}

/* clang-format off */
#define DEPTHWISE_DW_CASE(m)          \
    case m:                           \
        depthwise_dw_m(t, m, whole);  \
        break;
#define DEPTHWISE_DW_TILES(name, is_whole)                                                          \
    static __attribute__((noinline)) void name(const depthwise_taps *t, int m) {                    \
        const int whole = is_whole;                                                                 \
        switch (m) {                                                                                \
            DEPTHWISE_DW_CASE(1) DEPTHWISE_DW_CASE(2) DEPTHWISE_DW_CASE(3) DEPTHWISE_DW_CASE(4)     \
            DEPTHWISE_DW_CASE(5) DEPTHWISE_DW_CASE(6) DEPTHWISE_DW_CASE(7) DEPTHWISE_DW_CASE(8)     \
            DEPTHWISE_DW_CASE(9)                                                                    \
        }                                                                                           \
    }
/* clang-format on */
_Static_assert(DEPTHWISE_TAPS == 9, "DEPTHWISE_DW_TILES lists the taps that a tile may have");
DEPTHWISE_DW_TILES(depthwise_dw_whole, 1)
DEPTHWISE_DW_TILES(depthwise_dw_part, 0)

static int64_t depthwise_dw_rows(const cnn_window *g) {
    int64_t row = columns_under(g) * g->out_c * g->stride_h * (int64_t)sizeof(float);
    return max64(1, min64(g->out_h, BAND_BYTES / max64(row, 1)));
}

KERNEL_WORK(depthwise_conv2d_dw) {
    const cnn_window *g = &a->window;
    int64_t room = rows_under(g, depthwise_dw_rows(g)) * columns_under(g) * g->out_c;
    size_t scratch = (size_t)room * sizeof(float) + (size_t)(g->k_h * g->k_w) * sizeof(int64_t);
    return (cnn_work){g->batch, a->images_per_slot, 1, scratch, 0, 1};
}

KERNEL_RUN(depthwise_conv2d_dw) {
    const cnn_window *g = &a->window;
    int64_t channels = g->out_c, taps = g->k_h * g->k_w, tiles = ceil_div(taps, DEPTHWISE_TAPS);
    int64_t band_rows = depthwise_dw_rows(g), *x_offset = scratch;
    float *room = (float *)(x_offset + taps);
    for (int64_t n = begin; n < end; n++) {
        float *slot = a->partial + n / a->images_per_slot * (taps + 1) * channels;
        const float *x = a->x + n * g->in_h * g->in_w * g->in_c;
        const float *dy = a->dy + n * g->out_h * g->out_w * channels;
        int first = n % a->images_per_slot == 0;
        sum_pixels(dy, g->out_h * g->out_w, channels, slot + taps * channels, !first);
        for (int64_t oy0 = 0; oy0 < g->out_h; oy0 += band_rows) {
            int64_t rows = min64(band_rows, g->out_h - oy0);
            band in = cut_wide_band(x, g->in_h, g->in_w, g->in_c, channels, oy0 * g->stride_h - g->pad_top,
                                    -g->pad_left, rows_under(g, rows), columns_under(g), room);
            for (int64_t k = 0; k < taps; k++)
                x_offset[k] = k / g->k_w * g->dilation_h * in.row_step + k % g->k_w * g->dilation_w * channels;
            for (int64_t f = 0; f < channels; f += LANES)
                for (int64_t tile = 0; tile < tiles; tile++) {
                    int64_t k0 = tile_begin(taps, tiles, tile), k1 = tile_begin(taps, tiles, tile + 1);
                    depthwise_taps t = {in.rows + f,
                                        dy + oy0 * g->out_w * channels + f,
                                        g->stride_h * in.row_step,
                                        g->stride_w * channels,
                                        rows,
                                        g->out_w,
                                        channels,
                                        min64(LANES, channels - f),
                                        x_offset + k0,
                                        slot + k0 * channels + f,
                                        !(first && oy0 == 0)};
                    if (t.n == LANES)
                        depthwise_dw_whole(&t, (int)(k1 - k0));
                    else
                        depthwise_dw_part(&t, (int)(k1 - k0));
                }
        }
    }
}
