"""The classic networks: layers, weights and predictions are Keras's, and they train."""
import doctest
import hashlib
import inspect
import os

os.environ.setdefault("KERAS_BACKEND", "numpy")

import numpy as np
import pytest
from data import real_data
from network_checks import (
    SHARED,
    both,
    check_predictions,
    check_two_steps_lower_the_loss,
    images,
    keras,
    shape_of,
    spread,
)

import cnncore
from cnncore import applications
from cnncore.applications import imagenet_utils, weights

# What takes seconds to make is compared at full size alone, see full_size_networks.py.
QUICK = [name for name in SHARED if name not in ("NASNetLarge", *(f"EfficientNetB{i}" for i in range(2, 8)))]
# One of each family, and what is to be fed to it.
FAMILIES = {"VGG16": {"include_top": False, "pooling": "max"}, "ResNet50": {"classes": 10}, "ResNet50V2": {"classes": 7},
            "InceptionV3": {"classes": 5}, "DenseNet121": {"classes": 10, "classifier_activation": None},
            "MobileNet": {"classes": 10}, "MobileNetV2": {"include_top": False}, "MobileNetV3Small": {"classes": 10},
            "MobileNetV3Large": {"include_top": False, "pooling": "avg"}, "Xception": {"classes": 5},
            "EfficientNetB0": {"classes": 10}, "InceptionResNetV2": {"classes": 5}, "NASNetMobile": {"classes": 10}}
# Those of them that are compared with a classifier, or have none that is quick to make.
WHOLE = [name for name, options in FAMILIES.items() if options.get("include_top", True) or name == "VGG16"]
# Sides of images: those that normalization over few pixels needs to be steady.
FITS = {"InceptionV3": 96, "InceptionResNetV2": 96, "Xception": 71, "VGG16": 32}


# ---- as in Keras -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("name", "options"), [
    *((name, {"include_top": not name.startswith("VGG"), "classes": 10}) for name in QUICK if name not in WHOLE),
    ("MobileNet", {"alpha": 0.25, "depth_multiplier": 2, "include_top": False}),
    ("MobileNetV2", {"alpha": 1.4, "include_top": False, "pooling": "max"}),
    ("MobileNetV3Small", {"minimalistic": True, "alpha": 0.75, "include_preprocessing": False}),
    ("MobileNetV3Large", {"alpha": 1.25, "dropout_rate": 0, "classes": 10}),
    ("MobileNetV3Small", {"input_shape": None, "classes": 10}), ("EfficientNetB0", {"include_top": False}),
    ("MobileNet", {"input_shape": None, "include_top": False}), ("MobileNetV2", {"input_shape": (96, 128, 3)}),
    ("NASNetMobile", {"input_shape": None, "include_top": False, "pooling": "avg"})])
def test_layers_and_weights_are_those_of_keras(name, options):
    assert_same_layers(*both(name, **{"input_shape": shape_of(name), **options}))


def assert_same_layers(ours, theirs):
    assert ours.name == theirs.name
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    assert [layer.output.shape for layer in ours.layers[1:]] == [layer.output.shape for layer in theirs.layers[1:]]
    assert [w.shape for w in ours.weights] == [w.shape for w in theirs.weights]
    assert [w.name for w in ours.weights] == [w.name for w in theirs.weights]
    assert [w.shape for w in ours.trainable_weights] == [w.shape for w in theirs.trainable_weights]


@pytest.mark.parametrize("name", SHARED)
def test_arguments_are_those_of_keras(name):
    one, other = (inspect.signature(getattr(k.applications, name)).parameters.values() for k in (cnncore, keras))
    assert [(p.name, p.default) for p in one] == [(p.name, p.default) for p in other]


@pytest.mark.parametrize(("name", "count"), [("ResNet50", 25_636_712), ("InceptionV3", 23_851_784),
                                             ("DenseNet201", 20_242_984),
                                             ("MobileNet", 4_253_864), ("EfficientNetB1", 7_856_239),
                                             ("NASNetMobile", 5_326_716)])
