"""Files of the user's, written wholly or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from foretell.utils.files import check_place, replacing, write_atomically


@pytest.mark.parametrize("name", [".", "", "/", "..", "a\0b", "no/such/folder", "folder"])
def test_what_cannot_be_written_is_an_os_error(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=r"."):
        write_atomically(Path(name), b"data")
    assert os.listdir(tmp_path) == ["folder"]


@pytest.mark.parametrize("write", [write_atomically, lambda path, _: replacing(path).__enter__()])
def test_a_missing_folder_is_told_by_the_path_that_was_given(
    write: Callable[[Path, bytes], object], tmp_path: Path
) -> None:
    path = tmp_path / "none" / "file"
    with pytest.raises(FileNotFoundError, match="its folder is missing") as caught:
        write(path, b"data")
    assert caught.value.filename == str(path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_folder_that_takes_no_files_is_told_before(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="takes no files"):
        check_place(tmp_path / "file")


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


class TestReplacing:
    """Large files, piece by piece."""

    def test_it_is_there_once_it_is_whole(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_text("old")
        path.chmod(0o600)
        with replacing(path) as file:
            file.write(b"new")
            assert path.read_text() == "old"
        assert path.read_text() == "new"
        assert path.stat().st_mode & 0o777 == 0o600
        assert os.listdir(tmp_path) == ["file"]

    def test_what_raises_leaves_what_was_there(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_text("old")
        with pytest.raises(TypeError), replacing(path) as file:
            file.writelines([b"new", 3])
        assert path.read_text() == "old"
        assert os.listdir(tmp_path) == ["file"]

    def test_the_last_of_several_has_it(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        with replacing(path) as one, replacing(path) as other:
            one.write(b"one")
            other.write(b"other")
        assert path.read_text() == "one"
        assert os.listdir(tmp_path) == ["file"]

    def test_what_was_left_long_ago_goes(self, tmp_path: Path) -> None:
        left, recent = tmp_path / ".f[1].77.ab.partial", tmp_path / ".f[1].78.cd.partial"
        others = tmp_path / ".f1.77.ab.partial"
        for file in (left, recent, others):
            file.write_text("part")
        for file in (left, others):
            os.utime(file, (1e9, 1e9))
        with replacing(tmp_path / "f[1]") as file:
            file.write(b"whole")
        assert {*os.listdir(tmp_path)} == {"f[1]", recent.name, others.name}
