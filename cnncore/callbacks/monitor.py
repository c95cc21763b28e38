"""What callbacks that watch a metric have in common: which way is better, and by how much."""
import operator
import warnings


def checked_mode(mode, callback):
    """The mode, or 'auto' with a warning where it is unknown."""
    if mode in ("auto", "min", "max"):
        return mode
    warnings.warn(f"The mode of {callback} is 'auto', 'min' or 'max'. Received: mode={mode!r}, 'auto' is used",
                  stacklevel=3)
    return "auto"


def checked_patience(patience, callback):
    """The number of epochs to wait."""
    if isinstance(patience, str) or patience is None:
        raise ValueError(f"{callback}: patience is a number of epochs. Received: patience={patience!r}")
    return patience


def is_better(value, reference, monitor_op, min_delta=0):
    """Whether the value is better than the reference by more than `min_delta`; monitor_op is 'less' or 'greater'."""
    return bool(monitor_op(value + min_delta if monitor_op(0, 1) else value - min_delta, reference))


def comparison(monitor, mode, model, callback):
    """Which of two values of a metric is better, as a function, by the mode or else by the model's own metrics."""
    if mode == "auto":
        mode = _direction(monitor, model, callback)
    return operator.lt if mode == "min" else operator.gt


def _direction(monitor, model, callback):
    """'min' where less of a metric is better, else 'max': by what the metric says of itself, or by its name."""
    name = monitor.removeprefix("val_")
    for metric in _all_metrics(model):
        if getattr(metric, "name", None) == name and getattr(metric, "_direction", None) in ("up", "down"):
            return "max" if metric._direction == "up" else "min"
    if name == "loss":
        return "min"
    if name == "acc" or name.endswith("accuracy"):
        return "max"
    raise ValueError(f"{callback} needs to know whether more or less of its metric is better. Received: "
                     f"monitor={monitor!r} with mode='auto', pass mode='max' or mode='min'")


def _all_metrics(model):
    """The model's metrics, with those inside containers."""
    for metric in getattr(model, "metrics", ()):
        yield from getattr(metric, "metrics", None) or [metric]
