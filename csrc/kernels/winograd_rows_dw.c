/* winograd_rows_dw.c - the gradients of filters by Winograd along rows, the adjoint of winograd_rows.c:
 *
 *     dw[ky] = G' [ sum over tiles of (B' x) * (A dy) ]
 */

/* A band of dy, [rows][out_w][out_c], and the transform v of what is under it. */
typedef struct {
    const row_cut *cut;
    const float *v, *dy;
    int64_t rows;
    float *sums; /* [point][depth][columns] */
    int64_t columns;
    int accumulate; /* to sums */
    float *db;      /* what is added to, or, for the first band of a slot, put */
    int accumulate_db;
    float *room;
    coming next; /* gradients */
} rows_dw_band;

/* The operand of element d of a filter's columns (filter row d / in_c, channel d % in_c) at a point of the first tile.
 */
INLINE const float *rows_operand(const row_cut *c, const float *v, int64_t d, int64_t point) {
    int64_t in_c = c->window->in_c;
    return v + d / in_c * c->line + point * rows_point(in_c, c->abreast) + d % in_c * c->abreast;
}

#if ALL_POINTS_AT_ONCE
/* ---- sums in registers ---------------------------------------------------------------------------------------- */

/* Some rows of sums (a filter row's channel each) for one vector of channels, and half of the points: the transform of
 * dy falls apart into two such halves, so that none of it is made twice and all sums stay in registers. */
enum { ROWS_DW = 6, ROWS_HALF = 4, ROWS_DY_BYTES = 256 * 1024 };
INLINE int64_t gradient_row_floats(const row_cut *c) { return c->window->out_w * c->window->out_c; }
INLINE int64_t rows_dw_band_room(const row_cut *c UNUSED, int64_t rows UNUSED) { return 0; }

typedef struct {
    const rows_dw_band *band;
    const float *row[ROWS_DW]; /* their operands at point 0 of the first tile */
    int64_t first;             /* the first of them */
    int64_t f, channels;
    coming *next; /* what is asked for meanwhile */
} rows_dw_tile;

INLINE int point_of_half(const int half, const int p) { return half ? (p < 2 ? 3 : 4) + p : p < 3 ? p : 5; }

/* Adds the products of the tile whose gradients stand at dy, `columns` of them, and whose operands stand `at` floats
 * behind the first tile's. */
INLINE void add_tile(const rows_dw_tile *t, vf sums[ROWS_DW][ROWS_HALF], vf *total, const float *dy, const float *below,
                     int64_t columns, int64_t at, const int m, const int half, const int kind) {
    const int in_c = kind % ROWS_ABREAST / 8, outputs = kind % 8, abreast = kind >= ROWS_ABREAST ? 2 : 1;
    const int64_t point = rows_point(in_c, abreast), out_c = t->band->cut->window->out_c;
    vf d[MOST_OUTPUTS], z[MOST_POINTS];
    UNROLL
    for (int s = 0; s < outputs; s++) {
        d[s] = s < columns ? load_n(dy + s * out_c, t->channels) : (vf){0};
        if (abreast == 2)
            d[s] = side_by_side(d[s], below && s < columns ? load_n(below + s * out_c, t->channels) : (vf){0}, 0);
    }
    gradient_to_points(d, z, MOST_POINTS, outputs);
    if (half == 1) ask(t->next);   /* the other half is bound by its loads */
    if (half == 0) *total += z[1]; /* at the point 1 the transform is a sum */
    UNROLL
    for (int p = 0; p < ROWS_HALF; p++) {
        const int q = point_of_half(half, p);
        UNROLL
        for (int i = 0; i < m; i++)
            if (abreast == 2)
                sums[i][p] += two_by_turns(t->row[i] + at + q * point) * z[q];
            else
                sums[i][p] += t->row[i][at + q * point] * z[q];
    }
}

