"""Recording a function's kernel calls into a plan that runs them again."""
import os

from cnncore import _core, executor
from cnncore.plan import inference, memory, remake, schedule
from cnncore.tensor import Tensor


class Recorder:
    """The executor that promises memory and keeps calls; memory.py and schedule.py then settle both."""

    recording = True

    def __init__(self):
        self.calls = []

    def empty(self, shape, dtype="float32"):
        return _core.Buffer.promise(shape, dtype)

    def emit(self, calls):
        self.calls.extend(calls)


def map_structure(function, structure):
    """The same nest of dicts, lists and tuples with `function` applied to every Tensor in it."""
    if isinstance(structure, Tensor):
        return function(structure)
    if isinstance(structure, dict):
        return {key: map_structure(function, value) for key, value in structure.items()}
    if isinstance(structure, (list, tuple)):
        parts = [map_structure(function, value) for value in structure]
        return type(structure)(*parts) if hasattr(structure, "_fields") else type(structure)(parts)
    return structure


class Plan:
    """A recorded step. `run()` runs it in one C call without the GIL; `outputs` holds its results after each run.

    Variables and other real buffers that the step touched are used in place; every intermediate lives in one arena.
    """

    def __init__(self, calls, outputs, inputs=None):  # `inputs`: see inference.prepare
        kept, prepared = set(), []
        map_structure(lambda t: kept.add(t.buffer.root) if t.buffer.is_promise else None, outputs)
        calls = schedule.live_calls(calls, kept)
        if inputs is not None:
            prepared, calls = inference.prepare(calls, inputs, kept)
            kept |= {buffer.root for call in calls for buffer in call.buffers} & {
                buffer.root for call in prepared for buffer in call.buffers if buffer.is_promise}
        else:
            calls = remake.masked_by_dropout(calls)
        calls, runs = schedule.depth_first(calls, inputs is not None)
        groups = []
        if os.environ.get("CNNCORE_DEPTH_FIRST", "1") != "0":
            if inputs is None:
                calls, runs = remake.make_again(calls, runs, kept)
            calls, runs, groups = schedule.chain_updates(calls, runs, kept)
            groups += schedule.make_groups(calls, runs, kept)
        calls = prepared + calls
        groups = [group._replace(first=group.first + len(prepared)) for group in groups]
        places, size = memory.place(calls, kept, groups)
        waits = schedule.waits(calls, places, groups)
        self._program = _core.Program(calls, waits, places, _core.Memory(size), groups, len(prepared))
        self.arena_bytes = size
        self.outputs = map_structure(self._fetch, outputs)
        if os.environ.get("CNNCORE_DEBUG", "0") >= "1":
            print(f"cnncore: plan of {len(calls)} calls, {len(groups)} groups, {sum(waits)} waits, arena "
                  f"{size / 2**20:.1f} MB, {self._program.scratch_stride / 2**20:.1f} MB a thread, tier "
                  f"{_core.tier()}, {_core.threads()} threads")

    def _fetch(self, tensor):
        if not tensor.buffer.is_promise:
            return tensor
        return Tensor._over(self._program.fetch(tensor.buffer))

    def run(self):
        """Runs every call once."""
        self._program.run()

    def rebind(self, buffers, others):
        """Makes it read others in the place of real buffers that it was recorded with."""
        self._program.rebind(dict(zip(buffers, others, strict=True)))

    def profile(self, runs=20):
        """Median seconds of every call: a list of (seconds, call), in the order they run. The step runs `runs` times."""
        import numpy as np

        seconds = np.median([self._program.timed() for _ in range(runs)], axis=0)
        return list(zip(seconds.tolist(), self._program.calls))

    @property
    def calls(self):
        return self._program.calls


def record(function, *args, inference=False):
    """Runs function(*args) once, keeping its kernel calls instead of running them, and returns the Plan.

    Args:
        function: computes with Tensors and Variables only; asking for a value raises RuntimeError.
        args: Tensors over real memory, or nests of them: the plan reads them afresh at every run.
        inference: whether to fold layers and to compute once what depends on weights alone; rounding differs a little.
    """
    recorder = Recorder()
    with executor.use(recorder):
        outputs = function(*args)
    inputs = None
    if inference:
        inputs = set()
        map_structure(lambda t: inputs.add(t.buffer.root), args)
    return Plan(recorder.calls, outputs, inputs)
