"""Sums of products by Einstein's notation."""
import math
import string

from cnncore.ops.elementwise import cast, multiply
from cnncore.ops.matmul import matmul
from cnncore.ops.movement import reshape, transpose
from cnncore.ops.reductions import sum as total
from cnncore.tensor import convert


def _labels(subscripts, shapes):
    """(labels of each operand, labels of the result), with letters in place of dots."""
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    parts = left.split(",")
    if len(parts) != len(shapes):
        raise ValueError(f"einsum takes an array for each part of its subscripts. Received: {len(shapes)} for "
                         f"{subscripts!r}")
    free = [letter for letter in string.ascii_letters if letter not in text]
    counts = [len(shape) - len(part.replace("...", "")) if "..." in part else 0
              for part, shape in zip(parts, shapes, strict=True)]
    dots = "".join(free[:max(counts)])
    parts = [part.replace("...", dots[len(dots) - count:]) for part, count in zip(parts, counts, strict=True)]
    if not arrow:
        letters = "".join(parts)
        right = dots + "".join(sorted(one for one in set(letters) if letters.count(one) == 1 and one not in dots))
    right = right.replace("...", dots)
    for part, shape in zip(parts, shapes, strict=True):
        if len(part) != len(shape) or len(set(part)) != len(part):
            raise ValueError("einsum names each axis of an array by a letter of its own. Received: "
                             f"{subscripts!r} for shapes {', '.join(map(str, shapes))}")
    if len(set(right)) != len(right) or not set(right) <= set("".join(parts)):
        raise ValueError(f"The result of einsum has axes of its operands, each once. Received: {subscripts!r}")
    lengths = {}
    for part, shape in zip(parts, shapes, strict=True):
        for letter, length in zip(part, shape, strict=True):
            if lengths.setdefault(letter, length) != length:
                raise ValueError("Axes of one letter have one length. Received: "
                                 f"{subscripts!r} for shapes {', '.join(map(str, shapes))}")
    return parts, right


def _ordered(x, labels, wanted):
    """x with its axes in another order, axes of length 1 for letters that it does not have."""
    x = transpose(x, [labels.index(letter) for letter in wanted if letter in labels])
    lengths = iter(x.shape)
    return reshape(x, [next(lengths) if letter in labels else 1 for letter in wanted])


def _pair(a, left, b, right, needed):
    """The product of two operands, summed over the letters that both have and nobody needs any more."""
    both = [letter for letter in left if letter in right]
    summed, kept = ([letter for letter in both if (letter in needed) == keep] for keep in (False, True))
    rows, columns = ([letter for letter in part if letter not in both] for part in (left, right))
    labels = "".join(kept + rows + columns)
    if not summed:
        return multiply(_ordered(a, left, labels), _ordered(b, right, labels)), labels
    size = dict(zip([*left, *right], [*a.shape, *b.shape], strict=True))
    count, depth, height, width = (math.prod(size[letter] for letter in part) for part in (kept, summed, rows, columns))
    a = reshape(_ordered(a, left, [*kept, *rows, *summed]), (count, height, depth) if kept else (height, depth))
    b = reshape(_ordered(b, right, [*kept, *summed, *columns]), (count, depth, width) if kept else (depth, width))
    return reshape(matmul(a, b), [size[letter] for letter in labels]), labels


def einsum(subscripts, *operands, **kwargs):
    """The sum of products over the letters that the result does not have: 'ij,jk->ik' multiplies matrices.

    A letter stands for an axis, '...' for any axes in front. Each axis of an operand has a letter of its own.
    """
    arrays = [cast(convert(x), "float32") for x in operands]
    parts, right = _labels(subscripts, [x.shape for x in arrays])
    y, labels = None, ""
    for i, (x, part) in enumerate(zip(arrays, parts, strict=True)):
        needed = set(right).union(*parts[i + 1:])
        alone = [at for at, letter in enumerate(part) if letter not in needed and letter not in labels]
        if alone:
            x, part = total(x, alone), "".join(letter for at, letter in enumerate(part) if at not in alone)
        y, labels = (x, part) if y is None else _pair(y, labels, x, part, needed)
    unneeded = [at for at, letter in enumerate(labels) if letter not in right]
    if unneeded:
        y, labels = total(y, unneeded), "".join(letter for letter in labels if letter in right)
    return transpose(y, [labels.index(letter) for letter in right])
