"""Input and InputLayer: where the data enter a model."""
from cnncore.layers.layer import Layer
from cnncore.symbolic import KerasTensor, Node


class InputLayer(Layer):
    """The layer that `Input` makes: it holds the place of one input.

    Args:
        shape: tuple without the batch, None for unknown lengths.
        batch_size: number of samples, where it is fixed.
        dtype: 'float32' by default.
        batch_shape: the shape with the batch, in place of `shape` and `batch_size`.
        sparse, ragged, input_tensor, optional: accepted for compatibility.
        name: of the layer.
    """

    def __init__(self, shape=None, batch_size=None, dtype=None, sparse=None, ragged=None, batch_shape=None,
                 input_tensor=None, optional=False, name=None, **kwargs):
        shape = kwargs.pop("input_shape", shape)
        super().__init__(name=name, dtype=dtype, **kwargs)
        if batch_shape is None:
            if isinstance(shape, int):
                shape = (shape,)
            if shape is None:
                raise ValueError("Input needs a shape, without the batch. Received: shape=None; write "
                                 "Input(shape=(28, 28, 1))")
            batch_shape = (batch_size, *shape)
        for length in batch_shape:
            if length is not None and (isinstance(length, bool) or not isinstance(length, int) or length < 0):
                raise ValueError("Input: a shape holds whole numbers of 0 or more, or None where a length is unknown. "
                                 f"Received: {tuple(batch_shape)}")
        self.batch_shape = tuple(batch_shape)
        self._dtype = dtype or "float32"
        output = KerasTensor(self.batch_shape, self._dtype, name=self.name)
        Node(self, (), {}, [], output)
        self.built = True

    def call(self, inputs=None):
        return inputs

    def get_config(self):
        return {"batch_shape": self.batch_shape, "dtype": self._dtype, "sparse": False, "ragged": False,
                "name": self.name}


def Input(shape=None, batch_size=None, dtype=None, sparse=None, ragged=None, batch_shape=None, name=None, tensor=None,
          optional=False):
    """A KerasTensor to begin a functional model with.

    Args:
        shape: tuple without the batch, None for unknown lengths.
        batch_size: number of samples, where it is fixed.
        dtype: 'float32' by default.
        batch_shape: the shape with the batch, in place of `shape` and `batch_size`.
        sparse, ragged, tensor, optional: accepted for compatibility.
        name: of the input.

    Returns:
        KerasTensor of shape (batch_size, *shape).

    Example:
        >>> import cnncore
        >>> x = cnncore.Input(shape=(28, 28, 1))
        >>> cnncore.Model(x, cnncore.layers.Flatten()(x)).output_shape
        (None, 784)
    """
    return InputLayer(shape, batch_size, dtype, sparse, ragged, batch_shape, tensor, optional, name).output
