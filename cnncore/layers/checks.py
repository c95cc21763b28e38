"""Checks of layers' arguments and inputs, with messages that name the layer, the rule, what came and the fix."""
import math
import numbers


def whole(value, layer, argument, least=1, most=2**31 - 1):
    """A whole number from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not least <= value <= most:
        limits = f"of {least} or more" if most == 2**31 - 1 else f"from {least} to {most}"
        raise ValueError(f"{layer}: {argument} must be a whole number {limits}. Received: {argument}={value!r}")
    return int(value)


def number(value, layer, argument, least=0.0, most=float("inf")):
    """A finite number from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) \
            or not least <= value <= most or math.isinf(value):
        limits = f"of {least:g} or more" if most == float("inf") else f"from {least:g} to {most:g}"
        raise ValueError(f"{layer}: {argument} must be a number {limits}. Received: {argument}={value!r}")
    return value


def sizes(value, layer, argument, rank=2, least=1):
    """As many whole numbers as there are axes, where one may stand for all."""
    parts = value if isinstance(value, (list, tuple)) else (value,) * rank
    many = "" if rank == 1 else ", or two"
    try:
        if len(parts) == rank:
            return tuple(whole(part, layer, argument, least) for part in parts)
    except ValueError:
        pass
    raise ValueError(f"{layer}: {argument} must be one whole number of {least} or more{many}. Received: "
                     f"{argument}={value!r}")


def edges(value, layer, argument, rank=2):
    """(before, after) for each axis, from one whole number for all of them, one for each, or a pair for each."""
    parts = value if isinstance(value, (list, tuple)) else (value,) * rank
    if rank == 1 and len(parts) == 2:
        parts = (parts,)
    try:
        if len(parts) == rank:
            return tuple(sizes(part, layer, argument, 2, least=0) for part in parts)
    except ValueError:
        pass
    forms = "or a pair (before, after)" if rank == 1 else "two for height and width, or two pairs (before, after)"
    raise ValueError(f"{layer}: {argument} must be one whole number of 0 or more, {forms}. Received: "
                     f"{argument}={value!r}")


def padding(value, layer, causal=False):
    """'valid' or 'same', or 'causal' where that is allowed."""
    known = ("valid", "same", "causal") if causal else ("valid", "same")
    if not isinstance(value, str) or value.lower() not in known:
        more = ", or 'causal' (before the input only)" if causal else ""
        raise ValueError(f"{layer}: padding must be 'valid' (none) or 'same' (an output of the input's size divided by "
                         f"the strides){more}. Received: padding={value!r}")
    return value.lower()


def data_format(value, layer):
    """'channels_last', which None means too, or 'channels_first'."""
    if value in (None, "channels_last", "channels_first"):
        return value or "channels_last"
    raise ValueError(f"{layer}: data_format must be 'channels_last', (batch, height, width, channels), or "
                     f"'channels_first', (batch, channels, height, width). Received: data_format={value!r}")


def rank(layer, shape, wanted, meaning):
    """The shape of an input has this many axes."""
    if len(shape) != wanted:
        hint = ""
        if wanted == 4 and len(shape) == 3 and meaning.endswith("channels)"):
            hint = ("; a single image needs a first axis of length 1, x[None], and grey images a last one, "
                    "x[..., None]")
        elif len(shape) == wanted + 1 and shape[0] is None and shape[1] is not None:
            hint = f"; Input takes the shape of one sample, without the batch: Input(shape={tuple(shape[2:])})"
        elif wanted == 4:
            hint = "; put a Reshape layer before it, or give it images"
        raise ValueError(f"{layer._described()} takes inputs of {wanted} axes, {meaning}. Received: shape "
                         f"{tuple(shape)}{hint}")


def length(layer, shape, built_for, meaning, hint, axis=-1):
    """An axis has the length that the layer was built for, or, before that, a known one."""
    where = "the last axis" if axis in (-1, len(shape) - 1) else f"axis {axis}"
    if shape[axis] is None and built_for is None:
        raise ValueError(f"{layer._described()} must know how many {meaning} its input has, on {where}. Received: "
                         f"shape {tuple(shape)}; give the Input that length")
    if shape[axis] is not None and built_for is not None and shape[axis] != built_for:
        raise ValueError(f"{layer._described()} was built for inputs of {built_for} {meaning}, on {where}. Received: "
                         f"shape {tuple(shape)} with {shape[axis]}; {hint}")


def window_fits(layer, shape, lengths, size, dilation, what):
    """A window under 'valid' padding is no larger than the image, whose spatial axes have these lengths."""
    names = ("length",) if len(lengths) == 1 else ("height", "width")
    for name, pixels, k, d in zip(names, lengths, size, dilation, strict=True):
        if pixels is not None and layer.padding == "valid" and (k - 1) * d + 1 > pixels:
            spread = f" and dilation_rate {tuple(dilation)}" if max(dilation) > 1 else ""
            raise ValueError(f"{layer._described()}: a {what} of {tuple(size)}{spread} does not fit into an input of "
                             f"{name} {pixels} with padding='valid'. Received: input shape {tuple(shape)}; use "
                             f"padding='same', a smaller {what}, or larger images")
