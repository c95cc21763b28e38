/* conv_tiles.c - convolution forward, dx and dw on the CPU's matrix tiles.
 *
 * A band of padded pixels is split once into planes of bfloat16. A pixel's operand for a filter row is then one run of
 * k_w * in_c numbers, as in conv2d.c, and a tile's 16 rows are 16 pixels at a fixed distance. Where the stride is 1
 * these may run over the end of a row: what they compute for the padding between rows is not stored.
 */

#define SPLIT_BAND    (512 * 1024) /* bytes that a split band should stay under */
#define SMALL_PRODUCT 64           /* products of tiles that are not worth a second thread */
#define SPLIT_HEAD    64           /* bytes of scratch before what it holds */
#define SPLIT_COLUMNS (512 * 1024) /* bytes of filters that are used on a whole band before the next ones */

/* Chunks of a filter row. */
INLINE int64_t run_chunks(int64_t k_w, int64_t channels) { return ceil_div(k_w * channels, SPLIT_RUN); }

/* Where channels are so few that filter rows leave chunks half empty, the k_h rows under an output row are folded into
 * one, of k_w pixels of k_h * channels numbers: whether that at least halves the chunks. */
INLINE int folds(int64_t k_h, int64_t k_w, int64_t channels) {
    return 2 * run_chunks(k_w, k_h * channels) <= k_h * run_chunks(k_w, channels);
}

/* The convolution that is left when rows are folded. */
static cnn_window folded(const cnn_window *window) {
    cnn_window g = *window;
    if (!folds(g.k_h, g.k_w, g.in_c)) return g;
    g.in_c *= g.k_h;
    g.in_h = g.out_h;
    g.k_h = g.stride_h = 1;
    g.pad_top = 0;
    return g;
}

/* ---- filters -------------------------------------------------------------------------------------------------- */

KERNEL_WORK(conv2d_tiles_pack) { return (cnn_work){ceil_div(a->transpose ? a->in_c : a->out_c, TILE), 1, 0, 0}; }

/* One tile of the adjoint's filters: elements [j, j + 32) of the run (kx, f) of filter row ky, channels c0 and on. */
static void split_turned_filters(const cnn_conv2d_tiles_pack_args *a, int64_t ky, int64_t j, int64_t c0, bf16 *to) {
    int64_t run = a->k_w * a->out_c, width = min64(TILE, a->in_c - c0), kx = j / a->out_c, f = j % a->out_c;
    if (a->out_c % SPLIT_RUN == 0) {
        int64_t tap = (a->k_h - 1 - ky) * a->k_w + a->k_w - 1 - kx;
        split_columns_turned(a->w + (tap * a->in_c + c0) * a->out_c + f, a->out_c, SPLIT_RUN, width, to);
        return;
    }
    float rows[SPLIT_RUN][TILE];
    int64_t n = min64(SPLIT_RUN, run - j);
    for (int64_t i = 0; i < n; i++) {
        int64_t tap = (a->k_h - 1 - ky) * a->k_w + a->k_w - 1 - kx;
        const float *from = a->w + (tap * a->in_c + c0) * a->out_c + f;
        for (int64_t c = 0; c < width; c++) rows[i][c] = from[c * a->out_c];
        if (++f == a->out_c) f = 0, kx++;
    }
    split_columns(rows[0], TILE, n, width, to);
}

/* One tile of folded filters: elements [j, j + 32) of the run (kx, ky, channel), columns f0 and on. */
static void split_folded_filters(const cnn_conv2d_tiles_pack_args *a, int64_t j, int64_t f0, bf16 *to) {
    int64_t depth = a->transpose ? a->out_c : a->in_c, taps = a->k_h * a->k_w;
    int64_t n = min64(SPLIT_RUN, taps * depth - j), width = min64(TILE, (a->transpose ? a->in_c : a->out_c) - f0);
    float rows[SPLIT_RUN][TILE];
    for (int64_t i = 0; i < n; i++) {
        int64_t kx = (j + i) / depth / a->k_h, ky = (j + i) / depth % a->k_h, c = (j + i) % depth;
        int64_t tap = ky * a->k_w + kx;
        for (int64_t f = 0; f < width; f++)
            rows[i][f] = a->transpose ? a->w[((taps - 1 - tap) * a->in_c + f0 + f) * a->out_c + c]
                                      : a->w[(tap * a->in_c + c) * a->out_c + f0 + f];
    }
    split_columns(rows[0], TILE, n, width, to);
}

