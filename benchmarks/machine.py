"""What every benchmark here shares: the machine in words, the CPUs and variables of a worker, and the worker's handle."""
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

# What keeps the libraries of other frameworks to the instructions of a tier of cnncore's. The highest tier needs none.
_LIMITS = {
    "avx2": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2",
             "OPENBLAS_CORETYPE": "Haswell", "XLA_FLAGS": "--xla_cpu_max_isa=AVX2"},
    "sse2": {"ONEDNN_MAX_CPU_ISA": "SSE41", "ATEN_CPU_CAPABILITY": "default", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
             "OPENBLAS_CORETYPE": "Nehalem", "XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2"},
}
TIERS = ("sse2", "avx2", "avx512", "amx", "neon")


def describe():
    """The machine and the command line, for a results file."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    if load is not None and load > 0.5:
        print(f"The machine is already busy (load {load:.1f}): the figures will be lower than it can do.", file=sys.stderr)
    return {"command": " ".join(sys.argv), "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "cpu": _cpu_name(), "cpus": cpu_count(), "system": f"{platform.system()} {platform.release()}",
            "python": platform.python_version(), "load_before": load}


def _cpu_name():
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def cpu_count():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpus(count):
    """`count` CPUs to run on, different cores first."""
    seen, first, second = set(), [], []
    for cpu in sorted(os.sched_getaffinity(0)):
        try:
            core = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text().strip()
        except OSError:
            core = cpu
        (second if core in seen else first).append(cpu)
        seen.add(core)
    return (first + second)[:count]


def environment(threads, isa=None, **more):
    """The environment of a worker: its threads, and its instructions if `isa` says so."""
    count = str(threads)
    variables = dict(os.environ, OMP_NUM_THREADS=count, OPENBLAS_NUM_THREADS=count, MKL_NUM_THREADS=count,
                     CNNCORE_THREADS=count, TF_NUM_INTRAOP_THREADS=count, TF_NUM_INTEROP_THREADS=count,
                     TF_CPP_MIN_LOG_LEVEL="3", **more)
    if isa:
        variables.update(_LIMITS.get(isa, {}), CNNCORE_ISA=isa)
    return variables


def peak_memory():
    """This process's highest resident memory in megabytes. (ru_maxrss would include its parent's before the exec.)"""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    import resource

    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def answers():
    """In a worker: a function that sends an object to the parent. Whatever else is printed goes to standard error."""
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def send(value):
        print(json.dumps(value), file=channel, flush=True)

    return send


class Worker:
    """A Python process that answers each line with a JSON line. `info` is its first answer, None if it did not start."""

    def __init__(self, pythons, script, arguments, variables):
        self.reason = "no interpreter"
        for python in dict.fromkeys(pythons):
            self.errors = tempfile.TemporaryFile("w+")
            self.process = subprocess.Popen([python, str(Path(__file__).with_name(script)), *map(str, arguments)],
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True,
                                            env=variables)
            try:
                self.info = self._answer()
                return
            except RuntimeError as error:
                self.info, self.reason = None, str(error)
                self.close()

    def ask(self, value=None):
        """Sends a line and waits for its answer."""
        print(json.dumps(value), file=self.process.stdin, flush=True)
        return self._answer()

    def _answer(self):
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        self.process.wait()
        self.errors.seek(0)
        lines = self.errors.read().strip().splitlines()
        raise RuntimeError(lines[-1] if lines else f"it ended with status {self.process.returncode}")

    def close(self):
        if not self.errors.closed:
            self.process.stdin.close()
            self.process.stdout.close()
            self.process.wait()
            self.errors.close()


def save(results, path):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")
    print(f"Saved to {path}")
