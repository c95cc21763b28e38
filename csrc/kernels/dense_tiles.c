/* dense_tiles.c - dense layers forward, dx and dw on the CPU's matrix tiles. */

#define TILES_ROWS    256          /* of a block of the forward pass */
#define TILES_COLUMNS 256          /* likewise */
#define TILES_DEPTH   256          /* split at a time */
#define TILES_SPLIT   (256 * 1024) /* numbers that one split operand should stay under, as h and l: 1 MB */
#define PLANE_GAP     SPLIT_RUN    /* between rows of a plane, lest they take each other's places in the cache */
#define STREAM_BYTES  (8 << 20)    /* an output so large is not found in the caches when it is read */
#define SUMS_STEP     (TILES_COLUMNS + TILE)

/* ---- forward -------------------------------------------------------------------------------------------------- */

static dense_blocks tiles_forward_blocks(const cnn_dense_args *a) {
    return (dense_blocks){ceil_div(a->batch, TILES_ROWS), ceil_div(a->units, TILES_COLUMNS), TILES_DEPTH};
}

#define FORWARD_PLANE   (TILES_ROWS * (TILES_DEPTH + PLANE_GAP))
#define FORWARD_COLUMNS (TILES_COLUMNS * TILES_DEPTH * 2)
#define PLACES_BYTES    (2 * TILES_DEPTH / SPLIT_RUN * (int64_t)sizeof(int64_t))

KERNEL_WORK(dense_tiles) {
    dense_blocks blocks = tiles_forward_blocks(a);
    size_t split = (2 * FORWARD_PLANE + FORWARD_COLUMNS) * sizeof(bf16);
    return (cnn_work){blocks.rows * blocks.columns * a->slots, 1, 0,
                      split + TILES_ROWS * SUMS_STEP * sizeof(float) + PLACES_BYTES};
}

/* Columns [u0, u1) of w's rows [k, k + depth), split: columns[u / 16][chunk][h and l]. */
static void split_weights(const cnn_dense_args *a, int64_t u0, int64_t u1, int64_t k, int64_t depth, bf16 *columns) {
    int64_t chunks = ceil_div(depth, SPLIT_RUN);
    for (int64_t s = 0; s < chunks; s++)
        for (int64_t u = u0; u < u1; u += TILE)
            split_columns(a->w + (k + s * SPLIT_RUN) * a->units + u, a->units, min64(SPLIT_RUN, depth - s * SPLIT_RUN),
                          min64(TILE, u1 - u), columns + ((u - u0) / TILE * chunks + s) * SPLIT_PAIR);
}