KERNEL_RUN(conv2d_tiles_pack) {
    int64_t depth = a->transpose ? a->out_c : a->in_c, columns = a->transpose ? a->in_c : a->out_c;
    int64_t run = a->k_w * depth, chunks = run_chunks(a->k_w, depth);
    for (int64_t block = begin; block < end; block++) {
        int64_t f0 = block * TILE, width = min64(TILE, columns - f0);
        if (folds(a->k_h, a->k_w, depth)) {
            int64_t folded_chunks = run_chunks(a->k_w, a->k_h * depth);
            for (int64_t s = 0; s < folded_chunks; s++)
                split_folded_filters(a, s * SPLIT_RUN, f0,
                                     (bf16 *)a->packed + (block * folded_chunks + s) * SPLIT_PAIR);
            continue;
        }
        bf16 *to = (bf16 *)a->packed + block * a->k_h * chunks * SPLIT_PAIR;
        for (int64_t ky = 0; ky < a->k_h; ky++)
            for (int64_t j = 0; j < run; j += SPLIT_RUN, to += SPLIT_PAIR) {
                if (a->transpose)
                    split_turned_filters(a, ky, j, f0, to);
                else
                    split_columns(a->w + (ky * run + j) * columns + f0, columns, min64(SPLIT_RUN, run - j), width, to);
            }
    }
}

/* ---- forward, and dx ------------------------------------------------------------------------------------------ */

/* How a call is cut: bands of rows of an image, and groups of tiles of output channels where bands are too few. */
typedef struct {
    int64_t bands, groups, rows; /* rows of output in a band, at most */
    int64_t row_step, plane;     /* numbers from one padded row to the next, and of a plane */
    int64_t blocks;              /* tiles of output channels */
    int by_row;                  /* whether tiles of pixels end with their row */
} conv_tiles_cut;

static conv_tiles_cut cut_conv_tiles(const cnn_window *g) {
    conv_tiles_cut cut = {.row_step = columns_under(g) * g->in_c, .blocks = ceil_div(g->out_c, TILE)};
    int64_t row_bytes = cut.row_step * g->stride_h * 2 * (int64_t)sizeof(bf16);
    cut.bands = max64(1, min64(ceil_div(g->out_h * row_bytes, SPLIT_BAND), g->out_h));
    int64_t tasks = max64(1, g->batch) * cut.bands, pairs = ceil_div(cut.blocks, 2);
    cut.groups = tasks < FEWEST_TASKS ? min64(pairs, ceil_div(FEWEST_TASKS, tasks)) : 1;
    tasks *= cut.groups;
    if (tasks < FEWEST_TASKS) { /* more bands, of some tiles each */
        int64_t most = max64(1, g->out_h * g->out_w / (8 * TILE));
        cut.bands = max64(cut.bands, min64(g->out_h, min64(most, cut.bands * ceil_div(FEWEST_TASKS, tasks))));
    }
    cut.rows = ceil_div(g->out_h, cut.bands);
    cut.plane = rows_under(g, cut.rows) * cut.row_step;
    cut.plane = round_up(cut.plane + TILE * g->stride_w * g->in_c + 2 * SPLIT_RUN, SPLIT_RUN);
    cut.by_row = g->stride_h > 1 || g->stride_w > 1 || round_up(g->out_w, TILE) < columns_under(g);
    return cut;
}

KERNEL_WORK(conv2d_tiles) {
    cnn_window g = folded(&a->window);
    conv_tiles_cut cut = cut_conv_tiles(&g);
    int64_t chunks = g.k_h * run_chunks(g.k_w, g.in_c);
    int64_t tasks = g.batch * cut.bands * cut.groups, blocks = g.batch * g.out_h * ceil_div(g.out_w, TILE) * cut.blocks;
    return (cnn_work){tasks, blocks * chunks <= SMALL_PRODUCT ? max64(1, tasks) : 1, cut.bands * cut.groups,
                      SPLIT_HEAD + 2 * WIDE * WIDE * sizeof(float) + 2 * round_up(chunks, 8) * sizeof(int64_t) +
                          2 * (size_t)cut.plane * sizeof(bf16) + (size_t)round_up(cut.row_step, LANES) * sizeof(float)};
}

