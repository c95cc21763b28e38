"""Plans for inference: padding, scales of channels and concatenation become part of the convolutions beside them."""
from cnncore import _core

MOST_READERS = 2  # convolutions that each normalize what they read, rather than have it normalized once
POSITIVE = (_core.ACTIVATIONS["relu"], _core.ACTIVATIONS["relu6"])


# ---- zeros around images -----------------------------------------------------------------------------------------

def fold_padding(recording):
    """Convolutions and poolings of images that were put into the midst of zeros take the images themselves."""
    for copy in recording.named("strided_copy"):
        x, y = copy.buffers
        filled = [call for call in recording.writers[y.root] if call is not copy]
        readers = recording.readers[y.root]
        if len(filled) != 1 or not readers or not y.is_promise or y.root in recording.kept or not _sole(recording, y):
            continue
        where = _core.padding_of(filled[0], copy)
        if where is None or not recording.settled(x, copy, readers):
            continue
        positive = _is_positive(recording, x)
        made = [_core.padding(call, x, *where) if _core.can_pad(call, positive) else None for call in readers]
        if None in made:
            continue
        for call, unpadded in zip(list(readers), made, strict=True):
            recording.replace(call, [unpadded])
        recording.remove(copy)
        recording.remove(filled[0])


def _sole(recording, y):
    """Whether all calls that read an array of images read it, in its own shape, as their first operand only."""
    return all(call.buffers[0].root is y.root and call.buffers[0].shape == y.shape
               and [b.root for b in call.buffers].count(y.root) == 1 for call in recording.readers[y.root])


def _is_positive(recording, x):
    """Whether no value is below 0: where zeros around it change no maximum."""
    maker = recording.maker(x)
    if maker is None:
        return False
    if maker.name == "bn_apply":
        return _core.bn_apply_activation(maker) in POSITIVE
    return _core.is_product(maker) and _core.activation_of(maker) in POSITIVE


# ---- what convolutions read --------------------------------------------------------------------------------------

def fold_scales(recording):
    """Batch normalization (and a ReLU), gates of channels, and arithmetic with constants of channels are applied by the
    convolution that reads them."""
    for call in list(recording.named("bn_apply"))[::-1]:
        _fold_normalization(recording, call)
    for call in [*recording.named("binary")][::-1]:
        if not _fold_gate(recording, call):
            _fold_arithmetic(recording, call)
    for call in [*recording.named("unary")][::-1]:
        if _core.function_of(call)[0] == "affine":
            _fold_arithmetic(recording, call)


def _convolutions_of(recording, call, x, y, most=MOST_READERS):
    """The convolutions that can read x instead of what `call` makes of it, y, if no one else needs y; None if not."""
    readers = recording.readers[y.root]
    if not (y.is_promise and y.root not in recording.kept and len(recording.writers[y.root]) == 1
            and x.shape == y.shape and 0 < len(readers) <= most and _sole(recording, y)
            and call not in recording.constant and recording.settled(x, call, readers)):
        return None
    return list(readers) if all(_core.can_change_what_it_reads(reader) for reader in readers) else None


def _fold_normalization(recording, call):
    """conv(act((x - mean) scale + shift)) = conv'(x), which reads act(x scale + (shift - mean scale))."""
    x, mean, scale, shift, y = call.buffers
    readers = _convolutions_of(recording, call, x, y)
    if readers is None or not all(recording.is_constant(p) for p in (mean, scale, shift)):
        return
    if any(_core.what_it_reads(reader) != (None, None) for reader in readers):
        return
    channels = x.shape[-1]
    moved = _core.Buffer.promise((channels,))
    constant = _core.bn_apply(_zeros(channels).view((1, channels)), mean, scale, shift, moved.view((1, channels)))
    relu = bool(_core.bn_apply_activation(call))
    recording.replace(call, recording.constantly([constant]))
    for reader in readers:
        recording.replace(reader, [_core.reading(reader, x, scale, moved, relu)])


def _fold_gate(recording, call):
    """conv(x g) with a gate g for each channel of each image; returns whether it was one."""
    a, b, y = call.buffers
    if _core.function_of(call)[0] != "multiply" or len(y.shape) != 4:
        return False
    gate = (y.shape[0], 1, 1, y.shape[3])
    for x, g in ((a, b), (b, a)):
        readers = _convolutions_of(recording, call, x, y, 1) if g.shape == gate and x.shape != gate else None
        if readers and g.dtype == "float32" and recording.settled(g, call, readers) and not recording.is_constant(g):
            if _core.what_it_reads(readers[0]) == (None, None):
                recording.remove(call)
                recording.replace(readers[0], [_core.reading(readers[0], x, g, None, False)])
                return True
    return False


