"""Helpers for data: one-hot vectors, norms, splitting, downloads, and the Dataset of batches."""
import hashlib
import http.server
import io
import os
import tarfile
import threading
import zipfile

import numpy as np
import pytest

import cnncore
from cnncore import utils
from cnncore.utils import download


@pytest.mark.parametrize("x, classes", [([0, 2, 1], None), ([[1], [3]], 5), (np.arange(6).reshape(2, 3), None), (2, 4),
                                        (np.array([1.0, 0.0]), None)])
def test_to_categorical_is_kerass(x, classes):
    import keras

    # Its NumPy backend takes arrays for tensors; lists go the way that arrays go with the other backends.
    got, wanted = utils.to_categorical(x, classes), keras.utils.to_categorical(np.asarray(x).tolist(), classes)
    assert got.dtype == wanted.dtype and np.array_equal(got, wanted)


def test_to_categorical_of_tensors_and_of_labels_that_do_not_fit():
    got = utils.to_categorical(cnncore.Tensor([[1], [0]], "int32"), 3)
    assert isinstance(got, cnncore.Tensor) and got.numpy().tolist() == [[0, 1, 0], [1, 0, 0]]
    for x in ([0, 3], [-1, 0]):
        with pytest.raises(ValueError, match="Labels are from 0 to num_classes - 1, here 2. Received: labels from"):
            utils.to_categorical(x, 3)


@pytest.mark.parametrize("order", [1, 2])
def test_normalize_is_kerass_and_works_along_any_axis(order):
    import keras

    x = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    x[2] = 0
    assert np.allclose(utils.normalize(x, -1, order), keras.utils.normalize(x, -1, order))
    assert np.allclose(utils.normalize(x, 0, order), utils.normalize(x.T, 1, order).T)
    assert np.allclose(utils.normalize(cnncore.Tensor(x), -1, order).numpy(), utils.normalize(x, -1, order), atol=1e-6)


# ---- Dataset and split_dataset -----------------------------------------------------------------------------------

def values(dataset):
    return [np.asarray(element).tolist() for element in dataset]


def test_a_dataset_has_tf_datas_words():
    dataset = utils.Dataset.from_tensor_slices(np.arange(7))
    assert len(dataset) == 7 and dataset.cardinality() == 7
    assert values(dataset.skip(2).take(3)) == [2, 3, 4] and len(dataset.take(-1)) == 7
    assert values(dataset.map(lambda x: x * 2).batch(3)) == [[0, 2, 4], [6, 8, 10], [12]]
    assert values(dataset.batch(3, drop_remainder=True)) == [[0, 1, 2], [3, 4, 5]]
    assert len(dataset.batch(3)) == 3 and len(dataset.batch(3, drop_remainder=True)) == 2
    assert values(dataset.filter(lambda x: x > 4)) == [5, 6]
    assert values(dataset.batch(4).unbatch()) == list(range(7))
    assert values(dataset.concatenate(dataset.take(1))) == [*range(7), 0]
    assert len(dataset.repeat(3)) == 21 and values(dataset.repeat().skip(6).take(3)) == [6, 0, 1]
    assert [i for i, _ in dataset.enumerate(5)] == list(range(5, 12))
    assert list(dataset.as_numpy_iterator()) == list(range(7))
    assert dataset.repeat().cardinality() == -1 and not hasattr(dataset.repeat(), "__len__")
    assert dataset.filter(bool).cardinality() == -2


def test_a_dataset_is_shuffled_by_its_seed_anew_in_each_pass():
    dataset = utils.Dataset.from_tensor_slices(np.arange(50)).shuffle(10, seed=3)
    first, second = values(dataset), values(dataset)
    assert sorted(first) == sorted(second) == list(range(50)) and first != second != list(range(50))
    assert values(utils.Dataset.from_tensor_slices(np.arange(50)).shuffle(10, seed=3)) == first
    fixed = utils.Dataset.from_tensor_slices(np.arange(50)).shuffle(50, seed=3, reshuffle_each_iteration=False)
    assert values(fixed) == values(fixed)


def test_a_cached_dataset_is_made_once():
    made = []
    dataset = utils.Dataset.from_tensor_slices(np.arange(3)).map(lambda x: made.append(1) or x).cache().prefetch(2)
    assert values(dataset) == values(dataset) == [0, 1, 2] and len(made) == 3


