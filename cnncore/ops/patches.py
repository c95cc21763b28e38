"""Parts of images: cropped and padded images, patches, edges, blur, perspectives and elastic distortions."""
import numpy as np

from cnncore.ops import color
from cnncore.ops.conv2d import conv2d
from cnncore.ops.depthwise_conv2d import depthwise_conv2d
from cnncore.ops.elementwise import add, cast, multiply
from cnncore.ops.movement import broadcast_to, getitem, pad, reshape, transpose
from cnncore.ops.sample import blurred, gaussian, pixels, sample, seen_from
from cnncore.tensor import convert

rgb_to_grayscale, rgb_to_hsv, hsv_to_rgb = color.rgb_to_grayscale, color.rgb_to_hsv, color.hsv_to_rgb
_ORDERS = {"nearest": 0, "bilinear": 1}


def _spatial_axis(x, data_format):
    """The axis of the rows of images."""
    from cnncore import config

    if x.ndim not in (3, 4):
        raise ValueError("Images have 3 axes, or 4 where there is a batch of them. Received: shape "
                         f"{x.shape}")
    return x.ndim - (3 if (data_format or config.image_data_format()) == "channels_last" else 2)


def _edges(name, length, before, after, target, grows):
    """(before, after) of an axis from two of three numbers: what comes before, what comes after, the new length."""
    if sum(part is None for part in (before, after, target)) != 1:
        raise ValueError(f"Images are {name} by two of three numbers for each axis: before, after and the new length. "
                         f"Received: {before}, {after} and {target}")
    rest = (target - length if grows else length - target) if target is not None else 0
    before, after = (rest - after if before is None else before), (rest - before if after is None else after)
    if min(before, after) < 0 or not grows and before + after >= length:
        raise ValueError(f"An axis of length {length} cannot be {name} by {before} before and {after} after it")
    return before, after


def crop_images(images, top_cropping=None, left_cropping=None, bottom_cropping=None, right_cropping=None,
                target_height=None, target_width=None, data_format=None):
    """Images without so many rows and columns at each side; two of three numbers say it for each axis: what goes before,
    what goes after, and what stays."""
    x = convert(images)
    axis = _spatial_axis(x, data_format)
    top, bottom = _edges("cropped", x.shape[axis], top_cropping, bottom_cropping, target_height, False)
    left, right = _edges("cropped", x.shape[axis + 1], left_cropping, right_cropping, target_width, False)
    return getitem(x, (slice(None),) * axis + (slice(top, x.shape[axis] - bottom), slice(left, x.shape[axis + 1] - right)))


def pad_images(images, top_padding=None, left_padding=None, bottom_padding=None, right_padding=None, target_height=None,
               target_width=None, data_format=None):
    """Images with so many rows and columns of zeros at each side; two of three numbers say it for each axis: what comes
    before, what comes after, and how long it becomes."""
    x = convert(images)
    axis = _spatial_axis(x, data_format)
    widths = [(0, 0)] * x.ndim
    widths[axis] = _edges("padded", x.shape[axis], top_padding, bottom_padding, target_height, True)
    widths[axis + 1] = _edges("padded", x.shape[axis + 1], left_padding, right_padding, target_width, True)
    return cast(pad(x, widths), x.dtype)


def extract_patches(images, size, strides=None, dilation_rate=1, padding="valid", data_format=None):
    """The pixels of each window of images as the channels of one: (batch, rows, columns, height * width * channels)."""
    from cnncore.ops.image import _channels_first, batched

    size, strides, dilation = ((part, part) if isinstance(part, int) else tuple(part)
                               for part in (size, strides or size, dilation_rate))
    x, back = batched(images, _channels_first(data_format))
    count = size[0] * size[1] * x.shape[3]
    one_each = np.eye(count, dtype="float32").reshape(*size, x.shape[3], count)
    return back(conv2d(x, convert(one_each), None, strides, padding, dilation))


