/* parallel.c - threads: the only file that names OpenMP. */
#include "cnn.h"

#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>

typedef struct {
    int threads;
    atomic_int ran;
    cnn_body body;
    void *context;
    atomic_int round, arrived, asleep; /* of the barrier: how often all have met, who is there, who sleeps */
    pthread_mutex_t lock;
    pthread_cond_t met;
} team;

static _Thread_local team *mine; /* the team whose body this thread runs, NULL alone */

#define SPINS 4000 /* some 50 to 100 microseconds: longer than a well shared call keeps anybody waiting */

static inline void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* OpenMP's own barrier spins for milliseconds. Where another program has one of the cores, the thread that was pushed
 * aside then waits for the spinning one to be pushed aside too; a sleeping one leaves it a core at once. */
void cnn_barrier(void) {
    team *t = mine;
    if (!t || t->ran == 1) return;
    int round = atomic_load(&t->round);
    if (atomic_fetch_add(&t->arrived, 1) + 1 == t->ran) {
        atomic_store(&t->arrived, 0);
        atomic_store(&t->round, round + 1);
        if (atomic_load(&t->asleep)) {
            pthread_mutex_lock(&t->lock);
            pthread_cond_broadcast(&t->met);
            pthread_mutex_unlock(&t->lock);
        }
        return;
    }
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load_explicit(&t->round, memory_order_acquire) != round) return;
        relax();
    }
    pthread_mutex_lock(&t->lock);
    atomic_fetch_add(&t->asleep, 1);
    while (atomic_load(&t->round) == round) pthread_cond_wait(&t->met, &t->lock);
    atomic_fetch_sub(&t->asleep, 1);
    pthread_mutex_unlock(&t->lock);
}

static void run_team(team *t) {
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->met, NULL);
#pragma omp parallel num_threads(t->threads)
    {
        mine = t;
        t->ran = omp_get_num_threads(); /* every thread, rather than wait for one that does */
        t->body(t->context, omp_get_thread_num(), t->ran);
        cnn_barrier(); /* rather than in OpenMP's own, at the end of the region */
        mine = NULL;
    }
    pthread_cond_destroy(&t->met);
    pthread_mutex_destroy(&t->lock);
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
    team t = {.threads = threads, .ran = 1, .body = body, .context = context};
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
