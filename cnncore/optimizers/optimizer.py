"""The base class of optimizers: learning rate, clipping, weight decay, and applying gradients to variables in place."""
import difflib
import inspect
import re
import threading
import warnings
from contextlib import contextmanager

import numpy as np

from cnncore import executor, ops
from cnncore.ops.optimizers import increment
from cnncore.optimizers import schedules
from cnncore.random import as_integer
from cnncore.tensor import Tensor, Variable
from cnncore.utils.naming import auto_name, to_snake_case


class _Used(threading.local):
    """The optimizers that a step uses while it is recorded."""

    optimizers = None


_used = _Used()


@contextmanager
def collecting():
    """Gives the list of the optimizers that are applied in the body: a plan must prepare them before each run."""
    before, _used.optimizers = _used.optimizers, []
    try:
        yield _used.optimizers
    finally:
        _used.optimizers = before


class Optimizer:
    """Base of optimizers.

    Subclass it: make variables in `build`, and change one weight in `update_step` with operations on tensors.

    Args:
        learning_rate: number; or a function of the step number (a schedule), or of nothing, that gives one.
        weight_decay: share of each weight, times the learning rate, that is taken away at each step, or None.
        clipnorm: longest gradient of a single weight, or None.
        clipvalue: largest absolute value of a gradient's elements, or None.
        global_clipnorm: longest gradient of all weights together, or None.
        use_ema: whether a moving average of the weights is kept, which the weights become at the end of `fit`.
        ema_momentum: momentum of that average.
        ema_overwrite_frequency: number of steps after which the weights become that average each time, or None.
        loss_scale_factor: number that the loss is multiplied by and the gradients are divided by, or None.
        gradient_accumulation_steps: number of steps, 2 or more, whose gradients are averaged for one change of the
            weights, or None.
        name: name of the optimizer.

    Raises:
        ValueError: an argument is unknown or does not fit the others.

    Example:
        >>> import cnncore
        >>> class Plain(Optimizer):
        ...     def update_step(self, gradient, variable, learning_rate):
        ...         self.assign_sub(variable, gradient * learning_rate)
        >>> w = cnncore.Variable([1.0])
        >>> Plain(0.5).apply([cnncore.Tensor([1.0])], [w])
        >>> w.numpy()
        array([0.5], dtype=float32)
    """

    _counts_first = False  # whether `iterations` already counts the step that is being applied

    def __init__(self, learning_rate, weight_decay=None, clipnorm=None, clipvalue=None, global_clipnorm=None,
                 use_ema=False, ema_momentum=0.99, ema_overwrite_frequency=None, loss_scale_factor=None,
                 gradient_accumulation_steps=None, name=None, **kwargs):
        if kwargs.pop("decay", None) is not None:
            warnings.warn("The argument decay of optimizers has no effect; pass a schedule as learning_rate instead",
                          stacklevel=3)
        if kwargs:
            near = difflib.get_close_matches(next(iter(kwargs)), inspect.signature(type(self)).parameters, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            hint = "; the learning rate is called learning_rate" if "lr" in kwargs else hint
            raise ValueError(f"{type(self).__name__} does not have the argument(s) {', '.join(kwargs)}. Received: "
                             f"{kwargs}{hint}")
        clips = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        if sum(value is not None for value in clips.values()) > 1:
            raise ValueError(f"Only one of clipnorm, clipvalue and global_clipnorm can be set. Received: {clips}")
        for argument, value in clips.items():
            if value is not None and not value > 0:
                raise ValueError(f"{argument} must be above 0, or None for no clipping. Received: {argument}={value}")
        for argument, value, least in (("ema_overwrite_frequency", ema_overwrite_frequency, 1),
                                       ("gradient_accumulation_steps", gradient_accumulation_steps, 2)):
            if value and (as_integer(value) is None or value < least):
                raise ValueError(f"{argument} is an integer of {least} or more, or None. Received: {argument}={value!r}")
        if use_ema and not 0 <= ema_momentum <= 1:
            raise ValueError(f"ema_momentum must be between 0 and 1. Received: ema_momentum={ema_momentum}")
        self.name = name or auto_name(to_snake_case(type(self).__name__))
        self.weight_decay, self.loss_scale_factor = weight_decay, loss_scale_factor
        self.clipnorm, self.clipvalue, self.global_clipnorm = clipnorm, clipvalue, global_clipnorm
        self.use_ema, self.ema_momentum = use_ema, ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency or None
        self.gradient_accumulation_steps = gradient_accumulation_steps or None
        self.built = False
        self._variables, self._trainable_variables = [], []
        self._averages, self._accumulators_of_gradients = [], []
        self._index = {}
        self._undecayed, self._undecayed_names = [], None
        self._iterations = self._track(Variable(0, dtype="int64", trainable=False, name="iteration"))
        self._step = self._iterations  # the number, from 1, of the change that is being made, where `_counts_first`
        if self.gradient_accumulation_steps:
            self._step = Variable(0, dtype="int64", trainable=False, name="step")
        self._rate = Variable(0.0, dtype="float32", trainable=False, name="learning_rate")  # what kernels read
        self._schedule = None
        if callable(learning_rate) and not isinstance(learning_rate, Tensor):
            self._follow(learning_rate)
        else:
            self._rate.assign(_number(learning_rate))
            self._track(self._rate)

    # ---- learning rate -------------------------------------------------------------------------------------------

    @property
    def learning_rate(self):
        """The learning rate: a variable, or the schedule's value at the current step. Assigning sets it."""
        self.prepare()
        return self._rate

    @learning_rate.setter
    def learning_rate(self, value):
        if callable(value) and not isinstance(value, Tensor):
            self._follow(value)
            self._variables = [v for v in self._variables if v is not self._rate]
        elif self._schedule is not None:
            raise TypeError("The learning rate of this optimizer follows a schedule, so it cannot be set to a number. "
                            f"Received: {value!r}; make the optimizer with a number as learning_rate")
        else:
            self._rate.assign(_number(value))

    def prepare(self):
        """Puts the schedule's rate for the coming step where kernels read it."""
        if self._schedule is not None:
            self._rate._overwrite(_number(self._schedule(self.iterations) if self._takes_step else self._schedule()))

    def _follow(self, schedule):
        self._schedule, self._takes_step = schedule, _takes_step(schedule)

    @property
    def iterations(self):
        """How many times the weights were changed, an int64 variable."""
        if self.gradient_accumulation_steps:
            with executor.no_grad():
                return ops.floor_divide(self._iterations, self.gradient_accumulation_steps)
        return self._iterations

    # ---- variables -----------------------------------------------------------------------------------------------

    def build(self, variables):
        """Makes the variables that the optimizer keeps for each weight.

        Args:
            variables: list of the weights that gradients will come for.
        """
        self._trainable_variables = list(variables)
        self._number_variables()
        if self.use_ema:
            self._averages = self.add_optimizer_variables(self._trainable_variables, "average")
        if self.gradient_accumulation_steps:
            self._accumulators_of_gradients = self.add_optimizer_variables(self._trainable_variables,
                                                                           "gradient_accumulator")
        self.built = True

    @property
    def variables(self):
        """All variables of the optimizer: step number, learning rate, and what it keeps for each weight."""
        return list(self._variables)

    def _track(self, variable):
        variable.path = f"{self.name}/{variable.name}"
        self._variables.append(variable)
        return variable

    def add_variable(self, shape, initializer="zeros", dtype="float32", aggregation=None, layout=None, name=None):
        """A variable of the optimizer.

        Args:
            shape: tuple of integers.
            initializer: name or object of `initializers`.
            dtype: 'float32' by default.
            aggregation, layout: accepted for compatibility.
            name: shown in files.
        """
        from cnncore import initializers

        with executor.use(executor.Eager()):  # real, also while a step is recorded
            variable = Variable(initializers.get(initializer), tuple(shape), dtype or "float32", trainable=False,
                                name=name or "variable")
        return self._track(variable)

    def add_variable_from_reference(self, reference_variable, name=None, initializer="zeros"):
        """A variable of a weight's shape and dtype, named after it."""
        path = str(getattr(reference_variable, "path", reference_variable.name)).replace("/", "_").replace(":", "_")
        return self.add_variable(reference_variable.shape, initializer, reference_variable.dtype,
                                 name=f"{path}_{name or 'var'}")

    def add_optimizer_variables(self, trainable_variables, name, initializer="zeros"):
        """A list of variables, one for each weight; a tuple of lists for a list of names."""
        names = [name] if isinstance(name, str) else list(name)
        initializers = initializer if isinstance(initializer, (list, tuple)) else [initializer] * len(names)
        made = [[self.add_variable_from_reference(v, n, start) for n, start in zip(names, initializers, strict=True)]
                for v in trainable_variables]
        lists = tuple([row[i] for row in made] for i in range(len(names)))
        return lists[0] if isinstance(name, str) else lists

    def _number_variables(self):
        self._index = {id(v): i for i, v in enumerate(self._trainable_variables)}

    def __setstate__(self, state):  # a copy's variables are others
        self.__dict__.update(state)
        self._number_variables()

    def _get_variable_index(self, variable):
        return self._index[id(variable)]

    # ---- applying gradients --------------------------------------------------------------------------------------

    def apply_gradients(self, grads_and_vars):
        """One step, from pairs (gradient, weight).

        Args:
            grads_and_vars: pairs of a tensor, or None for no gradient, and a variable.

        Returns:
            How many steps have been taken, an int64 variable.

        Raises:
            ValueError: there is no gradient at all, or a weight is not one that the optimizer was built for.
        """
        pairs = list(grads_and_vars)
        self.apply([grad for grad, _ in pairs], [variable for _, variable in pairs])
        return self._iterations

    def apply(self, grads, trainable_variables=None):
        """One step, from gradients and the weights that they belong to, by default those of `build`."""
        grads = list(grads)
        if not grads:
            return
        if trainable_variables is None:
            if not self.built:
                raise ValueError(f"The optimizer {self.name} must know the weights that gradients belong to. Received: "
                                 f"{len(grads)} gradients without weights; pass trainable_variables, or call "
                                 "build(trainable_variables) first")
            trainable_variables = self._trainable_variables
        variables = list(trainable_variables)
        if len(grads) != len(variables):
            raise ValueError("Each gradient belongs to one weight. Received: "
                             f"{len(grads)} gradients for {len(variables)} weights")
        if not self.built:
            self.build(variables)
        for v in variables:
            if id(v) not in self._index:
                raise ValueError(f"The optimizer {self.name} was built for other weights. Received: a gradient of the "
                                 f"weight {v.path!r}; call compile() again with a new optimizer after layers have "
                                 "been added or made trainable")
        grads, variables = _with_gradients(grads, variables)
        if _used.optimizers is not None and self not in _used.optimizers:
            _used.optimizers.append(self)
        if not executor.current().recording:
            self.prepare()
        with executor.no_grad():
            if self.loss_scale_factor is not None:
                grads = [g * (1.0 / self.loss_scale_factor) for g in grads]
            if self.gradient_accumulation_steps:
                self._accumulate(grads, variables)
            else:
                if self._counts_first:
                    increment(self._iterations)
                self._change(grads, variables)
                if not self._counts_first:
                    increment(self._iterations)
            if self.use_ema:
                self._average()
            for v in variables:
                if v.constraint is not None:
                    v.assign(v.constraint(v))

    def _change(self, grads, variables):
        """Changes the weights by their gradients."""
        grads = self._clip(grads)
        self._decay(variables)
        self.begin_step()
        for g, v in zip(grads, variables, strict=True):
            self.update_step(g, v, self._rate)

    def _accumulate(self, grads, variables):
        """Adds up gradients; at every n-th step the weights change by their mean, otherwise all stays as it was.

        A plan runs the same calls at each step. So the change is always computed, and taken back by a choice.
        """
        steps = self.gradient_accumulation_steps
        sums = [self._accumulators_of_gradients[self._get_variable_index(v)] for v in variables]
        for total, g in zip(sums, grads, strict=True):
            total.assign_add(g)
        increment(self._iterations)
        turn = ops.equal(ops.cast(ops.mod(self._iterations, steps), "float32"), 0.0)
        self._step.assign(ops.floor_divide(self._iterations, steps))
        kept = {id(v) for v in (self._iterations, self._rate, *self._averages, *self._accumulators_of_gradients)}
        changing = [*variables, *(v for v in self._variables if id(v) not in kept)]
        before = [v + 0.0 for v in changing]
        self._change([total / float(steps) for total in sums], variables)
        for v, old in zip(changing, before, strict=True):
            v.assign(ops.where(turn, v, old))
        for total in sums:
            total.assign(ops.where(turn, 0.0, total))

    def begin_step(self):
        """Called once before the `update_step`s of a change, for what all weights share."""

    def update_step(self, gradient, variable, learning_rate):
        """Changes one weight in place.

        Args:
            gradient: tensor of the weight's shape.
            variable: the weight.
            learning_rate: float32 variable of shape ().
        """
        raise NotImplementedError(f"{type(self).__name__} must define update_step")

    def assign(self, variable, value):
        """variable = value, in place."""
        variable.assign(value)

    def assign_add(self, variable, value):
        """variable += value, in place."""
        variable.assign_add(value)

    def assign_sub(self, variable, value):
        """variable -= value, in place."""
        variable.assign_sub(value)

    def scale_loss(self, loss):
        """The loss times `loss_scale_factor`, where there is one."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def _clip(self, grads):
        if self.clipvalue is not None:
            return [ops.clip(g, -self.clipvalue, self.clipvalue) for g in grads]
        if self.clipnorm is not None:
            return [g * (self.clipnorm / ops.maximum(_norm([g]), self.clipnorm)) for g in grads]
        if self.global_clipnorm is not None:
            scale = self.global_clipnorm / ops.maximum(_norm(grads), self.global_clipnorm)
            return [g * scale for g in grads]
        return grads

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        """Spares weights from weight decay; to be called before the first step.

        Args:
            var_list: weights to spare.
            var_names: regular expressions; weights whose name contains one of them are spared.
        """
        self._undecayed = list(var_list or ())
        self._undecayed_names = re.compile("|".join(var_names)) if var_names else None

    def _decay(self, variables):
        if self.weight_decay is None:
            return
        for v in variables:
            named = self._undecayed_names is not None and self._undecayed_names.search(v.name)
            if not named and not any(v is spared for spared in self._undecayed):
                v.assign(v - v * self.weight_decay * self._rate)

    def _average(self):
        """average = m * average + (1 - m) * weight, with m = 0 at the first step."""
        steps = self.gradient_accumulation_steps or 1
        done = ops.cast(ops.floor_divide(self._iterations - 1, steps), "float32")  # changes before this step
        first = ops.cast(ops.equal(done, 0.0), "float32")
        share = first + (1.0 - first) * (1.0 - self.ema_momentum)
        for v, average in zip(self._trainable_variables, self._averages, strict=True):
            average.assign(average * (1.0 - share) + v * share)
        if self.ema_overwrite_frequency:
            turn = ops.equal(ops.mod(done + 1.0, float(self.ema_overwrite_frequency)), 0.0)
            for v, average in zip(self._trainable_variables, self._averages, strict=True):
                v.assign(ops.where(turn, average, v))

    def finalize_variable_values(self, var_list):
        """Replaces the weights by their moving averages, where these are kept; `fit` calls it at its end."""
        if not self.use_ema or not self.built:
            return
        for v in var_list:
            if id(v) in self._index:
                v.assign(self._averages[self._index[id(v)]])

    # ---- files ---------------------------------------------------------------------------------------------------

    def set_weights(self, weights):
        """Sets all variables of the optimizer, in the order of `variables`, from arrays."""
        weights = list(weights)
        if len(weights) != len(self._variables):
            raise ValueError(f"The optimizer {self.name} has {len(self._variables)} variables. Received: "
                             f"{len(weights)} arrays; build the optimizer for the same weights first")
        for variable, value in zip(self._variables, weights, strict=True):
            variable.assign(value)

    def save_own_variables(self, store):
        """Writes all variables into a mapping, under their numbers."""
        for i, variable in enumerate(self._variables):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store):
        """Reads all variables from a mapping that `save_own_variables` wrote."""
        if len(store.keys()) != len(self._variables):
            warnings.warn(f"The optimizer {self.name} has {len(self._variables)} variables. Received: a file with "
                          f"{len(store.keys())} of them; the optimizer starts anew", stacklevel=2)
            return
        for i, variable in enumerate(self._variables):
            variable.assign(np.asarray(store[str(i)]))

    def get_config(self):
        """The arguments that make an equal optimizer."""
        rate = self._schedule if self._schedule is not None else float(self._rate.numpy())
        if isinstance(rate, schedules.LearningRateSchedule):
            rate = schedules.serialize(rate)
        return {"name": self.name, "learning_rate": rate, "weight_decay": self.weight_decay, "clipnorm": self.clipnorm,
                "global_clipnorm": self.global_clipnorm, "clipvalue": self.clipvalue, "use_ema": self.use_ema,
                "ema_momentum": self.ema_momentum, "ema_overwrite_frequency": self.ema_overwrite_frequency,
                "loss_scale_factor": self.loss_scale_factor,
                "gradient_accumulation_steps": self.gradient_accumulation_steps}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The inverse of `get_config`; custom_objects maps the names of classes of one's own to them."""
        if isinstance(config.get("learning_rate"), dict):
            config = {**config, "learning_rate": schedules.deserialize(config["learning_rate"], custom_objects)}
        return cls(**config)


def _number(value):
    """The learning rate as a float32 array of shape ()."""
    try:
        rate = None if isinstance(value, str) else np.asarray(value, "float32")
    except (TypeError, ValueError):
        rate = None
    if rate is None or rate.shape != ():
        raise ValueError("The learning rate is one number, or a function that gives one (a schedule). Received: "
                         f"learning_rate={value!r}")
    return rate


def _takes_step(schedule):
    """Whether a schedule is to be given the step's number: plain functions may take nothing."""
    try:
        parameters = inspect.signature(schedule).parameters.values()
    except (TypeError, ValueError):
        return True
    return any(p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)


def _with_gradients(grads, variables):
    """Both lists without the weights that have no gradient."""
    missing = [v.path for g, v in zip(grads, variables, strict=True) if g is None]
    if len(missing) == len(grads):
        raise ValueError("The loss depends on none of the weights, so there is no gradient. Received: None for "
                         f"{', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''}; compute the loss from the "
                         "model's output with operations on tensors, inside the GradientTape")
    if missing:
        warnings.warn(f"There is no gradient for {missing}: the loss does not depend on them", stacklevel=4)
    pairs = [(_gradient(g, v), v) for g, v in zip(grads, variables, strict=True) if g is not None]
    return [g for g, _ in pairs], [v for _, v in pairs]


def _gradient(grad, variable):
    """The gradient as a tensor of the variable's shape and dtype."""
    if not isinstance(grad, Tensor):
        grad = ops.convert_to_tensor(grad, variable.dtype)
    if grad.shape != variable.shape:
        raise ValueError(f"A gradient has the shape of its weight. Received: a gradient of shape {grad.shape} for the "
                         f"weight {variable.path!r} of shape {variable.shape}")
    return grad


def _norm(grads):
    """The length of several gradients taken as one vector."""
    total = None
    for g in grads:
        squares = ops.sum(ops.square(g))
        total = squares if total is None else total + squares
    return ops.sqrt(total)
