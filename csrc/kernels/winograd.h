/* winograd.h - how Winograd's convolutions cut images into tiles, and their transforms along one axis.
 *
 * An axis of the output is cut into large and small tiles. A tile of m outputs under filters of k taps takes m + k - 1
 * inputs and as many products, one for each point at which the polynomials of filter and input are multiplied: 0, 1,
 * -1, 2, -2, infinity, and for large tiles also 1/2 and -1/2, in this order. So large tiles have 9 - k outputs and
 * small ones 7 - k: 6 and 4 for k = 3. The points of a small tile are the first of a large one's, and filters are
 * scaled alike, so that tiles of both kinds share transformed filters, products, and sums for dw.
 */

enum { MOST_POINTS = 8, MOST_OUTPUTS = 7, MOST_TAPS = 5, FEW_POINTS = 6 };

/* An axis: so many large tiles of so many outputs, then so many small ones of two outputs less. */
typedef struct {
    int64_t large, small, outputs;
} axis_cut;

/* The fewest products in all. */
INLINE axis_cut cut_axis(int64_t length, int64_t points, int64_t k) {
    int64_t outputs = MOST_POINTS + 1 - k;
    axis_cut best = {0, ceil_div(length, outputs - 2), outputs};
    if (points == FEW_POINTS) return best;
    for (int64_t small = 0; small < outputs; small++) {
        int64_t large = ceil_div(max64(0, length - small * (outputs - 2)), outputs);
        if (MOST_POINTS * large + FEW_POINTS * small < MOST_POINTS * best.large + FEW_POINTS * best.small)
            best.large = large, best.small = small;
    }
    return best;
}

INLINE int64_t tiles_along(axis_cut cut) { return cut.large + cut.small; }

/* The first output of tile t. */
INLINE int64_t tile_start(axis_cut cut, int64_t t) { return t * cut.outputs - 2 * max64(0, t - cut.large); }

/* ---- tiles of images ------------------------------------------------------------------------------------------ */

/* How the images of a convolution are cut. */
typedef struct {
    const cnn_window *window;
    axis_cut down, across;
    int64_t points; /* along one axis */
    int64_t wide;   /* floats of a tile's inputs at one pair of points */
} tiling;

INLINE tiling tile_images(const cnn_window *g, int64_t points) {
    return (tiling){g, cut_axis(g->out_h, points, g->k_h), cut_axis(g->out_w, points, g->k_w), points,
                    round_up(g->in_c, g->in_c <= 8 ? min64(8, LANES) : LANES)};
}

/* Rows of tiles, of one image after another, that are taken together. Their tiles stand by kind, one kind behind the
 * other: low and wide, high and wide, high and narrow, low and narrow. So those that have a pair of points stand
 * together. */
typedef struct {
    int64_t first, rows, tiles;
    int64_t place[2][2]; /* of the first tile of a kind: [low][narrow] */
} tile_block;

/* Of the first r rows of tiles the high ones. */
INLINE int64_t high_rows(const tiling *t, int64_t r) {
    int64_t down = tiles_along(t->down);
    return r / down * t->down.large + min64(r % down, t->down.large);
}

static tile_block take_rows(const tiling *t, int64_t first, int64_t last) {
    int64_t rows = last - first, high = high_rows(t, last) - high_rows(t, first);
    int64_t high_wide = (rows - high) * t->across.large, high_narrow = rows * t->across.large;
    int64_t low_narrow = high_narrow + high * t->across.small;
    return (tile_block){first, rows, rows * tiles_along(t->across), {{high_wide, high_narrow}, {0, low_narrow}}};
}

/* Row r of tiles begins with this row of images that have so many. */
INLINE int64_t image_row(const tiling *t, int64_t r, int64_t height) {
    int64_t down = tiles_along(t->down);
    return r / down * height + min64(height, tile_start(t->down, r % down));
}

/* Row r of a block: of which image, from which row of outputs on, with how many points, and where its tiles stand,
 * the wide ones and the narrow ones. */
typedef struct {
    int64_t image, y, points, place[2];
} tile_row;

static tile_row row_at(const tiling *t, const tile_block *b, int64_t r) {
    int64_t down = tiles_along(t->down), ty = (b->first + r) % down, low = ty >= t->down.large;
    int64_t high = high_rows(t, b->first + r) - high_rows(t, b->first), same = low ? r - high : high;
    return (tile_row){(b->first + r) / down,
                      tile_start(t->down, ty),
                      low ? FEW_POINTS : MOST_POINTS,
                      {b->place[low][0] + same * t->across.large, b->place[low][1] + same * t->across.small}};
}

/* Tile tx of a row: from which column of outputs on, with how many points, and where it stands in its block. */
typedef struct {
    int64_t x, points, place;
} tile_column;

