/* conv2d.c - convolution forward and dx: a band of padded rows (band.h), then tiles of pixels pointed into it. */

/* ---- packing weights ------------------------------------------------------------------------------------------ */

KERNEL_WORK(conv2d_pack) { return (cnn_work){ceil_div(a->window.out_c, PANEL), 1, 0, 0}; }

KERNEL_RUN(conv2d_pack) {
    const cnn_window *g = &a->window;
    int64_t depth = g->k_h * g->k_w * g->in_c;
    int64_t f0 = begin * PANEL;
    pack_columns(a->w + f0, g->out_c, depth, min64(end * PANEL, g->out_c) - f0, a->packed + f0 * depth);
}

KERNEL_WORK(conv2d_pack_dx) { return (cnn_work){ceil_div(a->window.in_c, PANEL), 1, 0, 0}; }

/* The taps of a filter row stand in reverse, because dx at a pixel meets dy from right to left. */
KERNEL_RUN(conv2d_pack_dx) {
    const cnn_window *g = &a->window;
    int64_t taps = g->k_h * g->k_w;
    for (int64_t panel = begin; panel < end; panel++) {
        int64_t c0 = panel * PANEL, width = min64(PANEL, g->in_c - c0), step = panel_step(width);
        float *to = a->packed + c0 * taps * g->out_c;
        for (int64_t ky = 0; ky < g->k_h; ky++)
            for (int64_t kx = g->k_w; kx-- > 0;) {
                const float *from = a->w + ((ky * g->k_w + kx) * g->in_c + c0) * g->out_c;
                for (int64_t f = 0; f < g->out_c; f++, to += step) {
                    for (int64_t c = 0; c < width; c++) to[c] = from[c * g->out_c + f];
                    memset(to + width, 0, (size_t)(step - width) * sizeof(float));
                }
            }
    }
}

/* ---- forward -------------------------------------------------------------------------------------------------- */

static int64_t conv2d_bands(const cnn_window *g) {
    return bands_per_image(g->batch, g->out_h, columns_under(g) * g->in_c * g->stride_h * (int64_t)sizeof(float));
}

static int64_t conv2d_rows_bands(const row_cut *c) {
    return bands_per_image(c->window->batch, c->window->out_h, MOST_POINTS * c->line * (int64_t)sizeof(float));
}

static cnn_work work_along_rows(const cnn_window *g) {
#if ALL_POINTS_AT_ONCE
    if (pairs_suit(g)) return work_by_pairs(g);
#endif
    row_cut c = cut_rows(g);
    int64_t bands = conv2d_rows_bands(&c), rows = ceil_div(g->out_h, bands);
    int64_t room = rows_filters_room(g) + rows_band_room(&c, rows) + rows_room(&c, rows) + ROWS_SUMS;
    return (cnn_work){g->batch * bands, 1, bands, (size_t)(room + LANES) * sizeof(float)};
}

KERNEL_WORK(conv2d) {
    const cnn_window *g = &a->window;
    if (a->winograd && rows_suit(g)) return work_along_rows(g);
    int64_t bands = conv2d_bands(g), rows = ceil_div(g->out_h, bands);
    size_t room = (size_t)(rows_under(g, rows) * columns_under(g) * g->in_c) * sizeof(float);
    size_t offsets = 2 * (size_t)(g->k_h * g->k_w) * sizeof(int64_t);
    return (cnn_work){g->batch * bands, 1, bands, room + offsets};
}

/* The rows [top, top + height) of an image, `wide` pixels of each, as the convolution reads them: copied, or in place.
 */
static band read_band(const cnn_conv2d_args *a, int64_t image, int64_t top, int64_t height, int64_t wide, int copied,
                      float *room) {
    const cnn_window *g = &a->window;
    const cnn_sides *s = &a->sides;
    int64_t c = g->in_c;
    const float *x = a->x + image * g->in_h * g->in_w * s->x_step + s->x_first;
    if (s->x_step == c && reads_as_is(s))
        return (copied ? pad_band : cut_band)(x, g->in_h, g->in_w, c, top, -g->pad_left, height, wide, room);
    channels_read read = read_channels(s, image);
    for (int64_t r = 0; r < height; r++)
        for (int64_t p = 0; p < wide; p++) {
            int64_t iy = top + r, ix = p - g->pad_left;
            const float *from = x + (iy * g->in_w + ix) * s->x_step;
            float *to = room + (r * wide + p) * c;
            if (iy < 0 || iy >= g->in_h || ix < 0 || ix >= g->in_w) {
                memset(to, 0, (size_t)c * sizeof(float));
                continue;
            }
            for (int64_t i = 0; i < c; i += LANES) {
                int64_t n = min64(LANES, c - i);
                store_n(to + i, read_vector(from, &read, i, n), n);
            }
        }
    return (band){room, wide * c};
}