def sobel_edges(images, data_format=None):
    """The slopes of each channel downwards and across by Sobel's 3x3 filters: (..., channels, 2)."""
    from cnncore.ops.image import _channels_first, batched

    first = _channels_first(data_format)
    x, _ = batched(images, first)
    down = np.float32([[-1, -2, -1], [0, 0, 0], [1, 2, 1]])
    filters = np.stack([down, down.T], -1)[:, :, None]
    channels = x.shape[3]
    around = pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), "reflect")
    y = depthwise_conv2d(around, convert(np.ascontiguousarray(np.broadcast_to(filters, (3, 3, channels, 2)))))
    y = reshape(y, (*x.shape, 2))
    y = transpose(y, (0, 3, 1, 2, 4)) if first else y
    return y if len(images.shape) == 4 else reshape(y, y.shape[1:])


def gaussian_blur(images, kernel_size=(3, 3), sigma=(1.0, 1.0), data_format=None):
    """Images convolved by a Gaussian, width first, zeros around them."""
    from cnncore.ops.image import _channels_first, batched

    x, back = batched(images, _channels_first(data_format))
    across, down = (gaussian(int(size), convert(part) if not isinstance(part, (int, float)) else float(part))
                    for size, part in zip(kernel_size, sigma, strict=True))
    return back(blurred(x, down, across))


def perspective_transform(images, start_points, end_points, interpolation="bilinear", fill_value=0, data_format=None):
    """Images drawn so that what was at four points, (column, row) each, is at four others: (4, 2), or (batch, 4, 2)."""
    from cnncore.ops.image import _channels_first, batched

    x, back = batched(images, _channels_first(data_format))
    start, end = (cast(convert(points), "float32") for points in (start_points, end_points))
    for points in (start, end):
        if points.shape[-2:] != (4, 2) or points.ndim not in (2, 3):
            raise ValueError(f"Points are (4, 2), or (batch, 4, 2). Received: shape {points.shape}")
    start, end = (broadcast_to(points, (x.shape[0], 4, 2)) for points in (start, end))
    return back(seen_from(x, start, end, _order(interpolation), fill_value))


def _order(interpolation):
    if interpolation not in _ORDERS:
        raise ValueError(f"interpolation is 'bilinear' or 'nearest'. Received: interpolation={interpolation!r}")
    return _ORDERS[interpolation]


def elastic_transform(images, alpha=20.0, sigma=5.0, interpolation="bilinear", fill_mode="reflect", fill_value=0.0,
                      seed=None, data_format=None):
    """Images bent by normally distributed shifts, times alpha, that a Gaussian of deviation sigma has smoothed."""
    from cnncore.ops.image import FILLS, _channels_first, batched
    from cnncore.ops.random import random_normal
    from cnncore.random import state_of

    if fill_mode not in FILLS:
        raise ValueError(f"fill_mode is one of {', '.join(FILLS)}. Received: fill_mode={fill_mode!r}")
    x, back = batched(images, _channels_first(data_format))
    state, size = state_of(seed), int(6 * sigma) | 1
    weights = gaussian(size, float(sigma))
    across, down = (getitem(blurred(multiply(random_normal((*x.shape[:3], 1), state), float(sigma)), weights, weights),
                            (..., 0)) for _ in range(2))
    rows, columns = pixels(*x.shape[1:3])
    return back(sample(x, add(rows, multiply(down, float(alpha))), add(columns, multiply(across, float(alpha))),
                       _order(interpolation), FILLS[fill_mode], fill_value))


def map_coordinates(inputs, coordinates, order, fill_mode="constant", fill_value=0):
    """The values of a two-dimensional array at places between its elements: coordinates[0] are the rows, coordinates[1]
    the columns. order 0 takes the nearest element, 1 lies on a line between two."""
    from cnncore.ops.image import FILLS

    x, places = cast(convert(inputs), "float32"), cast(convert(coordinates), "float32")
    if x.ndim != 2 or places.ndim < 2 or places.shape[0] != 2:
        raise ValueError("map_coordinates takes an array of two axes and the rows and columns of places in it. Received: "
                         f"shapes {x.shape} and {places.shape}")
    if order not in (0, 1) or fill_mode not in FILLS:
        raise ValueError(f"map_coordinates takes order 0 or 1 and fill_mode {', '.join(FILLS)}. Received: "
                         f"order={order!r}, fill_mode={fill_mode!r}")
    rows, columns = (reshape(getitem(places, i), (1, 1, -1)) for i in (0, 1))
    y = sample(reshape(x, (1, *x.shape, 1)), rows, columns, order, FILLS[fill_mode], fill_value)
    return cast(reshape(y, places.shape[1:]), convert(inputs).dtype)
