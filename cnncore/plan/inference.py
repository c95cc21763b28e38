"""Plans for inference: what depends on weights alone is computed once, and layers are folded into the one before."""
from cnncore import _core
from cnncore.plan import reading
from cnncore.plan.recording import Recording, constant_calls

RELU = _core.ACTIVATIONS["relu"]
FEW_IMAGES = 8  # up to which elementwise calls are cut into parts of an image ...
FEWEST_ELEMENTS = 8192  # ... of so many elements at least


def prepare(calls, inputs, kept):
    """(calls that depend on weights alone, the other calls), with batch normalization and activations folded.

    The first run again only after a weight has changed: they pack filters, and scale those in front of a batch
    normalization.

    Args:
        calls: list of Call, in order.
        inputs: root Buffers whose content changes from run to run.
        kept: root Buffers of promises that must hold their values after a run.
    """
    recording = _Folding(calls, inputs, kept)
    for call in calls:
        if call.name == "bn_apply":
            recording.fold_batch_norm(call)
        elif call.name == "unary":
            recording.fold_activation(call)
    reading.fold_padding(recording)
    for call in recording.named("binary"):
        recording.fold_addition(call)
    reading.fold_scales(recording)
    reading.place_channels(recording)
    for call in recording.named("unary"):
        recording.cut_unary(call)
    calls = recording.calls()
    constant = constant_calls(calls, inputs)
    return [c for c in calls if c in constant], [c for c in calls if c not in constant]


class _Folding(Recording):
    """Recorded calls, of which some are folded into others."""

    def fold_batch_norm(self, call):
        """act((x W + b - mean) scale + shift) = act(x (W scale) + (b - mean) scale + shift)."""
        x, mean, scale, shift, y = call.buffers
        product = self.maker(x)
        if product is None or not _core.is_product(product) or _core.activation_of(product):
            return
        if not self.only_for(x, call) or not all(self.is_constant(p) for p in (mean, scale, shift)):
            return
        if x.shape[-1] != product.buffers[-1].shape[-1]:
            return
        summing = product  # the call that reads the weights
        if product.name == "dense_finish":
            summing = self.maker(product.buffers[0])
            if summing is None or not self.only_for(product.buffers[0], product):
                return
        packed, pack = summing.buffers[1], None
        w = packed
        if packed.is_promise and self.writers[packed.root]:
            pack = self.maker(packed)
            if pack is None or not _core.is_pack(pack) or not self.only_for(packed, summing):
                return
            w = pack.buffers[0]
        b = _core.bias_of(product)
        if not self.is_constant(w) or b is not None and not self.is_constant(b):
            return
        channels = mean.size
        zeros = _zeros(channels)
        scaled, moved = _core.Buffer.promise(w.shape), _core.Buffer.promise((channels,))
        rows = (w.size // channels, channels)
        constant = [_core.bn_apply(w.view(rows), zeros, scale, zeros, scaled.view(rows)),
                    _core.bn_apply((zeros if b is None else b).view((1, channels)), mean, scale, shift,
                                   moved.view((1, channels)))]
        weights = scaled
        if pack is not None:
            weights = _core.Buffer.promise(packed.shape)
            constant.append(_core.rebound(pack, [scaled, weights]))
            self.remove(pack)
        made = []
        if summing is product:
            result = weights
        else:
            made.append(_core.rebound(summing, [summing.buffers[0], weights, summing.buffers[-1]]))
            self.remove(summing)
            result = None
        made.append(_core.product_with(product, result, moved, y.view(product.buffers[-1].shape),
                                       _core.bn_apply_activation(call)))
        self.remove(product)
        self.replace(call, self.constantly(constant) + made)

    def fold_activation(self, call):
        """An activation of what a convolution, dense layer or batch normalization wrote is applied as that is stored."""
        x, y = call.buffers
        activation = _core.ACTIVATIONS.get(_core.function_of(call)[0])
        if activation is None:
            return
        maker = self.maker(x)
        if maker is None or maker in self.constant or not self.only_for(x, call):
            return
        if maker.name == "bn_apply" and activation == RELU and not _core.bn_apply_activation(maker):
            made = _core.bn_apply_with(maker, y.view(maker.buffers[-1].shape), RELU)
        elif (_core.is_product(maker) and not _core.activation_of(maker) and _core.can_activate(maker, activation)):
            weights = None if maker.name == "dense_finish" else maker.buffers[1]
            made = _core.product_with(maker, weights, _core.bias_of(maker), y.view(maker.buffers[-1].shape), activation)
        else:
            return
        self.remove(maker)
        self.replace(call, [made])

    def fold_addition(self, call):
        """A sum of which a convolution wrote one part is written by that convolution, onto the other part."""
        a, b, y = call.buffers
        if _core.function_of(call)[0] != "add" or not a.shape == b.shape == y.shape:
            return
        for part, other in ((b, a), (a, b)):
            product = self.maker(part)
            if product is None or not self.only_for(part, call) or not _core.is_product(product):
                continue
            if _core.activation_of(product) or not _core.can_accumulate(product):
                continue
            if product not in self.readers[other.root] and self._may_be_written_over(other, call):
                break
        else:
            return
        last, activation = call, 0
        following = self.readers[y.root]
        if y.root not in self.kept and len(following) == 1 and following[0].name == "unary" and (
                _core.function_of(following[0])[0] == "relu" and y.nbytes == y.root.nbytes):
            last, activation = following[0], RELU
        result = last.buffers[-1]
        if result.nbytes != result.root.nbytes or len(self.writers[result.root]) != 1:
            return
        made = _core.accumulating(product, result.view(product.buffers[-1].shape), activation)
        self.remove(product)
        self.replace(last, [made])
        if last is not call:
            self.remove(call)
        self._rename(other.root, result)

    def _may_be_written_over(self, buffer, reader):
        """Whether nothing needs a buffer's values after `reader`, so that its memory may become the result's."""
        root = buffer.root
        users = self.readers[root] + self.writers[root]
        return (root.is_promise and root not in self.kept and bool(self.writers[root])
                and self.readers[root].count(reader) == 1
                and not any(call in self.constant for call in users)
                and all(b.nbytes == root.nbytes for call in users for b in call.buffers if b.root is root)
                and all(self.place_of[call] < self.place_of[reader] for call in users if call is not reader))

    def _rename(self, root, result):
        """Lets all calls use `result` instead of a root buffer."""
        for call in {*self.readers[root], *self.writers[root]}:
            buffers = [result.view(b.shape) if b.root is root else b for b in call.buffers]
            self.replace(call, [_core.rebound(call, buffers)])

    def cut_unary(self, call):
        """A function of few images is cut into parts of one, for the threads to share."""
        x = call.buffers[0]
        images = x.shape[0] if x.shape else 1
        if images >= FEW_IMAGES or call in self.constant:
            return
        for parts in (16, 8, 4, 2):
            if x.size // images % parts == 0 and x.size // images // parts >= FEWEST_ELEMENTS:
                self.replace(call, [_core.unary_in_parts(call, parts)])
                return


def _zeros(count):
    """A buffer of zeros."""
    buffer = _core.Buffer.allocate((count,))
    buffer.numpy()[...] = 0
    return buffer
