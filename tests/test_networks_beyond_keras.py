"""The networks that Keras lacks: the papers' numbers, training, files, and the layers that only they need."""
import doctest

import numpy as np
import pytest
from network_checks import check_two_steps_lower_the_loss, images

import cnncore
from cnncore import applications, layers

SHAPES = {"LeNet5": (32, 32, 1), "AlexNet": (67, 67, 3), "ResNet20": (32, 32, 3), "SqueezeNet": (48, 48, 3),
          "GoogLeNet": (64, 64, 3), "SPPNet": (43, 37, 3), "SEResNet50": (64, 64, 3), "ShuffleNet": (64, 64, 3)}


def trained(model):
    """How many numbers are trained: papers do not count moving statistics."""
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


def products(model):
    """How many products an image takes in convolutions and dense layers."""
    working = [layer for layer in model.layers
               if isinstance(layer, (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense))]
    return sum(int(np.prod(layer.weights[0].shape)) * int(np.prod(layer.output.shape[1:-1])) for layer in working)


def made(name, **options):
    """A small network of this name for three classes."""
    cnncore.utils.set_random_seed(1)
    options = {"input_shape": SHAPES[name], **options}
    if name not in ("AlexNet", "SPPNet"):
        return getattr(applications, name)(classes=3, **options)
    # Without their dense layers, which are as large as in the papers at any size of images.
    features = getattr(applications, name)(include_top=False, **options)
    y = features.output
    y = layers.Flatten()(y) if name == "AlexNet" else layers.SpatialPyramidPooling2D()(y)
    return cnncore.Model(features.input, layers.Dense(3, activation="softmax")(y))


# ---- the papers' numbers -----------------------------------------------------------------------------------------

@pytest.mark.parametrize(("name", "options", "count"), [
    ("LeNet5", {}, 61_706), ("ResNet20", {}, 269_722), ("ResNet56", {}, 853_018), ("SqueezeNet", {}, 1_248_424),
    ("GoogLeNet", {}, 6_998_552), ("GoogLeNet", {"auxiliary": True}, 13_378_280), ("SEResNet50", {}, 28_088_024),
    *(("ShuffleNet", {"groups": groups}, count) for groups, count in (
        (1, 1_531_936), (2, 1_733_848), (3, 1_865_728), (4, 1_968_344), (8, 2_434_768)))])
def test_parameters_are_the_papers(name, options, count):
    assert trained(getattr(applications, name)(**options)) == count


@pytest.mark.parametrize(("name", "channels", "windows", "count"), [
    ("AlexNet", 256, 6 * 6, 62_378_344), ("SPPNet", 256, 6 * 6 + 3 * 3 + 2 * 2 + 1, 77_037_672)])
def test_parameters_with_wide_dense_layers_are_the_papers(name, channels, windows, count):
    """Those of the convolutions, and of the dense layers without making them."""
    body = getattr(applications, name)(include_top=False).count_params()
    assert body + (windows * channels + 1) * 4096 + 4097 * 4096 + 4097 * 1000 == count


@pytest.mark.parametrize(("groups", "millions"), [(1, 143), (2, 140), (3, 137), (4, 133), (8, 137)])
def test_shufflenets_work_is_the_papers(groups, millions):
    """Table 1 of the paper, to 1.1 %."""
    assert abs(products(applications.ShuffleNet(groups=groups)) / 1e6 - millions) <= 0.011 * millions


def test_squeezing_costs_next_to_nothing():
    """Section 4 of the paper: 3.86 billion products for ResNet50, 3.87 with squeezing and exciting."""
    with_it = applications.SEResNet50()
    extra = sum(int(np.prod(layer.kernel.shape)) for layer in with_it.layers
                if isinstance(layer, layers.Dense) and "_se_" in layer.name)
    assert 0 < extra < 0.001 * products(with_it) and abs(products(with_it) / 1e9 - 3.87) < 0.02


