"""Depthwise and grouped convolution: ReLUs fused and behind, NaN, depth first, any number of threads."""
import numpy as np
import pytest
from layer_checks import THREADS, Run, normal, same_bits

from cnncore import _core, plan
from cnncore.op import gradient
from cnncore.ops.activations import relu
from cnncore.ops.conv2d import Conv2D, conv2d
from cnncore.ops.depthwise_conv2d import DepthwiseConv2D, depthwise_conv2d
from cnncore.ops.grouped_conv2d import GroupedConv2D
from cnncore.tensor import Tensor, Variable

MAKE = {
    "depthwise": (lambda activation: DepthwiseConv2D((1, 1), "same", (1, 1), activation), (3, 3, 6, 2), 12),
    "depthwise of few": (lambda activation: DepthwiseConv2D((1, 1), "same", (1, 1), activation), (3, 3, 6, 1), 6),
    "depthwise of strides": (lambda activation: DepthwiseConv2D((2, 2), "same", (1, 1), activation), (3, 3, 6, 1), 6),
    "groups": (lambda activation: GroupedConv2D((1, 1), "same", (1, 1), activation, 2), (3, 3, 3, 4), 4),
}
SHAPE = (3, 7, 9, 6)


@pytest.mark.parametrize("name", MAKE)
def test_a_fused_relu_is_a_relu_after(name, tier):
    make, w_shape, channels = MAKE[name]
    inputs = [normal(1, SHAPE), normal(2, w_shape), normal(3, (channels,))]
    plain = Run(make(None), inputs, tier=tier).y
    dy = normal(4, plain.shape)
    fused, masked = Run(make("relu"), inputs, dy, tier=tier), Run(make(None), inputs, dy * (plain > 0), tier=tier)
    assert np.array_equal(fused.y, np.maximum(plain, 0)) and (plain < 0).any()
    assert all(same_bits(a, b) for a, b in zip(fused.grads, masked.grads, strict=True))


@pytest.mark.parametrize("name", MAKE)
def test_the_gradient_behind_a_relu_is_0_where_the_relu_was(name, tier):
    make, w_shape, channels = MAKE[name]
    x = np.maximum(normal(1, SHAPE), 0)
    inputs = [x, normal(2, w_shape), normal(3, (channels,))]
    dy = normal(4, Run(make(None), inputs).y.shape)
    before = [normal(5, a.shape) for a in inputs]
    for given in (None, before):
        whole, behind = (Run(make(None), inputs, dy, before=given, behind_relu=b, tier=tier) for b in (False, True))
        wanted = np.where(x > 0, whole.grads[0], 0 if given is None else before[0])
        assert np.array_equal(behind.grads[0], wanted) and (x == 0).any()
        assert same_bits(behind.grads[1], whole.grads[1])


def test_nan_reaches_exactly_what_it_touches(tier):
    x, w = normal(1, (1, 8, 9, 5)), normal(2, (3, 3, 5, 2))
    x[0, 4, 4, 3] = np.nan
    run = Run(DepthwiseConv2D((1, 1), "same"), [x, w, None], np.ones((1, 8, 9, 10), "float32"), tier=tier)
    touched = np.zeros((1, 8, 9, 10), bool)
    touched[0, 3:6, 3:6, 6:8] = True
    assert np.array_equal(np.isnan(run.y), touched)
    assert np.array_equal(np.isnan(run.grads[1]).all(axis=(0, 1, 3)), np.arange(5) == 3)
    assert not np.isnan(run.grads[0]).any()


def test_as_many_groups_as_channels_are_the_depthwise_kernels():
    x, w = Tensor(normal(1, (2, 7, 6, 5))), Tensor(normal(2, (3, 3, 1, 10)))
    y = conv2d(x, w, groups=5)
    apart = [Run(Conv2D(), [x.numpy()[..., c:c + 1].copy(), w.numpy()[..., 2 * c:2 * c + 2].copy(), None]).y
             for c in range(5)]
    np.testing.assert_allclose(y.numpy(), np.concatenate(apart, -1), rtol=1e-5, atol=1e-5)


class Step:
    """Two depthwise convolutions, one of them in a group's place, and their gradients."""

    def __init__(self, batch):
        self.x = Tensor(normal(0, (batch, 11, 10, 8)))
        self.weights = [Variable(normal(i, shape)) for i, shape in enumerate([
            (3, 3, 8, 2), (16,), (3, 3, 4, 12), (3, 3, 12, 1)])]
        self.sums = [Variable(np.zeros(w.shape, "float32"), trainable=False) for w in self.weights]

    def __call__(self):
        w, b, grouped, last = self.weights
        h = depthwise_conv2d(self.x, w, b, (1, 1), "same", activation="relu")
        h = conv2d(h, grouped, None, (2, 2), "same", groups=4)
        y = depthwise_conv2d(relu(h), last)
        for total, grad in zip(self.sums, gradient([y], self.weights, [y.buffer]), strict=True):
            total.assign(total + Tensor._over(grad))
        return y


@pytest.mark.parametrize("batch", [2, 37])
def test_the_plan_computes_exactly_what_eager_computes_on_any_threads(batch):
    eager = Step(batch)
    right = [eager().numpy(), *(t.numpy() for t in eager.sums)]
    assert np.isfinite(right[-1]).all() and np.abs(right[1]).min() > 0
    for threads in THREADS:
        planned = Step(batch)
        _core.set_threads(threads)
        step = plan.record(planned)
        step.run()
        _core.set_threads(1)
        got = [step.outputs.numpy(), *(t.numpy() for t in planned.sums)]
        assert all(same_bits(a, b) for a, b in zip(got, right, strict=True))
