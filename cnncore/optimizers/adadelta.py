"""Adadelta: steps as long as recent ones, in the proportion of recent changes to recent gradients."""
from cnncore.ops.optimizers import update
from cnncore.optimizers.optimizer import Optimizer


class Adadelta(Optimizer):
    """Adadelta (Zeiler 2012): with running means of g^2 and of the squared changes d^2, the change is
    d = -g * sqrt(mean(d^2) + epsilon) / sqrt(mean(g^2) + epsilon) and w += learning_rate * d.

    Args:
        learning_rate: number, or a schedule.
        rho: how much of the means is kept at each step.
        epsilon: number that keeps the divisor from 0.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: as for `Optimizer`.

    Example:
        >>> import cnncore
        >>> w = cnncore.Variable([1.0])
        >>> Adadelta(1.0, rho=0.0, epsilon=0.25).apply([cnncore.Tensor([2.0])], [w])
        >>> round(w.numpy().item(), 4)
        0.5149
    """

    def __init__(self, learning_rate=0.001, rho=0.95, epsilon=1e-7, weight_decay=None, clipnorm=None, clipvalue=None,
                 global_clipnorm=None, use_ema=False, ema_momentum=0.99, ema_overwrite_frequency=None,
                 loss_scale_factor=None, gradient_accumulation_steps=None, name=None, **kwargs):
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
                         ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name, **kwargs)
        self.rho = rho
        self.epsilon = epsilon
        self._accumulated_grads, self._accumulated_delta_vars = [], []

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._accumulated_grads, self._accumulated_delta_vars = self.add_optimizer_variables(
            self._trainable_variables, ["accumulated_grad", "accumulated_delta_var"])

    def update_step(self, gradient, variable, learning_rate):
        i = self._get_variable_index(variable)
        update("adadelta", variable, gradient, self._accumulated_grads[i], self._accumulated_delta_vars[i],
               learning_rate, self.rho, epsilon=self.epsilon)

    def get_config(self):
        return super().get_config() | {"rho": self.rho, "epsilon": self.epsilon}
