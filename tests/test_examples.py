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
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A CNNCORE_HOME with real data: MNIST and Fashion-MNIST whole, CIFAR-10 as far as a sheet of it goes."""
    from PIL import Image

    data, home = real_data(), tmp_path_factory.mktemp("home")
    (home / "datasets").mkdir()
    for name in ("mnist.npz", "fashion-mnist"):
        (home / "datasets" / name).symlink_to(data / name)
    arrays = {}
    for part in ("train", "test"):
        path = data / "cifar-10" / f"{part}_00.webp"
        if not path.is_file():
            return home
        sheet = np.asarray(Image.open(path).convert("RGB"))
        rows, columns = sheet.shape[0] // 32, sheet.shape[1] // 32
        arrays[f"x_{part}"] = sheet.reshape(rows, 32, columns, 32, 3).swapaxes(1, 2).reshape(-1, 32, 32, 3)
        arrays[f"y_{part}"] = np.load(data / "cifar-10" / f"labels_{part}.npy")[:rows * columns, None].astype("uint8")
    np.savez(home / "datasets" / "cifar10.npz", **arrays)
    return home


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_example_runs_and_leaves_what_it_says(name, home, tmp_path):
    needs, leaves, says = SCRIPTS[name]
    environment = {**os.environ, "CNNCORE_HOME": str(home), "MPLBACKEND": "Agg"}
    if "cifar-100" in needs:
        found = files.find("cifar100.npz", "cifar-100-binary.tar.gz", "cifar-100-binary/train.bin")
        if found is None:
            pytest.skip("CIFAR-100 is not on this machine, neither in CNNCORE_HOME nor in Keras's cache")
        environment["CNNCORE_HOME"] = os.environ.get("CNNCORE_HOME", "")
    if "cifar-10" in needs and not (home / "datasets" / "cifar10.npz").is_file():
        pytest.skip("there is no CIFAR-10 among the real data")
    if "ModelCheckpoint" in needs and not hasattr(callbacks, "ModelCheckpoint"):
        pytest.skip("ModelCheckpoint is not there yet")
    environment["PYTHONPATH"] = os.pathsep.join([str(EXAMPLES.parent), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run([sys.executable, str(EXAMPLES / f"{name}.py"), "--quick", "--out", "made"], cwd=tmp_path,
                            env=environment, capture_output=True, text=True, timeout=100)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-3000:]
    assert re.search(says, result.stdout), result.stdout[-1500:]
    assert not re.search("warning|traceback", result.stderr, re.IGNORECASE), result.stderr[-2000:]
    assert set(leaves) <= set(os.listdir(tmp_path / "made"))


def test_every_example_is_run_and_described():
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert names == set(SCRIPTS)
    described = (EXAMPLES / "README.md").read_text()
    assert all(f"`{name}.py`" in described for name in names)
