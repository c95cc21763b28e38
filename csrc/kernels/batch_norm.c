/* batch_norm.c - batch normalization over the last axis: statistics in fixed slots, the scaling pass, and their
 * gradients.
 *
 * A block of rows that stays in L1 is summed in float, twice: once for its mean, once for the distances from it, so
 * that a large mean costs no digits. Blocks join their slot in double, in order; slots join in a fixed tree.
 */

#define BLOCK_BYTES   32768
#define CHANNEL_BLOCK 64 /* channels of a task that merges slots */

enum { STATS, GRADIENT, GRADIENT_RELU };

/* A block of rows: x alone for statistics; y where a ReLU followed. */
typedef struct {
    const float *x, *y, *dy;
    int64_t rows, channels;
} bn_block;

static int64_t bn_block_rows(int64_t channels) { return max64(64, min64(512, BLOCK_BYTES / (4 * max64(channels, 1)))); }

static int64_t bn_slot_rows(const cnn_bn_cut *cut) { return cut->task_rows * cut->task_slot; }

static cnn_work bn_cut_work(const cnn_bn_cut *cut) {
    return (cnn_work){ceil_div(cut->rows, cut->task_rows), cut->task_slot, cut->per_image,
                      .ordered = cut->task_slot > 1};
}

/* For nv vectors of n channels each, from channel c on: s1 = sum of d, s2 = sum of d * e, with d = e = x - m for
 * statistics and d = dz, e = x - m for gradients. `ways` rows at a time are summed apart. */
INLINE void bn_sum_rows(const bn_block *b, int64_t c, int64_t n, const int nv, const int ways, const int mode,
                        const vf *m, vf *s1, vf *s2) {
    vf sum[4][4] = {{{0}}}, product[4][4] = {{{0}}};
    for (int64_t row = 0; row < b->rows; row += ways) UNROLL
    for (int u = 0; u < ways; u++) {
        if (u > 0 && row + u >= b->rows) break;
        int64_t at = (row + u) * b->channels + c;
        UNROLL
        for (int j = 0; j < nv; j++) {
            vf e = load_n(b->x + at + j * LANES, n) - m[j], d = e;
            if (mode != STATS) d = load_n(b->dy + at + j * LANES, n);
            if (mode == GRADIENT_RELU) d = behind_relu(load_n(b->y + at + j * LANES, n), d);
            sum[u][j] += d;
            product[u][j] += d * e;
        }
    }
    UNROLL
    for (int j = 0; j < nv; j++) {
        s1[j] = sum[0][j], s2[j] = product[0][j];
        UNROLL
        for (int u = 1; u < ways; u++) s1[j] += sum[u][j], s2[j] += product[u][j];
    }
}

/* Merges the mean and squared distances of `more` rows into those of `before` rows. */
INLINE void bn_merge(double *mean, double *distance, double before, double more_mean, double more_distance,
                     double more) {
    double delta = more_mean - *mean, share = more / (before + more);
    *mean += delta * share;
    *distance += more_distance + delta * delta * before * share;
}

/* Joins a block's columns to their slot, which holds `before` rows so far. */
INLINE void bn_columns(const bn_block *b, const float *mean, int64_t c, int64_t n, const int nv, const int ways,
                       const int mode, double *slot, int64_t before) {
    vf m[4] = {{0}}, s1[4], s2[4];
    if (mode == STATS) {
        bn_sum_rows(b, c, n, nv, ways, mode, m, s1, s2);
        UNROLL
        for (int j = 0; j < nv; j++) m[j] = s1[j] / set((float)b->rows);
    } else {
        UNROLL
        for (int j = 0; j < nv; j++) m[j] = load_n(mean + c + j * LANES, n);
    }
    bn_sum_rows(b, c, n, nv, ways, mode, m, s1, s2);
    double rows = (double)b->rows;
    for (int j = 0; j < nv; j++)
        for (int64_t l = 0; l < n; l++) {
            double *first = slot + c + j * LANES + l, *second = first + b->channels;
            double sum = s1[j][l], product = s2[j][l];
            if (before == 0) *first = *second = 0;
            if (mode == STATS) {
                bn_merge(first, second, (double)before, m[j][l] + sum / rows, product - sum * sum / rows, rows);
            } else {
                *first += sum;
                *second += product;
            }
        }
}

