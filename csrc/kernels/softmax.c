/* softmax.c - softmax over the last axis and the cross-entropy fused with it. */

/* The largest of a row; NaN where there is one. */
INLINE float row_max(const float *x, int64_t n) { return reduce_line(x, n, CNN_MAX); }

/* y = exp(x - shift), returns the sum. The sum runs over lanes, then over the lanes' tree. */
INLINE float exp_row(const float *x, int64_t n, float shift, float *y) {
    vf sum = {0};
    for (int64_t i = 0; i < n; i += LANES) {
        int64_t width = min64(LANES, n - i);
        vf e = vexp(load_n(x + i, width) - shift);
        if (y) store_n(y + i, e, width);
        if (width == LANES) {
            sum += e;
        } else {
            float lane[LANES] = {0};
            store_n(lane, e, width);
            sum += load(lane);
        }
    }
    return sum_lanes(sum);
}

INLINE void scale_row(float *y, int64_t n, float by) {
    for (int64_t i = 0; i < n; i += LANES) {
        int64_t width = min64(LANES, n - i);
        store_n(y + i, load_n(y + i, width) * by, width);
    }
}

KERNEL_WORK(softmax) { return array_work(a->rows, a->rows * a->classes, 1); }

KERNEL_RUN(softmax) {
    int64_t n = a->classes;
    for (int64_t r = begin; r < end && n > 0; r++) {
        const float *x = a->x + r * n;
        float *y = a->y + r * n, largest = row_max(x, n);
        if (a->log) {
            float shift = largest + logf(exp_row(x, n, largest, NULL));
            for (int64_t i = 0; i < n; i++) y[i] = x[i] - shift;
        } else {
            scale_row(y, n, 1.0f / exp_row(x, n, largest, y));
        }
    }
}

KERNEL_WORK(softmax_dx) { return array_work(a->rows, a->rows * a->classes, 1); }

KERNEL_RUN(softmax_dx) {
    int64_t n = a->classes;
    for (int64_t r = begin; r < end; r++) {
        const float *y = a->y + r * n, *dy = a->dy + r * n;
        float *dx = a->dx + r * n, sum = 0;
        for (int64_t i = 0; i < n; i++) sum += a->log ? dy[i] : y[i] * dy[i];
        for (int64_t i = 0; i < n; i++) {
            float d = a->log ? dy[i] - expf(y[i]) * sum : y[i] * (dy[i] - sum);
            dx[i] = a->accumulate ? dx[i] + d : d;
        }
    }
}

KERNEL_WORK(softmax_cross_entropy) { return array_work(a->rows, a->rows * a->classes, 1); }

KERNEL_RUN(softmax_cross_entropy) {
    int64_t n = a->classes;
    for (int64_t r = begin; r < end; r++) {
        const float *x = a->x + r * n;
        float *p = a->p ? a->p + r * n : NULL, largest = row_max(x, n), sum = exp_row(x, n, largest, p);
        float shift = largest + logf(sum), loss = 0;
        if (a->labels) {
            int32_t label = a->labels[r];
            loss = label >= 0 && label < n ? shift - x[label] : NAN;
        } else {
            for (int64_t i = 0; i < n; i++)
                if (a->targets[r * n + i] != 0) loss += a->targets[r * n + i] * (shift - x[i]);
        }
        a->loss[r] = loss;
        if (p) scale_row(p, n, 1.0f / sum);
    }
}

KERNEL_WORK(softmax_cross_entropy_dx) { return array_work(a->rows, a->rows * a->classes, 1); }

KERNEL_RUN(softmax_cross_entropy_dx) {
    int64_t n = a->classes;
    for (int64_t r = begin; r < end; r++) {
        const float *p = a->p + r * n, *t = a->targets ? a->targets + r * n : NULL;
        float *dx = a->dx + r * n, weight = 1;
        if (t) {
            weight = 0;
            for (int64_t i = 0; i < n; i++) weight += t[i];
        }
        for (int64_t i = 0; i < n; i++) {
            float target = t ? t[i] : (float)(i == a->labels[r]);
            float d = (p[i] * weight - target) * a->dloss[r];
            dx[i] = a->accumulate ? dx[i] + d : d;
        }
    }
}
