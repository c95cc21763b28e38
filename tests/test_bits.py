"""The weights after many steps are the same bits for every number of threads, and eagerly as in plans."""
import hashlib

import numpy as np
import pytest

import cnncore
from cnncore import _core, layers, ops
from cnncore.plan import schedule
from cnncore.plan.recorder import record

STEPS, BATCH = 100, 24


def make_model():
    cnncore.utils.set_random_seed(5)
    model = cnncore.Sequential([
        layers.Input(shape=(12, 12, 3)),
        layers.Conv2D(16, 3, padding="same", activation="relu"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(),
        layers.Dropout(0.3),
        layers.Conv2D(32, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.Dropout(0.3),
        layers.Flatten(),
        layers.Dense(72, activation="relu"),  # its weights are many enough to be updated while their gradient is made
        layers.Dense(10, activation="softmax"),
    ])
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def trained(threads, steps=STEPS, **options):
    """The hash of all weights and of the optimizer's state, after training on so many threads."""
    before = _core.threads()
    _core.set_threads(threads)
    try:
        model = make_model()
        if options:
            model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", **options)
        rng = np.random.default_rng(0)
        x = rng.integers(0, 256, (BATCH * steps, 12, 12, 3), dtype=np.uint8)
        y = rng.integers(0, 10, BATCH * steps)
        model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)
    finally:
        _core.set_threads(before)
    digest = hashlib.sha256()
    for variable in [*model.weights, *model.optimizer.variables]:
        digest.update(variable.numpy().tobytes())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def on_one_thread():
    return trained(1)


@pytest.mark.parametrize("threads", (2, 3, 8))
def test_the_number_of_threads_changes_no_bit(on_one_thread, threads):
    assert trained(threads) == on_one_thread


def test_the_plan_computes_exactly_what_eager_computes():
    assert trained(2, 10, run_eagerly=True) == trained(2, 10, run_eagerly=False)


def test_depth_first_computes_exactly_what_layer_by_layer_computes(monkeypatch):
    depth_first = trained(2, 10)
    monkeypatch.setenv("CNNCORE_DEPTH_FIRST", "0")
    assert trained(2, 10) == depth_first


def test_blocks_that_part_a_slot_of_images_change_no_bit(monkeypatch):
    """What adds gradients up adds those of the same images together, however a slot's images are cut into blocks."""
    def updated(depth_first):
        monkeypatch.setenv("CNNCORE_DEPTH_FIRST", depth_first)
        cnncore.utils.set_random_seed(5)
        model = cnncore.Sequential([
            layers.Input(shape=(22, 22, 1)), layers.Conv2D(24, 3, activation="relu"), layers.MaxPooling2D(padding="same"),
            layers.Conv2D(32, 3, padding="same", activation="relu"), layers.Conv2D(16, 5, activation="relu"),
            layers.Conv2D(20, 1), layers.BatchNormalization(), layers.Flatten(), layers.Dense(10, activation="softmax")])
        model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
        model.fit(x, y, batch_size=len(x), epochs=2, verbose=0)
        return [weight.numpy() for weight in model.weights]

    def groups_seen(*args):
        groups = make_groups(*args)
        parted.update(g.images_per_block for g in groups if g.images_per_block < g.images_per_slot)
        return groups

    make_groups, parted = schedule.make_groups, set()
    monkeypatch.setattr(schedule, "make_groups", groups_seen)
    monkeypatch.setattr(schedule, "CACHE_BYTES", 1 << 18)
    rng = np.random.default_rng(0)
    x, y = rng.random((256, 22, 22, 1), np.float32), rng.integers(0, 10, 256)
    by_blocks = updated("1")
    assert parted
    for some, whole in zip(by_blocks, updated("0"), strict=True):
        assert np.array_equal(some, whole)


def test_training_changes_the_hash():
    assert trained(1, 1) != trained(1, 2)


@pytest.mark.parametrize("make", [lambda: cnncore.optimizers.SGD(0.1, momentum=0.9), lambda: cnncore.optimizers.Adam(0.01),
                                  lambda: cnncore.optimizers.Nadam(0.01)], ids=("sgd", "adam", "nadam"))
def test_a_gradient_that_only_its_update_reads_never_exists_whole(make, monkeypatch):
    def updated(depth_first):
        def step(x):
            with cnncore.GradientTape() as tape:
                loss = ops.mean(ops.square(ops.dense(x, weights)))
            optimizer.apply_gradients(zip(tape.gradient(loss, [weights]), [weights]))

        monkeypatch.setenv("CNNCORE_DEPTH_FIRST", depth_first)
        weights, optimizer = cnncore.Variable(start), make()
        optimizer.build([weights])
        plan = record(step, x)
        for _ in range(3):
            plan.run()
        return weights.numpy(), plan.arena_bytes

    rng = np.random.default_rng(0)
    x = cnncore.Tensor(rng.standard_normal((8, 500)).astype(np.float32))
    start = rng.standard_normal((500, 300)).astype(np.float32)
    (chained, small), (whole, large) = updated("1"), updated("0")
    assert small < start.nbytes < large
    assert (chained == whole).all() and (chained != start).any()
