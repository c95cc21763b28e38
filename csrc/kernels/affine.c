/* affine.c - images turned, moved, sheared, zoomed and resized. */

#define MOST_TAPS 6 /* pixels along an axis that a spline of degree 5 meets */

/* A place on an axis of n pixels, brought to where x is to be read; NaN where the fill value stands. */
INLINE double place(double at, int64_t n, const int fill) {
    double last = (double)(n - 1);
    if (at >= 0 && at <= last) return at;
    if (!(at > -1e9 && at < 1e9)) { /* too far for whole numbers, and for a picture; or a NaN */
        if (at != at || fill == CNN_FILL_CONSTANT || fill == CNN_FILL_GRID_CONSTANT) return NAN;
        at = at < 0 ? 0 : last;
    }
    switch (fill) {
        case CNN_FILL_NEAREST:
            return at < 0 ? 0 : last;
        case CNN_FILL_REFLECT:
            at -= 2 * (double)n * floor(at / (2 * (double)n));
            return at > (double)n - 0.5 ? 2 * (double)n - 1 - at : at;
        case CNN_FILL_MIRROR:
            if (n == 1) return 0;
            at -= 2 * last * floor(at / (2 * last));
            return at > last ? 2 * last - at : at;
        case CNN_FILL_WRAP:
            if (n == 1) return 0;
            return at < 0 ? at + last * (floor(-at / last) + 1) : at - last * floor(at / last);
        case CNN_FILL_GRID_WRAP:
            return at - (double)n * floor(at / (double)n);
        case CNN_FILL_GRID_CONSTANT:
            return at;
        default:
            return NAN;
    }
}

/* The pixel that stands for pixel i; -1 where the fill value does. */
INLINE int64_t pixel(int64_t i, int64_t n, const int fill) {
    if (i >= 0 && i < n) return i;
    switch (fill) {
        case CNN_FILL_GRID_CONSTANT:
            return -1;
        case CNN_FILL_GRID_WRAP:
            return (i % n + n) % n;
        case CNN_FILL_REFLECT:
            i = (i % (2 * n) + 2 * n) % (2 * n);
            return i < n ? i : 2 * n - 1 - i;
        default: /* mirrored: for the linear case a neighbour of weight 0 */
            if (n == 1) return 0;
            i = (i % (2 * n - 2) + 2 * n - 2) % (2 * n - 2);
            return i < n ? i : 2 * n - 2 - i;
    }
}

/* The taps on one axis for a place: pixels (-1 for the fill value) and weights. Returns 0 where all is fill value. */
INLINE int find_taps(double at, int64_t n, const int fill, const int order, int64_t *index, double *weight) {
    at = place(at, n, fill);
    if (at != at) return 0;
    double first = floor(order % 2 ? at : at + 0.5);
    double t = order % 2 ? at - first : at - first + 0.5, b[MOST_TAPS] = {1};
    for (int k = 1; k <= order; k++) { /* the recurrence of B-splines, from degree to degree */
        b[k] = t / k * b[k - 1];
        for (int i = k - 1; i > 0; i--) b[i] = (t + (k - i)) / k * b[i - 1] + (1 - t + i) / k * b[i];
        b[0] *= (1 - t) / k;
    }
    for (int i = 0; i <= order; i++) {
        index[i] = pixel((int64_t)first - order / 2 + i, n, fill);
        weight[i] = b[i];
    }
    return 1;
}

/* The part of an image's places that a column of y adds: row[ox] = t[1] * ox and column[ox] = t[4] * ox. The products
 * are rounded before anything is added to them, on tiers that fuse both too, and added in SciPy's order, t[2] first: at
 * the edge of an image the last bit decides between a pixel and the fill value. */
static void column_parts(const double *t, int64_t out_w, double *row, double *column) {
    for (int64_t ox = 0; ox < out_w; ox++) row[ox] = t[1] * (double)ox, column[ox] = t[4] * (double)ox;
    __asm__ volatile("" : : "r"(row), "r"(column) : "memory");
}

INLINE double row_part(double t, int64_t oy) {
    double part = t * (double)oy;
    __asm__("" : "+m"(part)); /* rounded, likewise */
    return part;
}

KERNEL_WORK(affine) {
    cnn_work work = image_work(a->batch, a->out_h, a->out_h * a->out_w * a->channels);
    work.scratch = (size_t)a->out_w * 2 * sizeof(double);
    return work;
}

/* One pixel of y by any taps. */
static void affine_pixel(const cnn_affine_args *a, const float *x, double row, double column, float *y) {
    int64_t iy[MOST_TAPS], ix[MOST_TAPS], channels = a->channels;
    double wy[MOST_TAPS], wx[MOST_TAPS];
    int inside =
        find_taps(row, a->in_h, a->fill, a->order, iy, wy) && find_taps(column, a->in_w, a->fill, a->order, ix, wx);
    for (int64_t c = 0; c < channels; c++) {
        double sum = 0;
        for (int i = 0; inside && i <= a->order; i++)
            for (int j = 0; j <= a->order; j++) {
                int real = iy[i] >= 0 && ix[j] >= 0;
                sum += wy[i] * wx[j] * (double)(real ? x[(iy[i] * a->in_w + ix[j]) * channels + c] : a->fill_value);
            }
        y[c] = inside ? (float)sum : a->fill_value;
    }
}

/* One pixel of y between four of x, none of which lies outside. In float64, so that a mean of equal pixels is that
 * pixel: what follows may ask whether a picture goes beyond 255. */
