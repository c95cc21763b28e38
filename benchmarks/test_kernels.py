"""The kernels of kernels.py under pytest-benchmark: pytest benchmarks/test_kernels.py"""
import pytest
from kernels import jobs

from cnncore import _core

pytest.importorskip("pytest_benchmark")


@pytest.mark.parametrize("job", list(jobs()), ids=lambda job: "-".join(job[:3]).replace(" ", "_"))
def test_kernel(benchmark, job):
    *_, calls, operations = job
    benchmark.extra_info["operations"] = operations
    benchmark(_core.run_now, calls)
