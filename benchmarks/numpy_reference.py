"""The workloads' training step in NumPy: im2col and BLAS, vectorised, as an honest programmer would write it."""
import numpy as np


class Conv:
    """Stride 1: patches as rows of a matrix, one product."""

    def __init__(self, rng, in_c, filters, kernel, padding, activation):
        limit = np.sqrt(6 / (kernel * kernel * (in_c + filters)))
        self.w = rng.uniform(-limit, limit, (kernel * kernel * in_c, filters)).astype(np.float32)
        self.b = np.zeros(filters, np.float32)
        self.kernel, self.same, self.relu = kernel, padding == "same", activation == "relu"
        self.parameters = [self.w, self.b]

    def _pads(self):
        before = (self.kernel - 1) // 2 if self.same else 0
        after = self.kernel - 1 - before if self.same else 0
        return ((0, 0), (before, after), (before, after), (0, 0))

    def forward(self, x, training):
        self.shape, k = x.shape, self.kernel
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, self._pads()), (k, k), (1, 2))
        self.out = windows.shape[:3]
        self.columns = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, k * k * x.shape[3])
        y = self.columns @ self.w + self.b
        if self.relu:
            np.maximum(y, 0, out=y)
        self.y = y
        return y.reshape(*self.out, -1)

    def backward(self, dy, wanted=True):
        dy = dy.reshape(self.y.shape)
        if self.relu:
            dy = dy * (self.y > 0)
        self.gradients = [self.columns.T @ dy, dy.sum(0)]
        if not wanted:
            return None
        n, h, w, c = self.shape
        k, pads = self.kernel, self._pads()
        d_columns = (dy @ self.w.T).reshape(*self.out, k, k, c)
        padded = np.zeros((n, h + sum(pads[1]), w + sum(pads[2]), c), np.float32)
        for i in range(k):
            for j in range(k):
                padded[:, i:i + self.out[1], j:j + self.out[2]] += d_columns[:, :, :, i, j]
        return padded[:, pads[1][0]:pads[1][0] + h, pads[2][0]:pads[2][0] + w]


class Dense:
    """One product."""

    def __init__(self, rng, features, units, activation):
        limit = np.sqrt(6 / (features + units))
        self.w = rng.uniform(-limit, limit, (features, units)).astype(np.float32)
        self.b = np.zeros(units, np.float32)
        self.relu = activation == "relu"
        self.parameters = [self.w, self.b]

    def forward(self, x, training):
        self.x = x
        self.y = x @ self.w + self.b
        return np.maximum(self.y, 0) if self.relu else self.y

    def backward(self, dy, wanted=True):
        if self.relu:
            dy = dy * (self.y > 0)
        self.gradients = [self.x.T @ dy, dy.sum(0)]
        return dy @ self.w.T if wanted else None


