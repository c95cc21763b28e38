/* activate.h - what convolutions do to what they read and what they store: scales of channels, and activations. */

/* The activations of cnn.h, as unary.def has them. */
INLINE vf activated(vf x, const int activation) {
    switch (activation) {
        case CNN_RELU:
            return vmax(set(0), x);
        case CNN_RELU6:
            return vmin(set(6), vmax(set(0), x));
        case CNN_SILU:
            return x * vsigmoid(x);
        case CNN_HARD_SILU:
            return x * vmin(set(1), vmax(set(0), x * (1.0f / 6) + 0.5f));
        case CNN_SIGMOID:
            return vsigmoid(x);
        case CNN_HARD_SIGMOID:
            return vmin(set(1), vmax(set(0), x * (1.0f / 6) + 0.5f));
        default:
            return x;
    }
}

/* act(y[i][j]) in place of y[i][j], for m rows of n: they were stored a moment ago and are in the nearest cache. */
INLINE void activate_all(float *const *y, int64_t m, int64_t n, const int activation) {
    for (int64_t i = 0; i < m; i++) {
        int64_t j = 0;
        for (; j + LANES <= n; j += LANES) store(y[i] + j, activated(load(y[i] + j), activation));
        if (j < n) store_n(y[i] + j, activated(load_n(y[i] + j, n - j), activation), n - j);
    }
}
static __attribute__((noinline)) void activate_rows(float *const *y, int64_t m, int64_t n, int activation) {
    switch (activation) {
#define ACTIVATE(kind)               \
    case kind:                       \
        activate_all(y, m, n, kind); \
        break;
        ACTIVATE(CNN_RELU)
        ACTIVATE(CNN_RELU6)
        ACTIVATE(CNN_SILU)
        ACTIVATE(CNN_HARD_SILU)
        ACTIVATE(CNN_SIGMOID)
        ACTIVATE(CNN_HARD_SIGMOID)
#undef ACTIVATE
    }
}

/* Activations that bounds alone compute: max(least, min(most, x)). */
INLINE int is_bounds(int activation) { return activation <= CNN_RELU6; }
INLINE float least_of(int activation) { return activation == CNN_LINEAR ? -INFINITY : 0; }
INLINE float most_of(int activation) { return activation == CNN_RELU6 ? 6 : INFINITY; }

/* What an image's channels are read as (cnn_sides): a vector of them, from channel c on. */
typedef struct {
    const float *scale, *shift; /* of this image; NULL where x is taken as it is */
    float least;                /* 0 for a ReLU */
} channels_read;

INLINE channels_read read_channels(const cnn_sides *s, int64_t image) {
    return (channels_read){s->scale ? s->scale + image * s->image_step : NULL, s->shift, s->relu ? 0 : -INFINITY};
}
INLINE int reads_as_is(const cnn_sides *s) { return !s->scale && !s->shift && !s->relu; }
INLINE vf read_vector(const float *x, const channels_read *r, int64_t c, int64_t n) {
    vf v = load_n(x + c, n);
    if (r->scale) v = v * load_n(r->scale + c, n);
    if (r->shift) v = v + load_n(r->shift + c, n);
    return vmax(set(r->least), v);
}
