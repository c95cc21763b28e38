"""ONNX files as PyTorch and others write them: each graph computes what ONNX Runtime computes, and is saved again."""
import numpy as np
import pytest

from cnncore import config, models, onnx
from cnncore.onnx import reading

package = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
rng = np.random.default_rng(29)
node = package.helper.make_node


def real(*shape):
    return rng.normal(size=shape).astype("float32")


def positive(*shape):
    return rng.uniform(0.2, 1, shape).astype("float32")


def whole(*numbers):
    return np.array(numbers, "int64")


def run(path, x):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def write(path, nodes, arrays, shape, rank, opset=17):
    """A file whose graph leads 'x' of any batch to 'y'; names stand for lengths that it leaves open."""
    h = package.helper
    graph = h.make_graph(nodes, "main_graph", [h.make_tensor_value_info("x", 1, ["batch", *shape])],
                         [h.make_tensor_value_info("y", 1, [f"d{i}" for i in range(rank)])],
                         [package.numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()])
    package.save(h.make_model(graph, opset_imports=[h.make_opsetid("", opset)], ir_version=8), path)


IMAGE = (3, 12, 11)
CASES = {  # nodes, constants, and more of what `check` takes
    **{f"Conv {auto} by {stride}": ([node("Conv", ["x", "w", "b"], ["c"], auto_pad=auto, strides=[stride, stride]),
                                     node("Relu", ["c"], ["y"])], {"w": real(5, 3, 4, 3), "b": real(5)})
       for auto in ("SAME_UPPER", "SAME_LOWER", "VALID") for stride in (1, 2)},
    "Conv with uneven pads": ([node("Conv", ["x", "w"], ["y"], pads=[1, 0, 2, 1], strides=[2, 1])],
                              {"w": real(5, 3, 3, 3)}),
    "Conv of float16": ([node("Cast", ["h"], ["w"], to=1), node("Conv", ["x", "w"], ["y"])],
                        {"h": real(4, 3, 3, 3).astype("float16")}),
    "Clip behind BatchNormalization": (
        [node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]), node("BatchNormalization", ["c", "g", "b", "m", "v"], ["n"]),
         node("Clip", ["n", "low", "high"], ["y"])],
        {"w": real(4, 3, 3, 3), "g": real(4), "b": real(4), "m": real(4), "v": positive(4), "low": np.float32(-0.3),
         "high": np.float32(0.6)}),
    "Clip above alone": ([node("Clip", ["x", "", "high"], ["y"])], {"high": np.float32(0.5)}),
    "Clip of 2017": ([node("Clip", ["x"], ["y"], min=0.0, max=6.0)], {}, {"opset": 9}),
    **{f"Pad {mode}": ([node("Pad", ["x", "p"], ["y"], mode=mode)], {"p": whole(0, 0, 1, 2, 0, 0, 2, 1)})
       for mode in ("constant", "reflect", "edge")},
    "Pad with a number": ([node("Pad", ["x", "p", "fill"], ["y"])], {"p": whole(0, 1, 1, 2, 0, 0, 2, 1),
                                                                     "fill": np.float32(-2.5)}),
    "Pad of axes": ([node("Pad", ["x", "p", "", "axes"], ["y"])], {"p": whole(1, 2, 2, 1), "axes": whole(2, 3)},
                    {"opset": 18}),
    "Pad that cuts off": ([node("Pad", ["x", "p"], ["y"])], {"p": whole(0, 0, -1, 2, 0, 0, -2, 0)}),
    **{f"{kind} {how}": ([node(kind, ["x"], ["y"], kernel_shape=[3, 3], strides=[2, 2], **options)], {})
       for kind in ("MaxPool", "AveragePool") for how, options in {
           "of whole windows": {}, "with ceil_mode": {"ceil_mode": 1}, "with pads": {"pads": [1, 1, 1, 1]},
           "with pads and ceil_mode": {"pads": [1, 0, 1, 1], "ceil_mode": 1},
           "of the same size": {"auto_pad": "SAME_UPPER"}, "of the same size, before": {"auto_pad": "SAME_LOWER"}}.items()},
    **{f"AveragePool that counts, {how}": (
        [node("AveragePool", ["x"], ["y"], kernel_shape=[3, 3], strides=[2, 2], count_include_pad=1, **options)], {})
       for how, options in {"with pads": {"pads": [1, 1, 1, 1]}, "of the same size": {"auto_pad": "SAME_UPPER"}}.items()},
    "MaxPool with ceil_mode whose last window would begin behind the image": (
        [node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1)], {}),
    "MaxPool of sequences": ([node("MaxPool", ["x"], ["y"], kernel_shape=[2], strides=[2], ceil_mode=1)], {},
                             {"shape": (3, 15)}),
    "a classifier": ([node("GlobalAveragePool", ["x"], ["g"]), node("Flatten", ["g"], ["f"]),
                      node("Gemm", ["f", "w", "b"], ["s"], transB=1, alpha=0.5), node("Softmax", ["s"], ["y"])],
                     {"w": real(5, 3), "b": real(5)}),
    "view(x.size(0), -1)": (
        [node("Shape", ["x"], ["s"]), node("Gather", ["s", "zero"], ["n"]), node("Unsqueeze", ["n", "axes"], ["u"]),
         node("Concat", ["u", "rest"], ["to"], axis=0), node("Reshape", ["x", "to"], ["f"]),
         node("Gemm", ["f", "w"], ["y"], transB=1)],
        {"zero": np.array(0), "axes": whole(0), "rest": whole(-1), "w": real(4, 396)}),
    "channel shuffle by lengths": (
        [node("Shape", ["x"], ["s"]), node("Gather", ["s", "one"], ["c"]), node("Div", ["c", "groups"], ["d"]),
         node("Unsqueeze", ["d", "axes"], ["u"]), node("Concat", ["head", "u", "tail"], ["to"], axis=0),
         node("Reshape", ["x", "to"], ["a"]), node("Transpose", ["a"], ["b"], perm=[0, 2, 1, 3, 4]),
         node("Reshape", ["b", "back"], ["y"])],
        {"one": np.array(1), "groups": np.array(2), "axes": whole(0), "head": whole(-1, 2), "tail": whole(5, 4),
         "back": whole(0, 6, 5, 4)}, {"shape": (6, 5, 4)}),
    "Split in given parts": ([node("Split", ["x", "parts"], ["a", "b"], axis=1), node("Relu", ["a"], ["c"]),
                              node("Concat", ["b", "c", "x"], ["y"], axis=1)], {"parts": whole(2, 1)}),
    "Split in equal parts": ([node("Split", ["x"], ["a", "b"], axis=-2), node("Sub", ["a", "b"], ["y"])], {}),
    "Gather of channels": ([node("Gather", ["x", "at"], ["y"], axis=1)], {"at": whole(2, 0, 0)}),
    "Gather of one row": ([node("Gather", ["x", "at"], ["y"], axis=2)], {"at": np.array(3)}),
    "Slice with steps": ([node("Slice", ["x", "from", "to", "axes", "by"], ["y"])],
                         {"from": whole(1, -1), "to": whole(2 ** 63 - 1, -2 ** 63), "axes": whole(2, 3),
                          "by": whole(2, -1)}),
    "Unsqueeze and Squeeze": ([node("Unsqueeze", ["x", "one"], ["a"]), node("Mul", ["a", "w"], ["b"]),
                               node("Squeeze", ["b", "one"], ["y"])], {"one": whole(-3), "w": real(1, 12, 11)}),
    "LRN": ([node("LRN", ["x"], ["y"], size=3, alpha=0.3, beta=0.6, bias=2.0)], {}, {"shape": (6, 5, 4)}),
    "InstanceNormalization": ([node("InstanceNormalization", ["x", "g", "b"], ["y"])], {"g": real(3), "b": real(3)}),
    "squeeze and excite": ([node("ReduceMean", ["x"], ["m"], axes=[2, 3], keepdims=1), node("Conv", ["m", "w"], ["c"]),
                            node("HardSigmoid", ["c"], ["s"], alpha=1 / 6), node("Mul", ["x", "s"], ["y"])],
                           {"w": real(3, 3, 1, 1)}),
    "GELU in parts": ([node("Div", ["x", "root"], ["a"]), node("Erf", ["a"], ["b"]), node("Add", ["b", "one"], ["c"]),
                       node("Mul", ["x", "c"], ["y"])], {"root": np.float32(2 ** 0.5), "one": np.float32(1)}),
    "Gelu": ([node("Gelu", ["x"], ["y"])], {}, {"opset": 20}),
    "pixel shuffle": ([node("DepthToSpace", ["x"], ["y"], blocksize=2, mode="CRD")], {}, {"shape": (8, 3, 4)}),
    "DepthToSpace": ([node("DepthToSpace", ["x"], ["y"], blocksize=2)], {}, {"shape": (8, 3, 4)}),
    "SpaceToDepth": ([node("SpaceToDepth", ["x"], ["y"], blocksize=2)], {}, {"shape": (3, 6, 4)}),
    **{f"Resize {mode} {places} by {scales}": (
        [node("Resize", ["x", "", "by"], ["y"], mode=mode, coordinate_transformation_mode=places, **more)],
        {"by": np.array([1, 1, *scales], "float32")})
       for mode, places, more, scales in (
           ("nearest", "asymmetric", {"nearest_mode": "floor"}, (2, 3)),
           ("nearest", "asymmetric", {"nearest_mode": "floor"}, (1.5, 0.5)), ("nearest", "half_pixel", {}, (2, 1)),
           ("linear", "half_pixel", {}, (2, 2)), ("linear", "pytorch_half_pixel", {}, (2, 2)),
           ("linear", "pytorch_half_pixel", {}, (1.3, 0.6)), ("linear", "align_corners", {}, (2, 1.5)),
           ("linear", "asymmetric", {}, (2, 0.5)))},
    "Resize of the last axes": ([node("Resize", ["x", "", "by"], ["y"], axes=[-1, -2])],
                                {"by": np.array([3, 2], "float32")}, {"opset": 18}),
    "Resize to a size behind lengths": (
        [node("Shape", ["x"], ["s"]), node("Slice", ["s", "zero", "two", "zero"], ["head"]),
         node("Concat", ["head", "tail"], ["to"], axis=0), node("Resize", ["x", "", "", "to"], ["y"])],
        {"zero": whole(0), "two": whole(2), "tail": whole(7, 20)}),
    "Gather of a constant's last axis": ([node("Gather", ["c", "at"], ["d"], axis=-1), node("Add", ["x", "d"], ["y"])],
                                         {"c": real(3, 300, 300), "at": np.array(5)}, {"shape": (3, 300)}),
    "a kernel that nodes make of constants": (
        [node("Mul", ["w", "w"], ["a"]), node("Sqrt", ["a"], ["b"]), node("Max", ["b", "low"], ["c"]),
         node("MatMul", ["x", "c"], ["y"])], {"w": real(11, 5), "low": np.float32(0.5)}),
    "Resize to a size": ([node("Resize", ["x", "", "", "to"], ["y"], mode="linear",
                               coordinate_transformation_mode="pytorch_half_pixel")], {"to": whole(2, 3, 7, 20)},
                         {"batch": 2}),
}


