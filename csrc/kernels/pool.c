/* pool.c - max and average pooling, over windows and over whole images, forward and dx.
 *
 * dx is gathered: each element visits, in a fixed order, the windows that hold it, and is written once.
 */

#define SMALL_CALL 16384 /* elements that are not worth a second thread */
#define FEW_IMAGES 16    /* below this many images, one image is several tasks */

/* How many tasks an image of `parts` rows (or other parts) and `size` elements makes: a rule of the shape. */
static int64_t image_tasks(int64_t batch, int64_t parts, int64_t size) {
    if (batch >= FEW_IMAGES) return 1;
    return max64(1, min64(parts, min64(ceil_div(FEW_IMAGES, max64(batch, 1)), size / SMALL_CALL)));
}

/* Work that is cut into `tasks` per image: one group where all of it is small. */
static cnn_work image_work(int64_t batch, int64_t tasks, int64_t size) {
    int64_t all = batch * tasks;
    return (cnn_work){all, batch * size <= SMALL_CALL ? max64(all, 1) : 1, tasks, 0};
}

/* The part of a window inside the image, and the windows that hold a pixel: [begin, end) along one axis. */
typedef struct {
    int64_t begin, end;
} pool_span;

static pool_span inside(int64_t out, int64_t stride, int64_t pad, int64_t kernel, int64_t length) {
    int64_t first = out * stride - pad;
    return (pool_span){max64(0, -first), min64(kernel, length - first)};
}

static pool_span holding(int64_t in, int64_t stride, int64_t pad, int64_t kernel, int64_t outputs) {
    int64_t first = in + pad - kernel + 1;
    return (pool_span){first > 0 ? ceil_div(first, stride) : 0, min64(outputs, (in + pad) / stride + 1)};
}

/* ---- positions: uint8 in memory, or int32 where a window has more than 256 ------------------------------------- */

typedef uint8_t bytes __attribute__((vector_size(LANES)));
typedef uint8_t bytes_unaligned __attribute__((vector_size(LANES), aligned(1), may_alias));
typedef int32_t vi_unaligned __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));

INLINE vi int_lanes(int32_t i) { return i - (vi){0}; }

/* n bytes as integers, zeros after them; and the low bytes of n integers. */
INLINE vi load_bytes(const uint8_t *p, int64_t n) {
#if LANES == 16
    return (vi)_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8((__mmask16)((1u << n) - 1u), p));
#else
    bytes b = {0};
    if (n == LANES)
        b = *(const bytes_unaligned *)p;
    else
        for (int i = 0; i < LANES - 1; i++)
            if (i < n) b[i] = p[i];
    return __builtin_convertvector(b, vi);
#endif
}

INLINE void store_bytes(uint8_t *p, vi v, int64_t n) {
#if LANES == 16
    _mm512_mask_cvtepi32_storeu_epi8(p, (__mmask16)((1u << n) - 1u), (__m512i)v);
#else
    bytes b = __builtin_convertvector(v, bytes);
    if (n == LANES)
        *(bytes_unaligned *)p = b;
    else
        for (int i = 0; i < LANES - 1; i++)
            if (i < n) p[i] = b[i];
#endif
}

INLINE vi load_position(const void *position, int64_t at, int64_t n, const int wide) {
    if (wide) return (vi)load_n((const float *)position + at, n);
    return load_bytes((const uint8_t *)position + at, n);
}

INLINE void store_position(void *position, int64_t at, vi v, int64_t n, const int wide) {
    if (wide)
        store_n((float *)position + at, (vf)v, n);
    else
        store_bytes((uint8_t *)position + at, v, n);
}

/* Takes v at `place` where it is larger than the best or the first NaN. */
INLINE void contend(vf *best, vi *where, vf v, int32_t place) {
    vi better = ~(v <= *best) & (*best == *best);
    *best = choose(better, v, *best);
    *where = (better & int_lanes(place)) | (~better & *where);
}

