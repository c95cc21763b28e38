"""Logs whose numbers are fetched only when somebody looks at them."""
from collections.abc import Mapping


class LazyLogs(Mapping):
    """A mapping from metric names to numbers, read at the first look.

    Args:
        read: function without arguments that returns the logs as a dict, or such a dict.

    Example:
        >>> logs = LazyLogs(lambda: {"loss": 0.5})
        >>> logs["loss"]
        0.5
    """

    __slots__ = ("_read", "_values")
    is_lazy = True

    def __init__(self, read):
        self._read = read
        self._values = None

    def as_dict(self):
        """The logs as a dict of Python floats, read once: everybody gets the same dict and sees what others add."""
        if self._values is None:
            self._values = python_logs(self._read() if callable(self._read) else self._read)
        return self._values

    def __getitem__(self, name):
        return self.as_dict()[name]

    def __iter__(self):
        return iter(self.as_dict())

    def __len__(self):
        return len(self.as_dict())

    def __bool__(self):
        """True without a look, so that the idiom `logs = logs or {}` fetches nothing."""
        return True

    def __repr__(self):
        return repr(self.as_dict())


def python_logs(logs):
    """A flat dict of the logs in order of names, each value a Python float where it is one number, as in Keras."""
    flat = {}
    for name, value in sorted((logs or {}).items()):
        if isinstance(value, Mapping):
            flat.update(python_logs(value))
            continue
        try:
            flat[name] = value if getattr(value, "ndim", 0) else float(value)  # a batch of predictions stays an array
        except (TypeError, ValueError):
            flat[name] = value
    return flat