def _fold_arithmetic(recording, call):
    """conv(x + k), conv(x - k), conv(x k), conv(x / k) with constants k of channels, and conv(x p + q) with numbers."""
    x, y = call.buffers[0], call.buffers[-1]
    name, p, q = _core.function_of(call)
    readers = _convolutions_of(recording, call, x, y, 1)
    if not readers or x.dtype != "float32" or name not in ("add", "subtract", "multiply", "divide", "affine"):
        return
    channels = x.shape[-1]
    (reader,), made = readers, []
    scale, shift = _core.what_it_reads(reader)
    if scale is not None and (scale.size != channels or not recording.is_constant(scale)):
        return

    def emit(kernel, *operands):
        result = _core.Buffer.promise((channels,))
        made.append(kernel(result, *operands))
        return result

    def binary(function, u, v):
        return emit(lambda result: _core.binary(function, u, v, result))

    def affine(u, p, q):
        return emit(lambda result: _core.unary("affine", u, result, p, q))

    ones, zeros = _zeros(channels, 1), _zeros(channels)
    scale, shift = scale or ones, shift or zeros
    if name == "affine":
        moved = affine(scale, q, 0)
        scale, shift = affine(scale, p, 0), binary("add", shift, moved)
    else:
        k = call.buffers[1]
        if not (recording.is_constant(k) and (k.size == 1 or k.size == k.shape[-1] == channels)):
            return
        k = k.view((k.size,))
        if name in ("multiply", "divide"):
            scale = binary(name, scale, k)
        else:
            shift = binary(name, shift, binary("multiply", scale, k))
    recording.remove(call)
    recording.replace(reader, [*recording.constantly(made), _core.reading(reader, x, scale, shift, False)])


def _zeros(count, value=0):
    """A buffer of zeros, or of another value."""
    buffer = _core.Buffer.allocate((count,))
    buffer.numpy()[...] = value
    return buffer


# ---- concatenation in place --------------------------------------------------------------------------------------

def place_channels(recording):
    """What is copied into some of the channels of a wider array is written and read there from the start, where only
    convolutions and such copies write and read it."""
    for place in recording.places[::-1]:  # what is copied there may by then be another call's result
        for copy in [call for call in place if call.name == "strided_copy"]:
            _place(recording, copy)


def _place(recording, copy):
    found, (part, whole) = _core.copied_channels(copy), copy.buffers
    if found is None or found[0] != 0 or found[1] != part.shape[3]:
        return
    root, first = part.root, found[2]
    if not (part.is_promise and whole.is_promise and root is not whole.root and root not in recording.kept
            and whole.nbytes == whole.root.nbytes and copy not in recording.constant):
        return
    # Nobody else may write to these channels of the whole, and the part must be complete when it is copied.
    for writer in recording.writers[whole.root]:
        written = _core.channels_written(writer)
        if writer is not copy and (written is None or written[0] < first + found[1] and first < sum(written)):
            return
    writers = list(recording.writers[root])
    if not writers or any(recording.place_of[writer] > recording.place_of[copy] for writer in writers):
        return
    users = {*writers, *recording.readers[root]} - {copy}
    made = {call: _moved(call, root, part.shape, whole, first) for call in users if call not in recording.constant}
    if len(made) < len(users) or None in made.values():
        return
    for call, other in made.items():
        recording.replace(call, [other])
    recording.remove(copy)


def _moved(call, root, shape, whole, first):
    """The call with `root`, images of this shape, as channels of `whole`; None where it cannot have them there."""
    mine = [(i, written) for i, (buffer, written) in enumerate(call.operands) if buffer.root is root]
    (i, written) = mine[0]
    if len(mine) > 1 or call.buffers[i].shape != shape:
        return None
    copied = _core.copied_channels(call)
    if copied is not None:
        source, to = call.buffers
        if whole.root in (source.root, to.root):
            return None
        if written:
            return _core.channels_copy(source, copied[0], copied[1], whole, first + copied[2])
        return _core.channels_copy(whole, first + copied[0], copied[1], to, copied[2])
    if not _core.has_places(call) or i and not written:
        return None
    return _core.placed(call, None, 0, whole, first) if written else _core.placed(call, whole, first, None, 0)
