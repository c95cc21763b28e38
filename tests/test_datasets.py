"""Data sets: found where users have them, read in every form they come in, refused by name where damaged."""
import gzip
import io
import tarfile

import numpy as np
import pytest
from data import real_data

from cnncore.datasets import cifar10, cifar100, digits, fashion_mnist, files, formats, mnist


@pytest.fixture
def home(tmp_path, monkeypatch):
    """CNNCORE_HOME's folder of data sets, empty, with Keras's cache empty too and no network."""
    monkeypatch.setenv("CNNCORE_HOME", str(tmp_path / "own"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))

    def no_network(address, path, known_hash):
        raise ConnectionError("no network in tests")

    monkeypatch.setattr(files, "fetch", no_network)
    (tmp_path / "own" / "datasets").mkdir(parents=True)
    return tmp_path / "own" / "datasets"


def images(n, shape=(28, 28), seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, *shape), dtype=np.uint8), rng.integers(0, 10, n, dtype=np.uint8)


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.tobytes()


def write_idx(folder, zipped):
    (x, y), (xt, yt) = images(7), images(3, seed=1)
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(mnist.IDX, (x, y, xt, yt)):
        data = idx(array)
        (folder / (name + ".gz" * zipped)).write_bytes(gzip.compress(data) if zipped else data)
    return x, y, xt, yt


def check(loaded, wanted):
    (x, y), (xt, yt) = loaded
    for got, expected in zip((x, y, xt, yt), wanted):
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("folder", ["", "mnist"])
@pytest.mark.parametrize("zipped", [False, True])
def test_mnist_is_read_from_idx_files(home, folder, zipped):
    wanted = write_idx(home / folder, zipped)
    check(mnist.load_data(), wanted)


def test_mnist_is_read_from_npz_and_from_keras_cache(home, tmp_path):
    (x, y), (xt, yt) = images(5), images(2)
    (tmp_path / "keras" / "datasets").mkdir(parents=True)
    np.savez(tmp_path / "keras" / "datasets" / "mnist.npz", x_train=x, y_train=y, x_test=xt, y_test=yt)
    check(mnist.load_data(), (x, y, xt, yt))


def test_own_folder_comes_before_keras_cache(home, tmp_path):
    (x, y), (xt, yt) = images(5), images(2)
    (tmp_path / "keras" / "datasets").mkdir(parents=True)
    np.savez(tmp_path / "keras" / "datasets" / "mnist.npz", x_train=x[:1], y_train=y[:1], x_test=xt, y_test=yt)
    np.savez(home / "mnist.npz", x_train=x, y_train=y, x_test=xt, y_test=yt)
    check(mnist.load_data(), (x, y, xt, yt))


def test_fashion_mnist_is_read_from_its_own_folder(home):
    wanted = write_idx(home / "fashion-mnist", True)
    check(fashion_mnist.load_data(), wanted)


def records(n, seed):
    x, y = images(n, (32, 32, 3), seed)
    return x, y[:, None], np.concatenate([y[:, None], x.transpose(0, 3, 1, 2).reshape(n, -1)], 1).tobytes()


def cifar_parts():
    parts = [records(4, seed) for seed in range(6)]
    x, y = (np.concatenate([part[i] for part in parts[:5]]) for i in (0, 1))
    return [part[2] for part in parts], (x, y, parts[5][0], parts[5][1])


def test_cifar10_is_read_from_its_binary_folder(home):
    contents, wanted = cifar_parts()
    (home / "cifar-10-batches-bin").mkdir()
    for name, data in zip(cifar10._NAMES, contents):
        (home / "cifar-10-batches-bin" / name).write_bytes(data)
    check(cifar10.load_data(), wanted)


def make_tar(path, members):
    with tarfile.open(path, "w:gz") as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))


