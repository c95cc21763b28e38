"""The losses and metrics that `compile` was given, matched to a model's outputs as soon as their shapes are known."""
import warnings

from cnncore import losses, metrics, ops
from cnncore.losses.crossentropy import bad_classes, sparse_categorical_crossentropy
from cnncore.losses.loss import LossFunctionWrapper
from cnncore.nest import flatten, is_nest
from cnncore.tensor import Tensor
from cnncore.utils.naming import to_snake_case


class Outputs:
    """How a model's outputs are told apart.

    Args:
        y_pred: the model's output, a tensor or a nest of them.
        names: the names of the outputs where the model has such, else None.
    """

    def __init__(self, y_pred, names):
        self.leaves = flatten(y_pred)
        self.count = len(self.leaves)
        self.keys = sorted(y_pred) if isinstance(y_pred, dict) else None
        if self.keys is not None and not (names and set(names) == set(self.keys)):
            names = self.keys
        self.names = list(names) if names and len(names) == self.count else None

    def spread(self, value, argument, per_output=False):
        """One value for each output, from one for all, a list, or a dict by name.

        per_output: whether a list must have one element for each output, even of one that has a single one.
        """
        if isinstance(value, dict):
            return self._by_name(value, argument)
        if isinstance(value, (list, tuple)) and (per_output or self.count > 1):
            if len(value) != self.count:
                raise ValueError(f"{argument} must have one entry for each of the {self.count} outputs"
                                 f"{self._shown()}. Received: {len(value)} entries: {value!r}")
            return list(value)
        return [value] * self.count

    def without_target(self, i, what, how):
        """The error for an output that nothing is given for."""
        return ValueError(f"An output with {what} needs targets. Received: none for the output "
                          f"{self.order()[i] if self.order() else i}; pass them {how}")

    def _by_name(self, value, argument):
        if self.names is None:
            raise ValueError(f"{argument} can be a dict where the outputs have names. Received: {value!r} for a model "
                             "whose outputs have none; pass a list, or let the model return a dict")
        unknown = sorted(set(value) - set(self.names), key=str)
        if unknown:
            raise ValueError(f"{argument} is a dict by the names of the outputs: {self.names}. Received: the unknown "
                             f"name(s) {unknown}; rename the output layers or correct the dict")
        # Leaves of a dict come in the order of its sorted keys, those of a list in the model's own order.
        return [value.get(name) for name in self.order()]

    def order(self):
        """The name of each leaf of a flattened output."""
        return self.keys if self.keys is not None else self.names

    def _shown(self):
        return f" {self.names}" if self.names else ""

    def split(self, value, argument):
        """The part of y_true or sample_weight that belongs to each output; None where an output has none."""
        if value is None:
            return [None] * self.count
        if isinstance(value, dict):
            if self.count == 1 and len(value) == 1:
                return flatten(value)
            return self._by_name(value, argument)
        leaves = flatten(value)
        if len(leaves) != self.count:
            raise ValueError(f"{argument} must have one array for each of the model's {self.count} output(s)"
                             f"{self._shown()}. Received: {len(leaves)} array(s); pass "
                             f"{'a list of them' if self.count > 1 else 'a single array'}")
        return leaves


def _resolve_loss(identifier, y_true, y_pred):
    """The Loss that an identifier means for these shapes."""
    if identifier is None:
        return None
    if str(identifier).lower() in ("crossentropy", "ce"):
        identifier = ("binary", "sparse_categorical", "categorical")[_kind(y_true, y_pred)] + "_crossentropy"
    loss = losses.get(identifier)
    if isinstance(loss, losses.Loss):
        return loss
    return LossFunctionWrapper(loss, name=identifier if isinstance(identifier, str) else _name(loss))


def _resolve_metric(identifier, y_true, y_pred):
    """The Metric that an identifier means for these shapes; a string is also its name."""
    if identifier is None:
        raise ValueError("A metric is a name, a Metric or a function. Received: None; leave it out")
    if isinstance(identifier, str) and identifier.lower() in ("accuracy", "acc"):
        classes = (metrics.BinaryAccuracy, metrics.SparseCategoricalAccuracy, metrics.CategoricalAccuracy)
        return classes[_kind(y_true, y_pred)](name=identifier)
    if isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce"):
        classes = (metrics.BinaryCrossentropy, metrics.SparseCategoricalCrossentropy, metrics.CategoricalCrossentropy)
        return classes[_kind(y_true, y_pred)](name=identifier)
    metric = metrics.get(identifier)
    if not isinstance(metric, metrics.Metric):
        metric = metrics.MeanMetricWrapper(metric, name=_name(metric))
    if isinstance(identifier, str):
        metric.name = identifier
    return metric