/* Splits `pixels` pixels of a row as the convolution reads them. What a pixel's last run writes past its end is written
 * over by the next one. */
static void split_read(const cnn_sides *s, const channels_read *read, const float *x, int64_t pixels, int64_t c,
                       bf16 *h, bf16 *l) {
    for (int64_t p = 0; p < pixels; p++, x += s->x_step, h += c, l += c)
        for (int64_t i = 0; i < c; i += SPLIT_RUN) {
            int64_t n = min64(LANES, c - i), m = max64(0, min64(LANES, c - i - LANES));
            vf second = m ? read_vector(x, read, i + LANES, m) : set(0);
            split_run(read_vector(x, read, i, n), second, h + i, l + i);
        }
}

/* Splits the padded rows under output rows [oy0, oy0 + rows) of an image. */
static void split_band(const cnn_conv2d_tiles_args *a, int64_t n, int64_t oy0, int64_t rows, bf16 *h, bf16 *l) {
    const cnn_window *g = &a->window;
    const cnn_sides *s = &a->sides;
    const float *image = a->x + n * g->in_h * g->in_w * s->x_step + s->x_first;
    channels_read read = read_channels(s, n);
    int plain = s->x_step == g->in_c && reads_as_is(s);
    int64_t wide = columns_under(g), height = rows_under(g, rows), c = g->in_c;
    int64_t from = max64(-g->pad_left, 0), first = min64(max64(g->pad_left, 0), wide);
    int64_t last = max64(first, min64(wide, g->pad_left + g->in_w));
    for (int64_t r = 0; r < height; r++, h += wide * c, l += wide * c) {
        int64_t y = oy0 * g->stride_h - g->pad_top + r;
        if (y < 0 || y >= g->in_h) {
            memset(h, 0, (size_t)(wide * c) * sizeof(bf16));
            memset(l, 0, (size_t)(wide * c) * sizeof(bf16));
            continue;
        }
        memset(h, 0, (size_t)(first * c) * sizeof(bf16));
        memset(l, 0, (size_t)(first * c) * sizeof(bf16));
        if (plain)
            split_row(image + (y * g->in_w + from) * c, (last - first) * c, h + first * c, l + first * c);
        else
            split_read(s, &read, image + (y * g->in_w + from) * s->x_step, last - first, c, h + first * c,
                       l + first * c);
        memset(h + last * c, 0, (size_t)((wide - last) * c) * sizeof(bf16));
        memset(l + last * c, 0, (size_t)((wide - last) * c) * sizeof(bf16));
    }
    memset(h, 0, SPLIT_RUN * sizeof(bf16)); /* a run's last chunk reaches over its end: filters are 0 there */
    memset(l, 0, SPLIT_RUN * sizeof(bf16));
}

/* to[i * step + 0 .. c) = from[i * c + 0 .. c) */
INLINE void spread_pixels(const float *from, int64_t count, const int64_t c, float *to, int64_t step) {
    for (int64_t i = 0; i < count; i++)
        for (int64_t k = 0; k < c; k++) to[i * step + k] = from[i * c + k];
}

/* The same of a band whose rows are folded; `room` is for one of them. Such pixels have no more than 16 channels. */
static void split_folded_band(const cnn_conv2d_tiles_args *a, int64_t n, int64_t oy0, int64_t rows, bf16 *h, bf16 *l,
                              float *room) {
    const cnn_window *g = &a->window;
    const cnn_sides *s = &a->sides;
    const float *image = a->x + n * g->in_h * g->in_w * s->x_step + s->x_first;
    channels_read read = read_channels(s, n);
    int plain = s->x_step == g->in_c && reads_as_is(s);
    int64_t wide = columns_under(g), c = g->in_c, step = g->k_h * c, length = wide * step;
    int64_t from = max64(-g->pad_left, 0), first = min64(max64(g->pad_left, 0), wide);
    int64_t last = max64(first, min64(wide, g->pad_left + g->in_w));
    assert(c <= LANES);
    memset(room, 0, (size_t)length * sizeof(float));
    for (int64_t r = 0; r < rows; r++, h += length, l += length) {
        for (int64_t ky = 0; ky < g->k_h; ky++) {
            int64_t y = (oy0 + r) * g->stride_h - g->pad_top + ky;
            const float *row = image + (y * g->in_w + from) * s->x_step;
            float *to = room + first * step + ky * c;
            if (y < 0 || y >= g->in_h)
                for (int64_t x = first; x < last; x++, to += step) memset(to, 0, (size_t)c * sizeof(float));
            else if (!plain)
                for (int64_t x = first; x < last; x++, to += step, row += s->x_step)
                    store_n(to, read_vector(row, &read, 0, c), c);
            else if (c == 1)
                spread_pixels(row, last - first, 1, to, step);
            else if (c == 3)
                spread_pixels(row, last - first, 3, to, step);
            else
                spread_pixels(row, last - first, c, to, step);
        }
        split_row(room, length, h, l);
    }
    memset(h, 0, SPLIT_RUN * sizeof(bf16));
    memset(l, 0, SPLIT_RUN * sizeof(bf16));
}