KERNEL_RUN(dense_tiles) {
    dense_blocks blocks = tiles_forward_blocks(a);
    int64_t *row_at = scratch, *column_at = row_at + TILES_DEPTH / SPLIT_RUN;
    bf16 *h = (bf16 *)((char *)scratch + PLACES_BYTES), *l = h + FORWARD_PLANE, *columns = l + FORWARD_PLANE;
    float *sums = (float *)(columns + FORWARD_COLUMNS);
    chunks_in_order(TILES_DEPTH / SPLIT_RUN, SPLIT_RUN, row_at);
    chunks_in_order(TILES_DEPTH / SPLIT_RUN, SPLIT_PAIR, column_at);
    tiles_begin();
    for (int64_t task = begin; task < end; task++) {
        int64_t slot = task / blocks.rows / blocks.columns, block = task / blocks.rows % blocks.columns;
        int64_t u0 = block * TILES_COLUMNS, u1 = min64(u0 + TILES_COLUMNS, a->units);
        int64_t n0 = tile_begin(a->batch, blocks.rows, task % blocks.rows);
        int64_t n1 = tile_begin(a->batch, blocks.rows, task % blocks.rows + 1);
        int64_t k0 = tile_begin(a->depth, a->slots, slot), k1 = tile_begin(a->depth, a->slots, slot + 1);
        for (int64_t k = k0; k < k1 || k == k0; k += TILES_DEPTH) {
            int64_t depth = min64(TILES_DEPTH, k1 - k), step = TILES_DEPTH + PLANE_GAP,
                    chunks = ceil_div(depth, SPLIT_RUN);
            int64_t next_k = k + TILES_DEPTH, next_depth = max64(0, min64(TILES_DEPTH, k1 - next_k));
            coming weights = {a->w + next_k * a->units + u0, a->units, next_depth, u1 - u0, 0};
            coming rows = {a->x + n0 * a->depth + next_k, a->depth, next_depth ? n1 - n0 : 0, next_depth, 0};
            int64_t calls = ceil_div(n1 - n0, WIDE) * ceil_div(u1 - u0, WIDE);
            spread(&weights, calls);
            spread(&rows, calls);
            split_weights(a, u0, u1, k, depth, columns);
            for (int64_t n = n0; n < n1; n++)
                split_row(a->x + n * a->depth + k, depth, h + (n - n0) * step, l + (n - n0) * step);
            for (int64_t u = u0; u < u1; u += WIDE)
                for (int64_t n = n0; n < n1; n += WIDE) {
                    bf16 *of_h = h + (n - n0) * step, *of_l = l + (n - n0) * step;
                    bf16 *of_u = columns + (u - u0) / TILE * chunks * SPLIT_PAIR;
                    tile_product p = {.h = {of_h, of_h + TILE * step},
                                      .l = {of_l, of_l + TILE * step},
                                      .columns = {of_u, of_u + chunks * SPLIT_PAIR},
                                      .row_bytes = step * 2,
                                      .low = TILE_UNITS,
                                      .row_at = row_at,
                                      .column_at = column_at,
                                      .chunks = chunks,
                                      .sum = sums + (n - n0) * SUMS_STEP + (u - u0),
                                      .sum_step = SUMS_STEP,
                                      .accumulate = k > k0};
                    ask(&rows);
                    ask(&weights);
                    multiply_tiles(&p, n1 - n, u1 - u);
                }
        }
        tiles_target t = {a->y + n0 * a->units + u0, a->units, a->b ? a->b + u0 : NULL, NULL, 0,
                          a->activation == CNN_RELU};
        if (a->slots > 1)
            t = (tiles_target){a->partial + (slot * a->batch + n0) * a->units + u0, a->units, NULL, NULL, 0, 0};
        put_sums(sums, SUMS_STEP, n1 - n0, u1 - u0, &t);
    }
    tiles_end();
}

/* ---- dx ------------------------------------------------------------------------------------------------------- */

/* How dx is cut: columns of a task, and rows of dy that are split at a time. */
typedef struct {
    int64_t columns, rows, plane_step, chunks;
} tiles_dx_blocks;

static tiles_dx_blocks tiles_dx_cut(const cnn_dense_dx_args *a) {
    int64_t units = round_up(max64(1, a->units), SPLIT_RUN), most = TILES_SPLIT / 4 / units / WIDE * WIDE;
    return (tiles_dx_blocks){a->columns ? a->columns : max64(WIDE, min64(TILES_COLUMNS, most)),
                             min64(round_up(max64(1, a->batch), WIDE), max64(WIDE, TILES_SPLIT / units / WIDE * WIDE)),
                             units + PLANE_GAP, units / SPLIT_RUN};
}

KERNEL_WORK(dense_tiles_dx) {
    tiles_dx_blocks cut = tiles_dx_cut(a);
    size_t numbers = 2 * cut.rows * cut.plane_step + round_up(cut.columns, TILE) * cut.chunks * SPLIT_RUN * 2;
    return (cnn_work){
        ceil_div(a->depth, cut.columns), 1, 0,
        2 * round_up(cut.chunks, 8) * sizeof(int64_t) + numbers * sizeof(bf16) + WIDE * WIDE * sizeof(float)};
}

