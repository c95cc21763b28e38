"""FTRL: follow the regularized leader, which makes weights exactly 0."""
from cnncore import initializers, ops
from cnncore.optimizers.optimizer import Optimizer


class Ftrl(Optimizer):
    """FTRL (McMahan et al. 2013): w is, at each step, the best weight for all gradients so far under L1 and L2
    penalties, with a learning rate that falls as the accumulated g^2 grow.

    Args:
        learning_rate: number, or a schedule.
        learning_rate_power: power, 0 or less, with which the rate falls; 0 keeps it.
        initial_accumulator_value: what the sum of g^2 starts with, 0 or more.
        l1_regularization_strength: factor, 0 or more, of the penalty on |w|.
        l2_regularization_strength: factor, 0 or more, of the penalty on w^2.
        l2_shrinkage_regularization_strength: factor, 0 or more, of w that is added to the gradient.
        beta: number from the paper that makes the first steps shorter.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: as for `Optimizer`.

    Raises:
        ValueError: a strength or the initial value is below 0, or the power above 0.

    Example:
        >>> import cnncore
        >>> w = cnncore.Variable([1.0])
        >>> Ftrl(0.5, initial_accumulator_value=0.0).apply([cnncore.Tensor([2.0])], [w])
        >>> round(w.numpy().item(), 4)
        0.5
    """

    def __init__(self, learning_rate=0.001, learning_rate_power=-0.5, initial_accumulator_value=0.1,
                 l1_regularization_strength=0.0, l2_regularization_strength=0.0,
                 l2_shrinkage_regularization_strength=0.0, beta=0.0, weight_decay=None, clipnorm=None,
                 clipvalue=None, global_clipnorm=None, use_ema=False, ema_momentum=0.99,
                 ema_overwrite_frequency=None, loss_scale_factor=None, gradient_accumulation_steps=None, name=None,
                 **kwargs):
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
                         ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name, **kwargs)
        for argument, value in (("initial_accumulator_value", initial_accumulator_value),
                                ("-learning_rate_power", -learning_rate_power),
                                ("l1_regularization_strength", l1_regularization_strength),
                                ("l2_regularization_strength", l2_regularization_strength),
                                ("l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength)):
            if value < 0:
                raise ValueError(f"The {argument} of Ftrl is 0 or more. Received: {argument}={value}")
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta
        self._accumulators, self._linears = [], []

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._accumulators, self._linears = self.add_optimizer_variables(
            self._trainable_variables, ["accumulator", "linear"],
            [initializers.Constant(self.initial_accumulator_value), "zeros"])

    def update_step(self, gradient, variable, learning_rate):
        i = self._get_variable_index(variable)
        total, linear, power = self._accumulators[i], self._linears[i], -self.learning_rate_power
        grown = total + ops.square(gradient)
        root, before = (ops.sqrt(x) if power == 0.5 else ops.power(x, power) for x in (grown, total))
        linear.assign_add(gradient + variable * (2 * self.l2_shrinkage_regularization_strength)
                          - (root - before) / learning_rate * variable)
        l1, l2 = self.l1_regularization_strength, self.beta / (learning_rate * 2.0) + self.l2_regularization_strength
        variable.assign((ops.clip(linear, -l1, l1) - linear) / (root / learning_rate + l2 * 2.0))
        total.assign(grown)

    def get_config(self):
        return super().get_config() | {"learning_rate_power": self.learning_rate_power, "initial_accumulator_value":
                                       self.initial_accumulator_value, "l1_regularization_strength":
                                       self.l1_regularization_strength, "l2_regularization_strength":
                                       self.l2_regularization_strength, "l2_shrinkage_regularization_strength":
                                       self.l2_shrinkage_regularization_strength, "beta": self.beta}
