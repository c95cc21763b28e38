/* cnn.h - the contract of every kernel and of the loop that runs them.
 *
 * A kernel is a single-threaded C function over a range of tasks:
 *
 *     void cnn_<op>(const cnn_<op>_args *a, int64_t begin, int64_t end, void *scratch, void *state);
 *     cnn_work cnn_<op>_work(const cnn_<op>_args *a);
 *
 * It never allocates, fails, prints or names a thread. Tasks are independent: any two may run at once, in any order,
 * and the result does not depend on how a range is cut, as long as cuts fall on multiples of the work's `grain`. (A
 * thread may also run one grain in parts, first to last, with the same `state`, cut where `ordered` allows.)
 * All arrays are contiguous, row-major float32 unless said otherwise. Images are NHWC, filters HWIO.
 * "Writes" never reads the old value; where `accumulate` is set the result is added to what is there.
 * A pointer that may be NULL says so. Sizes are in elements. The caller owns all memory.
 */
#ifndef CNN_H
#define CNN_H

#include <stddef.h>
#include <stdint.h>

/* What a kernel tells the run loop about one call. */
typedef struct {
    int64_t tasks;     /* how many tasks the call has; 0 for an empty array */
    int64_t grain;     /* ranges are cut at multiples of this */
    int64_t per_image; /* tasks per image where tasks run image by image, 0 where they do not */
    size_t scratch;    /* bytes of scratch that one thread needs, 64-byte aligned: the first 8 are 0 when it begins with
                          a call and kept while it works on it, the others have any content */
    size_t state; /* bytes that one thread keeps from a grain's first task to its last, where a grain is run in parts */
    int32_t ordered; /* not 0: a grain's tasks add to one another, so many at a time. They must run in order and on one
                        thread; where a grain is run in parts, these end at multiples of so many tasks */
} cnn_work;

typedef void (*cnn_run_fn)(const void *args, int64_t begin, int64_t end, void *scratch, void *state);
typedef cnn_work (*cnn_work_fn)(const void *args);

/* One row of a tier's table. Rows stand in the order of kernels.def. */
typedef struct {
    const char *name;
    size_t args_size;
    cnn_run_fn run;
    cnn_work_fn work;
} cnn_kernel;

enum {
#define KERNEL(op)      CNN_##op,
#define TILE_KERNEL(op) CNN_##op,
#include "kernels.def"
#undef KERNEL
#undef TILE_KERNEL
    CNN_KERNELS
};

/* ---- cpu.c: which tier this machine runs ---------------------------------------------------------------------- */

/* Tiers in rising order; a CPU that runs one runs all before it (on its own architecture). */
enum { CNN_TIER_SSE2, CNN_TIER_AVX2, CNN_TIER_AVX512, CNN_TIER_AMX, CNN_TIER_NEON, CNN_TIERS };

/* Linux gives a process the tiles when it asks; the instructions need an assembler of their time. */
#if defined(__x86_64__) && defined(__linux__) && (defined(__clang__) ? __clang_major__ >= 12 : __GNUC__ >= 11)
#define CNN_HAS_AMX 1
#else
#define CNN_HAS_AMX 0
#endif

const char *cnn_tier_name(int tier);
int cnn_best_tier(void);                    /* by CPUID and XGETBV */
int cnn_tier_runs_here(int tier);           /* compiled in, and the CPU and the OS support it */
const cnn_kernel *cnn_tier_table(int tier); /* NULL where the tier is not compiled in */
int cnn_tier_lanes(int tier);               /* float32 elements in a vector */
int cnn_tier_has_tiles(int tier);           /* whether the table has the TILE_KERNELs; their rows are empty elsewhere */

/* ---- plan.c and parallel.c: running calls --------------------------------------------------------------------- */

struct cnn_group;

/* A kernel with its arguments bound. */
typedef struct {
    cnn_run_fn run;
    const void *args;
    cnn_work work;
    int32_t kernel;                /* index in kernels.def, for messages */
    int32_t wait;                  /* every thread has finished all calls before this one when it starts */
    const struct cnn_group *group; /* NULL, or: this call and those after it run depth first */
} cnn_call;

