"""Which arrays a model is made of, and under which paths Keras keeps them."""
import re
import warnings

import numpy as np

from cnncore.random import SeedGenerator
from cnncore.saving import legacy_optimizer


def entries(model):
    """(path, name, arrays) of every part of a model, in Keras's order, for `h5_store.pack`."""
    found = []
    for path, part in walk(model):
        store = {}
        if _has_own(part, "save_own_variables"):
            part.save_own_variables(store)
        else:
            store = {str(i): _values(variable) for i, variable in enumerate(own_variables(part))}
        found.append((path, getattr(part, "name", None), store))
    return found


def load(model, reader, skip_mismatch=False, also=()):
    """Sets a model's variables from a file, all of them or, if any does not fit, none.

    Args:
        model: a built model.
        reader: `h5_store.H5Reader`.
        skip_mismatch: whether to leave parts that do not fit as they are, with a warning.
        also: paths of what the file holds besides the model.

    Raises:
        ValueError: the file has other layers or shapes than the model.
    """
    if hasattr(model, "optimizer"):
        _build_optimizer(model, reader)
    plan, problems, used, of_keras_2 = [], [], set(also), []
    for path, part in walk(model):
        used.add(path)
        saved = reader.shapes(path)
        if _has_own(part, "load_own_variables"):
            plan.append((part, path, sorted(saved)))
            continue
        variables = own_variables(part)
        if isinstance(part, SeedGenerator) and not saved:
            continue  # Keras's files do not keep these
        problem = _mismatch(variables, saved)
        if problem is None:
            plan.append((variables, path, [str(i) for i in range(len(variables))]))
        elif _is_optimizer(part) and (kept := legacy_optimizer.numbered(part, saved)) is not None:
            plan.append((kept, path, [str(i) for i in range(len(kept))]))
            of_keras_2.append(part)
        elif _is_optimizer(part):
            if saved or not reader.groups() >= {path}:
                warnings.warn(f"{reader.where} has no state for the optimizer {part.name!r} as it is now, which "
                              f"starts afresh: it {problem}", stacklevel=4)
        else:
            problems.append(f"{getattr(part, 'name', path)!r} (at {path or 'the top'}) {problem}")
    unknown = sorted(path for path in reader.groups() - used if reader.shapes(path) and path != "optimizer"
                     and not path.endswith("/seed_generator") and "_layer_checkpoint_dependencies" not in path
                     and not path.startswith("metrics/"))
    if problems:
        text = (f"{reader.where} must hold the variables of this model's layers. Received: {len(problems)} "
                f"layer{'s' if len(problems) > 1 else ''} of {getattr(model, 'name', 'the model')!r} whose variables do "
                f"not fit: {'; '.join(problems[:5])}{'; ...' if len(problems) > 5 else ''}")
        if not skip_mismatch:
            raise ValueError(text + ". Nothing was changed; build the model that the file was saved from, or pass "
                             "skip_mismatch=True")
        warnings.warn(text + ". They keep their values", stacklevel=3)
    elif unknown:
        warnings.warn(f"{reader.where} also holds layers that this model does not have: {', '.join(unknown[:5])}",
                      stacklevel=3)
    # Everything is read before anything is changed, so that a damaged array cannot leave half a model.
    arrays = [{key: reader.read(path, key) for key in keys} for _, path, keys in plan]
    for (target, _, _), store in zip(plan, arrays, strict=True):
        if isinstance(target, list):
            for i, variable in enumerate(target):
                _assign(variable, store[str(i)])
        else:
            target.load_own_variables(store)
    for optimizer in of_keras_2:
        legacy_optimizer.complete(optimizer)


def walk(model):
    """(path, part) of every layer, optimizer and seed generator, each once, the model itself first."""
    seen = set()

    def visit(part, path):
        if id(part) in seen:
            return
        seen.add(id(part))
        yield path, part
        for name, child in _children(part):
            yield from descend(child, f"{path}/{name}" if path else name, set())

    def descend(child, path, containers):
        if _is_part(child):
            yield from visit(child, path)
        elif isinstance(child, (list, tuple, dict)) and id(child) not in containers:
            containers.add(id(child))
            used = {}
            for item in child.values() if isinstance(child, dict) else child:
                if _is_part(item):
                    yield from visit(item, f"{path}/{_numbered(_path_name(item), used)}")
                elif isinstance(item, (list, tuple, dict)):
                    yield from descend(item, f"{path}/{_numbered('container', used)}", containers)

    yield from visit(model, "")


