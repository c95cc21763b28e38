"""Makes tests/keras2_files.tar.xz: small trained models as Keras 2 saved them, with both of its kinds of optimizers, and
how their training went on. Needs tf_keras, which is Keras 2, and TensorFlow; run it by hand.

    python tests/make_keras2_files.py
"""
import io
import json
import tarfile
import tempfile
from pathlib import Path

import numpy as np

PATH = Path(__file__).with_name("keras2_files.tar.xz")


def small_data():
    """(x, y) that the networks of three layers are trained on."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(8, 3)).astype("float32"), rng.normal(size=(8, 2)).astype("float32")


def image_data():
    """(images, classes one-hot, numbers) that the branched network is trained on."""
    rng = np.random.default_rng(0)
    return (rng.normal(size=(8, 12, 12, 3)).astype("float32"), np.eye(3, dtype="float32")[np.arange(8) % 3],
            rng.normal(size=(8, 1)).astype("float32"))


def optimizers(keras):
    """Dict from file names to optimizers: up to TensorFlow 2.10 ('old') and from 2.11 on ('new')."""
    old, new = keras.optimizers.legacy, keras.optimizers
    both = {"sgd": ("SGD", 0.05, {}), "momentum": ("SGD", 0.05, {"momentum": 0.9, "nesterov": True}),
            "adam": ("Adam", 0.01, {}), "amsgrad": ("Adam", 0.01, {"amsgrad": True}), "rmsprop": ("RMSprop", 0.01, {}),
            "rmsprop_all": ("RMSprop", 0.01, {"momentum": 0.5, "centered": True}), "adagrad": ("Adagrad", 0.05, {}),
            "adadelta": ("Adadelta", 1.0, {}), "adamax": ("Adamax", 0.01, {}), "nadam": ("Nadam", 0.01, {}),
            "ftrl": ("Ftrl", 0.05, {})}
    made = {f"{kind}_{name}": getattr(room, cls)(rate, **arguments) for kind, room in (("old", old), ("new", new))
            for name, (cls, rate, arguments) in both.items()}
    schedule = new.schedules.ExponentialDecay(0.01, 10, 0.5)
    return made | {"old_decay": old.Adam(0.05, decay=0.1), "new_adamw": new.AdamW(0.01), "new_lion": new.Lion(0.001),
                   "new_ema": new.Adam(0.01, use_ema=True), "new_schedule": new.Adam(schedule)}


def trained(keras, optimizer):
    """The network of three layers after six steps."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(4, activation="tanh"),
                              keras.layers.BatchNormalization(), keras.layers.Dense(2)])
    model.compile(optimizer, "mse")
    x, y = small_data()
    model.fit(x, y, batch_size=4, shuffle=False, epochs=3, verbose=0)
    return model


def branched(keras):
    """A network with models inside, two ends, a shared layer and metrics, after four steps."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(3)
    L = keras.layers
    image = L.Input((12, 12, 3), name="image")
    x = L.Conv2D(6, 3, padding="same", kernel_regularizer=keras.regularizers.L2(1e-3),
                 kernel_initializer="he_normal")(image)
    x = L.ReLU(6.0)(L.BatchNormalization()(x))
    shared = L.SeparableConv2D(6, 3, padding="same", name="shared")
    x = L.LeakyReLU(0.2)(L.DepthwiseConv2D(3)(L.Add()([shared(x), shared(x)])))
    x = L.SpatialDropout2D(0.1)(L.Concatenate()([L.MaxPooling2D()(x), L.AveragePooling2D()(x)]))
    inside = L.Input((5, 5, 12))
    inner = keras.Model(inside, L.PReLU(shared_axes=[1, 2])(L.Conv2D(4, 1)(inside)), name="inner")
    tail = keras.Sequential([L.GlobalAveragePooling2D(), L.Dropout(0.2), L.Dense(8, activation="swish"),
                             L.LayerNormalization()], name="tail")
    x = tail(inner(x))
    kind = L.Dense(3, activation="softmax", name="kind", kernel_constraint=keras.constraints.MaxNorm(2.0))(x)
    model = keras.Model(image, [kind, L.Dense(1, name="size")(x)])
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 50)),
                  {"kind": keras.losses.CategoricalCrossentropy(label_smoothing=0.1), "size": "mae"},
                  metrics={"kind": ["accuracy", keras.metrics.TopKCategoricalAccuracy(2)],
                           "size": keras.metrics.RootMeanSquaredError()}, loss_weights={"kind": 1.0, "size": 0.5})
    images, kinds, sizes = image_data()
    model.fit(images, {"kind": kinds, "size": sizes}, batch_size=4, shuffle=False, epochs=2, verbose=0)
    return model


def sequential(keras):
    """A network without an Input, with losses and metrics that are objects, after one step."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(3)
    L = keras.layers
    model = keras.Sequential([L.Conv2D(4, 3, input_shape=(8, 8, 1), activation="relu"), L.Flatten(),
                              L.Dense(2, activation="sigmoid")])
    model.compile(keras.optimizers.legacy.Adam(), keras.losses.BinaryCrossentropy(),
                  metrics=[keras.metrics.BinaryAccuracy(), "AUC", keras.metrics.Precision(), "mse"])
    images, kinds, _ = image_data()
    model.fit(images[:, :8, :8, :1], kinds[:, :2], verbose=0)
    return model


def main():
    import tf_keras as keras

    expected = {}
    x, y = small_data()
    images, kinds, sizes = image_data()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for name, optimizer in optimizers(keras).items():
            model = trained(keras, optimizer)
            for ending in (".h5", ".keras") if name.startswith("new") else (".h5",):
                model.save(folder / (name + ending))
            losses = model.fit(x, y, batch_size=4, shuffle=False, epochs=2, verbose=0).history["loss"]
            expected[name] = {"loss": losses, "weights": [w.tolist() for w in model.get_weights()]}
        model = branched(keras)
        for ending in (".h5", ".keras", ".weights.h5", ".json"):
            path = folder / f"branched{ending}"
            if ending == ".json":
                path.write_text(model.to_json())
            else:
                (model.save_weights if "weights" in ending else model.save)(path)
        scores = model.evaluate(images, {"kind": kinds, "size": sizes}, batch_size=4, verbose=0)
        expected["branched"] = {"kind": model.predict(images, verbose=0)[0].tolist(), "scores": scores}
        model = sequential(keras)
        for ending in (".h5", ".keras"):
            model.save(folder / f"sequential{ending}")
        expected["sequential"] = {"scores": model.evaluate(images[:, :8, :8, :1], kinds[:, :2], verbose=0)}
        with tarfile.open(PATH, "w:xz") as archive:
            contents = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
            for name, data in (contents | {"expected.json": json.dumps(expected).encode()}).items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))


if __name__ == "__main__":
    main()
