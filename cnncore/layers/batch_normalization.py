"""BatchNormalization."""
from cnncore import constraints, initializers, ops, regularizers
from cnncore.layers import checks
from cnncore.layers.layer import Layer


class BatchNormalization(Layer):
    """Normalises each channel by the mean and variance of the batch, or, when not training, by their moving averages
    (Ioffe and Szegedy 2015).

    Args:
        axis: the channels' axis.
        momentum: how much of the moving averages is kept at each step.
        epsilon: added to the variance.
        center, scale: whether to add a trained offset, and to multiply by a trained scale.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: names or
            Initializers.
        beta_regularizer, gamma_regularizer: Regularizers or None.
        beta_constraint, gamma_constraint: Constraints or None.
        renorm, synchronized: False.
        renorm_clipping, renorm_momentum: accepted for compatibility.

    Input shape: (batch, ..., channels).
    Output shape: the same.

    Raises:
        ValueError: an argument or an input does not fit.

    Example:
        >>> import cnncore, numpy as np
        >>> layer = cnncore.layers.BatchNormalization()
        >>> layer(np.zeros((2, 3), "float32"), training=True).shape
        (2, 3)
    """

    _takes_one = _casts_inputs = True
    gamma = beta = moving_mean = moving_variance = None

    def __init__(self, axis=-1, momentum=0.99, epsilon=1e-3, center=True, scale=True, beta_initializer="zeros",
                 gamma_initializer="ones", moving_mean_initializer="zeros", moving_variance_initializer="ones",
                 beta_regularizer=None, gamma_regularizer=None, beta_constraint=None, gamma_constraint=None,
                 renorm=False, renorm_clipping=None, renorm_momentum=0.99, synchronized=False, **kwargs):
        super().__init__(**kwargs)
        axis = axis[0] if isinstance(axis, (list, tuple)) and len(axis) == 1 else axis
        if isinstance(axis, bool) or not isinstance(axis, int):
            raise ValueError(f"BatchNormalization: axis must be one whole number. Received: axis={axis!r}")
        if renorm or synchronized:
            raise ValueError("BatchNormalization: statistics are those of the batch. Received: "
                             f"renorm={renorm!r}, synchronized={synchronized!r}; leave them out")
        self.axis = axis
        self.momentum = float(checks.number(momentum, "BatchNormalization", "momentum", most=1.0))
        self.epsilon = float(checks.number(epsilon, "BatchNormalization", "epsilon"))
        self.center, self.scale = bool(center), bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.beta_regularizer, self.gamma_regularizer = map(regularizers.get, (beta_regularizer, gamma_regularizer))
        self.beta_constraint, self.gamma_constraint = map(constraints.get, (beta_constraint, gamma_constraint))

    def _check(self, shape):
        axes = len(shape)
        if axes < 2 or not -axes <= self.axis < axes or self.axis % axes == 0:
            raise ValueError(f"{self._described()} normalises axis={self.axis} of inputs (batch, ..., channels). Received: "
                             f"shape {tuple(shape)}; choose an axis that it has")
        if self.built and axes != self._axes:
            raise ValueError(f"{self._described()} was built for inputs of {self._axes} axes. Received: shape "
                             f"{tuple(shape)}")
        checks.length(self, shape, self.moving_mean.shape[0] if self.built else None, "channels",
                      "use a layer of its own for inputs of another kind", self.axis)

    def build(self, input_shape):
        self._check(input_shape)
        self._axes = len(input_shape)
        shape = (input_shape[self.axis],)
        if self.scale:
            self.gamma = self.add_weight(shape, self.gamma_initializer, regularizer=self.gamma_regularizer,
                                         constraint=self.gamma_constraint, name="gamma")
        if self.center:
            self.beta = self.add_weight(shape, self.beta_initializer, regularizer=self.beta_regularizer,
                                        constraint=self.beta_constraint, name="beta")
        self.moving_mean = self.add_weight(shape, self.moving_mean_initializer, trainable=False, name="moving_mean")
        self.moving_variance = self.add_weight(shape, self.moving_variance_initializer, trainable=False,
                                               name="moving_variance")

    def call(self, inputs, training=None, mask=None):
        if mask is not None:
            raise ValueError(f"{self._described()} takes all values into account. Received: a mask; leave it out")
        last = self.axis % self._axes == self._axes - 1
        x = inputs if last else ops.moveaxis(inputs, self.axis, -1)
        if training and self.trainable:
            y = ops.batch_norm_train(x, self.gamma, self.beta, self.moving_mean, self.moving_variance, self.momentum,
                                     self.epsilon)
        else:
            y = ops.batch_norm_infer(x, self.gamma, self.beta, self.moving_mean, self.moving_variance, self.epsilon)
        return y if last else ops.moveaxis(y, -1, self.axis)

    def get_config(self):
        return {**super().get_config(), "axis": self.axis, "momentum": self.momentum, "epsilon": self.epsilon,
                "center": self.center, "scale": self.scale,
                "beta_initializer": initializers.serialize(self.beta_initializer),
                "gamma_initializer": initializers.serialize(self.gamma_initializer),
                "moving_mean_initializer": initializers.serialize(self.moving_mean_initializer),
                "moving_variance_initializer": initializers.serialize(self.moving_variance_initializer),
                "beta_regularizer": regularizers.serialize(self.beta_regularizer),
                "gamma_regularizer": regularizers.serialize(self.gamma_regularizer),
                "beta_constraint": constraints.serialize(self.beta_constraint),
                "gamma_constraint": constraints.serialize(self.gamma_constraint),
                "synchronized": False}