@pytest.fixture
def plain_kernels():
    """Winograd's rounding is not what a graph's meaning is told by: a Clip hides how large its input was."""
    config.set_strict(True)
    yield
    config.set_strict(False)


@pytest.mark.parametrize("case", CASES)
def test_a_graph_computes_what_onnx_runtime_computes(case, tmp_path, plain_kernels):
    nodes, arrays, *more = CASES[case]
    options = {"shape": IMAGE, "opset": 17, "batch": 3, **(more[0] if more else {})}
    x = real(options["batch"], *options["shape"])
    path = tmp_path / "a.onnx"
    for rank in (4, 2, 3):  # the checker wants to know the rank of what comes out
        write(path, nodes, arrays, options["shape"], rank, options["opset"])
        try:
            wanted = run(path, x)
        except onnxruntime.capi.onnxruntime_pybind11_state.Fail:
            continue
        if wanted.ndim == rank:
            break
    model = onnx.load(path)
    made = model.predict(x, verbose=0)
    assert made.shape == wanted.shape
    np.testing.assert_allclose(made, wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())
    assert model.output_shape[1:] == wanted.shape[1:]
    model.save(tmp_path / "a.keras")
    assert np.array_equal(models.load_model(tmp_path / "a.keras").predict(x, verbose=0), made)
    model.export(tmp_path / "b.onnx")
    np.testing.assert_allclose(run(tmp_path / "b.onnx", x), made, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("case", [
    ([node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], dilations=[2, 2])], {}, "without dilations"),
    ([node("Pad", ["x", "p"], ["y"])], {"p": whole(1, 0, 0, 0, 0, 0, 0, 0)}, "of single images"),
    ([node("Resize", ["x", "", "by"], ["y"], mode="cubic")], {"by": np.array([1, 1, 2, 2], "float32")}, "'cubic'"),
    ([node("Resize", ["x", "", "by"], ["y"])], {"by": np.array([1, 2, 2, 2], "float32")}, "keeps the channels"),
    ([node("Cast", ["x"], ["i"], to=7), node("Cast", ["i"], ["y"], to=1)], {}, "floating-point"),
    ([node("Split", ["x", "parts"], ["y", "z"], axis=3)], {"parts": whole(1, 2)}, "parts of Split"),
    ([node("Gather", ["x", "at"], ["y"])], {"at": whole(0)}, "keeps the batch"),
    ([node("Unsqueeze", ["x", "at"], ["y"])], {"at": whole(77)}, "index out of range"),
    ([node("AveragePool", ["x"], ["y"], kernel_shape=[3, 3], strides=[0, 1], pads=[1, 1, 1, 1])], {}, "by zero"),
    ([node("Resize", ["x", "", "by"], ["y"])], {"by": np.array([2, 1, 2, 2], "float32")}, "a scale of 2.0 for axis 0"),
    ([node("Reshape", ["x", "to"], ["y"])], {"to": whole(-2, 3, 4)}, "keeps the batch"),
    ([node("Conv", ["a", "w"], ["b"]), node("Add", ["x", "b"], ["y"])], {"a": real(1, 3, 12, 11), "w": real(3, 3, 1, 1)},
     "constants alone"),
    # what would fill the memory
    ([node("Pad", ["x", "p"], ["y"], mode="edge")], {"p": whole(0, 0, 1 << 30, 0, 0, 0, 0, 0)}, "at most"),
    ([node("Resize", ["x", "", "", "to"], ["y"])], {"to": whole(1, 3, 1 << 30, 4)}, "at most"),
    ([node("Add", ["a", "b"], ["c"]), node("Add", ["x", "c"], ["y"])], {"a": real(1 << 15, 1), "b": real(1, 1 << 15)},
     "at most"),
    ([node("Tile", ["a", "by"], ["b"]), node("Add", ["x", "b"], ["y"])], {"a": real(1, 1), "by": whole(1 << 15, 1 << 15)},
     "at most"),
    *(([node(kind, ["a", "b"], ["c"]), node("Add", ["x", "c"], ["y"])], {"a": real(1 << 15, 1), "b": real(1, 1 << 15)},
       "at most") for kind in ("Max", "Min", "Sum", "Equal", "MatMul")),
    ([node("Greater", ["a", "b"], ["c"]), node("Where", ["c", "x", "x"], ["y"])],
     {"a": real(1 << 15, 1), "b": real(1, 1 << 15)}, "at most"),
    ([node("Greater", ["a", "a"], ["c"]), node("Where", ["c", "a", "b"], ["d"]), node("Add", ["x", "d"], ["y"])],
     {"a": real(1 << 15, 1), "b": real(1, 1 << 15)}, "Where.*at most"),
    ([node("Pad", ["a", "p"], ["b"]), node("Add", ["x", "b"], ["y"])],
     {"a": real(1, 1, 1, 1), "p": whole(0, 0, 1 << 15, 0, 0, 0, 0, 1 << 15)}, "at most"),
    ([*(node("Concat", [f"a{i}"] * 32, [f"a{i + 1}"], axis=0) for i in range(3)), node("Add", ["x", "a3"], ["y"])],
     {"a0": real(1 << 10)}, "at most"),
    ([*(node("Neg", [f"a{i}"], [f"a{i + 1}"]) for i in range(90)), node("Add", ["x", "a90"], ["y"])],
     {"a0": real(1 << 18, 1, 1, 1)}, "at most"),
    ([node("LRN", ["x"], ["y"], size=3)], {}, "at most", (1 << 15, 4, 4)),
    ([node("BatchNormalization", ["x", "g", "g", "g", "g"], ["y"])], {"g": real(3)}, "values for", (1 << 28, 4, 4))])
