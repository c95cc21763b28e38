"""Max, average and global pooling of images: their shape rule, forward and backward."""
from cnncore import _core
from cnncore.op import Op, Spec, apply


def output_length(length, pool, stride, padding):
    """The output's length along one axis, and the padding before the input: 'same' pads more at the end."""
    if padding == "same":
        out = -(-length // stride)
        return out, max((out - 1) * stride + pool - length, 0) // 2
    return (length - pool) // stride + 1, 0


class _Pool(Op):
    """A window that slides over images: x (n, h, w, c), y (n, oh, ow, c)."""

    masks_relu = True

    def __init__(self, pool, strides=None, padding="valid"):
        self.pool, self.strides, self.padding = tuple(pool), tuple(strides or pool), padding
        if padding not in ("valid", "same"):
            raise ValueError(f"The padding of pooling must be 'valid' or 'same'. Received: padding={padding!r}")
        for name, pair in (("pool size", self.pool), ("strides", self.strides)):
            if len(pair) != 2 or min(pair) < 1:
                raise ValueError(f"The {name} of pooling must be two numbers of 1 or more. Received: {pair}")

    def _axes(self, x):
        """(out_h, top), (out_w, left)."""
        return [output_length(x.shape[1 + i], self.pool[i], self.strides[i], self.padding) for i in (0, 1)]

    def _y_shape(self, x):
        if len(x.shape) != 4 or x.dtype != "float32":
            raise ValueError(f"{self.name} takes float32 images (batch, height, width, channels). Received: "
                             f"shape {x.shape}, {x.dtype}")
        (out_h, _), (out_w, _) = self._axes(x)
        if out_h < 1 or out_w < 1:
            raise ValueError(f"{self.name}'s window {self.pool} does not fit into an image of {x.shape[1]} by "
                             f"{x.shape[2]} pixels. Received: padding={self.padding!r}; use padding='same', a smaller "
                             "pool_size, or larger images")
        return x.shape[0], out_h, out_w, x.shape[3]

    def _geometry(self, x):
        (_, top), (_, left) = self._axes(x)
        return self.pool, self.strides, (top, left)


class MaxPool2D(_Pool):
    """y = max of x over the window's pixels inside the image; the gradient goes to the first maximum."""

    name = "max_pool2d"

    def outputs(self, x, *, keep):
        shape = self._y_shape(x)
        return [Spec(shape), Spec(shape, _core.position_dtype(self.pool))] if keep else [Spec(shape)]

    def forward(self, empty, inputs, outputs):
        (x,), (y, *position) = inputs, outputs
        return [_core.max_pool2d(x, y, position[0] if position else None, *self._geometry(x))]

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs):
        (dx,) = d_inputs
        if dx is None:
            return []
        y, position = outputs
        return [_core.max_pool2d_dx(d_outputs[0], position, y if dx.behind_relu else None, dx.buffer,
                                    *self._geometry(dx.buffer), dx.accumulate)]


class AvgPool2D(_Pool):
    """y = mean of x over the window's pixels inside the image: padding does not count."""

    name = "avg_pool2d"

    def outputs(self, x, *, keep):
        return [Spec(self._y_shape(x))]

    def forward(self, empty, inputs, outputs):
        return [_core.avg_pool2d(inputs[0], outputs[0], *self._geometry(inputs[0]))]

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs):
        (dx,) = d_inputs
        if dx is None:
            return []
        return [_core.avg_pool2d_dx(d_outputs[0], inputs[0] if dx.behind_relu else None, dx.buffer,
                                    *self._geometry(dx.buffer), dx.accumulate)]


class _GlobalPool(Op):
    """All pixels of an image become one: x (n, h, w, c), y (n, c)."""

    masks_relu = True

    def _y_shape(self, x):
        if len(x.shape) != 4 or x.dtype != "float32":
            raise ValueError(f"{self.name} takes float32 images (batch, height, width, channels). Received: "
                             f"shape {x.shape}, {x.dtype}")
        if x.shape[1] * x.shape[2] == 0:
            raise ValueError(f"{self.name} needs images of at least one pixel. Received: shape {x.shape}")
        return x.shape[0], x.shape[3]


class GlobalMaxPool2D(_GlobalPool):
    """y = max of x over all pixels; the gradient goes to the first maximum."""

    name = "global_max_pool2d"

    def outputs(self, x, *, keep):
        shape = self._y_shape(x)
        return [Spec(shape), Spec(shape, "int32")] if keep else [Spec(shape)]

    def forward(self, empty, inputs, outputs):
        y, *position = outputs
        return [_core.global_max_pool2d(inputs[0], y, position[0] if position else None)]

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs):
        (dx,) = d_inputs
        if dx is None:
            return []
        y, position = outputs
        return [_core.global_max_pool2d_dx(d_outputs[0], position, y if dx.behind_relu else None, dx.buffer,
                                           dx.accumulate)]


class GlobalAvgPool2D(_GlobalPool):
    """y = mean of x over all pixels."""

    name = "global_avg_pool2d"

    def outputs(self, x, *, keep):
        return [Spec(self._y_shape(x))]

    def forward(self, empty, inputs, outputs):
        return [_core.global_avg_pool2d(inputs[0], outputs[0])]

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs):
        (dx,) = d_inputs
        if dx is None:
            return []
        return [_core.global_avg_pool2d_dx(d_outputs[0], inputs[0] if dx.behind_relu else None, dx.buffer,
                                           dx.accumulate)]


def max_pool2d(x, pool, strides=None, padding="valid"):
    """The maximum of each window of images (n, h, w, c); strides default to the pool size."""
    return apply(MaxPool2D(pool, strides, padding), x)


def avg_pool2d(x, pool, strides=None, padding="valid"):
    """The mean of each window of images (n, h, w, c), of the pixels inside the image; strides default to the pool."""
    return apply(AvgPool2D(pool, strides, padding), x)


def global_max_pool2d(x):
    """The maximum of each channel of images (n, h, w, c), as (n, c)."""
    return apply(GlobalMaxPool2D(), x)


def global_avg_pool2d(x):
    """The mean of each channel of images (n, h, w, c), as (n, c)."""
    return apply(GlobalAvgPool2D(), x)
