/* sparse_rows.c - products of rows full of zeros, as a ReLU or a dropout leaves them: zeros are not multiplied.
 *
 * A block of the other operand, SPARSE_DEPTH rows of a few vectors, stays in L1 while all rows pass it. One row's sums
 * stand in registers; bits, found before, tell where the row is not zero, and each such number is multiplied by its row
 * of the block. Zero times what is not finite is NaN: where a block holds such a number, its zeros are multiplied too.
 */

#define SPARSE_VECTORS 8
#define SPARSE_COLUMNS (SPARSE_VECTORS * LANES)
#define SPARSE_DEPTH   (LANES == 16 ? 48 : 64)              /* of a block; one bit each */
#define SPARSE_SUMMED  (4 * SPARSE_DEPTH)                   /* before sums leave L2 */
#define SPARSE_MOST    round_up(CNN_DX_DEPTH, SPARSE_DEPTH) /* depth at once */
#define SPARSE_ROWS    256                                  /* at once, at most: their sums stay in L2 */
#define ACROSS         CACHE_LINE                           /* rows of a transposed operand that lie side by side */
#define SPARSE_LEAD    16                                   /* rows between what is asked for and what is read */

/* In floats: a block of rows packed across and their bits, or the bits of all blocks of rows; blocks, sums. */
#define SPARSE_ROOM_ROWS   (SPARSE_ROWS * (SPARSE_DEPTH + 2))
#define SPARSE_ROOM_BLOCKS (SPARSE_MOST * SPARSE_COLUMNS)
#define SPARSE_ROOM        (SPARSE_ROOM_ROWS + SPARSE_ROOM_BLOCKS + SPARSE_ROWS * SPARSE_COLUMNS)

_Static_assert((CNN_DX_DEPTH / SPARSE_DEPTH + 1) * 2 <= SPARSE_DEPTH + 2, "bits of all blocks have room");

/* Fewer rows do not repay packing a block for them, nor fewer columns looking for zeros. */
#define SPARSE_FEWEST_ROWS    32
#define SPARSE_FEWEST_COLUMNS (3 * LANES)

/* Of the numbers looked at, SAMPLE_ROWS times SAMPLE, so many must be zeros: as measured, a quarter or a third. */
enum { SAMPLE_ROWS = 16, SAMPLE = 64, SPARSE_ZEROS = SAMPLE_ROWS * SAMPLE / (LANES == 16 ? 4 : 3) };

/* Whether so many numbers of a[rows][depth], step apart, seem to be zeros that a product with `columns` columns is
 * faster without them. Sums are cut otherwise then, so that the answer may depend on these numbers alone. */
static int is_sparse(const float *a, int64_t step, int64_t rows, int64_t depth, int64_t columns) {
    int64_t zeros = 0;
    if (rows < SPARSE_FEWEST_ROWS || depth < SAMPLE || columns < SPARSE_FEWEST_COLUMNS) return 0;
    for (int64_t i = 0; i < SAMPLE_ROWS; i++) {
        const float *some =
            a + tile_begin(rows, SAMPLE_ROWS, i) * step + tile_begin(depth - SAMPLE, SAMPLE_ROWS - 1, i);
        for (int64_t k = 0; k < SAMPLE; k++) zeros += some[k] == 0;
    }
    return zeros >= SPARSE_ZEROS;
}

/* The columns of a block, as even as can be, that `columns` columns fall into. */
static int64_t sparse_columns(int64_t columns) {
    return round_up(ceil_div(columns, ceil_div(columns, SPARSE_COLUMNS)), LANES);
}

typedef struct {
    const float *a; /* [rows][a_step], of which `depth` numbers are multiplied; or packed across, of one block */
    int64_t a_step, rows, depth;
    int across;
    uint64_t *bits;      /* [block][rows]: where a row is not zero */
    const float *blocks; /* [depth][columns, in whole vectors] */
    uint64_t not_finite; /* one bit for each block that holds a number that is not finite */
    float *y;            /* [rows][y_step], of which `columns` are written */
    int64_t y_step, columns;
    const float *b, *behind; /* NULL, or as dense's and dense_dx's: behind stands as y */
    int accumulate, relu;
    strips strips; /* what is asked for meanwhile, SPARSE_LEAD rows ahead */
    coming then;   /* and some of these */
} sparse_product;

/* Where the first n numbers are not zero. */
INLINE uint64_t nonzeros(const float *a, int64_t n) {
    uint64_t bits = 0;
    int64_t i = 0;
    UNROLL
    for (; i + LANES <= n; i += LANES) bits |= (uint64_t)nonzero_lanes(load(a + i)) << i;
    if (i < n) bits |= (uint64_t)nonzero_lanes(load_n(a + i, n - i)) << i;
    return bits;
}