def test_what_is_not_read_is_named(case, tmp_path):
    nodes, arrays, words, *shape = case
    write(tmp_path / "a.onnx", nodes, arrays, *(shape or [IMAGE]), 4)
    with pytest.raises(ValueError, match=f"a\\.onnx.*{words}"):
        onnx.load(tmp_path / "a.onnx")


def test_proportions_that_resizing_keeps_are_not_read(tmp_path):
    write(tmp_path / "a.onnx", [node("Resize", ["x", "", "", "to"], ["y"], axes=[2, 3],
                                     keep_aspect_ratio_policy="not_larger")], {"to": whole(7, 20)}, IMAGE, 4, 18)
    with pytest.raises(ValueError, match=r"a\.onnx.*'not_larger'"):
        onnx.load(tmp_path / "a.onnx")


def length_of(axis, name):
    """Nodes that make a list of one length of x: x.size(axis) behind torch's exporter."""
    return [node("Constant", [], [f"{name}_at"], value_int=axis), node("Shape", ["x"], [f"{name}_shape"]),
            node("Gather", [f"{name}_shape", f"{name}_at"], [f"{name}_one"]),
            node("Cast", [f"{name}_one"], [f"{name}_cast"], to=7), node("Constant", [], [f"{name}_zero"], value_ints=[0]),
            node("Unsqueeze", [f"{name}_cast", f"{name}_zero"], [name])]


