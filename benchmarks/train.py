"""Milliseconds per training step of every framework on the workloads, alternating in one run.

    python benchmarks/train.py [--workloads W ...] [--frameworks F ...] [--python PYTHON] [--rounds N] [--out FILE]

Each framework lives in a process of its own and runs one epoch whenever it is asked to; the rounds go through all of
them in turn, so that a machine that slows down slows all. Frameworks that are not installed are named and left out.
`--python` is the interpreter that has the peers, where they are not installed beside cnncore.
"""
import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

FRAMEWORKS = ("cnncore", "numpy", "torch", "torch-channels-last", "keras-tensorflow", "keras-jax")
IMAGES = 4096  # of one epoch, at least four steps


# ---- the worker: one framework, one workload ---------------------------------------------------------------------

def worker(framework, name, threads):
    """Reads a line, runs an epoch, prints its milliseconds per step and the peak memory; until the input ends."""
    import numpy as np
    from workloads import WORKLOADS

    workload = WORKLOADS[name]
    steps = max(4, min(60, IMAGES // workload.batch))
    rng = np.random.default_rng(0)
    x = rng.random((workload.batch * steps, *workload.shape), dtype=np.float32)
    y = rng.integers(0, 10, len(x))
    epoch = EPOCHS[framework](workload, x, y, steps, threads)
    epoch()
    print("ready", flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        epoch()
        seconds = time.perf_counter() - started
        print(json.dumps({"ms": seconds / steps * 1e3,
                          "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}), flush=True)


def cnncore_epoch(workload, x, y, steps, threads):
    from workloads import keras_model

    import cnncore

    cnncore.set_num_threads(threads)
    model = keras_model(workload, cnncore)
    return lambda: model.fit(x, y, batch_size=workload.batch, epochs=1, verbose=0)


def keras_epoch(workload, x, y, steps, threads):
    import keras
    from workloads import keras_model

    model = keras_model(workload, keras, jit_compile=os.environ["KERAS_BACKEND"] == "jax")
    return lambda: model.fit(x, y, batch_size=workload.batch, epochs=1, verbose=0)


def numpy_epoch(workload, x, y, steps, threads):
    import numpy as np
    from numpy_reference import Network

    network, rng, b = Network(workload), np.random.default_rng(1), workload.batch

    def epoch():
        order = rng.permutation(len(x))
        for i in range(steps):
            rows = order[i * b:(i + 1) * b]
            network.step(x[rows], y[rows])

    return epoch


def torch_epoch(workload, x, y, steps, threads, channels_last=False):
    import numpy as np
    import torch
    import torch.nn.functional as F
    from workloads import torch_model

    torch.set_num_threads(threads)
    model, b = torch_model(workload).train(), workload.batch
    images, labels = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2))), torch.from_numpy(y)
    if channels_last:
        model, images = (t.to(memory_format=torch.channels_last) for t in (model, images))
    adam = torch.optim.Adam(model.parameters())

    def epoch():
        order, correct = torch.randperm(len(labels)), 0.0
        for i in range(steps):
            rows = order[i * b:(i + 1) * b]
            batch, wanted = images[rows], labels[rows]
            if channels_last:
                batch = batch.contiguous(memory_format=torch.channels_last)
            adam.zero_grad()
            out = model(batch)
            F.cross_entropy(out, wanted).backward()
            adam.step()
            correct += (out.argmax(1) == wanted).float().mean().item()

    return epoch


EPOCHS = {"cnncore": cnncore_epoch, "numpy": numpy_epoch, "torch": torch_epoch, "keras-tensorflow": keras_epoch,
          "torch-channels-last": lambda *a: torch_epoch(*a, channels_last=True), "keras-jax": keras_epoch}


# ---- the run -----------------------------------------------------------------------------------------------------

class Worker:
    """A process that runs epochs of one framework when asked."""

    def __init__(self, framework, workload, options):
        peer = framework not in ("cnncore", "numpy")
        environment = dict(os.environ, OMP_NUM_THREADS=str(options.threads), OPENBLAS_NUM_THREADS=str(options.threads),
                           TF_NUM_INTRAOP_THREADS=str(options.threads), TF_CPP_MIN_LOG_LEVEL="3",
                           KERAS_BACKEND=framework.rpartition("-")[2] if framework.startswith("keras") else "numpy")
        if options.isa:
            environment.update(CNNCORE_ISA=options.isa, ONEDNN_MAX_CPU_ISA=options.isa.upper(),
                               ATEN_CPU_CAPABILITY=options.isa)
        python = options.python if peer and options.python else sys.executable
        self.process = subprocess.Popen(
            [python, __file__, "--worker", framework, workload, "--threads", str(options.threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        self.framework, self.ms, self.mb = framework, [], 0

    def ready(self):
        """Whether it started; the reason if not."""
        for line in self.process.stdout:
            if line.strip() == "ready":
                return None
        errors = self.process.stderr.read().strip().splitlines()
        return errors[-1] if errors else "it ended at once"

    def round(self):
        print(file=self.process.stdin, flush=True)
        result = json.loads(self.process.stdout.readline())
        self.ms.append(result["ms"])
        self.mb = result["mb"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def measure(name, options):
    """{framework: median ms per step, fastest, peak MB} on one workload, and who was left out."""
    workers, missing = [], {}
    for framework in options.frameworks:
        one = Worker(framework, name, options)
        reason = one.ready()
        if reason is None:
            workers.append(one)
        else:
            missing[framework] = reason
            print(f"{name}: {framework} is left out ({reason})", file=sys.stderr)
    for _ in range(options.rounds):
        for one in workers:
            one.round()
    for one in workers:
        one.close()
    return {one.framework: {"ms": statistics.median(one.ms), "least_ms": min(one.ms), "mb": one.mb}
            for one in workers}, missing


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worker", nargs=2, metavar=("FRAMEWORK", "WORKLOAD"), help=argparse.SUPPRESS)
    parser.add_argument("--workloads", nargs="+")
    parser.add_argument("--frameworks", nargs="+", default=FRAMEWORKS, choices=FRAMEWORKS)
    parser.add_argument("--python", help="interpreter that has the peers")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--isa", help="CPU tier for cnncore, and for oneDNN in the peers")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", default="benchmarks/results/train.json")
    options = parser.parse_args(argv)
    if options.worker:
        worker(*options.worker, options.threads)
        return
    from workloads import WORKLOADS

    results = {"command": " ".join(sys.argv), "machine": platform.processor() or platform.machine(),
               "threads": options.threads, "isa": options.isa, "rounds": options.rounds, "workloads": {}}
    for name in options.workloads or WORKLOADS:
        figures, missing = measure(name, options)
        peers = {f: v["ms"] for f, v in figures.items() if f not in ("cnncore", "numpy")}
        results["workloads"][name] = {"figures": figures, "missing": missing}
        line = "  ".join(f"{f} {v['ms']:.2f}" for f, v in figures.items())
        if peers and "cnncore" in figures:
            ratio = min(peers.values()) / figures["cnncore"]["ms"]
            results["workloads"][name]["times_the_fastest_peer"] = ratio
            line += f"  -> {ratio:.2f} times the fastest peer"
        print(f"{name:20s} {line}", flush=True)
    ratios = [w["times_the_fastest_peer"] for w in results["workloads"].values() if "times_the_fastest_peer" in w]
    if ratios:
        results["geometric_mean"] = statistics.geometric_mean(ratios)
        print(f"geometric mean {results['geometric_mean']:.2f}, least {min(ratios):.2f}")
    Path(options.out).parent.mkdir(parents=True, exist_ok=True)
    Path(options.out).write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
