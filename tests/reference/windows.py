"""Where a sliding window stands: output sizes and padding of convolution and pooling along one axis."""

import math


def window_axis(size, kernel, stride, padding, dilation=1):
    """Returns (output size, padding before) along one axis; `padding` is 'same', 'valid' or a pair (before, after)."""
    reach = (kernel - 1) * dilation + 1
    if padding == "same":
        out = math.ceil(size / stride)
        total = max((out - 1) * stride + reach - size, 0)
        return out, total // 2
    before, after = (0, 0) if padding == "valid" else padding
    if size + before + after < reach:
        raise ValueError(
            f"A window must not be larger than its padded input. Received: a reach of {reach} over {size} positions "
            f"with padding {padding!r}; use a smaller kernel or dilation, or padding='same'."
        )
    return (size + before + after - reach) // stride + 1, before


def windows(in_h, in_w, kernel, strides, padding, dilation=(1, 1)):
    """Returns (out_h, out_w, pad_top, pad_left) of a window over an image."""
    of_h, of_w = (padding, padding) if isinstance(padding, str) else padding
    out_h, pad_top = window_axis(in_h, kernel[0], strides[0], of_h, dilation[0])
    out_w, pad_left = window_axis(in_w, kernel[1], strides[1], of_w, dilation[1])
    return out_h, out_w, pad_top, pad_left
