"""Deleting from the shared cache, and checking what is in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from foretell.errors import DownloadError, ModelFileError, ModelNotFoundError
from foretell.formats.split_names import part_names
from foretell.hub.cache import storage_errors
from foretell.hub.names import HubModel
from foretell.hub.refusals import SHARED_CACHE
from foretell.hub.remote import discard_file, has_digest
from foretell.hub.shared_cache import (
    cached_commit,
    cached_path,
    is_offline,
    repo_folder,
    shared_cache_dir,
    snapshot_folder,
)
from foretell.utils.notices import caution


def discard_cached(model: HubModel, *, every_revision: bool) -> Path:
    """Delete a repository, one revision or one file of it from the shared cache.

    What another revision also uses stays. Returns the folder or the file that was.

    Raises:
        ModelNotFoundError: nothing of it is cached.
        DownloadError: it cannot be deleted.
    """
    folder, cached = repo_folder(model.repo), cached_commit(model)
    if not folder.is_dir():
        raise ModelNotFoundError(f"{model.title} is not cached: there is nothing to remove")
    with storage_errors(SHARED_CACHE):
        cache, revisions = _scan(model)
        if not every_revision:
            revisions = [it for it in revisions if it.commit_hash == cached]
        _plan(model, cache, revisions).execute()
    if every_revision and model.filename is None:
        return folder
    return snapshot_folder(model.repo, cached or model.revision) / (model.filename or "")


def _scan(model: HubModel) -> tuple[Any, list[Any]]:
    """All of the shared cache, and the model's revisions in it."""
    from huggingface_hub import scan_cache_dir

    cache = scan_cache_dir(shared_cache_dir())
    repos = [it for it in cache.repos if (it.repo_id, it.repo_type) == (model.repo, "model")]
    if not repos:
        raise DownloadError(
            f"{repo_folder(model.repo)} is not as Hugging Face's tools leave it: delete it by hand"
        )
    return cache, [revision for repo in repos for revision in repo.revisions]


def _plan(model: HubModel, cache: Any, revisions: list[Any]) -> Any:
    if model.filename is None and revisions:
        return cache.delete_revisions(*(revision.commit_hash for revision in revisions))
    files = [
        file
        for revision in revisions
        for file in revision.files
        if file.file_path in {revision.snapshot_path / name for name in model.filenames}
    ]
    if not files:
        raise ModelNotFoundError(f"{model.title} is not cached: there is nothing to remove")
    if len(files) == sum(len(revision.files) for revision in revisions):
        return cache.delete_revisions(*(revision.commit_hash for revision in revisions))
    if not hasattr(cache, "delete_files"):
        raise DownloadError(
            f"{model.title} cannot be removed alone by this huggingface_hub: "
            f"upgrade it, or remove all of {model.repo!r}"
        )
    return cache.delete_files(*files)


def verify_cached(model: HubModel) -> Path:
    """Read a cached model in full and compare each file with the hash that it is stored under.

    Raises:
        ModelNotFoundError: it is not cached.
        ModelFileError: a file is not the one that was published.
    """
    path = cached_path(model)
    if path is None:
        raise ModelNotFoundError(not_cached_message(model))
    with storage_errors(SHARED_CACHE):
        for file in _files_of(path):
            _check_hash(model, file)
    return path


def discard_damaged(model: HubModel) -> None:
    """Delete the cached files that have not the hash that they are stored under, to be fetched.

    ModelFileError if there are some, and the network may not be used.
    """
    path = cached_path(model)
    if path is None:
        return
    with storage_errors(SHARED_CACHE):
        for file in _files_of(path):
            if not file.is_symlink() or has_digest(file, file.readlink().name):
                continue
            if is_offline():
                raise ModelFileError(
                    f"{file} is damaged, and cannot be fetched again: HF_HUB_OFFLINE is set"
                )
            caution(f"{file} is damaged: fetching it again")
            discard_file(file)


def _files_of(path: Path) -> list[Path]:
    if path.is_file():
        return [path.with_name(name) for name in part_names(path.name)]
    return [it for it in sorted(path.rglob("*")) if it.is_file()]


def _check_hash(model: HubModel, file: Path) -> None:
    if not file.is_symlink():
        raise ModelFileError(
            f"{file} cannot be verified: this cache holds no links to files named by their hash"
        )
    digest = file.readlink().name
    if not has_digest(file, digest):
        raise ModelFileError(
            f"{file} is damaged: its hash is not {digest}; run "
            f"`foretell models remove {model.repo}`, then pull {model.name} again"
        )


def not_cached_message(model: HubModel) -> str:
    """How to get a model that is not in the shared cache."""
    revision = "" if model.revision == "main" else f" --revision {model.revision}"
    return (
        f"{model.title} is not cached: fetch it with `foretell models pull {model.name}{revision}`"
    )
