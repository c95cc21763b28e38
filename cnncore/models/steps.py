"""Steps of training, evaluation and prediction: recorded once for each shape of batch, then run as plans."""
import signal
import threading
from collections import OrderedDict
from contextlib import contextmanager, nullcontext

import numpy as np

from cnncore import _core, executor
from cnncore.nest import flatten, map_leaves, pack
from cnncore.optimizers.optimizer import collecting
from cnncore.plan import record
from cnncore.tensor import Tensor

KEPT_PLANS = 8  # plans of other shapes are made anew: each holds memory for a batch's activations
KEPT_BOUND = 4  # the same of those that read arrays themselves, between calls of fit


class MetricLogs(dict):
    """Logs that hold the results of the model's metrics and nothing else: a plan need not compute them at each step."""

    def __init__(self, values):
        super().__init__(values)
        self._as_made = list(self.items())

    def is_untouched(self):
        """Whether nobody has changed them."""
        return len(self) == len(self._as_made) and all(self.get(key) is value for key, value in self._as_made)


class Step:
    """One step, ready to run.

    Args:
        function: the model's train_step, test_step or predict_step.
        learns: whether gradients are wanted.
    Attributes:
        outputs: what the step returned, over memory that each run overwrites; None stands for the metrics' results.
    """

    outputs = None
    optimizers = ()

    def __init__(self, function, learns):
        self.function, self.learns = function, learns

    def compute(self, batch):
        """Runs the function under the executor at work."""
        with nullcontext() if self.learns else executor.no_grad():
            outputs = self.function(batch)
        return None if type(outputs) is MetricLogs and outputs.is_untouched() else outputs

    def record(self, function, *args, inference=False):
        """Makes the plan of a function that ends in `compute`."""
        with collecting() as optimizers:
            self.plan = record(function, *args, inference=inference)
        self.outputs = self.plan.outputs
        self.optimizers = [o for o in optimizers if o._schedule is not None]

    def run(self):
        for optimizer in self.optimizers:
            optimizer.prepare()
        self.plan.run()


class BoundStep(Step):
    """A plan that reads its rows from the arrays of one Batches itself, and later from those of others of its kind."""

    def __init__(self, function, learns, batches, rows):
        super().__init__(function, learns)
        self.record(lambda: self.compute(batches.gather(rows)))
        self._read = batches.buffers

    def bind(self, batches):
        """Makes it read other arrays."""
        self._rebind(batches.buffers)

    def let_go(self):
        """Forgets the arrays; it must be bound again before it runs."""
        self._rebind([_core.Buffer.promise(buffer.shape, buffer.dtype) for buffer in self._read])

    def _rebind(self, buffers):
        self.plan.rebind(self._read, buffers)
        self._read = buffers


class _Input(Tensor):
    """A tensor whose values are there only when the plan runs."""

    __slots__ = ()

    def _has_value(self):
        return not executor.current().recording

    def _view(self):
        if not self._has_value():
            raise RuntimeError(
                f"The value of an input of shape {self.shape} was asked for while the step is being recorded, when no "
                "values exist yet. Compute with operations instead, or compile the model with run_eagerly=True")
        return super()._view()


class SharedStep(Step):
    """A plan with a batch of its own, which is filled before each run; it serves any arrays of these shapes."""

    def __init__(self, function, learns, batches, rows, inference=False):
        super().__init__(function, learns)
        self.batch = batches.make(rows, _core.Buffer.allocate, _Input)
        self.record(self.compute, self.batch, inference=inference)


class EagerStep(Step):
    """Runs the function operation by operation."""

    def __init__(self, function, learns, batches, rows):
        super().__init__(function, learns)
        self.batches, self.rows = batches, rows

    def run(self):
        with interrupts_deferred():
            self.outputs = self.compute(self.batches.gather(self.rows))


class Plans:
    """The plans of a model, and the lock that only one thread at a time runs one under."""

    def __init__(self):
        self.lock = threading.RLock()
        self.shared = OrderedDict()  # (kind, state of the model, kind of batch) -> SharedStep
        self.bound = OrderedDict()  # the same -> BoundStep that nobody uses
        self.age = 0

    def __deepcopy__(self, memo):
        return Plans()

    def __reduce__(self):
        return Plans, ()

    def drop(self):
        """Forgets all plans."""
        with self.lock:
            self.shared.clear()
            self.bound.clear()
            self.age += 1

    def keep(self, key, step):
        """Takes back a BoundStep for the next one to use."""
        with self.lock:
            step.let_go()
            self.bound[key] = step
            while len(self.bound) > KEPT_BOUND:
                self.bound.popitem(last=False)


