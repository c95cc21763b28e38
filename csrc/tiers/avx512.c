/* avx512.c - every kernel, compiled for the avx512 tier. */
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")
#define CNN_TIER avx512
#define LANES    16
#define MR       12
#define NV       2
#include "../kernels/table.c"
#endif
