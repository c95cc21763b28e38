/* dense.c - dense layers, on the same tiles as convolution: forward, and what dense_dx.c and dense_dw.c share with it.
 *
 * A block of one operand is packed into panels that stay in L2, or stays there as it is. Forward and dx read the other
 * in place, a tile's rows after another's, dw packs a tile's share of it; the panels stream past each tile. Where rows
 * are few, forward reads both in place: what is met so seldom does not repay packing. Where many of the numbers of x or
 * dy are zeros, kernels/sparse_rows.c leaves them out; every task decides that by its own numbers.
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

/* ---- forward -------------------------------------------------------------------------------------------------- */

typedef struct {
    int64_t rows, columns; /* how many blocks of each */
    int64_t depth;         /* of a block */
} dense_blocks;

/* Into how many each of so many parts had better be cut. */
INLINE int64_t cut_parts(int64_t parts) { return ceil_div(FEWEST_PARTS, max64(1, parts)); }

static dense_blocks forward_blocks(const cnn_dense_args *a) {
    int few = a->batch <= FEW_ROWS;
    int64_t most = few ? FEW_FLOATS / ROWS_AHEAD : BLOCK_COLUMNS, floats = few ? FEW_FLOATS : BLOCK_FLOATS;
    int64_t rows = ceil_div(a->batch, BLOCK_ROWS), panels = ceil_div(a->units, PANEL);
    int64_t columns = ceil_div(a->units, most);
    /* Rows are cut before columns: looking for zeros in a row pays the better the wider it is multiplied. */
    rows = max64(rows, min64(rows * cut_parts(rows * columns * a->slots), a->batch / FEW_ROWS));
    columns = max64(columns, min64(panels, columns * cut_parts(rows * columns * a->slots)));
    int64_t width = min64(a->units, round_up(ceil_div(a->units, max64(1, columns)), PANEL));
    return (dense_blocks){rows, columns, min64(BLOCK_DEPTH, floats / round_up(max64(1, width), PANEL) / LANES * LANES)};
}

KERNEL_WORK(dense) {
    dense_blocks blocks = forward_blocks(a);
    size_t floats = (size_t)max64(BLOCK_FLOATS + MR * ROW_STEP, SPARSE_ROOM);
    return (cnn_work){blocks.rows * blocks.columns * a->slots, 1, 0, floats * sizeof(float)};
}

/* How many of a task's columns are read in place: where vectors are read whole none may reach over the end of w. */
static int64_t columns_in_place(const cnn_dense_args *a, int64_t columns) {
    if (a->batch > FEW_ROWS && a->units > UNITS_IN_PLACE) return 0;
    return columns % LANES ? columns / PANEL * PANEL : columns;
}

/* Rows [n0, n1) and columns [u0, u1) of y, summed over k in [k0, k1). */
typedef struct {
    int64_t n0, n1, u0, u1, k0, k1;
    float *y;
    const float *b; /* NULL where a slot's sums are wanted alone */
    int relu;
} dense_part;

static dense_part forward_part(const cnn_dense_args *a, dense_blocks blocks, int64_t task) {
    int64_t panels = ceil_div(a->units, PANEL), rows = task % blocks.rows, block = task / blocks.rows;
    int64_t columns = block % blocks.columns, slot = block / blocks.columns;
    return (dense_part){tile_begin(a->batch, blocks.rows, rows),
                        tile_begin(a->batch, blocks.rows, rows + 1),
                        tile_begin(panels, blocks.columns, columns) * PANEL,
                        min64(tile_begin(panels, blocks.columns, columns + 1) * PANEL, a->units),
                        tile_begin(a->depth, a->slots, slot),
                        tile_begin(a->depth, a->slots, slot + 1),
                        a->slots == 1 ? a->y : a->partial + slot * a->batch * a->units,
                        a->slots == 1 ? a->b : NULL,
                        a->slots == 1 && a->activation == CNN_RELU};
}

