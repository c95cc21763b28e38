"""Batches out of a user's array: every dtype, offsets into the index, odd sizes, threads and messages."""
import numpy as np
import pytest
from layer_checks import THREADS, TIERS, Fenced, same_bits

from cnncore import _core
from cnncore.ops.gather_rows import SOURCES, gather_rows


def gathered(source, index, dtype="float32", start=None, rows=None):
    out = Fenced((len(index) if rows is None else rows, *source.shape[1:]), dtype)
    given = None if start is None else _core.Buffer.wrap(np.array(start, np.int64))
    gather_rows(source, _core.Buffer.wrap(np.asarray(index, np.int64)), out.buffer, given)
    out.check()
    return out.array


@pytest.fixture(params=TIERS, autouse=True)
def tier(request):
    before = _core.tier()
    _core.use_tier(request.param)
    yield request.param
    _core.use_tier(before)


def numbers(dtype, shape):
    draw = np.random.default_rng(1)
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return (draw.standard_normal(shape) * 100).astype(dtype)
    if kind.kind == "b":
        return draw.random(shape) < 0.5
    limits = np.iinfo(dtype)
    return draw.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)


@pytest.mark.parametrize("shape", [(9,), (9, 1), (9, 7), (9, 5, 6, 3), (9, 0)], ids=str)
@pytest.mark.parametrize("dtype", SOURCES)
def test_rows_become_float32_as_numpy_converts(dtype, shape):
    source, index = numbers(dtype, shape), [3, 0, 8, 3]
    assert np.array_equal(gathered(source, index), source[index].astype(np.float32))


@pytest.mark.parametrize("dtype", SOURCES)
def test_rows_become_int32(dtype):
    source = np.zeros((40, 7)).astype(dtype)
    source[:20] = numbers(dtype, (20, 7)) if np.dtype(dtype).itemsize < 4 or np.dtype(dtype).kind == "f" else 77
    index = np.arange(39, -1, -1)
    assert np.array_equal(gathered(source, index, "int32"), source[index].astype(np.int32))


@pytest.mark.parametrize("source", [
    np.array([np.nan, 3e9, -3e9, np.inf, -np.inf, 2147483648.0], np.float32),
    np.array([np.nan, 3e9, -3e9, np.inf, -np.inf, 2147483648.0, -2147483649.0]),
    np.array([2**31, -(2**31) - 1, 2**62], np.int64), np.array([2**31, 2**32 - 1], np.uint32),
    np.array([2**31, 2**64 - 1], np.uint64), np.array([np.nan, np.inf], np.float16),
], ids=lambda a: a.dtype.name)
def test_what_no_int32_holds_becomes_the_smallest(source):
    assert (gathered(source, range(len(source)), "int32") == -(2**31)).all()


def test_the_limits_of_int32_arrive():
    source = np.array([2**31 - 1, -(2**31), -1.9, 1.9, -0.0])
    assert gathered(source, range(5), "int32").tolist() == [2**31 - 1, -(2**31), -1, 1, 0]


def test_every_float16_is_converted_exactly():
    source = np.arange(65536, dtype=np.uint16).view(np.float16)
    got = gathered(source.reshape(256, 256), range(256)).reshape(-1)
    right = source.astype(np.float32)
    assert np.array_equal(got, right, equal_nan=True) and same_bits(np.signbit(got), np.signbit(right))


def test_start_is_an_offset_into_the_index():
    source, index = numbers("uint8", (20, 3)), np.random.default_rng(2).permutation(20)
    for start in (0, 6, 16):
        assert np.array_equal(gathered(source, index, start=start, rows=4), source[index[start:start + 4]])


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_the_bits_do_not_depend_on_threads(dtype):
    source, index = numbers(dtype, (50, 28, 28, 3)), np.random.default_rng(2).integers(0, 50, 33)
    results = []
    for threads in THREADS:
        _core.set_threads(threads)
        results.append(gathered(source, index))
    _core.set_threads(1)
    assert np.array_equal(results[0], source[index]) and all(same_bits(r, results[0]) for r in results)


def test_no_rows_and_a_read_only_array():
    source = numbers("uint8", (5, 4))
    source.flags.writeable = False
    assert gathered(source, [], rows=0).shape == (0, 4)
    assert np.array_equal(gathered(source, [4]), source[[4]])


def test_what_does_not_fit_is_explained():
    index, out = _core.Buffer.wrap(np.zeros(2, np.int64)), _core.Buffer.allocate((2, 4))
    with pytest.raises(TypeError, match="Received: dtype complex64"):
        gather_rows(np.zeros((3, 4), np.complex64), index, out)
    with pytest.raises(TypeError, match="float32 or int32"):
        gather_rows(np.zeros((3, 4), np.float32), index, _core.Buffer.allocate((2, 4), "uint8"))
    with pytest.raises(ValueError, match="whole rows"):
        gather_rows(np.zeros((3, 5), np.float32), index, out)
    with pytest.raises(ValueError, match="index for each row"):
        gather_rows(np.zeros((3, 4), np.float32), index, _core.Buffer.allocate((3, 4)))
    with pytest.raises(ValueError, match="C-contiguous"):
        gather_rows(np.zeros((4, 3), np.float32).T, index, out)
