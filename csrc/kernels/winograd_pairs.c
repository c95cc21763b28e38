/* winograd_pairs.c - Winograd for 3x3 filters on 3 channels, the first layer of colour images, on both axes: F(6, 3)
 * and F(4, 3) across and F(2, 3) down, which is made of sums and differences alone:
 *
 *     v = x0 - x2, x1 + x2, x2 - x1, x3 - x1    of four rows of x under a pair of rows of y
 *     y = m0 + m1 + m2, m1 - m2 + m3            of the four products
 *
 * That is two thirds of the products of tiles along rows (winograd_rows.c) for two sums at each point. A point's
 * filters stay in registers while all tiles of a pair of rows pass by; what becomes of them goes through the first
 * cache.
 */
enum { PAIR_CHANNELS = 3, PAIR_TAPS = 3, PAIR_TILES = 8 };
enum { PAIR_TILE = MOST_POINTS * LANES };                        /* floats of a tile's inputs */
enum { PAIR_FILTERS = MOST_POINTS * 4 * PAIR_CHANNELS * LANES }; /* of a vector of filters */
enum { PAIR_SUMS = PAIR_TILES * 2 * MOST_POINTS * LANES };       /* of what goes through the cache */

/* How rows are cut. */
typedef struct {
    const cnn_window *window;
    axis_cut across;
    int64_t tiles, wide; /* of a row; pixels of x under them */
} pair_cut;

static pair_cut cut_pairs(const cnn_window *g) {
    axis_cut across = cut_axis(g->out_w, MOST_POINTS, PAIR_TAPS);
    return (pair_cut){g, across, tiles_along(across), tile_start(across, tiles_along(across)) + PAIR_TAPS - 1};
}

static int pairs_suit(const cnn_window *g) {
    return rows_suit(g) && g->in_c == PAIR_CHANNELS && g->k_h == PAIR_TAPS && g->k_w == PAIR_TAPS;
}

INLINE int64_t pairs_of(int64_t rows) { return ceil_div(rows, 2); }
INLINE int64_t pairs_filters_size(const cnn_window *g) { return ceil_div(g->out_c, LANES) * PAIR_FILTERS; }
INLINE int64_t pairs_filters_room(const cnn_window *g) { return pairs_filters_size(g) + round_up(g->out_c, LANES); }
INLINE int64_t pairs_room(const pair_cut *c, int64_t rows) { return pairs_of(rows) * c->tiles * PAIR_TILE; }

/* Filters as the products read them, u[vector][point][four rows][channel][LANES], from those of conv2d_pack (or
 * conv2d_pack_dx, whose filter rows are to be met from the last to the first). Behind them stands the bias. */
static void transform_pair_filters(const cnn_window *g, const float *packed, int upside_down, const float *b,
                                   float *u) {
    float *bias = u + pairs_filters_size(g);
    for (int64_t f = 0; f < g->out_c; f += LANES, u += PAIR_FILTERS) {
        int64_t f0 = f / PANEL * PANEL, step = panel_step(min64(PANEL, g->out_c - f0));
        const float *from = packed + f0 * PAIR_TAPS * PAIR_TAPS * PAIR_CHANNELS + (f - f0);
        store(bias + f, b ? load_n(b + f, min64(LANES, g->out_c - f)) : (vf){0});
        for (int64_t c = 0; c < PAIR_CHANNELS; c++) {
            vf rows[4][PAIR_TAPS], points[MOST_POINTS];
            for (int64_t kx = 0; kx < PAIR_TAPS; kx++) {
                vf tap[PAIR_TAPS];
                for (int64_t ky = 0; ky < PAIR_TAPS; ky++) {
                    int64_t row = upside_down ? PAIR_TAPS - 1 - ky : ky;
                    tap[ky] = load(from + ((row * PAIR_TAPS + kx) * PAIR_CHANNELS + c) * step);
                }
                rows[0][kx] = tap[0], rows[3][kx] = tap[2];
                rows[1][kx] = 0.5f * (tap[0] + tap[2] + tap[1]);
                rows[2][kx] = 0.5f * (tap[0] + tap[2] - tap[1]);
            }
            for (int64_t r = 0; r < 4; r++) {
                filter_to_points(rows[r], points, PAIR_TAPS);
                for (int64_t p = 0; p < MOST_POINTS; p++)
                    store(u + ((p * 4 + r) * PAIR_CHANNELS + c) * LANES, points[p]);
            }
        }
    }
}

