/* winograd_rows.c - Winograd along the rows of images of few channels: F(6, 3) and F(4, 5), in 8 products each.
 *
 *     y[oy] = A' [ sum over ky, c of (G w[ky]) * (B' x[oy + ky]) ]
 *
 * A tile is 6 (for filters 3 wide) or 4 (5 wide) neighbours in a row of the output. Rows of x are transformed once for
 * all filter rows that meet them: a tile's operand for a point and a filter row is one run of in_c numbers.
 *
 * Filters that fill half a vector at most take two rows abreast: row r of a band and the one half a band below, number
 * by number side by side.
 */

/* How rows are cut. */
typedef struct {
    const cnn_window *window;
    int64_t outputs, tiles; /* of a tile, in a row */
    int64_t wide;           /* pixels of x under a row of tiles */
    int64_t apart, line;    /* numbers in a transformed row: from one tile to the next, in all */
    int64_t depth;          /* numbers that a product sums */
    int64_t abreast;        /* rows that a vector holds: 1 or 2 */
} row_cut;

/* A tile's channels stand in quads; of one channel, transformed at every place of the row, every so many-th counts. */
INLINE int64_t rows_apart(int64_t in_c, int64_t outputs) { return in_c == 1 ? outputs : round_up(in_c, 4); }

/* Layers that rows_tiles has tiles for. */
#define ROWS_KIND(in_c, outputs) ((in_c) * 8 + (outputs))
#define ROWS_ABREAST             256 /* added for tiles of two rows */

static int64_t rows_kind(const cnn_window *g) { return ROWS_KIND(g->in_c, MOST_POINTS + 1 - g->k_w); }

/* Rows that a vector holds. There are tiles for two where vectors are long and few filters of 5x5 common, in LeNets. */
static int64_t rows_abreast(const cnn_window *g) {
    int64_t kind = rows_kind(g);
    int suits = kind == ROWS_KIND(1, 4) || kind == ROWS_KIND(3, 4) || kind == ROWS_KIND(16, 4);
    return LANES == 16 && suits && g->out_c <= LANES / 2 ? 2 : 1;
}

static row_cut cut_rows(const cnn_window *g) {
    int64_t outputs = MOST_POINTS + 1 - g->k_w, tiles = ceil_div(g->out_w, outputs);
    int64_t apart = rows_apart(g->in_c, outputs), line = tiles * apart;
    if (g->in_c == 1) line = round_up(line, LANES);
    int64_t wide = tiles * outputs + g->k_w - 1;
    return (row_cut){g, outputs, tiles, wide, apart, line, g->k_h * g->in_c, rows_abreast(g)};
}

/* Whether rows of this layer are taken so: tiles that there are, that sum enough, and that rows fill. */
static int rows_suit(const cnn_window *g) {
    int64_t kind = rows_kind(g);
    return g->stride_h == 1 && g->stride_w == 1 && g->dilation_h == 1 && g->dilation_w == 1 &&
           (kind == ROWS_KIND(3, 6) || kind == ROWS_KIND(1, 4) || kind == ROWS_KIND(3, 4) || kind == ROWS_KIND(6, 4) ||
            kind == ROWS_KIND(16, 4)) &&
           g->k_h * g->in_c > 4 && g->out_w > MOST_OUTPUTS;
}

/* Lines of the transform of a band of so many rows of the output, their floats, and floats from point to point. */
INLINE int64_t rows_lines(const row_cut *c, int64_t rows) { return ceil_div(rows, c->abreast) + c->window->k_h - 1; }
INLINE int64_t rows_line(const row_cut *c) { return c->line * c->abreast; }
INLINE int64_t rows_point(const row_cut *c, int64_t rows) { return point_step(rows_lines(c, rows) * rows_line(c)); }

/* Floats of a padded band under so many rows (it is read a little past its end), and of its transform. */
INLINE int64_t rows_band_room(const row_cut *c, int64_t rows) {
    return rows_under(c->window, rows) * c->wide * c->window->in_c + c->line + 8 * c->window->in_c + LANES;
}
INLINE int64_t rows_room(const row_cut *c, int64_t rows) { return MOST_POINTS * rows_point(c, rows); }

/* Half of two vectors, from lane `first` on, number by number side by side; and one of the two out of such a vector. */
INLINE vf side_by_side(vf a, vf b, const int first) {
    vi index;
    UNROLL
    for (int i = 0; i < LANES; i++) index[i] = first + i / 2 + i % 2 * LANES;
    return __builtin_shuffle(a, b, index);
}
INLINE vf one_side(vf both, const int side) {
    vi index;
    UNROLL
    for (int i = 0; i < LANES; i++) index[i] = 2 * i % LANES + side;
    return __builtin_shuffle(both, index);
}

