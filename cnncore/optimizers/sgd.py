"""Gradient descent, with momentum."""
from cnncore.ops.optimizers import sgd
from cnncore.optimizers.optimizer import Optimizer


class SGD(Optimizer):
    """Gradient descent: w -= learning_rate * g.

    With momentum, v = momentum * v - learning_rate * g and w += v, or, with Nesterov's,
    w += momentum * v - learning_rate * g.

    Args:
        learning_rate: number, or a schedule.
        momentum: number from 0 to 1.
        nesterov: whether to use Nesterov's momentum.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: as for `Optimizer`.

    Raises:
        ValueError: the momentum is not between 0 and 1.

    Example:
        >>> import cnncore
        >>> w = cnncore.Variable([1.0])
        >>> SGD(learning_rate=0.5).apply([cnncore.Tensor([1.0])], [w])
        >>> w.numpy()
        array([0.5], dtype=float32)
    """

    def __init__(self, learning_rate=0.01, momentum=0.0, nesterov=False, weight_decay=None, clipnorm=None,
                 clipvalue=None, global_clipnorm=None, use_ema=False, ema_momentum=0.99, ema_overwrite_frequency=None,
                 loss_scale_factor=None, gradient_accumulation_steps=None, name=None, **kwargs):
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum,
                         ema_overwrite_frequency, loss_scale_factor, gradient_accumulation_steps, name, **kwargs)
        if not isinstance(momentum, (int, float)) or not 0 <= momentum <= 1:
            raise ValueError(f"The momentum of SGD is a number between 0 and 1. Received: momentum={momentum!r}")
        self.momentum, self.nesterov = float(momentum), nesterov
        self.momentums = []

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        if self.momentum:
            self.momentums = self.add_optimizer_variables(self._trainable_variables, "momentum")

    def update_step(self, gradient, variable, learning_rate):
        velocity = self.momentums[self._get_variable_index(variable)] if self.momentum else None
        sgd(variable, gradient, velocity, learning_rate, self.momentum, self.nesterov)

    def get_config(self):
        return super().get_config() | {"momentum": self.momentum, "nesterov": self.nesterov}
