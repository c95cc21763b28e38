"""Adagrad: steps that become shorter where gradients have been large."""
from cnncore import initializers
from cnncore.ops.optimizers import update
from cnncore.optimizers.optimizer import Optimizer


class Adagrad(Optimizer):
    """Adagrad (Duchi et al. 2011): a += g^2 and w -= learning_rate * g / sqrt(a + epsilon).

    Args:
        learning_rate: number, or a schedule.
        initial_accumulator_value: what a starts with.
        epsilon: number that keeps the divisor from 0.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: as for `Optimizer`.

    Example:
        >>> import cnncore
        >>> w = cnncore.Variable([1.0])
        >>> Adagrad(0.5, initial_accumulator_value=0.0).apply([cnncore.Tensor([2.0])], [w])
        >>> round(w.numpy().item(), 4)
        0.5
    """

    def __init__(self, learning_rate=0.001, initial_accumulator_value=0.1, epsilon=1e-7, weight_decay=None,
                 clipnorm=None, clipvalue=None, global_clipnorm=None, use_ema=False, ema_momentum=0.99,
                 ema_overwrite_frequency=None, loss_scale_factor=None, gradient_accumulation_steps=None, name=None,
                 **kwargs):
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
                         ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name, **kwargs)
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon
        self._accumulators = []

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._accumulators = self.add_optimizer_variables(
            self._trainable_variables, "accumulator", initializers.Constant(self.initial_accumulator_value))

    def update_step(self, gradient, variable, learning_rate):
        total = self._accumulators[self._get_variable_index(variable)]
        update("adagrad", variable, gradient, total, None, learning_rate, epsilon=self.epsilon)

    def get_config(self):
        return super().get_config() | {"initial_accumulator_value": self.initial_accumulator_value, "epsilon":
                                       self.epsilon}
