"""Builds the one extension module: csrc/ compiled once per CPU tier, and the Cython boundary over it."""
import os
import platform
from glob import glob

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

# -O3: gcc leaves the accumulators of the micro-kernels in memory at -O2. Never -ffast-math, never -march=native.
COMPILE = ["-O3", "-std=gnu11", "-fopenmp", "-fvisibility=hidden", "-ffp-contract=fast", "-fno-math-errno",
           "-fno-trapping-math", "-Wall", "-Wextra", "-Wno-missing-field-initializers"]
LINK = ["-fopenmp"]
if os.environ.get("CNNCORE_SANITIZE"):
    flags = ["-fsanitize=" + os.environ["CNNCORE_SANITIZE"], "-fno-omit-frame-pointer", "-g"]
    COMPILE, LINK = COMPILE + flags, LINK + flags
else:
    COMPILE, LINK = COMPILE + ["-DNDEBUG"], LINK + ["-s"]
if platform.machine() == "x86_64":
    COMPILE.append("-mprefer-vector-width=512")

core = Extension(
    "cnncore._core",
    sources=["bindings/_core.pyx", *sorted(glob("csrc/*.c")), *sorted(glob("csrc/tiers/*.c"))],
    depends=[*glob("bindings/*.p*"), *glob("csrc/*.h"), *glob("csrc/*.def"), *glob("csrc/kernels/*")],
    include_dirs=["csrc", numpy.get_include()],
    define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
    extra_compile_args=COMPILE,
    extra_link_args=LINK,
)

setup(ext_modules=cythonize([core], include_path=["bindings"], build_dir="build"))