def _kind(y_true, y_pred):
    """0 for binary, 1 for class numbers, 2 for one-hot targets, by Keras's rule."""
    if y_pred.shape[-1:] == (1,):
        return 0
    sparse = len(y_true.shape) < len(y_pred.shape) or (y_true.shape[-1] == 1 and y_pred.shape[-1] > 1)
    return 1 if sparse else 2


def _name(thing):
    """The name of a loss or metric that is an object or a function."""
    return getattr(thing, "name", None) or to_snake_case(getattr(thing, "__name__", type(thing).__name__))


def _pairs(identifiers, weight):
    """(loss, weight or None) for each loss of one output, from one or a list of them and likewise weights."""
    if not isinstance(identifiers, (list, tuple)):
        identifiers = [identifiers]
    identifiers = list(identifiers)
    if isinstance(weight, (list, tuple)):
        if len(weight) != len(identifiers):
            raise ValueError(f"loss_weights has a number for each of the {len(identifiers)} losses of an output. Received: "
                             f"{len(weight)} for the losses {identifiers!r}: {weight!r}")
        weights = list(weight)
    else:
        weights = [weight] * len(identifiers)
    found = [(one, share) for one, share in zip(identifiers, weights, strict=True) if one is not None]
    if not found:
        raise ValueError(f"A list of losses for an output has one at least. Received: {identifiers!r}; give the output "
                         "the loss None")
    return found


