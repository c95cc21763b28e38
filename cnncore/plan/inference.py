"""Plans for inference: what depends on weights alone is computed once, and layers are folded into the one before."""
from collections import defaultdict

from cnncore import _core

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
    recording = _Recording(calls, inputs, kept)
    for call in calls:
        if call.name == "bn_apply":
            recording.fold_batch_norm(call)
        elif call.name == "unary":
            recording.fold_activation(call)
    for place in recording.places:
        for call in [call for call in place if call.name == "binary"]:
            recording.fold_addition(call)
    for call in [call for call in recording.calls() if call.name == "unary"]:
        recording.cut_unary(call)
    calls = recording.calls()
    constant = constant_calls(calls, inputs)
    return [c for c in calls if c in constant], [c for c in calls if c not in constant]


def constant_calls(calls, inputs):
    """The set of calls whose results depend on nothing but real memory that neither changes from run to run nor is
    written by the calls themselves."""
    writers = defaultdict(int)
    for call in calls:
        for buffer, written in call.operands:
            writers[buffer.root] += written
    known, constant = set(), set()

    def is_known(root):
        if root.is_promise:
            return root in known
        return root not in inputs and not writers[root] and not root.is_wrapped

    for call in calls:
        written = [buffer.root for buffer, writes in call.operands if writes]
        if all(root.is_promise and writers[root] == 1 for root in written) and all(
                is_known(buffer.root) for buffer, writes in call.operands if not writes):
            constant.add(call)
            known.update(written)
    return constant


class _Recording:
    """Recorded calls, of which some are replaced by others."""

    def __init__(self, calls, inputs, kept):
        self.places = [[call] for call in calls]
        self.place_of = {}
        self.inputs, self.kept = inputs, kept
        self.readers, self.writers = defaultdict(list), defaultdict(list)
        for i, call in enumerate(calls):
            self._enter(call, i)
        self.constant = constant_calls(calls, inputs)

    def calls(self):
        return [call for place in self.places for call in place]

    def _enter(self, call, place):
        self.place_of[call] = place
        for buffer, written in call.operands:
            (self.writers if written else self.readers)[buffer.root].append(call)

    def _remove(self, call):
        self.places[self.place_of.pop(call)].remove(call)
        for buffer, written in call.operands:
            (self.writers if written else self.readers)[buffer.root].remove(call)

    def _replace(self, call, others):
        """Puts calls in the place of one."""
        place = self.place_of[call]
        self._remove(call)
        self.places[place].extend(others)
        for other in others:
            self._enter(other, place)

    def _maker(self, buffer):
        """The call that alone writes a buffer, all of it; None where there is none or it is not a promise."""
        writers = self.writers[buffer.root]
        if not buffer.is_promise or len(writers) != 1 or buffer.nbytes != buffer.root.nbytes:
            return None
        return writers[0]

    def _only_for(self, buffer, reader):
        """Whether nobody but `reader` needs a buffer's values."""
        return buffer.root not in self.kept and self.readers[buffer.root] == [reader]

    def _is_constant(self, buffer):
        root = buffer.root
        if root.is_promise:
            return bool(self.writers[root]) and all(call in self.constant for call in self.writers[root])
        return root not in self.inputs and not self.writers[root] and not root.is_wrapped

    def _constantly(self, calls):
        self.constant.update(calls)
        return calls

    def fold_batch_norm(self, call):
        """act((x W + b - mean) scale + shift) = act(x (W scale) + (b - mean) scale + shift)."""
        x, mean, scale, shift, y = call.buffers
        product = self._maker(x)
        if product is None or not _core.is_product(product) or _core.activation_of(product):
            return
        if not self._only_for(x, call) or not all(self._is_constant(p) for p in (mean, scale, shift)):
            return
        if x.shape[-1] != product.buffers[-1].shape[-1]:
            return
        summing = product  # the call that reads the weights
        if product.name == "dense_finish":
            summing = self._maker(product.buffers[0])
            if summing is None or not self._only_for(product.buffers[0], product):
                return
        packed, pack = summing.buffers[1], None
        w = packed
        if packed.is_promise and self.writers[packed.root]:
            pack = self._maker(packed)
            if pack is None or not _core.is_pack(pack) or not self._only_for(packed, summing):
                return
            w = pack.buffers[0]
        b = _core.bias_of(product)
        if not self._is_constant(w) or b is not None and not self._is_constant(b):
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
            self._remove(pack)
        made = []
        if summing is product:
            result = weights
        else:
            made.append(_core.rebound(summing, [summing.buffers[0], weights, summing.buffers[-1]]))
            self._remove(summing)
            result = None
        made.append(_core.product_with(product, result, moved, y.view(product.buffers[-1].shape),
                                       _core.bn_apply_activation(call)))
        self._remove(product)
        self._replace(call, self._constantly(constant) + made)

    def fold_activation(self, call):
        """A ReLU of what a convolution, dense layer or batch normalization wrote is applied as that is stored."""
        x, y = call.buffers
        if _core.function_of(call)[0] != "relu":
            return
        maker = self._maker(x)
        if maker is None or maker in self.constant or not self._only_for(x, call):
            return
        if maker.name == "bn_apply" and not _core.bn_apply_activation(maker):
            made = _core.bn_apply_with(maker, y.view(maker.buffers[-1].shape), 1)
        elif _core.is_product(maker) and not _core.activation_of(maker):
            weights = None if maker.name == "dense_finish" else maker.buffers[1]
            made = _core.product_with(maker, weights, _core.bias_of(maker), y.view(maker.buffers[-1].shape), 1)
        else:
            return
        self._remove(maker)
        self._replace(call, [made])

    def fold_addition(self, call):
        """A sum of which a convolution wrote one part is written by that convolution, onto the other part."""
        a, b, y = call.buffers
        if _core.function_of(call)[0] != "add" or not a.shape == b.shape == y.shape:
            return
        for part, other in ((b, a), (a, b)):
            product = self._maker(part)
            if product is None or not self._only_for(part, call) or not _core.is_product(product):
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
            last, activation = following[0], 1
        result = last.buffers[-1]
        if result.nbytes != result.root.nbytes or len(self.writers[result.root]) != 1:
            return
        made = _core.accumulating(product, result.view(product.buffers[-1].shape), activation)
        self._remove(product)
        self._replace(last, [made])
        if last is not call:
            self._remove(call)
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
            self._replace(call, [_core.rebound(call, buffers)])

    def cut_unary(self, call):
        """A function of few images is cut into parts of one, for the threads to share."""
        x = call.buffers[0]
        images = x.shape[0] if x.shape else 1
        if images >= FEW_IMAGES or call in self.constant:
            return
        for parts in (16, 8, 4, 2):
            if x.size // images % parts == 0 and x.size // images // parts >= FEWEST_ELEMENTS:
                self._replace(call, [_core.unary_in_parts(call, parts)])
                return


def _zeros(count):
    """A buffer of zeros."""
    buffer = _core.Buffer.allocate((count,))
    buffer.numpy()[...] = 0
    return buffer
