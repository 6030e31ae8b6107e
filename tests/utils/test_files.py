"""Files of the user's, written wholly or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from foretell.utils.files import write_atomically


@pytest.mark.parametrize("name", [".", "", "/", "..", "a\0b", "no/such/folder", "folder"])
def test_what_cannot_be_written_is_an_os_error(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=r"."):
        write_atomically(Path(name), b"data")
    assert os.listdir(tmp_path) == ["folder"]


def test_what_was_there_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]


def test_permissions_and_links_stay(tmp_path: Path) -> None:
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_text("old")
    path.chmod(0o600)
    link.symlink_to("file")
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(tmp_path)) == ["file", "link"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes there")
def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_atomically(path, b"data")
        assert os.read(reader, 9) == b"data"
    finally:
        os.close(reader)
    assert path.is_fifo()
