/* winograd_rows.h - Winograd along the rows of images of few channels: F(6, 3) and F(4, 5), in 8 products each.
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

/* What tiles are compiled for: channels and outputs of a tile, and whether of two rows. */
#define ROWS_KIND(in_c, outputs) ((in_c) * 8 + (outputs))
#define ROWS_ABREAST             256
#define EACH_KIND_OF_ROW(work)                                                                  \
    work(grey_3, ROWS_KIND(1, 6)) work(colour_3, ROWS_KIND(3, 6)) work(grey_5, ROWS_KIND(1, 4)) \
        work(colour_5, ROWS_KIND(3, 4))
#if LANES == 16
#define EACH_KIND_ABREAST(work) \
    work(grey_5_abreast, ROWS_ABREAST + ROWS_KIND(1, 4)) work(colour_5_abreast, ROWS_ABREAST + ROWS_KIND(3, 4))
#else
#define EACH_KIND_ABREAST(work)
#endif
#define EACH_ROWS_KIND(work) EACH_KIND_OF_ROW(work) EACH_KIND_ABREAST(work)

static int64_t rows_kind(const cnn_window *g) { return ROWS_KIND(g->in_c, MOST_POINTS + 1 - g->k_w); }

/* Rows that a vector holds. There are tiles for two where vectors are long and few filters of 5x5 common, in LeNets. */
static int64_t rows_abreast(const cnn_window *g) {
    int64_t kind = rows_kind(g);
    int suits = kind == ROWS_KIND(1, 4) || kind == ROWS_KIND(3, 4);
    return LANES == 16 && suits && g->out_c <= LANES / 2 ? 2 : 1;
}

/* Numbers of a transformed tile from one of its points to the next. */
INLINE int64_t rows_point(int64_t in_c, int64_t abreast) { return (in_c == 1 ? 1 : 4) * abreast; }

static row_cut cut_rows(const cnn_window *g) {
    int64_t outputs = MOST_POINTS + 1 - g->k_w, tiles = ceil_div(g->out_w, outputs), abreast = rows_abreast(g);
    int64_t apart = MOST_POINTS * rows_point(g->in_c, abreast), wide = tiles * outputs + g->k_w - 1;
    return (row_cut){g, outputs, tiles, wide, apart, tiles * apart, g->k_h * g->in_c, abreast};
}

/* Whether registers hold the sums of all points of three tiles. On other tiers points are summed one after another. */
#define ALL_POINTS_AT_ONCE (MR * NV >= 24)

/* The same of tiles. */
INLINE int64_t rows_kind_of(const row_cut *c) { return rows_kind(c->window) + (c->abreast - 1) * ROWS_ABREAST; }

/* Whether rows of this layer are taken so: tiles that there are, and that rows fill. Grey 3x3 filters sum too little to
 * repay sums that go through memory. */
static int rows_suit(const cnn_window *g) {
    if (g->stride_h > 1 || g->stride_w > 1 || g->dilation_h > 1 || g->dilation_w > 1) return 0;
    if ((g->k_w != 3 && g->k_w != 5) || g->k_h * g->in_c < 3 || g->out_w <= MOST_OUTPUTS || g->out_h < 1) return 0;
    if (rows_kind(g) == ROWS_KIND(1, 6) && !ALL_POINTS_AT_ONCE) return 0;
#define SUITS(name, kind) \
    if (rows_kind(g) == (kind)) return 1;
    EACH_KIND_OF_ROW(SUITS)
#undef SUITS
    return 0;
}

/* Lines of the transform of a band of so many rows of the output, and their floats. */
INLINE int64_t rows_lines(const row_cut *c, int64_t rows) { return ceil_div(rows, c->abreast) + c->window->k_h - 1; }
INLINE int64_t rows_room(const row_cut *c, int64_t rows) { return rows_lines(c, rows) * c->line; }

/* Floats of a padded band under so many rows, which is read a little past its end. */
INLINE int64_t rows_band_room(const row_cut *c, int64_t rows) {
    return rows_under(c->window, rows) * c->wide * c->window->in_c + 8 * c->window->in_c + LANES;
}

/* Two numbers, over and over. */
INLINE vf two_by_turns(const float *x) {
    int64_t both;
    memcpy(&both, x, sizeof both);
    return (vf)(both - (vl){0});
}

