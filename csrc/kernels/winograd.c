/* winograd.c - F(4x4, 3x3): a 4x4 tile of outputs from a 6x6 patch in 36 multiplications a channel pair instead of 144.
 *
 *     y = A' [ sum over c of (G w G') * (B' x B) ] A
 *
 * The sum over c is 36 matrix products, one for each of the patch's points, over the tiles of as many rows of tiles
 * (and images) as fit the cache. dw is the exact adjoint: dw = G' [ sum over tiles of (B' x B) * (A dy A') ] G.
 */

#define POINTS        36
#define TILES_BYTES   (448 * 1024) /* transformed input that a block of tiles may take */
#define FEWEST_TILES  (2 * MR)
#define MOST_TILES    (LANES == 16 ? 3 * MR : 8 * MR) /* as measured: what the products write should stay near */
#define MOST_TILES_DW (8 * MR)                        /* more, as each block adds to all sums */

INLINE int64_t tiles_across(int64_t length) { return ceil_div(length, 4); }

/* Rows of tiles that one block takes together, at most: blocks are made as even as can be. */
static int64_t block_rows(const cnn_window *g, int64_t most) {
    int64_t across = tiles_across(g->out_w), tile_bytes = POINTS * round_up(g->in_c, LANES) * (int64_t)sizeof(float);
    int64_t tiles = max64(FEWEST_TILES, min64(most, TILES_BYTES / tile_bytes));
    return max64(1, tiles / across);
}

/* Floats from one point's matrix to the next: an odd number of cache lines, so that the 36 places that a transform
 * writes do not all fall into one set of the cache. */
INLINE int64_t point_step(int64_t size) { return (ceil_div(size, 16) | 1) * 16; }

/* ---- transforms of one vector of channels --------------------------------------------------------------------- */

/* B': from 6 inputs to 6 points. */
INLINE void to_points(const vf d[6], vf v[6]) {
    vf even = d[4] - 4 * d[2], odd = d[3] - 4 * d[1];
    vf far_even = d[4] - d[2], far_odd = 2 * (d[3] - d[1]);
    v[0] = 4 * d[0] - 5 * d[2] + d[4];
    v[1] = even + odd;
    v[2] = even - odd;
    v[3] = far_even + far_odd;
    v[4] = far_even - far_odd;
    v[5] = 4 * d[1] - 5 * d[3] + d[5];
}

/* A': from 6 points to 4 outputs. */
INLINE void from_points(const vf m[6], vf y[4]) {
    vf sum1 = m[1] + m[2], difference1 = m[1] - m[2];
    vf sum2 = m[3] + m[4], difference2 = m[3] - m[4];
    y[0] = m[0] + sum1 + sum2;
    y[1] = difference1 + 2 * difference2;
    y[2] = sum1 + 4 * sum2;
    y[3] = difference1 + 8 * difference2 + m[5];
}

/* A: from 4 output gradients to 6 points. */
INLINE void gradient_to_points(const vf d[4], vf z[6]) {
    vf even1 = d[0] + d[2], odd1 = d[1] + d[3];
    vf even2 = d[0] + 4 * d[2], odd2 = 2 * d[1] + 8 * d[3];
    z[0] = d[0];
    z[1] = even1 + odd1;
    z[2] = even1 - odd1;
    z[3] = even2 + odd2;
    z[4] = even2 - odd2;
    z[5] = d[3];
}

/* G: from 3 taps to 6 points. */
INLINE void filter_to_points(const vf w[3], vf u[6]) {
    vf ends = (w[0] + w[2]) * (-1.0f / 6), quarter = w[0] * (1.0f / 24) + w[2] * (1.0f / 6);
    u[0] = w[0] * 0.25f;
    u[1] = ends - w[1] * (1.0f / 6);
    u[2] = ends + w[1] * (1.0f / 6);
    u[3] = quarter + w[1] * (1.0f / 12);
    u[4] = quarter - w[1] * (1.0f / 12);
    u[5] = w[2];
}

/* G': from 6 points to 3 taps. */
INLINE void filter_from_points(const vf u[6], vf w[3]) {
    vf sum1 = u[1] + u[2], sum2 = u[3] + u[4];
    w[0] = u[0] * 0.25f - sum1 * (1.0f / 6) + sum2 * (1.0f / 24);
    w[1] = (u[2] - u[1]) * (1.0f / 6) + (u[3] - u[4]) * (1.0f / 12);
    w[2] = (sum2 - sum1) * (1.0f / 6) + u[5];
}

