/* dense.c - dense layers forward, dx and dw, on the same tiles as convolution.
 *
 * A block of one operand is packed into panels that stay in L2, or stays there as it is. Forward and dx read the other
 * in place, a tile's rows after another's, dw packs a tile's share of it; the panels stream past each tile. Where rows
 * are few, forward reads both in place: what is met so seldom does not repay packing.
 */

#define BLOCK_COLUMNS 256                            /* of a task; more where there are few rows */
#define BLOCK_ROWS    256                            /* of a task; cnncore/ops/dense.py counts tasks by these */
#define BLOCK_FLOATS  (LANES == 16 ? 131072 : 65536) /* of packed weights, which should stay in L2 */
#define FEWEST_PARTS  8                              /* that a small layer is cut into, for the threads to share */
#define BLOCK_DEPTH   512 /* at most summed before a tile moves on: its rows should stay in L1 */
#define FEW_ROWS      64  /* up to which weights, read once, cost more than the arithmetic: they are not packed */
/* Up to so many weights of a row stay in L2 where they are: a block of rows fills its sets. */
#define UNITS_IN_PLACE (LANES == 16 ? 512 : 0)
#define FEW_FLOATS     32768 /* of weights in place: ROWS_AHEAD rows or more, so that the next block is asked for */
#define ONE_SET        1024  /* floats between addresses that share a set of L1 */
#define ROW_STEP       (BLOCK_DEPTH + CACHE_LINE) /* from one copied row to the next: they spread over the sets */

/* ---- rows times panels ---------------------------------------------------------------------------------------- */

/* A product of rows and packed panels, summed over one block of depth. */
typedef struct {
    const float *a; /* [rows][a_step], of which `depth` elements are summed */
    int64_t a_step, rows, depth;
    const float *w;
    int64_t w_step; /* from row to row of w in place; 0: panel p is packed at w + p * PANEL * depth */
    int streamed;   /* panels come from L2, past each tile of rows; 0: rows do, past each panel, from memory */
    float *y;       /* [rows][y_step] */
    int64_t y_step, columns;
    const float *b;      /* NULL, or [columns]: added first */
    const float *behind; /* NULL, or as y: masks what is written */
    int accumulate, relu;
    float *copy; /* room for MR rows of a, ROW_STEP apart */
    coming next; /* what is asked for meanwhile */
} dense_block;

/* Multiplies rows [first, last), which stand at `a`, a_step apart, by the panel of column u. */
INLINE void multiply_tile_of(dense_block *d, const float *a, int64_t a_step, int64_t first, int64_t last, int64_t u,
                             coming *rows) {
    static const int64_t no_offset[1] = {0};
    int64_t width = min64(PANEL, d->columns - u);
    float *y = d->y + first * d->y_step + u, *to[MR];
    const float *row[MR], *behind[MR];
    product_tile t = {row,
                      no_offset,
                      no_offset,
                      1,
                      d->depth,
                      d->w_step ? d->w_step : panel_step(width),
                      d->w + (d->w_step ? u : u * d->depth),
                      d->b ? d->b + u : NULL,
                      to,
                      width,
                      d->accumulate,
                      d->relu ? CNN_RELU : CNN_LINEAR,
                      d->behind ? behind : NULL,
                      d->streamed};
    for (int64_t i = 0; i < last - first; i++) {
        row[i] = a + i * a_step;
        to[i] = y + i * d->y_step;
        if (d->behind) behind[i] = d->behind + (first + i) * d->y_step + u;
    }
    if (d->behind) ask(&(coming){d->behind + first * d->y_step + u, d->y_step, last - first, PANEL, last - first});
    if (d->y_step % ONE_SET == 0) /* a tile's rows do not all fit into L1, and the next panel's may come from far */
        ask(&(coming){y + PANEL, d->y_step, last - first, PANEL, last - first});
    else
        ask_to_write(y, d->y_step, last - first);
    pieces meanwhile;
    meanwhile.count = 0;
    /* Steps of shorter vectors are too short for more loads; one vector has no loop that asks. */
    int64_t steps = d->streamed && LANES == 16 && width > LANES ? d->depth : 0;
    ask_in_pieces(rows, &meanwhile, steps);
    ask_in_pieces(&d->next, &meanwhile, steps);
    t.coming = &meanwhile;
    product(&t, (int)(last - first));
}

