/* gather.c - rows of a user's array, picked by index and converted as they are copied: how batches are made. */

KERNEL_WORK(gather_rows) { return image_work(a->rows, 1, a->row_size); }

/* No step meets a subnormal float, which would count as zero: a subnormal half is set under a 1 that is taken away. */
static float half_to_float(uint16_t half) {
    uint32_t bits = (uint32_t)(half & 0x7fff) << 13, exponent = bits & 0x0f800000u;
    float f;
    bits += exponent ? 112u << 23 : 113u << 23; /* moves the exponent's bias from 15 to 127 */
    memcpy(&f, &bits, sizeof f);
    f -= exponent ? 0.0f : 0x1p-14f;
    memcpy(&bits, &f, sizeof bits);
    if (exponent == 0x0f800000u) bits |= 0x7f800000u;
    bits |= (uint32_t)(half & 0x8000) << 16;
    memcpy(&f, &bits, sizeof f);
    return f;
}

INLINE float element_as_float(const void *p, int64_t i, const int from) {
    switch (from) {
        case CNN_FROM_UINT8:
            return ((const uint8_t *)p)[i];
        case CNN_FROM_INT8:
            return ((const int8_t *)p)[i];
        case CNN_FROM_UINT16:
            return ((const uint16_t *)p)[i];
        case CNN_FROM_INT16:
            return ((const int16_t *)p)[i];
        case CNN_FROM_UINT32:
            return (float)((const uint32_t *)p)[i];
        case CNN_FROM_INT32:
            return (float)((const int32_t *)p)[i];
        case CNN_FROM_UINT64:
            return (float)((const uint64_t *)p)[i];
        case CNN_FROM_INT64:
            return (float)((const int64_t *)p)[i];
        case CNN_FROM_FLOAT16:
            return half_to_float(((const uint16_t *)p)[i]);
        case CNN_FROM_FLOAT64:
            return (float)((const double *)p)[i];
        default:
            return ((const float *)p)[i];
    }
}

static int32_t whole_part(double d) { return d > -2147483649.0 && d < 2147483648.0 ? (int32_t)d : INT32_MIN; }

static int32_t fitting(int64_t i) { return i >= INT32_MIN && i <= INT32_MAX ? (int32_t)i : INT32_MIN; }

INLINE int32_t element_as_int(const void *p, int64_t i, const int from) {
    switch (from) {
        case CNN_FROM_UINT8:
            return ((const uint8_t *)p)[i];
        case CNN_FROM_INT8:
            return ((const int8_t *)p)[i];
        case CNN_FROM_UINT16:
            return ((const uint16_t *)p)[i];
        case CNN_FROM_INT16:
            return ((const int16_t *)p)[i];
        case CNN_FROM_UINT32:
            return fitting(((const uint32_t *)p)[i]);
        case CNN_FROM_INT32:
            return ((const int32_t *)p)[i];
        case CNN_FROM_UINT64:
            return ((const uint64_t *)p)[i] <= INT32_MAX ? (int32_t)((const uint64_t *)p)[i] : INT32_MIN;
        case CNN_FROM_INT64:
            return fitting(((const int64_t *)p)[i]);
        case CNN_FROM_FLOAT16:
            return whole_part(half_to_float(((const uint16_t *)p)[i]));
        case CNN_FROM_FLOAT64:
            return whole_part(((const double *)p)[i]);
        default:
            return whole_part(((const float *)p)[i]);
    }
}

/* `from` is a constant where this is inlined, so that each pair of types gets a loop of its own. */
INLINE void gather_from(const cnn_gather_rows_args *a, int64_t begin, int64_t end, const int from) {
    const int64_t *index = a->index + (a->start ? *a->start : 0);
    for (int64_t row = begin; row < end; row++) {
        int64_t at = index[row] * a->row_size, to = row * a->row_size;
        if (from == (a->to_int ? CNN_FROM_INT32 : CNN_FROM_FLOAT32)) {
            memcpy((char *)a->out + 4 * to, (const char *)a->source + 4 * at, 4 * (size_t)a->row_size);
        } else if (a->to_int) {
            int32_t *out = (int32_t *)a->out + to;
            for (int64_t k = 0; k < a->row_size; k++) out[k] = element_as_int(a->source, at + k, from);
        } else {
            float *out = (float *)a->out + to;
            for (int64_t k = 0; k < a->row_size; k++) out[k] = element_as_float(a->source, at + k, from);
        }
    }
}

KERNEL_RUN(gather_rows) {
    switch (a->from) {
        case CNN_FROM_UINT8:
            gather_from(a, begin, end, CNN_FROM_UINT8);
            break;
        case CNN_FROM_INT8:
            gather_from(a, begin, end, CNN_FROM_INT8);
            break;
        case CNN_FROM_UINT16:
            gather_from(a, begin, end, CNN_FROM_UINT16);
            break;
        case CNN_FROM_INT16:
            gather_from(a, begin, end, CNN_FROM_INT16);
            break;
        case CNN_FROM_UINT32:
            gather_from(a, begin, end, CNN_FROM_UINT32);
            break;
        case CNN_FROM_INT32:
            gather_from(a, begin, end, CNN_FROM_INT32);
            break;
        case CNN_FROM_UINT64:
            gather_from(a, begin, end, CNN_FROM_UINT64);
            break;
        case CNN_FROM_INT64:
            gather_from(a, begin, end, CNN_FROM_INT64);
            break;
        case CNN_FROM_FLOAT16:
            gather_from(a, begin, end, CNN_FROM_FLOAT16);
            break;
        case CNN_FROM_FLOAT64:
            gather_from(a, begin, end, CNN_FROM_FLOAT64);
            break;
        default:
            gather_from(a, begin, end, CNN_FROM_FLOAT32);
    }
}
