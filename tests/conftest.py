"""Fixtures for all tests: CPU tiers and numbers of threads, put back afterwards."""
import os

os.environ.setdefault("KERAS_BACKEND", "numpy")

import pytest

from cnncore import _core


@pytest.fixture(params=_core.tiers_here())
def tier(request):
    """Each CPU tier that this machine runs, in turn."""
    before = _core.tier()
    _core.use_tier(request.param)
    yield request.param
    _core.use_tier(before)


@pytest.fixture(params=(1, 2, 3))
def threads(request):
    """1, 2 and 3 threads, in turn."""
    before = _core.threads()
    _core.set_threads(request.param)
    yield request.param
    _core.set_threads(before)
