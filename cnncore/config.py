"""What cnncore runs on and why: CPU tier, threads; and Keras's settings."""
import math
import os
from pathlib import Path

from cnncore import _core

__all__ = ["backend", "epsilon", "floatx", "get_num_threads", "image_data_format", "openmp_runtimes", "set_epsilon",
           "set_floatx", "set_image_data_format", "set_num_threads", "set_strict", "show_config", "strict",
           "threads_available"]

_settings = {"epsilon": 1e-7}
_threads_reason = ""


def _positive(text):
    """The whole number of 1 or more that a setting's text is, or None; OMP_NUM_THREADS may list several."""
    first = text.split(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) > 0 else None


def threads_available():
    """(threads, why): CNNCORE_THREADS, else OMP_NUM_THREADS, else the CPUs that the process may use, by affinity and by
    the quota of its control group.

    Raises:
        ValueError: CNNCORE_THREADS is no whole number of 1 or more.
    """
    asked = os.environ.get("CNNCORE_THREADS")
    if asked:
        count = _positive(asked)
        if count is None:
            raise ValueError(f"CNNCORE_THREADS must be a whole number of 1 or more. Received: {asked!r}")
        return count, "CNNCORE_THREADS"
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if _positive(asked):
        return _positive(asked), "OMP_NUM_THREADS"
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cgroup_cpus()
    if quota is not None and quota < cpus:
        return max(1, math.ceil(quota)), f"the control group's quota of {quota:g} CPUs"
    return cpus, "the CPUs in this process's affinity mask"


def _cgroup_cpus(root="/sys/fs/cgroup", own="/proc/self/cgroup"):
    """How many CPUs the control groups of this process allow, version 1 or 2; None for no limit."""
    limits = []
    try:
        lines = Path(own).read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, _, line = line.partition(":")
        controllers, colon, path = line.partition(":")
        if not colon:
            continue
        if controllers == "":
            limits += [_quota(parent / "cpu.max") for parent in _parents(Path(root), path)]
        elif "cpu" in controllers.split(","):
            limits += [_quota(parent / "cpu.cfs_quota_us", parent / "cpu.cfs_period_us")
                       for mount in (controllers, "cpu") for parent in _parents(Path(root) / mount, path)]
    limits = [limit for limit in limits if limit is not None]
    return min(limits) if limits else None


def _parents(root, path):
    """A control group and those around it. In a container the path may not be visible; then the root is."""
    group = root / path.lstrip("/")
    found = [group]
    while group != root and root in group.parents:
        group = group.parent
        found.append(group)
    return found if root in found else [*found, root]


def _quota(quota_file, period_file=None):
    try:
        words = quota_file.read_text().split()
        period = words[1] if period_file is None else period_file.read_text()
        quota = float(words[0])
        return quota / float(period) if quota > 0 else None
    except (OSError, ValueError, IndexError):
        return None


def set_num_threads(count):
    """Sets how many threads kernels run on. The results do not depend on it.

    Args:
        count: whole number of 1 or more.
    """
    global _threads_reason
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"The number of threads must be a whole number of 1 or more. Received: {count!r}")
    _core.set_threads(count)
    _threads_reason = "set_num_threads"


def get_num_threads():
    """How many threads kernels run on."""
    return _core.threads()


def openmp_runtimes():
    """The OpenMP libraries in this process, by their file names."""
    try:
        maps = Path("/proc/self/maps").read_text()
    except OSError:
        return []
    names = {line.rpartition("/")[2] for line in maps.splitlines() if "/" in line}
    return sorted(name for name in names if name.startswith(("libgomp", "libomp", "libiomp", "vcomp")))


def set_strict(value):
    """Switches strict mode: no Winograd and no matrix tiles; relative errors are about 1e-7 instead of 1e-6.

    Args:
        value: bool.
    """
    from cnncore.ops.conv2d import set_strict

    set_strict(value)


def strict():
    """Whether strict mode is on, see `set_strict`."""
    from cnncore.ops.conv2d import strict

    return strict()


def show_config():
    """Prints the CPU tier, the threads and why, and the OpenMP runtimes."""
    tiers = ", ".join(_core.tiers_here())
    print(f"CPU tier: {_core.tier()} (this CPU runs {tiers}"
          + (f"; CNNCORE_ISA={os.environ['CNNCORE_ISA']}" if os.environ.get("CNNCORE_ISA") else "") + ")")
    print(f"Threads: {_core.threads()} ({_threads_reason})")
    print(f"OpenMP runtimes: {', '.join(openmp_runtimes()) or 'none'}")
    fast = "matrix tiles (products of pairs of bfloat16)" if _core.has_tiles() else "Winograd"
    print(f"Kernels: {'direct only (strict)' if strict() else 'direct and ' + fast}")


def _start():
    """Applies CNNCORE_ISA and the number of threads, as the package is imported."""
    global _threads_reason
    tier = os.environ.get("CNNCORE_ISA")
    if tier:
        try:
            _core.use_tier(tier)
        except ValueError:
            raise ValueError(f"CNNCORE_ISA must be one of the tiers that this machine runs, "
                             f"{', '.join(_core.tiers_here())}. Received: {tier!r}") from None
    count, _threads_reason = threads_available()
    _core.set_threads(count)


# ---- Keras's settings --------------------------------------------------------------------------------------------

def floatx():
    """The dtype of weights: 'float32'."""
    return "float32"


def set_floatx(value):
    """Accepts 'float32'."""
    if value != "float32":
        raise ValueError(f"cnncore computes in float32. Received: {value!r}")


def backend():
    """The name of the engine: 'cnncore'."""
    return "cnncore"


def epsilon():
    """The small number that keeps logarithms and quotients finite."""
    return _settings["epsilon"]


def set_epsilon(value):
    """Sets the small number."""
    _settings["epsilon"] = float(value)


def image_data_format():
    """Where images have their channels: 'channels_last'."""
    return "channels_last"


def set_image_data_format(data_format):
    """Accepts 'channels_last'."""
    if data_format != "channels_last":
        raise ValueError(f"Images are (height, width, channels). Received: {data_format!r}; use 'channels_last'")