class CompileLoss:
    """The weighted sum of the losses of all outputs.

    Args:
        loss: loss for all outputs, or a list or dict of one for each; None for an output without, and a list for one
            with several, which are added up.
        loss_weights: number for each output, likewise; a list for each of several losses of an output.
        output_names: names of the model's outputs, or None.
    """

    def __init__(self, loss, loss_weights=None, output_names=None):
        self.loss, self.loss_weights, self.output_names = loss, loss_weights, output_names
        for item in flatten(loss):
            if isinstance(item, str) and item.lower() in ("crossentropy", "ce"):
                continue
            losses.get(item)  # a wrong name is an error of compile, not of fit
        for weight in flatten(loss_weights):
            if isinstance(weight, str) or callable(weight):
                raise ValueError(f"loss_weights are numbers. Received: loss_weights={loss_weights!r}; after optimizer and "
                                 "loss compile() takes loss_weights, so name the metrics: metrics=[...]")
        self.built = self.advised = False
        self.metrics = []  # one Mean for each loss, where there are several

    def build(self, y_true, y_pred):
        """Matches losses to outputs, by the shapes of these."""
        outputs = self.outputs = Outputs(y_pred, self.output_names)
        given, weights = self.loss, self.loss_weights
        if isinstance(given, (list, tuple)) and outputs.count == 1 and len(given) != 1:
            given, weights = [given], None if weights is None else [weights]
        given = outputs.spread(given, "loss", per_output=isinstance(given, (list, tuple)))
        weights = self._spread_weights(outputs, weights)
        targets = self._targets(y_true, outputs, given)
        self.parts = []  # (output's number, [(Loss, weight or None), ...], name)
        for i, (identifiers, weight, t, p) in enumerate(zip(given, weights, targets, outputs.leaves, strict=True)):
            if identifiers is None:
                continue
            if t is None:
                raise outputs.without_target(i, "a loss", "as y, let a generator give tuples (x, y), or give this output "
                                             f"the loss None instead of {identifiers!r}")
            pairs = [(_resolve_loss(identifier, t, p), share) for identifier, share in _pairs(identifiers, weight)]
            self.parts.append((i, pairs, outputs.order()[i] if outputs.order() else pairs[0][0].name))
        self.metrics = [metrics.Mean(name=f"{name}_loss") for _, _, name in self.parts] if len(self.parts) > 1 else []
        self.shapes = [p.shape for p in outputs.leaves]
        self.built = True

    def _spread_weights(self, outputs, weights):
        if weights is None:
            return [None] * outputs.count
        if isinstance(weights, (list, tuple)) and len(weights) != outputs.count:
            raise ValueError(f"loss_weights must have one number for each of the {outputs.count} outputs. Received: "
                             f"loss_weights={weights!r}")
        return outputs.spread(weights, "loss_weights", per_output=True)

    def _targets(self, y_true, outputs, given):
        """The targets of each output; those of a model with losses for some outputs may come without gaps."""
        wanted = [i for i, identifier in enumerate(given) if identifier is not None]
        leaves = flatten(y_true) if not isinstance(y_true, dict) else None
        if leaves is not None and len(leaves) == len(wanted) < outputs.count:
            targets = [None] * outputs.count
            for i, leaf in zip(wanted, leaves, strict=True):
                targets[i] = leaf
            return targets
        return outputs.split(y_true, "y")

    def __call__(self, y_true, y_pred, sample_weight=None):
        if not self.built:
            self.build(y_true, y_pred)
        outputs, leaves = self.outputs, flatten(y_pred)
        targets = self._targets(y_true, outputs, self._given())
        weights = split_weights(outputs, sample_weight, targets)
        total = None
        for n, (i, pairs, _) in enumerate(self.parts):
            own = None  # the output's losses without their weights
            if targets[i] is None:
                raise outputs.without_target(i, "a loss", "in y")
            for loss, weight in pairs:
                value = loss(targets[i], leaves[i], weights[i])
                if value.shape != ():
                    value = ops.sum(value)
                own = value if own is None else own + value
                if weight is not None:
                    value = value * float(weight)
                total = value if total is None else total + value
            if self.metrics:
                self.metrics[n].update_state(own, sample_weight=leaves[i].shape[0])
        return total

    def _given(self):
        """Something for each output with a loss, None for those without."""
        given = [None] * self.outputs.count
        for i, pairs, _ in self.parts:
            given[i] = pairs
        return given

    def check_targets(self, batches):
        """Raises ValueError for a target that is NaN, or that is no class number where its loss takes such."""
        outputs = self.outputs
        leaves = [batches.sources[i] for i in batches.y_range]
        names = [batches.names[i] for i in batches.y_range]
        given = self._given()
        y = batches.nest[1]
        if isinstance(y, dict):
            y = {key: (name, leaf) for key, name, leaf in zip(sorted(y), names, leaves, strict=True)}
            y = {key: _Pair(*pair) for key, pair in y.items()}
        else:
            y = [_Pair(name, leaf) for name, leaf in zip(names, leaves, strict=True)]
        for i, target in enumerate(self._targets(y, outputs, given)):
            if target is not None and given[i] is not None:
                for loss, _ in given[i]:
                    self._check_target(target.name, target.source, loss, outputs.leaves[i].shape)

    def _check_target(self, name, source, loss, shape):
        if source is None:
            return
        if source.dtype.kind == "f":
            check_finite(name, source)
        if isinstance(loss, LossFunctionWrapper) and loss.fn is losses.binary_crossentropy and source.size:
            low, high = source.min().item(), source.max().item()
            if low < 0 or high > 1:
                warnings.warn(f"The loss {loss.name} takes targets from 0 to 1. Received: {name} from {low} to {high}; "
                              f"{'divide them by 255' if high == 255 else 'number the two classes 0 and 1'}", stacklevel=7)
        if isinstance(loss, LossFunctionWrapper) and loss.fn is sparse_categorical_crossentropy:
            classes = shape[loss._fn_kwargs.get("axis", -1)]
            if source.ndim > 1 and source.shape == (source.shape[0], *shape[1:]) and source.shape[-1] != 1:
                return  # one-hot targets: the loss explains that
            wrong = bad_classes(source, classes, loss._fn_kwargs.get("ignore_class"))
            if wrong is not None:
                raise ValueError(f"{name} must hold class numbers from 0 to {classes - 1} for the loss {loss.name}, as "
                                 f"the model has {classes} output{'s' * (classes != 1)}. Received: {wrong[1]} at index "
                                 f"{wrong[0]}; number the classes from 0, or give the last layer more units")


class _Pair:
    """The name of an array and the array."""

    def __init__(self, name, source):
        self.name, self.source = name, source


