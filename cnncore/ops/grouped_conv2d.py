"""Convolution in groups of channels: each group is cut out, convolved by conv2d, and put in its place."""
from cnncore import _core
from cnncore.op import Grad, Op, Spec
from cnncore.ops.conv2d import Conv2D, behind_relu


class GroupedConv2D(Op):
    """y[..., f] = act(x * w + b) over the channels of f's group: x (n, h, w, c), w (kh, kw, c / groups, f)."""

    name = "conv2d"
    masks_relu = True

    def __init__(self, strides, padding, dilation, activation, groups):
        self.inner = Conv2D(strides, padding, dilation, activation)
        self.relu, self.groups = self.inner.relu, groups

    def outputs(self, x, w, b=None, *, keep):
        groups = self.groups
        if len(x.shape) != 4 or len(w.shape) != 4 or x.shape[3] != w.shape[2] * groups or w.shape[3] % groups:
            raise ValueError(f"conv2d of {groups} groups takes images (batch, height, width, channels) and filters "
                             f"(height, width, channels / {groups}, filters), a multiple of {groups} of each. Received: "
                             f"shapes {x.shape} and {w.shape}")
        one = Spec((*x.shape[:3], w.shape[2]))
        return self.inner.outputs(one, w, b, keep=keep)

    def _part(self, x, group):
        """(lengths, steps, offset) of a group's last axis in x."""
        lengths = (*x.shape[:-1], x.shape[-1] // self.groups)
        return lengths, _core.contiguous_steps(x.shape), group * lengths[-1]

    def _cut(self, empty, x, group):
        """A group of the last axis as an array of its own: (buffer, calls)."""
        lengths, steps, offset = self._part(x, group)
        part = empty(lengths)
        if not part.size:
            return part, []
        return part, [_core.strided_copy(x, part, lengths, steps, _core.contiguous_steps(lengths), offset)]

    def _put(self, part, x, group, accumulate=False):
        """The calls that put a group back into its place, or add it there."""
        lengths, steps, offset = self._part(x, group)
        if not part.size:
            return []
        return [_core.strided_copy(part, x, lengths, _core.contiguous_steps(lengths), steps, 0, offset, accumulate)]

    def forward(self, empty, inputs, outputs):
        x, w, b = inputs
        (y,) = outputs
        calls = []
        for group in range(self.groups):
            xg, cut_x = self._cut(empty, x, group)
            wg, cut_w = self._cut(empty, w, group)
            yg = empty(self._part(y, group)[0])
            calls += [*cut_x, *cut_w, *self.inner.forward(empty, [xg, wg, self._rows(b, group)], [yg]),
                      *self._put(yg, y, group)]
        return calls

    def _rows(self, b, group):
        each = b.shape[0] // self.groups if b is not None else 0
        return b if b is None else b.rows(group * each, (group + 1) * each)

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs, masked=False):
        x, w, b = inputs
        dx, dw, db = d_inputs
        dz, calls = behind_relu(empty, outputs[0], d_outputs[0], self.relu and not masked)
        for group in range(self.groups):
            xg, cut_x = self._cut(empty, x, group)
            wg, cut_w = self._cut(empty, w, group)
            dzg, cut_dz = self._cut(empty, dz, group)
            grads = [dx and Grad(empty(xg.shape), False, dx.behind_relu), dw and Grad(empty(wg.shape), False),
                     db and Grad(self._rows(db.buffer, group), db.accumulate)]
            calls += [*cut_x, *cut_w, *cut_dz]
            calls += self.inner.backward(empty, [xg, wg, self._rows(b, group)], [None], [dzg], grads, masked=True)
            for grad, part in ((dx, grads[0]), (dw, grads[1])):
                if grad:
                    calls += self._put(part.buffer, grad.buffer, group, grad.accumulate)
        return calls
