"""The order of a plan's calls: which it needs, which go depth first together, and where threads wait for each other."""
import math
from typing import NamedTuple

from cnncore import _core
from cnncore.plan import memory

CACHE_BYTES = 1 << 20  # what a block of images should touch at once, so that it stays in a core's own cache
MOST_SLOTS = 32
FEWEST_IMAGES = 4  # of a prediction that are shared out as images; fewer are shared out by rows and channels
CHAINED_BYTES = 1 << 17  # gradients of weights that take less stay in the cache anyway
SMALL_BYTES = 1 << 17  # runs of calls that touch less are left as they are: they stay in the cache anyway
THREAD_IMAGES = 4  # of a batch that keep a thread busy: with fewer, threads share every image instead


class Group(NamedTuple):
    """A run of calls that go depth first, a block of images at a time (csrc/cnn.h, cnn_group)."""

    first: int  # index of its first call
    count: int
    images: int
    images_per_slot: int
    images_per_block: int
    inside: dict  # root Buffers that only these calls use: (offset in the thread's memory, bytes per image)
    inside_bytes: int
    chained: bool = False  # calls that go task by task: "images" are tasks
    in_place: dict = {}  # root Buffers that are written in the place of others: {written: replaced}


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


# ---- depth first -------------------------------------------------------------------------------------------------

def dependencies(calls):
    """For each call {earlier call: root Buffers through which it depends on it}."""
    writer, readers, result = {}, {}, []
    for i, call in enumerate(calls):
        needs = {}
        for buffer, written in call.operands:
            root = buffer.root
            if root in writer:
                needs.setdefault(writer[root], set()).add(root)
            if written:
                for reader in readers.get(root, ()):
                    needs.setdefault(reader, set()).add(root)
        for buffer, written in call.operands:
            if written:
                writer[buffer.root], readers[buffer.root] = i, []
            else:
                readers.setdefault(buffer.root, []).append(i)
        needs.pop(i, None)
        result.append(needs)
    return result


def images_of(call):
    """How many images a call works through one by one; 0 where it needs the whole batch."""
    tasks, _, per_image, _, _, _ = call.work
    return tasks // per_image if per_image and tasks % per_image == 0 else 0


def slot_of(call):
    """Images whose tasks must run in order on one thread."""
    _, grain, per_image, _, _, ordered = call.work
    return grain // per_image if ordered else 1


