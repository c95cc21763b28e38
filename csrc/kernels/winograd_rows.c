/* winograd_rows.c - Winograd along the rows of images of few channels: F(6, 3) and F(4, 5), in 8 products each.
 *
 *     y[oy] = A' [ sum over ky, c of (G w[ky]) * (B' x[oy + ky]) ]
 *
 * A tile is 6 (for filters 3 wide) or 4 (5 wide) neighbours in a row of the output. Rows of x are transformed once for
 * all filter rows that meet them: a tile's operand for a point and a filter row is one run of in_c numbers. dw is the
 * adjoint: dw[ky] = G' [ sum over tiles of (B' x) * (A dy) ].
 */

#define ROWS_DY_BYTES (128 * 1024) /* of a panel of transformed dy */

/* How rows are cut. */
typedef struct {
    const cnn_window *window;
    int64_t outputs, tiles; /* of a tile, in a row */
    int64_t wide;           /* pixels of x under a row of tiles */
    int64_t apart, line;    /* numbers in a transformed row: from one tile to the next, in all */
    int64_t depth;          /* numbers that a product sums */
} row_cut;

/* A tile's channels stand in quads; of one channel, transformed at every place of the row, every so many-th counts. */
INLINE int64_t rows_apart(int64_t in_c, int64_t outputs) { return in_c == 1 ? outputs : round_up(in_c, 4); }

static row_cut cut_rows(const cnn_window *g) {
    int64_t outputs = MOST_POINTS + 1 - g->k_w, tiles = ceil_div(g->out_w, outputs);
    int64_t apart = rows_apart(g->in_c, outputs), line = tiles * apart;
    if (g->in_c == 1) line = round_up(line, LANES);
    return (row_cut){g, outputs, tiles, tiles * outputs + g->k_w - 1, apart, line, g->k_h * g->in_c};
}

/* Layers that rows_tiles has tiles for. */
#define ROWS_KIND(in_c, outputs) ((in_c) * 8 + (outputs))

static int64_t rows_kind(const cnn_window *g) { return ROWS_KIND(g->in_c, MOST_POINTS + 1 - g->k_w); }

/* Whether rows of this layer are taken so: tiles that there are, that sum enough, and that rows fill. */
static int rows_suit(const cnn_window *g) {
    int64_t kind = rows_kind(g);
    return g->stride_h == 1 && g->stride_w == 1 && g->dilation_h == 1 && g->dilation_w == 1 &&
           (kind == ROWS_KIND(3, 6) || kind == ROWS_KIND(1, 4) || kind == ROWS_KIND(3, 4) || kind == ROWS_KIND(6, 4) ||
            kind == ROWS_KIND(16, 4)) &&
           g->k_h * g->in_c > 4 && g->out_w > MOST_OUTPUTS;
}

/* Floats of a padded band of so many rows (it is read a little past its end), and of its transform. */
INLINE int64_t rows_band_room(const row_cut *c, int64_t rows) {
    return rows * c->wide * c->window->in_c + c->line + 8 * c->window->in_c + LANES;
}
INLINE int64_t rows_room(const row_cut *c, int64_t rows) { return MOST_POINTS * point_step(rows * c->line); }

/* v[point][row][line] of a padded band. */
static void transform_rows(const row_cut *c, band x, int64_t rows, float *v) {
    int64_t in_c = c->window->in_c, point = point_step(rows * c->line);
    for (int64_t r = 0; r < rows; r++, x.rows += x.row_step, v += c->line) {
        if (in_c == 1)
            for (int64_t i = 0; i < c->line; i += LANES) {
                vf d[MOST_POINTS], points[MOST_POINTS];
                UNROLL
                for (int k = 0; k < MOST_POINTS; k++) d[k] = load(x.rows + i + k);
                to_points(d, points, MOST_POINTS);
                UNROLL
                for (int p = 0; p < MOST_POINTS; p++) store(v + p * point + i, points[p]);
            }
        else
            for (int64_t t = 0; t < c->tiles; t++)
                for (int64_t i = 0; i < in_c; i += 4) {
                    quad d[MOST_POINTS], points[MOST_POINTS];
                    const float *from = x.rows + t * c->outputs * in_c + i;
                    UNROLL
                    for (int k = 0; k < MOST_POINTS; k++) d[k] = *(const quad_unaligned *)(from + k * in_c);
                    quad_to_points(d, points, MOST_POINTS);
                    UNROLL
                    for (int p = 0; p < MOST_POINTS; p++)
                        *(quad_unaligned *)(v + p * point + t * c->apart + i) = points[p];
                }
    }
}

/* ---- forward -------------------------------------------------------------------------------------------------- */

