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