/* Where tiles of pixels are: the first pixel of tile `i` of a band. */
typedef struct {
    int64_t y, x;
} band_pixel;

INLINE band_pixel first_pixel(const cnn_window *g, const conv_tiles_cut *cut, int64_t i) {
    int64_t width = cut->by_row ? round_up(g->out_w, TILE) : columns_under(g);
    return (band_pixel){i * TILE / width, i * TILE % width};
}

/* Lists the 16 sums of a tile that starts at pixel `p` of a band of `rows` rows at y, leaving out the padding. */
static void list_pixels(const cnn_conv2d_tiles_args *a, const conv_tiles_cut *cut, band_pixel p, int64_t rows,
                        const float *sum, float *y, sums_to_put *put) {
    const cnn_window *g = &a->window;
    int64_t wide = cut->by_row ? round_up(g->out_w, TILE) : columns_under(g), n = put->rows, step = a->sides.y_step;
    for (int64_t i = 0; i < TILE && p.y < rows; i += wide - p.x, p = (band_pixel){p.y + 1, 0}) {
        float *to = y + (p.y * g->out_w + p.x) * step;
        for (int64_t j = 0; j < min64(TILE - i, g->out_w - p.x); j++, n++, to += step) {
            put->sum[n] = sum + (i + j) * WIDE;
            put->to[n] = to;
        }
    }
    put->rows = n;
}