/* Fills the slots of tasks [begin, end). */
INLINE void bn_fill_slots(const cnn_bn_cut *cut, const bn_block *all, const float *mean, double *slots, int64_t begin,
                          int64_t end, const int mode) {
    int64_t channels = cut->channels, slot_rows = bn_slot_rows(cut), step = bn_block_rows(channels);
    for (int64_t task = begin; task < end; task++) {
        double *slot = slots + task / cut->task_slot * 2 * channels;
        int64_t last = min64((task + 1) * cut->task_rows, cut->rows);
        for (int64_t row = task * cut->task_rows; row < last; row += step) {
            int64_t at = row * channels, before = row % slot_rows, c = 0;
            bn_block b = {all->x + at, mode == GRADIENT_RELU ? all->y + at : NULL, mode == STATS ? NULL : all->dy + at,
                          min64(step, last - row), channels};
            for (; c + 4 * LANES <= channels; c += 4 * LANES) bn_columns(&b, mean, c, LANES, 4, 1, mode, slot, before);
            for (; c + 2 * LANES <= channels; c += 2 * LANES) bn_columns(&b, mean, c, LANES, 2, 2, mode, slot, before);
            for (; c < channels; c += LANES)
                bn_columns(&b, mean, c, min64(LANES, channels - c), 1, 4, mode, slot, before);
        }
    }
}

/* ---- forward -------------------------------------------------------------------------------------------------- */

KERNEL_WORK(bn_stats) { return bn_cut_work(&a->cut); }

KERNEL_RUN(bn_stats) {
    bn_block all = {a->x, NULL, NULL, a->cut.rows, a->cut.channels};
    bn_fill_slots(&a->cut, &all, NULL, a->slots, begin, end, STATS);
}

static cnn_work channel_work(int64_t channels) { return (cnn_work){ceil_div(channels, CHANNEL_BLOCK), 4, 0, 0}; }

/* Merges pairs of slots, then pairs of pairs, for channels [c0, c1): the result is left in slot 0. */
static void bn_merge_slots(const cnn_bn_cut *cut, double *slots, int64_t c0, int64_t c1, int stats) {
    int64_t slot_rows = bn_slot_rows(cut), count = ceil_div(cut->rows, slot_rows), size = 2 * cut->channels;
    for (int64_t step = 1; step < count; step *= 2)
        for (int64_t s = 0; s + step < count; s += 2 * step) {
            double *to = slots + s * size, *from = to + step * size;
            double before = (double)(step * slot_rows);
            double more = (double)(min64((s + 2 * step) * slot_rows, cut->rows) - (s + step) * slot_rows);
            for (int64_t c = c0, d = c0 + cut->channels; c < c1; c++, d++) {
                if (stats) {
                    bn_merge(&to[c], &to[d], before, from[c], from[d], more);
                } else {
                    to[c] += from[c];
                    to[d] += from[d];
                }
            }
        }
}

/* `rest` is what is left of the mean after its float32. */
static void bn_fold_channel(const float *gamma, const float *beta, double rest, double rstd, int64_t c, float *scale,
                            float *shift) {
    double k = (gamma ? gamma[c] : 1.0) * rstd;
    scale[c] = (float)k;
    shift[c] = (float)((beta ? beta[c] : 0.0) - rest * k);
}

KERNEL_WORK(bn_finish) { return channel_work(a->cut.channels); }

KERNEL_RUN(bn_finish) {
    int64_t channels = a->cut.channels, c0 = begin * CHANNEL_BLOCK, c1 = min64(end * CHANNEL_BLOCK, channels);
    bn_merge_slots(&a->cut, a->slots, c0, c1, 1);
    for (int64_t c = c0; c < c1; c++) {
        double mean = a->slots[c], variance = a->slots[channels + c] / (double)a->cut.rows;
        double rstd = 1 / sqrt(variance + a->epsilon);
        a->mean[c] = (float)mean;
        a->rstd[c] = (float)rstd;
        a->moving_mean[c] = (float)(a->moving_mean[c] * a->momentum + mean * (1 - a->momentum));
        a->moving_variance[c] = (float)(a->moving_variance[c] * a->momentum + variance * (1 - a->momentum));
        bn_fold_channel(a->gamma, a->beta, mean - a->mean[c], rstd, c, a->scale, a->shift);
    }
}

KERNEL_WORK(bn_fold) { return channel_work(a->channels); }

KERNEL_RUN(bn_fold) {
    for (int64_t c = begin * CHANNEL_BLOCK; c < min64(end * CHANNEL_BLOCK, a->channels); c++) {
        double rstd = 1 / sqrt(a->variance[c] + a->epsilon);
        a->rstd[c] = (float)rstd;
        bn_fold_channel(a->gamma, a->beta, 0, rstd, c, a->scale, a->shift);
    }
}

static int64_t bn_parts(int64_t batch, int64_t rows, int64_t channels) {
    return image_tasks(batch, rows, rows * channels);
}

KERNEL_WORK(bn_apply) { return image_work(a->batch, bn_parts(a->batch, a->rows, a->channels), a->rows * a->channels); }

