/* winograd.c - Winograd's convolutions with filters of 2x2 to 5x5: under 3x3 a tile of 6x6 outputs from 8x8 inputs in
 * 64 multiplications a channel pair instead of 324, one of 4x4 in 36 instead of 144, and those of 6x4 and 4x6.
 *
 *     y = A' [ sum over c of (G w G') * (B' x B) ] A
 *
 * The sum over c is a matrix product for each pair of points (winograd.h), over the tiles of as many rows of tiles (and
 * images) as fit the cache.
 */
#define TILES_BYTES  (448 * 1024) /* transformed input that a block of tiles may take */
#define FEWEST_TILES (2 * MR)
#define MOST_TILES   (LANES == 16 ? 2 * MR : 8 * MR) /* as measured: what the products write should stay near */

/* Rows of tiles that one block takes together, at most: blocks are made as even as can be. */
static int64_t block_rows(const tiling *t, int64_t most, int64_t bytes) {
    int64_t tile_bytes = t->points * t->points * t->wide * (int64_t)sizeof(float);
    int64_t tiles = max64(FEWEST_TILES, min64(most, bytes / tile_bytes));
    return max64(1, tiles / tiles_along(t->across));
}

/* The floats that a panel of `width` output channels takes: LeNet's 6 would leave most of a long vector idle. */
INLINE int64_t output_step(int64_t width) { return LANES > 8 && width <= 8 ? 8 : panel_step(width); }

/* ---- filters ---------------------------------------------------------------------------------------------------- */

/* A task packs so many rows of one panel. */
static int64_t pack_parts(const cnn_winograd_pack_args *a) { return ceil_div(a->transpose ? a->out_c : a->in_c, 8); }

KERNEL_WORK(winograd_pack) {
    return (cnn_work){ceil_div(a->transpose ? a->in_c : a->out_c, PANEL) * pack_parts(a), 1, 0, 0};
}

/* One row of a panel: `n` of its columns, zeros up to `wide`, from taps to all pairs of points, `pair` floats apart. */
INLINE void pack_vector(const cnn_winograd_pack_args *a, int64_t row, int64_t column, int64_t n, float *to,
                        int64_t wide, int64_t pair, const int k) {
    vf half[MOST_POINTS][MOST_TAPS], taps[MOST_TAPS], points[MOST_POINTS];
    for (int kx = 0; kx < k; kx++) {
        for (int ky = 0; ky < k; ky++) {
            if (a->transpose) {
                const float *from = a->w + ((k * k - 1 - ky * k - kx) * a->in_c + column) * a->out_c + row;
                float lane[LANES] = {0};
                for (int64_t i = 0; i < n; i++) lane[i] = from[i * a->out_c];
                taps[ky] = load(lane);
            } else {
                taps[ky] = load_n(a->w + ((ky * k + kx) * a->in_c + row) * a->out_c + column, n);
            }
        }
        filter_to_points(taps, points, k);
        for (int i = 0; i < MOST_POINTS; i++) half[i][kx] = points[i];
    }
    for (int64_t i = 0; i < a->points; i++) {
        filter_to_points(half[i], points, k);
        for (int64_t p = 0; p < a->points; p++) store_n(to + (i * a->points + p) * pair, points[p], wide);
    }
}

KERNEL_RUN(winograd_pack) {
    int64_t rows = a->transpose ? a->out_c : a->in_c, columns = a->transpose ? a->in_c : a->out_c;
    int64_t parts = pack_parts(a);
    for (int64_t task = begin; task < end; task++)
        for (int64_t r = tile_begin(rows, parts, task % parts); r < tile_begin(rows, parts, task % parts + 1); r++) {
            int64_t f0 = task / parts * PANEL, width = min64(PANEL, columns - f0), step = output_step(width);
            float *to = a->packed + f0 * a->points * a->points * rows + r * step;
            for (int64_t j = 0; j < step; j += LANES) {
                int64_t n = max64(0, min64(LANES, width - j));
#define PACK(k) pack_vector(a, r, f0 + j, n, to + j, min64(step, LANES), rows * step, k)
                BY_SIZE(a->k, PACK);
#undef PACK
            }
        }
}

