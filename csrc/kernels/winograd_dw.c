/* winograd_dw.c - the gradients of Winograd's filters, the exact adjoint of winograd.c:
 *
 *     dw = G' [ sum over tiles of (B' x B) * (A dy A') ] G
 */
#define TILES_BYTES_DW (768 * 1024) /* of transformed input: much, as each block adds to all sums */
#define MOST_TILES_DW  48           /* more would drive out of L2 what has been asked for */

/* ---- transformed gradients -------------------------------------------------------------------------------------- */

/* As transform_patch, for a tile of gradients dy: z[pair of points][tile][PANEL], `rows` by `columns` of them inside
 * the image. */
INLINE void transform_gradient(const tiling *t, const float *from, int rows, int columns, int64_t width, float *z,
                               int64_t step, const int h, const int w, const int k) {
    const cnn_window *g = t->window;
    int64_t out_c = g->out_c, row_step = g->out_w * out_c, points_step = t->points * step;
    int whole = rows >= h + 1 - k && columns >= w + 1 - k;
    for (int64_t j = 0; j < width; j += LANES) {
        int64_t n = min64(LANES, width - j);
        vf half[MOST_POINTS][MOST_OUTPUTS], d[MOST_OUTPUTS], points[MOST_POINTS];
        for (int s = 0; s < w + 1 - k; s++) {
            const float *column = from + s * out_c + j;
            if (whole && n == LANES) UNROLL
            for (int r = 0; r < h + 1 - k; r++) d[r] = load(column + r * row_step);
            else UNROLL
            for (int r = 0; r < h + 1 - k; r++)
                d[r] = r < rows && s < columns ? load_n(column + r * row_step, n) : (vf){0};
            gradient_to_points(d, points, h, h + 1 - k);
            UNROLL
            for (int r = 0; r < h; r++) half[r][s] = points[r];
        }
        float *to = z + j;
        for (int r = 0; r < h; r++, to += points_step) {
            UNROLL
            for (int s = 0; s < w + 1 - k; s++) {
                d[s] = half[r][s];
                IN_REGISTER(d[s]);
            }
            gradient_to_points(d, points, w, w + 1 - k);
            UNROLL
            for (int s = 0; s < w; s++) store(to + s * step, points[s]);
        }
    }
}

/* As transform_row, for gradients, channels f0 and on. */
INLINE void transform_gradient_row_of(const tiling *t, const tile_block *b, int64_t r, const float *dy, int64_t f0,
                                      int64_t width, float *z, const int k) {
    const cnn_window *g = t->window;
    tile_row row = row_at(t, b, r);
    int64_t step = point_step(b->tiles * panel_step(width));
    const float *from = dy + (row.image * g->out_h + row.y) * g->out_w * g->out_c + f0;
    for (int64_t tx = 0; tx < tiles_along(t->across); tx++) {
        tile_column column = column_at(t, &row, tx);
        float *to = z + column.place * panel_step(width);
#define GRADIENT(h, w)                                                                                                \
    transform_gradient(t, from + column.x * g->out_c, (int)(g->out_h - row.y), (int)(g->out_w - column.x), width, to, \
                       step, h, w, k)
        BY_POINTS(row.points, column.points, GRADIENT);
#undef GRADIENT
    }
}

static __attribute__((noinline)) void transform_gradient_row(const tiling *t, const tile_block *b, int64_t r,
                                                             const float *dy, int64_t f0, int64_t width, float *z) {
#define TRANSFORM(k) transform_gradient_row_of(t, b, r, dy, f0, width, z, k)
    BY_SIZE(t->window->k_h, TRANSFORM);
#undef TRANSFORM
}

/* db[width] (+)= the sum of all gradients of a block's tiles: at the point 1 of both axes a tile's transform is a sum.
 */
static void sum_tiles(const tiling *t, const tile_block *b, const float *z, int64_t width, float *db, int accumulate) {
    int64_t step = panel_step(width);
    const float *from = z + (t->points + 1) * point_step(b->tiles * step);
    vf sum[NV] = {0};
    if (step == LANES)
        sum_vectors(from, b->tiles, step, sum, 1);
    else
        sum_vectors(from, b->tiles, step, sum, NV);
    for (int64_t j = 0; j < width; j += LANES) {
        int64_t n = min64(LANES, width - j);
        store_n(db + j, accumulate ? load_n(db + j, n) + sum[j / LANES] : sum[j / LANES], n);
    }
}

