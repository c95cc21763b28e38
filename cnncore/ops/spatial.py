"""Keras's functions for convolution and pooling: of sequences and images, channels last or first."""
import operator

from cnncore.op import apply
from cnncore.ops.conv2d import conv2d
from cnncore.ops.conv2d_transpose import conv2d_transpose
from cnncore.ops.depthwise_conv2d import depthwise_conv2d
from cnncore.ops.elementwise import cast
from cnncore.ops.movement import concatenate, moveaxis, reshape
from cnncore.ops.pool import avg_pool2d, max_pool2d
from cnncore.tensor import convert


class _Spatial:
    """The spatial axes of an input: what makes images (batch, height, width, channels) of it, and turns them back.

    A sequence (batch, steps, channels) becomes an image of one row.
    """

    def __init__(self, function, inputs, data_format, padding="valid"):
        from cnncore import config

        x = cast(convert(inputs), "float32")
        self.function, self.rank = function, x.ndim - 2
        if self.rank not in (1, 2):
            raise ValueError(f"{function} takes sequences of 3 axes or images of 4. Received: shape {x.shape}")
        data_format = data_format or config.image_data_format()
        if data_format not in ("channels_last", "channels_first"):
            raise ValueError(f"{function}: data_format is 'channels_last' or 'channels_first'. Received: "
                             f"data_format={data_format!r}")
        if padding not in ("valid", "same"):
            raise ValueError(f"{function}: padding is 'valid' or 'same'. Received: padding={padding!r}")
        self.first = data_format == "channels_first"
        x = moveaxis(x, 1, -1) if self.first else x
        self.images = x if self.rank == 2 else reshape(x, (x.shape[0], 1, *x.shape[1:]))

    def sizes(self, value, name, other=1):
        """One number for each axis of images, from one for all or one for each axis of the input."""
        parts = value if isinstance(value, (list, tuple)) else (value,) * self.rank
        if len(parts) != self.rank:
            raise ValueError(f"{self.function}: {name} is one whole number, or one for each of {self.rank} axes. "
                             f"Received: {name}={value!r}")
        return (other,) * (2 - self.rank) + tuple(operator.index(part) for part in parts)

    def filters(self, kernel):
        """Filters of images; those of sequences have one row."""
        kernel = cast(convert(kernel), "float32")
        if kernel.ndim != self.rank + 2:
            raise ValueError(f"{self.function} of inputs of {self.rank + 2} axes takes a kernel of as many. Received: "
                             f"shape {kernel.shape}")
        return kernel if self.rank == 2 else reshape(kernel, (1, *kernel.shape))

    def back(self, y):
        y = y if self.rank == 2 else reshape(y, (y.shape[0], *y.shape[2:]))
        return moveaxis(y, -1, 1) if self.first else y


def max_pool(inputs, pool_size, strides=None, padding="valid", data_format=None):
    """The maximum of each window of sequences (n, steps, c) or images (n, h, w, c); strides default to the window's
    size."""
    x = _Spatial("max_pool", inputs, data_format, padding)
    pool = x.sizes(pool_size, "pool_size")
    return x.back(max_pool2d(x.images, pool, pool if strides is None else x.sizes(strides, "strides"), padding))


def average_pool(inputs, pool_size, strides=None, padding="valid", data_format=None):
    """The mean of each window of sequences (n, steps, c) or images (n, h, w, c), padding not counted; strides default to
    the window's size."""
    x = _Spatial("average_pool", inputs, data_format, padding)
    pool = x.sizes(pool_size, "pool_size")
    return x.back(avg_pool2d(x.images, pool, pool if strides is None else x.sizes(strides, "strides"), padding))


