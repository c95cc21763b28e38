"""Where data sets lie on disk, and how those that do not are downloaded: checked, and whole or not at all."""
import os
from pathlib import Path


def folders():
    """The folders to look in, in order: CNNCORE_HOME/datasets, then Keras's own cache."""
    home = Path(os.environ.get("CNNCORE_HOME") or Path.home() / ".cnncore")
    keras = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    return [home.expanduser() / "datasets", keras.expanduser() / "datasets"]


def find(*names):
    """The first folder-and-name that exists, names of one folder before the next folder; None where none does."""
    for folder in folders():
        for name in names:
            if (folder / name).is_file():
                return folder / name
    return None


def find_all(names, subfolders=("",), endings=("", ".gz")):
    """Paths of all these files, together in one folder or subfolder, each with one of the endings; None where a file
    is missing."""
    for folder in folders():
        for sub in subfolders:
            paths = [next((folder / sub / (name + ending) for ending in endings
                           if (folder / sub / (name + ending)).is_file()), None) for name in names]
            if all(paths):
                return paths
    return None


def download(what, files, folder=""):
    """Downloads {file name: (address, sha256)} into the first of `folders()`; returns their paths.

    Raises:
        OSError: a file cannot be had; the message names the files, where to put them and where to get them.
    """
    target = folders()[0] / folder
    paths = []
    for name, (address, sha256) in files.items():
        path = target / name
        if not path.is_file():
            try:
                fetch(address, path, f"sha256:{sha256}")
            except Exception as error:
                addresses = {name: address for name, (address, _) in files.items()}
                # What lies between says no more.
                raise OSError(advice(f"{what} is", addresses, [target, *folders()[1:]], error)) from None
        paths.append(path)
    return paths


def first(error):
    """The error that an error, by way of others, came of."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__
    return error


def fetch(address, path, known_hash):
    """Downloads one file beside its place, checks it by 'sha256:...' or 'md5:...', None where that is not known, and
    moves it there."""
    import pooch

    path.parent.mkdir(parents=True, exist_ok=True)
    part = f".{path.name}.part{os.getpid()}"
    downloader = pooch.HTTPDownloader(progressbar=_Progress(path.name), timeout=20)
    log = pooch.get_logger()
    level = log.level
    log.setLevel("WARNING")  # the bar says it all
    try:
        fetched = pooch.retrieve(address, known_hash, part, path.parent, downloader=downloader)
        with open(fetched, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(fetched, path)
    finally:
        log.setLevel(level)
        (path.parent / part).unlink(missing_ok=True)


class _Progress:
    """What pooch asks of a progress bar, shown by rich."""

    def __init__(self, name):
        self.name, self.bar, self.task, self._total = name, None, None, 0

    @property
    def total(self):
        return self._total

    @total.setter
    def total(self, value):
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

        self._total = value
        self.bar = Progress(TextColumn("{task.description}"), BarColumn(), DownloadColumn())
        self.bar.start()
        self.task = self.bar.add_task(self.name, total=value)

    def update(self, size):
        if self.bar is not None:
            self.bar.update(self.task, advance=size)

    def reset(self):
        if self.bar is not None:
            self.bar.update(self.task, completed=0)

    def close(self):
        if self.bar is not None:
            self.bar.update(self.task, completed=self._total)
            self.bar.stop()


def advice(what, addresses, places, error):
    """What to do about files that can be neither found nor downloaded.

    Args:
        what: what the files hold, as the beginning of a sentence.
        addresses: dict from file names to addresses.
        places: the folders that were looked in; the first is where the files belong.
        error: what happened.
    """
    cause = first(error)
    reason = f"{type(cause).__name__}: {cause}".replace("\n", " ")
    lines = [f"{what} not on this machine and could not be downloaded ({reason}).",
             f"Put {'this file' if len(addresses) == 1 else 'these files'} into {places[0]}:"]
    lines += [f"  {name}  from  {address}" for name, address in addresses.items()]
    others = ", ".join(map(str, places[1:]))
    return "\n".join([*lines, f"Also looked in {others}. CNNCORE_HOME names another folder than ~/.cnncore."])


def file_name(path):
    """The name under which a user asked for a file, safe to join to a folder."""
    name = os.path.basename(str(path))
    if not name or name != str(path):
        raise ValueError(f"path is a file's name within {folders()[0]}. Received: path={path!r}")
    return name
