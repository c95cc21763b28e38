"""Transposed convolution, the adjoint of conv2d: its shape rule, its forward and its backward."""
from cnncore.op import Grad, Op, Spec, apply
from cnncore.ops.conv2d import Conv2D
from cnncore.ops.elementwise import accumulate_calls


def transposed_length(length, kernel, stride, padding, dilation, extra=None):
    """The output's length along one axis, and how much of it is cut off before it, of what all windows write.

    'valid' keeps all, 'same' as many as the input's length times the stride; `extra` sets other ends than these.
    """
    reach = (kernel - 1) * dilation + 1
    if padding == "valid":
        return (length - 1) * stride + reach + (max(stride - reach, 0) if extra is None else extra), 0
    around = stride + reach - 2 if extra is None else reach + reach % 2 - 2 + extra
    before = min(around - around // 2, reach - 1)
    return (length - 1) * stride + 2 + around - reach, reach - 1 - before


class Conv2DTranspose(Op):
    """y[n, iy, ix, f] = sum over ky, kx, c of x[n, oy, ox, c] w[ky, kx, f, c] with iy = oy stride + ky dilation - cut:
    x (n, h, w, c), w (kh, kw, f, c)."""

    name = "conv2d_transpose"

    def __init__(self, strides=(1, 1), padding="valid", dilation=(1, 1), output_padding=None):
        self.strides, self.padding, self.dilation = tuple(strides), padding, tuple(dilation)
        self.output_padding = output_padding or (None, None)

    def _axes(self, x, w):
        """(out_h, rows cut off above), (out_w, columns cut off left)."""
        return [transposed_length(x.shape[1 + i], w.shape[i], self.strides[i], self.padding, self.dilation[i],
                                  self.output_padding[i]) for i in (0, 1)]

    def outputs(self, x, w, *, keep):
        if len(x.shape) != 4 or len(w.shape) != 4 or x.shape[3] != w.shape[3]:
            raise ValueError("conv2d_transpose takes images (batch, height, width, channels) and filters (height, width, "
                             f"filters, channels). Received: shapes {x.shape} and {w.shape}")
        (out_h, _), (out_w, _) = self._axes(x, w)
        return [Spec((x.shape[0], max(out_h, 0), max(out_w, 0), w.shape[2]))]

    def _adjoint(self, x, w):
        """The convolution that takes y's shape to x's."""
        pads = []
        for i, (out, before) in enumerate(self._axes(x, w)):
            written = (x.shape[1 + i] - 1) * self.strides[i] + (w.shape[i] - 1) * self.dilation[i] + 1
            pads.append((before, written - before - out))
        return Conv2D(self.strides, pads, self.dilation)

    def forward(self, empty, inputs, outputs):
        (x, w), (y,) = inputs, outputs
        return self._adjoint(x, w).backward(empty, [y, w, None], [None], [x], [Grad(y, False), None, None])

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs):
        (x, w), (dy,), (dx, dw) = inputs, d_outputs, d_inputs
        adjoint, calls = self._adjoint(x, w), []
        if dx:
            part = empty(dx.buffer.shape) if dx.accumulate else dx.buffer
            calls += adjoint.forward(empty, [dy, w, None], [part])
            calls += accumulate_calls(part, dx.buffer) if dx.accumulate else []
        if dw:
            calls += adjoint.backward(empty, [dy, w, None], [None], [x], [None, dw, None])
        return calls


def conv2d_transpose(x, w, strides=(1, 1), padding="valid", dilation=(1, 1), output_padding=None):
    """Images (n, h, w, c) spread by filters (kh, kw, f, c): what conv2d with these filters would have taken to them.

    Padding is 'valid' or 'same'; output_padding is None or a pair, the rows and columns that are added to the output.
    """
    return apply(Conv2DTranspose(strides, padding, dilation, output_padding), x, w)
