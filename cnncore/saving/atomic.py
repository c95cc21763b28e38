"""Files that are replaced whole: after a failed or killed write the old file is still there, unchanged."""
import contextlib
import errno
import os
import re
import secrets
import stat
import time
import warnings

_STALE_SECONDS = 60


@contextlib.contextmanager
def replacing(path, mode="wb", **options):
    """Opens a temporary file beside `path` that takes its place when the block ends without an error.

    The data is forced to disk before the old file gives way, in one rename. Whatever fails before that, a full disk or
    Ctrl-C included, leaves the old file as it was and no temporary file behind. A symbolic link goes on pointing to the
    file that is replaced, and that file's permissions are kept.

    Args:
        path: string or path of the file to write.
        mode: 'wb' or 'w'.
        **options: passed on to `open`, such as `encoding` or `newline`.

    Raises:
        ValueError: the mode is another one.
        OSError: the file cannot be written.

    Example:
        >>> import os, tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "notes.txt")
        >>> with replacing(path, "w") as file:
        ...     _ = file.write("whole")
        >>> open(path).read()
        'whole'
    """
    if mode not in ("wb", "w"):
        raise ValueError(f"A file is replaced whole, in mode 'wb' or 'w'. Received: mode={mode!r}")
    target = os.path.realpath(os.fspath(path))
    if os.path.isdir(target):
        raise IsADirectoryError(f"A file takes this place. Received: {os.fspath(path)!r}, which is a folder; add a "
                                "file name to it")
    folder, name = os.path.split(target)
    if not os.path.isdir(folder):
        raise FileNotFoundError(errno.ENOENT, "A file is written into a folder that exists; make this one first, with "
                                "os.makedirs", folder)
    _sweep(folder, f".{name[:100]}.")
    temporary = os.path.join(folder, f".{name[:100]}.{secrets.token_hex(8)}.tmp")
    # O_BINARY exists on Windows only, where without it line ends would be rewritten.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, 0o666)
    try:
        with os.fdopen(descriptor, mode, **options) as file:
            _lock(descriptor)
            if os.path.exists(target):
                os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(folder)


def write_bytes(path, data):
    """Replaces a file's content whole; see `replacing`.

    Args:
        path: string or path of the file to write.
        data: bytes-like object, or a list of them to write one after another.
    """
    with replacing(path) as file:
        for piece in data if isinstance(data, (list, tuple)) else [data]:
            file.write(piece)


def write_text(path, text):
    """Replaces a file's content whole with text in UTF-8; see `replacing`."""
    write_bytes(path, text.encode("utf-8"))


def remove(path):
    """Removes a file, if it is there, and all that killed writers of it left behind."""
    folder, name = os.path.split(os.path.realpath(os.fspath(path)))
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    _sweep(folder, f".{name[:100]}.", age=-1)


def _lock(descriptor):
    """Marks a file as being written; False if another process does that. The mark goes with the process."""
    try:
        import fcntl
    except ImportError:  # Windows, where killed writers' files stay
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError:
        return False


def _sweep(folder, prefix, age=_STALE_SECONDS):
    """Removes what killed writers of the same file left behind, lest checkpoint after checkpoint fills the disk."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if name.startswith(prefix) and re.fullmatch(r"[0-9a-f]{16}\.tmp", name[len(prefix):]):
                with contextlib.suppress(OSError), open(os.path.join(folder, name), "rb") as file:
                    # The age covers the moment between a file's making and its marking.
                    if time.time() - os.fstat(file.fileno()).st_mtime > age and _lock(file.fileno()):
                        os.unlink(file.name)


def _sync_folder(folder):
    """Forces the rename itself to disk, where folders can be opened at all."""
    if os.name != "posix":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        # The new file is whole and in its place, so this is no failed write; a power cut alone could undo it.
        warnings.warn(f"The folder {folder!r} could not be forced to disk: {error}. A file just saved there may be "
                      "lost if the power fails now", RuntimeWarning, stacklevel=5)
