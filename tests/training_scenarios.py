"""Trainings written once and run with this library and with Keras: each returns numbers to compare.

Run as a program it writes what Keras, on JAX, makes of them into training_scenarios.json.
"""
import json
import os

import numpy as np

RESULTS = os.path.join(os.path.dirname(__file__), "training_scenarios.json")
ROWS, FEATURES, CLASSES, BATCH = 46, 5, 3, 8


def data(rows=ROWS):
    g = np.random.default_rng(4)
    x = g.standard_normal((rows, FEATURES)).astype("float32")
    return x, g.integers(0, CLASSES, rows), g.standard_normal((rows, 2)).astype("float32"), g.random(rows, "float32")


def with_fixed_weights(model):
    g = np.random.default_rng(8)
    model.set_weights([0.5 * g.standard_normal(w.shape).astype("float32") for w in model.get_weights()])
    return model


def one_output(k, **compiled):
    model = k.Sequential([k.Input((FEATURES,)), k.layers.Dense(4, activation="tanh"),
                          k.layers.Dense(CLASSES, activation="softmax")])
    arguments = {"optimizer": k.optimizers.SGD(0.1), "loss": "sparse_categorical_crossentropy"} | compiled
    model.compile(**arguments, run_eagerly=k.__name__ == "keras")
    return with_fixed_weights(model)


def two_outputs(k, **compiled):
    x = k.Input((FEATURES,), name="x")
    y = k.layers.Dense(4, activation="tanh")(x)
    model = k.Model(x, [k.layers.Dense(CLASSES, activation="softmax", name="kind")(y),
                        k.layers.Dense(2, name="place")(y)])
    model.compile(**({"optimizer": k.optimizers.SGD(0.1)} | compiled), run_eagerly=k.__name__ == "keras")
    return with_fixed_weights(model)


def fit(model, *args, **arguments):
    history = model.fit(*args, **({"verbose": 0, "shuffle": False} | arguments))
    return history.history, list(history.epoch)


def generator(batches, weighted=False):
    x, y, _, w = data()
    while True:
        for i in range(batches):
            part = slice(i * BATCH, (i + 1) * BATCH)
            yield (x[part], y[part], w[part]) if weighted else (x[part], y[part])


