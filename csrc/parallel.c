/* parallel.c - threads: the only file that names OpenMP. */
#include "cnn.h"

#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>

typedef struct {
    int threads, ran;
    cnn_body body;
    void *context;
} team;

static void run_team(team *t) {
#pragma omp parallel num_threads(t->threads)
    {
#pragma omp single
        t->ran = omp_get_num_threads();
        t->body(t->context, omp_get_thread_num(), omp_get_num_threads());
    }
}

static void *run_team_on_new_thread(void *t) {
    run_team(t);
    return NULL;
}

/* A forked child inherits OpenMP's record of a pool but not its threads, and a parallel region on the forking thread
 * would wait for them for ever. OpenMP keeps a pool for each thread that starts regions, so in the child a region is
 * started from a new thread, which has none yet. */
static atomic_int in_forked_child;

static void note_fork(void) { atomic_store(&in_forked_child, 1); }

static void watch_forks(void) { pthread_atfork(NULL, NULL, note_fork); }

int cnn_team(int threads, cnn_body body, void *context) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    team t = {threads, 1, body, context};
    pthread_t starter;
    pthread_once(&once, watch_forks);
    if (threads <= 1) {
        body(context, 0, 1);
        return 1;
    }
    if (!atomic_load(&in_forked_child)) {
        run_team(&t);
    } else if (pthread_create(&starter, NULL, run_team_on_new_thread, &t) == 0) {
        pthread_join(starter, NULL);
    } else {
        body(context, 0, 1);
    }
    return t.ran;
}

void cnn_barrier(void) {
#pragma omp barrier
}
