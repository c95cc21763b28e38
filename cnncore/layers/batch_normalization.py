"""BatchNormalization."""
from cnncore import constraints, initializers, ops, regularizers
from cnncore.layers.layer import Layer
from cnncore.symbolic import is_tracing


class BatchNormalization(Layer):
    """Normalises each channel by the mean and variance of the batch, or, when not training, by their moving averages
    (Ioffe and Szegedy 2015).

    Args:
        axis: the channels' axis, the last one.
        momentum: how much of the moving averages is kept at each step.
        epsilon: added to the variance.
        center, scale: whether to add a trained offset, and to multiply by a trained scale.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: names or
            Initializers.
        beta_regularizer, gamma_regularizer: Regularizers or None.
        beta_constraint, gamma_constraint: Constraints or None.
        synchronized, renorm, renorm_clipping, renorm_momentum: accepted for compatibility.

    Input shape: (batch, ..., channels).
    Output shape: the same.
    """

    _casts_inputs = True

    def __init__(self, axis=-1, momentum=0.99, epsilon=1e-3, center=True, scale=True, beta_initializer="zeros",
                 gamma_initializer="ones", moving_mean_initializer="zeros", moving_variance_initializer="ones",
                 beta_regularizer=None, gamma_regularizer=None, beta_constraint=None, gamma_constraint=None,
                 synchronized=False, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis[0] if isinstance(axis, (list, tuple)) and len(axis) == 1 else axis
        self.momentum, self.epsilon = float(momentum), float(epsilon)
        self.center, self.scale, self.synchronized = bool(center), bool(scale), bool(synchronized)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.beta_regularizer, self.gamma_regularizer = map(regularizers.get, (beta_regularizer, gamma_regularizer))
        self.beta_constraint, self.gamma_constraint = map(constraints.get, (beta_constraint, gamma_constraint))
        self.gamma = self.beta = None

    def build(self, input_shape):
        axes = len(input_shape)
        if not isinstance(self.axis, int) or self.axis % axes != axes - 1:
            raise ValueError(f"{self._described()} normalises the last axis. Received: axis={self.axis} for an input of "
                             f"shape {input_shape}; use axis=-1")
        if axes < 2 or input_shape[-1] is None:
            raise ValueError(f"{self._described()} takes inputs (batch, ..., channels) with a known number of channels. "
                             f"Received: shape {input_shape}")
        shape = (input_shape[-1],)
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
        if inputs.shape[-1] != self.moving_mean.shape[0]:
            raise ValueError(f"{self._described()} was built for {self.moving_mean.shape[0]} channels. Received: shape "
                             f"{inputs.shape} with {inputs.shape[-1]}")
        if training and self.trainable and not is_tracing():
            return ops.batch_norm_train(inputs, self.gamma, self.beta, self.moving_mean, self.moving_variance,
                                        self.momentum, self.epsilon)
        return ops.batch_norm_infer(inputs, self.gamma, self.beta, self.moving_mean, self.moving_variance, self.epsilon)

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
                "synchronized": self.synchronized}
