/* conv_tiles_dw.c - weight gradients of convolution on the CPU's matrix tiles, stride 1.
 *
 * dw[tap][c][f] sums x[pixel + tap][c] * dy[pixel][f] over the pixels of a band, numbered as in dy: without padding,
 * but for a column of zeros where the width is odd. dy is turned into rows f whose pixels stand side by side. x stands
 * in pairs of pixels, once for each filter column, with zeros for what is not in the image, so that a filter row is a
 * distance in whole rows. Sums are [f][c].
 *
 * Both are split just before tiles meet them, while they are near, and what is split next is asked for in between.
 */

#define DW_BAND   (768 * 1024) /* bytes that what is split of a band should stay under */
#define DW_CHUNKS 4            /* summed before a tile moves on: dy's part stays in L1 while all of x passes */

/* How dw is cut: bands of output rows, images whose chunks are summed together, and how what is split of them lies. */
typedef struct {
    int64_t bands, images;
    int64_t wide, chunks;          /* pixels of a row, and chunks of pixels of a band at most */
    int64_t dy_step;               /* numbers from one f of dy to the next */
    int64_t x_rows, x_plane;       /* rows of x in a band; numbers of 16 channels of all images, h or l */
    int64_t in_blocks, out_blocks; /* tiles of channels */
} conv_tiles_dw_cut;

static conv_tiles_dw_cut cut_conv_tiles_dw(const cnn_window *g) {
    conv_tiles_dw_cut cut = {.wide = round_up(g->out_w, 2), .images = 1};
    int64_t pixel_bytes = (g->in_c * g->k_w + g->out_c) * 2 * (int64_t)sizeof(bf16);
    cut.bands = max64(1, min64(ceil_div(g->out_h * cut.wide * pixel_bytes, DW_BAND), g->out_h));
    cut.chunks = ceil_div(ceil_div(g->out_h, cut.bands) * cut.wide, SPLIT_RUN);
    if (cut.bands == 1) cut.images = max64(1, 2 * DW_CHUNKS / cut.chunks);
    cut.dy_step = (cut.images * cut.chunks | 1) * SPLIT_RUN; /* odd, lest rows take each other's places in the cache */
    cut.x_rows = ceil_div(cut.chunks * SPLIT_RUN, cut.wide) + (g->k_h - 1) * g->dilation_h;
    cut.x_plane = cut.images * cut.x_rows * cut.wide * TILE;
    cut.in_blocks = ceil_div(g->in_c, TILE);
    cut.out_blocks = round_up(ceil_div(g->out_c, TILE), 2);
    return cut;
}

INLINE int64_t gradient_pairs(const cnn_window *g, const conv_tiles_dw_cut *cut) {
    return ceil_div(cut->in_blocks * g->k_h * g->k_w, 2);
}

KERNEL_WORK(conv2d_tiles_dw) {
    const cnn_window *g = &a->window;
    conv_tiles_dw_cut cut = cut_conv_tiles_dw(g);
    int64_t numbers = 2 * cut.out_blocks * TILE * cut.dy_step + 2 * g->k_w * cut.in_blocks * cut.x_plane;
    size_t sums = (size_t)(cut.out_blocks / 2 * gradient_pairs(g, &cut)) * WIDE * WIDE * sizeof(float);
    size_t room = 2 * (size_t)round_up(cut.images * cut.chunks, 8) * sizeof(int64_t) + (size_t)numbers * sizeof(bf16) +
                  (size_t)round_up(g->out_c, LANES) * sizeof(float);
    return (cnn_work){g->batch, a->images_per_slot, 1, room, sums, (int32_t)cut.images};
}

/* ---- splitting ------------------------------------------------------------------------------------------------ */

/* How a row of x is laid out: the pairs of filter column kx, which meets pixels kx * dilation - left and on, stand at
 * to + kx * column, and their l `plane` behind. */
typedef struct {
    bf16 *to;
    int64_t column, plane, pairs;
} pairs_of_row;

/* The pair of pixels i and i + 1, of which i is odd or not, for every filter column that has it. */
INLINE void store_pair(const pairs_of_row *r, const vu h[2], const vu l[2], int64_t i, const int odd, const int k_w,
                       const int64_t dilation) {
    __m512i high = (__m512i)((h[0] >> 16) | h[1]), low = (__m512i)((l[0] >> 16) | (l[1] & 0xffff0000u));
    UNROLL
    for (int kx = 0; kx < k_w; kx++) {
        int64_t pair = (i - kx * dilation) >> 1;
        if ((kx * dilation + odd) % 2 || pair < 0 || pair >= r->pairs) continue;
        bf16 *to = r->to + kx * r->column + pair * WIDE;
        _mm512_storeu_si512(to, high);
        _mm512_storeu_si512(to + r->plane, low);
    }
}