def own_variables(part):
    """The variables that belong to a part itself, not to its layers: trainable ones first, as in Keras."""
    if isinstance(part, SeedGenerator):
        return [part.state]
    if _is_optimizer(part):
        return list(part.variables)
    return [*part._trainable_variables, *part._non_trainable_variables]


def to_snake_case(name):
    """'MaxPooling2D' as 'max_pooling2d', the way Keras names the groups in a file."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _children(part):
    """(attribute name, value) of what may hold further parts, in the order in which Keras looks."""
    from cnncore import layers, models

    if isinstance(part, SeedGenerator) or _is_optimizer(part):
        return
    is_model = isinstance(part, models.Model)
    is_graph = is_model and (isinstance(part, models.Sequential) or _is_graph(part))
    if is_graph:
        yield "layers", part.layers
    names = set(vars(part))
    if is_model:
        names |= {"layers", "optimizer"}
        # What the library's own model classes keep in private attributes is theirs, not the user's.
        names -= {name for name in names if name.startswith("_")} if is_graph else set(_base_names(models.Model))
        names |= {"layers", "optimizer"}
    names -= set(_base_names(layers.Layer)) - {"layers", "optimizer"}
    for name in sorted(names, key=lambda name: "~" + name if name.startswith("_") else name):
        if name != "layers" or not is_graph:
            yield name, getattr(part, name, None)


def _base_names(cls):
    """The attributes that every instance of a base class has."""
    if cls not in _bases:
        _bases[cls] = frozenset(vars(cls(name="base")))
    return _bases[cls]


_bases = {}


def _is_graph(model):
    """Whether a model was made of inputs and outputs, be it by a class of the user's."""
    from cnncore import models

    functional = getattr(models, "Functional", None)
    return isinstance(model, functional) if functional is not None else getattr(model, "inputs", None) is not None


def _is_part(thing):
    from cnncore import layers

    return isinstance(thing, (layers.Layer, SeedGenerator)) or _is_optimizer(thing)


def _is_optimizer(thing):
    from cnncore import optimizers

    return isinstance(thing, optimizers.Optimizer)


def _path_name(part):
    """The name that a part's class gives its group."""
    from cnncore.saving.serialization import is_functional

    return to_snake_case("Functional" if is_functional(part) else type(part).__name__)


def _numbered(name, used):
    """The name, with _1, _2, ... where it was used before."""
    used[name] = used.get(name, -1) + 1
    return f"{name}_{used[name]}" if used[name] else name


def _has_own(part, method):
    """Whether the user's own class says how its variables are kept."""
    function = getattr(type(part), method, None)
    return function is not None and not (getattr(function, "__module__", None) or "cnncore").startswith("cnncore")


def _values(variable):
    return variable.copy() if isinstance(variable, np.ndarray) else np.asarray(variable.numpy())


def _mismatch(variables, saved):
    """In words what keeps saved arrays of these shapes from being these variables; None if nothing does."""
    if len(variables) != len(saved):
        return f"has {len(variables)} variables, the file {len(saved)}"
    for i, variable in enumerate(variables):
        if str(i) not in saved:
            return f"has a variable {i}, the file none of that number"
        if tuple(saved[str(i)]) != tuple(variable.shape):
            name = getattr(variable, "name", "state")
            return f"has {name} of shape {tuple(variable.shape)}, the file one of shape {tuple(saved[str(i)])}"
    return None


def _assign(variable, array):
    if isinstance(variable, np.ndarray):
        variable[...] = array
    else:
        variable.assign(array)


def _build_optimizer(model, reader):
    """Makes the optimizer's slots where the file has values for them."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and not optimizer.built and len(reader.shapes("optimizer")) > len(optimizer.variables):
        optimizer.build(model.trainable_variables)
