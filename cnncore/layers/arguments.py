"""Arguments that many layers share and that stand for objects: taken in from names, and written to configurations."""
from cnncore import activations, constraints, initializers, regularizers

_ROOMS = {"initializer": initializers, "regularizer": regularizers, "constraint": constraints,
          "activation": activations}


def take_in(layer, **arguments):
    """Sets attributes: initializers, regularizers, constraints and activations as objects, by the ends of their names."""
    for name, value in arguments.items():
        room = _ROOMS.get(name.rpartition("_")[2])
        setattr(layer, name, room.get(value) if room else value)


def written(layer, *names):
    """The attributes of these names as a configuration holds them."""
    config = {}
    for name in names:
        room = _ROOMS.get(name.rpartition("_")[2])
        config[name] = room.serialize(getattr(layer, name)) if room else getattr(layer, name)
    return config
