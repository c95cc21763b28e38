"""GFLOP/s and errors of the convolution and dense kernels on layer shapes, beside the FMA peak of the same moment.

    python benchmarks/kernels.py [--threads N] [--isa TIER] [--python PYTHON] [--rounds N] [--out FILE]

`--python` is an interpreter that has PyTorch, whose own kernels are then measured in turn with these. A share of more
than 100 % is Winograd's: it is reckoned by the multiplications of the direct way.
"""
import argparse
import sys

import numpy as np
from machine import TIERS, Worker, describe, environment, save

from cnncore import _core
from cnncore.cli import bench

# name: (batch, height, width, in_c, out_c, kernel, padding)
CONVS = {
    "LeNet 1": (32, 28, 28, 1, 6, 5, "same"), "LeNet 2": (32, 14, 14, 6, 16, 5, "same"),
    "grey 3x3": (32, 28, 28, 1, 32, 3, "same"), "grey 5x5": (32, 28, 28, 1, 32, 5, "same"),
    "colour 3x3": (32, 32, 32, 3, 64, 3, "same"), "28x28x32": (16, 28, 28, 32, 32, 3, "same"),
    "26x26x32-64": (16, 26, 26, 32, 64, 3, "valid"), "16x16x64-128": (16, 16, 16, 64, 128, 3, "same"),
    "14x14x32": (32, 14, 14, 32, 32, 3, "same"), "14x14x32-64": (32, 14, 14, 32, 64, 3, "valid"),
    "14x14 2x2": (32, 14, 14, 32, 64, 2, "same"), "8x8x64-128": (32, 8, 8, 64, 128, 3, "same"),
    "7x7x32": (64, 7, 7, 32, 32, 3, "same"), "6x6x64-128": (64, 6, 6, 64, 128, 3, "same"),
    "28x28 1x1": (8, 28, 28, 128, 128, 1, "same"),
}
# name: (rows, depth, units)
DENSES = {"512x1568x128": (512, 1568, 128), "32x3136x1000": (32, 3136, 1000), "512x25088x128": (512, 25088, 128),
          "GEMM 512": (512, 512, 512), "GEMM 1024": (1024, 1024, 1024)}
RESULTS = {"forward": ("y",), "dx": ("dx",), "dw": ("dw", "db")}
OPERANDS = {"forward": ("x", "w", "b"), "dx": ("dy", "w"), "dw": ("x", "dy")}


def cases():
    return bench.cases(CONVS, DENSES)


# ---- errors ------------------------------------------------------------------------------------------------------

def exact(case, step):
    """(what the pass should have written, in float64; how many images of it were computed)."""
    x, w, b, dy = (case.buffers[name].numpy().astype(np.float64) for name in ("x", "w", "b", "dy"))
    if case.kind == "dense":
        return {"forward": lambda: [np.maximum(x @ w + b, 0)], "dx": lambda: [dy @ w.T],
                "dw": lambda: [x.T @ dy, dy.sum(0)]}[step](), len(x)
    some, (top, left), k = 2, case.pads, w.shape[0]
    n, out_h, out_w, _ = dy.shape
    if step != "dw":
        n = min(n, some)
        x, dy = x[:n], dy[:n]
    padded = np.zeros((n, out_h + k - 1, out_w + k - 1, x.shape[3]))
    padded[:, top:top + x.shape[1], left:left + x.shape[2]] = x
    taps = [(i, j, np.s_[:, i:i + out_h, j:j + out_w]) for i in range(k) for j in range(k)]
    if step == "forward":
        return [np.maximum(sum(padded[at] @ w[i, j] for i, j, at in taps) + b, 0)], n
    if step == "dx":
        dx = np.zeros_like(padded)
        for i, j, at in taps:
            dx[at] += dy @ w[i, j].T
        return [dx[:, top:top + x.shape[1], left:left + x.shape[2]]], n
    rows = dy.reshape(-1, dy.shape[3])
    dw = np.stack([padded[at].reshape(len(rows), -1).T @ rows for _, _, at in taps])
    return [dw.reshape(w.shape), rows.sum(0)], n


def error(case, step):
    """The relative L2 error of what the pass wrote, the larger of dw's and db's."""
    _core.run_now([*case.packing[step], *case.calls[step]])
    wanted, n = exact(case, step)
    found = [case.buffers[name].numpy() for name in RESULTS[step]]
    if step != "dw":
        found = [found[0][:n]]
    return max(float(np.linalg.norm(f - e) / np.linalg.norm(e)) for f, e in zip(found, wanted))


# ---- the machine and the peer ------------------------------------------------------------------------------------

def bandwidth(megabytes=256):
    """GB/s of a sum of two arrays that no cache holds, reads and writes counted."""
    a, b, y = (_core.Buffer.allocate((megabytes << 18,)) for _ in range(3))
    for buffer in (a, b, y):
        buffer.numpy()[...] = 0
    call = [_core.binary("add", a, b, y)]
    return 3 * (megabytes << 20) / min(bench.seconds(call) for _ in range(5)) / 1e9


def intensity(case, step):
    """Operations per byte of the operands and results, each moved once."""
    return case.operations / (4 * sum(case.buffers[name].size for name in OPERANDS[step] + RESULTS[step]))


def measure(case, step, rounds, peer):
    """A row: cnncore's figures, and PyTorch's where its worker runs, in turn."""
    if peer:
        peer.ask({"kind": case.kind, "shape": case.shape, "pass": step})
    return {"kernel": case.kind, "shape": case.name, "pass": step,
            **bench.measure(case, step, rounds, peer and (lambda: peer.ask()["seconds"])),
            "error": error(case, step), "intensity": intensity(case, step)}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--isa", choices=TIERS, default=_core.tier(), help="default: %(default)s")
    parser.add_argument("--python", default=sys.executable, help="an interpreter that has PyTorch")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--out", default="benchmarks/results/kernels.json", help="default: %(default)s")
    options = parser.parse_args(argv)
    head = describe()
    _core.use_tier(options.isa)
    _core.set_threads(options.threads)
    peer = Worker([options.python], "torch_kernels.py", [options.threads], environment(options.threads, options.isa))
    if peer.info is None:
        print(f"PyTorch is left out: {peer.reason}", file=sys.stderr)
    rows = []
    try:
        for case in cases():
            for step in case.calls:
                row = measure(case, step, options.rounds, peer.info and peer)
                rows.append(row)
                print(f"{bench.line(row)}  error {row['error']:.1e}"
                      + (f"  {row['times_peer']:5.2f} times PyTorch" if peer.info else ""), flush=True)
    finally:
        peer.close()
    save({**head, "tier": options.isa, "threads": options.threads, "rounds": options.rounds,
          "bandwidth_gbs": bandwidth(), "torch": peer.info and peer.info["torch"], "rows": rows}, options.out)


if __name__ == "__main__":
    main()