/* ---- max pooling ---------------------------------------------------------------------------------------------- */

static int64_t pool_bands(const cnn_window *g, int64_t rows) {
    return image_tasks(g->batch, rows, g->in_h * g->in_w * g->in_c);
}

static cnn_work pool_work(const cnn_window *g, int64_t rows) {
    return image_work(g->batch, pool_bands(g, rows), g->in_h * g->in_w * g->in_c);
}

static int wide_positions(const cnn_window *g) { return g->k_h * g->k_w > 256; }

KERNEL_WORK(max_pool2d) { return pool_work(&a->window, a->window.out_h); }

/* n channels of one output: x points at the window's first position, inside the image or not, `to` is a place in y. */
INLINE void max_pool2d_vector(const cnn_max_pool2d_args *a, const float *x, pool_span ky, pool_span kx, int64_t to,
                              int64_t n, const int keep, const int wide) {
    const cnn_window *g = &a->window;
    vf best = load_n(x + (ky.begin * g->in_w + kx.begin) * g->in_c, n);
    vi where = int_lanes((int32_t)(ky.begin * g->k_w + kx.begin));
    for (int64_t i = ky.begin; i < ky.end; i++)
        for (int64_t j = kx.begin; j < kx.end; j++)
            contend(&best, &where, load_n(x + (i * g->in_w + j) * g->in_c, n), (int32_t)(i * g->k_w + j));
    store_n(a->y + to, best, n);
    if (keep) store_position(a->position, to, where, n, wide);
}

/* One output pixel: x points at the image, `to` is the pixel's place in y. */
INLINE void max_pool2d_pixel(const cnn_max_pool2d_args *a, const float *x, int64_t oy, int64_t ox, int64_t to,
                             const int keep, const int wide) {
    const cnn_window *g = &a->window;
    int64_t whole = g->in_c / LANES * LANES;
    pool_span ky = inside(oy, g->stride_h, g->pad_top, g->k_h, g->in_h);
    pool_span kx = inside(ox, g->stride_w, g->pad_left, g->k_w, g->in_w);
    x += ((oy * g->stride_h - g->pad_top) * g->in_w + ox * g->stride_w - g->pad_left) * g->in_c;
    for (int64_t c = 0; c < whole; c += LANES) max_pool2d_vector(a, x + c, ky, kx, to + c, LANES, keep, wide);
    if (whole < g->in_c) max_pool2d_vector(a, x + whole, ky, kx, to + whole, g->in_c - whole, keep, wide);
}

/* n channels of a whole 2 by 2 window at x, whose next image row is row_step on. */
INLINE void max_pool2x2_vector(const float *x, int64_t row_step, int64_t channels, float *y, uint8_t *position,
                               int64_t n) {
    vf best = load_n(x, n);
    vi where = {0};
    contend(&best, &where, load_n(x + channels, n), 1);
    contend(&best, &where, load_n(x + row_step, n), 2);
    contend(&best, &where, load_n(x + row_step + channels, n), 3);
    store_n(y, best, n);
    if (position) store_position(position, 0, where, n, 0);
}

/* Whole 2 by 2 windows side by side: one output row of `pixels`. */
INLINE void max_pool2x2_row(const float *x, int64_t row_step, int64_t channels, int64_t pixels, float *y,
                            uint8_t *position, const int keep) {
    int64_t whole = channels / LANES * LANES;
    for (int64_t p = 0; p < pixels; p++, x += 2 * channels, y += channels, position += keep ? channels : 0) {
        for (int64_t c = 0; c < whole; c += LANES)
            max_pool2x2_vector(x + c, row_step, channels, y + c, keep ? position + c : NULL, LANES);
        if (whole < channels)
            max_pool2x2_vector(x + whole, row_step, channels, y + whole, keep ? position + whole : NULL,
                               channels - whole);
    }
}

