"""Every public name of Keras is here with its arguments, or stands with a reason in docs/keras-compatibility.md."""
import functools
import inspect
import os
import pathlib
import re
from importlib import import_module

os.environ.setdefault("KERAS_BACKEND", "numpy")

import pytest
from beside_keras import signature

import cnncore

keras = pytest.importorskip("keras", exc_type=ImportError)
if tuple(map(int, keras.__version__.split(".")[:2])) < (3, 15):
    pytest.skip("the names are those of Keras 3.15", allow_module_level=True)

PAGE = pathlib.Path(__file__).parent.parent / "docs" / "keras-compatibility.md"
ROOMS = ("layers", "callbacks", "losses", "metrics", "optimizers", "optimizers.schedules", "initializers", "regularizers",
         "constraints", "utils", "datasets", "activations", "backend", "preprocessing", "preprocessing.image", "saving",
         "models", "ops", "ops.image", "random", "keras", "config", "applications",
         *(f"applications.{name}" for name, value in sorted(vars(keras.applications).items())
           if inspect.ismodule(value) and hasattr(cnncore.applications, name)),
         *(f"datasets.{name}" for name in ("cifar10", "cifar100", "fashion_mnist", "mnist")))
CLASSES = ("Model", "Sequential", "Layer")


@functools.lru_cache(1)
def page():
    """{title: [cells of each row of the table under it]}"""
    found, title = {}, None
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            title = line[3:]
        elif line.startswith("|") and title and not line.startswith("|---"):
            found.setdefault(title, []).append([cell.strip() for cell in line.strip("|").split("|")])
    return {title: rows[1:] for title, rows in found.items()}


def names_in(cell):
    return re.findall(r"`([^`]+)`", cell)


def listed(title, room):
    return {name for row in page()[title] if row[0] == room for name in names_in(row[1])}


def ours(room):
    """Our module of a room; `keras` is the whole library."""
    module = cnncore
    if room == "keras":
        return module
    for part in room.split("."):
        module = getattr(module, part)
    return module


def theirs(room):
    return keras if room == "keras" else import_module(f"keras.{room}")


def public(thing):
    return [name for name in dir(thing) if not name.startswith("_")]


def arguments(thing):
    """(name, kind, default) of each argument; tuples and lists of the same numbers are the same default."""
    return [(p.name, p.kind.name, list(p.default) if isinstance(p.default, tuple) else p.default)
            for p in signature(thing)]


def different():
    return {name for row in page()["Other arguments"] for name in names_in(row[0])}


def at(library, name):
    """What stands in a library at `room.name`."""
    return functools.reduce(getattr, name.removeprefix("keras.").split("."), library)


def is_different(room, name):
    """Whether something, or what it is another name of, is listed with other arguments."""
    thing = getattr(ours(room), name)
    return f"{room}.{name}" in different() or any(at(cnncore, listed) is thing for listed in different())


@pytest.mark.parametrize("room", ROOMS)
def test_every_name_is_here_or_left_out_with_a_reason(room):
    names, here = public(theirs(room)), ours(room)
    missing = {name for name in names if not hasattr(here, name)}
    left_out = listed("Left out", room)
    assert missing <= left_out, f"{room}: {sorted(missing - left_out)} are neither here nor listed"
    assert left_out <= missing, f"{room}: {sorted(left_out - missing)} are listed as left out but here"
    assert left_out <= set(names), "the page lists names that Keras does not have"


@pytest.mark.parametrize("room", ROOMS)
def test_every_name_takes_keras_arguments(room):
    here, wrong = ours(room), []
    for name in public(theirs(room)):
        mine, other = getattr(here, name, None), getattr(theirs(room), name)
        if mine is None or not callable(other) or is_different(room, name):
            continue
        if arguments(mine) != arguments(other):
            wrong.append(f"{name}: {arguments(mine)} instead of {arguments(other)}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("cls", CLASSES)
def test_every_method_takes_keras_arguments(cls):
    mine, other = getattr(cnncore, cls), getattr(keras, cls)
    left_out = {name for row in page()["Methods"] for name in names_in(row[0])}
    missing = {name for name in public(other) if not hasattr(mine, name)}
    assert missing <= left_out, f"{cls}: {sorted(missing - left_out)} are neither here nor listed"
    wrong = []
    for name in public(other):
        method = getattr(other, name)
        if name in missing | left_out or not callable(method) or f"{cls}.{name}" in different():
            continue
        if arguments(getattr(mine, name)) != arguments(method):
            wrong.append(f"{name}: {arguments(getattr(mine, name))} instead of {arguments(method)}")
    assert not wrong, "\n".join(wrong)


def test_methods_that_are_left_out_are_missing_somewhere():
    for row in page()["Methods"]:
        for name in names_in(row[0]):
            assert any(not hasattr(getattr(cnncore, cls), name) for cls in CLASSES), name


def test_differences_that_are_listed_are_there():
    for full in different():
        assert arguments(at(cnncore, full)) != arguments(at(keras, full)), f"{full} is as in Keras"


def test_every_row_is_of_a_room_that_is_compared_and_has_a_reason():
    assert {row[0] for row in page()["Left out"]} <= set(ROOMS)
    assert "not yet" not in PAGE.read_text(encoding="utf-8")
    for title in ("Left out", "Other arguments", "Methods"):
        assert page()[title]
        for row in page()[title]:
            assert len(row[-1]) > 4 and names_in(row[-2]), row


def test_the_comparison_notices_what_is_other():
    def here(x, axis=-1):
        pass

    def there(x, axis=0):
        pass

    assert arguments(here) != arguments(there) and arguments(here) == arguments(here)
    assert arguments(lambda a, b: 0) != arguments(lambda b, a: 0)
    assert arguments(lambda a=(1, 2): 0) == arguments(lambda a=[1, 2]: 0)