BATCH, HEIGHT = length_of(0, "b"), length_of(2, "h")
OPEN = (3, "height", 11)


@pytest.mark.parametrize("nodes, arrays, rank", [
    ([*BATCH, node("Concat", ["b", "rest"], ["to"], axis=0)], {"rest": whole(3, -1)}, 3),
    ([*BATCH, *HEIGHT, node("Concat", ["b", "rest", "h"], ["to"], axis=0)], {"rest": whole(33)}, 3),
    ([*HEIGHT, node("Concat", ["rest", "h"], ["to"], axis=0)], {"rest": whole(0, 33)}, 3),
    ([*BATCH, node("Constant", [], ["zero"], value_ints=[0]), node("Squeeze", ["b", "zero"], ["c"]),
      node("Reshape", ["c", "one"], ["d"]), node("Identity", ["d"], ["e"]), node("Concat", ["e", "rest"], ["to"], axis=0)],
     {"one": whole(1), "rest": whole(-1, 11)}, 3)])
def test_lengths_that_are_open_are_passed_on_to_a_reshape(nodes, arrays, rank, tmp_path):
    path = tmp_path / "a.onnx"
    write(path, [*nodes, node("Reshape", ["x", "to"], ["y"])], arrays, OPEN, rank)
    model = onnx.load(path)
    for height in (12, 5):
        x = real(2, 3, height, 11)
        np.testing.assert_array_equal(model.predict(x, verbose=0), run(path, x))


