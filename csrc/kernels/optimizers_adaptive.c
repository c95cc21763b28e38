/* optimizers_adaptive.c - optimizers whose steps depend on what earlier gradients were like; see cnn_update_args. */

KERNEL_WORK(update) { return (cnn_work){ceil_div(a->size, a->chunk), 1, 0, 0}; }

typedef struct {
    vf rate, rate1, rate2, k1, rest1, k2, rest2, epsilon;
} update_constants;

INLINE vf magnitude(vf v) { return choose(v < 0, -v, v); }

/* Of two numbers the larger; NaN if either is. */
INLINE vf larger(vf a, vf b) { return choose((a >= b) | (a != a), a, b); }

INLINE vf sign_of(vf v) { return choose(v > 0, set(1), choose(v < 0, set(-1), v)); }

INLINE void update_vector(const cnn_update_args *args, const update_constants *k, int64_t i, int64_t n) {
    vf w = load_n(args->w + i, n), g = load_n(args->g + i, n), a = load_n(args->a + i, n);
    vf b = args->b ? load_n(args->b + i, n) : set(0);
    switch (args->kind) {
        case CNN_RMSPROP:
            a = a * k->k1 + g * g * k->rest1;
            b = b * k->k2 + k->rate * g / vsqrt(a + k->epsilon);
            w -= b;
            break;
        case CNN_ADAGRAD:
            a += g * g;
            w -= k->rate * g / vsqrt(a + k->epsilon);
            break;
        case CNN_ADADELTA: {
            a = a * k->k1 + g * g * k->rest1;
            vf change = g * vsqrt(b + k->epsilon) / vsqrt(a + k->epsilon);
            b = b * k->k1 + change * change * k->rest1;
            w -= k->rate * change;
            break;
        }
        case CNN_ADAMAX:
            a += (g - a) * k->rest1;
            b = larger(b * k->k2, magnitude(g));
            w -= k->rate * a / (b + k->epsilon);
            break;
        case CNN_NADAM:
            a += (g - a) * k->rest1;
            b += (g * g - b) * k->rest2;
            w -= (a * k->rate + g * k->rate1) / (vsqrt(b * k->rate2) + k->epsilon);
            break;
        default: /* CNN_LION */
            w -= k->rate * sign_of(a * k->k1 + g * k->rest1);
            a = a * k->k2 + g * k->rest2;
    }
    store_n(args->w + i, w, n);
    store_n(args->a + i, a, n);
    if (args->b) store_n(args->b + i, b, n);
}

KERNEL_RUN(update) {
    int64_t i = begin * a->chunk, last = min64(end * a->chunk, a->size);
    int several = a->kind == CNN_NADAM;
    update_constants k = {set(a->rates[0]),
                          set(several ? a->rates[1] : 0),
                          set(several ? a->rates[2] : 0),
                          set((float)a->k1),
                          set((float)(1 - a->k1)),
                          set((float)a->k2),
                          set((float)(1 - a->k2)),
                          set(a->epsilon)};
    for (; i + LANES <= last; i += LANES) update_vector(a, &k, i, LANES);
    if (i < last) update_vector(a, &k, i, last - i);
}