INLINE tile_column column_at(const tiling *t, const tile_row *row, int64_t tx) {
    int64_t narrow = tx - t->across.large;
    return (tile_column){tile_start(t->across, tx), narrow < 0 ? MOST_POINTS : FEW_POINTS,
                         narrow < 0 ? row->place[0] + tx : row->place[1] + narrow};
}

/* work(h, w) with the numbers of points as constants. */
#define BY_POINTS(h, w, work)                         \
    do {                                              \
        if ((h) == MOST_POINTS && (w) == MOST_POINTS) \
            work(MOST_POINTS, MOST_POINTS);           \
        else if ((h) == MOST_POINTS)                  \
            work(MOST_POINTS, FEW_POINTS);            \
        else if ((w) == MOST_POINTS)                  \
            work(FEW_POINTS, MOST_POINTS);            \
        else                                          \
            work(FEW_POINTS, FEW_POINTS);             \
    } while (0)

/* work(k) with a filter's size as a constant. */
#define BY_SIZE(k, work)   \
    do {                   \
        if ((k) == 2)      \
            work(2);       \
        else if ((k) == 3) \
            work(3);       \
        else if ((k) == 4) \
            work(4);       \
        else               \
            work(5);       \
    } while (0)

/* The tiles [begin, end) of a block that have the points i and j of their axes. */
INLINE void tiles_with(const tile_block *b, int64_t i, int64_t j, int64_t *begin, int64_t *end) {
    *begin = i < FEW_POINTS ? 0 : b->place[0][0];
    *end = j >= FEW_POINTS ? b->place[0][1] : i >= FEW_POINTS ? b->place[1][1] : b->tiles;
}

/* Floats from what belongs to one point (or pair of points) to the next: an odd number of cache lines, so that the
 * places that a transform writes do not all fall into one set of the cache. */
INLINE int64_t point_step(int64_t size) { return (ceil_div(size, 16) | 1) * 16; }

/* ---- transforms of one vector of channels --------------------------------------------------------------------- */

/* B': from n inputs to n points. */
#define TO_POINTS(NAME, TYPE)                                                                    \
    INLINE void NAME(const TYPE *d, TYPE *v, const int n) {                                      \
        TYPE even[3], odd[3]; /* of the points 1, 2, 1/2 and their negatives */                  \
        if (n == FEW_POINTS) {                                                                   \
            even[0] = 0.75f * d[4] - 3 * d[2], odd[0] = 0.75f * d[3] - 3 * d[1];                 \
            even[1] = 3.75f * (d[4] - d[2]), odd[1] = 7.5f * (d[3] - d[1]);                      \
            v[0] = 1.25f * d[2] - d[0] - 0.25f * d[4];                                           \
            v[5] = 4 * d[1] - 5 * d[3] + d[5];                                                   \
        } else {                                                                                 \
            TYPE d2_4 = d[2] - d[4], d6_4 = d[6] - d[4], d1_3 = d[1] - d[3], d5_3 = d[5] - d[3]; \
            even[0] = d[2] + d[6] - 4.25f * d[4], odd[0] = d[1] + d[5] - 4.25f * d[3];           \
            even[1] = d6_4 + 0.25f * d2_4, odd[1] = 0.5f * d1_3 + 2 * d5_3;                      \
            even[2] = d6_4 + 4 * d2_4, odd[2] = 2 * d1_3 + 0.5f * d5_3;                          \
            v[0] = d[6] - d[0] + 5.25f * d2_4;                                                   \
            v[5] = d[7] - d[1] - 5.25f * d5_3;                                                   \
            v[6] = even[2] + odd[2];                                                             \
            v[7] = even[2] - odd[2];                                                             \
        }                                                                                        \
        v[1] = even[0] + odd[0];                                                                 \
        v[2] = even[0] - odd[0];                                                                 \
        v[3] = even[1] + odd[1];                                                                 \
        v[4] = even[1] - odd[1];                                                                 \
    }
TO_POINTS(to_points, vf)
TO_POINTS(quad_to_points, quad)
TO_POINTS(eight_to_points, eight)
#undef TO_POINTS

/* A': from n points to 2 to 7 outputs. */
INLINE void from_points(const vf *m, vf *y, const int n, const int outputs) {
    vf sum1 = m[1] + m[2], difference1 = m[1] - m[2];
    vf sum2 = m[3] + m[4], difference2 = m[3] - m[4];
    y[0] = m[0] + sum1 + sum2;
    y[1] = difference1 + 2 * difference2;
    if (outputs > 2) y[2] = sum1 + 4 * sum2;
    if (outputs > 3) y[3] = difference1 + 8 * difference2;
    if (outputs > 4) y[4] = sum1 + 16 * sum2;
    if (outputs > 5) y[5] = difference1 + 32 * difference2;
    if (outputs > 6) y[6] = sum1 + 64 * sum2;
    if (n > FEW_POINTS) {
        vf sum3 = m[6] + m[7], difference3 = m[6] - m[7];
        y[0] += sum3;
        y[1] += 0.5f * difference3;
        if (outputs > 2) y[2] += 0.25f * sum3;
        if (outputs > 3) y[3] += 0.125f * difference3;
        if (outputs > 4) y[4] += 0.0625f * sum3;
        if (outputs > 5) y[5] += 0.03125f * difference3;
        if (outputs > 6) y[6] += 0.015625f * sum3;
    }
    y[outputs - 1] += m[5];
}

