"""Making again what is cheap to make, where it is read, instead of keeping it from one depth-first run to another."""
from cnncore import _core
from cnncore.plan import schedule

# Convolutions that are run again: (products for each number at most, bytes of the result at least). A first layer's
# costs no more than reading its result from memory; for a large result some hundredths of a step are worth its memory.
PAYS = ((32, 1 << 21), (320, 1 << 25))
CHEAP = frozenset(("max_pool2d_dx", "avg_pool2d_dx", "global_avg_pool2d_dx", "dropout_dx", "bn_apply"))


def pays(call, result):
    """Whether running the call again costs little for the memory that its result takes."""
    products = 1 if call.name in CHEAP else _core.products_per_number(call)
    return any(0 < products <= most and result.nbytes >= least for most, least in PAYS)


def masked_by_dropout(calls):
    """The calls, in which a gradient on its way through dropout to max pooling behind a ReLU is masked by dropout's result,
    where it is made if it can be: what was dropped has no gradient anyway. Pooling's own result then need not be kept."""
    writers, readers = {}, {}
    for call in calls:
        for buffer, writes in call.operands:
            (writers if writes else readers).setdefault(buffer.root, []).append(call)
    dropouts = {call.buffers[0].root: call for call in calls if call.name == "dropout" and len(call.buffers) == 4}
    replaced = {}
    for pool in calls:
        if pool.name != "max_pool2d_dx" or len(pool.buffers) != 4 or pool.buffers[2].root not in dropouts:
            continue
        y, mask = dropouts[pool.buffers[2].root].buffers[2:]
        back = writers[pool.buffers[0].root]
        if len(back) != 1 or back[0].name != "dropout_dx" or back[0].buffers[1].root is not mask.root:
            continue
        gradient = back[0].buffers[0]
        makers = writers.get(gradient.root, [])
        masked = None
        if len(makers) == 1 and len(readers[gradient.root]) == 1 and gradient.root.size == y.size:
            masked = _core.masked(makers[0], y.view(gradient.shape))
        if masked is None:
            replaced[pool] = _core.rebound(pool, [*pool.buffers[:2], y.view(pool.buffers[2].shape), pool.buffers[3]])
        else:
            replaced[makers[0]], replaced[pool] = masked, _core.unmasked(pool)
    return [replaced.get(call, call) for call in calls]


def make_again(calls, runs, kept):
    """(calls, runs) in which such results no longer go from one run to another: every run that reads one makes it.

    Worth it where the result is larger than what has to be kept longer for it, which must be the same then as before.
    """
    run_of = {}
    for k, (first, count) in enumerate(runs):
        run_of.update((i, k) for i in range(first, first + count))
    writers = {}  # {root of a result: index of its call}
    copies = {}  # {run: {root of a result: index of the call that the copy goes before}}
    for i, call in enumerate(calls):
        written = [buffer for buffer, writes in call.operands if writes]
        if i not in run_of or len(written) != 1 or schedule.slot_of(call) > 1:
            continue
        result = written[0].root
        if not pays(call, result):
            continue
        users = [k for k, other in enumerate(calls) if any(buffer.root is result for buffer in other.buffers)]
        if (not result.is_promise or result in kept or users[0] < i
                or not all(k in run_of for k in users) or run_of[users[-1]] == run_of[i]
                or any(result is buffer.root for k in users[1:] for buffer, writes in calls[k].operands if writes)):
            continue
        if result.nbytes > _kept_longer(calls, i, users[-1], writers):
            writers[result] = i
            for run in {run_of[k] for k in users} - {run_of[i]}:
                _add(copies.setdefault(run, {}), result, min(k for k in users if run_of[k] == run), calls, writers)
    return _with_copies(calls, runs, copies, writers)


def _add(copies, result, first, calls, writers):
    """A copy of what makes `result` before call `first` of a run, behind copies of what makes its operands."""
    for buffer in calls[writers[result]].buffers:
        if buffer.root in writers and buffer.root is not result:
            _add(copies, buffer.root, first, calls, writers)
    copies[result] = min(first, copies.get(result, first))


def _kept_longer(calls, at, end, writers):
    """Bytes of what call `at` reads that nothing else would keep until `end`; infinite where it changes before then."""
    extra = 0
    for buffer, written in calls[at].operands:
        root = buffer.root
        if written:
            continue
        if root in writers:  # it is made again itself
            extra += _kept_longer(calls, writers[root], end, writers)
            continue
        if any(root is other.root for k in range(at + 1, end + 1) for other, writes in calls[k].operands if writes):
            return float("inf")
        users = [k for k, other in enumerate(calls) if any(b.root is root for b in other.buffers)]
        if root.is_promise and users[-1] < end and not set(users) & set(writers.values()):
            extra += root.nbytes
    return extra


def _with_copies(calls, runs, copies, writers):
    """The calls with a copy of its own in every run that reads such a result."""
    made, new_runs, at = [], [], 0
    for run, (first, count) in enumerate(runs):
        made += calls[at:first]
        start, renamed = len(made), {}
        for i in range(first, first + count):
            for result in [result for result, before in copies.get(run, {}).items() if before == i]:
                renamed[result] = _core.Buffer.promise(result.shape, result.dtype)
                made.append(_on(calls[writers[result]], renamed))
            made.append(_on(calls[i], renamed))
        new_runs.append((start, len(made) - start))
        at = first + count
    return made + calls[at:], new_runs


def _on(call, renamed):
    """The same call on the copies."""
    if not any(buffer.root in renamed for buffer in call.buffers):
        return call
    return _core.rebound(call, [renamed[buffer.root].view(buffer.shape) if buffer.root in renamed else buffer
                                for buffer in call.buffers])
