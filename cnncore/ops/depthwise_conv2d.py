"""Depthwise convolution, each channel by filters of its own: its shape rule, its forward and its backward."""
from cnncore import _core
from cnncore.op import Spec, apply
from cnncore.ops.conv2d import Conv2D, behind_relu, slot_images


class DepthwiseConv2D(Conv2D):
    """y = act(x * w + b), x (n, h, w, c), w (kh, kw, c, m), b (c m), y (n, oh, ow, c m): output c m + j is channel c
    convolved with filter j of its own."""

    name = "depthwise_conv2d"

    def outputs(self, x, w, b=None, *, keep):
        if len(x.shape) != 4 or len(w.shape) != 4 or x.shape[3] != w.shape[2]:
            raise ValueError("depthwise_conv2d takes images (batch, height, width, channels) and filters (height, width, "
                             f"channels, filters of a channel). Received: shapes {x.shape} and {w.shape}")
        channels = w.shape[2] * w.shape[3]
        if b is not None and b.shape != (channels,):
            raise ValueError(f"depthwise_conv2d's bias must have shape {(channels,)}. Received: {b.shape}")
        (out_h, out_w), _ = self._geometry(x, w)
        if out_h < 1 or out_w < 1:
            raise ValueError(f"depthwise_conv2d's kernel {w.shape[:2]} with dilation {self.dilation} does not fit into an "
                             f"image of {x.shape[1]} by {x.shape[2]} pixels with padding {self.padding!r}. Use "
                             "padding='same', a smaller kernel, or larger images")
        return [Spec((x.shape[0], out_h, out_w, channels))]

    def forward(self, empty, inputs, outputs):
        x, w, b = inputs
        return [_core.depthwise_conv2d(x, w, b, outputs[0], self.strides, self.dilation, self._geometry(x, w)[1],
                                       self.relu)]

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs, masked=False):
        x, w, b = inputs
        dx, dw, db = d_inputs
        geometry = (self.strides, self.dilation, self._geometry(x, w)[1])
        dz, calls = behind_relu(empty, outputs[0], d_outputs[0], self.relu and not masked)
        if dw or db:
            images = slot_images(x.shape[0], 4 * w.size)
            partial = empty((-(-x.shape[0] // images), w.shape[0] * w.shape[1] + 1, w.shape[2] * w.shape[3]))
            calls.append(_core.depthwise_conv2d_dw(x, dz, partial, w.shape, *geometry, images))
            calls += [_core.sum_slots(partial, d.buffer, begin, d.accumulate)
                      for d, begin in ((dw, 0), (db, w.size)) if d]
        if dx:
            calls.append(_core.depthwise_conv2d_dx(dz, w, dx.buffer, *geometry, dx.accumulate,
                                                   x if dx.behind_relu else None))
        return calls


def depthwise_conv2d(x, w, b=None, strides=(1, 1), padding="valid", dilation=(1, 1), activation=None):
    """Convolution of each channel of images (n, h, w, c) with m filters (kh, kw, c, m), plus bias (c m), then
    `activation` None or 'relu'.

    Padding is 'valid', 'same', or ((top, bottom), (left, right)).
    """
    return apply(DepthwiseConv2D(strides, padding, dilation, activation), x, w, b)
