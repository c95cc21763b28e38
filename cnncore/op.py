"""What an operation is, and the tape: `apply` runs one and remembers it, `gradient` walks back."""
from itertools import count
from typing import NamedTuple

from cnncore import executor

_serial = count(1)


class Spec(NamedTuple):
    """The shape and dtype of an array that does not exist yet."""

    shape: tuple
    dtype: str = "float32"


class Grad(NamedTuple):
    """Where an op's backward puts one input's gradient."""

    buffer: object  # a float32 Buffer of the input's shape
    accumulate: bool  # add to what is there, instead of overwriting
    behind_relu: bool = False  # the input is a ReLU's output: write 0 where it is not above 0 (ops with masks_relu)


class Op:
    """One operation, defined once: its shape rule, its forward and its backward.

    An instance holds the operation's attributes (strides, axis, ...). Neither forward nor backward computes: both
    return lists of bound kernel calls. `empty(shape, dtype)` gives them working memory.
    """

    visible = 1  # how many of the outputs the caller sees; the rest is kept for backward only
    relu = False  # whether the (one) output went through a fused ReLU, whose backward takes `masked`
    masks_relu = False  # whether backward honours Grad.behind_relu, which spares the op before it a pass over memory

    @property
    def name(self):
        return type(self).__name__

    def outputs(self, *inputs, keep):
        """The Specs of the outputs for these inputs (anything with .shape and .dtype, or None); raises ValueError or
        TypeError where the inputs do not fit: the only check of shapes. Specs after the first `visible` ones are
        wanted only where `keep` says that a backward pass may follow."""
        raise NotImplementedError

    def forward(self, empty, inputs, outputs):
        """The calls that fill the outputs (Buffers, as many as `outputs` gave)."""
        raise NotImplementedError

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs):
        """The calls that fill the gradients of the inputs.

        d_outputs: Buffers of the visible outputs' gradients, None for one that nothing depended on. They may be
        overwritten only by calls of this very list.
        d_inputs: a Grad, or None where no gradient is wanted, for each input.
        An op whose `relu` is true also takes `masked`: whether d_outputs are 0 already where the output is not above 0.
        """
        raise NotImplementedError(f"{self.name} has no gradient")


class ViewOp(Op):
    """An operation whose output is its input's memory under another shape: nothing runs."""

    def view(self, x):
        raise NotImplementedError


class Node:
    """One applied operation on the tape."""

    __slots__ = ("op", "inputs", "buffers", "outputs", "keys", "serial")

    def __init__(self, op, inputs, buffers, outputs):
        self.op, self.inputs, self.buffers, self.outputs = op, inputs, buffers, outputs
        self.serial = next(_serial)
        self.keys = [(self.serial, i) for i in range(op.visible)]


def apply(op, *inputs):
    """Runs an operation on Tensors (None for an absent optional input); returns its visible outputs as Tensors."""
    from cnncore.tensor import Tensor

    run = executor.current()
    buffers = [None if t is None else t.buffer for t in inputs]
    keep = executor.grad_enabled() and any(t is not None and t.requires_grad for t in inputs)
    if isinstance(op, ViewOp):
        outputs = [op.view(*buffers)]
    else:
        specs = op.outputs(*buffers, keep=keep)
        outputs = [run.empty(spec.shape, spec.dtype) for spec in specs]
        run.emit(op.forward(run.empty, buffers, outputs))
    node = Node(op, inputs, buffers, outputs) if keep else None
    tensors = [Tensor._over(outputs[i], node, i) for i in range(op.visible)]
    return tensors[0] if op.visible == 1 else tuple(tensors)


def _reaching(targets, sources):
    """The nodes between targets and sources, latest first, and the keys of all tensors on the way."""
    wanted = {t.key for t in sources}
    nodes, stack, seen = [], [t.node for t in targets if t.node is not None], set()
    while stack:
        node = stack.pop()
        if node.serial in seen:
            continue
        seen.add(node.serial)
        nodes.append(node)
        stack.extend(t.node for t in node.inputs if t is not None and t.node is not None)
    nodes.sort(key=lambda node: node.serial)
    path = []
    for node in nodes:
        if any(t is not None and t.key in wanted for t in node.inputs):
            wanted.update(node.keys)
            path.append(node)
    return path[::-1], wanted