/* One of the two out of a vector that two stand side by side in. */
INLINE vf one_side(vf both, const int side) {
    vi index;
    UNROLL
    for (int i = 0; i < LANES; i++) index[i] = 2 * i % LANES + side;
    return __builtin_shuffle(both, index);
}

/* to[] = a[0] b[0] a[1] b[1] ... */
INLINE void eights_by_turns(float *to, const eight *a, const eight *b) {
    eight_unaligned *at = (eight_unaligned *)to;
    at[0] = __builtin_shuffle(*a, *b, (eight_index){0, 8, 1, 9, 2, 10, 3, 11});
    at[1] = __builtin_shuffle(*a, *b, (eight_index){4, 12, 5, 13, 6, 14, 7, 15});
}
INLINE void quads_by_turns(float *to, const quad *a, const quad *b) {
    quad_unaligned *at = (quad_unaligned *)to;
    at[0] = __builtin_shuffle(*a, *b, (quad_index){0, 4, 1, 5});
    at[1] = __builtin_shuffle(*a, *b, (quad_index){2, 6, 3, 7});
}

/* to_points of a row of numbers, with the points side by side. */
INLINE void points_of_numbers(const float *x, eight *points) {
    const eight by_input[MOST_POINTS] = {{-1},
                                         {0, 1, -1, 0.5f, -0.5f, -1, 2, -2},
                                         {5.25f, 1, 1, 0.25f, 0.25f, 0, 4, 4},
                                         {0, -4.25f, 4.25f, -2.5f, 2.5f, 5.25f, -2.5f, 2.5f},
                                         {-5.25f, -4.25f, -4.25f, -1.25f, -1.25f, 0, -5, -5},
                                         {0, 1, -1, 2, -2, -5.25f, 0.5f, -0.5f},
                                         {1, 1, 1, 1, 1, 0, 1, 1},
                                         {0, 0, 0, 0, 0, 1}};
    eight even = by_input[0] * x[0], odd = by_input[1] * x[1];
    UNROLL
    for (int k = 2; k < MOST_POINTS; k += 2) even += by_input[k] * x[k], odd += by_input[k + 1] * x[k + 1];
    *points = even + odd;
}

/* One tile of a line of one channel, and of three: to[point][channel], or each number beside that of the line `below`.
 */
INLINE void transform_number(const float *x, const float *below, float *to, const int abreast) {
    eight points, others;
    points_of_numbers(x, &points);
    if (abreast == 1) {
        *(eight_unaligned *)to = points;
        return;
    }
    points_of_numbers(below, &others);
    eights_by_turns(to, &points, &others);
}

INLINE void transform_quad(const float *x, const float *below, int64_t in_c, float *to, const int abreast) {
    quad d[MOST_POINTS], points[MOST_POINTS], others[MOST_POINTS];
    UNROLL
    for (int k = 0; k < MOST_POINTS; k++) d[k] = *(const quad_unaligned *)(x + k * in_c);
    quad_to_points(d, points, MOST_POINTS);
    if (abreast == 1) {
        UNROLL
        for (int p = 0; p < MOST_POINTS; p++) *(quad_unaligned *)(to + p * 4) = points[p];
        return;
    }
    UNROLL
    for (int k = 0; k < MOST_POINTS; k++) d[k] = *(const quad_unaligned *)(below + k * in_c);
    quad_to_points(d, others, MOST_POINTS);
    UNROLL
    for (int p = 0; p < MOST_POINTS; p++) quads_by_turns(to + p * 8, points + p, others + p);
}

/* v[line][tile][point][channel] of the padded band under `rows` rows. */
INLINE void transform_lines(const row_cut *c, band x, int64_t rows, float *v, const int abreast) {
    int64_t in_c = c->window->in_c, last = rows_under(c->window, rows) - 1, step = c->outputs * in_c;
    int64_t lines = rows_lines(c, rows), half = lines + 1 - c->window->k_h;
    for (int64_t r = 0; r < lines; r++) {
        const float *from = x.rows + r * x.row_step, *below = x.rows + min64(r + half, last) * x.row_step;
        for (int64_t t = 0; t < c->tiles; t++, v += c->apart, from += step, below += step)
            if (in_c == 1)
                transform_number(from, below, v, abreast);
            else
                transform_quad(from, below, in_c, v, abreast);
    }
}

static void transform_rows(const row_cut *c, band x, int64_t rows, float *v) {
    if (c->abreast == 2)
        transform_lines(c, x, rows, v, 2);
    else
        transform_lines(c, x, rows, v, 1);
}
