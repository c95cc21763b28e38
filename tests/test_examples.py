"""The examples, each run as a user runs it, on cut-down real data."""
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from data import real_data

from cnncore import callbacks
from cnncore.datasets import files

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
pytest.importorskip("matplotlib")
pytest.importorskip("PIL")

# What each needs, the files that it leaves, and what it prints at the end.
SCRIPTS = {
    "lenet5_mnist": (["mnist"], ["lenet5_history.png", "lenet5_mistakes.png"], r"Test accuracy: 0\.[6-9]"),
    "fashion_functional": (["fashion-mnist"], ["fashion_history.png", "fashion_confusion.png"], r"test accuracy: 0\.\d+"),
    "checkpoint_and_look": (["fashion-mnist", "ModelCheckpoint"],
                            ["best.keras", "best_filters.png", "best_feature_maps.png", "best_predictions.png"],
                            r"Loaded from .*test accuracy 0\.[5-9]"),
    "augmentation": (["fashion-mnist"], ["augmentation_images.png"], r"new forms in every epoch: 0\.[3-9]"),
    "cifar10_standardized": (["cifar-10"], ["cifar10.keras", "cifar10_history.png", "cifar10_predictions.png"],
                             r"test accuracy: 0\.\d+"),
    "cifar100": (["cifar-100"], ["cifar100_history.png", "cifar100_groups.png"], r"right group is taken in \d"),
    "custom_loop": (["mnist"], ["custom.weights.h5"], r"Test accuracy: 0\.[6-9]"),
    "images_in_folders": (["cifar-10"], ["folders.keras", "folders_history.png", "folders_predictions.png"],
                          r"shows a (bird|cat|deer|dog|frog|horse), with a probability of \d+%"),
    "transfer_learning": (["cifar-10", "MobileNet"],
                          ["transfer.keras", "transfer_history.png", "transfer_predictions.png"],
                          r"random features 0\.[0-3]\d+, frozen 0\.[4-9]\d+, fine-tuned 0\.[4-9]"),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A CNNCORE_HOME with real data: MNIST and Fashion-MNIST whole, CIFAR-10 as far as a sheet of it goes."""
    from PIL import Image

    data, home = real_data(), tmp_path_factory.mktemp("home")
    for folder in ("datasets", "models"):
        (home / folder).mkdir()
    mobilenet = data / "keras-files" / "mobilenet_2_5_224_tf.h5"
    if mobilenet.is_file():
        (home / "models" / mobilenet.name).symlink_to(mobilenet)
    for name in ("mnist.npz", "fashion-mnist"):
        (home / "datasets" / name).symlink_to(data / name)
    arrays, records = {}, home / "datasets" / "cifar-100-binary"
    records.mkdir()
    for part in ("train", "test"):
        path = data / "cifar-10" / f"{part}_00.webp"
        if not path.is_file():
            return home
        sheet = np.asarray(Image.open(path).convert("RGB"))
        rows, columns = sheet.shape[0] // 32, sheet.shape[1] // 32
        arrays[f"x_{part}"] = sheet.reshape(rows, 32, columns, 32, 3).swapaxes(1, 2).reshape(-1, 32, 32, 3)
        arrays[f"y_{part}"] = np.load(data / "cifar-10" / f"labels_{part}.npy")[:rows * columns, None].astype("uint8")
        # CIFAR-100 may be nowhere: the same pictures in its form, each class of CIFAR-10 as ten classes of two groups.
        fine = arrays[f"y_{part}"] * 10 + np.arange(len(arrays[f"y_{part}"]), dtype="uint8")[:, None] % 10
        planes = arrays[f"x_{part}"].transpose(0, 3, 1, 2).reshape(len(fine), -1)
        (records / f"{part}.bin").write_bytes(np.concatenate([fine // 5, fine, planes], 1).tobytes())
    np.savez(home / "datasets" / "cifar10.npz", **arrays)
    return home


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_example_runs_and_leaves_what_it_says(name, home, tmp_path):
    needs, leaves, says = SCRIPTS[name]
    environment = {**os.environ, "CNNCORE_HOME": str(home), "MPLBACKEND": "Agg"}
    if "cifar-100" in needs:
        found = files.find("cifar100.npz", "cifar-100-binary.tar.gz", "cifar-100-binary/train.bin")
        if found is not None:
            environment["CNNCORE_HOME"] = os.environ.get("CNNCORE_HOME", "")
        elif not (home / "datasets" / "cifar-100-binary" / "test.bin").is_file():
            pytest.skip("there is neither a CIFAR-100 nor a CIFAR-10 to make its files of")
    if "cifar-10" in needs and not (home / "datasets" / "cifar10.npz").is_file():
        pytest.skip("there is no CIFAR-10 among the real data")
    if "MobileNet" in needs and not any((home / "models").iterdir()):
        pytest.skip("there are no weights of a MobileNet among the real data")
    if "ModelCheckpoint" in needs and not hasattr(callbacks, "ModelCheckpoint"):
        pytest.skip("ModelCheckpoint is not there yet")
    environment["PYTHONPATH"] = os.pathsep.join([str(EXAMPLES.parent), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run([sys.executable, str(EXAMPLES / f"{name}.py"), "--quick", "--out", "made"], cwd=tmp_path,
                            env=environment, capture_output=True, text=True, timeout=100)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-3000:]
    assert re.search(says, result.stdout), result.stdout[-1500:]
    assert not re.search("warning|traceback", result.stderr, re.IGNORECASE), result.stderr[-2000:]
    assert set(leaves) <= set(os.listdir(tmp_path / "made"))


def test_transfer_learning_says_which_weights_it_lacks(tmp_path):
    environment = {**os.environ, "CNNCORE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    environment["PYTHONPATH"] = os.pathsep.join([str(EXAMPLES.parent), os.environ.get("PYTHONPATH", "")])
    for more in ([], ["--weights", "nowhere.h5"]):
        result = subprocess.run([sys.executable, str(EXAMPLES / "transfer_learning.py"), *more], cwd=tmp_path,
                                env=environment, capture_output=True, text=True, timeout=100)
        assert result.returncode == 1 and "Traceback" not in result.stderr
        assert (more[1] if more else str(tmp_path / "models")) in result.stderr and "_no_top.h5" in result.stderr


def test_transfer_learning_takes_a_folder(home, tmp_path):
    from cnncore.utils import save_img

    if not (home / "models" / "mobilenet_2_5_224_tf.h5").is_file() or not (home / "datasets" / "cifar10.npz").is_file():
        pytest.skip("there are no weights of a MobileNet, or no CIFAR-10, among the real data")
    with np.load(home / "datasets" / "cifar10.npz") as arrays:
        x, y = arrays["x_train"], arrays["y_train"][:, 0]
    for name, label in (("airplanes", 0), ("horses", 7)):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i, image in enumerate(x[y == label][:60]):
            save_img(tmp_path / "images" / name / f"{i}.png", image, scale=False)
    environment = {**os.environ, "CNNCORE_HOME": str(home), "MPLBACKEND": "Agg"}
    environment["PYTHONPATH"] = os.pathsep.join([str(EXAMPLES.parent), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run([sys.executable, str(EXAMPLES / "transfer_learning.py"), "--quick", "--folder",
                             "images"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100)
    assert result.returncode == 0, result.stderr[-3000:]
    assert "96 training and 24 test images" in result.stdout
    frozen = float(re.search(r"frozen ([\d.]+)", result.stdout)[1])
    assert frozen >= 0.75 and re.search("takes a (airplanes|horses) for a (airplanes|horses)", result.stdout)


def test_every_example_is_run_and_described():
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert names == set(SCRIPTS)
    described = (EXAMPLES / "README.md").read_text()
    assert all(f"`{name}.py`" in described for name in names)
