"""No kernel reads behind the end of an array, where another page may begin that the process must not touch."""
import subprocess
import sys
from pathlib import Path

import pytest
from layer_checks import TIERS

SCRIPT = Path(__file__).with_name("page_ends.py")


@pytest.mark.parametrize("tier", TIERS)
def test_arrays_may_end_where_a_page_ends(tier):
    run = subprocess.run([sys.executable, str(SCRIPT), tier], capture_output=True, text=True)
    assert run.returncode == 0 and run.stdout.endswith("done\n"), f"{run.stdout[-100:]} {run.stderr[-500:]}"
