"""Checks of layers' arguments and inputs, with messages that name the layer, the rule, what came and the fix."""
import numbers


def whole(value, layer, argument, least=1):
    """A whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise ValueError(f"{layer}: {argument} must be a whole number of {least} or more. Received: "
                         f"{argument}={value!r}")
    return int(value)


def pair(value, layer, argument, least=1):
    """One whole number for both axes, or two."""
    parts = value if isinstance(value, (list, tuple)) else (value, value)
    if len(parts) != 2:
        raise ValueError(f"{layer}: {argument} must be one whole number or two. Received: {argument}={value!r}")
    try:
        return tuple(whole(part, layer, argument, least) for part in parts)
    except ValueError:
        raise ValueError(f"{layer}: {argument} must be one whole number of {least} or more, or two. Received: "
                         f"{argument}={value!r}") from None


def padding(value, layer):
    """'valid' or 'same'."""
    if not isinstance(value, str) or value.lower() not in ("valid", "same"):
        raise ValueError(f"{layer}: padding must be 'valid' or 'same'. Received: padding={value!r}")
    return value.lower()


def channels_last(value, layer):
    """'channels_last', which None means too."""
    if value in (None, "channels_last"):
        return "channels_last"
    if value == "channels_first":
        raise ValueError(f"{layer}: images are (height, width, channels). Received: data_format='channels_first'; use "
                         "data_format='channels_last' and np.moveaxis(x, 1, -1)")
    raise ValueError(f"{layer}: data_format must be 'channels_last'. Received: data_format={value!r}")


def rank(layer, shape, wanted, meaning):
    """The shape of an input has this many axes."""
    if shape is None or len(shape) != wanted:
        hint = ""
        if shape is not None and wanted == 4 and len(shape) == 3:
            hint = "; grey images need a last axis of length 1, as x[..., None] gives them"
        raise ValueError(f"{layer._described()} takes inputs of {wanted} axes, {meaning}. Received: shape "
                         f"{tuple(shape)}{hint}")


def window_fits(layer, shape, size, dilation, what):
    """A window under 'valid' padding is no larger than the image."""
    for axis, (length, k, d) in enumerate(zip(shape[1:3], size, dilation)):
        if length is not None and layer.padding == "valid" and (k - 1) * d + 1 > length:
            name = ("height", "width")[axis]
            raise ValueError(f"{layer._described()}: a {what} of {tuple(size)} does not fit into an input of {name} "
                             f"{length} with padding='valid'. Received: input shape {tuple(shape)}; use "
                             f"padding='same', a smaller {what}, or larger images")
