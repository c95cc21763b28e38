/* peak.c - what the machine can do at most, for benchmarks to compare with. */

KERNEL_WORK(fma_peak) { return (cnn_work){a->tasks, 1, 0, 0}; }

KERNEL_RUN(fma_peak) {
    for (int64_t task = begin; task < end; task++) {
        vf acc[MR][NV], x = set(0.999f), y = set(1e-3f);
        UNROLL
        for (int i = 0; i < MR; i++) UNROLL
        for (int j = 0; j < NV; j++) acc[i][j] = set((float)(i * NV + j));
        for (int64_t r = 0; r < a->rounds; r++) {
            UNROLL
            for (int i = 0; i < MR; i++) UNROLL
            for (int j = 0; j < NV; j++) acc[i][j] = acc[i][j] * x + y;
            __asm__ volatile("" : "+x"(x)); /* a new x every round, as far as the compiler knows */
        }
        vf sum = {0};
        UNROLL
        for (int i = 0; i < MR; i++) UNROLL
        for (int j = 0; j < NV; j++) sum += acc[i][j];
        a->y[task] = sum_lanes(sum);
    }
}
