# Gradients masked where they are made instead of where they are used (plan/remake.py).

def masked(Call call, Buffer y):
    """The same gradient of a layer's input, 0 where y is not above 0; None for a call that cannot mask what it writes."""
    cdef Call made = rebound(call, call.buffers)
    cdef void **field
    if call.kernel in (CNN_dense_dx, CNN_dense_tiles_dx):
        field = <void **> &(<cnn_dense_dx_args *> made.args).behind
        if (<cnn_dense_dx_args *> made.args).accumulate:
            return None
    elif call.kernel == CNN_conv2d_dx:
        field = <void **> &(<cnn_conv2d_dx_args *> made.args).behind
        if (<cnn_conv2d_dx_args *> made.args).accumulate:
            return None
    elif call.kernel in (CNN_winograd, CNN_conv2d_tiles):
        field = <void **> &(<cnn_winograd_args *> made.args).behind
        if (<cnn_winograd_args *> made.args).accumulate or (<cnn_winograd_args *> made.args).activation:
            return None
    else:
        return None
    if _bound(made, field) is not None:
        return None
    return made.reads(field, y)


def unmasked(Call call):
    """The same max_pool2d_dx for a gradient that is masked already."""
    cdef Call made = Call(call.kernel)
    cdef cnn_max_pool2d_dx_args *a = <cnn_max_pool2d_dx_args *> made.args
    memcpy(made.args, call.args, call.args_size)
    a.y = NULL
    dy, position, _, dx = call.buffers
    made.reads(&a.dy, dy)
    made.reads(&a.position, position, None, position.dtype)
    return made.writes(&a.dx, dx)