/* A line of one channel, transformed at every place: to[point][place], or with its numbers beside those of `below`. */
INLINE void transform_line(const float *x, const float *below, int64_t places, float *to, int64_t point) {
    for (int64_t i = 0; i < places; i += LANES) {
        vf d[MOST_POINTS], points[MOST_POINTS], others[MOST_POINTS];
        UNROLL
        for (int k = 0; k < MOST_POINTS; k++) d[k] = load(x + i + k);
        to_points(d, points, MOST_POINTS);
        if (!below) UNROLL
        for (int p = 0; p < MOST_POINTS; p++) store(to + p * point + i, points[p]);
        else {
            UNROLL
            for (int k = 0; k < MOST_POINTS; k++) d[k] = load(below + i + k);
            to_points(d, others, MOST_POINTS);
            UNROLL
            for (int p = 0; p < MOST_POINTS; p++) {
                float *at = to + p * point + 2 * i;
                store(at, side_by_side(points[p], others[p], 0));
                store(at + LANES, side_by_side(points[p], others[p], LANES / 2));
            }
        }
    }
}

/* One tile of a line of channels: to[point][channel], or beside those of `below`. */
INLINE void transform_channels(const float *x, const float *below, int64_t in_c, float *to, int64_t point) {
    for (int64_t i = 0; i < in_c; i += 4) {
        quad d[MOST_POINTS], points[MOST_POINTS], others[MOST_POINTS];
        UNROLL
        for (int k = 0; k < MOST_POINTS; k++) d[k] = *(const quad_unaligned *)(x + k * in_c + i);
        quad_to_points(d, points, MOST_POINTS);
        if (!below) UNROLL
        for (int p = 0; p < MOST_POINTS; p++) *(quad_unaligned *)(to + p * point + i) = points[p];
        else {
            UNROLL
            for (int k = 0; k < MOST_POINTS; k++) d[k] = *(const quad_unaligned *)(below + k * in_c + i);
            quad_to_points(d, others, MOST_POINTS);
            UNROLL
            for (int p = 0; p < MOST_POINTS; p++) {
                quad_unaligned *at = (quad_unaligned *)(to + p * point + 2 * i);
                at[0] = __builtin_shuffle(points[p], others[p], (quad_index){0, 4, 1, 5});
                at[1] = __builtin_shuffle(points[p], others[p], (quad_index){2, 6, 3, 7});
            }
        }
    }
}

/* v[point][line][rows_line] of the padded band under `rows` rows. */
INLINE void transform_lines(const row_cut *c, band x, int64_t rows, float *v, const int abreast) {
    int64_t in_c = c->window->in_c, point = rows_point(c, rows), last = rows_under(c->window, rows) - 1;
    int64_t lines = rows_lines(c, rows), half = lines + 1 - c->window->k_h;
    for (int64_t r = 0; r < lines; r++, v += c->line * abreast) {
        const float *from = x.rows + r * x.row_step;
        const float *below = abreast == 2 ? x.rows + min64(r + half, last) * x.row_step : NULL;
        if (in_c == 1)
            transform_line(from, below, c->line, v, point);
        else
            for (int64_t t = 0; t < c->tiles; t++) {
                int64_t at = t * c->outputs * in_c;
                transform_channels(from + at, abreast == 2 ? below + at : NULL, in_c, v + t * c->apart * abreast,
                                   point);
            }
    }
}

static void transform_rows(const row_cut *c, band x, int64_t rows, float *v) {
    if (c->abreast == 2)
        transform_lines(c, x, rows, v, 2);
    else
        transform_lines(c, x, rows, v, 1);
}

/* ---- forward -------------------------------------------------------------------------------------------------- */

/* Filters as the products read them, u[panel][point][k_h][in_c][PANEL], twice side by side for two rows abreast; from
 * those of conv2d_pack (or conv2d_pack_dx, whose filter rows are to be met from the last to the first). */
INLINE int64_t rows_filters_size(const cnn_window *g) {
    return MOST_POINTS * g->k_h * g->in_c * round_up(g->out_c, LANES);
}

static void transform_filters(const row_cut *c, const float *packed, int upside_down, float *u) {
    const cnn_window *g = c->window;
    for (int64_t f0 = 0; f0 < g->out_c; f0 += PANEL) {
        int64_t step = panel_step(min64(PANEL, g->out_c - f0));
        const float *from = packed + f0 * g->k_w * c->depth;
        float *to = u + f0 * MOST_POINTS * c->depth;
        for (int64_t ky = 0; ky < g->k_h; ky++)
            for (int64_t i = 0; i < g->in_c * step; i += LANES) {
                vf taps[MOST_TAPS], points[MOST_POINTS];
                for (int64_t kx = 0; kx < g->k_w; kx++)
                    taps[kx] = load(from + ((upside_down ? g->k_h - 1 - ky : ky) * g->k_w + kx) * g->in_c * step + i);
                if (g->k_w == 3)
                    filter_to_points(taps, points, 3);
                else
                    filter_to_points(taps, points, 5);
                for (int64_t p = 0; p < MOST_POINTS; p++)
                    store(to + (p * g->k_h + ky) * g->in_c * step + i,
                          c->abreast == 2 ? side_by_side(points[p], points[p], 0) : points[p]);
            }
    }
}

