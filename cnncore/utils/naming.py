"""Names that layers and models get by themselves: conv2d, conv2d_1, ..."""
import re
import threading
from collections import Counter

from cnncore import _core

_used = Counter()
_lock = threading.Lock()


def to_snake_case(name):
    """'MaxPooling2D' as 'max_pooling2d', as Keras does."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def auto_name(prefix):
    """The prefix the first time, then prefix_1, prefix_2, ..."""
    with _lock:
        number = _used[prefix]
        _used[prefix] += 1
    return f"{prefix}_{number}" if number else prefix


def get_uid(prefix=""):
    """The number of times that an automatic name was taken, this one included.

    Args:
        prefix: the name without a number.
    """
    with _lock:
        _used[prefix] += 1
        return _used[prefix]


def clear_session(free_memory=True):
    """Makes automatic names count from the start again.

    Args:
        free_memory: whether memory that is kept for reuse goes back to the system.
    """
    with _lock:
        _used.clear()
    if free_memory:
        _core.release_free_memory()
