"""What a notebook shows of a model and its training: in a real kernel where there is one, else by what rich is told."""
import base64
import builtins
import os
import shutil
import sys
import types

import pytest

import cnncore
from cnncore import layers

CELLS = [
    """
import numpy as np
import cnncore as keras
from cnncore import layers
model = keras.Sequential([layers.Input((8, 8, 1)), layers.Conv2D(4, 3, activation="relu"), layers.Flatten(),
                          layers.Dense(3, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.summary()
""",
    "history = model.fit(np.ones((40, 8, 8, 1)), np.zeros(40), epochs=2, validation_split=0.2)",
    "history.plot()",
    "keras.utils.plot_model(model, 'model.png')",
    "model.fit(np.ones((4, 8, 8, 1)), np.zeros(3))",
]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """What each of CELLS put out, in a kernel of this interpreter."""
    nbclient = pytest.importorskip("nbclient")
    kernelspec = pytest.importorskip("jupyter_client.kernelspec")
    pytest.importorskip("ipykernel")
    pytest.importorskip("matplotlib")
    from jupyter_client.manager import AsyncKernelManager
    from nbformat.v4 import new_code_cell, new_notebook

    manager = AsyncKernelManager()
    manager._kernel_spec = kernelspec.KernelSpec(  # whatever kernels are installed for the user
        argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"], language="python")
    notebook = new_notebook(cells=[new_code_cell(source) for source in CELLS])
    root = os.path.dirname(os.path.dirname(os.path.abspath(cnncore.__file__)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]))
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        nbclient.NotebookClient(notebook, km=manager, timeout=60, allow_errors=True,
                                resources={"metadata": {"path": str(tmp_path_factory.mktemp("work"))}}).execute()
    return [cell.outputs for cell in notebook.cells]


def streamed(parts):
    return "".join(part.text for part in parts if part.output_type == "stream" and part.name == "stdout")


def test_the_summary_is_one_table_with_colours(outputs):
    shown = [part for part in outputs[0] if part.output_type == "display_data"]
    assert len(shown) == 1 and not streamed(outputs[0])
    html = shown[0].data["text/html"]
    assert all(word in html for word in ("<pre", "Conv2D", "Total params", "color: #")) and "\x1b" not in html


def test_progress_is_written_over_in_place(outputs):
    text = streamed(outputs[1])
    lines = text.split("\n")
    assert [line for line in lines if line.startswith("Epoch")] == ["Epoch 1/2", "Epoch 2/2"]
    bars = [line for line in lines if "loss" in line]
    assert len(bars) == 2 and all(bar.startswith("\r") and "val_accuracy" in bar for bar in bars)
    assert all("\x1b[32m━" in bar for bar in bars)


def test_curves_are_shown_as_a_picture_and_errors_are_short(outputs):
    assert [part.output_type for part in outputs[2]] == ["execute_result"] and "image/png" in outputs[2][0].data
    error = outputs[4][-1]
    assert error.ename == "ValueError" and "x with 4, y with 3" in error.evalue


def test_a_drawn_model_is_not_larger_than_its_text(outputs):
    if not shutil.which("dot"):
        pytest.skip("there is no Graphviz here")
    pytest.importorskip("pydot")
    (shown,) = outputs[3]
    width = int.from_bytes(base64.b64decode(shown.data["image/png"])[16:20], "big")
    assert shown.metadata["image/png"]["width"] == width // 2  # it is drawn with 200 dots per inch


def test_a_notebook_gets_the_summary_as_html_in_one_piece(monkeypatch):
    class ZMQInteractiveShell:  # by this name rich knows a notebook
        pass

    shown = []
    display = types.ModuleType("IPython.display")
    display.display = shown.append
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setattr(builtins, "get_ipython", ZMQInteractiveShell, raising=False)
    model = cnncore.Sequential([layers.Input((4,)), layers.Dense(3, name="only")])
    model.summary()
    assert len(shown) == 1
    html = shown[0]._repr_mimebundle_(include=["text/html"], exclude=[])["text/html"]
    assert "only" in html and "Total params" in html
