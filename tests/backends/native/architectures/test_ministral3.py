"""Tiny random Ministral 3s against transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.family_contract import FamilyContract, load_folder, make_once, save
from support.family_files import write_family
from support.kin_files import MINISTRAL3


class TestMinistral3(FamilyContract):
    family = MINISTRAL3


def test_sequences_stay_within_the_original_context(load: Any, tmp_path: Path) -> None:
    """Past it, positions would change the scores."""
    model = make_once(TestMinistral3, "tiny")
    file = load(write_family(tmp_path / "m.gguf", MINISTRAL3, model))
    folder = load_folder(save(tmp_path / "folder", model))
    assert file.info.context_length == folder.info.context_length == 64
    assert model.config.max_position_embeddings == 256