KERNEL_RUN(dense_tiles_dx) {
    tiles_dx_blocks cut = tiles_dx_cut(a);
    float *room = scratch;
    int64_t *row_at = (int64_t *)(room + WIDE * WIDE), *column_at = row_at + round_up(cut.chunks, 8);
    bf16 *h = (bf16 *)(column_at + round_up(cut.chunks, 8)), *l = h + cut.rows * cut.plane_step;
    bf16 *columns = l + cut.rows * cut.plane_step;
    int stream = !a->accumulate && a->depth % CACHE_LINE == 0 && (uintptr_t)a->dx % 64 == 0 &&
                 a->batch * a->depth * (int64_t)sizeof(float) >= STREAM_BYTES;
    chunks_in_order(cut.chunks, SPLIT_RUN, row_at);
    chunks_in_order(cut.chunks, SPLIT_PAIR, column_at);
    tiles_begin();
    for (int64_t task = begin; task < end; task++) {
        int64_t k0 = task * cut.columns, k1 = min64(k0 + cut.columns, a->depth);
        int64_t next_rows = task + 1 < end ? min64(cut.columns, a->depth - k1) : 0;
        coming weights = {a->w + k1 * a->units, a->units, next_rows, a->units, 0};
        spread(&weights, ceil_div(a->batch, WIDE) * ceil_div(k1 - k0, WIDE));
        for (int64_t k = k0; k < k1; k += TILE)
            for (int64_t s = 0; s < cut.chunks; s++)
                split_columns_turned(a->w + k * a->units + s * SPLIT_RUN, a->units,
                                     max64(0, min64(SPLIT_RUN, a->units - s * SPLIT_RUN)), min64(TILE, k1 - k),
                                     columns + ((k - k0) / TILE * cut.chunks + s) * SPLIT_PAIR);
        for (int64_t n0 = 0; n0 < a->batch; n0 += cut.rows) {
            int64_t n1 = min64(n0 + cut.rows, a->batch);
            if (task == begin || cut.rows < a->batch)
                for (int64_t n = n0; n < n1; n++)
                    split_row(a->dy + n * a->units, a->units, h + (n - n0) * cut.plane_step,
                              l + (n - n0) * cut.plane_step);
            for (int64_t n = n0; n < n1; n += WIDE) {
                bf16 *of_h = h + (n - n0) * cut.plane_step, *of_l = l + (n - n0) * cut.plane_step;
                int64_t next = n + WIDE, next_n = next < n1 ? min64(WIDE, n1 - next) : 0;
                coming behind = {a->behind + next * a->depth + k0, a->depth, a->behind ? next_n : 0, k1 - k0, 0};
                coming to = {a->dx + next * a->depth + k0, a->depth, stream ? 0 : next_n, k1 - k0, 0};
                spread(&behind, ceil_div(k1 - k0, WIDE));
                spread(&to, ceil_div(k1 - k0, WIDE));
                for (int64_t k = k0; k < k1; k += WIDE) {
                    bf16 *of_k = columns + (k - k0) / TILE * cut.chunks * SPLIT_PAIR;
                    tile_product p = {.h = {of_h, of_h + TILE * cut.plane_step},
                                      .l = {of_l, of_l + TILE * cut.plane_step},
                                      .columns = {of_k, of_k + cut.chunks * SPLIT_PAIR},
                                      .row_bytes = cut.plane_step * 2,
                                      .low = TILE_UNITS,
                                      .row_at = row_at,
                                      .column_at = column_at,
                                      .chunks = cut.chunks};
                    int64_t at = n * a->depth + k;
                    tiles_target t = {a->dx + at,    a->depth, NULL,  a->behind ? a->behind + at : NULL,
                                      a->accumulate, 0,        stream};
                    ask(&weights);
                    ask(&behind);
                    ask(&to);
                    multiply_and_put(&p, min64(WIDE, n1 - n), min64(WIDE, k1 - k), &t, room);
                }
            }
        }
    }
    tiles_end();
    if (stream) _mm_sfence();
}

/* ---- dw ------------------------------------------------------------------------------------------------------- */

#define TILES_SAMPLES 512 /* summed before a tile moves on */

/* How dw is cut: samples and units of dy that are split at a time. */
typedef struct {
    int64_t samples, units, plane_step;
} tiles_dw_blocks;

static tiles_dw_blocks tiles_dw_cut(const cnn_dense_dw_args *a) {
    int64_t samples = min64(round_up(max64(1, a->batch), SPLIT_RUN), TILES_SAMPLES);
    int64_t units = max64(WIDE, TILES_SPLIT / samples / WIDE * WIDE);
    return (tiles_dw_blocks){samples, min64(round_up(max64(1, a->units), WIDE), units), samples + PLANE_GAP};
}