/* The rows of the tile after this one, or, after the last, of the first in the next block of depth. */
static coming rows_after(const dense_block *d, int64_t tile, int64_t tiles) {
    int64_t next = (tile + 1) % tiles, first = tile_begin(d->rows, tiles, next);
    const float *from = d->a + first * d->a_step + (next ? 0 : d->depth);
    return (coming){from, d->a_step, tile_begin(d->rows, tiles, next + 1) - first, d->depth, 0};
}

/* Multiplies all rows by all panels. Rows that meet in one set of L1 would drive each other out while panels stream:
 * they are copied, and asked for a tile before. */
static void multiply(dense_block *d) {
    int64_t tiles = ceil_div(d->rows, MR), panels = ceil_div(d->columns, PANEL);
    int copied = d->a_step % ONE_SET == 0 && d->streamed;
    coming rows = {0};
    spread(&d->next, tiles * panels);
    for (int64_t i = 0; i < tiles * panels; i++) {
        int64_t tile = d->streamed ? i / panels : i % tiles, panel = d->streamed ? i % panels : i / tiles;
        int64_t first = tile_begin(d->rows, tiles, tile), last = tile_begin(d->rows, tiles, tile + 1);
        const float *a = d->a + first * d->a_step;
        if (copied && panel == 0) {
            for (int64_t r = 0; r < last - first; r++)
                memcpy(d->copy + r * ROW_STEP, a + r * d->a_step, (size_t)d->depth * sizeof(float));
            rows = rows_after(d, tile, tiles);
            spread(&rows, panels);
        }
        multiply_tile_of(d, copied ? d->copy : a, copied ? ROW_STEP : d->a_step, first, last, panel * PANEL, &rows);
    }
}

/* ---- transposing ---------------------------------------------------------------------------------------------- */

/* Makes rows columns. */
INLINE void transpose_vectors(vf *rows) {
    vf turned[LANES];
    UNROLL
    for (int round = LANES; round > 1; round /= 2) {
        UNROLL
        for (int i = 0; i < LANES / 2; i++) {
            turned[2 * i] = side_by_side(rows[i], rows[i + LANES / 2], 0);
            turned[2 * i + 1] = side_by_side(rows[i], rows[i + LANES / 2], LANES / 2);
        }
        UNROLL
        for (int i = 0; i < LANES; i++) rows[i] = turned[i];
    }
}

/* to[u][step] = from[i][u] for `width` rows i and `depth` columns u, zeros after them. */
static void transpose(const float *from, int64_t units, int64_t depth, int64_t width, float *to, int64_t step) {
    for (int64_t u = 0; u < depth; u += LANES)
        for (int64_t i = 0; i < step; i += LANES) {
            int64_t some = min64(LANES, depth - u);
            const float *corner = from + i * units + u;
            float *turned = to + u * step + i;
            vf rows[LANES];
            if (some == LANES && i + LANES <= width) {
                /* Lest the compiler keeps an address for every row, for which registers are too few. */
                UNROLL
                for (int r = 0; r < LANES; r++, corner += units) {
                    rows[r] = load(corner);
                    FORGET(corner);
                }
                transpose_vectors(rows);
                UNROLL
                for (int r = 0; r < LANES; r++, turned += step) {
                    store(turned, rows[r]);
                    FORGET(turned);
                }
                continue;
            }
            for (int r = 0; r < LANES; r++) rows[r] = i + r < width ? load_n(corner + r * units, some) : (vf){0};
            transpose_vectors(rows);
            for (int r = 0; r < some; r++) store(turned + r * step, rows[r]);
        }
}

/* ---- forward -------------------------------------------------------------------------------------------------- */

typedef struct {
    int64_t rows, columns; /* how many blocks of each */
    int64_t depth;         /* of a block */
} dense_blocks;

static dense_blocks forward_blocks(const cnn_dense_args *a) {
    int few = a->batch <= FEW_ROWS;
    int64_t most = few ? FEW_FLOATS / ROWS_AHEAD : BLOCK_COLUMNS, floats = few ? FEW_FLOATS : BLOCK_FLOATS;
    int64_t rows = ceil_div(a->batch, BLOCK_ROWS), panels = ceil_div(a->units, PANEL);
    int64_t columns = max64(ceil_div(a->units, most), min64(panels, ceil_div(FEWEST_PARTS, max64(1, rows * a->slots))));
    int64_t width = min64(a->units, round_up(ceil_div(a->units, max64(1, columns)), PANEL));
    return (dense_blocks){rows, columns, min64(BLOCK_DEPTH, floats / round_up(max64(1, width), PANEL) / LANES * LANES)};
}

