"""PyTorch's own kernels on a layer shape, the worker of kernels.py: a line with a shape makes them, a line with null
times them and gives the faster of the two layouts."""
import json
import os
import sys
import time


def passes(kind, shape, layout):
    """{pass: function} of a convolution or dense layer."""
    import torch
    from torch.nn import functional as F

    def real(*lengths):
        return torch.rand(lengths) - 0.5

    if kind == "dense":
        n, k, u = shape
        x, w, b, dy = real(n, k), real(u, k), real(u), real(n, u)
        return {"forward": lambda: F.linear(x, w, b), "dx": lambda: dy @ w, "dw": lambda: (dy.T @ x, dy.sum(0))}
    n, h, w_, c, f, k, padding = shape
    x, w, b = real(n, c, h, w_).to(memory_format=layout), real(f, c, k, k).to(memory_format=layout), real(f)
    even = padding == "same" and k % 2 == 0
    pad = (k - 1) // 2 if padding == "same" else 0
    if even:  # PyTorch has no uneven padding but by a copy, which is not counted
        x, pad = F.pad(x, (pad, pad + 1, pad, pad + 1)).contiguous(memory_format=layout), 0
    dy = F.conv2d(x, w, b, padding=pad)

    def backward(dx, dw):
        return torch.ops.aten.convolution_backward(dy, x, w, [f], [1, 1], [pad, pad], [1, 1], False, [0, 0], 1,
                                                   [dx, dw, dw])

    return {"forward": lambda: F.conv2d(x, w, b, padding=pad), "dx": lambda: backward(True, False),
            "dw": lambda: backward(False, True)}


def seconds(run, least=0.02):
    runs, started = 0, time.perf_counter()
    while time.perf_counter() - started < least:
        run()
        runs += 1
    return (time.perf_counter() - started) / runs


def main(threads):
    import torch
    from machine import answers, cpus

    send = answers()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cpus(int(threads)))
    torch.set_num_threads(int(threads))
    send({"torch": torch.__version__})
    runs = []
    with torch.no_grad():
        for line in sys.stdin:
            asked = json.loads(line)
            if asked is None:
                send({"seconds": min(seconds(run) for run in runs)})
                continue
            layouts = (torch.contiguous_format, torch.channels_last)[:1 + (asked["kind"] != "dense")]
            runs = [passes(asked["kind"], asked["shape"], layout)[asked["pass"]] for layout in layouts]
            for run in runs:
                run()
            send({})


if __name__ == "__main__":
    main(*sys.argv[1:])
