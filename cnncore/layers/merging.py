"""Layers of several inputs: sums, products, means and extremes element by element, joining, and dot products."""
import math

from cnncore import ops
from cnncore.layers.layer import Layer, is_shape


class _Merge(Layer):
    """What layers that take a list of inputs share."""

    _least = 1

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def _check_shapes(self, shapes):
        kind = self._described()
        if is_shape(shapes) or len(shapes) < self._least:
            many = "a list of inputs" if self._least == 1 else f"a list of {self._least} inputs or more"
            raise ValueError(f"{kind} is called on {many}. Received: "
                             + (f"one of shape {tuple(shapes)}; put it in a list with the others" if is_shape(shapes)
                                else f"{len(shapes)}"))
        if len({shape[0] for shape in shapes if shape} - {None}) > 1:
            raise ValueError(f"{kind} merges inputs of one batch, sample by sample. Received: shapes "
                             f"{[tuple(shape) for shape in shapes]}; make their first axes equal")

    def build(self, input_shape):
        self._check_shapes(input_shape)

    def call(self, inputs):
        if not isinstance(inputs, (list, tuple)):
            raise ValueError(f"{self._described()} is called on a list of inputs. Received: {type(inputs).__name__}; "
                             "put it in a list with the others")
        self._check_shapes([x.shape for x in inputs])
        return self._merge([x if x.dtype == "float32" else ops.cast(x, "float32") for x in inputs])


class _Elementwise(_Merge):
    """What merging element by element shares; inputs of fewer axes get them after the batch's."""

    def _check_shapes(self, shapes):
        super()._check_shapes(shapes)
        merged = ()
        for shape in shapes:
            short, long = sorted((tuple(shape[1:]), merged), key=len)
            short = (1,) * (len(long) - len(short)) + short
            if any(None not in (n, m) and n != m and 1 not in (n, m) for n, m in zip(short, long, strict=True)):
                raise ValueError(f"{self._described()} takes inputs whose shapes agree, or have length 1, from the "
                                 f"last axis on. Received: shapes {[tuple(shape) for shape in shapes]}; bring them to "
                                 "one shape, with a convolution or Dense of as many outputs for instance")
            merged = tuple(m if n == 1 else n if m == 1 else n or m for n, m in zip(short, long, strict=True))

    def _merge(self, inputs):
        axes = max(len(x.shape) for x in inputs)
        inputs = [ops.reshape(x, (x.shape[0], *(1,) * (axes - len(x.shape)), *x.shape[1:])) if len(x.shape) < axes else x
                  for x in inputs]
        result = inputs[0]
        for x in inputs[1:]:
            result = self._two(result, x)
        return result


class Add(_Elementwise):
    """The sum of its inputs, element by element.

    Input shape: a list of tensors of one shape; lengths of 1 are repeated.
    Output shape: the same.

    Raises:
        ValueError: the inputs do not fit each other.

    Example:
        >>> import cnncore, numpy as np
        >>> cnncore.layers.Add()([np.ones((1, 2), "float32"), np.ones((1, 2), "float32")]).numpy()
        array([[2., 2.]], dtype=float32)
    """

    def _two(self, a, b):
        return ops.add(a, b)


class Subtract(_Elementwise):
    """The first input less the second, element by element.

    Input shape: a list of two tensors of one shape; lengths of 1 are repeated.
    Output shape: the same.
    """

    _least = 2

    def _check_shapes(self, shapes):
        super()._check_shapes(shapes)
        if len(shapes) != 2:
            raise ValueError(f"{self._described()} is called on a list of exactly 2 inputs. Received: {len(shapes)}")

    def _two(self, a, b):
        return ops.subtract(a, b)


class Multiply(_Elementwise):
    """The product of its inputs, element by element.

    Input shape: a list of tensors of one shape; lengths of 1 are repeated.
    Output shape: the same.
    """

    def _two(self, a, b):
        return ops.multiply(a, b)


class Average(_Elementwise):
    """The mean of its inputs, element by element.

    Input shape: a list of tensors of one shape; lengths of 1 are repeated.
    Output shape: the same.
    """

    def _merge(self, inputs):
        return super()._merge(inputs) / float(len(inputs))

    def _two(self, a, b):
        return ops.add(a, b)


class Maximum(_Elementwise):
    """The largest of its inputs, element by element.

    Input shape: a list of tensors of one shape; lengths of 1 are repeated.
    Output shape: the same.
    """

    def _two(self, a, b):
        return ops.maximum(a, b)


class Minimum(_Elementwise):
    """The smallest of its inputs, element by element.

    Input shape: a list of tensors of one shape; lengths of 1 are repeated.
    Output shape: the same.
    """

    def _two(self, a, b):
        return ops.minimum(a, b)


class Concatenate(_Merge):
    """Its inputs side by side along one axis.

    Args:
        axis: the axis along which they are joined; not the batch's.

    Input shape: a list of tensors whose shapes agree but for that axis.
    Output shape: the same, that axis being the sum of theirs.

    Raises:
        ValueError: the inputs do not fit each other.

    Example:
        >>> import cnncore, numpy as np
        >>> cnncore.layers.Concatenate()([np.ones((1, 2), "float32"), np.ones((1, 3), "float32")]).shape
        (1, 5)
    """

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        if isinstance(axis, bool) or not isinstance(axis, int):
            raise ValueError(f"Concatenate: axis must be a whole number. Received: axis={axis!r}")
        self.axis = axis

    def _check_shapes(self, shapes):
        axis = self.axis
        if not is_shape(shapes) and shapes and any(not -len(shape) <= axis < len(shape) for shape in shapes):
            raise ValueError(f"{self._described()} joins along axis={axis}, which every input must have. Received: "
                             f"shapes {[tuple(shape) for shape in shapes]}")
        if is_shape(shapes) or not shapes or axis % len(shapes[0]):  # along the batch, lengths may differ
            super()._check_shapes(shapes)
        first = shapes[0]
        for shape in shapes[1:]:
            if len(shape) != len(first) or any(None not in (n, m) and n != m and i != axis % len(first)
                                               for i, (n, m) in enumerate(zip(shape, first))):
                raise ValueError(f"{self._described()} joins inputs whose shapes agree but for axis {axis}. Received: "
                                 f"shapes {[tuple(shape) for shape in shapes]}; bring the other axes to one length, "
                                 "with Cropping2D, ZeroPadding2D or padding='same' for instance")

    def _merge(self, inputs):
        return ops.concatenate(inputs, self.axis)

    def get_config(self):
        return {**super().get_config(), "axis": self.axis}


