"""Learning rate schedules give Keras's rates at every step, drive optimizers also in plans, and come back from files."""
import os

os.environ.setdefault("KERAS_BACKEND", "numpy")

import json

import numpy as np
import pytest
from fit_models import images, small_cnn

from cnncore import Variable, optimizers
from cnncore.optimizers import schedules

keras = pytest.importorskip("keras", exc_type=ImportError)

CASES = [
    ("ExponentialDecay", (0.1, 7, 0.9), {}), ("ExponentialDecay", (0.1, 7, 0.9), {"staircase": True}),
    ("InverseTimeDecay", (0.1, 7, 0.5), {}), ("InverseTimeDecay", (0.1, 7, 0.5), {"staircase": True}),
    ("PiecewiseConstantDecay", ([3, 10, 20], [0.1, 0.2, 0.05, 0.01]), {}),
    ("PolynomialDecay", (0.1, 12), {}), ("PolynomialDecay", (0.1, 12), {"power": 0.5, "end_learning_rate": 0.01}),
    ("PolynomialDecay", (0.1, 12), {"cycle": True, "power": 2.0}),
    ("CosineDecay", (0.1, 12), {}), ("CosineDecay", (0.1, 12), {"alpha": 0.2}),
    ("CosineDecay", (0.0, 12), {"warmup_target": 0.1, "warmup_steps": 5}),
    ("CosineDecayRestarts", (0.1, 5), {}), ("CosineDecayRestarts", (0.1, 5), {"t_mul": 1.0, "m_mul": 0.8}),
    ("CosineDecayRestarts", (0.1, 4), {"t_mul": 1.5, "m_mul": 0.5, "alpha": 0.1}),
]
PARAMS = [pytest.param(*case, id="-".join([case[0], *case[2]])) for case in CASES]


@pytest.mark.parametrize("name, place, arguments", PARAMS)
def test_a_schedule_gives_keras_rate_at_every_step(name, place, arguments):
    ours = getattr(schedules, name)(*place, **arguments)
    theirs = getattr(keras.optimizers.schedules, name)(*place, **arguments)
    for step in (*range(40), 1000):
        if name == "CosineDecayRestarts" and arguments.get("t_mul") != 1.0 and abs(_restart(ours, step)) < 1e-3:
            continue  # Keras's float32 logarithm may fall on either side of a restart
        assert float(ours(step)) == pytest.approx(float(theirs(step)), rel=3e-4, abs=1e-6), step
        assert float(ours(Variable(step, dtype="int64"))) == float(ours(step))
    assert ours.get_config() == theirs.get_config()
    again = schedules.deserialize(json.loads(json.dumps(schedules.serialize(ours))))
    assert type(again) is type(ours) and again.get_config() == ours.get_config()


def _restart(schedule, step):
    """How far a step is from the next or last restart, in falls."""
    begin, length = 0.0, float(schedule.first_decay_steps)
    while step >= begin + length + 1e-6:
        begin, length = begin + length, length * schedule._t_mul
    return min(abs(step - begin), abs(step - begin - length)) / length if step else 1.0


@pytest.mark.parametrize("eager", [False, True])
def test_a_schedule_drives_the_steps_of_fit(eager):
    seen = []
    model = small_cnn()
    model.compile(optimizers.SGD(schedules.ExponentialDecay(0.1, 2, 0.5)), "sparse_categorical_crossentropy",
                  run_eagerly=eager)

    from cnncore.callbacks import LambdaCallback

    x, y = images(32)
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(float(model.optimizer._rate.numpy())))])
    np.testing.assert_allclose(seen, [0.1 * 0.5 ** (i / 2) for i in range(4)], rtol=1e-6)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.025)


def test_an_optimizer_with_a_schedule_comes_back_from_its_config():
    optimizer = optimizers.Nadam(schedules.CosineDecay(0.1, 50, warmup_target=0.2, warmup_steps=3))
    config = json.loads(json.dumps(optimizer.get_config()))
    for again in (optimizers.deserialize(json.loads(json.dumps(optimizers.serialize(optimizer)))),
                  optimizers.Nadam.from_config(config), keras.optimizers.Nadam.from_config(config)):
        assert type(again).__name__ == "Nadam"
        mine = (getattr(again, "_schedule", None) or again._learning_rate).get_config()
        assert mine == optimizer._schedule.get_config()
    theirs = keras.optimizers.deserialize(optimizers.serialize(optimizer))
    assert float(theirs.learning_rate) == pytest.approx(float(optimizer.learning_rate))


@pytest.mark.parametrize("program, words", [
    (lambda: schedules.ExponentialDecay(0.1, 0, 0.5), "decay_steps=0"),
    (lambda: schedules.CosineDecayRestarts(0.1, -1), "first_decay_steps=-1"),
    (lambda: schedules.PiecewiseConstantDecay([1], [0.1]), "1 boundaries and 1 values"),
])
def test_wrong_arguments_are_named(program, words):
    with pytest.raises(ValueError, match="Received") as error:
        program()
    assert words in str(error.value)


def test_a_schedule_of_ones_own_needs_a_call():
    with pytest.raises(NotImplementedError, match="__call__"):
        schedules.LearningRateSchedule()(0)