/* Windows of 2 by 2 at stride 2 that need no clipping: every row pair, every column pair. */
static int is_2x2(const cnn_window *g) {
    return g->k_h == 2 && g->k_w == 2 && g->stride_h == 2 && g->stride_w == 2 && g->pad_top == 0 && g->pad_left == 0;
}

INLINE void max_pool2d_row(const cnn_max_pool2d_args *a, int64_t n, int64_t oy, const int keep, const int wide) {
    const cnn_window *g = &a->window;
    const float *x = a->x + n * g->in_h * g->in_w * g->in_c;
    int64_t to = (n * g->out_h + oy) * g->out_w * g->in_c, ox = 0;
    if (is_2x2(g) && oy * 2 + 1 < g->in_h) {
        ox = min64(g->out_w, g->in_w / 2);
        max_pool2x2_row(x + oy * 2 * g->in_w * g->in_c, g->in_w * g->in_c, g->in_c, ox, a->y + to,
                        keep ? (uint8_t *)a->position + to : NULL, keep);
    }
    for (; ox < g->out_w; ox++) max_pool2d_pixel(a, x, oy, ox, to + ox * g->in_c, keep, wide);
}

KERNEL_RUN(max_pool2d) {
    const cnn_window *g = &a->window;
    int64_t bands = pool_bands(g, g->out_h);
    for (int64_t task = begin; task < end; task++) {
        int64_t n = task / bands, b = task % bands, last = tile_begin(g->out_h, bands, b + 1);
        for (int64_t oy = tile_begin(g->out_h, bands, b); oy < last; oy++) {
            if (!a->position)
                max_pool2d_row(a, n, oy, 0, 0);
            else if (wide_positions(g))
                max_pool2d_row(a, n, oy, 1, 1);
            else
                max_pool2d_row(a, n, oy, 1, 0);
        }
    }
}

KERNEL_WORK(max_pool2d_dx) { return pool_work(&a->window, a->window.in_h); }

/* n channels, from c on, of the element of dx that the windows in rows ys and columns xs hold. */
INLINE void max_pool2d_dx_vector(const cnn_max_pool2d_dx_args *a, int64_t image, int64_t iy, int64_t ix, pool_span ys,
                                 pool_span xs, int64_t c, int64_t n, const int wide) {
    const cnn_window *g = &a->window;
    float *dx = a->dx + ((image * g->in_h + iy) * g->in_w + ix) * g->in_c + c;
    vf sum = {0};
    for (int64_t oy = ys.begin; oy < ys.end; oy++)
        for (int64_t ox = xs.begin; ox < xs.end; ox++) {
            int64_t at = ((image * g->out_h + oy) * g->out_w + ox) * g->in_c + c;
            int64_t ky = iy + g->pad_top - oy * g->stride_h, kx = ix + g->pad_left - ox * g->stride_w;
            vi mine = load_position(a->position, at, n, wide) == int_lanes((int32_t)(ky * g->k_w + kx));
            vf d = load_n(a->dy + at, n);
            if (a->y) d = behind_relu(load_n(a->y + at, n), d);
            sum += choose(mine, d, set(0));
        }
    store_n(dx, a->accumulate ? load_n(dx, n) + sum : sum, n);
}

INLINE void max_pool2d_dx_pixels(const cnn_max_pool2d_dx_args *a, int64_t image, int64_t iy, int64_t ix,
                                 const int wide) {
    const cnn_window *g = &a->window;
    int64_t whole = g->in_c / LANES * LANES;
    pool_span ys = holding(iy, g->stride_h, g->pad_top, g->k_h, g->out_h);
    for (; ix < g->in_w; ix++) {
        pool_span xs = holding(ix, g->stride_w, g->pad_left, g->k_w, g->out_w);
        for (int64_t c = 0; c < whole; c += LANES) max_pool2d_dx_vector(a, image, iy, ix, ys, xs, c, LANES, wide);
        if (whole < g->in_c) max_pool2d_dx_vector(a, image, iy, ix, ys, xs, whole, g->in_c - whole, wide);
    }
}

