"""Tiny random Ministral 3s against transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.family_contract import FamilyContract, edit_config, load_folder, make_once, save
from support.family_files import make_family, write_family
from support.kin_files import MINISTRAL3
from support.reference_model import EXACT, assert_like_the_reference


class TestMinistral3(FamilyContract):
    family = MINISTRAL3


def test_sequences_stay_within_the_original_context(load: Any, tmp_path: Path) -> None:
    """Past it, positions would change the scores."""
    model = make_once(TestMinistral3, "tiny")
    file = load(write_family(tmp_path / "m.gguf", MINISTRAL3, model))
    folder = load_folder(save(tmp_path / "folder", model))
    assert file.info.context_length == folder.info.context_length == 64
    assert model.config.max_position_embeddings == 256


def test_rotations_are_read_by_their_older_name(tmp_path: Path) -> None:
    model = make_once(TestMinistral3, "tiny")
    rope = model.config.rope_parameters
    folder = edit_config(save(tmp_path, model), without=["rope_parameters"], rope_scaling=rope)
    backend = load_folder(folder, **EXACT)
    assert backend.info.context_length == rope["original_max_position_embeddings"]
    assert_like_the_reference(backend, model)


@pytest.mark.parametrize("stated", [{}, {"rope_parameters": None}, {"rope_theta": 10_000.0}])
def test_rotations_that_are_not_stated_are_stretched(tmp_path: Path, stated: Any) -> None:
    model = make_family(MINISTRAL3, rope_parameters=None, max_position_embeddings=20_000)
    assert model.config.rope_parameters["factor"] == 16
    folder = edit_config(save(tmp_path, model), without=["rope_parameters"])
    backend = load_folder(edit_config(folder, **stated), **EXACT)
    assert backend.info.context_length == 16_384
    assert_like_the_reference(backend, model)