INLINE void affine_inside(const float *x, int64_t in_w, const int64_t channels, double row, double column, float *y) {
    int64_t iy = (int64_t)row, ix = (int64_t)column;
    double ty = row - (double)iy, tx = column - (double)ix;
    const float *above = x + (iy * in_w + ix) * channels, *below = above + in_w * channels;
    for (int64_t c = 0; c < channels; c++) {
        double top = (double)above[c] * (1 - tx) + (double)above[c + channels] * tx;
        double bottom = (double)below[c] * (1 - tx) + (double)below[c + channels] * tx;
        y[c] = (float)(top * (1 - ty) + bottom * ty);
    }
}

/* One pixel of y as the nearest of x, which does not lie outside. */
INLINE void affine_nearest(const float *x, int64_t in_w, const int64_t channels, double row, double column, float *y) {
    const float *from = x + ((int64_t)(row + 0.5) * in_w + (int64_t)(column + 0.5)) * channels;
    for (int64_t c = 0; c < channels; c++) y[c] = from[c];
}

/* A row of y. `channels` is a constant where this is inlined. */
INLINE void affine_row(const cnn_affine_args *a, const int64_t channels, const float *x, const double *t, int64_t oy,
                       const double *row_parts, const double *column_parts, float *y) {
    double last_row = (double)(a->in_h - 1), last_column = (double)(a->in_w - 1);
    double row0 = t[2] + row_part(t[0], oy), column0 = t[5] + row_part(t[3], oy);
    for (int64_t ox = 0; ox < a->out_w; ox++, y += channels) {
        double row = row0 + row_parts[ox], column = column0 + column_parts[ox];
        int inside = row >= 0 && row < last_row && column >= 0 && column < last_column;
        if (inside && a->order == 1)
            affine_inside(x, a->in_w, channels, row, column, y);
        else if (inside && a->order == 0)
            affine_nearest(x, a->in_w, channels, row, column, y);
        else
            affine_pixel(a, x, row, column, y);
    }
}

KERNEL_RUN(affine) {
    double *row_parts = scratch, *columns = row_parts + a->out_w;
    for (int64_t task = begin, of = -1; task < end; task++) {
        int64_t image = task / a->out_h, oy = task % a->out_h;
        const double *t = a->transform + image * 6;
        const float *x = a->x + image * a->in_h * a->in_w * a->channels;
        float *y = a->y + task * a->out_w * a->channels;
        if (image != of) column_parts(t, a->out_w, row_parts, columns);
        of = image;
        if (a->channels == 1)
            affine_row(a, 1, x, t, oy, row_parts, columns, y);
        else if (a->channels == 3)
            affine_row(a, 3, x, t, oy, row_parts, columns, y);
        else
            affine_row(a, a->channels, x, t, oy, row_parts, columns, y);
    }
}

KERNEL_WORK(affine_dx) {
    cnn_work work = image_work(a->batch, 1, a->out_h * a->out_w * a->channels);
    work.scratch = (size_t)a->out_w * 2 * sizeof(double);
    return work;
}

/* Adds a pixel's gradient to those of the pixels that affine_pixel takes it from. */
static void affine_pixel_dx(const cnn_affine_args *a, const float *dy, double row, double column, float *dx) {
    int64_t iy[MOST_TAPS], ix[MOST_TAPS], channels = a->channels;
    double wy[MOST_TAPS], wx[MOST_TAPS];
    if (!find_taps(row, a->in_h, a->fill, a->order, iy, wy) || !find_taps(column, a->in_w, a->fill, a->order, ix, wx))
        return;
    for (int i = 0; i <= a->order; i++)
        for (int j = 0; j <= a->order; j++) {
            if (iy[i] < 0 || ix[j] < 0) continue;
            float *to = dx + (iy[i] * a->in_w + ix[j]) * channels;
            for (int64_t c = 0; c < channels; c++) to[c] += (float)(wy[i] * wx[j]) * dy[c];
        }
}

KERNEL_RUN(affine_dx) {
    int64_t channels = a->channels, size = a->in_h * a->in_w * channels;
    cnn_affine_args like = {.in_h = a->in_h, .in_w = a->in_w, .channels = channels, .order = a->order, .fill = a->fill};
    double *row_parts = scratch, *columns = row_parts + a->out_w;
    for (int64_t image = begin; image < end; image++) {
        const double *t = a->transform + image * 6;
        const float *dy = a->dy + image * a->out_h * a->out_w * channels;
        float *dx = a->dx + image * size;
        if (!a->accumulate) memset(dx, 0, (size_t)size * sizeof *dx);
        column_parts(t, a->out_w, row_parts, columns);
        for (int64_t oy = 0; oy < a->out_h; oy++) {
            double row0 = t[2] + row_part(t[0], oy), column0 = t[5] + row_part(t[3], oy);
            for (int64_t ox = 0; ox < a->out_w; ox++, dy += channels)
                affine_pixel_dx(&like, dy, row0 + row_parts[ox], column0 + columns[ox], dx);
        }
    }
}

KERNEL_WORK(resample) { return image_work(a->batch, a->lines * a->out_n, a->lines * a->out_n * a->inner); }

KERNEL_RUN(resample) {
    for (int64_t task = begin; task < end; task++) {
        int64_t o = task % a->out_n;
        const float *x = a->x + task / a->out_n * a->in_n * a->inner;
        float *y = a->y + task * a->inner;
        for (int64_t k = 0; k < a->inner; k += LANES) {
            int64_t n = min64(LANES, a->inner - k);
            vf sum = a->accumulate ? load_n(y + k, n) : set(0);
            for (int64_t i = o * a->taps; i < (o + 1) * a->taps; i++)
                sum += load_n(x + a->index[i] * a->inner + k, n) * set(a->weight[i]);
            store_n(y + k, sum, n);
        }
    }
}