KERNEL_RUN(conv2d_tiles) {
    const cnn_window *whole = &a->window, fold = folded(whole), *g = &fold;
    int folding = folds(whole->k_h, whole->k_w, whole->in_c);
    conv_tiles_cut cut = cut_conv_tiles(g);
    int64_t per_run = run_chunks(g->k_w, g->in_c), chunks = g->k_h * per_run;
    int64_t *split = scratch; /* 1 + the band that lies split in scratch, since an earlier part of this call maybe */
    float *sums = (float *)((char *)scratch + SPLIT_HEAD);
    int64_t *row_at = (int64_t *)(sums + 2 * WIDE * WIDE), *column_at = row_at + round_up(chunks, 8);
    bf16 *h = (bf16 *)(column_at + round_up(chunks, 8)), *l = h + cut.plane;
    float *room = (float *)(l + cut.plane);
    sums_to_put put[2] = {0};
    for (int i = 0; i < 2; i++) {
        put[i].behind = a->behind ? (const char *)a->behind - (const char *)a->y : 0;
        put[i].accumulate = a->accumulate;
    }
    int turn = 0;
    int64_t together = max64(2, SPLIT_COLUMNS / (chunks * SPLIT_PAIR * (int64_t)sizeof(bf16)) / 2 * 2);
    for (int64_t s = 0; s < chunks; s++) row_at[s] = s / per_run * cut.row_step + s % per_run * SPLIT_RUN;
    chunks_in_order(chunks, SPLIT_PAIR, column_at);
    tiles_begin();
    for (int64_t task = begin; task < end; task++) {
        int64_t band = task / cut.groups, n = band / cut.bands, i = band % cut.bands, pairs = ceil_div(cut.blocks, 2);
        int64_t oy0 = tile_begin(g->out_h, cut.bands, i), rows = tile_begin(g->out_h, cut.bands, i + 1) - oy0;
        if (*split != band + 1 && folding) split_folded_band(a, n, oy0, rows, h, l, room);
        if (*split != band + 1 && !folding) split_band(a, n, oy0, rows, h, l);
        *split = band + 1;
        int64_t first = 2 * tile_begin(pairs, cut.groups, task % cut.groups);
        int64_t last = min64(cut.blocks, 2 * tile_begin(pairs, cut.groups, task % cut.groups + 1));
        int64_t tiles =
            cut.by_row ? rows * ceil_div(g->out_w, TILE) : ceil_div((rows - 1) * columns_under(g) + g->out_w, TILE);
        int64_t at = (n * g->out_h + oy0) * g->out_w * a->sides.y_step + a->sides.y_first;
        for (int64_t b0 = first; b0 < last; b0 += together)
            for (int64_t tile = 0; tile < tiles; tile += 2) {
                band_pixel p[2] = {first_pixel(g, &cut, tile), first_pixel(g, &cut, tile + 1)};
                int64_t start[2], count = min64(2, tiles - tile);
                for (int j = 0; j < 2; j++)
                    start[j] = p[j].y * g->stride_h * cut.row_step + p[j].x * g->stride_w * g->in_c;
                for (int64_t b = b0; b < min64(last, b0 + together); b += 2) {
                    int64_t f = b * TILE, width = min64(WIDE, min64(last * TILE, g->out_c) - f);
                    const bf16 *columns = (const bf16 *)a->packed + b * chunks * SPLIT_PAIR;
                    tile_product product = {.h = {h + start[0], h + start[1]},
                                            .l = {l + start[0], l + start[1]},
                                            .columns = {columns, columns + chunks * SPLIT_PAIR},
                                            .row_bytes = g->stride_w * g->in_c * (int64_t)sizeof(bf16),
                                            .low = TILE_UNITS,
                                            .row_at = row_at,
                                            .column_at = column_at,
                                            .chunks = chunks,
                                            .sum = sums + turn * WIDE * WIDE,
                                            .sum_step = WIDE,
                                            .meanwhile = &put[!turn],
                                            .puts = ceil_div(put[!turn].rows, chunks)};
                    multiply_tiles(&product, count * TILE, width);
                    begin_put(&put[turn], a->b ? a->b + f : NULL, width, a->activation);
                    for (int64_t j = 0; j < count; j++)
                        list_pixels(a, &cut, p[j], rows, product.sum + j * TILE * WIDE, a->y + at + f, &put[turn]);
                    turn = !turn;
                }
            }
    }
    put_rows(&put[!turn], WIDE);
    tiles_end();
}

/* ---- dw, stride 1 --------------------------------------------------------------------------------------------- */

/* dw[tap][c][f] sums x[pixel + tap][c] * dy[pixel][f] over the pixels of the padded band, dy having zeros for the
 * padding. dy is turned into rows f whose pixels stand side by side; x stands in pairs of pixels, for even taps and
 * once more from the second pixel on for odd ones, so that a tap is a distance in whole pairs. Sums are [f][c]. */

#define DW_CHUNKS 4 /* summed before a tile moves on: dy's part stays in L1 while all of x passes */

/* How dw is cut: bands of output rows, images that are split together, and pixels of a band in whole chunks. */
typedef struct {
    int64_t bands, images, wide, chunks; /* chunks of a band, at most */
    int64_t row_step;                    /* numbers from one f of dy to the next */
    int64_t phases, pairs;         /* 2 where there are odd taps; pairs of pixels of a band of x, in whole chunks */
    int64_t x_step;                /* numbers of 16 channels of x in one phase, h or l */
    int64_t in_blocks, out_blocks; /* tiles of channels */
} conv_tiles_dw_cut;

