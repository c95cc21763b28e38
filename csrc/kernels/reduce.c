/* reduce.c - sums, extremes and products over an axis, in an order that depends on the lengths alone. */

#define SUM_PART     128 /* elements that one float sum takes, before it joins the sum of sums */
#define REDUCE_BLOCK 256 /* columns of a task */

INLINE vf combine(vf u, vf v, const int function) {
    if (function == CNN_SUM) return u + v;
    if (function == CNN_PRODUCT) return u * v;
    if (function == CNN_MAX) return choose((u > v) | (u != u), u, v);
    return choose((u < v) | (u != u), u, v);
}

INLINE float combine_lanes(vf v, int64_t n, const int function) {
    float lane[LANES];
    store(lane, v);
    for (int64_t width = n; width > 1; width = (width + 1) / 2)
        for (int64_t i = 0; i < width / 2; i++) {
            vf u = combine(set(lane[i]), set(lane[width - 1 - i]), function);
            lane[i] = u[0];
        }
    return lane[0];
}

/* x[0..length) of one contiguous line. Parts of LANES vectors are summed apart, then the parts. */
INLINE float reduce_line(const float *x, int64_t length, const int function) {
    if (length < LANES) {
        float sum = x[0];
        for (int64_t i = 1; i < length; i++) {
            vf u = combine(set(sum), set(x[i]), function);
            sum = u[0];
        }
        return sum;
    }
    int64_t vectors = length / LANES;
    vf total = {0};
    for (int64_t v0 = 0; v0 < vectors; v0 += SUM_PART) {
        int64_t last = min64(v0 + SUM_PART, vectors);
        vf part = load(x + v0 * LANES);
        for (int64_t v = v0 + 1; v < last; v++) part = combine(part, load(x + v * LANES), function);
        total = v0 == 0 ? part : combine(total, part, function);
    }
    float sum = combine_lanes(total, LANES, function);
    for (int64_t i = vectors * LANES; i < length; i++) {
        vf u = combine(set(sum), set(x[i]), function);
        sum = u[0];
    }
    return sum;
}

/* n columns of x[length][step]. */
INLINE vf reduce_columns(const float *x, int64_t length, int64_t step, int64_t n, const int function) {
    vf total = {0};
    for (int64_t r0 = 0; r0 < length; r0 += SUM_PART) {
        int64_t last = min64(r0 + SUM_PART, length);
        vf part = load_n(x + r0 * step, n);
        for (int64_t r = r0 + 1; r < last; r++) part = combine(part, load_n(x + r * step, n), function);
        total = r0 == 0 ? part : combine(total, part, function);
    }
    return total;
}

static int64_t reduce_blocks(const cnn_reduce_args *a) { return max64(1, ceil_div(a->inner, REDUCE_BLOCK)); }

KERNEL_WORK(reduce) {
    int64_t tasks = a->outer * reduce_blocks(a);
    return array_work(tasks, a->outer * a->length * a->inner, a->images > 0 ? tasks / a->images : 0);
}

INLINE void reduce_tasks(const cnn_reduce_args *a, int64_t begin, int64_t end, const int function) {
    int64_t blocks = reduce_blocks(a);
    for (int64_t task = begin; task < end; task++) {
        int64_t o = task / blocks, i0 = task % blocks * REDUCE_BLOCK, i1 = min64(i0 + REDUCE_BLOCK, a->inner);
        const float *x = a->x + o * a->length * a->inner;
        float *y = a->y + o * a->inner;
        if (a->inner == 1) {
            float value = a->scale * reduce_line(x, a->length, function);
            *y = a->accumulate ? *y + value : value;
        } else {
            for (int64_t i = i0; i < i1; i += LANES) {
                int64_t n = min64(LANES, i1 - i);
                vf value = a->scale * reduce_columns(x + i, a->length, a->inner, n, function);
                store_n(y + i, a->accumulate ? load_n(y + i, n) + value : value, n);
            }
        }
    }
}

KERNEL_RUN(reduce) {
    if (a->length == 0) { /* only a sum or a product of nothing has a value; the op sees to that */
        for (int64_t i = 0; i < a->outer * a->inner && begin == 0; i++)
            a->y[i] = (a->accumulate ? a->y[i] : 0) + a->scale * (a->function == CNN_PRODUCT);
        return;
    }
    switch (a->function) {
        case CNN_SUM:
            reduce_tasks(a, begin, end, CNN_SUM);
            break;
        case CNN_MAX:
            reduce_tasks(a, begin, end, CNN_MAX);
            break;
        case CNN_MIN:
            reduce_tasks(a, begin, end, CNN_MIN);
            break;
        default:
            reduce_tasks(a, begin, end, CNN_PRODUCT);
    }
}

KERNEL_WORK(argmax) { return array_work(a->outer, a->outer * a->length * a->inner, 1); }

KERNEL_RUN(argmax) {
    for (int64_t o = begin; o < end; o++)
        for (int64_t i = 0; i < a->inner; i++) {
            const float *x = a->x + o * a->length * a->inner + i;
            int64_t best = 0;
            for (int64_t r = 1; r < a->length && IS_NUMBER(x[best * a->inner]); r++)
                if (!(x[r * a->inner] <= x[best * a->inner])) best = r;
            a->y[o * a->inner + i] = (int32_t)best;
        }
}
