"""The optimizer's state in files of Keras 1 and 2, whose order and names differ from those of Keras 3."""
import numpy as np

# For each optimizer what it keeps for every weight: our list of variables, and the names that Keras 2 gave it, in the
# order in which Keras listed them before it named them.
_SLOTS = {
    "SGD": (("momentums", ("momentum", "m")),),
    "Adam": (("_momentums", ("m",)), ("_velocities", ("v",)), ("_velocity_hats", ("vhat",))),
    "RMSprop": (("_velocities", ("rms", "velocity")), ("_momentums", ("momentum",)),
                ("_average_gradients", ("mg", "average_gradient"))),
    "Adagrad": (("_accumulators", ("accumulator",)),),
    "Adadelta": (("_accumulated_grads", ("accum_grad", "accumulated_grad")),
                 ("_accumulated_delta_vars", ("accum_var", "accumulated_delta_var"))),
    "Adamax": (("_m", ("m",)), ("_u", ("v", "u"))),
    "Nadam": (("_momentums", ("m",)), ("_velocities", ("v",))),
    "Ftrl": (("_accumulators", ("accumulator",)), ("_linears", ("linear",))),
    "Lion": (("_momentums", ("m",)),),
}
_SLOTS["AdamW"] = _SLOTS["Adam"]
_AVERAGES = ("_averages", ("average",))


def modern_config(config):
    """An optimizer's configuration as Keras 1 and 2 wrote it, in the layout of Keras 3.

    Args:
        config: dict with 'class_name' and 'config'.
    """
    name, inner = config.get("class_name"), config["config"]
    # Keras of TensorFlow 2.11 and later registers its own optimizers as if they were a user's.
    own = name.rpartition(">")[2] if isinstance(name, str) and name.startswith("Custom>") else name
    name = own if own in _SLOTS else name
    inner = {{"lr": "learning_rate"}.get(key, key): value for key, value in inner.items()
             if key not in ("decay", "schedule_decay", "is_legacy_optimizer", "jit_compile")
             and (key, value) != ("epsilon", None)}
    decay, rate = config["config"].get("decay"), inner.get("learning_rate")
    if decay and name != "Nadam" and isinstance(rate, (int, float)):
        schedule = {"initial_learning_rate": rate, "decay_steps": 1, "decay_rate": decay}
        inner["learning_rate"] = {"module": "keras.optimizers.schedules", "class_name": "InverseTimeDecay",
                                  "config": schedule, "registered_name": None}
    return {**config, "class_name": name, "config": inner}


def values(optimizer, names, arrays):
    """Pairs of a variable and its value, as Keras 1 and 2 kept them; None where they are not this optimizer's.

    Args:
        optimizer: a built optimizer.
        names: list of the arrays' names in the file.
        arrays: the arrays, in the file's order.
    """
    slots = _SLOTS.get(type(optimizer).__name__)
    if slots is None or any(array is None for array in arrays):
        return None
    names = [name.partition(":")[0] for name in names]
    single, kept, steps = {}, [], None
    for name, array in zip(names, arrays, strict=True):
        if steps is None and array.shape == () and array.dtype.kind in "iu":
            steps = int(array)
        elif name.endswith("momentum_cache"):
            single["momentum_cache"] = array
        else:
            kept.append((name, array))
    pairs = [] if steps is None else [(optimizer._iterations, np.int64(steps))]
    if type(optimizer).__name__ == "Nadam":
        pairs.append((optimizer._u_product, single.get("momentum_cache", _product_of_u(optimizer.beta_1, steps or 0))))
    if not kept and not steps:  # saved before the first step
        return pairs
    wanted = [(getattr(optimizer, attribute), known) for attribute, known in (("_averages", ("average",)), *slots)]
    found = _by_name(kept, names, wanted) or _by_order(kept, wanted)
    for (variables, _), saved in zip(wanted, found, strict=True):
        if not variables:
            continue  # what Keras 2 kept for no use, such as the momentum of an SGD without
        if [a.shape for a in saved] != [tuple(v.shape) for v in variables]:
            return None
        pairs += zip(variables, saved, strict=True)
    return pairs


def numbered(optimizer, shapes):
    """The variables that an optimizer's arrays '0', '1', ... are, as Keras of TensorFlow 2.11 to 2.15 kept them; or None.

    Args:
        optimizer: a built optimizer.
        shapes: dict from the arrays' names to their shapes.
    """
    # The learning rate was no variable of an optimizer's then, nor was Nadam's product.
    without = (optimizer._rate, getattr(optimizer, "_u_product", None))
    kept = [v for v in optimizer.variables if not any(v is other for other in without)]
    expected = [tuple(v.shape) for v in kept]
    if type(optimizer).__name__ == "SGD" and len(kept) == 1 and len(shapes) > 1:  # it always had momentums
        expected += [tuple(v.shape) for v in optimizer._trainable_variables]
    return kept if shapes == {str(i): shape for i, shape in enumerate(expected)} else None


def complete(optimizer):
    """Sets what follows from the number of steps alone, after the variables of `numbered` were set."""
    if type(optimizer).__name__ == "Nadam":
        optimizer._u_product.assign(_product_of_u(optimizer.beta_1, int(optimizer._iterations.numpy())))


def _by_name(kept, names, wanted):
    """For each kind of variable its arrays, where TensorFlow named them; None where it did not."""
    # First 'Adam/dense/kernel/m', and from TensorFlow 2.11 on 'Adam/m/dense/kernel'.
    place = 1 if "iteration" in names else -1
    found = [[] for _ in wanted]
    for name, array in kept:
        part = name.split("/")[place] if "/" in name else name
        number = next((i for i, (_, known) in enumerate(wanted) if part in known), None)
        if number is None:
            return None
        found[number].append(array)
    return found


def _by_order(kept, wanted):
    """For each kind of variable its arrays, one kind after the other."""
    found, first = [], 0
    for variables, _ in wanted:
        found.append([array for _, array in kept[first:first + len(variables)]])
        first += len(variables)
    return found


def _product_of_u(beta_1, steps):
    """What Nadam multiplies up over its steps, which Keras 2 did not save."""
    t = np.arange(1, steps + 1, dtype="float64")
    return np.float32(np.prod(beta_1 * (1 - 0.5 * 0.96**t)))