/* The products of m tiles of a row, for all points: products[point][tile][nv * LANES]. */
typedef struct {
    const float *v, *u;
    int64_t point, line, runs; /* v's steps, filter rows */
    float *products;
    coming outputs; /* where they will go */
} rows_tile;

INLINE void rows_m(const rows_tile *t, const int m, const int nv, const int kind) {
    const int in_c = kind % ROWS_ABREAST / 8, abreast = kind >= ROWS_ABREAST ? 2 : 1;
    const int apart = rows_apart(in_c, kind % 8) * abreast;
    float *to = t->products;
    coming outputs = t->outputs;
    const float *u = t->u;
    for (int64_t p = 0; p < MOST_POINTS; p++, to += m * nv * LANES) {
        vf acc[MR][NV];
        const float *v = t->v + p * t->point;
        ask(&outputs);
        UNROLL
        for (int i = 0; i < m; i++) UNROLL
        for (int j = 0; j < nv; j++) acc[i][j] = (vf){0};
        for (int64_t ky = 0; ky < t->runs; ky++, v += t->line, u += in_c * nv * LANES) {
            if (in_c <= 6) UNROLL
            for (int k = 0; k < in_c; k++)
                neighbours_step(acc, v + k * abreast, u + k * nv * LANES, m, nv, apart, abreast);
            else for (int k = 0; k < in_c; k++)
                neighbours_step(acc, v + k * abreast, u + k * nv * LANES, m, nv, apart, abreast);
        }
        UNROLL
        for (int i = 0; i < m; i++) UNROLL
        for (int j = 0; j < nv; j++) store(to + (i * nv + j) * LANES, acc[i][j]);
    }
}

TILES(rows_1_grey_5, rows, 1, ROWS_KIND(1, 4))
TILES(rows_2_grey_5, rows, 2, ROWS_KIND(1, 4))
TILES(rows_1_colour_5, rows, 1, ROWS_KIND(3, 4))
TILES(rows_2_colour_5, rows, 2, ROWS_KIND(3, 4))
TILES(rows_1_colour_3, rows, 1, ROWS_KIND(3, 6))
TILES(rows_2_colour_3, rows, 2, ROWS_KIND(3, 6))
TILES(rows_1_six_5, rows, 1, ROWS_KIND(6, 4))
TILES(rows_2_six_5, rows, 2, ROWS_KIND(6, 4))
TILES(rows_1_sixteen_5, rows, 1, ROWS_KIND(16, 4))
TILES(rows_2_sixteen_5, rows, 2, ROWS_KIND(16, 4))
#if LANES == 16
TILES(rows_grey_5_abreast, rows, 1, ROWS_ABREAST + ROWS_KIND(1, 4))
TILES(rows_colour_5_abreast, rows, 1, ROWS_ABREAST + ROWS_KIND(3, 4))
TILES(rows_sixteen_5_abreast, rows, 1, ROWS_ABREAST + ROWS_KIND(16, 4))
#endif

static void (*rows_tiles(int64_t kind, int two_vectors))(const rows_tile *, int) {
    switch (kind) {
#if LANES == 16
        case ROWS_ABREAST + ROWS_KIND(1, 4):
            return rows_grey_5_abreast;
        case ROWS_ABREAST + ROWS_KIND(3, 4):
            return rows_colour_5_abreast;
        case ROWS_ABREAST + ROWS_KIND(16, 4):
            return rows_sixteen_5_abreast;
#endif
        case ROWS_KIND(1, 4):
            return two_vectors ? rows_2_grey_5 : rows_1_grey_5;
        case ROWS_KIND(3, 4):
            return two_vectors ? rows_2_colour_5 : rows_1_colour_5;
        case ROWS_KIND(3, 6):
            return two_vectors ? rows_2_colour_3 : rows_1_colour_3;
        case ROWS_KIND(6, 4):
            return two_vectors ? rows_2_six_5 : rows_1_six_5;
        default:
            return two_vectors ? rows_2_sixteen_5 : rows_1_sixteen_5;
    }
}

