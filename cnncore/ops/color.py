"""Colours of images: grey levels, and hue, saturation and value."""
from cnncore.ops.elementwise import (
    abs as absolute,
)
from cnncore.ops.elementwise import (
    add,
    cast,
    clip,
    divide,
    equal,
    greater,
    less,
    maximum,
    minimum,
    mod,
    multiply,
    subtract,
    where,
)
from cnncore.ops.movement import getitem, stack
from cnncore.tensor import convert

_GREY = (0.2989, 0.587, 0.114)  # parts of red, green and blue in what the eye sees as light
_SMALLEST = 2.0**-23  # colours below it are black


def _channels(images, data_format, allowed=(3,)):
    """(images, the axis of the channels, the channels without it)."""
    from cnncore import config

    x = convert(images)
    axis = x.ndim - (1 if (data_format or config.image_data_format()) == "channels_last" else 3)
    if x.ndim not in (3, 4) or x.shape[axis] not in allowed:
        raise ValueError(f"Images have 3 axes, or 4 where there is a batch of them, and {' or '.join(map(str, allowed))} "
                         f"channels. Received: shape {x.shape}")
    return x, axis, [getitem(x, (slice(None),) * axis + (c,)) for c in range(x.shape[axis])]


def rgb_to_grayscale(images, data_format=None):
    """Images of one channel: 0.2989 red + 0.587 green + 0.114 blue."""
    x, axis, channels = _channels(images, data_format, (1, 3))
    if len(channels) == 1:
        return x
    parts = [multiply(cast(channel, "float32"), part) for channel, part in zip(channels, _GREY, strict=True)]
    return cast(stack([add(add(parts[0], parts[1]), parts[2])], axis), x.dtype)


def _floats(x, function):
    if x.dtype != "float32":
        raise ValueError(f"{function} takes images of fractions. Received: {x.dtype}; cast them to float32 first")


def rgb_to_hsv(images, data_format=None):
    """Hue and saturation from 0 to 1, and value, the largest of red, green and blue."""
    x, axis, channels = _channels(images, data_format)
    _floats(x, "rgb_to_hsv")
    r, g, b = (where(less(absolute(channel), _SMALLEST), 0.0, channel) for channel in channels)
    value = maximum(maximum(r, g), b)
    spread = subtract(value, minimum(minimum(r, g), b))
    coloured = greater(spread, 0.0)
    saturation = where(greater(value, 0.0), divide(spread, where(greater(value, 0.0), value, 1.0)), 0.0)
    sixth = divide(1.0, multiply(where(coloured, spread, 1.0), 6.0))
    hue = where(equal(value, g), add(multiply(sixth, subtract(b, r)), 2 / 6),
                add(multiply(sixth, subtract(r, g)), 4 / 6))
    hue = where(equal(value, r), multiply(sixth, subtract(g, b)), hue)
    hue = add(where(coloured, hue, 0.0), cast(less(hue, 0.0), "float32"))
    return stack([hue, saturation, value], axis)


def hsv_to_rgb(images, data_format=None):
    """Red, green and blue of images of hue, saturation and value."""
    x, axis, (hue, saturation, value) = _channels(images, data_format)
    _floats(x, "hsv_to_rgb")
    around = multiply(mod(hue, 1.0), 6.0)
    red = clip(subtract(absolute(subtract(around, 3.0)), 1.0), 0.0, 1.0)
    green = clip(subtract(2.0, absolute(subtract(around, 2.0))), 0.0, 1.0)
    blue = clip(subtract(2.0, absolute(subtract(around, 4.0))), 0.0, 1.0)
    white = subtract(1.0, saturation)
    return stack([multiply(value, add(white, multiply(saturation, part))) for part in (red, green, blue)], axis)


