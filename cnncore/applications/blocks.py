"""What the small networks share: channels in eights, and the padding of convolutions that halve images."""
from cnncore.layers import ZeroPadding2D


def eights(channels):
    """The multiple of 8 nearest to a number of channels, or the next one where that is more than a tenth below."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


def padded_to_halve(x, kernel, name):
    """Images with the zeros around them that 'same' padding gives a convolution with stride 2: one less at the top and
    left where the size is even, or not known."""
    widths = [(kernel // 2 - (length is None or length % 2 == 0), kernel // 2) for length in x.shape[1:3]]
    return ZeroPadding2D(tuple(widths), name=name)(x)
