/* order.h - contracts of the kernels that go through an axis in order: running sums and sorting; included by cnn.h. */

/* y[o][r][i] = x[o][0][i] + ... + x[o][r][i], or, with `reverse`, x[o][r][i] + ... + x[o][length - 1][i], added in that
 * order, beginning with the term furthest from r. Task: one o. */
typedef struct {
    const float *x; /* [outer][length][inner] */
    float *y;       /* likewise, not x */
    int64_t outer, length, inner;
    int32_t reverse, accumulate;
} cnn_cumsum_args;

/* y[row] = the places of x[row] from the smallest to the largest, equal ones in their order, NaN last. Task: a row. */
typedef struct {
    const float *x; /* [rows][length] */
    int32_t *y;     /* likewise */
    int64_t rows, length;
} cnn_argsort_args;
