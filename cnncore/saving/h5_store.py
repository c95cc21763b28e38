"""Weights in HDF5 as Keras lays them out: one group `path/vars` per layer, with its arrays named '0', '1', ..."""
import hashlib
import io
import math
import os

import numpy as np

from cnncore.saving import limits

# A last line after the end of the HDF5 data, where every HDF5 reader ignores it: the checksum of all that comes before.
_TRAILER = b"\ncnncore sha256 "
_TRAILER_BYTES = len(_TRAILER) + 64 + 1
_MAX_GROUP_DEPTH = 64
_PLAIN_FILTERS = (1, 2, 3)  # deflate, shuffle, fletcher32: the ones that are part of HDF5 itself
_PIECE = 1 << 20


def pack(entries):
    """The bytes of an HDF5 file.

    Args:
        entries: list of (path, name, arrays): the group's path, the object's name (or None), and a dict from dataset
            names to arrays.
    """
    import h5py

    # Made in memory, so that a full disk or a broken connection finds HDF5 with nothing half written.
    with h5py.File("weights", "w", driver="core", backing_store=False) as file:
        for path, name, arrays in entries:
            group = file.require_group(path).create_group("vars") if path else file.create_group("vars")
            if name is not None:
                group.attrs["name"] = name
            for key, array in arrays.items():
                group.create_dataset(key, data=np.asarray(array))
        file.flush()
        return file.id.get_file_image()


def trailer(data):
    """The line to write behind `data`, by which a later read knows that every bit is as it was."""
    return _TRAILER + hashlib.sha256(data).hexdigest().encode() + b"\n"


