"""Recorded calls while a plan for inference replaces some of them by others: who reads, who writes, what is constant."""
from collections import defaultdict


def constant_calls(calls, inputs):
    """The set of calls whose results depend on nothing but real memory that neither changes from run to run nor is
    written by the calls themselves."""
    writers = defaultdict(int)
    for call in calls:
        for buffer, written in call.operands:
            writers[buffer.root] += written
    known, constant = set(), set()

    def is_known(root):
        if root.is_promise:
            return root in known
        return root not in inputs and not writers[root] and not root.is_wrapped

    for call in calls:
        written = [buffer.root for buffer, writes in call.operands if writes]
        if all(root.is_promise and writers[root] == 1 for root in written) and all(
                is_known(buffer.root) for buffer, writes in call.operands if not writes):
            constant.add(call)
            known.update(written)
    return constant


class Recording:
    """Recorded calls, of which some are replaced by others."""

    def __init__(self, calls, inputs, kept):
        self.places = [[call] for call in calls]
        self.place_of = {}
        self.inputs, self.kept = inputs, kept
        self.readers, self.writers = defaultdict(list), defaultdict(list)
        for i, call in enumerate(calls):
            self._enter(call, i)
        self.constant = constant_calls(calls, inputs)

    def calls(self):
        return [call for place in self.places for call in place]

    def named(self, name):
        """The calls of one kernel, as they are now; those that have been replaced by the time they come are left out."""
        return (call for call in [call for call in self.calls() if call.name == name] if call in self.place_of)

    def _enter(self, call, place):
        self.place_of[call] = place
        for buffer, written in call.operands:
            (self.writers if written else self.readers)[buffer.root].append(call)

    def remove(self, call):
        """Takes a call out."""
        self.places[self.place_of.pop(call)].remove(call)
        for buffer, written in call.operands:
            (self.writers if written else self.readers)[buffer.root].remove(call)

    def replace(self, call, others):
        """Puts calls in the place of one."""
        place = self.place_of[call]
        self.remove(call)
        self.places[place].extend(others)
        for other in others:
            self._enter(other, place)

    def maker(self, buffer):
        """The call that alone writes a buffer, all of it; None where there is none or it is not a promise."""
        writers = self.writers[buffer.root]
        if not buffer.is_promise or len(writers) != 1 or buffer.nbytes != buffer.root.nbytes:
            return None
        return writers[0]

    def settled(self, buffer, call, readers):
        """Whether a buffer that `call` reads still has the same values where others, later ones, are to read it."""
        last = max(self.place_of[reader] for reader in readers)
        return not any(self.place_of[call] <= self.place_of[writer] <= last for writer in self.writers[buffer.root])

    def only_for(self, buffer, reader):
        """Whether nobody but `reader` needs a buffer's values."""
        return buffer.root not in self.kept and self.readers[buffer.root] == [reader]

    def is_constant(self, buffer):
        root = buffer.root
        if root.is_promise:
            return bool(self.writers[root]) and all(call in self.constant for call in self.writers[root])
        return root not in self.inputs and not self.writers[root] and not root.is_wrapped

    def constantly(self, calls):
        self.constant.update(calls)
        return calls
