"""Operations on images: affine transformations, and resizing."""
import functools

import numpy as np

from cnncore import _core
from cnncore.op import Op, Spec, apply
from cnncore.ops.patches import (
    crop_images,
    elastic_transform,
    extract_patches,
    gaussian_blur,
    hsv_to_rgb,
    map_coordinates,
    pad_images,
    perspective_transform,
    rgb_to_grayscale,
    rgb_to_hsv,
    sobel_edges,
)
from cnncore.tensor import Tensor, convert

__all__ = ["affine_transform", "crop_images", "elastic_transform", "extract_patches", "gaussian_blur", "hsv_to_rgb",
           "map_coordinates", "pad_images", "perspective_transform", "resize", "rgb_to_grayscale", "rgb_to_hsv",
           "sobel_edges"]

FILLS = {"constant": "grid-constant", "nearest": "nearest", "reflect": "reflect", "mirror": "mirror",
          "wrap": "grid-wrap"}  # Keras's words, and what its backends do


_MOST = 1 << 26  # numbers of a table from which resizing takes its weights


class Affine(Op):
    """y[n, oy, ox] = x[n] at row t0 oy + t1 ox + t2 and column t3 oy + t4 ox + t5, t = transform[n]."""

    name = "affine"

    def __init__(self, order=1, fill="nearest", fill_value=0.0, size=None):
        self.order, self.fill, self.fill_value, self.size = order, fill, float(fill_value), size

    def outputs(self, x, transform, *, keep):
        if x.dtype != "float32" or len(x.shape) != 4:
            raise ValueError("affine takes float32 images (batch, height, width, channels). Received: shape "
                             f"{x.shape}, {x.dtype}")
        if tuple(transform.shape) != (x.shape[0], 6) or transform.dtype != "float64":
            raise ValueError(f"affine takes six float64 numbers for each of {x.shape[0]} images. Received: shape "
                             f"{transform.shape}, {transform.dtype}")
        return [Spec((x.shape[0], *(self.size or x.shape[1:3]), x.shape[3]))]

    def forward(self, empty, inputs, outputs):
        return [_core.affine(*inputs, outputs[0], self.order, self.fill, self.fill_value)]

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs):
        dx = d_inputs[0]
        if dx is None:
            return []
        return [_core.affine_dx(d_outputs[0], inputs[1], dx.buffer, self.order, self.fill, dx.accumulate)]


class Resample(Op):
    """y[..., o, ...] = sum over t of weight[o, t] * x[..., index[o, t], ...], along the rows or the columns of images."""

    name = "resample"

    def __init__(self, axis, length, method, antialias):
        self.axis, self.length, self.method, self.antialias = axis, length, method, antialias

    def outputs(self, x, *, keep):
        if x.dtype != "float32" or len(x.shape) != 4:
            raise ValueError(f"resize takes float32 images (batch, height, width, channels). Received: shape {x.shape}, "
                             f"{x.dtype}")
        if x.shape[self.axis] * self.length > _MOST:
            raise ValueError(f"resize takes lengths whose product is at most {_MOST:,}. Received: {x.shape[self.axis]} "
                             f"pixels that become {self.length}")
        return [Spec((*x.shape[:self.axis], self.length, *x.shape[self.axis + 1:]))]

    def forward(self, empty, inputs, outputs):
        index, weight = resize_table(inputs[0].shape[self.axis], self.length, self.method, self.antialias)
        return [_core.resample(inputs[0], index, weight, outputs[0], self.axis, False)]

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs):
        dx = d_inputs[0]
        if dx is None:
            return []
        index, weight = resize_table(inputs[0].shape[self.axis], self.length, self.method, self.antialias, True)
        return [_core.resample(d_outputs[0], index, weight, dx.buffer, self.axis, dx.accumulate)]


# ---- resizing: which pixels a new pixel is made of ----------------------------------------------------------------

def _lanczos(radius):
    return lambda x: np.where(x < radius, np.sinc(x) * np.sinc(x / radius), 0.0)


def _cubic(x):
    """Keys's cubic with a = -0.5."""
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _mitchell(x):
    near = (7 * x - 12) * x * x / 6 + 16 / 18
    far = ((-7 * x + 36) * x - 60) * x / 18 + 32 / 18
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


_KERNELS = {
    "bilinear": lambda x: np.maximum(0, 1 - x),
    "bicubic": _cubic,
    "lanczos3": _lanczos(3),
    "lanczos5": _lanczos(5),
    "gaussian": lambda x: np.where(x < 1.5, np.exp(-2 * x * x), 0.0),
    "mitchellcubic": _mitchell,
}
METHODS = ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic")


