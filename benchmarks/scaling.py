"""How a training step scales: milliseconds by number of threads, milliseconds and memory by batch size.

    python benchmarks/scaling.py [--workloads W ...] [--frameworks F ...] [--batches B ...] [--python PYTHON]
"""
import statistics
import sys

from frameworks import ANSWER_SECONDS
from machine import describe, save
from train import alternate, arguments, start

SOME = ["lenet5_mnist", "fashion_bn", "cifar_headline"]


def thread_counts(most):
    """1, 2, 4, ... and the most."""
    return sorted({1 << i for i in range(most.bit_length()) if 1 << i <= most} | {most})


def times(first, other):
    """How many times as fast, the median over rounds."""
    return statistics.median(a / b for a, b in zip(first["all_ms"], other["all_ms"], strict=True))


def sweep(framework, workload, options, points):
    """[figures] at the points, which alternate; a point is {"threads": ...} or {"batch": ...}.

    All run the same epochs, as how long a step takes depends on what training has made of the weights. Between those of
    different numbers of threads the machine shows what its FMA units alone make of so many.
    """
    names = [framework, "machine"] if "threads" in points[0] else [framework]
    workers = {}
    try:
        for name in names:
            for i, point in enumerate(points):
                worker = start(name, workload, options, **point)
                if worker.info is None:
                    print(f"{name} is left out: {worker.reason}", file=sys.stderr)
                    return None
                workers[name, i] = worker
        slowest = max(workers[framework, i].info["first_epoch_s"] for i in range(len(points)))
        figures = alternate(workers, options.rounds, max(1, round(ANSWER_SECONDS / slowest)))
        rows = [{**point, **figures[framework, i]} for i, point in enumerate(points)]
        for name, key in zip(names, ("times_the_first", "machine_times_the_first"), strict=False):
            for i, row in enumerate(rows):
                row[key] = times(figures[name, 0], figures[name, i])
        return rows
    finally:
        for worker in workers.values():
            worker.close()


def main(argv=None):
    parser = arguments(__doc__.splitlines()[0], 5, "benchmarks/results/scaling.json")
    parser.set_defaults(workloads=SOME, frameworks=["cnncore"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8, 32, 128, 512])
    options = parser.parse_args(argv)
    results = {**describe(), "isa": options.isa, "rounds": options.rounds, "threads": options.threads,
               "by_threads": {}, "by_batch": {}}
    by = {"by_threads": [{"threads": n} for n in thread_counts(options.threads)],
          "by_batch": [{"batch": n} for n in options.batches]}
    for kind, points in by.items():
        for workload in options.workloads:
            for framework in options.frameworks:
                rows = sweep(framework, workload, options, points)
                if rows is None:
                    continue
                results[kind].setdefault(workload, {})[framework] = rows
                key = next(iter(points[0]))
                last = (f", {rows[-1]['times_the_first']:.2f} times one, the FMA units alone "
                        f"{rows[-1]['machine_times_the_first']:.2f}") if key == "threads" else ""
                print(f"{workload:20s} {framework}: " + ", ".join(
                    f"{key} {row[key]} {row['ms']:.2f} ms {row['mb']:.0f} MB" for row in rows) + last, flush=True)
    save(results, options.out)


if __name__ == "__main__":
    main()