/* n channels of one row of a whole 2 by 2 window: the elements at positions `left` and left + 1. */
INLINE void max_pool2x2_dx_vector(const float *dy, const uint8_t *position, const float *y, float *dx, int64_t channels,
                                  int32_t left, int64_t n, int accumulate) {
    vf d = load_n(dy, n), zero = {0};
    if (y) d = behind_relu(load_n(y, n), d);
    vi where = load_position(position, 0, n, 0);
    vf a = choose(where == int_lanes(left), d, zero), b = choose(where == int_lanes(left + 1), d, zero);
    if (accumulate) a += load_n(dx, n), b += load_n(dx + channels, n);
    store_n(dx, a, n);
    store_n(dx + channels, b, n);
}

/* The row iy of dx under whole 2 by 2 windows; returns how many of its columns they cover. */
static int64_t max_pool2x2_dx_row(const cnn_max_pool2d_dx_args *a, int64_t image, int64_t iy) {
    const cnn_window *g = &a->window;
    int64_t pixels = min64(g->out_w, g->in_w / 2), whole = g->in_c / LANES * LANES;
    int64_t at = (image * g->out_h + iy / 2) * g->out_w * g->in_c;
    const float *dy = a->dy + at;
    const uint8_t *position = (const uint8_t *)a->position + at;
    const float *y = a->y ? a->y + at : NULL;
    float *dx = a->dx + (image * g->in_h + iy) * g->in_w * g->in_c;
    int32_t left = iy % 2 ? 2 : 0;
    for (int64_t p = 0; p < pixels; p++, dy += g->in_c, position += g->in_c, dx += 2 * g->in_c) {
        for (int64_t c = 0; c < whole; c += LANES)
            max_pool2x2_dx_vector(dy + c, position + c, y ? y + c : NULL, dx + c, g->in_c, left, LANES, a->accumulate);
        if (whole < g->in_c)
            max_pool2x2_dx_vector(dy + whole, position + whole, y ? y + whole : NULL, dx + whole, g->in_c, left,
                                  g->in_c - whole, a->accumulate);
        if (y) y += g->in_c;
    }
    return 2 * pixels;
}

KERNEL_RUN(max_pool2d_dx) {
    const cnn_window *g = &a->window;
    int64_t bands = pool_bands(g, g->in_h);
    for (int64_t task = begin; task < end; task++) {
        int64_t n = task / bands, b = task % bands, last = tile_begin(g->in_h, bands, b + 1);
        for (int64_t iy = tile_begin(g->in_h, bands, b); iy < last; iy++) {
            int64_t ix = is_2x2(g) && iy / 2 < g->out_h ? max_pool2x2_dx_row(a, n, iy) : 0;
            if (wide_positions(g))
                max_pool2d_dx_pixels(a, n, iy, ix, 1);
            else
                max_pool2d_dx_pixels(a, n, iy, ix, 0);
        }
    }
}

/* ---- average pooling ------------------------------------------------------------------------------------------ */

KERNEL_WORK(avg_pool2d) { return pool_work(&a->window, a->window.out_h); }

/* n channels of one output, as in max_pool2d_vector. Each window row is summed by itself, and then the rows: rounding
 * errors grow with the side, not with the area. */
INLINE void avg_pool2d_vector(const cnn_window *g, const float *x, pool_span ky, pool_span kx, float *y, int64_t n) {
    vf sum = {0};
    for (int64_t i = ky.begin; i < ky.end; i++) {
        vf row = {0};
        for (int64_t j = kx.begin; j < kx.end; j++) row += load_n(x + (i * g->in_w + j) * g->in_c, n);
        sum += row;
    }
    store_n(y, sum / set((float)((ky.end - ky.begin) * (kx.end - kx.begin))), n);
}

