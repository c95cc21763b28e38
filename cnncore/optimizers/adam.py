"""Adam and AdamW: steps scaled by running means of the gradient and of its square."""
from cnncore import ops
from cnncore.ops.optimizers import adam
from cnncore.optimizers.optimizer import Optimizer


class Adam(Optimizer):
    """Adam (Kingma and Ba 2014): m and v are running means of g and g^2, and w -= alpha * m / (sqrt(v) + epsilon),
    with alpha = learning_rate * sqrt(1 - beta_2^t) / (1 - beta_1^t) at step t.

    Args:
        learning_rate: number, or a schedule.
        beta_1: how much of m is kept at each step.
        beta_2: how much of v is kept at each step.
        epsilon: number that keeps the divisor from 0.
        amsgrad: whether to divide by the largest v so far (Reddi et al. 2018).
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: as for `Optimizer`.

    Example:
        >>> import cnncore
        >>> w = cnncore.Variable([1.0])
        >>> Adam(learning_rate=0.5).apply([cnncore.Tensor([3.0])], [w])
        >>> round(w.numpy().item(), 4)
        0.5
    """

    _counts_first = True

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False, weight_decay=None,
                 clipnorm=None, clipvalue=None, global_clipnorm=None, use_ema=False, ema_momentum=0.99,
                 ema_overwrite_frequency=None, loss_scale_factor=None, gradient_accumulation_steps=None, name=None,
                 **kwargs):
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
                         ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name, **kwargs)
        self.beta_1, self.beta_2, self.epsilon, self.amsgrad = beta_1, beta_2, epsilon, amsgrad
        self._momentums, self._velocities, self._velocity_hats = [], [], []

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._momentums, self._velocities = self.add_optimizer_variables(self._trainable_variables,
                                                                         ["momentum", "velocity"])
        if self.amsgrad:
            self._velocity_hats = self.add_optimizer_variables(self._trainable_variables, "velocity_hat")

    def update_step(self, gradient, variable, learning_rate):
        i = self._get_variable_index(variable)
        if not self.amsgrad:
            adam(variable, gradient, self._momentums[i], self._velocities[i], self._step, learning_rate, self.beta_1,
                 self.beta_2, self.epsilon)
            return
        m, v, largest = self._momentums[i], self._velocities[i], self._velocity_hats[i]
        m.assign(m + (gradient - m) * (1 - self.beta_1))
        v.assign(v + (ops.square(gradient) - v) * (1 - self.beta_2))
        largest.assign(ops.maximum(largest, v))
        variable.assign_sub(self._alpha * m / (ops.sqrt(largest) + self.epsilon))

    def begin_step(self):
        if self.amsgrad:
            step = ops.cast(self._step, "float32")
            self._alpha = (self._rate * ops.sqrt(1.0 - ops.power(self.beta_2, step))
                           / (1.0 - ops.power(self.beta_1, step)))

    def get_config(self):
        return super().get_config() | {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon,
                                       "amsgrad": self.amsgrad}


class AdamW(Adam):
    """Adam with weight decay that does not go through the gradient (Loshchilov and Hutter 2019).

    Args:
        learning_rate, beta_1, beta_2, epsilon, amsgrad: as for `Adam`.
        weight_decay: share of each weight, times the learning rate, that is taken away at each step.
        clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency, loss_scale_factor,
            gradient_accumulation_steps, name: as for `Optimizer`.

    Raises:
        ValueError: `weight_decay` is None.

    Example:
        >>> AdamW().weight_decay
        0.004
    """

    def __init__(self, learning_rate=0.001, weight_decay=0.004, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False,
                 clipnorm=None, clipvalue=None, global_clipnorm=None, use_ema=False, ema_momentum=0.99,
                 ema_overwrite_frequency=None, loss_scale_factor=None, gradient_accumulation_steps=None, name=None,
                 **kwargs):
        if weight_decay is None:
            raise ValueError("AdamW needs a weight decay. Received: weight_decay=None, pass a number or use Adam")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, clipnorm, clipvalue,
                         global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency, loss_scale_factor,
                         gradient_accumulation_steps, name, **kwargs)
