"""What a file may contain before anything of it is believed: how much, how deep, how many."""
import json
import re

MAX_CONFIG_BYTES = 8 << 20
MAX_METADATA_BYTES = 1 << 16
MAX_DEPTH = 200
MAX_NODES = 500_000
MAX_VARIABLES = 100_000
MAX_RANK = 8
MAX_EXPANSION = 100  # times a compressed piece may grow

_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{},]', re.DOTALL)


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
