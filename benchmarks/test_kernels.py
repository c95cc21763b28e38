"""The kernels of kernels.py under pytest-benchmark: pytest benchmarks/test_kernels.py"""
import pytest
from kernels import CONVS, DENSES, RESULTS

from cnncore import _core
from cnncore.cli import bench

pytest.importorskip("pytest_benchmark")

CASES = [(kind, name) for name, shape in CONVS.items() for kind in bench.conv_kinds(shape)] + [
    ("dense", name) for name in DENSES]


@pytest.mark.parametrize("step", RESULTS)
@pytest.mark.parametrize("kind, name", CASES, ids=["-".join(case).replace(" ", "_") for case in CASES])
def test_kernel(benchmark, kind, name, step):
    case = (bench.dense_case(name, DENSES[name]) if kind == "dense" else
            bench.conv_case(name, CONVS[name], kind))
    if step not in case.calls:
        pytest.skip("training does not ask for it")
    _core.run_now(case.packing[step])
    benchmark.extra_info["operations"] = case.operations
    benchmark(_core.run_now, case.calls[step])
