# A program: many calls with every address settled, run by one C loop without the GIL.

cdef class Program:
    """Recorded calls, their promises placed in one arena.

    Args:
        calls: list of Call.
        waits: list of bool, whether a call needs all earlier ones to have finished.
        places: dict from promised root Buffer to its offset in the arena, in bytes.
        arena: Memory that holds the promises.
    """
    cdef readonly list calls
    cdef readonly dict places
    cdef readonly Memory arena
    cdef Memory args, table, scratch
    cdef int64_t count
    cdef size_t scratch_stride
    cdef int threads

    def __cinit__(self, list calls, list waits, dict places, Memory arena):
        cdef Call call
        cdef Buffer buffer
        cdef size_t total = 0, at = 0
        cdef int64_t i
        cdef int k
        cdef char *args
        cdef cnn_call *c
        self.calls, self.places, self.arena = calls, places, arena
        self.count = len(calls)
        for call in calls:
            total += (call.args_size + 15) // 16 * 16
        self.args = Memory(total)
        self.table = Memory(self.count * sizeof(cnn_call))
        c = <cnn_call *> self.table.data
        for i in range(self.count):
            call = calls[i]
            args = <char *> self.args.data + at
            at += (call.args_size + 15) // 16 * 16
            memcpy(args, call.args, call.args_size)
            for k in range(len(call.buffers)):
                buffer = call.buffers[k]
                (<void **> (args + call.fields[k]))[0] = self.address(buffer)
            _fill(&c[i], call, args)
            c[i].wait = waits[i]
            self.scratch_stride = max(self.scratch_stride, c[i].work.scratch)
        self.scratch_stride = (self.scratch_stride + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
        self.threads = 0

    cdef void *address(self, Buffer buffer) except NULL:
        cdef Buffer root
        if buffer.data != NULL:
            return buffer.data
        root = buffer.root
        return <char *> self.arena.data + <size_t> self.places[root] + buffer.offset

    def run(self):
        """Runs every call once."""
        if self.threads != _threads:
            self.scratch = Memory(self.scratch_stride * _threads)
            self.threads = _threads
        with nogil:
            cnn_run(<cnn_call *> self.table.data, self.count, self.threads, self.scratch.data, self.scratch_stride,
                    NULL)

    def timed(self):
        """Runs every call once and returns their times in seconds."""
        cdef double[::1] seconds = np.zeros(max(self.count, 1))
        if self.threads != _threads:
            self.scratch = Memory(self.scratch_stride * _threads)
            self.threads = _threads
        with nogil:
            cnn_run(<cnn_call *> self.table.data, self.count, self.threads, self.scratch.data, self.scratch_stride,
                    &seconds[0])
        return np.asarray(seconds)[:self.count]

    def fetch(self, Buffer buffer):
        """The memory that a recorded buffer has in this program, as a real Buffer without a copy."""
        cdef Buffer real = Buffer(buffer.shape, buffer.dtype)
        real.data = self.address(buffer)
        real.owner = (self, buffer)
        return real
