"""Two-dimensional convolution: its shape rule, its forward and its backward."""
import functools

from cnncore import _core
from cnncore.op import Op, Spec, apply

SLOTS = 32  # weight gradients are summed in at most this many slots ...
FEWEST_IMAGES = 4  # a slot's sums are written and read once for so many images at least
FEW_SLOTS = 8  # ... and in as few as this where all of them would take more than ...
SLOT_BYTES, MOST_BYTES = 1 << 23, 1 << 25  # ... the first, and in even fewer from the second on
WINOGRAD_CHANNELS = {2: 8, 3: 4, 4: 4, 5: 4}  # by filters' sizes: input and output channels that repay transforms
FEWER_PRODUCTS = 1.5  # times must Winograd's be, than the direct kernels'
FILTER_COST = 24  # reading an element of transformed filters from memory, in products
WINOGRAD_PRODUCTS = 1 << 14  # of both, up to which its sums for dw stay in L2, where they beat those on matrix tiles
# From which matrix tiles are faster: elements summed, these times the results of a pixel, and input channels of dw.
TILE_DEPTH, TILE_PRODUCTS, TILE_CHANNELS = 32, 384, 16

_strict = False


def set_strict(value):
    """Strict mode: no Winograd and no matrix tiles; relative errors are about 1e-7 instead of 1e-6."""
    global _strict
    _strict = bool(value)


def strict():
    return _strict


def on_tiles():
    """Whether products may run on the CPU's matrix tiles, in pairs of bfloat16 numbers: relative error about 3e-6."""
    return _core.has_tiles() and not _strict