# ---- training and files ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", SHAPES)
def test_two_steps_of_fit_lower_the_loss(name):
    check_two_steps_lower_the_loss(made(name), name)


def test_auxiliary_losses_join_in_training():
    model = made("GoogLeNet", input_shape=(65, 65, 3), auxiliary=True)
    assert model.output_names == ["predictions", "auxiliary1", "auxiliary2"]
    x, y = images((65, 65, 3), 6, rng=np.random.default_rng(1)), np.arange(6) % 3
    before = {w.path: w.numpy() for w in model.trainable_weights}
    model.compile("sgd", "sparse_categorical_crossentropy", loss_weights=[1.0, 0.3, 0.3])
    history = model.fit(x, [y, y, y], verbose=0).history
    whole = history["predictions_loss"][0] + 0.3 * (history["auxiliary1_loss"][0] + history["auxiliary2_loss"][0])
    assert abs(history["loss"][0] - whole) < 1e-5
    assert all(np.abs(w.numpy() - before[w.path]).max() > 0 for w in model.trainable_weights)
    alone = cnncore.Model(model.inputs, model.outputs[0])
    assert np.array_equal(alone.predict(x, verbose=0), model.predict(x, verbose=0)[0])
    assert alone.count_params() == made("GoogLeNet").count_params()


@pytest.mark.parametrize("name", [name for name in SHAPES if name not in ("LeNet5", "AlexNet")])
@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_network_is_saved_and_loaded(name, ending, tmp_path):
    model = made(name)
    model.save(tmp_path / f"model{ending}")
    x = images(SHAPES[name], 2)
    again = cnncore.saving.load_model(tmp_path / f"model{ending}")
    assert [type(layer) for layer in again.layers] == [type(layer) for layer in model.layers]
    assert np.array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


def test_sppnet_classifies_images_of_any_size():
    model = applications.SPPNet(classes=4, levels=(2, 1))
    assert model.input_shape == (None, None, None, 3) and model.output_shape == (None, 4)
    for shape in ((21, 30, 3), (48, 40, 3)):
        scores = model.predict(images(shape, 2), verbose=0)
        assert scores.shape == (2, 4) and np.abs(scores.sum(1) - 1).max() < 1e-5


@pytest.mark.parametrize("name", ["LeNet5", "AlexNet", "ResNet20", "ResNet56", "SqueezeNet", "GoogLeNet", "SPPNet",
                                  "SEResNet50", "SEResNet101", "SEResNet152", "ShuffleNet"])
def test_examples_in_the_documentation_print_what_they_say(name):
    function = getattr(applications, name)
    examples = doctest.DocTestFinder(recurse=False).find(function, name, globs={})
    result = doctest.DocTestRunner().run(examples[0])
    assert (result.attempted, result.failed) == (2, 0)
    assert function.__name__ == name and function.__module__.startswith("cnncore.applications.")


@pytest.mark.parametrize(("name", "options", "words"), [
    ("GoogLeNet", {"include_top": False, "auxiliary": True}, "include_top=True"),
    ("GoogLeNet", {"auxiliary": True, "input_shape": (64, 64, 3)}, "at least 65 x 65"),
    ("ShuffleNet", {"groups": 5}, "groups is 1, 2, 3, 4 or 8"),
    ("ShuffleNet", {"groups": 8, "scale": 0.5}, "use 1, 2, say"), ("ShuffleNet", {"scale": 0}, "Received: scale=0"),
    ("SPPNet", {"levels": 3}, "levels is a list"), ("SPPNet", {"levels": (2, 0)}, "1 or more"),
    ("SEResNet50", {"weights": "imagenet"}, "not published")])
def test_arguments_that_do_not_fit_are_refused_in_words(name, options, words):
    with pytest.raises(ValueError, match=words):
        getattr(applications, name)(**options)


# ---- layers ------------------------------------------------------------------------------------------------------

def shuffled(x, groups):
    """Channel i of group g goes to place i * groups + g, one after the other."""
    y, each = np.empty_like(x), x.shape[-1] // groups
    for g in range(groups):
        for i in range(each):
            y[..., i * groups + g] = x[..., g * each + i]
    return y


