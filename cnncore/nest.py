"""Nests: dicts, lists and tuples of arrays or tensors, as models with several inputs or outputs take and give them."""


def is_nest(value):
    """Whether a value is a dict, list or tuple."""
    return isinstance(value, (dict, list, tuple))


def flatten(nest):
    """The leaves of a nest; those of a dict in the order of its sorted keys, as in Keras. None is a leaf."""
    if isinstance(nest, dict):
        return [leaf for key in sorted(nest) for leaf in flatten(nest[key])]
    if isinstance(nest, (list, tuple)):
        return [leaf for part in nest for leaf in flatten(part)]
    return [nest]


def pack(nest, leaves):
    """A nest like the given one, with other leaves in the order of `flatten`."""
    return _pack(nest, iter(leaves))


def _pack(nest, leaves):
    if isinstance(nest, dict):
        packed = {key: _pack(nest[key], leaves) for key in sorted(nest)}
        return {key: packed[key] for key in nest}
    if isinstance(nest, (list, tuple)):
        parts = [_pack(part, leaves) for part in nest]
        return type(nest)(*parts) if hasattr(nest, "_fields") else type(nest)(parts)
    return next(leaves)


def map_leaves(function, nest):
    """The same nest with `function` applied to every leaf."""
    return pack(nest, map(function, flatten(nest)))


def name_leaves(name, nest):
    """What to call each leaf in messages: x, x[0], x['image'], ... in the order of `flatten`."""
    if isinstance(nest, dict):
        return [leaf for key in sorted(nest) for leaf in name_leaves(f"{name}[{key!r}]", nest[key])]
    if isinstance(nest, (list, tuple)):
        return [leaf for i, part in enumerate(nest) for leaf in name_leaves(f"{name}[{i}]", part)]
    return [name]
