"""Batches out of a user's array: rows picked by index and converted while they are copied."""
from cnncore import _core, executor

SOURCES = ("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float16", "float32",
           "float64")


def gather_rows(source, index, out, start=None):
    """out[i] = source[index[start + i]] as float32 or int32, for every row i of out.

    source: C-contiguous NumPy array (any, ...); index: int64 Buffer of row numbers that are all inside source;
    out: float32 or int32 Buffer (rows, ...); start: int64 Buffer of shape (), or None for 0. The caller keeps
    start + rows within index.
    """
    if source.dtype.name not in SOURCES:
        raise TypeError(f"Rows are gathered from an array of numbers. Received: dtype {source.dtype}; convert it with "
                        "astype('float32')")
    executor.current().emit([gather_call(_core.Buffer.wrap(source), index, out, start)])


def gather_call(source, index, out, start=None):
    """The call that gather_rows emits; source: a Buffer."""
    if out.dtype not in ("float32", "int32"):
        raise TypeError(f"Rows are gathered as float32 or int32. Received: {out}")
    return _core.gather_rows(source, index, out, start)