class Runner:
    """Runs the batches of one call of fit, evaluate or predict.

    Args:
        model: the model.
        kind: 'train', 'test' or 'predict'.
        bound: whether plans may be tied to the arrays, which pays where many steps follow.
    """

    def __init__(self, model, kind, bound=False):
        self.model, self.kind, self.bound = model, kind, bound
        self.function = getattr(model, f"{kind}_step")
        self.learns = kind == "train"
        self.eager = bool(getattr(model, "run_eagerly", False))
        self.lock = model._plans.lock
        self.steps = {}  # rows -> step for the arrays at hand
        self.fills = {}
        self.taken = OrderedDict()  # kind of batch -> (age of the plans, key, BoundStep)
        self.batches = None

    def run(self, batches, first, rows):
        """Runs the batch that begins at a row; returns the step, whose `outputs` hold until the next run."""
        if batches is not self.batches:
            self.batches, self.steps, self.fills = batches, {}, {}
        with self.lock:
            batches.go_to(first)
            step = self.steps.get(rows)
            if step is None:
                step = self._find(batches, rows)
            fill = self.fills.get(rows)
            if fill is not None:
                _core.run_now(fill)
            step.run()
        return step

    def fetch(self, batches, first, rows, copy):
        """As `run`, then copies the outputs before another thread can overwrite them."""
        with self.lock:
            copy(self.run(batches, first, rows).outputs)

    def _find(self, batches, rows):
        if self.eager:
            step = EagerStep(self.function, self.learns, batches, rows)
        elif self.bound:
            step = self._take(batches, rows)
        else:
            step = self._shared(batches, rows)
            self.fills[rows] = batches.calls_into(step.batch)
        self.steps[rows] = step
        return step

    def _key(self, batches, rows):
        return self.kind, self.model._plan_state(self.kind), batches.kind_of(rows)

    def _take(self, batches, rows):
        """A BoundStep of this run, or one that another run left, or a new one."""
        plans, kind = self.model._plans, batches.kind_of(rows)
        if kind in self.taken:
            step = self.taken[kind][-1]
            step.bind(batches)
            return step
        key = self._key(batches, rows)
        step = plans.bound.pop(key, None)
        if step is None:
            step = BoundStep(self.function, self.learns, batches, rows)
            key = self._key(batches, rows)  # recording may have changed the model
        else:
            step.bind(batches)
        self.taken[kind] = plans.age, key, step
        while len(self.taken) > KEPT_PLANS:
            self.taken.popitem(last=False)
        return step

    def close(self):
        """Leaves the plans of a run to the next, unless they have been forgotten in the meantime."""
        plans = self.model._plans
        for age, key, step in self.taken.values():
            if age == plans.age:
                plans.keep(key, step)
        self.taken, self.steps, self.batches = OrderedDict(), {}, None

    def _shared(self, batches, rows):
        plans = self.model._plans.shared
        key = self._key(batches, rows)
        step = plans.get(key)
        if step is None:
            step = SharedStep(self.function, self.learns, batches, rows, self.kind == "predict")
            key = self._key(batches, rows)  # recording may have changed the model
            plans[key] = step
            while len(plans) > KEPT_PLANS:
                plans.popitem(last=False)
        plans.move_to_end(key)
        return step


def shapes_of(batches):
    """The first batch as tensors without memory, to ask a model for shapes under the executor Shapes."""
    return batches.make(min(batches.batch_size, batches.rows), _core.Buffer.promise)


def values_of(outputs):
    """A copy of a step's outputs as NumPy arrays."""
    return map_leaves(lambda leaf: leaf.numpy() if isinstance(leaf, Tensor) else leaf, outputs)


class Collector:
    """Gathers the outputs of many batches into one array for each.

    Args:
        rows: rows in all, or None if that is not known.
    """

    def __init__(self, rows=None):
        self.rows, self.at = rows, 0
        self.nest, self.arrays, self.lists = None, None, None

    def add(self, outputs, rows):
        """Takes a copy of a batch's outputs; called while these are guarded by the runner's lock."""
        leaves = [leaf._view() if isinstance(leaf, Tensor) else leaf for leaf in flatten(outputs)]
        if self.nest is None:
            self.nest, self.lists = outputs, [[] for _ in leaves]
            if self.rows is not None and all(getattr(a, "shape", ())[:1] == (rows,) for a in leaves):
                self.arrays = [np.empty((self.rows, *a.shape[1:]), a.dtype) for a in leaves]
        if self.arrays is not None and all(a.shape[:1] == (rows,) for a in leaves):
            for array, leaf in zip(self.arrays, leaves, strict=True):
                array[self.at:self.at + rows] = leaf
        else:
            if self.arrays is not None:  # outputs of another kind than those before
                self.lists, self.arrays = [[a[:self.at]] for a in self.arrays], None
            for parts, leaf in zip(self.lists, leaves, strict=True):
                parts.append(np.array(leaf))
        self.at += rows

    def result(self):
        """The arrays, in the nest of the outputs."""
        if self.arrays is not None:
            return pack(self.nest, [a[:self.at] for a in self.arrays])
        return pack(self.nest, [np.concatenate(parts) for parts in self.lists])


@contextmanager
def interrupts_deferred():
    """Lets the body end before Ctrl-C takes effect, so that an eager step is whole; a plan is so by itself."""
    if threading.current_thread() is not threading.main_thread() or (
            signal.getsignal(signal.SIGINT) is not signal.default_int_handler):
        yield
        return
    pending = []

    def remember(*_):
        if pending:  # pressed twice: the step may hang
            raise KeyboardInterrupt
        pending.append(True)

    signal.signal(signal.SIGINT, remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if pending:
        raise KeyboardInterrupt
