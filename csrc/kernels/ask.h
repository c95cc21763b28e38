/* ask.h - asking for memory that will be read soon, where the CPU's own prefetcher does not see it coming. */

#define CACHE_LINE    16  /* floats */
#define AHEAD         512 /* floats between what is asked for and what is read */
#define ROWS_AHEAD    64  /* the same in rows of a matrix, of which a strip is read */
#define L2_ROWS_AHEAD 32  /* where they come from L2 */

/* Whether memory is a thread's own, in which a plan keeps what one call leaves for the next: it lies in front of the
 * call's scratch (bindings/program.pxi). */
#define OWN_BYTES (4 << 20)
INLINE int is_near(const void *at, const void *scratch) {
    uintptr_t ahead = (uintptr_t)scratch - (uintptr_t)at;
    return ahead < OWN_BYTES;
}

/* `rows` of `length` floats, of which `share` are asked for at a time. */
typedef struct {
    const float *row;
    int64_t step, rows, length, share;
} coming;

/* So many floats in their order. */
INLINE coming lines_from(const float *from, int64_t floats) {
    return (coming){from, CACHE_LINE, ceil_div(floats, CACHE_LINE), CACHE_LINE, 0};
}

/* Asks for the next of them, into L2. */
INLINE void ask(coming *c) {
    for (int64_t i = min64(c->share, c->rows); i > 0; i--, c->rows--, c->row += c->step)
        for (int64_t k = 0; k < c->length; k += CACHE_LINE) __builtin_prefetch(c->row + k, 0, 2);
}

/* Spreads them over so many calls. */
INLINE void spread(coming *c, int64_t calls) { c->share = ceil_div(c->rows, max64(1, calls)); }

/* What is asked for a piece at a time: for all rows the first `length` floats, for all the next, and so on. */
typedef struct {
    const float *at;
    int64_t step, rows, length, pieces, row;
    int64_t wait; /* so many times before the first */
} strips;

INLINE void ask_strip(strips *s) {
    if (s->wait > 0 || s->pieces == 0) {
        s->wait--;
        return;
    }
    for (int64_t k = 0; k < s->length; k += CACHE_LINE) __builtin_prefetch(s->at + s->row * s->step + k, 0, 2);
    if (++s->row == s->rows) s->row = 0, s->at += s->length, s->pieces--;
}

/* Lines that a loop asks for while it computes, one at each step: many at once would fill the queue of what is on its
 * way and hold up the loop. A piece is PIECE lines, one behind another. */
enum { PIECE = 16, MOST_PIECES = 32 };
typedef struct {
    const float *piece[MOST_PIECES];
    int64_t count;
} pieces;

/* Moves what ask() would ask for into the pieces of a loop of so many steps; what has no place there is asked for. */
INLINE void ask_in_pieces(coming *c, pieces *p, int64_t steps) {
    int64_t rows = min64(c->share, c->rows), row_floats = c->length;
    int64_t most = min64(MOST_PIECES, steps / PIECE);
    coming now = {c->row, c->step, rows, c->length, rows};
    c->row += rows * c->step, c->rows -= rows;
    if (c->step == c->length) row_floats *= rows, rows = min64(rows, 1);
    int64_t each = ceil_div(row_floats, PIECE * CACHE_LINE);
    if (p->count + rows * each > most) {
        ask(&now);
        return;
    }
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < each; k++) p->piece[p->count++] = now.row + i * now.step + k * PIECE * CACHE_LINE;
}

INLINE void ask_lines(const float *at, const int floats) {
    for (int i = 0; i < floats; i += CACHE_LINE) __builtin_prefetch(at + i);
}

/* For a loop that reads so many floats a step, one step's behind another's: asks for those of some steps later. */
INLINE void ask_ahead(const float *at, const int floats) { ask_lines(at + AHEAD, floats); }

/* For `rows` of up to PANEL floats that will be written. */
INLINE void ask_to_write(const float *at, int64_t step, int64_t rows) {
    for (; rows > 0; rows--, at += step) {
        __builtin_prefetch(at, 1);
        __builtin_prefetch(at + CACHE_LINE, 1);
    }
}
