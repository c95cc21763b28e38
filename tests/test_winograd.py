"""Winograd's kernels on images of every size: tiles of 6 and of 4, alone and together, in all three passes."""
import numpy as np
import pytest
import reference as ref
from layer_checks import relative_error

from cnncore import _core
from cnncore.ops.conv2d import winograd_points

TOLERANCE = 2e-5
LENGTHS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 20, 26)
SIZES = [(length, LENGTHS[-i - 1]) for i, length in enumerate(LENGTHS)] + [(6, 6), (12, 12), (14, 14), (8, 8)]


def filled(shape, seed):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def buffer_of(array):
    buffer = _core.Buffer.allocate(array.shape)
    buffer.numpy()[...] = array
    return buffer


def passes(x, w, b, dy, pads, points, images_per_slot):
    """(y, dx, dw, db) as the kernels compute them."""
    buffers = [buffer_of(a) for a in (x, w, b, dy)]
    bx, bw, bb, bdy = buffers
    y, dx, dw, db = (_core.Buffer.allocate(shape) for shape in (dy.shape, x.shape, w.shape, b.shape))
    packed = _core.Buffer.allocate((_core.winograd_packed_size(w.shape, False, points),))
    k = w.shape[0]
    turned = _core.Buffer.allocate((_core.winograd_packed_size(w.shape, True, points),))
    partial = _core.Buffer.allocate((-(-len(x) // images_per_slot), k * k * x.shape[3] + 1, dy.shape[3]))
    _core.run_now([
        _core.winograd_pack(bw, packed, False, points), _core.winograd(bx, packed, bb, y, k, pads, points),
        _core.winograd_pack(bw, turned, True, points),
        _core.winograd(bdy, turned, None, dx, k, tuple(k - 1 - pad for pad in pads), points),
        _core.winograd_dw(bx, bdy, partial, k, pads, images_per_slot, points),
        _core.sum_slots(partial, dw, 0, False), _core.sum_slots(partial, db, w.size, False)])
    return [buffer.numpy() for buffer in (y, dx, dw, db)]


def check_passes(size, k, points, channels):
    padding = "same" if sum(size) % 2 or min(size) < k else "valid"
    x, w, b = filled((5, *size, channels[0]), 1), filled((k, k, *channels), 2), filled(channels[1:], 3)
    y = ref.conv2d(x, w, b, padding=padding)
    dy = filled(y.shape, 4)
    wanted = [y, *ref.conv2d_vjp(dy, x, w, b, padding=padding)]
    pad = (k - 1) // 2 if padding == "same" else 0
    found = passes(x, w, b, dy, (pad, pad), points, images_per_slot=2)
    for name, got, exact in zip(("y", "dx", "dw", "db"), found, wanted, strict=True):
        assert relative_error(got, exact) <= TOLERANCE, name


@pytest.mark.parametrize("channels", [(16, 32), (33, 17), (31, 32), (5, 8), (8, 12)], ids="{0[0]}_to_{0[1]}".format)
@pytest.mark.parametrize("points", [6, 8])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_pass_is_the_reference(size, points, channels):
    check_passes(size, 3, points, channels)


@pytest.mark.parametrize("k", [2, 4, 5])
@pytest.mark.parametrize("points", [6, 8])
@pytest.mark.parametrize("size", SIZES[::2], ids=str)
def test_filters_of_other_sizes(size, points, k):
    check_passes(size, k, points, (20, 33))


def products(length, points, k):
    """The least number of products along an axis, found by trying all ways to cut it."""
    tiles = [m for m in (7 - k, 9 - k) if m + k - 1 <= points]
    least = {0: 0}
    for covered in range(1, length + 1):
        least[covered] = min(least[max(0, covered - m)] + m + k - 1 for m in tiles)
    return least[length]


@pytest.mark.parametrize("k", [2, 3, 4, 5])
@pytest.mark.parametrize("length", [*LENGTHS, 28, 32, 56, 112, 224])
def test_points_are_chosen_by_the_fewest_products(length, k):
    many = 10000  # images, for which reading the filters does not count
    fewest = min((6, 8), key=lambda points: products(length, points, k))
    assert winograd_points(many, length, length, k) == fewest


def test_few_images_read_few_filters():
    assert winograd_points(1, 14, 14, 3) == 6
    assert winograd_points(8, 14, 14, 3) == 8
