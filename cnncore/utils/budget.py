"""How many bytes of weights layers may make while a model is loaded: as many as its file has values for."""
import math
import threading
from contextlib import contextmanager

_budget = threading.local()


@contextmanager
def weight_budget(number_of_bytes, where):
    """While open, layers in this thread may make weights of this many bytes in all.

    Args:
        number_of_bytes: integer.
        where: the file, for messages.
    """
    before = getattr(_budget, "state", None)
    _budget.state = [number_of_bytes, number_of_bytes, where]
    try:
        yield
    finally:
        _budget.state = before


def charge(shape, itemsize, owner):
    """Called before a weight is made: refuses one that the file being loaded cannot hold the values of.

    Args:
        shape: the weight's shape.
        itemsize: bytes of one element.
        owner: the layer's name, for the message.

    Raises:
        ValueError: the shape is impossible, or with this weight the file's budget is spent.
    """
    state = getattr(_budget, "state", None)
    if state is None:
        return
    state[0] -= itemsize * math.prod(shape)
    if min(shape, default=0) < 0 or state[0] < 0:
        raise ValueError(f"The configuration in {state[2]} must describe weights that the file has values for, "
                         f"{state[1]:,} bytes in all. Received: a weight of shape {tuple(shape)} in layer {owner!r} "
                         "beyond that; the file is damaged or was made to exhaust memory")
