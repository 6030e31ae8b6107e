"""What callers do with models: find, fetch, locate, remove, verify them."""

from __future__ import annotations

import os
from pathlib import Path

from foretell.errors import ConfigError, ModelFileError, ModelNotFoundError
from foretell.formats.file_names import CONFIG
from foretell.hub.cache import file_sha256, is_cached, is_verified, model_file, storage_errors
from foretell.hub.names import HubModel, id_in_address, parse
from foretell.hub.registry import KnownModel, find, lookup, suggest
from foretell.hub.shared_cache import cached_path, repo_folder
from foretell.utils.notices import caution
from foretell.utils.quoting import TEXT, quote

_WHAT_TO_GIVE = (
    "or give the path of a GGUF file or a model's folder, or a Hugging Face id: org/name"
)


def resolve(model: str | os.PathLike[str], revision: str | None = None) -> Path:
    """The GGUF file or the checkpoint's folder that a user's name for a model means.

    What lies at that path comes first; then known names, in any case; then Hugging Face ids,
    `org/name` or `org/name:file.gguf`. A model that is cached needs no network; another is fetched.

    Raises:
        ModelNotFoundError: there is no such file, folder, name or repository.
        UnsupportedModelError: the repository holds nothing that can be run.
        DownloadError: the model could not be fetched or stored.
        ConfigError: a revision is given for what has none.
    """
    given = os.fspath(model)
    try:
        local = _find_local(Path(given).expanduser())
    except (OSError, RuntimeError, ValueError) as error:  # denied, no home, a null byte
        reason = getattr(error, "strerror", None) or str(error)
        raise ModelNotFoundError(
            f"model {quote(given, TEXT)} cannot be opened: {reason}"
        ) from error
    if local is not None:
        return _take_local(model, local, revision)
    if isinstance(model, str):
        named = _find_named(model, revision)
        if named is not None:
            if isinstance(named, HubModel) and Path(given).is_dir():
                caution(
                    f"the folder {quote(given, TEXT)} has no config.json: asking Hugging Face "
                    "for the model"
                )
            return _bring(named)
    raise ModelNotFoundError(_why_not(given, Path(given).expanduser()))


def _find_local(path: Path) -> Path | None:
    """The path itself where it is a file, or a folder that holds a checkpoint."""
    if path.is_file():
        return path
    if path.is_dir() and ((path / CONFIG).exists() or any(path.glob("*.safetensors"))):
        return path
    return None


def _take_local(model: str | os.PathLike[str], path: Path, revision: str | None) -> Path:
    _refuse_revision(repr(os.fspath(model)), revision, "files on this machine have no revisions")
    if isinstance(model, str) and _is_ambiguous(model):
        kind = "folder" if path.is_dir() else "file"
        caution(f"{quote(model, TEXT)} is a {kind} here, and a model's name too: taking the {kind}")
    return path


def _is_ambiguous(name: str) -> bool:
    """Whether a path's text also is a known name, or an id that was once fetched."""
    named = _find_named(name, None)
    if isinstance(named, HubModel) and "/" in name:
        return repo_folder(named.repo).exists()
    return named is not None


def _find_named(name: str, revision: str | None) -> KnownModel | HubModel | None:
    """The model that a name means, known names before the hub's; None where it means none."""
    known = lookup(name)
    if known is None:
        return parse(name, revision)
    _refuse_revision(known.name, revision, "it is published once")
    return known


def _refuse_revision(name: str, revision: str | None, reason: str) -> None:
    if revision is not None:
        raise ConfigError(f"revision={quote(revision, TEXT)} has no effect on {name}: {reason}")


def _bring(model: KnownModel | HubModel) -> Path:
    """The model's file or folder, fetched only where it is not cached."""
    if isinstance(model, KnownModel):
        return _bring_known(model)
    cached = cached_path(model)
    if cached is not None:
        return cached
    from foretell.hub.remote import fetch

    return fetch(model)


def _bring_known(model: KnownModel, *, reads: bool = False) -> Path:
    """The model's file, if it is the published one, else fetched; `reads` it in full for that."""
    if is_verified(model, reads=reads):
        return model_file(model)
    from foretell.hub.download import fetch

    return fetch(model)


