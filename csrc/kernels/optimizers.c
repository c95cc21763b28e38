/* optimizers.c - one pass over the weights for each optimizer, and the counters that steps are counted with. */

KERNEL_WORK(increment) {
    (void)a;
    return (cnn_work){1, 1, 0, 0};
}

KERNEL_RUN(increment) {
    if (begin < end) *a->value = (int64_t)((uint64_t)*a->value + (uint64_t)a->by);
}

/* ---- stochastic gradient descent ------------------------------------------------------------------------------ */

KERNEL_WORK(sgd) { return (cnn_work){ceil_div(a->size, a->chunk), 1, 0, 0}; }

INLINE void sgd_vector(const cnn_sgd_args *a, vf lr, vf momentum, int64_t i, int64_t n) {
    vf w = load_n(a->w + i, n), step = lr * load_n(a->g + i, n);
    if (a->velocity) {
        vf v = momentum * load_n(a->velocity + i, n) - step;
        store_n(a->velocity + i, v, n);
        w += a->nesterov ? momentum * v - step : v;
    } else {
        w -= step;
    }
    store_n(a->w + i, w, n);
}

KERNEL_RUN(sgd) {
    int64_t i = begin * a->chunk, last = min64(end * a->chunk, a->size);
    vf lr = set(*a->lr), momentum = set(a->momentum);
    for (; i + LANES <= last; i += LANES) sgd_vector(a, lr, momentum, i, LANES);
    if (i < last) sgd_vector(a, lr, momentum, i, last - i);
}

/* ---- Adam ----------------------------------------------------------------------------------------------------- */

KERNEL_WORK(adam) { return (cnn_work){ceil_div(a->size, a->chunk), 1, 0, 0}; }

typedef struct {
    vf alpha, rest1, rest2, epsilon;
} adam_constants;

INLINE void adam_vector(const cnn_adam_args *a, const adam_constants *k, int64_t i, int64_t n) {
    vf w = load_n(a->w + i, n), g = load_n(a->g + i, n), m = load_n(a->m + i, n), v = load_n(a->v + i, n);
    m += (g - m) * k->rest1;
    v += (g * g - v) * k->rest2;
    w -= k->alpha * m / (vsqrt(v) + k->epsilon);
    store_n(a->m + i, m, n);
    store_n(a->v + i, v, n);
    store_n(a->w + i, w, n);
}

KERNEL_RUN(adam) {
    int64_t i = begin * a->chunk, last = min64(end * a->chunk, a->size);
    double t = (double)*a->step;
    double alpha = *a->lr * sqrt(1 - pow(a->beta2, t)) / (1 - pow(a->beta1, t));
    adam_constants k = {set((float)alpha), set((float)(1 - a->beta1)), set((float)(1 - a->beta2)), set(a->epsilon)};
    for (; i + LANES <= last; i += LANES) adam_vector(a, &k, i, LANES);
    if (i < last) adam_vector(a, &k, i, last - i);
}
