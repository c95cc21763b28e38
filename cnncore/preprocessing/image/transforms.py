"""Single transformations of images: affine ones by one kernel over all images, brightness, shifts of channels."""
import functools

import numpy as np

from cnncore.op import apply
from cnncore.ops.image import Affine
from cnncore.tensor import convert

_PADDING = 12  # pixels that are put around an image for splines that go on beyond its edge
_FILLS = ("constant", "nearest", "reflect", "wrap", "mirror", "grid-constant", "grid-mirror", "grid-wrap")


# ---- affine ------------------------------------------------------------------------------------------------------

def affine_matrix(height, width, theta=0, tx=0, ty=0, shear=0, zx=1, zy=1):
    """Six numbers that lead from a pixel's row and column to where it comes from, around the middle of the image: turned
    by theta, moved by tx columns and ty rows, sheared, zoomed; None where nothing changes."""
    if theta == 0 and tx == 0 and ty == 0 and shear == 0 and zx == 1 and zy == 1:
        return None
    matrix = np.eye(3)
    if theta != 0:
        cos, sin = np.cos(np.deg2rad(theta)), np.sin(np.deg2rad(theta))
        matrix = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1.0]])
    if tx != 0 or ty != 0:
        matrix = matrix @ np.array([[1, 0, tx], [0, 1, ty], [0, 0, 1.0]])
    if shear != 0:
        angle = np.deg2rad(shear)
        matrix = matrix @ np.array([[1, -np.sin(angle), 0], [0, np.cos(angle), 0], [0, 0, 1.0]])
    if zx != 1 or zy != 1:
        matrix = matrix @ np.diag([zx, zy, 1.0])
    # The matrix is written for (x, y), and pixels are counted by (row, column).
    to_middle, back = np.eye(3), np.eye(3)
    to_middle[:2, 2] = height / 2 - 0.5, width / 2 - 0.5
    back[:2, 2] = -to_middle[:2, 2]
    return (to_middle @ matrix @ back)[[1, 0]][:, [1, 0, 2]].ravel()


def check_fill(fill_mode, order):
    """Raises ValueError for a fill mode or an interpolation order that does not exist."""
    if fill_mode not in _FILLS:
        raise ValueError(f"fill_mode is one of {', '.join(_FILLS)}. Received: fill_mode={fill_mode!r}")
    if order not in range(6):
        raise ValueError("The interpolation order is 0 for the nearest pixel, 1 for linear, 2 to 5 for splines. Received: "
                         f"{order!r}")


def warp(images, matrices, fill_mode="nearest", cval=0.0, order=1):
    """All images transformed in one call of the kernel.

    Args:
        images: float array (batch, height, width, channels).
        matrices: of `affine_matrix`, one for each image; an image whose matrix is None stays as it is.
        fill_mode, cval, order: see `apply_affine_transform`.

    Returns:
        float32 array, or the images themselves where all stay.
    """
    chosen = [i for i, matrix in enumerate(matrices) if matrix is not None]
    if not chosen:
        return images
    fill = {"grid-mirror": "reflect"}.get(fill_mode, fill_mode)
    x = np.ascontiguousarray(images if len(chosen) == len(images) else images[chosen], "float32")
    t = np.stack([matrices[i] for i in chosen])
    size = x.shape[1:3]
    if order > 1:
        x, padding = _spline_coefficients(x, fill, cval, order)
        t[:, [2, 5]] += padding
    y = apply(Affine(order, fill, cval, size), convert(x), convert(t, "float64")).numpy()
    if len(chosen) == len(images):
        return y
    result = np.array(images, "float32")
    result[chosen] = y
    return result