static conv_tiles_dw_cut cut_conv_tiles_dw(const cnn_window *g) {
    conv_tiles_dw_cut cut = {.wide = columns_under(g), .images = 1, .phases = g->k_h * g->k_w > 1 ? 2 : 1};
    int64_t pixel_bytes = (g->in_c * cut.phases + g->out_c) * 2 * (int64_t)sizeof(bf16);
    cut.bands = max64(1, min64(ceil_div(g->out_h * cut.wide * pixel_bytes, SPLIT_BAND), g->out_h));
    cut.chunks = ceil_div(ceil_div(g->out_h, cut.bands) * cut.wide, SPLIT_RUN);
    if (cut.bands == 1) cut.images = max64(1, 2 * DW_CHUNKS / cut.chunks);
    int64_t reach = (g->k_h - 1) * cut.wide + g->k_w - 1;
    cut.row_step = cut.images * cut.chunks * SPLIT_RUN + SPLIT_RUN;
    cut.pairs = round_up(cut.chunks * SPLIT_RUN + reach, SPLIT_RUN) / 2;
    cut.x_step = cut.images * cut.pairs * WIDE;
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
    int64_t numbers = 2 * cut.out_blocks * TILE * cut.row_step + 2 * cut.phases * cut.in_blocks * cut.x_step;
    size_t sums = (size_t)(cut.out_blocks / 2 * gradient_pairs(g, &cut)) * WIDE * WIDE * sizeof(float);
    return (cnn_work){g->batch,
                      a->images_per_slot,
                      1,
                      2 * round_up(cut.images * cut.chunks, 8) * sizeof(int64_t) + (size_t)numbers * sizeof(bf16) +
                          (size_t)round_up(max64(g->in_c, g->out_c), LANES) * sizeof(float),
                      sums,
                      1};
}

/* `count` pixels from `p` on of a band that is `wide` pixels across, the image's pixel (y, x) lying at (top + y, left +
 * x) of it: where the channels of each are, or `zeros`. */
static void pixels_of_band(const float *image, int64_t height, int64_t width, int64_t channels, int64_t top,
                           int64_t left, int64_t wide, int64_t p, int64_t count, const float *zeros,
                           const float **row) {
    int64_t y = p / wide - top, x = p % wide - left;
    for (int64_t i = 0; i < count; i++) {
        row[i] = y >= 0 && y < height && x >= 0 && x < width ? image + (y * width + x) * channels : zeros;
        if (++x == wide - left) x = -left, y++;
    }
}

/* Splits a band of x into pairs: [phase][c / 16][h and l][pair][16]. */
static void split_band_pairs(const cnn_window *g, const conv_tiles_dw_cut *cut, const float *image, int64_t top,
                             const float *zeros, bf16 *to) {
    const float *row[SPLIT_RUN + 1];
    int64_t phase = cut->in_blocks * 2 * cut->x_step;
    for (int64_t p = 0; p < 2 * cut->pairs; p += SPLIT_RUN) {
        pixels_of_band(image, g->in_h, g->in_w, g->in_c, top, g->pad_left, cut->wide, p, SPLIT_RUN + 1, zeros, row);
        for (int64_t c = 0; c < g->in_c; c += TILE) {
            bf16 *even = to + c / TILE * 2 * cut->x_step + p * TILE, *odd = even + phase;
            split_pixels(row, c, min64(TILE, g->in_c - c), (bf16 *const[]){even, odd},
                         (bf16 *const[]){even + cut->x_step, odd + cut->x_step}, cut->phases);
        }
    }
}

/* Splits a band of dy, turned: h[f][pixel], l[f][pixel]; db[f] += its sum. */
static void split_gradients(const cnn_window *g, const conv_tiles_dw_cut *cut, const float *dy, int64_t rows,
                            const float *zeros, bf16 *h, bf16 *l, float *db) {
    const float *row[SPLIT_RUN];
    for (int64_t p = 0; p < cut->chunks * SPLIT_RUN; p += SPLIT_RUN) {
        pixels_of_band(dy, rows, g->out_w, g->out_c, 0, 0, cut->wide, p, SPLIT_RUN, zeros, row);
        for (int64_t f = 0; f < g->out_c; f += TILE)
            split_pixels_turned(row, f, min64(TILE, g->out_c - f), h + f * cut->row_step + p, l + f * cut->row_step + p,
                                cut->row_step, db + f);
    }
}

