"""Adamax: Adam with the largest gradient in the place of the mean square."""
from cnncore import ops
from cnncore.ops.optimizers import update
from cnncore.optimizers.optimizer import Optimizer


class Adamax(Optimizer):
    """Adamax (Kingma and Ba 2014): m is a running mean of g and u = max(beta_2 * u, |g|); at step t
    w -= learning_rate / (1 - beta_1^t) * m / (u + epsilon).

    Args:
        learning_rate: number, or a schedule.
        beta_1: how much of m is kept at each step.
        beta_2: how much of u is kept at each step.
        epsilon: number that keeps the divisor from 0.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: as for `Optimizer`.

    Example:
        >>> import cnncore
        >>> w = cnncore.Variable([1.0])
        >>> Adamax(0.5).apply([cnncore.Tensor([2.0])], [w])
        >>> round(w.numpy().item(), 4)
        0.5
    """

    _counts_first = True

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, weight_decay=None, clipnorm=None,
                 clipvalue=None, global_clipnorm=None, use_ema=False, ema_momentum=0.99,
                 ema_overwrite_frequency=None, loss_scale_factor=None, gradient_accumulation_steps=None, name=None,
                 **kwargs):
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
                         ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self._m, self._u = [], []

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._m, self._u = self.add_optimizer_variables(self._trainable_variables, ["momentum", "norm"])

    def begin_step(self):
        self._alpha = self._rate / (1.0 - ops.power(self.beta_1, ops.cast(self._step, "float32")))

    def update_step(self, gradient, variable, learning_rate):
        i = self._get_variable_index(variable)
        update("adamax", variable, gradient, self._m[i], self._u[i], self._alpha, self.beta_1, self.beta_2, self.epsilon)

    def get_config(self):
        return super().get_config() | {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
