"""Tiny random MiniCPMs against transformers' Granite, whose factors can be those of MiniCPM."""

from __future__ import annotations

import json
from typing import ClassVar

from support.family_contract import FamilyContract, load_folder, make_once, save
from support.family_files import make_family, write_family
from support.kin_files import MINICPM
from support.reference_model import EXACT, assert_like_the_reference


class TestMiniCPM(FamilyContract):
    family = MINICPM
    models: ClassVar = {"tied": {"tie_word_embeddings": True}}


def test_files_that_state_no_factors_have_those_of_the_first_models(load, tmp_path):
    model = make_once(TestMiniCPM, "tied")
    unstated = ("embedding_scale", "residual_scale", "logit_scale")
    path = write_family(tmp_path / "m.gguf", MINICPM, model, without=unstated)
    assert_like_the_reference(load(path, **EXACT), model)


def test_checkpoints_state_factors_by_sizes(tmp_path):
    model = make_family(MINICPM, logits_scaling=64 / 48)
    path = save(tmp_path, model) / "config.json"
    config = json.loads(path.read_text())
    factors = {"scale_emb": 12, "scale_depth": 1.4, "dim_model_base": 48}
    kept = {key: value for key, value in config.items() if not key.endswith(("multiplier", "ing"))}
    path.write_text(json.dumps(kept | factors | {"model_type": "minicpm"}))
    assert_like_the_reference(load_folder(tmp_path, **EXACT), model)
