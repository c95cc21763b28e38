/* conv_tiles.c - convolution forward and dx on the CPU's matrix tiles.
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
