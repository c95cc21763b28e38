/* winograd_pairs_dw.c - the gradients of filters for pairs of rows, the adjoint of winograd_pairs.c:
 *
 *     dw = G' [ sum over tiles of (B' x) * (A dy) ],    dy0, dy0 + dy1, dy0 - dy1, dy1    down
 *
 * The sums of one of the four rows of points stay in registers while some pairs of rows pass by.
 */
enum { PAIRS_AT_ONCE_BYTES = 96 * 1024 }; /* of a vector of dy and of x's points under it */

/* A vector of the gradients of some pairs of rows, numbers of which stand `step` apart and rows `below`, and the
 * transform of what is under them. */
typedef struct {
    const pair_cut *cut;
    const float *v, *dy;
    int64_t step, below, pairs;
    float *sums; /* [four rows][point][channel][LANES] */
    int accumulate;
    vf total; /* of dy */
    coming *next;
} pairs_dw;

/* Adds the products of `tiles` tiles. */
INLINE void add_pair_tiles(const pairs_dw *d, vf sums[MOST_POINTS][PAIR_CHANNELS], vf *total, const float *v,
                           const float *dy, int64_t tiles, const int row, const int points) {
    const int outputs = points - 2;
    const int64_t step = d->step, below = d->below;
    for (; tiles > 0; tiles--, v += PAIR_TILE, dy += outputs * step) {
        vf g[MOST_OUTPUTS], z[MOST_POINTS];
        UNROLL
        for (int s = 0; s < outputs; s++) {
            const float *upper = dy + s * step, *lower = upper + below;
            g[s] = row == 0   ? load(upper)
                   : row == 1 ? load(upper) + load(lower)
                   : row == 2 ? load(upper) - load(lower)
                              : load(lower);
        }
        ask(d->next);
        gradient_to_points(g, z, points, outputs);
        if (row == 1) *total += z[1]; /* at the point 1 the transform is a sum */
        UNROLL
        for (int p = 0; p < points; p++) UNROLL
        for (int c = 0; c < PAIR_CHANNELS; c++) sums[p][c] += v[p * LANES + row * 4 + c] * z[p];
    }
}

/* The sums of one row of points. */
INLINE void sum_pairs_row(pairs_dw *d, const int row) {
    const axis_cut *across = &d->cut->across;
    vf sums[MOST_POINTS][PAIR_CHANNELS] = {0}, total = {0};
    const float *v = d->v, *dy = d->dy;
    for (int64_t pair = 0; pair < d->pairs; pair++, v += d->cut->tiles * PAIR_TILE, dy += 2 * d->below) {
        add_pair_tiles(d, sums, &total, v, dy, across->large, row, MOST_POINTS);
        add_pair_tiles(d, sums, &total, v + across->large * PAIR_TILE, dy + across->large * across->outputs * d->step,
                       across->small, row, FEW_POINTS);
    }
    float *to = d->sums + row * MOST_POINTS * PAIR_CHANNELS * LANES;
    UNROLL
    for (int p = 0; p < MOST_POINTS; p++) UNROLL
    for (int i = 0; i < PAIR_CHANNELS; i++, to += LANES) store(to, d->accumulate ? load(to) + sums[p][i] : sums[p][i]);
    if (row == 1) d->total = total;
}
static __attribute__((noinline)) void sum_pairs_0(pairs_dw *d) { sum_pairs_row(d, 0); }
static __attribute__((noinline)) void sum_pairs_1(pairs_dw *d) { sum_pairs_row(d, 1); }
static __attribute__((noinline)) void sum_pairs_2(pairs_dw *d) { sum_pairs_row(d, 2); }
static __attribute__((noinline)) void sum_pairs_3(pairs_dw *d) { sum_pairs_row(d, 3); }

/* slot (+)= G' sums, of one vector of channels. */
static void add_pair_taps(const cnn_window *g, const float *sums, float *slot, int64_t channels, int accumulate) {
    const int64_t row = MOST_POINTS * PAIR_CHANNELS * LANES;
    for (int64_t c = 0; c < PAIR_CHANNELS; c++) {
        vf points[PAIR_TAPS][MOST_POINTS], w[PAIR_TAPS];
        for (int p = 0; p < MOST_POINTS; p++) {
            const float *at = sums + (p * PAIR_CHANNELS + c) * LANES;
            vf both = 0.5f * (load(at + row) + load(at + 2 * row));
            points[0][p] = load(at) + both, points[2][p] = load(at + 3 * row) + both;
            points[1][p] = 0.5f * (load(at + row) - load(at + 2 * row));
        }
        for (int ky = 0; ky < PAIR_TAPS; ky++) {
            filter_from_points(points[ky], w, MOST_POINTS, PAIR_TAPS);
            for (int kx = 0; kx < PAIR_TAPS; kx++) {
                float *to = slot + ((ky * PAIR_TAPS + kx) * PAIR_CHANNELS + c) * g->out_c;
                store_n(to, accumulate ? load_n(to, channels) + w[kx] : w[kx], channels);
            }
        }
    }
}

