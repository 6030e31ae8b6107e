"""The map: its table of a token's way is what the rooms say of themselves."""

from __future__ import annotations

import ast
import functools
import os
import re
from pathlib import Path

import pytest

import foretell

PACKAGE = Path(foretell.__file__).parent
ROOMS = {path.parent.name: path for path in PACKAGE.glob("*/__init__.py")}
ROOT = PACKAGE.parents[1]
MAP = ROOT / "docs" / "architecture.md"
STEP = re.compile(r"^A token's way, step (\d): (.+)\.$", re.MULTILINE)
ROW = re.compile(r"^\| (\d) \| `(\w+)/` \| (.+) \|$", re.MULTILINE)


def docstring(room: str) -> str:
    return ast.get_docstring(ast.parse(ROOMS[room].read_text(encoding="utf-8"))) or ""


def test_every_room_says_where_it_stands() -> None:
    for room in ROOMS:
        text = docstring(room)
        is_beside = len(re.findall(r"^Beside a token's way: .+\.$", text, re.MULTILINE))
        assert is_beside == (0 if STEP.search(text) else 1), room


def test_the_map_has_what_the_rooms_say() -> None:
    said = [(step, room, work) for room in ROOMS for step, work in STEP.findall(docstring(room))]
    assert ROW.findall(MAP.read_text(encoding="utf-8")) == sorted(said)
    assert [int(step) for step, _, _ in sorted(said)] == list(range(1, 9))


@functools.cache
def files() -> list[str]:
    """Paths of the repository's files, without what is built or installed there."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        apart = [one for one in folders if one in ("build", "bench-env") or one.startswith(".")]
        for one in apart:
            folders.remove(one)
        found += [Path(folder, name).as_posix() for name in names]
    return found


def is_there(name: str) -> bool:
    """Whether a file's path ends in this one."""
    return any(path.endswith(f"/{name}") for path in files())


def test_the_names_to_look_for_are_in_their_files() -> None:
    rows = re.findall(r"^\| `([\w/]+\.py)` \| (`.+?`) \| ", MAP.read_text(encoding="utf-8"), re.M)
    assert len(rows) > 20
    for file, names in rows:
        text = (PACKAGE / file).read_text(encoding="utf-8")
        for name in re.findall(r"`(\w+)`", names):
            assert re.search(rf"\b(def|class) {name}\b", text), f"{file} has no {name}"


@pytest.mark.parametrize(
    "document", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: path.name
)
def test_the_files_that_documents_name_are_there(document: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.M | re.S)
    for name in re.findall(r"`([\w/]+\.(?:py|pyi|h|cpp|md|toml))`", text):
        assert is_there(name) or f"New file `{name}`" in text, f"{document.name} names {name}"
