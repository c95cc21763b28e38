/* elementwise.c - functions of one and of two numbers, and their slopes. */

#define SMALL_ARRAY 16384 /* elements not worth a second thread */
#define CHUNK       16384 /* elements of a task, where tasks are not images */

/* Work of `tasks` tasks on `size` elements in all: one grain where that is little. */
static cnn_work array_work(int64_t tasks, int64_t size, int64_t per_image) {
    return (cnn_work){tasks, size <= SMALL_ARRAY ? max64(tasks, 1) : 1, per_image};
}

static cnn_work chunk_work(int64_t size) { return array_work(ceil_div(size, CHUNK), size, 0); }

/* ---- one number ----------------------------------------------------------------------------------------------- */

#define GELU_INNER(x) (0.7978845608028654f * ((x) + 0.044715f * (x) * (x) * (x)))

INLINE vf gelu_tanh_slope(vf x) {
    vf t = vtanh(GELU_INNER(x));
    return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * 0.7978845608028654f * (1 + 3 * 0.044715f * x * x);
}

KERNEL_WORK(unary) { return array_work(a->images, a->images * a->image_size, 1); }

KERNEL_RUN(unary) {
    int64_t last = end * a->image_size;
    vf p = set(a->p), q = set(a->q);
    (void)p, (void)q;
    switch (a->function) {
#define UNARY(name, value, slope)                                                \
    case CNN_UNARY_##name:                                                       \
        for (int64_t i = begin * a->image_size; i < last; i += LANES) {          \
            int64_t n = min64(LANES, last - i);                                  \
            vf x = n == LANES ? load(a->x + i) : load_n(a->x + i, n), y = value; \
            if (n == LANES)                                                      \
                store(a->y + i, y);                                              \
            else                                                                 \
                store_n(a->y + i, y, n);                                         \
        }                                                                        \
        break;
#include "../unary.def"
#undef UNARY
    }
}

KERNEL_WORK(unary_dx) { return array_work(a->images, a->images * a->image_size, 1); }

KERNEL_RUN(unary_dx) {
    int64_t last = end * a->image_size;
    vf p = set(a->p), q = set(a->q);
    (void)p, (void)q;
    switch (a->function) {
#define UNARY(name, value, slope)                                                                       \
    case CNN_UNARY_##name:                                                                              \
        for (int64_t i = begin * a->image_size; i < last; i += LANES) {                                 \
            int64_t n = min64(LANES, last - i);                                                         \
            vf x = load_n(a->x + i, n), y = load_n(a->y + i, n), dy = load_n(a->dy + i, n), dx = slope; \
            (void)x, (void)y;                                                                           \
            if (a->behind) dx = behind_relu(load_n(a->behind + i, n), dx);                              \
            if (a->accumulate) dx += load_n(a->dx + i, n);                                              \
            store_n(a->dx + i, dx, n);                                                                  \
        }                                                                                               \
        break;
#include "../unary.def"
#undef UNARY
    }
}

/* ---- two numbers ---------------------------------------------------------------------------------------------- */

#define IS_NUMBER(v) ((v) == (v))

static float floor_divide_float(float u, float v) { return floorf(u / v); }
static float modulo_float(float u, float v) {
    float r = fmodf(u, v);
    return r != 0 && (r < 0) != (v < 0) ? r + v : r;
}
static int64_t floor_divide_int(int64_t u, int64_t v) {
    if (v == 0) return 0;
    int64_t q = v == -1 ? (int64_t)(0 - (uint64_t)u) : u / v;
    return v != -1 && q * v != u && (u < 0) != (v < 0) ? q - 1 : q;
}
static int64_t modulo_int(int64_t u, int64_t v) {
    return v == 0 ? 0 : (int64_t)((uint64_t)u - (uint64_t)floor_divide_int(u, v) * (uint64_t)v);
}
static int64_t power_int(int64_t u, int64_t v) {
    uint64_t result = 1, base = (uint64_t)u;
    if (v < 0) return u == 1 ? 1 : u == -1 ? (v & 1 ? -1 : 1) : 0;
    for (; v; v >>= 1, base *= base)
        if (v & 1) result *= base;
    return (int64_t)result;
}

/* One innermost line: steps of 0 and 1 are constants in three of the four loops, which the compiler then vectorises. */
#define LINE(T, U, value)                                                     \
    {                                                                         \
        const T *restrict pa = (const T *)pa_, *restrict pb = (const T *)pb_; \
        U *restrict py = (U *)py_;                                            \
        if (sa == 1 && sb == 1)                                               \
            for (int64_t i = 0; i < n; i++) {                                 \
                T u = pa[i], v = pb[i];                                       \
                py[i] = (U)(value);                                           \
            }                                                                 \
        else if (sa == 1 && sb == 0)                                          \
            for (int64_t i = 0; i < n; i++) {                                 \
                T u = pa[i], v = *pb;                                         \
                py[i] = (U)(value);                                           \
            }                                                                 \
        else if (sa == 0 && sb == 1)                                          \
            for (int64_t i = 0; i < n; i++) {                                 \
                T u = *pa, v = pb[i];                                         \
                py[i] = (U)(value);                                           \
            }                                                                 \
        else                                                                  \
            for (int64_t i = 0; i < n; i++) {                                 \
                T u = pa[i * sa], v = pb[i * sb];                             \
                py[i] = (U)(value);                                           \
            }                                                                 \
    }                                                                         \
    break;