def test_parameters_at_full_size(name, count):
    assert getattr(applications, name)(weights=None).count_params() == count


def test_parameters_of_vgg19_at_full_size():
    """Those of its convolutions, and of its dense layers at the papers' sizes, without making them."""
    body = applications.VGG19(weights=None, include_top=False).count_params()
    assert body + (7 * 7 * 512 + 1) * 4096 + 4097 * 4096 + 4097 * 1000 == 143_667_240


# The first families come in two kinds of files, each other one in one of them in turn.
ENDINGS = {name: (".weights.h5", ".h5") if i < 6 else (".weights.h5", ".h5", ".keras")[i % 3:][:1]
           for i, name in enumerate(FAMILIES)} | {"ResNet50": (".weights.h5", ".h5", ".keras")}


@pytest.mark.parametrize("name", FAMILIES)
def test_predictions_with_weights_from_keras_are_those_of_keras(name, tmp_path):
    options = {**FAMILIES[name], "input_shape": shape_of(name)}
    ours, theirs = both(name, **options)
    assert_same_layers(ours, theirs)
    spread(theirs, ours, name)
    x = images(shape_of(name), 2, name)
    wanted = theirs.predict(x, verbose=0)
    for ending in ENDINGS[name]:
        path = tmp_path / f"theirs{ending}"
        theirs.save_weights(path) if ending == ".weights.h5" else theirs.save(path)
        ours = getattr(applications, name)(weights=str(path), **options)
        check_predictions(ours, wanted, x)


@pytest.mark.parametrize("name", ["ResNet50", "MobileNetV3Small", "EfficientNetB0", "NASNetMobile"])
def test_keras_reads_the_weights_that_a_network_wrote(name, tmp_path):
    ours, theirs = both(name, input_shape=(32, 32, 3), classes=10)
    ours.save_weights(tmp_path / "ours.weights.h5")
    theirs.load_weights(tmp_path / "ours.weights.h5")
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("name", ["MobileNetV3Small", "EfficientNetB0"])
def test_a_whole_model_goes_to_keras_and_comes_back(name, tmp_path):
    ours, theirs = both(name, input_shape=(32, 32, 3), classes=6)
    spread(theirs, ours, name)
    ours.save(tmp_path / "ours.keras")
    x = images((32, 32, 3), 2, name)
    check_predictions(ours, keras.saving.load_model(tmp_path / "ours.keras"), x)
    theirs.save(tmp_path / "theirs.keras")
    check_predictions(cnncore.saving.load_model(tmp_path / "theirs.keras"), theirs, x)


def test_a_layer_of_one_network_alone_goes_to_keras_and_comes_back(tmp_path):
    x = cnncore.Input((6,))
    model = cnncore.Model(x, applications.inception_resnet_v2.CustomScaleLayer(0.25)([x, cnncore.layers.Dense(6)(x)]))
    model.save(tmp_path / "ours.keras")
    theirs = keras.saving.load_model(tmp_path / "ours.keras")
    assert type(theirs.layers[-1]).__module__ == "keras.src.applications.inception_resnet_v2"
    for ending in (".keras", ".h5"):
        theirs.save(tmp_path / f"theirs{ending}")
        check_predictions(cnncore.saving.load_model(tmp_path / f"theirs{ending}"), theirs, images((6,)))


def test_published_efficientnets_have_a_layer_more(monkeypatch, tmp_path):
    """The weights that Keras publishes belong to networks that rescale their images once more."""
    from keras.src.utils import file_utils

    options = {"include_top": False, "input_shape": (32, 32, 3)}
    ours, made = both("EfficientNetB0", **options)
    spread(made, ours, "EfficientNetB0")
    made.save(tmp_path / "made.h5")
    for place in (file_utils, cnncore.utils):
        monkeypatch.setattr(place, "get_file", lambda *arguments, **more: str(tmp_path / "made.h5"))
    ours, theirs = both("EfficientNetB0", weights="imagenet", **options)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert np.array_equal(one, other)
    spread(theirs, ours, "EfficientNetB0")  # the statistics in the file are of a network without the layer
    check_predictions(ours, theirs, images((32, 32, 3), 2, "EfficientNetB0"))


