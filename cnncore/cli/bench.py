"""`cnncore bench`: the speed of the kernels and of training on this machine, by cnncore alone."""
import json
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HELP = ("Measure the kernels as shares of this machine's FMA peak, and training steps. The comparison with other "
        "frameworks is benchmarks/ of the repository.")

# (batch, height, width, in_c, out_c, kernel, padding)
CONVS = {"LeNet 2": (32, 14, 14, 6, 16, 5, "same"), "grey 3x3": (32, 28, 28, 1, 32, 3, "same"),
         "28x28x32": (16, 28, 28, 32, 32, 3, "same"), "16x16x64-128": (16, 16, 16, 64, 128, 3, "same")}
DENSES = {"512x1568x128": (512, 1568, 128), "GEMM 512": (512, 512, 512)}

_GREY, _COLOUR = (28, 28, 1), (32, 32, 3)
# name: (shape of an image, batch size, layers), a layer being (class, positional arguments)
NETWORKS = {
    "lenet5_mnist": (_GREY, 32, (("conv", 6, 5), ("pool",), ("conv", 16, 5), ("pool",), ("dense", 120), ("dense", 84))),
    "fashion_plain": (_GREY, 512, (("conv", 32, 3), ("conv", 32, 3), ("conv", 32, 3), ("dense", 128), ("dense", 64))),
    "cifar_headline": (_COLOUR, 128, (("conv", 64, 3), ("pool",), ("dropout", 0.1), ("conv", 128, 3), ("pool",),
                                      ("dropout", 0.8), ("dense", 256), ("dense", 128))),
}


def add_arguments(parser):
    parser.add_argument("--threads", type=_positive, help="threads (default: as in `cnncore info`)")
    parser.add_argument("--rounds", type=_positive, default=5, help="measurements of each (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")


def _positive(text):
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def run(options):
    import cnncore
    from cnncore import _core

    threads = options.threads or cnncore.get_num_threads()
    cnncore.set_num_threads(threads)
    print(f"CPU tier {_core.tier()}, {threads} thread{'s' if threads > 1 else ''}")
    kernels = []
    for case in cases(CONVS, DENSES):
        for step in case.calls:
            kernels.append({"kernel": case.kind, "shape": case.name, "pass": step, **measure(case, step, options.rounds)})
            print(line(kernels[-1]), flush=True)
    steps = {}
    for name in NETWORKS:
        steps[name] = training_step(name, options.rounds)
        print(f"training {name}, batch {NETWORKS[name][1]}: {steps[name]:.2f} ms per step", flush=True)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps({
            "command": " ".join(sys.argv), "version": cnncore.__version__, "tier": _core.tier(), "threads": threads,
            "rounds": options.rounds, "kernels": kernels, "ms_per_step": steps}, indent=1) + "\n")
        print(f"Saved to {options.out}")
    return 0


# ---- kernels -----------------------------------------------------------------------------------------------------

@dataclass
class Case:
    """A layer shape and a way of computing it: `calls` and `packing` by pass, its buffers by name."""

    kind: str
    name: str
    shape: tuple
    pads: tuple
    buffers: dict
    packing: dict
    calls: dict
    operations: int


def cases(convs, denses):
    """Every case of the shapes, one at a time: their buffers are large."""
    for name, shape in convs.items():
        for kind in conv_kinds(shape):
            yield conv_case(name, shape, kind)
    for name, shape in denses.items():
        yield dense_case(name, shape)


def conv_kinds(shape):
    """The kernels that compute a convolution of this shape."""
    from cnncore import _core
    from cnncore.ops.conv2d import tiles_suit, winograd_suits

    n, h, w, c, f, k, padding = shape
    lost = 0 if padding == "same" else k - 1
    winograd = winograd_suits((k, k, c, f), h - lost, w - lost)
    tiles = _core.has_tiles() and tiles_suit(k * k, c, f)
    return ["direct"] + ["winograd"] * winograd + ["tiles"] * tiles


