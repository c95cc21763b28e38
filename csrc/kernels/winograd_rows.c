/* winograd_rows.c - Winograd along rows, forward and dx.
 *
 * Where registers are many, those of a few tiles hold the sums of all points, of which outputs are made in place; with
 * few, a point's sums are made for more tiles and vectors at once and go through memory.
 */

/* Filters as the products read them, u[vector][k_h][in_c][point][LANES], twice side by side for two rows abreast; from
 * those of conv2d_pack (or conv2d_pack_dx, whose filter rows are to be met from the last to the first). Behind them
 * stands the bias, zeros where b is NULL. */
INLINE int64_t rows_filters_size(const cnn_window *g) {
    return MOST_POINTS * g->k_h * g->in_c * round_up(g->out_c, LANES);
}
INLINE int64_t rows_filters_room(const cnn_window *g) { return rows_filters_size(g) + round_up(g->out_c, PANEL); }

static void transform_filters(const row_cut *c, const float *packed, int upside_down, const float *b, float *u) {
    const cnn_window *g = c->window;
    float *bias = u + rows_filters_size(g);
    for (int64_t f = 0; f < round_up(g->out_c, PANEL); f += LANES) {
        vf some = b ? load_n(b + min64(f, g->out_c), max64(0, min64(LANES, g->out_c - f))) : (vf){0};
        store(bias + f, c->abreast == 2 ? side_by_side(some, some, 0) : some);
    }
    for (int64_t f = 0; f < g->out_c; f += LANES, u += MOST_POINTS * c->depth * LANES) {
        int64_t f0 = f / PANEL * PANEL, step = panel_step(min64(PANEL, g->out_c - f0));
        const float *from = packed + f0 * g->k_w * c->depth + (f - f0);
        for (int64_t d = 0; d < c->depth; d++) {
            int64_t ky = d / g->in_c, in = d % g->in_c, row = upside_down ? g->k_h - 1 - ky : ky;
            vf taps[MOST_TAPS], points[MOST_POINTS];
            for (int64_t kx = 0; kx < g->k_w; kx++) taps[kx] = load(from + ((row * g->k_w + kx) * g->in_c + in) * step);
            if (g->k_w == 3)
                filter_to_points(taps, points, 3);
            else
                filter_to_points(taps, points, 5);
            for (int64_t p = 0; p < MOST_POINTS; p++)
                store(u + (d * MOST_POINTS + p) * LANES,
                      c->abreast == 2 ? side_by_side(points[p], points[p], 0) : points[p]);
        }
    }
}

/* Neighbouring tiles and vectors of channels that are taken together, and room for the sums of their points. */
#if ALL_POINTS_AT_ONCE
enum { ROWS_TILES = 3, ROWS_VECTORS = 1, ROWS_SUMS = 0 };
#else
enum { ROWS_TILES = MR, ROWS_VECTORS = NV, ROWS_SUMS = MOST_POINTS * MR * NV * LANES };
#endif

/* Tiles that follow each other in transformed lines, and some vectors of their channels. */
typedef struct {
    const float *v, *u;
    int64_t line, runs, filters; /* v's step, filter rows, u's step from one vector to the next */
    const float *b;              /* bias */
    vf least;                    /* that an output may be */
    int plainly;                 /* vectors are whole, and nothing else is to be asked about outputs */
    tile_store store_as;
    int64_t f, channels;         /* the first to write, and how many */
    float *y[ROWS_TILES];        /* where each tile's outputs go */
    int64_t columns[ROWS_TILES]; /* and how many these are */
    const float *end;            /* of the band's outputs, in which */
    int64_t below;               /* a row lies so many floats before the one abreast */
    const float *all, *behind;   /* a ReLU's outputs, or NULL, that stand in it as y does in `all` */
    float *sums;                 /* room for ROWS_SUMS */
} rows_tile;

/* Outputs of the sums of a tile's points, not computed before its turn: no register is left over. */
INLINE void tile_outputs(vf *sums, vf *out, const int outputs) {
    UNROLL
    for (int p = 0; p < MOST_POINTS; p++) IN_REGISTER(sums[p]);
    from_points(sums, out, MOST_POINTS, outputs);
}

/* Writes vector j of the tiles i0 and on, given the sums of their points. */
INLINE void write_plainly(const rows_tile *t, vf sums[][MOST_POINTS], int64_t i0, int64_t j, const int m,
                          const int outputs) {
    const int64_t y_step = t->store_as.y_step;
    const vf least = t->least;
    UNROLL
    for (int i = 0; i < m; i++) {
        float *y = t->y[i0 + i] + t->f + j * LANES;
        int64_t columns = t->columns[i0 + i];
        vf out[MOST_OUTPUTS];
        tile_outputs(sums[i], out, outputs);
        UNROLL
        for (int s = 0; s < outputs; s++, y += y_step)
            if (s < columns) store(y, vmax(least, out[s]));
    }
}

