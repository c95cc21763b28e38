/* elementwise.h - contracts of elementwise, reduction, movement and softmax kernels; included by cnn.h. */

/* Element types of the kernels that take more than float32. bool is a byte of 0 or 1. */
enum { CNN_FLOAT32, CNN_FLOAT64, CNN_INT32, CNN_INT64, CNN_UINT8, CNN_BOOL, CNN_UINT64 };

enum {
#define UNARY(name, value, slope) CNN_UNARY_##name,
#include "../unary.def"
#undef UNARY
    CNN_UNARIES
};

/* y[i] = function(x[i]) of unary.def, with parameters p and q. Task: one of `images` equal parts. */
typedef struct {
    const float *x;
    float *y;
    int64_t images, image_size;
    int32_t function;
    float p, q;
} cnn_unary_args;

/* dx[i] = dy[i] * function'(x[i]). With `behind`, 0 where behind[i] is not above 0. */
typedef struct {
    const float *x; /* the function's input; for relu the output will do */
    const float *y; /* its output */
    const float *dy;
    const float *behind; /* NULL, or x, if that is a ReLU's output */
    float *dx;
    int64_t images, image_size;
    int32_t function, accumulate;
    float p, q;
} cnn_unary_dx_args;

#define CNN_MOST_AXES 8

/* Functions of two numbers; from CNN_EQUAL on the result is bool. */
enum {
    CNN_ADD,
    CNN_SUBTRACT,
    CNN_MULTIPLY,
    CNN_DIVIDE,
    CNN_MAXIMUM,
    CNN_MINIMUM,
    CNN_POWER,
    CNN_FLOOR_DIVIDE,
    CNN_MODULO,
    CNN_EQUAL,
    CNN_NOT_EQUAL,
    CNN_LESS,
    CNN_LESS_EQUAL,
    CNN_GREATER,
    CNN_GREATER_EQUAL,
};

/* y[index] = function(a[index . a_step], b[index . b_step]) over `axes` axes, the last one innermost; a step of 0
 * repeats. y is contiguous, of the operands' type or bool. Task: one index of the first axis. */
typedef struct {
    const void *a, *b;
    void *y;
    int64_t length[CNN_MOST_AXES], a_step[CNN_MOST_AXES], b_step[CNN_MOST_AXES];
    int32_t axes, function, type;
} cnn_binary_args;

/* y[i] = condition[i] ? a[i] : b[i]. Task: a chunk of elements. */
typedef struct {
    const uint8_t *condition;
    const float *a, *b;
    float *y;
    int64_t size;
} cnn_where_args;

/* to[to_offset + index . to_step] = from[from_offset + index . from_step], elements of `item` bytes (1, 4 or 8). With
 * `accumulate`, float32 elements are added; no element of `to` is met twice. Task: one index of the first axis. */
typedef struct {
    const void *from;
    void *to;
    int64_t from_offset, to_offset;
    int64_t length[CNN_MOST_AXES], from_step[CNN_MOST_AXES], to_step[CNN_MOST_AXES];
    int32_t axes, item, accumulate;
} cnn_strided_copy_args;

/* y[i] = value, float32. Task: a chunk of elements. */
typedef struct {
    float *y;
    int64_t size;
    float value;
} cnn_fill_args;

/* y[i] = x[i] converted: to bool by comparing with 0, to integers towards 0. Task: a chunk of elements. */
typedef struct {
    const void *x;
    void *y;
    int64_t size;
    int32_t from, to;
} cnn_cast_args;

enum { CNN_SUM, CNN_MAX, CNN_MIN, CNN_PRODUCT };

/* y[o][i] = scale * (function over r of x[o][r][i]), in an order that depends on the lengths alone; sums of many
 * elements are summed in parts. Task: one o, or one block of i. */
typedef struct {
    const float *x; /* [outer][length][inner] */
    float *y;       /* [outer][inner] */
    int64_t outer, length, inner, images;
    int32_t function, accumulate;
    float scale;
} cnn_reduce_args;

/* y[o][i] = the first r at which x[o][r][i] is largest, or NaN. Task: one o. */
typedef struct {
    const float *x;
    int32_t *y;
    int64_t outer, length, inner;
} cnn_argmax_args;

/* y[i][...] = x[index[i]][...], rows of row_bytes; an index from the end where it is negative, and outside [-rows,
 * rows) a row of zeros. Task: one i. */
typedef struct {
    const void *x;
    const int32_t *index;
    void *y;
    int64_t rows, count, row_bytes;
} cnn_take_args;

/* dx[index[i]][...] += dy[i][...] in the order of i, after dx = 0 unless `accumulate`. Task: one column block. */
typedef struct {
    const float *dy;
    const int32_t *index;
    float *dx;
    int64_t rows, count, row_size;
    int32_t accumulate;
} cnn_take_dx_args;

/* y[i][c] = c == labels[i]. Task: a chunk of rows. */
typedef struct {
    const int32_t *labels;
    float *y;
    int64_t count, classes;
} cnn_one_hot_args;

/* y[r][c] = exp(x[r][c]) / sum over c of exp(x[r][c]), or with `log` its logarithm; the row's largest is taken off
 * first. Task: one row. */
typedef struct {
    const float *x;
    float *y;
    int64_t rows, classes;
    int32_t log;
} cnn_softmax_args;

/* dx from dy and y of cnn_softmax. Task: one row. */
typedef struct {
    const float *y, *dy;
    float *dx;
    int64_t rows, classes;
    int32_t log, accumulate;
} cnn_softmax_dx_args;

/* loss[r] = -sum over c of t[r][c] log softmax(x[r])[c], t being one-hot `labels` or `targets`; p = softmax(x), if
 * wanted. A label outside [0, classes) gives NaN. Task: one row. */
typedef struct {
    const float *x;
    const int32_t *labels; /* one of the two is NULL */
    const float *targets;
    float *p; /* or NULL */
    float *loss;
    int64_t rows, classes;
} cnn_softmax_cross_entropy_args;

/* dx[r][c] = (p[r][c] * sum(t[r]) - t[r][c]) * dloss[r]. Task: one row. */
typedef struct {
    const float *p, *dloss;
    const int32_t *labels;
    const float *targets;
    float *dx;
    int64_t rows, classes;
    int32_t accumulate;
} cnn_softmax_cross_entropy_dx_args;
