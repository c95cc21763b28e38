/* amx.c - every kernel, compiled for the amx tier: the vectors of AVX-512 and the matrix tiles. */
#include "../cnn.h"
#if CNN_HAS_AMX
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx512bf16,avx2,fma")
#define CNN_TIER     amx
#define LANES        16
#define MR           12
#define NV           2
#define MATRIX_TILES 1
#include "../kernels/table.c"
#endif
