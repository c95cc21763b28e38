"""Files are replaced whole, and what damaged or malicious files hold is refused by name before it is believed."""
import contextlib
import io
import json
import os
import resource
import stat
import subprocess
import sys
import time
import zipfile

import h5py
import numpy as np
import pytest

from cnncore.saving import atomic, container, h5_store, limits, registry
from cnncore.saving.serialization import deserialize_keras_object, serialize_keras_object, sharing_scope
from cnncore.utils import budget

rng = np.random.default_rng(5)
ENTRIES = [("", "net", {}),
           ("layers/conv2d", "conv2d", {"0": rng.normal(size=(3, 3, 1, 8)).astype("float32"),
                                        "1": np.zeros(8, "float32")}),
           ("layers/dense", "dense", {"0": rng.normal(size=(30, 8)).astype("float32")}),
           ("optimizer", "adam", {"0": np.int64(3), "1": np.float32(0.1)})]


def arrays_of(data):
    with h5_store.H5Reader(data, "the file") as reader:
        return {(path, key): reader.read(path, key) for path in sorted(reader.groups()) for key in reader.shapes(path)}


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) and a[k].dtype == b[k].dtype for k in a)


@contextlib.contextmanager
def disk_of(size):
    """While open, no file of this process can grow beyond `size` bytes."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limit[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)


# ---- replacing whole files ---------------------------------------------------------------------------------------

def test_a_full_disk_at_any_byte_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "model.keras"
    weights = h5_store.pack(ENTRIES)
    container.write(path, {"a": 1}, weights)
    old, size = path.read_bytes(), path.stat().st_size
    for limit in [*range(0, size, 997), size - 1]:
        with disk_of(limit), pytest.raises(OSError):
            container.write(path, {"b": 2}, weights)
        assert path.read_bytes() == old
        assert os.listdir(tmp_path) == ["model.keras"]
    container.write(path, {"b": 2}, weights)
    assert container.read(path, "it")[0] == {"b": 2}


@pytest.mark.parametrize("call", ["fsync", "replace", "chmod"])
def test_an_error_of_the_system_before_the_rename_leaves_the_old_file(tmp_path, monkeypatch, call):
    path = tmp_path / "weights"
    atomic.write_bytes(path, b"old")

    def fail(*arguments):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError):
        atomic.write_bytes(path, b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["weights"]


def test_an_error_in_the_writers_own_code_leaves_the_old_file(tmp_path):
    path = tmp_path / "log.csv"
    atomic.write_text(path, "old")
    with pytest.raises(KeyboardInterrupt), atomic.replacing(path, "w") as file:
        file.write("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["log.csv"]


def test_permissions_and_links_are_kept(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    atomic.write_bytes(real, b"1")
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(real.stat().st_mode) == 0o666 & ~umask
    real.chmod(0o640)
    link.symlink_to("real")
    atomic.write_bytes(link, b"2")
    assert link.is_symlink() and real.read_bytes() == b"2" and stat.S_IMODE(real.stat().st_mode) == 0o640


def test_a_folder_in_the_way_and_a_missing_folder_are_named(tmp_path):
    with pytest.raises(IsADirectoryError, match="which is a folder"):
        atomic.write_bytes(tmp_path, b"")
    with pytest.raises(FileNotFoundError, match="absent"):
        atomic.write_bytes(tmp_path / "absent" / "file", b"")


def test_a_killed_writer_leaves_the_old_or_the_new_file(tmp_path):
    path = tmp_path / "model.keras"
    code = """if 1:
        import sys
        import numpy as np
        from cnncore.saving import container, h5_store
        for i in range(10**9):
            weights = h5_store.pack([("layers/dense", "dense", {"0": np.full(200_000, i, "float32")})])
            container.write(sys.argv[1], {"i": i}, weights)
            if i == 0:
                print("first", flush=True)
    """
    for delay in (0.0, 0.003, 0.011, 0.02, 0.031):
        process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE,
                                   env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
        assert process.stdout.readline() == b"first\n"
        time.sleep(delay)
        process.kill()
        process.wait()
        process.stdout.close()
        config, weights = container.read(path, "it")
        with h5_store.H5Reader(weights, "it") as reader:
            assert set(reader.read("layers/dense", "0")) == {float(config["i"])}


def test_what_a_killed_writer_left_goes_with_the_next_save_but_not_what_one_is_writing(tmp_path):
    path = tmp_path / "model.keras"
    with atomic.replacing(path) as file:
        file.write(b"by a writer that still runs")
        (busy,) = os.listdir(tmp_path)
        dead, fresh = (tmp_path / f".model.keras.{digit * 16}.tmp" for digit in "ab")
        others = [tmp_path / name for name in (".model.keras.notes.tmp", f".model.weights.h5.{'a' * 16}.tmp")]
        for left in (dead, fresh, *others):
            left.write_bytes(b"half")
        for old in (dead, tmp_path / busy, *others):
            os.utime(old, (0, 0))
        atomic.write_bytes(path, b"new")
        assert sorted(os.listdir(tmp_path)) == sorted([busy, fresh.name, "model.keras", *(o.name for o in others)])
    assert path.read_bytes() == b"by a writer that still runs"


# ---- HDF5 --------------------------------------------------------------------------------------------------------

def test_equal_weights_make_equal_bytes_that_come_back():
    data = h5_store.pack(ENTRIES)
    assert data == h5_store.pack(ENTRIES)
    expected = {(path, key): np.asarray(array) for path, _, store in ENTRIES for key, array in store.items()}
    assert same(arrays_of(data), expected)
    assert same(arrays_of(data + h5_store.trailer(data)), expected)


def test_every_flipped_bit_of_a_weights_file_is_an_error_or_changes_nothing():
    data = h5_store.pack(ENTRIES)
    data += h5_store.trailer(data)
    expected, refused = arrays_of(data), 0
    for bit in rng.integers(0, 8 * len(data), 1500):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            assert same(arrays_of(bytes(damaged)), expected)
        except ValueError:
            refused += 1
    assert refused > 1400
    for end in rng.integers(0, len(data) - 200, 200):
        with pytest.raises(ValueError, match="HDF5"):
            arrays_of(data[:end])


def test_no_flipped_bit_of_a_file_without_checksum_does_worse_than_change_a_number():
    data = h5_store.pack(ENTRIES)
    for bit in rng.integers(0, 8 * len(data), 500):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with contextlib.suppress(ValueError):
            arrays_of(bytes(damaged))


def add_soft_link(file):
    file["layers/dense/vars/0"] = h5py.SoftLink("/elsewhere")


def add_external_link(file):
    file["layers/dense"] = h5py.ExternalLink("/etc/hostname", "/x")


def add_external_data(file):
    file.create_dataset("layers/dense/vars/0", (4,), "uint8", external=[("/etc/hostname", 0, 4)])


def add_virtual(file):
    layout = h5py.VirtualLayout((4,), "float32")
    layout[:] = h5py.VirtualSource("/tmp/other.h5", "x", (4,))
    file.create_virtual_dataset("layers/dense/vars/0", layout)


def add_four_tebibytes(file):
    file.create_dataset("layers/dense/vars/0", (1 << 40,), "float32")


def add_compressed_bomb(file):
    file.create_dataset("layers/dense/vars/0", (1 << 40,), "float32", chunks=(1 << 16,), compression="gzip")


def add_giant_chunk(file):
    file.create_dataset("layers/dense/vars/0", (4,), "float32", chunks=(1 << 28,), maxshape=(None,))


def add_many_halves(file):
    for i in range(200):
        file.create_dataset(f"layers/dense/vars/{i}", (1 << 24,), "float32", chunks=(1 << 16,), compression="gzip")


def add_objects(file):
    file.create_dataset("layers/dense/vars/0", data=["text"], dtype=h5py.string_dtype())


def add_references(file):
    file.create_dataset("layers/dense/vars/0", (1,), h5py.ref_dtype)


def add_compound(file):
    file.create_dataset("layers/dense/vars/0", (1,), [("a", "f4"), ("b", "i4")])


def add_null(file):
    file["layers/dense/vars/0"] = h5py.Empty("float32")


def add_plugin_filter(file):
    file.create_dataset("layers/dense/vars/0", (1024,), "float32", chunks=(512,), compression="lzf")


def add_cycle(file):
    file.create_group("layers/dense/vars")["again"] = file["/"]


def add_many_dimensions(file):
    file.create_dataset("layers/dense/vars/0", (1,) * 20, "float32")


def add_named_type(file):
    file["layers/dense/vars"] = np.dtype("float32")


MALICIOUS = [value for name, value in sorted(globals().items()) if name.startswith("add_")]


@pytest.mark.parametrize("add", MALICIOUS, ids=lambda add: add.__name__[4:])
def test_malicious_hdf5_is_refused_by_name(add):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        add(file)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    with pytest.raises(ValueError, match=r"bad\.h5.*Received"):
        h5_store.H5Reader(buffer.getvalue(), "the file 'bad.h5'").close()
    assert time.perf_counter() - start < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 256 << 10


# ---- the zip -----------------------------------------------------------------------------------------------------

def make_zip(path, members, **options):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members:
            archive.writestr(name, data, **options)
    return path


GOOD = [("metadata.json", '{"keras_version": "3.10.0"}'), ("config.json", '{"class_name": "Sequential"}'),
        ("model.weights.h5", h5_store.pack(ENTRIES))]


def symlink(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize("members", [
    GOOD + [("../evil.py", "x")], GOOD + [("/etc/evil", "x")], GOOD + [(symlink("link"), "/etc/passwd")],
    GOOD + [("assets/vocabulary.txt", "x")], GOOD + [GOOD[1]], GOOD[1:], GOOD[:2], [],
], ids=["parent", "absolute", "symlink", "assets", "twice", "no metadata", "no weights", "empty"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_with_other_members_than_the_three_is_refused_and_nothing_is_unpacked(tmp_path, members):
    path = make_zip(tmp_path / "bad.keras", members)
    with pytest.raises(ValueError, match=r"bad\.keras.*(must hold|must be).*Received"):
        container.read(path, f"the file {str(path)!r}")
    assert os.listdir(tmp_path) == ["bad.keras"]


@pytest.mark.parametrize("member", [0, 1, 2])
def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path, member):
    members = list(GOOD)
    members[member] = (members[member][0], bytes(300 << 20))
    path = make_zip(tmp_path / "bad.keras", members, compress_type=zipfile.ZIP_DEFLATED, compresslevel=1)
    start = time.perf_counter()
    with pytest.raises(ValueError, match="must unpack to at most"):
        container.read(path, "the file 'bad.keras'")
    assert time.perf_counter() - start < 2


def test_a_zip_that_lies_about_its_sizes_is_refused(tmp_path):
    path = make_zip(tmp_path / "bad.keras", GOOD)
    data, size = path.read_bytes(), len(GOOD[2][1])
    for lie in (0, size - 1, size + 1, 1 << 31):
        changed = data.replace(size.to_bytes(4, "little"), lie.to_bytes(4, "little"))
        assert changed != data
        path.write_bytes(changed)
        with pytest.raises(ValueError):
            container.read(path, "the file 'bad.keras'")


def test_every_flipped_bit_of_a_keras_file_is_an_error_or_changes_nothing(tmp_path):
    path = tmp_path / "model.keras"
    container.write(path, {"a": [1, 2, 3]}, GOOD[2][1])
    data = path.read_bytes()
    for bit in [*rng.integers(0, 8 * len(data), 400), *rng.integers(8 * (len(data) - 300), 8 * len(data), 800)]:
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with contextlib.suppress(ValueError):
            assert container.read(path, "it") == ({"a": [1, 2, 3]}, GOOD[2][1])
    for end in rng.integers(0, len(data), 200):
        path.write_bytes(data[:end])
        with pytest.raises(ValueError, match="damaged"):
            container.read(path, "it")


# ---- the configuration -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("text, reason", [
    ("[" * 100_000 + "]" * 100_000, "nested at most"), ('{"a":' * 100_000 + "1" + "}" * 100_000, "nested at most"),
    ("{" + '"' * 9, "must be JSON"), ("[]", "must be a JSON object"), ("\xff", "must be JSON"),
    ('{"a": ' + "9" * 5000 + "}", "must be JSON"), ('{"a": [' + "1," * 600_000 + "1]}", "at most"),
    (" " * (9 << 20), "at most"),
])
def test_absurd_json_is_refused(text, reason):
    start = time.perf_counter()
    with pytest.raises(ValueError, match=reason):
        limits.parse_json(text.encode("latin-1"), "config.json in the file 'bad.keras'")
    assert time.perf_counter() - start < 2


def test_brackets_in_strings_are_no_depth():
    text = json.dumps({"a": '[{"\\' * 1000})
    assert limits.parse_json(text.encode(), "it") == json.loads(text)


@pytest.mark.parametrize("config", [
    {"class_name": "system", "module": "os", "config": {"command": "true"}},
    {"class_name": "Popen", "module": "subprocess", "config": {"args": ["true"]}},
    {"class_name": "function", "module": "builtins", "config": "eval"},
    {"class_name": "function", "module": "os", "config": "system"},
    {"class_name": "function", "module": "cnncore.saving.model_io", "config": "load_model"},
    {"class_name": "Path", "module": "keras.layers", "config": {}},
    {"class_name": "replacing", "module": "cnncore.saving.atomic", "config": {}},
    {"class_name": ["Dense"], "module": "keras.layers", "config": {}},
    {"class_name": "Zeros", "module": 3, "config": {}},
    {"class_name": "Zeros", "module": "keras.initializers", "config": [1]},
    {"class_name": "Zeros", "module": "keras.initializers", "config": {"absurd": 1}},
    {"class_name": "__tensor__", "config": {"value": [1], "dtype": "object"}},
    {"class_name": "__tensor__", "config": {"value": [[1], [1, 2]], "dtype": "float32"}},
    {"class_name": "__typespec__", "config": {}},
])
def test_what_is_neither_the_librarys_nor_registered_is_refused_by_name(config):
    with sharing_scope("the file 'bad.keras'"), pytest.raises(ValueError, match=r"bad\.keras.*Received"):
        deserialize_keras_object(config)


@pytest.mark.parametrize("config", [
    {"class_name": "Lambda", "module": "keras.layers", "config": {"function": {}}},
    {"class_name": "__lambda__", "config": {"value": ["4wAAAAAAAAAA", None, None]}},
])
@pytest.mark.parametrize("safe_mode", [True, False])
def test_code_in_a_file_is_never_run(config, safe_mode):
    with pytest.raises(ValueError, match="must hold no code"):
        deserialize_keras_object(config, safe_mode=safe_mode)


def test_what_the_user_registered_comes_back(monkeypatch):
    monkeypatch.setattr(registry, "_registered", {})
    monkeypatch.setattr(registry, "_names", {})

    @registry.register_keras_serializable("mine")
    class Thing:
        def __init__(self, size):
            self.size = size

        def get_config(self):
            return {"size": self.size}

        @classmethod
        def from_config(cls, config):
            return cls(**config)

    thing, again = deserialize_keras_object(json.loads(json.dumps(serialize_keras_object([Thing(3), Thing(3)]))))
    assert type(thing) is Thing and thing.size == 3 and thing is not again

    @registry.register_keras_serializable("mine")
    def swish(x):
        return x

    config = serialize_keras_object(swish)
    assert config["registered_name"] == "mine>swish" and deserialize_keras_object(config) is swish
    with pytest.raises(ValueError, match="taken by"):
        registry.register_keras_serializable("mine", "swish")(Thing)
    with pytest.raises(ValueError, match="get_config"):
        registry.register_keras_serializable()(type("Bare", (), {}))


def test_one_object_met_twice_is_one_object_again():
    from cnncore import initializers

    one = initializers.Constant(2.0)
    with sharing_scope():
        config = json.loads(json.dumps(serialize_keras_object([one, one, initializers.Constant(2.0)])))
    with sharing_scope():
        a, b, c = deserialize_keras_object(config)
    assert a is b and a is not c


@pytest.mark.parametrize("value", [lambda x: x, object(), type])
def test_what_cannot_be_saved_is_named(value):
    with pytest.raises(ValueError, match="saved"):
        serialize_keras_object(value)


def test_a_budget_refuses_weights_that_the_file_cannot_hold():
    budget.charge((1 << 40,), 4, "dense")  # outside a loading, memory alone is the limit
    with budget.weight_budget(100, "the file 'bad.keras'"):
        budget.charge((5, 5), 4, "dense")
        with pytest.raises(ValueError, match=r"bad\.keras.*shape \(1,\) in layer 'out'"):
            budget.charge((1,), 4, "out")
    with budget.weight_budget(100, "it"), pytest.raises(ValueError, match="-1"):
        budget.charge((-1, 4), 4, "dense")
