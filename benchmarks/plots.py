"""Pictures of what train.py, kernels.py and scaling.py measured.

    python benchmarks/plots.py [FOLDER]
"""
import json
import statistics
import sys
from pathlib import Path

COLOURS = {"cnncore": "#0b5fa5", "numpy": "#a3a3a3", "torch": "#d1495b", "torch-channels-last": "#e58a97",
           "torch-compile": "#8c2f39", "keras-tensorflow": "#e09f3e", "keras-tensorflow-jit": "#9e6b1f",
           "keras-jax": "#4f9d69"}
PASSES = {"forward": "#0b5fa5", "dx": "#e09f3e", "dw": "#4f9d69"}
KINDS = {"direct": "o", "winograd": "^", "tiles": "D", "dense": "s"}
LINES = ("#0b5fa5", "#e09f3e", "#4f9d69", "#d1495b", "#7d5ba6", "#56b4c9", "#8a8a4a", "#a0522d", "#606060")


def _figure(width, height):
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _save(figure, path):
    figure.savefig(path, dpi=120)
    print(path)


def _tidy(axes, along="y"):
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=along, alpha=0.3)
    axes.set_axisbelow(True)


def _isa(results):
    return results.get("isa") or results.get("tier") or "the best tier"


# ---- training ----------------------------------------------------------------------------------------------------

def training(results, path):
    """Throughput of every framework on every workload, the fastest peer being 1, and the peak memory."""
    workloads = results["workloads"]
    frameworks = [f for f in COLOURS if any(f in w["figures"] for w in workloads.values())]
    figure = _figure(13, 8)
    speed, memory = figure.subplots(2, 1, sharex=True)
    width = 0.84 / len(frameworks)
    for i, framework in enumerate(frameworks):
        for k, one in enumerate(workloads.values()):
            figures = one["figures"].get(framework)
            if figures is None:
                continue
            unit = one["figures"][one.get("fastest_peer", next(iter(one["figures"])))]["ms"]
            place = k + (i - (len(frameworks) - 1) / 2) * width
            label = framework if k == 0 else None
            bar = speed.bar(place, unit / figures["ms"], width * 0.94, color=COLOURS[framework], label=label)
            memory.bar(place, figures["mb"], width * 0.94, color=COLOURS[framework])
            if framework == "cnncore":
                speed.bar_label(bar, [f"{unit / figures['ms']:.1f}"], fontsize=9, padding=2)
    speed.axhline(1, color="black", linewidth=0.8)
    peers = any("fastest_peer" in one for one in workloads.values())
    speed.set(ylabel="images a second, " + ("fastest peer = 1" if peers else f"{frameworks[0]} = 1"))
    memory.set(ylabel="peak resident memory (MB)", yscale="log")
    memory.set_xticks(range(len(workloads)), [f"{name}\nbatch {one['batch']}" for name, one in workloads.items()],
                      fontsize=8)
    speed.legend(ncols=len(frameworks), loc="lower left", bbox_to_anchor=(0, 1), frameon=False)
    for axes in (speed, memory):
        _tidy(axes)
    figure.suptitle(f"Training steps with Adam, {results['threads']} threads, {_isa(results)}: "
                    f"medians of {results['rounds']} alternating rounds")
    _save(figure, path)


# ---- kernels -----------------------------------------------------------------------------------------------------

def shares(results, path):
    """Each kernel's share of the FMA peak, by pass; PyTorch's as a tick."""
    groups = {}
    for row in results["rows"]:
        groups.setdefault(f"{row['kernel']}  {row['shape']}", {})[row["pass"]] = row
    figure = _figure(9, 0.42 * len(groups) + 1.4)
    axes = figure.subplots()
    for k, rows in enumerate(groups.values()):
        for i, (name, row) in enumerate(rows.items()):
            y = k + (i - 1) * 0.27
            axes.barh(y, 100 * row["share"], 0.25, color=PASSES[name], label=name if k == 0 else None)
            if "peer_share" in row:
                peer = 100 * row["peer_share"]
                axes.plot([peer, peer], [y - 0.13, y + 0.13], color="black", linewidth=2,
                          label="PyTorch, faster layout" if k == i == 0 else None)
    axes.set_yticks(range(len(groups)), groups, fontsize=8)
    axes.set_ylim(len(groups) - 0.4, -0.6)
    axes.axvline(100, color="black", linewidth=0.8)
    axes.set(xlabel="% of the measured FMA peak (Winograd's by direct arithmetic)")
    axes.legend(ncols=4, loc="lower left", bbox_to_anchor=(0, 1), frameon=False)
    _tidy(axes, "x")
    figure.suptitle(f"Kernels, {_isa(results)}, {_threads(results)}", x=0.98, ha="right", fontsize=10)
    _save(figure, path)