#if ALL_POINTS_AT_ONCE
/* Two rows at a time; the rest as conv2d_along_rows. */
static void conv2d_by_pairs(const cnn_conv2d_args *a, const float *behind, int for_dx, int64_t begin, int64_t end,
                            void *scratch) {
    const cnn_window *g = &a->window;
    pair_cut c = cut_pairs(g);
    int64_t bands = pairs_bands(&c), most = pairs_band_rows(&c, bands), *transformed = scratch;
    float *u = (float *)scratch + LANES, *sums = u + pairs_filters_room(g), *v = sums + PAIR_SUMS;
    float *room = v + pairs_room(&c, most);
    if (!*transformed) transform_pair_filters(g, a->packed, for_dx, a->b, u);
    *transformed = 1;
    for (int64_t task = begin; task < end; task++) {
        int64_t n = task / bands, i = task % bands;
        int64_t oy = pairs_band(&c, bands, i), rows = pairs_band(&c, bands, i + 1) - oy;
        band in = read_band(a, n, oy - g->pad_top, rows_under(g, rows), c.wide, 1, room);
        transform_pairs(&c, in, rows, v);
        conv2d_pairs(a, behind, &c, v, rows, u,
                     a->y + (n * g->out_h + oy) * g->out_w * a->sides.y_step + a->sides.y_first, sums);
    }
}
#endif

/* By Winograd along rows; the filters are transformed once for a call. For dx `a` is what adjoint_along_rows says. */
static void conv2d_along_rows(const cnn_conv2d_args *a, const float *behind, int for_dx, int64_t begin, int64_t end,
                              void *scratch) {
    const cnn_window *g = &a->window;
#if ALL_POINTS_AT_ONCE
    if (pairs_suit(g)) {
        conv2d_by_pairs(a, behind, for_dx, begin, end, scratch);
        return;
    }
#endif
    row_cut c = cut_rows(g);
    int64_t bands = conv2d_rows_bands(&c), most = ceil_div(g->out_h, bands), *transformed = scratch;
    float *u = (float *)scratch + LANES, *sums = u + rows_filters_room(g), *v = sums + ROWS_SUMS;
    float *room = v + rows_room(&c, most);
    if (!*transformed) transform_filters(&c, a->packed, for_dx, a->b, u);
    *transformed = 1;
    for (int64_t task = begin; task < end; task++) {
        int64_t n = task / bands, i = task % bands;
        int64_t oy = tile_begin(g->out_h, bands, i), rows = tile_begin(g->out_h, bands, i + 1) - oy;
        band in = read_band(a, n, oy - g->pad_top, rows_under(g, rows), c.wide, 1, room);
        transform_rows(&c, in, rows, v);
        conv2d_rows(a, behind, &c, v, rows, u,
                    a->y + (n * g->out_h + oy) * g->out_w * a->sides.y_step + a->sides.y_first, sums);
    }
}

KERNEL_RUN(conv2d) {
    const cnn_window *g = &a->window;
    if (a->winograd && rows_suit(g)) {
        conv2d_along_rows(a, NULL, 0, begin, end, scratch);
        return;
    }
    int64_t bands = conv2d_bands(g), depth = g->k_h * g->k_w * g->in_c;
    int by_row = g->dilation_w == 1; /* a filter row is one run of floats */
    int64_t runs = by_row ? g->k_h : g->k_h * g->k_w, length = by_row ? g->k_w * g->in_c : g->in_c;
    int few = by_row && !a->accumulate && g->out_w >= MR / 2 && few_tiles(g->stride_w * g->in_c, 1);
    int64_t *a_offset = scratch, *w_offset = a_offset + g->k_h * g->k_w;
    float *room = (float *)(w_offset + g->k_h * g->k_w);
    for (int64_t task = begin; task < end; task++) {
        int64_t n = task / bands, i = task % bands;
        int64_t oy0 = tile_begin(g->out_h, bands, i), rows = tile_begin(g->out_h, bands, i + 1) - oy0;
        float *y = a->y + (n * g->out_h + oy0) * g->out_w * a->sides.y_step + a->sides.y_first;
        band in = read_band(a, n, oy0 * g->stride_h - g->pad_top, rows_under(g, rows), columns_under(g), 0, room);
        if (few) {
            conv2d_few(a, in.rows, in.row_step, rows, y);
            continue;
        }
        for (int64_t r = 0; r < runs; r++) {
            int64_t ky = by_row ? r : r / g->k_w, kx = by_row ? 0 : r % g->k_w;
            a_offset[r] = ky * g->dilation_h * in.row_step + kx * g->dilation_w * g->in_c;
        }
        int64_t pixels = rows * g->out_w, tiles = ceil_div(pixels, MR);
        for (int64_t f0 = 0; f0 < g->out_c; f0 += PANEL) {
            int64_t width = min64(PANEL, g->out_c - f0), step = panel_step(width);
            const float *row[MR];
            float *to[MR];
            product_tile t = {row,
                              a_offset,
                              w_offset,
                              runs,
                              length,
                              step,
                              a->packed + f0 * depth,
                              a->b ? a->b + f0 : NULL,
                              to,
                              width,
                              a->accumulate,
                              a->activation,
                              NULL};
            for (int64_t r = 0; r < runs; r++) w_offset[r] = r * length * step;
            for (int64_t tile = 0; tile < tiles; tile++) {
                int64_t p0 = tile_begin(pixels, tiles, tile), p1 = tile_begin(pixels, tiles, tile + 1);
                int64_t oy = p0 / g->out_w, ox = p0 % g->out_w;
                for (int64_t p = p0; p < p1; p++) {
                    row[p - p0] = in.rows + oy * g->stride_h * in.row_step + ox * g->stride_w * g->in_c;
                    to[p - p0] = y + p * a->sides.y_step + f0;
                    if (++ox == g->out_w) ox = 0, oy++;
                }
                product(&t, (int)(p1 - p0));
            }
        }
    }
}

