/* conv_few.c - convolution forward where pixels are 1, 3 or 6 numbers apart: the first layer's, grey or coloured.
 *
 * Filter rows are then too short to point at for every pixel. A tile is neighbours in one row of the output instead:
 * their operands lie a known distance apart, so that one pointer serves all and nothing is set up between filter rows.
 * (By igemm.c's tiles, which point at every pixel, these layers take a sixth to a quarter longer.)
 */

/* A tile's first pixel reads x[r * x_step + k] for element k of filter row r; the packed weights stand in that order.
 */
typedef struct {
    const float *x, *w;
    int64_t x_step, runs, length;
    const float *b; /* added first, or NULL */
    float *y;
    int64_t y_step, width; /* columns to write; a last vector may be partial */
    int activation;
} few_tile;

/* acc[i][j] += x[i * apart] * w[j * w_step]: one number of each of m neighbours, which lie `apart` from one another. */
INLINE void neighbours_step(vf acc[MR][NV], const float *x, const float *w, const int m, const int nv, int64_t apart,
                            int64_t w_step) {
    vf wv[NV];
    UNROLL
    for (int j = 0; j < nv; j++) wv[j] = load(w + j * w_step);
    UNROLL
    for (int i = 0; i < m; i++) UNROLL
    for (int j = 0; j < nv; j++) acc[i][j] += x[i * apart] * wv[j];
}

/* `apart`: numbers of x from one pixel of the tile to the next. */
INLINE void few_m(const few_tile *t, const int m, const int nv, const int apart) {
    vf acc[MR][NV];
    UNROLL
    for (int j = 0; j < nv; j++) {
        vf b = start(t->b, t->width, j);
        UNROLL
        for (int i = 0; i < m; i++) acc[i][j] = b;
    }
    const float *x = t->x, *w = t->w;
    for (int64_t r = 0; r < t->runs; r++, x += t->x_step)
        for (int64_t k = 0; k < t->length; k++, w += nv * LANES) {
            const float *at = x + k;
            FORGET(at); /* lest the compiler carries what neighbours share over to the next k */
            neighbours_step(acc, at, w, m, nv, apart, LANES);
        }
    if (t->activation == CNN_RELU) UNROLL
    for (int i = 0; i < m; i++) UNROLL
    for (int j = 0; j < nv; j++) acc[i][j] = vmax(set(0), acc[i][j]);
    float *y = t->y;
    if (t->width == nv * LANES) UNROLL
    for (int i = 0; i < m; i++, y += t->y_step) UNROLL
    for (int j = 0; j < nv; j++) store(y + j * LANES, acc[i][j]);
    else UNROLL
    for (int i = 0; i < m; i++, y += t->y_step) UNROLL
    for (int j = 0; j < nv; j++) finish(y, acc[i][j], t->width, j);
    if (t->activation <= CNN_RELU) return;
    float *rows[MR];
    UNROLL
    for (int i = 0; i < m; i++) rows[i] = t->y + i * t->y_step;
    activate_rows(rows, m, t->width, t->activation);
}

TILES(few_1_apart_1, few, 1, 1)
TILES(few_2_apart_1, few, 2, 1)
TILES(few_1_apart_3, few, 1, 3)
TILES(few_2_apart_3, few, 2, 3)
TILES(few_1_apart_6, few, 1, 6)
TILES(few_2_apart_6, few, 2, 6)

/* The tiles for pixels so many numbers apart, NULL where there are none. */
static void (*few_tiles(int64_t apart, int two_vectors))(const few_tile *, int) {
    switch (apart) {
        case 1:
            return two_vectors ? few_2_apart_1 : few_1_apart_1;
        case 3:
            return two_vectors ? few_2_apart_3 : few_1_apart_3;
        case 6:
            return two_vectors ? few_2_apart_6 : few_1_apart_6;
    }
    return NULL;
}

/* Writes `rows` rows of the output, y [rows][out_w][y_step], from a band x of the input that has `x_step` floats in a
 * row. */
static void conv2d_few(const cnn_conv2d_args *a, const float *x, int64_t x_step, int64_t rows, float *y) {
    const cnn_window *g = &a->window;
    int64_t apart = g->stride_w * g->in_c, depth = g->k_h * g->k_w * g->in_c, tiles = ceil_div(g->out_w, MR);
    for (int64_t f0 = 0; f0 < g->out_c; f0 += PANEL) {
        int64_t width = min64(PANEL, g->out_c - f0);
        void (*few)(const few_tile *, int) = few_tiles(apart, width > LANES);
        for (int64_t oy = 0; oy < rows; oy++)
            for (int64_t tile = 0; tile < tiles; tile++) {
                int64_t p0 = tile_begin(g->out_w, tiles, tile), p1 = tile_begin(g->out_w, tiles, tile + 1);
                few_tile t = {x + oy * g->stride_h * x_step + p0 * apart,
                              a->packed + f0 * depth,
                              x_step * g->dilation_h,
                              g->k_h,
                              g->k_w * g->in_c,
                              a->b ? a->b + f0 : NULL,
                              y + (oy * g->out_w + p0) * a->sides.y_step + f0,
                              a->sides.y_step,
                              width,
                              a->activation};
                few(&t, (int)(p1 - p0));
            }
    }
}
