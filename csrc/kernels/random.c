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