class MaxPool:
    """Square windows side by side; a gradient goes to the first maximum of its window."""

    parameters = gradients = ()

    def __init__(self, size, padding):
        self.size, self.same = size, padding == "same"

    def _pixels(self, x):
        """The windows' pixels: one strided view per place in the window."""
        s, (_, h, w, _) = self.size, x.shape
        return [x[:, i:h // s * s:s, j:w // s * s:s] for i in range(s) for j in range(s)]

    def forward(self, x, training):
        self.shape, self.pads = x.shape, ((0, 0), (0, 0), (0, 0), (0, 0))
        if self.same:
            short = [-length % self.size for length in x.shape[1:3]]
            if any(short):
                self.pads = ((0, 0), *((n // 2, n - n // 2) for n in short), (0, 0))
                x = np.pad(x, self.pads, constant_values=-np.inf)
        self.x, pixels = x, self._pixels(x)
        y = pixels[0].copy()
        for pixel in pixels[1:]:
            np.maximum(y, pixel, out=y)
        self.y = y
        return y

    def backward(self, dy, wanted=True):
        dx = np.zeros(self.x.shape, np.float32)
        left = dy.copy()
        for pixel, d in zip(self._pixels(self.x), self._pixels(dx)):
            hit = pixel == self.y
            np.copyto(d, left, where=hit)
            left[hit] = 0
        (top, _), (before, _) = self.pads[1:3]
        return dx[:, top:top + self.shape[1], before:before + self.shape[2]]


class BatchNorm:
    """Over all axes but the last."""

    def __init__(self, channels):
        self.parameters = [np.ones(channels, np.float32), np.zeros(channels, np.float32)]
        self.moving_mean, self.moving_var = np.zeros(channels, np.float32), np.ones(channels, np.float32)

    def forward(self, x, training):
        axes = tuple(range(x.ndim - 1))
        mean = x.mean(axes)
        centred = x - mean
        var = np.square(centred).mean(axes)
        self.moving_mean += (mean - self.moving_mean) * np.float32(0.01)
        self.moving_var += (var - self.moving_var) * np.float32(0.01)
        self.rstd = 1 / np.sqrt(var + np.float32(1e-3))
        self.normal = np.multiply(centred, self.rstd, out=centred)
        return self.normal * self.parameters[0] + self.parameters[1]

    def backward(self, dy, wanted=True):
        axes = tuple(range(dy.ndim - 1))
        count = dy.size // dy.shape[-1]
        self.gradients = [(dy * self.normal).sum(axes), dy.sum(axes)]
        return (dy - self.gradients[1] / count - self.normal * (self.gradients[0] / count)) * (
            self.rstd * self.parameters[0])


class Dropout:
    """Inverted dropout."""

    parameters = gradients = ()

    def __init__(self, rng, rate):
        self.rng, self.rate = rng, rate

    def forward(self, x, training):
        self.mask = (self.rng.random(x.shape, np.float32) >= self.rate) / np.float32(1 - self.rate)
        return x * self.mask

    def backward(self, dy, wanted=True):
        return dy * self.mask


class Flatten:
    """Images to rows."""

    parameters = gradients = ()

    def forward(self, x, training):
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy, wanted=True):
        return dy.reshape(self.shape)


class Network:
    """A workload's layers, softmax cross-entropy and Adam."""

    def __init__(self, workload, seed=0):
        rng = np.random.default_rng(seed)
        self.layers, shape = [], workload.shape
        make = {"conv": lambda n, *a: Conv(rng, n, *a), "pool": lambda n, *a: MaxPool(*a), "bn": BatchNorm,
                "dropout": lambda n, rate: Dropout(rng, rate), "flatten": lambda n: Flatten(),
                "dense": lambda n, *a: Dense(rng, n, *a)}
        for kind, *a in workload.layers:
            layer = make[kind](shape[-1], *a)
            shape = layer.forward(np.zeros((1, *shape), np.float32), True).shape[1:]
            if kind == "bn":  # that pass was for the shape alone
                layer.moving_mean[...], layer.moving_var[...] = 0, 1
            self.layers.append(layer)
        parameters = [p for layer in self.layers for p in layer.parameters]
        self.m, self.v = ([np.zeros_like(p) for p in parameters] for _ in range(2))
        self.t = 0

    def gradients(self, x, y):
        """The loss and how many were right; every layer then holds its gradients."""
        for layer in self.layers:
            x = layer.forward(x, True)
        e = np.exp(x - x.max(1, keepdims=True))
        p = e / e.sum(1, keepdims=True)
        rows = np.arange(len(y))
        loss = -np.log(p[rows, y] + 1e-30).mean()
        right = np.count_nonzero(p.argmax(1) == y)
        p[rows, y] -= 1
        d = p / np.float32(len(y))
        for i in reversed(range(len(self.layers))):
            d = self.layers[i].backward(d, i > 0)
        return loss, right

    def step(self, x, y):
        """One step of Adam; returns the loss and how many were right."""
        result = self.gradients(x, y)
        self.t += 1
        alpha = np.float32(1e-3 * np.sqrt(1 - 0.999**self.t) / (1 - 0.9**self.t))
        pairs = [pair for layer in self.layers for pair in zip(layer.parameters, layer.gradients)]
        for (p, g), m, v in zip(pairs, self.m, self.v):
            m += (g - m) * np.float32(0.1)
            v += (np.square(g) - v) * np.float32(0.001)
            root = np.sqrt(v)
            root += np.float32(1e-7)
            p -= np.divide(m, root, out=root) * alpha
        return result
