"""Damages files of every format at random and loads them: python tests/fuzz_files.py [--seed 0] [--count 10000]."""
import argparse
import importlib.util
import os
import sys
import tempfile
import time
import warnings

import numpy as np

from cnncore import layers, models

_SECONDS = 2  # within which a file is loaded or refused


def small_model():
    return models.Sequential([layers.Input((6, 6, 2)), layers.Conv2D(3, 3, activation="relu"),
                              layers.BatchNormalization(), layers.Flatten(), layers.Dense(2)])


def formats():
    """{ending: (function that writes a model, function that reads a file)}."""
    def weights(path):
        small_model().load_weights(path)

    found = {".keras": (lambda model, path: model.save(path), models.load_model),
             ".h5": (lambda model, path: model.save(path), models.load_model),
             ".weights.h5": (lambda model, path: model.save_weights(path), weights),
             ".safetensors": (lambda model, path: model.save_weights(path), weights)}
    if importlib.util.find_spec("onnx"):
        from cnncore import onnx

        found[".onnx"] = (lambda model, path: model.export(path), onnx.load)
    return found


def damaged(data, rng):
    """The bytes with some bits flipped, cut off, or with a part of them elsewhere or anew."""
    data, kind = bytearray(data), rng.integers(4)
    at, size = int(rng.integers(len(data))), int(rng.integers(1, 64))
    if kind == 0:
        for _ in range(int(rng.integers(1, 9))):
            data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        del data[at:]
    elif kind == 2:
        data[at:at + size] = rng.bytes(size)
    else:
        other = int(rng.integers(len(data)))
        data[at:at] = data[other:other + size]
    return bytes(data)


def fuzz(ending, folder, seed, count):
    """How many of `count` damaged files were refused; raises what is no refusal, with the case's number."""
    write, read = formats()[ending]
    rng = np.random.default_rng(seed)
    path = os.path.join(folder, f"good{ending}")
    model = small_model()
    model.compile("adam", "mse")
    write(model, path)
    with open(path, "rb") as file:
        good = file.read()
    path, refused = os.path.join(folder, f"bad{ending}"), 0
    for case in range(count):
        with open(path, "wb") as file:
            file.write(damaged(good, rng))
        start = time.perf_counter()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                read(path)
        except (ValueError, OSError):
            refused += 1
        except Exception as error:
            raise AssertionError(f"{ending}, seed {seed}, case {case}: {error!r} is no ValueError") from error
        took = time.perf_counter() - start
        if took > _SECONDS:
            raise AssertionError(f"{ending}, seed {seed}, case {case}: took {took:.1f} s")
    return refused


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=10_000, help="damaged files of each format")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for ending in formats():
            refused = fuzz(ending, folder, options.seed, options.count)
            print(f"{ending}: {refused} of {options.count} refused, the others loaded", flush=True)


if __name__ == "__main__":
    sys.exit(main())