/* ---- filters -------------------------------------------------------------------------------------------------- */

KERNEL_WORK(winograd_pack) { return (cnn_work){ceil_div(a->transpose ? a->in_c : a->out_c, PANEL), 1, 0, 0}; }

KERNEL_RUN(winograd_pack) {
    int64_t rows = a->transpose ? a->out_c : a->in_c, columns = a->transpose ? a->in_c : a->out_c;
    for (int64_t panel = begin; panel < end; panel++)
        for (int64_t r = 0; r < rows; r++) {
            int64_t f0 = panel * PANEL, width = min64(PANEL, columns - f0), step = panel_step(width);
            float *to = a->packed + f0 * POINTS * rows + r * step;
            for (int64_t j = 0; j < step; j += LANES) {
                int64_t n = max64(0, min64(LANES, width - j));
                vf half[6][3], taps[3], points[6];
                for (int kx = 0; kx < 3; kx++) {
                    for (int ky = 0; ky < 3; ky++) {
                        if (a->transpose) {
                            const float *from = a->w + ((8 - ky * 3 - kx) * a->in_c + f0 + j) * a->out_c + r;
                            float lane[LANES] = {0};
                            for (int64_t i = 0; i < n; i++) lane[i] = from[i * a->out_c];
                            taps[ky] = load(lane);
                        } else {
                            taps[ky] = load_n(a->w + ((ky * 3 + kx) * a->in_c + r) * a->out_c + f0 + j, n);
                        }
                    }
                    filter_to_points(taps, points);
                    for (int i = 0; i < 6; i++) half[i][kx] = points[i];
                }
                for (int i = 0; i < 6; i++) {
                    filter_to_points(half[i], points);
                    for (int p = 0; p < 6; p++) store(to + (i * 6 + p) * rows * step + j, points[p]);
                }
            }
        }
}

/* ---- tiles of images ------------------------------------------------------------------------------------------ */

/* v[point][tile][c] of the patches whose outputs are the row `ty` of tiles of an image; `step` floats from point to
 * point. Patches reach over the image's edge: rows outside read `zeros`, columns outside are zero. */
static void transform_row(const cnn_window *g, const float *image, int64_t x_step, int64_t ty, const float *zeros,
                          float *v, int64_t step) {
    int64_t across = tiles_across(g->out_w), wide = round_up(g->in_c, LANES);
    const float *row[6];
    int64_t column_step[6];
    for (int r = 0; r < 6; r++) {
        int64_t y = ty * 4 + r - g->pad_top;
        int inside = y >= 0 && y < g->in_h;
        row[r] = inside ? image + y * g->in_w * x_step : zeros;
        column_step[r] = inside ? x_step : 0;
    }
    for (int64_t tx = 0; tx < across; tx++) {
        int64_t x0 = tx * 4 - g->pad_left;
        for (int64_t c = 0; c < g->in_c; c += LANES) {
            int64_t n = min64(LANES, g->in_c - c);
            vf half[6][6], d[6], points[6];
            for (int s = 0; s < 6; s++) {
                int64_t x = x0 + s;
                if (x >= 0 && x < g->in_w) {
                    if (n == LANES) UNROLL
                    for (int r = 0; r < 6; r++) d[r] = load(row[r] + x * column_step[r] + c);
                    else UNROLL
                    for (int r = 0; r < 6; r++) d[r] = load_n(row[r] + x * column_step[r] + c, n);
                    to_points(d, points);
                } else {
                    UNROLL
                    for (int r = 0; r < 6; r++) points[r] = (vf){0};
                }
                UNROLL
                for (int r = 0; r < 6; r++) half[r][s] = points[r];
            }
            float *to = v + tx * wide + c;
            for (int r = 0; r < 6; r++) {
                to_points(half[r], points);
                UNROLL
                for (int s = 0; s < 6; s++) store(to + (r * 6 + s) * step, points[s]);
            }
        }
    }
}

