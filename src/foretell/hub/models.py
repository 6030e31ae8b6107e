"""What callers do with models: find, fetch, locate, remove, verify them."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path

from foretell.errors import ModelFileError, ModelNotFoundError
from foretell.hub.cache import file_sha256, is_cached, model_file, storage_errors
from foretell.hub.registry import find, lookup, suggest

_HUGGING_FACE_ID = re.compile(r"[\w.-]+/[\w.-]+")


def resolve(model: str | os.PathLike[str]) -> Path:
    """The GGUF file of a known name (fetched if it is not cached yet), or of a path.

    A string that is a known name, in any case, means that model; `./name` means the file.

    Raises:
        ModelNotFoundError: there is no such name or file.
        DownloadError: the model could not be fetched or stored.
    """
    if isinstance(model, str) and lookup(model) is not None:
        return pull(model)
    given = os.fspath(model)
    try:
        path = Path(given).expanduser()
        if path.is_file():
            return path
        raise ModelNotFoundError(_why_not(given, path))
    except (OSError, RuntimeError, ValueError) as error:  # denied, no home, a null byte
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelNotFoundError(f"model {given!r} cannot be opened: {reason}") from error


def pull(name: str) -> Path:
    """Fetch a known model unless it is cached; return its file.

    Raises:
        ModelNotFoundError: there is no such name.
        DownloadError: the model could not be fetched, verified or stored.
    """
    model = find(name)
    if is_cached(model):
        return model_file(model)
    from foretell.hub.download import fetch

    return fetch(model)


def path(name: str) -> Path:
    """The cached file of a known model; ModelNotFoundError if it is unknown or not cached."""
    model = find(name)
    if not is_cached(model):
        raise ModelNotFoundError(
            f"{model.name} is not cached: fetch it with `foretell models pull {model.name}`"
        )
    return model_file(model)


def remove(name: str) -> Path:
    """Delete a known model's file and the leftovers of its downloads; return the file's path.

    Raises:
        ModelNotFoundError: the model is unknown, or nothing of it is cached.
        DownloadError: it is being fetched right now, or cannot be deleted.
    """
    from foretell.hub.download import discard

    model = find(name)
    if not discard(model):
        raise ModelNotFoundError(f"{model.name} is not cached: there is nothing to remove")
    return model_file(model)


def verify(name: str) -> Path:
    """Read a cached model in full and compare its sha256 with the known one; return its file.

    Raises:
        ModelNotFoundError: the model is unknown or not cached.
        ModelFileError: the file is not the one that was published.
    """
    model = find(name)
    file = path(name)
    with storage_errors():
        found = file_sha256(file)
    if found != model.sha256:
        raise ModelFileError(
            f"{file} is damaged: its sha256 is {found}, expected {model.sha256}; "
            f"run `foretell models remove {model.name}`, then pull it again"
        )
    return file


def _why_not(given: str, path: Path) -> str:
    if not given:
        return f"the model's name is empty: {suggest(given)}; or give a GGUF file's path"
    if path.is_dir():
        inside = sorted(path.glob("*.gguf"))
        hint = f", such as {str(inside[0])!r}" if inside else ""
        return f"model {given!r} is a folder: give the path of a GGUF file{hint}"
    if path.exists():
        return f"model {given!r} is not a regular file: give the path of a GGUF file"
    if _HUGGING_FACE_ID.fullmatch(given) and not given.lower().endswith(".gguf"):
        return (
            f"model {given!r} looks like a Hugging Face id, which is not supported yet: "
            f"give the path of a GGUF file, or a known name; {suggest(given)}"
        )
    neighbour = _close_file(path)
    if neighbour is not None:
        return f"no model file {given!r}: did you mean {str(neighbour)!r}?"
    return f"no model or file is called {given!r}: {suggest(given)}; or give a GGUF file's path"


def _close_file(path: Path) -> Path | None:
    if not path.parent.is_dir():
        return None
    names = [file.name for file in path.parent.glob("*.gguf")]
    close = difflib.get_close_matches(path.name, names, n=1)
    return path.with_name(close[0]) if close else None