def _filled(**shapes):
    """Buffers of random numbers from -0.5 to 0.5, by name."""
    import numpy as np

    from cnncore import _core

    rng, buffers = np.random.default_rng(0), {}
    for name, shape in shapes.items():
        buffers[name] = _core.Buffer.allocate(shape)
        buffers[name].numpy()[...] = rng.random(shape, dtype=np.float32) - 0.5
    return buffers


def conv_case(name, shape, kind):
    """A convolution with bias and ReLU, its dx, and its dw with db; packing of the filters counts apart."""
    from cnncore import _core
    from cnncore.ops.conv2d import packed_filters, slot_images, winograd_points

    n, h, w, c, f, k, padding = shape
    pad = (k - 1) // 2 if padding == "same" else 0
    out_h, out_w = (h, w) if padding == "same" else (h - k + 1, w - k + 1)
    images, rows = slot_images(n, 4 * k * k * c * f), k * k * c
    b = _filled(x=(n, h, w, c), w=(k, k, c, f), b=(f,), y=(n, out_h, out_w, f), dy=(n, out_h, out_w, f),
                dx=(n, h, w, c), dw=(k, k, c, f), db=(f,), partial=(-(-n // images), rows + 1, f))
    x, y, dy, dx, partial = (b[name] for name in ("x", "y", "dy", "dx", "partial"))
    points, points_dx = (winograd_points(*b[name].shape[:3], k) if kind == "winograd" else None for name in ("y", "dx"))
    packed, pack = packed_filters(kind, _core.Buffer.allocate, b["w"], points=points)
    packed_dx, pack_dx = packed_filters(kind, _core.Buffer.allocate, b["w"], True, points_dx)
    geometry, turned = ((k, k, c, f), (1, 1), (1, 1), (pad, pad)), (k - 1 - pad, k - 1 - pad)
    if kind == "winograd":
        forward = _core.winograd(x, packed, b["b"], y, k, (pad, pad), points, True)
        to_dx = _core.winograd(dy, packed_dx, None, dx, k, turned, points_dx)
        to_dw = _core.winograd_dw(x, dy, partial, k, (pad, pad), images,
                                   winograd_points(images, out_h, out_w, k))
    elif kind == "tiles":
        forward = _core.conv2d_tiles(x, packed, b["b"], y, (k, k), (1, 1), (pad, pad), True)
        to_dx = _core.conv2d_tiles(dy, packed_dx, None, dx, (k, k), (1, 1), turned)
        to_dw = _core.conv2d_dw(x, dy, partial, *geometry, images, True)
    else:
        forward = _core.conv2d(x, packed, b["b"], y, *geometry, True, True)
        to_dx = _core.conv2d_dx(dy, packed_dx, dx, *geometry, False, None, True)
        to_dw = _core.conv2d_dw(x, dy, partial, *geometry, images, False, True)
    sums = [_core.sum_slots(partial, b["dw"], 0, False), _core.sum_slots(partial, b["db"], rows * f, False)]
    packing = {"forward": [pack], "dx": [pack_dx], "dw": []}
    calls = {"forward": [forward], "dx": [to_dx], "dw": [to_dw, *sums]}
    if c < 4:
        del calls["dx"]  # training does not ask for the gradient of images
    return Case(kind, name, shape, (pad, pad), b, packing, calls, 2 * n * out_h * out_w * c * f * k * k)


def dense_case(name, shape):
    """A dense layer with bias and ReLU, its dx, and its dw with db; a GEMM is the same product."""
    from cnncore import _core
    from cnncore.ops.dense import depth_slots, dw_rows, tiles_suit

    n, k, u = shape
    slots, tiles = depth_slots(n, k, u), tiles_suit(n, k, u)
    b = _filled(x=(n, k), w=(k, u), b=(u,), y=(n, u), dy=(n, u), dx=(n, k), dw=(k, u), db=(u,), partial=(slots, n, u))
    x, w, y, dy, partial = (b[name] for name in ("x", "w", "y", "dy", "partial"))
    forward = ([_core.dense(x, w, b["b"], y, relu=True, tiles=tiles)] if slots == 1 else
               [_core.dense(x, w, None, y, partial, tiles=tiles), _core.dense_finish(partial, b["b"], y, True)])
    return Case("dense", name, shape, (), b, {"forward": [], "dx": [], "dw": []},
                {"forward": forward, "dx": [_core.dense_dx(dy, w, b["dx"], False, tiles=tiles)],
                 "dw": [_core.dense_dw(x, dy, b["dw"], b["db"], False, dw_rows(k, u, tiles), tiles)]}, 2 * n * k * u)


def seconds(calls, least=0.02):
    """Seconds of one run of the calls, over as many as take `least` seconds."""
    from cnncore import _core

    runs, started = 0, time.perf_counter()
    while time.perf_counter() - started < least:
        _core.run_now(calls)
        runs += 1
    return (time.perf_counter() - started) / runs


def peak_gflops():
    """The FMA peak of all threads, just now."""
    from cnncore import _core

    y, rounds = _core.Buffer.allocate((_core.threads(),)), 20000
    return _core.tile_flops() * rounds * y.size / seconds([_core.fma_peak(y, rounds)]) / 1e9


def measure(case, step, rounds, peer=None):
    """Medians of one pass. In every round it takes its turn with the peak, and with a peer's kernel where `peer` gives
    the seconds of one: the CPU's frequency drifts."""
    from cnncore import _core

    _core.run_now([*case.packing[step], *case.calls[step]])
    measured = []
    for _ in range(rounds):
        turns = [peak_gflops(), case.operations / seconds(case.calls[step]) / 1e9]
        if peer:
            turns.append(case.operations / peer() / 1e9)
        measured.append(turns)
    peak, gflops, *others = (statistics.median(column) for column in zip(*measured))
    packing = seconds(case.packing[step], 0.005) if case.packing[step] else 0.0
    row = {"gflops": gflops, "peak": peak, "share": statistics.median(turns[1] / turns[0] for turns in measured),
           "us": case.operations / gflops / 1e3, "packing_us": packing * 1e6}
    if others:
        row.update(peer_gflops=others[0], peer_share=statistics.median(turns[2] / turns[0] for turns in measured),
                   times_peer=statistics.median(turns[1] / turns[2] for turns in measured))
    return row


def line(row):
    return (f"{row['kernel']:9s} {row['shape']:14s} {row['pass']:8s} {row['gflops']:7.1f} GFLOP/s "
            f"{100 * row['share']:5.0f} % of the FMA peak")


# ---- training ----------------------------------------------------------------------------------------------------

def training_step(name, rounds):
    """Median milliseconds per step of `fit` over random images."""
    import numpy as np

    shape, batch, _ = NETWORKS[name]
    steps, rng = max(4, min(60, 4096 // batch)), np.random.default_rng(0)
    x, y = rng.random((steps * batch, *shape), np.float32), rng.integers(0, 10, steps * batch)
    model, times = _model(name), []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        model.fit(x, y, batch_size=batch, epochs=1, verbose=0)
        times.append((time.perf_counter() - started) / steps * 1e3)
    return statistics.median(times[1:])


def _model(name):
    from cnncore import Sequential, layers

    shape, _, described = NETWORKS[name]
    model = Sequential([layers.Input(shape=shape)], name=name)
    for kind, *size in described:
        if kind == "dense" and len(model.output_shape) == 4:
            model.add(layers.Flatten())
        model.add({"conv": lambda f, k: layers.Conv2D(f, k, padding="same", activation="relu"),
                   "pool": lambda: layers.MaxPooling2D(2), "dropout": layers.Dropout,
                   "dense": lambda units: layers.Dense(units, activation="relu")}[kind](*size))
    model.add(layers.Dense(10, activation="softmax"))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