/* The same for gradients dy: z[point][tile][PANEL] of channels f0 and on. */
static void transform_gradient_row(const cnn_window *g, const float *image, int64_t ty, int64_t f0, int64_t width,
                                   float *z, int64_t step) {
    int64_t across = tiles_across(g->out_w);
    int rows = (int)min64(4, g->out_h - ty * 4);
    for (int64_t tx = 0; tx < across; tx++) {
        int columns = (int)min64(4, g->out_w - tx * 4);
        const float *from = image + ((ty * 4) * g->out_w + tx * 4) * g->out_c + f0;
        for (int64_t j = 0; j < width; j += LANES) {
            int64_t n = min64(LANES, width - j);
            vf half[6][4], d[4], points[6];
            for (int s = 0; s < 4; s++) {
                UNROLL
                for (int r = 0; r < 4; r++) {
                    const float *p = from + (r * g->out_w + s) * g->out_c + j;
                    d[r] = r < rows && s < columns ? (n == LANES ? load(p) : load_n(p, n)) : (vf){0};
                }
                gradient_to_points(d, points);
                UNROLL
                for (int r = 0; r < 6; r++) half[r][s] = points[r];
            }
            float *to = z + tx * panel_step(width) + j;
            for (int r = 0; r < 6; r++) {
                gradient_to_points(half[r], points);
                UNROLL
                for (int s = 0; s < 6; s++) store(to + (r * 6 + s) * step, points[s]);
            }
        }
    }
}

/* Writes the outputs of one row of tiles, channels f0 and on, from m[point][tile][PANEL]. */
static void write_row(const cnn_winograd_args *a, float *image, int64_t ty, int64_t f0, int64_t width, const float *m,
                      int64_t step) {
    const cnn_window *g = &a->window;
    int64_t across = tiles_across(g->out_w), y_step = a->sides.y_step;
    int activation = is_bounds(a->activation) ? a->activation : CNN_LINEAR;
    vf least = set(least_of(activation)), most = set(most_of(activation));
    int rows = (int)min64(4, g->out_h - ty * 4);
    for (int64_t tx = 0; tx < across; tx++) {
        int columns = (int)min64(4, g->out_w - tx * 4);
        float *to = image + ((ty * 4) * g->out_w + tx * 4) * y_step + f0;
        for (int64_t j = 0; j < width; j += LANES) {
            int64_t n = min64(LANES, width - j);
            const float *from = m + tx * panel_step(width) + j;
            vf half[4][6], points[6], out[4];
            vf bias = a->b ? load_n(a->b + f0 + j, n) : (vf){0};
            for (int s = 0; s < 6; s++) {
                UNROLL
                for (int r = 0; r < 6; r++) points[r] = load(from + (r * 6 + s) * step);
                from_points(points, out);
                UNROLL
                for (int r = 0; r < 4; r++) half[r][s] = out[r];
            }
            for (int r = 0; r < rows; r++) {
                from_points(half[r], out);
                UNROLL
                for (int s = 0; s < 4; s++) {
                    float *y = to + (r * g->out_w + s) * y_step + j;
                    if (s >= columns) continue;
                    vf value = out[s] + bias;
                    if (a->accumulate) value += n == LANES ? load(y) : load_n(y, n);
                    value = vmin(most, vmax(least, value));
                    if (a->behind) {
                        const float *was = a->behind + (y - a->y);
                        value = behind_relu(n == LANES ? load(was) : load_n(was, n), value);
                    }
                    if (n == LANES)
                        store(y, value);
                    else
                        store_n(y, value, n);
                }
            }
        }
        if (is_bounds(a->activation)) continue;
        for (int r = 0; r < rows; r++)
            for (int s = 0; s < columns; s++)
                activate_rows((float *[]){to + (r * g->out_w + s) * y_step}, 1, width, a->activation);
    }
}

/* ---- the 36 products ------------------------------------------------------------------------------------------ */

/* What igemm.c does tile by tile, with nothing between the tiles: here a tile's sum is short. */

INLINE void multiply_tile(const float *v, int64_t wide, int64_t depth, const float *w, float *to, const int m,
                          const int nv) {
    vf acc[MR][NV];
    const float *row[MR];
    UNROLL
    for (int i = 0; i < m; i++) {
        row[i] = v + i * wide;
        UNROLL
        for (int j = 0; j < nv; j++) acc[i][j] = (vf){0};
    }
    for (int64_t k = 0; k < depth; k++, w += nv * LANES) {
        vf wv[NV];
        UNROLL
        for (int j = 0; j < nv; j++) wv[j] = load(w + j * LANES);
        UNROLL
        for (int i = 0; i < m; i++) UNROLL
        for (int j = 0; j < nv; j++) acc[i][j] += row[i][k] * wv[j];
    }
    UNROLL
    for (int i = 0; i < m; i++) UNROLL
    for (int j = 0; j < nv; j++) store(to + (i * nv + j) * LANES, acc[i][j]);
}

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