class H5Reader:
    """Arrays of a weights file, checked for size, kind and links before any is read.

    Args:
        source: bytes, or a binary file open for reading.
        where: the file, for messages.

    Raises:
        ValueError: it is no HDF5 file, is damaged, or holds anything that weights do not need: links to elsewhere,
            data kept in other files, objects, absurd shapes.
    """

    def __init__(self, source, where):
        import h5py

        self.where = where
        source = io.BytesIO(source) if isinstance(source, bytes) else source
        self._size = source.seek(0, os.SEEK_END)
        _verify(source, self._size, where)
        try:
            self._file = h5py.File(source, "r")
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            raise ValueError(f"{where} must be an HDF5 file. Received: one that is damaged or of another kind "
                             f"({error})") from None
        self._datasets, self._groups, self._total = {}, set(), 0
        try:
            self._survey(self._file, "", 0)
        except (OSError, RuntimeError, KeyError, TypeError, OverflowError, UnicodeDecodeError) as error:
            self.close()
            raise ValueError(f"{where} must be a whole HDF5 file. Received: a damaged one ({error})") from None
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        """Lets go of the file; arrays that were read stay."""
        self._file.close()

    @property
    def total_bytes(self):
        """Size of all arrays together."""
        return self._total

    def groups(self):
        """Paths of all layers that the file has a group for, '' for the model itself."""
        return self._groups

    def shapes(self, path):
        """Dict from names to shapes of the arrays of one layer; empty where the file has none."""
        prefix = _join(self._resolve(path), "vars") + "/"
        return {key[len(prefix):]: dataset.shape for key, dataset in self._datasets.items()
                if key.startswith(prefix) and "/" not in key[len(prefix):]}

    def read(self, path, key):
        """One array."""
        return self._read(self._datasets[_join(self._resolve(path), "vars", key)], path, key)

    def _read(self, dataset, path, key):
        try:
            return np.asarray(dataset[()])
        except (OSError, RuntimeError) as error:
            raise ValueError(f"{self.where} must be a whole HDF5 file. Received: one whose array {path}/{key} cannot "
                             f"be read ({error})") from None

    def has(self, path):
        """Whether the file has a group or an array at this path."""
        return path in self._file

    def array(self, path):
        """One array by its full path, as the legacy layout names them; None if the file has none there."""
        folder, _, key = path.rpartition("/")
        dataset = self._datasets.get(path)
        return None if dataset is None else self._read(dataset, folder, key)

    def text(self, path, name):
        """A text attribute of a group: a string, a list of strings, or None if it has no such attribute."""
        def plain(value):
            return value.decode() if isinstance(value, bytes) else str(value)

        attributes = self._file[path or "/"].attrs
        if name not in attributes:
            return None
        number = attributes.get_id(name)
        if 0 in number.shape:  # an empty list, which has lost its kind
            return []
        if number.dtype.kind not in "SO" or math.prod(number.shape) > limits.MAX_VARIABLES:
            raise ValueError(f"The attribute {name!r} in {self.where} must be text. Received: dtype {number.dtype}, "
                             f"shape {number.shape}")
        try:
            value = attributes[name]
            return [plain(item) for item in value] if isinstance(value, np.ndarray) else plain(value)
        except (OSError, RuntimeError, TypeError, UnicodeDecodeError) as error:
            raise ValueError(f"The attribute {name!r} in {self.where} must be text. Received: {error}") from None

    def _resolve(self, path):
        """The path that this file uses: Keras of TensorFlow 2.13 gave `layers` another name."""
        if path not in self._groups:
            old = path.replace("layers", "_layer_checkpoint_dependencies")
            if old in self._groups:
                return old
        return path

    def _survey(self, group, path, depth):
        """Lists every array below a group, following nothing but HDF5's plain containment."""
        import h5py

        if depth > _MAX_GROUP_DEPTH:
            raise ValueError(f"{self.where} must have groups at most {_MAX_GROUP_DEPTH} deep. Received: more at "
                             f"{path[:80]!r}")
        for name in group:
            here = _join(path, name)
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise ValueError(f"{self.where} must hold its arrays itself. Received: {here!r}, which is a "
                                 f"{type(link).__name__} to elsewhere")
            child = group[name]
            if isinstance(child, h5py.Group):
                if name == "vars":
                    self._groups.add(path)
                self._survey(child, here, depth + 1)
            elif isinstance(child, h5py.Dataset):
                self._admit(child, here)
            else:
                raise ValueError(f"{self.where} must hold groups and arrays. Received: {here!r}, a "
                                 f"{type(child).__name__}")
            if len(self._datasets) + len(self._groups) > limits.MAX_VARIABLES:
                raise ValueError(f"{self.where} must hold at most {limits.MAX_VARIABLES:,} arrays. Received: more")

    def _admit(self, dataset, path):
        """Takes an array into the list if it is a plain one of believable size."""
        def refuse(received, expected="be plain numbers kept in the file itself"):
            raise ValueError(f"The array {path!r} in {self.where} must {expected}. Received: {received}")

        plist = dataset.id.get_create_plist()
        if plist.get_external_count():
            refuse("data in another file")
        if dataset.is_virtual:
            refuse("a virtual dataset, pieced together from other files")
        if dataset.shape is None or dataset.dtype.hasobject or dataset.dtype.kind not in "fiub":
            refuse(f"dtype {dataset.dtype}, shape {dataset.shape}")
        filters = [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]
        if any(number not in _PLAIN_FILTERS for number in filters):
            refuse(f"a compression that needs a plugin (filters {filters})")
        if len(dataset.shape) > limits.MAX_RANK:
            refuse(f"{len(dataset.shape)} dimensions", f"have at most {limits.MAX_RANK} dimensions")
        size = math.prod(dataset.shape) * dataset.dtype.itemsize
        self._total += size
        # Without compression an array cannot be larger than its file; with it, weights shrink little.
        allowed = max(64 * _PIECE, limits.MAX_EXPANSION * self._size) if filters else self._size
        chunk = math.prod(dataset.chunks) * dataset.dtype.itemsize if dataset.chunks else 0
        if size > allowed or self._total > max(allowed, self._size) or chunk > max(_PIECE, 2 * size):
            refuse(f"shape {dataset.shape}, {size:,} bytes in chunks of {chunk:,}, in a file of {self._size:,} bytes",
                   "fit in its file")
        self._datasets[path] = dataset


def _join(*parts):
    return "/".join(part for part in parts if part)


def _verify(file, size, where):
    """Compares the checksum behind the data with the data, where there is one."""
    file.seek(max(0, size - _TRAILER_BYTES))
    last = file.read(_TRAILER_BYTES)
    if not last.startswith(_TRAILER):
        file.seek(0)
        return
    digest, left = hashlib.sha256(), size - _TRAILER_BYTES
    file.seek(0)
    while left:
        piece = file.read(min(left, _PIECE))
        digest.update(piece)
        left -= len(piece)
    if _TRAILER + digest.hexdigest().encode() + b"\n" != last:
        raise ValueError(f"{where} must be as it was written. Received: other bytes than its checksum stands for; the "
                         "file is damaged, take a copy of it")
    file.seek(0)
