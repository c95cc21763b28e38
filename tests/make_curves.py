"""Makes tests/curves.json: the losses of a small CNN trained by PyTorch from given weights. Needs torch; run it by hand.

    python tests/make_curves.py
"""
import json
from pathlib import Path

import numpy as np

PATH = Path(__file__).with_name("curves.json")
STEPS, BATCH = 20, 16


def problem():
    """(x, y, weights) of the network: conv 8 3x3 same ReLU, pool, conv 16 3x3 valid ReLU, dense 10; from a seed."""
    rng = np.random.default_rng(42)
    x = rng.standard_normal((STEPS * BATCH, 10, 10, 3)).astype(np.float32)
    y = (np.abs(x.mean((1, 2))) * 40).astype(np.int64).sum(1) % 10
    shapes = [(3, 3, 3, 8), (8,), (3, 3, 8, 16), (16,), (3 * 3 * 16, 10), (10,)]
    weights = [(rng.standard_normal(s) * (0.2 if len(s) > 1 else 0.1)).astype(np.float32) for s in shapes]
    return x, y, weights


class KerasAdam:
    """Adam in Keras's form, which adds epsilon to the uncorrected root: PyTorch's own adds it to the corrected one."""

    def __init__(self, parameters, lr, eps):
        self.parameters, self.lr, self.eps, self.t = parameters, lr, eps, 0
        self.m, self.v = ([p.detach() * 0 for p in parameters] for _ in range(2))

    def zero_grad(self):
        for p in self.parameters:
            p.grad = None

    def step(self):
        self.t += 1
        alpha = self.lr * (1 - 0.999**self.t) ** 0.5 / (1 - 0.9**self.t)
        for p, m, v in zip(self.parameters, self.m, self.v):
            m += (p.grad - m) * 0.1
            v += (p.grad**2 - v) * 0.001
            p.data -= alpha * m / (v**0.5 + self.eps)


def train_with_torch(optimizer):
    import torch
    import torch.nn.functional as F

    x, y, weights = problem()
    parameters = [torch.tensor(w, requires_grad=True) for w in weights]
    k1, b1, k2, b2, w, b = parameters
    step = {"sgd": lambda: torch.optim.SGD(parameters, lr=0.05, momentum=0.9),
            "adam": lambda: KerasAdam(parameters, lr=0.003, eps=1e-5)}[optimizer]()
    losses = []
    for i in range(STEPS):
        batch = torch.tensor(x[i * BATCH:(i + 1) * BATCH].transpose(0, 3, 1, 2).copy())
        h = F.max_pool2d(F.relu(F.conv2d(batch, k1.permute(3, 2, 0, 1), b1, padding=1)), 2)
        h = F.relu(F.conv2d(h, k2.permute(3, 2, 0, 1), b2)).permute(0, 2, 3, 1).flatten(1)
        loss = F.cross_entropy(h @ w + b, torch.tensor(y[i * BATCH:(i + 1) * BATCH]))
        step.zero_grad()
        loss.backward()
        step.step()
        losses.append(loss.item())
    return losses


if __name__ == "__main__":
    import torch

    curves = {"made_by": f"torch {torch.__version__}", **{name: train_with_torch(name) for name in ("sgd", "adam")}}
    PATH.write_text(json.dumps(curves, indent=1) + "\n")
