"""Families are found by listing their folder."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from foretell.backends.native import architectures
from foretell.backends.native.architectures import families

ROOT = Path(__file__).parents[4]
FILES = {path.stem for path in Path(architectures.__file__).parent.glob("[a-z]*.py")}


def test_each_file_is_a_family() -> None:
    assert {family.__module__.rpartition(".")[2] for family in families()} == FILES


@pytest.mark.parametrize("kind", ["ARCHITECTURES", "MODEL_TYPES"])
def test_a_name_means_one_family(kind: str) -> None:
    names = Counter(name for family in families() for name in getattr(family, kind))
    assert {"gpt2", "llama"} <= names.keys()
    assert set(names.values()) == {1}


@pytest.mark.parametrize("name", ["gpt2", "gemma3_text"])
def test_the_file_that_is_called_so_comes_first(name: str) -> None:
    program = (
        "import sys\n"
        "from foretell.backends.native.architectures import families\n"
        f"next(families({name!r}))\n"
        "loaded = [name.rpartition('.')[2] for name in sys.modules if '.architectures.' in name]\n"
        "print(*loaded)"
    )
    shown = subprocess.check_output([sys.executable, "-c", program], text=True).split()
    assert shown == [name.removesuffix("_text")]


def test_the_docs_name_each_family() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert [name for name in FILES if not any(f"| {name}.py |" in row for row in rows)] == []
