# Calls made from other calls, for plans that fold one into another (plan/inference.py).

_PACKS = (CNN_conv2d_pack, CNN_winograd_pack, CNN_conv2d_tiles_pack)
_PRODUCTS = (CNN_conv2d, CNN_winograd, CNN_conv2d_tiles, CNN_depthwise_conv2d, CNN_dense, CNN_dense_tiles,
             CNN_dense_finish)


cdef Call _bound_to(Call call, list buffers):
    """A copy of a call, whose args may then be changed, on other buffers."""
    cdef Call made = Call(call.kernel)
    cdef int i
    memcpy(made.args, call.args, call.args_size)
    for i in range(len(call.buffers)):
        made.bind(<char *> made.args + call.fields[i], buffers[i], call.written[i], None, call.buffers[i].dtype)
    return made


def rebound(Call call, list buffers):
    """The same call on other buffers of the same sizes."""
    for buffer, before in zip(buffers, call.buffers, strict=True):
        if buffer.size != before.size:
            raise ValueError(f"{call.name} is bound to other buffers of its sizes only. Received: {buffer} for {before}")
    return _bound_to(call, buffers)


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
        f.b, f.y, f.activation, f.adds = &conv.b, &conv.y, &conv.activation, conv.accumulate
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
    """The number in ACTIVATIONS of what a product applies, 0 for nothing."""
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
    return call.kernel in (CNN_conv2d, CNN_winograd, CNN_conv2d_tiles)


def accumulating(Call call, Buffer y, int activation):
    """The same product, of can_accumulate, that adds to y and then applies an activation."""
    cdef Call made = product_with(call, call.buffers[1], bias_of(call), y, activation)
    if call.kernel == CNN_conv2d:
        (<cnn_conv2d_args *> made.args).accumulate = 1
    else:
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


cdef bint _adds(Call call):
    """Whether a convolution adds to what is there."""
    if call.kernel == CNN_conv2d:
        return (<cnn_conv2d_args *> call.args).accumulate
    return (<cnn_winograd_args *> call.args).accumulate


def products_per_number(Call call):
    """How many products each number of a convolution's result is the sum of; 0 for other calls."""
    cdef cnn_window *window = &(<cnn_conv2d_args *> call.args).window
    if call.kernel not in (CNN_conv2d, CNN_winograd, CNN_conv2d_tiles) or _adds(call):
        return 0
    return window.k_h * window.k_w * window.in_c


# ---- activations -----------------------------------------------------------------------------------------------------

ACTIVATIONS = {"relu": CNN_RELU, "relu6": CNN_RELU6, "silu": CNN_SILU, "hard_silu": CNN_HARD_SILU,
               "sigmoid": CNN_SIGMOID, "hard_sigmoid": CNN_HARD_SIGMOID}
_CONVOLUTIONS = (CNN_conv2d, CNN_winograd, CNN_conv2d_tiles, CNN_depthwise_conv2d)


def can_activate(Call call, int activation):
    """Whether a product can apply an activation as it stores: convolutions apply all, dense layers ReLU."""
    return activation == CNN_RELU or call.kernel in _CONVOLUTIONS


# ---- what a convolution reads, and where its channels lie --------------------------------------------------------------

cdef cnn_sides *_sides(Call call) noexcept:
    """The sides of a convolution that has them, or NULL."""
    if call.kernel == CNN_conv2d:
        return &(<cnn_conv2d_args *> call.args).sides
    if call.kernel in (CNN_winograd, CNN_conv2d_tiles):
        return &(<cnn_winograd_args *> call.args).sides
    return NULL


def can_change_what_it_reads(Call call):
    """Whether this convolution can read relu(x * scale + shift) instead of x, and does not do so yet with a ReLU."""
    return call.kernel in (CNN_conv2d, CNN_conv2d_tiles) and not _sides(call).relu


def what_it_reads(Call call):
    """(scale, shift) of what such a convolution reads: Buffers or None."""
    cdef cnn_sides *s = _sides(call)
    return _bound(call, &s.scale), _bound(call, &s.shift)


def reading(Call call, Buffer x, Buffer scale, Buffer shift, bint relu):
    """The same convolution, that reads relu(x * scale + shift) instead of what it reads. scale is of channels, or of images
    and channels, shift of channels; both may be None."""
    cdef cnn_sides *s = _sides(call)
    cdef list kept = [i for i in range(len(call.buffers))
                      if call.fields[i] not in (<size_t> &s.scale - <size_t> call.args,
                                                <size_t> &s.shift - <size_t> call.args)]
    cdef Call made = Call(call.kernel)
    cdef int i
    memcpy(made.args, call.args, call.args_size)
    for i in kept:
        made.bind(<char *> made.args + call.fields[i], call.buffers[i] if i else x.view(call.buffers[0].shape),
                  call.written[i], None, "float32")
    channels, images = x.shape[-1], x.shape[0]
    s = _sides(made)
    s.scale = s.shift = NULL
    s.relu, s.image_step = relu, 0
    if scale is not None and scale.size == images * channels and images > 1:
        s.image_step = channels
    elif scale is not None and scale.size != channels:
        raise ValueError(f"A scale of {channels} channels or of {images} images of them. Received: {scale}")
    made.reads(&s.scale, scale)
    return made.reads(&s.shift, shift, (channels,))