INLINE void rows_dw_m(const rows_dw_tile *t, const int m, const int half, const int kind) {
    const rows_dw_band *b = t->band;
    const row_cut *c = b->cut;
    const int outputs = kind % 8, abreast = kind >= ROWS_ABREAST ? 2 : 1;
    int64_t lines = ceil_div(b->rows, abreast), out_c = c->window->out_c, out_w = c->window->out_w, at = 0;
    vf sums[ROWS_DW][ROWS_HALF] = {0}, total = {0};
    for (int64_t l = 0; l < lines; l++) {
        const float *dy = b->dy + l * out_w * out_c + t->f;
        const float *below = abreast == 2 && l + lines < b->rows ? dy + lines * out_w * out_c : NULL;
        int64_t left = out_w;
        for (; left >= outputs; left -= outputs, at += c->apart, dy += outputs * out_c) {
            add_tile(t, sums, &total, dy, below, outputs, at, m, half, kind);
            if (below) below += outputs * out_c;
        }
        if (!left) continue;
        add_tile(t, sums, &total, dy, below, left, at, m, half, kind);
        at += c->apart;
    }
    if (half == 0 && t->first == 0) {
        float *to = b->db + t->f;
        if (abreast == 2) total = one_side(total, 0) + one_side(total, 1);
        store_n(to, b->accumulate_db ? load_n(to, t->channels) + total : total, t->channels);
    }
    UNROLL
    for (int p = 0; p < ROWS_HALF; p++) UNROLL
    for (int i = 0; i < m; i++) {
        float *to = b->sums + (point_of_half(half, p) * c->depth + t->first + i) * b->columns + t->f;
        store(to, b->accumulate ? load(to) + sums[i][p] : sums[i][p]);
    }
}

#define ROWS_DW_CASE(m, kind)     \
    case m:                       \
        rows_dw_m(t, m, 0, kind); \
        rows_dw_m(t, m, 1, kind); \
        break;
#define ROWS_DW_TILES(name, kind)                                                            \
    static __attribute__((noinline)) void rows_dw_##name(const rows_dw_tile *t, int64_t m) { \
        switch (m) {                                                                         \
            ROWS_DW_CASE(3, kind)                                                            \
            ROWS_DW_CASE(4, kind)                                                            \
            ROWS_DW_CASE(5, kind)                                                            \
            ROWS_DW_CASE(6, kind)                                                            \
        }                                                                                    \
    }
EACH_ROWS_KIND(ROWS_DW_TILES)

static void (*rows_dw_tiles(int64_t kind))(const rows_dw_tile *, int64_t) {
#define TILES_OF(name, of_kind) \
    if (kind == (of_kind)) return rows_dw_##name;
    EACH_ROWS_KIND(TILES_OF)
#undef TILES_OF
    return NULL;
}

static void sum_rows(rows_dw_band *b) {
    const row_cut *c = b->cut;
    int64_t parts = ceil_div(c->depth, ROWS_DW);
    void (*tiles)(const rows_dw_tile *, int64_t) = rows_dw_tiles(rows_kind_of(c));
    spread(&b->next, parts * ceil_div(c->window->out_c, LANES) * ceil_div(b->rows, c->abreast) * c->tiles);
    for (int64_t f = 0; f < c->window->out_c; f += LANES)
        for (int64_t part = 0; part < parts; part++) {
            int64_t d0 = tile_begin(c->depth, parts, part), d1 = tile_begin(c->depth, parts, part + 1);
            rows_dw_tile t = {b, {NULL}, d0, f, min64(LANES, c->window->out_c - f), &b->next};
            for (int64_t d = d0; d < d1; d++) t.row[d - d0] = rows_operand(c, b->v, d, 0);
            tiles(&t, d1 - d0);
        }
}
#else
/* ---- sums in memory ------------------------------------------------------------------------------------------- */

enum { ROWS_DY_BYTES = 128 * 1024 }; /* of a panel of transformed dy */
INLINE int64_t gradient_row_floats(const row_cut *c) {
    return MOST_POINTS * c->tiles * min64(PANEL, round_up(c->window->out_c, LANES));
}
INLINE int64_t rows_dw_band_room(const row_cut *c, int64_t rows) {
    return MOST_POINTS * point_step(rows * c->tiles * PANEL);
}

