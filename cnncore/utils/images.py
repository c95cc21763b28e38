"""Image files to arrays and back, through Pillow."""
import io
import os
import warnings

import numpy as np

_MODES = {"grayscale": ("L", "I;16", "I"), "rgb": ("RGB",), "rgba": ("RGBA",)}
_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")


def pillow():
    """The module PIL.Image.

    Raises:
        ImportError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("Image files are read and written by Pillow, which is not installed: "
                          "pip install 'cnncore[image]'") from error
    return Image


def channels_first(data_format):
    """Whether this, or the default for None, puts channels before height and width.

    Raises:
        ValueError: it is another word.
    """
    from cnncore.config import image_data_format

    data_format = image_data_format() if data_format is None else data_format
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError("data_format is 'channels_last' or 'channels_first'. Received: data_format="
                         f"{data_format!r}")
    return data_format == "channels_first"


def load_img(path, color_mode="rgb", target_size=None, interpolation="nearest", keep_aspect_ratio=False):
    """Reads an image file.

    Args:
        path: string, path, bytes of a path, or a BytesIO with a file's content.
        color_mode: 'rgb', 'rgba' or 'grayscale'.
        target_size: (height, width) to resize to; None keeps the size.
        interpolation: 'nearest', 'bilinear', 'bicubic', 'hamming', 'box' or 'lanczos'.
        keep_aspect_ratio: whether the sides are cut off to the new proportions before, instead of distorting the image.

    Returns:
        PIL image.

    Raises:
        ImportError: Pillow is not installed.
        OSError: the file is missing, damaged, or no image.
        ValueError: an argument is unknown, or the image is too large to be meant.

    Example:
        >>> import cnncore, numpy as np, os, tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "grey.png")
        >>> cnncore.utils.save_img(path, np.zeros((4, 6, 1)))
        >>> cnncore.utils.load_img(path, target_size=(2, 3)).size
        (3, 2)
    """
    if color_mode not in _MODES:
        raise ValueError(f"color_mode is 'rgb', 'rgba' or 'grayscale'. Received: color_mode={color_mode!r}")
    img = open_image(path)
    if img.mode not in _MODES[color_mode]:
        img = img.convert(_MODES[color_mode][0])
    if target_size is None or img.size == (target_size[1], target_size[0]):
        return img
    if interpolation not in _INTERPOLATIONS:
        raise ValueError(f"interpolation is one of {', '.join(_INTERPOLATIONS)}. Received: "
                         f"interpolation={interpolation!r}")
    (height, width), box = target_size, None
    if keep_aspect_ratio:
        w, h = min(img.width, img.height * width // height), min(img.height, img.width * height // width)
        left, top = (img.width - w) // 2, (img.height - h) // 2
        box = (left, top, left + w, top + h)
    return img.resize((width, height), getattr(pillow().Resampling, interpolation.upper()), box=box)


def open_image(path):
    """The PIL image in a file, fully read; errors name the file."""
    image = pillow()
    if not isinstance(path, (str, bytes, os.PathLike, io.BytesIO)):
        raise TypeError(f"path is a string, a path or a BytesIO. Received: {type(path).__name__}")
    where = "the BytesIO" if isinstance(path, io.BytesIO) else os.fsdecode(path)
    try:
        if isinstance(path, io.BytesIO):
            img = image.open(path)
            img.load()
        else:
            with open(path, "rb") as file, image.open(file) as img:
                img.load()
    except FileNotFoundError:
        raise
    except image.DecompressionBombError as error:
        raise ValueError(f"Images have at most {2 * image.MAX_IMAGE_PIXELS:,} pixels. Received: {where}: {error}") \
            from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # Pillow reports damage in all these ways
        raise OSError(f"An image file must be whole, in a format that Pillow knows. Received: {where}: {error}") \
            from error
    return img


def img_to_array(img, data_format=None, dtype=None):
    """A PIL image as an array of three axes.

    Args:
        img: PIL image.
        data_format: 'channels_last', the default, or 'channels_first'.
        dtype: 'float32' by default.

    Returns:
        Array of shape (height, width, channels).

    Raises:
        ValueError: the image has another number of axes.

    Example:
        >>> import cnncore, numpy as np
        >>> cnncore.utils.img_to_array(cnncore.utils.array_to_img(np.zeros((4, 6, 3)))).shape
        (4, 6, 3)
    """
    x = np.array(img, dtype=dtype or "float32")
    if x.ndim not in (2, 3):
        raise ValueError(f"An image has 2 or 3 axes. Received: shape {x.shape}")
    if x.ndim == 2:
        x = x[..., None]
    return x.transpose(2, 0, 1) if channels_first(data_format) else x


def array_to_img(x, data_format=None, scale=True, dtype=None):
    """An array of three axes as a PIL image.

    Args:
        x: array of shape (height, width, channels) with 1, 3 or 4 channels.
        data_format: 'channels_last', the default, or 'channels_first'.
        scale: whether values are stretched so that the smallest becomes 0 and the largest 255; without it they are
            from 0 to 255.
        dtype: dtype to compute in, 'float32' by default.

    Returns:
        PIL image.

    Raises:
        ImportError: Pillow is not installed.
        ValueError: the array has another shape.
    """
    image = pillow()
    x = np.asarray(x, dtype=dtype or "float32")
    if x.ndim != 3:
        raise ValueError(f"An image is an array of three axes, (height, width, channels). Received: shape {x.shape}; "
                         "take one image of a batch, x[0], and give grey images a last axis, x[..., None]")
    if channels_first(data_format):
        x = x.transpose(1, 2, 0)
    if scale:
        x = x - x.min()
        top = x.max()
        x = (x / top if top else x) * 255
    if x.shape[2] == 1:
        return image.fromarray(x[..., 0].astype("int32" if x.max() > 255 else "uint8"))
    if x.shape[2] not in (3, 4):
        raise ValueError(f"An image has 1, 3 or 4 channels. Received: shape {x.shape} with {x.shape[2]}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # values that no byte holds wrap around, as ever
        return image.fromarray(np.ascontiguousarray(x.astype("uint8")))


def save_img(path, x, data_format=None, file_format=None, scale=True, **kwargs):
    """Writes an array to an image file, which is replaced whole or not at all.

    Args:
        path: string, path, or file object.
        x: array of shape (height, width, channels).
        data_format: 'channels_last', the default, or 'channels_first'.
        file_format: such as 'png'; by the path's ending by default.
        scale: see `array_to_img`.
        **kwargs: passed on to Pillow's `save`.

    Raises:
        ImportError: Pillow is not installed.
        ValueError: the array is no image, or the format is unknown.
        OSError: the file cannot be written.
    """
    from cnncore.saving.atomic import write_bytes

    is_path = isinstance(path, (str, os.PathLike))
    if file_format is None and is_path:
        file_format = os.path.splitext(os.fspath(path))[1][1:]
    file_format = "jpeg" if (file_format or "").lower() == "jpg" else file_format
    img = array_to_img(x, data_format=data_format, scale=scale)
    if img.mode == "RGBA" and (file_format or "").lower() == "jpeg":
        warnings.warn("JPEG files have no transparency: the image is saved as RGB", stacklevel=2)
        img = img.convert("RGB")
    if not is_path:
        img.save(path, format=file_format, **kwargs)
        return
    content = io.BytesIO()
    try:
        img.save(content, format=file_format, **kwargs)
    except KeyError as error:
        raise ValueError(f"The file's ending, or file_format, names a format that Pillow writes. Received: {path!r}, "
                         f"file_format={file_format!r}; use e.g. 'png'") from error
    write_bytes(path, content.getvalue())
