# Calls: a kernel with its argument struct filled in, and the buffers whose addresses go into it.

DEF MOST_OPERANDS = 12

cdef const cnn_kernel *_table = cnn_tier_table(cnn_best_tier())
cdef int _tier = cnn_best_tier()
cdef int _threads = 1


def tiers_here():
    """The names of the tiers that this build holds and this CPU runs, in rising order."""
    return [cnn_tier_name(t).decode() for t in range(CNN_TIERS) if cnn_tier_runs_here(t)]


def use_tier(str name):
    """Makes calls from now on run the named tier. Packed weights of another tier must not be used after it."""
    global _table, _tier
    for tier in range(CNN_TIERS):
        if cnn_tier_name(tier).decode() == name and cnn_tier_runs_here(tier):
            _tier = tier
            _table = cnn_tier_table(tier)
            return
    raise ValueError(f"The CPU tier must be one that this machine runs: {tiers_here()}. Received: {name!r}")


def tier():
    """The name of the tier in use."""
    return cnn_tier_name(_tier).decode()


def lanes():
    """float32 elements in a vector of the tier in use."""
    return cnn_tier_lanes(_tier)


def has_tiles():
    """Whether the tier in use has the kernels on matrix tiles."""
    return bool(cnn_tier_has_tiles(_tier))


def set_threads(int count):
    global _threads
    if count < 1:
        raise ValueError(f"The number of threads must be 1 or more. Received: {count}")
    _threads = count


def threads():
    return _threads


def kernel_names():
    """Every kernel, in the order of kernels.def."""
    return [_table[i].name.decode() for i in range(CNN_KERNELS)]


cdef class Call:
    """One bound kernel call."""
    cdef readonly int kernel
    cdef void *args
    cdef size_t args_size
    cdef readonly list buffers              # each operand's Buffer
    cdef size_t fields[MOST_OPERANDS]       # where in args its pointer stands
    cdef bint written[MOST_OPERANDS]

    def __cinit__(self, int kernel):
        if _table[kernel].run == NULL:
            raise ValueError(f"The tier in use, {tier()!r}, has no {_table[kernel].name.decode()}")
        self.kernel = kernel
        self.args_size = _table[kernel].args_size
        self.args = PyMem_Malloc(self.args_size)
        if self.args == NULL:
            raise MemoryError
        memset(self.args, 0, self.args_size)
        self.buffers = []

    def __dealloc__(self):
        PyMem_Free(self.args)

    cdef Call bind(self, const void *field, Buffer buffer, bint written, tuple shape, str dtype):
        """Puts a buffer's address into a pointer field: the one check of memory. None leaves NULL."""
        cdef int i = len(self.buffers)
        if buffer is None:
            return self
        if buffer.dtype != dtype or (shape is not None and buffer.shape != shape):
            raise ValueError(f"{self.name} needs {dtype}{list(shape) if shape is not None else ''}. "
                             f"Received: {buffer}")
        self.fields[i] = <size_t> field - <size_t> self.args
        self.written[i] = written
        self.buffers.append(buffer)
        (<void **> field)[0] = buffer.data
        return self

    cdef Call reads(self, const void *field, Buffer buffer, tuple shape=None, str dtype="float32"):
        return self.bind(field, buffer, False, shape, dtype)

    cdef Call writes(self, const void *field, Buffer buffer, tuple shape=None, str dtype="float32"):
        return self.bind(field, buffer, True, shape, dtype)

    cdef void touch_written(self):
        cdef int i
        for i in range(len(self.buffers)):
            if self.written[i]:
                (<Buffer> self.buffers[i]).touch()

    @property
    def name(self):
        return _table[self.kernel].name.decode()

    @property
    def operands(self):
        """(buffer, written) of every operand."""
        return [(self.buffers[i], bool(self.written[i])) for i in range(len(self.buffers))]

    @property
    def work(self):
        """The call's cnn_work on the tier in use: (tasks, grain, per_image, scratch bytes, state bytes, ordered)."""
        cdef cnn_work w = _table[self.kernel].work(self.args)
        return w.tasks, w.grain, w.per_image, w.scratch, w.state, w.ordered

    @property
    def gradient_part(self):
        """How many elements of a weight's gradient each task writes whole, one task after the other; 0 for other calls."""
        cdef cnn_dense_dw_args *dw
        if self.kernel in (CNN_dense_dw, CNN_dense_tiles_dw):
            dw = <cnn_dense_dw_args *> self.args
            return 0 if dw.accumulate else dw.rows * dw.units
        return 0

    @property
    def is_update(self):
        """Whether this is an optimizer's step: buffers[0] is the weight, buffers[1] its gradient."""
        return self.kernel in (CNN_sgd, CNN_adam, CNN_update)

    @property
    def reads_weight_by_rows(self):
        """Whether each task can do with some rows of a weight, buffers[1], and with the same columns of what it writes."""
        return self.kernel in (CNN_dense_dx, CNN_dense_tiles_dx)

    @property
    def may_write_behind(self):
        """Of such a call, whether its result may take the place of the ReLU's output that masks it."""
        return self.kernel == CNN_dense_tiles_dx or (<cnn_dense_dx_args *> self.args).units <= CNN_DX_DEPTH

    def in_parts(self, int64_t elements):
        """An optimizer's step, or a call that reads a weight by rows, with so many elements of the weight in a task."""
        cdef Call call = Call(self.kernel)
        memcpy(call.args, self.args, self.args_size)
        memcpy(call.fields, self.fields, sizeof(self.fields))
        memcpy(call.written, self.written, sizeof(self.written))
        call.buffers = self.buffers
        if self.kernel == CNN_sgd:
            (<cnn_sgd_args *> call.args).chunk = elements
        elif self.kernel == CNN_adam:
            (<cnn_adam_args *> call.args).chunk = elements
        elif self.reads_weight_by_rows:
            (<cnn_dense_dx_args *> call.args).columns = elements // (<cnn_dense_dx_args *> call.args).units
        else:
            (<cnn_update_args *> call.args).chunk = elements
        return call

    def __repr__(self):
        return f"{self.name}({', '.join(map(repr, self.buffers))})"


cdef int _fill(cnn_call *c, Call call, const void *args) except -1:
    c.run = _table[call.kernel].run
    c.args = args
    c.work = _table[call.kernel].work(args)
    c.kernel = call.kernel
    c.wait = 1
    c.group = NULL
    return 0


cdef size_t _scratch_bytes(const cnn_work *w):
    """What one thread needs for a call run in one piece: scratch, then state."""
    return (w.scratch + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT + (w.state + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


def run_now(list calls):
    """Runs calls whose buffers are all real, in order."""
    cdef int64_t count = len(calls), i
    cdef size_t scratch = 0
    cdef int ran_on = _threads
    cdef cnn_call few[16]
    cdef cnn_call *c = few
    cdef Memory room, more
    cdef Call call
    if count > 16:
        more = Memory(count * sizeof(cnn_call))
        c = <cnn_call *> more.data
    for i in range(count):
        call = calls[i]
        _fill(&c[i], call, call.args)
        scratch = max(scratch, _scratch_bytes(&c[i].work))
    scratch += cnn_claims_bytes(count)
    room = Memory(scratch * ran_on)
    with nogil:
        cnn_run(c, count, ran_on, room.data, scratch, NULL)
    for call in calls:
        call.touch_written()