KERNEL_RUN(avg_pool2d) {
    const cnn_window *g = &a->window;
    int64_t bands = pool_bands(g, g->out_h), whole = g->in_c / LANES * LANES;
    for (int64_t task = begin; task < end; task++) {
        int64_t image = task / bands, b = task % bands, last = tile_begin(g->out_h, bands, b + 1);
        const float *x = a->x + image * g->in_h * g->in_w * g->in_c;
        for (int64_t oy = tile_begin(g->out_h, bands, b); oy < last; oy++)
            for (int64_t ox = 0; ox < g->out_w; ox++) {
                pool_span ky = inside(oy, g->stride_h, g->pad_top, g->k_h, g->in_h);
                pool_span kx = inside(ox, g->stride_w, g->pad_left, g->k_w, g->in_w);
                int64_t first = (oy * g->stride_h - g->pad_top) * g->in_w + ox * g->stride_w - g->pad_left;
                const float *from = x + first * g->in_c;
                float *y = a->y + ((image * g->out_h + oy) * g->out_w + ox) * g->in_c;
                for (int64_t c = 0; c < whole; c += LANES) avg_pool2d_vector(g, from + c, ky, kx, y + c, LANES);
                if (whole < g->in_c) avg_pool2d_vector(g, from + whole, ky, kx, y + whole, g->in_c - whole);
            }
    }
}

KERNEL_WORK(avg_pool2d_dx) { return pool_work(&a->window, a->window.in_h); }

/* How many positions of window row oy (or column ox) lie inside the image. */
static int64_t inside_count(int64_t out, int64_t stride, int64_t pad, int64_t kernel, int64_t length) {
    pool_span s = inside(out, stride, pad, kernel, length);
    return s.end - s.begin;
}

/* n channels, from element `at` of dx on, that the windows in rows ys and columns xs hold; dy points at its image's
 * first output of these channels. */
INLINE void avg_pool2d_dx_vector(const cnn_avg_pool2d_dx_args *a, const float *dy, int64_t at, pool_span ys,
                                 pool_span xs, int64_t n) {
    const cnn_window *g = &a->window;
    vf sum = {0};
    for (int64_t oy = ys.begin; oy < ys.end; oy++) {
        int64_t high = inside_count(oy, g->stride_h, g->pad_top, g->k_h, g->in_h);
        for (int64_t ox = xs.begin; ox < xs.end; ox++) {
            int64_t across = inside_count(ox, g->stride_w, g->pad_left, g->k_w, g->in_w);
            sum += load_n(dy + (oy * g->out_w + ox) * g->in_c, n) / set((float)(high * across));
        }
    }
    if (a->behind) sum = behind_relu(load_n(a->behind + at, n), sum);
    store_n(a->dx + at, a->accumulate ? load_n(a->dx + at, n) + sum : sum, n);
}

KERNEL_RUN(avg_pool2d_dx) {
    const cnn_window *g = &a->window;
    int64_t bands = pool_bands(g, g->in_h), whole = g->in_c / LANES * LANES;
    for (int64_t task = begin; task < end; task++) {
        int64_t image = task / bands, b = task % bands, last = tile_begin(g->in_h, bands, b + 1);
        const float *dy = a->dy + image * g->out_h * g->out_w * g->in_c;
        for (int64_t iy = tile_begin(g->in_h, bands, b); iy < last; iy++)
            for (int64_t ix = 0; ix < g->in_w; ix++) {
                pool_span ys = holding(iy, g->stride_h, g->pad_top, g->k_h, g->out_h);
                pool_span xs = holding(ix, g->stride_w, g->pad_left, g->k_w, g->out_w);
                int64_t at = ((image * g->in_h + iy) * g->in_w + ix) * g->in_c;
                for (int64_t c = 0; c < whole; c += LANES) avg_pool2d_dx_vector(a, dy + c, at + c, ys, xs, LANES);
                if (whole < g->in_c) avg_pool2d_dx_vector(a, dy + whole, at + whole, ys, xs, g->in_c - whole);
            }
    }
}