/* Writes `columns` outputs of a tile from m[point][m_step], channels f0 and on. */
INLINE void write_tile_row(const cnn_conv2d_args *a, float *y, const float *behind, int64_t columns, int64_t f0,
                           int64_t width, const float *m, int64_t m_step, const int outputs) {
    tile_store store_as = {a->sides.y_step, a->accumulate, a->activation};
    int plainly = stores_plainly(&store_as, columns, outputs);
    for (int64_t j = 0; j < width; j += LANES) {
        int64_t n = min64(LANES, width - j);
        const float *masked = behind ? behind + j : NULL;
        vf points[MOST_POINTS], out[MOST_OUTPUTS];
        UNROLL
        for (int p = 0; p < MOST_POINTS; p++) points[p] = load(m + p * m_step + j);
        if (a->b) points[1] += load_n(a->b + f0 + j, n);
        from_points(points, out, MOST_POINTS, outputs);
        if (plainly && n == LANES)
            write_outputs(&store_as, out, y + j, masked, columns, n, outputs, 1);
        else
            write_outputs(&store_as, out, y + j, masked, columns, n, outputs, 0);
    }
    activate_outputs(&store_as, y, columns, width);
}

/* The same for two rows abreast, of which the second lies `below` floats behind the first; 0: outside the image. */
static __attribute__((noinline)) void write_tile_rows(const cnn_conv2d_args *a, float *y, const float *behind,
                                                      int64_t below, int64_t columns, const float *m, int64_t m_step) {
    enum { OUTPUTS = 4 };
    tile_store store_as = {a->sides.y_step, a->accumulate, a->activation};
    int64_t width = a->window.out_c;
    vf points[MOST_POINTS], out[MOST_OUTPUTS], one[MOST_OUTPUTS], b = a->b ? load_n(a->b, width) : (vf){0};
    UNROLL
    for (int p = 0; p < MOST_POINTS; p++) points[p] = load(m + p * m_step);
    points[1] += side_by_side(b, b, 0);
    from_points(points, out, MOST_POINTS, OUTPUTS);
    UNROLL
    for (int side = 0; side < 2; side++) {
        if (side == 1 && !below) break;
        UNROLL
        for (int s = 0; s < OUTPUTS; s++) one[s] = one_side(out[s], side);
        write_outputs(&store_as, one, y, behind, columns, width, OUTPUTS, 0);
        activate_outputs(&store_as, y, columns, width);
        y += below;
        if (behind) behind += below;
    }
}

/* Floats that the products of one call of rows_m take. */
#define ROWS_PRODUCTS (MOST_POINTS * MR * PANEL)

/* Writes `rows` rows of the output, y [rows][out_w][y_step], from transformed rows v and filters u; where `behind` is
 * given, a ReLU's outputs that stand as all of a->y do, 0 where they are not above 0. */
static void conv2d_rows(const cnn_conv2d_args *a, const float *behind, const row_cut *c, const float *v, int64_t rows,
                        const float *u, float *y, float *products) {
    const cnn_window *g = &a->window;
    int64_t parts = ceil_div(c->tiles, MR), y_step = a->sides.y_step, half = ceil_div(rows, c->abreast);
    int64_t point = rows_point(c, rows);
    for (int64_t f0 = 0; f0 < g->out_c; f0 += PANEL) {
        int64_t width = min64(PANEL, g->out_c - f0), step = panel_step(width);
        int64_t kind = rows_kind(g) + (c->abreast == 2 ? ROWS_ABREAST : 0);
        void (*multiply_rows)(const rows_tile *, int) = rows_tiles(kind, step > LANES);
        for (int64_t oy = 0; oy < half; oy++)
            for (int64_t part = 0; part < parts; part++) {
                int64_t t0 = tile_begin(c->tiles, parts, part), t1 = tile_begin(c->tiles, parts, part + 1);
                rows_tile t = {v + oy * rows_line(c) + t0 * c->apart * c->abreast,
                               u + f0 * MOST_POINTS * c->depth,
                               point,
                               rows_line(c),
                               g->k_h,
                               products,
                               {0}};
                float *row = y + oy * g->out_w * y_step + f0;
                if (!is_near(row, products)) {
                    int64_t first = t0 * c->outputs, last = min64(t1 * c->outputs, g->out_w);
                    t.outputs = (coming){row + first * y_step, y_step, last - first, width, 0};
                    spread(&t.outputs, MOST_POINTS);
                }
                multiply_rows(&t, (int)(t1 - t0));
                int64_t below = oy + half < rows ? half * g->out_w * y_step : 0;
                for (int64_t i = t0; i < t1; i++) {
                    float *to = row + i * c->outputs * y_step;
                    int64_t columns = min64(c->outputs, g->out_w - i * c->outputs), m_step = (t1 - t0) * step;
                    const float *from = products + (i - t0) * step, *masked = behind ? behind + (to - a->y) : NULL;
                    if (c->abreast == 2)
                        write_tile_rows(a, to, masked, below, columns, from, m_step);
                    else if (c->outputs == 6)
                        write_tile_row(a, to, masked, columns, f0, width, from, m_step, 6);
                    else
                        write_tile_row(a, to, masked, columns, f0, width, from, m_step, 4);
                }
            }
    }
}