/* Rows of dy that are taken at a time. */
INLINE int64_t pairs_dw_rows(const pair_cut *c) {
    int64_t bytes = (2 * c->window->out_w * LANES + c->tiles * PAIR_TILE) * (int64_t)sizeof(float);
    int64_t pairs = pairs_of(c->window->out_h), most = max64(1, PAIRS_AT_ONCE_BYTES / bytes);
    return 2 * ceil_div(pairs, ceil_div(pairs, most));
}

INLINE int64_t pixels_under_tiles(const pair_cut *c) { return c->wide - (PAIR_TAPS - 1); }

INLINE int64_t pairs_dw_room(const cnn_window *g) {
    pair_cut c = cut_pairs(g);
    int64_t rows = pairs_dw_rows(&c);
    return pairs_band_room(&c, rows) + pairs_room(&c, rows) + pairs_filters_size(g) +
           rows * pixels_under_tiles(&c) * LANES;
}

/* Copies `rows` rows of some channels of dy to where zeros fill up vectors, tiles and pairs. */
static void fill_up(const pair_cut *c, const float *dy, int64_t rows, int64_t channels, float *to) {
    const cnn_window *g = c->window;
    for (int64_t y = 0; y < 2 * pairs_of(rows); y++)
        for (int64_t x = 0; x < pixels_under_tiles(c); x++, to += LANES)
            store(to, y < rows && x < g->out_w ? load_n(dy + (y * g->out_w + x) * g->out_c, channels) : (vf){0});
}

/* The gradients of filters and bias from one image, into (or added to) a slot. */
static void conv2d_dw_pairs_image(const cnn_window *g, const float *x, const float *dy, float *slot, int accumulate,
                                  float *room) {
    pair_cut c = cut_pairs(g);
    int64_t most = pairs_dw_rows(&c), row = g->out_w * g->out_c, vectors = ceil_div(g->out_c, LANES);
    int64_t across = pixels_under_tiles(&c);
    float *v = room + pairs_band_room(&c, most), *sums = v + pairs_room(&c, most);
    float *filled = sums + pairs_filters_size(g), *db = slot + PAIR_TAPS * PAIR_TAPS * PAIR_CHANNELS * g->out_c;
    for (int64_t oy = 0; oy < g->out_h; oy += most) {
        int64_t rows = min64(most, g->out_h - oy);
        band in =
            pad_band(x, g->in_h, g->in_w, g->in_c, oy - g->pad_top, -g->pad_left, rows_under(g, rows), c.wide, room);
        transform_pairs(&c, in, rows, v);
        const float *from = dy + oy * row;
        coming next = {NULL};
        if (!is_near(dy, room)) next = lines_from(from + rows * row, rows * row);
        spread(&next, 4 * vectors * pairs_of(rows) * c.tiles);
        for (int64_t f = 0; f < g->out_c; f += LANES) {
            int64_t channels = min64(LANES, g->out_c - f);
            pairs_dw d = {&c,     v,   from + f, g->out_c, row, pairs_of(rows), sums + f / LANES * PAIR_FILTERS,
                          oy > 0, {0}, &next};
            if (channels < LANES || across > g->out_w || rows % 2) {
                fill_up(&c, from + f, rows, channels, filled);
                d.dy = filled, d.step = LANES, d.below = across * LANES;
            }
            sum_pairs_0(&d), sum_pairs_1(&d), sum_pairs_2(&d), sum_pairs_3(&d);
            store_n(db + f, accumulate || oy > 0 ? load_n(db + f, channels) + d.total : d.total, channels);
        }
    }
    for (int64_t f = 0; f < g->out_c; f += LANES)
        add_pair_taps(g, sums + f / LANES * PAIR_FILTERS, slot + f, min64(LANES, g->out_c - f), accumulate);
}
