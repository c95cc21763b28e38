"""A training step through pooling, batch normalization and dropout: the plan and any threads give eager's bits."""
import numpy as np
import pytest
from layer_checks import THREADS, normal, same_bits

from cnncore import _core, executor, plan
from cnncore.op import gradient
from cnncore.ops.batch_norm import batch_norm_infer, batch_norm_train
from cnncore.ops.conv2d import conv2d
from cnncore.ops.dropout import dropout
from cnncore.ops.gather_rows import gather_rows
from cnncore.ops.optimizers import adam, increment, sgd
from cnncore.ops.pool import avg_pool2d, global_avg_pool2d, global_max_pool2d, max_pool2d
from cnncore.tensor import Tensor, Variable


class Step:
    """A small network's training step; `state` lists every array that it changes."""

    def __init__(self, batch, tail):
        c = 20
        self.batch, self.tail = batch, tail
        self.images = np.random.default_rng(0).integers(0, 256, (3 * batch, 13, 11, 3), dtype=np.uint8)
        self.index = Variable(np.random.default_rng(1).permutation(3 * batch), trainable=False)
        self.w, self.b = Variable(normal(1, (3, 3, 3, c)) / 100), Variable(normal(2, (c,)))
        self.gamma, self.beta = Variable(normal(3, (c,))), Variable(normal(4, (c,)))
        self.weights = [self.w, self.b, self.gamma, self.beta]
        self.mean, self.variance = (Variable(v(c, np.float32), trainable=False) for v in (np.zeros, np.ones))
        self.seed = Variable(np.array([9, 0], np.uint64), trainable=False)
        self.start, self.count = (Variable(np.int64(0), trainable=False) for _ in range(2))
        self.lr = Variable(np.float32(0.01), trainable=False)
        self.velocity = Variable(np.zeros(c, np.float32), trainable=False)
        self.moments = [[Variable(np.zeros(w.shape, np.float32), trainable=False) for w in self.weights] for _ in "mv"]
        self.dy = Tensor(normal(5, (batch, c)))
        self.state = [*self.weights, self.mean, self.variance, self.seed, self.start, self.count, self.velocity,
                      *sum(self.moments, [])]

    def __call__(self):
        x = Tensor._over(executor.current().empty((self.batch, 13, 11, 3)))
        gather_rows(self.images, self.index.buffer, x.buffer, self.start.buffer)
        h = max_pool2d(conv2d(x, self.w, self.b, activation="relu"), (2, 2), padding="same")
        h = batch_norm_train(h, self.gamma, self.beta, self.mean, self.variance, 0.9, activation="relu")
        h = batch_norm_infer(dropout(h, 0.25, self.seed), None, None, self.mean, self.variance)
        y = self.tail(avg_pool2d(h, (2, 2), (1, 1)))
        grads = [Tensor._over(g) for g in gradient([y], self.weights, [self.dy.buffer])]
        increment(self.start, self.batch)
        increment(self.count)
        for w, g, m, v in zip(self.weights, grads, *self.moments, strict=True):
            adam(w, g, m, v, self.count, self.lr)
        sgd(self.beta, grads[3], self.velocity, self.lr, 0.9, nesterov=True)
        return y


@pytest.mark.parametrize("tail", [global_avg_pool2d, global_max_pool2d], ids=["avg", "max"])
@pytest.mark.parametrize("batch", [3, 16, 70])
def test_the_plan_computes_exactly_what_eager_computes_on_any_threads(batch, tail):
    eager = Step(batch, tail)
    for _ in range(3):
        y = eager()
    right = [t.numpy() for t in eager.state] + [y.numpy()]
    assert np.isfinite(right[-1]).all() and eager.seed.tolist() == [9, 3]
    for threads in THREADS:
        planned = Step(batch, tail)
        _core.set_threads(threads)
        step = plan.record(planned)
        for _ in range(3):
            step.run()
        _core.set_threads(1)
        got = [t.numpy() for t in planned.state] + [step.outputs.numpy()]
        assert all(same_bits(a, b) for a, b in zip(got, right, strict=True))