/* ---- dx: the adjoint ------------------------------------------------------------------------------------------ */

INLINE int64_t floor_div(int64_t a, int64_t b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }

/* The rows (or columns) of dy that meet rows [from, to) of dx: first and one past the last, both may lie outside. */
INLINE int64_t first_met(int64_t from, int64_t pad, int64_t k, int64_t dilation, int64_t stride) {
    return floor_div(from + pad - (k - 1) * dilation, stride);
}
INLINE int64_t end_met(int64_t to, int64_t pad, int64_t stride) { return floor_div(to - 1 + pad, stride) + 1; }

static int64_t conv2d_dx_bands(const cnn_window *g) {
    int64_t columns =
        end_met(g->in_w, g->pad_left, g->stride_w) - first_met(0, g->pad_left, g->k_w, g->dilation_w, g->stride_w);
    return bands_per_image(g->batch, g->in_h, max64(columns * g->out_c * (int64_t)sizeof(float) / g->stride_h, 1));
}

/* dx of a convolution of stride 1 is one of dy. */
static cnn_conv2d_args adjoint_along_rows(const cnn_conv2d_dx_args *a) {
    cnn_conv2d_args made = {a->window, a->dy, a->packed, NULL, a->dx, CNN_LINEAR, a->accumulate, a->winograd};
    cnn_window *g = &made.window;
    g->in_h = a->window.out_h, g->in_w = a->window.out_w, g->in_c = a->window.out_c;
    g->out_h = a->window.in_h, g->out_w = a->window.in_w, g->out_c = a->window.in_c;
    g->pad_top = g->k_h - 1 - g->pad_top, g->pad_left = g->k_w - 1 - g->pad_left;
    made.sides.x_step = g->in_c, made.sides.y_step = g->out_c;
    return made;
}

KERNEL_WORK(conv2d_dx) {
    const cnn_window *g = &a->window;
    cnn_conv2d_args adjoint = adjoint_along_rows(a);
    if (a->winograd && rows_suit(&adjoint.window)) return work_along_rows(&adjoint.window);
    int64_t bands = conv2d_dx_bands(g), rows = ceil_div(g->in_h, bands);
    int64_t columns =
        end_met(g->in_w, g->pad_left, g->stride_w) - first_met(0, g->pad_left, g->k_w, g->dilation_w, g->stride_w);
    int64_t met = (rows - 1 + (g->k_h - 1) * g->dilation_h) / g->stride_h + 2;
    size_t offsets = 2 * (size_t)(g->k_h * g->k_w) * sizeof(int64_t);
    return (cnn_work){g->batch * bands, 1, bands, offsets + (size_t)(met * columns * g->out_c) * sizeof(float)};
}

/* The pixels (iy, ix) of dx with iy % stride_h == phase_h and ix % stride_w == phase_w meet the same taps. */
typedef struct {
    int64_t phase_h, phase_w, runs, length;
} phase;

