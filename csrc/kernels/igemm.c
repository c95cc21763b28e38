/* igemm.c - the hot lines: tiles of MR rows by NV vectors, summed in registers.
 *
 * Both kernels below compute acc[i][j] += sum of a(i) * b[j] for m rows and nv vectors. `product` sums along the
 * elements of each row (a pixel's channels, a sample's features); `outer` sums across positions (the pixels of an
 * image, the samples of a batch). m and nv are constants wherever they are inlined, so that acc stays in registers.
 */

#define UNROLL _Pragma("GCC unroll 16")

/* Where a tile's operands stand. */
enum {
    IN_PLACE, /* the weights of `product` are then rows of a matrix: those ROWS_AHEAD later are asked for */
    PACKED,   /* in the order in which they are read */
    STREAMED, /* the same, but the vectors come from L2 and are asked for early */
    ASKING,   /* and so is, at each step, a number of what is packed next */
    IN_L2     /* rows of a matrix that come from L2: those L2_ROWS_AHEAD later are asked for */
};

/* What one tile of `product` reads and writes. Row i's operand for run r starts at rows[i] + a_offset[r] and runs on
 * for `length` elements; its weights start at w + w_offset[r], w_step floats from one element to the next. */
typedef struct {
    const float *const *rows;
    const int64_t *a_offset, *w_offset;
    int64_t runs, length, w_step;
    const float *w;
    const float *b;  /* added first, or NULL */
    float *const *y; /* one pointer per row */
    int64_t width;   /* columns to write; a last vector may be partial */
    int accumulate;  /* to what y holds, which is read last: it may come from far */
    int activation;
    const float *const
        *behind;          /* NULL, or a row of a ReLU's outputs for each row: 0 is written where they are not above 0 */
    int streamed;         /* the weights come from L2 */
    const pieces *coming; /* where they do: NULL, or what is asked for meanwhile */
} product_tile;

/* acc[i][j] from b or y, or zero. */
INLINE vf start(const float *from, int64_t width, int j) {
    int64_t left = width - (int64_t)j * LANES;
    if (!from) return (vf){0};
    return left >= LANES ? load(from + j * LANES) : load_n(from + j * LANES, left);
}

INLINE void finish(float *to, vf v, int64_t width, int j) {
    int64_t left = width - (int64_t)j * LANES;
    if (left >= LANES)
        store(to + j * LANES, v);
    else
        store_n(to + j * LANES, v, left);
}

/* One element of each row of `product`, times its vectors. */
INLINE void product_step(vf acc[MR][NV], const float *const *row, int64_t k, const float *w, int64_t w_step,
                         const int m, const int nv, const int weights) {
    vf wv[NV];
    if (weights == STREAMED) ask_ahead(w, nv * LANES);
    if (weights == IN_PLACE) ask_lines(w + ROWS_AHEAD * w_step, nv * LANES);
    if (weights == IN_L2) ask_lines(w + L2_ROWS_AHEAD * w_step, nv * LANES);
    UNROLL
    for (int j = 0; j < nv; j++) wv[j] = load(w + j * LANES);
    UNROLL
    for (int i = 0; i < m; i++) UNROLL
    for (int j = 0; j < nv; j++) acc[i][j] += row[i][k] * wv[j];
}

