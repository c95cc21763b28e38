"""Where the real data sets for tests lie, if they do."""
import os
from pathlib import Path

import numpy as np
import pytest


def real_data():
    """The folder of real data sets and model files; the test is skipped where there is none."""
    folder = Path(os.environ.get("CNNCORE_TEST_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set CNNCORE_TEST_DATA")
    return folder


def cifar10_sheets(part, most=None):
    """(images, labels) of CIFAR-10's 'train' or 'test' part, out of the (first) lossless sheets among the real data."""
    from PIL import Image

    folder = real_data() / "cifar-10"
    sheets = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(folder.glob(f"{part}_*.webp"))[:most]]
    if not sheets:
        pytest.skip("there is no CIFAR-10 among the real data")
    parts = [sheet.reshape(len(sheet) // 32, 32, -1, 32, 3).swapaxes(1, 2).reshape(-1, 32, 32, 3) for sheet in sheets]
    labels = np.load(folder / f"labels_{part}.npy")
    images = np.concatenate(parts)[:len(labels)]
    return images, labels[:len(images)]
