# Calls made from other calls, for plans that fold one into another (plan/inference.py).

_PACKS = (CNN_conv2d_pack, CNN_winograd_pack, CNN_conv2d_tiles_pack)
_PRODUCTS = (CNN_conv2d, CNN_winograd, CNN_conv2d_tiles, CNN_depthwise_conv2d, CNN_dense, CNN_dense_tiles,
             CNN_dense_finish)


def rebound(Call call, list buffers):
    """The same call on other buffers of the same sizes."""
    cdef Call made = Call(call.kernel)
    cdef Buffer buffer, before
    cdef int i
    memcpy(made.args, call.args, call.args_size)
    for i in range(len(call.buffers)):
        buffer, before = buffers[i], call.buffers[i]
        if buffer.size != before.size:
            raise ValueError(f"{call.name} is bound to other buffers of its sizes only. Received: {buffer} for {before}")
        made.bind(<char *> made.args + call.fields[i], buffer, call.written[i], None, before.dtype)
    return made


def is_pack(Call call):
    """Whether this packs filters, buffers[0], for a convolution: buffers[1]."""
    return call.kernel in _PACKS


cdef struct product_fields:
    void *b
    void *y
    void *behind        # NULL where the kernel has none
    int32_t *activation
    int32_t adds        # whether it adds to what is there, or leaves sums for another call to finish


cdef int _product_fields(Call call, product_fields *f) except -1:
    """Where the parts of a convolution's or dense layer's args are that folding changes; returns 0 for other calls."""
    cdef cnn_conv2d_args *conv = <cnn_conv2d_args *> call.args
    cdef cnn_winograd_args *winograd = <cnn_winograd_args *> call.args
    cdef cnn_depthwise_conv2d_args *depthwise = <cnn_depthwise_conv2d_args *> call.args
    cdef cnn_dense_args *dense = <cnn_dense_args *> call.args
    if call.kernel not in _PRODUCTS:
        return 0
    f.behind, f.adds = NULL, 0
    if call.kernel == CNN_conv2d:
        f.b, f.y, f.activation = &conv.b, &conv.y, &conv.activation
    elif call.kernel == CNN_depthwise_conv2d:
        f.b, f.y, f.activation = &depthwise.b, &depthwise.y, &depthwise.activation
    elif call.kernel in (CNN_winograd, CNN_conv2d_tiles):
        f.b, f.y, f.activation, f.adds = &winograd.b, &winograd.y, &winograd.activation, winograd.accumulate
        f.behind = &winograd.behind
    else:
        f.b, f.y, f.activation = &dense.b, &dense.y, &dense.activation
        f.adds = dense.slots > 1 and call.kernel != CNN_dense_finish
    return 1


cdef Buffer _bound(Call call, void *field):
    """The buffer that a field of the args was bound to, or None."""
    cdef int i
    for i in range(len(call.buffers)):
        if field != NULL and call.fields[i] == <size_t> field - <size_t> call.args:
            return call.buffers[i]
    return None


def is_product(Call call):
    """Whether this is a convolution's or a dense layer's last call, which writes act(sums + b) and nothing else."""
    cdef product_fields f
    return bool(_product_fields(call, &f)) and not f.adds and _bound(call, f.behind) is None


def bias_of(Call call):
    """The bias of a product, or None."""
    cdef product_fields f
    _product_fields(call, &f)
    return _bound(call, f.b)


def activation_of(Call call):
    """0 for a product that applies no activation, 1 for ReLU."""
    cdef product_fields f
    _product_fields(call, &f)
    return f.activation[0]


def product_with(Call call, Buffer weights, Buffer b, Buffer y, int activation):
    """The same product with other (packed) weights, bias, result and activation. Weights of dense_finish are None."""
    cdef Call made = Call(call.kernel)
    cdef product_fields f
    memcpy(made.args, call.args, call.args_size)
    _product_fields(made, &f)
    made.reads(<char *> made.args + call.fields[0], call.buffers[0], (<Buffer> call.buffers[0]).shape)
    if weights is not None:
        made.reads(<char *> made.args + call.fields[1], weights, (<Buffer> call.buffers[1]).shape)
    (<void **> f.b)[0] = NULL
    made.reads(f.b, b, (y.shape[-1],))
    f.activation[0] = activation
    return made.writes(f.y, y, (<Buffer> _bound(call, <char *> call.args + (<char *> f.y - <char *> made.args))).shape)


def can_accumulate(Call call):
    """Whether the kernel of a product can add to what is there before it applies its activation."""
    return call.kernel in (CNN_winograd, CNN_conv2d_tiles)


def accumulating(Call call, Buffer y, int activation):
    """The same product, of can_accumulate, that adds to y and then applies an activation."""
    cdef Call made = product_with(call, call.buffers[1], bias_of(call), y, activation)
    (<cnn_winograd_args *> made.args).accumulate = 1
    return made


def unary_in_parts(Call call, int64_t parts):
    """The same unary call with each task cut into so many."""
    cdef Call made = rebound(call, call.buffers)
    cdef cnn_unary_args *a = <cnn_unary_args *> made.args
    if a.image_size % parts:
        raise ValueError(f"{a.image_size} elements do not go into {parts} parts")
    a.images, a.image_size = a.images * parts, a.image_size // parts
    return made


def bn_apply_activation(Call call):
    """0 or 1 as `activation_of`, of a bn_apply."""
    return (<cnn_bn_apply_args *> call.args).activation


def bn_apply_with(Call call, Buffer y, int activation):
    """The same bn_apply with another result and activation."""
    made = rebound(call, call.buffers[:4] + [y])
    (<cnn_bn_apply_args *> (<Call> made).args).activation = activation
    return made


_UNARY_NAMES = {number: name for name, number in _UNARIES.items()}
_BINARY_NAMES = {number: name for name, number in _BINARIES.items()}


def function_of(Call call):
    """(name, p, q) of a unary or (name, 0, 0) of a binary call; None for others."""
    cdef cnn_unary_args *unary_args = <cnn_unary_args *> call.args
    if call.kernel == CNN_unary:
        return _UNARY_NAMES[unary_args.function], unary_args.p, unary_args.q
    if call.kernel == CNN_binary:
        return _BINARY_NAMES[(<cnn_binary_args *> call.args).function], 0, 0
    return None


def products_per_number(Call call):
    """How many products each number of a convolution's result is the sum of; 0 for other calls."""
    cdef cnn_window *window = &(<cnn_conv2d_args *> call.args).window
    if call.kernel != CNN_conv2d and (call.kernel not in (CNN_winograd, CNN_conv2d_tiles)
                                      or (<cnn_winograd_args *> call.args).accumulate):
        return 0
    return window.k_h * window.k_w * window.in_c
