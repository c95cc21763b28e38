"""Weights in '.safetensors': what is written is what the format says, and nothing damaged or malicious is believed."""
import io
import json
import struct
import time

import numpy as np
import pytest
from saving_models import OURS, assert_same_weights, compiled, inputs_of, sequential, shake, targets_of, trained

from cnncore import applications, callbacks
from cnncore.saving import safetensors

rng = np.random.default_rng(17)
ENTRIES = [("", "net", {}), ("layers/conv2d", "conv2d", {"0": rng.normal(size=(3, 3, 1, 8)).astype("float32"),
                                                         "1": np.zeros(8, "float32")}),
           ("layers/seeds", "seeds", {"0": np.array([1, 2], "uint32")}),
           ("optimizer", "adam", {"0": np.int64(3), "1": np.array([True, False, True])})]


def packed(tmp_path, entries=ENTRIES):
    safetensors.write(tmp_path / "a.safetensors", entries)
    return (tmp_path / "a.safetensors").read_bytes()


def arrays_of(data):
    reader = safetensors.SafetensorsReader(io.BytesIO(data), "the file 'bad.safetensors'")
    return {(path, key): reader.read(path, key) for path in sorted(reader.groups()) for key in reader.shapes(path)}


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) and a[k].dtype == b[k].dtype for k in a)


def test_every_kind_of_number_comes_back(tmp_path):
    wanted = {(path, key): np.asarray(array) for path, _, store in ENTRIES for key, array in store.items()}
    data = packed(tmp_path)
    assert same(arrays_of(data), wanted) and packed(tmp_path) == data


def test_the_bytes_are_what_the_format_says(tmp_path):
    data = packed(tmp_path)
    length = struct.unpack("<Q", data[:8])[0]
    table = json.loads(data[8:8 + length])
    assert length % 8 == 0 and data[8:9] == b"{"
    for name, entry in table.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            assert (8 + length + begin) % {"I64": 8, "F32": 4, "U32": 4, "BOOL": 1}[entry["dtype"]] == 0
            assert 8 + length + end <= len(data)
    begin, end = table["layers/conv2d/vars/0"]["data_offsets"]
    kernel = np.frombuffer(data[8 + length + begin:8 + length + end], "<f4").reshape(3, 3, 1, 8)
    np.testing.assert_array_equal(kernel, ENTRIES[1][2]["0"])


def test_the_formats_own_package_reads_and_writes_it(tmp_path):
    package = pytest.importorskip("safetensors.numpy")
    packed(tmp_path)
    theirs = package.load_file(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(theirs["layers/conv2d/vars/0"], ENTRIES[1][2]["0"])
    package.save_file(theirs, tmp_path / "b.safetensors")
    assert same(arrays_of((tmp_path / "b.safetensors").read_bytes()), arrays_of(packed(tmp_path)))


def test_half_precision_is_read(tmp_path):
    values = np.array([1.5, -2.0, 0.25, 3.0], "float32")
    short = (values.view("<u4") >> 16).astype("<u2").tobytes()
    table = json.dumps({"x/vars/0": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [0, 8]}}).encode()
    read = arrays_of(struct.pack("<Q", len(table)) + table + short)[("x", "0")]
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, values.reshape(2, 2))


def test_weights_and_the_optimizers_state_come_back_and_training_goes_on(tmp_path):
    model = trained(sequential)
    model.save_weights(tmp_path / "a.safetensors")
    again = compiled(sequential, OURS)
    again.optimizer.build(again.trainable_variables)
    again.load_weights(tmp_path / "a.safetensors")
    assert_same_weights(model, again)
    for a, b in zip(model.optimizer.variables, again.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_what_does_not_fit_is_named_and_can_be_left_out(tmp_path):
    model = OURS.Sequential([OURS.layers.Input((4,)), OURS.layers.Dense(3), OURS.layers.Dense(2)])
    other = OURS.Sequential([OURS.layers.Input((4,)), OURS.layers.Dense(3), OURS.layers.Dense(5)])
    model.save_weights(tmp_path / "a.safetensors")
    before = other.get_weights()
    with pytest.raises(ValueError, match="do not fit.*Nothing was changed"):
        other.load_weights(tmp_path / "a.safetensors")
    with pytest.warns(UserWarning, match="keep their values"):
        other.load_weights(tmp_path / "a.safetensors", skip_mismatch=True)
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])
    np.testing.assert_array_equal(other.get_weights()[2], before[2])
    with pytest.raises(ValueError, match="by_name"):
        model.load_weights(tmp_path / "a.safetensors", by_name=True)
    with pytest.raises(FileExistsError):
        model.save_weights(tmp_path / "a.safetensors", overwrite=False)


def test_applications_and_checkpoints_take_the_format(tmp_path):
    model = applications.SqueezeNet(weights=None, input_shape=(64, 64, 3), classes=5)
    shake(model)
    model.save_weights(tmp_path / "net.safetensors")
    again = applications.SqueezeNet(weights=str(tmp_path / "net.safetensors"), input_shape=(64, 64, 3), classes=5)
    assert_same_weights(model, again)
    small = compiled(sequential, OURS)
    small.fit(inputs_of(small), targets_of(sequential), verbose=0, callbacks=[callbacks.ModelCheckpoint(
        str(tmp_path / "{epoch:02d}.safetensors"), save_weights_only=True)])
    assert (tmp_path / "01.safetensors").is_file()


def test_every_flipped_bit_and_every_cut_is_an_error_or_changes_nothing(tmp_path):
    data = packed(tmp_path)
    wanted = arrays_of(data)
    for bit in range(0, 8 * len(data), 3):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            assert same(arrays_of(bytes(damaged)), wanted)
        except ValueError as error:
            assert "Received" in str(error)
    for end in range(0, len(data), 7):
        with pytest.raises(ValueError, match="Received"):
            arrays_of(data[:end])


def table_of(**changes):
    return {"a/vars/0": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}}


@pytest.mark.parametrize("table", [
    table_of(shape=[1 << 40]), table_of(shape=[1 << 31, 1 << 31, 1 << 31, 0]), table_of(shape=[-2]),
    table_of(shape=[2.0]), table_of(shape=[True, 2]), table_of(shape=2), table_of(shape=[1] * 20 + [2]),
    table_of(data_offsets=[8, 0]), table_of(data_offsets=[-8, 0]), table_of(data_offsets=[0, 1 << 63]),
    table_of(data_offsets=[0]), table_of(dtype="F8_E4M3"), table_of(dtype="object"), table_of(dtype=["F32"]),
    {"a/vars/0": None}, {"a/vars/0": []}, {}, {"a/vars/0": {**table_of()["a/vars/0"], "shape": [1],
                                                          "data_offsets": [4, 8]}},
    {**table_of(), "b/vars/0": table_of()["a/vars/0"]}, "[" * 100_000, {"a": "x" * (9 << 20)},
], ids=range(21))
def test_malicious_tables_are_refused_by_name(table):
    text = (table if isinstance(table, str) else json.dumps(table)).encode()
    start = time.perf_counter()
    with pytest.raises(ValueError, match=r"bad\.safetensors.*Received"):
        arrays_of(struct.pack("<Q", len(text)) + text + bytes(8))
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize("data", [b"", b"\x00" * 7, b"\xff" * 8, struct.pack("<Q", 1 << 62), bytes(8),
                                  b"\x89HDF\r\n\x1a\n"])
def test_what_is_no_safetensors_file_is_refused(data):
    with pytest.raises(ValueError, match="bad.safetensors"):
        arrays_of(data)