/* A: from 2 to 7 gradients of outputs to n points. */
INLINE void gradient_to_points(const vf *d, vf *z, const int n, const int outputs) {
    vf even1 = d[0], odd1 = d[1], even2 = d[0], odd2 = 2 * d[1];
    if (outputs > 2) even1 += d[2], even2 += 4 * d[2];
    if (outputs > 3) odd1 += d[3], odd2 += 8 * d[3];
    if (outputs > 4) even1 += d[4], even2 += 16 * d[4];
    if (outputs > 5) odd1 += d[5], odd2 += 32 * d[5];
    if (outputs > 6) even1 += d[6], even2 += 64 * d[6];
    if (n > FEW_POINTS) {
        vf even3 = d[0], odd3 = 0.5f * d[1];
        if (outputs > 2) even3 += 0.25f * d[2];
        if (outputs > 3) odd3 += 0.125f * d[3];
        if (outputs > 4) even3 += 0.0625f * d[4];
        if (outputs > 5) odd3 += 0.03125f * d[5];
        if (outputs > 6) even3 += 0.015625f * d[6];
        z[6] = even3 + odd3;
        z[7] = even3 - odd3;
    }
    z[0] = d[0];
    z[1] = even1 + odd1;
    z[2] = even1 - odd1;
    z[3] = even2 + odd2;
    z[4] = even2 - odd2;
    z[5] = d[outputs - 1];
}

/* What filters are scaled by at a point, so that inputs need not be: 1 / product of its distances to the others. */
INLINE vf scaled(vf u, const int point) {
    const float scale[MOST_POINTS] = {-1, -2.0f / 9, -2.0f / 9, 1.0f / 90, 1.0f / 90, 1, 32.0f / 45, 32.0f / 45};
    return u * scale[point];
}

/* G: from so many taps to all points. */
INLINE void filter_to_points(const vf *w, vf u[MOST_POINTS], const int taps) {
    gradient_to_points(w, u, MOST_POINTS, taps);
    UNROLL
    for (int p = 0; p < MOST_POINTS; p++) u[p] = scaled(u[p], p);
}

/* G': from n points to so many taps. */
INLINE void filter_from_points(const vf *u, vf *w, const int n, const int taps) {
    vf m[MOST_POINTS];
    UNROLL
    for (int p = 0; p < n; p++) m[p] = scaled(u[p], p);
    from_points(m, w, n, taps);
}

/* ---- outputs -------------------------------------------------------------------------------------------------- */

/* Where the outputs of a tile go. Their bias is added before, at the point 1, from which it goes into every output. */
typedef struct {
    int64_t y_step; /* from one output to the next in a row */
    int accumulate, activation;
} tile_store;

/* Whether nothing is to be asked about a tile's outputs but where they are above `behind`. */
INLINE int stores_plainly(const tile_store *t, int64_t columns, const int outputs) {
    return columns == outputs && !t->accumulate && t->activation != CNN_RELU6;
}

/* Writes `columns` of a row of a tile's outputs: n channels of each, bounded as a ReLU has it; other activations
 * follow. `behind`: NULL, or a ReLU's outputs in the places of y; 0 is written where they are not above 0. */
INLINE void write_outputs(const tile_store *t, const vf *out, float *y, const float *behind, int64_t columns, int64_t n,
                          const int outputs, const int plainly) {
    vf least = set(least_of(is_bounds(t->activation) ? t->activation : CNN_LINEAR));
    if (plainly) {
        if (behind) UNROLL
        for (int s = 0; s < outputs; s++)
            store(y + s * t->y_step, behind_relu(load(behind + s * t->y_step), vmax(least, out[s])));
        else UNROLL
        for (int s = 0; s < outputs; s++) store(y + s * t->y_step, vmax(least, out[s]));
        return;
    }
    UNROLL
    for (int s = 0; s < outputs; s++) {
        if (s >= columns) continue;
        float *to = y + s * t->y_step;
        vf value = t->accumulate ? out[s] + load_n(to, n) : out[s];
        value = vmax(least, value);
        if (t->activation == CNN_RELU6) value = vmin(set(6), value);
        store_n(to, behind ? behind_relu(load_n(behind + s * t->y_step, n), value) : value, n);
    }
}

/* What bounds do not compute. */
INLINE void activate_outputs(const tile_store *t, float *y, int64_t columns, int64_t channels) {
    if (is_bounds(t->activation)) return;
    for (int64_t s = 0; s < columns; s++) activate_rows((float *[]){y + s * t->y_step}, 1, channels, t->activation);
}