INLINE void bn_apply_vector(const cnn_bn_apply_args *a, int64_t at, int64_t c, int64_t n) {
    vf y = (load_n(a->x + at + c, n) - load_n(a->mean + c, n)) * load_n(a->scale + c, n) + load_n(a->shift + c, n);
    store_n(a->y + at + c, a->activation == CNN_RELU ? vmax(set(0), y) : y, n);
}

KERNEL_RUN(bn_apply) {
    int64_t parts = bn_parts(a->batch, a->rows, a->channels), whole = a->channels / LANES * LANES;
    for (int64_t task = begin; task < end; task++) {
        int64_t image = task / parts * a->rows, last = tile_begin(a->rows, parts, task % parts + 1);
        for (int64_t row = tile_begin(a->rows, parts, task % parts); row < last; row++) {
            int64_t at = (image + row) * a->channels;
            for (int64_t c = 0; c < whole; c += LANES) bn_apply_vector(a, at, c, LANES);
            if (whole < a->channels) bn_apply_vector(a, at, whole, a->channels - whole);
        }
    }
}

/* ---- backward ------------------------------------------------------------------------------------------------- */

KERNEL_WORK(bn_dstats) { return bn_cut_work(&a->cut); }

KERNEL_RUN(bn_dstats) {
    bn_block all = {a->x, a->y, a->dy, a->cut.rows, a->cut.channels};
    if (a->y)
        bn_fill_slots(&a->cut, &all, a->mean, a->slots, begin, end, GRADIENT_RELU);
    else
        bn_fill_slots(&a->cut, &all, a->mean, a->slots, begin, end, GRADIENT);
}

KERNEL_WORK(bn_dfinish) { return channel_work(a->cut.channels); }

KERNEL_RUN(bn_dfinish) {
    int64_t channels = a->cut.channels, c0 = begin * CHANNEL_BLOCK, c1 = min64(end * CHANNEL_BLOCK, channels);
    int64_t rows = a->cut.rows;
    bn_merge_slots(&a->cut, a->slots, c0, c1, 0);
    for (int64_t c = c0; c < c1; c++) {
        double rstd = a->rstd[c], dbeta = rows ? a->slots[c] : 0, dgamma = rows ? a->slots[channels + c] * rstd : 0;
        double k = (a->gamma ? a->gamma[c] : 1.0) * rstd;
        if (a->dgamma) a->dgamma[c] = (float)dgamma + (a->accumulate_dgamma ? a->dgamma[c] : 0);
        if (a->dbeta) a->dbeta[c] = (float)dbeta + (a->accumulate_dbeta ? a->dbeta[c] : 0);
        a->coef[c] = (float)k;
        a->coef[channels + c] = (float)(-k * rstd * dgamma / (double)rows);
        a->coef[2 * channels + c] = (float)(-k * dbeta / (double)rows);
    }
}

KERNEL_WORK(bn_dx) { return image_work(a->batch, bn_parts(a->batch, a->rows, a->channels), a->rows * a->channels); }

INLINE void bn_dx_vector(const cnn_bn_dx_args *a, int64_t at, int64_t c, int64_t n, const int relu,
                         const int accumulate) {
    const float *coef = a->coef + c;
    vf d = load_n(a->dy + at + c, n);
    if (relu) d = behind_relu(load_n(a->y + at + c, n), d);
    vf dx = load_n(coef, n) * d;
    if (a->x) {
        vf distance = load_n(a->x + at + c, n) - load_n(a->mean + c, n);
        dx += load_n(coef + a->channels, n) * distance + load_n(coef + 2 * a->channels, n);
    }
    if (a->behind) dx = behind_relu(load_n(a->behind + at + c, n), dx);
    store_n(a->dx + at + c, accumulate ? load_n(a->dx + at + c, n) + dx : dx, n);
}

INLINE void bn_dx_rows(const cnn_bn_dx_args *a, int64_t first, int64_t last, const int relu, const int accumulate) {
    int64_t whole = a->channels / LANES * LANES;
    for (int64_t row = first; row < last; row++) {
        int64_t at = row * a->channels;
        for (int64_t c = 0; c < whole; c += LANES) bn_dx_vector(a, at, c, LANES, relu, accumulate);
        if (whole < a->channels) bn_dx_vector(a, at, whole, a->channels - whole, relu, accumulate);
    }
}

KERNEL_RUN(bn_dx) {
    int64_t parts = bn_parts(a->batch, a->rows, a->channels);
    for (int64_t task = begin; task < end; task++) {
        int64_t image = task / parts * a->rows, first = image + tile_begin(a->rows, parts, task % parts);
        int64_t last = image + tile_begin(a->rows, parts, task % parts + 1);
        if (a->accumulate)
            bn_dx_rows(a, first, last, a->y != NULL, 1);
        else if (a->y)
            bn_dx_rows(a, first, last, 1, 0);
        else
            bn_dx_rows(a, first, last, 0, 0);
    }
}
