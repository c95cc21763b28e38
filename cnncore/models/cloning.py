"""A second model of the same layers, with weights of its own."""
import warnings

from cnncore.models.functional import Functional, _nodes_before
from cnncore.models.sequential import Sequential
from cnncore.nest import flatten, map_leaves
from cnncore.symbolic import KerasTensor


def clone_model(model, input_tensors=None, clone_function=None, call_function=None, recursive=False, **kwargs):
    """A model of the same layers with new weights; compiled as the model is.

    Args:
        model: `Model`.
        input_tensors: KerasTensor, or a list or dict of them, to build the new model on, instead of inputs of its own.
        clone_function: function of a layer that returns the layer to stand in its place; by default one of the same
            configuration. Layers that it returns as they are are shared.
        call_function: function of (layer, *args, **kwargs) that calls a layer of a functional model.
        recursive: whether `clone_function` is also given the layers of models inside.
        **kwargs: none are known.

    Returns:
        The new model.

    Raises:
        ValueError: the model is of a class of one's own and another argument is given.

    Example:
        >>> import cnncore
        >>> model = cnncore.Sequential([cnncore.Input((4,)), cnncore.layers.Dense(2)])
        >>> clone_model(model).count_params()
        10
    """
    if kwargs:
        raise ValueError("clone_model takes model, input_tensors, clone_function, call_function and recursive. Received: "
                         f"{', '.join(kwargs)}")
    if input_tensors is not None and not all(isinstance(tensor, KerasTensor) for tensor in flatten(input_tensors)):
        raise ValueError("input_tensors are KerasTensors, as Input(shape) makes them. Received: "
                         f"{input_tensors!r:.200}")
    if not isinstance(model, (Sequential, Functional)):
        if any(argument is not None for argument in (input_tensors, clone_function, call_function)):
            raise ValueError("A model of a class of one's own is cloned by its configuration alone. Received: "
                             f"{type(model).__name__} with input_tensors, clone_function or call_function; leave them out")
        return _by_config(model)
    made = {}

    def clone(layer):
        if id(layer) not in made:
            if recursive and isinstance(layer, (Sequential, Functional)):
                made[id(layer)] = clone_model(layer, None, clone_function, None, True)
            else:
                made[id(layer)] = (clone_function or _by_config)(layer)
        return made[id(layer)]

    if isinstance(model, Sequential):
        if call_function is not None:
            raise ValueError("A Sequential model's layers are called one after another. Received: call_function; use it "
                             "with functional models")
        clone_of = _sequential(model, input_tensors, clone)
    else:
        clone_of = _functional(model, input_tensors, clone, call_function or (lambda layer, *a, **kw: layer(*a, **kw)))
    _compile(clone_of, model)
    return clone_of


def _by_config(layer):
    """A layer or model of the same configuration, its weights new."""
    return type(layer).from_config(layer.get_config())


def _sequential(model, input_tensors, clone):
    from cnncore.layers import InputLayer

    first, layers = [], [clone(layer) for layer in model.layers]
    if input_tensors is not None:
        first = flatten(input_tensors)
    elif isinstance(model._list[0] if model._list else None, InputLayer):
        first = [_by_config(model._list[0])]
    return Sequential([*first, *layers], name=model.name, trainable=model.trainable)


def _functional(model, input_tensors, clone, call):
    from cnncore.layers import Input

    old = flatten(model._inputs_struct)
    if input_tensors is None:
        input_tensors = map_leaves(lambda tensor: Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.name),
                                   model._inputs_struct)
    if len(flatten(input_tensors)) != len(old):
        raise ValueError(f"The model {model.name!r} has {len(old)} input(s). Received: {len(flatten(input_tensors))} "
                         "input_tensors")
    new = {id(tensor): fresh for tensor, fresh in zip(old, flatten(input_tensors), strict=True)}
    for node in _nodes_before(flatten(model._outputs_struct), {id(tensor) for tensor in old}):
        if not node.input_tensors or all(id(tensor) in new for tensor in node.output_tensors):
            continue
        args, kwargs = map_leaves(lambda leaf: new.get(id(leaf), leaf), [list(node.args), node.kwargs])
        results = flatten(call(clone(node.operation), *args, **kwargs))
        new.update((id(tensor), fresh) for tensor, fresh in zip(flatten(node.outputs), results, strict=True))
    outputs = map_leaves(lambda tensor: new[id(tensor)], model._outputs_struct)
    return Functional(input_tensors, outputs, name=model.name, trainable=model.trainable)


def _compile(clone_of, model):
    """Compiles a model as another one is, with an optimizer of its own."""
    from cnncore.saving import serialize_keras_object

    if not model.compiled:
        return
    try:
        clone_of.compile_from_config(serialize_keras_object(model.get_compile_config()))
    except ValueError as error:
        warnings.warn(f"The clone of {model.name!r} is not compiled: {error}", stacklevel=4)
