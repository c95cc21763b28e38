"""Layers that return what they are given: Identity and ActivityRegularization."""
from cnncore import regularizers
from cnncore.layers.layer import Layer


class Identity(Layer):
    """Returns its input as it is.

    Input shape: any, also a list or dict of tensors.
    Output shape: the same.

    Example:
        >>> import cnncore, numpy as np
        >>> cnncore.layers.Identity()(np.ones(3, "float32")).numpy()
        array([1., 1., 1.], dtype=float32)
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)

    def call(self, inputs):
        return inputs


class ActivityRegularization(Layer):
    """Returns its input, and adds l1 times the sum of its sizes and l2 times that of its squares to the loss, as a mean
    over the batch.

    Args:
        l1: number of 0 or more.
        l2: number of 0 or more.

    Input shape: any.
    Output shape: the same.

    Raises:
        ValueError: l1 or l2 is negative.

    Example:
        >>> import cnncore, numpy as np
        >>> layer = cnncore.layers.ActivityRegularization(l2=0.5)
        >>> y = layer(np.full((2, 3), 2.0))
        >>> float(layer.losses[0])
        6.0
    """

    _takes_one = _casts_inputs = True

    def __init__(self, l1=0.0, l2=0.0, **kwargs):
        super().__init__(activity_regularizer=regularizers.L1L2(l1=l1, l2=l2), **kwargs)
        self.l1, self.l2 = l1, l2

    def call(self, inputs):
        return inputs

    def get_config(self):
        config = super().get_config()
        config.pop("activity_regularizer", None)
        return {**config, "l1": self.l1, "l2": self.l2}
