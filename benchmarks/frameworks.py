"""One framework training one workload, in a process of its own: runs epochs for every line that it reads, as many as
the line says, or for some time where it says null.

    python benchmarks/frameworks.py FRAMEWORK WORKLOAD THREADS BATCH IMAGES

Every framework runs the loop that its users write, over the same random images, shuffled anew in every epoch, and begins
with the same seed: how long a step takes may depend on what the weights make of an image.
"""
import json
import os
import statistics
import sys
import time

SEED = 0
ANSWER_SECONDS = 1.0  # of epochs for each answer: the first ones find caches and threads that another has used
FMA_FLOPS = 1e8  # of a step of `machine`
FRAMEWORKS = ("cnncore", "numpy", "torch", "torch-channels-last", "torch-compile", "keras-tensorflow",
              "keras-tensorflow-jit", "keras-jax")


def images_and_labels(workload, batch, steps):
    import numpy as np

    rng = np.random.default_rng(0)
    return rng.random((batch * steps, *workload.shape), np.float32), rng.integers(0, 10, batch * steps)


def cnncore_epoch(name, workload, batch, steps, threads):
    from workloads import keras_model

    import cnncore
    from cnncore import _core

    cnncore.set_num_threads(threads)
    cnncore.utils.set_random_seed(SEED)
    x, y = images_and_labels(workload, batch, steps)
    model = keras_model(workload, cnncore)
    versions = {"cnncore": cnncore.__version__, "tier": _core.tier()}
    return lambda: model.fit(x, y, batch_size=batch, epochs=1, verbose=0), versions


def machine_epoch(name, workload, batch, steps, threads):
    """Multiply-adds in registers alone: what threads may bring at most, on a machine that others have a share of."""
    import cnncore
    from cnncore import _core

    cnncore.set_num_threads(threads)
    tasks = _core.Buffer.allocate((96,))
    call = _core.fma_peak(tasks, int(FMA_FLOPS / tasks.size / _core.tile_flops()))
    return lambda: [_core.run_now([call]) for _ in range(steps)], {"tier": _core.tier()}


def keras_epoch(name, workload, batch, steps, threads):
    import keras
    from workloads import keras_model

    keras.utils.set_random_seed(SEED)
    backend = keras.backend.backend()
    options = {"jit_compile": True} if name.endswith("jit") else {}
    x, y = images_and_labels(workload, batch, steps)
    model = keras_model(workload, keras, **options)
    versions = {"keras": keras.__version__, backend: sys.modules[backend].__version__}
    return lambda: model.fit(x, y, batch_size=batch, epochs=1, verbose=0), versions


def numpy_epoch(name, workload, batch, steps, threads):
    import numpy as np
    from numpy_reference import Network

    network, rng = Network(workload), np.random.default_rng(1)
    x, y = images_and_labels(workload, batch, steps)

    def epoch():
        order = rng.permutation(len(x))
        for i in range(steps):
            rows = order[i * batch:(i + 1) * batch]
            network.step(x[rows], y[rows])

    return epoch, {"numpy": np.__version__}


def torch_epoch(name, workload, batch, steps, threads):
    import torch
    import torch.nn.functional as F
    from workloads import torch_model

    torch.set_num_threads(threads)
    torch.manual_seed(SEED)
    x, y = images_and_labels(workload, batch, steps)
    images, labels = torch.from_numpy(x).permute(0, 3, 1, 2), torch.from_numpy(y)
    layout = torch.channels_last if name == "torch-channels-last" else torch.contiguous_format
    model = torch_model(workload).train().to(memory_format=layout)
    images = images.contiguous(memory_format=layout)
    del x
    adam = torch.optim.Adam(model.parameters())
    run = torch.compile(model) if name == "torch-compile" else model

    def epoch():
        order, correct = torch.randperm(len(labels)), 0.0
        for i in range(steps):
            rows = order[i * batch:(i + 1) * batch]
            some, wanted = images[rows].contiguous(memory_format=layout), labels[rows]
            adam.zero_grad()
            out = run(some)
            F.cross_entropy(out, wanted).backward()
            adam.step()
            correct += (out.argmax(1) == wanted).float().mean().item()

    return epoch, {"torch": torch.__version__}


def main(name, workload, threads, batch, images):
    from machine import answers, cpus, peak_memory
    from workloads import WORKLOADS

    send, threads, batch = answers(), int(threads), int(batch)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cpus(threads))  # the one limit that every library keeps to
    steps = max(4, min(60, int(images) // batch))
    make = {"cnncore": cnncore_epoch, "machine": machine_epoch, "numpy": numpy_epoch, "torch": torch_epoch,
            "keras": keras_epoch}
    epoch, versions = make[name.partition("-")[0]](name, WORKLOADS[workload], batch, steps, threads)
    before = peak_memory()
    started = time.perf_counter()
    epoch()
    send({"versions": {"python": sys.version.split()[0], **versions}, "steps": steps, "before_mb": before,
          "first_epoch_s": time.perf_counter() - started})
    for line in sys.stdin:
        epochs, seconds, until = json.loads(line), [], time.perf_counter() + ANSWER_SECONDS
        while not seconds or (len(seconds) < epochs if epochs else time.perf_counter() < until):
            started = time.perf_counter()
            epoch()
            seconds.append(time.perf_counter() - started)
        send({"ms": statistics.median(seconds) / steps * 1e3, "mb": peak_memory()})


if __name__ == "__main__":
    main(*sys.argv[1:])
