"""Which recorded calls a plan needs, and before which of them all threads must have caught up."""


def live_calls(calls, kept):
    """The calls whose results anything uses: a real buffer, a kept promise, or a later live call."""
    needed = set(kept)
    live = []
    for call in reversed(calls):
        written = [buffer for buffer, writes in call.operands if writes]
        if any(not buffer.is_promise or buffer.root in needed for buffer in written):
            live.append(call)
            needed.update(buffer.root for buffer in call.buffers if buffer.is_promise)
    return live[::-1]


def _region(buffer, places):
    """(space, begin, end) of a buffer's bytes: promises in the arena, real ones at their address."""
    if buffer.is_promise:
        begin = places[buffer.root] + buffer.offset
        return "arena", begin, begin + buffer.nbytes
    return "real", buffer.address, buffer.address + buffer.nbytes


def waits(calls, places):
    """For each call, whether it touches what an earlier call since the last wait may still be working on.

    Calls of a single group all run on the first thread, in order, and never wait for each other.
    """
    result, pending = [], []  # pending: (space, begin, end, written, alone) since the last wait
    for call in calls:
        tasks, grain, _, _ = call.work
        alone = tasks <= grain
        regions = [(*_region(buffer, places), written, alone) for buffer, written in call.operands]
        wait = any(space == other_space and begin < other_end and other_begin < end and (written or other_written)
                   and not (alone and other_alone)
                   for space, begin, end, written, _ in regions
                   for other_space, other_begin, other_end, other_written, other_alone in pending)
        if wait:
            pending = []
        pending.extend(regions)
        result.append(wait)
    return result
