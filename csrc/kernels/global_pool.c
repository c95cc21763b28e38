/* global_pool.c - max and average pooling over all pixels of an image, forward and dx. */

#define SUM_RUN 32 /* pixels summed by themselves before they join the total */

/* Forward, an image is cut by whole vectors of channels. */
static int64_t channel_blocks(int64_t batch, int64_t pixels, int64_t channels) {
    return image_tasks(batch, ceil_div(channels, LANES), pixels * channels);
}

static int64_t block_begin(int64_t channels, int64_t blocks, int64_t block) {
    return min64(channels, tile_begin(ceil_div(channels, LANES), blocks, block) * LANES);
}

KERNEL_WORK(global_max_pool2d) {
    return image_work(a->batch, channel_blocks(a->batch, a->pixels, a->channels), a->pixels * a->channels);
}

KERNEL_RUN(global_max_pool2d) {
    int64_t blocks = channel_blocks(a->batch, a->pixels, a->channels);
    for (int64_t task = begin; task < end; task++) {
        int64_t image = task / blocks, last = block_begin(a->channels, blocks, task % blocks + 1);
        const float *x = a->x + image * a->pixels * a->channels;
        for (int64_t c = block_begin(a->channels, blocks, task % blocks); c < last; c += LANES) {
            int64_t n = min64(LANES, last - c);
            vf best = load_n(x + c, n);
            vi where = {0};
            for (int64_t p = 1; p < a->pixels; p++)
                contend(&best, &where, load_n(x + p * a->channels + c, n), (int32_t)p);
            store_n(a->y + image * a->channels + c, best, n);
            if (a->position) store_position(a->position, image * a->channels + c, where, n, 1);
        }
    }
}

KERNEL_WORK(global_max_pool2d_dx) {
    return image_work(a->batch, image_tasks(a->batch, a->pixels, a->pixels * a->channels), a->pixels * a->channels);
}

KERNEL_RUN(global_max_pool2d_dx) {
    int64_t blocks = image_tasks(a->batch, a->pixels, a->pixels * a->channels);
    for (int64_t task = begin; task < end; task++) {
        int64_t image = task / blocks, last = tile_begin(a->pixels, blocks, task % blocks + 1);
        for (int64_t p = tile_begin(a->pixels, blocks, task % blocks); p < last; p++) {
            float *dx = a->dx + (image * a->pixels + p) * a->channels;
            for (int64_t c = 0; c < a->channels; c += LANES) {
                int64_t n = min64(LANES, a->channels - c), at = image * a->channels + c;
                vi mine = load_position(a->position, at, n, 1) == int_lanes((int32_t)p);
                vf d = choose(mine, load_n(a->dy + at, n), set(0));
                if (a->y) d = behind_relu(load_n(a->y + at, n), d);
                store_n(dx + c, a->accumulate ? load_n(dx + c, n) + d : d, n);
            }
        }
    }
}

KERNEL_WORK(global_avg_pool2d) {
    return image_work(a->batch, channel_blocks(a->batch, a->pixels, a->channels), a->pixels * a->channels);
}

KERNEL_RUN(global_avg_pool2d) {
    int64_t blocks = channel_blocks(a->batch, a->pixels, a->channels);
    for (int64_t task = begin; task < end; task++) {
        int64_t image = task / blocks, last = block_begin(a->channels, blocks, task % blocks + 1);
        const float *x = a->x + image * a->pixels * a->channels;
        for (int64_t c = block_begin(a->channels, blocks, task % blocks); c < last; c += LANES) {
            int64_t n = min64(LANES, last - c);
            vf total = {0};
            for (int64_t p = 0; p < a->pixels; p += SUM_RUN) {
                vf run = {0};
                for (int64_t q = p; q < min64(p + SUM_RUN, a->pixels); q++) run += load_n(x + q * a->channels + c, n);
                total += run;
            }
            store_n(a->y + image * a->channels + c, total / set((float)a->pixels), n);
        }
    }
}

KERNEL_WORK(global_avg_pool2d_dx) {
    return image_work(a->batch, image_tasks(a->batch, a->pixels, a->pixels * a->channels), a->pixels * a->channels);
}

KERNEL_RUN(global_avg_pool2d_dx) {
    int64_t blocks = image_tasks(a->batch, a->pixels, a->pixels * a->channels);
    for (int64_t task = begin; task < end; task++) {
        int64_t image = task / blocks, last = tile_begin(a->pixels, blocks, task % blocks + 1);
        for (int64_t p = tile_begin(a->pixels, blocks, task % blocks); p < last; p++) {
            float *dx = a->dx + (image * a->pixels + p) * a->channels;
            for (int64_t c = 0; c < a->channels; c += LANES) {
                int64_t n = min64(LANES, a->channels - c);
                vf d = load_n(a->dy + image * a->channels + c, n) / set((float)a->pixels);
                if (a->behind) d = behind_relu(load_n(a->behind + (dx - a->dx) + c, n), d);
                store_n(dx + c, a->accumulate ? load_n(dx + c, n) + d : d, n);
            }
        }
    }
}
