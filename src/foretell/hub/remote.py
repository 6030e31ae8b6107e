"""Fetching from the hub into the shared cache: file by file, hashed, the weights last.

The files of one commit are fetched, and the revision's name is moved to that commit when all of
them are there: who reads the cache meanwhile finds the commit before, whole.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from foretell.errors import DownloadError, ModelNotFoundError
from foretell.formats.file_names import INDEX, WEIGHTS
from foretell.hub.cache import CHUNK, check_space, megabytes
from foretell.hub.names import HubModel
from foretell.hub.progress import download_bar
from foretell.hub.refusals import SHARED_CACHE, answer_errors, endpoint, hub_errors
from foretell.hub.shared_cache import (
    cached_commit,
    is_commit,
    is_offline,
    missing,
    repo_folder,
    shared_cache_dir,
    snapshot_folder,
)
from foretell.hub.snapshots import (
    check_has_file,
    check_is_checkpoint,
    choose_files,
    read_shards,
)
from foretell.utils.notices import tell
from foretell.utils.quoting import TEXT, one_line, quote

_ANSWER_SECONDS = 10.0


@dataclass(frozen=True)
class RemoteFile:
    """A file on the hub: its bytes, and its sha256 or git hash where the hub has one."""

    name: str
    size: int
    digest: str | None


@dataclass(frozen=True)
class Listing:
    """What a revision of a repository is made of.

    Attributes:
        model: what was asked for.
        commit: the commit that the revision is now.
        files: every file of it, by name.
        licence: as the repository's card states it; None if it does not.
    """

    model: HubModel
    commit: str
    files: dict[str, RemoteFile]
    licence: str | None

    def local(self, name: str) -> Path:
        """Where a file lies once it is fetched."""
        return snapshot_folder(self.model.repo, self.commit) / name


def fetch(model: HubModel) -> Path:
    """Bring the model into the shared cache; return its GGUF file or its folder.

    Raises:
        ModelNotFoundError: the hub has no such repository, revision or file.
        UnsupportedModelError: the repository holds nothing that can be run.
        UnreachableError: the hub does not answer, or may not be asked.
        DownloadError: it refuses, or what it sends is damaged or cannot be stored.
    """
    if is_offline():
        raise ModelNotFoundError(_offline_message(model))
    with hub_errors(model):
        listing = _list_files(model)
        names = _choose(listing)
        _fetch_missing(listing, [name for name in names if not listing.local(name).exists()])
        _name_commit(listing)
    folder = snapshot_folder(model.repo, listing.commit)
    return folder if model.filename is None else folder / model.filename


def _offline_message(model: HubModel) -> str:
    begun = cached_commit(model) is not None
    state = f"not whole ({missing(model)[0]} is missing)" if begun else "not there"
    return (
        f"{model.title} cannot be fetched, HF_HUB_OFFLINE is set, and in the cache "
        f"{shared_cache_dir()} it is {state}: unset HF_HUB_OFFLINE, or copy another machine's cache"
    )


def _list_files(model: HubModel) -> Listing:
    from huggingface_hub import HfApi

    api = HfApi(endpoint=endpoint(), library_name="foretell", library_version=version("foretell"))
    with answer_errors(model):
        info = api.model_info(
            model.repo, revision=model.revision, files_metadata=True, timeout=_ANSWER_SECONDS
        )
        if info.sha is None or not is_commit(info.sha) or info.siblings is None:
            raise ValueError("it tells no commit or no files")
    files = {
        file.rfilename: RemoteFile(
            file.rfilename, file.size or 0, file.lfs.sha256 if file.lfs else file.blob_id
        )
        for file in info.siblings
    }
    return Listing(model, info.sha, files, _licence(info))


def _licence(info: Any) -> str | None:
    """A licence's name and address, from the card's metadata or else the hub's tags."""
    card = info.card_data or {}
    tags = [tag.removeprefix("license:") for tag in info.tags or [] if tag.startswith("license:")]
    name = card.get("license_name") or card.get("license") or next(iter(tags), None)
    link = card.get("license_link")
    return f"{name} ({link})" if name and link else name


