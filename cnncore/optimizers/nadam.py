"""Nadam: Adam with Nesterov's momentum."""
from cnncore import ops
from cnncore.ops.optimizers import update
from cnncore.optimizers.optimizer import Optimizer


class Nadam(Optimizer):
    """Nadam (Dozat 2016): Adam that looks a step ahead, with a momentum that grows towards beta_1:
    u_t = beta_1 * (1 - 0.96^t / 2) at step t.

    Args:
        learning_rate: number, or a schedule.
        beta_1: how much of the mean of g is kept at each step.
        beta_2: how much of the mean of g^2 is kept at each step.
        epsilon: number that keeps the divisor from 0.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: as for `Optimizer`.

    Example:
        >>> import cnncore
        >>> w = cnncore.Variable([1.0])
        >>> Nadam(0.5).apply([cnncore.Tensor([2.0])], [w])
        >>> round(w.numpy().item(), 4)
        0.4686
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
        self._momentums, self._velocities = [], []

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._momentums, self._velocities = self.add_optimizer_variables(self._trainable_variables,
                                                                         ["momentum", "velocity"])
        self._u_product = self.add_variable((), "ones", name="variable")  # of all u up to the present step

    def begin_step(self):
        step = ops.cast(self._step, "float32")
        u, following = ((1.0 - ops.power(0.96, t) * 0.5) * self.beta_1 for t in (step, step + 1.0))
        self._u_product.assign(self._u_product * u)
        of_m = self._rate * following / (1.0 - self._u_product * following)
        of_gradient = self._rate * (1.0 - u) / (1.0 - self._u_product)
        self._rates = ops.stack([of_m, of_gradient, 1.0 / (1.0 - ops.power(self.beta_2, step))])

    def update_step(self, gradient, variable, learning_rate):
        i = self._get_variable_index(variable)
        update("nadam", variable, gradient, self._momentums[i], self._velocities[i], self._rates, self.beta_1,
               self.beta_2, self.epsilon)

    def get_config(self):
        return super().get_config() | {"beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