def test_a_model_is_fitted_on_a_dataset():
    x = np.random.default_rng(0).normal(size=(20, 4)).astype("float32")
    dataset = utils.Dataset.from_tensor_slices((x, x.sum(1, keepdims=True))).batch(8)
    losses = []
    for data in ((dataset, None, None), (dataset.repeat(), None, 3), (x, x.sum(1, keepdims=True), None)):
        cnncore.utils.set_random_seed(1)
        model = cnncore.Sequential([cnncore.Input((4,)), cnncore.layers.Dense(1)])
        model.compile("sgd", "mse")
        history = model.fit(data[0], data[1], steps_per_epoch=data[2], batch_size=None if data[1] is None else 8, epochs=3,
                            shuffle=False, verbose=0)
        losses.append(history.history["loss"])
    assert losses[0] == losses[1] == losses[2] and losses[0][-1] < losses[0][0]


@pytest.mark.parametrize("left, right, sizes", [(0.8, None, (8, 2)), (None, 0.3, (7, 3)), (4, None, (4, 6)), (2, 3, (2, 3)),
                                                (0.5, 2, (5, 2))])
def test_split_dataset_gives_the_two_ends(left, right, sizes):
    first, second = utils.split_dataset(np.arange(10), left, right)
    assert (len(first), len(second)) == sizes
    assert values(first) == list(range(sizes[0])) and values(second) == list(range(10 - sizes[1], 10))


def test_split_dataset_shuffles_pairs_together():
    x = np.arange(20)
    parts = utils.split_dataset((x, x * 10), 0.75, shuffle=True, seed=4)
    pairs = [(int(a), int(b)) for part in parts for a, b in part]
    assert [a for a, _ in pairs] != list(range(20)) and sorted(pairs) == [(i, 10 * i) for i in range(20)]
    again = utils.split_dataset([x, x * 10], 0.75, shuffle=True, seed=4)
    assert [(int(a), int(b)) for part in again for a, b in part] == pairs


@pytest.mark.parametrize("sizes", [(None, None), (0, None), (1.5, None), (11, None), (6, 6), (0.99, None), ("a", None)])
def test_split_dataset_explains_sizes_that_do_not_fit(sizes):
    with pytest.raises(ValueError, match="Received"):
        utils.split_dataset(np.arange(10), *sizes)
    with pytest.raises(TypeError, match="Received: int"):
        utils.split_dataset(5, 0.5)


# ---- get_file ----------------------------------------------------------------------------------------------------