def _weights(old, new, method, antialias):
    """A matrix (old, new): the part of each old pixel in each new one."""
    step = old / new
    if method == "nearest":
        matrix = np.zeros((old, new))
        places = np.floor((np.arange(new, dtype="float32") + np.float32(0.5)) * np.float32(old) / np.float32(new))
        matrix[np.minimum(places.astype(int), old - 1), np.arange(new)] = 1
        return matrix
    if method == "area":
        first, pixel = np.arange(new) * step, np.arange(old)[:, None]
        return np.maximum(0, np.minimum(pixel + 1, first + step) - np.maximum(pixel, first)) / step
    if method == "windows":  # the mean of each of `new` windows, which overlap where they cannot divide the axis
        begin, end = np.arange(new) * old // new, -(-np.arange(1, new + 1) * old // new)
        pixel = np.arange(old)[:, None]
        return ((pixel >= begin) & (pixel < end)) / (end - begin)
    at = (np.arange(new) + 0.5) * step - 0.5
    distance = np.abs(at - np.arange(old)[:, None]) / (max(step, 1.0) if antialias else 1.0)
    matrix = _KERNELS[method](distance)
    total = matrix.sum(axis=0)
    return np.where(np.abs(total) > 1e-4, matrix / np.where(total == 0, 1, total), 0)


@functools.lru_cache(maxsize=64)
def resize_table(old, new, method, antialias, backward=False):
    """(index, weight) as Buffers, of shape (new, taps), or, for the gradient, (old, taps)."""
    matrix = _weights(old, new, method, antialias)
    matrix = matrix if backward else matrix.T
    taps = max(1, int((matrix != 0).sum(axis=1).max()))
    order = np.argsort(matrix == 0, axis=1, kind="stable")[:, :taps]
    weight = np.ascontiguousarray(np.take_along_axis(matrix, order, 1), "float32")
    order = np.where(weight == 0, order[:, :1], order)  # so that no pixel's NaN is taken zero times
    index = np.ascontiguousarray(order, "int32")
    return _core.Buffer.wrap(index), _core.Buffer.wrap(weight)


# ---- what layers and users call ----------------------------------------------------------------------------------

def batched(images, channels_first=False):
    """(images as (batch, height, width, channels) in float32, what turns a result back into the form they came in)."""
    from cnncore import ops

    x = convert(images)
    if len(x.shape) not in (3, 4):
        raise ValueError("Images have 3 axes, or 4 where there is a batch of them. Received: shape "
                         f"{tuple(x.shape)}")
    whole, single = x.dtype, len(x.shape) == 3
    if x.dtype != "float32":
        x = ops.cast(x, "float32")
    if single:
        x = ops.reshape(x, (1, *x.shape))
    if channels_first:
        x = ops.transpose(x, (0, 2, 3, 1))

    def back(y):
        if channels_first:
            y = ops.transpose(y, (0, 3, 1, 2))
        if single:
            y = ops.reshape(y, y.shape[1:])
        if whole.startswith(("int", "uint")):
            low, high = (0, 255) if whole == "uint8" else (-2.0**31, 2.0**31 - 128)
            y = ops.cast(ops.clip(ops.round(y), low, high), whole)
        return y

    return x, back


def _channels_first(data_format):
    if data_format not in (None, "channels_last", "channels_first"):
        raise ValueError("data_format is 'channels_last' or 'channels_first'. Received: data_format="
                         f"{data_format!r}")
    return data_format == "channels_first"


def resize(images, size, interpolation="bilinear", antialias=False, crop_to_aspect_ratio=False,
           pad_to_aspect_ratio=False, fill_mode="constant", fill_value=0.0, data_format=None):
    """Images in another size.

    Args:
        images: (height, width, channels), or (batch, height, width, channels).
        size: (height, width) to make.
        interpolation: 'bilinear', 'nearest', 'bicubic', 'area', 'lanczos3', 'lanczos5', 'gaussian' or 'mitchellcubic'.
        antialias: whether shrinking takes all the pixels into account that a new one covers.
        crop_to_aspect_ratio: whether what does not fit the new proportions is cut off at both sides, instead of
            distorting the image.
        pad_to_aspect_ratio: whether the image is padded at both sides to the new proportions instead.
        fill_mode: 'constant'.
        fill_value: value of the padding.
        data_format: 'channels_last', or 'channels_first' for (..., channels, height, width).

    Returns:
        Tensor of the images' dtype.

    Raises:
        ValueError: an argument does not fit.

    Example:
        >>> import numpy as np
        >>> from cnncore.ops import image
        >>> image.resize(np.zeros((8, 8, 3), "float32"), (4, 6)).shape
        (4, 6, 3)
    """
    if interpolation not in METHODS:
        raise ValueError(f"interpolation is one of {', '.join(METHODS)}. Received: interpolation={interpolation!r}")
    if not isinstance(size, (list, tuple)) or len(size) != 2 or min(size) < 1:
        raise ValueError(f"size is a height and a width of 1 pixel or more. Received: size={size!r}")
    if fill_mode != "constant":
        raise ValueError(f"fill_mode is 'constant'. Received: fill_mode={fill_mode!r}")
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError("An image is cropped or padded to the new proportions. Received: crop_to_aspect_ratio=True and "
                         "pad_to_aspect_ratio=True; choose one")
    x, back = batched(images, _channels_first(data_format))
    if min(x.shape[1:3]) < 1:
        raise ValueError(f"Only images of at least one pixel can be resized. Received: shape {tuple(images.shape)}")
    if crop_to_aspect_ratio:
        x = _crop(x, *size)
    elif pad_to_aspect_ratio:
        x = _pad(x, *size, fill_value)
    return back(_resized(x, size, interpolation, bool(antialias)))


