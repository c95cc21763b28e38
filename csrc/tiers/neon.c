/* neon.c - every kernel, compiled for the neon tier. */
#if defined(__ARM_NEON)
#define CNN_TIER neon
#define LANES    4
#define MR       8
#define NV       2
#include "../kernels/table.c"
#endif