@pytest.mark.parametrize("nodes, arrays, words", [
    # x[:, :, :x.size(2) // 2]
    ([*HEIGHT, node("Div", ["h", "two"], ["half"]), node("Slice", ["x", "zero", "half", "two"], ["y"])],
     {"two": whole(2), "zero": whole(0)}, "Div is read where .* axis 2"),
    ([*HEIGHT, node("Slice", ["x", "zero", "h", "three"], ["y"])], {"zero": whole(0), "three": whole(3)},
     "Slice is read where .* axis 2"),
    # x.view(b * 3, -1, h, w)
    ([*BATCH, node("Mul", ["b", "three"], ["many"]), node("Concat", ["many", "rest"], ["to"], axis=0),
      node("Reshape", ["x", "to"], ["y"])], {"three": whole(3), "rest": whole(-1, 12, 11)},
     "Mul is read where .* the batch"),
    ([*BATCH, node("Cast", ["b"], ["many"], to=1), node("Mul", ["x", "many"], ["y"])], {},
     "Cast is read where .* the batch"),
    # x.view(-1, h), x.view(h, -1), x.view(1, b, -1), x.view(b, h, -1)
    ([*HEIGHT, node("Concat", ["rest", "h"], ["to"], axis=0), node("Reshape", ["x", "to"], ["y"])], {"rest": whole(-1)},
     "Reshape is read where it keeps the batch"),
    ([*HEIGHT, node("Concat", ["h", "rest"], ["to"], axis=0), node("Reshape", ["x", "to"], ["y"])], {"rest": whole(-1)},
     "Reshape is read where it keeps the batch"),
    ([*BATCH, node("Concat", ["one", "b", "rest"], ["to"], axis=0), node("Reshape", ["x", "to"], ["y"])],
     {"one": whole(1), "rest": whole(-1)}, "Reshape is read where it keeps the batch"),
    ([*BATCH, *HEIGHT, node("Concat", ["b", "h", "rest"], ["to"], axis=0), node("Reshape", ["x", "to"], ["y"])],
     {"rest": whole(-1)}, "at most one length"),
    ([*HEIGHT, node("Reshape", ["a", "h"], ["c"]), node("Add", ["x", "c"], ["y"])], {"a": real(11)},
     "Constants are reshaped"),
    ([*HEIGHT, node("Concat", ["head", "h", "tail"], ["to"], axis=0), node("Resize", ["x", "", "", "to"], ["y"])],
     {"head": whole(2, 3), "tail": whole(11)}, "known")])
