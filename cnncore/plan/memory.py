"""Where every promised buffer of a plan lies: lifetimes, and one arena in which buffers that never meet overlap."""

ALIGNMENT = 64


def lifetimes(calls, kept):
    """{root buffer: (first call, last call)} of every promise; those in `kept` live to the end."""
    spans = {}
    for i, call in enumerate(calls):
        for buffer in call.buffers:
            if buffer.is_promise:
                root = buffer.root
                spans[root] = (spans[root][0] if root in spans else i, i)
    for root in kept:
        spans[root] = (spans[root][0] if root in spans else 0, len(calls))
    return spans


def place(calls, kept=()):
    """Offsets for all promises: ({root buffer: bytes from the arena's start}, the arena's size).

    The largest are placed first, each at the lowest offset that no buffer alive at the same time takes.
    """
    spans = lifetimes(calls, kept)
    places, placed = {}, []  # placed: (offset, end, first, last), by offset
    for root in sorted(spans, key=lambda root: (-root.nbytes, spans[root])):
        first, last = spans[root]
        size = -(-max(root.nbytes, 1) // ALIGNMENT) * ALIGNMENT
        offset = 0
        for begin, end, other_first, other_last in placed:
            if other_first <= last and first <= other_last:
                if begin - offset >= size:
                    break
                offset = max(offset, end)
        places[root] = offset
        placed.append((offset, offset + size, first, last))
        placed.sort()
    return places, max((end for _, end, _, _ in placed), default=0)