# ---- training ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", FAMILIES)
def test_two_steps_of_fit_lower_the_loss(name):
    cnncore.utils.set_random_seed(1)
    shape = (FITS.get(name, 64),) * 2 + (3,)
    if name == "VGG16":
        features = applications.VGG16(weights=None, include_top=False, input_shape=shape)
        model = cnncore.Sequential([features, cnncore.layers.Flatten(), cnncore.layers.Dense(3, activation="softmax")])
    else:
        model = getattr(applications, name)(weights=None, input_shape=shape, classes=3)
    check_two_steps_lower_the_loss(model, name)


def test_a_frozen_network_under_a_new_head_stays_as_it_is():
    features = applications.DenseNet121(weights=None, include_top=False, input_shape=(32, 32, 3), pooling="avg")
    features.trainable = False
    x = cnncore.Input((32, 32, 3))
    model = cnncore.Model(x, cnncore.layers.Dense(3, activation="softmax")(features(x, training=False)))
    before = features.get_weights()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(images((32, 32, 3)), np.arange(4) % 3, verbose=0)
    assert len(model.trainable_weights) == 2
    assert all(np.array_equal(a, b) for a, b in zip(before, features.get_weights(), strict=True))


# ---- documentation ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["VGG16", "ResNet101V2", "DenseNet169", "MobileNet", "MobileNetV2", "NASNetMobile",
                                  "MobileNetV3Small", "MobileNetV3Large", "EfficientNetB0", "Xception"])
def test_examples_in_the_documentation_print_what_they_say(name):
    function = getattr(applications, name)
    examples = doctest.DocTestFinder(recurse=False).find(function, name, globs={})
    result = doctest.DocTestRunner().run(examples[0])
    assert (result.attempted, result.failed) == (2, 0)
    assert function.__name__ == name and function.__module__.startswith("cnncore.applications.")


# ---- inputs and errors -------------------------------------------------------------------------------------------

def test_a_network_begins_with_the_tensor_that_it_is_given():
    x = cnncore.Input((40, 40, 3), name="photo")
    model = applications.ResNet50(weights=None, include_top=False, input_tensor=x * 2.0, pooling="max")
    assert model.inputs == [x] and model.output_shape == (None, 2048)
    assert model.predict(images((40, 40, 3), 1), verbose=0).shape == (1, 2048)


@pytest.mark.parametrize(("options", "words"), [
    ({"weights": "nowhere.h5"}, "no such file"), ({"weights": "imagenet", "classes": 10}, "1000 classes"),
    ({"weights": None, "input_shape": (31, 32, 3)}, "at least 32 x 32"),
    ({"weights": None, "input_shape": (32, 32)}, "height, width, channels"),
    ({"weights": None, "input_shape": (None, None, 3)}, "whole shape"),
    ({"weights": "imagenet", "input_shape": (64, 64, 3)}, "224"),
    ({"weights": "imagenet", "include_top": False, "input_shape": (64, 64, 1)}, "height, width, 3"),
    ({"weights": "imagenet", "classifier_activation": "relu"}, "'softmax' or None"),
    ({"weights": None, "include_top": False, "pooling": "mean"}, "'avg' or 'max'"),
    ({"weights": None, "input_tensor": np.zeros((1, 32, 32, 3))}, "KerasTensor")])
def test_arguments_that_do_not_fit_are_refused_in_words(options, words):
    with pytest.raises(ValueError, match=words) as error:
        applications.ResNet50(**options)
    assert "Received: " in str(error.value)


@pytest.mark.parametrize(("name", "options", "words"), [
    ("SqueezeNet", {}, "not published"), ("MobileNet", {"alpha": 0.3}, "0.25, 0.5, 0.75 or 1"),
    ("MobileNet", {"depth_multiplier": 2}, "depth_multiplier=1"), ("MobileNetV2", {"alpha": 2}, "1.3 or 1.4"),
    ("MobileNetV3Large", {"alpha": 0.75, "minimalistic": True}, "minimalistic=False")])