/* Filters as the products read them: u[panel][point][k_h][in_c][PANEL], from those of conv2d_pack (or conv2d_pack_dx,
 * whose filter rows are to be met from the last to the first). */
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
                for (int64_t p = 0; p < MOST_POINTS; p++) store(to + (p * g->k_h + ky) * g->in_c * step + i, points[p]);
            }
    }
}

/* The products of m tiles of a row, for all points: products[point][tile][nv * LANES]. */
typedef struct {
    const float *v, *u;
    int64_t point, line, runs; /* v's steps, filter rows */
    float *products;
} rows_tile;

INLINE void rows_m(const rows_tile *t, const int m, const int nv, const int kind) {
    const int in_c = kind / 8, apart = rows_apart(in_c, kind % 8);
    float *to = t->products;
    const float *u = t->u;
    for (int64_t p = 0; p < MOST_POINTS; p++, to += m * nv * LANES) {
        vf acc[MR][NV];
        const float *v = t->v + p * t->point;
        UNROLL
        for (int i = 0; i < m; i++) UNROLL
        for (int j = 0; j < nv; j++) acc[i][j] = (vf){0};
        for (int64_t ky = 0; ky < t->runs; ky++, v += t->line, u += in_c * nv * LANES) {
            if (in_c <= 6) UNROLL
            for (int k = 0; k < in_c; k++) neighbours_step(acc, v + k, u + k * nv * LANES, m, nv, apart);
            else for (int k = 0; k < in_c; k++) neighbours_step(acc, v + k, u + k * nv * LANES, m, nv, apart);
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

static void (*rows_tiles(int64_t kind, int two_vectors))(const rows_tile *, int) {
    switch (kind) {
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

/* Floats that the products of one call of rows_m take. */
#define ROWS_PRODUCTS (MOST_POINTS * MR * PANEL)

/* Writes `rows` rows of the output, y [rows][out_w][y_step], from transformed rows v and filters u; where `behind` is
 * given, a ReLU's outputs that stand as all of a->y do, 0 where they are not above 0. */
static void conv2d_rows(const cnn_conv2d_args *a, const float *behind, const row_cut *c, const float *v, int64_t rows,
                        const float *u, float *y, float *products) {
    const cnn_window *g = &a->window;
    int64_t parts = ceil_div(c->tiles, MR), y_step = a->sides.y_step;
    for (int64_t f0 = 0; f0 < g->out_c; f0 += PANEL) {
        int64_t width = min64(PANEL, g->out_c - f0), step = panel_step(width);
        void (*multiply_rows)(const rows_tile *, int) = rows_tiles(rows_kind(g), step > LANES);
        for (int64_t oy = 0; oy < rows; oy++)
            for (int64_t part = 0; part < parts; part++) {
                int64_t t0 = tile_begin(c->tiles, parts, part), t1 = tile_begin(c->tiles, parts, part + 1);
                rows_tile t = {v + oy * c->line + t0 * c->apart,
                               u + f0 * MOST_POINTS * c->depth,
                               point_step((rows + g->k_h - 1) * c->line),
                               c->line,
                               g->k_h,
                               products};
                multiply_rows(&t, (int)(t1 - t0));
                for (int64_t i = t0; i < t1; i++) {
                    float *to = y + (oy * g->out_w + i * c->outputs) * y_step + f0;
                    int64_t columns = min64(c->outputs, g->out_w - i * c->outputs), m_step = (t1 - t0) * step;
                    const float *from = products + (i - t0) * step, *masked = behind ? behind + (to - a->y) : NULL;
                    if (c->outputs == 6)
                        write_tile_row(a, to, masked, columns, f0, width, from, m_step, 6);
                    else
                        write_tile_row(a, to, masked, columns, f0, width, from, m_step, 4);
                }
            }
    }
}

/* ---- dw ------------------------------------------------------------------------------------------------------- */

/* z[point][row][tile][step] of `rows` rows of gradients, channels f0 and on. */
INLINE void transform_gradients(const row_cut *c, const float *dy, int64_t rows, int64_t f0, int64_t width, float *z,
                                const int outputs) {
    const cnn_window *g = c->window;
    int64_t step = panel_step(width), point = point_step(rows * c->tiles * step);
    for (int64_t t = 0; t < rows * c->tiles; t++) {
        int64_t first = t % c->tiles * outputs, columns = min64(outputs, g->out_w - first);
        const float *from = dy + (t / c->tiles * g->out_w + first) * g->out_c + f0;
        for (int64_t j = 0; j < width; j += LANES) {
            int64_t n = min64(LANES, width - j);
            vf d[MOST_OUTPUTS], points[MOST_POINTS];
            UNROLL
            for (int s = 0; s < outputs; s++) {
                const float *p = from + s * g->out_c + j;
                d[s] = s < columns ? (n == LANES ? load(p) : load_n(p, n)) : (vf){0};
            }
            gradient_to_points(d, points, MOST_POINTS, outputs);
            UNROLL
            for (int p = 0; p < MOST_POINTS; p++) store(z + p * point + t * step + j, points[p]);
        }
    }
}

/* Rows of dy whose transform is taken at a time. */
INLINE int64_t gradient_rows(const row_cut *c) {
    int64_t bytes = MOST_POINTS * c->tiles * min64(PANEL, round_up(c->window->out_c, LANES)) * (int64_t)sizeof(float);
    int64_t rows = max64(1, min64(ROWS_DY_BYTES / bytes, c->window->out_h));
    return ceil_div(c->window->out_h, max64(1, ceil_div(c->window->out_h, rows)));
}

INLINE int64_t rows_dw_room(const row_cut *c) {
    const cnn_window *g = c->window;
    int64_t rows = gradient_rows(c), under = rows + g->k_h - 1;
    return rows_band_room(c, under) + rows_room(c, under) + MOST_POINTS * point_step(rows * c->tiles * PANEL) +
           MOST_POINTS * c->depth * round_up(g->out_c, LANES);
}

/* slot (+)= G' sums[point][ky][c][columns]. */
INLINE void add_taps(const row_cut *c, const float *sums, int64_t columns, float *slot, int accumulate,
                     const int taps) {
    const cnn_window *g = c->window;
    for (int64_t d = 0; d < c->depth; d++)
        for (int64_t f = 0; f < g->out_c; f += LANES) {
            int64_t n = min64(LANES, g->out_c - f);
            vf points[MOST_POINTS], w[MOST_TAPS];
            for (int p = 0; p < MOST_POINTS; p++) points[p] = load(sums + (p * c->depth + d) * columns + f);
            filter_from_points(points, w, MOST_POINTS, taps);
            for (int kx = 0; kx < taps; kx++) {
                float *to = slot + ((d / g->in_c * taps + kx) * g->in_c + d % g->in_c) * g->out_c + f;
                store_n(to, accumulate ? load_n(to, n) + w[kx] : w[kx], n);
            }
        }
}

/* The gradients of the filters from one image, into (or added to) a slot. */
static void conv2d_dw_rows_image(const row_cut *c, const float *x, const float *dy, float *slot, int accumulate,
                                 float *room) {
    const cnn_window *g = c->window;
    int64_t most = gradient_rows(c), columns = round_up(g->out_c, LANES), tiles = ceil_div(c->depth, MR);
    float *v = room + rows_band_room(c, most + g->k_h - 1), *z = v + rows_room(c, most + g->k_h - 1);
    float *sums = z + MOST_POINTS * point_step(most * c->tiles * PANEL);
    int whole = c->line == c->tiles * c->apart; /* rows follow each other without a gap */
    for (int64_t oy = 0; oy < g->out_h; oy += most) {
        int64_t rows = min64(most, g->out_h - oy), under = rows + g->k_h - 1;
        band in = pad_band(x, g->in_h, g->in_w, g->in_c, oy - g->pad_top, -g->pad_left, under, c->wide, room);
        transform_rows(c, in, under, v);
        for (int64_t f0 = 0; f0 < g->out_c; f0 += PANEL) {
            int64_t width = min64(PANEL, g->out_c - f0), step = panel_step(width);
            if (c->outputs == 6)
                transform_gradients(c, dy + oy * g->out_w * g->out_c, rows, f0, width, z, 6);
            else
                transform_gradients(c, dy + oy * g->out_w * g->out_c, rows, f0, width, z, 4);
            for (int64_t p = 0; p < MOST_POINTS; p++)
                for (int64_t tile = 0; tile < tiles; tile++) {
                    int64_t d0 = tile_begin(c->depth, tiles, tile), d1 = tile_begin(c->depth, tiles, tile + 1);
                    const float *row[MR];
                    for (int64_t d = d0; d < d1; d++)
                        row[d - d0] = v + p * point_step(under * c->line) + d / g->in_c * c->line + d % g->in_c;
                    outer_tile t = {row,
                                    c->apart,
                                    c->line,
                                    step,
                                    c->tiles * step,
                                    whole ? rows * c->tiles : c->tiles,
                                    whole ? 1 : rows,
                                    z + p * point_step(rows * c->tiles * step),
                                    sums + (p * c->depth + d0) * columns + f0,
                                    columns,
                                    step,
                                    oy > 0};
                    outer(&t, (int)(d1 - d0));
                }
        }
    }
    if (g->k_w == 3)
        add_taps(c, sums, columns, slot, accumulate, 3);
    else
        add_taps(c, sums, columns, slot, accumulate, 5);
}
