"""The cache that all of Hugging Face's tools share, read without importing any of them.

<cache>/models--<org>--<name>/refs/<revision>          the commit that a branch or tag had
                              snapshots/<commit>/...   the files of a commit: links into ...
                              blobs/<etag>             ... files named by their sha256 or git hash

Only `huggingface_hub` writes there, and it takes most of a second to import.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from foretell.formats.file_names import CONFIG
from foretell.formats.split_names import part_names
from foretell.hub.names import MAIN, HubModel
from foretell.hub.snapshots import missing_files
from foretell.utils.quoting import one_line

_COMMIT = re.compile(r"[0-9a-f]{40}")
_TRUE = {"1", "ON", "YES", "TRUE"}


@dataclass(frozen=True)
class CachedModel:
    """A model in the shared cache that has all its files.

    Attributes:
        name: `org/name` or `org/name:file.gguf`.
        description: the architecture that its configuration names, or `GGUF`.
        revision: branch or tag that was this commit when it was fetched; else the commit.
        commit: the commit, 40 hexadecimal digits.
        size: bytes of its files.
        path: the GGUF file (the first part of a split one), or the folder of the snapshot.
    """

    name: str
    description: str
    revision: str
    commit: str
    size: int
    path: Path


def shared_cache_dir() -> Path:
    """The folder of the shared cache: HF_HUB_CACHE, `hub` in HF_HOME, or in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME", os.path.join(os.path.expanduser("~"), ".cache"))
    home = _expand(os.environ.get("HF_HOME", os.path.join(base, "huggingface")))
    older = os.environ.get("HUGGINGFACE_HUB_CACHE", os.path.join(home, "hub"))
    return Path(_expand(os.environ.get("HF_HUB_CACHE", older))).absolute()


def _expand(path: str) -> str:
    return os.path.expandvars(os.path.expanduser(path))


def is_offline() -> bool:
    """Whether HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) forbids to use the network."""
    value = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return value.upper() in _TRUE


def repo_folder(repo: str) -> Path:
    """Where the shared cache keeps a repository, whether it is there or not."""
    return shared_cache_dir() / f"models--{repo.replace('/', '--')}"


def is_commit(revision: str) -> bool:
    """Whether a revision is a whole commit, which never changes."""
    return _COMMIT.fullmatch(revision) is not None


def snapshot_folder(repo: str, commit: str) -> Path:
    """Where the files of a commit lie, whether they are there or not."""
    return repo_folder(repo) / "snapshots" / commit


def cached_commit(model: HubModel) -> str | None:
    """The commit that the model's revision was when it was fetched; None if it never was."""
    if is_commit(model.revision):
        return model.revision
    try:
        commit = (repo_folder(model.repo) / "refs" / model.revision).read_text().strip()
    except (OSError, ValueError):
        return None
    return commit if is_commit(commit) else None


def cached_path(model: HubModel) -> Path | None:
    """The model's GGUF file or folder, with all that it needs; None where something is missing.

    Of a split model, the first part.
    """
    commit = cached_commit(model)
    if commit is None or missing(model):
        return None
    folder = snapshot_folder(model.repo, commit)
    return folder if model.filename is None else folder / model.filename


def missing(model: HubModel) -> list[str]:
    """What the shared cache lacks of the model, by name; all of it where it was never fetched."""
    commit = cached_commit(model)
    folder = snapshot_folder(model.repo, commit or "none")
    if model.filename is None:
        return missing_files(folder)
    return [name for name in model.filenames if not (folder / name).is_file()]


def cached_models() -> list[CachedModel]:
    """Every checkpoint and GGUF file in the shared cache that is whole, by name."""
    found = [
        model
        for folder in shared_cache_dir().glob("models--*--*/snapshots/*")
        if is_commit(folder.name)
        for model in _models_in(folder)
    ]
    return sorted(found, key=lambda model: (model.name, model.revision))


def _models_in(folder: Path) -> Iterator[CachedModel]:
    repo = folder.parent.parent.name.removeprefix("models--").replace("--", "/", 1)
    revision, commit = _revision_of(folder), folder.name
    if not missing_files(folder):
        size = sum(file.stat().st_size for file in _files(folder) if file.suffix != ".gguf")
        yield CachedModel(repo, _architecture(folder), revision, commit, size, folder)
    names = [file.relative_to(folder).as_posix() for file in _files(folder)]
    for name in names:
        parts = part_names(name)
        if name.lower().endswith(".gguf") and name == parts[0] and set(parts) <= set(names):
            size = sum((folder / part).stat().st_size for part in parts)
            yield CachedModel(f"{repo}:{name}", "GGUF", revision, commit, size, folder / name)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _revision_of(snapshot: Path) -> str:
    """The branch or tag of a snapshot, `main` if it is among them; else its commit."""
    refs = snapshot.parent.parent / "refs"
    names = [
        path.relative_to(refs).as_posix() for path in _files(refs) if _names(path, snapshot.name)
    ]
    return MAIN if MAIN in names else next(iter(names), snapshot.name)


def _names(ref: Path, commit: str) -> bool:
    try:
        return ref.read_text().strip() == commit
    except (OSError, ValueError):
        return False


def _architecture(folder: Path) -> str:
    try:
        config = json.loads((folder / CONFIG).read_bytes())
        return one_line((config.get("architectures") or [config["model_type"]])[0], 80)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return "unknown architecture"