def has_places(Call call):
    """Whether this convolution can read and write some of the channels of wider arrays."""
    return _sides(call) != NULL


def placed(Call call, Buffer x, int64_t x_first, Buffer y, int64_t y_first):
    """The same convolution of some of the channels of x, from x_first on, to some of y's. None leaves a side as it is."""
    cdef list buffers = list(call.buffers)
    cdef cnn_sides *s = _sides(call)
    cdef Call made
    cdef int i
    for i in range(len(buffers)):
        if x is not None and i == 0:
            buffers[i] = x
        elif y is not None and call.written[i]:
            buffers[i] = y
    made = _bound_to(call, buffers)
    s = _sides(made)
    if x is not None:
        s.x_step, s.x_first = x.shape[-1], s.x_first + x_first
    if y is not None:
        s.y_step, s.y_first = y.shape[-1], s.y_first + y_first
    return made


def channels_written(Call call):
    """(first, how many) of the channels that a convolution or a copy of channels writes; None for other calls."""
    cdef cnn_sides *s = _sides(call)
    copied = copied_channels(call)
    if copied is not None:
        return copied[2], copied[1]
    if s == NULL:
        return None
    return s.y_first, (<cnn_conv2d_args *> call.args).window.out_c


cdef bint _same(Call call, Call other):
    return (call.kernel == other.kernel and call.buffers == other.buffers
            and memcmp(call.args, other.args, call.args_size) == 0)


def copied_channels(Call call):
    """(source's first channel, its channels, destination's first channel) of a copy of channels of images; None for other
    calls."""
    cdef cnn_strided_copy_args *a = <cnn_strided_copy_args *> call.args
    if call.kernel != CNN_strided_copy:
        return None
    source, to = call.buffers
    if len(source.shape) != 4 or len(to.shape) != 4 or source.shape[:3] != to.shape[:3] or a.accumulate:
        return None
    if source.dtype != "float32":
        return None
    channels = a.length[a.axes - 1]
    for candidate in {channels, source.shape[3]}:
        if 0 < candidate <= min(source.shape[3] - a.from_offset, to.shape[3] - a.to_offset):
            if _same(call, channels_copy(source, a.from_offset, candidate, to, a.to_offset)):
                return a.from_offset, candidate, a.to_offset
    return None


def channels_copy(Buffer source, int64_t source_first, int64_t channels, Buffer to, int64_t to_first):
    """Copies channels of images to those of others."""
    return strided_copy(source, to, source.shape[:3] + (channels,), contiguous_steps(source.shape),
                        contiguous_steps(to.shape), source_first, to_first)


def padding_of(Call filled, Call copy):
    """(rows above, columns before) of images that were put into the midst of zeros; None for other calls."""
    cdef cnn_strided_copy_args *a = <cnn_strided_copy_args *> copy.args
    if filled.kernel != CNN_fill or copy.kernel != CNN_strided_copy or (<cnn_fill_args *> filled.args).value != 0:
        return None
    x, y = copy.buffers
    if len(x.shape) != 4 or len(y.shape) != 4 or x.shape[::3] != y.shape[::3] or x.dtype != "float32":
        return None
    top, left = divmod(a.to_offset // x.shape[3], y.shape[2])
    if top + x.shape[1] > y.shape[1] or left + x.shape[2] > y.shape[2]:
        return None
    made = strided_copy(x, y, x.shape, contiguous_steps(x.shape), contiguous_steps(y.shape), 0,
                        (top * y.shape[2] + left) * x.shape[3])
    return (top, left) if _same(copy, made) else None


def can_pad(Call call, bint positive):
    """Whether this call, of images with zeros around them, can do with the images alone: `positive` if none is below 0."""
    return call.kernel in _CONVOLUTIONS or call.kernel == CNN_max_pool2d and positive


def padding(Call call, Buffer x, int64_t top, int64_t left):
    """The same convolution or pooling of x with zeros around it: `top` rows above and `left` columns before. None where a
    window would have nothing but zeros."""
    cdef Call made = _bound_to(call, [x] + call.buffers[1:])
    cdef cnn_window *g = &(<cnn_max_pool2d_args *> made.args).window
    if call.kernel == CNN_conv2d:
        g = &(<cnn_conv2d_args *> made.args).window
    elif call.kernel == CNN_depthwise_conv2d:
        g = &(<cnn_depthwise_conv2d_args *> made.args).window
    elif call.kernel in (CNN_winograd, CNN_conv2d_tiles):
        g = &(<cnn_winograd_args *> made.args).window
    g.in_h, g.in_w = x.shape[1:3]
    g.pad_top += top
    g.pad_left += left
    if call.kernel == CNN_max_pool2d and not (
            g.pad_top < g.k_h and g.pad_left < g.k_w and (g.out_h - 1) * g.stride_h - g.pad_top < g.in_h
            and (g.out_w - 1) * g.stride_w - g.pad_left < g.in_w):
        return None
    return made