def pyramid(x, levels):
    """Window by window, the bounds as the paper's appendix says."""
    _, height, width, _ = x.shape
    parts = []
    for level in levels:
        for row in range(level):
            for column in range(level):
                top, left = int(np.floor(row / level * height)), int(np.floor(column / level * width))
                bottom, right = int(np.ceil((row + 1) / level * height)), int(np.ceil((column + 1) / level * width))
                parts.append(x[:, top:bottom, left:right].max((1, 2)))
    return np.concatenate(parts, 1)


@pytest.mark.parametrize(("layer", "shape", "reference"), [
    (lambda **more: layers.ChannelShuffle(3, **more), (2, 5, 4, 12), lambda x: shuffled(x, 3)),
    (lambda **more: layers.ChannelShuffle(1, **more), (1, 1, 1, 5), lambda x: x),
    (lambda **more: layers.ChannelShuffle(6, **more), (1, 3, 2, 6), lambda x: shuffled(x, 6)),
    (lambda **more: layers.SpatialPyramidPooling2D(**more), (2, 13, 13, 7), lambda x: pyramid(x, (6, 3, 2, 1))),
    (lambda **more: layers.SpatialPyramidPooling2D((4, 2), **more), (3, 8, 4, 2), lambda x: pyramid(x, (4, 2))),
    (lambda **more: layers.SpatialPyramidPooling2D([5], **more), (1, 3, 11, 1), lambda x: pyramid(x, [5]))])
def test_a_layer_does_what_its_formula_says(layer, shape, reference):
    x = np.random.default_rng(2).permutation(int(np.prod(shape))).reshape(shape).astype("float32")
    wanted = reference(x)
    assert np.array_equal(layer()(x).numpy(), wanted)
    first = layer(data_format="channels_first")
    y = first(np.moveaxis(x, 3, 1).copy()).numpy()
    assert np.array_equal(y, np.moveaxis(wanted, -1, 1) if wanted.ndim == 4 else wanted)
    assert type(first).from_config(first.get_config()).get_config() == first.get_config()
    unknown = cnncore.Input((None, None, shape[3]))
    model = cnncore.Model(unknown, layer()(unknown))
    assert model.output_shape == ((None, None, None, shape[3]) if wanted.ndim == 4 else (None, wanted.shape[1]))
    assert np.array_equal(model.predict(x, verbose=0), wanted)


@pytest.mark.parametrize("layer", [layers.ChannelShuffle(2), layers.SpatialPyramidPooling2D((3, 2, 1))])
def test_gradients_of_a_layer_go_where_its_values_came_from(layer):
    rng = np.random.default_rng(3)
    x = rng.permutation(2 * 7 * 5 * 4).reshape(2, 7, 5, 4).astype("float32")
    tensor = cnncore.Tensor(x, requires_grad=True)
    y = layer(tensor)
    dy = rng.integers(-8, 9, y.shape).astype("float32")
    (y * dy).sum().backward()
    # Whatever y has of x[i] alone brings dy there: all values of x differ.
    wanted = [dy[n][y.numpy()[n] == x[n].ravel()[i]].sum() for n in range(2) for i in range(x[n].size)]
    assert np.array_equal(tensor.grad.numpy().ravel(), wanted)


def test_layers_take_what_fits_only():
    with pytest.raises(ValueError, match="groups=4 divides"):
        layers.ChannelShuffle(4)(np.zeros((1, 2, 2, 6), "float32"))
    for wrong in (0, 1.5, None):
        with pytest.raises(ValueError, match="groups must be a whole number"):
            layers.ChannelShuffle(wrong)
    with pytest.raises(ValueError, match="4 axes"):
        layers.SpatialPyramidPooling2D()(np.zeros((2, 5, 5), "float32"))
    with pytest.raises(ValueError, match="levels is a list"):
        layers.SpatialPyramidPooling2D(())
