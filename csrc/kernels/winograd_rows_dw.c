/* winograd_rows_dw.c - the gradients of filters by Winograd along rows, the adjoint of winograd_rows.c:
 *
 *     dw[ky] = G' [ sum over tiles of (B' x) * (A dy) ]
 */

#define ROWS_DY_BYTES (128 * 1024) /* of a panel of transformed dy */

/* z[point][line][tile][step] of `rows` rows of gradients, channels f0 and on; a line holds the rows abreast. */
INLINE void transform_gradients(const row_cut *c, const float *dy, int64_t rows, int64_t f0, int64_t width, float *z,
                                const int outputs, const int abreast) {
    const cnn_window *g = c->window;
    int64_t step = panel_step(width), lines = ceil_div(rows, abreast), point = point_step(lines * c->tiles * step);
    for (int64_t t = 0; t < lines * c->tiles; t++) {
        int64_t first = t % c->tiles * outputs, columns = min64(outputs, g->out_w - first), row = t / c->tiles;
        const float *from = dy + (row * g->out_w + first) * g->out_c + f0;
        int64_t below = row + lines < rows ? lines * g->out_w * g->out_c : 0;
        for (int64_t j = 0; j < width; j += LANES) {
            int64_t n = min64(LANES, width - j);
            vf d[MOST_OUTPUTS], points[MOST_POINTS];
            UNROLL
            for (int s = 0; s < outputs; s++) {
                const float *p = from + s * g->out_c + j;
                d[s] = s < columns ? (n == LANES ? load(p) : load_n(p, n)) : (vf){0};
                if (abreast == 2) d[s] = side_by_side(d[s], s < columns && below ? load_n(p + below, n) : (vf){0}, 0);
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
    int64_t rows = gradient_rows(c);
    return rows_band_room(c, rows) + rows_room(c, rows) + MOST_POINTS * point_step(rows * c->tiles * PANEL) +
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
            for (int p = 0; p < MOST_POINTS; p++) {
                points[p] = load(sums + (p * c->depth + d) * columns + f);
                if (c->abreast == 2) points[p] = one_side(points[p], 0) + one_side(points[p], 1);
            }
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
    float *v = room + rows_band_room(c, most), *z = v + rows_room(c, most);
    float *sums = z + MOST_POINTS * point_step(most * c->tiles * PANEL);
    int64_t apart = c->apart * c->abreast, line = rows_line(c);
    int whole = line == c->tiles * apart; /* lines follow each other without a gap */
    for (int64_t oy = 0; oy < g->out_h; oy += most) {
        int64_t rows = min64(most, g->out_h - oy), lines = ceil_div(rows, c->abreast), point = rows_point(c, rows);
        band in =
            pad_band(x, g->in_h, g->in_w, g->in_c, oy - g->pad_top, -g->pad_left, rows_under(g, rows), c->wide, room);
        transform_rows(c, in, rows, v);
        for (int64_t f0 = 0; f0 < g->out_c; f0 += PANEL) {
            int64_t width = min64(PANEL, g->out_c - f0), step = panel_step(width);
            const float *from = dy + oy * g->out_w * g->out_c;
            if (c->abreast == 2)
                transform_gradients(c, from, rows, f0, width, z, 4, 2);
            else if (c->outputs == 6)
                transform_gradients(c, from, rows, f0, width, z, 6, 1);
            else
                transform_gradients(c, from, rows, f0, width, z, 4, 1);
            for (int64_t p = 0; p < MOST_POINTS; p++)
                for (int64_t tile = 0; tile < tiles; tile++) {
                    int64_t d0 = tile_begin(c->depth, tiles, tile), d1 = tile_begin(c->depth, tiles, tile + 1);
                    const float *row[MR];
                    for (int64_t d = d0; d < d1; d++)
                        row[d - d0] = v + p * point + d / g->in_c * line + d % g->in_c * c->abreast;
                    outer_tile t = {row,
                                    apart,
                                    line,
                                    step,
                                    c->tiles * step,
                                    whole ? lines * c->tiles : c->tiles,
                                    whole ? 1 : lines,
                                    z + p * point_step(lines * c->tiles * step),
                                    sums + (p * c->depth + d0) * columns + f0,
                                    columns,
                                    step,
                                    oy > 0};
                    t.abreast = c->abreast == 2;
                    outer(&t, (int)(d1 - d0));
                }
        }
    }
    if (g->k_w == 3)
        add_taps(c, sums, columns, slot, accumulate, 3);
    else
        add_taps(c, sums, columns, slot, accumulate, 5);
}
