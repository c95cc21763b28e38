/* dense.c - dense layers forward, dx and dw, on the same tiles as convolution. */

#define DEPTH_BLOCK  256 /* elements of a row summed before the tile moves on: a panel of weights stays in L1 */
#define ROW_BLOCK    240 /* samples of a task */
#define COLUMN_BLOCK 128 /* columns of a task */

#define CACHE_LINE 16 /* floats */

/* Asks for the parts of rows [n0, n1) that the next block of depth will read: rows of x lie far apart, where the CPU's
 * own prefetcher does not see them coming. `part` of `parts` of the block, so that the requests are spread. */
INLINE void prefetch_rows(const float *x, int64_t depth, int64_t n0, int64_t n1, int64_t k0, int64_t k1, int64_t part,
                          int64_t parts) {
    int64_t from = k0 + (k1 - k0) * part / parts, to = k0 + (k1 - k0) * (part + 1) / parts;
    for (int64_t n = n0; n < n1; n++)
        for (int64_t k = from; k < to; k += CACHE_LINE) __builtin_prefetch(x + n * depth + k);
}

/* packed[k][PANEL] = w[k0 + k][u0 + u] for `width` columns, zeros after them. */
static void pack_columns(const float *w, int64_t units, int64_t depth, int64_t width, int64_t step, float *packed) {
    for (int64_t k = 0; k < depth; k++, w += units, packed += step) {
        memcpy(packed, w, (size_t)width * sizeof(float));
        memset(packed + width, 0, (size_t)(step - width) * sizeof(float));
    }
}

/* ---- forward -------------------------------------------------------------------------------------------------- */

KERNEL_WORK(dense) {
    int64_t tasks = ceil_div(a->batch, ROW_BLOCK) * ceil_div(a->units, COLUMN_BLOCK) * a->slots;
    return (cnn_work){tasks, 1, 0, DEPTH_BLOCK * PANEL * sizeof(float)};
}

/* Sums k in [k0, k1) for rows [n0, n1) and columns [u0, u1) into y; b and relu only where they are wanted. */
static void dense_block(const cnn_dense_args *a, int64_t n0, int64_t n1, int64_t u0, int64_t u1, int64_t k0, int64_t k1,
                        float *y, const float *b, int relu, float *packed) {
    static const int64_t no_offset[1] = {0};
    int64_t tiles = ceil_div(n1 - n0, MR);
    for (int64_t k = k0; k < k1 || k == k0; k += DEPTH_BLOCK)
        for (int64_t u = u0; u < u1; u += PANEL) {
            int64_t width = min64(PANEL, u1 - u), step = panel_step(width), depth = min64(DEPTH_BLOCK, k1 - k);
            /* A few rows read the weights where they lie; many are worth a packed panel. */
            int in_place = width % LANES == 0 && n1 - n0 <= 4 * MR;
            const float *w = a->w + k * a->units + u;
            const float *row[MR];
            float *to[MR];
            product_tile t = {row,
                              no_offset,
                              no_offset,
                              1,
                              depth,
                              in_place ? a->units : step,
                              in_place ? w : packed,
                              k == k0 && b ? b + u : NULL,
                              to,
                              width,
                              k > k0,
                              relu && k + DEPTH_BLOCK >= k1,
                              NULL};
            if (!in_place) pack_columns(w, a->units, depth, width, step, packed);
            for (int64_t tile = 0; tile < tiles; tile++) {
                int64_t p0 = n0 + tile_begin(n1 - n0, tiles, tile), p1 = n0 + tile_begin(n1 - n0, tiles, tile + 1);
                prefetch_rows(a->x, a->depth, p0, p1, k + depth, min64(k + depth + DEPTH_BLOCK, k1), (u - u0) / PANEL,
                              ceil_div(u1 - u0, PANEL));
                for (int64_t n = p0; n < p1; n++) {
                    row[n - p0] = a->x + n * a->depth + k;
                    to[n - p0] = y + n * a->units + u;
                }
                product(&t, (int)(p1 - p0));
            }
        }
}

KERNEL_RUN(dense) {
    int64_t row_blocks = ceil_div(a->batch, ROW_BLOCK), column_blocks = ceil_div(a->units, COLUMN_BLOCK);
    for (int64_t task = begin; task < end; task++) {
        int64_t rows = task % row_blocks, columns = task / row_blocks % column_blocks;
        int64_t slot = task / row_blocks / column_blocks;
        int64_t u0 = columns * COLUMN_BLOCK, u1 = min64(u0 + COLUMN_BLOCK, a->units);
        int64_t n0 = tile_begin(a->batch, row_blocks, rows), n1 = tile_begin(a->batch, row_blocks, rows + 1);
        int64_t k0 = tile_begin(a->depth, a->slots, slot), k1 = tile_begin(a->depth, a->slots, slot + 1);
        if (a->slots == 1)
            dense_block(a, n0, n1, u0, u1, k0, k1, a->y, a->b, a->activation == CNN_RELU, scratch);
        else
            dense_block(a, n0, n1, u0, u1, k0, k1, a->partial + slot * a->batch * a->units, NULL, 0, scratch);
    }
}