def test_weights_that_nobody_publishes_are_refused(name, options, words):
    with pytest.raises(ValueError, match=words):
        getattr(applications, name)(weights="imagenet", **options)


# ---- weights for ImageNet ----------------------------------------------------------------------------------------

def test_addresses_and_hashes_are_those_of_keras(monkeypatch, tmp_path):
    """Each network asks Keras's server for the file that Keras asks for."""
    asked = []

    def refuse(fname, origin, cache_subdir, file_hash=None):
        asked.append((fname, origin, cache_subdir, file_hash))
        raise OSError("asked")

    from keras.src.utils import file_utils

    monkeypatch.setattr(file_utils, "get_file", refuse)
    monkeypatch.setattr("cnncore.utils.get_file", refuse)
    for name, options in [*((name, {}) for name in ("VGG19", "ResNet50", "ResNet101V2", "InceptionV3", "DenseNet169")),
                          *((name, {}) for name in ("Xception", "InceptionResNetV2", "NASNetMobile", "EfficientNetB0")),
                          ("MobileNet", {"alpha": 0.5, "input_shape": (128, 128, 3)}), ("MobileNetV2", {"alpha": 1.3}),
                          ("MobileNetV3Large", {"minimalistic": True, "include_top": True}), ("MobileNetV3Small", {})]:
        for k in (cnncore, keras):
            with pytest.raises(OSError, match="asked"):
                getattr(k.applications, name)(**{"include_top": False, "input_shape": shape_of(name), **options})
        assert asked[-2] == asked[-1]
    # With their classifiers Keras computes for minutes before it asks, so its sources must do.
    for name in ("Xception", "InceptionResNetV2", "NASNetMobile", "NASNetLarge"):
        with pytest.raises(OSError, match="asked"):
            getattr(applications, name)()
        file, address, _, known = asked[-1]
        source = inspect.getsource(inspect.getmodule(getattr(keras.applications, name)))
        assert all(word in source for word in (file, address.rpartition("/")[2], known))
    theirs = inspect.getmodule(keras.applications.EfficientNetB0)
    for i in range(8):
        with pytest.raises(OSError, match="asked"):
            getattr(applications, f"EfficientNetB{i}")()
        file = f"efficientnetb{i}.h5"
        assert asked[-1] == (file, theirs.BASE_WEIGHTS_PATH + file, "models", theirs.WEIGHTS_HASHES[f"b{i}"][0])
    assert {network: weights.published(network) for network in ("vgg16", "lenet5")} == {"vgg16": True, "lenet5": False}


