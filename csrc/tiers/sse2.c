/* sse2.c - every kernel, compiled for the sse2 tier. */
#if defined(__x86_64__)
#pragma GCC target("sse2")
#define CNN_TIER sse2
#define LANES    4
#define MR       4
#define NV       2
#include "../kernels/table.c"
#endif
