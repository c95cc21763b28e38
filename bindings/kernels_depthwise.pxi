# Depthwise convolution: one function per kernel fills its struct. w_shape is (k_h, k_w, in_c, filters of a channel).

cdef tuple _depthwise_window(cnn_window *g, Buffer x, tuple w_shape, Buffer y, strides, dilation, pads):
    """Fills the geometry; returns the channels of the output."""
    k_h, k_w, in_c, filters = w_shape
    if len(x.shape) != 4 or x.shape[3] != in_c or y.shape[::3] != (x.shape[0], in_c * filters):
        raise ValueError(f"Filters of shape {w_shape} take {in_c} channels to {in_c * filters}. Received: {x} and {y}")
    _window(g, x, w_shape, y, strides, dilation, pads)
    return (in_c * filters,)


def depthwise_conv2d(Buffer x, Buffer w, Buffer b, Buffer y, strides, dilation, pads, bint relu=False):
    cdef Call call = Call(CNN_depthwise_conv2d)
    cdef cnn_depthwise_conv2d_args *a = <cnn_depthwise_conv2d_args *> call.args
    channels = _depthwise_window(&a.window, x, w.shape, y, strides, dilation, pads)
    a.activation = relu
    call.reads(&a.x, x)
    call.reads(&a.w, w)
    call.reads(&a.b, b, channels)
    return call.writes(&a.y, y)


def depthwise_conv2d_dx(Buffer dy, Buffer w, Buffer dx, strides, dilation, pads, bint accumulate, Buffer behind=None):
    cdef Call call = Call(CNN_depthwise_conv2d_dx)
    cdef cnn_depthwise_conv2d_dx_args *a = <cnn_depthwise_conv2d_dx_args *> call.args
    _depthwise_window(&a.window, dx, w.shape, dy, strides, dilation, pads)
    a.accumulate = accumulate
    call.reads(&a.dy, dy)
    call.reads(&a.w, w)
    call.reads(&a.behind, behind, dx.shape)
    return call.writes(&a.dx, dx)


def depthwise_conv2d_dw(Buffer x, Buffer dy, Buffer partial, tuple w_shape, strides, dilation, pads,
                        int64_t images_per_slot):
    cdef Call call = Call(CNN_depthwise_conv2d_dw)
    cdef cnn_depthwise_conv2d_dw_args *a = <cnn_depthwise_conv2d_dw_args *> call.args
    channels = _depthwise_window(&a.window, x, w_shape, dy, strides, dilation, pads)
    slots = (x.shape[0] + images_per_slot - 1) // images_per_slot
    a.images_per_slot = images_per_slot
    call.reads(&a.x, x)
    call.reads(&a.dy, dy)
    return call.writes(&a.partial, partial, (slots, w_shape[0] * w_shape[1] + 1) + channels)