KERNEL_WORK(dense) {
    dense_blocks blocks = forward_blocks(a);
    return (cnn_work){blocks.rows * blocks.columns * a->slots, 1, 0, (BLOCK_FLOATS + MR * ROW_STEP) * sizeof(float)};
}

/* How many of a task's columns are read in place: where vectors are read whole none may reach over the end of w. */
static int64_t columns_in_place(const cnn_dense_args *a, int64_t columns) {
    if (a->batch > FEW_ROWS && a->units > UNITS_IN_PLACE) return 0;
    return columns % LANES ? columns / PANEL * PANEL : columns;
}

/* Sums k in [k0, k1) for rows [n0, n1) and columns [u0, u1) into y; b and relu only where they are wanted. */
static void forward_block(const cnn_dense_args *a, int64_t n0, int64_t n1, int64_t u0, int64_t u1, int64_t k0,
                          int64_t k1, int64_t depth_block, float *y, const float *b, int relu, float *packed) {
    /* Blocks as even as can be. */
    depth_block = max64(LANES, round_up(ceil_div(k1 - k0, max64(1, ceil_div(k1 - k0, depth_block))), LANES));
    for (int64_t k = k0; k < k1 || k == k0; k += depth_block) {
        int64_t depth = min64(depth_block, k1 - k);
        dense_block d = {a->x + n0 * a->depth + k,
                         a->depth,
                         n1 - n0,
                         depth,
                         a->w + k * a->units + u0,
                         a->units,
                         a->batch > FEW_ROWS,
                         y + n0 * a->units + u0,
                         a->units,
                         u1 - u0,
                         k == k0 && b ? b + u0 : NULL,
                         NULL,
                         k > k0,
                         relu && k + depth_block >= k1,
                         packed + BLOCK_FLOATS,
                         {0}};
        if (d.streamed) {
            int64_t next = max64(0, min64(depth_block, k1 - k - depth));
            d.next = (coming){a->w + (k + depth) * a->units + u0, a->units, next, u1 - u0, 0};
        }
        int64_t in_place = columns_in_place(a, u1 - u0);
        d.columns = in_place;
        if (in_place) multiply(&d);
        if (in_place == u1 - u0) continue;
        d.columns = u1 - u0 - in_place;
        pack_columns(d.w + in_place, a->units, depth, d.columns, packed);
        d.w = packed;
        d.w_step = 0;
        d.y += in_place;
        if (d.b) d.b += in_place;
        multiply(&d);
    }
}