def _choose(listing: Listing) -> list[str]:
    model, names = listing.model, listing.files
    if model.filename is not None:
        check_has_file(model.repo, model.filename, names)
        for name in model.filenames:
            if name not in names:
                raise DownloadError(
                    f"{model.repo} is incomplete: it lacks {quote(name, TEXT)}, one of "
                    f"{len(model.filenames)} parts of a model"
                )
        return model.filenames
    check_is_checkpoint(model.repo, names)
    is_sharded = INDEX in names and WEIGHTS not in names  # whole weights come first
    shards = _fetch_shard_names(listing) if is_sharded else None
    for shard in shards or []:
        if shard not in names or "/" in shard:
            raise DownloadError(
                f"{model.repo} is incomplete: its {INDEX} names {quote(shard, TEXT)}, which it "
                "does not have"
            )
    return choose_files(names, shards)


def _fetch_shard_names(listing: Listing) -> list[str]:
    if not listing.local(INDEX).exists():
        _fetch_file(listing, INDEX, lambda size: None)
    shards = read_shards(listing.local(INDEX))
    if shards is None:
        raise DownloadError(f"{listing.model.repo} has an {INDEX} that names no weights")
    return shards


def _fetch_missing(listing: Listing, names: list[str]) -> None:
    if not names:
        return
    title = listing.model.title
    sizes = [0 if _has_blob(listing, name) else listing.files[name].size for name in names]
    shared_cache_dir().mkdir(parents=True, exist_ok=True)
    check_space(title, sum(sizes), shared_cache_dir(), SHARED_CACHE)
    tell(_licence_line(listing))
    done = 0
    with download_bar(title, sum(sizes), 0) as show:
        for name, size in zip(names, sizes, strict=True):
            _fetch_file(listing, name, _shifted(show, done, name))
            done += size
            show(done, name)
    tell(f"{title} is ready ({megabytes(done)} fetched)")


def _licence_line(listing: Listing) -> str:
    if listing.licence is not None:
        return f"{listing.model.repo} comes under the licence {one_line(listing.licence)}"
    return f"{listing.model.repo} names no licence: see {endpoint()}/{listing.model.repo}"


def _has_blob(listing: Listing, name: str) -> bool:
    """Whether an older commit has brought the same content."""
    digest = listing.files[name].digest
    return digest is not None and (repo_folder(listing.model.repo) / "blobs" / digest).exists()


def _shifted(show: Callable[[int, str], None], start: int, name: str) -> Callable[[int], None]:
    return lambda size: show(start + size, name)


def _fetch_file(listing: Listing, name: str, show: Callable[[int], None]) -> None:
    from huggingface_hub import hf_hub_download

    path = hf_hub_download(
        listing.model.repo,
        name,
        revision=listing.commit,
        cache_dir=shared_cache_dir(),
        endpoint=endpoint(),
        library_name="foretell",
        library_version=version("foretell"),
        tqdm_class=cast(Any, _bar_class(show)),
    )
    digest = listing.files[name].digest
    if digest is not None and not has_digest(Path(path), digest):
        discard_file(Path(path))
        raise DownloadError(
            f"{listing.model.repo}: {name} was damaged on the way (its hash is not {digest}): "
            "pull it again"
        )


def _bar_class(show: Callable[[int], None]) -> type:
    """What huggingface_hub counts a file's bytes with, in the place of a bar of tqdm's."""

    class Counter:
        def __init__(self, *, initial: float = 0, **_: object) -> None:
            self._done = int(initial)

        def update(self, size: float | None = 1) -> None:
            self._done += int(size or 0)
            show(self._done)

        def ignore(self, *_: object, **__: object) -> None:
            return

        update_transfer = set_postfix_str = set_transfer_postfix_str = refresh = close = ignore

        def __enter__(self) -> Counter:
            return self

        def __exit__(self, *_: object) -> None:
            return

    return Counter


def has_digest(path: Path, digest: str) -> bool:
    """Whether a file has this sha256 (64 digits) or git hash (40); True where it is neither."""
    if len(digest) == 64:
        found = hashlib.sha256()
    elif len(digest) == 40:
        found = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    else:
        return True
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            found.update(chunk)
    return found.hexdigest() == digest


def discard_file(pointer: Path) -> None:
    """Delete a file of a snapshot and the blob that it links to."""
    blob = pointer.resolve()
    pointer.unlink()
    blob.unlink(missing_ok=True)


def _name_commit(listing: Listing) -> None:
    """Let the revision's name be this commit from now on, in one step."""
    model = listing.model
    if is_commit(model.revision):
        return
    ref = repo_folder(model.repo) / "refs" / model.revision
    ref.parent.mkdir(parents=True, exist_ok=True)
    partial = ref.with_name(f"{ref.name}.{uuid.uuid4().hex}.partial")
    partial.write_text(listing.commit)
    os.replace(partial, ref)
