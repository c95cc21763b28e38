"""Operations on KerasTensors are saved as Keras saves them: either library reads the files of the other."""
import inspect
import os
from importlib import import_module

os.environ.setdefault("KERAS_BACKEND", "numpy")

import numpy as np
import pytest

import cnncore

keras = pytest.importorskip("keras", exc_type=ImportError)

OPERATIONS = {
    "arithmetic": lambda o, x: 2 / (x + 1) - x * 3 + (1 - x) ** 2,
    "minus": lambda o, x: abs(-x),
    "rows": lambda o, x: x[:, 1],
    "last": lambda o, x: x[..., :2],
    "sum": lambda o, x: o.sum(x, axis=-1, keepdims=True),
    "mean": lambda o, x: o.mean(x, [1, 2]),
    "reshape": lambda o, x: o.reshape(x, (-1, 24)),
    "transpose": lambda o, x: o.transpose(x, (0, 3, 1, 2)),
    "concatenate": lambda o, x: o.concatenate([x, x * 2], axis=-1),
    "stack": lambda o, x: o.stack([x, x], axis=1),
    "expand_dims": lambda o, x: o.expand_dims(x, axis=-1),
    "softmax": lambda o, x: o.softmax(x, axis=1),
    "activations": lambda o, x: o.relu(x) + o.sigmoid(x) + o.tanh(x) + o.leaky_relu(x, 0.1) + o.gelu(x),
    "clip": lambda o, x: o.clip(x, 0.2, 0.6),
    "where": lambda o, x: o.where(o.greater(x, 0.5), x, 0.0),
    "pad": lambda o, x: o.pad(x, ((0, 0), (1, 1), (0, 2), (0, 0))),
    "largest": lambda o, x: o.maximum(x, 0.3) + o.max(x, axis=3, keepdims=True),
    "functions": lambda o, x: o.sqrt(o.square(x)) + o.exp(x) + o.log(x + 1.0) + o.rsqrt(x + 1.0),
    "statistics": lambda o, x: o.var(x, axis=(1, 2), keepdims=True) + o.std(x, -1, True) + o.cumsum(x, axis=1),
    "arrangement": lambda o, x: o.roll(o.swapaxes(x, 1, 2), 1, 1) + o.tile(o.swapaxes(x, 1, 2), (1, 1, 1, 1)),
    "normalized": lambda o, x: o.normalize(x, axis=-1) + o.erf(x) + o.logsumexp(x, axis=1, keepdims=True),
    "products": lambda o, x: o.einsum("bhwc,bhwd->bcd", x, x) + o.einsum("bhwc->bc", x)[:, None],
    "angles": lambda o, x: o.arctan(x) + o.arctan2(x, x + 1) + o.cbrt(x),
    "grids": lambda o, x: o.meshgrid(o.sum(x, (0, 1, 2)), o.max(x, (0, 1, 2)))[0],
    "image_sizes": lambda o, x: o.image.resize(o.image.pad_images(x, 1, 1, 1, 2), (5, 9), "nearest"),
    "image_cuts": lambda o, x: o.image.extract_patches(o.image.crop_images(x, 0, 1, target_height=4, target_width=2), 2),
    "image_colours": lambda o, x: o.image.rgb_to_hsv(o.concatenate([x, x[..., :1]], axis=-1)),
    "image_grey": lambda o, x: o.image.rgb_to_grayscale(o.concatenate([x, x[..., :1]], axis=-1)),
    "image_blur": lambda o, x: o.image.gaussian_blur(x, (3, 5), (1.0, 2.0)),
    "argmax": lambda o, x: o.cast(o.argmax(x, axis=-1), "float32"),
}
X = np.random.default_rng(3).random((2, 4, 3, 2), "float32") - 0.3


def model(library, name):
    x = library.Input((4, 3, 2))
    return library.Model(x, OPERATIONS[name](library.ops, x))


@pytest.mark.parametrize("name", OPERATIONS)
def test_keras_and_we_read_each_others_operations(name, tmp_path):
    ours, theirs = model(cnncore, name), model(keras, name)
    expected = np.asarray(theirs(X))
    np.testing.assert_allclose(ours(X).numpy(), expected, rtol=1e-5, atol=1e-6)
    ours.save(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    for library, path in ((keras, "ours.keras"), (cnncore, "theirs.keras"), (cnncore, "ours.keras")):
        read = library.models.load_model(tmp_path / path)
        np.testing.assert_allclose(np.asarray(read(X)), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(cnncore.models.clone_model(ours)(X).numpy(), expected, rtol=1e-5, atol=1e-6)


def test_an_operation_that_is_not_here_is_named(tmp_path):
    x = keras.Input((3,))
    keras.Model(x, keras.ops.nanmean(x, axis=1)).save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="Received: 'Nanmean' of keras.ops"):
        cnncore.models.load_model(tmp_path / "model.keras")


def test_keras_has_a_class_for_each_operation_that_files_give_it():
    from cnncore.layers import operation

    for name in operation.names():
        operands, options = operation.parameters_of(name)
        if name in (*operation._OWN, *cnncore.ops._NO_PARTS, "getitem"):
            continue
        form = cnncore.layers.Operation(name).keras_form()
        other = getattr(import_module(form[0]), form[1], None)
        assert other, f"{name}: no {form[1]} in {form[0]}"
        assert set(options) <= set(inspect.signature(other.__init__).parameters), name
        taken = [one for one in inspect.signature(other.call).parameters if one not in ("self", "kwargs")]
        assert taken == operands, name


def test_options_are_checked():
    with pytest.raises(ValueError, match="options of 'sum' are axis, keepdims. Received: ax"):
        cnncore.layers.Operation("sum", {"ax": 1})
