/* avx2.c - every kernel, compiled for the avx2 tier. */
#if defined(__x86_64__)
#pragma GCC target("avx2,fma")
#define CNN_TIER avx2
#define LANES    8
#define MR       6
#define NV       2
#include "../kernels/table.c"
#endif
