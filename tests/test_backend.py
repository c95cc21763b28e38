"""cnncore.backend answers scripts that import keras.backend."""
import numpy as np
import pytest

import cnncore
from cnncore import backend


def test_settings_are_those_of_config():
    assert (backend.image_data_format(), backend.floatx(), backend.epsilon()) == ("channels_last", "float32", 1e-7)
    backend.set_epsilon(1e-5)
    try:
        assert cnncore.config.epsilon() == 1e-5
    finally:
        backend.set_epsilon(1e-7)
    backend.set_image_data_format("channels_last")
    with pytest.raises(ValueError, match="channels_first"):
        backend.set_image_data_format("channels_first")


def test_names_start_anew():
    backend.clear_session()
    assert [cnncore.layers.Dense(1).name for _ in range(2)] == ["dense", "dense_1"]
    backend.clear_session()
    assert cnncore.layers.Dense(1).name == "dense"
    assert [backend.get_uid("piece"), backend.get_uid("piece")] == [1, 2]


def test_dtypes_are_told_apart():
    assert backend.is_float_dtype("float16") and not backend.is_float_dtype("int32")
    assert backend.is_int_dtype("uint8") and not backend.is_int_dtype("float32")


def test_functions_of_keras_2_compute():
    x = np.float32([[1.0, 4.0, 9.0], [0.5, 0.2, 0.1]])
    same = {
        "flatten": (backend.flatten(x), x.ravel()),
        "sum": (backend.sum(x, axis=-1, keepdims=True), x.sum(-1, keepdims=True)),
        "argmax": (backend.argmax(x), [2, 0]),
        "argmin": (backend.argmin(x), [0, 2]),
        "concatenate": (backend.concatenate([x, x]), np.concatenate([x, x], -1)),
        "expand_dims": (backend.expand_dims(x), x[..., None]),
        "clip": (backend.clip(x, backend.epsilon(), 1), np.clip(x, 1e-7, 1)),
        "batch_flatten": (backend.batch_flatten(x[:, None]), x),
        "permute_dimensions": (backend.permute_dimensions(x, (1, 0)), x.T),
        "l2_normalize": (backend.l2_normalize(x, axis=1), x / np.linalg.norm(x, axis=1, keepdims=True)),
        "gather": (backend.gather(x, [1]), x[[1]]),
        "repeat_elements": (backend.repeat_elements(x, 2, 0), np.repeat(x, 2, 0)),
        "reverse": (backend.reverse(x, 1), x[:, ::-1]),
        "constant": (backend.constant(2, shape=(2,)), [2, 2]),
        "cast_to_floatx": (backend.cast_to_floatx(np.arange(3)), [0, 1, 2]),
        "pow": (backend.pow(x, 2), x**2),
    }
    for name, (got, wanted) in same.items():
        np.testing.assert_allclose(got, wanted, rtol=1e-5, err_msg=name)
    assert backend.int_shape(cnncore.Input((3,))) == (None, 3)
    variable = backend.variable(x, name="kept")
    backend.set_value(variable, 2 * x)
    assert np.array_equal(backend.get_value(variable), 2 * x) and np.array_equal(backend.eval(variable), 2 * x)
    assert backend.random_normal((3, 2), seed=1).shape == backend.random_uniform((3, 2)).shape == (3, 2)


def test_a_loss_written_with_keras_2_functions_trains():
    K = backend

    def dice_loss(y_true, y_pred):
        y_true_f, y_pred_f = K.flatten(y_true), K.flatten(y_pred)
        intersection = K.sum(y_true_f * y_pred_f)
        return 1 - (2.0 * intersection + 1) / (K.sum(y_true_f) + K.sum(y_pred_f) + 1)

    x = np.random.default_rng(1).random((64, 6), "float32")
    model = cnncore.Sequential([cnncore.Input((6,)), cnncore.layers.Dense(1, "sigmoid")])
    model.compile(cnncore.optimizers.Adam(0.05), dice_loss, metrics=[dice_loss])
    losses = model.fit(x, (x.sum(1) > 3)[:, None], epochs=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name, instead", [("floor", "cnncore.ops.floor"), ("gradients", "cnncore.GradientTape"),
                                           ("nonsense", "ops")])
def test_other_names_of_keras_2_are_explained(name, instead):
    with pytest.raises(AttributeError, match=f"Received: '{name}'; .*{instead}"):
        getattr(backend, name)
