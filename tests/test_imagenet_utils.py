"""Images for networks trained on ImageNet, and their predictions by name, beside Keras."""
import json
import os

os.environ.setdefault("KERAS_BACKEND", "numpy")

import numpy as np
import pytest

import cnncore
from cnncore import applications
from cnncore.applications.imagenet_utils import decode_predictions, preprocess_input

keras = pytest.importorskip("keras", exc_type=ImportError)
rng = np.random.default_rng(4)
INDEX = {str(i): [f"n{i:08}", f"thing_{i}"] for i in range(1000)}


def photos(shape, dtype):
    return rng.integers(0, 256, shape).astype(dtype)


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", "float64"])
@pytest.mark.parametrize(("shape", "data_format"), [((2, 5, 4, 3), None), ((5, 4, 3), "channels_last"),
                                                    ((2, 3, 5, 4), "channels_first"), ((3, 5, 4), "channels_first")])
def test_images_become_what_keras_makes_of_them(mode, dtype, shape, data_format):
    x = photos(shape, dtype)
    before = x.copy()
    y = preprocess_input(x, data_format, mode)
    assert np.array_equal(x, before)
    wanted = keras.applications.imagenet_utils.preprocess_input(x.copy(), data_format, mode)
    assert y.dtype == wanted.dtype
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
def test_tensors_and_models_take_the_same_images(mode):
    x = photos((2, 5, 4, 3), "float32")
    wanted = preprocess_input(x, mode=mode)
    np.testing.assert_allclose(preprocess_input(cnncore.ops.convert_to_tensor(x), mode=mode).numpy(), wanted, atol=1e-4)
    image = cnncore.Input((5, 4, 3))
    model = cnncore.Model(image, cnncore.layers.Flatten()(preprocess_input(image, mode=mode)))
    np.testing.assert_allclose(model.predict(x, verbose=0), wanted.reshape(2, -1), atol=1e-4)


@pytest.mark.parametrize("module", [
    "vgg16", "vgg19", "resnet", "resnet50", "resnet_v2", "inception_v3", "densenet", "mobilenet", "mobilenet_v2",
    "mobilenet_v3", "xception", "efficientnet", "inception_resnet_v2", "nasnet"])
def test_every_module_prepares_images_in_keras_mode(module):
    x = photos((1, 3, 3, 3), "uint8")
    ours, theirs = (getattr(k.applications, module) for k in (cnncore, keras))
    np.testing.assert_allclose(ours.preprocess_input(x), theirs.preprocess_input(x.copy()), rtol=1e-5, atol=1e-5)
    assert ours.decode_predictions is decode_predictions


@pytest.mark.parametrize(("x", "options", "words"), [
    (np.zeros((2, 3, 3, 3)), {"mode": "jax"}, "mode is"), (np.zeros((3, 3)), {}, "3 axes"),
    (np.zeros((1, 3, 3, 1)), {}, "three channels"), (np.zeros((3, 3, 3)), {"data_format": "last"}, "data_format is")])
def test_images_that_do_not_fit_are_refused(x, options, words):
    with pytest.raises(ValueError, match=words):
        preprocess_input(x, **options)
    with pytest.raises(TypeError, match="an array or a tensor"):
        preprocess_input([[0, 1, 2]])


# ---- names -------------------------------------------------------------------------------------------------------

def test_predictions_are_named_as_keras_names_them(monkeypatch, tmp_path):
    """From the file in CNNCORE_HOME/models, from a path, and from a dict."""
    monkeypatch.setenv("CNNCORE_HOME", str(tmp_path))
    path = tmp_path / "models" / "imagenet_class_index.json"
    path.parent.mkdir()
    path.write_text(json.dumps(INDEX))
    preds = rng.random((3, 1000)).astype("float32")
    monkeypatch.setattr(keras.src.applications.imagenet_utils, "CLASS_INDEX", INDEX)
    for top in (5, 1, 12):
        wanted = keras.applications.imagenet_utils.decode_predictions(preds, top)
        assert decode_predictions(preds, top) == wanted
        assert applications.resnet50.decode_predictions(preds, top=top, class_index=str(path)) == wanted
        assert decode_predictions(cnncore.ops.convert_to_tensor(preds), top, INDEX) == wanted


def test_classes_of_ones_own_have_names_too():
    named = decode_predictions(np.array([[0.1, 0.7, 0.2]]), top=2, class_index={0: ("a", "x"), 1: ("b", "y"),
                                                                                 2: ("c", "z")})
    assert [[pair[:2] for pair in image] for image in named] == [[("b", "y"), ("c", "z")]]


@pytest.mark.parametrize(("preds", "index", "words"), [
    (np.zeros(1000), None, "images, 1000"), (np.zeros((1, 10)), None, "images, 1000"),
    (np.zeros((1, 3)), [("a", "b")], "1 names for 3"), (np.zeros((1, 1)), {"0": 7}, "maps each number")])
def test_predictions_without_names_are_refused(preds, index, words):
    with pytest.raises(ValueError, match=words):
        decode_predictions(preds, class_index=index)


def test_a_file_of_names_is_read_again_when_it_changed(tmp_path):
    path = tmp_path / "names.json"
    for word in ("cat", "hound"):
        path.write_text(json.dumps([["n1", word]]))
        assert decode_predictions(np.ones((1, 1)), class_index=path)[0][0][1] == word


def test_a_damaged_file_of_names_is_refused(tmp_path):
    path = tmp_path / "names.json"
    path.write_text("{")
    with pytest.raises(ValueError, match="damaged"):
        decode_predictions(np.zeros((1, 2)), class_index=path)
    path.write_text("3")
    with pytest.raises(ValueError, match="dict in JSON"):
        decode_predictions(np.zeros((1, 2)), class_index=path)