def _spline_coefficients(x, fill, cval, order):
    """(the coefficients of the splines through the pixels, pixels of padding at each side)."""
    padding = _PADDING if fill in ("nearest", "grid-constant") else 0
    if padding:
        around = ((0, 0), (padding, padding), (padding, padding), (0, 0))
        x = (np.pad(x, around, "edge") if fill == "nearest" else np.pad(x, around, constant_values=cval))
    ends = {"nearest": "reflect", "reflect": "reflect", "grid-wrap": "wrap"}.get(fill, "mirror")
    for axis in (1, 2):
        inverse = _spline_inverse(x.shape[axis], order, ends)
        x = np.moveaxis(np.tensordot(inverse, x, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(x, "float32"), padding


@functools.lru_cache(maxsize=32)
def _spline_inverse(n, order, ends):
    """The matrix that leads from the values at n places to the coefficients of the spline through them."""
    t = 0.0 if order % 2 else 0.5
    b = np.zeros(order + 1)
    b[0] = 1
    for k in range(1, order + 1):  # the recurrence of B-splines, as in the kernel
        b[:k + 1] = [((t + k - i) * b[i - 1] if i else 0) / k + (1 - t + i) * b[i] / k for i in range(k + 1)]
    matrix, rows = np.zeros((n, n)), np.arange(n)
    for tap, weight in enumerate(b):
        at = rows - order // 2 + tap
        if ends == "wrap":
            at = at % n
        elif ends == "reflect":
            at = at % (2 * n)
            at = np.where(at < n, at, 2 * n - 1 - at)
        else:
            at = at % max(2 * n - 2, 1)
            at = np.where(at < n, at, 2 * n - 2 - at)
        np.add.at(matrix, (rows, at), weight)
    return np.linalg.inv(matrix)


def apply_affine_transform(x, theta=0, tx=0, ty=0, shear=0, zx=1, zy=1, row_axis=1, col_axis=2, channel_axis=0,
                           fill_mode="nearest", cval=0.0, order=1):
    """One image turned, moved, sheared and zoomed around its middle.

    Args:
        x: array of three axes.
        theta: angle in degrees.
        tx, ty: pixels to move by: tx to the left, ty up.
        shear: angle in degrees.
        zx, zy: factors of the zoom, of the width and the height; below 1 the image grows.
        row_axis, col_axis, channel_axis: where x has its rows, columns and channels; channels come first or last.
        fill_mode: what stands around the image: 'nearest' its outermost pixels, 'constant' cval, 'reflect' the image
            mirrored, 'wrap' the image again.
        cval: the value for 'constant'.
        order: of the interpolation: 0 for the nearest pixel, 1 for linear, 2 to 5 for splines.

    Returns:
        Array of x's shape and dtype.

    Raises:
        ValueError: an argument does not fit.

    Example:
        >>> apply_affine_transform(np.eye(3)[..., None], tx=1, row_axis=0, col_axis=1, channel_axis=2)[..., 0]
        array([[0., 0., 0.],
               [1., 0., 0.],
               [0., 1., 1.]])
    """
    x = np.asarray(x)
    if x.ndim != 3 or sorted((row_axis, col_axis, channel_axis)) != [0, 1, 2] or channel_axis == 1:
        raise ValueError("An image has three axes, rows, columns and channels, channels first or last. Received: shape "
                         f"{x.shape}, row_axis={row_axis}, col_axis={col_axis}, channel_axis={channel_axis}")
    check_fill(fill_mode, order)
    matrix = affine_matrix(x.shape[row_axis], x.shape[col_axis], theta, tx, ty, shear, zx, zy)
    if matrix is None:
        return x
    if col_axis < row_axis:
        matrix = matrix.reshape(2, 3)[[1, 0]][:, [1, 0, 2]].ravel()
    axes = (*sorted((row_axis, col_axis)), channel_axis)
    y = warp(x.transpose(axes)[None], [matrix], fill_mode, cval, order)[0]
    if x.dtype.kind in "iu":
        limits = np.iinfo(x.dtype)
        y = np.clip(np.rint(y.astype("float64")), limits.min, limits.max)
    return y.transpose(np.argsort(axes)).astype(x.dtype, copy=False)


def _random_affine(x, axes, fill_mode, cval, order, **parameters):
    row_axis, col_axis, channel_axis = axes
    return apply_affine_transform(x, row_axis=row_axis, col_axis=col_axis, channel_axis=channel_axis, fill_mode=fill_mode,
                                  cval=cval, order=order, **parameters)


def random_rotation(x, rg, row_axis=1, col_axis=2, channel_axis=0, fill_mode="nearest", cval=0.0,
                    interpolation_order=1):
    """An image turned by a random angle from -rg to rg degrees; see `apply_affine_transform`.

    Args:
        x: array of three axes.
        rg: the largest angle, in degrees.
        row_axis, col_axis, channel_axis, fill_mode, cval, interpolation_order: see `apply_affine_transform`.
    """
    return _random_affine(x, (row_axis, col_axis, channel_axis), fill_mode, cval, interpolation_order,
                          theta=np.random.uniform(-rg, rg))


def random_shift(x, wrg, hrg, row_axis=1, col_axis=2, channel_axis=0, fill_mode="nearest", cval=0.0,
                 interpolation_order=1):
    """An image moved by random parts of its width and height; see `apply_affine_transform`.

    Args:
        x: array of three axes.
        wrg, hrg: the largest parts of width and height; as in Keras the width's part moves up and down.
        row_axis, col_axis, channel_axis, fill_mode, cval, interpolation_order: see `apply_affine_transform`.
    """
    # Keras moves to the sides by a part of the height, and up and down by a part of the width; so does this.
    tx = np.random.uniform(-hrg, hrg) * x.shape[row_axis]
    ty = np.random.uniform(-wrg, wrg) * x.shape[col_axis]
    return _random_affine(x, (row_axis, col_axis, channel_axis), fill_mode, cval, interpolation_order, tx=tx, ty=ty)


def random_shear(x, intensity, row_axis=1, col_axis=2, channel_axis=0, fill_mode="nearest", cval=0.0,
                 interpolation_order=1):
    """An image sheared by a random angle; see `apply_affine_transform`.

    Args:
        x: array of three axes.
        intensity: the largest angle, in degrees.
        row_axis, col_axis, channel_axis, fill_mode, cval, interpolation_order: see `apply_affine_transform`.
    """
    return _random_affine(x, (row_axis, col_axis, channel_axis), fill_mode, cval, interpolation_order,
                          shear=np.random.uniform(-intensity, intensity))


def random_zoom(x, zoom_range, row_axis=1, col_axis=2, channel_axis=0, fill_mode="nearest", cval=0.0,
                interpolation_order=1):
    """An image zoomed by random factors, one for rows and one for columns; see `apply_affine_transform`.

    Args:
        x: array of three axes.
        zoom_range: the smallest and the largest factor.
        row_axis, col_axis, channel_axis, fill_mode, cval, interpolation_order: see `apply_affine_transform`.
    """
    if len(zoom_range) != 2:
        raise ValueError(f"zoom_range is two numbers. Received: zoom_range={zoom_range!r}")
    zx, zy = (1, 1) if tuple(zoom_range) == (1, 1) else np.random.uniform(zoom_range[0], zoom_range[1], 2)
    return _random_affine(x, (row_axis, col_axis, channel_axis), fill_mode, cval, interpolation_order, zx=zx, zy=zy)


# ---- values ------------------------------------------------------------------------------------------------------

def apply_channel_shift(x, intensity, channel_axis=0):
    """A number added to all values of an image, which stay between its smallest and its largest one.

    Args:
        x: array of three axes.
        intensity: the number.
        channel_axis: accepted for compatibility: all channels move alike.
    """
    x = np.asarray(x)
    return np.clip(x + intensity, x.min(), x.max()).astype(x.dtype if x.dtype.kind == "f" else "float32", copy=False)


def random_channel_shift(x, intensity_range, channel_axis=0):
    """`apply_channel_shift` by a random number.

    Args:
        x: array of three axes.
        intensity_range: the largest number.
        channel_axis: accepted for compatibility.
    """
    return apply_channel_shift(x, np.random.uniform(-intensity_range, intensity_range), channel_axis)


def apply_brightness_shift(x, brightness, scale=True):
    """An image made brighter or darker; values become whole ones on the way, as in an image file.

    Args:
        x: array of three axes, channels last; a fourth channel is transparency and stays.
        brightness: factor; 1 changes nothing, 0 is black.
        scale: whether the smallest value becomes 0 and the largest 255 before. Values outside of 0 to 255 are scaled so
            at any rate, and back after it where this is False.

    Returns:
        float32 array.
    """
    x = np.asarray(x, "float32")
    low, high = x.min(), x.max()
    outside = low < 0 or high > 255
    if outside or scale:
        x = x - low
        top = x.max()
        x = (x / top if top else x) * 255
    x = x.astype("uint8").astype("float32")
    y = np.trunc(np.clip(x * np.float32(brightness), 0, 255))
    if x.ndim == 3 and x.shape[2] == 4:
        y[..., 3] = x[..., 3]
    return y / 255 * (high - low) + low if outside and not scale else y


def random_brightness(x, brightness_range, scale=True):
    """`apply_brightness_shift` by a random factor.

    Args:
        x: array of three axes.
        brightness_range: the smallest and the largest factor.
        scale: see `apply_brightness_shift`.
    """
    if len(brightness_range) != 2:
        raise ValueError(f"brightness_range is two numbers. Received: brightness_range={brightness_range!r}")
    return apply_brightness_shift(x, np.random.uniform(brightness_range[0], brightness_range[1]), scale)


def smart_resize(x, size, interpolation="bilinear", data_format="channels_last", **kwargs):
    """Images resized without distortion: what does not fit the new proportions is cut off at both sides.

    Args:
        x: (height, width, channels), or (batch, height, width, channels), array or tensor.
        size: (height, width) to make.
        interpolation: 'bilinear', 'nearest', 'bicubic', 'lanczos3' or 'lanczos5'.
        data_format: 'channels_last', or 'channels_first' for (..., channels, height, width).

    Returns:
        Array for an array, tensor for a tensor.

    Raises:
        ValueError: an argument does not fit.
    """
    from cnncore.ops import image

    kwargs.pop("backend_module", None)
    if kwargs:
        raise TypeError(f"smart_resize takes no argument {', '.join(map(repr, kwargs))}")
    y = image.resize(x, tuple(size), interpolation, crop_to_aspect_ratio=True, data_format=data_format)
    return y.numpy() if isinstance(x, np.ndarray) else y