/* The bits of rows that stand along. */
static void find_nonzeros(const sparse_product *s) {
    for (int64_t r = 0; r < s->rows; r++)
        for (int64_t k = 0; k < s->depth; k += SPARSE_DEPTH) {
            int64_t depth = min64(SPARSE_DEPTH, s->depth - k);
            const float *a = s->a + r * s->a_step + k;
            s->bits[k / SPARSE_DEPTH * s->rows + r] =
                depth == SPARSE_DEPTH ? nonzeros(a, SPARSE_DEPTH) : nonzeros(a, depth);
        }
}

/* A number in all lanes. Loads of whole cache lines bound the loop below, so the number comes by an integer register,
 * whose loads are others; with shorter vectors that would take more. */
INLINE vf in_all_lanes(const float *number) {
#if LANES == 16
    int32_t bits;
    memcpy(&bits, number, sizeof bits);
    FORGET(bits);
    return (vf)(bits - (vi){0});
#else
    return set(*number);
#endif
}

/* Adds a block to the sums of row r, whose numbers stand a_step apart; the last block's sums go to y. */
INLINE void sparse_row(const sparse_product *s, const float *a, const int a_step, const float *block, uint64_t bits,
                       float *sums, int64_t r, int first, int last, const int nv) {
    float *y = s->y + r * s->y_step;
    vf acc[SPARSE_VECTORS];
    UNROLL
    for (int j = 0; j < nv; j++) acc[j] = first ? (vf){0} : load(sums + j * LANES);
    for (; bits; bits &= bits - 1) {
        int64_t k = __builtin_ctzll(bits);
        const float *row = block + k * nv * LANES;
        vf times = in_all_lanes(a + k * a_step);
        FORGET(row);
        UNROLL
        for (int j = 0; j < nv; j++) acc[j] += times * load(row + j * LANES);
    }
    if (!last) {
        UNROLL
        for (int j = 0; j < nv; j++) store(sums + j * LANES, acc[j]);
        return;
    }
    if (s->b) UNROLL
    for (int j = 0; j < nv; j++) acc[j] += start(s->b, s->columns, j);
    if (s->accumulate) UNROLL
    for (int j = 0; j < nv; j++) acc[j] += start(y, s->columns, j);
    if (s->relu) UNROLL
    for (int j = 0; j < nv; j++) acc[j] = vmax(set(0), acc[j]);
    if (s->behind) UNROLL
    for (int j = 0; j < nv; j++) acc[j] = behind_relu(start(s->behind + r * s->y_step, s->columns, j), acc[j]);
    UNROLL
    for (int j = 0; j < nv; j++) finish(y, acc[j], s->columns, j);
}

/* Multiplies all rows by a block, then by the next. */
INLINE void sparse_rows_of(sparse_product *s, float *sums, const int nv, const int across) {
    const uint64_t *bits = s->bits;
    for (int64_t d = 0; d * SPARSE_DEPTH < s->depth; d++) {
        int64_t depth = min64(SPARSE_DEPTH, s->depth - d * SPARSE_DEPTH);
        const float *a = s->a + d * SPARSE_DEPTH, *block = s->blocks + d * SPARSE_DEPTH * nv * LANES;
        int first = d == 0, last = (d + 1) * SPARSE_DEPTH >= s->depth;
        uint64_t all = s->not_finite >> d & 1 ? ~(uint64_t)0 >> (64 - depth) : 0;
        for (int64_t r = 0; r < s->rows; r++) {
            ask_strip(&s->strips);
            ask(&s->then);
            sparse_row(s, a, across ? ACROSS : 1, block, all | *bits++, sums + r * nv * LANES, r, first, last, nv);
            a += !across ? s->a_step : (r + 1) % ACROSS ? 1 : ACROSS * (SPARSE_DEPTH - 1) + 1;
        }
    }
}

/* clang-format off */
#define SPARSE(nv, where, across)                                                                    \
    static __attribute__((noinline)) void sparse_rows_##nv##where(sparse_product *s, float *sums) { \
        sparse_rows_of(s, sums, nv, across);                                                         \
    }