static void forward_full(const cnn_dense_args *a, dense_part p, int64_t depth_block, float *packed) {
    /* Blocks as even as can be. */
    depth_block = max64(LANES, round_up(ceil_div(p.k1 - p.k0, max64(1, ceil_div(p.k1 - p.k0, depth_block))), LANES));
    for (int64_t k = p.k0; k < p.k1 || k == p.k0; k += depth_block) {
        int64_t depth = min64(depth_block, p.k1 - k);
        dense_block d = {a->x + p.n0 * a->depth + k,
                         a->depth,
                         p.n1 - p.n0,
                         depth,
                         a->w + k * a->units + p.u0,
                         a->units,
                         a->batch > FEW_ROWS,
                         p.y + p.n0 * a->units + p.u0,
                         a->units,
                         p.u1 - p.u0,
                         k == p.k0 && p.b ? p.b + p.u0 : NULL,
                         NULL,
                         k > p.k0,
                         p.relu && k + depth_block >= p.k1,
                         packed + BLOCK_FLOATS,
                         {0}};
        if (d.streamed) {
            int64_t next = max64(0, min64(depth_block, p.k1 - k - depth));
            d.next = (coming){a->w + (k + depth) * a->units + p.u0, a->units, next, p.u1 - p.u0, 0};
        }
        int64_t in_place = columns_in_place(a, p.u1 - p.u0);
        d.columns = in_place;
        if (in_place) multiply(&d);
        if (in_place == p.u1 - p.u0) continue;
        d.columns = p.u1 - p.u0 - in_place;
        pack_columns(d.w + in_place, a->units, depth, d.columns, packed);
        d.w = packed;
        d.w_step = 0;
        d.y += in_place;
        if (d.b) d.b += in_place;
        multiply(&d);
    }
}

static void forward_sparse(const cnn_dense_args *a, dense_part p, float *room) {
    int64_t most = sparse_columns(p.u1 - p.u0);
    for (int64_t k = p.k0; k < p.k1; k += SPARSE_SUMMED) {
        sparse_product s = {.a = a->x + p.n0 * a->depth + k,
                            .a_step = a->depth,
                            .rows = p.n1 - p.n0,
                            .depth = min64(SPARSE_SUMMED, p.k1 - k),
                            .bits = (uint64_t *)room,
                            .y_step = a->units};
        find_nonzeros(&s);
        int64_t next_depth = min64(SPARSE_SUMMED, p.k1 - k - s.depth);
        s.strips = (strips){s.a + s.depth, a->depth, s.rows, SPARSE_DEPTH, ceil_div(next_depth, SPARSE_DEPTH), 0, 0};
        for (int64_t u = p.u0; u < p.u1; u += most) {
            int64_t next_u = u + most < p.u1 ? u + most : p.u0, next_k = next_u == p.u0 ? k + SPARSE_SUMMED : k;
            s.columns = min64(most, p.u1 - u);
            pack_blocks(&s, a->w + k * a->units + u, a->units, room + SPARSE_ROOM_ROWS);
            s.y = p.y + p.n0 * a->units + u;
            s.b = p.b && k == p.k0 ? p.b + u : NULL;
            s.accumulate = k > p.k0;
            s.relu = p.relu && k + SPARSE_SUMMED >= p.k1;
            s.then =
                (coming){a->w + next_k * a->units + next_u, a->units, min64(SPARSE_SUMMED, p.k1 - next_k), most, 0};
            sparse_rows(&s, room);
        }
    }
}

static int forward_is_sparse(const cnn_dense_args *a, dense_part p) {
    return a->batch > FEW_ROWS &&
           is_sparse(a->x + p.n0 * a->depth + p.k0, a->depth, p.n1 - p.n0, p.k1 - p.k0, p.u1 - p.u0);
}

KERNEL_RUN(dense) {
    dense_blocks blocks = forward_blocks(a);
    for (int64_t task = begin; task < end; task++) {
        dense_part p = forward_part(a, blocks, task);
        if (forward_is_sparse(a, p)) {
            forward_sparse(a, p, scratch);
            continue;
        }
        for (; task + 1 < end && (task + 1) % blocks.rows; task++) { /* neighbours of the same weights at once */
            dense_part next = forward_part(a, blocks, task + 1);
            if (forward_is_sparse(a, next)) break;
            p.n1 = next.n1;
        }
        forward_full(a, p, blocks.depth, scratch);
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
