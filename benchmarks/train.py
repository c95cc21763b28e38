"""Milliseconds per training step of every framework on the workloads, alternating in one run.

    python benchmarks/train.py [--workloads W ...] [--frameworks F ...] [--python PYTHON] [--rounds N] [--out FILE]

Each framework lives in a process of its own and runs one epoch whenever it is asked to; the rounds go through all of
them in turn, so that a machine that slows down slows all. Frameworks that are not installed are named and left out.
`--python` is an interpreter that has peers which are not installed beside cnncore.
"""
import argparse
import statistics
import sys

from frameworks import FRAMEWORKS
from machine import TIERS, Worker, cpu_count, describe, environment, save
from workloads import WORKLOADS

USUAL = ("cnncore", "numpy", "torch", "torch-channels-last", "keras-tensorflow", "keras-jax")


def start(framework, workload, options, threads=None, batch=None):
    """The worker of a framework; its `info` is None where it is not installed."""
    threads = threads or options.threads
    pythons = [sys.executable]
    if framework not in ("cnncore", "machine", "numpy") and options.python:
        pythons.insert(0, options.python)
    backend = framework.split("-")[1] if framework.startswith("keras") else "numpy"
    return Worker(pythons, "frameworks.py",
                  [framework, workload, threads, batch or WORKLOADS[workload].batch, options.images],
                  environment(threads, options.isa, KERAS_BACKEND=backend))


def alternate(workers, rounds, epochs=None):
    """{name: figures} of workers by name; every other round goes backwards, so that nobody has one neighbour only."""
    asked = {name: [] for name in workers}
    for i in range(rounds):
        for name in list(workers)[::-1 if i % 2 else 1]:
            asked[name].append(workers[name].ask(epochs))
    figures = {}
    for name, worker in workers.items():
        ms = [answer["ms"] for answer in asked[name]]
        figures[name] = {"ms": statistics.median(ms), "least_ms": min(ms), "all_ms": ms, "mb": asked[name][-1]["mb"],
                         **{key: worker.info[key] for key in ("before_mb", "first_epoch_s", "steps")}}
    return figures


def measure(workload, options, missing, versions):
    """{framework: figures} on one workload. Who does not start is put into `missing`, and named once."""
    workers = {}
    try:
        for framework in options.frameworks:
            if framework in missing:
                continue
            worker = start(framework, workload, options)
            if worker.info is None:
                missing[framework] = worker.reason
                print(f"{framework} is left out: {worker.reason}", file=sys.stderr)
            else:
                workers[framework] = worker
                versions[framework] = worker.info["versions"]
        return alternate(workers, options.rounds)
    finally:
        for worker in workers.values():
            worker.close()


def compare(figures, batch):
    """A workload's results: the figures, and how cnncore stands to the others."""
    for one in figures.values():
        one["images_per_s"] = batch / one["ms"] * 1e3
    result = {"batch": batch, "figures": figures}
    peers = [name for name in figures if name not in ("cnncore", "numpy")]
    if "cnncore" in figures and peers:
        fastest = min(peers, key=lambda name: figures[name]["ms"])
        result["fastest_peer"] = fastest
        result["times_the_fastest_peer"] = figures[fastest]["ms"] / figures["cnncore"]["ms"]
    if "cnncore" in figures and "numpy" in figures:
        result["times_numpy"] = figures["numpy"]["ms"] / figures["cnncore"]["ms"]
    if "cnncore" in figures and "torch" in figures:
        result["share_of_torch_memory"] = figures["cnncore"]["mb"] / figures["torch"]["mb"]
    return result


def arguments(description, rounds, out):
    """The options that train.py and scaling.py share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS), metavar="W")
    parser.add_argument("--frameworks", nargs="+", choices=FRAMEWORKS, default=list(USUAL), metavar="F",
                        help=f"of {', '.join(FRAMEWORKS)}; default: {' '.join(USUAL)}")
    parser.add_argument("--python", help="an interpreter that has peers which are not installed beside cnncore")
    parser.add_argument("--threads", type=int, default=cpu_count(), help="default: %(default)s")
    parser.add_argument("--isa", choices=TIERS, help="the CPU tier of cnncore, and the most that the peers may use")
    parser.add_argument("--rounds", type=int, default=rounds, help="default: %(default)s")
    parser.add_argument("--images", type=int, default=4096, help="of an epoch; 4 to 60 steps. Default: %(default)s")
    parser.add_argument("--out", default=out, help="default: %(default)s")
    return parser


def main(argv=None):
    options = arguments(__doc__.splitlines()[0], 7, "benchmarks/results/train.json").parse_args(argv)
    missing, versions, results = {}, {}, {}
    head = describe()
    for name in options.workloads:
        figures = measure(name, options, missing, versions)
        if not figures:
            raise SystemExit("None of the frameworks could be started.")
        results[name] = one = compare(figures, WORKLOADS[name].batch)
        line = "  ".join(f"{f} {v['ms']:.2f} ms {v['mb']:.0f} MB" for f, v in figures.items())
        if "fastest_peer" in one:
            line += f"  -> {one['times_the_fastest_peer']:.2f} times {one['fastest_peer']}"
        print(f"{name:20s} {line}", flush=True)
    everything = {**head, "threads": options.threads, "isa": options.isa, "rounds": options.rounds,
                  "tier": versions.get("cnncore", {}).get("tier"), "versions": versions, "missing": missing,
                  "workloads": results}
    ratios = [one["times_the_fastest_peer"] for one in results.values() if "times_the_fastest_peer" in one]
    if ratios:
        everything.update(geometric_mean=statistics.geometric_mean(ratios), least=min(ratios))
        print(f"Times the fastest peer: geometric mean {everything['geometric_mean']:.2f}, least {min(ratios):.2f}")
    save(everything, options.out)


if __name__ == "__main__":
    main()
