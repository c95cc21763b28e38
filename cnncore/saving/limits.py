"""What a file may contain before anything of it is believed: sizes, depths, shapes and dtypes."""
import json
import math
import re
import threading
from contextlib import contextmanager

MAX_CONFIG_BYTES = 8 << 20
MAX_METADATA_BYTES = 1 << 16
MAX_DEPTH = 200
MAX_NODES = 500_000
MAX_VARIABLES = 100_000
MAX_RANK = 8
MAX_EXPANSION = 100  # times a compressed piece may grow

_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{},]', re.DOTALL)
_budget = threading.local()


def parse_json(data, where):
    """JSON of bounded size and depth, as Python objects.

    Args:
        data: bytes.
        where: the file and its part, for messages.

    Raises:
        ValueError: it is too large, too deep, or no JSON object.
    """
    if len(data) > MAX_CONFIG_BYTES:
        raise ValueError(f"{where} must be at most {MAX_CONFIG_BYTES:,} bytes. Received: {len(data):,} bytes")
    depth = nodes = 0
    # Measured before parsing, since the parser recurses once per level and makes an object per value.
    for token in _TOKENS.finditer(data):
        first = data[token.start()]
        if first in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise ValueError(f"{where} must be nested at most {MAX_DEPTH} deep. Received: more than that")
        elif first in b"]}":
            depth -= 1
        nodes += first != 0x22
        if nodes > MAX_NODES:
            raise ValueError(f"{where} must hold at most {MAX_NODES:,} values. Received: more than that")
    try:
        value = json.loads(data)
    except ValueError as error:  # also of bytes that are no UTF-8, and of numbers with too many digits
        raise ValueError(f"{where} must be JSON. Received: text that is not ({error})") from None
    if not isinstance(value, dict):
        raise ValueError(f"{where} must be a JSON object. Received: {type(value).__name__}")
    return value


@contextmanager
def weight_budget(number_of_bytes, where):
    """While open, layers in this thread may make weights of this many bytes in all; see `charge`."""
    before = getattr(_budget, "left", None)
    _budget.left = [number_of_bytes, number_of_bytes, where]
    try:
        yield
    finally:
        _budget.left = before


def charge(shape, itemsize, owner):
    """Called before a weight is made: refuses one that the file being loaded cannot hold the values of.

    Args:
        shape: the weight's shape.
        itemsize: bytes of one element.
        owner: the layer's name, for the message.

    Raises:
        ValueError: the shape is impossible, or with this weight the file's budget is spent.
    """
    left = getattr(_budget, "left", None)
    if left is None:
        return
    size = itemsize * math.prod(shape)
    left[0] -= size
    if min(shape, default=0) < 0 or left[0] < 0:
        raise ValueError(f"The configuration in {left[2]} must describe weights that the file has values for, "
                         f"{left[1]:,} bytes in all. Received: a weight of shape {tuple(shape)} in layer {owner!r} "
                         "beyond that; the file is damaged or was made to exhaust memory")