/* Splits 16 or fewer channels of a row of x. */
INLINE void split_x_row_of(const cnn_window *g, const float *row, int64_t width, const pairs_of_row *r, const int k_w,
                           const int64_t dilation) {
    vu h[3] = {0}, l[3] = {0};
    for (int64_t i = 0; i < 2 * r->pairs + (k_w - 1) * dilation; i += 2) {
        h[0] = h[2];
        l[0] = l[2];
        UNROLL
        for (int k = 0; k < 2; k++) {
            int64_t at = i + k - g->pad_left;
            vf x = at >= 0 && at < g->in_w ? load_n(row + at * g->in_c, width) : set(0), x_h = rounded(x);
            h[k + 1] = (vu)x_h;
            l[k + 1] = (vu)(x - x_h) + 0x8000u;
        }
        store_pair(r, h, l, i - 1, 1, k_w, dilation);
        store_pair(r, h + 1, l + 1, i, 0, k_w, dilation);
    }
}

/* Lays out row y of an image: to[kx][c / 16][h and l][pair][16], zeros where there is no such row. */
static void split_x_row(const cnn_window *g, const conv_tiles_dw_cut *cut, const float *image, int64_t y, bf16 *to) {
    int64_t pairs = cut->wide / 2;
    for (int64_t c = 0; c < cut->in_blocks; c++, to += 2 * cut->x_plane) {
        pairs_of_row r = {to, cut->in_blocks * 2 * cut->x_plane, cut->x_plane, pairs};
        const float *row = image + y * g->in_w * g->in_c + c * TILE;
        int64_t width = min64(TILE, g->in_c - c * TILE);
        if (y < 0 || y >= g->in_h)
            for (int64_t kx = 0; kx < g->k_w; kx++)
                for (int64_t l = 0; l < 2; l++)
                    memset(to + kx * r.column + l * r.plane, 0, (size_t)(pairs * WIDE) * sizeof(bf16));
        else if (g->k_w == 3 && g->dilation_w == 1)
            split_x_row_of(g, row, width, &r, 3, 1);
        else if (g->k_w == 1)
            split_x_row_of(g, row, width, &r, 1, 1);
        else
            split_x_row_of(g, row, width, &r, (int)g->k_w, g->dilation_w);
    }
}

/* Where the 32 pixels from `p` on of a band of dy are, or `zeros`. */
static void pixels_of_band(const cnn_window *g, const conv_tiles_dw_cut *cut, const float *dy, int64_t rows, int64_t p,
                           const float *zeros, const float **pixel) {
    int64_t y = p / cut->wide, x = p % cut->wide;
    const float *from = dy + (y * g->out_w + x) * g->out_c;
    for (int64_t i = 0; i < SPLIT_RUN; i++) {
        int inside = x < g->out_w && y < rows;
        pixel[i] = inside ? from : zeros;
        from += inside ? g->out_c : 0;
        if (++x == cut->wide) x = 0, y++;
    }
}

/* A thread's scratch: the chunks of a band, split. */
typedef struct {
    int64_t *row_at, *column_at; /* where chunk t is in each row of dy, and in each plane of x */
    bf16 *h, *l, *x;
    float *zeros;
} split_chunks;

static split_chunks cut_scratch(const cnn_window *g, const conv_tiles_dw_cut *cut, void *scratch) {
    int64_t chunks = cut->images * cut->chunks, plane = cut->out_blocks * TILE * cut->dy_step;
    split_chunks to = {.row_at = scratch};
    to.column_at = to.row_at + round_up(chunks, 8);
    to.h = (bf16 *)(to.column_at + round_up(chunks, 8));
    to.l = to.h + plane;
    to.x = to.l + plane;
    to.zeros = (float *)(to.x + 2 * g->k_w * cut->in_blocks * cut->x_plane);
    memset(to.zeros, 0, (size_t)g->out_c * sizeof(float));
    chunks_in_order(chunks, SPLIT_RUN, to.row_at);
    for (int64_t t = 0; t < chunks; t++)
        to.column_at[t] = (t / cut->chunks * cut->x_rows * cut->wide + t % cut->chunks * SPLIT_RUN) * TILE;
    return to;
}

