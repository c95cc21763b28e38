"""Trainings that write event files, and TensorBoard to read them, for the tests of the callback."""
import contextlib
import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request

from fit_models import images

import cnncore
from cnncore import callbacks


def fit(model, folder, epochs=3, **arguments):
    model.compile(cnncore.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = images(48)
    return model.fit(x, y, batch_size=8, epochs=epochs, validation_split=1 / 3, verbose=0,
                     callbacks=[callbacks.TensorBoard(folder, **arguments)]).history


def two_branches():
    cnncore.utils.set_random_seed(1)
    cnncore.utils.clear_session()  # or the sum is add_1 where a test before has added tensors
    x = cnncore.Input((8, 8, 1), name="image")
    y = cnncore.layers.Flatten(name="flat")(x)
    a, b = (cnncore.layers.Dense(4, name=name)(y) for name in ("left", "right"))
    return cnncore.Model(x, cnncore.layers.Dense(3, activation="softmax", name="classes")(a + b), name="net")


@contextlib.contextmanager
def tensorboard(folder, epochs):
    """A function that asks TensorBoard's plugins, and its address: a free port of the loopback; it has read `epochs`."""
    server = subprocess.Popen([sys.executable, "-m", "tensorboard.main", "--logdir", str(folder), "--host", "127.0.0.1",
                               "--port", "0", "--load_fast=false"], stderr=subprocess.PIPE, text=True)
    try:
        address = next(match for line in server.stderr if (match := re.search(r"http://127\.0\.0\.1:\d+", line)))[0]

        def ask(path):
            with urllib.request.urlopen(f"{address}/data/plugin/{path}", timeout=30) as answer:
                return answer.read().decode()

        def has_read(run):
            try:
                return len(json.loads(ask(f"scalars/scalars?run={run}&tag=epoch_loss"))) == epochs
            except urllib.error.HTTPError:  # it does not know the run yet
                return False

        for _ in range(100):  # it reads the files while it already answers
            if has_read("train") and has_read("validation"):
                break
            time.sleep(0.1)
        yield ask, address
    finally:
        server.terminate()
        server.communicate()
