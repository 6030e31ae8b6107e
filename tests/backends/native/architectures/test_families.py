"""Families are found by listing their folder."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from foretell.backends.native import architectures
from foretell.backends.native.architectures import by_letter, families

FILES = {path.stem for path in Path(architectures.__file__).parent.glob("[a-z]*.py")}


def test_each_file_is_a_family() -> None:
    assert {family.__module__.rpartition(".")[2] for family in families()} == FILES


@pytest.mark.parametrize("kind", ["ARCHITECTURES", "MODEL_TYPES"])
def test_a_name_means_one_family(kind: str) -> None:
    names = Counter(name for family in families() for name in getattr(family, kind))
    assert {"gpt2", "llama"} <= names.keys()
    assert set(names.values()) == {1}


@pytest.mark.parametrize("name", ["gpt2", "gemma3_text", "glm4", "olmo2"])
def test_the_file_that_is_called_so_comes_first(name: str) -> None:
    module = next(families(name)).__module__.rpartition(".")[2]
    assert module == name.removesuffix("_text")


def test_no_other_file_is_imported_before() -> None:
    program = (
        "import sys\n"
        "from foretell.backends.native.architectures import families\n"
        "next(families('llama'))\n"
        "loaded = [name.rpartition('.')[2] for name in sys.modules if '.architectures.' in name]\n"
        "print(*loaded)"
    )
    shown = subprocess.check_output([sys.executable, "-c", program], text=True).split()
    assert shown == ["llama"]


def test_names_are_listed_in_order_with_a_sign_for_each_letter() -> None:
    assert by_letter(["b1", "a2", "c", "a1", "b2"]) == "a1, a2 · b1, b2 · c"
