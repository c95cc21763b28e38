"""The '.keras' container: a zip of metadata.json, config.json and model.weights.h5, read within limits."""
import datetime
import errno
import io
import json
import struct
import zipfile
import zlib

from cnncore.saving import atomic, legacy_config, limits

_METADATA, _CONFIG, _WEIGHTS = MEMBERS = ("metadata.json", "config.json", "model.weights.h5")
# The version of Keras whose layout this is; Keras shows it and does nothing else with it.
_LAYOUT_VERSION = "3.10.0"


def write(path, config, weights):
    """Writes a '.keras' file whole.

    Args:
        path: string or path of the file.
        config: JSON-ready dict of the model.
        weights: bytes of its HDF5 file.
    """
    metadata = {"keras_version": _LAYOUT_VERSION,
                "date_saved": datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        contents = (json.dumps(metadata).encode(), json.dumps(config).encode(), weights)
        for name, data in zip(MEMBERS, contents, strict=True):
            # A fixed date, so that the same model gives the same bytes but for date_saved.
            archive.writestr(zipfile.ZipInfo(name), data)
    atomic.write_bytes(path, buffer.getbuffer())


def read(path, where):
    """The configuration, in the layout of Keras 3, and the HDF5 bytes of a '.keras' file.

    Raises:
        ValueError: it is no zip, or has other members, other sizes or other checksums than it should.
        OSError: it cannot be read.
    """
    try:
        with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            members = _check_members(archive, where)
            metadata = _read(archive, members[_METADATA], limits.MAX_METADATA_BYTES, where)
            config = _read(archive, members[_CONFIG], limits.MAX_CONFIG_BYTES, where)
            weights = _read(archive, members[_WEIGHTS], None, where)
    except (zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, EOFError, RuntimeError, KeyError,
            IndexError, OverflowError, UnicodeDecodeError, OSError) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # EINVAL: an offset before the file's start
            raise
        raise ValueError(f"{where} must be a whole zip of {', '.join(MEMBERS)}. Received: a file that is damaged or of "
                         f"another kind ({error})") from None
    metadata = limits.parse_json(metadata, f"{_METADATA} in {where}")
    config = limits.parse_json(config, f"{_CONFIG} in {where}")
    if legacy_config.is_old(metadata.get("keras_version")):
        config = _modern(config)
    return config, weights


def _modern(config):
    """A configuration as Keras 2.12 to 2.15 wrote it, in the layout of Keras 3."""
    training = config.get("compile_config")
    config = legacy_config.modern_model(config)
    return config | {"compile_config": legacy_config.modern_training(training)} if isinstance(training, dict) else config


def _check_members(archive, where):
    """The three members by name; refuses anything else before a byte of it is unpacked."""
    members = {}
    for info in archive.infolist():
        if info.filename not in MEMBERS or info.filename in members:
            raise ValueError(f"{where} must hold {', '.join(MEMBERS)} once each and nothing else. Received: a member "
                             f"{info.filename[:80]!r}")
        if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{where} must be stored or deflated, without a password. Received: {info.filename} with "
                             f"method {info.compress_type}, flags {info.flag_bits:#x}")
        members[info.filename] = info
    missing = [name for name in MEMBERS if name not in members]
    if missing:
        raise ValueError(f"{where} must hold {', '.join(MEMBERS)}. Received: one without {', '.join(missing)}")
    return members


def _read(archive, info, most, where):
    """One member, its checksum verified, after a look at the size it claims."""
    packed = info.compress_size if info.compress_type == zipfile.ZIP_DEFLATED else info.file_size
    most = max(64 << 20, 20 * packed) if most is None else most
    if info.compress_type == zipfile.ZIP_STORED and info.file_size != info.compress_size or info.file_size > most:
        raise ValueError(f"{info.filename} in {where} must unpack to at most {most:,} bytes. Received: "
                         f"{info.file_size:,} bytes packed in {info.compress_size:,}")
    with archive.open(info) as member:
        data = member.read(info.file_size + 1)
    if len(data) != info.file_size:
        raise ValueError(f"{info.filename} in {where} must have the size that the zip says. Received: "
                         f"{len(data):,} of {info.file_size:,} bytes")
    return data
