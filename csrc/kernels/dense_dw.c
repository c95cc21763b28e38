/* dense_dw.c - the gradient of a dense layer's weights: outer products of samples of x and dy. */

#define DW_SAMPLES 256 /* summed before a tile moves on: its share of x should stay in L1 */

/* Tiles whose shares of x are packed at once, and the floats of one, with what its last store spills over. */
#define TILES_PACKED 8
#define PACKED_X     (MR * DW_SAMPLES + LANES)

/* How many samples of dy stay packed while all tasks meet them. */
static int64_t dw_resident(const cnn_dense_dw_args *a) {
    int64_t blocks = BLOCK_FLOATS / (DW_SAMPLES * round_up(max64(1, a->units), PANEL));
    return min64(max64(1, blocks), max64(1, ceil_div(a->batch, DW_SAMPLES))) * DW_SAMPLES;
}

KERNEL_WORK(dense_dw) {
    int64_t packed_x = TILES_PACKED * PACKED_X, packed_dy = dw_resident(a) * round_up(a->units, PANEL);
    size_t floats = (size_t)max64(packed_x + packed_dy, SPARSE_ROOM);
    return (cnn_work){max64(1, ceil_div(a->depth, a->rows)), 1, 0, floats * sizeof(float)};
}

/* packed[tile][n][MR] = x[n][i] for the rows i of some tiles, which are to be read once: their lines come from far, and
 * would meet in a few sets of L2. */
static void pack_samples(const float *x, int64_t depth, int64_t samples, int64_t rows, float *packed) {
    for (int64_t n = 0; n < samples; n++, x += depth)
        for (int64_t first = 0; first < rows; first += MR) {
            float *to = packed + first / MR * PACKED_X + n * MR;
            if (first + MR <= rows && n + 1 < samples)
                for (int64_t i = 0; i < MR; i += LANES) /* what spills over is overwritten by the next sample */
                    store(to + i, load(x + first + i));
            else
                memcpy(to, x + first, (size_t)min64(MR, rows - first) * sizeof(float));
        }
}

/* Adds samples [n0, n0 + samples) to rows [k0, k0 + rows) of dw. */
static void dw_block(const cnn_dense_dw_args *a, int64_t k0, int64_t rows, int64_t n0, int64_t samples,
                     const float *packed_dy, float *packed) {
    for (int64_t k = k0; k < k0 + rows; k += MR) {
        int64_t m = min64(MR, k0 + rows - k), tile = (k - k0) / MR % TILES_PACKED;
        const float *row[1] = {packed + tile * PACKED_X};
        if (tile == 0)
            pack_samples(a->x + n0 * a->depth + k, a->depth, samples, min64(TILES_PACKED * MR, k0 + rows - k), packed);
        for (int64_t u = 0; u < a->units; u += PANEL) {
            int64_t width = min64(PANEL, a->units - u), step = panel_step(width);
            float *dw = a->dw + k * a->units + u;
            outer_tile t = {
                row, MR, 0, step, 0, samples, 1, packed_dy + u * samples, dw, a->units, width, a->accumulate || n0 > 0,
                1};
            if (u == 0) { /* a line of each sample of the tiles that are packed next */
                t.next = a->x + n0 * a->depth + k - tile * MR + TILES_PACKED * MR +
                         min64(tile * CACHE_LINE, TILES_PACKED * MR - 1);
                t.next_step = a->depth;
            }
            ask_to_write(dw, a->units, m);
            outer_packed(&t, (int)m);
        }
    }
}

static int dw_is_sparse(const cnn_dense_dw_args *a, int64_t task) {
    int64_t k0 = task * a->rows;
    return is_sparse(a->x + k0, a->depth, a->batch, min64(a->rows, a->depth - k0), a->units);
}

static void dw_full(const cnn_dense_dw_args *a, int64_t begin, int64_t end, float *packed_dy) {
    int64_t resident = dw_resident(a), columns = round_up(a->units, PANEL);
    float *packed_x = packed_dy + resident * columns;
    for (int64_t first = 0; first < a->batch || first == 0; first += resident) {
        int64_t last = min64(first + resident, a->batch);
        for (int64_t n = first; n < last; n += DW_SAMPLES)
            pack_columns(a->dy + n * a->units, a->units, min64(DW_SAMPLES, last - n), a->units,
                         packed_dy + (n - first) * columns);
        for (int64_t task = begin; task < end; task++) {
            int64_t k0 = task * a->rows, rows = min64(a->rows, a->depth - k0);
            for (int64_t n = first; n < last || n == first; n += DW_SAMPLES)
                dw_block(a, k0, rows, n, min64(DW_SAMPLES, last - n), packed_dy + (n - first) * columns, packed_x);
        }
    }
}

/* Rows [k0, k0 + rows) of dw. */
static void dw_sparse(const cnn_dense_dw_args *a, int64_t k0, int64_t rows, float *room) {
    int64_t most = sparse_columns(a->units);
    for (int64_t n = 0; n < a->batch; n += SPARSE_DEPTH) {
        sparse_product s = {.rows = rows, .depth = min64(SPARSE_DEPTH, a->batch - n), .y_step = a->units};
        int64_t next_n = n + SPARSE_DEPTH < a->batch ? n + SPARSE_DEPTH : 0;
        pack_across(&s, a->x + n * a->depth + k0, a->depth, room);
        s.strips = (strips){a->x + next_n * a->depth + (next_n ? k0 : k0 + rows),
                            a->depth,
                            min64(SPARSE_DEPTH, a->batch - next_n),
                            SPARSE_DEPTH,
                            ceil_div(rows, SPARSE_DEPTH),
                            0,
                            0};
        for (int64_t u = 0; u < a->units; u += most) {
            s.columns = min64(most, a->units - u);
            pack_blocks(&s, a->dy + n * a->units + u, a->units, room + SPARSE_ROOM_ROWS);
            s.y = a->dw + k0 * a->units + u;
            s.accumulate = a->accumulate || n > 0;
            sparse_rows(&s, room);
        }
    }
}

KERNEL_RUN(dense_dw) {
    if (begin == 0 && a->db) sum_pixels(a->dy, a->batch, a->units, a->db, a->accumulate);
    for (int64_t task = begin, next; task < end; task = next) {
        int sparse = dw_is_sparse(a, task);
        for (next = task + 1; next < end && dw_is_sparse(a, next) == sparse;) next++;
        if (!sparse)
            dw_full(a, task, next, scratch);
        else
            for (int64_t k0 = task * a->rows; task < next; task++, k0 += a->rows)
                dw_sparse(a, k0, min64(a->rows, a->depth - k0), scratch);
    }
}