@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder that a web server on loopback serves, and its address; empty caches."""
    monkeypatch.setenv("CNNCORE_HOME", str(tmp_path / "own"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    folder = tmp_path / "site"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(folder))

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_file_is_downloaded_once_and_checked(site, tmp_path):
    folder, address = site
    (folder / "data.txt").write_bytes(b"one")
    sha, md5 = hashlib.sha256(b"one").hexdigest(), hashlib.md5(b"one").hexdigest()
    path = utils.get_file("data.txt", f"{address}/data.txt", file_hash=sha)
    assert path == str(tmp_path / "own" / "datasets" / "data.txt") and open(path, "rb").read() == b"one"
    (folder / "data.txt").write_bytes(b"two")
    assert open(utils.get_file("data.txt", f"{address}/data.txt"), "rb").read() == b"one"
    with pytest.raises(ValueError, match=f"must have the hash sha256:{sha}"):
        utils.get_file("data.txt", f"{address}/data.txt", file_hash=sha, force_download=True)
    assert open(path, "rb").read() == b"one", "a failed download destroyed the file"
    assert open(utils.get_file("data.txt", f"{address}/data.txt", force_download=True), "rb").read() == b"two"
    with pytest.raises(ValueError, match=f"must have the hash md5:{md5}"):
        utils.get_file("data.txt", f"{address}/data.txt", md5_hash=md5)
    other = utils.get_file(origin=f"{address}/data.txt?x=1", cache_dir=str(tmp_path / "c"), cache_subdir="sub")
    assert other == str(tmp_path / "c" / "sub" / "data.txt")
    assert sorted(os.listdir(os.path.dirname(path))) == ["data.txt"], "something was left behind"


def test_a_file_in_kerass_cache_is_taken_from_there(site, tmp_path):
    (tmp_path / "keras" / "datasets").mkdir(parents=True)
    (tmp_path / "keras" / "datasets" / "data.txt").write_text("kept")
    assert open(utils.get_file("data.txt", "http://127.0.0.1:9/none")).read() == "kept"


def test_a_download_that_fails_says_where_to_put_the_file(site, tmp_path):
    with pytest.raises(OSError, match="Put the file there by hand") as error:
        utils.get_file(origin=f"{site[1]}/missing.zip")
    assert str(tmp_path / "own" / "datasets" / "missing.zip") in str(error.value)
    for arguments in ({"fname": "x"}, {"origin": "http://127.0.0.1/"}, {"fname": "../x", "origin": site[1]}):
        with pytest.raises(ValueError, match="Received"):
            utils.get_file(**arguments)


def make_archive(path, members, kind):
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        return
    with tarfile.open(path, "w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("fname, folder", [("flowers", "flowers"), ("flowers.tgz", "flowers_extracted"), (None, "a.bin")])
def test_an_archive_is_unpacked_where_keras_unpacks_it(site, tmp_path, fname, folder, kind):
    make_archive(site[0] / "a.bin", {"rose/1.txt": b"red", "2.txt": b"white"}, kind)
    path = utils.get_file(fname, f"{site[1]}/a.bin", extract=True)
    assert path == str(tmp_path / "own" / "datasets" / folder)
    assert open(os.path.join(path, "rose", "1.txt")).read() == "red" and sorted(os.listdir(path)) == ["2.txt", "rose"]
    make_archive(site[0] / "a.bin", {"3.txt": b"yellow"}, kind)
    assert utils.get_file(fname, f"{site[1]}/a.bin", extract=True, force_download=True) == path
    assert os.listdir(path) == ["3.txt"]
    assert len(os.listdir(os.path.dirname(path))) == 2, "something was left behind"


@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("name", ["../x", "/tmp/x", "a/../../x", "..\\x"])
def test_an_archive_that_leads_elsewhere_is_refused_and_nothing_is_written(site, tmp_path, name, kind):
    make_archive(site[0] / "a.bin", {"1.txt": b"good", name: b"bad"}, kind)
    with pytest.raises(ValueError, match="unpacks into its own folder"):
        utils.get_file("a", f"{site[1]}/a.bin", extract=True)
    assert os.listdir(tmp_path / "own" / "datasets") == ["a_archive"]


def test_an_archive_that_would_fill_the_disk_is_refused(site, monkeypatch):
    monkeypatch.setattr(download, "_FREE_BYTES", 1 << 16)
    for kind in ("zip", "tar"):
        make_archive(site[0] / f"{kind}.bin", {"zeros": bytes(10 << 20)}, kind)
        with pytest.raises(ValueError, match="at most"):
            utils.get_file(kind, f"{site[1]}/{kind}.bin", extract=True)


def test_links_in_an_archive_are_left_out_and_no_archive_is_said_to_be_none(site):
    with tarfile.open(site[0] / "a.tar", "w") as archive:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    with pytest.warns(UserWarning, match="'link'.*is left out"):
        assert os.listdir(utils.get_file("links", f"{site[1]}/a.tar", untar=True)) == []
    (site[0] / "b.txt").write_text("text")
    with pytest.warns(UserWarning, match="is no archive"):
        utils.get_file("b", f"{site[1]}/b.txt", extract=True)


@pytest.mark.parametrize("name", ["min", "max", "sum", "mean", "prod", "argmax", "argmin"])
def test_numpys_reductions_take_the_tensors_of_a_dataset(name):
    x = np.random.default_rng(0).random((3, 4), dtype="float32")
    (batch,) = utils.Dataset.from_tensor_slices(x).batch(3)
    for options in ({}, {"axis": 1}):
        assert np.allclose(np.asarray(getattr(np, name)(batch, **options)), getattr(np, name)(x, **options))


@pytest.mark.parametrize("name", ["array_to_img", "get_file", "image_dataset_from_directory", "img_to_array", "load_img",
                                  "normalize", "save_img", "set_random_seed", "split_dataset", "to_categorical"])
def test_signatures_are_kerass(name):
    import inspect

    import keras

    ours, theirs = (inspect.signature(getattr(module.utils, name)).parameters.values() for module in (cnncore, keras))
    assert [(p.name, p.default) for p in ours] == [(p.name, p.default) for p in theirs]
