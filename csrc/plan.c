/* plan.c - the run loop: calls in order, each cut into ranges of tasks over the team; groups of calls depth first. */
#include "cnn.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>

typedef struct {
    const cnn_call *calls;
    int64_t count;
    char *scratch;
    size_t scratch_stride, claims_bytes;
    double *seconds;
} program;

/* Of every call, how many parts of this thread's share have been taken; at the start of the thread's scratch. */
typedef _Atomic int64_t claim;

#define PARTS 16 /* that a thread's share of a call is cut into, so that others can take what a busy core leaves */

size_t cnn_claims_bytes(int64_t count) { return ((size_t)count * sizeof(claim) + 63) / 64 * 64; }

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int64_t grains(const cnn_work *w) { return (w->tasks + w->grain - 1) / w->grain; }

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

static claim *claims_of(const program *p, int thread, int64_t call) {
    return (claim *)(p->scratch + p->scratch_stride * (size_t)thread) + call;
}

/* Hands out [0, count) in parts: first this thread's own share, then what the others have not begun. `*from` is the
 * thread whose share is being taken, the own one at first. */
static int take(const program *p, int64_t call, int64_t count, int thread, int threads, int *from, int64_t *begin,
                int64_t *end) {
    if (threads == 1) {
        *begin = 0;
        *end = count;
        return (*from)++ == thread && count > 0;
    }
    for (; *from < thread + threads; ++*from) {
        int owner = *from % threads;
        int64_t first = count * owner / threads, last = count * (owner + 1) / threads;
        int64_t part = (last - first + PARTS - 1) / PARTS;
        *begin = first + part * atomic_fetch_add_explicit(claims_of(p, owner, call), 1, memory_order_relaxed);
        *end = smaller(*begin + part, last);
        if (*begin < last) return 1;
    }
    return 0;
}

/* Runs whole grains of one call. */
static void run_grains(const cnn_call *call, int64_t begin, int64_t end, char *scratch) {
    const cnn_work *w = &call->work;
    end = smaller(end * w->grain, w->tasks);
    begin *= w->grain;
    if (begin < end) call->run(call->args, begin, end, scratch, scratch + (w->scratch + 63) / 64 * 64);
}

/* A thread begins with a call: its scratch holds nothing that was made for it. */
static void begin_call(const cnn_call *call, char *scratch) {
    if (call->work.scratch >= sizeof(int64_t)) memset(scratch, 0, sizeof(int64_t));
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
        begin_call(call, memory + g->scratch);
        call->run(args, first * call->work.per_image, last * call->work.per_image, memory + g->scratch,
                  memory + g->states[i]);
        if (seconds) {
            double t = now();
            seconds[i] += t - started;
            started = t;
        }
    }
}

/* Runs one slot of a group, in blocks, in order. */
static void run_slot(const cnn_call *calls, const cnn_group *g, int64_t slot, char *memory, double *seconds) {
    int64_t end = smaller((slot + 1) * g->images_per_slot, g->images);
    for (int64_t first = slot * g->images_per_slot; first < end; first += g->images_per_block)
        run_block(calls, g, first, smaller(first + g->images_per_block, end), memory, seconds);
}

static void run_calls(const program *p, int thread, int threads) {
    char *memory = p->scratch + p->scratch_stride * (size_t)thread + p->claims_bytes;
    for (int64_t i = 0; i < p->count; i++) {
        const cnn_call *call = &p->calls[i];
        const cnn_group *g = call->group;
        double *seconds = p->seconds && thread == 0 ? p->seconds + i : NULL;
        int64_t begin, end;
        int from = thread;
        if (threads > 1 && i > 0 && (call->wait || p->seconds)) cnn_barrier();
        double started = seconds ? now() : 0;
        if (g) {
            memcpy(memory, g->args, g->args_bytes);
            while (take(p, i, (g->images + g->images_per_slot - 1) / g->images_per_slot, thread, threads, &from, &begin,
                        &end))
                for (; begin < end; begin++) run_slot(call, g, begin, memory, seconds);
            i += g->count - 1;
            continue;
        }
        begin_call(call, memory);
        if (grains(&call->work) > 1) {
            while (take(p, i, grains(&call->work), thread, threads, &from, &begin, &end))
                run_grains(call, begin, end, memory);
        } else if (thread == 0) {
            run_grains(call, 0, 1, memory);
        }
        if (p->seconds && threads > 1) cnn_barrier(); /* a call takes as long as the last thread that works on it */
        if (seconds) *seconds += now() - started;
    }
}

static void run_program(void *context, int thread, int threads) {
    uint64_t before = cnn_flush_subnormals();
    run_calls(context, thread, threads);
    cnn_restore_floats(before);
}

int cnn_run(const cnn_call *calls, int64_t count, int threads, void *scratch, size_t scratch_stride, double *seconds) {
    program p = {calls, count, scratch, scratch_stride, cnn_claims_bytes(count), seconds};
    int useful = 1;
    for (int64_t i = 0; i < count; i++)
        if (calls[i].group || grains(&calls[i].work) > 1) useful = threads;
    for (int thread = 0; thread < useful; thread++) memset(claims_of(&p, thread, 0), 0, p.claims_bytes);
    return cnn_team(useful, run_program, &p);
}
