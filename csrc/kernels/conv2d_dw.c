/* conv2d_dw.c - weight gradients: each tile of filter elements by output channels sums over the pixels of an image. */

#define DY_PANEL_BYTES (24 * 1024) /* of a panel of dy, which every tile of filter elements reads again: from L1 */
#define SHORT_RUN      6           /* filter rows of fewer elements share tiles with others */

/* Output rows of a band, so that a panel of dy stays in L1 and the rows of x under it, with their padding, in L2. */
static int64_t conv2d_dw_rows(const cnn_window *g) {
    int64_t x_row = columns_under(g) * g->in_c * g->stride_h * (int64_t)sizeof(float);
    int64_t dy_row = g->out_w * min64(PANEL, round_up(g->out_c, LANES)) * (int64_t)sizeof(float);
    int64_t rows = max64(1, min64(DY_PANEL_BYTES / max64(dy_row, 1), BAND_BYTES / max64(x_row, 1)));
    return ceil_div(g->out_h, max64(1, ceil_div(g->out_h, rows)));
}

/* Floats of scratch by Winograd along rows, of which the CPU may take two at a time. */
static int64_t along_rows_dw_room(const cnn_window *g) {
#if ALL_POINTS_AT_ONCE
    if (pairs_suit(g)) return pairs_dw_room(g);
#endif
    row_cut c = cut_rows(g);
    return rows_dw_room(&c);
}

KERNEL_WORK(conv2d_dw) {
    const cnn_window *g = &a->window;
    if (a->winograd && rows_suit(g))
        return (cnn_work){g->batch, a->images_per_slot, 1, (size_t)along_rows_dw_room(g) * sizeof(float), 0, 1};
    int64_t rows = conv2d_dw_rows(g), wide = round_up(g->out_c, LANES);
    int64_t room = rows_under(g, rows) * columns_under(g) * g->in_c + rows * g->out_w * wide;
    return (cnn_work){g->batch, a->images_per_slot, 1, (size_t)room * sizeof(float), 0, 1};
}

/* A band of x, and dy over it in panels: panel f0 at dy + f0 * pixels. */
typedef struct {
    const cnn_window *window;
    band x;
    const float *dy;
    int64_t rows;
    float *slot;
    int accumulate;
} dw_band;

/* The gradients of m filter elements, whose operands for the first pixel are `row`, and of a panel of channels. */
static void dw_tile(const dw_band *d, const float *const *row, int64_t element, int64_t m, int64_t f0, int packed) {
    const cnn_window *g = d->window;
    int64_t width = min64(PANEL, g->out_c - f0), step = panel_step(width);
    outer_tile t = {row,
                    g->stride_w * g->in_c,
                    g->stride_h * d->x.row_step,
                    step,
                    g->out_w * step,
                    g->out_w,
                    d->rows,
                    d->dy + f0 * d->rows * g->out_w,
                    d->slot + element * g->out_c + f0,
                    g->out_c,
                    width,
                    d->accumulate};
    if (packed)
        outer_packed(&t, (int)m);
    else
        outer(&t, (int)m);
}

/* Adds (or, for the first band of a slot, puts) the gradients from one band. */
static void conv2d_dw_band(const dw_band *d) {
    const cnn_window *g = d->window;
    int by_row = g->dilation_w == 1; /* a filter row is one run of floats */
    int64_t depth = g->k_h * g->k_w * g->in_c, run = by_row ? g->k_w * g->in_c : g->in_c;
    int64_t packed = run >= SHORT_RUN, together = packed ? run : depth, tiles = ceil_div(together, MR);
    for (int64_t f0 = 0; f0 < g->out_c; f0 += PANEL)
        for (int64_t first = 0; first < depth; first += together)
            for (int64_t tile = 0; tile < tiles; tile++) {
                int64_t d0 = first + tile_begin(together, tiles, tile);
                int64_t d1 = first + tile_begin(together, tiles, tile + 1);
                const float *row[MR];
                for (int64_t e = d0; e < (packed ? d0 + 1 : d1); e++) { /* element e is channel c of tap (ky, kx) */
                    int64_t c = e % g->in_c, kx = e / g->in_c % g->k_w, ky = e / g->in_c / g->k_w;
                    row[e - d0] = d->x.rows + ky * g->dilation_h * d->x.row_step + kx * g->dilation_w * g->in_c + c;
                }
                dw_tile(d, row, d0, d1 - d0, f0, (int)packed);
            }
}

/* By Winograd along rows, an image at a time. */
static void conv2d_dw_along_rows(const cnn_conv2d_dw_args *a, int64_t begin, int64_t end, float *room) {
    const cnn_window *g = &a->window;
    row_cut c = cut_rows(g);
    int64_t depth = g->k_h * g->k_w * g->in_c;
    for (int64_t n = begin; n < end; n++) {
        float *slot = a->partial + n / a->images_per_slot * (depth + 1) * g->out_c;
        const float *x = a->x + n * g->in_h * g->in_w * g->in_c, *dy = a->dy + n * g->out_h * g->out_w * g->out_c;
        int accumulate = n % a->images_per_slot > 0;
#if ALL_POINTS_AT_ONCE
        if (pairs_suit(g)) {
            conv2d_dw_pairs_image(g, x, dy, slot, accumulate, room);
            continue;
        }
#endif
        conv2d_dw_rows_image(&c, x, dy, slot, accumulate, room);
    }
}

KERNEL_RUN(conv2d_dw) {
    const cnn_window *g = &a->window;
    if (a->winograd && rows_suit(g)) {
        conv2d_dw_along_rows(a, begin, end, scratch);
        return;
    }
    int64_t depth = g->k_h * g->k_w * g->in_c, band_rows = conv2d_dw_rows(g);
    int one_panel = g->out_c == LANES || g->out_c == PANEL; /* then dy is one as it is */
    float *room = scratch, *panels = room + rows_under(g, band_rows) * columns_under(g) * g->in_c;
    for (int64_t n = begin; n < end; n++) {
        float *slot = a->partial + n / a->images_per_slot * (depth + 1) * g->out_c;
        const float *x = a->x + n * g->in_h * g->in_w * g->in_c;
        if (g->out_h == 0) memset(slot, 0, (size_t)((depth + 1) * g->out_c) * sizeof(float)); /* a sum of nothing */
        for (int64_t oy0 = 0; oy0 < g->out_h; oy0 += band_rows) {
            int64_t rows = min64(band_rows, g->out_h - oy0), pixels = rows * g->out_w;
            const float *dy = a->dy + (n * g->out_h + oy0) * g->out_w * g->out_c;
            int accumulate = n % a->images_per_slot > 0 || oy0 > 0;
            band in = cut_band(x, g->in_h, g->in_w, g->in_c, oy0 * g->stride_h - g->pad_top, -g->pad_left,
                               rows_under(g, rows), columns_under(g), room);
            dw_band d = {g, in, one_panel ? dy : panels, rows, slot, accumulate};
            sum_pixels(dy, pixels, g->out_c, slot + depth * g->out_c, accumulate);
            if (!one_panel) pack_columns(dy, g->out_c, pixels, g->out_c, panels);
            conv2d_dw_band(&d);
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
