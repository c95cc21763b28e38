"""The benchmarks run, and their NumPy reference computes what the float64 reference computes."""
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import reference as ref

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))


def test_the_numpy_reference_is_right():
    from numpy_reference import Conv, MaxPool

    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal((2, 6, 6, n)).astype(np.float32) for n in (3, 4))
    layer = Conv(rng, 3, 4, 3, "same", None)
    w = layer.w.reshape(3, 3, 3, 4)
    np.testing.assert_allclose(layer.forward(x, True), ref.conv2d(x, w, layer.b, padding="same"), rtol=1e-4, atol=1e-5)
    dx, dw, db = ref.conv2d_vjp(dy, x, w, layer.b, padding="same")
    np.testing.assert_allclose(layer.backward(dy), dx, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(layer.gradients[0], dw.reshape(layer.w.shape), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(layer.gradients[1], db, rtol=1e-4, atol=1e-4)
    pool = MaxPool()
    np.testing.assert_array_equal(pool.forward(x, True), ref.max_pool2d(x, (2, 2), (2, 2), "valid").astype(np.float32))


def test_every_workload_learns_in_numpy_and_in_cnncore():
    from numpy_reference import Network
    from workloads import WORKLOADS, keras_model

    import cnncore

    workload = WORKLOADS["fashion_bn"]
    rng = np.random.default_rng(1)
    x = rng.random((8, *workload.shape), dtype=np.float32)
    y = rng.integers(0, 10, 8)
    network = Network(workload)
    losses = [network.step(x, y) for _ in range(8)]
    assert losses[-1] < losses[0]
    cnncore.utils.set_random_seed(0)
    for name in WORKLOADS:
        model = keras_model(WORKLOADS[name], cnncore)
        assert model.count_params() > 10000, name


def test_a_run_writes_what_the_plots_draw(tmp_path, monkeypatch):
    import kernels
    import plots
    import train

    monkeypatch.setattr(kernels, "CONVS", {"28x28x32": (1, 8, 8, 16, 16, 3, "same")})
    monkeypatch.setattr(kernels, "DENSES", {"GEMM": (8, 16, 8)})
    kernels.main(["--rounds", "1", "--out", str(tmp_path / "kernels.json")])
    monkeypatch.setattr(sys, "argv", ["train.py"])
    train.main(["--workloads", "lenet5_mnist", "--frameworks", "cnncore", "numpy", "--rounds", "1", "--threads", "1",
                "--out", str(tmp_path / "train.json")])
    figures = json.loads((tmp_path / "train.json").read_text())["workloads"]["lenet5_mnist"]["figures"]
    assert figures["cnncore"]["ms"] > 0 and figures["numpy"]["ms"] > 0
    plots.main(tmp_path)
    assert (tmp_path / "train.png").stat().st_size > 1000 and (tmp_path / "kernels.png").stat().st_size > 1000
