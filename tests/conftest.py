"""Fixtures for all tests: CPU tiers and numbers of threads, put back afterwards; and Keras on JAX."""
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


@pytest.fixture(scope="session")
def jax_server():
    """Keras on JAX in a process of its own, which all tests share: it takes seconds to start."""
    for package in ("jax", "keras"):
        pytest.importorskip(package, exc_type=ImportError)
    from keras_on_jax import Server

    server = Server()
    yield server
    server.close()