def dataset(k, rows=ROWS, **arguments):
    x, y, _, _ = data(rows)

    class Batches(k.utils.PyDataset):
        def __len__(self):
            return -(-rows // BATCH)

        def __getitem__(self, i):
            return x[i * BATCH:(i + 1) * BATCH], y[i * BATCH:(i + 1) * BATCH]

    return Batches(**arguments)


def metric_names(k):
    x, y, place, _ = data()
    found = [fit(one_output(k, metrics=names), x, y, batch_size=BATCH)[0] for names in (
        ["acc"], ["accuracy"], ["accuracy", "sparse_categorical_accuracy"],
        ["SparseCategoricalAccuracy", k.metrics.SparseTopKCategoricalAccuracy(2, name="best2")])]
    model = one_output(k, loss="mse", metrics=["mae", "mse", "MeanSquaredError", k.losses.Huber(name="soft"),
                                               k.metrics.mean_absolute_error, "cosine_similarity", "LogCoshError"])
    found.append(fit(model, x, np.eye(CLASSES)[y], batch_size=BATCH)[0])
    return found


def validation_every_other_epoch(k):
    x, y, _, _ = data()
    return [fit(one_output(k, metrics=["acc"]), x[:32], y[:32], batch_size=BATCH, epochs=4, validation_freq=frequency,
                validation_data=(x[32:], y[32:])) for frequency in (2, [1, 4], 3)]


def initial_epoch(k):
    x, y, _, _ = data()
    return fit(one_output(k), x, y, batch_size=BATCH, initial_epoch=2, epochs=5)


def steps(k):
    x, y, _, _ = data()
    model = one_output(k, metrics=["acc"])
    return [fit(model, x, y, batch_size=BATCH, epochs=2, steps_per_epoch=3, validation_data=(x, y),
                validation_steps=2, validation_batch_size=10),
            model.evaluate(x, y, batch_size=BATCH, steps=2, verbose=0),
            model.predict(x, batch_size=BATCH, steps=2, verbose=0)[:, 0].tolist()]


def class_weight(k):
    x, y, _, _ = data()
    weights = {0: 1.0, 1: 2.5, 2: 0.0}
    return [fit(one_output(k, metrics=["acc"], weighted_metrics=["acc"]), x, y, batch_size=BATCH, epochs=2,
                class_weight=weights),
            fit(one_output(k, loss="categorical_crossentropy"), x, np.eye(CLASSES)[y], batch_size=BATCH,
                class_weight=weights)]


def sample_weight(k):
    x, y, _, w = data()
    metrics = {"metrics": ["accuracy"], "weighted_metrics": ["accuracy", "sparse_categorical_crossentropy"]}
    return [fit(one_output(k, **metrics), x, y, batch_size=BATCH, epochs=2, sample_weight=w),
            fit(one_output(k, **metrics), x, y, batch_size=BATCH, sample_weight=w, validation_split=0.25),
            one_output(k, **metrics).evaluate(x, y, batch_size=BATCH, sample_weight=w, verbose=0, return_dict=True)]


def outputs(k):
    x, kind, place, w = data()
    by_name = {"loss": {"kind": "sparse_categorical_crossentropy", "place": "mse"},
               "loss_weights": {"kind": 0.5, "place": 2.0}, "metrics": {"kind": ["acc"], "place": ["mae", "mse"]}}
    in_row = {"loss": ["sparse_categorical_crossentropy", "mse"], "loss_weights": [1.0, 0.25],
              "weighted_metrics": [["accuracy"], ["mae"]]}
    half = {"loss": [None, "mae"], "metrics": [None, ["mse"]]}
    found = [fit(two_outputs(k, **by_name), x, {"kind": kind, "place": place}, batch_size=BATCH, epochs=2),
             fit(two_outputs(k, **in_row), x, [kind, place], batch_size=BATCH, epochs=2, sample_weight=[w, 1 - w]),
             fit(two_outputs(k, **in_row), x, [kind, place], batch_size=BATCH, sample_weight=[w, w * w],
                 validation_split=0.25)]
    model = two_outputs(k, **in_row)
    found.append(model.train_on_batch(x, [kind, place]))
    found.append(model.test_on_batch(x, [kind, place], sample_weight=[w, w], return_dict=True))
    found.append([p[:, 0].tolist() for p in model.predict_on_batch(x)])
    found.append(fit(two_outputs(k, **half), x, [kind, place], batch_size=BATCH))
    return found


def generators(k):
    return [fit(one_output(k, metrics=["acc"]), generator(5), steps_per_epoch=5, epochs=2,
                validation_data=generator(1), validation_steps=2),
            fit(one_output(k, weighted_metrics=["acc"]), generator(4, weighted=True), steps_per_epoch=3, epochs=3),
            one_output(k).evaluate(generator(3), steps=3, verbose=0),
            one_output(k).predict(((x,) for x, _ in generator(2)), steps=2, verbose=0)[:, 0].tolist()]


def datasets(k):
    return [fit(one_output(k, metrics=["acc"]), dataset(k), epochs=2, validation_data=dataset(k, 20)),
            fit(one_output(k), dataset(k), epochs=2, steps_per_epoch=6),
            one_output(k).evaluate(dataset(k, 20, workers=1, use_multiprocessing=False), verbose=0),
            one_output(k).predict(dataset(k, 20), verbose=0)[:, 1].tolist()]


def on_batch(k):
    x, y, _, w = data(12)
    model, found = one_output(k, metrics=["acc"]), []
    for _ in range(3):
        found.append(model.train_on_batch(x, y))
    found.append(model.train_on_batch(x, y, class_weight={0: 2.0, 1: 1.0, 2: 0.5}, return_dict=True))
    found.append(model.train_on_batch(x, y, sample_weight=w))
    model.reset_metrics()
    found.append([float(model.get_metrics_result()["loss"])])
    found.append(model.test_on_batch(x, y))
    found.append(model.test_on_batch(x, y, sample_weight=w, return_dict=True))
    found.append(np.asarray(model.predict_on_batch(x))[:, 0].tolist())
    found.append(one_output(k).train_on_batch(x, y))
    return found


def own_losses_and_metrics(k):
    x, _, place, _ = data()
    ops = k.ops

    def weighted_square(y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred) * 2.0, axis=-1)

    def worst(y_true, y_pred):
        return ops.max(ops.abs(y_true - y_pred), axis=-1)

    class Bent(k.losses.Loss):
        def __init__(self, bend, **kwargs):
            super().__init__(**kwargs)
            self.bend = bend

        def call(self, y_true, y_pred):
            return ops.mean(ops.abs(y_true - y_pred), axis=-1) * self.bend

    class Share(k.metrics.Metric):
        def __init__(self, name="share", **kwargs):
            super().__init__(name=name, **kwargs)
            self.near = self.add_weight(name="near", initializer="zeros")
            self.seen = self.add_weight(name="seen", initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            near = ops.cast(ops.less(ops.abs(y_true - y_pred), 0.8), "float32")
            self.near.assign_add(ops.sum(near))
            self.seen.assign_add(ops.sum(ops.ones_like(near)) if hasattr(ops, "ones_like") else float(near.size))

        def result(self):
            return self.near / self.seen

    def model(**compiled):
        net = k.Sequential([k.Input((FEATURES,)), k.layers.Dense(2)])
        net.compile(optimizer=k.optimizers.SGD(0.1), **compiled, run_eagerly=k.__name__ == "keras")
        return with_fixed_weights(net)

    return [fit(model(loss=weighted_square, metrics=[worst, Share()]), x, place, batch_size=BATCH, epochs=2),
            fit(model(loss=Bent(0.5, name="bent"), metrics=[Bent(2.0, name="as_metric")]), x, place, batch_size=BATCH),
            fit(model(loss=lambda t, p: ops.mean(ops.square(t - p), axis=-1)), x, place, batch_size=BATCH),
            fit(model(loss=k.losses.MeanSquaredError(reduction="sum")), x, place, batch_size=BATCH)]


SCENARIOS = (metric_names, validation_every_other_epoch, initial_epoch, steps, class_weight, sample_weight, outputs,
             generators, datasets, on_batch, own_losses_and_metrics)


def plain(value):
    """The value as JSON can hold it."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return value if isinstance(value, (str, int)) else float(value)


if __name__ == "__main__":
    os.environ["KERAS_BACKEND"] = "jax"
    import warnings

    import keras

    warnings.simplefilter("ignore")
    results = {scenario.__name__: plain(scenario(keras)) for scenario in SCENARIOS}
    with open(RESULTS, "w") as file:
        json.dump({"keras": keras.__version__} | results, file, indent=None, separators=(",", ":"))
        file.write("\n")