def _threads(results):
    return f"{results['threads']} thread{'s' if results['threads'] > 1 else ''}"


def roofline(results, path):
    """GFLOP/s over operations per byte, under the machine's measured FMA peak and memory bandwidth."""
    rows, bandwidth = results["rows"], results["bandwidth_gbs"]
    peak = sorted(row["peak"] for row in rows)[len(rows) // 2]
    figure = _figure(9, 6)
    axes = figure.subplots()
    for kind, marker in KINDS.items():
        for name, colour in PASSES.items():
            points = [(row["intensity"], row["gflops"]) for row in rows if (row["kernel"], row["pass"]) == (kind, name)]
            if points:
                axes.scatter(*zip(*points), marker=marker, color=colour, s=34, alpha=0.85, label=f"{kind}, {name}")
    least, most = min(row["intensity"] for row in rows) / 2, max(row["intensity"] for row in rows) * 2
    ridge = peak / bandwidth
    least = min(least, ridge / 4)
    axes.plot([least, ridge, most], [least * bandwidth, peak, peak], color="black")
    axes.annotate(f"FMA peak {peak:.0f} GFLOP/s", (most, peak), ha="right", va="bottom", fontsize=9)
    axes.annotate(f"memory {bandwidth:.1f} GB/s", (ridge, peak), xytext=(6, -14), textcoords="offset points", fontsize=9,
                  va="top", rotation=0)
    axes.set(xscale="log", yscale="log", xlabel="operations per byte of operands and results, each moved once",
             ylabel="GFLOP/s", title=f"Roofline, {_isa(results)}, {_threads(results)} "
                                     "(Winograd by direct arithmetic: it may pass the peak)")
    axes.legend(ncols=3, fontsize=8, loc="lower right")
    _tidy(axes, "both")
    _save(figure, path)


# ---- scaling -----------------------------------------------------------------------------------------------------

def scaling(results, path):
    """Speed by threads, throughput and memory by batch size."""
    figure = _figure(15, 4.6)
    by_threads, by_batch, memory = figure.subplots(1, 3)
    kinds = {"cnncore": "-", "numpy": ":"}
    colours = {name: LINES[i % len(LINES)] for i, name in enumerate(results["by_threads"] | results["by_batch"])}
    for workload, frameworks in results["by_threads"].items():
        for framework, rows in frameworks.items():
            threads = [row["threads"] for row in rows]
            by_threads.plot(threads, [row["times_the_first"] for row in rows], "o", color=colours[workload],
                            linestyle=kinds.get(framework, "--"), label=_label(workload, framework))
            by_threads.set_xticks(threads, threads)
    alone = [[row["machine_times_the_first"] for row in rows]
             for frameworks in results["by_threads"].values() for rows in frameworks.values()]
    by_threads.plot(threads, [statistics.median(times) for times in zip(*alone, strict=True)], color="black",
                    linewidth=0.8, label="the FMA units alone")
    by_threads.set(xlabel="threads", ylabel="times the speed of one thread", ylim=(0, None))
    for workload, frameworks in results["by_batch"].items():
        for framework, rows in frameworks.items():
            batch, style = [row["batch"] for row in rows], kinds.get(framework, "--")
            by_batch.plot(batch, [row["batch"] / row["ms"] * 1e3 for row in rows], "o", color=colours[workload],
                          linestyle=style, label=_label(workload, framework))
            memory.plot(batch, [row["mb"] for row in rows], "o", color=colours[workload], linestyle=style)
            for axes in (by_batch, memory):
                axes.set(xscale="log", xlabel="batch size")
                axes.set_xticks(batch, batch)
                axes.minorticks_off()
    by_batch.set(ylabel="images a second", yscale="log")
    memory.set(ylabel="peak resident memory (MB)", ylim=(0, None))
    for axes in (by_threads, by_batch, memory):
        _tidy(axes, "both")
    by_threads.legend(fontsize=8)
    figure.suptitle(f"Training steps, {_isa(results)}, medians of {results['rounds']} rounds; "
                    f"by batch size: {_threads(results)}")
    _save(figure, path)


def _label(workload, framework):
    return workload if framework == "cnncore" else f"{workload}, {framework}"


PICTURES = (("train", "train", training), ("kernels", "kernels", shares), ("kernels", "roofline", roofline),
            ("scaling", "scaling", scaling))


def main(folder="benchmarks/results"):
    folder, drawn = Path(folder), 0
    for source, picture, draw in PICTURES:
        if (folder / f"{source}.json").exists():
            draw(json.loads((folder / f"{source}.json").read_text()), folder / f"{picture}.png")
            drawn += 1
    if not drawn:
        raise SystemExit(f"There is nothing to draw in {folder}: run train.py, kernels.py or scaling.py first.")


if __name__ == "__main__":
    main(*sys.argv[1:])
