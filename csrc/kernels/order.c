/* order.c - running sums and sorting along an axis. */

KERNEL_WORK(cumsum) { return array_work(a->outer, a->outer * a->length * a->inner, 0); }

KERNEL_RUN(cumsum) {
    int64_t length = a->length, inner = a->inner;
    for (int64_t o = begin; o < end; o++) {
        const float *x = a->x + o * length * inner;
        float *y = a->y + o * length * inner;
        for (int64_t i = 0; i < inner; i++) {
            float sum = 0;
            for (int64_t k = 0; k < length; k++) {
                int64_t at = (a->reverse ? length - 1 - k : k) * inner + i;
                sum += x[at];
                y[at] = a->accumulate ? y[at] + sum : sum;
            }
        }
    }
}

#define SORT_RUN 16 /* elements that are sorted by insertion before runs are merged */

/* Whether x[j] must stand before x[i], which stood before it. */
INLINE int comes_first(const float *x, int32_t j, int32_t i) { return x[j] < x[i] || (x[i] != x[i] && x[j] == x[j]); }

static void sort_run(const float *x, int32_t *order, int64_t n) {
    for (int64_t k = 1; k < n; k++) {
        int32_t moved = order[k];
        int64_t to = k;
        for (; to > 0 && comes_first(x, moved, order[to - 1]); to--) order[to] = order[to - 1];
        order[to] = moved;
    }
}

/* to = the two sorted runs from[0..half) and from[half..n) as one. */
static void merge_runs(const float *x, const int32_t *from, int32_t *to, int64_t half, int64_t n) {
    int64_t left = 0, right = half;
    for (int64_t k = 0; k < n; k++)
        to[k] = right < n && (left == half || comes_first(x, from[right], from[left])) ? from[right++] : from[left++];
}

KERNEL_WORK(argsort) {
    cnn_work work = array_work(a->rows, a->rows * a->length * 16, 0);
    work.scratch = (size_t)a->length * sizeof(int32_t);
    return work;
}

KERNEL_RUN(argsort) {
    int64_t n = a->length;
    for (int64_t row = begin; row < end; row++) {
        const float *x = a->x + row * n;
        int32_t *order = a->y + row * n, *other = scratch;
        for (int64_t i = 0; i < n; i++) order[i] = (int32_t)i;
        for (int64_t i = 0; i < n; i += SORT_RUN) sort_run(x, order + i, min64(SORT_RUN, n - i));
        for (int64_t width = SORT_RUN; width < n; width *= 2) {
            for (int64_t i = 0; i < n; i += 2 * width)
                merge_runs(x, order + i, other + i, min64(width, n - i), min64(2 * width, n - i));
            memcpy(order, other, (size_t)n * sizeof *order);
        }
    }
}
