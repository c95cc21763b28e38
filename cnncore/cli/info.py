"""`cnncore info`: the version, and what it runs on and why."""
import sys

HELP = "Print the version, the CPU tier, the threads and why, and the OpenMP runtimes loaded."


def add_arguments(parser):
    pass


def run(options):
    import cnncore

    print(f"cnncore {cnncore.__version__}, Python {sys.version.split()[0]}, NumPy {_numpy_version()}")
    cnncore.show_config()
    return 0


def _numpy_version():
    import numpy

    return numpy.__version__
