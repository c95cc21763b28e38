/* plan.c - the run loop: calls in order, each cut into ranges of tasks over the team; groups of calls depth first. */
#include "cnn.h"

#include <string.h>
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

static int64_t grains(const cnn_work *w) { return (w->tasks + w->grain - 1) / w->grain; }

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* Runs this thread's share of one call: contiguous, whole grains. */
static void run_share(const cnn_call *call, int thread, int threads, char *scratch) {
    const cnn_work *w = &call->work;
    int64_t count = grains(w);
    int64_t begin = count * thread / threads * w->grain, end = count * (thread + 1) / threads * w->grain;
    end = smaller(end, w->tasks);
    if (begin < end) call->run(call->args, begin, end, scratch, scratch + (w->scratch + 63) / 64 * 64);
}

/* Takes the images [first, last) through the group's calls. `memory` is the thread's; its args are patched already but
 * for the block's place. */
static void run_block(const cnn_call *calls, const cnn_group *g, int64_t first, int64_t last, char *memory,
                      double *seconds) {
    double started = seconds ? now() : 0;
    for (int64_t i = 0; i < g->patch_count; i++) {
        const cnn_patch *p = &g->patches[i];
        char *args = memory + ((const char *)calls[p->call].args - g->args);
        *(char **)(args + p->field) = memory + p->offset - first * p->image_bytes;
    }
    for (int64_t i = 0; i < g->count; i++) {
        const cnn_call *call = &calls[i];
        const void *args = memory + ((const char *)call->args - g->args);
        call->run(args, first * call->work.per_image, last * call->work.per_image, memory + g->scratch,
                  memory + g->states[i]);
        if (seconds) {
            double t = now();
            seconds[i] += t - started;
            started = t;
        }
    }
}

/* Runs this thread's share of a group: whole slots, each in blocks, in order. */
static void run_group(const cnn_call *calls, const cnn_group *g, int thread, int threads, char *memory,
                      double *seconds) {
    int64_t slots = (g->images + g->images_per_slot - 1) / g->images_per_slot;
    memcpy(memory, g->args, g->args_bytes);
    for (int64_t slot = slots * thread / threads; slot < slots * (thread + 1) / threads; slot++) {
        int64_t end = smaller((slot + 1) * g->images_per_slot, g->images);
        for (int64_t first = slot * g->images_per_slot; first < end; first += g->images_per_block)
            run_block(calls, g, first, smaller(first + g->images_per_block, end), memory, seconds);
    }
}

static void run_program(void *context, int thread, int threads) {
    const program *p = context;
    char *scratch = p->scratch + p->scratch_stride * (size_t)thread;
    for (int64_t i = 0; i < p->count; i++) {
        const cnn_call *call = &p->calls[i];
        double *seconds = p->seconds && thread == 0 ? p->seconds + i : NULL;
        if (threads > 1 && i > 0 && (call->wait || p->seconds)) cnn_barrier();
        double started = seconds ? now() : 0;
        if (call->group) {
            run_group(call, call->group, thread, threads, scratch, seconds);
            i += call->group->count - 1;
            continue;
        }
        if (grains(&call->work) > 1)
            run_share(call, thread, threads, scratch);
        else if (thread == 0)
            run_share(call, 0, 1, scratch);
        if (seconds) *seconds += now() - started;
    }
}

int cnn_run(const cnn_call *calls, int64_t count, int threads, void *scratch, size_t scratch_stride, double *seconds) {
    program p = {calls, count, scratch, scratch_stride, seconds};
    int useful = 1;
    for (int64_t i = 0; i < count; i++)
        if (calls[i].group || grains(&calls[i].work) > 1) useful = threads;
    return cnn_team(useful, run_program, &p);
}
