"""Keras on JAX in a process of its own: what a layer, or a model, answers, with its gradients.

Run as a script it reads pickled questions from its standard input and writes pickled answers.
"""
import contextlib
import json
import os
import pickle
import subprocess
import sys
from unittest import mock

import numpy as np

# Keys of Keras for what cnncore has not (docs/keras-compatibility.md), or of newer versions alone; one that cnncore adds.
OTHER_KEYS = {"lora_rank", "lora_alpha", "quantization_config", "renorm", "renorm_clipping", "renorm_momentum",
              "synchronized", "dtype", "input_axes", "output_axes", "build_config"}


# The kernels are small: compiling them well would take longer than running them does.
FLAGS = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
FASTER = f"{FLAGS} --xla_cpu_use_fusion_emitters=false"  # a third of the time, where the version knows the flag


class Server:
    """The process. `ask` sends a question and waits for the answer."""

    def __init__(self):
        if not self._start(FASTER):
            self.close()
            assert self._start(FLAGS), "Keras on JAX does not start"

    def _start(self, flags):
        """Whether a process with these flags for the compiler comes up: it ends where it does not know one."""
        environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
        self.process = subprocess.Popen([sys.executable, os.path.abspath(__file__)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, env=environment)
        try:
            return pickle.load(self.process.stdout) == "ready"
        except EOFError:
            return False

    def ask(self, question):
        pickle.dump(question, self.process.stdin)
        self.process.stdin.flush()
        return pickle.load(self.process.stdout)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def make(library, name, arguments):
    """A layer from its JSON-like arguments; a dict of class_name and config is a layer inside."""
    inner = arguments.get("layer")
    if inner:
        arguments = {**arguments, "layer": getattr(library.layers, inner["class_name"])(**inner["config"])}
    return getattr(library.layers, name)(**arguments)


def plain(value):
    """A configuration as files keep it, less what names modules: tuples are lists."""
    if isinstance(value, dict):
        if "class_name" in value:
            return [value["class_name"], plain(value["config"])]
        return {key: plain(part) for key, part in value.items() if key not in OTHER_KEYS}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, float):
        return float(f"{value:.6g}")  # Keras rounds some to float32
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return value.tolist() if hasattr(value, "tolist") else getattr(value, "name", str(value))


def describe(keras, name, arguments, shapes):
    """A layer built for inputs of these shapes, and what is known of it before it is called."""
    keras.utils.clear_session(free_memory=False)
    layer = make(keras, name, arguments)
    shapes = [tuple(shape) for shape in shapes]
    layer.build(shapes if len(shapes) > 1 else shapes[0])
    described = {"name": layer.name, "config": plain(layer.get_config()),
                 # Keras's paths begin with the layers outside, ours with the layer that owns the weight.
                 "weights": [(w.path.split("/")[-2:], tuple(w.shape), w.trainable) for w in layer.weights],
                 "output_shape": tuple(layer.compute_output_shape(shapes if len(shapes) > 1 else shapes[0]))}
    return layer, described


def fixed_draws(jax):
    """While open, initializers give ones: weights are set, and drawing others would compile a program for each shape."""
    drawn = {key: lambda _, *limits, shape=(), dtype="float32", **rest: np.ones(shape, dtype)
             for key in ("uniform", "normal", "truncated_normal")}
    stack = contextlib.ExitStack()
    stack.enter_context(mock.patch.multiple(jax.random, **drawn))
    stack.enter_context(mock.patch.multiple(jax.numpy, zeros=np.zeros, ones=np.ones))
    return stack


def answer(keras, jax, question):
    """Outputs, losses, gradients of (outputs * dy).sum() + losses and the new states of a layer."""
    name, arguments, inputs, training, weights, dy = question
    with fixed_draws(jax):
        layer, described = describe(keras, name, arguments, [x.shape for x in inputs])
    return described | gradients(keras, jax, layer, inputs, training, weights, dy)


def answer_model(keras, jax, question):
    """The same of a model, given as JSON."""
    config, inputs, weights, dy = question
    config = json.loads(config)
    for layer in config["config"]["layers"]:
        if layer["class_name"] in keras.saving.get_custom_objects():
            layer["registered_name"] = layer["class_name"]
    with fixed_draws(jax):
        keras.utils.clear_session(free_memory=False)
        model = keras.models.model_from_json(json.dumps(config))
    return gradients(keras, jax, model, inputs, True, weights, dy)


def gradients(keras, jax, layer, inputs, training, weights, dy):
    """What a layer answers, and the gradients, all of one compiled call."""
    layer.set_weights(weights)
    trainable, states = layer.trainable_variables, layer.non_trainable_variables
    keywords = {"training": training} if layer._call_has_training_arg else {}

    def run(inputs, *arrays):
        mapping = list(zip([*trainable, *states], [*arrays[0], *arrays[1]]))
        with keras.StatelessScope(mapping, collect_losses=True) as scope:
            y = layer(inputs if len(inputs) > 1 else inputs[0], **keywords)
            losses = [*scope.losses, *(v.regularizer(v) for v in trainable if v.regularizer)]
            after = [scope.get_current_value(v) for v in states]
        return (y * dy).sum() + sum(losses), (y, after, losses)

    both = jax.jit(jax.value_and_grad(run, (0, 1), has_aux=True))
    (_, (y, after, losses)), (dx, dw) = both(list(inputs), *([v.value for v in part] for part in (trainable, states)))
    found = jax.tree.map(np.asarray, {"y": y, "losses": losses, "dx": dx, "dw": dw})
    return found | {"states": [np.asarray(a) for v, a in zip(states, after) if v.dtype == "float32"]}


def add_own_layers(keras):
    """Gives Keras the layers that cnncore has and it has not, as it would compute them."""
    class ChannelShuffle(keras.layers.Layer):
        def __init__(self, groups, data_format=None, **keywords):
            super().__init__(**keywords)
            self.groups = groups

        def call(self, x):
            _, height, width, channels = x.shape
            split = keras.ops.reshape(x, (-1, height, width, self.groups, channels // self.groups))
            return keras.ops.reshape(keras.ops.transpose(split, (0, 1, 2, 4, 3)), (-1, height, width, channels))

    class SpatialPyramidPooling2D(keras.layers.Layer):
        def __init__(self, levels, data_format=None, **keywords):
            super().__init__(**keywords)
            self.levels = levels

        def call(self, x):
            def windows(size, n):
                return [(i * size // n, -(-(i + 1) * size // n)) for i in range(n)]

            return keras.ops.concatenate([keras.ops.max(x[:, top:bottom, left:right], (1, 2)) for n in self.levels
                                          for top, bottom in windows(x.shape[1], n)
                                          for left, right in windows(x.shape[2], n)], 1)

    for cls in (ChannelShuffle, SpatialPyramidPooling2D):
        keras.saving.get_custom_objects()[cls.__name__] = cls


if __name__ == "__main__":
    import jax
    import keras

    add_own_layers(keras)
    # What a library prints must not come among the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    jax.devices()
    pickle.dump("ready", answers)
    answers.flush()
    while True:
        try:
            question = pickle.load(sys.stdin.buffer)
        except EOFError:
            break
        try:
            found = (answer if len(question) == 6 else answer_model)(keras, jax, question)
        except Exception as error:  # the test shows it
            found = {"error": f"{type(error).__name__}: {error}"}
        pickle.dump(found, answers)
        answers.flush()
