"""Weights in the '.safetensors' format: a length, a JSON table of names, types and places, and the numbers."""
import hashlib
import json
import math
import os
import struct

import numpy as np

from cnncore.saving import atomic, limits

# The format's names of types; BF16 is read, as the float32 numbers that it abbreviates.
_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U64": "<u8",
          "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?"}
_NAMES = {np.dtype(kind): name for name, kind in _TYPES.items()}
_WIDTHS = {name: np.dtype(kind).itemsize for name, kind in _TYPES.items()} | {"BF16": 2}
_PIECE = 1 << 20


def write(path, entries):
    """Writes a file whole.

    Args:
        path: string or path of the file.
        entries: list of (path, name, arrays) as for `h5_store.pack`; a tensor is called as the array is in a
            '.weights.h5' file, such as 'layers/conv2d/vars/0'.
    """
    tensors, pieces, end = {}, [], 0
    arrays = [(f"{folder}/vars/{key}" if folder else f"vars/{key}", np.asarray(array))
              for folder, _, store in entries for key, array in store.items()]
    # Wider numbers first, as the format's own writer has them, so that each lies at a multiple of its width.
    for name, array in sorted(arrays, key=lambda pair: (-pair[1].dtype.itemsize, pair[0])):
        kind = array.dtype.newbyteorder("<")
        if kind not in _NAMES:
            raise ValueError(f"A '.safetensors' file holds plain numbers. Received: dtype {array.dtype} of {name!r}; save "
                             "in a '.weights.h5' file")
        pieces.append(np.ascontiguousarray(array, kind).tobytes())
        tensors[name] = {"dtype": _NAMES[kind], "shape": list(array.shape),
                         "data_offsets": [end, end + len(pieces[-1])]}
        end += len(pieces[-1])
    digest = hashlib.sha256(_canonical(tensors))
    for piece in pieces:
        digest.update(piece)
    table = json.dumps({"__metadata__": {"format": "cnncore", "sha256": digest.hexdigest()}, **tensors}).encode()
    table += b" " * (-len(table) % 8)
    atomic.write_bytes(path, [struct.pack("<Q", len(table)), table, *pieces])


class SafetensorsReader:
    """Arrays of a file, its whole table checked before any is read; a twin of `h5_store.H5Reader`.

    Args:
        file: binary file open for reading.
        where: the file, for messages.

    Raises:
        ValueError: the table is damaged, or places tensors where none can be.
    """

    def __init__(self, file, where):
        self.where, self._file = where, file
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        head = file.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else size
        if length > min(size - 8, limits.MAX_CONFIG_BYTES):
            raise ValueError(f"{where} must begin with the length of its table, at most {limits.MAX_CONFIG_BYTES:,} "
                             f"bytes. Received: {length:,} in a file of {size:,} bytes; it is damaged or of another kind")
        tensors = limits.parse_json(file.read(length), f"the table of {where}")
        metadata = tensors.pop("__metadata__", None) or {}
        self._start, self.total_bytes = 8 + length, size - 8 - length
        self._tensors = {name: self._admit(name, entry) for name, entry in tensors.items()}
        self._check_places()
        if isinstance(metadata, dict) and metadata.get("format") == "cnncore" and "sha256" in metadata:
            self._verify(tensors, metadata["sha256"])

    def groups(self):
        """Paths of all layers that the file has tensors of, '' for the model itself."""
        return {name.rpartition("/")[0].rpartition("vars")[0].rstrip("/") for name in self._tensors if "vars/" in name}

    def shapes(self, path):
        """Dict from names to shapes of the arrays of one layer; empty where the file has none."""
        prefix = f"{path}/vars/" if path else "vars/"
        return {name[len(prefix):]: shape for name, (_, shape, _, _) in self._tensors.items()
                if name.startswith(prefix) and "/" not in name[len(prefix):]}

    def read(self, path, key):
        """One array."""
        kind, shape, begin, end = self._tensors[f"{path}/vars/{key}" if path else f"vars/{key}"]
        self._file.seek(self._start + begin)
        data = self._file.read(end - begin)
        if len(data) != end - begin:
            raise ValueError(f"{self.where} must be as long as its table says. Received: {len(data):,} of "
                             f"{end - begin:,} bytes of {path}/{key}")
        if kind == "BF16":
            array = (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")
        else:
            array = np.frombuffer(data, _TYPES[kind])
        return array.reshape(shape).astype(array.dtype.newbyteorder("="))

    def _admit(self, name, entry):
        """(type, shape, begin, end) of one tensor, if it is as large as its place."""
        entry = entry if isinstance(entry, dict) else {}
        kind, shape, places = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
        known = isinstance(kind, str) and kind in _WIDTHS and _are_counts(shape) and _are_counts(places)
        if (not known or len(shape) > limits.MAX_RANK or len(places) != 2 or places[1] > self.total_bytes
                or places[1] - places[0] != math.prod(shape) * _WIDTHS[kind]):
            raise ValueError(f"{self.where} must hold tensors of plain numbers, each as large as its place. Received: "
                             f"{name[:80]!r} with dtype {kind!r:.40}, shape {shape!r:.80}, data_offsets {places!r:.80}")
        return kind, tuple(shape), places[0], places[1]

    def _check_places(self):
        """Refuses tensors that overlap, and bytes that belong to none."""
        at = 0
        for begin, end in sorted((begin, end) for _, _, begin, end in self._tensors.values()):
            if begin != at:
                raise ValueError(f"{self.where} must hold its tensors one behind the other. Received: one that begins at "
                                 f"{begin:,} where the last ended at {at:,}")
            at = end
        if at != self.total_bytes:
            raise ValueError(f"{self.where} must end with its last tensor. Received: {self.total_bytes:,} bytes of "
                             f"numbers, {at:,} in the table")

    def _verify(self, tensors, wanted):
        """Compares the checksum in the table with the table and the numbers."""
        digest = hashlib.sha256(_canonical(tensors))
        self._file.seek(self._start)
        while piece := self._file.read(_PIECE):
            digest.update(piece)
        if digest.hexdigest() != wanted:
            raise ValueError(f"{self.where} must be as it was written. Received: other bytes than its checksum stands "
                             "for; the file is damaged, take a copy of it")


def _canonical(tensors):
    return json.dumps(tensors, sort_keys=True).encode()


def _are_counts(value):
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 1 << 62 for n in value)
