/* conv2d_dw.c - weight gradients: each tile of filter elements by output channels sums over the pixels of an image. */

/* A band of x with its padding, and, where out_c is no multiple of a vector, dy widened to whole vectors. */
static int64_t conv2d_dw_rows(const cnn_window *g) {
    int64_t row = columns_under(g) * g->in_c * g->stride_h * (int64_t)sizeof(float);
    return max64(1, min64(g->out_h, BAND_BYTES / max64(row, 1)));
}

KERNEL_WORK(conv2d_dw) {
    const cnn_window *g = &a->window;
    int64_t rows = conv2d_dw_rows(g), wide = round_up(g->out_c, LANES);
    int64_t room = rows_under(g, rows) * columns_under(g) * g->in_c + rows * g->out_w * wide;
    return (cnn_work){g->batch, a->images_per_slot, 1, (size_t)room * sizeof(float), 0, 1};
}

/* The sum over pixels of nv vectors of channels, four pixels side by side: additions wait for one another. */
INLINE void sum_vectors(const float *dy, int64_t pixels, int64_t channels, vf *sum, const int nv) {
    vf more[3][NV] = {0};
    int64_t p = 0;
    for (; p + 4 <= pixels; p += 4, dy += 4 * channels) {
        UNROLL
        for (int j = 0; j < nv; j++) {
            sum[j] += load(dy + j * LANES);
            UNROLL
            for (int i = 0; i < 3; i++) more[i][j] += load(dy + (i + 1) * channels + j * LANES);
        }
    }
    for (; p < pixels; p++, dy += channels) UNROLL
    for (int j = 0; j < nv; j++) sum[j] += load(dy + j * LANES);
    UNROLL
    for (int j = 0; j < nv; j++) sum[j] = (sum[j] + more[0][j]) + (more[1][j] + more[2][j]);
}

/* to[channels] = (accumulate ? to : 0) + sum over pixels of dy[pixel][channels]. */
static void sum_pixels(const float *dy, int64_t pixels, int64_t channels, float *to, int accumulate) {
    int64_t f = 0;
    for (; f + LANES <= channels;) {
        int two = f + 2 * LANES <= channels;
        vf sum[NV] = {accumulate ? load(to + f) : set(0), two && accumulate ? load(to + f + LANES) : set(0)};
        if (two)
            sum_vectors(dy + f, pixels, channels, sum, 2);
        else
            sum_vectors(dy + f, pixels, channels, sum, 1);
        store(to + f, sum[0]);
        if (two) store(to + f + LANES, sum[1]);
        f += two ? 2 * LANES : LANES;
    }
    if (f == channels) return;
    int64_t n = channels - f;
    vf sum = accumulate ? load_n(to + f, n) : set(0);
    for (int64_t p = 0; p < pixels; p++) sum += load_n(dy + p * channels + f, n);
    store_n(to + f, sum, n);
}

/* dy with every pixel's channels widened to `wide`, zeros after them. */
static void widen(const float *dy, int64_t pixels, int64_t channels, int64_t wide, float *to) {
    for (int64_t p = 0; p < pixels; p++) {
        memcpy(to + p * wide, dy + p * channels, (size_t)channels * sizeof(float));
        memset(to + p * wide + channels, 0, (size_t)(wide - channels) * sizeof(float));
    }
}

/* Adds (or, for the first image of a slot, puts) the gradients from `rows` output rows of one image into `slot`. */
static void conv2d_dw_band(const cnn_window *g, const band *in, const float *dy, int64_t dy_step, int64_t rows,
                           float *slot, int accumulate) {
    int64_t depth = g->k_h * g->k_w * g->in_c, tiles = ceil_div(depth, MR);
    for (int64_t tile = 0; tile < tiles; tile++) {
        int64_t d0 = tile_begin(depth, tiles, tile), d1 = tile_begin(depth, tiles, tile + 1);
        const float *row[MR];
        for (int64_t d = d0; d < d1; d++) { /* filter element d is channel c of tap (ky, kx) */
            int64_t c = d % g->in_c, kx = d / g->in_c % g->k_w, ky = d / g->in_c / g->k_w;
            row[d - d0] = in->rows + ky * g->dilation_h * in->row_step + kx * g->dilation_w * g->in_c + c;
        }
        for (int64_t f0 = 0; f0 < g->out_c; f0 += PANEL) {
            outer_tile t = {row,
                            g->stride_w * g->in_c,
                            g->stride_h * in->row_step,
                            dy_step,
                            g->out_w * dy_step,
                            g->out_w,
                            rows,
                            dy + f0,
                            slot + d0 * g->out_c + f0,
                            g->out_c,
                            min64(PANEL, g->out_c - f0),
                            accumulate};
            outer(&t, (int)(d1 - d0));
        }
    }
}

KERNEL_RUN(conv2d_dw) {
    const cnn_window *g = &a->window;
    int64_t depth = g->k_h * g->k_w * g->in_c, band_rows = conv2d_dw_rows(g), wide = round_up(g->out_c, LANES);
    float *room = scratch, *widened = room + rows_under(g, band_rows) * columns_under(g) * g->in_c;
    for (int64_t n = begin; n < end; n++) {
        float *slot = a->partial + n / a->images_per_slot * (depth + 1) * g->out_c;
        const float *x = a->x + n * g->in_h * g->in_w * g->in_c;
        const float *dy = a->dy + n * g->out_h * g->out_w * g->out_c;
        int first = n % a->images_per_slot == 0;
        sum_pixels(dy, g->out_h * g->out_w, g->out_c, slot + depth * g->out_c, !first);
        for (int64_t oy0 = 0; oy0 < g->out_h; oy0 += band_rows) {
            int64_t rows = min64(band_rows, g->out_h - oy0);
            const float *dy_band = dy + oy0 * g->out_w * g->out_c;
            band in = cut_band(x, g->in_h, g->in_w, g->in_c, oy0 * g->stride_h - g->pad_top, -g->pad_left,
                               rows_under(g, rows), columns_under(g), room);
            if (wide != g->out_c) widen(dy_band, rows * g->out_w, g->out_c, wide, widened);
            conv2d_dw_band(g, &in, wide != g->out_c ? widened : dy_band, wide, rows, slot, !(first && oy0 == 0));
        }
    }
}

#define SUM_CHUNK 4096

KERNEL_WORK(sum_slots) { return (cnn_work){ceil_div(a->size, SUM_CHUNK), 1, 0, 0}; }

/* The sum of slots [from, to) at one place, halves added to halves. */
static vf sum_tree(const float *p, int64_t slot_size, int64_t from, int64_t to, int64_t n) {
    if (to - from == 1) return n == LANES ? load(p + from * slot_size) : load_n(p + from * slot_size, n);
    int64_t middle = from + (to - from) / 2;
    return sum_tree(p, slot_size, from, middle, n) + sum_tree(p, slot_size, middle, to, n);
}

KERNEL_RUN(sum_slots) {
    int64_t last = min64(end * SUM_CHUNK, a->size);
    for (int64_t i = begin * SUM_CHUNK; i < last; i += LANES) {
        int64_t n = min64(LANES, last - i);
        vf sum = a->accumulate ? load_n(a->total + i, n) : (vf){0};
        if (a->slots) sum += sum_tree(a->partial + a->begin + i, a->slot_size, 0, a->slots, n);
        store_n(a->total + i, sum, n);
    }
}