def test_nothing_is_computed_of_lengths_that_are_open(nodes, arrays, words, tmp_path):
    write(tmp_path / "a.onnx", nodes, arrays, OPEN, 4)
    with pytest.raises(ValueError, match=f"a\\.onnx.*{words}"):
        onnx.load(tmp_path / "a.onnx")


@pytest.mark.parametrize("kind", ["float16", "float32"])
def test_nodes_may_share_weights(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_MORE_BYTES", 0)
    names = [f"x{i}" for i in range(12)]
    write(tmp_path / "a.onnx", [node("Cast", ["h"], ["w"], to=1), node("MatMul", ["x", "w"], ["x0"]),
                                *(node("MatMul", [a, "w"], [b]) for a, b in zip(names, [*names[1:], "y"]))],
          {"h": (real(50, 50) / 7).astype(kind)}, (50,), 2)
    x = real(2, 50)
    np.testing.assert_allclose(onnx.load(tmp_path / "a.onnx").predict(x, verbose=0), run(tmp_path / "a.onnx", x), rtol=1e-3,
                               atol=1e-5)


def test_names_that_are_no_text_are_read_as_well_as_they_can_be(tmp_path):
    path = tmp_path / "a.onnx"
    write(path, [node("Relu", ["x"], ["y"])], {}, IMAGE, 4)
    path.write_bytes(path.read_bytes().replace(b"main_graph", b"main\xffgraph"))
    assert onnx.load(path).name.startswith("main")