/* sums[f / 32][column / 2][32][2][16 c] (+)= the products of `chunks` chunks; a column is 16 channels of a tap. */
static void multiply_gradient_tiles(const cnn_window *g, const conv_tiles_dw_cut *cut, const bf16 *h, const bf16 *l,
                                    const bf16 *x, const int64_t *row_at, const int64_t *column_at, int64_t chunks,
                                    float *sums, int accumulate) {
    int64_t taps = g->k_h * g->k_w, columns = cut->in_blocks * taps;
    int64_t some = ceil_div(chunks, ceil_div(chunks, DW_CHUNKS));
    for (int64_t s = 0; s < chunks; s += some, accumulate = 1) {
        float *sum = sums;
        for (int64_t f = 0; f < cut->out_blocks; f += 2) {
            const bf16 *of_h = h + f * TILE * cut->row_step, *of_l = l + f * TILE * cut->row_step;
            for (int64_t j = 0; j < columns; j += 2, sum += WIDE * WIDE) {
                const bf16 *from[2];
                for (int64_t i = 0; i < 2; i++) {
                    int64_t tap = (j + i) % taps, move = tap / g->k_w * cut->wide + tap % g->k_w;
                    from[i] = x + (move % 2 * cut->in_blocks + (j + i) / taps) * 2 * cut->x_step + move / 2 * WIDE;
                }
                tile_product product = {.h = {of_h, of_h + TILE * cut->row_step},
                                        .l = {of_l, of_l + TILE * cut->row_step},
                                        .columns = {from[0], from[1]},
                                        .row_bytes = cut->row_step * (int64_t)sizeof(bf16),
                                        .low = cut->x_step,
                                        .row_at = row_at + s,
                                        .column_at = column_at + s,
                                        .chunks = min64(some, chunks - s),
                                        .sum = sum,
                                        .sum_step = WIDE,
                                        .accumulate = accumulate};
                multiply_tiles(&product, g->out_c - f * TILE, (columns - j) * TILE);
            }
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
            float turned[TILE][TILE];
            __m512i rows[TILE];
            for (int i = 0; i < TILE; i++) rows[i] = _mm512_loadu_si512(from + i * WIDE);
            transpose_pairs(rows, turned, sizeof turned[0]);
            for (int64_t c = c0; c < min64(c0 + TILE, g->in_c); c++)
                store_n(dw + (j % taps * g->in_c + c) * g->out_c + f, load(turned[c - c0]), n);
        }
}

KERNEL_RUN(conv2d_tiles_dw) {
    const cnn_window *g = &a->window;
    conv_tiles_dw_cut cut = cut_conv_tiles_dw(g);
    int64_t taps = g->k_h * g->k_w, plane = cut.out_blocks * TILE * cut.row_step, all = cut.images * cut.chunks;
    int64_t *row_at = scratch, *column_at = row_at + round_up(all, 8);
    bf16 *h = (bf16 *)(column_at + round_up(all, 8)), *l = h + plane, *x = l + plane;
    float *zeros = (float *)(x + 2 * cut.phases * cut.in_blocks * cut.x_step), *sums = state;
    memset(zeros, 0, (size_t)max64(g->in_c, g->out_c) * sizeof(float));
    chunks_in_order(all, SPLIT_RUN, row_at);
    for (int64_t s = 0; s < all; s++) column_at[s] = (s / cut.chunks * cut.pairs + s % cut.chunks * TILE) * WIDE;
    tiles_begin();
    for (int64_t n0 = begin; n0 < end;) { /* images of one slot that are split together */
        int64_t slot = n0 / a->images_per_slot, last = min64((slot + 1) * a->images_per_slot, g->batch);
        int64_t n1 = min64(min64(n0 + cut.images, last), end);
        int first = n0 % a->images_per_slot == 0;
        float *partial = a->partial + slot * (taps * g->in_c + 1) * g->out_c, *db = partial + taps * g->in_c * g->out_c;
        if (first) memset(db, 0, (size_t)g->out_c * sizeof(float));
        for (int64_t i = 0; i < cut.bands; i++) {
            int64_t oy0 = tile_begin(g->out_h, cut.bands, i), rows = tile_begin(g->out_h, cut.bands, i + 1) - oy0;
            for (int64_t n = n0; n < n1; n++) {
                const float *image = a->x + n * g->in_h * g->in_w * g->in_c;
                int64_t p = (n - n0) * cut.chunks * SPLIT_RUN;
                split_band_pairs(g, &cut, image, g->pad_top - oy0, zeros, x + (n - n0) * cut.pairs * WIDE);
                split_gradients(g, &cut, a->dy + (n * g->out_h + oy0) * g->out_w * g->out_c, rows, zeros, h + p, l + p,
                                db);
            }
            multiply_gradient_tiles(g, &cut, h, l, x, row_at, column_at, (n1 - n0) * cut.chunks, sums, !first || i > 0);
        }
        if (n1 == last) write_gradients(g, &cut, sums, partial);
        n0 = n1;
    }
    tiles_end();
}