def _resized(x, size, interpolation, antialias):
    for axis in (1, 2):
        if x.shape[axis] != size[axis - 1]:
            x = apply(Resample(axis, int(size[axis - 1]), interpolation, antialias), x)
    return x


def crop_box(height, width, new_height, new_width):
    """(top, left, height, width) of the largest part in the middle that has the new proportions."""
    h = max(min(height, int(float(width * new_height) / new_width)), 1)
    w = max(min(width, int(float(height * new_width) / new_height)), 1)
    return int((height - h) / 2), int((width - w) / 2), h, w


def _crop(x, new_height, new_width):
    top, left, h, w = crop_box(*x.shape[1:3], new_height, new_width)
    return x[:, top:top + h, left:left + w, :]


def _pad(x, new_height, new_width, value):
    from cnncore import ops

    height, width = x.shape[1:3]
    h = max(height, int(float(width * new_height) / new_width))
    w = max(width, int(float(height * new_width) / new_height))
    top, left = int((h - height) / 2), int((w - width) / 2)
    if top:
        left = 0
    return ops.pad(x, ((0, 0), (top, top), (left, left), (0, 0)), constant_values=value) if top or left else x


def affine_transform(images, transform, interpolation="bilinear", fill_mode="constant", fill_value=0,
                     data_format=None):
    """Images turned, moved, sheared and zoomed.

    Args:
        images: (height, width, channels), or (batch, height, width, channels).
        transform: eight numbers (a0, a1, a2, b0, b1, b2, c0, c1), or a row of them for each image: the pixel at column x
            and row y comes from column a0 x + a1 y + a2 and row b0 x + b1 y + b2; c0 and c1 are not used.
        interpolation: 'bilinear' or 'nearest'.
        fill_mode: what stands around the image: 'constant' fill_value, 'nearest' the outermost pixels, 'reflect' the
            image mirrored at its edge, 'mirror' at the centre of its outermost pixels, 'wrap' the image again.
        fill_value: the value for 'constant'.
        data_format: 'channels_last', or 'channels_first' for (..., channels, height, width).

    Returns:
        Tensor of the images' shape and dtype.

    Raises:
        ValueError: an argument does not fit.

    Example:
        >>> import numpy as np
        >>> from cnncore.ops import image
        >>> x = np.arange(4, dtype="float32").reshape(1, 4, 1)
        >>> image.affine_transform(x, [1, 0, 1, 0, 1, 0, 0, 0]).numpy().ravel()
        array([1., 2., 3., 0.], dtype=float32)
    """
    from cnncore import ops

    if interpolation not in ("bilinear", "nearest"):
        raise ValueError(f"interpolation is 'bilinear' or 'nearest'. Received: interpolation={interpolation!r}")
    if fill_mode not in FILLS:
        raise ValueError(f"fill_mode is one of {', '.join(FILLS)}. Received: fill_mode={fill_mode!r}")
    x, back = batched(images, _channels_first(data_format))
    t = transform if isinstance(transform, Tensor) else convert(np.asarray(transform, "float64"), "float64")
    if len(t.shape) not in (1, 2) or t.shape[-1] != 8 or len(t.shape) == 2 and t.shape[0] != x.shape[0]:
        raise ValueError("transform is eight numbers, or eight for each image. Received: shape "
                         f"{tuple(t.shape)} for {x.shape[0]} image(s)")
    if t.dtype != "float64":
        t = ops.cast(t, "float64")
    if len(t.shape) == 1:
        t = convert(np.broadcast_to(t.numpy(), (x.shape[0], 8)).copy(), "float64")
    t = ops.take(t, np.array([4, 3, 5, 1, 0, 2], "int32"), axis=1)
    op = Affine(int(interpolation == "bilinear"), FILLS[fill_mode], fill_value)
    return back(apply(op, x, t))
