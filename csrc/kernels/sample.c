/* sample.c - images taken at a place of its own for every pixel: perspectives and elastic distortions. */

KERNEL_WORK(sample) { return image_work(a->batch, a->out_h, a->out_h * a->out_w * a->channels); }

KERNEL_RUN(sample) {
    cnn_affine_args like = {.in_h = a->in_h,
                            .in_w = a->in_w,
                            .channels = a->channels,
                            .order = a->order,
                            .fill = a->fill,
                            .fill_value = a->fill_value};
    for (int64_t task = begin; task < end; task++) {
        const float *x = a->x + task / a->out_h * a->in_h * a->in_w * a->channels;
        const float *place = a->place + task * a->out_w * 2;
        float *y = a->y + task * a->out_w * a->channels;
        for (int64_t ox = 0; ox < a->out_w; ox++, place += 2, y += a->channels)
            affine_pixel(&like, x, place[0], place[1], y);
    }
}

KERNEL_WORK(sample_dx) { return image_work(a->batch, 1, a->out_h * a->out_w * a->channels); }

KERNEL_RUN(sample_dx) {
    int64_t channels = a->channels, size = a->in_h * a->in_w * channels;
    cnn_affine_args like = {.in_h = a->in_h, .in_w = a->in_w, .channels = channels, .order = a->order, .fill = a->fill};
    for (int64_t image = begin; image < end; image++) {
        const float *dy = a->dy + image * a->out_h * a->out_w * channels;
        const float *place = a->place + image * a->out_h * a->out_w * 2;
        float *dx = a->dx + image * size;
        if (!a->accumulate) memset(dx, 0, (size_t)size * sizeof *dx);
        for (int64_t p = 0; p < a->out_h * a->out_w; p++, place += 2, dy += channels)
            affine_pixel_dx(&like, dy, place[0], place[1], dx);
    }
}