#define FINISH_ROWS 16

KERNEL_WORK(dense_finish) { return (cnn_work){ceil_div(a->batch, FINISH_ROWS), 1, 0, 0}; }

KERNEL_RUN(dense_finish) {
    int64_t last = min64(end * FINISH_ROWS, a->batch);
    for (int64_t n = begin * FINISH_ROWS; n < last; n++)
        for (int64_t u = 0; u < a->units; u += LANES) {
            int64_t width = min64(LANES, a->units - u);
            vf sum = sum_tree(a->partial + n * a->units + u, a->batch * a->units, 0, a->slots, width);
            if (a->b) sum += load_n(a->b + u, width);
            if (a->activation == CNN_RELU) sum = vmax(set(0), sum);
            store_n(a->y + n * a->units + u, sum, width);
        }
}

/* ---- dx ------------------------------------------------------------------------------------------------------- */

KERNEL_WORK(dense_dx) {
    return (cnn_work){ceil_div(a->depth, COLUMN_BLOCK), 1, 0,
                      DEPTH_BLOCK * round_up(COLUMN_BLOCK, PANEL) * sizeof(float)};
}

typedef float quad __attribute__((vector_size(16)));
typedef int32_t quad_index __attribute__((vector_size(16)));
typedef float quad_unaligned __attribute__((vector_size(16), aligned(4), may_alias));

/* to[u * step + i] = from[i * units + u] for 4 rows i and 4 columns u. */
INLINE void transpose4(const float *from, int64_t units, float *to, int64_t step) {
    quad a = *(const quad_unaligned *)from, b = *(const quad_unaligned *)(from + units);
    quad c = *(const quad_unaligned *)(from + 2 * units), d = *(const quad_unaligned *)(from + 3 * units);
    quad ac_low = __builtin_shuffle(a, c, (quad_index){0, 4, 1, 5});
    quad ac_high = __builtin_shuffle(a, c, (quad_index){2, 6, 3, 7});
    quad bd_low = __builtin_shuffle(b, d, (quad_index){0, 4, 1, 5});
    quad bd_high = __builtin_shuffle(b, d, (quad_index){2, 6, 3, 7});
    *(quad_unaligned *)to = __builtin_shuffle(ac_low, bd_low, (quad_index){0, 4, 1, 5});
    *(quad_unaligned *)(to + step) = __builtin_shuffle(ac_low, bd_low, (quad_index){2, 6, 3, 7});
    *(quad_unaligned *)(to + 2 * step) = __builtin_shuffle(ac_high, bd_high, (quad_index){0, 4, 1, 5});
    *(quad_unaligned *)(to + 3 * step) = __builtin_shuffle(ac_high, bd_high, (quad_index){2, 6, 3, 7});
}

/* packed[u][step] = w[i][u] for `width` rows i of w and `depth` columns u, zeros after them. */
static void pack_rows(const float *w, int64_t units, int64_t depth, int64_t width, int64_t step, float *packed) {
    int64_t i4 = width / 4 * 4, u4 = depth / 4 * 4;
    for (int64_t i = 0; i < i4; i += 4) {
        for (int64_t u = 0; u < u4; u += 4) transpose4(w + i * units + u, units, packed + u * step + i, step);
        for (int64_t u = u4; u < depth; u++)
            for (int64_t r = i; r < i + 4; r++) packed[u * step + r] = w[r * units + u];
    }
    for (int64_t u = 0; u < depth; u++) {
        for (int64_t i = i4; i < width; i++) packed[u * step + i] = w[i * units + u];
        for (int64_t i = width; i < step; i++) packed[u * step + i] = 0;
    }
}

