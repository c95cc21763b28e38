"""Images taken at places of their own for all pixels: perspectives, elastic distortions; and Gaussian blur."""
import numpy as np

from cnncore import _core
from cnncore.op import Op, Spec, apply
from cnncore.ops.depthwise_conv2d import depthwise_conv2d
from cnncore.ops.elementwise import abs as absolute
from cnncore.ops.elementwise import add, cast, divide, exp, less_equal, multiply, square, subtract
from cnncore.ops.movement import broadcast_to, getitem, reshape, stack
from cnncore.ops.reductions import sum as total
from cnncore.tensor import convert


class Sample(Op):
    """y[n, oy, ox] = x[n] at row place[n, oy, ox, 0] and column place[n, oy, ox, 1]; only x has a gradient."""

    name = "sample"

    def __init__(self, order=1, fill="nearest", fill_value=0.0):
        self.order, self.fill, self.fill_value = order, fill, float(fill_value)

    def outputs(self, x, place, *, keep):
        if x.dtype != "float32" or len(x.shape) != 4:
            raise ValueError("sample takes float32 images (batch, height, width, channels). Received: shape "
                             f"{x.shape}, {x.dtype}")
        if len(place.shape) != 4 or place.shape[0] != x.shape[0] or place.shape[3] != 2 or place.dtype != "float32":
            raise ValueError(f"sample takes float32 places ({x.shape[0]}, height, width, 2). Received: shape "
                             f"{place.shape}, {place.dtype}")
        return [Spec((*place.shape[:3], x.shape[3]))]

    def forward(self, empty, inputs, outputs):
        return [_core.sample(*inputs, outputs[0], self.order, self.fill, self.fill_value)]

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs):
        dx = d_inputs[0]
        if dx is None:
            return []
        return [_core.sample_dx(d_outputs[0], inputs[1], dx.buffer, self.order, self.fill, dx.accumulate)]


def sample(x, rows, columns, order, fill, fill_value=0.0):
    """Images (batch, height, width, channels) at these rows and columns, (batch, height, width) each."""
    return apply(Sample(order, fill, fill_value), x, stack([rows, columns], -1).detach())


def pixels(height, width):
    """The rows and columns of all pixels, (height, width) each."""
    rows, columns = np.mgrid[:height, :width].astype("float32")
    return convert(np.ascontiguousarray(rows)), convert(np.ascontiguousarray(columns))


# ---- perspectives ------------------------------------------------------------------------------------------------

def perspective(start, end):
    """The eight numbers (a0, a1, a2, b0, b1, b2, c0, c1), (batch,) each, of the perspective that takes the points `end`
    to the points `start`, (batch, 4, 2) of columns and rows each:
    x' = (a0 x + a1 y + a2) / (c0 x + c1 y + 1), y' = (b0 x + b1 y + b2) / (c0 x + c1 y + 1).

    Both are seen from the unit square (Heckbert 1989), so that the one is what the inverse of the other leads to.
    """
    rows = _product(_from_square(start), _adjoint(_from_square(end)))
    flat = [element for row in rows for element in row]
    return [divide(element, flat[8]) for element in flat[:8]]


def _from_square(points):
    """The 3x3 matrix that takes (0, 0), (1, 0), (0, 1), (1, 1) to the points, in homogeneous coordinates."""
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = (
        tuple(getitem(points, (slice(None), corner, part)) for part in (0, 1)) for corner in range(4))
    dx1, dx2, dy1, dy2 = subtract(x1, x3), subtract(x2, x3), subtract(y1, y3), subtract(y2, y3)
    sx, sy = (add(subtract(subtract(a, b), c), d) for a, b, c, d in ((x0, x1, x2, x3), (y0, y1, y2, y3)))
    whole = _cross(dx1, dx2, dy1, dy2)
    g, h = divide(_cross(sx, dx2, sy, dy2), whole), divide(_cross(dx1, sx, dy1, sy), whole)
    one = divide(whole, whole)
    return [[add(subtract(x1, x0), multiply(g, x1)), add(subtract(x2, x0), multiply(h, x2)), x0],
            [add(subtract(y1, y0), multiply(g, y1)), add(subtract(y2, y0), multiply(h, y2)), y0],
            [g, h, one]]


def _cross(a, b, c, d):
    """a d - b c."""
    return subtract(multiply(a, d), multiply(b, c))


def _adjoint(m):
    """The inverse of a 3x3 matrix times its determinant."""
    (a, b, c), (d, e, f), (g, h, i) = m
    return [[_cross(e, f, h, i), _cross(c, b, i, h), _cross(b, c, e, f)],
            [_cross(f, d, i, g), _cross(a, c, g, i), _cross(c, a, f, d)],
            [_cross(d, e, g, h), _cross(b, a, h, g), _cross(a, b, d, e)]]


def _product(m, n):
    return [[add(add(multiply(row[0], n[0][k]), multiply(row[1], n[1][k])), multiply(row[2], n[2][k]))
             for k in range(3)] for row in m]


def seen_from(x, start, end, order, fill_value=0.0):
    """Images (batch, height, width, channels) drawn so that what was at the points `start` is at the points `end`."""
    a0, a1, a2, b0, b1, b2, c0, c1 = (reshape(part, (-1, 1, 1)) for part in perspective(start, end))
    rows, columns = pixels(*x.shape[1:3])
    depth = add(add(multiply(c0, columns), multiply(c1, rows)), 1.0)
    return sample(x, divide(add(add(multiply(b0, columns), multiply(b1, rows)), b2), depth),
                  divide(add(add(multiply(a0, columns), multiply(a1, rows)), a2), depth), order, "grid-constant",
                  fill_value)


# ---- blur --------------------------------------------------------------------------------------------------------

def gaussian(most, sigma, size=None):
    """`most` weights of a Gaussian around the middle, which add up to 1; those beyond the `size` in the middle, a number
    or a tensor, are 0."""
    at = convert((np.arange(most) - (most - 1) / 2).astype("float32"))
    weights = exp(multiply(square(divide(at, sigma)), -0.5))
    if size is not None:
        weights = multiply(weights, cast(less_equal(absolute(at), divide(subtract(size, 1.0), 2.0)), "float32"))
    return divide(weights, total(weights))


def blurred(x, down, across):
    """Each channel of images convolved by these weights down the columns and across the rows, zeros around it."""
    channels = x.shape[3]
    for weights, shape in ((down, (-1, 1, 1, 1)), (across, (1, -1, 1, 1))):
        kernel = reshape(weights, shape)
        x = depthwise_conv2d(x, broadcast_to(kernel, (*kernel.shape[:2], channels, 1)), padding="same")
    return x