def member(name, data, kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(data), kind, link
    return info, data


def test_cifar10_is_read_from_its_tar_file(home):
    contents, wanted = cifar_parts()
    make_tar(home / "cifar-10-binary.tar.gz",
             [member(f"cifar-10-batches-bin/{name}", data) for name, data in zip(cifar10._NAMES, contents)])
    check(cifar10.load_data(), wanted)


def cifar100_parts():
    parts = []
    for seed in range(2):
        x, fine = images(6, (32, 32, 3), seed)
        fine, coarse = fine[:, None] * 9, fine[:, None] * 2
        planes = x.transpose(0, 3, 1, 2).reshape(6, -1)
        parts.append((np.concatenate([coarse, fine, planes], 1).tobytes(), x, {"fine": fine, "coarse": coarse}))
    return parts


@pytest.mark.parametrize("label_mode", ["fine", "coarse"])
@pytest.mark.parametrize("form", ["folder", "tar", "npz"])
def test_cifar100_is_read_in_every_form(home, form, label_mode):
    train, test = cifar100_parts()
    if form == "folder":
        (home / "cifar-100-binary").mkdir()
        for name, part in zip(cifar100._NAMES, (train, test)):
            (home / "cifar-100-binary" / name).write_bytes(part[0])
    elif form == "tar":
        make_tar(home / "cifar-100-binary.tar.gz",
                 [member(f"cifar-100-binary/{name}", part[0]) for name, part in zip(cifar100._NAMES, (train, test))])
    else:
        np.savez(home / "cifar100.npz", x_train=train[1], x_test=test[1], y_train=train[2]["fine"],
                 y_test=test[2]["fine"], y_train_coarse=train[2]["coarse"], y_test_coarse=test[2]["coarse"])
    check(cifar100.load_data(label_mode),
          (train[1], train[2][label_mode].astype("int64"), test[1], test[2][label_mode].astype("int64")))


def test_cifar100_knows_its_classes_and_refuses_other_label_modes(home):
    assert len(set(cifar100.CLASSES)) == 100 and len(set(cifar100.COARSE_CLASSES)) == 20
    assert list(cifar100.CLASSES) == sorted(cifar100.CLASSES)
    with pytest.raises(ValueError, match="label_mode='medium'"):
        cifar100.load_data("medium")
    with pytest.raises(ValueError, match="labels are 0 to 19, it has a 20"):
        formats.cifar_records(bytes([20, 0]) + bytes(3072), "train.bin", (20, 100))


def test_cifar10_is_read_from_npz(home):
    _, (x, y, xt, yt) = cifar_parts()
    np.savez(home / "cifar10.npz", x_train=x, y_train=y, x_test=xt, y_test=yt)
    check(cifar10.load_data(), (x, y, xt, yt))


@pytest.mark.parametrize("load", [mnist.load_data, fashion_mnist.load_data, cifar10.load_data,
                                  cifar100.load_data])
def test_without_network_the_error_says_what_to_put_where(home, load):
    with pytest.raises(OSError) as error:
        load()
    assert str(home) in str(error.value)
    assert "https://" in str(error.value) and "CNNCORE_HOME" in str(error.value)


def test_the_python_distribution_of_cifar10_is_not_unpickled(home):
    (home / "cifar-10-batches-py").mkdir()
    (home / "cifar-10-batches-py" / "data_batch_1").write_bytes(b"\x80\x04cos\nsystem\n.")
    with pytest.raises(OSError, match="binary"):
        cifar10.load_data()


DAMAGED_IDX = {
    "empty": b"",
    "another kind of number": bytes([0, 0, 13, 3]) + bytes(12),
    "another number of axes": idx(np.zeros(3, np.uint8)),
    "4 TiB by its header": bytes([0, 0, 8, 3]) + (1 << 31).to_bytes(4, "big") + (2048).to_bytes(4, "big") * 2,
    "shorter than its header says": idx(np.zeros((3, 28, 28), np.uint8))[:-1],
    "longer than its header says": idx(np.zeros((3, 28, 28), np.uint8)) + b"x",
}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("damage", DAMAGED_IDX)
def test_damaged_idx_files_are_refused_by_name(tmp_path, damage, zipped):
    path = tmp_path / ("images" + ".gz" * zipped)
    data = DAMAGED_IDX[damage]
    path.write_bytes(gzip.compress(data) if zipped else data)
    with pytest.raises(ValueError, match="images"):
        formats.read_idx(path, 3)


def test_a_truncated_gzip_file_is_refused_by_name(tmp_path):
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(idx(images(50)[0]))[:-20])
    with pytest.raises(ValueError, match="images.gz"):
        formats.read_idx(path, 3)


def test_a_pickle_in_an_npz_file_is_refused(home):
    np.savez(home / "mnist.npz", x_train=np.array([{}], object), y_train=np.zeros(1), x_test=np.zeros(1),
             y_test=np.zeros(1))
    with pytest.raises(ValueError, match="mnist.npz"):
        mnist.load_data()


def test_an_npz_file_of_other_shapes_is_refused(home):
    np.savez(home / "mnist.npz", x_train=np.zeros((2, 5, 5), np.uint8), y_train=np.zeros(2, np.uint8),
             x_test=np.zeros((2, 28, 28), np.uint8), y_test=np.zeros(2, np.uint8))
    with pytest.raises(ValueError, match="x_train"):
        mnist.load_data()


@pytest.mark.parametrize("data", [b"", b"x" * 100, bytes([10]) + bytes(3072)])
def test_damaged_cifar_records_are_refused(data):
    with pytest.raises(ValueError, match="CIFAR-10"):
        formats.cifar_records(data, "data_batch_1.bin")


@pytest.mark.parametrize("bad", [
    member("cifar-10-batches-bin/data_batch_1.bin", b"", tarfile.SYMTYPE, "/etc/passwd"),
    member("../cifar-10-batches-bin/data_batch_1.bin", b"x"),
    member("/cifar-10-batches-bin/data_batch_1.bin", b"x"),
])
def test_members_that_are_links_or_lead_elsewhere_are_not_read(home, bad):
    make_tar(home / "cifar-10-binary.tar.gz", [bad])
    with pytest.raises(ValueError, match="cifar-10-binary.tar.gz"):
        cifar10.load_data()
    assert sorted(path.name for path in home.iterdir()) == ["cifar-10-binary.tar.gz"]


@pytest.mark.parametrize("path", ["../mnist.npz", "/tmp/mnist.npz", ""])
def test_a_path_that_leads_elsewhere_is_refused(home, path):
    with pytest.raises(ValueError, match="path"):
        mnist.load_data(path)


def test_digits_are_split_by_the_seed():
    (x, y), (xt, yt) = digits.load_data()
    assert x.shape == (1438, 8, 8) and xt.shape == (359, 8, 8) and x.max() == 16 and len(set(y)) == 10
    (again, _), _ = digits.load_data()
    (other, _), _ = digits.load_data(seed=1)
    np.testing.assert_array_equal(again, x)
    assert not np.array_equal(other, x)
    with pytest.raises(ValueError, match="test_split"):
        digits.load_data(test_split=1)


def test_real_files_are_read(monkeypatch, tmp_path):
    data = real_data()
    (tmp_path / "datasets").mkdir()
    for name in ("mnist.npz", "fashion-mnist"):
        (tmp_path / "datasets" / name).symlink_to(data / name)
    monkeypatch.setenv("CNNCORE_HOME", str(tmp_path))
    for load in (mnist.load_data, fashion_mnist.load_data):
        (x, y), (xt, yt) = load()
        assert x.shape == (60000, 28, 28) and xt.shape == (10000, 28, 28)
        assert sorted(set(y)) == sorted(set(yt)) == list(range(10))