#define SPARSE_ALL(where, across)                                                                       \
    SPARSE(1, where, across) SPARSE(2, where, across) SPARSE(3, where, across) SPARSE(4, where, across) \
    SPARSE(5, where, across) SPARSE(6, where, across) SPARSE(7, where, across) SPARSE(8, where, across) \
    static void (*const sparse_rows##where[])(sparse_product *, float *) = {                            \
        sparse_rows_1##where, sparse_rows_2##where, sparse_rows_3##where, sparse_rows_4##where,         \
        sparse_rows_5##where, sparse_rows_6##where, sparse_rows_7##where, sparse_rows_8##where};
/* clang-format on */
_Static_assert(SPARSE_VECTORS == 8, "SPARSE_ALL lists the vectors that a block may have");
SPARSE_ALL(_along, 0)
SPARSE_ALL(_across, 1)

static void sparse_rows(sparse_product *s, float *room) {
    int64_t steps = s->rows * ceil_div(s->depth, SPARSE_DEPTH), nv = ceil_div(s->columns, LANES);
    float *sums = room + SPARSE_ROOM_ROWS + SPARSE_ROOM_BLOCKS;
    spread(&s->then, steps);
    for (int64_t i = 0; i < SPARSE_LEAD; i++) ask_strip(&s->strips);
    if (s->across)
        sparse_rows_across[nv - 1](s, sums);
    else
        sparse_rows_along[nv - 1](s, sums);
}

/* ---- packing -------------------------------------------------------------------------------------------------- */

/* One bit for each block of which a number is not finite. */
static uint64_t blocks_not_finite(const float *blocks, int64_t depth, int64_t width) {
    uint64_t bits = 0;
    for (int64_t d = 0; d * SPARSE_DEPTH < depth; d++) {
        vf sum[4] = {0}; /* of zeros */
        const float *at = blocks + d * SPARSE_DEPTH * width;
        int64_t vectors = min64(SPARSE_DEPTH, depth - d * SPARSE_DEPTH) * width / LANES;
        for (; vectors >= 4; vectors -= 4, at += 4 * LANES) UNROLL
        for (int i = 0; i < 4; i++) sum[i] += 0 * load(at + i * LANES);
        for (; vectors > 0; vectors--, at += LANES) sum[0] += 0 * load(at);
        bits |= (uint64_t)(nonzero_lanes(sum[0] + sum[1] + sum[2] + sum[3]) != 0) << d;
    }
    return bits;
}

/* Blocks of w[depth][step], of which there are `columns` columns; they need no room where that is all. */
static void pack_blocks(sparse_product *s, const float *w, int64_t step, float *blocks) {
    int64_t width = round_up(s->columns, LANES);
    s->blocks = step == width ? w : blocks;
    for (int64_t k = 0; k < s->depth && step != width; k++)
        for (int64_t u = 0; u < width; u += LANES)
            store(blocks + k * width + u, load_n(w + k * step + u, min64(LANES, s->columns - u)));
    s->not_finite = blocks_not_finite(s->blocks, s->depth, width);
}

/* The same of w[columns][step], transposed. */
static void pack_transposed_blocks(sparse_product *s, const float *w, int64_t step, float *blocks) {
    int64_t width = round_up(s->columns, LANES);
    transpose(w, step, s->depth, s->columns, blocks, width);
    s->blocks = blocks;
    s->not_finite = blocks_not_finite(blocks, s->depth, width);
}

/* column[i]: one bit for each sample whose bit i is set, of up to 64 samples of 8 columns each. */
INLINE void turn_bits(const uint8_t *sample, uint64_t *column) {
    UNROLL
    for (int i = 0; i < 8; i++) {
#if LANES == 16
        column[i] = _mm512_test_epi8_mask(_mm512_loadu_si512(sample), _mm512_set1_epi8((char)(1 << i)));
#elif LANES == 8
        __m256i low = _mm256_loadu_si256((const __m256i *)sample);
        __m256i high = _mm256_loadu_si256((const __m256i *)(sample + 32));
        column[i] = (uint32_t)_mm256_movemask_epi8(_mm256_slli_epi16(low, 7 - i)) |
                    (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_slli_epi16(high, 7 - i)) << 32;
#else
        column[i] = 0;
        for (int n = 0; n < 64; n++) column[i] |= (uint64_t)(sample[n] >> i & 1) << n;
#endif
    }
}

/* packed[row / ACROSS][depth][row % ACROSS] from a[depth][step], and the rows' bits behind it. */
static void pack_across(sparse_product *s, const float *a, int64_t step, float *packed) {
    uint64_t *bits = (uint64_t *)(packed + round_up(s->rows, ACROSS) * SPARSE_DEPTH);
    s->a = packed, s->bits = bits, s->across = 1;
    for (int64_t r = 0; r < s->rows; r += ACROSS, packed += SPARSE_DEPTH * ACROSS) {
        uint8_t sample[ACROSS / 8][64] = {0};
        for (int64_t n = 0; n < s->depth; n++) {
            uint32_t some = 0;
            UNROLL
            for (int64_t i = 0; i < ACROSS; i += LANES) {
                const float *from = a + n * step + r + i;
                int64_t left = s->rows - r - i;
                vf v = left >= LANES ? load(from) : load_n(from, max64(0, left));
                store(packed + n * ACROSS + i, v);
                some |= nonzero_lanes(v) << i;
            }
            sample[0][n] = (uint8_t)some;
            sample[1][n] = (uint8_t)(some >> 8);
        }
        turn_bits(sample[0], bits + r);
        turn_bits(sample[1], bits + r + 8);
    }
}
