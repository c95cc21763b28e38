/* dropout.c - dropout from Philox4x32-10 (Salmon, Moraes, Dror and Shaw, 2011), a generator that is a function of a
 * key and a counter, so that any part of a mask can be computed by any thread. */

#define DROPOUT_BLOCK 64 /* elements that 16 counters decide */

/* 32-bit words in 64-bit lanes, so that a product is whole; what lies above a word is noise. */
typedef uint64_t words __attribute__((vector_size(VECTOR_BYTES)));

INLINE words set_words(uint64_t i) { return i - (words){0}; }

/* The product of the low halves. */
INLINE words multiply_words(words a, words b) {
#if LANES == 16
    return (words)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif LANES == 8
    return (words)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined(__x86_64__)
    return (words)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
    return (a & 0xffffffffu) * (b & 0xffffffffu);
#endif
}

typedef struct {
    words k0[10], k1[10];
} philox_key;

static void philox_schedule(uint64_t seed, philox_key *key) {
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int r = 0; r < 10; r++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        key->k0[r] = set_words(k0);
        key->k1[r] = set_words(k1);
    }
}

/* Ten rounds over LANES / 2 counters. */
INLINE void philox(const philox_key *key, words c[4]) {
    const words m0 = set_words(0xD2511F53u), m1 = set_words(0xCD9E8D57u);
    UNROLL
    for (int r = 0; r < 10; r++) {
        words p0 = multiply_words(c[0], m0), p1 = multiply_words(c[2], m1);
        c[0] = (p1 >> 32) ^ c[1] ^ key->k0[r];
        c[1] = p1;
        c[2] = (p0 >> 32) ^ c[3] ^ key->k1[r];
        c[3] = p0;
    }
}

/* word[16 * j + l] = word j of counter (16 * block + l, counter). */
static void random_words(const philox_key *key, uint64_t block, uint64_t counter, uint32_t *word) {
    words lane;
    for (int i = 0; i < LANES / 2; i++) lane[i] = (uint64_t)(2 * i);
    for (int l = 0; l < 16; l += LANES) {
        words at = lane + set_words(16 * block + (uint64_t)l), next = at + 1;
        words even[4] = {at, at >> 32, set_words(counter), set_words(counter >> 32)};
        words odd[4] = {next, next >> 32, even[2], even[3]};
        philox(key, even);
        philox(key, odd);
        for (int j = 0; j < 4; j++) {
            vf both = (vf)((even[j] & 0xffffffffu) | (odd[j] << 32));
            memcpy(word + 16 * j + l, &both, sizeof both);
        }
    }
}

KERNEL_WORK(dropout) {
    int64_t parts = image_tasks(a->batch, ceil_div(a->image_size, DROPOUT_BLOCK), a->image_size);
    return image_work(a->batch, parts, a->image_size);
}

/* n elements from i on; word points at the first one's. */
INLINE void dropout_vector(const cnn_dropout_args *a, const uint32_t *word, int64_t i, int64_t n) {
    vf random = load((const float *)word);
    vi kept = (vi)((vu)random >= a->drop - (vu){0});
    store_n(a->y + i, choose(kept, load_n(a->x + i, n) * set(a->scale), set(0)), n);
    if (a->mask) store_position(a->mask, i, kept & 1, n, 0);
}

KERNEL_RUN(dropout) {
    int64_t parts = image_tasks(a->batch, ceil_div(a->image_size, DROPOUT_BLOCK), a->image_size);
    philox_key key;
    uint32_t word[DROPOUT_BLOCK + LANES] = {0}; /* a vector at the end of a part may read past its block */
    philox_schedule(a->state[0], &key);
    for (int64_t task = begin; task < end; task++) {
        int64_t image = task / parts * a->image_size;
        int64_t i = image + tile_begin(a->image_size, parts, task % parts);
        int64_t last = image + tile_begin(a->image_size, parts, task % parts + 1);
        while (i < last) {
            int64_t block = i / DROPOUT_BLOCK, stop = min64(last, (block + 1) * DROPOUT_BLOCK);
            random_words(&key, (uint64_t)block, a->state[1], word);
            for (; i + LANES <= stop; i += LANES) dropout_vector(a, word + i % DROPOUT_BLOCK, i, LANES);
            if (i < stop) dropout_vector(a, word + i % DROPOUT_BLOCK, i, stop - i);
            i = stop;
        }
    }
}

KERNEL_WORK(dropout_dx) {
    int64_t parts = image_tasks(a->batch, ceil_div(a->image_size, DROPOUT_BLOCK), a->image_size);
    return image_work(a->batch, parts, a->image_size);
}

INLINE void dropout_dx_vector(const cnn_dropout_dx_args *a, int64_t i, int64_t n) {
    vi kept = load_position(a->mask, i, n, 0) != 0;
    vf d = choose(kept, load_n(a->dy + i, n) * set(a->scale), set(0));
    if (a->behind) d = behind_relu(load_n(a->behind + i, n), d);
    store_n(a->dx + i, a->accumulate ? load_n(a->dx + i, n) + d : d, n);
}

KERNEL_RUN(dropout_dx) {
    int64_t parts = image_tasks(a->batch, ceil_div(a->image_size, DROPOUT_BLOCK), a->image_size);
    for (int64_t task = begin; task < end; task++) {
        int64_t image = task / parts * a->image_size;
        int64_t i = image + tile_begin(a->image_size, parts, task % parts);
        int64_t last = image + tile_begin(a->image_size, parts, task % parts + 1);
        for (; i + LANES <= last; i += LANES) dropout_dx_vector(a, i, LANES);
        if (i < last) dropout_dx_vector(a, i, last - i);
    }
}