/* ---- products --------------------------------------------------------------------------------------------------- */

INLINE void gradient_tile(const float *v, int64_t wide, int64_t tiles, const float *z, float *sums, int64_t columns,
                          int accumulate, const int m, const int nv) {
    vf acc[MR][NV];
    if (accumulate) ask_to_write(sums, columns, m);
    UNROLL
    for (int i = 0; i < m; i++) UNROLL
    for (int j = 0; j < nv; j++) acc[i][j] = (vf){0};
    for (int64_t t = 0; t < tiles; t++, v += wide, z += nv * LANES) {
        vf zv[NV];
        UNROLL
        for (int j = 0; j < nv; j++) zv[j] = load(z + j * LANES);
        UNROLL
        for (int i = 0; i < m; i++) UNROLL
        for (int j = 0; j < nv; j++) acc[i][j] += v[i] * zv[j];
    }
    if (accumulate) UNROLL
    for (int i = 0; i < m; i++) UNROLL
    for (int j = 0; j < nv; j++) acc[i][j] += load(sums + i * columns + j * LANES);
    UNROLL
    for (int i = 0; i < m; i++) UNROLL
    for (int j = 0; j < nv; j++) store(sums + i * columns + j * LANES, acc[i][j]);
}

/* sums[pair of points][c][columns] (+)= v[pair][tile][c] times z[pair][tile][nv * LANES], over the tiles. */
INLINE void multiply_gradients_nv(const tiling *t, const tile_block *b, const float *v, const float *z, float *sums,
                                  int64_t columns, int accumulate, meanwhile *far, const int nv) {
    int64_t in_c = t->window->in_c, wide = t->wide, begin, end;
    for (int64_t p = 0; p < t->points * t->points; p++) {
        ask_for_both(far);
        tiles_with(b, p / t->points, p % t->points, &begin, &end);
        const float *from = v + p * point_step(b->tiles * wide) + begin * wide;
        const float *by = z + p * point_step(b->tiles * nv * LANES) + begin * nv * LANES;
        float *to = sums + p * point_step(in_c * columns);
        int64_t c = 0;
        for (; c + MR <= in_c; c += MR, to += MR * columns)
            gradient_tile(from + c, wide, end - begin, by, to, columns, accumulate, MR, nv);
#define GRADIENT(m) gradient_tile(from + c, wide, end - begin, by, to, columns, accumulate, m, nv)
        switch (in_c - c) { RESTS(GRADIENT) }
#undef GRADIENT
    }
}

static __attribute__((noinline)) void multiply_gradients(const tiling *t, const tile_block *b, const float *v,
                                                         const float *z, int64_t step, float *sums, int64_t columns,
                                                         int accumulate, meanwhile *far) {
    if (step == LANES)
        multiply_gradients_nv(t, b, v, z, sums, columns, accumulate, far, 1);
    else
        multiply_gradients_nv(t, b, v, z, sums, columns, accumulate, far, NV);
}

/* ---- dw --------------------------------------------------------------------------------------------------------- */

/* Rows of tiles that are summed together: those of some whole images, or as many of one image as make a block. */
static int64_t rows_together(const tiling *t) {
    int64_t most = block_rows(t, MOST_TILES_DW, TILES_BYTES_DW), rows = tiles_along(t->down);
    if (rows > most) return most;
    while (2 * rows <= most) rows *= 2;
    return rows;
}

static int64_t images_together(const tiling *t) { return max64(1, rows_together(t) / tiles_along(t->down)); }

KERNEL_WORK(winograd_dw) {
    const cnn_window *g = &a->window;
    tiling t = tile_images(g, a->winograd);
    int64_t tiles = rows_together(&t) * tiles_along(t.across);
    int64_t room = zeros_room(g->in_c) + inputs_room(&t, tiles) + panel_room(&t, tiles);
    int64_t sums = t.points * t.points * point_step(g->in_c * round_up(g->out_c, LANES));
    return (cnn_work){g->batch,
                      a->images_per_slot,
                      1,
                      (size_t)room * sizeof(float),
                      (size_t)sums * sizeof(float),
                      (int32_t)images_together(&t)};
}

