"""Image files: read, written and resized as Keras does it; folders of them as data sets; damaged ones named."""
import io
import pathlib

import keras
import numpy as np
import pytest
from data import real_data

import cnncore
from cnncore import utils

PIL = pytest.importorskip("PIL.Image")


def picture(shape=(9, 12, 3), seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype("uint8")


@pytest.mark.parametrize("options", [
    {}, {"color_mode": "grayscale"}, {"color_mode": "rgba"}, {"target_size": (5, 7)},
    {"target_size": (20, 11), "interpolation": "bilinear"}, {"target_size": (4, 10), "keep_aspect_ratio": True},
    {"target_size": (10, 4), "keep_aspect_ratio": True, "interpolation": "lanczos"},
], ids=str)
def test_images_are_read_as_keras_reads_them(tmp_path, options):
    for name, channels in (("rgb.png", 3), ("grey.png", 1), ("alpha.png", 4), ("rgb.jpg", 3)):
        path = tmp_path / name
        keras.utils.save_img(path, picture((9, 12, channels)), scale=False)
        wanted = keras.utils.img_to_array(keras.utils.load_img(path, **options))
        for form in (str(path), path, bytes(path), io.BytesIO(path.read_bytes())):
            got = utils.img_to_array(utils.load_img(form, **options))
            assert got.dtype == np.float32 and np.array_equal(got, wanted)


@pytest.mark.parametrize("shape", [(9, 12, 3), (9, 12, 1), (9, 12, 4)])
@pytest.mark.parametrize("scale", [True, False])
def test_arrays_become_images_and_back_as_in_keras(tmp_path, shape, scale):
    for x in (picture(shape), picture(shape) / 300 - 0.2 if scale else picture(shape).astype("float64"),
              cnncore.Tensor(picture(shape).astype("float32"))):
        ours, theirs = utils.array_to_img(x, scale=scale), keras.utils.array_to_img(np.asarray(x), scale=scale)
        assert ours.mode == theirs.mode and np.array_equal(np.asarray(ours), np.asarray(theirs))
    first = np.moveaxis(picture(shape), 2, 0)
    assert np.array_equal(np.asarray(utils.array_to_img(first, "channels_first")),
                          np.asarray(utils.array_to_img(picture(shape))))
    back = utils.img_to_array(utils.array_to_img(picture(shape), scale=False), "channels_first", "uint8")
    assert np.array_equal(back, first)
    for name in ("x.png", "x.bmp", "x.jpg"):
        if name == "x.jpg" and shape[2] == 4:
            with pytest.warns(UserWarning, match="no transparency"):
                utils.save_img(tmp_path / name, picture(shape), scale=scale)
        else:
            utils.save_img(str(tmp_path / name), picture(shape), scale=scale)
        keras.utils.save_img(tmp_path / "theirs.png", np.asarray(utils.load_img(tmp_path / name)))
        assert utils.load_img(tmp_path / name).size == (12, 9)
    out = io.BytesIO()
    utils.save_img(out, picture(shape), file_format="png", scale=False)
    assert np.array_equal(np.asarray(PIL.open(out)), picture(shape).squeeze())


def test_what_is_no_image_is_named(tmp_path):
    good = io.BytesIO()
    PIL.fromarray(picture((200, 200, 3))).save(good, "JPEG")
    for name, data in (("text.png", b"text"), ("empty.jpg", b""), ("half.jpg", good.getvalue()[:3000])):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(OSError, match=f"must be whole.*{name}"):
            utils.load_img(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        utils.load_img(tmp_path / "none.png")
    header = PIL.new("1", (1, 1))
    bomb = io.BytesIO()
    header.save(bomb, "PNG")
    data = bytearray(bomb.getvalue())
    data[16:24] = (65535).to_bytes(4, "big") * 2
    import zlib
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    (tmp_path / "bomb.png").write_bytes(data)
    with pytest.raises(ValueError, match="at most .* pixels. Received: .*bomb.png"):
        utils.load_img(tmp_path / "bomb.png")
    for call, message in [
        (lambda: utils.load_img(tmp_path / "x", color_mode="bgr"), "color_mode is"),
        (lambda: utils.array_to_img(np.zeros((3, 3))), r"x\[..., None\]"),
        (lambda: utils.array_to_img(np.zeros((3, 3, 2))), "1, 3 or 4 channels"),
        (lambda: utils.save_img(tmp_path / "x.unknown", picture()), "format"),
        (lambda: utils.img_to_array(np.zeros(3)), "2 or 3 axes"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(TypeError, match="path is a string"):
        utils.load_img(5)


# ---- folders -----------------------------------------------------------------------------------------------------

@pytest.fixture
def folder(tmp_path):
    """Three classes of pictures of one colour each, so that labels can be told from pixels."""
    for number, (name, count) in enumerate((("ant", 4), ("bee", 5), ("cow", 3))):
        (tmp_path / name / "more").mkdir(parents=True)
        for i in range(count):
            colour = np.full((6 + i, 8, 3), 40 * number + i, "uint8")
            utils.save_img(tmp_path / name / ("more" if i == 1 else "") / f"{i}.png", colour, scale=False)
    (tmp_path / "ant" / "notes.txt").write_text("none")
    (tmp_path / ".hidden").mkdir()
    return tmp_path


def everything(dataset):
    pairs = [(np.asarray(x), np.asarray(y)) for x, y in dataset]
    return np.concatenate([x for x, _ in pairs]), np.concatenate([y for _, y in pairs])


def test_a_folder_becomes_batches_with_labels(folder, capsys):
    dataset = utils.image_dataset_from_directory(folder, image_size=(4, 5), batch_size=5, seed=1)
    assert capsys.readouterr().out == "Found 12 files belonging to 3 classes.\n"
    assert dataset.class_names == ["ant", "bee", "cow"] and len(dataset) == 3 and len(dataset.file_paths) == 12
    x, y = everything(dataset)
    assert x.shape == (12, 4, 5, 3) and x.dtype == np.float32 and y.dtype == np.int32
    assert np.array_equal(x[:, 0, 0, 0] // 40, y) and sorted(y) == [0] * 4 + [1] * 5 + [2] * 3
    again = everything(dataset)[1]
    assert again.tolist() != y.tolist() and sorted(again) == sorted(y), "each pass has its own order"
    same = utils.image_dataset_from_directory(folder, image_size=(4, 5), batch_size=5, seed=1, verbose=False)
    assert np.array_equal(everything(same)[0], x)
    still = utils.image_dataset_from_directory(folder, shuffle=False, image_size=4, batch_size=None)
    assert [int(label) for _, label in still] == [0] * 4 + [1] * 5 + [2] * 3
    assert [pathlib.Path(path).name for path in still.file_paths[:4]] == ["0.png", "2.png", "3.png", "1.png"]
    assert next(iter(still))[0].shape == (4, 4, 3)


def test_files_and_splits_are_kerass(folder, capsys):
    from keras.src.utils import dataset_utils

    parts = {}
    for subset in ("training", "validation"):
        paths, labels, names = dataset_utils.index_directory(str(folder), "inferred", (".png",), seed=7)
        wanted = dataset_utils.get_training_or_validation_split(paths, labels, 0.3, subset)
        printed = capsys.readouterr().out
        ours = utils.image_dataset_from_directory(folder, validation_split=0.3, subset=subset, seed=7)
        assert capsys.readouterr().out == printed
        assert ours.file_paths == wanted[0] and ours.class_names == names
        parts[subset] = ours.file_paths
    both = utils.image_dataset_from_directory(folder, validation_split=0.3, subset="both", seed=7)
    assert [part.file_paths for part in both] == list(parts.values()) and not set(both[0].file_paths) & set(
        both[1].file_paths)


@pytest.mark.parametrize("label_mode, shape", [("int", (12,)), ("categorical", (12, 3)), ("binary", (7, 1))])
def test_labels_come_in_every_mode(folder, label_mode, shape):
    names = ["cow", "ant"] if label_mode == "binary" else None
    x, y = everything(utils.image_dataset_from_directory(folder, label_mode=label_mode, class_names=names, image_size=3))
    numbers = y.argmax(1) if label_mode == "categorical" else y.ravel()
    colours = x[:, 0, 0, 0] // 40
    assert y.shape == shape and np.array_equal(numbers, colours if names is None else colours == 0)
    only = utils.image_dataset_from_directory(folder, labels=None, color_mode="grayscale", image_size=(3, 3))
    assert next(iter(only)).shape == (12, 3, 3, 1) and only.class_names is None
    given = utils.image_dataset_from_directory(folder, labels=list(range(12)), shuffle=False, image_size=(3, 3))
    assert everything(given)[1].tolist() == list(range(12)) and len(given.class_names) == 12


def test_sizes_proportions_and_colours(folder):
    options = {"image_size": (4, 12), "shuffle": False, "label_mode": None}
    plain = next(iter(utils.image_dataset_from_directory(folder, color_mode="rgba", **options)))
    assert plain.shape == (12, 4, 12, 4) and (plain.numpy()[..., 3] == 255).all()
    padded = next(iter(utils.image_dataset_from_directory(folder, pad_to_aspect_ratio=True, **options))).numpy()
    assert (padded[-1, :, 0] == 0).all() and (padded[-1, :, 6] > 70).all()
    first = next(iter(utils.image_dataset_from_directory(folder, data_format="channels_first", **options)))
    assert first.shape == (12, 3, 4, 12)
    for name in ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic"):
        one = next(iter(utils.image_dataset_from_directory(folder, interpolation=name, crop_to_aspect_ratio=True,
                                                           **options))).numpy()
        assert np.allclose(one, one[:, :1, :1], atol=0.01), name


def test_a_model_is_fitted_on_a_folder(folder):
    train, validation = utils.image_dataset_from_directory(folder, image_size=(4, 4), validation_split=0.25, subset="both",
                                                           seed=3, batch_size=4)
    layers = cnncore.layers
    cnncore.utils.set_random_seed(0)
    model = cnncore.Sequential([cnncore.Input((4, 4, 3)), layers.Rescaling(1 / 100), layers.Flatten(),
                                layers.Dense(3, activation="softmax")])
    model.compile(cnncore.optimizers.Adam(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(train, validation_data=validation, epochs=15, verbose=0)
    assert history.history["accuracy"][-1] > 0.8 and len(history.history["val_loss"]) == 15
    assert model.predict(train, verbose=0).shape == (9, 3)
    mapped = train.map(lambda x, y: (x / 255, y)).cache().prefetch(1)
    assert float(next(iter(mapped))[0].numpy().max()) < 1 and mapped.class_names == train.class_names


def test_what_does_not_fit_is_explained(folder, tmp_path):
    make = utils.image_dataset_from_directory
    for options, message in [
        ({"label_mode": "one_hot"}, "label_mode is one of"), ({"color_mode": "bgr"}, "color_mode is one of"),
        ({"interpolation": "cubic"}, "interpolation is one of"), ({"image_size": (0, 5)}, "image_size is"),
        ({"validation_split": 0.2}, "go together"), ({"subset": "both"}, "go together"),
        ({"validation_split": 0.2, "subset": "both"}, "need a seed"), ({"label_mode": "binary"}, "needs two classes"),
        ({"class_names": ["ant", "dog"]}, "class_names are folders"), ({"labels": [1, 2]}, "label for each of the 12"),
        ({"labels": "some"}, "labels is 'inferred'"), ({"labels": None, "class_names": ["ant"]}, "class_names names"),
        ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "choose one"), ({"batch_size": 0}, "batch_size"),
    ]:
        with pytest.raises(ValueError, match=message):
            make(folder, **options)
    with pytest.raises(FileNotFoundError):
        make(tmp_path / "none")
    (tmp_path / "empty" / "class").mkdir(parents=True)
    with pytest.raises(ValueError, match="There must be image files"):
        make(tmp_path / "empty")
    (folder / "ant" / "0.png").write_text("damaged")
    with pytest.raises(OSError, match="0.png"):
        list(make(folder))


def test_real_photographs_are_read():
    photos = real_data() / "photos"
    if not photos.is_dir():
        pytest.skip(f"no photographs at {photos}")
    dataset = utils.image_dataset_from_directory(photos, labels=None, image_size=(32, 48), shuffle=False, verbose=False)
    batch = next(iter(dataset)).numpy()
    for path, ours in zip(dataset.file_paths, batch):
        whole = keras.utils.img_to_array(keras.utils.load_img(path))
        assert np.abs(np.asarray(keras.ops.image.resize(whole, (32, 48))) - ours).max() < 0.1