INLINE void product_m(const product_tile *t, const int m, const int nv, const int weights) {
    const int asks = weights == STREAMED || weights == IN_L2;
    int64_t w_step = weights == IN_PLACE || weights == IN_L2 ? t->w_step : nv * LANES;
    vf acc[MR][NV];
    UNROLL
    for (int i = 0; i < m; i++) UNROLL
    for (int j = 0; j < nv; j++) acc[i][j] = start(t->b, t->width, j);
    for (int64_t r = 0; r < t->runs; r++) {
        const float *w = t->w + t->w_offset[r];
        const float *row[MR];
        UNROLL
        for (int i = 0; i < m; i++) row[i] = t->rows[i] + t->a_offset[r];
        int64_t k = 0;
        for (int64_t piece = 0; asks && t->coming && piece < t->coming->count; piece++) {
            const float *next = t->coming->piece[piece];
            for (int64_t i = 0; i < PIECE; i++, k++, w += w_step, next += CACHE_LINE) {
                __builtin_prefetch(next, 0, 2);
                product_step(acc, row, k, w, w_step, m, nv, weights);
            }
        }
        for (; k < t->length; k++, w += w_step) product_step(acc, row, k, w, w_step, m, nv, weights);
    }
    if (t->accumulate) UNROLL
    for (int i = 0; i < m; i++) UNROLL
    for (int j = 0; j < nv; j++) acc[i][j] += start(t->y[i], t->width, j);
    if (t->activation == CNN_RELU) UNROLL
    for (int i = 0; i < m; i++) UNROLL
    for (int j = 0; j < nv; j++) acc[i][j] = vmax(set(0), acc[i][j]);
    if (t->behind) UNROLL
    for (int i = 0; i < m; i++) UNROLL
    for (int j = 0; j < nv; j++) acc[i][j] = behind_relu(start(t->behind[i], t->width, j), acc[i][j]);
    UNROLL
    for (int i = 0; i < m; i++) UNROLL
    for (int j = 0; j < nv; j++) finish(t->y[i], acc[i][j], t->width, j);
    if (t->activation > CNN_RELU) activate_rows(t->y, m, t->width, t->activation);
}

/* What one tile of `outer` reads and writes. At step s of line l row i's operand is rows[i][l * a_line + s * a_step]
 * and its vectors stand at b + l * b_line + s * b_step; all vectors are whole. */
typedef struct {
    const float *const *rows;
    int64_t a_step, a_line, b_step, b_line, steps, lines;
    const float *b;
    float *y;
    int64_t y_step; /* from one row to the next */
    int64_t width;
    int accumulate;
    int streamed;      /* the vectors come from L2 */
    const float *next; /* NULL, or a number to ask for at the first step; at the others those next_step further on */
    int64_t next_step;
} outer_tile;

/* Unless `rows` are IN_PLACE, row i's operand lies i floats behind row 0's, so that one pointer serves all. */
INLINE void outer_m(const outer_tile *t, const int m, const int nv, const int rows) {
    vf acc[MR][NV];
    UNROLL
    for (int i = 0; i < m; i++) UNROLL
    for (int j = 0; j < nv; j++) acc[i][j] = (vf){0};
    for (int64_t l = 0; l < t->lines; l++) {
        const float *b = t->b + l * t->b_line;
        const float *row[MR];
        UNROLL
        for (int i = 0; i < m; i++) row[i] = (rows == IN_PLACE ? t->rows[i] : t->rows[0] + i) + l * t->a_line;
        const float *next = t->next;
        int64_t k = 0;
        for (int64_t s = 0; s < t->steps; s++, k += t->a_step, b += t->b_step) {
            vf bv[NV];
            if (rows == STREAMED || rows == ASKING) ask_ahead(b, nv * LANES);
            if (rows == ASKING) {
                __builtin_prefetch(next);
                next += t->next_step;
            }
            UNROLL
            for (int j = 0; j < nv; j++) bv[j] = load(b + j * LANES);
            UNROLL
            for (int i = 0; i < m; i++) UNROLL
            for (int j = 0; j < nv; j++) acc[i][j] += (rows == IN_PLACE ? row[i][k] : row[0][k + i]) * bv[j];
        }
    }
    if (t->accumulate) UNROLL
    for (int i = 0; i < m; i++) UNROLL
    for (int j = 0; j < nv; j++) acc[i][j] += start(t->y + i * t->y_step, t->width, j);
    UNROLL
    for (int i = 0; i < m; i++) UNROLL
    for (int j = 0; j < nv; j++) finish(t->y + i * t->y_step, acc[i][j], t->width, j);
}

/* clang-format off */
/* One function for every number of rows and vectors, so that the last tiles of an image cost what they compute. */
#define TILE_ROWS(kind, m)                                          \
    case m:                                                    \
        if (m <= MR) kind##_m(t, m <= MR ? m : 1, nv, where);  \
        break;
