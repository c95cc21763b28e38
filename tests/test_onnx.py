"""Models as ONNX files: ONNX Runtime computes what the model computes, and what is loaded does too."""
import contextlib

import numpy as np
import pytest
from saving_models import BUILDERS, OURS, inputs_of, shake

from cnncore import applications, layers, models, onnx, ops

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
rng = np.random.default_rng(23)
L = layers


def run(path, x):
    """What ONNX Runtime makes of inputs, a list of outputs."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    xs = x if isinstance(x, list) else [x]
    return session.run(None, {given.name: one for given, one in zip(session.get_inputs(), xs, strict=True)})


def assert_same(ours, theirs, rtol=1e-5):
    ours = ours if isinstance(ours, list) else [ours]
    for a, b in zip(ours, theirs, strict=True):
        assert np.linalg.norm(np.asarray(a) - b) <= rtol * max(np.linalg.norm(b), 1e-12)


def check(model, path, x):
    shake(model)
    model.export(path)
    wanted = model.predict(x, verbose=0)
    assert_same(wanted, run(path, x))
    again = onnx.load(path)
    theirs = again.predict(x, verbose=0)
    assert_same(theirs, wanted if isinstance(wanted, list) else [wanted])
    return again


IMAGE_LAYERS = [
    L.Conv2D(5, 3), L.Conv2D(6, (3, 2), strides=(2, 1), padding="same", activation="relu"),
    L.Conv2D(6, 3, dilation_rate=2, padding="same", use_bias=False), L.Conv2D(8, 3, groups=2, activation="swish"),
    L.Conv2D(6, 3, padding="same", data_format="channels_first"), L.DepthwiseConv2D(3, strides=2, padding="same"),
    L.DepthwiseConv2D(3, depth_multiplier=2), L.SeparableConv2D(6, 3, padding="same", activation="tanh"),
    L.Conv2DTranspose(3, 3, strides=2, padding="same"), L.Conv2DTranspose(3, 2, strides=3),
    L.Conv2DTranspose(3, 4, strides=2, padding="same"), L.Dense(5, activation="selu"), L.BatchNormalization(),
    L.BatchNormalization(axis=1, scale=False), L.LayerNormalization(), L.MaxPooling2D(), L.MaxPooling2D(3, 2, "same"),
    L.AveragePooling2D(3, 2, "same"), L.AveragePooling2D(2, data_format="channels_first"), L.GlobalAveragePooling2D(),
    L.GlobalMaxPooling2D(keepdims=True), L.Flatten(), L.Flatten(data_format="channels_first"), L.Reshape((-1, 4)),
    L.Permute((3, 1, 2)), L.ZeroPadding2D(((1, 2), (0, 3))), L.Cropping2D(((1, 0), (2, 1))), L.UpSampling2D((2, 3)),
    L.UpSampling2D(2, interpolation="bilinear"), L.ReLU(6.0), L.ReLU(negative_slope=0.1), L.LeakyReLU(0.2), L.ELU(0.7),
    L.PReLU(shared_axes=[1, 2]), L.Softmax(), L.Softmax(axis=[1, 2]), L.ReLU(threshold=0.3, negative_slope=0.2),
    L.ReLU(threshold=0.3, max_value=0.8), L.Conv2DTranspose(3, 3, strides=2, padding="same", output_padding=1),
    L.Conv2DTranspose(3, 4, strides=3, output_padding=(0, 2)), L.LayerNormalization(axis=[1, 3]),
    L.LayerNormalization(rms_scaling=True), L.GroupNormalization(2), L.GroupNormalization(-1, axis=1),
    L.GroupNormalization(3, axis=2, scale=False), L.UnitNormalization(), L.UnitNormalization(axis=[1, 2]),
    L.SpectralNormalization(L.Conv2D(3, 2)), L.Pipeline([L.Rescaling(2.0), L.CenterCrop(3, 4)]),
    L.UpSampling2D((3, 2), interpolation="bicubic"), L.UpSampling2D(2, data_format="channels_first"),
    *(L.Resizing(*size, interpolation=how) for how in ("nearest", "bilinear", "bicubic") for size in ((5, 13), (16, 4))),
    L.Resizing(11, 15, data_format="channels_first"), L.Resizing(3, 5, antialias=True), L.Resizing(11, 5, "lanczos3"),
    L.CenterCrop(5, 4), L.CenterCrop(3, 2, data_format="channels_first"), L.AdaptiveAveragePooling2D((3, 4)),
    L.AdaptiveMaxPooling2D((1, 5), data_format="channels_first"), L.AdaptiveMaxPooling2D((4, 3)),
    L.SpatialPyramidPooling2D((3, 2, 1)), L.ChannelShuffle(2), L.ChannelShuffle(4, data_format="channels_first"),
    L.Rescaling(1 / 127.5, -1), L.Dropout(0.5), L.SpatialDropout2D(0.5),
    L.GaussianNoise(0.1), L.RandomFlip(), *(L.Activation(name) for name in (
        "relu", "sigmoid", "tanh", "softmax", "elu", "selu", "softplus", "softsign", "swish", "gelu", "hard_sigmoid",
        "hard_swish", "exponential", "linear", "leaky_relu", "relu6", "mish", "log_softmax",
        "celu", "hard_tanh", "tanh_shrink", "hard_shrink", "soft_shrink", "log_sigmoid", "squareplus", "sparse_sigmoid",
        "sparse_plus"))]


@pytest.mark.parametrize("layer", IMAGE_LAYERS, ids=lambda layer: f"{type(layer).__name__}-{layer.name}")
def test_a_layer_is_the_same_in_onnx(layer, tmp_path):
    model = models.Sequential([L.Input((8, 9, 4)), L.Activation("linear"), layer])
    check(model, tmp_path / "a.onnx", rng.normal(size=(2, 8, 9, 4)).astype("float32"))


@pytest.mark.parametrize("layer", [L.RandomColorJitter((0, 1), 0.2), L.RandomErasing(), L.CutMix(), L.AugMix(),
                                   L.RandomRotation(0.2)], ids=lambda layer: type(layer).__name__)
def test_what_changes_images_in_training_alone_is_left_out(layer, tmp_path):
    model = models.Sequential([L.Input((8, 9, 3)), layer, L.Conv2D(2, 3)])
    check(model, tmp_path / "a.onnx", rng.normal(size=(2, 8, 9, 3)).astype("float32"))


@pytest.mark.parametrize("layer", [L.Conv1D(5, 3, padding="causal"), L.Conv1D(5, 3, 2, "same"), L.MaxPooling1D(),
                                   L.AveragePooling1D(3, 2, "same"), L.GlobalMaxPooling1D(), L.DepthwiseConv1D(3),
                                   L.SeparableConv1D(4, 3), L.Conv1DTranspose(3, 3, 2), L.ZeroPadding1D(2),
                                   L.Cropping1D(1), L.UpSampling1D(3), L.AdaptiveAveragePooling1D(4),
                                   L.AdaptiveMaxPooling1D(3), L.GroupNormalization(2)],
                         ids=lambda layer: type(layer).__name__)
def test_a_layer_of_sequences_is_the_same_in_onnx(layer, tmp_path):
    model = models.Sequential([L.Input((11, 4)), layer])
    check(model, tmp_path / "a.onnx", rng.normal(size=(2, 11, 4)).astype("float32"))


@pytest.mark.parametrize("merge", [L.Add, L.Subtract, L.Multiply, L.Average, L.Maximum, L.Minimum, L.Concatenate,
                                   lambda: lambda xs: (xs[0] * 2 + 1) / (xs[1] * xs[1] + 0.5)])
def test_merging_is_the_same_in_onnx(merge, tmp_path):
    a, b = L.Input((5, 6, 4)), L.Input((5, 6, 4))
    model = models.Model([a, b], merge()([a, b]))
    check(model, tmp_path / "a.onnx", [rng.normal(size=(2, 5, 6, 4)).astype("float32") for _ in range(2)])


@pytest.mark.parametrize("axes, normalize, shapes", [
    (1, False, [(6,), (6,)]), (-1, True, [(6,), (6,)]), ((2, 1), False, [(5, 4), (4, 3)]), (1, True, [(5, 4), (5, 2)]),
    ((3, 1), False, [(2, 3, 4), (4, 5)]), ((1, 2), False, [(4,), (3, 4, 2)])])
def test_dot_products_are_the_same_in_onnx(axes, normalize, shapes, tmp_path):
    a, b = (L.Input(shape) for shape in shapes)
    model = models.Model([a, b], L.Dot(axes, normalize)([a, b]))
    check(model, tmp_path / "a.onnx", [rng.normal(size=(2, *shape)).astype("float32") for shape in shapes])


@pytest.mark.parametrize("options", [{}, {"approximate": True}, {"approximate": False}])
def test_gelu_is_approximated_in_onnx_where_it_is_here(options, tmp_path):
    x = rng.normal(size=(64, 5)).astype("float32") * 2
    given = L.Input((5,))
    for y in (L.Operation("gelu", options)(given), ops.gelu(given, **options)):
        model = models.Model(given, y)
        check(model, tmp_path / "a.onnx", x)
        np.testing.assert_allclose(run(tmp_path / "a.onnx", x)[0], ops.gelu(x, **options).numpy(), rtol=1e-5, atol=1e-6)


def test_repeating_is_the_same_in_onnx(tmp_path):
    model = models.Sequential([L.Input((5,)), L.RepeatVector(3)])
    check(model, tmp_path / "a.onnx", rng.normal(size=(2, 5)).astype("float32"))


@pytest.mark.parametrize("layer", [L.Resizing(4, 4, crop_to_aspect_ratio=True), L.CenterCrop(20, 20),
                                   L.AutoContrast(), L.RandomCrop(3, 3),
                                   L.Activation("sparsemax")], ids=lambda layer: layer.name)
def test_what_onnx_does_not_hold_is_named(layer, tmp_path):
    model = models.Sequential([L.Input((8, 9, 3)), layer])
    with pytest.raises(ValueError, match=f"ONNX .*Received: .*{layer.name}|the activation 'sparsemax'"
                       f"|{layer.name}.*Received"):
        model.export(tmp_path / "a.onnx")


@pytest.mark.parametrize("build", BUILDERS)
def test_models_of_all_kinds_are_the_same_in_onnx(build, tmp_path):
    model = build(OURS)
    check(model, tmp_path / "a.onnx", inputs_of(model))


@pytest.mark.parametrize("name, size", [("MobileNet", 32), ("MobileNetV2", 32), ("ResNet50", 32), ("SqueezeNet", 64),
                                        ("DenseNet121", 32), ("EfficientNetB0", 32), ("MobileNetV3Small", 32)])
def test_the_classic_networks_are_the_same_in_onnx(name, size, tmp_path):
    model = getattr(applications, name)(weights=None, input_shape=(size, size, 3), classes=7)
    model.export(tmp_path / "a.onnx")
    x = rng.uniform(0, 1, (2, size, size, 3)).astype("float32")
    wanted = run(tmp_path / "a.onnx", x)
    assert_same(model.predict(x, verbose=0), wanted, 2e-5)
    assert_same(onnx.load(tmp_path / "a.onnx").predict(x, verbose=0), wanted, 2e-5)


def test_any_batch_and_any_size_of_image(tmp_path):
    model = models.Sequential([L.Input((None, None, 3)), L.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
                               L.GlobalAveragePooling2D(), L.Dense(3)])
    model.export(tmp_path / "a.onnx")
    for shape in ((1, 7, 9, 3), (3, 16, 5, 3)):
        x = rng.normal(size=shape).astype("float32")
        assert_same(model.predict(x, verbose=0), run(tmp_path / "a.onnx", x))


def in_the_layout_of_torch(tmp_path, opset=17):
    """A small network as torch.onnx writes it: channels first, explicit borders, transposed dense weights."""
    import onnx as package

    h = package.helper

    def array(name, *shape):
        return package.numpy_helper.from_array(rng.uniform(0.1, 0.5, shape).astype("float32"), name)

    weights = [array("w1", 6, 3, 3, 3), array("b1", 6), *(array(n, 6) for n in ("g", "b", "m", "v")),
               array("w2", 6, 1, 3, 3), array("w3", 6, 4, 3, 3), array("w4", 5, 4), array("b4", 5)]
    nodes = [
        h.make_node("Conv", ["x", "w1", "b1"], ["a"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        h.make_node("BatchNormalization", ["a", "g", "b", "m", "v"], ["c"], epsilon=1e-5),
        h.make_node("Relu", ["c"], ["d"]),
        h.make_node("MaxPool", ["d"], ["e"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        h.make_node("Conv", ["e", "w2"], ["f"], kernel_shape=[3, 3], group=6, pads=[1, 1, 1, 1]),
        h.make_node("Add", ["e", "f"], ["g1"]),
        h.make_node("ConvTranspose", ["g1", "w3"], ["h"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1],
                    output_padding=[1, 1]),
        h.make_node("GlobalAveragePool", ["h"], ["i"]), h.make_node("Flatten", ["i"], ["j"], axis=1),
        h.make_node("Gemm", ["j", "w4", "b4"], ["k"], transB=1), h.make_node("Softmax", ["k"], ["y"], axis=-1)]
    graph = h.make_graph(nodes, "main_graph", [h.make_tensor_value_info("x", 1, ["n", 3, 17, 20])],
                         [h.make_tensor_value_info("y", 1, ["n", 5])], weights)
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", opset)], ir_version=8)
    package.save(model, tmp_path / "torch.onnx")
    return tmp_path / "torch.onnx"


def test_a_file_in_the_layout_of_torch_is_loaded_trained_and_saved(tmp_path):
    path = in_the_layout_of_torch(tmp_path)
    x = rng.normal(size=(4, 3, 17, 20)).astype("float32")
    model = onnx.load(path)
    assert_same(model.predict(x, verbose=0), run(path, x))
    model.compile("adam", "sparse_categorical_crossentropy")
    losses = model.fit(x, np.arange(4), epochs=15, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    model.save(tmp_path / "again.keras")
    assert_same(models.load_model(tmp_path / "again.keras").predict(x, verbose=0), [model.predict(x, verbose=0)], 0)


def test_every_flipped_bit_and_every_cut_of_a_file_is_an_error_or_another_number(tmp_path):
    data = bytearray(in_the_layout_of_torch(tmp_path).read_bytes())
    path = tmp_path / "bad.onnx"
    heads = np.r_[0:200, len(data) - 900:len(data)]
    for at in rng.choice(heads, 60):
        damaged = bytearray(data)
        damaged[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with contextlib.suppress(ValueError):
            onnx.load(path)
    for end in (0, 1, 100, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:end])
        with pytest.raises(ValueError, match=r"bad\.onnx.*Received"):
            onnx.load(path)


def test_what_reaches_beyond_the_file_or_is_unknown_is_refused_by_name(tmp_path):
    import onnx as package

    good = package.load(in_the_layout_of_torch(tmp_path))
    away = package.ModelProto()
    away.CopyFrom(good)
    package.external_data_helper.set_external_data(away.graph.initializer[0], "/etc/hostname")
    away.graph.initializer[0].ClearField("raw_data")
    away.graph.initializer[0].data_location = package.TensorProto.EXTERNAL
    strange = package.ModelProto()
    strange.CopyFrom(good)
    strange.graph.node[2].op_type = "NonZero"
    giant = package.ModelProto()
    giant.CopyFrom(good)
    giant.graph.initializer[0].dims[0] = 1 << 40
    for model, reason in [(away, "other file"), (strange, "NonZero"), (giant, "Received")]:
        (tmp_path / "bad.onnx").write_bytes(model.SerializeToString())
        with pytest.raises(ValueError, match=rf"bad\.onnx.*{reason}"):
            onnx.load(tmp_path / "bad.onnx")


class Own(L.Layer):
    def call(self, x):
        return x + 1


def test_what_onnx_cannot_say_is_named_and_nothing_is_written(tmp_path):
    own = models.Sequential([L.Input((4,)), Own(name="mine")])
    for model, path, reason in [(own, "a.onnx", "'mine'"), (own, "a.h5", "'.onnx'"),
                                (models.Sequential([L.Dense(2)]), "a.onnx", "Input"),
                                (models.Sequential([L.Input((4,)), L.Activation("sparsemax")]), "a.onnx", "'sparsemax'")]:
        with pytest.raises(ValueError, match=f"{reason}.*" if reason != "Input" else reason):
            model.export(tmp_path / path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="format='onnx'"):
        own.export(tmp_path / "a", format="tf_saved_model")