def conv(inputs, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
    """Convolution of sequences (n, steps, c) by (k, c / groups, f), or of images (n, h, w, c) by (kh, kw, c / groups,
    f)."""
    x = _Spatial("conv", inputs, data_format, padding)
    w = x.filters(kernel)
    channels = x.images.shape[-1]
    if not w.shape[2] or channels % w.shape[2]:
        raise ValueError(f"conv needs a kernel whose input channels divide those of its input. Received: {w.shape[2]} "
                         f"and {channels}")
    return x.back(conv2d(x.images, w, None, x.sizes(strides, "strides"), padding, x.sizes(dilation_rate, "dilation_rate"),
                         groups=channels // w.shape[2]))


def depthwise_conv(inputs, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
    """Convolution of each channel by m filters of its own: of sequences by (k, c, m), of images by (kh, kw, c, m)."""
    x = _Spatial("depthwise_conv", inputs, data_format, padding)
    return x.back(depthwise_conv2d(x.images, x.filters(kernel), None, x.sizes(strides, "strides"), padding,
                                   x.sizes(dilation_rate, "dilation_rate")))


def separable_conv(inputs, depthwise_kernel, pointwise_kernel, strides=1, padding="valid", data_format=None,
                   dilation_rate=1):
    """depthwise_conv, then conv by windows of one pixel."""
    x = _Spatial("separable_conv", inputs, data_format, padding)
    y = depthwise_conv2d(x.images, x.filters(depthwise_kernel), None, x.sizes(strides, "strides"), padding,
                         x.sizes(dilation_rate, "dilation_rate"))
    return x.back(conv2d(y, x.filters(pointwise_kernel)))


def conv_transpose(inputs, kernel, strides=1, padding="valid", output_padding=None, data_format=None, dilation_rate=1):
    """Sequences or images spread by filters (k, f, c) or (kh, kw, f, c): what conv with them would have taken to them."""
    x = _Spatial("conv_transpose", inputs, data_format, padding)
    more = None if output_padding is None else x.sizes(output_padding, "output_padding", 0)
    return x.back(conv2d_transpose(x.images, x.filters(kernel), x.sizes(strides, "strides"), padding,
                                   x.sizes(dilation_rate, "dilation_rate"), more))


# ---- as many windows as are asked for ----------------------------------------------------------------------------

_WINDOWS = 4096  # each is an operation of its own


def window(length, parts, i):
    """(begin, end) of the i-th of `parts` windows that cover an axis, and overlap where they cannot divide it."""
    return length * i // parts, -(-length * (i + 1) // parts)


def _output_size(x, output_size):
    sizes = x.sizes(output_size, "output_size")
    if min(sizes) < 1:
        raise ValueError(f"{x.function}: output_size is 1 or more. Received: output_size={output_size!r}")
    if 0 in x.images.shape[1:3]:
        raise ValueError(f"{x.function} needs inputs of at least one pixel. Received: shape {x.images.shape}")
    return sizes


def adaptive_average_pool(inputs, output_size, data_format=None):
    """The means of as many windows along each spatial axis as `output_size` says."""
    from cnncore.ops.image import Resample

    x = _Spatial("adaptive_average_pool", inputs, data_format)
    y = x.images
    for axis, size in enumerate(_output_size(x, output_size), 1):
        if y.shape[axis] != size:
            y = apply(Resample(axis, size, "windows", False), y)
    return x.back(y)


def adaptive_max_pool(inputs, output_size, data_format=None):
    """The maxima of as many windows along each spatial axis as `output_size` says."""
    x = _Spatial("adaptive_max_pool", inputs, data_format)
    y, sizes = x.images, _output_size(x, output_size)
    if max(sizes) > _WINDOWS:
        raise ValueError(f"adaptive_max_pool has at most {_WINDOWS:,} windows along an axis. Received: output_size="
                         f"{output_size!r}")
    if all(length % size == 0 for length, size in zip(y.shape[1:3], sizes)):
        return x.back(max_pool2d(y, [length // size for length, size in zip(y.shape[1:3], sizes)]))
    for axis, size in enumerate(sizes, 1):
        parts = []
        for i in range(size):
            begin, end = window(y.shape[axis], size, i)
            part = y[:, begin:end] if axis == 1 else y[:, :, begin:end]
            parts.append(max_pool2d(part, (end - begin, 1) if axis == 1 else (1, end - begin)))
        y = concatenate(parts, axis)
    return x.back(y)
