/* cpu.c - the tiers that this build holds, and which of them this CPU runs. */
#include "cnn.h"

#if defined(__x86_64__)
extern const cnn_kernel cnn_table__sse2[], cnn_table__avx2[], cnn_table__avx512[];
#elif defined(__ARM_NEON)
extern const cnn_kernel cnn_table__neon[];
#endif

const char *cnn_tier_name(int tier) {
    static const char *const names[CNN_TIERS] = {"sse2", "avx2", "avx512", "neon"};
    return names[tier];
}

int cnn_tier_lanes(int tier) {
    static const int lanes[CNN_TIERS] = {4, 8, 16, 4};
    return lanes[tier];
}

const cnn_kernel *cnn_tier_table(int tier) {
#if defined(__x86_64__)
    if (tier == CNN_TIER_SSE2) return cnn_table__sse2;
    if (tier == CNN_TIER_AVX2) return cnn_table__avx2;
    if (tier == CNN_TIER_AVX512) return cnn_table__avx512;
#elif defined(__ARM_NEON)
    if (tier == CNN_TIER_NEON) return cnn_table__neon;
#endif
    return NULL;
}

int cnn_tier_runs_here(int tier) {
    if (!cnn_tier_table(tier)) return 0;
#if defined(__x86_64__)
    /* The compiler's own detection reads CPUID, and XGETBV for what the operating system saves. */
    __builtin_cpu_init();
    if (tier == CNN_TIER_AVX2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
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