class Dot(_Merge):
    """The products of two inputs, summed over an axis of each, sample by sample.

    Args:
        axes: the axis of both, or one for each; not the batch's.
        normalize: whether to divide by the lengths first, which gives the cosine of the angle.

    Input shape: a list of two tensors (batch, ...), of 2 axes or more.
    Output shape: the axes of the first and then of the second without the summed ones, (batch, 1) where none is left.

    Raises:
        ValueError: an argument or an input does not fit.

    Example:
        >>> import cnncore, numpy as np
        >>> a, b = np.ones((4, 3, 5), "float32"), np.ones((4, 10, 3), "float32")
        >>> cnncore.layers.Dot(axes=(1, 2))([a, b]).shape
        (4, 5, 10)
    """

    _least = 2

    def __init__(self, axes, normalize=False, **kwargs):
        super().__init__(**kwargs)
        if isinstance(axes, bool) or not (isinstance(axes, int) or isinstance(axes, (list, tuple)) and len(axes) == 2
                                          and all(isinstance(a, int) and not isinstance(a, bool) for a in axes)):
            raise ValueError(f"Dot: axes must be one whole number or two. Received: axes={axes!r}")
        self.axes, self.normalize = axes, bool(normalize)

    def _pair(self, shapes):
        axes = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        return [a % len(shape) if -len(shape) <= a < len(shape) else 0 for a, shape in zip(axes, shapes)]

    def _check_shapes(self, shapes):
        super()._check_shapes(shapes)
        if len(shapes) != 2:
            raise ValueError(f"{self._described()} is called on a list of exactly 2 inputs. Received: {len(shapes)}")
        a, b = self._pair(shapes)
        if 0 in (a, b) or None not in (shapes[0][a], shapes[1][b]) and shapes[0][a] != shapes[1][b]:
            raise ValueError(f"{self._described()} sums over axes={self.axes}, which must not be the batch's and must "
                             f"have one length in both inputs. Received: shapes {[tuple(shape) for shape in shapes]}")

    def _merge(self, inputs):
        a, b = self._pair([x.shape for x in inputs])
        x, y = inputs
        if self.normalize:
            x, y = (v * ops.rsqrt(ops.maximum(ops.sum(ops.square(v), axis, keepdims=True), 1e-12))
                    for v, axis in ((x, a), (y, b)))
        left = x.shape[1:a] + x.shape[a + 1:]
        right = y.shape[1:b] + y.shape[b + 1:]
        batch, length = x.shape[0], x.shape[a]
        if not left and not right:
            return ops.sum(x * y, -1, keepdims=True)
        x = ops.reshape(ops.moveaxis(x, a, -1), (batch, math.prod(left), length))
        y = ops.reshape(ops.moveaxis(y, b, 1), (batch, length, math.prod(right)))
        return ops.reshape(ops.matmul(x, y), (batch, *left, *right))

    def get_config(self):
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}


# ---- as functions ------------------------------------------------------------------------------------------------

def add(inputs, **kwargs):
    """The sum of inputs, element by element; see `Add`.

    Args:
        inputs: list of tensors.
        **kwargs: arguments of the layer.
    """
    return Add(**kwargs)(inputs)


def subtract(inputs, **kwargs):
    """The first of two inputs less the second; see `Subtract`.

    Args:
        inputs: list of two tensors.
        **kwargs: arguments of the layer.
    """
    return Subtract(**kwargs)(inputs)


def multiply(inputs, **kwargs):
    """The product of inputs, element by element; see `Multiply`.

    Args:
        inputs: list of tensors.
        **kwargs: arguments of the layer.
    """
    return Multiply(**kwargs)(inputs)


def average(inputs, **kwargs):
    """The mean of inputs, element by element; see `Average`.

    Args:
        inputs: list of tensors.
        **kwargs: arguments of the layer.
    """
    return Average(**kwargs)(inputs)


def maximum(inputs, **kwargs):
    """The largest of inputs, element by element; see `Maximum`.

    Args:
        inputs: list of tensors.
        **kwargs: arguments of the layer.
    """
    return Maximum(**kwargs)(inputs)


def minimum(inputs, **kwargs):
    """The smallest of inputs, element by element; see `Minimum`.

    Args:
        inputs: list of tensors.
        **kwargs: arguments of the layer.
    """
    return Minimum(**kwargs)(inputs)


def concatenate(inputs, axis=-1, **kwargs):
    """Inputs side by side along an axis; see `Concatenate`.

    Args:
        inputs: list of tensors.
        axis: the axis along which they are joined.
        **kwargs: arguments of the layer.
    """
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs, axes=-1, **kwargs):
    """The products of two inputs, summed over an axis of each; see `Dot`.

    Args:
        inputs: list of two tensors.
        axes: the axis of both, or one for each.
        **kwargs: arguments of the layer.
    """
    return Dot(axes=axes, **kwargs)(inputs)