/* The inputs of a tile: v[point][four rows][4], of each channel and something behind them. */
INLINE void transform_pair_tile(const float *const row[4], float *v, const int points) {
    vf d[MOST_POINTS], to[MOST_POINTS];
    UNROLL
    for (int k = 0; k < points; k++) {
        const float *at[4] = {row[0] + k * PAIR_CHANNELS, row[1] + k * PAIR_CHANNELS, row[2] + k * PAIR_CHANNELS,
                              row[3] + k * PAIR_CHANNELS};
        d[k] = four_quads(at);
    }
    to_points(d, to, points);
    UNROLL
    for (int p = 0; p < points; p++) {
        const vf sign = {-1, -1, -1, -1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1, -1};
        vf other = __builtin_shuffle(to[p], (vi){8, 9, 10, 11, 8, 9, 10, 11, 4, 5, 6, 7, 4, 5, 6, 7});
        store(v + p * LANES, to[p] + sign * other);
    }
}

/* v[pair][tile] of the padded band under `rows` rows. */
static void transform_pairs(const pair_cut *c, band x, int64_t rows, float *v) {
    int64_t last = rows_under(c->window, rows) - 1;
    for (int64_t y = 0; y < rows; y += 2) {
        const float *row[4];
        for (int64_t r = 0; r < 4; r++) row[r] = x.rows + min64(y + r, last) * x.row_step;
        for (int64_t t = 0; t < c->tiles; t++, v += PAIR_TILE) {
            int narrow = t >= c->across.large;
            if (narrow)
                transform_pair_tile(row, v, FEW_POINTS);
            else
                transform_pair_tile(row, v, MOST_POINTS);
            for (int64_t r = 0; r < 4; r++) row[r] += (c->across.outputs - 2 * narrow) * PAIR_CHANNELS;
        }
    }
}

/* The sums of tiles that follow each other, of which the first `wide` have all points: sums[tile][row][point]. */
static __attribute__((noinline)) void multiply_pair(const float *v, const float *u, const float *b, int64_t tiles,
                                                    int64_t wide, float *sums) {
    for (int64_t p = 0; p < MOST_POINTS; p++, v += LANES, sums += LANES) {
        vf w[4][PAIR_CHANNELS], bias = p == 1 ? load(b) : (vf){0};
        UNROLL
        for (int r = 0; r < 4; r++) UNROLL
        for (int c = 0; c < PAIR_CHANNELS; c++, u += LANES) w[r][c] = load(u);
        int64_t n = p < FEW_POINTS ? tiles : wide;
        for (int64_t i = 0; i < n; i++) {
            const float *at = v + i * PAIR_TILE;
            vf one = bias, other = {0};
            UNROLL
            for (int c = 0; c < PAIR_CHANNELS; c++) one += at[4 + c] * w[1][c], other += at[8 + c] * w[2][c];
            vf upper = one + other, lower = one - other;
            UNROLL
            for (int c = 0; c < PAIR_CHANNELS; c++) upper += at[c] * w[0][c], lower += at[12 + c] * w[3][c];
            store(sums + i * 2 * MOST_POINTS * LANES, upper);
            store(sums + (i * 2 + 1) * MOST_POINTS * LANES, lower);
        }
    }
}

/* A pair's tiles, that follow each other, and one vector of their channels. */
typedef struct {
    tile_store store_as;
    const float *all, *behind; /* a ReLU's outputs, or NULL, that stand in it as y does in `all` */
    int64_t channels, columns; /* that there are of a vector and in the rows */
    int64_t rows, y_row;       /* 1 or 2, so many floats apart */
    int plainly;
    coming next; /* is asked for meanwhile */
} pair_outputs;

/* The outputs of a row of a tile. */
INLINE void pair_row(const float *sums, vf *out, const int points) {
    vf m[MOST_POINTS];
    UNROLL
    for (int p = 0; p < points; p++) m[p] = load(sums + p * LANES);
    from_points(m, out, points, points - 2);
}

/* Writes a row of a tile, `columns` of it that there are, whatever is to be asked about it. */
static __attribute__((noinline)) void write_pair_part(const pair_outputs *t, const float *sums, float *y,
                                                      int64_t columns, int points) {
    const float *behind = t->behind ? t->behind + (y - t->all) : NULL;
    vf out[MOST_OUTPUTS];
    if (points == MOST_POINTS)
        pair_row(sums, out, MOST_POINTS);
    else
        pair_row(sums, out, FEW_POINTS);
    write_outputs(&t->store_as, out, y, behind, min64(columns, points - 2), t->channels, MOST_OUTPUTS, 0);
    activate_outputs(&t->store_as, y, min64(columns, points - 2), t->channels);
}

