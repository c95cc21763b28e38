"""RMSprop: steps scaled by a running mean of the gradient's square."""
from cnncore import ops
from cnncore.ops.optimizers import update
from cnncore.optimizers.optimizer import Optimizer


class RMSprop(Optimizer):
    """RMSprop (Hinton 2012): v = rho * v + (1 - rho) * g^2 and w -= learning_rate * g / sqrt(v + epsilon).

    Args:
        learning_rate: number, or a schedule.
        rho: how much of v is kept at each step.
        momentum: how much of the last change is added to the next, from 0 to 1.
        epsilon: number that keeps the divisor from 0.
        centered: whether v is reduced by the square of a running mean of g, so that it estimates a variance.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: as for `Optimizer`.

    Example:
        >>> import cnncore
        >>> w = cnncore.Variable([1.0])
        >>> RMSprop(learning_rate=0.1, rho=0.0).apply([cnncore.Tensor([2.0])], [w])
        >>> round(w.numpy().item(), 4)
        0.9
    """

    def __init__(self, learning_rate=0.001, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False, weight_decay=None,
                 clipnorm=None, clipvalue=None, global_clipnorm=None, use_ema=False, ema_momentum=0.99,
                 ema_overwrite_frequency=None, loss_scale_factor=None, gradient_accumulation_steps=None,
                 name=None, **kwargs):
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
                         ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name, **kwargs)
        self.rho, self.momentum, self.epsilon, self.centered = rho, momentum, epsilon, centered
        self._velocities, self._momentums, self._average_gradients = [], [], []

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._velocities = self.add_optimizer_variables(self._trainable_variables, "velocity")
        if self.momentum > 0:
            self._momentums = self.add_optimizer_variables(self._trainable_variables, "momentum")
        if self.centered:
            self._average_gradients = self.add_optimizer_variables(self._trainable_variables, "average_gradient")

    def update_step(self, gradient, variable, learning_rate):
        i, rho = self._get_variable_index(variable), self.rho
        v, last = self._velocities[i], self._momentums[i] if self.momentum > 0 else None
        if not self.centered:
            update("rmsprop", variable, gradient, v, last, learning_rate, rho, self.momentum, self.epsilon)
            return
        mean = self._average_gradients[i]
        self.assign(v, v * rho + ops.square(gradient) * (1 - rho))
        self.assign(mean, mean * rho + gradient * (1 - rho))
        change = gradient * learning_rate / ops.sqrt(v - ops.square(mean) + self.epsilon)
        if last is not None:
            self.assign(last, last * self.momentum + change)
            change = last
        self.assign_sub(variable, change)

    def get_config(self):
        return super().get_config() | {"rho": self.rho, "momentum": self.momentum, "epsilon": self.epsilon,
                                       "centered": self.centered}