/* m[point][tile][nv * LANES] = v[point][tile][wide] times w[point][depth][nv * LANES]. */
INLINE void multiply_points_nv(const float *v, int64_t wide, int64_t tiles, int64_t depth, const float *w, float *to,
                               const int nv) {
    for (int64_t p = 0; p < POINTS; p++, w += depth * nv * LANES) {
        const float *from = v + p * point_step(tiles * wide);
        float *m = to + p * point_step(tiles * nv * LANES);
        int64_t t = 0;
        for (; t + MR <= tiles; t += MR, from += MR * wide, m += MR * nv * LANES)
            multiply_tile(from, wide, depth, w, m, MR, nv);
#define MULTIPLY(rows) multiply_tile(from, wide, depth, w, m, rows, nv)
        switch (tiles - t) { RESTS(MULTIPLY) }
#undef MULTIPLY
    }
}

/* sums[point][c][columns] (+)= v[point][tile][c] times z[point][tile][nv * LANES], over the tiles. */
INLINE void multiply_gradients_nv(const float *v, int64_t wide, int64_t tiles, int64_t in_c, const float *z,
                                  float *sums, int64_t columns, int accumulate, const int nv) {
    for (int64_t p = 0; p < POINTS; p++, v += point_step(tiles * wide), z += point_step(tiles * nv * LANES)) {
        float *to = sums + p * point_step(in_c * columns);
        int64_t c = 0;
        for (; c + MR <= in_c; c += MR, to += MR * columns)
            gradient_tile(v + c, wide, tiles, z, to, columns, accumulate, MR, nv);
#define GRADIENT(m) gradient_tile(v + c, wide, tiles, z, to, columns, accumulate, m, nv)
        switch (in_c - c) { RESTS(GRADIENT) }
#undef GRADIENT
    }
}

static __attribute__((noinline)) void multiply_points(const float *v, int64_t wide, int64_t tiles, int64_t depth,
                                                      const float *w, int64_t step, float *to) {
    if (step == LANES)
        multiply_points_nv(v, wide, tiles, depth, w, to, 1);
    else
        multiply_points_nv(v, wide, tiles, depth, w, to, NV);
}

static __attribute__((noinline)) void multiply_gradients(const float *v, int64_t wide, int64_t tiles, int64_t in_c,
                                                         const float *z, int64_t step, float *sums, int64_t columns,
                                                         int accumulate) {
    if (step == LANES)
        multiply_gradients_nv(v, wide, tiles, in_c, z, sums, columns, accumulate, 1);
    else
        multiply_gradients_nv(v, wide, tiles, in_c, z, sums, columns, accumulate, NV);
}

/* ---- forward, and dx ------------------------------------------------------------------------------------------ */

KERNEL_WORK(winograd) {
    const cnn_window *g = &a->window;
    int64_t down = tiles_across(g->out_h), wide = round_up(g->in_c, LANES);
    int64_t tiles = block_rows(g, MOST_TILES) * tiles_across(g->out_w);
    int64_t room = POINTS * (point_step(tiles * wide) + point_step(tiles * PANEL)) + wide;
    return (cnn_work){g->batch * down, 1, down, (size_t)room * sizeof(float)};
}

KERNEL_RUN(winograd) {
    const cnn_window *g = &a->window;
    const cnn_sides *s = &a->sides;
    int64_t down = tiles_across(g->out_h), across = tiles_across(g->out_w), wide = round_up(g->in_c, LANES);
    int64_t most = block_rows(g, MOST_TILES);
    float *zeros = scratch, *v = zeros + wide, *m = v + POINTS * point_step(most * across * wide);
    memset(zeros, 0, (size_t)wide * sizeof(float));
    int64_t blocks = ceil_div(end - begin, most);
    for (int64_t block = 0; block < blocks; block++) {
        int64_t r0 = begin + tile_begin(end - begin, blocks, block);
        int64_t rows = begin + tile_begin(end - begin, blocks, block + 1) - r0, tiles = rows * across;
        for (int64_t r = 0; r < rows; r++)
            transform_row(g, a->x + (r0 + r) / down * g->in_h * g->in_w * s->x_step + s->x_first, s->x_step,
                          (r0 + r) % down, zeros, v + r * across * wide, point_step(tiles * wide));
        for (int64_t f0 = 0; f0 < g->out_c; f0 += PANEL) {
            int64_t width = min64(PANEL, g->out_c - f0), step = panel_step(width);
            const float *w = a->packed + f0 * POINTS * g->in_c;
            multiply_points(v, wide, tiles, g->in_c, w, step, m);
            for (int64_t r = 0; r < rows; r++)
                write_row(a, a->y + (r0 + r) / down * g->out_h * g->out_w * s->y_step + s->y_first, (r0 + r) % down, f0,
                          width, m + r * across * step, point_step(tiles * step));
        }
    }
}