/* A band of output rows of some images that are summed together. */
typedef struct {
    const float *x, *dy; /* the first image */
    int64_t row, rows;   /* the band's */
    float *db;
} gradient_band;

/* Splits 32 pixels of dy, turned: h[f][pixel], l[f][pixel]; db[f] += their sum. */
static void split_dy_chunk(const cnn_window *g, const conv_tiles_dw_cut *cut, const float *dy, int64_t rows, int64_t p,
                           const float *zeros, bf16 *h, bf16 *l, float *db) {
    const float *pixel[SPLIT_RUN];
    pixels_of_band(g, cut, dy, rows, p, zeros, pixel);
    for (int64_t f = 0; f < g->out_c; f += TILE)
        split_pixels_turned(pixel, f, min64(TILE, g->out_c - f), h + f * cut->dy_step, l + f * cut->dy_step,
                            cut->dy_step, db + f);
}

/* Rows of x in a band that its first p pixels of dy meet. */
INLINE int64_t rows_met(const cnn_window *g, const conv_tiles_dw_cut *cut, int64_t p) {
    return p ? min64(cut->x_rows, ceil_div(p, cut->wide) + (g->k_h - 1) * g->dilation_h) : 0;
}

/* Splits chunk t: 32 pixels of dy, and the rows of x that no chunk of the image met before. */
static void split_chunk(const cnn_window *g, const conv_tiles_dw_cut *cut, const gradient_band *band, int64_t t,
                        const split_chunks *to) {
    int64_t n = t / cut->chunks, p = t % cut->chunks * SPLIT_RUN, last = band->rows + (g->k_h - 1) * g->dilation_h;
    const float *image = band->x + n * g->in_h * g->in_w * g->in_c;
    split_dy_chunk(g, cut, band->dy + (n * g->out_h + band->row) * g->out_w * g->out_c, band->rows, p, to->zeros,
                   to->h + t * SPLIT_RUN, to->l + t * SPLIT_RUN, band->db);
    for (int64_t y = rows_met(g, cut, p); y < rows_met(g, cut, p + SPLIT_RUN); y++)
        split_x_row(g, cut, image, y < last ? band->row - g->pad_top + y : -1,
                    to->x + (n * cut->x_rows + y) * cut->wide * TILE);
}

/* What `chunks` chunks after chunk t will read of x and dy. */
static void lines_after(const cnn_window *g, const conv_tiles_dw_cut *cut, const gradient_band *band, int64_t t,
                        int64_t chunks, coming next[2]) {
    int64_t n = t / cut->chunks, p = (t % cut->chunks + 1) * SPLIT_RUN;
    int64_t y = min64(max64(0, band->row - g->pad_top + rows_met(g, cut, p)), g->in_h);
    int64_t pixel = (n * g->out_h + band->row) * g->out_w + min64(p, band->rows * g->out_w);
    next[0] = lines_from(band->x + (n * g->in_h + y) * g->in_w * g->in_c, chunks * SPLIT_RUN * g->in_c);
    next[1] = lines_from(band->dy + pixel * g->out_c, chunks * SPLIT_RUN * g->out_c);
}

/* ---- products ------------------------------------------------------------------------------------------------- */

/* sums[f / 32][column / 2][32][2][16 c] (+)= the products of chunks [begin, end); a column is 16 channels of a
 * tap, those of a filter column after one another: they meet what is in L1. */
