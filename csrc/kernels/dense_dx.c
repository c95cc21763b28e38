/* dense_dx.c - the gradient of a dense layer's input: rows of dy times panels of transposed weights. */

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
    int64_t few = round_up(max64(1, a->units), FEW_DEPTH) * PANEL + DX_TILES * PANEL * 2;
    size_t floats = (size_t)max64(a->batch <= PANEL ? few : DX_PACKED + MR * ROW_STEP, SPARSE_ROOM);
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

/* Columns [first, first + columns) of dx; then the next `most` are written. */
static void dx_full(const cnn_dense_dx_args *a, int64_t first, int64_t columns, int64_t most, float *packed) {
    for (int64_t u = 0; u < a->units || u == 0; u += DX_DEPTH) {
        int64_t depth = min64(DX_DEPTH, a->units - u);
        int last = u + DX_DEPTH >= a->units;
        int64_t next_u = last ? 0 : u + DX_DEPTH, next_row = last ? first + columns : first;
        int64_t next_rows = min64(most, a->depth - next_row);
        for (int64_t k = 0; k < columns; k += PANEL) {
            int64_t width = min64(PANEL, columns - k);
            transpose(a->w + (first + k) * a->units + u, a->units, depth, width, packed + k * depth, panel_step(width));
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

/* Columns [k, k + columns) of dx; then the next `most` are written. bits: room for those of all of dy, which may have
 * been found; NULL where there is not so much, and each part's are found where they are needed. */
static void dx_sparse_columns(const cnn_dense_dx_args *a, int64_t k, int64_t columns, int64_t most, uint64_t *bits,
                              int found, float *room) {
    for (int64_t u = 0; u < a->units; u += SPARSE_MOST) {
        sparse_product s = {.depth = min64(SPARSE_MOST, a->units - u), .columns = columns};
        int64_t blocks = ceil_div(s.depth, SPARSE_DEPTH), next_u = u + s.depth < a->units ? u + s.depth : 0;
        int64_t next_k = next_u ? k : k + most;
        pack_transposed_blocks(&s, a->w + k * a->units + u, a->units, room + SPARSE_ROOM_ROWS);
        s.y_step = a->depth;
        s.accumulate = a->accumulate || u > 0;
        s.then = (coming){a->w + next_k * a->units + next_u, a->units, min64(most, a->depth - next_k),
                          min64(SPARSE_MOST, a->units - next_u), 0};
        for (int64_t n = 0; n < a->batch; n += SPARSE_ROWS) {
            s.rows = min64(SPARSE_ROWS, a->batch - n);
            s.a = a->dy + n * a->units + u;
            s.a_step = a->units;
            s.bits = bits ? bits + u / SPARSE_DEPTH * a->batch + n * blocks : (uint64_t *)room;
            if (!found) find_nonzeros(&s);
            s.y = a->dx + n * a->depth + k;
            s.behind = a->behind && !next_u ? a->behind + n * a->depth + k : NULL;
            s.strips = (strips){s.behind ? s.behind : s.y, a->depth, s.rows, s.columns, 1, 0, (blocks - 1) * s.rows};
            sparse_rows(&s, room);
        }
    }
}

static void dx_sparse(const cnn_dense_dx_args *a, int64_t begin, int64_t end, float *room) {
    int64_t bits_room = 2 * ceil_div(a->units, SPARSE_DEPTH) * a->batch;
    uint64_t *bits = bits_room <= SPARSE_ROOM_ROWS ? (uint64_t *)room : NULL;
    int found = 0;
    for (int64_t task = begin; task < end; task++) {
        int64_t first = task * dx_columns(a), last = min64(first + dx_columns(a), a->depth);
        int64_t most = sparse_columns(last - first);
        for (int64_t k = first; k < last; k += most, found = bits != NULL)
            dx_sparse_columns(a, k, min64(most, last - k), most, bits, found, room);
    }
}

KERNEL_RUN(dense_dx) {
    int64_t most = dx_columns(a);
    int sparse = is_sparse(a->dy, a->units, a->batch, a->units, most);
    if (a->batch <= PANEL && !sparse) {
        dx_of_few(a, begin, end, scratch);
        return;
    }
    if (sparse) {
        dx_sparse(a, begin, end, scratch);
        return;
    }
    for (int64_t task = begin; task < end; task++)
        dx_full(a, task * most, min64(most, a->depth - task * most), most, scratch);
}