/* A pointer of a group's call that leads into the memory of the thread that runs it. */
typedef struct {
    int64_t call;        /* in the group */
    size_t field;        /* of the call's args */
    int64_t offset;      /* in the thread's memory, in bytes, of the block's first image */
    int64_t image_bytes; /* from one image to the next */
} cnn_patch;

/* Calls that work image by image, run depth first: a thread takes a block of images through all of them before the next
 * block. What only these calls use lies in the thread's own memory, one block large. Slots of images are the unit that
 * threads share out: gradients are summed slot by slot, so that results do not depend on the number of threads. */
typedef struct cnn_group {
    int64_t count; /* calls */
    int64_t images, images_per_slot, images_per_block;
    const cnn_patch *patches;
    int64_t patch_count;
    const int64_t *states; /* of each call, where its state starts in the thread's memory */
    const char *args;      /* where the group's args start, all in one piece ... */
    size_t args_bytes;     /* ... and its size; copied to the start of the thread's memory */
    size_t scratch;        /* where scratch starts in the thread's memory */
} cnn_group;

/* Runs `count` calls in order on up to `threads` threads; one whose tasks are a single group runs on thread 0.
 * Every thread begins with its own share of a call's tasks and then takes what others have not begun.
 * `scratch` holds `threads` times `scratch_stride` bytes: for each thread cnn_claims_bytes(count), then what the calls
 * need. Returns the number of threads that ran. Where `seconds` is not NULL, call i's time in seconds on thread 0 is
 * added to seconds[i] (and every call waits, so that times mean something). */
size_t cnn_claims_bytes(int64_t count);
int cnn_run(const cnn_call *calls, int64_t count, int threads, void *scratch, size_t scratch_stride, double *seconds);

/* From here on subnormal numbers, those under 1.2e-38, count as zeros in this thread: what training has no more use
 * for, an unused weight's moments say, shrinks to them and stays, and to some CPUs they are a hundred times the work.
 * Returns what cnn_restore_floats takes to leave the thread as it was. */
uint64_t cnn_flush_subnormals(void);
void cnn_restore_floats(uint64_t before);

/* parallel.c, the only file that names OpenMP: runs body(context, thread, threads) once on each thread of a team of at
 * most `threads`, and returns how many there were. cnn_barrier waits for the whole team; only a body may call it. */
typedef void (*cnn_body)(void *context, int thread, int threads);
int cnn_team(int threads, cnn_body body, void *context);
void cnn_barrier(void);

/* ---- shared shapes -------------------------------------------------------------------------------------------- */

/* Activations: all of them in a convolution's store, the first two in that of any layer. */
enum { CNN_LINEAR, CNN_RELU, CNN_RELU6, CNN_SILU, CNN_HARD_SILU, CNN_SIGMOID, CNN_HARD_SIGMOID };

/* The geometry of a convolution or of pooling. out_h = floor((in_h + pad_top + pad_bottom - reach) / stride_h) + 1
 * with reach = (k_h - 1) * dilation_h + 1; the pads at the bottom and right follow from it. */
typedef struct {
    int64_t batch, in_h, in_w, in_c, out_h, out_w, out_c;
    int64_t k_h, k_w, stride_h, stride_w, dilation_h, dilation_w;
    int64_t pad_top, pad_left;
} cnn_window;

/* How a convolution meets the arrays on both sides: x and y may be some of the channels of wider arrays, and what is
 * read may be relu(x * scale + shift) instead of x. Zeros around an image stay zeros. */
typedef struct {
    int64_t x_step, x_first; /* floats from one pixel of x to the next; x's first channel in them */
    int64_t y_step, y_first;
    const float *scale; /* NULL, or [in_c] */
    const float *shift; /* likewise */
    int64_t image_step; /* in_c where scale is [batch][in_c], 0 elsewhere */
    int32_t relu;
} cnn_sides;

#include "contracts/conv.h"
#include "contracts/depthwise.h"
#include "contracts/elementwise.h"
#include "contracts/order.h"
#include "contracts/layers.h"
#include "contracts/images.h"

#endif
