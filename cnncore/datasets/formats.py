"""Reading data sets' file formats: npz, idx and CIFAR's binary records, each checked before anything is allocated."""
import gzip
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np

MOST_BYTES = 1 << 30  # no file of these data sets holds more


def read_npz(path, shapes):
    """Arrays of an .npz file by name, uint8.

    Args:
        path: of the file.
        shapes: {name: shape}, None for any length.

    Raises:
        ValueError: an array is missing or is not what it should be.
    """
    arrays = {}
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}
        for name, size in sizes.items():
            if size > MOST_BYTES:
                raise ValueError(f"{name} holds {size} bytes, more than {MOST_BYTES}")
        with np.load(path, allow_pickle=False) as file:
            for name, shape in shapes.items():
                if name not in file.files:
                    raise ValueError(f"it has {', '.join(file.files)} but no {name}")
                array = file[name]
                if array.dtype.kind not in "iu" or len(array.shape) != len(shape) or any(
                        n is not None and n != m for n, m in zip(shape, array.shape)):
                    raise ValueError(f"{name} must be whole numbers of shape {shape}, it is {array.dtype} of shape "
                                     f"{array.shape}")
                arrays[name] = array if array.dtype == np.uint8 else array.astype(np.uint8)
    except (ValueError, zipfile.BadZipFile, zlib.error, KeyError, EOFError) as error:
        raise ValueError(f"{path} is no data set file: {error}. Delete it to have it downloaded again") from error
    return arrays


def read_idx(path, axes):
    """The array in an idx file of unsigned bytes, plain or gzipped.

    Args:
        path: of the file.
        axes: how many axes it must have.

    Raises:
        ValueError: the file is damaged or holds something else.
    """
    path = Path(path)
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rb") as file:
            header = file.read(4 + 4 * axes)
            if len(header) < 4 + 4 * axes or header[:3] != b"\0\0\x08" or header[3] != axes:
                raise ValueError(f"an idx file of bytes with {axes} axes begins with 0, 0, 8, {axes}; it begins with "
                                 f"{', '.join(map(str, header[:4]))}")
            shape = tuple(int.from_bytes(header[4 + 4 * i:8 + 4 * i], "big") for i in range(axes))
            size = 1
            for length in shape:
                size *= length
            if size > MOST_BYTES:
                raise ValueError(f"its header says {shape}, which is {size} bytes, more than {MOST_BYTES}")
            data = file.read(size + 1)
            if len(data) != size:
                raise ValueError(f"its header says {shape}, which is {size} bytes, but it holds "
                                 f"{'more' if len(data) > size else len(data)}")
    except (ValueError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} is no data set file: {error}. Delete it to have it downloaded again") from error
    return np.frombuffer(data, np.uint8).reshape(shape).copy()


PIXELS = 3 * 32 * 32  # red, green and blue planes, after the labels of a record


def cifar_records(data, where, classes=(10,)):
    """(images (n, 32, 32, 3), labels (n, 1) for each kind of label) of CIFAR's binary records.

    Args:
        data: bytes.
        where: the file, for messages.
        classes: how many classes each of a record's labels counts: (10,) in CIFAR-10, (20, 100) in CIFAR-100.

    Raises:
        ValueError: these are not whole records, or a label is none of the classes.
    """
    kind, size = f"CIFAR-{classes[-1]}", len(classes) + PIXELS
    if not data or len(data) % size:
        raise ValueError(f"{where} is no {kind} file: records have {size} bytes, it holds {len(data)}")
    records = np.frombuffer(data, np.uint8).reshape(-1, size)
    labels = [records[:, i:i + 1].copy() for i in range(len(classes))]
    for column, count in zip(labels, classes):
        if column.max() >= count:
            raise ValueError(f"{where} is no {kind} file: labels are 0 to {count - 1}, it has a {column.max()}")
    planes = records[:, len(classes):].reshape(-1, 3, 32, 32)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), *labels


def read_tar(path, names):
    """The contents of these members of a gzipped tar file, in order; nothing is unpacked to disk.

    Raises:
        ValueError: a member is missing, no regular file, or too large.
    """
    found = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                if member.name in names and member.name not in found:
                    if not member.isreg() or member.size > MOST_BYTES:
                        raise ValueError(f"{member.name} is no regular file of at most {MOST_BYTES} bytes")
                    found[member.name] = archive.extractfile(member).read()
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError) as error:
        raise ValueError(f"{path} is no data set file: {error}. Delete it to have it downloaded again") from error
    missing = [name for name in names if name not in found]
    if missing:
        raise ValueError(f"{path} is no data set file: it has no {missing[0]}. Delete it to have it downloaded again")
    return [found[name] for name in names]
