"""A small dose of `make fuzz`: damaged files of every format are refused with a ValueError, or load."""
import pytest
from fuzz_files import formats, fuzz


@pytest.mark.parametrize("ending", formats())
def test_damaged_files_are_refused_or_load(ending, tmp_path):
    assert fuzz(ending, tmp_path, seed=1, count=40) > 10
