"""The map: its table of a token's way is what the rooms say of themselves."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import foretell

PACKAGE = Path(foretell.__file__).parent
ROOMS = {path.parent.name: path for path in PACKAGE.glob("*/__init__.py")}
MAP = PACKAGE.parents[1] / "docs" / "architecture.md"
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