def _named(name: str, revision: str | None) -> KnownModel | HubModel:
    """The model that a name means; ModelNotFoundError where it means none."""
    model = _find_named(name, revision)
    if model is None:
        find(name)  # says what is near
        raise ModelNotFoundError(f"no model is called {quote(name, TEXT)}")
    return model


def pull(name: str, revision: str | None = None) -> Path:
    """Fetch a model unless it is cached and whole, or was replaced on the hub; return its path.

    What is cached is read in full, and what of it is damaged is fetched again.

    Raises:
        ModelNotFoundError: there is no such name, repository, revision or file.
        UnsupportedModelError: the repository holds nothing that can be run.
        DownloadError: the model could not be fetched, verified or stored.
    """
    model = _named(name, revision)
    return _bring_known(model, reads=True) if isinstance(model, KnownModel) else _refresh(model)


def _refresh(model: HubModel) -> Path:
    from foretell.hub.refusals import UnreachableError
    from foretell.hub.remote import fetch
    from foretell.hub.removal import discard_damaged
    from foretell.hub.shared_cache import is_commit, is_offline

    discard_damaged(model)
    cached = cached_path(model)
    if cached is not None and (is_commit(model.revision) or is_offline()):
        return cached
    try:
        return fetch(model)
    except UnreachableError as error:
        if cached is None:
            raise
        caution(f"{error}; taking what is cached")
        return cached


def path(name: str, revision: str | None = None) -> Path:
    """The cached file or folder of a model; ModelNotFoundError if it is unknown or not cached."""
    model = _named(name, revision)
    if isinstance(model, HubModel):
        from foretell.hub.removal import not_cached_message

        cached = cached_path(model)
        if cached is None:
            raise ModelNotFoundError(not_cached_message(model))
        return cached
    if not is_cached(model):
        raise ModelNotFoundError(
            f"{model.name} is not cached: fetch it with `foretell models pull {model.name}`"
        )
    return model_file(model)


def remove(name: str, revision: str | None = None) -> Path:
    """Delete a model and the leftovers of its downloads; return the path that it had.

    A Hugging Face id means all cached revisions of it, unless one is given. Its cache is shared
    with other tools, which lose it too.

    Raises:
        ModelNotFoundError: the model is unknown, or nothing of it is cached.
        DownloadError: it is being fetched right now, or cannot be deleted.
    """
    model = _named(name, revision)
    if isinstance(model, HubModel):
        from foretell.hub.removal import discard_cached

        return discard_cached(model, every_revision=revision is None)
    from foretell.hub.download import discard

    if not discard(model):
        raise ModelNotFoundError(f"{model.name} is not cached: there is nothing to remove")
    return model_file(model)


def verify(name: str, revision: str | None = None) -> Path:
    """Read a cached model in full and compare its hashes with the known ones; return its path.

    Raises:
        ModelNotFoundError: the model is unknown or not cached.
        ModelFileError: a file is not the one that was published.
    """
    model = _named(name, revision)
    if isinstance(model, HubModel):
        from foretell.hub.removal import verify_cached

        return verify_cached(model)
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
        return f"the model's name is empty: {suggest(given)}; {_WHAT_TO_GIVE}"
    if path.is_dir():
        inside = sorted(path.glob("*.gguf"))
        hint = f", such as {str(inside[0])!r}" if inside else ""
        return (
            f"model {quote(given, TEXT)} is a folder without config.json: give the path of a "
            f"GGUF file{hint}, or a folder with config.json and safetensors"
        )
    if path.exists():
        return f"model {quote(given, TEXT)} is not a regular file: give the path of a GGUF file"
    hub_id = id_in_address(given)
    if hub_id is not None:
        return f"model {quote(given, TEXT)} is a page's address: give {hub_id!r}"
    neighbour = _close_file(path)
    if neighbour is not None:
        return f"no model file {quote(given, TEXT)}: did you mean {str(neighbour)!r}?"
    return f"no model or file is called {quote(given, TEXT)}: {suggest(given)}; {_WHAT_TO_GIVE}"


def _close_file(path: Path) -> Path | None:
    if not path.parent.is_dir():
        return None
    import difflib  # not at the top: for names that are wrong alone

    names = [file.name for file in path.parent.glob("*.gguf")]
    close = difflib.get_close_matches(path.name, names, n=1)
    return path.with_name(close[0]) if close else None