def check_finite(name, source):
    """Raises ValueError where an array of targets holds a NaN."""
    flat, chunk = source.reshape(source.shape[0], -1), max(1, (1 << 20) // max(source[0].size, 1))
    for first in range(0, len(flat), chunk):  # in parts, so that no second array of the data's size is made
        part = flat[first:first + chunk]
        missing = part != part
        if missing.any():
            row, column = divmod(int(missing.argmax()), part.shape[1])
            where = first + row if part.shape[1] == 1 else (first + row, column)
            raise ValueError(f"{name} must hold a number for each target. Received: NaN at index {where}; drop or fill "
                             "samples without a target")


def split_weights(outputs, sample_weight, targets):
    """The weights for each output; a single array counts for all of them."""
    if sample_weight is None:
        return [None] * outputs.count
    if isinstance(sample_weight, Tensor) or (is_nest(sample_weight) and len(flatten(sample_weight)) == 1):
        return flatten(sample_weight) * outputs.count
    if not isinstance(sample_weight, dict):
        leaves, wanted = flatten(sample_weight), [i for i, t in enumerate(targets) if t is not None]
        if len(leaves) == len(wanted) < outputs.count:
            spread = [None] * outputs.count
            for i, leaf in zip(wanted, leaves, strict=True):
                spread[i] = leaf
            return spread
    return outputs.split(sample_weight, "sample_weight")


def as_list(value):
    """A single metric, as Keras 2 took it, as a list of one."""
    single = isinstance(value, (str, metrics.Metric)) or callable(value)
    return [value] if single else value


class CompileMetrics(metrics.Metric):
    """The metrics of all outputs.

    Args:
        given: metrics for the output, or a list or dict of them for each.
        weighted: metrics that sample weights apply to, likewise.
        output_names: names of the model's outputs, or None.
    """

    def __init__(self, given, weighted=None, output_names=None):
        super().__init__(name="compile_metrics")
        for argument, value in (("metrics", given), ("weighted_metrics", weighted)):
            if value and not isinstance(value, (list, tuple, dict)):
                raise ValueError(f"{argument} is a list, or a dict by output. Received: {argument}={value!r}, pass "
                                 f"[{value!r}]")
            for item in flatten(value or []):
                if item is not None and str(item).lower() not in ("accuracy", "acc", "crossentropy", "ce"):
                    metrics.get(item)  # a wrong name is an error of compile, not of fit
        self.given, self.weighted, self.output_names = given, weighted, output_names
        self.built = False
        self._parts = []  # (output's number, Metric, whether it is weighted, key in the logs)

    @property
    def metrics(self):
        """The single metrics, once the outputs are known."""
        return [metric for _, metric, _, _ in self._parts]

    @property
    def variables(self):
        return [variable for metric in self.metrics for variable in metric.variables]

    def build(self, y_true, y_pred):
        """Matches metrics to outputs, by the shapes of these."""
        outputs = self.outputs = Outputs(y_pred, self.output_names)
        targets = self._targets(y_true)
        used, parts = {}, []
        for weighted, given in ((False, self.given), (True, self.weighted)):
            for i, identifiers in enumerate(self._spread(given, "weighted_metrics" if weighted else "metrics")):
                if identifiers is None:
                    continue
                if targets[i] is None:
                    raise outputs.without_target(i, "metrics", "in y")
                for identifier in flatten(identifiers):
                    metric = _resolve_metric(identifier, targets[i], outputs.leaves[i])
                    parts.append((i, metric, weighted, self._key(i, metric.name, weighted, used)))
        self._parts, self.built = parts, True

    def _key(self, i, name, weighted, used):
        """The name in the logs: with the output's name where there are several, and different from all others."""
        order = self.outputs.order() if self.outputs.count > 1 else None
        prefix = f"{order[i]}_" if order else ""
        if weighted and prefix + name in used:
            prefix += "weighted_"
        name = prefix + name
        number = used.get(name, 0)
        used[name] = number + 1
        return f"{name}_{number}" if number else name

    def _spread(self, given, argument):
        if not given:
            return [None] * self.outputs.count
        if self.outputs.count == 1:
            return [flatten(given)]
        return self.outputs.spread(given, argument)

    def _targets(self, y_true):
        outputs = self.outputs
        if y_true is None:
            raise ValueError("Metrics compare the model's output with targets. Received: y=None; pass targets, or "
                             "compile the model without metrics")
        if not isinstance(y_true, dict):
            leaves = flatten(y_true)
            if len(leaves) < outputs.count:  # targets for the outputs that have metrics only
                wanted = [i for i, m in enumerate(self._spread(self.given, "metrics")) if m is not None]
                if len(leaves) == len(wanted):
                    targets = [None] * outputs.count
                    for i, leaf in zip(wanted, leaves, strict=True):
                        targets[i] = leaf
                    return targets
        return outputs.split(y_true, "y")

    def update_state(self, y_true, y_pred, sample_weight=None):
        if not self.built:
            self.build(y_true, y_pred)
        if not self._parts:
            return
        leaves, targets = flatten(y_pred), self._targets(y_true)
        weights = split_weights(self.outputs, sample_weight, targets)
        for i, metric, weighted, _ in self._parts:
            if targets[i] is None:
                raise self.outputs.without_target(i, "metrics", "in y")
            if weighted:
                metric.update_state(targets[i], leaves[i], sample_weight=weights[i])
            else:
                metric.update_state(targets[i], leaves[i])

    def reset_state(self):
        for metric in self.metrics:
            metric.reset_state()

    def result(self):
        if not self.built:
            raise ValueError("Metrics are known once the model has seen data. Received: a model before its first "
                             "fit or evaluate")
        return {key: metric.result() for _, metric, _, key in self._parts}
