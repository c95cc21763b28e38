"""`cnncore predict`: photos named by networks and by saved models, and what it says where something is wrong."""
import importlib
import json
import os

import numpy as np
import pytest
from data import real_data

import cnncore
from cnncore import __main__, applications, layers
from cnncore.cli import predict

pytest.importorskip("PIL")
pytest.importorskip("rich")
rng = np.random.default_rng(1)


@pytest.fixture
def photo(tmp_path, monkeypatch):
    """A photo of noise, and a home without weights or network."""
    from cnncore.datasets import files

    def fail(*arguments):
        raise ConnectionError("no route")

    monkeypatch.setenv("CNNCORE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(files, "fetch", fail)
    monkeypatch.setenv("COLUMNS", "200")
    pixels = rng.integers(0, 256, (20, 30, 3))
    cnncore.utils.save_img(tmp_path / "photo.png", pixels, scale=False)
    return str(tmp_path / "photo.png")


def run(*arguments):
    return __main__.main(["predict", *map(str, arguments)])


def network(classes=3, shape=(8, 9, 3), activation="softmax", *first):
    cnncore.utils.set_random_seed(1)
    return cnncore.Sequential([cnncore.Input(shape), *first, layers.Conv2D(4, 3, activation="relu"),
                               layers.GlobalAveragePooling2D(), layers.Dense(classes, activation=activation)])


def shown(text):
    """{class: per cent} of what was printed."""
    rows = [line.split() for line in text.splitlines() if " %" in line]
    return {" ".join(row[:row.index("%") - 1]): float(row[row.index("%") - 1]) for row in rows}


def test_real_photos_are_named_with_real_weights(photo, tmp_path, capsys):
    data = real_data()
    (tmp_path / "home" / "models").mkdir(parents=True)
    for path in (data / "keras-files" / "mobilenet_2_5_224_tf.h5", data / "imagenet_class_index.json"):
        os.symlink(path.resolve(), tmp_path / "home" / "models" / path.name)
    photos = [data / "photos" / name for name in ("snow_leopard.jpg", "chickadee.bmp")]
    assert run("--model", "mobilenet", *photos) == 0
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert lines[0] == "MobileNet, alpha=0.25, weights for ImageNet" and len(lines) == 1 + 2 * 6
    assert lines[1] == str(photos[0]) and lines[7] == str(photos[1])
    assert lines[2].split()[0] == "snow_leopard" and lines[8].split()[0] == "chickadee"
    found = shown(text)
    assert abs(found["snow_leopard"] - 98.4) <= 0.5 and abs(found["chickadee"] - 83.5) <= 0.5
    full = [line.count("█") + line.count("#") for line in (lines[2], lines[8])]
    assert full[0] in (29, 30) and full[1] == 25
    # The file by itself, under Keras's name, from which the width follows.
    assert run("--weights", data / "keras-files" / "mobilenet_2_5_224_tf.h5", photos[0]) == 0
    assert shown(capsys.readouterr().out) == {name: p for name, p in list(found.items())[:5]}


@pytest.mark.parametrize(("name", "classes", "mode"), [
    ("Le-Net5", 10, "grayscale"), ("ResNet20", 10, "rgb"), ("shufflenet", 1000, "rgb"),
    ("MobileNet_V3_Small", 1000, "rgb")])
def test_a_network_is_found_by_its_name_and_reads_weights_of_a_file(name, classes, mode, photo, tmp_path, capsys):
    right = {predict._bare(n): n for n in applications.__all__}[predict._bare(name)]
    model = getattr(applications, right)(weights=None)
    model.set_weights([w + rng.uniform(0, 0.2, w.shape) for w in model.get_weights()])
    model.save_weights(tmp_path / "own.weights.h5")
    (tmp_path / "names.txt").write_text("\n".join(f"thing {i}" for i in range(classes)))
    assert run(photo, "--model", name, "--weights", tmp_path / "own.weights.h5", "--top", 3, "--labels",
               tmp_path / "names.txt") == 0
    text = capsys.readouterr().out
    assert text.startswith(f"{right}, weights of ") and len(shown(text)) == 3
    size = [n or 224 for n in model.input_shape[1:3]]
    image = cnncore.utils.load_img(photo, mode, size, "bilinear")
    module = importlib.import_module(getattr(applications, right).__module__)
    prepare = getattr(module, "preprocess_input", lambda x: x / 255)
    x = prepare(cnncore.utils.img_to_array(image)[None])
    scores = model.predict(x, verbose=0)[0]
    assert next(iter(shown(text))) == f"thing {scores.argmax()}"
    assert abs(next(iter(shown(text).values())) - 100 * scores.max()) <= 0.06


@pytest.mark.parametrize(("first", "pixels", "factor"), [
    ((), None, 1 / 255), ((layers.Rescaling(1 / 255),), None, 1.0), ((), "0-255", 1.0), ((), "0-1", 1 / 255)])
@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_saved_model_gets_the_pixels_that_it_takes(first, pixels, factor, ending, photo, tmp_path, capsys):
    model = network(3, (8, 9, 3), "softmax", *first)
    model.save(tmp_path / f"model{ending}")
    assert run(photo, "--model", tmp_path / f"model{ending}", *(() if pixels is None else ("--pixels", pixels))) == 0
    image = cnncore.utils.img_to_array(cnncore.utils.load_img(photo, "rgb", (8, 9), "bilinear"))
    scores = model.predict(factor * image[None], verbose=0)[0]
    found = shown(capsys.readouterr().out)
    assert list(found) == [f"class {i}" for i in np.argsort(scores)[::-1]]
    for i in range(3):
        assert abs(found[f"class {i}"] - 100 * scores[i]) <= 0.06


def test_logits_and_single_units_become_probabilities(photo, tmp_path, capsys):
    image = cnncore.utils.img_to_array(cnncore.utils.load_img(photo, "grayscale", (224, 224), "bilinear"))[None] / 255
    (tmp_path / "names.json").write_text(json.dumps(["cat", "dog"]))
    for classes, activation in ((2, None), (1, "sigmoid"), (1, None)):
        model = network(classes, (None, None, 1), activation)
        model.save(tmp_path / "model.keras")
        assert run(photo, "--model", tmp_path / "model.keras", "--labels", tmp_path / "names.json") == 0
        y = model.predict(image, verbose=0)[0].astype("float64")
        dog = np.exp(y[1]) / np.exp(y).sum() if classes == 2 else y[0] if activation else 1 / (1 + np.exp(-y[0]))
        found = shown(capsys.readouterr().out)
        assert abs(found["dog"] - 100 * dog) <= 0.06 and abs(found["cat"] - 100 * (1 - dog)) <= 0.06


def test_other_photos_are_named_where_one_cannot_be_read(photo, tmp_path, capsys):
    network().save(tmp_path / "model.keras")
    (tmp_path / "text.jpg").write_text("no image")
    assert run("nowhere.jpg", photo, tmp_path / "text.jpg", "--model", tmp_path / "model.keras") == 1
    out, err = capsys.readouterr()
    assert len(shown(out)) == 3 and out.count("photo.png") == 1
    assert "there is no photo nowhere.jpg" in err and "text.jpg" in err


@pytest.mark.parametrize(("arguments", "words"), [
    (["--model", "resnet"], "use one of alexnet, "), (["--model", "nowhere.keras"], "nowhere.keras"),
    (["--model", "squeezenet"], "not published"), (["--model", "vgg16"], "could not be downloaded"),
    (["--model", "vgg16"], "Or give --weights FILE."),
    (["--model", "{}/own.weights.h5"], "use --model NAME --weights"), (["--model", "{}/own.h5"], "Or give --labels FILE."),
    (["--model", "vgg16", "--alpha", "0.5"], "--alpha goes with MobileNets"),
    (["--alpha", "0.3"], "alpha of 0.25"), (["--model", "vgg16", "--pixels", "0-1"], "prepares photos by its own"),
    (["--model", "resnet20", "--weights", "nowhere.h5"], "no such file"),
    (["--model", "{}/model.keras", "--weights", "x"], "--weights goes with the name of a network"),
    (["--model", "{}/model.keras", "--labels", "{}/none.txt"], "none.txt"),
    (["--model", "{}/model.keras", "--labels", "{}/two.txt"], "2 names for 3 classes"),
    (["--model", "{}/model.keras", "--labels", "{}/damaged.json"], "damaged"),
    (["--model", "{}/vectors.keras"], "A model for photos takes")])
def test_what_does_not_fit_is_refused_in_words(arguments, words, photo, tmp_path, capsys):
    network().save(tmp_path / "model.keras")
    network().save_weights(tmp_path / "own.weights.h5")
    network(1000).save(tmp_path / "own.h5")
    (tmp_path / "two.txt").write_text("cat\ndog\n")
    (tmp_path / "damaged.json").write_text("{")
    cnncore.Sequential([cnncore.Input((4,)), layers.Dense(3)]).save(tmp_path / "vectors.keras")
    assert run(photo, *(argument.replace("{}", str(tmp_path)) for argument in arguments)) == 1
    out, err = capsys.readouterr()
    said = err[err.index("cnncore: "):]  # progress may come before
    assert words in said and "%" not in out and photo not in out


def test_no_network_is_loaded_where_there_is_no_photo(capsys):
    assert run("nowhere.jpg", "none.png", "--model", "nowhere.keras") == 1
    assert capsys.readouterr().err == "cnncore: there is no photo nowhere.jpg, none.png\n"


def test_bars_grow_by_eighths_and_can_do_without_blocks():
    assert [predict.bar(p) for p in (0, 1 / 240, 0.5, 1)] == ["", "▏", 15 * "█", 30 * "█"]
    assert [predict.bar(p, ascii_only=True) for p in (0, 0.5, 1)] == ["", 15 * "#", 30 * "#"]
