"""Files from the web: downloaded once, checked, unpacked, and whole or not at all."""
import hashlib
import os
import secrets
import shutil
import tarfile
import urllib.parse
import urllib.request
import warnings
import zipfile
from pathlib import Path

_FREE_BYTES = 1 << 30  # archives may unpack to this much,
_MOST_RATIO = 100  # or to this many times their own size


def get_file(fname=None, origin=None, untar=False, md5_hash=None, file_hash=None, cache_subdir="datasets",
             hash_algorithm="auto", extract=False, archive_format="auto", cache_dir=None, force_download=False):
    """The path of a file from the web, which is downloaded where it is not on this machine yet.

    Args:
        fname: name that the file gets; the address's last part by default.
        origin: the file's address: https, http, ftp or file.
        untar: whether it is a tar archive to unpack; `extract` is the newer name.
        md5_hash: the file's MD5 hash; `file_hash` is the newer name.
        file_hash: the file's SHA-256 or MD5 hash, in hexadecimal. A file that has another is not accepted.
        cache_subdir: folder within the cache.
        hash_algorithm: 'sha256', 'md5' or 'auto', which tells them by the hash's length.
        extract: whether to unpack a tar or zip archive.
        archive_format: 'tar', 'zip', 'auto' for either, a list of these, or None for none.
        cache_dir: the cache; by default CNNCORE_HOME or ~/.cnncore. A file that lies in Keras's own cache already is
            taken from there.
        force_download: whether to download again what is there.

    Returns:
        The file's path, or, with `extract`, the path of the folder that it was unpacked to.

    Raises:
        ValueError: the address or the name is missing, the file's hash is another, or the archive is unsafe.
        OSError: the file cannot be had.

    Example:
        >>> import pathlib, tempfile
        >>> source = pathlib.Path(tempfile.mkdtemp(), "notes.txt")
        >>> _ = source.write_text("text")
        >>> path = get_file(origin=source.as_uri(), cache_dir=tempfile.mkdtemp())
        >>> open(path).read()
        'text'
    """
    if origin is None:
        raise ValueError("origin is the address to download from. Received: origin=None")
    if md5_hash is not None and file_hash is None:
        file_hash, hash_algorithm = md5_hash, "md5"
    given = fname is not None and os.fspath(fname) != ""
    name = os.fspath(fname) if given else os.path.basename(urllib.parse.urlsplit(origin).path)
    if not name:
        raise ValueError(f"fname must be given where the address does not end in a name. Received: origin={origin!r}")
    if os.path.basename(name) != name or name in (".", ".."):
        raise ValueError(f"fname is a name without folders. Received: fname={name!r}; use cache_dir and cache_subdir")
    unpacks = extract or untar
    folder = name  # that an archive is unpacked to
    if unpacks and given and "." in name:
        folder = name[:name.index(".")] + "_extracted"
    elif unpacks:
        name += "_archive"
    root = _cache(cache_dir, cache_subdir, name)
    path = root / name
    fresh = force_download or not path.is_file()
    if not fresh and file_hash is not None and not _has_hash(path, file_hash, hash_algorithm):
        print(f"{path} is not the file that file_hash belongs to; it is downloaded again")
        fresh = True
    if fresh:
        _download(origin, path, file_hash, hash_algorithm)
    if not unpacks:
        return str(path)
    if fresh or not (root / folder).is_dir():
        _unpack(path, root / folder, "tar" if untar else archive_format)
    return str(root / folder)


def _cache(cache_dir, subdir, name):
    """The folder for the file: where it lies already, else the first that is ours."""
    if cache_dir is not None:
        return Path(cache_dir).expanduser() / subdir
    own = Path(os.environ.get("CNNCORE_HOME") or Path.home() / ".cnncore").expanduser() / subdir
    keras = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras").expanduser() / subdir
    return keras if (keras / name).is_file() and not (own / name).is_file() else own


def _hasher(file_hash, algorithm):
    if algorithm not in ("auto", "md5", "sha256"):
        raise ValueError(f"hash_algorithm is 'auto', 'sha256' or 'md5'. Received: hash_algorithm={algorithm!r}")
    return "sha256" if algorithm == "sha256" or algorithm == "auto" and len(str(file_hash)) == 64 else "md5"


