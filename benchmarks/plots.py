"""Pictures of what train.py and kernels.py measured.

    python benchmarks/plots.py [FOLDER]
"""
import json
import sys
from pathlib import Path


def bars(results, path):
    """Milliseconds per step of every framework, relative to cnncore's."""
    from matplotlib.figure import Figure

    names = list(results["workloads"])
    frameworks = sorted({f for w in results["workloads"].values() for f in w["figures"]}, key=lambda f: f != "cnncore")
    figure = Figure(figsize=(12, 5), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(frameworks)
    for i, framework in enumerate(frameworks):
        heights = []
        for name in names:
            figures = results["workloads"][name]["figures"]
            ms = figures.get(framework, {}).get("ms", 0)
            heights.append(ms / figures["cnncore"]["ms"])
        axes.bar([k + i * width for k in range(len(names))], heights, width, label=framework)
    axes.set_xticks([k + 0.4 - width / 2 for k in range(len(names))], names, rotation=20)
    axes.set(ylabel="time per training step, cnncore = 1", yscale="log",
             title=f"{results['threads']} threads, medians of {results['rounds']} alternating rounds")
    axes.axhline(1, color="grey", linewidth=0.8)
    axes.legend()
    figure.savefig(path, dpi=120)


def shares(results, path):
    """Each kernel's share of the FMA peak."""
    from matplotlib.figure import Figure

    rows = results["rows"]
    figure = Figure(figsize=(8, 0.22 * len(rows) + 1), layout="constrained")
    axes = figure.subplots()
    colours = {"forward": "tab:blue", "dx": "tab:orange", "dw": "tab:green"}
    axes.barh(range(len(rows)), [100 * row["share"] for row in rows], color=[colours[row["pass"]] for row in rows])
    axes.set_yticks(range(len(rows)), [f"{row['kernel']} {row['shape']} {row['pass']}" for row in rows], fontsize=7)
    axes.invert_yaxis()
    axes.axvline(100, color="grey", linewidth=0.8)
    axes.set(xlabel=f"% of the FMA peak, {results['tier']}, {results['threads']} threads (Winograd: of direct arithmetic)")
    figure.savefig(path, dpi=120)


def main(folder="benchmarks/results"):
    folder = Path(folder)
    for name, draw in (("train", bars), ("kernels", shares)):
        if (folder / f"{name}.json").exists():
            draw(json.loads((folder / f"{name}.json").read_text()), folder / f"{name}.png")
            print(folder / f"{name}.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