def gradient(targets, sources, seeds):
    """The gradients of sum(target * seed) with respect to each source: Buffers, None where nothing depends on it.

    Args:
        targets: list of float32 Tensors.
        sources: list of Tensors.
        seeds: list of Buffers, one of each target's shape.
    """
    path, wanted = _reaching(targets, sources)
    grads = _Gradients({t.key for t in sources}, wanted)
    for target, seed in zip(targets, seeds):
        if target.key in wanted:
            grads.add(target.key, seed)
    for node in path:
        d_outputs = [grads.buffers.get(key) for key in node.keys]
        if all(d is None for d in d_outputs):
            continue
        if isinstance(node.op, ViewOp):
            source = node.inputs[0]
            grads.add(source.key, d_outputs[0].view(source.shape), masked=node.keys[0] not in grads.unmasked)
        else:
            grads.through(node, d_outputs)
        for key in node.keys:
            grads.forget(key)
    return [grads.buffers.get(t.key) for t in sources]


def _behind_relu(tensor):
    """Whether a tensor is the output of a fused ReLU, as it is or viewed."""
    node = tensor.node
    while node is not None and isinstance(node.op, ViewOp):
        node = node.inputs[0].node
    return node is not None and node.op.relu


class _Gradients:
    """The gradients known so far, by the key of their tensor."""

    def __init__(self, kept, wanted):
        self.kept, self.wanted = kept, wanted
        self.buffers = {}
        self.shared = set()  # keys whose buffer another key or the caller also holds
        self.unmasked = set()  # keys of which some part may differ from 0 where a ReLU's output does not
        self.run = executor.current()

    def add(self, key, buffer, masked=False):
        """Adds a finished buffer to a tensor's gradient."""
        from cnncore.ops.elementwise import accumulate_calls

        if not masked:
            self.unmasked.add(key)
        if key not in self.buffers:
            self.buffers[key] = buffer
            self.shared.add(key)
        else:
            self.own(key)
            self.run.emit(accumulate_calls(buffer, self.buffers[key]))

    def own(self, key):
        """Makes a gradient's buffer its own, so that it may be added to."""
        from cnncore.ops.elementwise import copy_calls

        if key in self.shared:
            fresh = self.run.empty(self.buffers[key].shape)
            self.run.emit(copy_calls(self.buffers[key], fresh))
            self.buffers[key] = fresh
            self.shared.discard(key)

    def forget(self, key):
        if key not in self.kept:
            self.buffers.pop(key, None)
            self.shared.discard(key)

    def through(self, node, d_outputs):
        """Runs one node's backward."""
        d_inputs, twice, here = [], [], set()
        for t in node.inputs:
            if t is None or t.key not in self.wanted or t.dtype != "float32":
                d_inputs.append(None)
                continue
            behind = node.op.masks_relu and t.key not in self.kept and _behind_relu(t)
            if not behind:
                self.unmasked.add(t.key)
            if t.key in here:  # an input that stands twice gets a second buffer, added after
                buffer = self.run.empty(t.shape)
                twice.append((t.key, buffer, behind))
                d_inputs.append(Grad(buffer, False, behind))
                continue
            accumulate = t.key in self.buffers
            if accumulate:
                self.own(t.key)
            else:
                self.buffers[t.key] = self.run.empty(t.shape)
            d_inputs.append(Grad(self.buffers[t.key], accumulate, behind))
            here.add(t.key)
        options = {"masked": node.keys[0] not in self.unmasked} if node.op.relu else {}
        self.run.emit(node.op.backward(self.run.empty, node.buffers, node.outputs, d_outputs, d_inputs, **options))
        for key, buffer, behind in twice:
            self.add(key, buffer, masked=behind)
