/* band.h - a band of an image's rows with its padding made real.
 *
 * The rows that a band needs are copied into scratch with zeros around them (or used in place where nothing is padded),
 * so that a pixel's operand for filter row ky is one contiguous run of k_w * in_c floats at a fixed distance from the
 * pixel. That serves 1 input channel as well as 512.
 */

#define BAND_BYTES   (256 * 1024) /* scratch that one band of rows should stay under, so that it stays in L2 */
#define FEWEST_TASKS 32           /* images are cut into bands until a call has this many tasks */

/* A rectangle of an image with zeros where it reaches over the edge. */
typedef struct {
    const float *rows; /* its first pixel */
    int64_t row_step;  /* floats from one row to the next */
} band;

/* The rectangle of `height` by `width` pixels at (top, left) of an image, copied; top and left may be negative. */
static band pad_band(const float *image, int64_t h, int64_t w, int64_t c, int64_t top, int64_t left, int64_t height,
                     int64_t width, float *room) {
    int64_t first = max64(-left, 0), last = max64(min64(w - left, width), first);
    for (int64_t r = 0; r < height; r++) {
        float *to = room + r * width * c;
        int64_t y = top + r;
        if (y < 0 || y >= h || first >= width) {
            memset(to, 0, (size_t)(width * c) * sizeof(float));
            continue;
        }
        memset(to, 0, (size_t)(first * c) * sizeof(float));
        memcpy(to + first * c, image + (y * w + left + first) * c, (size_t)((last - first) * c) * sizeof(float));
        memset(to + last * c, 0, (size_t)((width - last) * c) * sizeof(float));
    }
    return (band){room, width * c};
}

/* The same, in place where it lies within the image. */
static band cut_band(const float *image, int64_t h, int64_t w, int64_t c, int64_t top, int64_t left, int64_t height,
                     int64_t width, float *room) {
    if (top >= 0 && left >= 0 && top + height <= h && left + width <= w)
        return (band){image + (top * w + left) * c, w * c};
    return pad_band(image, h, w, c, top, left, height, width, room);
}

/* How many bands an image of `rows` rows is cut into: `row_bytes` of scratch for each row, `images` images in all. */
static int64_t bands_per_image(int64_t images, int64_t rows, int64_t row_bytes) {
    int64_t by_size = ceil_div(rows * row_bytes, BAND_BYTES);
    int64_t by_tasks = images > 0 && images < FEWEST_TASKS ? ceil_div(FEWEST_TASKS, images) : 1;
    return max64(1, min64(max64(by_size, by_tasks), rows));
}

/* Rows and columns of input under `rows` rows of output. */
INLINE int64_t rows_under(const cnn_window *g, int64_t rows) {
    return (rows - 1) * g->stride_h + (g->k_h - 1) * g->dilation_h + 1;
}
INLINE int64_t columns_under(const cnn_window *g) {
    return (g->out_w - 1) * g->stride_w + (g->k_w - 1) * g->dilation_w + 1;
}
