"""Greedy texts of tiny models that were trained for a moment: transformers', token by token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support import kin_files
from support.family_contract import load_folder, save
from support.family_files import write_family
from support.reference_model import EXACT, greedy
from support.trained import IDS, generated, make_trained

FAMILIES = (
    *("LLAMA", "PHI3", "STABLELM", "OLMO3", "GRANITE", "SMOLLM3"),
    *("COHERE2", "GLM4", "EXAONE4", "NEMOTRON", "HUNYUAN", "ERNIE4_5"),
)
PROMPT, COUNT = 30, 64


@pytest.mark.parametrize("name", FAMILIES)
def test_greedy_texts(name: str, load: Any, tmp_path: Path) -> None:
    family = getattr(kin_files, name)
    model, loss = make_trained(family)
    assert loss < 1, "it has learnt something"
    expected = generated(model, IDS[:PROMPT], COUNT)
    file = load(write_family(tmp_path / "m.gguf", family, model), **EXACT)
    assert greedy(file, IDS[:PROMPT], COUNT) == expected
    folder = load_folder(save(tmp_path / "folder", model), **EXACT)
    assert greedy(folder, IDS[:PROMPT], COUNT) == expected
