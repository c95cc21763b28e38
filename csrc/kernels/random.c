/* random.c - random numbers from dropout's generator. */

KERNEL_WORK(random_uniform) { return array_work(ceil_div(a->size, DROPOUT_BLOCK), a->size, 0); }

KERNEL_RUN(random_uniform) {
    philox_key key;
    uint32_t word[DROPOUT_BLOCK];
    philox_schedule(a->state[0], &key);
    for (int64_t block = begin; block < end; block++) {
        int64_t i = block * DROPOUT_BLOCK, n = min64(DROPOUT_BLOCK, a->size - i);
        random_words(&key, (uint64_t)block, a->state[1], word);
        for (int64_t k = 0; k < n; k++) {
            float u = (float)(word[k] >> 8) * 0x1p-24f;
            float v = a->low + (a->high - a->low) * u;
            /* Rounding may reach the end of the interval, which is not part of it. */
            a->y[i + k] = v < a->high || a->high <= a->low ? v : nextafterf(a->high, a->low);
        }
    }
}

#define GAMMA_DRAWS  20 /* tries that the words of a block are enough for, three words each */
#define GAMMA_BLOCKS 64 /* then the next try would be the 1,280th, of which one in twenty fails */

/* From 0 to 1, without either. */
INLINE double open_uniform(uint32_t word) { return ((double)(word >> 8) + 0.5) * 0x1p-24; }

KERNEL_WORK(random_log_gamma) { return array_work(a->size, a->size * DROPOUT_BLOCK, 0); }

/* The logarithm of one gamma-distributed number of shape `alpha`, 1 or more, by words of its element alone. */
static double log_gamma_1(const philox_key *key, const uint64_t *state, int64_t i, double alpha, uint32_t *word) {
    double d = alpha - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (uint64_t block = 0; block < GAMMA_BLOCKS; block++) {
        random_words(key, (uint64_t)i + (block << 40), state[1], word);
        for (int k = 0; k < 3 * GAMMA_DRAWS; k += 3) {
            double radius = sqrt(-2 * log(open_uniform(word[k])));
            double x = radius * cos(6.283185307179586 * open_uniform(word[k + 1]));
            double v = (1 + c * x) * (1 + c * x) * (1 + c * x);
            if (v > 0 && log(open_uniform(word[k + 2])) < 0.5 * x * x + d - d * v + d * log(v)) return log(d) + log(v);
        }
    }
    return log(d);
}

KERNEL_RUN(random_log_gamma) {
    philox_key key;
    uint32_t word[DROPOUT_BLOCK];
    philox_schedule(a->state[0], &key);
    for (int64_t i = begin; i < end; i++) {
        double alpha = a->alpha[a->alphas == 1 ? 0 : i];
        double y = log_gamma_1(&key, a->state, i, alpha < 1 ? alpha + 1 : alpha, word);
        a->y[i] = (float)(alpha < 1 ? y + log(open_uniform(word[DROPOUT_BLOCK - 1])) / alpha : y);
    }
}
