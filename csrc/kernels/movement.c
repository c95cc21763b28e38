/* movement.c - copies between layouts, types and places. */

KERNEL_WORK(strided_copy) {
    int64_t size = 1;
    for (int i = 0; i < a->axes; i++) size *= a->length[i];
    return array_work(a->length[0], size, 1);
}

static void copy_line(const cnn_strided_copy_args *a, const char *from, char *to, int64_t n, int64_t from_step,
                      int64_t to_step) {
    if (a->accumulate) {
        const float *x = (const float *)from;
        float *y = (float *)to;
        for (int64_t i = 0; i < n; i++) y[i * to_step] += x[i * from_step];
    } else if (from_step == 1 && to_step == 1) {
        memcpy(to, from, (size_t)(n * a->item));
    } else if (a->item == 4) {
        const float *x = (const float *)from;
        float *y = (float *)to;
        for (int64_t i = 0; i < n; i++) y[i * to_step] = x[i * from_step];
    } else {
        for (int64_t i = 0; i < n; i++)
            memcpy(to + i * to_step * a->item, from + i * from_step * a->item, (size_t)a->item);
    }
}

KERNEL_RUN(strided_copy) {
    int64_t inner = a->axes - 1, item = a->item;
    const char *from0 = (const char *)a->from + a->from_offset * item;
    char *to0 = (char *)a->to + a->to_offset * item;
    if (a->axes == 1) {
        copy_line(a, from0 + begin * a->from_step[0] * item, to0 + begin * a->to_step[0] * item, end - begin,
                  a->from_step[0], a->to_step[0]);
        return;
    }
    int64_t lines = 1, index[CNN_MOST_AXES] = {0};
    for (int i = 1; i < inner; i++) lines *= a->length[i];
    for (int64_t task = begin; task < end; task++) {
        const char *from = from0 + task * a->from_step[0] * item;
        char *to = to0 + task * a->to_step[0] * item;
        for (int64_t line = 0; line < lines; line++) {
            copy_line(a, from, to, a->length[inner], a->from_step[inner], a->to_step[inner]);
            for (int64_t i = inner - 1; i > 0; i--) { /* the next index, as an odometer counts */
                from += a->from_step[i] * item, to += a->to_step[i] * item;
                if (++index[i] < a->length[i]) break;
                from -= a->length[i] * a->from_step[i] * item, to -= a->length[i] * a->to_step[i] * item;
                index[i] = 0;
            }
        }
    }
}

KERNEL_WORK(fill) { return chunk_work(a->size); }

KERNEL_RUN(fill) {
    int64_t last = min64(end * CHUNK, a->size);
    for (int64_t i = begin * CHUNK; i < last; i++) a->y[i] = a->value;
}

KERNEL_WORK(cast) { return chunk_work(a->size); }

#define TYPES(T)          \
    T(CNN_FLOAT32, float) \
    T(CNN_FLOAT64, double) T(CNN_INT32, int32_t) T(CNN_INT64, int64_t) T(CNN_UINT8, uint8_t) T(CNN_UINT64, uint64_t)

/* Every pair of types; bool is a byte on the way in, and a comparison on the way out. */
#define CAST_TO(code, T)                                                 \
    case code:                                                           \
        for (int64_t i = first; i < last; i++) ((T *)a->y)[i] = (T)x[i]; \
        break;
#define CAST_FROM(code, T)                                                               \
    case code: {                                                                         \
        const T *x = a->x;                                                               \
        switch (a->to) {                                                                 \
            TYPES(CAST_TO)                                                               \
            case CNN_BOOL:                                                               \
                for (int64_t i = first; i < last; i++) ((uint8_t *)a->y)[i] = x[i] != 0; \
                break;                                                                   \
        }                                                                                \
    } break;

KERNEL_RUN(cast) {
    int64_t first = begin * CHUNK, last = min64(end * CHUNK, a->size);
#define FROM(code, T) CAST_FROM(code, T)
    switch (a->from) {
        CAST_FROM(CNN_FLOAT32, float)
        CAST_FROM(CNN_FLOAT64, double)
        CAST_FROM(CNN_INT32, int32_t)
        CAST_FROM(CNN_INT64, int64_t)
        CAST_FROM(CNN_UINT8, uint8_t)
        CAST_FROM(CNN_BOOL, uint8_t)
        CAST_FROM(CNN_UINT64, uint64_t)
    }
#undef FROM
}

KERNEL_WORK(take) { return array_work(a->count, a->count * a->row_bytes / 4, 0); }

KERNEL_RUN(take) {
    for (int64_t i = begin; i < end; i++) {
        int64_t row = a->index[i] < 0 ? a->index[i] + a->rows : a->index[i];
        char *to = (char *)a->y + i * a->row_bytes;
        if (row < 0 || row >= a->rows)
            memset(to, 0, (size_t)a->row_bytes);
        else
            memcpy(to, (const char *)a->x + row * a->row_bytes, (size_t)a->row_bytes);
    }
}

#define TAKE_BLOCK 256 /* columns of a task */

KERNEL_WORK(take_dx) { return array_work(ceil_div(a->row_size, TAKE_BLOCK), a->count * a->row_size, 0); }

KERNEL_RUN(take_dx) {
    int64_t c0 = begin * TAKE_BLOCK, n = min64(end * TAKE_BLOCK, a->row_size) - c0;
    for (int64_t r = 0; r < a->rows && !a->accumulate; r++)
        memset(a->dx + r * a->row_size + c0, 0, (size_t)n * sizeof(float));
    for (int64_t i = 0; i < a->count; i++) {
        int64_t row = a->index[i] < 0 ? a->index[i] + a->rows : a->index[i];
        if (row < 0 || row >= a->rows) continue;
        for (int64_t c = 0; c < n; c++) a->dx[row * a->row_size + c0 + c] += a->dy[i * a->row_size + c0 + c];
    }
}

KERNEL_WORK(one_hot) { return array_work(a->count, a->count * a->classes, 1); }

KERNEL_RUN(one_hot) {
    memset(a->y + begin * a->classes, 0, (size_t)((end - begin) * a->classes) * sizeof(float));
    for (int64_t i = begin; i < end; i++)
        if (a->labels[i] >= 0 && a->labels[i] < a->classes) a->y[i * a->classes + a->labels[i]] = 1;
}
