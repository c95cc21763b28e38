"""Plans that make results again instead of keeping them take less memory and compute the same bits."""
import numpy as np
import pytest

import cnncore
from cnncore import _core, layers
from cnncore.plan import memory, recorder, remake, schedule

NETWORKS = {
    "plain": [*(layers.Conv2D(32, 3, padding="same", activation="relu") for _ in range(3)), layers.Flatten(),
              layers.Dense(32, activation="relu"), layers.Dense(10, activation="softmax")],
    "normalized": [layers.Conv2D(16, 3, padding="same", activation="relu"), layers.BatchNormalization(),
                   layers.MaxPooling2D(), layers.Dropout(0.3),
                   layers.Conv2D(32, 3, padding="same"), layers.BatchNormalization(), layers.ReLU(),
                   layers.AveragePooling2D(2), layers.Flatten(), layers.Dense(10, activation="softmax")],
    "dropped": [layers.Conv2D(16, 3, padding="same", activation="relu"), layers.MaxPooling2D(), layers.Dropout(0.3),
                layers.Conv2D(32, 3, padding="same", activation="relu"), layers.MaxPooling2D(), layers.Dropout(0.5),
                layers.Flatten(), layers.Dense(24, activation="relu"), layers.Dense(10, activation="softmax")],
}
IMAGES, STEPS = 64, 3


@pytest.fixture
def as_if_large(monkeypatch):
    """Results, gradients and runs of these small networks are treated as those of large ones."""
    monkeypatch.setattr(remake, "PAYS", ((400, 0),))
    monkeypatch.setattr(schedule, "CHAINED_BYTES", 0)
    monkeypatch.setattr(schedule, "SMALL_BYTES", 0)


def trained(name, threads=2, **options):
    """(all weights after some steps, bytes that the plans' buffers took, the calls' names)."""
    arenas, calls = [], []

    class Watched(recorder.Plan):
        def __init__(self, *arguments, **more):
            super().__init__(*arguments, **more)
            arenas.append(self.arena_bytes)
            calls.extend(call.name for call in self.calls)

    before, plan = _core.threads(), recorder.Plan
    _core.set_threads(threads)
    recorder.Plan = Watched
    try:
        cnncore.utils.set_random_seed(3)
        model = cnncore.Sequential([layers.Input((16, 16, 1)),
                                    *(type(layer).from_config(layer.get_config()) for layer in NETWORKS[name])])
        model.compile("adam", "sparse_categorical_crossentropy", **options)
        rng = np.random.default_rng(0)
        x, y = rng.random((IMAGES * STEPS, 16, 16, 1), np.float32), rng.integers(0, 10, IMAGES * STEPS)
        model.fit(x, y, batch_size=IMAGES, verbose=0)
    finally:
        recorder.Plan = plan
        _core.set_threads(before)
    return np.concatenate([w.ravel() for w in model.get_weights()]), max(arenas, default=0), calls


@pytest.mark.parametrize("name", NETWORKS)
def test_plans_compute_what_eager_computes(as_if_large, name):
    eager, _, _ = trained(name, run_eagerly=True)
    for threads in (1, 2, 3, 8):
        assert (trained(name, threads)[0] == eager).all()


@pytest.mark.parametrize(("name", "kernel"), [("plain", "conv2d"), ("normalized", "max_pool2d_dx"),
                                              ("normalized", "conv2d")])
def test_less_memory_for_more_calls(as_if_large, monkeypatch, name, kernel):
    _, small, calls = trained(name)
    monkeypatch.setattr(remake, "PAYS", ())
    _, large, fewer = trained(name)
    assert small < 0.9 * large
    assert calls.count(kernel) > fewer.count(kernel)


def test_the_gradient_of_a_dense_layers_input_takes_its_place(as_if_large, monkeypatch):
    placed = []
    place = memory.place

    def watched(calls, kept=(), groups=()):
        placed.extend(group.in_place for group in groups if group.in_place)
        places, size = place(calls, kept, groups)
        for group in groups:
            assert all(places[written] == places[replaced] for written, replaced in group.in_place.items())
        return places, size

    monkeypatch.setattr(memory, "place", watched)
    trained("plain")
    assert any(root.nbytes == 4 * IMAGES * 16 * 16 * 32 for shared in placed for root in shared)


def test_pooling_in_front_of_dropout_is_not_kept_to_mask_its_gradient(as_if_large):
    """Its calls of the backward pass read no result of the forward pass; dropout's result masks the gradient instead."""
    seen = []
    masked = _core.masked
    try:
        _core.masked = lambda call, y: seen.append((call.name, masked(call, y))) or seen[-1][1]
        trained("dropped")
    finally:
        _core.masked = masked
    names = {name for name, made in seen if made is not None}
    assert len(names & {"dense_dx", "dense_tiles_dx"}) == 1
    assert len(names & {"conv2d_dx", "winograd", "conv2d_tiles"}) == 1