static void multiply_gradient_tiles(const cnn_window *g, const conv_tiles_dw_cut *cut, const split_chunks *parts,
                                    int64_t begin, int64_t end, float *sums, int accumulate, coming next[2]) {
    int64_t taps = g->k_h * g->k_w, columns = cut->in_blocks * taps;
    for (int i = 0; i < 2; i++) spread(&next[i], cut->out_blocks / 2 * gradient_pairs(g, cut));
    for (int64_t f = 0; f < cut->out_blocks; f += 2) {
        const bf16 *h = parts->h + f * TILE * cut->dy_step, *l = parts->l + f * TILE * cut->dy_step;
        for (int64_t j = 0; j < columns; j += 2, sums += WIDE * WIDE) {
            const bf16 *from[2];
            for (int64_t i = 0; i < 2; i++) {
                int64_t kx = (j + i) % taps / g->k_h, ky = (j + i) % taps % g->k_h;
                from[i] = parts->x + (kx * cut->in_blocks + (j + i) / taps) * 2 * cut->x_plane +
                          ky * g->dilation_h * cut->wide * TILE;
            }
            tile_product product = {.h = {h, h + TILE * cut->dy_step},
                                    .l = {l, l + TILE * cut->dy_step},
                                    .columns = {from[0], from[1]},
                                    .row_bytes = cut->dy_step * (int64_t)sizeof(bf16),
                                    .low = cut->x_plane,
                                    .row_at = parts->row_at + begin,
                                    .column_at = parts->column_at + begin,
                                    .chunks = end - begin,
                                    .sum = sums,
                                    .sum_step = WIDE,
                                    .accumulate = accumulate};
            ask(&next[0]);
            ask(&next[1]);
            multiply_tiles(&product, g->out_c - f * TILE, (columns - j) * TILE);
        }
    }
}

/* dw[tap][c][f] from sums. */
static void write_gradients(const cnn_window *g, const conv_tiles_dw_cut *cut, const float *sums, float *dw) {
    int64_t taps = g->k_h * g->k_w, columns = cut->in_blocks * taps;
    for (int64_t f = 0; f < g->out_c; f += TILE)
        for (int64_t j = 0; j < columns; j++) {
            const float *from =
                sums + ((f / WIDE * gradient_pairs(g, cut) + j / 2) * WIDE + f % WIDE) * WIDE + j % 2 * TILE;
            int64_t c0 = j / taps * TILE, n = min64(TILE, g->out_c - f);
            int64_t tap = j % taps % g->k_h * g->k_w + j % taps / g->k_h;
            float turned[TILE][TILE];
            __m512i rows[TILE];
            for (int i = 0; i < TILE; i++) rows[i] = _mm512_loadu_si512(from + i * WIDE);
            transpose_pairs(rows, turned, sizeof turned[0]);
            for (int64_t c = c0; c < min64(c0 + TILE, g->in_c); c++)
                store_n(dw + (tap * g->in_c + c) * g->out_c + f, load(turned[c - c0]), n);
        }
}

/* sums (+)= the products of a band of `images` images, DW_CHUNKS chunks or fewer at a time. */
static void sum_band(const cnn_window *g, const conv_tiles_dw_cut *cut, const gradient_band *band, int64_t images,
                     const split_chunks *parts, float *sums, int accumulate) {
    int64_t chunks = images * cut->chunks, some = ceil_div(chunks, ceil_div(chunks, DW_CHUNKS));
    for (int64_t s = 0; s < chunks; s += some) {
        int64_t end = min64(chunks, s + some);
        coming next[2];
        for (int64_t t = s; t < end; t++) split_chunk(g, cut, band, t, parts);
        lines_after(g, cut, band, end - 1, some, next);
        multiply_gradient_tiles(g, cut, parts, s, end, sums, accumulate || s > 0, next);
    }
}

KERNEL_RUN(conv2d_tiles_dw) {
    const cnn_window *g = &a->window;
    conv_tiles_dw_cut cut = cut_conv_tiles_dw(g);
    int64_t dw_size = g->k_h * g->k_w * g->in_c * g->out_c;
    split_chunks parts = cut_scratch(g, &cut, scratch);
    float *sums = state;
    tiles_begin();
    for (int64_t n0 = begin, n1; n0 < end; n0 = n1) { /* images of one slot that are summed together */
        int64_t slot = n0 / a->images_per_slot, last = min64((slot + 1) * a->images_per_slot, g->batch);
        int first = n0 % a->images_per_slot == 0;
        float *partial = a->partial + slot * (dw_size + g->out_c), *db = partial + dw_size;
        n1 = min64(min64(n0 + cut.images, last), end);
        if (first) memset(db, 0, (size_t)g->out_c * sizeof(float));
        for (int64_t i = 0; i < cut.bands; i++) {
            int64_t row = tile_begin(g->out_h, cut.bands, i), next = tile_begin(g->out_h, cut.bands, i + 1);
            gradient_band band = {a->x + n0 * g->in_h * g->in_w * g->in_c, a->dy + n0 * g->out_h * g->out_w * g->out_c,
                                  row, next - row, db};
            sum_band(g, &cut, &band, n1 - n0, &parts, sums, !first || i > 0);
        }
        if (n1 == last) write_gradients(g, &cut, sums, partial);
    }
    tiles_end();
}
