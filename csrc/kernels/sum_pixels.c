/* sum_pixels.c - the gradients of biases. */

/* The sum over pixels of nv vectors of channels, four pixels side by side: additions wait for one another. */
INLINE void sum_vectors(const float *dy, int64_t pixels, int64_t channels, vf *sum, const int nv) {
    vf more[3][NV] = {0};
    int64_t p = 0;
    for (; p + 4 <= pixels; p += 4, dy += 4 * channels) {
        UNROLL
        for (int j = 0; j < nv; j++) {
            sum[j] += load(dy + j * LANES);
            UNROLL
            for (int i = 0; i < 3; i++) more[i][j] += load(dy + (i + 1) * channels + j * LANES);
        }
    }
    for (; p < pixels; p++, dy += channels) UNROLL
    for (int j = 0; j < nv; j++) sum[j] += load(dy + j * LANES);
    UNROLL
    for (int j = 0; j < nv; j++) sum[j] = (sum[j] + more[0][j]) + (more[1][j] + more[2][j]);
}

/* to[channels] = (accumulate ? to : 0) + sum over pixels of dy[pixel][channels]. */
static void sum_pixels(const float *dy, int64_t pixels, int64_t channels, float *to, int accumulate) {
    int64_t f = 0;
    for (; f + LANES <= channels;) {
        int two = f + 2 * LANES <= channels;
        vf sum[NV] = {accumulate ? load(to + f) : set(0), two && accumulate ? load(to + f + LANES) : set(0)};
        if (two)
            sum_vectors(dy + f, pixels, channels, sum, 2);
        else
            sum_vectors(dy + f, pixels, channels, sum, 1);
        store(to + f, sum[0]);
        if (two) store(to + f + LANES, sum[1]);
        f += two ? 2 * LANES : LANES;
    }
    if (f == channels) return;
    int64_t n = channels - f;
    vf sum = accumulate ? load_n(to + f, n) : set(0);
    for (int64_t p = 0; p < pixels; p++) sum += load_n(dy + p * channels + f, n);
    store_n(to + f, sum, n);
}
