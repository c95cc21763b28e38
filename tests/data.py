"""Where the real data sets for tests lie, if they do."""
import os
from pathlib import Path

import pytest


def real_data():
    """The folder of real data sets and model files; the test is skipped where there is none."""
    folder = Path(os.environ.get("CNNCORE_TEST_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set CNNCORE_TEST_DATA")
    return folder