/* Writes `tiles` tiles whose outputs begin at y, the first in column x. */
INLINE void write_tiles(pair_outputs *t, const float *sums, float *y, int64_t x, int64_t tiles, const int points) {
    const int outputs = points - 2;
    const int64_t y_step = t->store_as.y_step;
    const vf least = set(least_of(t->plainly ? t->store_as.activation : CNN_LINEAR));
    for (; tiles > 0; tiles--, x += outputs, y += outputs * y_step, sums += 2 * MOST_POINTS * LANES) {
        ask(&t->next);
        for (int64_t r = 0; r < t->rows; r++) {
            const float *from = sums + r * MOST_POINTS * LANES;
            float *to = y + r * t->y_row;
            if (!t->plainly || x + outputs > t->columns) {
                write_pair_part(t, from, to, t->columns - x, points);
                continue;
            }
            vf out[MOST_OUTPUTS];
            pair_row(from, out, points);
            UNROLL
            for (int s = 0; s < outputs; s++) store(to + s * y_step, vmax(least, out[s]));
        }
    }
}
static __attribute__((noinline)) void write_pair(pair_outputs *t, const float *sums, float *y, int64_t x, int64_t tiles,
                                                 int64_t wide) {
    write_tiles(t, sums, y, x, wide, MOST_POINTS);
    int64_t past = wide * (MOST_POINTS - 2);
    write_tiles(t, sums + wide * 2 * MOST_POINTS * LANES, y + past * t->store_as.y_step, x + past, tiles - wide,
                FEW_POINTS);
}

/* Writes `rows` rows of the output, as conv2d_rows does. */
static void conv2d_pairs(const cnn_conv2d_args *a, const float *behind, const pair_cut *c, const float *v, int64_t rows,
                         const float *u, float *y, float *sums) {
    const cnn_window *g = &a->window;
    int64_t y_step = a->sides.y_step, y_row = g->out_w * y_step, vectors = ceil_div(g->out_c, LANES);
    int bounds = !behind && is_bounds(a->activation) && a->activation != CNN_RELU6 && !a->accumulate;
    int near = is_near(y, u);
    pair_outputs t = {{y_step, a->accumulate, a->activation}, a->y, behind, .columns = g->out_w, .y_row = y_row};
    /* Near, a vector of channels goes through all rows, under the same filters; far, memory is met in its order. */
    int64_t at_once = near ? LANES : g->out_c, blocks = ceil_div(c->tiles, PAIR_TILES);
    for (int64_t f0 = 0; f0 < g->out_c; f0 += at_once)
        for (int64_t y0 = 0; y0 < rows; y0 += 2) {
            t.rows = min64(2, rows - y0);
            int64_t coming_rows = near ? 0 : min64(2, max64(0, rows - y0 - 2));
            t.next = (coming){y + (y0 + 2) * y_row, y_step, coming_rows * g->out_w, g->out_c, 0};
            spread(&t.next, c->tiles * vectors);
            for (int64_t block = 0; block < blocks; block++) {
                int64_t t0 = tile_begin(c->tiles, blocks, block), t1 = tile_begin(c->tiles, blocks, block + 1);
                int64_t wide = max64(0, min64(t1, c->across.large) - t0), x = tile_start(c->across, t0);
                for (int64_t f = f0; f < min64(f0 + at_once, g->out_c); f += LANES) {
                    t.channels = min64(LANES, g->out_c - f), t.plainly = bounds && t.channels == LANES;
                    multiply_pair(v + (y0 / 2 * c->tiles + t0) * PAIR_TILE, u + f / LANES * PAIR_FILTERS,
                                  u + pairs_filters_size(g) + f, t1 - t0, wide, sums);
                    write_pair(&t, sums, y + y0 * y_row + x * y_step + f, x, t1 - t0, wide);
                }
            }
        }
}

/* ---- bands of rows -------------------------------------------------------------------------------------------- */

static int64_t pairs_bands(const pair_cut *c) {
    const cnn_window *g = c->window;
    return bands_per_image(g->batch, pairs_of(g->out_h), c->tiles * PAIR_TILE * (int64_t)sizeof(float));
}

/* The first row of the output in band i, and how many are in one at most: bands begin where pairs do. */
INLINE int64_t pairs_band(const pair_cut *c, int64_t bands, int64_t i) {
    return min64(c->window->out_h, 2 * tile_begin(pairs_of(c->window->out_h), bands, i));
}
INLINE int64_t pairs_band_rows(const pair_cut *c, int64_t bands) {
    return 2 * ceil_div(pairs_of(c->window->out_h), bands);
}

/* Floats of a padded band under so many rows, which is read a little past its end. */
INLINE int64_t pairs_band_room(const pair_cut *c, int64_t rows) {
    return rows_under(c->window, rows) * c->wide * PAIR_CHANNELS + LANES;
}

static cnn_work work_by_pairs(const cnn_window *g) {
    pair_cut c = cut_pairs(g);
    int64_t bands = pairs_bands(&c), rows = pairs_band_rows(&c, bands);
    int64_t room = pairs_filters_room(g) + PAIR_SUMS + pairs_room(&c, rows) + pairs_band_room(&c, rows);
    return (cnn_work){g->batch * bands, 1, bands, (size_t)(room + LANES) * sizeof(float)};
}
