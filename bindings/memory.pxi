# Buffers: typed, contiguous pieces of memory, or promises of them.

cdef extern from "stdlib.h" nogil:
    int posix_memalign(void **memory, size_t alignment, size_t size)
    void free(void *memory)

cdef extern from "sys/mman.h" nogil:
    int madvise(void *address, size_t length, int advice)
    int MADV_HUGEPAGE

DEF ALIGNMENT = 64
DEF HUGE_PAGE = 2097152
DEF FREE_LIST_LIMIT = 268435456

# Blocks that were given back, by size; guarded by the GIL.
cdef dict _free_blocks = {}
cdef size_t _free_bytes = 0


cdef size_t _size_class(size_t size):
    """Sizes rounded up to a quarter of a power of two, so that a free list of few classes serves all."""
    cdef size_t step = ALIGNMENT
    while step * 8 < size:
        step *= 2
    return (size + step - 1) // step * step


cdef class Memory:
    """A block of aligned memory, taken from a free list and given back to it."""
    cdef void *data
    cdef readonly size_t size

    def __cinit__(self, size_t size):
        global _free_bytes
        cdef list blocks
        self.size = _size_class(size if size > ALIGNMENT else ALIGNMENT)
        blocks = _free_blocks.get(self.size)
        if blocks:
            self.data = <void *> <size_t> blocks.pop()
            _free_bytes -= self.size
            return
        if posix_memalign(&self.data, HUGE_PAGE if self.size >= 2 * HUGE_PAGE else ALIGNMENT, self.size) != 0:
            self.data = NULL
            raise MemoryError(f"Cannot allocate {size} bytes")
        if self.size >= 2 * HUGE_PAGE:
            madvise(self.data, size // HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE)  # none that would be used in part

    def __dealloc__(self):
        global _free_bytes
        if self.data == NULL:
            return
        if _free_bytes + self.size <= FREE_LIST_LIMIT:
            _free_bytes += self.size
            _free_blocks.setdefault(self.size, []).append(<size_t> self.data)
        else:
            free(self.data)


def release_free_memory():
    """Gives the memory of the free list back to the system."""
    global _free_bytes
    for blocks in _free_blocks.values():
        for block in blocks:
            free(<void *> <size_t> block)
    _free_blocks.clear()
    _free_bytes = 0


_TYPE_NUMBERS = {"float16": cnp.NPY_FLOAT16, "float32": cnp.NPY_FLOAT32, "float64": cnp.NPY_FLOAT64,
                 "int8": cnp.NPY_INT8, "int16": cnp.NPY_INT16, "int32": cnp.NPY_INT32, "int64": cnp.NPY_INT64,
                 "uint8": cnp.NPY_UINT8, "uint16": cnp.NPY_UINT16, "uint32": cnp.NPY_UINT32,
                 "uint64": cnp.NPY_UINT64, "bool": cnp.NPY_BOOL}
_ITEM_SIZES = {name: np.dtype(name).itemsize for name in _TYPE_NUMBERS}


cdef class Buffer:
    """A contiguous array of one dtype: real memory, or a promise of memory that a plan will place."""
    cdef readonly tuple shape
    cdef readonly str dtype
    cdef readonly int64_t size
    cdef readonly int64_t nbytes
    cdef readonly Buffer base       # the buffer that this one is a view of, or None
    cdef readonly int64_t offset    # bytes from the start of base
    cdef int64_t version            # of a root: grows whenever a call may have written its memory
    cdef void *data                 # NULL while it is a promise
    cdef object owner               # keeps the memory alive
    cdef object __weakref__

    def __cinit__(self, shape, str dtype):
        cdef int64_t size = 1
        cdef int64_t item = _ITEM_SIZES[dtype]
        self.shape = tuple(shape)
        self.dtype = dtype
        for length in self.shape:
            if length < 0:
                raise ValueError(f"A shape has no negative sizes. Received: shape={self.shape}")
            if length and size > (<int64_t> 1 << 62) // item // <int64_t> length:
                raise MemoryError(f"A tensor of shape {self.shape} and dtype {dtype} does not fit in memory")
            size *= <int64_t> length
        self.size = size
        self.nbytes = size * item

    @staticmethod
    def allocate(shape, str dtype="float32"):
        """Real memory with any content."""
        cdef Buffer buffer = Buffer(shape, dtype)
        cdef Memory memory = Memory(buffer.nbytes)
        buffer.owner = memory
        buffer.data = memory.data
        return buffer

    @staticmethod
    def promise(shape, str dtype="float32"):
        """Memory that does not exist yet: a plan will place it."""
        return Buffer(shape, dtype)

    @staticmethod
    def wrap(array):
        """The memory of a contiguous NumPy array, without a copy; the array is kept alive."""
        cdef cnp.ndarray a = array
        cdef Buffer buffer
        if not (a.flags.c_contiguous and a.flags.aligned and a.dtype.isnative):
            raise ValueError("Buffer.wrap takes C-contiguous, aligned arrays of native byte order. "
                             f"Received: strides {array.strides}, dtype {a.dtype}; use np.ascontiguousarray")
        buffer = Buffer(np.shape(array), a.dtype.name)
        buffer.owner = a
        buffer.data = cnp.PyArray_DATA(a)
        return buffer

    def view(self, shape):
        """The same memory under another shape of the same size."""
        cdef Buffer buffer = Buffer(shape, self.dtype)
        if buffer.size != self.size:
            raise ValueError(f"A view keeps the size. Received: {self.shape} viewed as {buffer.shape}")
        buffer.base = self if self.base is None else self.base
        buffer.offset = self.offset
        buffer.data = self.data
        return buffer

    def rows(self, int64_t begin, int64_t end):
        """The rows [begin, end) of the first axis, without a copy."""
        cdef Buffer buffer
        if not (self.shape and 0 <= begin <= end <= self.shape[0]):
            raise ValueError(f"Rows {begin} to {end} of shape {self.shape}")
        buffer = Buffer((end - begin,) + self.shape[1:], self.dtype)
        buffer.base = self if self.base is None else self.base
        buffer.offset = self.offset + (begin * (self.nbytes // self.shape[0]) if self.shape[0] else 0)
        buffer.data = NULL if self.data == NULL else <char *> self.data + (buffer.offset - self.offset)
        return buffer

    def __reduce__(self):
        """For copy and pickle: memory of its own with the same values; a promise stays a promise."""
        if self.data == NULL:
            return Buffer.promise, (self.shape, self.dtype)
        return _buffer_of, (self.numpy().copy(),)

    @property
    def is_promise(self):
        return self.data == NULL

    @property
    def is_wrapped(self):
        """Whether the memory is a NumPy array's, which may change without a call."""
        return isinstance((<Buffer> self.root).owner, np.ndarray)

    cpdef void touch(self):
        """To be called when its memory is written by other means than calls."""
        (<Buffer> (self if self.base is None else self.base)).version += 1

    @property
    def address(self):
        """The address of its first byte, 0 for a promise."""
        return <size_t> self.data

    @property
    def root(self):
        """The buffer that owns the memory: itself, or what it is a view of."""
        return self if self.base is None else self.base

    def numpy(self):
        """A NumPy array over the same memory, without a copy."""
        cdef cnp.npy_intp dims[32]
        cdef int i
        if self.data == NULL:
            raise RuntimeError("The values of a tensor do not exist while a step is being recorded")
        for i in range(len(self.shape)):
            dims[i] = self.shape[i]
        array = cnp.PyArray_SimpleNewFromData(len(self.shape), dims, _TYPE_NUMBERS[self.dtype], self.data)
        cnp.set_array_base(array, self)
        return array

    def __repr__(self):
        kind = "promise" if self.data == NULL else "buffer"
        return f"<{kind} {self.dtype}{list(self.shape)}>"


def _buffer_of(array):
    """A buffer of its own with an array's values."""
    buffer = Buffer.allocate(array.shape, array.dtype.name)
    buffer.numpy()[...] = array
    return buffer