def output_length(length, kernel, stride, padding, dilation):
    """The output's length along one axis, and the zeros before the input: 'same' pads more at the end."""
    reach = (kernel - 1) * dilation + 1
    if padding == "same":
        out = -(-length // stride)
        return out, max((out - 1) * stride + reach - length, 0) // 2
    before, after = (0, 0) if padding == "valid" else padding
    return (length + before + after - reach) // stride + 1, before


def tiles_suit(taps, in_c, out_c, step="forward"):
    """Whether the matrix tiles compute a pass faster than vectors do; for dx in_c is what it sums, the output's."""
    if step == "dw":
        return in_c >= TILE_CHANNELS and out_c >= TILE_CHANNELS // 2
    return taps * in_c >= TILE_DEPTH and taps * in_c * out_c >= TILE_PRODUCTS


@functools.lru_cache(maxsize=256)
def winograd_suits(filters, height, width):
    """Whether Winograd computes so many outputs, at strides of 1, faster than the direct kernels do."""
    k_h, k_w, in_c, out_c = filters
    if k_h != k_w or min(in_c, out_c) < WINOGRAD_CHANNELS.get(k_h, float("inf")):
        return False
    products = min(_products(height, points, k_h) * _products(width, points, k_h) for points in (6, 8))
    return height * width * k_h * k_w >= FEWER_PRODUCTS * products


def _too_large(slots, slot_bytes):
    return slots * slot_bytes > (SLOT_BYTES if slots > FEW_SLOTS else MOST_BYTES)


def slot_images(batch, slot_bytes):
    """Images per slot of a gradient that is summed slot by slot: a rule of the shape, never of the threads."""
    images = max(1, min(batch, FEWEST_IMAGES), -(-batch // SLOTS))
    while images < batch and _too_large(-(-batch // images), slot_bytes):
        images *= 2  # slots of several layers stay multiples of each other, so that they can go depth first together
    return images


class Conv2D(Op):
    """y = act(x * w + b), x (n, h, w, c), w (kh, kw, c, f), b (f), y (n, oh, ow, f)."""

    masks_relu = True

    def __init__(self, strides=(1, 1), padding="valid", dilation=(1, 1), activation=None):
        self.strides, self.padding, self.dilation = tuple(strides), padding, tuple(dilation)
        self.relu = activation == "relu"

    def _axis_padding(self, axis):
        return self.padding if isinstance(self.padding, str) else self.padding[axis]

    def _geometry(self, x, w):
        out_h, top = output_length(x.shape[1], w.shape[0], self.strides[0], self._axis_padding(0), self.dilation[0])
        out_w, left = output_length(x.shape[2], w.shape[1], self.strides[1], self._axis_padding(1), self.dilation[1])
        return (out_h, out_w), (top, left)

    def _way(self, x, w, step="forward"):
        """Which kernels compute 'forward', 'dx' or 'dw': 'tiles' (matrix tiles), 'winograd', 'direct'."""
        k_h, k_w, in_c, out_c = w.shape
        size = x.shape[1:3] if step == "dx" else self._geometry(x, w)[0]
        winograd = self.strides == self.dilation == (1, 1) and not strict() and winograd_suits(w.shape, *size)
        if winograd and step == "dw" and k_h == 3 and in_c * out_c <= WINOGRAD_PRODUCTS:
            return "winograd"  # tiles sum over pixels, which have to be turned first
        if (self.dilation == (1, 1) and (self.strides == (1, 1) or step == "forward") and on_tiles()
                and tiles_suit(k_h * k_w, *((out_c, in_c) if step == "dx" else (in_c, out_c)), step)):
            return "tiles"
        if winograd:
            return "winograd"
        return "direct"

    def outputs(self, x, w, b=None, *, keep):
        if len(x.shape) != 4 or len(w.shape) != 4:
            raise ValueError("conv2d takes images (batch, height, width, channels) and filters (height, width, "
                             f"in_channels, filters). Received: shapes {x.shape} and {w.shape}")
        if x.shape[3] != w.shape[2]:
            raise ValueError(f"conv2d's filters of shape {w.shape} take {w.shape[2]} input channels. Received: images "
                             f"of shape {x.shape} with {x.shape[3]}")
        if b is not None and b.shape != (w.shape[3],):
            raise ValueError(f"conv2d's bias must have shape {(w.shape[3],)}. Received: {b.shape}")
        (out_h, out_w), _ = self._geometry(x, w)
        if out_h < 1 or out_w < 1:
            raise ValueError(f"conv2d's kernel {w.shape[:2]} with dilation {self.dilation} does not fit into an image "
                             f"of {x.shape[1]} by {x.shape[2]} pixels with padding {self.padding!r}. Use "
                             "padding='same', a smaller kernel, or larger images")
        return [Spec((x.shape[0], out_h, out_w, w.shape[3]))]

    def forward(self, empty, inputs, outputs):
        x, w, b = inputs
        (y,) = outputs
        pads = self._geometry(x, w)[1]
        way = self._way(x, w)
        points = winograd_points(*y.shape[:3], w.shape[0]) if way == "winograd" else None
        packed, pack = packed_filters(way, empty, w, points=points)
        if way == "tiles":
            return [pack, _core.conv2d_tiles(x, packed, b, y, w.shape[:2], self.strides, pads, self.relu)]
        if way == "winograd":
            return [pack, _core.winograd(x, packed, b, y, w.shape[0], pads, points, self.relu)]
        return [pack, _core.conv2d(x, packed, b, y, w.shape, self.strides, self.dilation, pads, self.relu,
                                   not strict())]

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs, masked=False):
        x, w, b = inputs
        dx, dw, db = d_inputs
        dz, calls = behind_relu(empty, outputs[0], d_outputs[0], self.relu and not masked)
        if dw or db:
            calls += self._dw_calls(empty, x, w, dz, dw, db)
        if dx:
            calls += self._dx_calls(empty, x, w, dz, dx)
        return calls

    def _dw_calls(self, empty, x, w, dz, dw, db):
        pads, way = self._geometry(x, w)[1], self._way(x, w, "dw")
        rows, images = w.shape[0] * w.shape[1] * w.shape[2] + 1, slot_images(x.shape[0], 4 * w.size)
        partial = empty((-(-x.shape[0] // images), rows, w.shape[3]))
        if way == "winograd":
            points = winograd_points(images, *dz.shape[1:3], w.shape[0])
            call = _core.winograd_dw(x, dz, partial, w.shape[0], pads, images, points)
        else:
            call = _core.conv2d_dw(x, dz, partial, w.shape, self.strides, self.dilation, pads, images, way == "tiles",
                                   not strict())
        return [call, *(_core.sum_slots(partial, d.buffer, begin, d.accumulate)
                        for d, begin in ((dw, 0), (db, w.size)) if d)]

    def _dx_calls(self, empty, x, w, dz, dx):
        pads, way = self._geometry(x, w)[1], self._way(x, w, "dx")
        behind = x if dx.behind_relu else None
        points = winograd_points(*dx.buffer.shape[:3], w.shape[0]) if way == "winograd" else None
        packed, pack = packed_filters(way, empty, w, True, points)
        if way == "direct":
            return [pack, _core.conv2d_dx(dz, packed, dx.buffer, w.shape, self.strides, self.dilation, pads,
                                          dx.accumulate, behind, not strict())]
        turned_pads = (w.shape[0] - 1 - pads[0], w.shape[1] - 1 - pads[1])
        if way == "tiles":
            return [pack, _core.conv2d_tiles(dz, packed, None, dx.buffer, w.shape[:2], (1, 1), turned_pads, False,
                                             dx.accumulate, behind)]
        return [pack, _core.winograd(dz, packed, None, dx.buffer, w.shape[0], turned_pads, points, False,
                                     dx.accumulate, behind)]


def packed_filters(way, empty, w, for_dx=False, points=None):
    """(a buffer for the filters as the kernels of `way` read them, the call that fills it); points for Winograd."""
    size, pack = {"tiles": (_core.conv2d_tiles_packed_size, _core.conv2d_tiles_pack),
                  "winograd": (_core.winograd_packed_size, _core.winograd_pack),
                  "direct": (_core.conv2d_packed_size, _core.conv2d_pack)}[way]
    options = (for_dx, points) if way == "winograd" else (for_dx,)
    packed = empty((size(w.shape, *options),))
    return packed, pack(w, packed, *options)


def _products(length, points, k):
    """Winograd's for so many outputs along one axis: the fewest of all ways to cut it into tiles."""
    small, large = 7 - k, 9 - k
    if points == 6:
        return 6 * -(-length // small)
    return min(6 * n + 8 * -(-max(0, length - n * small) // large) for n in range(large))


def winograd_points(images, height, width, k):
    """Points of an axis with which Winograd had better compute so many outputs of filters of k by k: 8 for large and small
    tiles, 6 for small ones alone (csrc/kernels/winograd.h).

    Large tiles take fewer products, but more filters (or sums, for dw, once for each slot), which count where images are
    few or small.
    """

    def cost(points):
        return images * _products(height, points, k) * _products(width, points, k) + FILTER_COST * points ** 2

    return min((6, 8), key=cost)


def behind_relu(empty, y, dy, relu):
    """dy where a fused ReLU let the value through, 0 elsewhere; dy itself where there is none."""
    if not relu:
        return dy, []
    from cnncore.ops.activations import relu_mask_calls

    dz = empty(dy.shape)
    return dz, relu_mask_calls(y, dy, dz)


def conv2d(x, w, b=None, strides=(1, 1), padding="valid", dilation=(1, 1), activation=None, groups=1):
    """Convolution of images (n, h, w, c) with filters (kh, kw, c / groups, f), plus bias (f), then `activation` None or
    'relu'.

    Padding is 'valid', 'same', or ((top, bottom), (left, right)).
    """
    if groups == 1:
        return apply(Conv2D(strides, padding, dilation, activation), x, w, b)
    from cnncore.ops.depthwise_conv2d import depthwise_conv2d
    from cnncore.ops.grouped_conv2d import GroupedConv2D
    from cnncore.ops.movement import reshape

    if groups == x.shape[-1] and w.shape[2] == 1 and w.shape[3] % groups == 0:
        w = reshape(w, (*w.shape[:2], groups, w.shape[3] // groups))
        return depthwise_conv2d(x, w, b, strides, padding, dilation, activation)
    return apply(GroupedConv2D(strides, padding, dilation, activation, groups), x, w, b)
