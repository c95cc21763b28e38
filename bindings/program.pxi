# A program: many calls with every address settled, run by one C loop without the GIL.

cdef size_t _aligned(size_t size):
    return (size + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


cdef class Program:
    """Recorded calls, their promises placed in one arena or in the memory of the threads that run them.

    Args:
        calls: list of Call.
        waits: list of bool, whether a call (or the group that it starts) needs all earlier ones to have finished.
        places: dict from promised root Buffer to its offset in the arena, in bytes.
        arena: Memory that holds the promises.
        groups: list of plan.schedule.Group, runs of calls that go depth first.
        prepared: how many of the first calls run only when what they read has changed.
    """
    cdef readonly list calls
    cdef readonly dict places
    cdef readonly Memory arena
    cdef readonly list groups
    cdef Memory args, table, scratch
    cdef list group_memory
    cdef int64_t count
    cdef readonly size_t scratch_stride
    cdef int threads
    cdef bint unbound                       # whether `rebind` has taken away memory that calls read
    cdef readonly int64_t prepared
    cdef list sources, changed              # roots that the prepared calls read; real ones that calls write
    cdef int64_t seen                       # the sources' versions when the prepared calls last ran

    def __cinit__(self, list calls, list waits, dict places, Memory arena, list groups=[], int64_t prepared=0):
        cdef Call call
        cdef Buffer buffer
        cdef size_t total = 0, at = 0
        cdef int64_t i
        cdef int k
        cdef char *args
        cdef cnn_call *c
        self.calls, self.places, self.arena, self.groups = calls, places, arena, groups
        self.count = len(calls)
        inside = {root for group in groups for root in group.inside}
        for call in calls:
            total += _aligned(call.args_size)
        self.args = Memory(total)
        self.table = Memory(self.count * sizeof(cnn_call))
        c = <cnn_call *> self.table.data
        for i in range(self.count):
            call = calls[i]
            args = <char *> self.args.data + at
            at += _aligned(call.args_size)
            memcpy(args, call.args, call.args_size)
            for k in range(len(call.buffers)):
                buffer = call.buffers[k]
                if buffer.root not in inside:
                    (<void **> (args + call.fields[k]))[0] = self.address(buffer)
            _fill(&c[i], call, args)
            c[i].wait = waits[i]
            self.scratch_stride = max(self.scratch_stride, _scratch_bytes(&c[i].work))
        self.group_memory = []
        for group in groups:
            self.add_group(group)
        self.scratch_stride += cnn_claims_bytes(self.count)
        self.threads = 0
        self.prepared, self.seen = prepared, -1
        self.sources = list({buffer.root for call in calls[:prepared] for buffer in call.buffers
                             if not buffer.is_promise})
        self.changed = list({buffer.root for call in calls for buffer, written in call.operands
                             if written and not buffer.is_promise})

    cdef int add_group(self, group) except -1:
        """Lays out a thread's memory for a group: its args, what only it uses, states, scratch."""
        cdef cnn_call *c = <cnn_call *> self.table.data + <int64_t> group.first
        cdef int64_t count = group.count, i, patches = 0
        cdef int k
        cdef Call call
        cdef Buffer buffer
        cdef Memory memory
        cdef cnn_group *g
        cdef cnn_patch *p
        cdef int64_t *states
        cdef size_t at, scratch = 0
        cdef list calls = self.calls[group.first:group.first + group.count]
        for call in calls:
            patches += len(call.buffers)
        memory = Memory(_aligned(sizeof(cnn_group)) + _aligned(count * sizeof(int64_t)) + patches * sizeof(cnn_patch))
        self.group_memory.append(memory)
        g = <cnn_group *> memory.data
        states = <int64_t *> (<char *> memory.data + _aligned(sizeof(cnn_group)))
        p = <cnn_patch *> (<char *> states + _aligned(count * sizeof(int64_t)))
        g.count, g.images = count, group.images
        g.images_per_slot, g.images_per_block = group.images_per_slot, group.images_per_block
        g.patches, g.states, g.patch_count = p, states, 0
        g.args = <const char *> c[0].args
        g.args_bytes = 0
        for call in calls:
            g.args_bytes += _aligned(call.args_size)
        at = g.args_bytes
        for i in range(count):
            call = calls[i]
            for k in range(len(call.buffers)):
                buffer = call.buffers[k]
                place = group.inside.get(buffer.root)
                if place is None:
                    continue
                p.call, p.field = i, call.fields[k]
                p.offset, p.image_bytes = <int64_t> at + place[0], place[1]
                p += 1
                g.patch_count += 1
        at += _aligned(group.inside_bytes)
        for i in range(count):
            if group.chained:
                c[i].work.per_image = 1
            states[i] = at
            at += _aligned(c[i].work.state)
            scratch = max(scratch, c[i].work.scratch)
        g.scratch = at
        self.scratch_stride = max(self.scratch_stride, at + _aligned(scratch))
        c[0].group = g
        return 0

    cdef void *address(self, Buffer buffer) except NULL:
        if buffer.data != NULL:
            return buffer.data
        return <char *> self.arena.data + <size_t> self.places[buffer.root] + buffer.offset

    def rebind(self, dict others):
        """Makes the calls read other buffers, {buffer: the other}; a promise leaves no memory to read. Nothing that calls
        write, or that prepared calls read, may be among them."""
        cdef cnn_call *c = <cnn_call *> self.table.data
        cdef Call call
        cdef Buffer other
        cdef int64_t i
        cdef int k
        self.unbound = any(buffer.is_promise for buffer in others.values())
        for i in range(self.count):
            call = self.calls[i]
            for k in range(len(call.buffers)):
                other = others.get(call.buffers[k])
                if other is not None:
                    call.buffers[k] = other
                    (<void **> (<char *> c[i].args + call.fields[k]))[0] = other.data

    cdef int run_with(self, double *seconds) except -1:
        if self.unbound:
            raise RuntimeError("A plan that has let go of what it reads runs after it has been bound again")
        if self.threads != _threads:
            self.scratch = Memory(self.scratch_stride * _threads)
            self.threads = _threads
        cdef int64_t versions = 0, first = 0
        cdef Buffer buffer
        for buffer in self.sources:
            versions += buffer.version
        if versions == self.seen:
            first = self.prepared
        with nogil:
            cnn_run(<cnn_call *> self.table.data + first, self.count - first, self.threads, self.scratch.data,
                    self.scratch_stride, seconds + first if seconds != NULL else NULL)
        self.seen = versions
        for buffer in self.changed:
            buffer.version += 1
        return 0

    def run(self):
        """Runs every call once."""
        self.run_with(NULL)

    def timed(self):
        """Runs every call once and returns their times in seconds, as the first thread saw them."""
        cdef double[::1] seconds = np.zeros(max(self.count, 1))
        self.run_with(&seconds[0])
        return np.asarray(seconds)[:self.count]

    def fetch(self, Buffer buffer):
        """The memory that a recorded buffer has in this program, as a real Buffer without a copy."""
        cdef Buffer real = Buffer(buffer.shape, buffer.dtype)
        real.data = self.address(buffer)
        real.owner = (self, buffer)
        return real