KERNEL_WORK(dense_tiles_dw) {
    tiles_dw_blocks cut = tiles_dw_cut(a);
    size_t planes = 2 * round_up(a->rows, WIDE) * cut.plane_step, columns = 2 * cut.samples * cut.units;
    return (cnn_work){max64(1, ceil_div(a->depth, a->rows)), 1, 0,
                      2 * TILES_SAMPLES / SPLIT_RUN * sizeof(int64_t) + (planes + columns) * sizeof(bf16) +
                          WIDE * WIDE * sizeof(float)};
}

KERNEL_RUN(dense_tiles_dw) {
    tiles_dw_blocks cut = tiles_dw_cut(a);
    float *room = scratch;
    int64_t *row_at = (int64_t *)(room + WIDE * WIDE), *column_at = row_at + TILES_SAMPLES / SPLIT_RUN;
    int64_t plane = round_up(a->rows, WIDE) * cut.plane_step;
    bf16 *h = (bf16 *)(column_at + TILES_SAMPLES / SPLIT_RUN), *l = h + plane, *columns = l + plane;
    chunks_in_order(TILES_SAMPLES / SPLIT_RUN, SPLIT_RUN, row_at);
    chunks_in_order(TILES_SAMPLES / SPLIT_RUN, SPLIT_PAIR, column_at);
    if (begin == 0 && a->db) sum_pixels(a->dy, a->batch, a->units, a->db, a->accumulate);
    tiles_begin();
    for (int64_t n0 = 0; n0 < a->batch || n0 == 0; n0 += cut.samples)
        for (int64_t u0 = 0; u0 < a->units; u0 += cut.units) {
            int64_t samples = min64(cut.samples, a->batch - n0), units = min64(cut.units, a->units - u0);
            int64_t chunks = ceil_div(samples, SPLIT_RUN);
            for (int64_t s = 0; s < chunks; s++)
                for (int64_t u = 0; u < units; u += TILE)
                    split_columns(a->dy + (n0 + s * SPLIT_RUN) * a->units + u0 + u, a->units,
                                  min64(SPLIT_RUN, samples - s * SPLIT_RUN), min64(TILE, units - u),
                                  columns + (u / TILE * chunks + s) * SPLIT_PAIR);
            for (int64_t task = begin; task < end; task++) {
                int64_t k0 = task * a->rows, rows = min64(a->rows, a->depth - k0);
                const float *x = a->x + n0 * a->depth + k0;
                coming next = {x + rows, a->depth, task + 1 < end ? samples : 0, min64(a->rows, a->depth - k0 - rows),
                               0};
                spread(&next, ceil_div(rows, WIDE) * ceil_div(units, WIDE));
                for (int64_t s = 0; s < chunks; s++)
                    for (int64_t k = 0; k < rows; k += TILE)
                        split_turned(x + s * SPLIT_RUN * a->depth + k, a->depth,
                                     min64(SPLIT_RUN, samples - s * SPLIT_RUN), min64(TILE, rows - k),
                                     h + k * cut.plane_step + s * SPLIT_RUN, l + k * cut.plane_step + s * SPLIT_RUN,
                                     cut.plane_step);
                for (int64_t u = 0; u < units; u += WIDE)
                    for (int64_t k = 0; k < rows; k += WIDE) {
                        bf16 *of_h = h + k * cut.plane_step, *of_l = l + k * cut.plane_step;
                        bf16 *of_u = columns + u / TILE * chunks * SPLIT_PAIR;
                        tile_product p = {.h = {of_h, of_h + TILE * cut.plane_step},
                                          .l = {of_l, of_l + TILE * cut.plane_step},
                                          .columns = {of_u, of_u + chunks * SPLIT_PAIR},
                                          .row_bytes = cut.plane_step * 2,
                                          .low = TILE_UNITS,
                                          .row_at = row_at,
                                          .column_at = column_at,
                                          .chunks = chunks};
                        tiles_target t = {
                            a->dw + (k0 + k) * a->units + u0 + u, a->units, NULL, NULL, a->accumulate || n0 > 0, 0};
                        ask(&next);
                        multiply_and_put(&p, min64(WIDE, rows - k), min64(WIDE, units - u), &t, room);
                    }
            }
        }
    tiles_end();
}