KERNEL_RUN(dense) {
    dense_blocks blocks = forward_blocks(a);
    int64_t panels = ceil_div(a->units, PANEL);
    for (int64_t task = begin, next; task < end; task = next) { /* neighbours of the same weights at once */
        int64_t block = task / blocks.rows, columns = block % blocks.columns, slot = block / blocks.columns;
        next = min64(end, (block + 1) * blocks.rows);
        int64_t u0 = tile_begin(panels, blocks.columns, columns) * PANEL;
        int64_t u1 = min64(tile_begin(panels, blocks.columns, columns + 1) * PANEL, a->units);
        int64_t n0 = tile_begin(a->batch, blocks.rows, task - block * blocks.rows);
        int64_t n1 = tile_begin(a->batch, blocks.rows, next - block * blocks.rows);
        int64_t k0 = tile_begin(a->depth, a->slots, slot), k1 = tile_begin(a->depth, a->slots, slot + 1);
        if (a->slots == 1)
            forward_block(a, n0, n1, u0, u1, k0, k1, blocks.depth, a->y, a->b, a->activation == CNN_RELU, scratch);
        else
            forward_block(a, n0, n1, u0, u1, k0, k1, blocks.depth, a->partial + slot * a->batch * a->units, NULL, 0,
                          scratch);
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

#define DX_COLUMNS 256 /* of dx, in a task, at most */
#define DX_DEPTH   (BLOCK_FLOATS / DX_COLUMNS)
#define DX_PACKED  (DX_DEPTH * (DX_COLUMNS + PANEL))
#define FEW_DEPTH  256                             /* of packed dy, which should stay in L1 */
#define DX_TILES   (ceil_div(DX_COLUMNS, MR) * MR) /* rows of w that a task of few samples takes */

static int64_t dx_columns(const cnn_dense_dx_args *a) {
    int64_t part = round_up(ceil_div(max64(1, a->depth), FEWEST_PARTS), PANEL);
    return a->columns ? a->columns : min64(part, DX_COLUMNS);
}

KERNEL_WORK(dense_dx) {
    size_t floats = a->batch <= PANEL ? round_up(max64(1, a->units), FEW_DEPTH) * PANEL + DX_TILES * PANEL * 2
                                      : DX_PACKED + MR * ROW_STEP;
    return (cnn_work){ceil_div(a->depth, dx_columns(a)), 1, 0, floats * sizeof(float)};
}

/* Few samples: w's own rows are multiplied by dy's samples side by side, packed once. Tiles of dx come out transposed.
 */
static void dx_of_few(const cnn_dense_dx_args *a, int64_t begin, int64_t end, float *scratch) {
    static const int64_t no_offset[1] = {0};
    int64_t step = panel_step(a->batch);
    float *packed = scratch, *sums = packed + round_up(max64(1, a->units), FEW_DEPTH) * PANEL;
    float *turned = sums + DX_TILES * PANEL;
    transpose(a->dy, a->units, a->units, a->batch, packed, step);
    for (int64_t task = begin; task < end; task++) {
        int64_t k0 = task * dx_columns(a), columns = min64(dx_columns(a), a->depth - k0), tiles = ceil_div(columns, MR);
        for (int64_t u = 0; u < a->units || u == 0; u += FEW_DEPTH)
            for (int64_t tile = 0; tile < tiles; tile++) {
                int64_t i0 = tile_begin(columns, tiles, tile), i1 = tile_begin(columns, tiles, tile + 1);
                const float *row[MR];
                float *to[MR];
                for (int64_t i = i0; i < i1; i++) {
                    row[i - i0] = a->w + (k0 + i) * a->units + u;
                    to[i - i0] = sums + i * step;
                }
                product_tile t = {
                    row,  no_offset, no_offset, 1,   min64(FEW_DEPTH, a->units - u), step, packed + u * step, NULL, to,
                    step, u > 0,     0,         NULL};
                product(&t, (int)(i1 - i0));
            }
        transpose(sums, step, a->batch, columns, turned, DX_COLUMNS);
        for (int64_t n = 0; n < a->batch; n++)
            for (int64_t i = 0; i < columns; i += LANES) {
                int64_t width = min64(LANES, columns - i), at = n * a->depth + k0 + i;
                vf v = load(turned + n * DX_COLUMNS + i);
                if (a->accumulate) v += load_n(a->dx + at, width);
                if (a->behind) v = behind_relu(load_n(a->behind + at, width), v);
                store_n(a->dx + at, v, width);
            }
    }
}

KERNEL_RUN(dense_dx) {
    float *packed = scratch;
    int64_t most = dx_columns(a);
    if (a->batch <= PANEL) {
        dx_of_few(a, begin, end, scratch);
        return;
    }
    for (int64_t task = begin; task < end; task++)
        for (int64_t u = 0; u < a->units || u == 0; u += DX_DEPTH) {
            int64_t first = task * most, columns = min64(most, a->depth - first);
            int64_t depth = min64(DX_DEPTH, a->units - u);
            int last = u + DX_DEPTH >= a->units;
            int64_t next_u = last ? 0 : u + DX_DEPTH, next_row = last ? first + columns : first;
            int64_t next_rows = min64(most, a->depth - next_row);
            for (int64_t k = 0; k < columns; k += PANEL) {
                int64_t width = min64(PANEL, columns - k);
                transpose(a->w + (first + k) * a->units + u, a->units, depth, width, packed + k * depth,
                          panel_step(width));
            }
            dense_block d = {
                a->dy + u,
                a->units,
                a->batch,
                depth,
                packed,
                0,
                1,
                a->dx + first,
                a->depth,
                columns,
                NULL,
                a->behind && last ? a->behind + first : NULL,
                a->accumulate || u > 0,
                0,
                packed + DX_PACKED,
                {a->w + next_row * a->units + next_u, a->units, next_rows, min64(DX_DEPTH, a->units - next_u), 0}};
            multiply(&d);
        }
}

/* ---- dw ------------------------------------------------------------------------------------------------------- */

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
    size_t packed_x = TILES_PACKED * PACKED_X, packed_dy = dw_resident(a) * round_up(a->units, PANEL);
    return (cnn_work){max64(1, ceil_div(a->depth, a->rows)), 1, 0, (packed_x + packed_dy) * sizeof(float)};
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

KERNEL_RUN(dense_dw) {
    int64_t resident = dw_resident(a), columns = round_up(a->units, PANEL);
    float *packed_dy = scratch, *packed_x = packed_dy + resident * columns;
    if (begin == 0 && a->db) sum_pixels(a->dy, a->batch, a->units, a->db, a->accumulate);
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
