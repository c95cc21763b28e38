"""Every network that Keras has too, at full size and with 1000 classes: minutes and gigabytes, so `make test-full` runs it.
"""
import os

os.environ.setdefault("KERAS_BACKEND", "numpy")

import numpy as np
import pytest
from network_checks import SHARED, both, check_predictions, images, keras, spread

from cnncore import applications

COUNTS = {"VGG16": 138_357_544, "VGG19": 143_667_240, "ResNet50": 25_636_712, "InceptionV3": 23_851_784,
          "DenseNet201": 20_242_984, "MobileNet": 4_253_864, "EfficientNetB1": 7_856_239, "NASNetLarge": 88_949_818}


def options(name):
    """What makes a network of its full size: MobileNetV3 takes images of any."""
    return {"input_shape": (224, 224, 3)} if name.startswith("MobileNetV3") else {}


@pytest.mark.parametrize("name", SHARED)
def test_a_network_predicts_at_full_size_what_keras_predicts(name, tmp_path):
    ours, theirs = both(name, **options(name))
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    assert ours.count_params() == theirs.count_params() == COUNTS.get(name, theirs.count_params())
    spread(theirs, ours, name)
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    del ours
    ours = getattr(applications, name)(weights=str(tmp_path / "theirs.weights.h5"), **options(name))
    (tmp_path / "theirs.weights.h5").unlink()
    read = check_predictions(ours, theirs, images(ours.input_shape[1:], 2, name))
    for w in ours.weights:
        w.assign(w.numpy() * np.float32(0.9))
    ours.save_weights(tmp_path / "ours.weights.h5")
    theirs.load_weights(tmp_path / "ours.weights.h5")
    (tmp_path / "ours.weights.h5").unlink()
    written = check_predictions(ours, theirs, images(ours.input_shape[1:], 1, name))
    print(f"{name}: {ours.count_params():,} parameters, {ours.input_shape[1]} pixels, relative error of predictions with "
          f"Keras's weights {read:.1e}, with ours in Keras {written:.1e}")
    del ours, theirs
    keras.utils.clear_session()
