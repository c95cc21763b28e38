"""Functions whose gradient is what one says it is."""
import functools

from cnncore import executor
from cnncore.op import Op, Spec, apply
from cnncore.ops.elementwise import accumulate_calls, cast, copy_calls
from cnncore.tensor import Tensor, convert


class Custom(Op):
    """Values that are there already, and a function from the gradients of them to those of the arguments."""

    name = "custom_gradient"

    def __init__(self, values, slope):
        self.values, self.slope, self.visible = values, slope, len(values)

    def outputs(self, *inputs, keep):
        return [Spec(value.shape, value.dtype) for value in self.values]

    def forward(self, empty, inputs, outputs):
        return [call for value, y in zip(self.values, outputs, strict=True) for call in copy_calls(value.buffer, y)]

    def backward(self, empty, inputs, outputs, d_outputs, d_inputs):
        from cnncore.ops.creation import zeros

        with executor.no_grad():
            given = [zeros(y.shape) if d is None else Tensor._over(d) for y, d in zip(outputs, d_outputs, strict=True)]
            found = self.slope(*given)
        found = list(found) if isinstance(found, (list, tuple)) else [found]
        if len(found) != len(inputs):
            raise ValueError("The gradient of a function is one for each of its arguments that are tensors. Received: "
                             f"{len(found)} for {len(inputs)}")
        calls = []
        for x, value, dx in zip(inputs, found, d_inputs, strict=True):
            if dx is None:
                continue
            value = cast(convert(value), "float32")
            if value.shape != x.shape:
                raise ValueError(f"A gradient has the shape of its argument, {x.shape}. Received: {value.shape}")
            calls += (accumulate_calls if dx.accumulate else copy_calls)(value.buffer, dx.buffer)
        return calls


def custom_gradient(f):
    """A function like f, which returns its value and a function from the value's gradient to those of its arguments.

    Args:
        f: function of tensors that returns (value, gradient); the value may be a list of tensors, of which `gradient`
            is given one each.

    Example:
        >>> from cnncore import GradientTape, ops
        >>> @ops.custom_gradient
        ... def reversed_gradient(x):
        ...     return x * 1.0, lambda dy: -dy
        >>> x = ops.convert_to_tensor([1.0, 2.0])
        >>> with GradientTape() as tape:
        ...     tape.watch(x)
        ...     y = ops.sum(reversed_gradient(x))
        >>> tape.gradient(y, x).numpy().tolist()
        [-1.0, -1.0]
    """
    @functools.wraps(f)
    def function(*args, **kwargs):
        with executor.no_grad():
            value, slope = f(*args, **kwargs)
        many = isinstance(value, (list, tuple))
        values = [convert(part) for part in (value if many else [value])]
        inputs = [x for x in args if isinstance(x, Tensor)]
        results = apply(Custom(values, slope), *inputs)
        return type(value)(results if isinstance(results, tuple) else [results]) if many else results

    return function