def images_together(call):
    """Images that a call adds up together: a block of a slot's images ends at a multiple of so many."""
    _, _, per_image, _, _, ordered = call.work
    slot, images = slot_of(call), max(1, ordered // max(1, per_image))
    return images if slot % images == 0 else slot


def goes_by_layers(call):
    """Whether a call of inference had better take the whole batch at once: there are too few images for the threads to
    share, or it reads more weights than images, which every block of images would read again."""
    images = images_of(call)
    if images < FEWEST_IMAGES:
        return True
    batched = [buffer.root.shape[:1] == (images,) for buffer in call.buffers]
    weights = sum(buffer.nbytes for buffer, of_images in zip(call.buffers, batched, strict=True) if not of_images)
    return weights > sum(b.nbytes for b, of_images in zip(call.buffers, batched, strict=True) if of_images) // images


def depth_first(calls, inference=False):
    """(calls reordered, [(first, count) of each run that may go depth first]).

    Calls that need the whole batch come as early as they can; between them, as many image-by-image calls as can follow
    each other, image for image, form a run.
    """
    needs = dependencies(calls)
    images = [0 if inference and goes_by_layers(call) else images_of(call) for call in calls]
    slots = [slot_of(call) for call in calls]
    done, left, order, runs = set(), list(range(len(calls))), [], []

    def joins(i, run, members):
        """Whether call i may follow the run: what it shares with its calls is shared image by image."""
        if not images[i] or (run and images[i] != images[run[0]]):
            return False
        largest = max([slots[k] for k in run], default=1)
        if max(largest, slots[i]) % min(largest, slots[i]):
            return False
        return all(earlier in done or (earlier in members and
                                       all(root.shape and root.shape[0] == images[i] for root in roots))
                   for earlier, roots in needs[i].items())

    while left:
        whole = [i for i in left if not images[i] and all(earlier in done for earlier in needs[i])]
        if whole:
            # One at a time, so that what it makes ready keeps its place in the original order.
            taken = whole[:1]
            order.append(taken[0])
        else:
            taken, members = [], set()
            for i in left:
                if joins(i, taken, members):
                    taken.append(i)
                    members.add(i)
            if len(taken) > 1:
                runs.append((len(order), len(taken)))
            order.extend(taken)
        done.update(taken)
        gone = set(taken)
        left = [i for i in left if i not in gone]
    return [calls[i] for i in order], runs


def make_groups(calls, runs, kept):
    """Groups of the runs: what lives inside each, and how many images a block takes; none where threads would have too
    few images each."""
    users = {}
    for i, call in enumerate(calls):
        for buffer in call.buffers:
            users.setdefault(buffer.root, set()).add(i)
    return [_group(calls, first, count, users, kept) for first, count in runs
            if images_of(calls[first]) >= THREAD_IMAGES * _core.threads()
            and sum(buffer.nbytes for call in calls[first:first + count] for buffer in call.buffers) > SMALL_BYTES]


def _group(calls, first, count, users, kept):
    members = calls[first:first + count]
    images = images_of(members[0])
    slot = max(max(slot_of(call) for call in members), -(-images // MOST_SLOTS))
    largest = max(slot_of(call) for call in members)
    slot = -(-slot // largest) * largest
    inside, outside = {}, 0
    for call in members:
        bytes_outside = 0
        for buffer in call.buffers:
            root = buffer.root
            batched = root.is_promise and root.shape and root.shape[0] == images and buffer.offset == 0
            if batched and root not in kept and all(first <= i < first + count for i in users[root]):
                inside[root] = root.nbytes // images
            elif root.shape and root.shape[0] == images:
                bytes_outside += root.nbytes // images
        outside = max(outside, bytes_outside)
    spans = {root: span for root, span in memory.lifetimes(members, ()).items() if root in inside}
    _, per_image = memory.place_spans(spans, inside)
    block = max(1, min(slot, CACHE_BYTES // max(per_image + outside, 1)))
    block = -(-slot // -(-slot // block))  # blocks as even as can be
    together = math.lcm(*(images_together(call) for call in members))
    block = min(slot, -(-block // together) * together)
    places, size = memory.place_spans(spans, {root: nbytes * block for root, nbytes in inside.items()})
    return Group(first, count, images, slot, block,
                 {root: (places[root], inside[root]) for root in inside}, size)


# ---- gradients and their updates ------------------------------------------------------------------------------------

def chain_updates(calls, runs, kept):
    """(calls reordered, runs, Groups of a weight's gradient and the optimizer's step that alone reads it).

    Such a gradient is made and used a part at a time and never exists whole. Its call moves to where the step is, and so
    does the one that takes the same weight's rows for the gradient of the layer's input: the weight is read once.
    """
    users = {}
    for call in calls:
        for buffer in call.buffers:
            users.setdefault(buffer.root, []).append(call)
    inside_runs = {id(call) for first, count in runs for call in calls[first:first + count]}
    starts = [id(calls[first]) for first, _ in runs]
    chains = []
    for step in [call for call in calls if call.is_update]:
        weight, gradient = step.buffers[:2]
        making = [call for call in users[gradient.root] if call is not step]
        if (len(making) == 1 and making[0].gradient_part and gradient.is_promise and gradient.root not in kept
                and gradient.root is gradient and gradient.nbytes > CHAINED_BYTES and id(making[0]) not in inside_runs
                and _may_move(calls, making[0], step)):
            reading = [call for call in users[weight.root] if call.reads_weight_by_rows and call.buffers[1] is weight]
            reading = [call for call in reading if len(reading) == 1 and id(call) not in inside_runs
                       and _may_move(calls, call, step)]
            calls = [call for call in calls if call is not making[0] and call not in reading]
            at = next(i for i, call in enumerate(calls) if call is step)
            chain = [making[0]] + [call.in_parts(making[0].gradient_part) for call in [*reading, step]]
            calls[at:at + 1] = chain
            chains.append((chain, gradient))
    index = {id(call): i for i, call in enumerate(calls)}
    runs = [(index[start], count) for start, (_, count) in zip(starts, runs, strict=True)]
    return calls, runs, [_chain(calls, index[id(chain[0])], chain, gradient, kept) for chain, gradient in chains]


def _may_move(calls, call, later):
    """Whether nothing between them touches what `call` writes, or writes what it reads."""
    order = [id(c) for c in calls]
    between = calls[order.index(id(call)) + 1:order.index(id(later))]
    mine = {buffer.root: written for buffer, written in call.operands}
    return not any(buffer.root in mine and (written or mine[buffer.root])
                   for other in between for buffer, written in other.operands)


def _chain(calls, first, chain, gradient, kept):
    making = chain[0]
    tasks, part = making.work[0], 4 * making.gradient_part
    in_place = _in_place(calls, first, chain, kept) if len(chain) > 2 else {}
    return Group(first, len(chain), tasks, 1, 1, {gradient.root: (0, part)}, part,
                 chained=True, in_place=in_place)


def _in_place(calls, first, chain, kept):
    """{root of the gradient of a layer's input: root of the input}, where it can take the input's place part by part."""
    (making, reading), end = chain[:2], first + len(chain)
    x, dx = making.buffers[0].root, next(buffer.root for buffer, written in reading.operands if written)
    suits = (x.is_promise and dx.is_promise and x.nbytes == dx.nbytes and not {x, dx} & kept and reading.may_write_behind
             and not any(buffer.root is x for call in calls[end:] for buffer in call.buffers)
             and not any(buffer.root is dx for call in calls[:first] for buffer in call.buffers))
    return {dx: x} if suits else {}


# ---- waiting -----------------------------------------------------------------------------------------------------

def _region(buffer, places):
    """(space, begin, end) of a buffer's bytes: promises in the arena, real ones at their address."""
    if buffer.is_promise:
        begin = places[buffer.root] + buffer.offset
        return "arena", begin, begin + buffer.nbytes
    return "real", buffer.address, buffer.address + buffer.nbytes


def waits(calls, places, groups=()):
    """For each call, whether it touches what an earlier call since the last wait may still be working on.

    Calls of a single grain all run on the first thread, in order, and never wait for each other. Inside a group nobody
    waits; the group as a whole does.
    """
    result, pending = [], []  # pending: (space, begin, end, written, alone) since the last wait
    spans = {group.first: group.count for group in groups}
    i = 0
    while i < len(calls):
        count = spans.get(i, 1)
        members = calls[i:i + count]
        alone = count == 1 and members[0].work[0] <= members[0].work[1]
        regions = [(*_region(buffer, places), written, alone) for call in members for buffer, written in call.operands
                   if not buffer.is_promise or buffer.root in places]
        wait = any(space == other_space and begin < other_end and other_begin < end and (written or other_written)
                   and not (alone and other_alone)
                   for space, begin, end, written, _ in regions
                   for other_space, other_begin, other_end, other_written, other_alone in pending)
        if wait:
            pending = []
        pending.extend(regions)
        result += [wait] + [False] * (count - 1)
        i += count
    return result
