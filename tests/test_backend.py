"""cnncore.backend answers scripts that import keras.backend."""
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


@pytest.mark.parametrize("name, instead", [("square", "cnncore.ops.square"), ("get_value", "numpy()"), ("nonsense", "ops")])
def test_names_of_keras_2_are_explained(name, instead):
    with pytest.raises(AttributeError, match=f"Received: '{name}'; .*{instead.split('(')[0]}"):
        getattr(backend, name)