#define TILES(name, kind, vectors, stand)                                                                     \
    static __attribute__((noinline)) void name(const kind##_tile *t, int m) {                                 \
        const int nv = vectors, where = stand;                                                                \
        switch (m) {                                                                                          \
            TILE_ROWS(kind, 1)                                                                                     \
            TILE_ROWS(kind, 2) TILE_ROWS(kind, 3) TILE_ROWS(kind, 4) TILE_ROWS(kind, 5) TILE_ROWS(kind, 6) TILE_ROWS(kind, 7) TILE_ROWS(kind, 8) \
                TILE_ROWS(kind, 9) TILE_ROWS(kind, 10) TILE_ROWS(kind, 11) TILE_ROWS(kind, 12)                                    \
        }                                                                                                     \
    }
/* clang-format on */
_Static_assert(MR <= 12 && NV == 2, "TILES lists the rows and vectors that a tile may have");
TILES(product_1, product, 1, PACKED)
TILES(product_2, product, 2, PACKED)
TILES(product_2_streamed, product, 2, STREAMED)
TILES(product_2_in_l2, product, 2, IN_L2)
TILES(product_1_in_place, product, 1, IN_PLACE)
TILES(product_2_in_place, product, 2, IN_PLACE)
TILES(outer_1, outer, 1, IN_PLACE)
TILES(outer_2, outer, 2, IN_PLACE)
TILES(outer_1_packed, outer, 1, PACKED)
TILES(outer_2_packed, outer, 2, PACKED)
TILES(outer_2_streamed, outer, 2, STREAMED)
TILES(outer_2_asking, outer, 2, ASKING)

/* The same, where rows[0] alone is given and row i's operand lies i floats behind it. */
static void outer_packed(const outer_tile *t, int m) {
    if (t->width <= LANES)
        outer_1_packed(t, m);
    else if (t->next)
        outer_2_asking(t, m);
    else if (t->streamed)
        outer_2_streamed(t, m);
    else
        outer_2_packed(t, m);
}

#define PANEL (NV * LANES) /* columns of a whole tile */

static void product(const product_tile *t, int m) {
    if (t->streamed && t->width > LANES && t->w_step != PANEL)
        product_2_in_l2(t, m);
    else if (t->streamed && t->width > LANES)
        product_2_streamed(t, m);
    else if (t->w_step == PANEL && t->width > LANES)
        product_2(t, m);
    else if (t->w_step == LANES)
        product_1(t, m);
    else if (t->width > LANES)
        product_2_in_place(t, m);
    else
        product_1_in_place(t, m);
}

static void outer(const outer_tile *t, int m) {
    if (t->width > LANES)
        outer_2(t, m);
    else
        outer_1(t, m);
}

/* The vectors, in floats, that a panel of `width` columns takes. */
INLINE int64_t panel_step(int64_t width) { return width > LANES ? PANEL : LANES; }

/* packed[panel][k][step] = w[k][u] for `columns` columns u and `depth` rows k, zeros after the last column. */
static void pack_columns(const float *w, int64_t units, int64_t depth, int64_t columns, float *packed) {
    int64_t whole = columns / PANEL * PANEL, rest = columns - whole, step = panel_step(rest);
    for (int64_t k = 0; k < depth; k++, w += units) {
        float *to = packed + k * PANEL;
        for (int64_t u = 0; u < whole; u += PANEL, to += depth * PANEL)
            for (int j = 0; j < NV; j++) store(to + j * LANES, load(w + u + j * LANES));
        if (!rest) continue;
        to = packed + whole * depth + k * step;
        for (int64_t u = 0; u < step; u += LANES)
            store(to + u, load_n(w + whole + u, max64(0, min64(LANES, rest - u))));
    }
}

/* Cuts `count` rows into tiles as even as can be, none over MR: the rows before tile i. */
INLINE int64_t tile_begin(int64_t count, int64_t tiles, int64_t i) { return count * i / tiles; }
