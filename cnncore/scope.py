"""Where a variable is being made: the names of the layers around, which become its path, 'model/dense/kernel'."""
import threading


class _Open(threading.local):
    def __init__(self):
        self.stack = []  # pairs of a layer and its path, the innermost last


_open = _Open()


def path_in_scope(name):
    """The path of something of this name that is made here."""
    return f"{_open.stack[-1][1]}/{name}" if _open.stack else name


def path_in(owner, name):
    """The path of a variable that a layer makes, wherever it makes it."""
    stack = _open.stack
    if stack and stack[-1][0] is owner:
        return f"{stack[-1][1]}/{name}"
    return f"{path_of(owner) or path_in_scope(owner.name)}/{name}"


def path_of(owner):
    """The path of a layer; None before it was built or called, which settles it."""
    parent = owner._parent_path
    return None if parent is None else f"{parent}/{owner.name}" if parent else owner.name


class scope:
    """What is made in the body belongs to a layer. The first such body settles what the layer itself belongs to."""

    __slots__ = ("owner", "opened")

    def __init__(self, owner):
        self.owner = owner

    def __enter__(self):
        stack, owner = _open.stack, self.owner
        self.opened = not stack or stack[-1][0] is not owner
        if self.opened:
            if owner._parent_path is None:
                object.__setattr__(owner, "_parent_path", stack[-1][1] if stack else "")
            stack.append((owner, path_of(owner)))

    def __exit__(self, *_):
        if self.opened:
            _open.stack.pop()
