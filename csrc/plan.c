/* plan.c - the run loop: calls in order, each cut into ranges of tasks over the team. */
#include "cnn.h"

#include <time.h>

typedef struct {
    const cnn_call *calls;
    int64_t count;
    char *scratch;
    size_t scratch_stride;
    double *seconds;
} program;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int64_t groups(const cnn_work *w) { return (w->tasks + w->grain - 1) / w->grain; }

/* Runs this thread's share of one call: contiguous, whole groups of `grain` tasks. */
static void run_share(const cnn_call *call, int thread, int threads, void *scratch) {
    const cnn_work *w = &call->work;
    int64_t count = groups(w);
    int64_t begin = count * thread / threads * w->grain, end = count * (thread + 1) / threads * w->grain;
    if (end > w->tasks) end = w->tasks;
    if (begin < end) call->run(call->args, begin, end, scratch);
}

static void run_program(void *context, int thread, int threads) {
    const program *p = context;
    void *scratch = p->scratch + p->scratch_stride * (size_t)thread;
    double started = p->seconds ? now() : 0;
    for (int64_t i = 0; i < p->count; i++) {
        const cnn_call *call = &p->calls[i];
        if (threads > 1 && i > 0 && (call->wait || p->seconds)) cnn_barrier();
        if (groups(&call->work) > 1)
            run_share(call, thread, threads, scratch);
        else if (thread == 0)
            run_share(call, 0, 1, scratch);
        if (p->seconds && thread == 0) {
            double t = now();
            p->seconds[i] += t - started;
            started = t;
        }
    }
}

int cnn_run(const cnn_call *calls, int64_t count, int threads, void *scratch, size_t scratch_stride, double *seconds) {
    program p = {calls, count, scratch, scratch_stride, seconds};
    int useful = 1;
    for (int64_t i = 0; i < count; i++)
        if (groups(&calls[i].work) > 1) useful = threads;
    return cnn_team(useful, run_program, &p);
}