/* Every panel of the task's columns is packed first, so that a row of dx is written in one go. */
KERNEL_RUN(dense_dx) {
    static const int64_t no_offset[1] = {0};
    int64_t tiles = ceil_div(a->batch, MR);
    float *packed = scratch;
    for (int64_t task = begin; task < end; task++)
        for (int64_t u = 0; u < a->units || u == 0; u += DEPTH_BLOCK) {
            int64_t first = task * COLUMN_BLOCK, last = min64(first + COLUMN_BLOCK, a->depth);
            int64_t depth = min64(DEPTH_BLOCK, a->units - u);
            for (int64_t k = first; k < last; k += PANEL) {
                int64_t width = min64(PANEL, last - k);
                pack_rows(a->w + k * a->units + u, a->units, depth, width, panel_step(width),
                          packed + (k - first) * depth);
            }
            for (int64_t tile = 0; tile < tiles; tile++) {
                int64_t n0 = tile_begin(a->batch, tiles, tile), n1 = tile_begin(a->batch, tiles, tile + 1);
                for (int64_t k = first; k < last; k += PANEL) {
                    int64_t width = min64(PANEL, last - k);
                    const float *row[MR];
                    float *to[MR];
                    const float *behind[MR];
                    int finish = a->behind && u + DEPTH_BLOCK >= a->units;
                    product_tile t = {row,
                                      no_offset,
                                      no_offset,
                                      1,
                                      depth,
                                      panel_step(width),
                                      packed + (k - first) * depth,
                                      NULL,
                                      to,
                                      width,
                                      a->accumulate || u > 0,
                                      0,
                                      finish ? behind : NULL};
                    for (int64_t n = n0; n < n1; n++) {
                        if (finish) behind[n - n0] = a->behind + n * a->depth + k;
                        row[n - n0] = a->dy + n * a->units + u;
                        to[n - n0] = a->dx + n * a->depth + k;
                    }
                    product(&t, (int)(n1 - n0));
                }
            }
        }
}

/* ---- dw ------------------------------------------------------------------------------------------------------- */

#define DW_ROWS       (8 * MR) /* rows of dw in a task */
#define DW_SAMPLES    256      /* samples summed before the tile moves on */
#define SAMPLES_AHEAD 12       /* how far packing asks ahead for samples, whose rows lie far apart */

KERNEL_WORK(dense_dw) {
    size_t packed_x = (DW_ROWS * DW_SAMPLES + LANES) * sizeof(float), dy_tail = DW_SAMPLES * PANEL * sizeof(float);
    return (cnn_work){max64(1, ceil_div(a->depth, DW_ROWS)), 1, 0, packed_x + dy_tail};
}

/* packed[group][n][MR] = x[n][k0 + group * MR + i]: the rows of a tile side by side, for each sample. */
static void pack_samples(const float *x, int64_t depth, int64_t samples, int64_t rows, float *packed) {
    for (int64_t n = 0; n < samples; n++, x += depth) {
        int64_t k = 0;
        if (n + SAMPLES_AHEAD < samples) prefetch_rows(x + SAMPLES_AHEAD * depth, depth, 0, 1, 0, rows, 0, 1);
        for (; n + 1 < samples && k + round_up(MR, LANES) <= rows; k += MR)
            for (int64_t i = 0; i < MR; i += LANES) /* what spills over is overwritten by the next sample */
                store(packed + (k / MR * samples + n) * MR + i, load(x + k + i));
        for (; k < rows; k += MR)
            memcpy(packed + (k / MR * samples + n) * MR, x + k, (size_t)min64(MR, rows - k) * sizeof(float));
    }
}

KERNEL_RUN(dense_dw) {
    float *packed = scratch, *tail = packed + DW_ROWS * DW_SAMPLES + LANES;
    int64_t whole = a->units / LANES * LANES; /* columns that dy holds in whole vectors */
    if (begin == 0 && a->db) sum_pixels(a->dy, a->batch, a->units, a->db, a->accumulate);
    for (int64_t task = begin; task < end; task++)
        for (int64_t n0 = 0; n0 < a->batch || n0 == 0; n0 += DW_SAMPLES) {
            int64_t k0 = task * DW_ROWS, rows = min64(DW_ROWS, a->depth - k0);
            int64_t samples = min64(DW_SAMPLES, a->batch - n0);
            const float *dy = a->dy + n0 * a->units;
            if (rows <= 0) continue;
            pack_samples(a->x + n0 * a->depth + k0, a->depth, samples, rows, packed);
            for (int64_t u = 0; u < a->units;) {
                int64_t width = u < whole ? min64(PANEL, whole - u) : a->units - u;
                if (u == whole)
                    for (int64_t n = 0; n < samples; n++) {
                        memcpy(tail + n * LANES, dy + n * a->units + u, (size_t)width * sizeof(float));
                        memset(tail + n * LANES + width, 0, (size_t)(LANES - width) * sizeof(float));
                    }
                for (int64_t k = 0; k < rows; k += MR) {
                    const float *row[MR], *group = packed + k * samples;
                    for (int64_t i = 0; i < MR; i++) row[i] = group + i;
                    outer_tile t = {row,
                                    MR,
                                    0,
                                    u < whole ? a->units : LANES,
                                    0,
                                    samples,
                                    1,
                                    u < whole ? dy + u : tail,
                                    a->dw + (k0 + k) * a->units + u,
                                    a->units,
                                    width,
                                    a->accumulate || n0 > 0};
                    outer(&t, (int)min64(MR, rows - k));
                }
                u += width;
            }
        }
}