/* ---- tiles of images -------------------------------------------------------------------------------------------- */

/* v[pair of points][tile][c] of the patch of h by w points whose rows begin at row[], of which the columns [first,
 * last) lie inside the image: others are zero. */
#define TRANSFORM_PATCH(NAME, TYPE, WIDTH, LOAD_N, TO_POINTS)                                                         \
    INLINE void NAME(const tiling *t, const float *const *row, int64_t x_step, int64_t first, int64_t last, float *v, \
                     int64_t step, const int h, const int w) {                                                        \
        int64_t in_c = t->window->in_c, row_step = t->points * step;                                                  \
        for (int64_t c = 0; c < in_c; c += WIDTH) {                                                                   \
            int64_t n = min64(WIDTH, in_c - c);                                                                       \
            TYPE half[MOST_POINTS][MOST_POINTS], d[MOST_POINTS], points[MOST_POINTS];                                 \
            const float *from[MOST_POINTS];                                                                           \
            UNROLL                                                                                                    \
            for (int r = 0; r < h; r++) from[r] = row[r] + c;                                                         \
            for (int s = 0; s < w; s++) {                                                                             \
                if (s >= first && s < last) {                                                                         \
                    if (n == WIDTH) UNROLL                                                                            \
                    for (int r = 0; r < h; r++) d[r] = *(const TYPE##_unaligned *)(from[r] + s * x_step);             \
                    else UNROLL                                                                                       \
                    for (int r = 0; r < h; r++) d[r] = LOAD_N(from[r] + s * x_step, n);                               \
                    TO_POINTS(d, points, h);                                                                          \
                } else {                                                                                              \
                    UNROLL                                                                                            \
                    for (int r = 0; r < h; r++) points[r] = (TYPE){0};                                                \
                }                                                                                                     \
                UNROLL                                                                                                \
                for (int r = 0; r < h; r++) half[r][s] = points[r];                                                   \
            }                                                                                                         \
            float *to = v + c;                                                                                        \
            for (int r = 0; r < h; r++, to += row_step) {                                                             \
                UNROLL                                                                                                \
                for (int s = 0; s < w; s++) {                                                                         \
                    d[s] = half[r][s];                                                                                \
                    IN_REGISTER(d[s]);                                                                                \
                }                                                                                                     \
                TO_POINTS(d, points, w);                                                                              \
                UNROLL                                                                                                \
                for (int s = 0; s < w; s++) *(TYPE##_unaligned *)(to + s * step) = points[s];                         \
            }                                                                                                         \
        }                                                                                                             \
    }
TRANSFORM_PATCH(transform_patch, vf, LANES, load_n, to_points)
#if LANES == 16
TRANSFORM_PATCH(transform_few, eight, 8, load_eight_n, eight_to_points)
#else
#define transform_few transform_patch /* never: no tile is narrower than a vector */
#endif

/* Writes the `rows` by `columns` outputs of a tile, channels f0 and on, from m[pair of points][tile][PANEL]. */
INLINE void write_tile(const cnn_winograd_args *a, float *to, int rows, int columns, int64_t f0, int64_t width,
                       const float *m, int64_t step, const int h, const int w, const int k) {
    tile_store store_as = {a->sides.y_step, a->accumulate, a->activation};
    int64_t row_step = a->window.out_w * a->sides.y_step;
    int plainly = stores_plainly(&store_as, columns, w + 1 - k);
    for (int64_t j = 0; j < width; j += LANES) {
        int64_t n = min64(LANES, width - j);
        vf half[MOST_OUTPUTS][MOST_POINTS], points[MOST_POINTS], out[MOST_OUTPUTS];
        for (int s = 0; s < w; s++) {
            UNROLL
            for (int r = 0; r < h; r++) points[r] = load(m + (r * a->points + s) * step + j);
            if (s == 1 && a->b) points[1] += load_n(a->b + f0 + j, n);
            from_points(points, out, h, h + 1 - k);
            UNROLL
            for (int r = 0; r < h + 1 - k; r++) half[r][s] = out[r];
        }
        for (int r = 0; r < rows; r++) {
            float *y = to + r * row_step + j;
            const float *behind = a->behind ? a->behind + (y - a->y) : NULL;
            from_points(half[r], out, w, w + 1 - k);
            if (plainly && n == LANES)
                write_outputs(&store_as, out, y, behind, columns, n, w + 1 - k, 1);
            else
                write_outputs(&store_as, out, y, behind, columns, n, w + 1 - k, 0);
        }
    }
    for (int r = 0; r < rows; r++) activate_outputs(&store_as, to + r * row_step, columns, width);
}

/* Floats of the zeros that stand for a row outside the image: as many pixels as a tile reads, in whole cache lines. */
INLINE int64_t zeros_room(int64_t x_step) { return round_up(MOST_POINTS * x_step, CACHE_LINE); }

/* The transformed patches of row r of a block. */
INLINE void transform_row_of(const tiling *t, const tile_block *b, int64_t r, const float *x, int64_t x_step,
                             const float *zeros, float *v, const int few) {
    const cnn_window *g = t->window;
    tile_row row = row_at(t, b, r);
    const float *image = x + row.image * g->in_h * g->in_w * x_step;
    int64_t step = point_step(b->tiles * t->wide);
    for (int64_t tx = 0; tx < tiles_along(t->across); tx++) {
        tile_column column = column_at(t, &row, tx);
        int64_t x0 = column.x - g->pad_left;
        const float *from[MOST_POINTS];
        for (int64_t i = 0; i < row.points; i++) {
            int64_t y = row.y + i - g->pad_top;
            from[i] = y >= 0 && y < g->in_h ? image + (y * g->in_w + x0) * x_step : zeros;
        }
        float *to = v + column.place * t->wide;
#define PATCH(h, w) transform_patch(t, from, x_step, -x0, g->in_w - x0, to, step, h, w)
#define FEW(h, w)   transform_few(t, from, x_step, -x0, g->in_w - x0, to, step, h, w)
        if (few)
            BY_POINTS(row.points, column.points, FEW);
        else
            BY_POINTS(row.points, column.points, PATCH);
#undef PATCH
#undef FEW
    }
}

static __attribute__((noinline)) void transform_row(const tiling *t, const tile_block *b, int64_t r, const float *x,
                                                    int64_t x_step, const float *zeros, float *v) {
    if (LANES > 8 && t->wide < LANES)
        transform_row_of(t, b, r, x, x_step, zeros, v, 1);
    else
        transform_row_of(t, b, r, x, x_step, zeros, v, 0);
}

/* Writes the outputs of row r of a block, channels f0 and on, from m[pair of points][tile][PANEL]. */
INLINE void write_row_of(const cnn_winograd_args *a, const tiling *t, const tile_block *b, int64_t r, int64_t f0,
                         int64_t width, const float *m, const int k) {
    const cnn_window *g = t->window;
    tile_row row = row_at(t, b, r);
    int64_t y_step = a->sides.y_step, step = point_step(b->tiles * output_step(width));
    float *to = a->y + (row.image * g->out_h + row.y) * g->out_w * y_step + a->sides.y_first + f0;
    int rows = (int)min64(row.points + 1 - k, g->out_h - row.y);
    for (int64_t tx = 0; tx < tiles_along(t->across); tx++) {
        tile_column column = column_at(t, &row, tx);
        int columns = (int)min64(column.points + 1 - k, g->out_w - column.x);
        const float *from = m + column.place * output_step(width);
#define WRITE(h, w) write_tile(a, to + column.x * y_step, rows, columns, f0, width, from, step, h, w, k)
        BY_POINTS(row.points, column.points, WRITE);
#undef WRITE
    }
}

static __attribute__((noinline)) void write_row(const cnn_winograd_args *a, const tiling *t, const tile_block *b,
                                                int64_t r, int64_t f0, int64_t width, const float *m) {
#define WRITE_ROW(k) write_row_of(a, t, b, r, f0, width, m, k)
    BY_SIZE(t->window->k_h, WRITE_ROW);
#undef WRITE_ROW
}

/* ---- products --------------------------------------------------------------------------------------------------- */

/* What igemm.c does tile by tile, with nothing between the tiles: here a tile's sum is short. */
#define MULTIPLY_TILE(NAME, TYPE, WIDTH)                                                                  \
    INLINE void NAME(const float *v, int64_t wide, int64_t depth, const float *w, float *to, const int m, \
                     const int nv) {                                                                      \
        TYPE acc[MR][NV];                                                                                 \
        const float *row[MR];                                                                             \
        UNROLL                                                                                            \
        for (int i = 0; i < m; i++) {                                                                     \
            row[i] = v + i * wide;                                                                        \
            UNROLL                                                                                        \
            for (int j = 0; j < nv; j++) acc[i][j] = (TYPE){0};                                           \
        }                                                                                                 \
        for (int64_t k = 0; k < depth; k++, w += nv * WIDTH) {                                            \
            TYPE wv[NV];                                                                                  \
            UNROLL                                                                                        \
            for (int j = 0; j < nv; j++) wv[j] = *(const TYPE##_unaligned *)(w + j * WIDTH);              \
            UNROLL                                                                                        \
            for (int i = 0; i < m; i++) UNROLL                                                            \
            for (int j = 0; j < nv; j++) acc[i][j] += row[i][k] * wv[j];                                  \
        }                                                                                                 \
        UNROLL                                                                                            \
        for (int i = 0; i < m; i++) UNROLL                                                                \
        for (int j = 0; j < nv; j++) *(TYPE##_unaligned *)(to + (i * nv + j) * WIDTH) = acc[i][j];        \
    }
MULTIPLY_TILE(multiply_tile, vf, LANES)
MULTIPLY_TILE(multiply_few, eight, 8)

INLINE void products_of(const float *v, int64_t wide, int64_t depth, const float *w, float *to, const int m,
                        const int64_t step) {
    if (step < LANES)
        multiply_few(v, wide, depth, w, to, m, 1);
    else
        multiply_tile(v, wide, depth, w, to, m, (int)(step / LANES));
}

/* clang-format off */
#define REST(call, m)                     \
    case m:                               \
        if (m < MR) call(m < MR ? m : 1); \
        break;
#define RESTS(call)                                                                                                 \
    REST(call, 1)                                                                                                   \
    REST(call, 2) REST(call, 3) REST(call, 4) REST(call, 5) REST(call, 6) REST(call, 7) REST(call, 8) REST(call, 9) \
        REST(call, 10) REST(call, 11)
/* clang-format on */

/* What is asked for while a block's products are made, some at each pair of points. */
typedef struct {
    coming x, y; /* y: what the block writes, or the gradients that the next one reads */
} meanwhile;

INLINE void ask_for_both(meanwhile *m) {
    ask(&m->x);
    ask(&m->y);
}

/* `channels` of the pixels of rows [first, last) of tiles, in images [height][width][step] that begin at `from`; of
 * none where they lie in front of `scratch`. */
static coming pixels_of_rows(const tiling *t, int64_t first, int64_t last, const float *from, int64_t height,
                             int64_t width, int64_t step, int64_t channels, int64_t panels, const float *scratch) {
    int64_t begin = image_row(t, first, height) * width, end = image_row(t, last, height) * width;
    coming c = {from + begin * step, step, end - begin, channels, 0};
    if (is_near(c.row, scratch)) return (coming){0};
    spread(&c, panels * t->points * t->points);
    return c;
}

/* m[pair of points][tile][step] = v[pair][tile][wide] times w[pair][in_c][step]. */
INLINE void multiply_points_of(const tiling *t, const tile_block *b, const float *v, const float *w, float *to,
                               meanwhile *far, const int64_t wide, const int64_t step) {
    int64_t depth = t->window->in_c, begin, end;
    for (int64_t p = 0; p < t->points * t->points; p++, w += depth * step) {
        ask_for_both(far);
        tiles_with(b, p / t->points, p % t->points, &begin, &end);
        const float *from = v + p * point_step(b->tiles * wide) + begin * wide;
        float *m = to + p * point_step(b->tiles * step) + begin * step;
        for (; begin + MR <= end; begin += MR, from += MR * wide, m += MR * step)
            products_of(from, wide, depth, w, m, MR, step);
#define MULTIPLY(rows) products_of(from, wide, depth, w, m, rows, step)
        switch (end - begin) { RESTS(MULTIPLY) }
#undef MULTIPLY
    }
}

static __attribute__((noinline)) void multiply_points(const tiling *t, const tile_block *b, const float *v,
                                                      const float *w, int64_t step, float *to, meanwhile *far) {
    if (t->wide == 8 && step == LANES) /* a constant: tiles so near need no pointers of their own */
        multiply_points_of(t, b, v, w, to, far, 8, LANES);
    else if (step < LANES)
        multiply_points_of(t, b, v, w, to, far, t->wide, 8);
    else if (step == LANES)
        multiply_points_of(t, b, v, w, to, far, t->wide, LANES);
    else
        multiply_points_of(t, b, v, w, to, far, t->wide, PANEL);
}

/* ---- forward, and dx -------------------------------------------------------------------------------------------- */

/* Floats that the transformed inputs of a block take, and what is multiplied with them or comes out. */
INLINE int64_t inputs_room(const tiling *t, int64_t tiles) {
    return t->points * t->points * point_step(tiles * t->wide);
}

INLINE int64_t panel_room(const tiling *t, int64_t tiles) { return t->points * t->points * point_step(tiles * PANEL); }

KERNEL_WORK(winograd) {
    tiling t = tile_images(&a->window, a->points);
    int64_t down = tiles_along(t.down), tiles = block_rows(&t, MOST_TILES, TILES_BYTES) * tiles_along(t.across);
    int64_t room = zeros_room(a->sides.x_step) + inputs_room(&t, tiles) + panel_room(&t, tiles);
    return (cnn_work){a->window.batch * down, 1, down, (size_t)room * sizeof(float)};
}

KERNEL_RUN(winograd) {
    const cnn_window *g = &a->window;
    tiling t = tile_images(g, a->points);
    int64_t most = block_rows(&t, MOST_TILES, TILES_BYTES), blocks = ceil_div(end - begin, most);
    int64_t zeros_size = zeros_room(a->sides.x_step);
    float *zeros = scratch, *v = zeros + zeros_size, *m = v + inputs_room(&t, most * tiles_along(t.across));
    /* Products of the only panel take the place of their tiles' inputs, where they are as wide. */
    if (g->out_c <= PANEL && output_step(g->out_c) == t.wide) m = v;
    const float *x = a->x + a->sides.x_first;
    memset(zeros, 0, (size_t)zeros_size * sizeof(float));
    for (int64_t i = 0; i < blocks; i++) {
        tile_block block =
            take_rows(&t, begin + tile_begin(end - begin, blocks, i), begin + tile_begin(end - begin, blocks, i + 1));
        int64_t last = block.first + block.rows, after = min64(last + block.rows, g->batch * tiles_along(t.down));
        meanwhile far = {pixels_of_rows(&t, last, after, x, g->in_h, g->in_w, a->sides.x_step, g->in_c,
                                        ceil_div(g->out_c, PANEL), scratch),
                         {0}};
        for (int64_t r = 0; r < block.rows; r++) transform_row(&t, &block, r, x, a->sides.x_step, zeros, v);
        for (int64_t f0 = 0; f0 < g->out_c; f0 += PANEL) {
            int64_t width = min64(PANEL, g->out_c - f0);
            const float *w = a->packed + f0 * t.points * t.points * g->in_c;
            far.y = pixels_of_rows(&t, block.first, last, a->y + a->sides.y_first + f0, g->out_h, g->out_w,
                                   a->sides.y_step, width, 1, scratch);
            multiply_points(&t, &block, v, w, output_step(width), m, &far);
            for (int64_t r = 0; r < block.rows; r++) write_row(a, &t, &block, r, f0, width, m);
        }
    }
}