/* ---- dw ------------------------------------------------------------------------------------------------------- */

KERNEL_WORK(winograd_dw) {
    const cnn_window *g = &a->window;
    int64_t tiles = block_rows(g, MOST_TILES_DW) * tiles_across(g->out_w), wide = round_up(g->in_c, LANES);
    size_t sums = (size_t)(POINTS * point_step(g->in_c * round_up(g->out_c, LANES))) * sizeof(float);
    size_t room = (size_t)(POINTS * (point_step(tiles * wide) + point_step(tiles * PANEL)) + wide) * sizeof(float);
    return (cnn_work){g->batch, a->images_per_slot, 1, room, sums, 1};
}

/* dw[tap][c][f] = G' sums[point][c][f] G. */
static void write_dw(const cnn_window *g, const float *sums, int64_t columns, float *dw) {
    for (int64_t c = 0; c < g->in_c; c++)
        for (int64_t f = 0; f < g->out_c; f += LANES) {
            int64_t n = min64(LANES, g->out_c - f);
            vf half[3][6], points[6], taps[3];
            for (int s = 0; s < 6; s++) {
                for (int r = 0; r < 6; r++)
                    points[r] = load(sums + (r * 6 + s) * point_step(g->in_c * columns) + c * columns + f);
                filter_from_points(points, taps);
                for (int r = 0; r < 3; r++) half[r][s] = taps[r];
            }
            for (int r = 0; r < 3; r++) {
                filter_from_points(half[r], taps);
                for (int s = 0; s < 3; s++) store_n(dw + ((r * 3 + s) * g->in_c + c) * g->out_c + f, taps[s], n);
            }
        }
}

KERNEL_RUN(winograd_dw) {
    const cnn_window *g = &a->window;
    int64_t down = tiles_across(g->out_h), across = tiles_across(g->out_w), wide = round_up(g->in_c, LANES);
    int64_t most = block_rows(g, MOST_TILES_DW), columns = round_up(g->out_c, LANES);
    float *zeros = scratch, *v = zeros + wide, *z = v + POINTS * point_step(most * across * wide);
    float *sums = state; /* [36][in_c][columns] of the slot so far, point_step apart */
    memset(zeros, 0, (size_t)wide * sizeof(float));
    for (int64_t n0 = begin; n0 < end;) { /* one slot after the other */
        int64_t slot = n0 / a->images_per_slot, last = min64((slot + 1) * a->images_per_slot, g->batch);
        int64_t n1 = min64(last, end);
        int first = n0 % a->images_per_slot == 0;
        float *partial = a->partial + slot * (9 * g->in_c + 1) * g->out_c;
        for (int64_t n = n0; n < n1; n++)
            sum_pixels(a->dy + n * g->out_h * g->out_w * g->out_c, g->out_h * g->out_w, g->out_c,
                       partial + 9 * g->in_c * g->out_c, !first || n > n0);
        int64_t all = (n1 - n0) * down, blocks = ceil_div(all, most);
        for (int64_t block = 0; block < blocks; block++) {
            int64_t r0 = n0 * down + tile_begin(all, blocks, block);
            int64_t rows = n0 * down + tile_begin(all, blocks, block + 1) - r0, tiles = rows * across;
            for (int64_t r = 0; r < rows; r++)
                transform_row(g, a->x + (r0 + r) / down * g->in_h * g->in_w * g->in_c, g->in_c, (r0 + r) % down, zeros,
                              v + r * across * wide, point_step(tiles * wide));
            for (int64_t f0 = 0; f0 < g->out_c; f0 += PANEL) {
                int64_t width = min64(PANEL, g->out_c - f0), step = panel_step(width);
                for (int64_t r = 0; r < rows; r++)
                    transform_gradient_row(g, a->dy + (r0 + r) / down * g->out_h * g->out_w * g->out_c, (r0 + r) % down,
                                           f0, width, z + r * across * step, point_step(tiles * step));
                multiply_gradients(v, wide, tiles, g->in_c, z, step, sums + f0, columns, !first || r0 > n0 * down);
            }
        }
        if (n1 == last) write_dw(g, sums, columns, partial);
        n0 = n1;
    }
}
