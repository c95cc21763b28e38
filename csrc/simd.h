/* simd.h - the few vector words that kernels are written in, for the LANES of the tier that includes it. */
#ifndef CNN_SIMD_H
#define CNN_SIMD_H

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#define VECTOR_BYTES (LANES * 4)
typedef float vf __attribute__((vector_size(VECTOR_BYTES)));
typedef int32_t vi __attribute__((vector_size(VECTOR_BYTES)));
typedef uint32_t vu __attribute__((vector_size(VECTOR_BYTES)));
typedef int64_t vl __attribute__((vector_size(VECTOR_BYTES)));
typedef float vf_unaligned __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));

#define INLINE static inline __attribute__((always_inline))

INLINE vf load(const float *p) { return *(const vf_unaligned *)p; }
INLINE void store(float *p, vf v) { *(vf_unaligned *)p = v; }
INLINE vf set(float f) { return f - (vf){0}; }

/* From here on the compiler knows nothing about the pointer p: neither what it has loaded there nor how p came about.
 */
#define FORGET(p) __asm__("" : "+r"(p))

/* From here on v stands in a register: the compiler neither loads it anew for every use nor computes it later. */
#if LANES == 16
#define IN_REGISTER(v) __asm__("" : "+v"(v))
#elif defined(__x86_64__)
#define IN_REGISTER(v) __asm__("" : "+x"(v))
#elif defined(__aarch64__)
#define IN_REGISTER(v) __asm__("" : "+w"(v))
#else
#define IN_REGISTER(v)
#endif

#if LANES == 8
#define LANE_INDEX ((vi){0, 1, 2, 3, 4, 5, 6, 7})
#endif

/* The first n elements, zeros after them; n may be anything from 0 to LANES. */
INLINE vf load_n(const float *p, int64_t n) {
#if LANES == 16
    return (vf)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1u), p);
#else
    vf v = {0};
    if (n == LANES) return load(p);
#if LANES == 8
    v = (vf)_mm256_maskload_ps(p, (__m256i)(LANE_INDEX < (int32_t)n));
#else
    for (int i = 0; i < LANES - 1; i++)
        if (i < n) v[i] = p[i];
#endif
    return v;
#endif
}

INLINE void store_n(float *p, vf v, int64_t n) {
#if LANES == 16
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1u), (__m512)v);
#else
    if (n == LANES) {
        store(p, v);
        return;
    }
#if LANES == 8
    _mm256_maskstore_ps(p, (__m256i)(LANE_INDEX < (int32_t)n), (__m256)v);
#else
    for (int i = 0; i < LANES - 1; i++)
        if (i < n) p[i] = v[i];
#endif
#endif
}

/* max(a, b) and min(a, b) that return b where either is NaN: write vmax(set(0), x) so that a NaN in x survives. */
INLINE vf vmax(vf a, vf b) {
#if LANES == 16
    return (vf)_mm512_max_ps((__m512)a, (__m512)b);
#elif LANES == 8
    return (vf)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(__x86_64__)
    return (vf)_mm_max_ps((__m128)a, (__m128)b);
#else
    vi greater = a > b;
    return (vf)((greater & (vi)a) | (~greater & (vi)b));
#endif
}

INLINE vf vmin(vf a, vf b) {
#if LANES == 16
    return (vf)_mm512_min_ps((__m512)a, (__m512)b);
#elif LANES == 8
    return (vf)_mm256_min_ps((__m256)a, (__m256)b);
#elif defined(__x86_64__)
    return (vf)_mm_min_ps((__m128)a, (__m128)b);
#else
    vi less = a < b;
    return (vf)((less & (vi)a) | (~less & (vi)b));
#endif
}

INLINE vf vsqrt(vf v) {
#if LANES == 16
    return (vf)_mm512_sqrt_ps((__m512)v);
#elif LANES == 8
    return (vf)_mm256_sqrt_ps((__m256)v);
#elif defined(__x86_64__)
    return (vf)_mm_sqrt_ps((__m128)v);
#elif defined(__aarch64__)
    return (vf)vsqrtq_f32((float32x4_t)v);
#else
    for (int i = 0; i < LANES; i++) v[i] = __builtin_sqrtf(v[i]);
    return v;
#endif
}

/* Where mask is all ones take a, where it is zero take b. */
INLINE vf choose(vi mask, vf a, vf b) { return (vf)((mask & (vi)a) | (~mask & (vi)b)); }

/* The gradient behind a ReLU with output y; a NaN in y does not stop it. */
INLINE vf behind_relu(vf y, vf dy) { return choose(~(y <= 0), dy, set(0)); }

/* One bit for each lane that is not zero; NaN is not. */
INLINE uint32_t nonzero_lanes(vf v) {
#if LANES == 16
    return _mm512_cmp_ps_mask((__m512)v, (__m512)set(0), _CMP_NEQ_UQ);
#elif LANES == 8
    return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps((__m256)v, (__m256)set(0), _CMP_NEQ_UQ));
#elif defined(__x86_64__)
    return (uint32_t)_mm_movemask_ps(_mm_cmpneq_ps((__m128)v, (__m128)set(0)));
#else
    uint32_t bits = 0;
    for (int i = 0; i < LANES; i++) bits |= (uint32_t)(v[i] != 0) << i;
    return bits;
#endif
}

/* Half of two vectors, from lane `first` on, number by number side by side. */
INLINE vf side_by_side(vf a, vf b, const int first) {
    vi index;
    for (int i = 0; i < LANES; i++) index[i] = first + i / 2 + i % 2 * LANES;
    return __builtin_shuffle(a, b, index);
}

/* The sum of the lanes, halves added to halves: one fixed tree. */
INLINE float sum_lanes(vf v) {
    float lane[LANES];
    memcpy(lane, &v, sizeof lane);
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++) lane[i] += lane[i + half];
    return lane[0];
}

/* Four floats, on every tier. */
typedef float quad __attribute__((vector_size(16)));
typedef int32_t quad_index __attribute__((vector_size(16)));
typedef float quad_unaligned __attribute__((vector_size(16), aligned(4), may_alias));

/* Eight floats, on every tier (some make two vectors of them: functions take pointers to such). */
typedef float eight __attribute__((vector_size(32)));
typedef int32_t eight_index __attribute__((vector_size(32)));
typedef float eight_unaligned __attribute__((vector_size(32), aligned(4), may_alias));

#if LANES == 16
/* Four floats from each of four places. */
INLINE vf four_quads(const float *const at[4]) {
    __m512 v = _mm512_castps128_ps512(_mm_loadu_ps(at[0]));
    v = _mm512_insertf32x4(v, _mm_loadu_ps(at[1]), 1);
    v = _mm512_insertf32x4(v, _mm_loadu_ps(at[2]), 2);
    return (vf)_mm512_insertf32x4(v, _mm_loadu_ps(at[3]), 3);
}

/* As load_n, of eight. */
INLINE eight load_eight_n(const float *p, int64_t n) {
    return (eight)_mm256_maskz_loadu_ps((__mmask8)((1u << n) - 1u), p);
}
#endif

INLINE int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
INLINE int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }
INLINE int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
INLINE int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

#endif