/* dw[tap][c][f] = G' sums[pair of points][c][f] G. */
INLINE void write_dw_of(const cnn_window *g, const float *sums, int64_t columns, float *dw, const int n, const int k) {
    int64_t pair = point_step(g->in_c * columns);
    for (int64_t c = 0; c < g->in_c; c++)
        for (int64_t f = 0; f < g->out_c; f += LANES) {
            int64_t some = min64(LANES, g->out_c - f);
            const float *from = sums + c * columns + f;
            vf half[MOST_TAPS][MOST_POINTS], points[MOST_POINTS], taps[MOST_TAPS];
            for (int s = 0; s < n; s++) {
                UNROLL
                for (int r = 0; r < n; r++) points[r] = load(from + (r * n + s) * pair);
                filter_from_points(points, taps, n, k);
                for (int r = 0; r < k; r++) half[r][s] = taps[r];
            }
            for (int r = 0; r < k; r++) {
                filter_from_points(half[r], taps, n, k);
                for (int s = 0; s < k; s++) store_n(dw + ((r * k + s) * g->in_c + c) * g->out_c + f, taps[s], some);
            }
        }
}

static __attribute__((noinline)) void write_dw(const tiling *t, const float *sums, int64_t columns, float *dw) {
#define WRITE_FEW(k)  write_dw_of(t->window, sums, columns, dw, FEW_POINTS, k)
#define WRITE_MOST(k) write_dw_of(t->window, sums, columns, dw, MOST_POINTS, k)
    if (t->points == FEW_POINTS)
        BY_SIZE(t->window->k_h, WRITE_FEW);
    else
        BY_SIZE(t->window->k_h, WRITE_MOST);
#undef WRITE_FEW
#undef WRITE_MOST
}

KERNEL_RUN(winograd_dw) {
    const cnn_window *g = &a->window;
    tiling t = tile_images(g, a->winograd);
    int64_t down = tiles_along(t.down), most = rows_together(&t), columns = round_up(g->out_c, LANES);
    int64_t zeros_size = zeros_room(g->in_c);
    float *zeros = scratch, *v = zeros + zeros_size, *z = v + inputs_room(&t, most * tiles_along(t.across));
    int64_t taps = g->k_h * g->k_w * g->in_c;
    float *sums = state; /* [pair of points][in_c][columns] of the slot so far, point_step apart */
    memset(zeros, 0, (size_t)zeros_size * sizeof(float));
    for (int64_t n0 = begin, n1; n0 < end; n0 = n1) { /* images of one slot that are summed together */
        int64_t slot = n0 / a->images_per_slot, last = min64((slot + 1) * a->images_per_slot, g->batch);
        int first = n0 % a->images_per_slot == 0;
        float *partial = a->partial + slot * (taps + 1) * g->out_c;
        n1 = min64(min64(n0 + images_together(&t), last), end);
        int64_t all = (n1 - n0) * down, blocks = ceil_div(all, most);
        for (int64_t i = 0; i < blocks; i++) {
            tile_block block =
                take_rows(&t, n0 * down + tile_begin(all, blocks, i), n0 * down + tile_begin(all, blocks, i + 1));
            int64_t row = block.first + block.rows, after = min64(row + block.rows, g->batch * down);
            int64_t panels = ceil_div(g->out_c, PANEL);
            meanwhile far = {
                pixels_of_rows(&t, row, after, a->x, g->in_h, g->in_w, g->in_c, g->in_c, panels, scratch),
                pixels_of_rows(&t, row, after, a->dy, g->out_h, g->out_w, g->out_c, g->out_c, panels, scratch)};
            if (n0 == begin && i == 0) { /* of the first block all is asked for at once, or each tile would wait */
                coming now =
                    pixels_of_rows(&t, block.first, row, a->dy, g->out_h, g->out_w, g->out_c, g->out_c, 1, scratch);
                now.share = now.rows;
                ask(&now);
            }
            for (int64_t r = 0; r < block.rows; r++) transform_row(&t, &block, r, a->x, g->in_c, zeros, v);
            for (int64_t f0 = 0; f0 < g->out_c; f0 += PANEL) {
                int64_t width = min64(PANEL, g->out_c - f0);
                for (int64_t r = 0; r < block.rows; r++) transform_gradient_row(&t, &block, r, a->dy, f0, width, z);
                sum_tiles(&t, &block, z, width, partial + taps * g->out_c + f0, !first || i > 0);
                multiply_gradients(&t, &block, v, z, panel_step(width), sums + f0, columns, !first || i > 0, &far);
            }
        }
        if (n1 == last) write_dw(&t, sums, columns, partial);
    }
}