/* z[point][line][tile][step] of `rows` rows of gradients, channels f0 and on. */
INLINE void transform_gradients(const row_cut *c, const float *dy, int64_t rows, int64_t f0, int64_t width, float *z,
                                const int outputs) {
    const cnn_window *g = c->window;
    int64_t step = panel_step(width), point = point_step(rows * c->tiles * step);
    for (int64_t t = 0; t < rows * c->tiles; t++) {
        int64_t first = t % c->tiles * outputs, columns = min64(outputs, g->out_w - first), row = t / c->tiles;
        const float *from = dy + (row * g->out_w + first) * g->out_c + f0;
        for (int64_t j = 0; j < width; j += LANES) {
            int64_t n = min64(LANES, width - j);
            vf d[MOST_OUTPUTS], points[MOST_POINTS];
            UNROLL
            for (int s = 0; s < outputs; s++) d[s] = s < columns ? load_n(from + s * g->out_c + j, n) : (vf){0};
            gradient_to_points(d, points, MOST_POINTS, outputs);
            UNROLL
            for (int p = 0; p < MOST_POINTS; p++) store(z + p * point + t * step + j, points[p]);
        }
    }
}

static void sum_rows(rows_dw_band *b) {
    const row_cut *c = b->cut;
    const cnn_window *g = c->window;
    sum_pixels(b->dy, b->rows * g->out_w, g->out_c, b->db, b->accumulate_db);
    int64_t tiles = ceil_div(c->depth, MR), count = b->rows * c->tiles;
    for (int64_t f0 = 0; f0 < g->out_c; f0 += PANEL) {
        int64_t width = min64(PANEL, g->out_c - f0), step = panel_step(width);
        if (c->outputs == 6)
            transform_gradients(c, b->dy, b->rows, f0, width, b->room, 6);
        else
            transform_gradients(c, b->dy, b->rows, f0, width, b->room, 4);
        for (int64_t p = 0; p < MOST_POINTS; p++)
            for (int64_t tile = 0; tile < tiles; tile++) {
                int64_t d0 = tile_begin(c->depth, tiles, tile), d1 = tile_begin(c->depth, tiles, tile + 1);
                const float *row[MR];
                for (int64_t d = d0; d < d1; d++) row[d - d0] = rows_operand(c, b->v, d, p);
                outer_tile t = {row,
                                c->apart,
                                0,
                                step,
                                0,
                                count,
                                1,
                                b->room + p * point_step(count * step),
                                b->sums + (p * c->depth + d0) * b->columns + f0,
                                b->columns,
                                step,
                                b->accumulate};
                outer(&t, (int)(d1 - d0));
            }
    }
}
#endif

/* Rows of dy whose products are summed at a time. */
INLINE int64_t gradient_rows(const row_cut *c) {
    int64_t bytes = gradient_row_floats(c) * (int64_t)sizeof(float);
    int64_t rows = max64(1, min64(ROWS_DY_BYTES / bytes, c->window->out_h));
    return ceil_div(c->window->out_h, max64(1, ceil_div(c->window->out_h, rows)));
}

INLINE int64_t rows_dw_room(const row_cut *c) {
    int64_t rows = gradient_rows(c);
    return rows_band_room(c, rows) + rows_room(c, rows) + rows_dw_band_room(c, rows) +
           MOST_POINTS * c->depth * round_up(c->window->out_c, LANES);
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

/* The gradients of filters and bias from one image, into (or added to) a slot. */
static void conv2d_dw_rows_image(const row_cut *c, const float *x, const float *dy, float *slot, int accumulate,
                                 float *room) {
    const cnn_window *g = c->window;
    int64_t most = gradient_rows(c), columns = round_up(g->out_c, LANES), row = g->out_w * g->out_c;
    float *v = room + rows_band_room(c, most), *sums = v + rows_room(c, most);
    float *more_room = sums + MOST_POINTS * c->depth * columns;
    for (int64_t oy = 0; oy < g->out_h; oy += most) {
        int64_t rows = min64(most, g->out_h - oy);
        band in =
            pad_band(x, g->in_h, g->in_w, g->in_c, oy - g->pad_top, -g->pad_left, rows_under(g, rows), c->wide, room);
        transform_rows(c, in, rows, v);
        const float *from = dy + oy * row;
        rows_dw_band b = {c,
                          v,
                          from,
                          rows,
                          sums,
                          columns,
                          oy > 0,
                          slot + c->depth * g->k_w * g->out_c,
                          accumulate || oy > 0,
                          more_room,
                          {NULL}};
        if (!is_near(dy, room)) b.next = lines_from(from + rows * row, rows * row);
        sum_rows(&b);
    }
    if (g->k_w == 3)
        add_taps(c, sums, columns, slot, accumulate, 3);
    else
        add_taps(c, sums, columns, slot, accumulate, 5);
}
