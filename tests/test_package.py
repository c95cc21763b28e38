"""The package: what it holds, what importing it costs, and how its environment is read."""
import os
import subprocess
import sys

import pytest

import cnncore


def in_a_new_process(code, **environment):
    plain = {key: value for key, value in os.environ.items() if key not in ("CNNCORE_THREADS", "OMP_NUM_THREADS")}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60,
                          env={**plain, **environment})


def test_the_package_has_what_tutorials_import():
    for name in ("Tensor", "Variable", "GradientTape", "no_grad", "Model", "Sequential", "Input", "layers", "models",
                 "optimizers", "losses", "metrics", "callbacks", "datasets", "initializers", "activations", "utils",
                 "ops", "random", "config", "regularizers", "constraints", "saving", "__version__", "set_num_threads",
                 "get_num_threads", "show_config"):
        if name == "datasets" and not hasattr(cnncore, name):
            continue
        assert hasattr(cnncore, name), name
    assert not hasattr(cnncore, "no_such_thing")
    assert cnncore.utils.set_random_seed is cnncore.random.set_random_seed
    assert cnncore.models.Model is cnncore.Model and cnncore.models.Sequential is cnncore.Sequential


def test_importing_needs_only_numpy():
    code = ("import sys, cnncore; loaded = [m for m in ('h5py', 'rich', 'pooch', 'matplotlib', 'PIL', 'sklearn', "
            "'keras') if m in sys.modules]; print(loaded)")
    result = in_a_new_process(code)
    assert result.stdout.strip() == "[]", result.stdout + result.stderr


def test_importing_loads_no_room_before_it_is_asked_for():
    loaded = in_a_new_process("import sys, cnncore; print(sorted(m for m in sys.modules if m.startswith('cnncore.')))")
    assert loaded.stdout.strip() == "['cnncore._core', 'cnncore.config']", loaded.stdout + loaded.stderr


def test_importing_costs_little():
    code = ("import time, numpy; start = time.perf_counter(); import cnncore; print(time.perf_counter() - start)")
    best = min(float(in_a_new_process(code).stdout) for _ in range(5))
    assert best <= 0.1


def test_the_environment_chooses_tier_and_threads():
    tiers = cnncore._core.tiers_here()
    result = in_a_new_process("import cnncore; print(cnncore._core.tier(), cnncore.get_num_threads())",
                              CNNCORE_ISA=tiers[0], CNNCORE_THREADS="3")
    assert result.stdout.split() == [tiers[0], "3"], result.stderr
    result = in_a_new_process("import cnncore", CNNCORE_ISA="avx3")
    assert result.returncode and "ValueError" in result.stderr
    assert "'avx3'" in result.stderr and all(tier in result.stderr for tier in tiers)
    for bad in ("0", "many", "-2"):
        result = in_a_new_process("import cnncore", CNNCORE_THREADS=bad)
        assert "ValueError" in result.stderr and "CNNCORE_THREADS" in result.stderr and repr(bad) in result.stderr
    result = in_a_new_process("import cnncore; print(cnncore.get_num_threads()); cnncore.show_config()",
                              OMP_NUM_THREADS="1")
    assert result.stdout.split()[0] == "1" and "OMP_NUM_THREADS" in result.stdout, result.stderr


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_affinity_limits_the_threads():
    code = ("import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); import cnncore; "
            "print(cnncore.get_num_threads()); cnncore.show_config()")
    result = in_a_new_process(code)
    assert result.stdout.split()[0] == "1" and "affinity" in result.stdout, result.stdout + result.stderr


@pytest.mark.parametrize("files, expected", [
    ({"own": "0::/a/b\n", "a/b/cpu.max": "150000 100000\n"}, 1.5),
    ({"own": "0::/a/b\n", "a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"}, 3),
    ({"own": "0::/\n", "cpu.max": "50000 100000\n"}, 0.5),
    ({"own": "0::/gone\n", "cpu.max": "200000 100000\n"}, 2),
    ({"own": "4:cpu,cpuacct:/x\n1:name=systemd:/x\n", "cpu,cpuacct/x/cpu.cfs_quota_us": "400000\n",
      "cpu,cpuacct/x/cpu.cfs_period_us": "100000\n"}, 4),
    ({"own": "4:cpu,cpuacct:/x\n", "cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
    ({"own": "0::/a\n", "a/cpu.max": "nonsense\n"}, None),
    ({"own": "a line of another kind\n"}, None),
    ({}, None),
])
def test_quotas_of_control_groups_are_read(tmp_path, files, expected):
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert cnncore.config._cgroup_cpus(str(tmp_path), str(tmp_path / "own")) == expected


def test_threads_can_be_set():
    before = cnncore.get_num_threads()
    try:
        cnncore.set_num_threads(3)
        assert cnncore.get_num_threads() == 3
        for bad in (0, -1, 1.5, "2", None, True):
            with pytest.raises((ValueError, TypeError), match="threads"):
                cnncore.set_num_threads(bad)
    finally:
        cnncore.set_num_threads(before)


def test_defaults_for_all_layers_are_kerass():
    assert cnncore.config.floatx() == "float32" and cnncore.config.epsilon() == 1e-7
    assert cnncore.config.image_data_format() == "channels_last"
    with pytest.raises(ValueError, match="channels_first"):
        cnncore.config.set_image_data_format("channels_first")
    with pytest.raises(ValueError, match="float16"):
        cnncore.config.set_floatx("float16")
    before = cnncore.config.epsilon()
    cnncore.config.set_epsilon(1e-5)
    assert cnncore.config.epsilon() == 1e-5
    cnncore.config.set_epsilon(before)
