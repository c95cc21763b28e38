"""The benchmarks run, and their NumPy reference computes what the float64 reference and cnncore compute."""
import dataclasses
import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import reference as ref

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))


def real(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


def check_layer(layer, x, rng, forward, vjp):
    """The layer's forward, dx and parameters' gradients against the reference."""
    y = layer.forward(x, True)
    np.testing.assert_allclose(y, forward(x), rtol=1e-4, atol=1e-5)
    dy = real(rng, *y.shape)
    dx, *others = vjp(dy, x)
    np.testing.assert_allclose(layer.backward(dy), dx, rtol=1e-4, atol=1e-4)
    assert len(layer.gradients) == len(others)
    for found, wanted in zip(layer.gradients, others):
        np.testing.assert_allclose(found, wanted.reshape(found.shape), rtol=1e-4, atol=1e-4)


# ---- the NumPy reference -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("kernel, padding, channels", [(3, "same", 3), (3, "valid", 3), (5, "same", 1), (2, "same", 2)])
def test_the_convolution_is_right(kernel, padding, channels):
    from numpy_reference import Conv

    rng = np.random.default_rng(0)
    layer = Conv(rng, channels, 4, kernel, padding, None)
    layer.b[...] = real(rng, 4)
    w = layer.w.reshape(kernel, kernel, channels, 4)
    check_layer(layer, real(rng, 2, 6, 7, channels), rng, lambda x: ref.conv2d(x, w, layer.b, padding=padding),
                lambda dy, x: ref.conv2d_vjp(dy, x, w, layer.b, padding=padding))


def test_the_dense_layer_is_right():
    from numpy_reference import Dense

    rng = np.random.default_rng(0)
    layer = Dense(rng, 7, 5, None)
    layer.b[...] = real(rng, 5)
    check_layer(layer, real(rng, 3, 7), rng, lambda x: ref.dense(x, layer.w, layer.b),
                lambda dy, x: ref.dense_vjp(dy, x, layer.w, layer.b))


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("size", [(6, 8), (5, 7)])
def test_the_pooling_is_right_where_values_are_equal(size, padding):
    from numpy_reference import MaxPool

    rng = np.random.default_rng(0)
    x = rng.integers(0, 3, (2, *size, 3)).astype(np.float32)
    check_layer(MaxPool(2, padding), x, rng, lambda x: ref.max_pool2d(x, (2, 2), (2, 2), padding),
                lambda dy, x: (ref.max_pool2d_vjp(dy, x, (2, 2), (2, 2), padding)[0],))


@pytest.mark.parametrize("shape", [(4, 5, 3, 6), (16, 6)])
def test_the_batch_norm_is_right(shape):
    from numpy_reference import BatchNorm

    rng = np.random.default_rng(0)
    layer = BatchNorm(6)
    for parameter in layer.parameters:
        parameter[...] = real(rng, 6)
    check_layer(layer, real(rng, *shape), rng, lambda x: ref.batch_norm_train(x, *layer.parameters)[0],
                lambda dy, x: ref.batch_norm_train_vjp(dy, x, *layer.parameters))


def test_the_dropout_keeps_its_share_and_its_sum():
    from numpy_reference import Dropout

    layer = Dropout(np.random.default_rng(0), 0.4)
    y = layer.forward(np.ones((100, 100), np.float32), True)
    assert y.dtype == np.float32 and set(np.unique(y)) == {np.float32(0), np.float32(1) / np.float32(0.6)}
    assert abs(y.mean() - 1) < 0.03
    np.testing.assert_array_equal(layer.backward(np.full_like(y, 2)), 2 * y)


@pytest.mark.parametrize("name", ["lenet5_mnist", "fashion_bn", "cifar_bn", "mnist_wide"])
def test_a_workload_trains_in_numpy_as_it_does_in_cnncore(name, monkeypatch):
    from numpy_reference import Network
    from workloads import WORKLOADS, keras_model

    import cnncore

    monkeypatch.setattr(import_module("cnncore.ops.conv2d"), "_strict", True)  # Adam magnifies small differences
    workload = WORKLOADS[name]
    workload = dataclasses.replace(workload, layers=tuple(a for a in workload.layers if a[0] != "dropout"))
    rng = np.random.default_rng(1)
    x, y = rng.random((16, *workload.shape), dtype=np.float32), rng.integers(0, 10, 16)
    network, model = Network(workload), keras_model(workload, cnncore)
    weights = [p for layer in network.layers for p in layer.parameters]
    theirs = model.trainable_variables
    assert len(weights) == len(theirs)
    for variable, weight in zip(theirs, weights):
        variable.assign(weight.reshape(variable.shape))
    ours = [network.step(x, y) for _ in range(3)]
    losses = model.fit(x, y, batch_size=16, epochs=3, shuffle=False, verbose=0).history
    np.testing.assert_allclose([loss for loss, _ in ours], losses["loss"], rtol=2e-3)
    np.testing.assert_allclose([right / 16 for _, right in ours], losses["accuracy"], atol=1 / 16)
    assert ours[2][0] < ours[0][0]
    moving = [m for layer in network.layers for m in (getattr(layer, "moving_mean", None),
                                                      getattr(layer, "moving_var", None)) if m is not None]
    for variable, wanted in zip(model.non_trainable_variables, moving):
        np.testing.assert_allclose(np.asarray(variable), wanted, rtol=1e-2, atol=1e-3)


# ---- the workloads -----------------------------------------------------------------------------------------------

def test_every_workload_has_the_same_parameters_everywhere():
    from numpy_reference import Network
    from workloads import WORKLOADS, keras_model

    import cnncore

    assert len(WORKLOADS) == 9
    for name, workload in WORKLOADS.items():
        trained = sum(int(np.prod(v.shape)) for v in keras_model(workload, cnncore).trainable_variables)
        assert trained == sum(p.size for layer in Network(workload).layers for p in layer.parameters), name


# ---- the measurements --------------------------------------------------------------------------------------------

def test_the_errors_of_the_kernels_are_small_and_found_where_they_are_not(monkeypatch):
    import kernels

    from cnncore import _core

    monkeypatch.setattr(kernels, "CONVS", {"a": (3, 9, 8, 16, 18, 3, "same"), "b": (3, 9, 8, 5, 7, 2, "same"),
                                           "c": (5, 9, 8, 16, 18, 3, "valid"), "d": (3, 6, 6, 4, 6, 5, "same")})
    monkeypatch.setattr(kernels, "DENSES", {"e": (5, 1100, 9), "f": (8, 16, 8)})
    for case in kernels.cases():
        for step in case.calls:
            assert kernels.error(case, step) < 2e-5, (case.kind, case.name, step)
    monkeypatch.setattr(_core, "run_now", lambda calls: None)
    for case in kernels.cases():
        for step in case.calls:
            assert kernels.error(case, step) > 0.1, (case.kind, case.name, step)


def test_a_run_writes_what_the_plots_draw(tmp_path, monkeypatch, capsys):
    import kernels
    import plots
    import scaling
    import train

    from cnncore import _core
    from cnncore.cli import bench

    tier, threads = _core.tier(), _core.threads()
    monkeypatch.setattr(kernels, "CONVS", {"a": (1, 8, 8, 16, 16, 3, "same")})
    monkeypatch.setattr(kernels, "DENSES", {"b": (8, 16, 8)})
    monkeypatch.setattr(kernels, "bandwidth", lambda: 10.0)
    try:
        kernels.main(["--rounds", "1", "--python", sys.executable, "--out", str(tmp_path / "kernels.json")])
    finally:
        _core.use_tier(tier)
        _core.set_threads(threads)
    few = ["--rounds", "2", "--threads", "1", "--images", "128", "--workloads", "lenet5_mnist", "--frameworks", "cnncore"]
    train.main([*few, "numpy", "--out", str(tmp_path / "train.json")])
    scaling.main([*few, "--batches", "1", "8", "--out", str(tmp_path / "scaling.json")])
    rows = json.loads((tmp_path / "kernels.json").read_text())["rows"]
    assert [(row["kernel"], row["pass"]) for row in rows] == [
        (kind, step) for kind in (*bench.conv_kinds((1, 8, 8, 16, 16, 3, "same")), "dense")
        for step in ("forward", "dx", "dw")]
    assert all(row["gflops"] > 0 and row["share"] > 0 and row["error"] < 2e-5 for row in rows)
    results = json.loads((tmp_path / "train.json").read_text())
    figures = results["workloads"]["lenet5_mnist"]["figures"]
    assert results["threads"] == 1 and results["tier"] == tier and results["versions"]["numpy"]["numpy"]
    assert all(len(figures[name]["all_ms"]) == 2 and figures[name]["mb"] > 10 for name in ("cnncore", "numpy"))
    scaled = json.loads((tmp_path / "scaling.json").read_text())
    assert scaled["by_batch"]["lenet5_mnist"]["cnncore"][1]["batch"] == 8
    assert scaled["by_threads"]["lenet5_mnist"]["cnncore"][0]["machine_times_the_first"] == 1
    plots.main(tmp_path)
    assert sorted(path.stem for path in tmp_path.glob("*.png")) == ["kernels", "roofline", "scaling", "train"]
    assert all(path.stat().st_size > 5000 for path in tmp_path.glob("*.png"))


def test_a_framework_that_is_not_installed_is_left_out_by_name(tmp_path, monkeypatch, capsys):
    import train

    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('No torch here')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    train.main(["--rounds", "1", "--threads", "1", "--images", "128", "--workloads", "lenet5_mnist", "--frameworks",
                "torch", "numpy", "--out", str(tmp_path / "train.json")])
    assert "torch is left out: ModuleNotFoundError: No torch here" in capsys.readouterr().err
    results = json.loads((tmp_path / "train.json").read_text())
    assert list(results["missing"]) == ["torch"] and list(results["workloads"]["lenet5_mnist"]["figures"]) == ["numpy"]


def test_a_workers_memory_is_its_own():
    """ru_maxrss would start with the memory of the process that started it."""
    code = (f"import sys; sys.path.insert(0, {str(FOLDER)!r}); import machine; a = bytes(range(256)) * (1 << 20); del a; "
            "print(machine.peak_memory())")
    own = float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert 256 < own < 300


def test_the_peers_are_kept_to_the_tier():
    from machine import environment

    assert environment(2, "avx2")["ONEDNN_MAX_CPU_ISA"] == "AVX2" and environment(2, "avx2")["CNNCORE_ISA"] == "avx2"
    assert environment(2)["OMP_NUM_THREADS"] == "2" and environment(2).keys() >= os.environ.keys()


def test_the_command_measures_by_itself(tmp_path, monkeypatch, capsys):
    from cnncore import __main__, _core
    from cnncore.cli import bench

    threads = _core.threads()
    monkeypatch.setattr(bench, "CONVS", {"a": (1, 8, 8, 16, 16, 3, "same")})
    monkeypatch.setattr(bench, "DENSES", {"b": (8, 16, 8)})
    monkeypatch.setattr(bench, "NETWORKS", {name: (shape, 4, layers) for name, (shape, _, layers)
                                            in list(bench.NETWORKS.items())[:1]})
    monkeypatch.chdir(tmp_path)
    try:
        assert __main__.main(["bench", "--rounds", "1", "--threads", "1", "--out", "figures/bench.json"]) == 0
    finally:
        _core.set_threads(threads)
    results = json.loads((tmp_path / "figures/bench.json").read_text())
    assert results["threads"] == 1 and results["ms_per_step"]["lenet5_mnist"] > 0
    kinds = len(bench.conv_kinds((1, 8, 8, 16, 16, 3, "same"))) + 1
    assert len(results["kernels"]) == 3 * kinds and "training lenet5_mnist, batch 4" in capsys.readouterr().out
