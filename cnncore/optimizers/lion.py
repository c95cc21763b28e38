"""Lion: steps of one length, in the direction of a momentum's sign."""
from cnncore.ops.optimizers import update
from cnncore.optimizers.optimizer import Optimizer


class Lion(Optimizer):
    """Lion (Chen et al. 2023): w -= learning_rate * sign(beta_1 * m + (1 - beta_1) * g), after which
    m = beta_2 * m + (1 - beta_2) * g.

    Args:
        learning_rate: number, or a schedule.
        beta_1: the weight of m in the direction.
        beta_2: how much of m is kept at each step.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: as for `Optimizer`.

    Raises:
        ValueError: beta_1 is not above 0 and at most 1.

    Example:
        >>> import cnncore
        >>> w = cnncore.Variable([1.0])
        >>> Lion(0.25).apply([cnncore.Tensor([2.0])], [w])
        >>> round(w.numpy().item(), 4)
        0.75
    """

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.99, weight_decay=None, clipnorm=None,
                 clipvalue=None, global_clipnorm=None, use_ema=False, ema_momentum=0.99,
                 ema_overwrite_frequency=None, loss_scale_factor=None, gradient_accumulation_steps=None, name=None,
                 **kwargs):
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
                         ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name, **kwargs)
        if not 0 < beta_1 <= 1:
            raise ValueError(f"The beta_1 of Lion is above 0 and at most 1. Received: beta_1={beta_1}, pass e.g. 0.9")
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self._momentums = []

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._momentums = self.add_optimizer_variables(self._trainable_variables, "momentum")

    def update_step(self, gradient, variable, learning_rate):
        m = self._momentums[self._get_variable_index(variable)]
        update("lion", variable, gradient, m, None, learning_rate, self.beta_1, self.beta_2)

    def get_config(self):
        return super().get_config() | {"beta_1": self.beta_1, "beta_2": self.beta_2}