/* Writes vector j of tile i, whatever is to be asked about its outputs. */
INLINE void write_part(const rows_tile *t, const vf *out, int64_t i, int64_t j, const int outputs, const int abreast) {
    int64_t channels = min64(LANES, t->channels - j * LANES);
    UNROLL
    for (int side = 0; side < abreast; side++) {
        float *y = t->y[i] + t->f + j * LANES + side * t->below;
        vf one[MOST_OUTPUTS];
        if (side && y >= t->end) break;
        UNROLL
        for (int s = 0; s < outputs; s++) one[s] = abreast == 2 ? one_side(out[s], side) : out[s];
        write_outputs(&t->store_as, one, y, t->behind ? t->behind + (y - t->all) : NULL, t->columns[i], channels,
                      outputs, 0);
        activate_outputs(&t->store_as, y, t->columns[i], channels);
    }
}
#define WRITE_PART(outputs, abreast)                                                                          \
    static __attribute__((noinline)) void write_part_##outputs##_##abreast(const rows_tile *t, const vf *out, \
                                                                           int64_t i, int64_t j) {            \
        write_part(t, out, i, j, outputs, abreast);                                                           \
    }
WRITE_PART(4, 1)
WRITE_PART(6, 1)
#if LANES == 16
WRITE_PART(4, 2)
#else
#define write_part_4_2 write_part_4_1 /* none stand abreast */
#endif

/* The same as write_plainly, whatever is to be asked. */
INLINE void write_carefully(const rows_tile *t, vf sums[][MOST_POINTS], int64_t i0, int64_t j, const int m,
                            const int outputs, const int abreast) {
    vf out[ROWS_TILES][MOST_OUTPUTS];
    UNROLL
    for (int i = 0; i < m; i++) tile_outputs(sums[i], out[i], outputs);
    for (int i = 0; i < m; i++)
        if (outputs == 6)
            write_part_6_1(t, out[i], i0 + i, j);
        else if (abreast == 1)
            write_part_4_1(t, out[i], i0 + i, j);
        else
            write_part_4_2(t, out[i], i0 + i, j);
}

#if ALL_POINTS_AT_ONCE

INLINE void rows_m(const rows_tile *t, const int m, const int nv UNUSED, const int kind) {
    const int in_c = kind % ROWS_ABREAST / 8, outputs = kind % 8, abreast = kind >= ROWS_ABREAST ? 2 : 1;
    const int64_t point = rows_point(in_c, abreast), apart = MOST_POINTS * point;
    vf sums[ROWS_TILES][MOST_POINTS];
    UNROLL
    for (int i = 0; i < m; i++) UNROLL
    for (int p = 0; p < MOST_POINTS; p++) sums[i][p] = p == 1 ? load(t->b) : (vf){0};
    const float *v = t->v, *u = t->u;
    for (int64_t ky = 0; ky < t->runs; ky++, v += t->line)
        for (int k = 0; k < in_c; k++, u += MOST_POINTS * LANES) UNROLL
    for (int p = 0; p < MOST_POINTS; p++) {
        const float *at = v + p * point + k * abreast;
        vf filter = load(u + p * LANES);
        IN_REGISTER(filter);
        UNROLL
        for (int i = 0; i < m; i++)
            if (abreast == 2)
                sums[i][p] += two_by_turns(at + i * apart) * filter;
            else
                sums[i][p] += at[i * apart] * filter;
    }
    if (t->plainly && abreast == 1)
        write_plainly(t, sums, 0, 0, m, outputs);
    else
        write_carefully(t, sums, 0, 0, m, outputs, abreast);
}
#else
INLINE void rows_m(const rows_tile *t, const int m, const int nv, const int kind) {
    const int in_c = kind / 8, outputs = kind % 8;
    const int64_t point = rows_point(in_c, 1), apart = MOST_POINTS * point;
    for (int p = 0; p < MOST_POINTS; p++) {
        vf acc[MR][NV];
        const float *v = t->v + p * point, *u = t->u + p * LANES;
        UNROLL
        for (int i = 0; i < m; i++) UNROLL
        for (int j = 0; j < nv; j++) acc[i][j] = p == 1 ? load(t->b + j * LANES) : (vf){0};
        for (int64_t ky = 0; ky < t->runs; ky++, v += t->line)
            for (int k = 0; k < in_c; k++, u += MOST_POINTS * LANES)
                neighbours_step(acc, v + k, u, m, nv, apart, t->filters);
        UNROLL
        for (int i = 0; i < m; i++) UNROLL
        for (int j = 0; j < nv; j++) store(t->sums + ((i * nv + j) * MOST_POINTS + p) * LANES, acc[i][j]);
    }
    for (int i = 0; i < m; i++)
        for (int j = 0; j < nv; j++) {
            vf sums[1][MOST_POINTS];
            UNROLL
            for (int p = 0; p < MOST_POINTS; p++) sums[0][p] = load(t->sums + ((i * nv + j) * MOST_POINTS + p) * LANES);
            if (t->plainly)
                write_plainly(t, sums, i, j, 1, outputs);
            else
                write_carefully(t, sums, i, j, 1, outputs, 1);
        }
}
#endif

