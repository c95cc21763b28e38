"""Where every promised buffer of a plan lies: lifetimes, and one arena in which buffers that never meet overlap."""

ALIGNMENT = 64


def lifetimes(calls, kept, groups=()):
    """{root buffer: (first call, last call)} of every promise; those in `kept` live to the end.

    A buffer that a depth-first group touches lives as long as the whole group, because its blocks interleave.
    """
    span_of = list(range(len(calls)))
    first, last = span_of[:], span_of[:]
    for group in groups:
        for i in range(group.first, group.first + group.count):
            first[i], last[i] = group.first, group.first + group.count - 1
    spans = {}
    for i, call in enumerate(calls):
        for buffer in call.buffers:
            if buffer.is_promise:
                root = buffer.root
                before = spans.get(root, (first[i], last[i]))
                spans[root] = (min(before[0], first[i]), max(before[1], last[i]))
    for root in kept:
        spans[root] = (spans[root][0] if root in spans else 0, len(calls))
    return spans


def place_spans(spans, sizes):
    """Offsets for buffers with these lifetimes and sizes in bytes: ({root: offset}, bytes in all).

    The largest are placed first, each at the lowest offset that no buffer alive at the same time takes.
    """
    places, placed = {}, []  # placed: (offset, end, first, last), by offset
    for root in sorted(spans, key=lambda root: (-sizes[root], spans[root])):
        first, last = spans[root]
        size = -(-max(sizes[root], 1) // ALIGNMENT) * ALIGNMENT
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


def place(calls, kept=(), groups=()):
    """Offsets in the arena for all promises but those that live inside a group."""
    spans = lifetimes(calls, kept, groups)
    shared = {}
    for group in groups:
        for root in group.inside:
            del spans[root]
        shared.update(group.in_place)
    for written, replaced in shared.items():
        spans[replaced] = (spans[replaced][0], spans.pop(written)[1])
    places, size = place_spans(spans, {root: root.nbytes for root in spans})
    return places | {written: places[replaced] for written, replaced in shared.items()}, size