#define COMPARISONS(T)           \
    case CNN_EQUAL:              \
        LINE(T, uint8_t, u == v) \
    case CNN_NOT_EQUAL:          \
        LINE(T, uint8_t, u != v) \
    case CNN_LESS:               \
        LINE(T, uint8_t, u < v)  \
    case CNN_LESS_EQUAL:         \
        LINE(T, uint8_t, u <= v) \
    case CNN_GREATER:            \
        LINE(T, uint8_t, u > v)  \
    case CNN_GREATER_EQUAL:      \
        LINE(T, uint8_t, u >= v)

static void binary_line_float(int function, const void *pa_, int64_t sa, const void *pb_, int64_t sb, void *py_,
                              int64_t n) {
    switch (function) {
        case CNN_ADD:
            LINE(float, float, u + v)
        case CNN_SUBTRACT:
            LINE(float, float, u - v)
        case CNN_MULTIPLY:
            LINE(float, float, u *v)
        case CNN_DIVIDE:
            LINE(float, float, u / v)
        case CNN_MAXIMUM:
            LINE(float, float, u >= v || !IS_NUMBER(u) ? u : v)
        case CNN_MINIMUM:
            LINE(float, float, u <= v || !IS_NUMBER(u) ? u : v)
        case CNN_POWER:
            LINE(float, float, powf(u, v))
        case CNN_FLOOR_DIVIDE:
            LINE(float, float, floor_divide_float(u, v))
        case CNN_MODULO:
            LINE(float, float, modulo_float(u, v))
            COMPARISONS(float)
    }
}

/* Whole numbers wrap around, as NumPy's do; dividing by 0 gives 0. */
#define WHOLE_LINES(T)                                                                                             \
    static void binary_line_##T(int function, const void *pa_, int64_t sa, const void *pb_, int64_t sb, void *py_, \
                                int64_t n) {                                                                       \
        switch (function) {                                                                                        \
            case CNN_ADD:                                                                                          \
                LINE(T, T, (uint64_t)u + (uint64_t)v)                                                              \
            case CNN_SUBTRACT:                                                                                     \
                LINE(T, T, (uint64_t)u - (uint64_t)v)                                                              \
            case CNN_MULTIPLY:                                                                                     \
                LINE(T, T, (uint64_t)u * (uint64_t)v)                                                              \
            case CNN_MAXIMUM:                                                                                      \
                LINE(T, T, u >= v ? u : v)                                                                         \
            case CNN_MINIMUM:                                                                                      \
                LINE(T, T, u <= v ? u : v)                                                                         \
            case CNN_POWER:                                                                                        \
                LINE(T, T, power_int((int64_t)u, (int64_t)v))                                                      \
            case CNN_FLOOR_DIVIDE:                                                                                 \
                LINE(T, T, floor_divide_int((int64_t)u, (int64_t)v))                                               \
            case CNN_MODULO:                                                                                       \
                LINE(T, T, modulo_int((int64_t)u, (int64_t)v))                                                     \
                COMPARISONS(T)                                                                                     \
        }                                                                                                          \
    }
WHOLE_LINES(int32_t)
WHOLE_LINES(int64_t)
WHOLE_LINES(uint8_t)

INLINE int64_t bytes_of(int type) {
    static const int8_t bytes[] = {4, 8, 4, 8, 1, 1, 8};
    return bytes[type];
}

KERNEL_WORK(binary) {
    int64_t size = 1;
    for (int i = 0; i < a->axes; i++) size *= a->length[i];
    return array_work(a->length[0], size, 1);
}

static void binary_line(const cnn_binary_args *a, const char *pa, int64_t sa, const char *pb, int64_t sb, char *py,
                        int64_t n) {
    switch (a->type) {
        case CNN_FLOAT32:
            binary_line_float(a->function, pa, sa, pb, sb, py, n);
            break;
        case CNN_INT32:
            binary_line_int32_t(a->function, pa, sa, pb, sb, py, n);
            break;
        case CNN_INT64:
            binary_line_int64_t(a->function, pa, sa, pb, sb, py, n);
            break;
        default:
            binary_line_uint8_t(a->function, pa, sa, pb, sb, py, n);
    }
}

KERNEL_RUN(binary) {
    int64_t item = bytes_of(a->type), y_item = a->function >= CNN_EQUAL ? 1 : item, inner = a->axes - 1;
    int64_t n = a->axes > 1 ? a->length[inner] : end - begin, sa = a->a_step[inner], sb = a->b_step[inner];
    if (a->axes == 1) {
        binary_line(a, (const char *)a->a + begin * sa * item, sa, (const char *)a->b + begin * sb * item, sb,
                    (char *)a->y + begin * y_item, n);
        return;
    }
    int64_t lines = 1, index[CNN_MOST_AXES] = {0};
    for (int i = 1; i < inner; i++) lines *= a->length[i];
    char *py = (char *)a->y + begin * lines * n * y_item;
    for (int64_t task = begin; task < end; task++) {
        const char *pa = (const char *)a->a + task * a->a_step[0] * item;
        const char *pb = (const char *)a->b + task * a->b_step[0] * item;
        for (int64_t line = 0; line < lines; line++, py += n * y_item) {
            binary_line(a, pa, sa, pb, sb, py, n);
            for (int64_t i = inner - 1; i > 0; i--) { /* the next index, as an odometer counts */
                pa += a->a_step[i] * item, pb += a->b_step[i] * item;
                if (++index[i] < a->length[i]) break;
                pa -= a->length[i] * a->a_step[i] * item, pb -= a->length[i] * a->b_step[i] * item;
                index[i] = 0;
            }
        }
    }
}

KERNEL_WORK(where) { return chunk_work(a->size); }

KERNEL_RUN(where) {
    int64_t last = min64(end * CHUNK, a->size);
    for (int64_t i = begin * CHUNK; i < last; i++) a->y[i] = a->condition[i] ? a->a[i] : a->b[i];
}