@pytest.mark.parametrize("place", ["CNNCORE_HOME", "KERAS_HOME"])
def test_imagenet_weights_are_found_where_keras_puts_them(place, monkeypatch, tmp_path):
    for variable in ("CNNCORE_HOME", "KERAS_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    path = tmp_path / place / "models" / "densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5"
    path.parent.mkdir(parents=True)
    made = applications.DenseNet121(weights=None, include_top=False, input_shape=(32, 32, 3))
    made.save(path)
    known = (*weights._KNOWN["densenet121"][:2], hashlib.md5(path.read_bytes()).hexdigest())
    monkeypatch.setitem(weights._KNOWN, "densenet121", known)
    found = applications.DenseNet121(include_top=False)
    assert all(np.array_equal(a, b) for a, b in zip(found.get_weights(), made.get_weights(), strict=True))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("ending", [".weights.h5", ".h5", ".keras", ".safetensors"])
def test_a_file_with_the_classifier_serves_the_network_without_it(ending, tmp_path):
    whole = applications.MobileNetV2(weights=None, input_shape=(32, 32, 3), classes=5, alpha=0.35)
    path = tmp_path / f"whole{ending}"
    (whole.save_weights if ending in (".weights.h5", ".safetensors") else whole.save)(path)
    body = applications.MobileNetV2(weights=str(path), include_top=False, input_shape=(32, 32, 3), alpha=0.35)
    for ours, other in zip(body.get_weights(), whole.get_weights()[:-2], strict=True):
        assert np.array_equal(ours, other)
    with pytest.raises(ValueError, match="Nothing was changed|whose variables do not fit"):
        applications.MobileNetV2(weights=str(path), include_top=False, input_shape=(32, 32, 3), alpha=0.5)


def test_imagenet_weights_with_the_classifier_serve_where_those_without_it_are_not_here(monkeypatch, tmp_path):
    no_network(monkeypatch, tmp_path)
    data = real_data()
    (tmp_path / "home" / "models").mkdir(parents=True)
    path = data / "keras-files" / "mobilenet_2_5_224_tf.h5"
    os.symlink(path.resolve(), tmp_path / "home" / "models" / path.name)
    options = {"alpha": 0.25, "input_shape": (224, 224, 3)}
    body = applications.MobileNet(include_top=False, **options)
    whole = applications.MobileNet(**options)
    for ours, other in zip(body.get_weights(), whole.get_weights()[:-2], strict=True):
        assert np.array_equal(ours, other)


def no_network(monkeypatch, tmp_path):
    from cnncore.datasets import files

    def fail(*arguments):
        raise ConnectionError("no route")

    monkeypatch.setenv("CNNCORE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(files, "fetch", fail)


def test_without_a_network_the_error_names_file_folder_and_source(monkeypatch, tmp_path):
    no_network(monkeypatch, tmp_path)
    with pytest.raises(OSError) as error:
        applications.ResNet50(include_top=False)
    name = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
    for word in (name, str(tmp_path / "home" / "models"), str(tmp_path / "keras" / "models"),
                 f"https://storage.googleapis.com/tensorflow/keras-applications/resnet/{name}"):
        assert word in str(error.value)
    with pytest.raises(OSError, match="imagenet_class_index.json"):
        imagenet_utils.decode_predictions(np.zeros((1, 1000)))


# ---- real weights ------------------------------------------------------------------------------------------------

# photo: number and name of the class that Keras gives it with these weights, and the probability
PHOTOS = {"hummingbird.jpg": (94, "hummingbird", 0.980), "jellyfish.jpg": (107, "jellyfish", 0.916),
          "snow_leopard.jpg": (289, "snow_leopard", 0.984), "macaw.jpg": (88, "macaw", 0.940),
          "elephant.jpg": (386, "African_elephant", 0.844), "daisy.jpg": (985, "daisy", 0.992),
          "pug.jpg": (254, "pug", 0.706), "chickadee.bmp": (19, "chickadee", 0.835)}


@pytest.mark.parametrize("weights", ["mobilenet_2_5_224.weights.h5", "mobilenet_2_5_224_tf.h5", "imagenet"])
def test_mobilenet_names_what_photos_show(weights, monkeypatch, tmp_path):
    from cnncore.applications.mobilenet import decode_predictions, preprocess_input

    data = real_data()
    (tmp_path / "models").mkdir()
    for path in (data / "keras-files" / "mobilenet_2_5_224_tf.h5", data / "imagenet_class_index.json"):
        os.symlink(path.resolve(), tmp_path / "models" / path.name)
    monkeypatch.setenv("CNNCORE_HOME", str(tmp_path))
    model = applications.MobileNet(alpha=0.25,
                                   weights=weights if weights == "imagenet" else str(data / "keras-files" / weights))
    photos = [cnncore.utils.load_img(data / "photos" / name, target_size=(224, 224), interpolation="bilinear")
              for name in PHOTOS]
    x = preprocess_input(np.stack([cnncore.utils.img_to_array(photo) for photo in photos]))
    y = model.predict(x, verbose=0)
    for scores, best, (number, name, probability) in zip(y, decode_predictions(y, top=1), PHOTOS.values(), strict=True):
        assert scores.argmax() == number and best[0][1] == name
        assert abs(best[0][2] - probability) <= 0.005
