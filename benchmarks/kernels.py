"""GFLOP/s of the convolution and dense kernels on layer shapes, beside the machine's FMA peak measured in the same run.

    python benchmarks/kernels.py [--threads N] [--isa TIER] [--out FILE]
"""
import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

import numpy as np

from cnncore import _core

# name: (batch, height, width, in_c, out_c, kernel, padding)
CONVS = {
    "LeNet 1": (32, 28, 28, 1, 6, 5, "same"), "LeNet 2": (32, 14, 14, 6, 16, 5, "same"),
    "grey 3x3": (32, 28, 28, 1, 32, 3, "same"), "colour 3x3": (32, 32, 32, 3, 64, 3, "same"),
    "28x28x32": (16, 28, 28, 32, 32, 3, "same"), "16x16x64-128": (16, 16, 16, 64, 128, 3, "same"),
    "14x14x32": (32, 14, 14, 32, 32, 3, "same"), "12x12x32-64": (32, 14, 14, 32, 64, 3, "valid"),
    "8x8x64-128": (32, 8, 8, 64, 128, 3, "same"), "7x7x32": (64, 7, 7, 32, 32, 3, "same"),
    "14x14 2x2": (32, 14, 14, 32, 64, 2, "same"), "28x28 1x1": (8, 28, 28, 128, 128, 1, "same"),
}
DENSES = {"512x1568x128": (512, 1568, 128), "32x3136x1000": (32, 3136, 1000), "512x25088x128": (512, 25088, 128),
          "GEMM 512": (512, 512, 512), "GEMM 1024": (1024, 1024, 1024)}


def real(*shape):
    buffer = _core.Buffer.allocate(shape)
    buffer.numpy()[...] = np.random.default_rng(0).random(shape, dtype=np.float32) - 0.5
    return buffer


def conv_calls(shape, winograd):
    """({pass: calls}, floating-point operations) of a convolution."""
    n, h, w, c, f, k, padding = shape
    pad = (k - 1) // 2 if padding == "same" else 0
    out_h, out_w = (h, w) if padding == "same" else (h - k + 1, w - k + 1)
    x, weights, b, dx = real(n, h, w, c), real(k, k, c, f), real(f), real(n, h, w, c)
    y, dy = real(n, out_h, out_w, f), real(n, out_h, out_w, f)
    images = max(1, -(-n // 8))
    partial = real(-(-n // images), k * k * c + 1, f)
    if winograd:
        packed = [real(_core.winograd_packed_size(weights.shape, t)) for t in (False, True)]
        _core.run_now([_core.winograd_pack(weights, p, t) for p, t in zip(packed, (False, True))])
        calls = {"forward": [_core.winograd(x, packed[0], b, y, (pad, pad), True)],
                 "dx": [_core.winograd(dy, packed[1], None, dx, (2 - pad, 2 - pad))],
                 "dw": [_core.winograd_dw(x, dy, partial, (pad, pad), images)]}
    else:
        packed = [real(_core.conv2d_packed_size(weights.shape, t)) for t in (False, True)]
        _core.run_now([_core.conv2d_pack(weights, p, t) for p, t in zip(packed, (False, True))])
        geometry = (weights.shape, (1, 1), (1, 1), (pad, pad))
        calls = {"forward": [_core.conv2d(x, packed[0], b, y, *geometry, True)],
                 "dx": [_core.conv2d_dx(dy, packed[1], dx, *geometry, False)],
                 "dw": [_core.conv2d_dw(x, dy, partial, *geometry, images)]}
    return calls, 2 * n * out_h * out_w * c * f * k * k


def dense_calls(shape):
    """({pass: calls}, floating-point operations) of a dense layer."""
    from cnncore.ops.dense import depth_slots

    n, k, u = shape
    x, w, b, y, dy, dx, dw, db = map(lambda s: real(*s), ((n, k), (k, u), (u,), (n, u), (n, u), (n, k), (k, u), (u,)))
    slots = depth_slots(n, k, u)
    partial = real(slots, n, u)
    forward = [_core.dense(x, w, b, y)] if slots == 1 else [_core.dense(x, w, None, y, partial),
                                                            _core.dense_finish(partial, b, y)]
    return {"forward": forward, "dx": [_core.dense_dx(dy, w, dx, False)],
            "dw": [_core.dense_dw(x, dy, dw, db, False)]}, 2 * n * k * u


def jobs():
    """(kernel, shape, pass, calls, operations) of everything that is measured."""
    for name, shape in CONVS.items():
        kinds = ["direct"] + ["winograd"] * (shape[5] == 3 and min(shape[3:5]) >= 16)
        for kind in kinds:
            calls, operations = conv_calls(shape, kind == "winograd")
            for step, some in calls.items():
                if not (step == "dx" and shape[3] < 4):
                    yield kind, name, step, some, operations
    for name, shape in DENSES.items():
        calls, operations = dense_calls(shape)
        for step, some in calls.items():
            yield "dense", name, step, some, operations


def seconds(calls, least=0.02):
    """Seconds of one run of the calls, over as many as take `least` seconds."""
    runs, started = 0, time.perf_counter()
    while time.perf_counter() - started < least:
        _core.run_now(calls)
        runs += 1
    return (time.perf_counter() - started) / runs


def peak_gflops():
    """The FMA peak, on all threads, just now."""
    y, rounds = _core.Buffer.allocate((_core.threads(),)), 20000
    return _core.tile_flops() * rounds * y.size / seconds([_core.fma_peak(y, rounds)]) / 1e9


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--isa", default=_core.tier())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", default="benchmarks/results/kernels.json")
    options = parser.parse_args(argv)
    _core.use_tier(options.isa)
    _core.set_threads(options.threads)
    rows = []
    for kind, shape, step, calls, operations in jobs():
        _core.run_now(calls)
        pairs = [(peak_gflops(), operations / seconds(calls) / 1e9) for _ in range(options.rounds)]
        peak, gflops = (statistics.median(column) for column in zip(*pairs))
        share = statistics.median(g / p for p, g in pairs)
        rows.append({"kernel": kind, "shape": shape, "pass": step, "gflops": gflops, "peak": peak, "share": share})
        print(f"{kind:9s} {shape:14s} {step:8s} {gflops:7.1f} GFLOP/s  {100 * share:4.0f} % of peak", flush=True)
    result = {"command": " ".join(sys.argv), "tier": options.isa, "threads": options.threads, "rows": rows}
    os.makedirs(os.path.dirname(options.out) or ".", exist_ok=True)
    Path(options.out).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