/* Lists the taps of a phase: where each starts in the band of dy, relative to the pixel, and in the packed weights. */
static phase list_taps(const cnn_window *g, int64_t phase_h, int64_t phase_w, int64_t row_step, int64_t step,
                       int64_t *a_offset, int64_t *w_offset) {
    int by_row = g->stride_w == 1 && g->dilation_w == 1; /* then a filter row, reversed, is one run of dy */
    phase p = {phase_h, phase_w, 0, by_row ? g->k_w * g->out_c : g->out_c};
    for (int64_t ky = 0; ky < g->k_h; ky++) {
        int64_t up = phase_h + g->pad_top - ky * g->dilation_h;
        if (up != floor_div(up, g->stride_h) * g->stride_h) continue;
        for (int64_t kx = g->k_w; kx-- > 0;) {
            int64_t left = phase_w + g->pad_left - kx * g->dilation_w;
            if (left != floor_div(left, g->stride_w) * g->stride_w) continue;
            a_offset[p.runs] = floor_div(up, g->stride_h) * row_step + floor_div(left, g->stride_w) * g->out_c;
            w_offset[p.runs] = (ky * g->k_w + (g->k_w - 1 - kx)) * g->out_c * step;
            p.runs++;
            if (by_row) break;
        }
    }
    return p;
}

KERNEL_RUN(conv2d_dx) {
    const cnn_window *g = &a->window;
    cnn_conv2d_args adjoint = adjoint_along_rows(a);
    if (a->winograd && rows_suit(&adjoint.window)) {
        conv2d_along_rows(&adjoint, a->behind, 1, begin, end, scratch);
        return;
    }
    int64_t bands = conv2d_dx_bands(g), depth = g->k_h * g->k_w * g->out_c;
    int64_t *a_offset = scratch, *w_offset = a_offset + g->k_h * g->k_w;
    float *room = (float *)(w_offset + g->k_h * g->k_w);
    int64_t ox0 = first_met(0, g->pad_left, g->k_w, g->dilation_w, g->stride_w);
    int64_t columns = end_met(g->in_w, g->pad_left, g->stride_w) - ox0;
    for (int64_t task = begin; task < end; task++) {
        int64_t n = task / bands, b = task % bands;
        int64_t iy0 = tile_begin(g->in_h, bands, b), iy1 = tile_begin(g->in_h, bands, b + 1);
        int64_t oy0 = first_met(iy0, g->pad_top, g->k_h, g->dilation_h, g->stride_h);
        const float *dy = a->dy + n * g->out_h * g->out_w * g->out_c;
        float *dx = a->dx + n * g->in_h * g->in_w * g->in_c;
        band in = cut_band(dy, g->out_h, g->out_w, g->out_c, oy0, ox0, end_met(iy1, g->pad_top, g->stride_h) - oy0,
                           columns, room);
        for (int64_t c0 = 0; c0 < g->in_c; c0 += PANEL)
            for (int64_t at = 0; at < g->stride_h * g->stride_w; at++) {
                int64_t width = min64(PANEL, g->in_c - c0), step = panel_step(width);
                phase ph = list_taps(g, at / g->stride_w, at % g->stride_w, in.row_step, step, a_offset, w_offset);
                const float *row[MR];
                float *to[MR];
                const float *behind[MR];
                product_tile t = {row,
                                  a_offset,
                                  w_offset,
                                  ph.runs,
                                  ph.length,
                                  step,
                                  a->packed + c0 * depth,
                                  NULL,
                                  to,
                                  width,
                                  a->accumulate,
                                  0,
                                  a->behind ? behind : NULL};
                /* The phase's pixels: rows iy0 <= qy * stride_h + phase_h < iy1, columns likewise. */
                int64_t qy0 = ceil_div(max64(iy0 - ph.phase_h, 0), g->stride_h);
                int64_t lines = iy1 > ph.phase_h ? ceil_div(iy1 - ph.phase_h, g->stride_h) - qy0 : 0;
                int64_t across = g->in_w > ph.phase_w ? ceil_div(g->in_w - ph.phase_w, g->stride_w) : 0;
                int64_t pixels = max64(lines, 0) * across, tiles = ceil_div(pixels, MR);
                for (int64_t tile = 0; tile < tiles; tile++) {
                    int64_t p0 = tile_begin(pixels, tiles, tile), p1 = tile_begin(pixels, tiles, tile + 1);
                    for (int64_t p = p0; p < p1; p++) {
                        int64_t qy = qy0 + p / across, qx = p % across;
                        int64_t iy = qy * g->stride_h + ph.phase_h, ix = qx * g->stride_w + ph.phase_w;
                        row[p - p0] = in.rows + (qy - oy0) * in.row_step + (qx - ox0) * g->out_c;
                        to[p - p0] = dx + (iy * g->in_w + ix) * g->in_c + c0;
                        if (a->behind) behind[p - p0] = a->behind + (to[p - p0] - a->dx);
                    }
                    product(&t, (int)(p1 - p0));
                }
            }
    }
}
