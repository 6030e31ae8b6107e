"""No module of the package imports itself through others: not at the top, nor for types alone.

What may import what is in `pyproject.toml`; `make check` holds the package to it.
"""

from __future__ import annotations

from pathlib import Path

from support.import_graph import circles, import_graph

import foretell

KNOWN = [["config.conflicts", "config.generation"]]
"""Circles that a decision explains: 0024."""


def test_circles_are_found(tmp_path: Path) -> None:
    package = tmp_path / "p"
    (package / "q").mkdir(parents=True)
    files = {
        "__init__.py": "",
        "a.py": "from p import b",
        "b.py": "def f():\n    import p.q.c",
        "q/__init__.py": "from p.q.c import x",
        "q/c.py": "if TYPE_CHECKING:\n    from p.a import y",
        "d.py": "import p.a, p.q",
    }
    for name, text in files.items():
        (package / name).write_text(text)
    assert circles(import_graph(package)) == [["p.a", "p.b", "p.q.c"]]


def test_no_circle() -> None:
    found = circles(import_graph(Path(foretell.__file__).parent))
    assert [[name.removeprefix("foretell.") for name in circle] for circle in found] == KNOWN