def _has_hash(path, file_hash, algorithm):
    digest = hashlib.new(_hasher(file_hash, algorithm))
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest() == str(file_hash).lower()


def _download(origin, path, file_hash, algorithm):
    """Puts the file behind an address into its place."""
    from cnncore.datasets import files

    path.parent.mkdir(parents=True, exist_ok=True)
    parts = urllib.parse.urlsplit(origin)
    part = path.parent / f".{path.name}.{secrets.token_hex(8)}.part"
    known = None if file_hash is None else f"{_hasher(file_hash, algorithm)}:{str(file_hash).lower()}"
    try:
        if parts.scheme == "file":
            shutil.copyfile(urllib.request.url2pathname(parts.path), part)
            if file_hash is not None and not _has_hash(part, file_hash, algorithm):
                raise ValueError("another hash")
            os.replace(part, path)
        else:
            print(f"Downloading data from {origin}")
            files.fetch(origin, path, known)
    except ValueError as error:
        if known is None:
            raise
        raise ValueError(f"The file must have the hash {known}. Received: another file from {origin}, damaged or changed; "
                         "check file_hash, or try again") from error
    except Exception as error:
        reason = files.first(error)
        raise OSError(f"{origin} could not be downloaded to {path} ({type(reason).__name__}: {reason}). Put the file there "
                      "by hand, or try again") from None  # what lies between says no more
    finally:
        part.unlink(missing_ok=True)


# ---- archives ----------------------------------------------------------------------------------------------------

def _unpack(path, folder, archive_format):
    """Unpacks an archive beside its folder, and moves the whole there."""
    formats = ["tar", "zip"] if archive_format == "auto" else archive_format or []
    formats = [formats] if isinstance(formats, str) else list(formats)
    for kind in formats:
        if kind not in ("tar", "zip"):
            raise ValueError("archive_format is 'auto', 'tar', 'zip' or a list of these. Received: archive_format="
                             f"{archive_format!r}")
    known = {"tar": (tarfile.is_tarfile, _unpack_tar), "zip": (zipfile.is_zipfile, _unpack_zip)}
    unpack = next((known[kind][1] for kind in formats if known[kind][0](path)), None)
    if unpack is None:
        warnings.warn(f"{path} is no archive of format {archive_format!r}, so nothing was unpacked", stacklevel=3)
        return
    room = folder.parent / f".{folder.name}.{secrets.token_hex(8)}.part"
    room.mkdir()
    try:
        unpack(path, room)
        old = folder.parent / f".{folder.name}.{secrets.token_hex(8)}.old"
        if folder.exists():
            os.replace(folder, old)
        os.replace(room, folder)
        shutil.rmtree(old, ignore_errors=True)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        raise ValueError(f"{path} is a damaged archive: {error}. Delete it to have it downloaded again") from error
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _inside(name, room, path):
    """Where a member goes; refuses names that lead out of the folder."""
    parts = Path(name.replace("\\", "/")).parts
    if not parts or ".." in parts or os.path.isabs(name) or ":" in parts[0] or "\0" in name or name.startswith("\\"):
        raise ValueError(f"An archive unpacks into its own folder. Received: {path} with the member {name!r}, which leads "
                         "elsewhere; do not trust it")
    return room.joinpath(*parts)


def _check_size(total, path):
    limit = max(_FREE_BYTES, _MOST_RATIO * path.stat().st_size)
    if total > limit:
        raise ValueError(f"{path} must unpack to at most {limit:,} bytes, by its own size. Received: {total:,} bytes or "
                         "more; it may have been made to fill the disk. Unpack it by hand if you trust it")


def _unpack_tar(path, room):
    with tarfile.open(path) as archive:
        total = 0
        for member in archive:
            if member.name in (".", "./"):
                continue
            target = _inside(member.name, room, path)
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
            elif member.isreg():
                total += member.size
                _check_size(total, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.extractfile(member) as source, open(target, "wb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
            else:
                warnings.warn(f"{member.name!r} in {path} is a link or a device, and is left out", stacklevel=4)


def _unpack_zip(path, room):
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        _check_size(sum(member.file_size for member in members), path)
        for member in members:
            target = _inside(member.filename, room, path)
            if member.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, open(target, "wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
