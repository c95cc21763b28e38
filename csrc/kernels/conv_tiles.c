/* conv_tiles.c - convolution forward, dx and dw on the CPU's matrix tiles.
 *
 * A band of padded pixels is split once into planes of bfloat16. A pixel's operand for a filter row is then one run of
 * k_w * in_c numbers, as in conv2d.c, and a tile's 16 rows are 16 pixels at a fixed distance. Where the stride is 1
 * these may run over the end of a row: what they compute for the padding between rows is not stored.
 */

#define SPLIT_BAND    (512 * 1024) /* bytes that a split band should stay under */
#define SPLIT_COLUMNS (512 * 1024) /* bytes of filters that are used on a whole band before the next ones */

/* Chunks of a filter row. */
INLINE int64_t run_chunks(int64_t k_w, int64_t channels) { return ceil_div(k_w * channels, SPLIT_RUN); }

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

KERNEL_RUN(conv2d_tiles_pack) {
    int64_t depth = a->transpose ? a->out_c : a->in_c, columns = a->transpose ? a->in_c : a->out_c;
    int64_t run = a->k_w * depth, chunks = run_chunks(a->k_w, depth);
    for (int64_t block = begin; block < end; block++) {
        int64_t f0 = block * TILE, width = min64(TILE, columns - f0);
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
    conv_tiles_cut cut = cut_conv_tiles(&a->window);
    int64_t chunks = a->window.k_h * run_chunks(a->window.k_w, a->window.in_c);
    return (cnn_work){
        a->window.batch * cut.bands * cut.groups, 1, cut.bands * cut.groups,
        WIDE * WIDE * sizeof(float) + round_up(chunks, 8) * sizeof(int64_t) + 2 * (size_t)cut.plane * sizeof(bf16)};
}

/* Splits the padded rows under output rows [oy0, oy0 + rows) of an image. */
static void split_band(const cnn_window *g, const float *image, int64_t oy0, int64_t rows, bf16 *h, bf16 *l) {
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
        split_row(image + (y * g->in_w + from) * c, (last - first) * c, h + first * c, l + first * c);
        memset(h + last * c, 0, (size_t)((wide - last) * c) * sizeof(bf16));
        memset(l + last * c, 0, (size_t)((wide - last) * c) * sizeof(bf16));
    }
    memset(h, 0, SPLIT_RUN * sizeof(bf16)); /* a run's last chunk reaches over its end: filters are 0 there */
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

/* Stores the 16 sums of a tile that starts at pixel `p` of a band of `rows` rows, leaving out the padding. */
static void put_pixels(const cnn_window *g, const conv_tiles_cut *cut, band_pixel p, int64_t rows, const float *sum,
                       int64_t width, const tiles_target *band) {
    int64_t wide = cut->by_row ? round_up(g->out_w, TILE) : columns_under(g);
    for (int64_t i = 0; i < TILE && p.y < rows;) {
        int64_t n = min64(TILE - i, g->out_w - p.x);
        if (n > 0) {
            tiles_target t = *band;
            int64_t at = (p.y * g->out_w + p.x) * t.step;
            t.to += at;
            t.behind = t.behind ? t.behind + at : NULL;
            put_sums(sum + i * WIDE, WIDE, n, width, &t);
        }
        i += wide - p.x;
        p = (band_pixel){p.y + 1, 0};
    }
}

KERNEL_RUN(conv2d_tiles) {
    const cnn_window *g = &a->window;
    conv_tiles_cut cut = cut_conv_tiles(g);
    int64_t per_run = run_chunks(g->k_w, g->in_c), chunks = g->k_h * per_run, split = -1;
    float *sums = scratch;
    int64_t *offset = (int64_t *)(sums + WIDE * WIDE);
    bf16 *h = (bf16 *)(offset + round_up(chunks, 8)), *l = h + cut.plane;
    int64_t together = max64(2, SPLIT_COLUMNS / (chunks * SPLIT_PAIR * (int64_t)sizeof(bf16)) / 2 * 2);
    for (int64_t s = 0; s < chunks; s++) offset[s] = s / per_run * cut.row_step + s % per_run * SPLIT_RUN;
    tiles_begin();
    for (int64_t task = begin; task < end; task++) {
        int64_t band = task / cut.groups, n = band / cut.bands, i = band % cut.bands, pairs = ceil_div(cut.blocks, 2);
        int64_t oy0 = tile_begin(g->out_h, cut.bands, i), rows = tile_begin(g->out_h, cut.bands, i + 1) - oy0;
        if (band != split) split_band(g, a->x + n * g->in_h * g->in_w * g->in_c, oy0, rows, h, l);
        split = band;
        int64_t first = 2 * tile_begin(pairs, cut.groups, task % cut.groups);
        int64_t last = min64(cut.blocks, 2 * tile_begin(pairs, cut.groups, task % cut.groups + 1));
        int64_t tiles =
            cut.by_row ? rows * ceil_div(g->out_w, TILE) : ceil_div((rows - 1) * columns_under(g) + g->out_w, TILE);
        int64_t at = (n * g->out_h + oy0) * g->out_w * g->out_c;
        for (int64_t b0 = first; b0 < last; b0 += together)
            for (int64_t tile = 0; tile < tiles; tile += 2) {
                band_pixel p[2] = {first_pixel(g, &cut, tile), first_pixel(g, &cut, tile + 1)};
                int64_t start[2], count = min64(2, tiles - tile);
                for (int j = 0; j < 2; j++)
                    start[j] = p[j].y * g->stride_h * cut.row_step + p[j].x * g->stride_w * g->in_c;
                for (int64_t b = b0; b < min64(last, b0 + together); b += 2) {
                    int64_t f = b * TILE, width = min64(WIDE, min64(last * TILE, g->out_c) - f);
                    tile_product product = {.h = {h + start[0], h + start[1]},
                                            .l = {l + start[0], l + start[1]},
                                            .row_bytes = g->stride_w * g->in_c * (int64_t)sizeof(bf16),
                                            .offset = offset,
                                            .chunks = chunks,
                                            .columns = (const bf16 *)a->packed + b * chunks * SPLIT_PAIR,
                                            .column_step = SPLIT_PAIR,
                                            .next_columns = chunks * SPLIT_PAIR,
                                            .sum = sums,
                                            .sum_step = WIDE};
                    tiles_target t = {a->y + at + f,
                                      g->out_c,
                                      a->b ? a->b + f : NULL,
                                      a->behind ? a->behind + at + f : NULL,
                                      a->accumulate,
                                      a->activation == CNN_RELU,
                                      0};
                    multiply_tiles(&product, count * TILE, width);
                    for (int64_t j = 0; j < count; j++)
                        put_pixels(g, &cut, p[j], rows, sums + j * TILE * WIDE, width, &t);
                }
            }
    }
    tiles_end();
}

/* ---- dw, stride 1 --------------------------------------------------------------------------------------------- */

/* dw[tap][c][f] sums, over the pixels of the padded band, x moved by the tap, times dy with zeros for the padding. x is
 * turned, so that a channel's pixels stand side by side, and a tap is a distance along them. */

#define DW_CHUNKS 12 /* summed before a tile moves on, so that its operands stay near */

/* How dw is cut: output rows of a band, images that are split together, and pixels of a band in whole chunks. */
typedef struct {
    int64_t bands, images, wide, chunks; /* chunks of a band, at most */
    int64_t plane, plane_step;           /* numbers of a band of one channel, and from one channel to the next */
    int64_t in_blocks, out_blocks;       /* tiles of channels */
} conv_tiles_dw_cut;

static conv_tiles_dw_cut cut_conv_tiles_dw(const cnn_window *g) {
    conv_tiles_dw_cut cut = {.wide = columns_under(g), .images = 1};
    int64_t pixel_bytes = (g->in_c + g->out_c) * 2 * (int64_t)sizeof(bf16);
    cut.bands = max64(1, min64(ceil_div(g->out_h * cut.wide * pixel_bytes, SPLIT_BAND), g->out_h));
    int64_t rows = ceil_div(g->out_h, cut.bands);
    cut.chunks = ceil_div(rows * cut.wide, SPLIT_RUN);
    if (cut.bands == 1) cut.images = max64(1, DW_CHUNKS / cut.chunks);
    int64_t reach = (g->k_h - 1) * cut.wide + g->k_w - 1;
    cut.plane = round_up(cut.chunks * SPLIT_RUN + reach, SPLIT_RUN);
    cut.plane_step = cut.images * cut.plane + SPLIT_RUN;
    cut.in_blocks = ceil_div(g->in_c, TILE);
    cut.out_blocks = ceil_div(g->out_c, TILE);
    return cut;
}

KERNEL_WORK(conv2d_tiles_dw) {
    const cnn_window *g = &a->window;
    conv_tiles_dw_cut cut = cut_conv_tiles_dw(g);
    int64_t planes = 2 * cut.in_blocks * TILE * cut.plane_step;
    int64_t columns = cut.out_blocks * cut.images * cut.chunks * SPLIT_PAIR;
    int64_t padded = max64(cut.plane * g->in_c, cut.chunks * SPLIT_RUN * g->out_c);
    size_t sums = (size_t)(g->k_h * g->k_w * cut.in_blocks * cut.out_blocks) * TILE * TILE * sizeof(float);
    return (cnn_work){g->batch,
                      a->images_per_slot,
                      1,
                      round_up(cut.images * cut.chunks, 8) * sizeof(int64_t) +
                          (size_t)(planes + columns) * sizeof(bf16) + (size_t)padded * sizeof(float),
                      sums,
                      1};
}

/* Splits a band of x, turned: h[c][pixel], l[c][pixel]. */
static void split_band_turned(const cnn_window *g, const conv_tiles_dw_cut *cut, const float *image, int64_t oy0,
                              int64_t rows, float *room, bf16 *h, bf16 *l) {
    int64_t height = rows_under(g, rows), pixels = height * cut->wide;
    band in = cut_band(image, g->in_h, g->in_w, g->in_c, oy0 - g->pad_top, -g->pad_left, height, cut->wide, room);
    if (in.rows != room && in.row_step != cut->wide * g->in_c) { /* a part of rows that needs no padding */
        for (int64_t r = 0; r < height; r++)
            memcpy(room + r * cut->wide * g->in_c, in.rows + r * in.row_step,
                   (size_t)(cut->wide * g->in_c) * sizeof(float));
        in.rows = room;
    }
    for (int64_t p = 0; p < cut->plane; p += SPLIT_RUN)
        for (int64_t c = 0; c < g->in_c; c += TILE)
            split_turned(in.rows + p * g->in_c + c, g->in_c, min64(SPLIT_RUN, pixels - p), min64(TILE, g->in_c - c),
                         h + c * cut->plane_step + p, l + c * cut->plane_step + p, cut->plane_step);
}

/* Splits a band of dy as columns[f / 16][chunk], `step` numbers from one f / 16 to the next. */
static void split_gradients(const cnn_window *g, const conv_tiles_dw_cut *cut, const float *dy, int64_t rows,
                            float *room, bf16 *columns, int64_t step) {
    int64_t pixels = rows * cut->wide;
    if (cut->wide != g->out_w) {
        for (int64_t r = 0; r < rows; r++) {
            float *to = room + r * cut->wide * g->out_c;
            memcpy(to, dy + r * g->out_w * g->out_c, (size_t)(g->out_w * g->out_c) * sizeof(float));
            memset(to + g->out_w * g->out_c, 0, (size_t)((cut->wide - g->out_w) * g->out_c) * sizeof(float));
        }
        dy = room;
    }
    for (int64_t p = 0; p < cut->chunks * SPLIT_RUN; p += SPLIT_RUN, columns += SPLIT_PAIR)
        for (int64_t f = 0; f < g->out_c; f += TILE)
            split_columns(dy + p * g->out_c + f, g->out_c, min64(SPLIT_RUN, pixels - p), min64(TILE, g->out_c - f),
                          columns + f / TILE * step);
}

/* sums[tap][c / 16][f / 16][16][16] (+)= the products of `chunks` chunks. */
static void multiply_gradient_tiles(const cnn_window *g, const conv_tiles_dw_cut *cut, const bf16 *h, const bf16 *l,
                                    const int64_t *offset, int64_t chunks, const bf16 *columns, int64_t step,
                                    float *sums, int accumulate) {
    int64_t row = cut->out_blocks * TILE, plane = cut->in_blocks * TILE * row;
    for (int64_t s = 0; s < chunks; s += DW_CHUNKS, accumulate = 1)
        for (int64_t f = 0; f < cut->out_blocks; f += 2)
            for (int64_t c = 0; c < cut->in_blocks; c += 2)
                for (int64_t tap = 0; tap < g->k_h * g->k_w; tap++) {
                    int64_t at = c * TILE * cut->plane_step + tap / g->k_w * cut->wide + tap % g->k_w;
                    tile_product product = {.h = {h + at, h + at + TILE * cut->plane_step},
                                            .l = {l + at, l + at + TILE * cut->plane_step},
                                            .row_bytes = cut->plane_step * (int64_t)sizeof(bf16),
                                            .offset = offset + s,
                                            .chunks = min64(DW_CHUNKS, chunks - s),
                                            .columns = columns + f * step + s * SPLIT_PAIR,
                                            .column_step = SPLIT_PAIR,
                                            .next_columns = step,
                                            .sum = sums + tap * plane + c * TILE * row + f * TILE,
                                            .sum_step = row,
                                            .accumulate = accumulate};
                    multiply_tiles(&product, (cut->in_blocks - c) * TILE, (cut->out_blocks - f) * TILE);
                }
}

KERNEL_RUN(conv2d_tiles_dw) {
    const cnn_window *g = &a->window;
    conv_tiles_dw_cut cut = cut_conv_tiles_dw(g);
    int64_t taps = g->k_h * g->k_w, step = cut.images * cut.chunks * SPLIT_PAIR;
    int64_t planes = cut.in_blocks * TILE * cut.plane_step, *offset = scratch;
    bf16 *h = (bf16 *)(offset + round_up(cut.images * cut.chunks, 8)), *l = h + planes, *columns = l + planes;
    float *room = (float *)(columns + cut.out_blocks * step), *sums = state;
    for (int64_t s = 0; s < cut.images * cut.chunks; s++)
        offset[s] = s / cut.chunks * cut.plane + s % cut.chunks * SPLIT_RUN;
    tiles_begin();
    for (int64_t n0 = begin; n0 < end;) { /* images of one slot that are split together */
        int64_t slot = n0 / a->images_per_slot, last = min64((slot + 1) * a->images_per_slot, g->batch);
        int64_t n1 = min64(min64(n0 + cut.images, last), end);
        int first = n0 % a->images_per_slot == 0;
        float *partial = a->partial + slot * (taps * g->in_c + 1) * g->out_c;
        for (int64_t n = n0; n < n1; n++)
            sum_pixels(a->dy + n * g->out_h * g->out_w * g->out_c, g->out_h * g->out_w, g->out_c,
                       partial + taps * g->in_c * g->out_c, !first || n > n0);
        for (int64_t i = 0; i < cut.bands; i++) {
            int64_t oy0 = tile_begin(g->out_h, cut.bands, i), rows = tile_begin(g->out_h, cut.bands, i + 1) - oy0;
            for (int64_t n = n0; n < n1; n++) {
                bf16 *to = columns + (n - n0) * cut.chunks * SPLIT_PAIR;
                split_band_turned(g, &cut, a->x + n * g->in_h * g->in_w * g->in_c, oy0, rows, room,
                                  h + (n - n0) * cut.plane, l + (n - n0) * cut.plane);
                split_gradients(g, &cut, a->dy + (n * g->out_h + oy0) * g->out_w * g->out_c, rows, room, to, step);
            }
            multiply_gradient_tiles(g, &cut, h, l, offset, (n1 - n0) * cut.chunks, columns, step, sums,
                                    !first || i > 0);
        }
        for (int64_t r = 0; n1 == last && r < taps * g->in_c; r++)
            memcpy(partial + r * g->out_c,
                   sums + (r / g->in_c * cut.in_blocks * TILE + r % g->in_c) * cut.out_blocks * TILE,
                   (size_t)g->out_c * sizeof(float));
        n0 = n1;
    }
    tiles_end();
}