#define ROWS_CASE(m, nv, kind)                                             \
    case m:                                                                \
        if (m <= ROWS_TILES) rows_m(t, m <= ROWS_TILES ? m : 1, nv, kind); \
        break;
#define ROWS_OF(name, kind, nv)                                                 \
    static __attribute__((noinline)) void name(const rows_tile *t, int64_t m) { \
        switch (m) {                                                            \
            ROWS_CASE(1, nv, kind)                                              \
            ROWS_CASE(2, nv, kind)                                              \
            ROWS_CASE(3, nv, kind)                                              \
            ROWS_CASE(4, nv, kind)                                              \
            ROWS_CASE(5, nv, kind)                                              \
            ROWS_CASE(6, nv, kind)                                              \
        }                                                                       \
    }
#define ROWS(name, kind)                                     \
    ROWS_OF(rows_##name##_1, kind, 1)                        \
    ROWS_OF(rows_##name##_2, kind, ROWS_VECTORS)             \
    static void rows_##name(const rows_tile *t, int64_t m) { \
        if (ROWS_VECTORS == 2 && t->channels > LANES)        \
            rows_##name##_2(t, m);                           \
        else                                                 \
            rows_##name##_1(t, m);                           \
    }
_Static_assert(ROWS_TILES <= 6 && ROWS_VECTORS <= 2, "ROWS lists the tiles and vectors that are taken together");
EACH_ROWS_KIND(ROWS)

static void (*rows_tiles(int64_t kind))(const rows_tile *, int64_t) {
#define TILES_OF(name, of_kind) \
    if (kind == (of_kind)) return rows_##name;
    EACH_ROWS_KIND(TILES_OF)
#undef TILES_OF
    return NULL;
}

/* Writes `rows` rows of the output, y [rows][out_w][y_step], from transformed rows v and filters u; where `behind` is
 * given, a ReLU's outputs that stand as all of a->y do, 0 where they are not above 0. */
static void conv2d_rows(const cnn_conv2d_args *a, const float *behind, const row_cut *c, const float *v, int64_t rows,
                        const float *u, float *y, float *sums) {
    const cnn_window *g = &a->window;
    int64_t half = ceil_div(rows, c->abreast), y_step = a->sides.y_step, y_row = g->out_w * y_step;
    int64_t filters = c->depth * MOST_POINTS * LANES;
    int bounded_below = a->activation == CNN_LINEAR || a->activation == CNN_RELU, near = is_near(y, u);
    void (*multiply_rows)(const rows_tile *, int64_t) = rows_tiles(rows_kind_of(c));
    rows_tile t = {v, u, c->line, g->k_h, filters};
    t.least = set(least_of(bounded_below ? a->activation : CNN_LINEAR));
    t.store_as = (tile_store){y_step, a->accumulate, a->activation};
    t.end = y + rows * y_row, t.below = half * y_row;
    t.all = a->y, t.behind = behind, t.sums = sums;
    /* Vectors up to here are whole, and nothing is to be asked about their outputs. */
    int64_t plain = c->abreast == 1 && !behind && !a->accumulate && bounded_below ? g->out_c / LANES * LANES : 0;
    /* Near, a vector of channels goes through all rows, under the same filters; far, memory is met in its order. */
    int64_t at_once = near ? ROWS_VECTORS * LANES : g->out_c;
    for (int64_t f0 = 0; f0 < g->out_c; f0 += at_once) {
        t.v = v;
        float *row = y;
        for (int64_t left = half * c->tiles, x = 0, m; left > 0; left -= m, t.v += m * c->apart) {
            m = min64(ROWS_TILES, left);
            for (int64_t i = 0; i < m; i++) {
                t.y[i] = row + x * y_step, t.columns[i] = min64(c->outputs, g->out_w - x);
                if (!near) /* for the same place in the next row */
                    ask(&(coming){t.y[i] + y_row, y_step, t.columns[i], g->out_c, t.columns[i]});
                x += c->outputs;
                if (x >= g->out_w) x = 0, row += y_row;
            }
            for (t.f = f0; t.f < min64(f0 + at_once, g->out_c); t.f += ROWS_VECTORS * LANES) {
                t.u = u + t.f / LANES * filters, t.b = u + rows_filters_size(g) + t.f;
                t.channels = min64(ROWS_VECTORS * LANES, g->out_c - t.f), t.plainly = t.f + t.channels <= plain;
                multiply_rows(&t, m);
            }
        }
    }
}
