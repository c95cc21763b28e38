/* cpu.c - the tiers that this build holds, which of them this CPU runs, and how it takes subnormal numbers. */
#define _GNU_SOURCE
#include "cnn.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#if CNN_HAS_AMX
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#if defined(__x86_64__)
extern const cnn_kernel cnn_table__sse2[], cnn_table__avx2[], cnn_table__avx512[], cnn_table__amx[];
#elif defined(__ARM_NEON)
extern const cnn_kernel cnn_table__neon[];
#endif

const char *cnn_tier_name(int tier) {
    static const char *const names[CNN_TIERS] = {"sse2", "avx2", "avx512", "amx", "neon"};
    return names[tier];
}

int cnn_tier_lanes(int tier) {
    static const int lanes[CNN_TIERS] = {4, 8, 16, 16, 4};
    return lanes[tier];
}

int cnn_tier_has_tiles(int tier) { return tier == CNN_TIER_AMX; }

const cnn_kernel *cnn_tier_table(int tier) {
#if defined(__x86_64__)
    if (tier == CNN_TIER_SSE2) return cnn_table__sse2;
    if (tier == CNN_TIER_AVX2) return cnn_table__avx2;
    if (tier == CNN_TIER_AVX512) return cnn_table__avx512;
#if CNN_HAS_AMX
    if (tier == CNN_TIER_AMX) return cnn_table__amx;
#endif
#elif defined(__ARM_NEON)
    if (tier == CNN_TIER_NEON) return cnn_table__neon;
#endif
    return NULL;
}

#if CNN_HAS_AMX
#define ASK_PERMISSION 0x1023 /* ARCH_REQ_XCOMP_PERM of arch_prctl ... */
#define TILE_DATA      18     /* ... for the tiles' contents */

/* Whether the CPU has the tiles, bfloat16 in them and in vectors, and the system lets this process use them. */
static int tiles_run_here(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    int tiles = d >> 24 & 1, products = d >> 22 & 1;
    if (!tiles || !products || !__get_cpuid_count(7, 1, &a, &b, &c, &d) || !(a >> 5 & 1)) return 0;
    return syscall(SYS_arch_prctl, ASK_PERMISSION, TILE_DATA) == 0;
}
#endif

int cnn_tier_runs_here(int tier) {
    if (!cnn_tier_table(tier)) return 0;
#if defined(__x86_64__)
    /* The compiler's own detection reads CPUID, and XGETBV for what the operating system saves. */
    __builtin_cpu_init();
    if (tier == CNN_TIER_AVX2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#if CNN_HAS_AMX
    if (tier == CNN_TIER_AMX) return cnn_tier_runs_here(CNN_TIER_AVX512) && tiles_run_here();
#endif
    if (tier == CNN_TIER_AVX512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
#endif
    return 1;
}

int cnn_best_tier(void) {
    int best = 0;
    for (int tier = 0; tier < CNN_TIERS; tier++)
        if (cnn_tier_runs_here(tier)) best = tier;
    return best;
}

#if defined(__x86_64__)
#define FLUSHES 0x8040u /* MXCSR's bits for results and for operands */
uint64_t cnn_flush_subnormals(void) {
    unsigned before = _mm_getcsr();
    _mm_setcsr(before | FLUSHES);
    return before;
}
void cnn_restore_floats(uint64_t before) { _mm_setcsr((unsigned)before); }
#elif defined(__aarch64__)
#define FLUSHES (1u << 24) /* FPCR's bit for both */
uint64_t cnn_flush_subnormals(void) {
    uint64_t before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"(before | FLUSHES));
    return before;
}
void cnn_restore_floats(uint64_t before) { __asm__ volatile("msr fpcr, %0" : : "r"(before)); }
#else
uint64_t cnn_flush_subnormals(void) { return 0; }
void cnn_restore_floats(uint64_t before) { (void)before; }
#endif
