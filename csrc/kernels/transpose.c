/* transpose.c - rows become columns, a square of whole vectors at a time. */

/* Makes rows columns. */
INLINE void transpose_vectors(vf *rows) {
    vf turned[LANES];
    UNROLL
    for (int round = LANES; round > 1; round /= 2) {
        UNROLL
        for (int i = 0; i < LANES / 2; i++) {
            turned[2 * i] = side_by_side(rows[i], rows[i + LANES / 2], 0);
            turned[2 * i + 1] = side_by_side(rows[i], rows[i + LANES / 2], LANES / 2);
        }
        UNROLL
        for (int i = 0; i < LANES; i++) rows[i] = turned[i];
    }
}

/* to[u][step] = from[i][u] for `width` rows i and `depth` columns u, zeros after them. */
static void transpose(const float *from, int64_t units, int64_t depth, int64_t width, float *to, int64_t step) {
    for (int64_t u = 0; u < depth; u += LANES)
        for (int64_t i = 0; i < step; i += LANES) {
            int64_t some = min64(LANES, depth - u);
            const float *corner = from + i * units + u;
            float *turned = to + u * step + i;
            vf rows[LANES];
            if (some == LANES && i + LANES <= width) {
                /* Lest the compiler keeps an address for every row, for which registers are too few. */
                UNROLL
                for (int r = 0; r < LANES; r++, corner += units) {
                    rows[r] = load(corner);
                    FORGET(corner);
                }
                transpose_vectors(rows);
                UNROLL
                for (int r = 0; r < LANES; r++, turned += step) {
                    store(turned, rows[r]);
                    FORGET(turned);
                }
                continue;
            }
            for (int r = 0; r < LANES; r++) rows[r] = i + r < width ? load_n(corner + r * units, some) : (vf){0};
            transpose_vectors(rows);
            for (int r = 0; r < some; r++) store(turned + r * step, rows[r]);
        }
}
