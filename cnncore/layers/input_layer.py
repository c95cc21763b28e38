"""Input and InputLayer: where the data enter a model."""
import numbers

from cnncore.layers.layer import Layer
from cnncore.symbolic import KerasTensor, Node


class InputLayer(Layer):
    """The layer that `Input` makes: it holds the place of one input.

    Args:
        shape: tuple without the batch, None for unknown lengths.
        batch_size: number of samples, where it is fixed.
        dtype: 'float32' by default.
        batch_shape: the shape with the batch, in place of `shape` and `batch_size`.
        sparse, ragged, optional: False; input_tensor: None.
        name: of the layer.

    Raises:
        ValueError: there is no shape, or it is none.
    """

    def __init__(self, shape=None, batch_size=None, dtype=None, sparse=None, ragged=None, batch_shape=None,
                 input_tensor=None, optional=False, name=None, **kwargs):
        shape = kwargs.pop("input_shape", shape)
        if isinstance(dtype, numbers.Integral):
            lengths = (shape, batch_size, dtype)
            raise ValueError(f"Input: shape is a tuple. Received: the numbers {lengths}; write Input(shape={lengths})")
        super().__init__(name=name, dtype=dtype, **kwargs)
        if sparse or ragged or optional or input_tensor is not None:
            raise ValueError(f"Input: arrays are whole and always given. Received: sparse={sparse!r}, ragged={ragged!r}, "
                             f"optional={optional!r}, tensor={input_tensor!r}; leave them out")
        if batch_shape is not None and (shape is not None or batch_size is not None):
            raise ValueError("Input takes shape and batch_size, or batch_shape. Received: "
                             f"shape={shape!r}, batch_size={batch_size!r}, batch_shape={batch_shape!r}")
        if batch_shape is None:
            if shape is None:
                raise ValueError("Input needs a shape, without the batch. Received: shape=None; write "
                                 "Input(shape=(28, 28, 1))")
            batch_shape = (batch_size, *_checked(shape, "shape"))
        self.batch_shape = _checked(batch_shape, "batch_shape" if shape is None else "batch_size")
        Node(self, (), {}, KerasTensor(self.batch_shape, self.dtype, name=self.name))
        self.built = True

    def call(self, inputs=None):
        return inputs

    def get_config(self):
        return {"batch_shape": self.batch_shape, "dtype": self.dtype, "sparse": False, "ragged": False,
                "optional": False,
                "name": self.name}


def _checked(shape, argument):
    """A shape as a tuple of whole numbers and None."""
    if isinstance(shape, numbers.Integral):
        raise ValueError(f"Input: {argument} is a tuple. Received: {argument}={shape!r}; write {argument}=({shape},)")
    if not isinstance(shape, (list, tuple)) or any(
            n is not None and (isinstance(n, bool) or not isinstance(n, numbers.Integral) or n < 0) for n in shape):
        raise ValueError("Input: a shape holds whole numbers of 0 or more, or None where a length is unknown. "
                         f"Received: {argument}={shape!r:.100}" + (
                             "; pass the array's shape without the batch, x.shape[1:]" if hasattr(shape, "shape") else ""))
    return tuple(n if n is None else int(n) for n in shape)


def Input(shape=None, batch_size=None, dtype=None, sparse=None, ragged=None, batch_shape=None, name=None, tensor=None,
          optional=False):
    """A KerasTensor to begin a functional model with.

    Args:
        shape: tuple without the batch, None for unknown lengths.
        batch_size: number of samples, where it is fixed.
        dtype: 'float32' by default.
        batch_shape: the shape with the batch, in place of `shape` and `batch_size`.
        sparse, ragged, optional: False; tensor: None.
        name: of the input.

    Returns:
        KerasTensor of shape (batch_size, *shape).

    Raises:
        ValueError: there is no shape, or it is none.

    Example:
        >>> import cnncore
        >>> x = cnncore.Input(shape=(28, 28, 1))
        >>> cnncore.Model(x, cnncore.layers.Flatten()(x)).output_shape
        (None, 784)
    """
    return InputLayer(shape, batch_size, dtype, sparse, ragged, batch_shape, tensor, optional, name).output
