/* tiles.h - the CPU's matrix tiles (AMX), and float32 numbers split into pairs of bfloat16 for them.
 *
 * A tile is 16 rows of 64 bytes. One instruction multiplies a tile of 16 rows by 32 bfloat16 numbers with one of 32 by
 * 16 and adds to 16 by 16 floats: sixteen times what the vector units do in that time. A float32 x is split into h =
 * bfloat16(x) and l = bfloat16(x - h), and x * y taken as h h' + h l' + l h'; what that leaves out is 2^-17 of it.
 *
 * Left operands ("rows") are two planes of bfloat16, h and l, with the elements that are summed side by side. Right
 * operands ("columns") hold, for each chunk of 32 summed elements and each 16 columns, 16 rows of 16 pairs.
 */
#define TILE       16   /* rows and columns of a sum */
#define SPLIT_RUN  32   /* elements that one instruction sums */
#define TILE_UNITS 512  /* bfloat16 numbers of a tile of operands */
#define SPLIT_PAIR 1024 /* of a tile of columns, h and then l */
#define WIDE       (2 * TILE)

typedef uint16_t bf16;

#define TILE_ZERO(t) __asm__ volatile("tilezero %%tmm" #t::: "memory")
#define TILE_LOAD(t, from, step) \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #t::"r"(from), "r"((int64_t)(step)) : "memory")
#define TILE_STORE(t, to, step) \
    __asm__ volatile("tilestored %%tmm" #t ", (%0,%1,1)" ::"r"(to), "r"((int64_t)(step)) : "memory")
#define TILE_MULTIPLY(sum, rows, columns) \
    __asm__ volatile("tdpbf16ps %%tmm" #columns ", %%tmm" #rows ", %%tmm" #sum::: "memory")

/* Every kernel begins and ends its use of the tiles, which are the thread's own state. */
static void tiles_begin(void) {
    struct {
        uint8_t palette, start, none[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } layout = {.palette = 1};
    for (int t = 0; t < 8; t++) {
        layout.row_bytes[t] = 64;
        layout.rows[t] = TILE;
    }
    __asm__ volatile("ldtilecfg %0" ::"m"(layout) : "memory");
}
static void tiles_end(void) { __asm__ volatile("tilerelease" ::: "memory"); }

/* ---- splitting ------------------------------------------------------------------------------------------------ */

/* x rounded to bfloat16, as float32. */
INLINE vf rounded(vf x) { return (vf)(((vu)x + 0x8000u) & 0xffff0000u); }

/* The pairs (bfloat16(low), bfloat16(high)), from numbers that rounded() made. */
INLINE __m512i pair_up(vf low, vf high) { return (__m512i)(((vu)low >> 16) | (vu)high); }

/* Splits two vectors into pairs (low, high): h, and l. */
INLINE void split_pairs(vf low, vf high, void *h, void *l) {
    vf low_h = rounded(low), high_h = rounded(high);
    _mm512_storeu_si512(h, pair_up(low_h, high_h));
    _mm512_storeu_si512(l, pair_up(rounded(low - low_h), rounded(high - high_h)));
}

/* The same numbers in their order: 32 of them. */
INLINE void split_run(vf first, vf second, bf16 *h, bf16 *l) {
    vf first_h = rounded(first), second_h = rounded(second);
    _mm512_storeu_si512(h, (__m512i)_mm512_cvtne2ps_pbh((__m512)second_h, (__m512)first_h));
    _mm512_storeu_si512(l, (__m512i)_mm512_cvtne2ps_pbh((__m512)(second - second_h), (__m512)(first - first_h)));
}

/* h[i], l[i] from x[i] for i in [0, n); up to SPLIT_RUN - 1 more are written as zeros. */
INLINE void split_row(const float *x, int64_t n, bf16 *h, bf16 *l) {
    int64_t i = 0;
    for (; i + SPLIT_RUN <= n; i += SPLIT_RUN) split_run(load(x + i), load(x + i + LANES), h + i, l + i);
    if (i < n || n == 0)
        split_run(load_n(x + i, min64(LANES, n - i)), load_n(x + i + LANES, max64(0, min64(LANES, n - i - LANES))),
                  h + i, l + i);
}

/* One tile of columns, h and then l, from up to 32 rows of `width` <= 16 floats; zeros after them. */
INLINE void split_columns(const float *from, int64_t step, int64_t rows, int64_t width, bf16 *to) {
    for (int64_t k = 0; k < SPLIT_RUN; k += 2) {
        vf low = k < rows ? load_n(from + k * step, width) : set(0);
        vf high = k + 1 < rows ? load_n(from + (k + 1) * step, width) : set(0);
        split_pairs(low, high, to + k * TILE, to + TILE_UNITS + k * TILE);
    }
}

/* 16 rows of 16 pairs, transposed: to[i * step] gets pair i of every row. */
INLINE void transpose_pairs(__m512i r[16], void *to, int64_t step_bytes) {
    __m512i t[16];
    UNROLL
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    UNROLL
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    UNROLL
    for (int i = 0; i < 4; i++) {
        __m512i a = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88), b = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        __m512i c = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd), d = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
        t[i] = _mm512_shuffle_i32x4(a, b, 0x88);
        t[i + 8] = _mm512_shuffle_i32x4(a, b, 0xdd);
        t[i + 4] = _mm512_shuffle_i32x4(c, d, 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(c, d, 0xdd);
    }
    UNROLL
    for (int i = 0; i < 16; i++) _mm512_storeu_si512((char *)to + i * step_bytes, t[i]);
}

/* Left operands from a matrix whose rows are what is summed: h[c][k], l[c][k] from from[k][c] for up to 32 rows k and
 * 16 columns c, zeros after them. `step` floats lie between rows of `from`, `plane_step` numbers between rows of h and
 * l. */
INLINE void split_turned(const float *from, int64_t step, int64_t rows, int64_t width, bf16 *h, bf16 *l,
                         int64_t plane_step) {
    __m512i high[16], low[16];
    UNROLL
    for (int i = 0; i < 16; i++) {
        vf a = 2 * i < rows ? load_n(from + 2 * i * step, width) : set(0);
        vf b = 2 * i + 1 < rows ? load_n(from + (2 * i + 1) * step, width) : set(0);
        split_pairs(a, b, &high[i], &low[i]);
    }
    transpose_pairs(high, h, plane_step * 2);
    transpose_pairs(low, l, plane_step * 2);
}

/* One tile of columns from rows that are summed along their elements: up to 16 rows `from` of `depth` <= 32 floats. */
INLINE void split_columns_turned(const float *from, int64_t step, int64_t depth, int64_t width, bf16 *to) {
    __m512i high[16], low[16];
    int64_t first = min64(LANES, depth), second = depth - first;
    UNROLL
    for (int i = 0; i < 16; i++) {
        vf a = i < width ? load_n(from + i * step, first) : set(0);
        vf b = i < width ? load_n(from + i * step + first, second) : set(0);
        split_run(a, b, (bf16 *)&high[i], (bf16 *)&low[i]);
    }
    transpose_pairs(high, to, 64);
    transpose_pairs(low, to + TILE_UNITS, 64);
}

/* Left operands, h[c][pixel] and l[c][pixel], of the channels [c, c + width) of 32 pixels, which lie anywhere; to[c] +=
 * their sum. */
static void split_pixels_turned(const float *const *row, int64_t c, int64_t width, bf16 *h, bf16 *l, int64_t plane_step,
                                float *to) {
    __m512i high[16], low[16];
    vf sum[2] = {0};
    UNROLL
    for (int i = 0; i < 16; i++) {
        vf a = load_n(row[2 * i] + c, width), b = load_n(row[2 * i + 1] + c, width);
        sum[0] += a;
        sum[1] += b;
        split_pairs(a, b, &high[i], &low[i]);
    }
    store_n(to, load_n(to, width) + (sum[0] + sum[1]), width);
    transpose_pairs(high, h, plane_step * 2);
    transpose_pairs(low, l, plane_step * 2);
}

/* ---- what becomes of sums ------------------------------------------------------------------------------------- */

/* Rows of up to 32 sums on their way to their places: to[i][width] = act(b + old + sum), behind a ReLU. They are put
 * there while the tiles compute the next sums, which leaves the vector units idle. */
typedef struct {
    const float *sum[WIDE];
    float *to[WIDE];
    int64_t next, rows, width;
    float b[WIDE], least, most; /* least: 0 for a ReLU; most: 6 for a ReLU6 */
    int activation;             /* where bounds do not compute it */
    int64_t behind;             /* bytes from `to` to the output of the ReLU in front; 0 where there is none */
    int accumulate;
} sums_to_put;

/* What follows the next sums. */
static void begin_put(sums_to_put *t, const float *b, int64_t width, int activation) {
    for (int64_t j = 0; j < WIDE; j += LANES)
        store(t->b + j, b ? load_n(b + j, max64(0, min64(LANES, width - j))) : set(0));
    t->activation = is_bounds(activation) ? CNN_LINEAR : activation;
    if (t->activation) activation = CNN_LINEAR;
    t->least = least_of(activation);
    t->most = most_of(activation);
    t->next = t->rows = 0;
    t->width = width;
}

INLINE void put_with(const sums_to_put *t, int64_t i, int64_t last, const int activation) {
    for (; i < last; i++)
        for (int64_t j = 0; j < t->width; j += LANES) {
            int64_t n = min64(LANES, t->width - j);
            vf v = load(t->sum[i] + j) + load(t->b + j);
            if (t->accumulate) v += load_n(t->to[i] + j, n);
            store_n(t->to[i] + j, activated(v, activation), n);
        }
}
static __attribute__((noinline)) void put_activated(const sums_to_put *t, int64_t i, int64_t last) {
    if (t->activation == CNN_SILU)
        put_with(t, i, last, CNN_SILU);
    else if (t->activation == CNN_HARD_SILU)
        put_with(t, i, last, CNN_HARD_SILU);
    else if (t->activation == CNN_SIGMOID)
        put_with(t, i, last, CNN_SIGMOID);
    else
        put_with(t, i, last, CNN_HARD_SIGMOID);
}

static void put_rows(sums_to_put *t, int64_t rows) {
    int64_t i = t->next, last = min64(t->rows, i + rows);
    vf b[2] = {load(t->b), load(t->b + LANES)}, least = set(t->least), most = set(t->most);
    t->next = last;
    if (t->activation) {
        put_activated(t, i, last);
        return;
    }
    if (t->width == WIDE && !t->accumulate && !t->behind) {
        for (; i < last; i++) {
            store(t->to[i], vmin(most, vmax(least, load(t->sum[i]) + b[0])));
            store(t->to[i] + LANES, vmin(most, vmax(least, load(t->sum[i] + LANES) + b[1])));
        }
        return;
    }
    for (; i < last; i++)
        for (int64_t j = 0; j < t->width; j += LANES) {
            int64_t n = min64(LANES, t->width - j);
            float *to = t->to[i] + j;
            vf v = load(t->sum[i] + j) + b[j / LANES];
            if (t->accumulate) v += load_n(to, n);
            v = vmin(most, vmax(least, v));
            if (t->behind) v = behind_relu(load_n((const float *)((const char *)to + t->behind), n), v);
            store_n(to, v, n);
        }
}

/* ---- products ------------------------------------------------------------------------------------------------- */

/* Up to 32 rows by up to 32 columns. Chunk i of row block j starts at h[j] + row_at[i] and l[j] + row_at[i], in
 * numbers; that of column block j at columns[j] + column_at[i], and its l `low` numbers behind it.
 */
typedef struct {
    const bf16 *h[2], *l[2], *columns[2];
    int64_t row_bytes; /* from one row of a block to the next */
    int64_t low;
    const int64_t *row_at, *column_at;
    int64_t chunks;
    float *sum; /* [32][sum_step] */
    int64_t sum_step;
    int accumulate;         /* start from `sum` */
    sums_to_put *meanwhile; /* NULL, or earlier sums, of which `puts` rows are put with each chunk */
    int64_t puts;
} tile_product;

/* clang-format off */
#define SUM_AT(i, j) (t->sum + (i) * TILE * t->sum_step + (j) * TILE)
#define IF_ROWS(x) do { if (rows == 2) { x; } } while (0)
#define IF_COLUMNS(x) do { if (columns == 2) { x; } } while (0)
#define IF_BOTH(x) do { if (rows == 2 && columns == 2) { x; } } while (0)
/* clang-format on */

/* rows and columns: how many blocks of 16; they and `puts` are constants wherever this is inlined. Sums are in tiles 0
 * to
 * 3. Addresses are read from memory each time: kept in registers, they would be in the way of the call of put_rows. */
INLINE void multiply_tiles_of(const tile_product *t, const int rows, const int columns, const int puts) {
    int64_t sum_bytes = t->sum_step * (int64_t)sizeof(float), row_bytes = t->row_bytes;
    if (t->accumulate) {
        TILE_LOAD(0, SUM_AT(0, 0), sum_bytes);
        IF_COLUMNS(TILE_LOAD(1, SUM_AT(0, 1), sum_bytes));
        IF_ROWS(TILE_LOAD(2, SUM_AT(1, 0), sum_bytes));
        IF_BOTH(TILE_LOAD(3, SUM_AT(1, 1), sum_bytes));
    } else {
        TILE_ZERO(0);
        IF_COLUMNS(TILE_ZERO(1));
        IF_ROWS(TILE_ZERO(2));
        IF_BOTH(TILE_ZERO(3));
    }
    for (int64_t s = 0; s < t->chunks; s++) {
        int64_t r = t->row_at[s], c = t->column_at[s];
        if (puts) put_rows(t->meanwhile, t->puts);
        /* l h', h h', h l': each operand is loaded once. */
        TILE_LOAD(4, t->l[0] + r, row_bytes);
        TILE_LOAD(6, t->columns[0] + c, 64);
        IF_COLUMNS(TILE_LOAD(7, t->columns[1] + c, 64));
        IF_ROWS(TILE_LOAD(5, t->l[1] + r, row_bytes));
        TILE_MULTIPLY(0, 4, 6);
        IF_COLUMNS(TILE_MULTIPLY(1, 4, 7));
        TILE_LOAD(4, t->h[0] + r, row_bytes);
        IF_ROWS(TILE_MULTIPLY(2, 5, 6));
        IF_BOTH(TILE_MULTIPLY(3, 5, 7));
        IF_ROWS(TILE_LOAD(5, t->h[1] + r, row_bytes));
        TILE_MULTIPLY(0, 4, 6);
        IF_ROWS(TILE_MULTIPLY(2, 5, 6));
        TILE_LOAD(6, t->columns[0] + t->low + c, 64);
        IF_COLUMNS(TILE_MULTIPLY(1, 4, 7));
        IF_BOTH(TILE_MULTIPLY(3, 5, 7));
        IF_COLUMNS(TILE_LOAD(7, t->columns[1] + t->low + c, 64));
        TILE_MULTIPLY(0, 4, 6);
        IF_ROWS(TILE_MULTIPLY(2, 5, 6));
        IF_COLUMNS(TILE_MULTIPLY(1, 4, 7));
        IF_BOTH(TILE_MULTIPLY(3, 5, 7));
    }
    TILE_STORE(0, SUM_AT(0, 0), sum_bytes);
    IF_COLUMNS(TILE_STORE(1, SUM_AT(0, 1), sum_bytes));
    IF_ROWS(TILE_STORE(2, SUM_AT(1, 0), sum_bytes));
    IF_BOTH(TILE_STORE(3, SUM_AT(1, 1), sum_bytes));
}

/* clang-format off */
#define MULTIPLY_TILES(name, rows, columns) \
    static __attribute__((noinline)) void name(const tile_product *t) { multiply_tiles_of(t, rows, columns, 0); } \
    static __attribute__((noinline)) void name##_and_put(const tile_product *t) { multiply_tiles_of(t, rows, columns, 1); }
MULTIPLY_TILES(multiply_tiles_22, 2, 2)
MULTIPLY_TILES(multiply_tiles_21, 2, 1)
MULTIPLY_TILES(multiply_tiles_12, 1, 2)
MULTIPLY_TILES(multiply_tiles_11, 1, 1)
/* clang-format on */

/* `rows` and `columns` of the sum, 1 to 32 of each. */
static void multiply_tiles(const tile_product *t, int64_t rows, int64_t columns) {
    int puts = t->meanwhile && t->puts;
    if (rows > TILE && columns > TILE)
        puts ? multiply_tiles_22_and_put(t) : multiply_tiles_22(t);
    else if (rows > TILE)
        puts ? multiply_tiles_21_and_put(t) : multiply_tiles_21(t);
    else if (columns > TILE)
        puts ? multiply_tiles_12_and_put(t) : multiply_tiles_12(t);
    else
        puts ? multiply_tiles_11_and_put(t) : multiply_tiles_11(t);
}

/* Operands whose chunks stand in order: at[s] = s * step. */
static void chunks_in_order(int64_t chunks, int64_t step, int64_t *at) {
    for (int64_t s = 0; s < chunks; s++) at[s] = s * step;
}

/* What becomes of sums in one go: to[rows][step] = act(b + old + sum), behind a ReLU. */
typedef struct {
    float *to;
    int64_t step;
    const float *b;      /* NULL, or [columns] */
    const float *behind; /* NULL, or as `to` */
    int accumulate, relu;
    int stream; /* to memory, past the caches: `to` and all its rows begin at cache lines */
} tiles_target;

static void put_sums(const float *sum, int64_t sum_step, int64_t rows, int64_t columns, const tiles_target *t) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j += LANES) {
            int64_t n = min64(LANES, columns - j), at = i * t->step + j;
            vf v = load(sum + i * sum_step + j);
            if (t->b) v += load_n(t->b + j, n);
            if (t->accumulate) v += load_n(t->to + at, n);
            if (t->relu) v = vmax(set(0), v);
            if (t->behind) v = behind_relu(load_n(t->behind + at, n), v);
            if (t->stream && n == LANES)
                _mm512_stream_ps(t->to + at, (__m512)v);
            else
                store_n(t->to + at, v, n);
        }
}

/* Whole tiles of sums go to their place; others by way of `room`, [32][32]. */
static void multiply_and_put(tile_product *p, int64_t rows, int64_t columns, const tiles_target *t, float *room) {
    if (rows % TILE == 0 && columns % TILE == 0 && !t->b && !t->behind && !t->relu && !t->stream) {
        p->sum = t->to;
        p->sum_step = t->step;
        p->accumulate = t->accumulate;
        multiply_tiles(p, rows, columns);
        return;
    }
    p->sum = room;
    p->sum_step = WIDE;
    p->accumulate = 0;
    multiply_tiles(p, rows, columns);
    put_sums(room, WIDE, rows, columns, t);
}
