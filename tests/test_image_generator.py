"""ImageDataGenerator: the batches that Keras makes from the same seed, to a grey level; its iterators; its messages."""
import inspect
import os
import warnings

import numpy as np
import pytest
from layer_checks import THREADS, TIERS

import cnncore
from cnncore import _core
from cnncore.preprocessing import image
from cnncore.preprocessing.image import ImageDataGenerator

keras_image = pytest.importorskip("keras.src.legacy.preprocessing.image")
pytest.importorskip("scipy.ndimage")
pytestmark = pytest.mark.filterwarnings("ignore:Please import")  # how Keras finds SciPy


def pictures(n=6, shape=(20, 24, 3), seed=0):
    """Smooth pictures from 0 to 255, so that a grey level is a small error."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:shape[0], 0:shape[1]]
    waves = [127.5 + 127.5 * np.sin(rng.uniform(0.1, 0.5) * x + rng.uniform(0.1, 0.5) * y + rng.uniform(0, 6))
             for _ in range(n * shape[2])]
    return np.stack(waves, -1).reshape(*shape[:2], n, shape[2]).transpose(2, 0, 1, 3).astype("float32")


OPTIONS = {
    "nothing": {},
    "rotation": {"rotation_range": 40},
    "shifts": {"width_shift_range": 0.3, "height_shift_range": 0.2},
    "shifts by pixels": {"width_shift_range": 4, "height_shift_range": 2.5},
    "shifts from a list": {"width_shift_range": [-3, 0, 5], "height_shift_range": [0.1, 0.3]},
    "shear": {"shear_range": 30},
    "zoom": {"zoom_range": 0.4},
    "zoom between two": {"zoom_range": (0.5, 1.5)},
    "flips": {"horizontal_flip": True, "vertical_flip": True},
    "brightness": {"brightness_range": (0.4, 1.6)},
    "channel shift": {"channel_shift_range": 60.0},
    "constant": {"rotation_range": 40, "width_shift_range": 0.3, "fill_mode": "constant", "cval": 77.0},
    "reflect": {"rotation_range": 60, "zoom_range": (1.5, 3.0), "fill_mode": "reflect"},
    "wrap": {"rotation_range": 60, "zoom_range": (1.5, 3.0), "fill_mode": "wrap"},
    "nearest pixel": {"rotation_range": 37.3, "interpolation_order": 0},
    "quadratic": {"rotation_range": 40, "interpolation_order": 2, "fill_mode": "constant"},
    "cubic": {"rotation_range": 40, "width_shift_range": 0.3, "interpolation_order": 3},
    "quartic": {"rotation_range": 40, "width_shift_range": 0.3, "interpolation_order": 4, "fill_mode": "reflect"},
    "quintic": {"rotation_range": 40, "width_shift_range": 0.1, "interpolation_order": 5, "fill_mode": "wrap"},
    "rescale": {"rescale": 1 / 255, "rotation_range": 10},
    "samplewise": {"samplewise_center": True, "samplewise_std_normalization": True, "zoom_range": 0.1},
    "featurewise": {"featurewise_center": True, "featurewise_std_normalization": True, "shear_range": 5},
    "whitening": {"featurewise_center": True, "zca_whitening": True, "zca_epsilon": 0.1},
    "a function": {"preprocessing_function": lambda x: 255 - x, "rotation_range": 20},
    "channels first": {"data_format": "channels_first", "rotation_range": 30, "horizontal_flip": True},
    "all of it": {"rotation_range": 30, "width_shift_range": 0.2, "height_shift_range": 0.2, "shear_range": 15,
                  "zoom_range": 0.3, "horizontal_flip": True, "vertical_flip": True, "brightness_range": (0.5, 1.5),
                  "channel_shift_range": 30.0, "fill_mode": "reflect"},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_the_batches_are_kerass_to_a_grey_level(name):
    options = OPTIONS[name]
    x, y = pictures(), np.arange(6)
    if options.get("data_format") == "channels_first":
        x = x.transpose(0, 3, 1, 2)
    both = []
    for kind in (ImageDataGenerator, keras_image.ImageDataGenerator):
        generator = kind(**options)
        generator.fit(x)
        batches = generator.flow(x.copy(), y, batch_size=4, seed=5)
        both.append([next(batches) for _ in range(3)])
    level = 1 if np.abs(both[1][0][0]).max() > 10 else 1 / 50
    for (got, labels), (wanted, wanted_labels) in zip(*both, strict=True):
        assert got.dtype == wanted.dtype == np.float32 and np.array_equal(labels, wanted_labels)
        assert np.abs(got - wanted).max() <= level, f"{np.abs(got - wanted).max()} away"
    assert name in ("nothing", "samplewise") or np.abs(both[0][0][0] - x[both[0][0][1]]).max() > 0.5


@pytest.mark.parametrize("fill_mode", ["nearest", "constant", "reflect", "wrap"])
@pytest.mark.parametrize("order", [0, 1, 3])
def test_one_affine_transformation_is_kerass(fill_mode, order):
    x = pictures(1, (17, 30, 2))[0]
    p = {"theta": 33.0, "tx": -4.2, "ty": 6.1, "shear": 21.0, "zx": 0.8, "zy": 1.9}
    for axes in ((0, 1, 2), (1, 2, 0), (1, 0, 2)):
        given = np.moveaxis(x, 2, 0) if axes[2] == 0 else x
        options = dict(zip(("row_axis", "col_axis", "channel_axis"), axes), fill_mode=fill_mode, cval=9.0, order=order, **p)
        got, wanted = (kind.apply_affine_transform(given, **options) for kind in (image, keras_image))
        assert got.shape == given.shape and np.abs(got - wanted).max() <= 1
    whole = image.apply_affine_transform(x.astype("uint8"), **options)
    right = keras_image.apply_affine_transform(x.astype("uint8"), **options)
    assert whole.dtype == np.uint8 and np.abs(whole.astype(int) - right).max() <= 1


@pytest.mark.parametrize("options", [
    {"rotation_range": 40, "width_shift_range": 0.2, "height_shift_range": 0.2, "shear_range": 20, "zoom_range": 0.3,
     "brightness_range": (0.5, 1.5), "channel_shift_range": 40},  # which scales pictures that go beyond 255 anew
    {"shear_range": 40, "fill_mode": "constant", "cval": 7.0}, {"shear_range": 40, "fill_mode": "wrap"},
], ids=["brightness", "edges", "wrapped edges"])
def test_pictures_of_noise_and_white_are_kerass_to_a_grey_level(options):
    x = np.random.default_rng(0).integers(0, 256, (200, 33, 29, 3)).astype("float32")
    x[:, 5:25, 5:25] = np.where(x[:, :1, :1] > 100, 255, x[:, 5:25, 5:25])
    got, wanted = (next(kind(**options).flow(x, batch_size=len(x), seed=3))
                   for kind in (ImageDataGenerator, keras_image.ImageDataGenerator))
    assert np.abs(got - wanted).max() <= 1


def test_an_image_moved_by_whole_pixels_is_exact():
    x = np.random.default_rng(0).random((1, 9, 9, 3), dtype="float32")
    for order in range(6):
        moved = image.apply_affine_transform(x[0], tx=2, ty=-1, row_axis=0, col_axis=1, channel_axis=2, order=order)
        assert np.allclose(moved[2:8, 1:6], x[0, 1:7, 3:8], atol=1e-5), order


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_bits_do_not_depend_on_threads_and_hardly_on_tiers(channels):
    x = pictures(9, (33, 31, channels))
    options = {"rotation_range": 30, "zoom_range": 0.3, "width_shift_range": 0.2}
    results = {}
    before = _core.tier(), _core.threads()
    try:
        for tier in TIERS:
            for threads in THREADS:
                _core.use_tier(tier)
                _core.set_threads(threads)
                results[tier, threads] = ImageDataGenerator(**options).flow(x, batch_size=9, seed=1)[0]
    finally:
        _core.use_tier(before[0])
        _core.set_threads(before[1])
    for (tier, _threads), batch in results.items():
        assert np.array_equal(batch, results[tier, 1]) and np.abs(batch - results[TIERS[0], 1]).max() < 1e-3


@pytest.mark.parametrize("name", ["random_rotation", "random_shift", "random_shear", "random_zoom", "random_brightness",
                                  "random_channel_shift", "apply_channel_shift", "apply_brightness_shift"])
def test_single_transformations_are_kerass(name):
    x = pictures(1)[0]
    axes = {"row_axis": 0, "col_axis": 1, "channel_axis": 2}
    arguments = {"random_rotation": ((30,), axes), "random_shift": ((0.2, 0.3), axes), "random_shear": ((20,), axes),
                 "random_zoom": (((0.5, 1.5),), axes), "random_brightness": (((0.5, 1.5),), {}),
                 "random_channel_shift": ((50.0, 2), {}), "apply_channel_shift": ((-40.0, 2), {}),
                 "apply_brightness_shift": ((1.4,), {})}[name]
    results = []
    for module in (image, keras_image):
        np.random.seed(3)
        results.append(getattr(module, name)(x, *arguments[0], **arguments[1]))
    assert np.abs(results[0] - results[1]).max() <= 1 and np.abs(results[0] - x).max() > 1
    theirs = inspect.signature(getattr(keras_image, name)).parameters.values()
    ours = inspect.signature(getattr(image, name)).parameters.values()
    assert [(p.name, p.default) for p in ours] == [(p.name, p.default) for p in theirs]


@pytest.mark.parametrize("outside", [False, True])
def test_brightness_of_values_beyond_a_byte_and_of_transparency(outside):
    x = pictures(1, (8, 9, 4))[0] * (3 if outside else 1) - (100 if outside else 0)
    got, wanted = (module.apply_brightness_shift(x, 1.3, False) for module in (image, keras_image))
    assert np.abs(got - wanted).max() <= (4 if outside else 1)  # one level of the 256 that the values are cut to


@pytest.mark.parametrize("method", ["__init__", "flow", "flow_from_directory", "flow_from_dataframe", "fit", "standardize",
                                    "get_random_transform", "apply_transform", "random_transform"])
def test_signatures_are_kerass(method):
    ours, theirs = (inspect.signature(getattr(kind, method)).parameters.values()
                    for kind in (ImageDataGenerator, keras_image.ImageDataGenerator))
    assert [(p.name, p.default) for p in ours] == [(p.name, p.default) for p in theirs]


def test_the_parameters_of_a_transformation_are_kerass():
    options = OPTIONS["all of it"]
    ours, theirs = ImageDataGenerator(**options), keras_image.ImageDataGenerator(**options)
    x = pictures(1)[0]
    assert ours.get_random_transform(x.shape, seed=9) == theirs.get_random_transform(x.shape, seed=9)
    assert np.abs(ours.random_transform(x, 4) - theirs.random_transform(x, 4)).max() <= 1


# ---- iterators ---------------------------------------------------------------------------------------------------

def test_an_iterator_counts_and_goes_round():
    x, y = pictures(10, (4, 4, 1)), np.arange(10)
    batches = ImageDataGenerator().flow(x, y, batch_size=4, shuffle=False, sample_weight=y / 10)
    assert len(batches) == 3 and [len(next(batches)[1]) for _ in range(6)] == [4, 4, 2, 4, 4, 2]
    assert batches[0][0].shape == (4, 4, 4, 1) and batches[2][1].tolist() == batches[-1][1].tolist() == [8, 9]
    assert np.array_equal(batches[1][0], x[4:8]) and batches[1][2].tolist() == [0.4, 0.5, 0.6, 0.7]
    next(batches)
    batches.reset()
    assert next(batches)[1].tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="3 batches, from 0 on. Received: batch 3"):
        batches[3]
    shuffled = ImageDataGenerator().flow(x, y, batch_size=10, seed=1)
    first, second = next(shuffled)[1], next(shuffled)[1]
    assert sorted(first) == sorted(second) == list(range(10)) and first.tolist() != second.tolist()
    again = ImageDataGenerator().flow(x, y, batch_size=10, seed=1)
    assert next(again)[1].tolist() == first.tolist()
    assert ImageDataGenerator().flow(x.astype("uint8")).next().dtype == np.float32


def test_a_seed_leaves_numpys_generator_alone_and_set_random_seed_repeats_the_rest():
    x = pictures(8, (6, 6, 1))
    before = np.random.get_state()[1].copy()
    next(ImageDataGenerator(rotation_range=90).flow(x, seed=3))
    assert np.array_equal(np.random.get_state()[1], before)
    runs = []
    for _ in range(2):
        cnncore.utils.set_random_seed(5)
        runs.append(next(ImageDataGenerator(rotation_range=90).flow(x)))
    assert np.array_equal(*runs)


def test_other_inputs_and_parts_of_the_data():
    x, y, extra = pictures(10, (4, 4, 1)), np.arange(10) % 2, np.arange(10) * 2
    generator = ImageDataGenerator(validation_split=0.3)
    (images, more), labels = next(generator.flow((x, extra), y, subset="training", shuffle=False))
    assert images.shape == (7, 4, 4, 1) and more.tolist() == list(range(6, 20, 2)) and labels.tolist() == y[3:].tolist()
    assert next(generator.flow(x, y, subset="validation"))[1].shape == (3,)
    with pytest.raises(ValueError, match="shuffle it first"):
        generator.flow(x, np.sort(y), subset="training")
    assert len(generator.flow(x, np.sort(y), subset="training", ignore_class_split=True).y) == 7


def test_a_model_is_fitted_on_an_iterator():
    x, y = pictures(40, (8, 8, 1)), np.arange(40) % 2
    x[y == 1] *= 0.2
    cnncore.utils.set_random_seed(1)
    layers = cnncore.layers
    model = cnncore.Sequential([cnncore.Input((8, 8, 1)), layers.Flatten(), layers.Dense(2, activation="softmax")])
    model.compile(cnncore.optimizers.Adam(0.05), "sparse_categorical_crossentropy", metrics=["accuracy"])
    train = ImageDataGenerator(rescale=1 / 255, horizontal_flip=True).flow(x, y, batch_size=8, seed=1)
    history = model.fit(train, epochs=20, verbose=0, validation_data=train)
    assert history.history["val_accuracy"][-1] > 0.9 and len(train) == 5
    model.fit(train, epochs=1, steps_per_epoch=3, verbose=0)


@pytest.fixture
def folder(tmp_path):
    """Two classes of small pictures: five cats and four dogs."""
    for name, count in (("cat", 5), ("dog", 4)):
        (tmp_path / name).mkdir()
        for i, picture in enumerate(pictures(count, (9, 12, 3), seed=len(name))):
            cnncore.utils.save_img(tmp_path / name / f"{i}.png", picture, scale=False)
    (tmp_path / "cat" / "notes.txt").write_text("no image")
    return tmp_path


@pytest.mark.parametrize("options", [
    {}, {"class_mode": "sparse"}, {"class_mode": "binary", "color_mode": "grayscale"},
    {"class_mode": None, "color_mode": "rgba"}, {"class_mode": "input", "shuffle": False}, {"classes": ["dog", "cat"]},
    {"subset": "training"}, {"subset": "validation"}, {"interpolation": "bilinear", "keep_aspect_ratio": True},
], ids=str)
def test_batches_from_folders_are_kerass(folder, options, capsys):
    both, printed = [], []
    for kind in (ImageDataGenerator, keras_image.ImageDataGenerator):
        it = kind(rotation_range=20, validation_split=0.4).flow_from_directory(str(folder), target_size=(8, 10), seed=2,
                                                                              batch_size=4, **options)
        printed.append(capsys.readouterr().out)
        batch = next(it)
        both.append((it, batch if isinstance(batch, tuple) else (batch,)))
    assert printed[0] == printed[1]
    (ours, got), (theirs, wanted) = both
    assert ours.class_indices == theirs.class_indices and ours.samples == theirs.samples == ours.n
    assert ours.filenames == theirs.filenames and list(ours.classes) == list(theirs.classes)
    assert ours.image_shape == theirs.image_shape and ours.num_classes == 2 and len(got) == len(wanted)
    for a, b in zip(got, wanted):
        assert a.dtype == b.dtype and np.abs(a - b).max() <= 1


@pytest.mark.parametrize("options", [
    {}, {"class_mode": "sparse"}, {"class_mode": "binary"}, {"class_mode": None}, {"class_mode": "raw", "y_col": "age"},
    {"class_mode": "multi_output", "y_col": ["age", "size"]}, {"y_col": "tags"}, {"weight_col": "age"},
    {"classes": ["dog", "cat"]}, {"subset": "validation"},
], ids=str)
def test_batches_from_a_table(folder, options, capsys):
    table = {"filename": ["cat/0.png", "dog/1.png", "cat/2.png", "gone.png", "dog/3.png"],
             "class": ["cat", "dog", "cat", "cat", "dog"], "age": [1, 2, 3, 4, 5], "size": [5.0, 4.0, 3.0, 2.0, 1.0],
             "tags": [["a"], ["a", "b"], ["b"], ["a"], ["b", "a"]]}
    with pytest.warns(UserWarning, match="1 names in x_col"):
        it = ImageDataGenerator(validation_split=0.5).flow_from_dataframe(table, str(folder), target_size=(9, 12),
                                                                          shuffle=False, **options)
    batch = next(it)
    mode = options.get("class_mode", "categorical")
    x = batch if mode is None else batch[0]
    rows = [0, 1] if options.get("subset") else [0, 1, 2, 4]
    expected = np.stack([image.img_to_array(image.load_img(folder / table["filename"][i])) for i in rows])
    assert np.array_equal(x, expected) and it.samples == len(rows)
    numbers = {"sparse": [0, 1, 0, 1], "binary": [0, 1, 0, 1], "raw": [1, 2, 3, 5]}.get(mode)
    if numbers:
        assert batch[1].tolist() == numbers
    if mode == "categorical":
        hot = {"class": [[1, 0], [0, 1], [1, 0], [0, 1]], "tags": [[1, 0], [1, 1], [0, 1], [1, 1]]}
        wanted = np.array(hot[options.get("y_col", "class")])[:len(rows)]
        assert batch[1].tolist() == (wanted[:, ::-1] if "classes" in options else wanted).tolist()
    if mode == "multi_output":
        assert [part.tolist() for part in batch[1]] == [[1, 2, 3, 5], [5, 4, 3, 1]]
    if "weight_col" in options:
        assert batch[2].tolist() == [1, 2, 3, 5]
    assert f"Found {len(rows)} validated image filenames" in capsys.readouterr().out


def test_transformed_images_can_be_saved(folder, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    next(ImageDataGenerator().flow(pictures(3), batch_size=3, save_to_dir=str(out), save_prefix="x", save_format="jpeg"))
    assert len(os.listdir(out)) == 3 and all(name.startswith("x_") and name.endswith(".jpeg") for name in os.listdir(out))


def test_what_does_not_fit_is_explained(folder):
    x = pictures(4)
    cases = [
        (lambda: ImageDataGenerator(zoom_range=(1, 2, 3)), "zoom_range is one number"),
        (lambda: ImageDataGenerator(brightness_range=0.5), "brightness_range is the smallest"),
        (lambda: ImageDataGenerator(validation_split=2), "validation_split is a share"),
        (lambda: ImageDataGenerator(fill_mode="mirrored"), "fill_mode is one of nearest|fill_mode is one of constant"),
        (lambda: ImageDataGenerator(interpolation_order=6), "interpolation order"),
        (lambda: ImageDataGenerator(data_format="last"), "data_format is 'channels_last'"),
        (lambda: ImageDataGenerator().flow(x[..., 0]), r"x\[..., None\]"),
        (lambda: ImageDataGenerator().flow(x, [1, 2]), "y has one entry for each image. Received: 2 for 4"),
        (lambda: ImageDataGenerator().flow(x, batch_size=0), "batch_size must be"),
        (lambda: ImageDataGenerator().flow(x, subset="test"), "subset is"),
        (lambda: ImageDataGenerator().flow_from_directory(folder, color_mode="bgr"), "color_mode is"),
        (lambda: ImageDataGenerator().flow_from_directory(folder, class_mode="int"), "class_mode is"),
        (lambda: ImageDataGenerator().fit(x[0]), "four axes"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.warns(UserWarning, match="featurewise_center needs statistics"):
        ImageDataGenerator(featurewise_center=True).standardize(x)
    with pytest.warns(UserWarning, match="zca_whitening needs featurewise_center"):
        ImageDataGenerator(zca_whitening=True)
    with pytest.warns(UserWarning, match="channels, on axis 3"):
        ImageDataGenerator().flow(np.zeros((2, 5, 5, 7)))


def test_standardize_of_whole_numbers_makes_floats():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.allclose(ImageDataGenerator(rescale=0.5).standardize(np.array([[[4]]], "uint8")), 2)
